"""Fit some draws of a coverage study and keep which far-detector bins their bands cover."""

from pathlib import Path

import numpy as np

from nuinfer.closure.experiment import far_flux
from nuinfer.closure.gaussian import share_bands
from nuinfer.closure.learn import learn
from nuinfer.closure.near_data import NearProblem, near_data, shares
from nuinfer.closure.smearing import smearing_matrix
from nuinfer.closure.summary import band_coverage as covered
from nuinfer.io.closure import read_truth
from nuinfer.io.hdf5 import write_hdf5
from nuinfer.io.operators import read_operator
from nuinfer.io.provenance import provenance
from nuinfer.seeds import stream
from nuinfer.steps.cli import Progress, run


def band_coverage(truth: Path, operator: Path, output: Path, settings: dict) -> None:
    """Draw, fit and compare the draws of ``settings["range"]``; their streams differ from those of the study's own draws."""
    known, folded = read_truth(truth), read_operator(operator)
    smearing = smearing_matrix(known.grid, settings["smearing"]) if settings["smearing"] else None
    counts = known.near_flux @ known.counts_by_knot
    flux = far_flux(known, settings["oscillation"])
    true, far_matrix = shares(flux @ known.counts_by_knot), folded.matrix(flux)
    start, end = settings["range"]
    report = Progress(f"coverage {settings['study']}")
    distances, numbers = [], []
    for draw in range(start, end):
        rng = stream(settings["seed"], "coverage data", settings["experiment"], settings["events"], draw)
        data = near_data(counts, smearing, known.grid.shape, settings["events"], rng)
        learned, _ = learn(NearProblem(folded, known.near_flux, smearing, data), settings["learner"], seed=0)
        found, distance = covered(true, share_bands(learned, far_matrix))
        distances.append(distance.astype(np.float32))
        numbers.append({**found, "seconds": learned.facts["seconds"]})
        report(draw + 1 - start, end - start, "draws")
    arrays = {f"numbers/{key}": np.array([n[key] for n in numbers]) for key in numbers[0]}
    arrays |= {"distance": np.stack(distances), "share": true}
    write_hdf5(output, "band coverage", arrays, provenance("nuinfer.steps.band_coverage", settings, settings["seed"]))


if __name__ == "__main__":
    run(band_coverage)

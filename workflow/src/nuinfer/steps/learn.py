"""One draw of a study: its near-detector data, and the cross section learned from them."""

from pathlib import Path

import numpy as np

from nuinfer.closure.draws import flux_amplitudes, learner_seed, near_data_stream
from nuinfer.closure.learn import learn as fit
from nuinfer.closure.learn import learner_settings
from nuinfer.closure.near_data import NearProblem, near_data
from nuinfer.closure.smearing import smearing_matrix
from nuinfer.device import chosen_device
from nuinfer.io.closure import read_truth, write_learned, write_near
from nuinfer.io.operators import read_operator
from nuinfer.io.provenance import provenance
from nuinfer.physics.flux_shapes import read_flux_shapes
from nuinfer.steps.cli import Progress, note, run


def learn(
    truth: Path, operator: Path, near: Path, output: Path, settings: dict, flux_shapes: list[Path] = (), gpus: int = 0
) -> None:
    """Draw ``events`` events (None: the expectation) of an experiment's truth, and fit the learner of ``settings`` to them.

    What ``varies`` names is the draw's own, all else that of draw 0; without a varied flux it is the true one.  ``gpus`` is
    what the job was granted: networks are trained on it.
    """
    known, folded = read_truth(truth), read_operator(operator)
    seed, experiment, draw, varies = settings["seed"], settings["experiment"], settings["draw"], settings["varies"]
    smearing = smearing_matrix(known.grid, settings["smearing"]) if settings["smearing"] else None
    rng = near_data_stream(seed, experiment, settings["events"] or 0, draw if "near_data" in varies else 0)
    data = near_data(known.near_flux @ known.counts_by_knot, smearing, known.grid.shape, settings["events"], rng)
    flux, amplitudes = known.near_flux, np.zeros(0)
    if "flux" in varies:
        shapes = read_flux_shapes(flux_shapes[0])
        amplitudes = flux_amplitudes(shapes, seed, experiment, draw)
        flux = flux * shapes.shift(known.knots_gev, amplitudes)
    record = provenance("nuinfer.steps.learn", settings, seed)
    write_near(near, data, flux, smearing, {**record, "flux_amplitudes": amplitudes.tolist()})
    start = learner_seed(seed, settings["study"], draw, "seed" in varies)
    report = Progress(f"learn {settings['study']} {draw}")
    device = chosen_device(gpus if learner_settings(settings["learner"])[0].network else 0, note)
    learned, chosen = fit(NearProblem(folded, flux, smearing, data), settings["learner"], start, report, device)
    write_learned(output, learned, {**record, "learner_settings": chosen, "device": device})


if __name__ == "__main__":
    run(learn)

"""Evaluate an experiment's true cross section."""

from pathlib import Path

import numpy as np

from nuinfer.closure.experiment import make_experiment, truth_functions
from nuinfer.closure.truth import Truth, direct_counts
from nuinfer.io.closure import write_truth
from nuinfer.io.operators import read_mesh
from nuinfer.io.provenance import provenance
from nuinfer.physics.partons import parton_set
from nuinfer.steps.cli import Progress, run


def truth(flux: Path, operator: Path, output: Path, settings: dict, partons: list[Path] = ()) -> None:
    """Evaluate the truth at every quadrature node; of the operator only the mesh is read, to give the functions on it too.

    ``partons`` are the files that settings name, listed so that a change of theirs is seen.
    """
    experiment = make_experiment(settings, flux)
    x, q2 = read_mesh(operator).points
    functions = truth_functions(settings, experiment)
    counts = direct_counts(
        functions,
        experiment.grid,
        experiment.knots_gev,
        experiment.mass_gev,
        experiment.antineutrino,
        settings["grid"]["points_per_axis"],
        progress=Progress("truth: energy intervals"),
    )
    found = Truth(
        experiment.grid,
        experiment.knots_gev,
        experiment.near_flux,
        counts,
        functions(np.minimum(x, 1.0), q2),
        experiment.mass_gev,
        experiment.antineutrino,
    )
    record = {**provenance("nuinfer.steps.truth", settings), "partons": parton_set(settings["partons"]).describe()}
    write_truth(output, found, record)


if __name__ == "__main__":
    run(truth)

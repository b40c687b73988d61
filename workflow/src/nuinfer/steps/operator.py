"""Build an experiment's forward operator."""

from pathlib import Path

from nuinfer.closure.experiment import make_experiment, make_mesh
from nuinfer.closure.operator import build_operator
from nuinfer.io.operators import write_operator
from nuinfer.io.provenance import provenance
from nuinfer.steps.cli import Progress, run


def operator(flux: Path, output: Path, settings: dict) -> None:
    """Build the sparse map from structure functions on a mesh, and flux on knots, to counts in bins."""
    experiment = make_experiment(settings, flux)
    built = build_operator(
        experiment.grid,
        make_mesh(experiment, **settings["mesh"]),
        experiment.knots_gev,
        experiment.mass_gev,
        experiment.antineutrino,
        settings["grid"]["points_per_axis"],
        progress=Progress("operator: energy intervals"),
    )
    write_operator(output, built, provenance("nuinfer.steps.operator", settings))


if __name__ == "__main__":
    run(operator)

"""Build the map from structure functions to the densities at a sample's events."""

from pathlib import Path

from nuinfer.closure.far_model import event_points
from nuinfer.closure.operator import point_operator
from nuinfer.io.far_events import read_far_events
from nuinfer.io.operators import read_operator, write_event_operator
from nuinfer.io.provenance import provenance
from nuinfer.steps.cli import Progress, run


def far_operator(events: Path, operator: Path, output: Path, settings: dict) -> None:
    """Build it on the mesh and energies of the experiment's own operator: one serves every cross section of the sample."""
    bins, sample = read_operator(operator), read_far_events(events)
    points = event_points(sample.el_gev, sample.cos_theta, bins.grid, sample.smearing, settings["smearing_points"])
    built = point_operator(
        points,
        sample.el_gev.size,
        bins.mesh,
        bins.knots_gev,
        bins.mass_gev,
        bins.antineutrino,
        progress=Progress("operator at events: energy intervals"),
    )
    write_event_operator(output, built, provenance("nuinfer.steps.far_operator", settings))


if __name__ == "__main__":
    run(far_operator)

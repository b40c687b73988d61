"""Throw the pseudo-experiments in bins behind a coverage measurement's likelihood ratios."""

from pathlib import Path

from nuinfer.closure.far_model import bins_model
from nuinfer.io.closure import read_truth
from nuinfer.io.operators import read_operator
from nuinfer.io.oscillation import write_toys
from nuinfer.io.provenance import provenance
from nuinfer.oscillation.coverage import toys_around
from nuinfer.oscillation.plane import FitRange
from nuinfer.steps.cli import run
from nuinfer.steps.far_models import cross_section


def far_coverage_toys(truth: Path, operator: Path, output: Path, settings: dict, learned: list[Path] = ()) -> None:
    """Throw them around the true parameters, with the cross section that the fits use."""
    known, folded = read_truth(truth), read_operator(operator)
    by_knot = cross_section(known, learned).counts_by_knot(folded)
    true = settings["oscillation"]
    bins = bins_model(by_knot, folded.grid, folded.knots_gev, known.near_flux, folded.antineutrino, settings["smearing"], true)
    toys = toys_around(
        bins,
        FitRange(tuple(settings["sin2_theta23"]), tuple(settings["dm31_ev2"])),
        true["sin2_theta23"],
        true["dm31_ev2"],
        settings["toys"],
        settings["events"],
        settings["seed"],
        settings["sample"],
    )
    write_toys(output, toys, provenance("nuinfer.steps.far_coverage_toys", settings, settings["seed"]))


if __name__ == "__main__":
    run(far_coverage_toys)

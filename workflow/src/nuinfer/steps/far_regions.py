"""Construct the confidence regions of a fit by every method."""

from pathlib import Path

from nuinfer.io.jsonfile import write_json
from nuinfer.io.oscillation import read_fit, write_regions
from nuinfer.io.provenance import provenance
from nuinfer.oscillation.region_methods import RegionProblem, region_methods
from nuinfer.oscillation.regions import RegionGrid
from nuinfer.oscillation.summary import region_numbers
from nuinfer.steps.cli import Progress, run
from nuinfer.steps.far_models import far_models


def far_regions(
    truth: Path,
    operator: Path,
    events: Path,
    at_events: Path,
    fit: Path,
    metrics: Path,
    output: Path,
    settings: dict,
    learned: list[Path] = (),
) -> None:
    """Write regions as fields on a grid, and their areas, intervals and centres."""
    model, bins = far_models(truth, operator, events, at_events, learned, settings["oscillation"])
    found = read_fit(fit)
    grid = RegionGrid.over(found.plane.range, settings["n_sin2"], settings["n_dm31"])
    regions, facts = {}, {}
    for method in settings["methods"]:
        report = Progress(f"regions {method}")
        problem = RegionProblem(
            found, model.kernel.shape[1], grid, bins, settings["toys"], settings["seed"], (settings["experiment"],), report
        )
        regions[method], facts[method] = region_methods()[method](problem)
    record = provenance("nuinfer.steps.far_regions", settings, settings["seed"])
    write_regions(output, grid, regions, record)
    truth_point = settings["oscillation"] if settings["truth_known"] else None
    write_json(metrics, {**region_numbers(grid, regions, facts, truth_point), "provenance": record})


if __name__ == "__main__":
    run(far_regions)

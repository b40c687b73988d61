"""Draw the regions of one group of fits: the true cross section on the left, learned ones on the right."""

from pathlib import Path

from nuinfer.figures.files import write_figures
from nuinfer.figures.oscillation_regions import AXES, RegionEntry, RegionPanel, regions_figure
from nuinfer.io.oscillation import read_fit, read_regions
from nuinfer.io.provenance import provenance
from nuinfer.oscillation.fit import Fit
from nuinfer.oscillation.regions import Confidence, RegionGrid
from nuinfer.steps.cli import run

PLANES = {"mixing": ("sin2_2theta23", "plane_sin2_2theta"), "octants": ("sin2_theta23", "plane_sin2")}
METHODS = {
    "bootstrap": "highest density of the bootstraps' best fits",
    "bootstrap_octants": "highest density of the bootstraps' optima in both octants",
    "feldman_cousins": "likelihood ratio with the distribution of pseudo-experiments (Feldman and Cousins)",
}


def figures_fit(fits: list[Path], regions: list[Path], captions: Path, settings: dict) -> None:
    """Draw every plane and method; ``fits`` and ``regions`` follow ``settings["entries"]``."""
    entries = settings["entries"]
    read = [(entry, read_fit(fit), *read_regions(region)) for entry, fit, region in zip(entries, fits, regions, strict=True)]
    several = len({entry["sample"] for entry in entries}) > 1
    drawn = []
    for method in settings["methods"]:
        for plane, (axis, field) in PLANES.items():
            panels = []
            for title, true in (("true cross section", True), ("learned cross section", False)):
                shown = [
                    _entry(_label(entry, several, true), axis, field, fit, grid, found[method])
                    for entry, fit, grid, found in read
                    if (entry["xsec"] == "true") == true
                ]
                if shown:
                    panels.append(RegionPanel(title, shown))
            figure = regions_figure(panels, _truth(settings["truth"], axis), **AXES[axis])
            text = (
                f"{settings['label']}: regions of 1, 2 and 3 sigma by {METHODS[method]}, with the bootstraps' best fits beside"
                f"{'' if settings['truth'] is None else '; the star is the truth'}."
            )
            drawn.append((f"{plane}_{method}", figure, text))
    write_figures(captions, drawn, provenance("nuinfer.steps.figures_fit", settings))


def _entry(label: str, axis: str, field: str, fit: Fit, grid: RegionGrid, found: Confidence) -> RegionEntry:
    cloud, data = fit.cloud.best, fit.data.best
    return RegionEntry(
        label,
        getattr(grid, axis),
        grid.dm31_ev2,
        getattr(found, field),
        _on_axis(cloud.sin2_theta23, axis),
        cloud.dm31_ev2,
        (float(_on_axis(data.sin2_theta23[0], axis)), float(data.dm31_ev2[0])),
    )


def _label(entry: dict, several: bool, true: bool) -> str:
    """Only what differs within a panel: a panel of true cross sections differs in samples."""
    if true:
        return entry["sample_label"] if several else entry["label"]
    return f"{entry['label']}, {entry['sample_label']}" if several else entry["label"]


def _on_axis(sin2_theta23, axis: str):
    return 4.0 * sin2_theta23 * (1.0 - sin2_theta23) if axis == "sin2_2theta23" else sin2_theta23


def _truth(truth: dict | None, axis: str) -> tuple[float, float] | None:
    return None if truth is None else (_on_axis(truth["sin2_theta23"], axis), truth["dm31_ev2"])


if __name__ == "__main__":
    run(figures_fit)

"""Draw a scan of a network's size and of the number of bins."""

from pathlib import Path

from nuinfer.figures.files import write_figures
from nuinfer.figures.scan import scan_figure
from nuinfer.io.jsonfile import read_json
from nuinfer.io.provenance import provenance
from nuinfer.steps.cli import run


def figure_scan(scan: Path, captions: Path, settings: dict) -> None:
    """The featured point is that of ``settings["featured"]``: depth, width, bins."""
    figure = scan_figure(read_json(scan)["rows"], tuple(settings["featured"]))
    text = (
        f"{settings['label']}: Kullback-Leibler divergence of the learned density in three dimensions at both detectors, and "
        "the oscillation metric (squared distance of paired bootstraps' best fits, in standard deviations)."
    )
    write_figures(captions, [("scan", figure, text)], provenance("nuinfer.steps.figure_scan", settings))


if __name__ == "__main__":
    run(figure_scan)

"""Draw a scan of a network's size and of the number of bins."""

from pathlib import Path

from nuinfer.figures.scan import scan_figure
from nuinfer.figures.style import save
from nuinfer.io.jsonfile import read_json, write_json
from nuinfer.steps.cli import run


def figure_scan(scan: Path, captions: Path, settings: dict) -> None:
    """The featured point is that of ``settings["featured"]``: depth, width, bins."""
    figure = scan_figure(read_json(scan)["rows"], tuple(settings["featured"]))
    save(figure, captions.with_name("scan.pdf"), captions.with_name("scan.png"))
    text = (
        f"{settings['label']}: Kullback-Leibler divergence of the learned density in three dimensions at both detectors, and "
        "the oscillation metric (squared distance of paired bootstraps' best fits, in standard deviations)."
    )
    write_json(captions, {"scan": text})


if __name__ == "__main__":
    run(figure_scan)

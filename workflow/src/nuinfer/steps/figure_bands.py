"""The figure of a study's coverage: how often bands of each level hold the true far-detector density."""

from pathlib import Path

from nuinfer.figures.closure_bands import band_coverage
from nuinfer.figures.files import write_figures
from nuinfer.io.hdf5 import read_hdf5
from nuinfer.io.jsonfile import read_json
from nuinfer.io.provenance import provenance
from nuinfer.steps.cli import run


def figure_bands(arrays: Path, metrics: Path, captions: Path, settings: dict) -> None:
    """Draw ``bands`` into the folder of ``captions``, as PDF and PNG."""
    curves, _ = read_hdf5(arrays, "band coverage summary")
    draws = read_json(metrics)["draws"]
    names = {"events": "bins weighted by events", "bins": "filled bins alike"}
    coverage = {label: curves[f"{key}_coverage"] for key, label in names.items()}
    errors = {label: curves[f"{key}_error"] for key, label in names.items()}
    figure = band_coverage(curves["levels"], coverage, errors=errors)
    text = (
        f"Share of far-detector bins whose true content lies inside the posterior's central band, over {draws} near-detector "
        f"draws; errors from draw to draw, since the bins of one draw share its fluctuation. {settings['label']}."
    )
    write_figures(captions, [("bands", figure, text)], provenance("nuinfer.steps.figure_bands", settings))


if __name__ == "__main__":
    run(figure_bands)

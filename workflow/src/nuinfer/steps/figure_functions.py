"""The figure of a study's structure functions, true and learned."""

from pathlib import Path

from nuinfer.figures.closure_structure import structure_functions
from nuinfer.figures.files import write_figures
from nuinfer.io.hdf5 import read_hdf5
from nuinfer.io.provenance import provenance
from nuinfer.steps.cli import run


def figure_functions(arrays: Path, captions: Path, settings: dict) -> None:
    """Draw ``functions`` into the folder of ``captions``, as PDF and PNG."""
    shown, _ = read_hdf5(arrays, "closure comparison")
    parts = (shown[f"functions/{w}"] for w in ("true", "model", "weighted_true", "weighted_model"))
    figure = structure_functions(shown["mesh/x"], shown["mesh/q2_gev2"], *parts)
    text = (
        "The three independent structure functions (of one nucleon, on one scale), and the events that each brings. White: no "
        f"neutrino of the flux reaches the point. {settings['label']}."
    )
    write_figures(captions, [("functions", figure, text)], provenance("nuinfer.steps.figure_functions", settings))


if __name__ == "__main__":
    run(figure_functions)

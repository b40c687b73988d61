"""The figures of a tension: the matrix of p-values, and the p-values of pseudo-data."""

from pathlib import Path

import numpy as np

from nuinfer.figures.files import write_figures
from nuinfer.figures.tension import calibration_figure, tension_matrix
from nuinfer.io.jsonfile import read_json
from nuinfer.io.provenance import provenance
from nuinfer.steps.cli import run


def figures_tension(tension: Path, captions: Path, settings: dict) -> None:
    """Draw into the folder of ``captions``, each figure as PDF and PNG."""
    facts = read_json(tension)
    labels = dict(zip(facts["tunes"], facts["labels"], strict=True))
    tested = {
        f"{labels[pair['learned_from']]}\nto {labels[pair['predicted']]}": np.array(pair["pseudo_p_values"])
        for pair in facts["pairs"]
    }
    n = len(facts["pairs"][0]["pseudo_p_values"])
    figures = {
        "matrix": tension_matrix(facts["labels"], np.array(facts["p"]), np.array(facts["errors"])),
        "calibration": calibration_figure(tested),
    }
    shared = "errors that they share taken into account" if facts["shared_errors"] else "errors independent"
    texts = {
        "matrix": "p-value of the data in each column under the posterior given the data in each row alone, "
        f"{shared}; on the diagonal the goodness of fit to a measurement's own data.",
        "calibration": f"The same p-value for {n} pairs of pseudo-data from the simulation: distribution minus uniform, with "
        "the 95 % band of uniform p-values.",
    }
    drawn = [(name, figure, texts[name]) for name, figure in figures.items()]
    write_figures(captions, drawn, provenance("nuinfer.steps.figures_tension", settings))


if __name__ == "__main__":
    run(figures_tension)

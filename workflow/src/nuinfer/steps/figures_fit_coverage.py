"""Draw how often regions hold the truth, and the pulls of best fits, for one cross section."""

import json
from pathlib import Path

from nuinfer.figures.files import write_figures
from nuinfer.figures.oscillation_coverage import fit_coverage_figure, pulls_figure
from nuinfer.io.hdf5 import read_hdf5
from nuinfer.io.jsonfile import read_json
from nuinfer.io.provenance import provenance
from nuinfer.steps.cli import run


def figures_fit_coverage(arrays: Path, metrics: Path, captions: Path, settings: dict) -> None:
    """Draw the curves with the band that holds calibrated ones, and the pseudo-experiments' best fits."""
    found, _ = read_hdf5(arrays, "fit coverage summary")
    numbers, xsec = read_json(metrics), settings["xsec"]
    curves: dict[str, dict] = {}
    for name, values in found.items():
        if name.startswith(f"curves/{xsec}/"):
            method, quantity = name.split("/")[2:]
            curves.setdefault(method, {})[quantity] = values
    n = numbers["pseudo_experiments"]
    best = {k: found[f"{xsec}/{k}"] for k in ("sin2_theta23", "dm31_ev2", "loglike", "sd_dm31_ev2")}
    true = json.loads(numbers["provenance"]["settings"])["oscillation"]
    figures = {
        "coverage": (
            fit_coverage_figure(found["levels"], curves, found["lower"], found["upper"]),
            f"share of {n} pseudo-experiments whose region of a level holds the truth; a method that covers as it claims "
            "stays in the grey band with 95 % probability.",
        ),
        "pulls": (
            pulls_figure(
                best["sin2_theta23"],
                best["loglike"].argmax(axis=1) == 1,
                (best["dm31_ev2"][:, int(true["sin2_theta23"] > 0.5)] - true["dm31_ev2"]) / best["sd_dm31_ev2"],
                (true["sin2_theta23"], true["dm31_ev2"]),
            ),
            f"best fits of {n} pseudo-experiments, whose likelihood is nearly the same in both octants, and the pulls of "
            "dm2_31 at the optimum in the truth's octant.",
        ),
    }
    label = f"{settings['label']}, {settings['xsec_label']}"
    drawn = [(f"{kind}_{xsec}", figure, f"{label}: {text}") for kind, (figure, text) in figures.items()]
    write_figures(captions, drawn, provenance("nuinfer.steps.figures_fit_coverage", settings))


if __name__ == "__main__":
    run(figures_fit_coverage)

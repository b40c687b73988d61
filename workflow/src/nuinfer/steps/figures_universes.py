"""Draw the coverage of an ensemble's united regions, and against the fraction of members that a union demands."""

from pathlib import Path

import numpy as np

from nuinfer.figures.files import write_figures
from nuinfer.figures.union_coverage import demanded_fraction_figure, union_coverage_figure
from nuinfer.io.hdf5 import read_hdf5
from nuinfer.io.jsonfile import read_json
from nuinfer.io.provenance import provenance
from nuinfer.oscillation.union_coverage import FractionCurves
from nuinfer.steps.cli import run

SHOWN = ("plane_sin2", "sin2", "dm31")
TITLES = {"plane_sin2": "joint", "dm31": r"$\Delta m^2_{31}$"}
MEMBERS = {
    "bootstrap": "bootstrap densities",
    "bootstrap_octants": "bootstraps, both octants",
    "feldman_cousins": "Feldman-Cousins",
}
METHODS = {
    **{f"union_{name}": f"union of {text}" for name, text in MEMBERS.items()},
    "marginal_chi2": "marginalised, closed form",
    "marginal_toys": "marginalised, Feldman-Cousins",
    **{f"central_{name}": f"statistics alone, {text}" for name, text in MEMBERS.items()},
}


def figures_universes(arrays: Path, metrics: Path, captions: Path, settings: dict) -> None:
    """Quantities are the joint region and the intervals of both parameters; fractions are of the first method's members."""
    numbers = read_json(metrics)
    measured = {
        text: {
            name: np.array([[of[name][f"{n}_sigma"][key] for key in ("coverage", "lower", "upper")] for n in (1, 2, 3)])
            for name in SHOWN
        }
        for method, text in METHODS.items()
        if (of := numbers["coverage"].get(method))
    }
    read, _ = read_hdf5(arrays, "universes summary")
    curves = []
    for method in numbers["calibrated"]:
        for name in TITLES:
            head = f"curves/{method}/{name}/"
            stored = {key.removeprefix(head): value for key, value in read.items() if key.startswith(head)}
            curves.append((f"{TITLES[name]}, {MEMBERS[method]}", FractionCurves(**stored)))
    figures = {"coverage": union_coverage_figure(measured), "fractions": demanded_fraction_figure(curves)}
    universes = f"{settings['label']}: {numbers['universes']} universes of {numbers['members']} members"
    texts = {
        "coverage": f"{universes}. Share of regions that hold the truth, with binomial intervals of 68 %.",
        "fractions": f"{universes}. Coverage of the union against the fraction of members that it demands.",
    }
    drawn = [(name, figure, texts[name]) for name, figure in figures.items()]
    write_figures(captions, drawn, provenance("nuinfer.steps.figures_universes", settings))


if __name__ == "__main__":
    run(figures_universes)

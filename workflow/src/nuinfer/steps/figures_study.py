"""The figures of one closure study: densities, marginals and differential cross sections, true and learned."""

from pathlib import Path

import numpy as np

from nuinfer.figures.closure_maps import density_maps
from nuinfer.figures.closure_marginals import marginals
from nuinfer.figures.closure_slices import cross_section_slices
from nuinfer.figures.files import write_figures
from nuinfer.io.hdf5 import read_hdf5
from nuinfer.io.jsonfile import read_json
from nuinfer.io.operators import grid_of
from nuinfer.io.provenance import provenance
from nuinfer.steps.cli import run

EL_TICKS_GEV = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def figures_study(arrays: Path, metrics: Path, captions: Path, settings: dict) -> None:
    """Draw into the folder of ``captions``, each figure as PDF and PNG."""
    shown, facts = read_hdf5(arrays, "closure comparison")
    numbers = read_json(metrics)
    grid = grid_of(facts)
    ticks = {e: float(grid.u(e)) for e in EL_TICKS_GEV if grid.el_min_gev < e <= grid.el_max_gev}
    near, far = numbers["near"]["rel_l2"], numbers["far"]["rel_l2"]
    figures = {
        "density": density_maps(
            grid.u_edges, grid.v_edges, ticks,
            *(shown[f"density/{d}_{w}"] for d in ("near", "far") for w in ("true", "model")),
            rel_l2_near=near, rel_l2_far=far,
        ),
        "marginals": marginals(_panels(shown)),
        "slices": cross_section_slices(
            grid.u_edges, grid.v_edges, ticks, shown["slices/enu_gev"], shown["slices/true"], shown["slices/model"],
            unit=r"normalised, GeV$^{-2}$",
        ),
    }  # fmt: skip
    tail = f"{settings['label']}; relative L2: near {100 * near:.2g} %, far {100 * far:.2g} %."
    texts = {
        "density": "Densities of events per unit u and v, u even in the logarithm of the lepton energy, v = sin(theta / 2).",
        "marginals": "Densities in one variable at both detectors, and model over truth. Steps: truth; points: model. In x, y "
        "and Q2 the events of a cell (energy knot by bin) are spread evenly over it, truth and model alike: towards the ends "
        "both are off by up to a quarter.",
        "slices": "Differential cross sections at fixed neutrino energies, normalised over the whole phase space; white: no "
        "events. The learner saw the near detector's density alone.",
    }
    drawn = [(name, figure, f"{texts[name]} {tail}") for name, figure in figures.items()]
    write_figures(captions, drawn, provenance("nuinfer.steps.figures_study", settings))


def _panels(shown: dict[str, np.ndarray]) -> list[dict]:
    panels: dict[int, dict] = {}
    for name, value in shown.items():
        if name.startswith("marginals/"):
            _, number, key = name.split("/")
            panels.setdefault(int(number), {})[key] = value if value.ndim else value.item()
    return [panels[i] for i in sorted(panels)]


if __name__ == "__main__":
    run(figures_study)

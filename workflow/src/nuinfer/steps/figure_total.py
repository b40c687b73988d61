"""The figure that puts an experiment's learners side by side: total cross sections."""

from pathlib import Path

import numpy as np

from nuinfer.figures.closure_total import total_cross_section
from nuinfer.figures.files import write_figures
from nuinfer.io.hdf5 import read_hdf5
from nuinfer.io.provenance import provenance
from nuinfer.steps.cli import run


def figure_total(arrays: list[Path], captions: Path, settings: dict) -> None:
    """Draw ``total`` into the folder of ``captions``; ``arrays`` follow ``settings["labels"]``."""
    shown = {label: read_hdf5(path, "closure comparison")[0] for label, path in zip(settings["labels"], arrays, strict=True)}
    first = next(iter(shown.values()))
    enu = first["total/enu_gev"]
    models = {label: _per_energy(a["total/model"], enu) for label, a in shown.items()}
    figure = total_cross_section(enu, _per_energy(first["total/true"], enu), models, flux=first["total/near_flux"])
    text = f"Total cross section over energy, normalised to one; grey: near-detector flux. {settings['label']}."
    write_figures(captions, [("total", figure, text)], provenance("nuinfer.steps.figure_total", settings))


def _per_energy(total: np.ndarray, enu_gev: np.ndarray) -> np.ndarray:
    values = total / enu_gev
    return values / float(np.sum(0.5 * np.diff(enu_gev) * (values[1:] + values[:-1])))


if __name__ == "__main__":
    run(figure_total)

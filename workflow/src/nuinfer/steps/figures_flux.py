"""Draw the components of a flux's uncertainty, and what draws of it look like."""

from pathlib import Path

import numpy as np

from nuinfer.closure.draws import flux_amplitudes
from nuinfer.figures.files import write_figures
from nuinfer.figures.flux_shapes import COMPONENTS_CAPTION, DRAWS_CAPTION, components_figure, draws_figure
from nuinfer.io.closure import read_truth
from nuinfer.io.provenance import provenance
from nuinfer.physics.flux_shapes import read_flux_shapes
from nuinfer.seeds import stream
from nuinfer.steps.cli import run

BAND_DRAWS = 4000


def figures_flux(truth: Path, flux_shapes: Path, captions: Path, settings: dict) -> None:
    """The draws are the first of the studies', at most ``settings["draws"]``; the band is the spread of many more."""
    known, shapes = read_truth(truth), read_flux_shapes(flux_shapes)
    enu = np.linspace(known.knots_gev[0], known.knots_gev[-1], 400)
    flux = np.interp(enu, known.knots_gev, known.near_flux)
    seed, experiment = settings["seed"], settings["experiment"]
    amplitudes = np.stack([flux_amplitudes(shapes, seed, experiment, draw) for draw in range(settings["draws"])])
    many = flux * shapes.shift(enu, shapes.draws(BAND_DRAWS, stream(seed, "flux band", experiment)))
    ratio = many / np.trapezoid(many, enu, axis=1)[:, None] * (np.trapezoid(flux, enu) / flux)
    figures = {
        "components": (components_figure(enu, shapes.fractions(enu), shapes.names), COMPONENTS_CAPTION),
        "draws": (draws_figure(enu, flux, flux * shapes.shift(enu, amplitudes), ratio.std(axis=0)), DRAWS_CAPTION),
    }
    drawn = [(name, figure, f"{settings['label']}: {text}") for name, (figure, text) in figures.items()]
    write_figures(captions, drawn, provenance("nuinfer.steps.figures_flux", settings, seed))


if __name__ == "__main__":
    run(figures_flux)

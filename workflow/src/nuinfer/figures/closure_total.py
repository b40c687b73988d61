"""Total cross section against neutrino energy, and its ratio to the truth."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from nuinfer.errors import InputError
from nuinfer.figures.arrays import shaped
from nuinfer.figures.closure_axes import increasing, legend_above, legend_shape, place, plain_log
from nuinfer.figures.style import BLACK, DASHES, LIGHT_GREY, SINGLE_IN, colour, new_figure, styled

LEFT_IN, BOTTOM_IN, RATIO_IN, UPPER_IN, GAP_IN = 0.62, 0.42, 0.95, 1.75, 0.06
FLUX_HEIGHT = 0.5
"""Share of the panel's height that the flux may fill."""
RATIO_QUANTILE = 0.98
"""Share of the energies that the ratio's axis must hold: just above the threshold a ratio has no meaning."""
LARGEST_SPREAD = 5.0
"""The ratio panel reaches no further than this many times the closest model's deviation; others may leave it."""


@styled
def total_cross_section(
    enu_gev: np.ndarray,
    true: np.ndarray,
    models: Mapping[str, np.ndarray],
    bands: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
    flux: np.ndarray | None = None,
    ylabel: str = r"normalised $\sigma(E_\nu) / E_\nu$ [1/GeV]",
) -> Figure:
    """Draw sigma over energy at ``enu_gev`` ``(n,)``, and models over truth below (figure 5 of arXiv:2412.16303).

    ``true`` ``(n,)`` and ``models``, label -> ``(n,)``: normalised sigma / E, drawn as given, in the unit that
    ``ylabel`` names.  ``bands``: label of a model -> its (lower, upper) ``(n,)``.  ``flux`` ``(n,)``: drawn as a shade
    without scale, since only its shape says where the data are.  Raises InputError for shapes that do not fit, a truth
    that is not positive and a band without its model.
    """
    enu_gev = increasing("enu_gev", enu_gev, positive=True)
    n = enu_gev.shape
    true = shaped("true", true, n)
    if np.any(true <= 0):
        raise InputError("figure: true must be positive; leave out energies below the threshold")
    models = {name: shaped(f"model '{name}'", values, n) for name, values in models.items()}
    bands = {name: shaped(f"band '{name}'", band, (2, *n)) for name, band in (bands or {}).items()}
    if set(bands) - set(models):
        raise InputError(f"figure: bands of {', '.join(set(bands) - set(models))}, which no model has; name a model")
    handles = [Line2D([], [], color=BLACK, linewidth=1.4)]
    handles += [Line2D([], [], color=colour(m, k), linestyle=DASHES[k % len(DASHES)]) for k, m in enumerate(models)]
    names = ["true", *models]
    if flux is not None:
        handles.append(Patch(color=LIGHT_GREY, linewidth=0))
        names.append("flux (no scale)")
    texts, columns, legend_in = legend_shape(names, SINGLE_IN - 0.1)
    figure = new_figure(SINGLE_IN, BOTTOM_IN + RATIO_IN + GAP_IN + UPPER_IN + legend_in)
    lower = place(figure, LEFT_IN, BOTTOM_IN, SINGLE_IN - LEFT_IN - 0.12, RATIO_IN)
    upper = place(figure, LEFT_IN, BOTTOM_IN + RATIO_IN + GAP_IN, SINGLE_IN - LEFT_IN - 0.12, UPPER_IN)
    for ax, base in ((upper, np.ones(n)), (lower, true)):
        _shade_flux(ax, enu_gev, flux)
        ax.plot(enu_gev, true / base, color=BLACK, linewidth=1.4 if ax is upper else 0.5)
        for k, (name, values) in enumerate(models.items()):
            tint = colour(name, k)
            if name in bands:
                ax.fill_between(enu_gev, *(bands[name] / base), color=tint, alpha=0.25, linewidth=0)
            ax.plot(enu_gev, values / base, color=tint, linestyle=DASHES[k % len(DASHES)])
        ax.set_xscale("log")
        ax.set_xlim(enu_gev[0], enu_gev[-1])
        plain_log(ax.xaxis)
    drawn = [*models.values(), *(band[k] for band in bands.values() for k in (0, 1))]
    apart = [float(np.quantile(np.abs(d / true - 1), RATIO_QUANTILE)) for d in drawn] or [0.0]
    # A model that is wrong by far would hide how close the others are.
    half = 1.15 * max(1e-3, min(max(apart), LARGEST_SPREAD * min(apart[: len(models)], default=0.0)))
    lower.set_ylim(1.0 - half, 1.0 + half)
    upper.set_ylim(0.0, 1.1 * max(float(np.max(d)) for d in [true, *drawn]))
    upper.tick_params(axis="x", labelbottom=False, which="both")
    upper.set_ylabel(ylabel)
    lower.set_ylabel("model / true")
    lower.set_xlabel(r"$E_\nu$ [GeV]")
    for ax in (upper, lower):
        ax.yaxis.set_label_coords(-0.44 / (SINGLE_IN - LEFT_IN - 0.12), 0.5)
    legend_above(figure, handles, texts, columns)
    return figure


def _shade_flux(ax, enu_gev: np.ndarray, flux: np.ndarray | None) -> None:
    if flux is None:
        return
    flux = shaped("flux", flux, enu_gev.shape)
    height = FLUX_HEIGHT * flux / max(float(flux.max()), 1e-300)
    ax.fill_between(enu_gev, height, color=LIGHT_GREY, linewidth=0, transform=ax.get_xaxis_transform(), zorder=0)

"""The flux's uncertain shape: components, and draws beside the true flux (figures 10 and 11 of arXiv:2412.16303)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from nuinfer.errors import InputError
from nuinfer.figures.arrays import shaped
from nuinfer.figures.closure_axes import increasing, legend_above, legend_shape, place
from nuinfer.figures.style import BLACK, BLUE, CYCLE, DASHES, DOUBLE_IN, LIGHT_GREY, SINGLE_IN, new_figure, styled

COMPONENTS_CAPTION = "Components of the flux's uncertainty: fractional shifts at an amplitude of one standard deviation."
DRAWS_CAPTION = (
    "Draws of the flux's shape beside the true flux, each of unit integral over the energies shown (left), and their ratios "
    "to it (right)."
)
FEW = len(CYCLE)
"""So many draws have a colour each; more are thin lines of one colour."""
LEFT_IN, RIGHT_IN, BOTTOM_IN, BETWEEN_IN, HEIGHT_IN = 0.62, 0.12, 0.42, 0.62, 2.1
ENERGY_LABEL = r"$E_\nu$ [GeV]"
MARGIN = 0.08


@styled
def components_figure(enu_gev: np.ndarray, fractions: np.ndarray, names: Sequence[str]) -> Figure:
    r"""Draw the fractional one-sigma shifts :math:`\delta_i(E_\nu)` in per cent (figure 10 of arXiv:2412.16303).

    ``enu_gev`` ``(n,)`` increasing; ``fractions`` ``(k, n)``, 0.05 for a shift of 5 %; ``names`` ``(k,)`` for the legend.
    Raises InputError for shapes that do not fit, energies out of order, and values that are not finite.
    """
    enu = increasing("enu_gev", enu_gev)
    percent = 100.0 * shaped("fractions", fractions, (len(names), len(enu)))
    looks = [_look(k, len(names)) for k in range(len(names))]
    texts, columns, legend_in = legend_shape(names, SINGLE_IN - 0.1)
    figure = new_figure(SINGLE_IN, BOTTOM_IN + HEIGHT_IN + legend_in)
    ax = place(figure, LEFT_IN, BOTTOM_IN, SINGLE_IN - LEFT_IN - RIGHT_IN, HEIGHT_IN)
    ax.axhline(0.0, color=BLACK, linewidth=0.5)
    for shift, look in zip(percent, looks, strict=True):
        ax.plot(enu, shift, **look)
    low, high = min(0.0, float(percent.min())), max(0.0, float(percent.max()))
    pad = MARGIN * (high - low) or 1.0
    ax.set_ylim(low - pad, high + pad)
    _energies(ax, enu)
    _label(ax, r"1$\sigma$ shift of the flux [%]", SINGLE_IN - LEFT_IN - RIGHT_IN)
    legend_above(figure, [Line2D([], [], **look) for look in looks], texts, columns)
    return figure


@styled
def draws_figure(
    enu_gev: np.ndarray, flux: np.ndarray, drawn: np.ndarray, band: np.ndarray | None = None, name: str = "draw"
) -> Figure:
    """Draw the true flux and draws of it as densities of unit integral, and beside them their ratios to the true density
    (figure 11 of arXiv:2412.16303).

    ``enu_gev`` ``(n,)`` increasing; ``flux`` ``(n,)`` and ``drawn`` ``(m, n)`` in any common unit, normalised here by the
    trapezoidal rule.  ``band`` ``(n,)``: one standard deviation of the ratio of two such densities, a fraction.  Ratios leave
    a gap where the true flux is zero.  ``name``: what the legend calls one draw.  Raises InputError for shapes that do not
    fit, a flux that is negative or zero throughout, and a negative band.
    """
    enu = increasing("enu_gev", enu_gev)
    true = _density("flux", shaped("flux", flux, enu.shape), enu)
    draws = _density("drawn", shaped("drawn", drawn, (None, len(enu))), enu)
    if band is not None and np.any((band := shaped("band", band, enu.shape)) < 0):
        raise InputError("figure: band holds negative values; give the standard deviation of the ratio")
    ratios = np.divide(draws, true, out=np.full_like(draws, np.nan), where=true > 0)
    looks = [_look(k, len(draws)) for k in range(len(draws))]
    few = len(draws) <= FEW
    handles = [Line2D([], [], color=BLACK, linewidth=1.4)]
    handles += [Line2D([], [], **look) for look in looks] if few else [Line2D([], [], color=looks[0]["color"])]
    names = ["true flux", *([f"{name} {k + 1}" for k in range(len(draws))] if few else [f"{len(draws)} {name}s"])]
    if band is not None:
        handles.append(Patch(color=LIGHT_GREY, linewidth=0))
        names.append(r"1$\sigma$ of the ratio")
    texts, columns, legend_in = legend_shape(names, DOUBLE_IN - 0.1)
    width = (DOUBLE_IN - 2 * LEFT_IN - RIGHT_IN) / 2
    figure = new_figure(DOUBLE_IN, BOTTOM_IN + HEIGHT_IN + legend_in)
    left = place(figure, LEFT_IN, BOTTOM_IN, width, HEIGHT_IN)
    right = place(figure, LEFT_IN + width + BETWEEN_IN, BOTTOM_IN, width, HEIGHT_IN)
    for density, ratio, look in zip(draws, ratios, looks, strict=True):
        left.plot(enu, density, **look)
        right.plot(enu, ratio, **look)
    left.plot(enu, true, color=BLACK, linewidth=1.4, zorder=3)
    right.axhline(1.0, color=BLACK, linewidth=0.7, zorder=3)
    spread = [np.nanmax(np.abs(ratios - 1.0))]
    if band is not None:
        right.fill_between(enu, 1.0 - band, 1.0 + band, color=LIGHT_GREY, linewidth=0, zorder=0.5)
        spread.append(band.max())
    half = (1.0 + MARGIN) * max(1e-3, float(max(spread)))
    left.set_ylim(0.0, (1.0 + MARGIN) * max(true.max(), draws.max()))
    right.set_ylim(1.0 - half, 1.0 + half)
    for ax, label in ((left, "flux density of unit integral [1/GeV]"), (right, f"{name} / true flux")):
        _energies(ax, enu)
        _label(ax, label, width)
    legend_above(figure, handles, texts, columns)
    return figure


def _density(name: str, flux: np.ndarray, enu: np.ndarray) -> np.ndarray:
    integral = np.trapezoid(flux, enu, axis=-1)
    if np.any(flux < 0) or not np.all(integral > 0):
        raise InputError(f"figure: {name} must not be negative, and above zero somewhere; draw the flux again")
    return flux / integral[..., None]


def _look(k: int, n: int) -> dict:
    if n <= FEW:
        return {"color": CYCLE[k], "linestyle": DASHES[k % len(DASHES)]}
    return {"color": BLUE, "linewidth": 0.5, "alpha": 0.6}


def _energies(ax: Axes, enu: np.ndarray) -> None:
    ax.set_xlim(enu[0], enu[-1])
    ax.set_xlabel(ENERGY_LABEL)
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))


def _label(ax: Axes, text: str, width_in: float) -> None:
    ax.set_ylabel(text)
    ax.yaxis.set_label_coords(-0.44 / width_in, 0.5)

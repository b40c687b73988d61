"""Structure functions of x and Q2: truth beside model, as they are and weighted by how much data see of them."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LogNorm, Normalize, SymLogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogFormatterMathtext, LogLocator, NullLocator

from nuinfer.errors import InputError
from nuinfer.figures.arrays import not_empty
from nuinfer.figures.closure_axes import (
    BAR_GAP_IN,
    BAR_IN,
    DENSITY_MAP,
    DIFFERENCE_MAP,
    bar_beside,
    draw_map,
    field,
    increasing,
    map_figure,
    place,
    top_of,
)
from nuinfer.figures.style import DOUBLE_IN, styled

DECADES, SIGNED_DECADES = 3, 2
NAMES = (r"$\tilde{W}_1$", r"$\tilde{W}_2$", r"$\tilde{W}_3$")
BLOCKS = ("structure function", r"weighted, $P_i(x, Q^2)$ [GeV$^{-2}$]")
LEFT_IN, GAP_X_IN, BAR_TEXT_IN, GAP_Y_IN, BOTTOM_IN, TOP_IN, PANEL_IN = 0.72, 0.07, 0.48, 0.12, 0.42, 0.42, 1.3


@styled
def structure_functions(
    x_nodes: np.ndarray,
    q2_nodes: np.ndarray,
    true: np.ndarray,
    model: np.ndarray,
    weighted_true: np.ndarray,
    weighted_model: np.ndarray,
    names: Sequence[str] = NAMES,
    blocks: tuple[str, str] = BLOCKS,
    decades: float = DECADES,
) -> Figure:
    """Draw one row per function: true and model, then the same weighted with the flux and the kinematics (figure 18
    of arXiv:2412.16303).

    ``x_nodes`` ``(n_x,)``, ``q2_nodes`` ``(n_q,)``, GeV^2: where the values are; cells end half way between them on
    the logarithmic axes.  ``true``, ``model``, ``weighted_true``, ``weighted_model`` ``(n, n_x, n_q)``: nan or masked
    where no neutrino energy reaches, which stays white.  ``names``: ``(n,)``; ``blocks``: headings, with units.  Truth
    and model share a scale: logarithmic over ``decades`` below the largest value, smaller ones in its lowest colour;
    where a truth has negative values, symmetric about zero and linear within a hundredth of the largest.  Raises
    InputError for shapes that do not fit.
    """
    x_nodes = increasing("x_nodes", x_nodes, positive=True)
    q2_nodes = increasing("q2_nodes", q2_nodes, positive=True)
    n, shape = len(names), (len(names), len(x_nodes), len(q2_nodes))
    not_empty("names", names)
    if decades <= 0:
        raise InputError(f"figure: decades is {decades:g}; give a positive number")
    if len(blocks) != 2:
        raise InputError(f"figure: {len(blocks)} headings of blocks; give two")
    pairs = (
        (field("true", true, shape), field("model", model, shape)),
        (field("weighted_true", weighted_true, shape), field("weighted_model", weighted_model, shape)),
    )
    bar = BAR_GAP_IN + BAR_IN + BAR_TEXT_IN
    panel_w = (DOUBLE_IN - LEFT_IN - 2 * (GAP_X_IN + bar) - 0.02) / 4
    height = BOTTOM_IN + TOP_IN + n * PANEL_IN + (n - 1) * GAP_Y_IN
    figure = map_figure(DOUBLE_IN, height)
    edges = _cell_edges(x_nodes), _cell_edges(q2_nodes)
    for k in range(n):
        bottom = BOTTOM_IN + (n - 1 - k) * (PANEL_IN + GAP_Y_IN)
        for b, pair in enumerate(pairs):
            left = LEFT_IN + b * (2 * panel_w + GAP_X_IN + bar)
            axes = [place(figure, left + c * (panel_w + GAP_X_IN), bottom, panel_w, PANEL_IN) for c in (0, 1)]
            _row(figure, axes, edges, pair[0][k], pair[1][k], decades)
            for c, ax in enumerate(axes):
                _log_axes(ax, first=b == c == 0, last=k == n - 1)
                if k == 0:
                    ax.text(0.5, 1.03, ("true", "model")[c], transform=ax.transAxes, ha="center", va="bottom")
            if k == 0:
                middle = (left + panel_w + 0.5 * GAP_X_IN) / DOUBLE_IN
                figure.text(middle, 1 - 0.03 / height, blocks[b], ha="center", va="top", fontsize=8)
        at = (0.04 / DOUBLE_IN, (bottom + 0.5 * PANEL_IN) / height)
        figure.text(*at, names[k], rotation=90, ha="left", va="center", fontsize=9)
    return figure


def _cell_edges(nodes: np.ndarray) -> np.ndarray:
    """Return ``(n + 1,)`` edges half way between nodes in the logarithm; the outer cells end at their nodes."""
    middle = np.sqrt(nodes[1:] * nodes[:-1])
    return np.concatenate([nodes[:1], middle, nodes[-1:]])


def scale_of(true: np.ndarray, model: np.ndarray, decades: float = DECADES) -> tuple[Normalize, str]:
    """Return the shared norm and colour map: logarithmic, or symmetric where the truth is negative somewhere."""
    top = top_of(true, model)
    if np.any(true < -1e-6 * top):
        return SymLogNorm(top * 10.0**-SIGNED_DECADES, linscale=0.6, vmin=-top, vmax=top, base=10), DIFFERENCE_MAP
    return LogNorm(top * 10.0**-decades, top), DENSITY_MAP


def _row(
    figure: Figure, axes: list[Axes], edges: tuple[np.ndarray, np.ndarray], true: np.ndarray, model: np.ndarray, decades: float
) -> None:
    norm, cmap = scale_of(true, model, decades)
    signed = isinstance(norm, SymLogNorm)
    for ax, values in zip(axes, (true, model), strict=True):
        # A logarithm would leave values below zero white, the colour of the unreachable.
        mesh = draw_map(ax, *edges, values if signed else np.maximum(values, norm.vmin), norm, cmap)
    bar = bar_beside(figure, axes[1], mesh, "", extend="neither" if signed else "min")
    _bar_ticks(bar, norm, signed)


def _bar_ticks(bar: Colorbar, norm: Normalize, signed: bool) -> None:
    powers = _decades(norm.linthresh if signed else norm.vmin, norm.vmax)
    bar.locator = FixedLocator([*-powers[::-1], 0.0, *powers] if signed else powers)
    bar.formatter = LogFormatterMathtext(linthresh=norm.linthresh if signed else None)
    bar.minorlocator = NullLocator()
    bar.update_ticks()


def _decades(lo: float, hi: float) -> np.ndarray:
    """Return at most four powers of ten between the ends, evenly spaced from the largest down."""
    first, last = int(np.ceil(np.log10(lo) - 1e-9)), int(np.floor(np.log10(hi) + 1e-9))
    return 10.0 ** np.arange(last, first - 1, -max(1, -(-(last - first) // 3)), dtype=float)[::-1]


def _log_axes(ax: Axes, first: bool, last: bool) -> None:
    ax.set(xscale="log", yscale="log")
    lo, hi = ax.get_xlim()
    ticks = _decades(lo, hi)
    # Rounding must not put a tick at an end beyond it, where it would be lost.
    ax.set_xticks(np.clip(ticks, lo, hi), [f"$10^{{{np.log10(t):.0f}}}$" for t in ticks])
    ax.yaxis.set_major_locator(LogLocator(numticks=5))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_minor_locator(NullLocator())
    ax.tick_params(labelbottom=last, labelleft=first)
    for at, label in zip(ticks if last else (), ax.get_xticklabels() if last else (), strict=True):
        # Labels at the ends stay inside, where the neighbour's do not reach them.
        side = "left" if np.isclose(at, lo) else "right" if np.isclose(at, hi) else "center"
        label.set_horizontalalignment(side)
    if last:
        ax.set_xlabel("$x$", labelpad=1.0)
    if first:
        ax.set_ylabel("$Q^2$ [GeV$^2$]", labelpad=2.0)

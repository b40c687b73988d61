"""Residuals of many held-out throws: how far the posterior means lie from the truths, and how they go together."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D

from nuinfer.errors import InputError
from nuinfer.figures.arrays import not_empty, shaped
from nuinfer.figures.corner_axes import corner_axes
from nuinfer.figures.density import density, mass_levels, window
from nuinfer.figures.style import BLACK, BLUE, GREY, SINGLE_IN, VERMILLION, new_figure, size_in, styled

UNITS = ("posterior sd", "prior range")
PULL_LIMIT = 4.0
MASSES = (0.6827, 0.9545)
N_BINS_1D, N_CELLS_2D = 41, 56


@styled
def residual_triangle(
    residual: np.ndarray, labels: Sequence[str], in_units: str = "posterior sd", width_in: float = SINGLE_IN
) -> Figure:
    """Draw ``residual`` ``(n_obs, d)``, posterior mean minus truth, as histograms and 68 / 95 % regions of pairs.

    ``labels``: the ``d`` parameters, without units.  ``in_units``: ``posterior sd`` (pulls, with the unit Gaussian
    beside every histogram) or ``prior range``.  Pairs have no reference: pulls of correlated parameters are correlated,
    as they should be.  Raises InputError for a shape or unit that does not fit.
    """
    figure = new_figure(width_in, width_in)
    draw_residual_triangle(figure, residual, labels, in_units)
    return figure


def draw_residual_triangle(
    container: FigureBase, residual: np.ndarray, labels: Sequence[str], in_units: str = "posterior sd"
) -> np.ndarray:
    """Draw :func:`residual_triangle` into a figure or subfigure and return its ``(d, d)`` axes."""
    not_empty("labels", labels)
    if in_units not in UNITS:
        raise InputError(f"figure: residuals in units of '{in_units}'; known: {', '.join(UNITS)}")
    d = len(labels)
    residual = shaped("residual", residual, (None, d))
    ones = np.ones(len(residual))
    pulls = in_units == "posterior sd"
    limits = _limits(residual, pulls)
    axes = corner_axes(container, [r"$\Delta$ " + label for label in labels], limits, top_in=0.08 if d > 1 else 0.5)
    ticks = [_ticks(high) for _, high in limits]
    for i in range(d):
        _histogram(axes[i, i], residual[:, i], limits[i], pulls)
        for j in range(i):
            _pair(axes[i, j], residual[:, [j, i]], ones, limits[[j, i]])
            axes[i, j].set_yticks(*ticks[i])
            axes[i, j].set_xticks(*ticks[j])
        axes[i, i].set_xticks(*ticks[i])
    _legend(container, pulls, len(residual), d)
    return axes


def _limits(residual: np.ndarray, pulls: bool) -> np.ndarray:
    if pulls:
        return np.tile([-PULL_LIMIT, PULL_LIMIT], (residual.shape[1], 1))
    ends = [max(abs(e) for e in window(r, np.ones(len(r)), 5e-3)) for r in residual.T]
    half = 1.2 * np.maximum(ends, 1e-12)
    return np.stack([-half, half], axis=1)


def _ticks(half: float) -> tuple[list[float], list[str]]:
    """Return three ticks, zero in the middle and round numbers on either side; long labels leave zero to its line."""
    power = 10.0 ** np.floor(np.log10(0.75 * half))
    at = power * max(m for m in (1, 2, 5) if m * power <= 0.75 * half * (1 + 1e-9))
    written = f"{at:g}"
    return [-at, 0.0, at], [f"\u2212{written}", "0" if len(written) < 3 else "", written]


def _histogram(ax, values: np.ndarray, limits: np.ndarray, pulls: bool) -> None:
    counts, edges = np.histogram(values, bins=N_BINS_1D, range=tuple(limits))
    height = counts / (len(values) * (edges[1] - edges[0]))
    ax.stairs(height, edges, color=BLUE, fill=True, alpha=0.18)
    ax.stairs(height, edges, color=BLUE, linewidth=0.9)
    top = height.max()
    if pulls:
        x = np.linspace(*limits, 161)
        gaussian = np.exp(-0.5 * x * x) / np.sqrt(2.0 * np.pi)
        ax.plot(x, gaussian, color=VERMILLION, linewidth=0.9)
        top = max(top, gaussian.max())
    ax.axvline(0.0, color=BLACK, linewidth=0.5)
    ax.set_ylim(0.0, 1.12 * max(top, 1e-300))


def _pair(ax, values: np.ndarray, weights: np.ndarray, limits: np.ndarray) -> None:
    (x, y), height = density(values, weights, limits, N_CELLS_2D)
    ax.plot(values[:, 0], values[:, 1], ",", color=GREY, alpha=0.5, rasterized=True)
    ax.contour(
        x, y, height.T, mass_levels(height, MASSES), colors=[BLUE], linewidths=0.9, linestyles=[(0, (3, 1)), "-"]
    )
    ax.axvline(0.0, color=BLACK, linewidth=0.5)
    ax.axhline(0.0, color=BLACK, linewidth=0.5)


def _legend(container: FigureBase, pulls: bool, n_obs: int, d: int) -> None:
    entries = [Line2D([], [], color=BLUE, label=f"{n_obs:,} held-out throws".replace(",", "\u2009"))]
    if pulls:
        entries.append(Line2D([], [], color=VERMILLION, label="unit Gaussian"))
    width, height = size_in(container)
    container.legend(
        handles=entries,
        title=r"$\Delta$ = (mean $-$ truth) / " + ("posterior sd" if pulls else "prior range"),
        title_fontsize=7.0,
        alignment="left",
        loc="upper right",
        bbox_to_anchor=(1.0 - 0.05 / width, 1.0 - 0.03 / height),
        borderaxespad=0.0,
        ncols=1 if d > 1 else 2,
    )

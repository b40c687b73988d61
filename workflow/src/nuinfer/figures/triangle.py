"""Posteriors of one observation laid over one another: marginals and 68 / 95 % regions of every pair of parameters."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D

from nuinfer.errors import InputError
from nuinfer.figures.arrays import not_empty, shaped
from nuinfer.figures.corner_axes import corner_axes
from nuinfer.figures.density import density, mass_levels, window
from nuinfer.figures.style import (
    BLACK,
    ROLE_COLOURS,
    SINGLE_IN,
    colour,
    dashes,
    display_name,
    new_figure,
    size_in,
    styled,
)

MASSES = (0.6827, 0.9545)
N_CELLS_1D, N_CELLS_2D = 120, 64


@styled
def triangle(
    samples: Mapping[str, np.ndarray],
    labels: Sequence[str],
    ranges: np.ndarray,
    truth: np.ndarray | None = None,
    best_fit: np.ndarray | None = None,
    weights: Mapping[str, np.ndarray] | None = None,
    width_in: float = SINGLE_IN,
) -> Figure:
    """Draw the posteriors ``samples`` (name -> ``(S, d)``) as a triangle of ``d`` parameters.

    ``labels``: axis labels with units, ``d`` of them.  ``ranges``: the priors' limits ``(d, 2)``; an axis shows where
    the posteriors are and ends at the prior's limit where they reach it.  ``truth`` and ``best_fit``: ``(d,)``.
    ``weights``: name -> ``(S,)`` for those samples that carry importance weights.  Names that are roles (``estimator``,
    ``corrected``, ``exact``) have their colours.  Raises InputError for shapes that do not fit.
    """
    figure = new_figure(width_in, width_in)
    draw_triangle(figure, samples, labels, ranges, truth, best_fit, weights)
    return figure


def draw_triangle(
    container: FigureBase,
    samples: Mapping[str, np.ndarray],
    labels: Sequence[str],
    ranges: np.ndarray,
    truth: np.ndarray | None = None,
    best_fit: np.ndarray | None = None,
    weights: Mapping[str, np.ndarray] | None = None,
) -> np.ndarray:
    """Draw :func:`triangle` into a figure or subfigure and return its ``(d, d)`` axes."""
    not_empty("labels", labels)
    not_empty("samples", samples)
    d = len(labels)
    ranges = shaped("ranges", ranges, (d, 2))
    points = {name: shaped(f"samples of '{name}'", s, (None, d)) for name, s in samples.items()}
    weights = _checked_weights(points, weights or {})
    marks = {n: shaped(n, v, (d,)) for n, v in (("truth", truth), ("best_fit", best_fit)) if v is not None}
    limits = _limits(points, weights, ranges, list(marks.values()))

    axes = corner_axes(container, labels, limits, top_in=0.08 if d > 1 else 0.52)
    for k, (name, s) in enumerate(points.items()):
        for i in range(d):
            _marginal(axes[i, i], s[:, i], weights[name], limits[i], name, k)
            for j in range(i):
                _pair(axes[i, j], s[:, [j, i]], weights[name], limits[[j, i]], name, k)
    for i in range(d):
        axes[i, i].set_ylim(0.0, 1.12 * max(line.get_ydata().max() for line in axes[i, i].lines))
        for j in range(i + 1):
            _mark(axes[i, j], marks, i, j)
    _legend(container, list(points), marks, d)
    return axes


def _checked_weights(points: Mapping[str, np.ndarray], weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    unknown = [n for n in weights if n not in points]
    if unknown:
        raise InputError(f"figure: weights for {', '.join(unknown)}, but samples only for {', '.join(points)}")
    checked = {n: shaped(f"weights of '{n}'", weights.get(n, np.ones(len(s))), (len(s),)) for n, s in points.items()}
    for name, w in checked.items():
        if np.any(w < 0) or not np.sum(w) > 0:
            raise InputError(f"figure: weights of '{name}' must not be negative and must not all be zero")
    return checked


def _limits(
    points: Mapping[str, np.ndarray], weights: Mapping[str, np.ndarray], ranges: np.ndarray, marks: list[np.ndarray]
) -> np.ndarray:
    limits = np.empty_like(ranges)
    for i, (low, high) in enumerate(ranges):
        ends = [window(s[:, i], weights[n]) for n, s in points.items()] + [(m[i], m[i]) for m in marks]
        lo, hi = min(e[0] for e in ends), max(e[1] for e in ends)
        pad = 0.12 * (hi - lo) or 0.01 * (high - low)
        limits[i] = max(low, lo - pad), min(high, hi + pad)
        if not limits[i, 0] < limits[i, 1]:
            raise InputError(
                f"figure: parameter {i} has its samples outside its range [{low:g}, {high:g}]; check the units"
            )
    return limits


def _marginal(ax, values: np.ndarray, weights: np.ndarray, limits: np.ndarray, name: str, index: int) -> None:
    (grid,), height = density(values[:, None], weights, limits[None], N_CELLS_1D)
    # Closed at the window's ends: a posterior that leans on its prior's limit is drawn up to it.
    x = np.concatenate([limits[:1], grid, limits[1:]])
    y = np.concatenate([height[:1], height, height[-1:]])
    ax.plot(x, y, color=colour(name, index), linestyle=dashes(name, index))
    if index == 0:
        ax.fill_between(x, y, color=colour(name, index), alpha=0.18, linewidth=0)


def _pair(ax, values: np.ndarray, weights: np.ndarray, limits: np.ndarray, name: str, index: int) -> None:
    (x, y), height = density(values, weights, limits, N_CELLS_2D)
    x, y = (np.concatenate([limits[i, :1], g, limits[i, 1:]]) for i, g in enumerate((x, y)))
    height = np.pad(height, 1, mode="edge")
    levels = mass_levels(height[1:-1, 1:-1], MASSES)
    tint = colour(name, index)
    if index == 0:
        top = max(float(height.max()), levels[-1]) * 1.001 + 1e-300
        ax.contourf(x, y, height.T, [levels[0], levels[1], top], colors=[_faded(tint, 0.25), _faded(tint, 0.55)])
    ax.contour(x, y, height.T, levels, colors=[tint], linestyles=[dashes(name, index)], linewidths=0.9)


def _faded(tint: str, strength: float) -> tuple[float, float, float]:
    rgb = [int(tint[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return tuple(1.0 - strength * (1.0 - c) for c in rgb)


def _mark(ax, marks: Mapping[str, np.ndarray], i: int, j: int) -> None:
    if "truth" in marks:
        ax.axvline(marks["truth"][j], color=BLACK, linewidth=0.7, clip_on=False)
        if i != j:
            ax.axhline(marks["truth"][i], color=BLACK, linewidth=0.7, clip_on=False)
    if "best_fit" in marks:
        style = {"color": ROLE_COLOURS["fit"], "zorder": 5}
        if i == j:
            ax.axvline(marks["best_fit"][j], linewidth=0.8, linestyle=dashes("fit", 0), clip_on=False, **style)
        else:
            ax.plot(
                marks["best_fit"][j],
                marks["best_fit"][i],
                "*",
                markersize=5.5,
                markeredgewidth=0.3,
                markeredgecolor="white",
                clip_on=False,
                **style,
            )


def _legend(container: FigureBase, names: Sequence[str], marks: Mapping[str, np.ndarray], d: int) -> None:
    entries = [
        Line2D([], [], color=colour(n, k), linestyle=dashes(n, k), label=display_name(n)) for k, n in enumerate(names)
    ]
    if "truth" in marks:
        entries.append(Line2D([], [], color=BLACK, linewidth=0.7, label="truth"))
    if "best_fit" in marks:
        entries.append(
            Line2D([], [], color=ROLE_COLOURS["fit"], marker="*", markersize=5.5, linestyle="", label="best fit")
        )
    width, height = size_in(container)
    anchor = (1.0 - 0.05 / width, 1.0 - 0.03 / height)
    container.legend(
        handles=entries, loc="upper right", bbox_to_anchor=anchor, borderaxespad=0.0, ncols=1 if d > 1 else 2
    )

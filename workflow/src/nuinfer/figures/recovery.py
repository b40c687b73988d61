"""What a tune finds, parameter by parameter, against the prior it started from and the truth where there is one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from nuinfer.errors import InputError
from nuinfer.figures.arrays import not_empty, shaped
from nuinfer.figures.style import (
    BLACK,
    LIGHT_GREY,
    ROLE_MARKERS,
    SINGLE_IN,
    colour,
    display_name,
    new_figure,
    size_in,
    styled,
)

LINE_IN, TICKS_IN, LEGEND_IN = 0.16, 0.24, 0.36


@dataclass(frozen=True)
class RecoveryRow:
    """One parameter: axis ``label`` with unit, prior limits, results and the truth (None for real data).

    ``intervals``: name or role (``estimator``, ``corrected``, ``exact``, ``fit``) -> central value, lower and upper end
    of its 68 % interval, physical values.
    """

    label: str
    low: float
    high: float
    intervals: Mapping[str, tuple[float, float, float]]
    truth: float | None = None


@styled
def tune_recovery(rows: Sequence[RecoveryRow], width_in: float = SINGLE_IN) -> Figure:
    """Draw each parameter's prior range as a bar with physical ticks, its results as points with 68 % errors on it.

    Every row gives the results of the same names in the same order.  Raises InputError for an empty list, an inverted
    range, rows of different results, and an interval that does not hold its central value.
    """
    not_empty("rows", rows)
    figure = new_figure(width_in, LEGEND_IN + 0.08 + sum(len(r.intervals) * LINE_IN + 0.04 + TICKS_IN for r in rows))
    draw_tune_recovery(figure, rows)
    return figure


def draw_tune_recovery(container: FigureBase, rows: Sequence[RecoveryRow]) -> list:
    """Draw :func:`tune_recovery` into a figure or subfigure and return its axes, one per parameter."""
    not_empty("rows", rows)
    names = list(rows[0].intervals)
    for row in rows:
        _check(row, names)
    width, height = size_in(container)
    left, right = 0.66, 0.98
    slot = (height - LEGEND_IN - 0.04) / len(rows)
    axes = []
    for i, row in enumerate(rows):
        bottom = height - LEGEND_IN - (i + 1) * slot + TICKS_IN
        box = (left / width, bottom / height, (width - left - right) / width, (slot - TICKS_IN) / height)
        ax = container.add_axes(box)
        _draw_row(ax, row)
        ax.set_ylabel(row.label, rotation=0, ha="right", va="center", labelpad=5)
        axes.append(ax)
    entries = [
        Line2D([], [], color=colour(n, k), marker=ROLE_MARKERS.get(n, "o"), label=display_name(n), linewidth=0.9)
        for k, n in enumerate(names)
    ]
    if any(r.truth is not None for r in rows):
        entries.append(Line2D([], [], color=BLACK, linewidth=1.0, label="truth"))
    entries.append(Patch(color=LIGHT_GREY, label="prior"))
    container.legend(
        handles=entries,
        loc="upper right",
        bbox_to_anchor=(1.0 - 0.05 / width, 1.0 - 0.02 / height),
        ncols=3,
        borderaxespad=0.0,
        labelspacing=0.25,
        columnspacing=0.9,
    )
    return axes


def _check(row: RecoveryRow, names: list[str]) -> None:
    not_empty(f"intervals of {row.label}", row.intervals)
    if list(row.intervals) != names:
        raise InputError(
            f"figure: {row.label} has the results {list(row.intervals)}, the first row {names}; make them the same"
        )
    if not row.low < row.high:
        raise InputError(f"figure: {row.label}: inverted range [{row.low:g}, {row.high:g}]")
    for name, interval in row.intervals.items():
        middle, lo, hi = shaped(f"interval '{name}' of {row.label}", interval, (3,))
        if not lo <= middle <= hi:
            raise InputError(f"figure: {row.label}: '{name}' gives {middle:g} outside its interval [{lo:g}, {hi:g}]")


def _draw_row(ax, row: RecoveryRow) -> None:
    n = len(row.intervals)
    ax.set_xlim(row.low, row.high)
    ax.set_ylim(n - 0.4, -0.6)
    ax.axhspan(-0.6, n - 0.4, color=LIGHT_GREY, alpha=0.6, linewidth=0)
    for k, (name, (middle, lo, hi)) in enumerate(row.intervals.items()):
        tint = colour(name, k)
        ax.errorbar(
            middle,
            k,
            xerr=[[middle - lo], [hi - middle]],
            fmt=ROLE_MARKERS.get(name, "o"),
            color=tint,
            markersize=2.4,
            elinewidth=0.9,
            capsize=1.5,
            capthick=0.7,
            clip_on=False,
            zorder=4,
        )
        ax.annotate(
            _written(middle, lo, hi),
            (1.0, k),
            (5, 0),
            xycoords=("axes fraction", "data"),
            color=tint,
            fontsize=6.5,
            textcoords="offset points",
            va="center",
            annotation_clip=False,
        )
    if row.truth is not None:
        ax.axvline(row.truth, color=BLACK, linewidth=1.0, zorder=3, clip_on=False)
    ax.set_yticks([])
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    ax.tick_params(axis="x", top=False, pad=2)


def _written(middle: float, lo: float, hi: float) -> str:
    """Write a value with its errors to two digits of the smaller, or of the larger where one end is at the limit."""
    up, down = hi - middle, middle - lo
    error = min(e for e in (up, down, max(up, down)) if e > 0.05 * max(up, down)) if max(up, down) > 0 else 0.0
    digits = int(np.clip(1 - np.floor(np.log10(error)), 0, 6)) if error > 0 else 3
    if abs(up - down) <= 0.1 * error:
        return rf"{middle:.{digits}f} $\pm$ {0.5 * (up + down):.{digits}f}"
    return rf"${middle:.{digits}f}^{{+{up:.{digits}f}}}_{{-{down:.{digits}f}}}$"

"""Whether united regions cover: at 1, 2 and 3 sigma by method, and against the fraction of members that a union demands."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from nuinfer.errors import InputError
from nuinfer.figures.arrays import not_empty, shaped
from nuinfer.figures.closure_axes import legend_above, legend_shape, place, wrapped
from nuinfer.figures.oscillation_coverage import METHODS, QUANTITIES
from nuinfer.figures.oscillation_entries import SIGMAS
from nuinfer.figures.style import BLACK, BLUE, DASHES, DOUBLE_IN, GREEN, GREY, VERMILLION, new_figure, styled
from nuinfer.oscillation.regions import n_sigma_of
from nuinfer.oscillation.union_coverage import FractionCurves

TINTS, MARKERS = (BLUE, VERMILLION, GREEN), "osD"
CLAIMED: Mapping[str, object] = MappingProxyType({"linewidth": 0.8, "linestyle": DASHES[1]})
PER_ROW = 3
RIGHT_IN, BOTTOM_IN, BETWEEN_IN, ROW_GAP_IN, TITLE_IN = 0.1, 0.42, 0.14, 0.3, 0.24
METHOD_IN, SPREAD, LETTERS, LETTER_IN = 0.36, 0.22, 28, 0.053
LEFT_IN, PANEL_IN = 0.62, 2.1
AXIS_END, WHOLE = 4.25, 4.0
"""Ends of the axis in sigma; a coverage of 100 %, infinitely many, stands at ``WHOLE``, where levels are clipped."""
TICKS: Mapping[float, str] = MappingProxyType({0.0: "0", 1.0: "68.3", 2.0: "95.4", 3.0: "99.7", WHOLE: "100"})
MINOR_LEVELS = (0.2, 0.5, 0.8, 0.9, 0.99, 0.999)
MARKS: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "published": {"marker": "o", "markersize": 5.0},
        "complement": {"marker": "X", "markersize": 5.5},
        "calibrated": {"marker": "o", "markersize": 8.0, "markerfacecolor": "none"},
    }
)
ROUNDING = 1e-9


@styled
def union_coverage_figure(measured: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Draw the coverage of regions of 1, 2 and 3 sigma with intervals, a row per method and a panel per quantity.

    ``measured``: method -> quantity of :data:`~nuinfer.figures.oscillation_coverage.QUANTITIES` -> ``(3, 3)``, for 1, 2 and 3
    sigma (coverage, lower, upper), fractions.  The axis is even in sigma, n for a share erf(n / sqrt 2), and written in per
    cent, so that three sigma are as readable as one; claimed levels are dashed lines of
    the regions' colours.  A method without a quantity leaves its
    row empty.  Raises InputError for shapes that do not fit, numbers outside 0 .. 1, a coverage outside its interval, and
    quantities of other names.
    """
    drawn = _checked(measured)
    names = [name for name in QUANTITIES if any(name in of for of in drawn.values())]
    methods = [wrapped(METHODS.get(name, name), LETTERS) for name in drawn]
    look = {"linestyle": "-", "linewidth": 1.0, "markersize": 4.0}
    handles = [Line2D([], [], color=TINTS[i], marker=MARKERS[i], **look) for i in range(3)]
    handles.append(Line2D([], [], color=GREY, **CLAIMED))
    texts, columns, legend_in = legend_shape([*(rf"{n:g}$\sigma$ region" for n in SIGMAS), "claimed"], DOUBLE_IN - 0.1)

    n_columns, n_rows = min(PER_ROW, len(names)), -(-len(names) // PER_ROW)
    left_in = 0.2 + LETTER_IN * max(len(line) for text in methods for line in text.split("\n"))
    width_in = min(2.6, (DOUBLE_IN - left_in - RIGHT_IN - (n_columns - 1) * BETWEEN_IN) / n_columns)
    panel_in = METHOD_IN * len(drawn)
    row_in = BOTTOM_IN + panel_in + TITLE_IN
    figure = new_figure(DOUBLE_IN, n_rows * row_in + legend_in)
    for j, name in enumerate(names):
        row, column = divmod(j, PER_ROW)
        left, bottom = left_in + column * (width_in + BETWEEN_IN), (n_rows - 1 - row) * row_in + BOTTOM_IN
        ax = place(figure, left, bottom, width_in, panel_in)
        for n, tint in zip(SIGMAS, TINTS, strict=True):
            ax.axvline(n, color=tint, zorder=1.0, **CLAIMED)
        for k, of in enumerate(drawn.values()):
            if name in of:
                _draw_points(ax, k, of[name])
        ax.set(ylim=(len(drawn) - 0.5, -0.5), xlabel="coverage [%]", title=QUANTITIES[name])
        ax.title.set_fontsize(8.0)
        ax.set_yticks(range(len(drawn)), methods if column == 0 else [""] * len(drawn))
        ax.tick_params(axis="y", length=0.0)
        ax.set_xlim(0.0, AXIS_END)
        _per_cent(ax.xaxis)
        for k in range(1, len(drawn)):
            ax.axhline(k - 0.5, color=GREY, linewidth=0.3, zorder=0.5)
    legend_above(figure, handles, texts, columns)
    return figure


def _checked(measured: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, dict[str, np.ndarray]]:
    not_empty("measured", measured)
    drawn: dict[str, dict[str, np.ndarray]] = {}
    for method, of in measured.items():
        not_empty(f"coverage of '{method}'", of)
        drawn[method] = {}
        for name, values in of.items():
            if name not in QUANTITIES:
                raise InputError(f"figure: '{method}' has a coverage of '{name}'; the quantities are {', '.join(QUANTITIES)}")
            array = _fractions(f"coverage of '{name}' by '{method}'", values, (3, 3))
            _inside(f"coverage of '{name}' by '{method}'", array[:, 0], array[:, 1], array[:, 2])
            drawn[method][name] = array
    return drawn


def _fractions(name: str, values: object, shape: tuple[int | None, ...]) -> np.ndarray:
    array = shaped(name, values, shape)
    if np.any((array < -ROUNDING) | (array > 1.0 + ROUNDING)):
        raise InputError(f"figure: {name} must be fractions within 0 .. 1; divide per cents by 100")
    return array


def _inside(name: str, middle: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> None:
    if np.any((lower > middle + ROUNDING) | (upper < middle - ROUNDING)):
        raise InputError(f"figure: {name} lies outside its interval; give coverage, lower and upper in this order")


def _draw_points(ax: Axes, row: int, of: np.ndarray) -> None:
    middle, lower, upper = n_sigma_of(of.T)
    for i in range(3):
        # Intervals of neighbouring levels overlap, so each has its own height.
        height = row + SPREAD * (i - 1)
        ax.plot([lower[i], upper[i]], [height, height], color=TINTS[i], linewidth=1.0, zorder=2.0, gid="interval")
        ax.plot(middle[i], height, color=TINTS[i], marker=MARKERS[i], markersize=4.0, zorder=3.0, clip_on=False, gid="coverage")


def _per_cent(axis: Axis) -> None:
    axis.set_ticks(list(TICKS), list(TICKS.values()))
    axis.set_ticks(n_sigma_of(np.array(MINOR_LEVELS)), minor=True)


@styled
def demanded_fraction_figure(panels: Sequence[tuple[str, FractionCurves]]) -> Figure:
    r"""Draw the coverage of unions against the fraction of members that they demand, one panel per (title, curves).

    The axis of coverage is even in sigma and written in per cent, as in :func:`union_coverage_figure`; dashed lines are the
    claimed levels, bands the binomial intervals.  On every curve the published rule, (1 - erf(n / sqrt 2)) / 2, is a filled
    marker, its complement a cross, the largest fraction that covers a ring; several stand for whole numbers of members.
    Raises InputError for shapes that do not fit, numbers outside 0 .. 1, and marks on fractions that were not given.
    """
    not_empty("panels", panels)
    checked = [(title, _checked_curves(title, curves)) for title, curves in panels]
    handles = [Line2D([], [], color=TINTS[i], linewidth=1.1) for i in range(3)]
    handles += [Line2D([], [], color=BLACK, linestyle="", **look) for look in MARKS.values()]
    handles += [Patch(color=GREY, alpha=0.35, linewidth=0), Line2D([], [], color=GREY, **CLAIMED)]
    names = [rf"{n:g}$\sigma$ region" for n in SIGMAS]
    names += ["published rule", "its complement", "largest that covers", "68 % interval", "claimed"]
    texts, columns, legend_in = legend_shape(names, DOUBLE_IN - 0.1)
    n_columns, n_rows = min(PER_ROW, len(checked)), -(-len(checked) // PER_ROW)
    width_in = min(2.6, (DOUBLE_IN - LEFT_IN - RIGHT_IN - (n_columns - 1) * BETWEEN_IN) / n_columns)
    row_in = BOTTOM_IN + PANEL_IN + TITLE_IN
    figure = new_figure(DOUBLE_IN, n_rows * row_in + legend_in)
    first_in = LEFT_IN + 0.5 * (DOUBLE_IN - LEFT_IN - RIGHT_IN - n_columns * width_in - (n_columns - 1) * BETWEEN_IN)
    for j, (title, curves) in enumerate(checked):
        row, column = divmod(j, PER_ROW)
        left, bottom = first_in + column * (width_in + BETWEEN_IN), (n_rows - 1 - row) * row_in + BOTTOM_IN
        ax = place(figure, left, bottom, width_in, PANEL_IN)
        _draw_curves(ax, curves)
        ax.set(xlim=(-0.03, 1.03), ylim=(0.0, AXIS_END), xlabel="fraction of members demanded", title=title)
        ax.set_xticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0", "0.25", "0.5", "0.75", "1"])
        ax.title.set_fontsize(8.0)
        _per_cent(ax.yaxis)
        ax.tick_params(axis="y", labelleft=column == 0)
        if column == 0:
            ax.set_ylabel("coverage [%]")
    legend_above(figure, handles, texts, columns)
    return figure


def _checked_curves(title: str, curves: FractionCurves) -> FractionCurves:
    fractions = _fractions(f"fractions of '{title}'", curves.fractions, (None,))
    n = len(fractions)
    bands = [_fractions(f"{name} of '{title}'", getattr(curves, name), (3, n)) for name in ("coverage", "lower", "upper")]
    _inside(f"coverage of '{title}'", *bands)
    marks = [_fractions(f"{name} of '{title}'", getattr(curves, name), (3,)) for name in MARKS]
    for name, of in zip(MARKS, marks, strict=True):
        if any(np.abs(fractions - value).min() > ROUNDING for value in of):
            raise InputError(f"figure: {name} of '{title}' is not one of the fractions; give whole numbers of members")
    return FractionCurves(fractions, *bands, *marks)


def _draw_curves(ax: Axes, curves: FractionCurves) -> None:
    for i, n in enumerate(SIGMAS):
        ax.axhline(n, color=TINTS[i], zorder=1.0, **CLAIMED)
        height, lower, upper = (n_sigma_of(v[i]) for v in (curves.coverage, curves.lower, curves.upper))
        ax.fill_between(curves.fractions, lower, upper, color=TINTS[i], alpha=0.18, linewidth=0, zorder=1.5)
        ax.plot(curves.fractions, height, color=TINTS[i], marker=".", markersize=2.5, zorder=2.0, gid=f"{n:g} sigma")
        for name, look in MARKS.items():
            k = int(np.argmin(np.abs(curves.fractions - getattr(curves, name)[i])))
            ax.plot(curves.fractions[k], height[k], color=TINTS[i], linestyle="", zorder=3.0, clip_on=False, gid=name, **look)

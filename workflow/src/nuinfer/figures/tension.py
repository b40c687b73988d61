"""Whether measurements agree with one another: the matrix of predictive p-values, and whether such p-values are uniform."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath

from nuinfer.calibration.bands import simultaneous_band
from nuinfer.errors import InputError
from nuinfer.figures.arrays import not_empty, shaped
from nuinfer.figures.style import BLACK, BLUE, DOUBLE_IN, GREY, LIGHT_GREY, SINGLE_IN, VERMILLION, new_figure, styled
from nuinfer.tuning.tension import calibration, equivalent_sigma

ALARM = 0.01
"""The p-value below which a cell changes colour family."""
LOG_FLOOR = -4.0
LEVELS = np.linspace(0.01, 0.99, 99)


@styled
def tension_matrix(labels: Sequence[str], p: np.ndarray, errors: np.ndarray, title: str | None = None) -> Figure:
    """Draw p-values ``p`` ``(k, k)`` and their standard ``errors`` ``(k, k)`` as a square of numbers and colours.

    Row: learned from; column: predicted; the diagonal, framed, is the goodness of fit to a measurement's own data.  Below
    each p-value stands the deviation of a normal with the same two-sided tail.  Where no replica lay as far out as the
    data, p and its error are equal, both one over the replicas and one, and p is written as a bound.  NaN: not computed.
    Raises InputError for shapes that do not fit or p outside (0, 1].
    """
    not_empty("labels", labels)
    k = len(labels)
    p = shaped("p", p, (k, k), finite=False)
    errors = shaped("errors", errors, (k, k), finite=False)
    if np.any((p <= 0.0) | (p > 1.0)):
        raise InputError("figure: p holds values outside (0, 1]; give p-values")
    cell = max(0.55, min(0.95, (DOUBLE_IN - 1.9) / k))
    longest = max(_width_in(label) for label in labels)
    rotated = longest > 0.9 * cell
    left, top = 0.4 + longest, 0.28 if title else 0.1
    bottom = 0.4 + (longest if rotated else 0.1)
    width, height = left + k * cell + 0.75, bottom + k * cell + top
    figure = new_figure(width, height)
    ax = figure.add_axes((left / width, bottom / height, k * cell / width, k * cell / height))
    colours, norm = _colours(), Normalize(LOG_FLOOR, 0.0)
    for row, column in np.ndindex(k, k):
        _cell(ax, row, column, p[row, column], errors[row, column], colours, norm, 8.0 * min(1.0, cell / 0.8))
    for m in range(k):
        ax.add_patch(Rectangle((m - 0.47, m - 0.47), 0.94, 0.94, fill=False, edgecolor=BLACK, linewidth=1.2))
    ax.set_xlim(-0.5, k - 0.5)
    ax.set_ylim(k - 0.5, -0.5)
    ax.set_xticks(range(k), labels, rotation=90 if rotated else 0)
    ax.set_yticks(range(k), labels)
    ax.tick_params(length=0)
    ax.set_xlabel("predicted")
    ax.set_ylabel("learned from")
    if title:
        ax.set_title(title, fontsize=8.0)
    bar_ax = figure.add_axes(((left + k * cell + 0.1) / width, bottom / height, 0.11 / width, k * cell / height))
    _colour_bar(figure, bar_ax, colours, norm)
    return figure


def _colours() -> LinearSegmentedColormap:
    """White to blue while p is unremarkable, then a jump to vermillion that darkens: told apart by hue and lightness."""
    edge = 1.0 - np.log10(ALARM) / LOG_FLOOR
    dark, pale_blue = tuple(0.55 * c for c in to_rgb(VERMILLION)), (0.55, 0.75, 0.88)
    stops = [(0.0, dark), (edge, to_rgb(VERMILLION)), (edge, pale_blue), (1.0, (1.0, 1.0, 1.0))]
    return LinearSegmentedColormap.from_list("tension", stops, N=512)


def _width_in(label: str) -> float:
    """Return the width of a tick label, inches: mathtext is shorter than its source."""
    size = float(matplotlib.rcParams["xtick.labelsize"])
    return TextPath((0, 0), label, size=size).get_extents().width / 72.0


def _cell(
    ax: Axes,
    row: int,
    column: int,
    p: float,
    error: float,
    colours: LinearSegmentedColormap,
    norm: Normalize,
    size: float,
) -> None:
    if np.isnan(p):
        ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=LIGHT_GREY, edgecolor="white", linewidth=0.8))
        ax.text(column, row, "–", ha="center", va="center", fontsize=size, color=GREY)
        return
    face = colours(norm(np.log10(max(p, 10.0**LOG_FLOOR))))
    ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=face, edgecolor="white", linewidth=0.8))
    ink = "white" if p < ALARM else BLACK
    bound = error >= p * (1.0 - 1e-6)
    sigma = float(equivalent_sigma(p))
    ax.text(column, row - 0.14, _number(p, error, bound), ha="center", va="center", fontsize=size, color=ink)
    sign = r"\geq " if bound else ""
    text = rf"${sign}{sigma:.1f}\,\sigma$"
    ax.text(column, row + 0.2, text, ha="center", va="center", fontsize=0.9 * size, color=ink)


def _number(p: float, error: float, bound: bool) -> str:
    """Write p with its error in units of the last digit, 0.034(4), or as a bound."""
    if bound:
        return rf"$\leq$ {p:.2g}"
    if not error > 0.0:
        return f"{p:.2g}"
    digits = max(0, int(-np.floor(np.log10(error))))
    last = round(error * 10**digits)
    if last == 10:
        digits, last = digits - 1, 1
    return f"{p:.{digits}f}({last})"


def _colour_bar(figure: Figure, ax: Axes, colours: LinearSegmentedColormap, norm: Normalize) -> None:
    bar = figure.colorbar(ScalarMappable(norm, colours), cax=ax)
    decades = np.arange(LOG_FLOOR, 1.0)
    bar.set_ticks(decades, labels=[r"$\leq 10^{-4}$", "0.001", "0.01", "0.1", "1"])
    bar.ax.tick_params(length=0, pad=2)
    bar.ax.set_ylabel("p-value", labelpad=1)
    bar.outline.set_linewidth(0.5)


@styled
def calibration_figure(p_values: Mapping[str, np.ndarray], probability: float = 0.95) -> Figure:
    """Draw, per label, the empirical distribution of p-values ``(B,)`` minus the uniform one, with its band.

    ``p_values``: label -> p-values of pseudo-experiments.  The whole curve of uniform ones stays inside the grey band with
    ``probability`` (Säilynoja, Bürkner and Vehtari, arXiv:2103.10522).  A curve above says that small p-values come too
    often, one below that the predictions are too wide.  Raises InputError for p outside [0, 1].
    """
    not_empty("p_values", p_values)
    rows = {label: shaped(f"p-values of '{label}'", values, (None,)) for label, values in p_values.items()}
    judged = {label: calibration(values) for label, values in rows.items()}
    curves = {label: np.searchsorted(np.sort(v), LEVELS, side="right") / len(v) - LEVELS for label, v in rows.items()}
    limits = {label: simultaneous_band(len(v), LEVELS, probability) for label, v in rows.items()}
    reach = max(
        max(np.abs(curves[m]).max(), np.abs(limits[m].lower - LEVELS).max(), np.abs(limits[m].upper - LEVELS).max())
        for m in rows
    )
    columns = min(len(rows), 4)
    n_row = -(-len(rows) // columns)
    width = DOUBLE_IN if columns > 1 else SINGLE_IN
    height, left, gap = 0.5 + 1.75 * n_row, 0.62, 0.18
    figure = new_figure(width, height)
    panel = (width - left - 0.1 - (columns - 1) * gap) / columns
    for m, label in enumerate(rows):
        row, column = divmod(m, columns)
        box = left + column * (panel + gap), 0.42 + (n_row - 1 - row) * 1.75, panel, 1.65
        ax = figure.add_axes((box[0] / width, box[1] / height, box[2] / width, box[3] / height))
        band = limits[label]
        ax.fill_between(
            LEVELS,
            band.lower - LEVELS,
            band.upper - LEVELS,
            color=GREY,
            alpha=0.45,
            linewidth=0,
            label=f"{100 * probability:.0f} % band",
        )
        ax.axhline(0.0, color=BLACK, linewidth=0.5)
        ax.plot(LEVELS, curves[label], color=BLUE)
        ax.set_xlim(0, 1)
        ax.set_ylim(-1.6 * reach, 1.9 * reach)
        ax.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
        found = judged[label]
        note = f"{label}\n$n$ = {found['n']}, KS $p$ = {found['ks_p']:.2g}"
        ax.text(0.95, 0.96, note, transform=ax.transAxes, ha="right", va="top", fontsize=7.0)
        if column:
            ax.tick_params(axis="y", labelleft=False)
        else:
            ax.set_ylabel("ECDF $-$ p-value")
        if m == 0:
            ax.legend(loc="lower right", borderaxespad=0.2, fontsize=6.5)
        if m + columns >= len(rows):
            ax.set_xlabel("p-value")
    return figure

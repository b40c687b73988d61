"""Whether bands hold the truth as often as they claim."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from nuinfer.errors import InputError
from nuinfer.figures.arrays import not_empty, shaped
from nuinfer.figures.closure_axes import increasing, legend_above, legend_shape, place
from nuinfer.figures.style import BLACK, GREY, SINGLE_IN, colour, display_name, new_figure, styled

MARKERS = "osD^vP"
LEFT_IN, BOTTOM_IN, LOWER_IN, UPPER_IN, GAP_IN = 0.62, 0.42, 1.1, 1.9, 0.08
SIDE_STEP = 0.012
"""Distance between the points of two labels at one level, so that their error bars do not hide each other."""


@styled
def band_coverage(
    levels: np.ndarray,
    coverage: Mapping[str, np.ndarray],
    band: tuple[np.ndarray, np.ndarray] | None = None,
    errors: Mapping[str, np.ndarray] | None = None,
) -> Figure:
    """Draw measured against nominal coverage of bands, with the diagonal, and their difference in per cent below.

    ``levels`` ``(n,)``: nominal coverages, 0 .. 1.  ``coverage``: label -> measured ``(n,)``.  ``errors``: label ->
    their binomial errors, ``(n,)`` or (down, up) ``(2, n)``.  ``band``: (lower, upper) ``(n,)`` of the coverages that
    chance allows a right band.  Raises InputError for shapes that do not fit and coverages outside 0 .. 1.
    """
    not_empty("coverage", coverage)
    levels = shaped("levels", levels, (None,))
    if len(levels) > 1:
        increasing("levels", levels)
    n, errors = levels.shape, errors or {}
    coverage = {name: shaped(f"coverage of '{name}'", values, n) for name, values in coverage.items()}
    if any(np.any((v < 0) | (v > 1)) for v in [levels, *coverage.values()]):
        raise InputError("figure: levels and coverages are fractions within 0 .. 1; divide per cents by 100")
    bars = {name: _error(name, values, n) for name, values in errors.items()}
    if set(bars) - set(coverage):
        raise InputError(f"figure: errors of {', '.join(set(bars) - set(coverage))} without a coverage; name one")
    allowed = None if band is None else shaped("band", band, (2, *n))
    handles = [
        Line2D([], [], color=colour(name, k), marker=MARKERS[k % len(MARKERS)], linestyle="") for k, name in enumerate(coverage)
    ]
    names = [display_name(name) for name in coverage]
    if allowed is not None:
        handles.append(Patch(color=GREY, alpha=0.45, linewidth=0))
        names.append("chance, 95 %")
    texts, columns, legend_in = legend_shape(names, SINGLE_IN - 0.1)
    figure = new_figure(SINGLE_IN, BOTTOM_IN + LOWER_IN + GAP_IN + UPPER_IN + legend_in)
    panel_w = SINGLE_IN - LEFT_IN - 0.14
    lower = place(figure, LEFT_IN, BOTTOM_IN, panel_w, LOWER_IN)
    upper = place(figure, LEFT_IN, BOTTOM_IN + LOWER_IN + GAP_IN, panel_w, UPPER_IN)
    for ax, base, factor in ((upper, 0.0 * levels, 1.0), (lower, levels, 100.0)):
        ax.plot([0, 1], [0, 1] if ax is upper else [0, 0], color=BLACK, linewidth=0.5)
        _allowed(ax, levels, allowed, base, factor)
        for k, (name, values) in enumerate(coverage.items()):
            shift = SIDE_STEP * (k - 0.5 * (len(coverage) - 1))
            style = {"color": colour(name, k), "markersize": 3.2, "elinewidth": 0.8}
            error = factor * bars[name] if name in bars else None
            ax.errorbar(levels + shift, factor * (values - base), yerr=error, fmt=MARKERS[k % len(MARKERS)], **style)
        ax.set_xlim(0, 1)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}"))
    upper.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}"))
    upper.set_ylim(0, 1.02)
    half = 1.2 * max([1.0, *(abs(y) for y in lower.dataLim.intervaly)])
    lower.set_ylim(-half, half)
    upper.tick_params(axis="x", labelbottom=False)
    upper.set_ylabel("measured coverage [%]")
    lower.set_ylabel("measured $-$\nnominal [%]")
    lower.set_xlabel("nominal coverage of the band [%]")
    for ax in (upper, lower):
        ax.yaxis.set_label_coords(-0.28 / panel_w, 0.5)
    legend_above(figure, handles, texts, columns)
    return figure


def _error(name: str, values: np.ndarray, n: tuple[int]) -> np.ndarray:
    both = np.ndim(values) == 2
    error = shaped(f"errors of '{name}'", values, (2, *n) if both else n)
    if np.any(error < 0):
        raise InputError(f"figure: errors of '{name}' must not be negative; give lengths")
    return error if both else np.stack([error, error])


def _allowed(ax, levels: np.ndarray, allowed: np.ndarray | None, base: np.ndarray, factor: float) -> None:
    if allowed is None:
        return
    for level, lo, hi in zip(levels, *(factor * (allowed - base)), strict=True):
        ax.fill_between([level - 0.03, level + 0.03], lo, hi, color=GREY, alpha=0.45, linewidth=0, zorder=0)

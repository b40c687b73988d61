"""Calibration curves: coverage of credible intervals, ranks (SBC) and TARP, each with the band that chance allows."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D

from nuinfer.figures.arrays import not_empty, shaped
from nuinfer.figures.style import (
    BLACK,
    CYCLE,
    DASHES,
    DOUBLE_IN,
    GREY,
    ORANGE,
    SINGLE_IN,
    new_figure,
    size_in,
    styled,
)

PAPER_BANDS = (0.10, 0.20)
"""The deviations of coverage against which Tame-Narvaez et al. (NeurIPS ML4PS 2025) judge theirs."""


def coverage_panel(
    ax: Axes,
    levels: np.ndarray,
    coverage: np.ndarray,
    joint: np.ndarray | None,
    labels: Sequence[str],
    band_lo: np.ndarray,
    band_hi: np.ndarray,
    difference: bool = False,
    legend: bool = True,
) -> None:
    """Draw coverage ``(L, d)`` of central intervals, and ``joint`` ``(L,)`` of joint regions, at ``levels`` ``(L,)``.

    ``labels``: the ``d`` parameters, without units.  ``band_lo``, ``band_hi`` ``(L,)``: the coverages between which a
    calibrated posterior's whole curve stays with 95 % probability.  ``difference``: draw coverage minus level.
    Raises InputError for shapes that do not fit.
    """
    not_empty("labels", labels)
    levels = shaped("levels", levels, (None,))
    coverage = shaped("coverage", coverage, (len(levels), len(labels)))
    lo, hi = shaped("band_lo", band_lo, levels.shape), shaped("band_hi", band_hi, levels.shape)
    base = levels if difference else np.zeros_like(levels)
    ends = np.array([0.0, 1.0])
    if not difference:
        fine = np.linspace(0.0, 1.0, 101)
        for width, alpha in zip(PAPER_BANDS[::-1], (0.16, 0.24), strict=True):
            within = np.maximum(fine - width, 0.0), np.minimum(fine + width, 1.0)
            ax.fill_between(fine, *within, color=ORANGE, alpha=alpha, linewidth=0, label=rf"$\pm${100 * width:.0f} %")
    ax.fill_between(levels, lo - base, hi - base, color=GREY, alpha=0.45, linewidth=0, label="95 % band")
    ax.plot(ends, 0.0 * ends if difference else ends, color=BLACK, linewidth=0.5)
    for j, label in enumerate(labels):
        ax.plot(
            levels, coverage[:, j] - base, color=CYCLE[j % len(CYCLE)], linestyle=DASHES[j % len(DASHES)], label=label
        )
    if joint is not None:
        ax.plot(levels, shaped("joint", joint, levels.shape) - base, color=BLACK, linewidth=1.4, label="joint")
    ax.set_xlim(0, 1)
    ax.set_xlabel("credible level")
    ax.set_ylabel("coverage $-$ level" if difference else "coverage")
    if difference:
        _symmetric(ax)
    else:
        ax.set_ylim(0, 1)
    if legend:
        _two_legends(ax, difference)


def _two_legends(ax: Axes, difference: bool) -> None:
    """Curves go to one empty corner of the diagonal and bands to the other; a difference has room at its top and
    bottom."""
    handles, names = ax.get_legend_handles_labels()
    curves = [(h, n) for h, n in zip(handles, names, strict=True) if isinstance(h, Line2D)]
    bands = [(h, n) for h, n in zip(handles, names, strict=True) if not isinstance(h, Line2D)]
    style = {"labelspacing": 0.25, "borderaxespad": 0.3, "handlelength": 1.7}
    ncols = {"ncols": 3} if difference else {}
    first = ax.legend(*zip(*curves, strict=True), loc="upper left", **ncols, **style)
    ax.legend(*zip(*bands[::-1], strict=True), loc="lower right", **style)
    ax.add_artist(first)


def _symmetric(ax: Axes, head_room: float = 1.6) -> None:
    top = max(abs(v) for v in ax.dataLim.intervaly)
    ax.set_ylim(-head_room * top, head_room * top)


def draw_coverage(
    container: FigureBase,
    levels: np.ndarray,
    coverage: np.ndarray,
    joint: np.ndarray | None,
    labels: Sequence[str],
    band_lo: np.ndarray,
    band_hi: np.ndarray,
) -> None:
    """Draw :func:`coverage_panel` into a narrow figure or subfigure, and below it the difference."""
    width, height = size_in(container)
    box = 0.62, width - 0.78
    lower_in = 0.3 * (height - 0.6)
    upper = _place(container, box[0], 0.5 + lower_in, box[1], height - 0.6 - lower_in)
    lower = _place(container, box[0], 0.42, box[1], lower_in)
    coverage_panel(upper, levels, coverage, joint, labels, band_lo, band_hi)
    coverage_panel(lower, levels, coverage, joint, labels, band_lo, band_hi, difference=True, legend=False)
    _symmetric(lower, 1.15)
    upper.tick_params(axis="x", labelbottom=False)
    upper.set_xlabel("")
    for ax in (upper, lower):
        ax.yaxis.set_label_coords(-0.42 / box[1], 0.5)


def _place(figure: FigureBase, left_in: float, bottom_in: float, width_in: float, height_in: float) -> Axes:
    width, height = size_in(figure)
    return figure.add_axes((left_in / width, bottom_in / height, width_in / width, height_in / height))


@styled
def coverage_figure(
    levels: np.ndarray,
    coverage: np.ndarray,
    joint: np.ndarray | None,
    labels: Sequence[str],
    band_lo: np.ndarray,
    band_hi: np.ndarray,
) -> Figure:
    """Draw coverage against level, and beside it their difference, where the band can be read; see
    :func:`coverage_panel`."""
    figure = new_figure(DOUBLE_IN, 3.0)
    coverage_panel(_place(figure, 0.5, 0.42, 2.5, 2.5), levels, coverage, joint, labels, band_lo, band_hi)
    right = _place(figure, 3.75, 0.42, 3.1, 2.5)
    coverage_panel(right, levels, coverage, joint, labels, band_lo, band_hi, difference=True, legend=False)
    _symmetric(right, 1.15)
    return figure


@styled
def sbc_figure(
    levels: np.ndarray,
    ecdf: np.ndarray,
    labels: Sequence[str],
    band_lo: np.ndarray,
    band_hi: np.ndarray,
    p_values: Sequence[float] | None = None,
) -> Figure:
    """Draw, per parameter, the ECDF ``(L, d)`` of the truths' ranks minus ``levels`` ``(L,)``, with its simultaneous
    band.

    Uniform ranks stay inside ``band_lo`` .. ``band_hi`` ``(L,)`` (Säilynoja, Bürkner and Vehtari, Stat. Comput. 32,
    32 (2022)); a hump means a biased posterior, an S one that is too narrow or too wide.  ``p_values``: ``(d,)``,
    written in the panels.  Raises InputError for shapes that do not fit.
    """
    not_empty("labels", labels)
    d = len(labels)
    levels = shaped("levels", levels, (None,))
    ecdf = shaped("ecdf", ecdf, (len(levels), d))
    lo, hi = shaped("band_lo", band_lo, levels.shape) - levels, shaped("band_hi", band_hi, levels.shape) - levels
    p_values = None if p_values is None else shaped("p_values", p_values, (d,))
    columns = min(d, 4)
    rows = -(-d // columns)
    figure = new_figure(DOUBLE_IN if columns > 2 else SINGLE_IN, 0.5 + 1.55 * rows)
    left, gap = 0.62, 0.1
    panel = (size_in(figure)[0] - left - 0.1 - (columns - 1) * gap) / columns
    top = max(np.abs(ecdf - levels[:, None]).max(), np.abs(lo).max(), np.abs(hi).max())
    for j, label in enumerate(labels):
        row, column = divmod(j, columns)
        ax = _place(figure, left + column * (panel + gap), 0.42 + (rows - 1 - row) * 1.55, panel, 1.45)
        ax.fill_between(levels, lo, hi, color=GREY, alpha=0.45, linewidth=0)
        ax.axhline(0.0, color=BLACK, linewidth=0.5)
        ax.plot(levels, ecdf[:, j] - levels, color=CYCLE[0])
        ax.set_xlim(0, 1)
        ax.set_ylim(-1.15 * top, 1.8 * top)
        ax.set_xticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
        note = label if p_values is None else f"{label}\n$p$ = {p_values[j]:.2g}"
        ax.text(0.95, 0.95, note, transform=ax.transAxes, ha="right", va="top", fontsize=7.5)
        if column:
            ax.tick_params(axis="y", labelleft=False)
        else:
            ax.set_ylabel("ECDF $-$ rank")
        if j + columns >= d:
            ax.set_xlabel("rank of the truth")
    return figure


@styled
def tarp_figure(
    alpha: np.ndarray,
    ecp: np.ndarray,
    lo: np.ndarray,
    hi: np.ndarray,
    band_lo: np.ndarray | None = None,
    band_hi: np.ndarray | None = None,
) -> Figure:
    """Draw the expected coverage probability ``ecp`` ``(L,)`` of TARP regions at credibility ``alpha`` ``(L,)``.

    ``lo``, ``hi`` ``(L,)``: the bootstrap band around ``ecp``.  ``band_lo``, ``band_hi`` ``(L,)``: what chance allows.
    TARP: Lemos et al., ICML 2023, arXiv:2302.03026.  Raises InputError for shapes that do not fit.
    """
    alpha = shaped("alpha", alpha, (None,))
    ecp, lo, hi = (shaped(n, v, alpha.shape) for n, v in (("ecp", ecp), ("lo", lo), ("hi", hi)))
    figure = new_figure(SINGLE_IN, 3.9)
    upper, lower = _place(figure, 0.62, 1.62, 2.66, 2.2), _place(figure, 0.62, 0.42, 2.66, 1.12)
    for ax, base in ((upper, 0.0 * alpha), (lower, alpha)):
        if band_lo is not None and band_hi is not None:
            chance = (shaped("band_lo", band_lo, alpha.shape) - base, shaped("band_hi", band_hi, alpha.shape) - base)
            ax.fill_between(alpha, *chance, color=GREY, alpha=0.45, linewidth=0, label="95 % band")
        ax.fill_between(alpha, lo - base, hi - base, color=CYCLE[0], alpha=0.25, linewidth=0, label="bootstrap 95 %")
        ax.plot([0, 1], [0, 0] if ax is lower else [0, 1], color=BLACK, linewidth=0.5)
        ax.plot(alpha, ecp - base, color=CYCLE[0], label="TARP")
        ax.set_xlim(0, 1)
    upper.set_ylim(0, 1)
    upper.tick_params(axis="x", labelbottom=False)
    upper.set_ylabel("expected coverage")
    upper.legend(loc="upper left")
    lower.set_ylabel("coverage $-$ level")
    lower.set_xlabel("credible level")
    _symmetric(lower, 1.2)
    figure.align_ylabels([upper, lower])
    return figure

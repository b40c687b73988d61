"""United regions of ensembles beside others, a panel per sigma, with the intervals of each parameter (figure 14 of
arXiv:2412.16303), and the comparison of several roads to the same regions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from nuinfer.errors import InputError
from nuinfer.figures.arrays import not_empty
from nuinfer.figures.closure_axes import legend_above, legend_shape, place, wrapped
from nuinfer.figures.ensemble_plane import (
    STEPS,
    TRUTH_STYLE,
    EnsemblePlane,
    add_outline,
    drawn_fields,
    finish_plane,
    plane_named,
    shade,
    star_of,
    window_of,
)
from nuinfer.figures.oscillation_entries import DM31_UNIT_EV2, SIGMAS
from nuinfer.figures.oscillation_regions import DM31_LABEL
from nuinfer.figures.style import BLACK, CYCLE, DASHES, DOUBLE_IN, GREY, new_figure, styled
from nuinfer.oscillation.regions import Confidence, RegionGrid, intervals, level

UNION_CAPTION = (
    "Regions of 1, 2 and 3 sigma (above) and intervals of each parameter (below: thick, thin and thinnest bars) of the united "
    "ensembles.  Shaded: the first entry, for comparison.  The star and the dashed lines are the truth."
)
ROADS_CAPTION = (
    "Several roads to the regions of 1, 2 and 3 sigma (above) and to the intervals of each parameter (below: thick, thin and "
    "thinnest bars).  The star and the dashed lines are the truth."
)
MOST_ENTRIES = len(CYCLE)
LEFT_IN, RIGHT_IN, BOTTOM_IN, BETWEEN_IN, TITLE_IN, PLANE_IN = 0.52, 0.18, 0.42, 0.1, 0.22, 2.3
BARS_LEFT_IN, BARS_BETWEEN_IN, ROW_IN, GAP_IN, LABEL_CHARACTERS = 1.9, 0.2, 0.27, 0.5, 32
BAR_WIDTHS = (6.0, 2.6, 0.9)
"""Line widths of the intervals of 1, 2 and 3 sigma, points."""
SHADE, SHADE_EDGE = "0.82", "0.45"
MARGIN = 0.05


@dataclass(frozen=True)
class UnionEntry:
    """One set of regions on the figure's grid."""

    label: str
    confidence: Confidence


@styled
def union_figure(grid: RegionGrid, entries: Sequence[UnionEntry], truth: tuple[float, float] | None, plane: str) -> Figure:
    """Draw united regions: the first entry, the one to compare with, is shaded, the others are outlines.

    One panel each for the joint regions of 1, 2 and 3 sigma on common axes; below, for every entry, the intervals of the
    mixing parameter and of dm^2_31 at 1, 2 and 3 sigma (one parameter each).  ``truth``: (sin2_theta23, dm31_ev2).
    ``plane``: "mixing", of sin^2(2 theta_23), or "octants", of sin^2(theta_23).  Raises InputError for an unknown plane, no
    entry, more than six, equal labels, and fields that do not fit the grid.
    """
    return _side_by_side(grid, entries, truth, plane, shaded=True)


@styled
def roads_figure(grid: RegionGrid, entries: Sequence[UnionEntry], truth: tuple[float, float] | None, plane: str) -> Figure:
    """Draw what should agree, such as a union and a marginalised likelihood: as :func:`union_figure`, but all are outlines
    with a colour and dashes each, since they lie on one another."""
    return _side_by_side(grid, entries, truth, plane, shaded=False)


def _side_by_side(
    grid: RegionGrid, entries: Sequence[UnionEntry], truth: tuple[float, float] | None, plane: str, shaded: bool
) -> Figure:
    shown = plane_named(plane)
    not_empty("entries", entries)
    labels = [entry.label for entry in entries]
    if len(labels) > MOST_ENTRIES or len(set(labels)) < len(labels):
        raise InputError(f"figure: entries must be up to {MOST_ENTRIES} of different labels; found {', '.join(labels)}")
    fields = drawn_fields(grid, [entry.confidence for entry in entries], shown)
    star = star_of(truth, shown)
    window = window_of(fields, star, shown)
    looks = [_look(k, shaded) for k in range(len(entries))]

    texts, columns, legend_in = legend_shape(labels + (["truth"] if star is not None else []), DOUBLE_IN - 0.1)
    bars_in = ROW_IN * len(entries)
    planes_at = BOTTOM_IN + bars_in + GAP_IN
    figure = new_figure(DOUBLE_IN, planes_at + PLANE_IN + TITLE_IN + legend_in)
    width = (DOUBLE_IN - LEFT_IN - RIGHT_IN - 2 * BETWEEN_IN) / 3
    for j, n in enumerate(SIGMAS):
        ax = place(figure, LEFT_IN + j * (width + BETWEEN_IN), planes_at, width, PLANE_IN)
        for k, (field, look) in enumerate(zip(fields, looks, strict=True)):
            if _is_shaded(k, shaded):
                shade(ax, field, [n], [SHADE])
            add_outline(
                ax,
                field,
                n,
                labels[k],
                colors=[look["color"]],
                linestyles=[look["linestyle"]],
                linewidths=look["linewidth"],
                zorder=2.0 + 0.1 * k,
            )
        finish_plane(ax, window, star, shown)
        ax.set_title(rf"{n:.0f}$\sigma$", fontsize=8.0, pad=4.0)
        ax.set_xlabel(shown.x_label)
        ax.tick_params(labelleft=j == 0)
        ax.set_ylabel(DM31_LABEL if j == 0 else "")
    _draw_bars(figure, grid, entries, shown, star, looks, bars_in)
    legend_above(figure, _handles(looks, shaded, star is not None), texts, columns)
    return figure


def _look(k: int, shaded: bool) -> dict:
    if _is_shaded(k, shaded):
        return {"color": SHADE_EDGE, "linestyle": "-", "linewidth": 0.7}
    i = k - shaded
    return {"color": CYCLE[i], "linestyle": DASHES[i], "linewidth": 1.2}


def _is_shaded(k: int, shaded: bool) -> bool:
    return shaded and k == 0


def _draw_bars(
    figure: Figure,
    grid: RegionGrid,
    entries: Sequence[UnionEntry],
    plane: EnsemblePlane,
    star: tuple[float, float] | None,
    looks: Sequence[dict],
    height_in: float,
) -> None:
    width = (DOUBLE_IN - BARS_LEFT_IN - RIGHT_IN - BARS_BETWEEN_IN) / 2
    sides = (
        (plane.x_label, getattr(grid, plane.axis), getattr(grid, plane.edges), plane.line, plane.maximal),
        (DM31_LABEL, grid.dm31_ev2 / DM31_UNIT_EV2, grid.dm31_edges / DM31_UNIT_EV2, "dm31", None),
    )
    for i, (label, centres, edges, line, maximal) in enumerate(sides):
        ax = place(figure, BARS_LEFT_IN + i * (width + BARS_BETWEEN_IN), BOTTOM_IN, width, height_in)
        ends = [] if star is None else [star[i]]
        for k, (entry, look) in enumerate(zip(entries, looks, strict=True)):
            of = [intervals(centres, getattr(entry.confidence, line), level(n), tuple(edges[[0, -1]])) for n in SIGMAS]
            _draw_intervals(ax, k, of, look["color"], entry.label)
            ends += [end for found in of for pair in found for end in pair]
        _finish_bars(ax, ends or list(edges[[0, -1]]), edges, maximal, None if star is None else star[i])
        ax.set_ylim(len(entries) - 0.5, -0.5)
        ax.set_yticks(
            range(len(entries)), [wrapped(e.label, LABEL_CHARACTERS) for e in entries] if i == 0 else [""] * len(entries)
        )
        ax.tick_params(axis="y", length=0.0)
        ax.set_xlabel(label)


def _draw_intervals(ax: Axes, row: int, of: Sequence[list[list[float]]], tint: str, name: str) -> None:
    for n, found, width in zip(SIGMAS, of, BAR_WIDTHS, strict=True):
        if found:
            low, high = np.array(found).T
            bars = ax.hlines(np.full(len(found), row), low, high, color=tint, linewidth=width, capstyle="butt", zorder=3)
            bars.set_gid(f"{name}, {n:.0f} sigma")


def _finish_bars(ax: Axes, ends: Sequence[float], edges: np.ndarray, maximal: float | None, true: float | None) -> None:
    pad = MARGIN * (max(ends) - min(ends))
    low, high = min(ends) - pad, max(ends) + pad
    if maximal is not None:
        ax.axvline(maximal, color=GREY, linewidth=0.5, zorder=1.2)
        high = maximal if edges[-1] <= maximal * (1.0 + 1e-12) else high
    if true is not None:
        ax.axvline(true, color=BLACK, linewidth=0.7, linestyle=DASHES[1], zorder=1.3)
    ax.set_xlim(low, high)
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=STEPS))


def _handles(looks: Sequence[dict], shaded: bool, star: bool) -> list[Artist]:
    handles: list[Artist] = [
        Patch(facecolor=SHADE, edgecolor=look["color"]) if _is_shaded(k, shaded) else Line2D([], [], **look)
        for k, look in enumerate(looks)
    ]
    return handles + ([Line2D([], [], markersize=7.0, **TRUTH_STYLE)] if star else [])

"""The fits of an ensemble's draws, one outline each, over a reference: figures 8, 12 and 13 of arXiv:2412.16303."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from nuinfer.errors import InputError
from nuinfer.figures.arrays import not_empty, shaped
from nuinfer.figures.closure_axes import legend_above, legend_shape, place
from nuinfer.figures.ensemble_plane import (
    REFERENCE_SHADES,
    TRUTH_STYLE,
    add_outline,
    drawn_fields,
    finish_plane,
    plane_named,
    shade,
    star_of,
    window_of,
)
from nuinfer.figures.oscillation_entries import DM31_UNIT_EV2, SIGMAS, DrawnEntry
from nuinfer.figures.oscillation_regions import DM31_LABEL
from nuinfer.figures.style import BLACK, CYCLE, DOUBLE_IN, GREY, SINGLE_IN, new_figure, styled
from nuinfer.oscillation.regions import Confidence, RegionGrid

MEMBERS_CAPTION = (
    "Regions of 1, 2 and 3 sigma of every draw of the ensemble: strong, weaker and weakest lines.  Shaded: the reference.  "
    "Points are best fits, the star is the truth."
)
FEW = len(CYCLE)
"""So many members have a colour each, the same in every panel; more share their panel's colour."""
MOST_PANELS = 4
LEFT_IN, RIGHT_IN, BOTTOM_IN, BETWEEN_IN, TITLE_IN = 0.52, 0.18, 0.42, 0.14, 0.22
FEW_LINES = ((1.2, 1.0), (0.7, 0.55), (0.5, 0.4))
"""Width and opacity of the outlines of 1, 2 and 3 sigma."""
MANY_LINES = ((0.7, 0.75), (0.4, 0.35), (0.4, 0.2))


@dataclass(frozen=True)
class MembersPanel:
    """One panel: the members' fits, and the ``reference`` shaded below them, on the figure's grid.

    ``best_sin2_theta23`` and ``best_dm31_ev2`` ``(m,)``: the members' best fits, or None for no points.
    """

    title: str
    members: Sequence[Confidence]
    reference: Confidence | None = None
    best_sin2_theta23: np.ndarray | None = None
    best_dm31_ev2: np.ndarray | None = None


@styled
def members_figure(
    grid: RegionGrid,
    panels: Sequence[MembersPanel],
    truth: tuple[float, float] | None,
    plane: str,
    reference_label: str = "statistics alone",
    name: str = "draw",
) -> Figure:
    """Draw the joint regions of 1, 2 and 3 sigma of all members, one panel each for up to four sets of them.

    ``truth``: (sin2_theta23, dm31_ev2).  ``plane``: "mixing", of sin^2(2 theta_23), or "octants", of sin^2(theta_23).
    ``name``: what the legend calls one member.  Up to six members have a colour each, the same in every panel.  All panels
    share axes that hold every 3-sigma region.  Raises InputError for an unknown plane, no or too many panels, a panel without
    members, fields that do not fit the grid, and best fits of another number than the members.
    """
    shown = plane_named(plane)
    not_empty("panels", panels)
    if len(panels) > MOST_PANELS:
        raise InputError(f"figure: {len(panels)} panels of members do not fit a page; give up to {MOST_PANELS}")
    for panel in panels:
        not_empty(f"members of panel '{panel.title}'", panel.members)
    fields = [drawn_fields(grid, panel.members, shown) for panel in panels]
    references = [None if p.reference is None else drawn_fields(grid, [p.reference], shown)[0] for p in panels]
    best = [_best(panel, shown.of_sin2) for panel in panels]
    star = star_of(truth, shown)
    window = window_of([*(f for of in fields for f in of), *(r for r in references if r is not None)], star, shown)

    few = max(len(of) for of in fields) <= FEW
    handles, names = _legend(fields, few, name, reference_label if any(r is not None for r in references) else None)
    marks, mark_names = _marks(any(b is not None for b in best), star is not None)
    width, columns = (SINGLE_IN, 1) if len(panels) == 1 else (DOUBLE_IN, 2)
    texts, legend_columns, legend_in = legend_shape(names, width - 0.1)
    rows = -(-len(panels) // columns)
    main_in = (width - LEFT_IN - RIGHT_IN - (columns - 1) * BETWEEN_IN) / columns
    figure = new_figure(width, BOTTOM_IN + rows * (main_in + TITLE_IN) + legend_in + 0.1)
    for k, panel in enumerate(panels):
        row, column = divmod(k, columns)
        bottom = BOTTOM_IN + (rows - 1 - row) * (main_in + TITLE_IN)
        ax = place(figure, LEFT_IN + column * (main_in + BETWEEN_IN), bottom, main_in, main_in)
        if references[k] is not None:
            shade(ax, references[k])
        _draw_members(ax, fields[k], best[k], [CYCLE[i if few else k] for i in range(len(fields[k]))], few)
        finish_plane(ax, window, star, shown)
        ax.set_title(panel.title, fontsize=8.0, pad=4.0)
        lowest = k + columns >= len(panels)
        ax.tick_params(labelbottom=lowest, labelleft=column == 0)
        ax.set_xlabel(shown.x_label if lowest else "")
        ax.set_ylabel(DM31_LABEL if column == 0 else "")
    legend_above(figure, handles, texts, legend_columns)
    legend_above(figure, marks, mark_names, len(marks), legend_in - 0.09)
    return figure


def _best(panel: MembersPanel, of_sin2) -> tuple[np.ndarray, np.ndarray] | None:
    if (panel.best_sin2_theta23 is None) != (panel.best_dm31_ev2 is None):
        raise InputError(f"figure: panel '{panel.title}' has best fits in one parameter only; give both, or neither")
    if panel.best_sin2_theta23 is None:
        return None
    n = (len(panel.members),)
    sin2 = shaped(f"best_sin2_theta23 of '{panel.title}'", panel.best_sin2_theta23, n)
    return of_sin2(sin2), shaped(f"best_dm31_ev2 of '{panel.title}'", panel.best_dm31_ev2, n) / DM31_UNIT_EV2


def _draw_members(
    ax: Axes, fields: Sequence[DrawnEntry], best: tuple[np.ndarray, np.ndarray] | None, tints: Sequence[str], few: bool
) -> None:
    # Level by level, so that no member's 3-sigma outline crosses over another's 1-sigma outline.
    for n, (width, opacity) in reversed(list(zip(SIGMAS, FEW_LINES if few else MANY_LINES, strict=True))):
        for k, (field, tint) in enumerate(zip(fields, tints, strict=True)):
            add_outline(ax, field, n, f"member {k}", colors=[tint], linewidths=width, alpha=opacity, zorder=3.0 - 0.1 * n)
    if best is not None:
        edge = {"edgecolors": "white", "linewidths": 0.4, "zorder": 4}
        ax.scatter(*best, s=14.0 if few else 7.0, c=list(tints), **edge)


def _legend(
    fields: Sequence[Sequence[DrawnEntry]], few: bool, name: str, reference_label: str | None
) -> tuple[list[Artist], list[str]]:
    """Return the handles and names of members and reference; panels of many members are told apart by their titles."""
    sizes = sorted({len(of) for of in fields})
    if few:
        handles: list[Artist] = [Line2D([], [], color=CYCLE[k]) for k in range(sizes[-1])]
        names = [f"{name} {k + 1}" for k in range(sizes[-1])]
    else:
        handles = [Line2D([], [], color=BLACK, linewidth=MANY_LINES[0][0])]
        names = [f"{' or '.join(map(str, sizes))} {name}s"]
    if reference_label is not None:
        handles.append(Patch(facecolor=REFERENCE_SHADES[0], linewidth=0))
        names.append(reference_label)
    return handles, names


def _marks(best: bool, star: bool) -> tuple[list[Artist], list[str]]:
    handles: list[Artist] = []
    for (width, opacity), grey in zip(FEW_LINES, REFERENCE_SHADES, strict=True):
        # Lines and shades at once: a box of the reference's grey with the members' outline.
        handles.append(Patch(facecolor=grey, edgecolor=(BLACK, opacity), linewidth=width))
    names = [rf"{n:.0f}$\sigma$" for n in SIGMAS]
    if best:
        handles.append(Line2D([], [], color=GREY, marker="o", markersize=4.0, linestyle=""))
        names.append("best fit")
    if star:
        handles.append(Line2D([], [], markersize=7.0, **TRUTH_STYLE))
        names.append("truth")
    return handles, names

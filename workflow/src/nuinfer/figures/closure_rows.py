"""Rows of maps of the lepton's energy and angle: truth, model and their difference."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from nuinfer.errors import InputError
from nuinfer.figures.arrays import not_empty, shaped
from nuinfer.figures.closure_axes import (
    BAR_GAP_IN,
    BAR_IN,
    DENSITY_MAP,
    DIFFERENCE_MAP,
    bar_beside,
    draw_map,
    field,
    increasing,
    linear_bar_ticks,
    map_figure,
    place,
    top_of,
    wrapped,
)
from nuinfer.figures.style import DOUBLE_IN

COLUMNS = ("true", "model", "model $-$ true")
PANEL_IN, GAP_X_IN, GAP_Y_IN, BOTTOM_IN, TOP_IN, HEADING_IN = 1.55, 0.1, 0.24, 0.42, 0.3, 0.2
BAR_TEXT_IN, LINE_IN, AXIS_TEXT_IN = 0.48, 0.15, 0.46
DIFFERENCE_QUANTILE = 0.999
"""Share of the reachable cells that the scale of a difference must hold: a few cells at the edge of the reachable
region would otherwise hide all the others; the colour bar then ends in arrows."""


def map_rows(
    u_edges: np.ndarray,
    v_edges: np.ndarray,
    el_ticks: Mapping[float, float],
    true: np.ndarray,
    model: np.ndarray,
    row_labels: Sequence[str],
    bar_label: str,
    notes: Sequence[str] | None = None,
    heading: str = "",
) -> Figure:
    """Draw ``true``, ``model`` ``(n, n_u, n_v)`` and their difference in ``n`` rows, one colour scale per row.

    ``u_edges`` ``(n_u + 1,)``, ``v_edges`` ``(n_v + 1,)``: cells of u, the scaled logarithm of the lepton energy, and
    of v = sin(theta / 2).  ``el_ticks``: lepton energy, GeV -> its u; ticks outside the edges are left out.  nan or
    masked cells stay white.  ``notes``: ``(n,)`` texts in the corner of the differences.  ``heading``: what the
    maps show, above the columns.  Raises InputError for shapes that do not fit.
    """
    u_edges, v_edges = increasing("u_edges", u_edges), increasing("v_edges", v_edges)
    not_empty("row_labels", row_labels)
    n = len(row_labels)
    shape = (n, len(u_edges) - 1, len(v_edges) - 1)
    true, model = field("true", true, shape), field("model", model, shape)
    if notes is not None and len(notes) != n:
        raise InputError(f"figure: {len(notes)} notes for {n} rows; give one per row")
    labels = [wrapped(label, 22) for label in row_labels]
    left = AXIS_TEXT_IN + LINE_IN * max(text.count("\n") + 1 for text in labels)
    bar = BAR_GAP_IN + BAR_IN + BAR_TEXT_IN
    panel_w = (DOUBLE_IN - left - 2 * GAP_X_IN - 2 * bar - 0.02) / 3
    height = BOTTOM_IN + TOP_IN + (HEADING_IN if heading else 0.0) + n * PANEL_IN + (n - 1) * GAP_Y_IN
    figure = map_figure(DOUBLE_IN, height)
    for k in range(n):
        bottom = BOTTOM_IN + (n - 1 - k) * (PANEL_IN + GAP_Y_IN)
        lefts = (left, left + panel_w + GAP_X_IN, left + 2 * (panel_w + GAP_X_IN) + bar)
        axes = [place(figure, at, bottom, panel_w, PANEL_IN) for at in lefts]
        scale = Normalize(0.0, top_of(true[k], model[k]))
        for ax, values in zip(axes, (true[k], model[k]), strict=False):
            mesh = draw_map(ax, u_edges, v_edges, values, scale, DENSITY_MAP)
        linear_bar_ticks(bar_beside(figure, axes[1], mesh, bar_label))
        _difference(figure, axes[2], u_edges, v_edges, model[k] - true[k], bar_label)
        if notes is not None:
            box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}
            axes[2].text(0.96, 0.95, notes[k], transform=axes[2].transAxes, ha="right", va="top", fontsize=7, bbox=box)
        for column, ax in enumerate(axes):
            _lepton_axes(ax, el_ticks, first=column == 0, last=k == n - 1)
            if k == 0:
                ax.text(0.5, 1.04, COLUMNS[column], transform=ax.transAxes, ha="center", va="bottom")
        middle = (bottom + 0.5 * PANEL_IN) / height
        figure.text(0.04 / DOUBLE_IN, middle, labels[k], rotation=90, ha="left", va="center")
    figure.text(0.5, 1.0 - 0.04 / height, heading, ha="center", va="top")
    return figure


def _difference(figure: Figure, ax: Axes, u_edges: np.ndarray, v_edges: np.ndarray, values: np.ndarray, bar_label: str) -> None:
    size = np.abs(values[np.isfinite(values)])
    top = top_of(values)
    half = float(np.quantile(size, DIFFERENCE_QUANTILE)) if size.size else top
    half = half if half > 0 else top
    mesh = draw_map(ax, u_edges, v_edges, values, Normalize(-half, half), DIFFERENCE_MAP)
    linear_bar_ticks(bar_beside(figure, ax, mesh, bar_label, extend="both" if top > half * (1 + 1e-9) else "neither"))


def _lepton_axes(ax: Axes, el_ticks: Mapping[float, float], first: bool, last: bool) -> None:
    at = shaped("u of el_ticks", list(el_ticks.values()), (None,))
    (lo, hi), names = ax.get_xlim(), [f"{el_gev:g}" for el_gev in el_ticks]
    shown = [(u, name) for u, name in zip(at, names, strict=True) if lo <= u <= hi]
    ax.set_xticks([u for u, _ in shown], [name for _, name in shown])
    ax.tick_params(labelbottom=last, labelleft=first)
    if last:
        ax.set_xlabel(r"$E_\ell$ [GeV]", labelpad=2.0)
    if first:
        ax.set_ylabel(r"$v = \sin(\theta_\ell / 2)$", labelpad=2.0)

"""The four panels by which Tame-Narvaez et al. (NeurIPS ML4PS 2025, figure 1) show an estimator, on one page."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from nuinfer.figures.coverage import draw_coverage
from nuinfer.figures.recovery import RecoveryRow, draw_tune_recovery
from nuinfer.figures.residuals import draw_residual_triangle
from nuinfer.figures.style import DOUBLE_IN, new_figure, styled
from nuinfer.figures.triangle import draw_triangle

UPPER_IN, LOWER_IN = 3.5, 3.8


@styled
def figure1(
    event: Mapping[str, Any], residual: Mapping[str, Any], coverage: Mapping[str, Any], recovery: Sequence[RecoveryRow]
) -> Figure:
    """Draw (a) one throw's posterior, (b) residuals, (c) coverage, (d) what the tune finds.

    ``event``: arguments of :func:`~nuinfer.figures.triangle.draw_triangle`; ``residual``: of
    :func:`~nuinfer.figures.residuals.draw_residual_triangle`; ``coverage``: of
    :func:`~nuinfer.figures.coverage.draw_coverage`; ``recovery``: rows of
    :func:`~nuinfer.figures.recovery.tune_recovery`.
    """
    figure = new_figure(DOUBLE_IN, UPPER_IN + LOWER_IN)
    top, bottom = figure.subfigures(2, 1, height_ratios=(UPPER_IN, LOWER_IN))
    first, second = top.subfigures(1, 2)
    third, fourth = bottom.subfigures(1, 2)
    for panel in (top, bottom, first, second, third, fourth):
        panel.set_facecolor("none")
    draw_triangle(first, **event)
    draw_residual_triangle(second, **residual)
    draw_coverage(third, **coverage)
    draw_tune_recovery(fourth, recovery)
    for panel, letter in ((first, "a"), (second, "b"), (third, "c"), (fourth, "d")):
        panel.text(0.005, 0.995, f"({letter})", ha="left", va="top", fontsize=9, weight="bold")
    return figure

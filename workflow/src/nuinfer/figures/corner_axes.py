"""The lower triangle of small panels that triangle figures share."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import FigureBase
from matplotlib.ticker import MaxNLocator

from nuinfer.figures.style import size_in

LEFT_IN, BOTTOM_IN, EDGE_IN, GAP_IN = 0.62, 0.54, 0.12, 0.05


def corner_axes(
    container: FigureBase, labels: Sequence[str], limits: np.ndarray, top_in: float = EDGE_IN
) -> np.ndarray:
    """Return ``(d, d)`` axes, None above the diagonal, with the limits ``(d, 2)``, ticks and labels of a triangle."""
    d = len(labels)
    width, height = size_in(container)
    panel_w = (width - LEFT_IN - EDGE_IN - (d - 1) * GAP_IN) / d
    panel_h = (height - BOTTOM_IN - top_in - (d - 1) * GAP_IN) / d
    axes = np.full((d, d), None, dtype=object)
    for i in range(d):
        for j in range(i + 1):
            left = LEFT_IN + j * (panel_w + GAP_IN)
            bottom = BOTTOM_IN + (d - 1 - i) * (panel_h + GAP_IN)
            ax = container.add_axes((left / width, bottom / height, panel_w / width, panel_h / height))
            axes[i, j] = ax
            ax.set_xlim(*limits[j])
            ax.xaxis.set_major_locator(MaxNLocator(_n_ticks(panel_w), steps=[1, 2, 2.5, 5, 10], prune="both"))
            if i == d - 1:
                ax.set_xlabel(labels[j])
                ax.xaxis.set_label_coords(0.5, -0.37 / panel_h)
                ax.tick_params(axis="x", labelrotation=40, pad=1.5)
            else:
                ax.tick_params(axis="x", labelbottom=False)
            if i == j:
                ax.set_yticks([])
                continue
            ax.set_ylim(*limits[i])
            ax.yaxis.set_major_locator(MaxNLocator(_n_ticks(panel_h), steps=[1, 2, 2.5, 5, 10], prune="both"))
            if j == 0:
                ax.set_ylabel(labels[i])
                ax.yaxis.set_label_coords(-0.44 / panel_w, 0.5)
            else:
                ax.tick_params(axis="y", labelleft=False)
    return axes


def _n_ticks(panel_in: float) -> int:
    return 4 if panel_in < 1.0 else 5

"""What the closure test costs against the size of its grid."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nuinfer.errors import InputError
from nuinfer.figures.arrays import not_empty
from nuinfer.figures.closure_axes import field, increasing, legend_above, legend_shape, place, top_of
from nuinfer.figures.style import BLACK, DASHES, SINGLE_IN, colour, display_name, new_figure, styled

MARKERS = "osD^vP"
LEFT_IN, BOTTOM_IN, LOWER_IN, UPPER_IN, GAP_IN = 0.62, 0.42, 0.85, 1.9, 0.08


@styled
def cost_curves(
    n_cells: np.ndarray,
    seconds: Mapping[str, np.ndarray],
    ratio: tuple[str, str] | None = None,
    xlabel: str = "cells of the observable grid",
    ylabel: str = "time [s]",
) -> Figure:
    """Draw times against the number of cells ``n_cells`` ``(n,)`` on logarithmic axes.

    ``seconds``: label -> times ``(n,)``, s, nan or masked where not measured.  ``ratio``: (slow, fast), two of the
    labels; the first over the second is drawn below.  Raises InputError for shapes that do not fit, times that are not
    positive and labels that are not there.
    """
    not_empty("seconds", seconds)
    n_cells = np.asarray(n_cells, dtype=float)
    n_cells = field("n_cells", n_cells, (None,)) if n_cells.size == 1 else increasing("n_cells", n_cells, positive=True)
    seconds = {name: field(f"seconds of '{name}'", values, n_cells.shape) for name, values in seconds.items()}
    if any(np.any(v <= 0) or np.all(np.isnan(v)) for v in seconds.values()) or n_cells[0] <= 0:
        raise InputError("figure: times and numbers of cells must be positive; leave out what was not measured")
    if ratio is not None and (len(ratio) != 2 or any(name not in seconds for name in ratio)):
        raise InputError(f"figure: ratio {ratio} names no two of {', '.join(seconds)}")
    texts, columns, legend_in = legend_shape([display_name(name) for name in seconds], SINGLE_IN - 0.1)
    below = 0.0 if ratio is None else LOWER_IN + GAP_IN
    figure = new_figure(SINGLE_IN, BOTTOM_IN + below + UPPER_IN + legend_in)
    panel_w = SINGLE_IN - LEFT_IN - 0.14
    axes = [place(figure, LEFT_IN, BOTTOM_IN + below, panel_w, UPPER_IN)]
    for k, (name, values) in enumerate(seconds.items()):
        axes[0].plot(n_cells, values, color=colour(name, k), linestyle=DASHES[k % len(DASHES)], marker=MARKERS[k % 6])
    axes[0].set(xscale="log", yscale="log", ylabel=ylabel)
    if ratio is not None:
        axes.append(place(figure, LEFT_IN, BOTTOM_IN, panel_w, LOWER_IN))
        quotient = seconds[ratio[0]] / seconds[ratio[1]]
        axes[1].plot(n_cells, quotient, color=BLACK, marker="o")
        axes[1].set(xscale="log", ylabel="ratio", xlim=axes[0].get_xlim(), ylim=(0.0, 1.25 * top_of(quotient)))
        axes[0].tick_params(axis="x", labelbottom=False, which="both")
    axes[-1].set_xlabel(xlabel)
    handles = [
        Line2D([], [], color=colour(name, k), linestyle=DASHES[k % len(DASHES)], marker=MARKERS[k % 6])
        for k, name in enumerate(seconds)
    ]
    legend_above(figure, handles, texts, columns)
    return figure

"""What the closure test's figures share: places in inches, maps with white for unreachable cells, bars, legends."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

from nuinfer.errors import InputError
from nuinfer.figures.arrays import shaped
from nuinfer.figures.style import PNG_DPI, new_figure, size_in

BAR_IN, BAR_GAP_IN, BAR_LABEL_IN = 0.08, 0.06, 0.45
LEGEND_LINE_IN, CHARACTER_IN, HANDLE_IN = 0.15, 0.062, 0.5
DENSITY_MAP, DIFFERENCE_MAP = "viridis", "RdBu_r"


def map_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure whose maps are raster images, in the PDF half as fine again as in the PNG."""
    figure = new_figure(width_in, height_in)
    figure.set_dpi(1.5 * PNG_DPI)
    return figure


def place(figure: Figure, left_in: float, bottom_in: float, width_in: float, height_in: float) -> Axes:
    """Add axes at a place in inches from the figure's lower left corner."""
    width, height = size_in(figure)
    return figure.add_axes((left_in / width, bottom_in / height, width_in / width, height_in / height))


def field(name: str, values: object, shape: tuple[int | None, ...]) -> np.ndarray:
    """Return ``values`` as float64 of ``shape``, with nan where masked; raise InputError for a misfit or infinities."""
    array = shaped(name, np.ma.filled(np.ma.asarray(values, dtype=float), np.nan), shape, finite=False)
    if np.any(np.isinf(array)):
        raise InputError(f"figure: {name} holds infinite values; mask them or set them to nan")
    return array


def increasing(name: str, values: object, n: int | None = None, positive: bool = False) -> np.ndarray:
    """Return a strictly increasing axis of at least two values, all above zero where ``positive``; or InputError."""
    axis = shaped(name, values, (n,))
    if len(axis) < 2 or np.any(np.diff(axis) <= 0):
        raise InputError(f"figure: {name} must hold at least two values in increasing order; sort them")
    if positive and axis[0] <= 0:
        raise InputError(f"figure: {name} starts at {axis[0]:g} and is drawn on a logarithmic axis; start above zero")
    return axis


def draw_map(
    ax: Axes, x_edges: np.ndarray, y_edges: np.ndarray, values: np.ndarray, norm: Normalize, cmap: str | Colormap
) -> QuadMesh:
    """Draw ``values`` ``(n_x, n_y)`` as cells between edges; nan stays white."""
    mesh = ax.pcolormesh(x_edges, y_edges, np.ma.masked_invalid(values.T), norm=norm, cmap=cmap, rasterized=True)
    ax.set_xlim(x_edges[0], x_edges[-1])
    ax.set_ylim(y_edges[0], y_edges[-1])
    return mesh


def bar_beside(figure: Figure, ax: Axes, mesh: QuadMesh, label: str, extend: str = "neither") -> Colorbar:
    """Add a colour bar as high as ``ax`` to its right, labelled; a common power of ten has room above it."""
    width, height = size_in(figure)
    box = ax.get_position()
    left = box.x1 * width + BAR_GAP_IN
    bar = figure.colorbar(
        mesh, cax=place(figure, left, box.y0 * height, BAR_IN, box.height * height), extend=extend, extendfrac=0.04
    )
    bar.set_label(label, fontsize=7.0)
    # At a fixed distance, so that the labels of several rows stand in line whatever their ticks are.
    bar.ax.yaxis.set_label_coords(BAR_LABEL_IN / BAR_IN, 0.5)
    bar.ax.yaxis.label.set_verticalalignment("center")
    bar.outline.set_linewidth(0.5)
    return bar


def linear_bar_ticks(bar: Colorbar) -> None:
    """Give a linear colour bar few round ticks and one power of ten for all."""
    formatter = ScalarFormatter(useMathText=True)
    formatter.set_powerlimits((-1, 2))
    bar.locator, bar.formatter = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]), formatter
    bar.update_ticks()
    bar.ax.yaxis.get_offset_text().set(ha="left", va="bottom", fontsize=6.5)
    bar.ax.yaxis.set_offset_position("left")


def top_of(*arrays: np.ndarray) -> float:
    """Return the largest absolute value that is not nan, or 1 where there is none, so that a scale always exists."""
    finite = np.concatenate([np.abs(a[np.isfinite(a)]) for a in arrays])
    return float(finite.max()) if finite.size and finite.max() > 0 else 1.0


def wrapped(label: str, width: int) -> str:
    """Break a long label into lines; one with mathematics stays whole, as its dollars must stay on one line."""
    return label if "$" in label else textwrap.fill(label, width)


def legend_shape(labels: Sequence[str], width_in: float) -> tuple[list[str], int, float]:
    """Return the labels, broken where too long, the number of columns and the height in inches of a legend above."""
    texts = [wrapped(label, int((width_in - HANDLE_IN - 0.1) / CHARACTER_IN)) for label in labels]
    longest = max(len(line) for text in texts for line in text.split("\n"))
    columns = max(1, min(len(texts), int(width_in / (HANDLE_IN + CHARACTER_IN * longest))))
    columns = -(-len(texts) // -(-len(texts) // columns))
    lines, rows = [text.count("\n") + 1 for text in texts], -(-len(texts) // columns)
    # Entries fill columns from the top, so a column holds at most ``rows`` neighbours.
    tallest = max(sum(lines[k : k + rows]) for k in range(len(lines)))
    return texts, columns, LEGEND_LINE_IN * tallest + 0.1


def legend_above(
    figure: Figure, handles: Sequence[Artist], labels: Sequence[str], columns: int, below_top_in: float = 0.0
) -> None:
    """Put a legend at the top of the figure, where no data are, or ``below_top_in`` lower."""
    anchor = (0.5, 1.0 - below_top_in / size_in(figure)[1])
    where = {"loc": "upper center", "bbox_to_anchor": anchor, "borderaxespad": 0.2}
    figure.legend(handles, labels, ncols=columns, labelspacing=0.3, **where)


def plain_log(axis) -> None:
    """Write a logarithmic axis's ticks at 1, 2 and 5 times powers of ten as plain numbers over up to two decades, and
    leave longer axes to powers of ten."""
    lo, hi = axis.get_view_interval()
    decades = np.log10(hi / lo)
    if decades <= 2.2:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axis.set_major_locator(LogLocator(numticks=6))
    axis.set_minor_formatter(NullFormatter())

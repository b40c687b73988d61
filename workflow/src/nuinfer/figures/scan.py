"""What depth, width and grid of the network do to the learned cross section: figure 19 of arXiv:2412.16303."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, NullLocator

from nuinfer.errors import InputError
from nuinfer.figures.arrays import not_empty
from nuinfer.figures.closure_axes import legend_above, legend_shape, place
from nuinfer.figures.style import BLACK, CYCLE, DASHES, DOUBLE_IN, GREY, new_figure, styled

MEASURES: Mapping[str, str] = MappingProxyType(
    {
        "kl_near": r"$D_{\mathrm{KL}}$, near detector",
        "kl_far": r"$D_{\mathrm{KL}}$, far detector",
        "metric": "oscillation metric",
    }
)
"""What a row is judged by, in the order of the panels, and its label."""
KEYS = ("depth", "width", "bins")
DEPTH_MARKERS, WIDTH_MARKERS, OTHER_MARKERS = "os^vPX", "Dph<>8", "*d1234"
LEFT_IN, RIGHT_IN, BOTTOM_IN, BETWEEN_IN, PANEL_IN = 0.68, 0.1, 0.42, 0.68, 2.0
LARGEST, STEP = 7.0, 0.7
LEAST_TICKS, LEAST_FACTOR = 3, 1.25


@styled
def scan_figure(rows: Sequence[Mapping[str, float]], featured: tuple[int, int, int], xlabel: str = "bins per axis") -> Figure:
    """Draw the divergences at both detectors and the oscillation metric against the grid, one line per (depth, width).

    ``rows``: mappings with ``depth``, ``width``, ``bins`` and the three of :data:`MEASURES`, of which nan is not drawn.
    ``featured``: (depth, width, bins) of the setting in use, whose line is thick and black and whose point has a ring.  Lines
    of its width are solid, lines of its depth dashed, any other grey and dotted; markers are open and of falling size, so
    that lines on top of each other stay visible.  Raises InputError for rows without a key, values that are not positive (the
    axis is logarithmic), a setting given twice, a featured setting that no row has, and a measure without any value.
    """
    table = _checked(rows)
    if tuple(featured) not in table:
        raise InputError(f"figure: no row has the featured (depth, width, bins) {tuple(featured)}; name one of the rows")
    looks = _looks(sorted({setting[:2] for setting in table}), featured[:2])
    handles = [Line2D([], [], **look) for look in looks.values()]
    labels = [f"depth {depth}, width {width}" for depth, width in looks]
    handles.append(Line2D([], [], color=BLACK, linestyle="", marker="o", markersize=9.0, markerfacecolor="none"))
    texts, columns, legend_in = legend_shape([*labels, f"featured, {featured[2]} bins"], DOUBLE_IN - 0.1)

    figure = new_figure(DOUBLE_IN, BOTTOM_IN + PANEL_IN + 0.08 + legend_in)
    width_in = (DOUBLE_IN - LEFT_IN - RIGHT_IN - 2 * BETWEEN_IN) / 3
    for j, (name, label) in enumerate(MEASURES.items()):
        ax = place(figure, LEFT_IN + j * (width_in + BETWEEN_IN), BOTTOM_IN, width_in, PANEL_IN)
        _draw(ax, {setting: of[name] for setting, of in table.items()}, looks, featured)
        ax.set(xlabel=xlabel, ylabel=label)
        ax.yaxis.set_label_coords(-0.5 / width_in, 0.5)
    legend_above(figure, handles, texts, columns)
    return figure


def _checked(rows: Sequence[Mapping[str, float]]) -> dict[tuple[int, int, int], dict[str, float]]:
    not_empty("rows", rows)
    table: dict[tuple[int, int, int], dict[str, float]] = {}
    for row in rows:
        missing = [key for key in (*KEYS, *MEASURES) if key not in row]
        if missing:
            raise InputError(f"figure: a row of the scan lacks {', '.join(missing)}; give nan for what was not measured")
        setting = tuple(int(row[key]) for key in KEYS)
        if setting in table:
            raise InputError(f"figure: two rows have the (depth, width, bins) {setting}; give one, a mean of several")
        if min(setting) < 1 or any(not np.isnan(row[m]) and not 0.0 < row[m] < np.inf for m in MEASURES):
            raise InputError(
                f"figure: the row {setting} has values that are not positive; a logarithmic axis has no place for them"
            )
        table[setting] = {name: float(row[name]) for name in MEASURES}
    for name in MEASURES:
        if all(np.isnan(of[name]) for of in table.values()):
            raise InputError(f"figure: no row of the scan has a value of {name}; measure it for one setting or more")
    return table


def _looks(lines: Sequence[tuple[int, int]], featured: tuple[int, int]) -> dict[tuple[int, int], dict]:
    """Return how each (depth, width) is drawn: the featured one, its width, its depth, then all others."""
    depth, width = featured
    families = (
        [line for line in lines if line == (depth, width)],
        [line for line in lines if line[1] == width and line[0] != depth],
        [line for line in lines if line[0] == depth and line[1] != width],
        [line for line in lines if line[0] != depth and line[1] != width],
    )
    styles = (("-", DEPTH_MARKERS), ("-", DEPTH_MARKERS[1:]), (DASHES[1], WIDTH_MARKERS), (DASHES[2], OTHER_MARKERS))
    looks: dict[tuple[int, int], dict] = {}
    for kind, (family, (dashes, markers)) in enumerate(zip(families, styles, strict=True)):
        for k, line in enumerate(family):
            tint = (BLACK, CYCLE[k % 3], CYCLE[3 + k % 3], GREY)[kind]
            size = 4.0 if kind == 0 else max(3.0, LARGEST - STEP * (len(looks) - 1))
            looks[line] = {
                "color": tint,
                "linestyle": dashes,
                "linewidth": 1.8 if kind == 0 else 0.9,
                "marker": markers[k % len(markers)],
                "markersize": size,
                "markerfacecolor": tint if kind == 0 else "none",
                "markeredgewidth": 0.9,
            }
    return looks


def _draw(ax: Axes, values: Mapping[tuple[int, int, int], float], looks: Mapping, featured: tuple[int, int, int]) -> None:
    every = sorted({bins for _, _, bins in values})
    for k, (line, look) in enumerate(looks.items()):
        points = sorted((bins, y) for (*of, bins), y in values.items() if tuple(of) == line)
        bins, heights = np.array(points).T
        # The featured line lies under the open markers of the others, or its own would fill them.
        ax.plot(bins, heights, zorder=3.0 + 0.1 * k, gid=f"{line[0]} x {line[1]}", **look)
    ring = {"marker": "o", "markersize": 9.0, "markerfacecolor": "none", "markeredgecolor": BLACK, "markeredgewidth": 1.1}
    ax.plot([featured[2]], [values[tuple(featured)]], linestyle="", zorder=5.0, gid="featured", **ring)
    ax.set(xscale="log", yscale="log")
    margin = (every[-1] / every[0]) ** 0.08 if len(every) > 1 else 1.5
    ax.set_xlim(every[0] / margin, every[-1] * margin)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(every, [str(bins) for bins in every])
    ax.margins(y=0.08)
    low, high = ax.get_ylim()
    # Equal values would leave no round tick in view.
    middle, factor = np.sqrt(low * high), max(LEAST_FACTOR, np.sqrt(high / low))
    ax.set_ylim(middle / factor, middle * factor)
    ticks = _round_ticks(*ax.get_ylim())
    ax.set_yticks(ticks, [_written(tick) for tick in ticks])
    ax.yaxis.set_minor_formatter(NullFormatter())


def _round_ticks(low: float, high: float) -> list[float]:
    """Return the roundest ticks of a logarithmic axis with three in view where possible; matplotlib's own may be one."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    inside: list[float] = []
    for steps in ((1.0,), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0), tuple(np.arange(1.0, 10.0, 0.25))):
        inside = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
        if len(inside) >= LEAST_TICKS:
            break
    return inside


def _written(value: float) -> str:
    decade = int(np.floor(np.log10(value) + 1e-9))
    if -2 <= decade <= 2:
        return f"{value:.6g}"
    step = f"{value / 10.0**decade:.3g}"
    return rf"$10^{{{decade}}}$" if step == "1" else rf"${step}\cdot 10^{{{decade}}}$"

"""Confidence regions of the mixing angle and dm^2_31 with marginal histograms: figures 6, 7 and 9 of arXiv:2412.16303."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from nuinfer.errors import InputError
from nuinfer.figures.arrays import not_empty, shaped
from nuinfer.figures.closure_axes import legend_above, legend_shape, place
from nuinfer.figures.oscillation_entries import (
    DM31_UNIT_EV2,
    SIGMAS,
    DrawnEntry,
    RegionEntry,
    RegionPanel,
    checked_panels,
    default_window,
    given_window,
)
from nuinfer.figures.style import BLACK, DOUBLE_IN, GREY, SINGLE_IN, display_name, new_figure, styled

__all__ = ["AXES", "RegionEntry", "RegionPanel", "regions_figure"]

AXES: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "sin2_theta23": {"x_label": r"$\sin^2\theta_{23}$", "maximal": 0.5},
        "sin2_2theta23": {"x_label": r"$\sin^2 2\theta_{23}$", "maximal": 1.0},
    }
)
"""What :func:`regions_figure` takes for the two parameters of the mixing angle: ``regions_figure(..., **AXES[name])``."""
DM31_LABEL = r"$\Delta m^2_{31}$ [$10^{-3}$ eV$^2$]"
LEFT_IN, RIGHT_IN, BOTTOM_IN, BETWEEN_IN, MARGINAL_IN, BESIDE_IN, TITLE_IN = 0.52, 0.1, 0.42, 0.14, 0.48, 0.04, 0.2
SHADES = (0.75, 0.42, 0.16)
SIGMA_DASHES, SIGMA_WIDTHS = ("-", (0, (4, 1.5)), (0, (1.2, 1.2))), (1.2, 0.9, 0.9)


@styled
def regions_figure(
    panels: Sequence[RegionPanel],
    truth: tuple[float, float] | None,
    x_label: str,
    limits: tuple[tuple[float, float], tuple[float, float]] | None = None,
    maximal: float | None = None,
) -> Figure:
    r"""Draw the regions of 1, 2 and 3 sigma (levels ``erf(n / sqrt(2))``) of one or two panels side by side.

    A panel's only entry is filled in three shades; several entries are lines, solid, dashed and dotted.  The histograms
    are the densities of the clouds, in bins and on a scale that all entries share.  ``truth``: (x, dm31_ev2).
    ``limits``: ranges of x and of dm31_ev2 (eV^2); by default where any entry's 3-sigma region is.  ``maximal``: x of
    maximal mixing, a grey line, and the end of the axis where no grid goes beyond.  Raises InputError for entries that
    do not fit (:func:`~nuinfer.figures.oscillation_entries.checked_panels`), empty limits, and more than two panels.
    """
    not_empty("panels", panels)
    if len(panels) > 2:
        raise InputError(f"figure: {len(panels)} panels of regions do not fit a page; give one or two, draw two figures")
    drawn = checked_panels(panels)
    everything = [entry for entries in drawn for entry in entries]
    star = None if truth is None else tuple(shaped("truth", truth, (2,)) / (1.0, DM31_UNIT_EV2))
    window = default_window(everything, star, maximal) if limits is None else given_window(limits)
    clouds = [entry.cloud for entry in everything if entry.cloud is not None]
    edges = _bins(window, clouds) if clouds else None
    highest = [max((_heights(c[i], edges[i]).max() for c in clouds), default=0.0) for i in range(2)]

    width = DOUBLE_IN if len(panels) == 2 else SINGLE_IN
    beside = BESIDE_IN + MARGINAL_IN if clouds else 0.0
    main_in = (width - LEFT_IN - RIGHT_IN - (len(panels) - 1) * BETWEEN_IN) / len(panels) - beside
    filled = all(len(entries) == 1 for entries in drawn)
    titled = filled and all(panel.title == panel.entries[0].label for panel in panels)
    legends, legend_in = _legends(everything, filled, titled, star is not None, width)
    figure = new_figure(width, BOTTOM_IN + main_in + beside + TITLE_IN + legend_in)
    for k, (panel, entries) in enumerate(zip(panels, drawn, strict=True)):
        left = LEFT_IN + k * (main_in + beside + BETWEEN_IN)
        main = place(figure, left, BOTTOM_IN, main_in, main_in)
        _draw_plane(main, entries, star, window, maximal, dashed=not filled)
        main.set_xlabel(x_label)
        if k == 0:
            main.set_ylabel(DM31_LABEL)
        else:
            main.tick_params(axis="y", labelleft=False)
        top = main
        if any(entry.cloud is not None for entry in entries):
            top = place(figure, left, BOTTOM_IN + main_in + BESIDE_IN, main_in, MARGINAL_IN)
            right = place(figure, left + main_in + BESIDE_IN, BOTTOM_IN, MARGINAL_IN, main_in)
            for i, ax in enumerate((top, right)):
                _draw_marginal(ax, entries, i, edges[i], window[i], highest[i])
            if maximal is not None:
                top.axvline(maximal, color=GREY, linewidth=0.5, zorder=0.5)
        top.set_title(panel.title, fontsize=8.0, pad=4.0)
    for handles, texts, columns, below_in in legends:
        legend_above(figure, handles, texts, columns, below_in)
    return figure


def _bins(window: np.ndarray, clouds: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    # Rice's rule for the smallest cloud, which has the largest fluctuations.
    n = int(np.clip(2.0 * min(len(x) for x, _ in clouds) ** (1 / 3), 8, 40))
    return np.linspace(*window[0], n + 1), np.linspace(*window[1], n + 1)


def _heights(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    # Per point of the whole cloud, so that what lies outside the window is not spread over the inside.
    return np.histogram(values, edges)[0] / (len(values) * np.diff(edges))


def _draw_plane(
    ax: Axes,
    entries: Sequence[DrawnEntry],
    star: tuple[float, float] | None,
    window: np.ndarray,
    maximal: float | None,
    dashed: bool,
) -> None:
    if maximal is not None:
        ax.axvline(maximal, color=GREY, linewidth=0.5, zorder=1.2)
    for entry in entries:
        field = entry.n_sigma.T
        if len(entries) == 1:
            ax.contourf(*entry.axes, field, [-1.0, *SIGMAS], colors=[_faded(entry.tint, s) for s in SHADES])
        for n, dash, width in zip(SIGMAS, SIGMA_DASHES, SIGMA_WIDTHS, strict=True):
            # A field that never crosses a level has no line there, which is no reason to warn.
            if field.min() < n < field.max():
                style = {"linestyles": [dash], "linewidths": width} if dashed else {"linewidths": 0.7}
                ax.contour(*entry.axes, field, [n], colors=[entry.tint], **style)
    # Best fits lie on the star, which is larger: neither hides the other.
    points = [(star, "*", BLACK, 11.0)] + [(entry.best, "o", entry.tint, 3.4) for entry in entries]
    for point, marker, tint, size in points:
        if point is not None and np.all((window[:, 0] <= point) & (point <= window[:, 1])):
            style = {"markeredgecolor": "white", "markeredgewidth": 0.5, "clip_on": False, "zorder": 5}
            ax.plot(*point, marker, color=tint, markersize=size, **style)
    ax.set_xlim(window[0])
    ax.set_ylim(window[1])
    ax.xaxis.set_major_locator(_ticks(0))
    ax.yaxis.set_major_locator(_ticks(1))
    # Labels of both axes at one corner keep clear of each other.
    ax.tick_params(axis="x", pad=5.0)


def _ticks(i: int) -> MaxNLocator:
    # A label in the lower left corner would touch the other axis's.
    return MaxNLocator((5, 6)[i], steps=[1, 2, 2.5, 5, 10], prune=(None, "lower")[i])


def _faded(tint: str, strength: float) -> tuple[float, ...]:
    return tuple(1.0 - strength * (1.0 - c) for c in to_rgb(tint))


def _draw_marginal(
    ax: Axes, entries: Sequence[DrawnEntry], i: int, edges: np.ndarray, limits: np.ndarray, highest: float
) -> None:
    along, across = ("x", "y") if i == 0 else ("y", "x")
    orientation = "vertical" if i == 0 else "horizontal"
    for entry in entries:
        if entry.cloud is None:
            continue
        height = _heights(entry.cloud[i], edges)
        if len(entries) == 1:
            ax.stairs(height, edges, orientation=orientation, fill=True, color=_faded(entry.tint, SHADES[2]), linewidth=0)
        ax.stairs(height, edges, orientation=orientation, baseline=None, color=entry.tint, linewidth=0.9)
    ax.set(**{f"{along}lim": limits, f"{across}lim": (0.0, 1.12 * highest or 1.0)})
    ax.tick_params(axis=along, labelbottom=False, labelleft=False)
    getattr(ax, f"{along}axis").set_major_locator(_ticks(i))
    getattr(ax, f"{across}axis").set_ticks([])


def _legends(
    entries: Sequence[DrawnEntry], filled: bool, titled: bool, star: bool, width_in: float
) -> tuple[list[tuple[list[Artist], list[str], int, float]], float]:
    """Return the legends (handles, texts, columns, distance from the top in inches) and the height of all.

    Fits that are ``titled`` by their panels need no legend.
    """
    unique = {entry.label: entry for entry in entries}
    fits: list[Artist] = [
        Patch(facecolor=_faded(e.tint, SHADES[1]), edgecolor=e.tint) if filled else Line2D([], [], color=e.tint)
        for e in unique.values()
    ]
    marks: list[Artist] = []
    texts = []
    for k, n in enumerate(SIGMAS):
        if filled:
            marks.append(Patch(color=_faded(GREY, SHADES[k]), linewidth=0))
        else:
            marks.append(Line2D([], [], color=GREY, linestyle=SIGMA_DASHES[k], linewidth=SIGMA_WIDTHS[k]))
        texts.append(rf"{n:.0f}$\sigma$")
    if any(e.best is not None for e in entries):
        marks.append(Line2D([], [], color=GREY, marker="o", markersize=4.0, linestyle=""))
        texts.append("best fit")
    if star:
        marks.append(Line2D([], [], color=BLACK, marker="*", markersize=7.0, linestyle=""))
        texts.append("truth")
    if titled:
        return [(marks, texts, len(texts), 0.0)], 0.22
    names, columns, height_in = legend_shape([display_name(name) for name in unique], width_in - 0.1)
    return [(fits, names, columns, 0.0), (marks, texts, len(texts), height_in - 0.09)], height_in + 0.13

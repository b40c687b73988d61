"""Fits of many pseudo-experiments: whether their regions cover as they claim, and where their best fits lie."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from nuinfer.errors import InputError
from nuinfer.figures.arrays import not_empty, shaped
from nuinfer.figures.closure_axes import increasing, legend_above, legend_shape, place
from nuinfer.figures.style import (
    BLACK,
    BLUE,
    CYCLE,
    DASHES,
    DOUBLE_IN,
    GREY,
    ORANGE,
    new_figure,
    styled,
)

QUANTITIES: Mapping[str, str] = MappingProxyType(
    {
        "plane_sin2": r"$(\sin^2\theta_{23}, \Delta m^2_{31})$",
        "plane_sin2_2theta": r"$(\sin^2 2\theta_{23}, \Delta m^2_{31})$",
        "sin2": r"$\sin^2\theta_{23}$",
        "sin2_2theta": r"$\sin^2 2\theta_{23}$",
        "dm31": r"$\Delta m^2_{31}$",
    }
)
"""What a region can be of, in the order of the panels, and its title."""
METHODS: Mapping[str, str] = MappingProxyType(
    {"bootstrap": "bootstrap density", "bootstrap_octants": "bootstraps, both octants", "feldman_cousins": "Feldman-Cousins"}
)
MARKED = (0.6827, 0.9545)
MARKERS = "osD^vP"
LEFT_IN, RIGHT_IN, BOTTOM_IN, BETWEEN_IN, ROWS_IN, LOWER_IN, TITLE_IN = 0.62, 0.1, 0.42, 0.12, 0.12, 1.0, 0.24
WIDEST_IN = 2.4
OUTSIDE = MappingProxyType({"linestyle": "-", "linewidth": 2.6, "marker": "o", "markersize": 2.6, "markeredgewidth": 0})
ROUNDING = 1e-9
PULL_END, PULL_BINS = 4.0, 32
LEAST_BIN = 1e-3


@styled
def fit_coverage_figure(
    levels: np.ndarray, curves: Mapping[str, Mapping[str, np.ndarray]], lower: np.ndarray, upper: np.ndarray
) -> Figure:
    """Draw coverage against confidence level, one panel per quantity of :data:`QUANTITIES`, and below it their difference.

    ``curves``: method -> quantity -> share ``(m,)`` of pseudo-experiments whose region of each of ``levels`` ``(m,)`` holds
    the truth.  ``lower``, ``upper`` ``(m,)``: the band in which a right curve stays whole with 95 % probability; where a
    curve leaves it, it is thick.  All are fractions, 0 to 1.  Points mark the levels nearest to 0.6827 and 0.9545.  A
    quantity without a curve has no panel.  Raises InputError for shapes that do not fit, levels that do not increase,
    numbers outside 0 .. 1, a band upside down, and quantities of other names.
    """
    levels = _fractions("levels", increasing("levels", levels), (None,))
    lower, upper = (_fractions(name, v, levels.shape) for name, v in (("lower", lower), ("upper", upper)))
    if np.any(lower > upper):
        raise InputError("figure: lower exceeds upper; exchange the limits of the band")
    drawn = _checked(curves, levels)
    names = [name for name in QUANTITIES if any(name in by_quantity for by_quantity in drawn.values())]

    escaped = any(np.any(_outside(c, lower, upper)) for of in drawn.values() for c in of.values())
    handles = [Line2D([], [], **_line(k), marker=MARKERS[k % len(MARKERS)], markersize=4.0) for k in range(len(drawn))]
    handles += [Patch(color=GREY, alpha=0.45, linewidth=0)]
    handles += [Line2D([], [], color=GREY, **OUTSIDE)] if escaped else []
    labels = [*(METHODS.get(m, m) for m in drawn), "95 % simultaneous band", *(["outside the band"] if escaped else [])]
    texts, columns, legend_in = legend_shape(labels, DOUBLE_IN - 0.1)

    n, room = len(names), DOUBLE_IN - LEFT_IN - RIGHT_IN
    panel_in = min(WIDEST_IN, (room - (n - 1) * BETWEEN_IN) / n)
    first_in = LEFT_IN + 0.5 * (room - n * panel_in - (n - 1) * BETWEEN_IN)
    figure = new_figure(DOUBLE_IN, BOTTOM_IN + LOWER_IN + ROWS_IN + panel_in + TITLE_IN + legend_in)
    distances = [v - levels for v in (lower, upper, *(c for of in drawn.values() for c in of.values()))]
    half = 1.15 * max(0.01, float(np.abs(distances).max()))
    for j, name in enumerate(names):
        left = first_in + j * (panel_in + BETWEEN_IN)
        above = place(figure, left, BOTTOM_IN + LOWER_IN + ROWS_IN, panel_in, panel_in)
        below = place(figure, left, BOTTOM_IN, panel_in, LOWER_IN)
        measured = [of.get(name) for of in drawn.values()]
        _draw_coverage(above, levels, measured, lower, upper, np.zeros_like(levels))
        _draw_coverage(below, levels, measured, lower, upper, levels)
        above.plot([0, 1], [0, 1], color=BLACK, linewidth=0.5)
        below.axhline(0.0, color=BLACK, linewidth=0.5)
        above.set(ylim=(0, 1), yticks=[0.0, 0.25, 0.5, 0.75, 1.0], title=QUANTITIES[name])
        above.set_yticklabels(["0", "", "0.5", "", "1"])
        above.tick_params(axis="x", labelbottom=False)
        above.title.set_fontsize(8.0)
        below.set(ylim=(-half, half), xlabel="level")
        below.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        for ax, label in ((above, "coverage"), (below, "coverage $-$ level")):
            ax.tick_params(axis="y", labelleft=j == 0)
            if j == 0:
                ax.set_ylabel(label)
                ax.yaxis.set_label_coords(-0.42 / panel_in, 0.5)
    legend_above(figure, handles, texts, columns)
    return figure


def _fractions(name: str, values: object, shape: tuple[int | None, ...]) -> np.ndarray:
    array = shaped(name, values, shape)
    if np.any((array < -ROUNDING) | (array > 1.0 + ROUNDING)):
        raise InputError(f"figure: {name} must be fractions within 0 .. 1; divide per cents by 100")
    return array


def _checked(curves: Mapping[str, Mapping[str, np.ndarray]], levels: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    not_empty("curves", curves)
    for method, of in curves.items():
        not_empty(f"curves of '{method}'", of)
        for name in of:
            if name not in QUANTITIES:
                raise InputError(f"figure: '{method}' has a curve of '{name}'; the quantities are {', '.join(QUANTITIES)}")
    return {
        m: {q: _fractions(f"coverage of '{q}' by '{m}'", v, levels.shape) for q, v in of.items()} for m, of in curves.items()
    }


def _outside(curve: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    # Limits and curves are both counts over n, each rounded once.
    return (curve < lower - ROUNDING) | (curve > upper + ROUNDING)


def _line(k: int) -> dict:
    return {"color": CYCLE[k % len(CYCLE)], "linestyle": DASHES[k % len(DASHES)], "linewidth": 0.9}


def _draw_coverage(
    ax: Axes, levels: np.ndarray, measured: list[np.ndarray | None], lower: np.ndarray, upper: np.ndarray, base: np.ndarray
) -> None:
    ax.fill_between(levels, lower - base, upper - base, color=GREY, alpha=0.45, linewidth=0)
    nearest = [int(np.argmin(np.abs(levels - level))) for level in MARKED]
    for k, curve in enumerate(measured):
        if curve is None:
            continue
        colour, height = CYCLE[k % len(CYCLE)], curve - base
        ax.plot(levels, height, zorder=3 + 0.1 * k, **_line(k))
        outside = _outside(curve, lower, upper)
        if np.any(outside):
            ax.plot(levels, np.where(outside, height, np.nan), color=colour, zorder=3 + 0.1 * k, gid="outside", **OUTSIDE)
        marks = {"marker": MARKERS[k % len(MARKERS)], "markersize": 3.6, "markeredgecolor": "white", "markeredgewidth": 0.5}
        ax.plot(levels[nearest], height[nearest], color=colour, linestyle="", zorder=4 + 0.1 * k, **marks)
    ax.set_xlim(0, 1)
    ax.set_xticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0", "", "0.5", "", "1"])


@styled
def pulls_figure(
    sin2_theta23: np.ndarray,
    best_upper: np.ndarray,
    dm31_pull: np.ndarray,
    truth: tuple[float, float],
    sd_dm31: float | None = None,
) -> Figure:
    """Draw the best fits of pseudo-experiments: sin^2(theta_23) by octant, and the pulls of dm^2_31 with a unit Gaussian.

    ``sin2_theta23`` ``(n, 2)``: the optimum in the lower and in the upper octant.  ``best_upper`` ``(n,)`` bool: whether the
    upper one is the best fit.  ``dm31_pull`` ``(n,)``: (fit - truth) / standard deviation; those beyond 4 are counted, not
    drawn.  ``truth``: (sin^2(theta_23), dm^2_31 in eV^2).  ``sd_dm31``: the standard deviation of the pulls' unit in eV^2, for
    the scale above them.  Raises InputError for shapes that do not fit and a standard deviation that is not positive.
    """
    both = shaped("sin2_theta23", sin2_theta23, (None, 2))
    chosen = shaped("best_upper", best_upper, (len(both),))
    if not np.all((chosen == 0) | (chosen == 1)):
        raise InputError("figure: best_upper must hold True and False only; compare the likelihoods of the two octants")
    pulls = shaped("dm31_pull", dm31_pull, (len(both),))
    true = shaped("truth", truth, (2,))
    if sd_dm31 is not None and not (np.isfinite(sd_dm31) and sd_dm31 > 0):
        raise InputError(f"figure: sd_dm31 is {sd_dm31}; give a positive standard deviation in eV^2, or None")
    is_upper = chosen == 1
    figure = new_figure(DOUBLE_IN, 2.8 if sd_dm31 is None else 3.1)
    _draw_octants(place(figure, 0.55, 0.42, 2.85, 2.1), both[~is_upper, 0], both[is_upper, 1], true[0])
    _draw_pulls(place(figure, 4.0, 0.42, 2.85, 2.1), pulls, true[1], sd_dm31)
    share = [f"{100 * s:.0f} %" for s in (np.mean(~is_upper), np.mean(is_upper))]
    handles = [_box(BLUE), _box(ORANGE), Line2D([], [], color=BLACK, linestyle=DASHES[1]), Line2D([], [], color=GREY)]
    handles += [_box(GREY), Line2D([], [], color=BLACK)]
    texts = [f"lower octant, {share[0]}", f"upper octant, {share[1]}", "truth", "maximal mixing", "pulls", "unit Gaussian"]
    legend_above(figure, handles, texts, len(texts))
    return figure


def _box(tint: str) -> Patch:
    return Patch(facecolor=(tint, 0.35), edgecolor=tint, linewidth=0.9)


def _draw_octants(ax: Axes, in_lower: np.ndarray, in_upper: np.ndarray, true: float) -> None:
    # An optimum on maximal mixing counts in its own octant's bin.
    in_lower = np.minimum(in_lower, np.nextafter(0.5, 0.0))
    everything = np.concatenate([in_lower, in_upper])
    # An edge at one half keeps the octants apart; Rice's rule for the two together.
    width = max(LEAST_BIN, np.ptp(everything) / (2.0 * len(everything) ** (1 / 3)))
    first, last = np.floor((everything.min() - 0.5) / width), np.floor((everything.max() - 0.5) / width) + 1
    edges = 0.5 + width * np.arange(first, last + 1)
    below, above = (np.histogram(values, edges)[0] for values in (in_lower, in_upper))
    # The lower octant's outline lies on that of the stack on it, which would take its colour away.
    for count, base, tint, zorder in ((below, 0 * below, BLUE, 1.1), (above, below, ORANGE, 1.0)):
        look = {"facecolor": (tint, 0.35), "edgecolor": tint, "linewidth": 0.9, "zorder": zorder}
        ax.stairs(base + count, edges, baseline=base, fill=True, **look)
    ax.axvline(0.5, color=GREY, linewidth=0.8)
    ax.axvline(true, color=BLACK, linewidth=1.0, linestyle=DASHES[1])
    ends = min(edges[0], true, 0.5), max(edges[-1], true, 0.5)
    ax.set_xlim(ends[0] - width, ends[1] + width)
    ax.set_ylim(0.0, 1.15 * (below + above).max())
    ax.set_xlabel(r"best fit of $\sin^2\theta_{23}$")
    ax.set_ylabel("pseudo-experiments")
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))


def _draw_pulls(ax: Axes, pulls: np.ndarray, true_dm31_ev2: float, sd_dm31: float | None) -> None:
    edges, fine = np.linspace(-PULL_END, PULL_END, PULL_BINS + 1), np.linspace(-PULL_END, PULL_END, 201)
    height = np.histogram(pulls, edges)[0] / (len(pulls) * np.diff(edges))
    gaussian = np.exp(-0.5 * fine**2) / np.sqrt(2.0 * np.pi)
    ax.stairs(height, edges, fill=True, facecolor=(GREY, 0.35), edgecolor=GREY, linewidth=0.9)
    ax.plot(fine, gaussian, color=BLACK, linewidth=0.9)
    outside = int(np.sum(np.abs(pulls) > PULL_END))
    sd = pulls.std(ddof=1) if len(pulls) > 1 else np.nan
    notes = [f"n = {len(pulls)}", rf"mean {pulls.mean():.2f} $\pm$ {sd / np.sqrt(len(pulls)):.2f}", f"s.d. {sd:.2f}"]
    notes += [f"{outside} outside"] if outside else []
    ax.text(0.03, 0.96, "\n".join(notes), transform=ax.transAxes, va="top", fontsize=7.0)
    ax.set_xlim(-PULL_END, PULL_END)
    ax.set_xticks(np.arange(1.0 - PULL_END, PULL_END))
    ax.set_ylim(0.0, 1.3 * max(height.max(), gaussian.max()))
    ax.set_xlabel(r"pull of $\Delta m^2_{31}$")
    ax.set_ylabel("density")
    if sd_dm31 is not None:
        ax.tick_params(axis="x", top=False)
        to_axis = (lambda pull: 1e3 * (true_dm31_ev2 + pull * sd_dm31), lambda dm31: (dm31 / 1e3 - true_dm31_ev2) / sd_dm31)
        scale = ax.secondary_xaxis("top", functions=to_axis)
        scale.set_xlabel(r"$\Delta m^2_{31}$ [$10^{-3}$ eV$^2$]", labelpad=3.0)
        scale.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))

"""Cross section against muon momentum in slices of cos(theta): data, predictive bands, best fit."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nuinfer.errors import InputError
from nuinfer.figures.arrays import shaped
from nuinfer.figures.style import (
    BLACK,
    DASHES,
    DOUBLE_IN,
    GREEN,
    GREY,
    ORANGE,
    ROLE_COLOURS,
    SKY,
    VERMILLION,
    colour,
    dashes,
    display_name,
    new_figure,
    styled,
)
from nuinfer.physics.binning import Binning

COLUMNS = 3
PART_COLOURS = (VERMILLION, GREEN, ORANGE, SKY)
ROW_IN, LEFT_IN, BOTTOM_IN, TOP_IN, GAP_X_IN, GAP_Y_IN = 1.72, 0.55, 0.42, 0.32, 0.34, 0.26
LEGEND_COLUMNS, LEGEND_LINE_IN = 6, 0.15
OVERFLOW_SHARE = 0.12
"""Share of the axis on which a last bin that ends beyond the cut is still drawn."""


@styled
def prediction_slices(
    binning: Binning,
    data: np.ndarray,
    error: np.ndarray,
    bands: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    best_fit: np.ndarray | None = None,
    components: Mapping[str, np.ndarray] | None = None,
    x_max_gev: float = 5.0,
    data_label: str = "data",
    stand_in: bool = False,
) -> Figure:
    """Draw one panel per slice of cos(theta), three in a row, all in 1e-38 cm^2 / nucleon / GeV.

    ``data``, ``error``: ``(n_bin,)``.  ``bands``: name -> lower end, middle and upper end ``(n_bin,)`` of a prediction.
    ``best_fit``: ``(n_bin,)``.  ``components``: name -> parts of the prediction, ``(n_bin,)`` each.  A last bin
    that ends beyond ``x_max_gev`` is cut short and says where it ends.  ``stand_in``: every panel says that the points
    are no measurement.  Raises InputError for arrays that do not fit the binning.
    """
    n = binning.n_bin
    data, error = shaped("data", data, (n,)), shaped("error", error, (n,))
    bands = {name: tuple(shaped(f"band '{name}'", b, (n,)) for b in band) for name, band in bands.items()}
    lines = {name: shaped(f"component '{name}'", c, (n,)) for name, c in (components or {}).items()}
    best_fit = None if best_fit is None else shaped("best_fit", best_fit, (n,))
    if np.any(error < 0) or any(len(b) != 3 for b in bands.values()):
        raise InputError("figure: errors must not be negative, and a band is (lower, middle, upper); mend the input")

    slices = binning.slices()
    rows = -(-len(slices) // COLUMNS)
    n_entries = len(bands) + len(lines) + (best_fit is not None) + 1
    top_in = TOP_IN + LEGEND_LINE_IN * ((n_entries - 1) // LEGEND_COLUMNS)
    width, height = DOUBLE_IN, top_in + BOTTOM_IN + rows * ROW_IN - GAP_Y_IN
    figure = new_figure(width, height)
    panel_w = (width - LEFT_IN - 0.1 - (COLUMNS - 1) * GAP_X_IN) / COLUMNS
    for k, ((cos_lo, cos_hi), run) in enumerate(slices):
        row, column = divmod(k, COLUMNS)
        left, bottom = LEFT_IN + column * (panel_w + GAP_X_IN), BOTTOM_IN + (rows - 1 - row) * ROW_IN
        ax = figure.add_axes((left / width, bottom / height, panel_w / width, (ROW_IN - GAP_Y_IN) / height))
        edges = _shown_edges(binning, run, x_max_gev)
        _draw(ax, edges, run, data, error, bands, best_fit, lines, display_name(data_label))
        _annotate(ax, cos_lo, cos_hi, float(binning.p_hi_gev[run[-1]]), edges, stand_in)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="upper center", ncols=LEGEND_COLUMNS, borderaxespad=0.2, bbox_to_anchor=(0.5, 1.0)
    )
    figure.text(0.5, 0.05 / height, r"muon momentum $p_\mu$ [GeV]", ha="center", va="bottom")
    unit = r"[$10^{-38}$ cm$^2$ / nucleon / GeV]"
    name = r"$\mathrm{d}^2\sigma / \mathrm{d}p_\mu\,\mathrm{d}\cos\theta_\mu$"
    figure.text(0.05 / width, 0.5, f"{name}  {unit}", rotation=90, ha="left", va="center")
    return figure


def _shown_edges(binning: Binning, run: np.ndarray, x_max_gev: float) -> np.ndarray:
    """Return a slice's momentum edges, the last bin cut short where it ends beyond ``x_max_gev``."""
    edges = np.append(binning.p_lo_gev[run], binning.p_hi_gev[run[-1]])
    if edges[-1] <= x_max_gev * (1 + 1e-9):
        return edges
    cut = edges[0] + (edges[-2] - edges[0]) / (1 - OVERFLOW_SHARE) if len(edges) > 2 else x_max_gev
    if edges[-2] > x_max_gev * (1 + 1e-9) or cut <= edges[-2]:
        raise InputError(f"figure: x_max_gev {x_max_gev:g} hides the bin that starts at {edges[-2]:g} GeV; raise it")
    edges[-1] = cut
    return edges


def _draw(ax, edges, run, data, error, bands, best_fit, lines, data_label) -> None:
    for k, (name, (lo, middle, hi)) in enumerate(bands.items()):
        tint = colour(name, k)
        ax.stairs(
            hi[run], edges, baseline=lo[run], fill=True, color=tint, alpha=0.28, linewidth=0, label=_band_label(name)
        )
        ax.stairs(middle[run], edges, baseline=None, color=tint, linewidth=0.9, linestyle=dashes(name, k))
    for k, (name, part) in enumerate(lines.items()):
        tint = PART_COLOURS[k % len(PART_COLOURS)]
        ax.stairs(part[run], edges, baseline=None, color=tint, linewidth=0.8, linestyle=DASHES[1 + k % 5], label=name)
    if best_fit is not None:
        style = {"color": ROLE_COLOURS["fit"], "linewidth": 1.1, "linestyle": dashes("fit", 0)}
        ax.stairs(best_fit[run], edges, baseline=None, label="best fit", **style)
    ax.errorbar(
        0.5 * (edges[1:] + edges[:-1]),
        data[run],
        xerr=0.5 * np.diff(edges),
        yerr=error[run],
        fmt="o",
        color=BLACK,
        markersize=2.2,
        elinewidth=0.7,
        label=data_label,
    )
    drawn = [data[run] + error[run], *(b[2][run] for b in bands.values()), *(p[run] for p in lines.values())]
    top = max(float(np.max(d)) for d in [*drawn, best_fit[run] if best_fit is not None else data[run]])
    bottom = min(0.0, float(np.min(data[run] - error[run])))
    ax.set_ylim(bottom, bottom + 1.32 * max(top - bottom, 1e-12))
    ax.set_xlim(edges[0], edges[-1])
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))


def _band_label(name: str) -> str:
    return f"{display_name(name)}, predictive 68 %" if name in ROLE_COLOURS else name


def _annotate(ax, cos_lo: float, cos_hi: float, last_gev: float, edges: np.ndarray, stand_in: bool) -> None:
    text = rf"${cos_lo:g} < \cos\theta_\mu < {cos_hi:g}$"
    ax.text(0.96, 0.95, text, transform=ax.transAxes, ha="right", va="top", fontsize=7)
    if stand_in:
        ax.text(
            0.96,
            0.84,
            "stand-in, NOT data",
            transform=ax.transAxes,
            ha="right",
            va="top",
            fontsize=7,
            color=VERMILLION,
            weight="bold",
        )
    if last_gev > edges[-1]:
        ax.axvline(edges[-2], ymax=0.5, color=GREY, linewidth=0.5, linestyle=(0, (2, 2)), zorder=0)
        where = (0.5 * (edges[-2] + edges[-1]), 0.16)
        text = f"to {last_gev:g} GeV"
        ax.text(*where, text, transform=ax.get_xaxis_transform(), ha="center", va="bottom", rotation=90, fontsize=6.5)

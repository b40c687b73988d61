"""One-dimensional distributions at both detectors: truth and model, with their ratio below."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from nuinfer.errors import InputError
from nuinfer.figures.arrays import not_empty, shaped
from nuinfer.figures.closure_axes import increasing, legend_above, place, plain_log, wrapped
from nuinfer.figures.style import BLACK, BLUE, DOUBLE_IN, GREY, VERMILLION, new_figure, styled

COLUMNS, MAX_POINTS = 3, 24
TINTS = {"near": BLUE, "far": VERMILLION}
NEEDED = ("label", "edges", "true_near", "model_near", "true_far", "model_far")
OPTIONAL = ("log", "band_near", "band_far")
UPPER_IN, RATIO_IN, BETWEEN_IN, BOTTOM_IN, TOP_IN = 1.3, 0.55, 0.05, 0.42, 0.34
LEFT_IN, GAP_X_IN, GAP_Y_IN = 0.56, 0.5, 0.14
SMALL = 1e-3
"""Bins below this share of the highest do not set the scale of the ratios."""


@styled
def marginals(panels: Sequence[Mapping[str, object]]) -> Figure:
    """Draw one distribution per panel, three in a row, and model over truth below each (figure 3 of
    arXiv:2412.16303).

    Every panel holds ``label`` (with its unit), ``edges`` ``(n + 1,)`` and the densities ``true_near``, ``model_near``,
    ``true_far``, ``model_far`` ``(n,)``, per unit of the label.  Optional: ``log`` (logarithmic axis), ``band_near``
    and ``band_far``, each (lower, upper) ``(n,)`` of the model.  Truth is steps; the model is points, at most 24 of them
    so that the steps stay visible, and a line through all bins in the ratio.  Raises InputError for missing, unknown
    or misfitting entries.
    """
    not_empty("panels", panels)
    checked = [_checked(panel) for panel in panels]
    rows, columns = -(-len(checked) // COLUMNS), min(len(checked), COLUMNS)
    pitch = UPPER_IN + BETWEEN_IN + RATIO_IN + BOTTOM_IN + GAP_Y_IN
    panel_w = (DOUBLE_IN - LEFT_IN - 0.1 - (columns - 1) * GAP_X_IN) / columns
    figure = new_figure(DOUBLE_IN, rows * pitch - GAP_Y_IN + TOP_IN + 0.06)
    for k, panel in enumerate(checked):
        row, column = divmod(k, columns)
        left, bottom = LEFT_IN + column * (panel_w + GAP_X_IN), 0.06 + BOTTOM_IN + (rows - 1 - row) * pitch
        lower = place(figure, left, bottom, panel_w, RATIO_IN)
        upper = place(figure, left, bottom + RATIO_IN + BETWEEN_IN, panel_w, UPPER_IN)
        _draw(upper, lower, panel)
        lower.set_xlabel(wrapped(panel["label"], int(panel_w / 0.07)), labelpad=2.0)
        for ax, text in ((upper, "density [1/axis unit]"), (lower, "model/true")):
            ax.yaxis.set_label_coords(-0.40 / panel_w, 0.5)
            if column == 0:
                ax.set_ylabel(text)
    _legend(figure, any(f"band_{name}" in p for p in checked for name in TINTS))
    return figure


def _checked(panel: Mapping[str, object]) -> dict:
    label = str(panel.get("label", "?"))
    missing, unknown = [k for k in NEEDED if k not in panel], [k for k in panel if k not in NEEDED + OPTIONAL]
    if missing or unknown:
        wrong = f"lacks {', '.join(missing)}" if missing else f"has the unknown {', '.join(unknown)}"
        raise InputError(f"figure: panel '{label}' {wrong}; it takes {', '.join(NEEDED + OPTIONAL)}")
    log = bool(panel.get("log", False))
    edges = increasing(f"edges of '{label}'", panel["edges"], positive=log)
    n = len(edges) - 1
    checked = {"label": label, "log": log, "edges": edges}
    for key in NEEDED[2:]:
        checked[key] = shaped(f"{key} of '{label}'", panel[key], (n,))
    for key in ("band_near", "band_far"):
        if panel.get(key) is not None:
            checked[key] = shaped(f"{key} of '{label}'", panel[key], (2, n))
    return checked


def _draw(upper: Axes, lower: Axes, panel: dict) -> None:
    edges = panel["edges"]
    middles = np.sqrt(edges[1:] * edges[:-1]) if panel["log"] else 0.5 * (edges[1:] + edges[:-1])
    points = slice(None, None, -(-len(middles) // MAX_POINTS))
    half = 0.0
    lower.axhline(1.0, color=BLACK, linewidth=0.5)
    for name, tint in TINTS.items():
        true, model, band = panel[f"true_{name}"], panel[f"model_{name}"], panel.get(f"band_{name}")
        safe = np.where(true > 0, true, np.nan)
        if band is not None:
            for ax, (lo, hi) in ((upper, band), (lower, band / safe)):
                ax.stairs(hi, edges, baseline=lo, fill=True, color=tint, alpha=0.25, linewidth=0)
        upper.stairs(true, edges, baseline=None, color=tint, linewidth=0.9)
        upper.plot(middles[points], model[points], "o", color=tint, markersize=2.2, markeredgewidth=0)
        lower.stairs(model / safe, edges, baseline=None, color=tint, linewidth=0.8)
        held = true > SMALL * true.max()
        drawn = [model[held], *(band[:, held] if band is not None else ())]
        half = max([half, *(float(np.quantile(np.abs(d / true[held] - 1), 0.98)) for d in drawn if d.size)])
    half = float(np.clip(1.25 * half, 1e-3, 1.0))
    for ax in (upper, lower):
        ax.set_xscale("log" if panel["log"] else "linear")
        ax.set_xlim(edges[0], edges[-1])
        if panel["log"]:
            plain_log(ax.xaxis)
        else:
            ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    upper.tick_params(axis="x", labelbottom=False, which="both")
    bottom = min(0.0, *(float(panel[f"{kind}_{name}"].min()) for kind in ("true", "model") for name in TINTS))
    upper.set_ylim(bottom, 1.08 * upper.dataLim.y1 if upper.dataLim.y1 > 0 else 1.0)
    upper.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10], prune="lower"))
    lower.set_ylim(1.0 - half, 1.0 + half)
    lower.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))


def _legend(figure: Figure, bands: bool) -> None:
    entries = [Line2D([], [], color=tint, label=f"{name} detector") for name, tint in TINTS.items()]
    entries += [
        Line2D([], [], color=GREY, linewidth=0.9, label="true"),
        Line2D([], [], color=GREY, marker="o", markersize=2.2, linestyle="", label="model"),
    ]
    if bands:
        entries.append(Patch(color=GREY, alpha=0.4, linewidth=0, label="model's band"))
    legend_above(figure, entries, [e.get_label() for e in entries], len(entries))

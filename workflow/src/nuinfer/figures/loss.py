"""Loss curves of one or several trainings, against epochs and against the processor time they took."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from nuinfer.errors import InputError
from nuinfer.figures.arrays import not_empty, shaped
from nuinfer.figures.style import DOUBLE_IN, GREY, colour, display_name, new_figure, styled

LOG_ABOVE = 8.0
"""Trainings whose lengths differ by more than this factor share a logarithmic axis."""


@styled
def loss_curves(curves: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Draw ``curves``: label -> ``epoch``, ``train``, ``validation``, ``cpu_s`` (since the start), each ``(n_epoch,)``.

    Losses are mean negative log posterior densities, nats per throw.  Raises InputError for a missing or misfitting
    array.
    """
    not_empty("curves", curves)
    checked = {label: _checked(label, curve) for label, curve in curves.items()}
    figure = new_figure(DOUBLE_IN, 2.6)
    for k, (key, text) in enumerate((("epoch", "epoch"), ("cpu_s", "CPU time [s]"))):
        ax = figure.add_axes((0.115 + 0.46 * k, 0.165, 0.41, 0.72))
        for i, (label, curve) in enumerate(checked.items()):
            tint = colour(label, i)
            ax.plot(curve[key], curve["train"], color=tint, linewidth=0.8, linestyle=(0, (2, 1)))
            ax.plot(curve[key], curve["validation"], color=tint)
            best = int(np.argmin(curve["validation"]))
            ax.plot(curve[key][best], curve["validation"][best], "o", color=tint, markersize=3.5)
        ends = [float(c[key][-1]) for c in checked.values()]
        if max(ends) > LOG_ABOVE * min(ends) > 0:
            ax.set_xscale("log")
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            ax.xaxis.set_minor_formatter(NullFormatter())
        elif key == "epoch":
            ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
        ax.set_ylim(*_loss_limits(checked))
        ax.set_xlabel(text)
        if k == 0:
            ax.set_ylabel("loss [nats per throw]")
        else:
            ax.tick_params(axis="y", labelleft=False)
    entries = [Line2D([], [], color=colour(n, i), label=display_name(n)) for i, n in enumerate(checked)]
    entries += [
        Line2D([], [], color=GREY, label="validation"),
        Line2D([], [], color=GREY, linewidth=0.8, linestyle=(0, (2, 1)), label="training"),
        Line2D([], [], color=GREY, marker="o", markersize=3.5, linestyle="", label="best epoch"),
    ]
    figure.legend(handles=entries, loc="upper center", ncols=6, borderaxespad=0.3)
    return figure


def _checked(label: str, curve: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    missing = [k for k in ("epoch", "train", "validation", "cpu_s") if k not in curve]
    if missing:
        raise InputError(f"figure: loss curve '{label}' lacks {', '.join(missing)}")
    n = (len(np.atleast_1d(curve["epoch"])),)
    return {k: shaped(f"{k} of loss curve '{label}'", curve[k], n) for k in ("epoch", "train", "validation", "cpu_s")}


def _loss_limits(curves: Mapping[str, Mapping[str, np.ndarray]]) -> tuple[float, float]:
    """Return limits that show how trainings end: the first, steep epochs may leave the panel."""
    lowest = min(float(min(c["train"].min(), c["validation"].min())) for c in curves.values())
    highest = max(float(np.quantile(c["validation"], 0.95)) for c in curves.values())
    span = max(highest - lowest, 1e-6)
    return lowest - 0.06 * span, highest + 0.1 * span

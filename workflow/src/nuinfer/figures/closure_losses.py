"""Loss against training step, for one or several trainings of the cross section."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nuinfer.errors import InputError
from nuinfer.figures.arrays import not_empty, shaped
from nuinfer.figures.closure_axes import LEGEND_LINE_IN, legend_above, legend_shape, place
from nuinfer.figures.style import GREY, SINGLE_IN, colour, display_name, new_figure, styled

TEST_DASHES = (0, (3, 1))
LOSS_LABEL = r"mean squared deviation (test: GeV$^{-2}$)"
LEFT_IN, BOTTOM_IN, PANEL_IN = 0.62, 0.42, 2.1


@styled
def training_losses(curves: Mapping[str, Mapping[str, np.ndarray]], loss_label: str = LOSS_LABEL) -> Figure:
    """Draw ``curves`` on two logarithmic axes (figure 17 of arXiv:2412.16303).

    Each label has ``step`` and ``train_loss`` ``(n,)``, and maybe ``test_step`` and ``test_loss`` ``(m,)`` and the
    ``best_step`` that is kept, marked on the training curve (by default its lowest point).  Training losses are drawn
    faintly, their lowest so far on top.  Steps count from one; nan or
    masked losses are gaps.  Raises InputError for a missing or misfitting array and for values that a logarithmic axis
    cannot show.
    """
    not_empty("curves", curves)
    checked = {label: _checked(label, curve) for label, curve in curves.items()}
    handles = [Line2D([], [], color=colour(name, k)) for k, name in enumerate(checked)]
    names = [display_name(name) for name in checked]
    kinds = {"training": {"linewidth": 0.8}}
    if any("test_loss" in c for c in checked.values()):
        kinds["test"] = {"linestyle": TEST_DASHES}
    kinds["best step"] = {"marker": "o", "markersize": 3.5, "linestyle": ""}
    styles = [Line2D([], [], color=GREY, **style) for style in kinds.values()]
    texts, columns, legend_in = legend_shape(names, SINGLE_IN - 0.1)
    figure = new_figure(SINGLE_IN, BOTTOM_IN + PANEL_IN + legend_in + LEGEND_LINE_IN)
    ax = place(figure, LEFT_IN, BOTTOM_IN, SINGLE_IN - LEFT_IN - 0.14, PANEL_IN)
    for k, (name, curve) in enumerate(checked.items()):
        tint, step, loss = colour(name, k), curve["step"], curve["train_loss"]
        ax.plot(step, loss, "." if len(step) == 1 else "-", color=tint, linewidth=0.5, alpha=0.35)
        ax.plot(step, np.fmin.accumulate(loss), color=tint, linewidth=1.0)
        if "test_loss" in curve:
            marker = "." if len(curve["test_step"]) == 1 else ""
            ax.plot(curve["test_step"], curve["test_loss"], color=tint, linestyle=TEST_DASHES, marker=marker)
        best = int(np.searchsorted(step, curve["best_step"])) if "best_step" in curve else int(np.nanargmin(loss))
        ax.plot(step[best], loss[best], "o", color=tint, markersize=3.5, zorder=4)
    ax.set(xscale="log", yscale="log", xlabel="training step", ylabel=loss_label)
    legend_above(figure, handles, texts, columns)
    legend_above(figure, styles, list(kinds), len(kinds), below_top_in=legend_in - 0.08)
    return figure


def _checked(label: str, curve: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    missing = [k for k in ("step", "train_loss") if k not in curve]
    if missing:
        raise InputError(f"figure: training '{label}' lacks {', '.join(missing)}")
    checked = {}
    for steps, losses in (("step", "train_loss"), ("test_step", "test_loss")):
        if curve.get(losses) is None:
            continue
        if steps not in curve:
            raise InputError(f"figure: training '{label}' has {losses} without {steps}")
        n = (len(np.atleast_1d(curve[steps])),)
        checked[steps] = shaped(f"{steps} of training '{label}'", curve[steps], n)
        values = np.ma.filled(np.ma.asarray(curve[losses], dtype=float), np.nan)
        checked[losses] = shaped(f"{losses} of training '{label}'", values, n, finite=False)
        if not np.any(np.isfinite(values)) or np.any(values <= 0) or np.any(np.isinf(values)):
            raise InputError(f"figure: {losses} of training '{label}' must be positive and finite, or nan for a gap")
        if np.any(checked[steps] <= 0):
            raise InputError(f"figure: {steps} of training '{label}' must be positive; count steps from one")
    if "best_step" in curve:
        checked["best_step"] = float(np.asarray(curve["best_step"]))
        if checked["best_step"] not in checked["step"]:
            raise InputError(f"figure: best_step {checked['best_step']:g} of training '{label}' is none of its steps")
    return checked

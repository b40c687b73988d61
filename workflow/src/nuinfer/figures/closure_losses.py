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
LEFT_IN, BOTTOM_IN, PANEL_IN = 0.62, 0.42, 2.1


@styled
def training_losses(
    curves: Mapping[str, Mapping[str, np.ndarray]], loss_label: str = "loss (mean squared density error)"
) -> Figure:
    """Draw ``curves`` on two logarithmic axes: label -> ``step``, ``train_loss`` and maybe ``test_loss``, ``(n,)`` each
    (figure 17 of arXiv:2412.16303).

    Steps count from one; losses are mean squared differences of densities, without unit.  The smallest test loss, or
    training loss where there is no test, is marked: the step that is kept.  nan or masked losses are gaps.  Raises
    InputError for a missing or misfitting array and for values that a logarithmic axis cannot show.
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
        tint, judged = colour(name, k), curve.get("test_loss", curve["train_loss"])
        one = len(judged) == 1
        ax.plot(curve["step"], curve["train_loss"], "." if one else "-", color=tint, linewidth=0.8, alpha=0.8)
        if "test_loss" in curve:
            ax.plot(curve["step"], curve["test_loss"], color=tint, linestyle=TEST_DASHES, marker="." if one else "")
        best = int(np.nanargmin(judged))
        ax.plot(curve["step"][best], judged[best], "o", color=tint, markersize=3.5, zorder=4)
    ax.set(xscale="log", yscale="log", xlabel="training step", ylabel=loss_label)
    legend_above(figure, handles, texts, columns)
    legend_above(figure, styles, list(kinds), len(kinds), below_top_in=legend_in - 0.08)
    return figure


def _checked(label: str, curve: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    missing = [k for k in ("step", "train_loss") if k not in curve]
    if missing:
        raise InputError(f"figure: training '{label}' lacks {', '.join(missing)}")
    n = (len(np.atleast_1d(curve["step"])),)
    checked = {"step": shaped(f"step of training '{label}'", curve["step"], n)}
    for key in ("train_loss", "test_loss"):
        if curve.get(key) is not None:
            values = np.ma.filled(np.ma.asarray(curve[key], dtype=float), np.nan)
            checked[key] = shaped(f"{key} of training '{label}'", values, n, finite=False)
            if not np.any(np.isfinite(values)) or np.any(values <= 0) or np.any(np.isinf(values)):
                raise InputError(f"figure: {key} of training '{label}' must be positive and finite, or nan for a gap")
    if np.any(checked["step"] <= 0):
        raise InputError(f"figure: step of training '{label}' must be positive; count steps from one")
    return checked

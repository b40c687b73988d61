"""Whether data lie where the simulation can put them: a statistic in the data and in simulation."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from nuinfer.figures.arrays import not_empty, shaped
from nuinfer.figures.style import BLUE, DOUBLE_IN, SINGLE_IN, VERMILLION, new_figure, styled


@styled
def misspecification(
    nulls: Mapping[str, tuple[np.ndarray, float, float]], statistic: str = r"$\chi^2$ at the best fit"
) -> Figure:
    """Draw per likelihood the statistic's distribution in simulation and the observed value.

    ``nulls``: label -> statistics of simulated observations ``(n_toy,)``, the observed one, and its p-value, which is
    written as a bound where no simulated observation lies beyond.  Raises InputError for an empty null.
    """
    not_empty("nulls", nulls)
    n = len(nulls)
    width = SINGLE_IN if n == 1 else DOUBLE_IN
    figure = new_figure(width, 2.3)
    left, gap = 0.5, 0.28
    panel = (width - left - 0.1 - (n - 1) * gap) / n
    for k, (label, (null, observed, p_value)) in enumerate(nulls.items()):
        null = shaped(f"null of '{label}'", null, (None,))
        observed = float(shaped(f"observed value of '{label}'", observed, ()))
        ax = figure.add_axes(((left + k * (panel + gap)) / width, 0.19, panel / width, 0.70))
        lo, hi = min(null.min(), observed), max(null.max(), observed)
        pad = 0.08 * (hi - lo) or 1.0
        edges = np.linspace(lo - pad, hi + pad, 41)
        counts = np.histogram(null, edges)[0]
        ax.stairs(counts, edges, fill=True, color=BLUE, alpha=0.18)
        ax.stairs(counts, edges, color=BLUE, linewidth=0.9, label="simulated")
        ax.axvline(observed, color=VERMILLION, linewidth=1.3, label="observed")
        sign = "=" if np.any(null >= observed) else r"$\leq$"
        ax.set_xlim(edges[0], edges[-1])
        ax.set_ylim(0, 1.45 * counts.max())
        ax.text(0.5, 1.03, f"{label}: $p$ {sign} {p_value:.2g}", transform=ax.transAxes, ha="center", va="bottom")
        ax.set_xlabel(statistic)
        if k == 0:
            ax.set_ylabel("simulated observations")
            ax.legend(loc="upper left", borderaxespad=0.3)
    return figure

"""The estimator beside the exact posterior, over many held-out throws."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from nuinfer.errors import InputError
from nuinfer.figures.arrays import not_empty, shaped
from nuinfer.figures.style import BLACK, BLUE, CYCLE, DASHES, DOUBLE_IN, GREY, new_figure, styled

MARKERS = "osD^vP"


@styled
def exact_panels(
    exact_sd: np.ndarray, estimator_sd: np.ndarray, efficiency: np.ndarray, kl_gap: np.ndarray, labels: Sequence[str]
) -> Figure:
    """Draw widths against exact widths, their ratios, importance efficiencies and KL gaps of ``n_obs`` throws.

    ``exact_sd``, ``estimator_sd``: posterior widths ``(n_obs, d)``, units of the prior range.  ``efficiency``
    ``(n_obs,)``: effective over drawn samples, 0 .. 1.  ``kl_gap`` ``(n_obs,)``: log exact minus log estimated density
    at the truth, nats; its mean is the KL gap, one throw's may be negative.  ``labels``: the ``d`` parameters, without
    units.  Raises InputError for shapes that do not fit and widths that are not positive.
    """
    not_empty("labels", labels)
    exact_sd = shaped("exact_sd", exact_sd, (None, len(labels)))
    estimator_sd = shaped("estimator_sd", estimator_sd, exact_sd.shape)
    efficiency = shaped("efficiency", efficiency, exact_sd.shape[:1])
    kl_gap = shaped("kl_gap", kl_gap, exact_sd.shape[:1])
    if np.any(exact_sd <= 0) or np.any(estimator_sd <= 0):
        raise InputError("figure: posterior widths must be positive; drop the throws without a posterior")
    figure = new_figure(DOUBLE_IN, 5.2)
    boxes = [(0.085 + 0.5 * (k % 2), 0.085 + 0.5 * (1 - k // 2), 0.395, 0.395) for k in range(4)]
    axes = [figure.add_axes(box) for box in boxes]
    _widths(axes[0], exact_sd, estimator_sd, labels)
    _ratios(axes[1], estimator_sd / exact_sd, labels)
    _histogram(axes[2], efficiency, np.linspace(0.0, 1.0, 41), "importance-sampling efficiency")
    _line(axes[2], float(np.median(efficiency)), f"median {np.median(efficiency):.2f}", "upper left")
    lo, hi = np.quantile(kl_gap, [0.005, 0.995])
    pad = 0.1 * (hi - lo) or 1.0
    edges = np.linspace(lo - pad, hi + pad, 51)
    _histogram(axes[3], np.clip(kl_gap, edges[0], edges[-1]), edges, "KL gap of one throw [nats]")
    error = np.std(kl_gap) / np.sqrt(len(kl_gap))
    _line(axes[3], float(np.mean(kl_gap)), rf"mean {np.mean(kl_gap):.3f} $\pm$ {error:.3f}", "upper right")
    return figure


def _widths(ax: Axes, exact: np.ndarray, estimator: np.ndarray, labels: Sequence[str]) -> None:
    for j, label in enumerate(labels):
        ax.plot(
            exact[:, j],
            estimator[:, j],
            MARKERS[j % len(MARKERS)],
            color=CYCLE[j % len(CYCLE)],
            markersize=1.6,
            markeredgewidth=0,
            alpha=0.45,
            rasterized=True,
            label=label,
        )
    both = np.concatenate([exact.ravel(), estimator.ravel()])
    limits = both.min() / 1.3, both.max() * 1.3
    ax.plot(limits, limits, color=BLACK, linewidth=0.5)
    ax.set(xscale="log", yscale="log", xlim=limits, ylim=limits)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("exact sd / prior range")
    ax.set_ylabel("estimator sd / prior range")
    legend = ax.legend(loc="upper left", markerscale=2.5, handletextpad=0.2, borderaxespad=0.3)
    for handle in legend.legend_handles:
        handle.set_alpha(1.0)


def _ratios(ax: Axes, ratios: np.ndarray, labels: Sequence[str]) -> None:
    lo, hi = np.quantile(ratios, [0.005, 0.995])
    half = max(1.25 * max(abs(lo - 1.0), abs(hi - 1.0)), 0.05)
    edges = np.linspace(1.0 - half, 1.0 + half, 41)
    for j, label in enumerate(labels):
        style = {"color": CYCLE[j % len(CYCLE)], "linestyle": DASHES[j % len(DASHES)], "linewidth": 1.0}
        counts = np.histogram(np.clip(ratios[:, j], edges[0], edges[-1]), edges)[0]
        ax.stairs(counts, edges, label=f"{label}: {np.median(ratios[:, j]):.3f}", **style)
    ax.axvline(1.0, color=BLACK, linewidth=0.5)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(0, 1.25 * ax.get_ylim()[1])
    ax.set_xlabel("estimator sd / exact sd")
    ax.set_ylabel("throws")
    ax.legend(loc="upper left", title="median", title_fontsize=7, alignment="left", borderaxespad=0.3)


def _histogram(ax: Axes, values: np.ndarray, edges: np.ndarray, label: str) -> None:
    counts = np.histogram(values, edges)[0]
    ax.stairs(counts, edges, fill=True, color=BLUE, alpha=0.18)
    ax.stairs(counts, edges, color=BLUE, linewidth=0.9)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(0, 1.25 * max(counts.max(), 1))
    ax.set_xlabel(label)
    ax.set_ylabel("throws")


def _line(ax: Axes, x: float, text: str, where: str) -> None:
    ax.axvline(x, color=BLACK, linewidth=0.9, linestyle=(0, (4, 1.5)), label=text)
    ax.axvline(0.0, color=GREY, linewidth=0.5)
    ax.legend(loc=where, borderaxespad=0.3, handlelength=1.1, handletextpad=0.4)

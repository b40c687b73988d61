"""What a figure of confidence regions shows: fits, checked and in units of the axes, and the window that holds them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nuinfer.errors import InputError
from nuinfer.figures.arrays import not_empty, shaped
from nuinfer.figures.closure_axes import increasing
from nuinfer.figures.style import colour
from nuinfer.oscillation.regions import n_sigma_of

DM31_UNIT_EV2 = 1e-3
SIGMAS = (1.0, 2.0, 3.0)
MARGIN, ROUNDING = 0.05, 1e-9


@dataclass(frozen=True)
class RegionEntry:
    """One fit: ``confidence`` ``(n_a, n_b)`` is, for every ``x`` ``(n_a,)`` and ``dm31_ev2`` ``(n_b,)``, the smallest
    confidence level whose region holds the point, 0 to 1.

    ``cloud_x`` and ``cloud_dm31_ev2`` ``(n,)``: best fits of the bootstraps, for the marginal histograms, or None.
    ``best``: (x, dm31_ev2) of the data, or None.
    """

    label: str
    x: np.ndarray
    dm31_ev2: np.ndarray
    confidence: np.ndarray
    cloud_x: np.ndarray | None = None
    cloud_dm31_ev2: np.ndarray | None = None
    best: tuple[float, float] | None = None


@dataclass(frozen=True)
class RegionPanel:
    """Fits that share one plane."""

    title: str
    entries: Sequence[RegionEntry]


@dataclass(frozen=True)
class DrawnEntry:
    """A checked entry with its colour; dm^2_31 in units of the axis, ``n_sigma`` ``(n_a, n_b)``."""

    label: str
    tint: str
    axes: tuple[np.ndarray, np.ndarray]
    n_sigma: np.ndarray
    cloud: tuple[np.ndarray, np.ndarray] | None
    best: tuple[float, float] | None


def checked_panels(panels: Sequence[RegionPanel]) -> list[list[DrawnEntry]]:
    """Return the entries of every panel as they are drawn; entries of the same label have the same colour.

    Raises InputError for shapes that do not fit, confidences outside 0 .. 1, and axes that do not increase.
    """
    labels: dict[str, int] = {}
    checked = []
    for panel in panels:
        not_empty(f"entries of panel '{panel.title}'", panel.entries)
        for entry in panel.entries:
            labels.setdefault(entry.label, len(labels))
        checked.append([_entry(entry, labels[entry.label]) for entry in panel.entries])
    return checked


def _entry(entry: RegionEntry, index: int) -> DrawnEntry:
    name = f"'{entry.label}'"
    x, dm31 = increasing(f"x of {name}", entry.x), increasing(f"dm31_ev2 of {name}", entry.dm31_ev2)
    confidence = shaped(f"confidence of {name}", entry.confidence, (len(x), len(dm31)))
    if np.any((confidence < -ROUNDING) | (confidence > 1 + ROUNDING)):
        raise InputError(f"figure: confidence of {name} must be a fraction within 0 .. 1; divide per cents by 100")
    cloud = best = None
    if (entry.cloud_x is None) != (entry.cloud_dm31_ev2 is None):
        raise InputError(f"figure: {name} has a cloud in one parameter only; give cloud_x and cloud_dm31_ev2, or neither")
    if entry.cloud_x is not None:
        cloud_x = shaped(f"cloud_x of {name}", entry.cloud_x, (None,))
        cloud = cloud_x, shaped(f"cloud_dm31_ev2 of {name}", entry.cloud_dm31_ev2, cloud_x.shape) / DM31_UNIT_EV2
    if entry.best is not None:
        best = tuple(shaped(f"best of {name}", entry.best, (2,)) / (1.0, DM31_UNIT_EV2))
    return DrawnEntry(entry.label, colour(entry.label, index), (x, dm31 / DM31_UNIT_EV2), n_sigma_of(confidence), cloud, best)


def given_window(limits: tuple[tuple[float, float], tuple[float, float]]) -> np.ndarray:
    """Return the ranges ``(2, 2)`` of ``limits`` in units of the axes; raise InputError where one does not increase."""
    window = shaped("limits", limits, (2, 2)) / np.array([[1.0], [DM31_UNIT_EV2]])
    if np.any(window[:, 0] >= window[:, 1]):
        raise InputError("figure: limits must be (low, high) of x and of dm31_ev2, each increasing; exchange them")
    return window


def default_window(entries: Sequence[DrawnEntry], star: tuple[float, float] | None, maximal: float | None) -> np.ndarray:
    """Return the ranges ``(2, 2)`` that show every 3-sigma region, best fit and truth, and no white beyond the grids."""
    marks = [point for point in (star, *(e.best for e in entries)) if point is not None]
    window = np.empty((2, 2))
    for i in range(2):
        ends = [end for e in entries for end in e.axes[i][[0, -1]]]
        seen = [end for e in entries for end in _reach(e, i)] or ends
        pad = MARGIN * (max(seen) - min(seen))
        low, high = max(min(seen) - pad, min(ends)), min(max(seen) + pad, max(ends))
        window[i] = (
            min([low, *(m[i] - pad for m in marks if m[i] < low)]),
            max([high, *(m[i] + pad for m in marks if m[i] > high)]),
        )
    if maximal is not None and max(e.axes[0][-1] for e in entries) <= maximal:
        window[0, 1] = maximal
    return window


def _reach(entry: DrawnEntry, i: int) -> np.ndarray:
    """Return the ends of the 3-sigma region along axis ``i``, one grid point outside it as its contour runs between the two."""
    held = np.flatnonzero(np.any(entry.n_sigma <= SIGMAS[-1], axis=1 - i))
    last = len(entry.axes[i]) - 1
    return entry.axes[i][[max(held[0] - 1, 0), min(held[-1] + 1, last)]] if len(held) else held

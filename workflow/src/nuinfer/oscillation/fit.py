"""One fit: the events' likelihood over the plane, its optimum in each octant and its bootstraps, on a range that holds them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nuinfer.errors import InputError
from nuinfer.oscillation.bootstrap import bootstrap
from nuinfer.oscillation.likelihood import FLOOR, FarModel, densities, impossible, log_table
from nuinfer.oscillation.optimum import Optima, octant_optima
from nuinfer.oscillation.plane import FitRange, Plane

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Fit:
    """``surface`` ``(n_sin2, n_dm31)``: the log-likelihood's coefficients on ``plane``, less a constant; ``data`` its optima.

    ``cloud``: optima of the bootstraps.  ``widened``: how often the range grew; ``interpolation_error``: largest deviation
    of the surface from the log-likelihood itself at points of the range; ``impossible``: events that the model excludes.
    """

    plane: Plane
    surface: np.ndarray
    data: Optima
    cloud: Optima
    widened: int
    interpolation_error: float
    impossible: int


def fit_events(
    model: FarModel, fit_range: FitRange, n_bootstrap: int, seed: int, key: tuple[str | int, ...] = (), widen: int = 4
) -> Fit:
    """Fit the events of ``model`` and ``n_bootstrap`` resamples of them, which depend on seed and ``key`` alone.

    Where an octant's optimum lies on the edge of the range, that side moves out and all is fitted again, at most ``widen``
    times.
    Raises InputError for a model of no events.
    """
    if not model.kernel.shape[1]:
        raise InputError("far-detector fit: no events")
    for widened in range(widen + 1):
        plane = Plane.over(fit_range)
        table = log_table(model, plane)
        table -= table.mean(axis=0)
        surface = plane.coefficients(table.sum(axis=1))
        data = octant_optima(surface[None], plane)
        cloud = bootstrap(table, plane, n_bootstrap, seed, *key)
        grown = _grown(fit_range, data, cloud)
        if grown == fit_range or widened == widen:
            break
        fit_range = grown
    excluded = int(impossible(model).sum())
    return Fit(plane, surface, data, cloud, widened, _interpolation_error(model, plane, surface), excluded)


def _grown(fit_range: FitRange, *optima: Optima) -> FitRange:
    """Return the range with every side moved out that cuts an optimum off.

    In either octant: what lies beyond the edge may be higher than the other octant's, and be the best fit.
    """
    sin2, dm31 = (np.concatenate([getattr(o, name)[o.on_edge] for o in optima]) for name in ("sin2_theta23", "dm31_ev2"))
    (low, high), (below, above) = fit_range.sin2_theta23, fit_range.dm31_ev2
    near = 1e-6 * (high - low), 1e-6 * (above - below)
    cut_sin2 = bool(np.any((sin2 < low + near[0]) | (sin2 > high - near[0])))
    cut_low, cut_high = bool(np.any(dm31 < below + near[1])), bool(np.any(dm31 > above - near[1]))
    if not (cut_sin2 or cut_low or cut_high):
        return fit_range
    return fit_range.widened(cut_sin2, cut_low, cut_high)


def _interpolation_error(model: FarModel, plane: Plane, surface: np.ndarray, n: int = 40) -> float:
    """Return the spread of surface minus log-likelihood over a lattice of the range's inside that holds no node."""
    (low, high), (below, above) = plane.range.sin2_theta23, plane.range.dm31_ev2
    golden = (np.arange(n) * 0.6180339887) % 1.0
    sin2, dm31 = low + (high - low) * (np.arange(n) + 0.5) / n, below + (above - below) * golden
    direct = densities(model, sin2, dm31)
    floor = FLOOR * np.median(direct[direct > 0])
    difference = plane.at(surface, sin2, dm31) - np.log(np.maximum(direct, floor)).sum(axis=1)
    return float(np.ptp(difference))

"""The far detector's likelihood model of a cross section: densities at events, contents of bins.

The density at an event is linear in the structure functions: one operator serves every cross section of a sample.  With an
energy resolution s the density at the observed energy E is an integral over the true one (equation 14 of arXiv:2412.16303),

    int dE' S(E | E') P(E', cos theta),  S Gaussian of width s E', cut to the range of energies and normalised within it,

taken in z = (E - E') / (s E'), in which the Gaussian has width one: with 16 points where the published analysis has 1,024.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import erf

from nuinfer.closure.far_events import FarEvents
from nuinfer.closure.learned import Learned
from nuinfer.closure.observables import GridPoints, LeptonGrid
from nuinfer.closure.operator import ForwardOperator, PointOperator
from nuinfer.closure.smearing import smeared, smearing_matrix
from nuinfer.closure.truth import direct_rates
from nuinfer.errors import InputError
from nuinfer.oscillation.likelihood import FarModel, far_model

REACH = 5.0
"""Standard deviations of the resolution that the integral over true energies extends to."""
POINTS = 16


def event_points(
    el_gev: np.ndarray, cos_theta: np.ndarray, grid: LeptonGrid, smearing: float | None, points: int = POINTS
) -> GridPoints:
    """Return the points whose weighted sum, row by row, is d2sigma / dE_l dcos(theta) at each observed event.

    ``smearing`` is the relative resolution of the lepton energy, None for exact energies.  Raises InputError for a
    resolution outside (0, 1).
    """
    el, cos = np.asarray(el_gev, float), np.asarray(cos_theta, float)
    if smearing is None:
        return GridPoints(np.arange(el.size), el, cos, np.ones(el.size))
    if not 0.0 < smearing < 1.0:
        raise InputError(f"smearing: the relative resolution must lie between 0 and 1, not {smearing:g}")
    # Ends of z: the reach, and the true energies' range.
    low = np.maximum(-REACH, (el / grid.el_max_gev - 1.0) / smearing)[:, None]
    high = np.minimum(REACH, (el / grid.el_min_gev - 1.0) / smearing)[:, None]
    z = low + (high - low) * (np.arange(points) + 0.5) / points
    true_el = el[:, None] / (1.0 + smearing * z)
    density = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    weight = density / (1.0 + smearing * z) * (high - low) / points / _inside(true_el, grid, smearing)
    rows = np.repeat(np.arange(el.size), points)
    return GridPoints(rows, true_el.ravel(), np.repeat(cos, points), weight.ravel())


def _inside(true_el: np.ndarray, grid: LeptonGrid, smearing: float) -> np.ndarray:
    """Return the share of a Gaussian around ``true_el`` that lies in the range of energies."""
    scale = np.sqrt(2.0) * smearing * true_el
    return 0.5 * (erf((grid.el_max_gev - true_el) / scale) - erf((grid.el_min_gev - true_el) / scale))


def binned_kernel(bins_by_knot: np.ndarray, grid: LeptonGrid, el_gev: np.ndarray, cos_theta: np.ndarray) -> np.ndarray:
    """Return the kernel ``(n_knots, n)`` of events from contents of bins ``(n_knots, n_bins)``: even within a bin.

    For cross sections that are known in bins alone.  Per unit (u, v): an event's own factor does not matter.
    """
    return bins_by_knot[:, grid.bin_numbers(el_gev, cos_theta)] / grid.bin_area


def bins_model(
    bins_by_knot: np.ndarray,
    grid: LeptonGrid,
    knots_gev: np.ndarray,
    near_flux: np.ndarray,
    antineutrino: bool,
    smearing: float | None,
    oscillation: Mapping[str, Any],
) -> FarModel:
    """Return the model of the contents of ``grid``'s bins, smeared: what pseudo-experiments in bins are drawn from."""
    matrix = None if smearing is None else smearing_matrix(grid, smearing)
    seen = smeared(np.maximum(bins_by_knot, 0.0), matrix, grid.shape)
    return far_model(knots_gev, near_flux, seen, bins_by_knot, oscillation, antineutrino)


def event_model(
    operator: ForwardOperator,
    events: FarEvents,
    at_events: PointOperator,
    learned: Learned,
    near_flux: np.ndarray,
    oscillation: Mapping[str, Any],
) -> tuple[FarModel, FarModel]:
    """Return the models of the events and of the bins of one cross section.

    ``operator`` has bins as rows, ``at_events`` the events (:func:`event_points`).  Raises InputError where they are of
    different energies.
    """
    if not np.array_equal(operator.knots_gev, at_events.knots_gev):
        raise InputError("far-detector model: the operators of bins and of events have different energy knots; make them again")
    knots, antineutrino = operator.knots_gev, operator.antineutrino
    by_knot = learned.counts_by_knot(operator)
    bins = bins_model(by_knot, operator.grid, knots, near_flux, antineutrino, events.smearing, oscillation)
    if learned.w is None:
        kernel = binned_kernel(bins.kernel, operator.grid, events.el_gev, events.cos_theta)
    else:
        kernel = at_events.counts_by_knot(learned.w.mean(axis=0))
    return far_model(knots, near_flux, kernel, by_knot, oscillation, antineutrino), bins


def direct_event_model(
    operator: ForwardOperator,
    events: FarEvents,
    learned: Learned,
    bins_by_knot: np.ndarray,
    near_flux: np.ndarray,
    oscillation: Mapping[str, Any],
    points: int = POINTS,
) -> FarModel:
    """Return the same model of the events as :func:`event_model` without an operator: faster for events used once.

    ``bins_by_knot`` are ``learned``'s counts, which do not depend on the events.
    """
    knots, antineutrino = operator.knots_gev, operator.antineutrino
    if learned.w is None:
        bins = bins_model(bins_by_knot, operator.grid, knots, near_flux, antineutrino, events.smearing, oscillation)
        kernel = binned_kernel(bins.kernel, operator.grid, events.el_gev, events.cos_theta)
    else:
        w = learned.w.mean(axis=0)
        at = event_points(events.el_gev, events.cos_theta, operator.grid, events.smearing, points)
        kernel = direct_rates(
            lambda x, q2: operator.mesh.interpolate(w, x, q2), at, events.el_gev.size, knots, operator.mass_gev, antineutrino
        )
    return far_model(knots, near_flux, kernel, bins_by_knot, oscillation, antineutrino)

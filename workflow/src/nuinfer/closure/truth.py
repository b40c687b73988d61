"""Expected counts, or densities, of a cross section evaluated at every quadrature node: without a mesh, for the truth."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nuinfer.closure.observables import GridPoints, LeptonGrid
from nuinfer.closure.quadrature import energy_nodes
from nuinfer.physics.cross_section import combination_prefactors
from nuinfer.physics.kinematics import bjorken_x, q2_gev2
from nuinfer.physics.structure_function_forms import lepton_sign

Combinations = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(x ``(n,)``, Q^2 ``(n,)`` in GeV^2) -> the three independent rescaled structure functions ``(3, n)``."""


@dataclass(frozen=True)
class Truth:
    """Counts ``(n_knots, n_bins)`` of a flux that is one at a single knot, the near flux there, functions ``w`` on a mesh."""

    grid: LeptonGrid
    knots_gev: np.ndarray
    near_flux: np.ndarray
    counts_by_knot: np.ndarray
    w: np.ndarray
    mass_gev: float
    antineutrino: bool


def direct_counts(
    combinations: Combinations,
    grid: LeptonGrid,
    knots_gev: np.ndarray,
    mass_gev: float,
    antineutrino: bool = False,
    points_per_axis: int = 2,
    refine: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Return counts ``(n_knots, n_bins)`` for a flux that is one at a single knot and linear to its neighbours.

    Expected counts of a flux given at the knots are ``flux @ counts``, in the units of :mod:`nuinfer.closure.operator`.
    """
    points = grid.points(points_per_axis)
    return direct_rates(combinations, points, grid.n_bins, knots_gev, mass_gev, antineutrino, refine, progress)


def direct_rates(
    combinations: Combinations,
    points: GridPoints,
    n_rows: int,
    knots_gev: np.ndarray,
    mass_gev: float,
    antineutrino: bool = False,
    refine: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Return the same as ``(n_knots, n_rows)``: row r sums ``points`` with ``bins`` r, weighted by ``weight``.

    One point a row with weight one gives d2sigma / dE_l dcos(theta) there, integrated over each knot's hat.
    """
    knots = np.asarray(knots_gev, float)
    counts = np.zeros((knots.size, n_rows))
    signs = np.array([1.0, 1.0, lepton_sign(antineutrino)])[:, None]
    for nodes in energy_nodes(points, knots, mass_gev, refine):
        el, cos = points.el_gev[nodes.point], points.cos_theta[nodes.point]
        x, q2 = bjorken_x(nodes.enu_gev, el, cos, mass_gev), q2_gev2(nodes.enu_gev, el, cos)
        terms = combination_prefactors(nodes.enu_gev, el, cos, mass_gev) * signs * combinations(x, q2)
        rate = terms.sum(axis=0) * nodes.weight * points.weight[nodes.point]
        bins, k = points.bins[nodes.point], nodes.interval
        upper = np.bincount(bins, rate * nodes.rising, minlength=n_rows)
        counts[k + 1] += upper
        counts[k] += np.bincount(bins, rate, minlength=n_rows) - upper
        if progress:
            progress(k + 1, knots.size - 1)
    return counts

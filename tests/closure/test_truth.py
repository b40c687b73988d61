"""Counts without a mesh: against a midpoint sum over all three variables, and against totals in (x, y)."""

from itertools import pairwise

import numpy as np
import pytest

from nuinfer.closure.observables import LeptonGrid
from nuinfer.closure.truth import direct_counts
from nuinfer.physics import cross_section as cs
from nuinfer.physics import kinematics as kin
from nuinfer.physics.constants import G_FERMI_GEV2

MASS = kin.ARGON40.nucleon_mass_gev
KNOTS = np.array([0.5, 1.0, 1.6, 2.5])


@pytest.mark.parametrize("antineutrino", [False, True])
def test_counts_are_midpoint_sums(toy, antineutrino: bool) -> None:
    grid, n_enu, n = LeptonGrid(4, 4, 2.5), 400, 16
    combinations = toy(antineutrino)
    enu = KNOTS[0] + (np.arange(n_enu) + 0.5) * (KNOTS[-1] - KNOTS[0]) / n_enu
    u, v = ((np.arange(4 * n) + 0.5) / (4 * n) for _ in range(2))
    hats = np.stack([np.interp(enu, KNOTS, one) for one in np.eye(KNOTS.size)])
    slow = np.zeros((KNOTS.size, 4, 4))
    for i, a in enumerate(u):
        for j, b in enumerate(v):
            el, cos = grid.el_gev(a), grid.cos_theta(b)
            e = enu[kin.is_physical(enu, el, cos, MASS)]
            x, q2 = kin.bjorken_x(e, el, cos, MASS), kin.q2_gev2(e, el, cos)
            rate = np.zeros(n_enu)
            density = cs.d2sigma_from_combinations(combinations(x, q2), e, el, cos, MASS, antineutrino)
            rate[n_enu - e.size :] = density * grid.jacobian(a, b)
            slow[:, i // n, j // n] += hats @ rate * (KNOTS[-1] - KNOTS[0]) / n_enu / (4 * n) ** 2
    slow *= np.pi * MASS / G_FERMI_GEV2**2
    fast = direct_counts(combinations, grid, KNOTS, MASS, antineutrino, points_per_axis=8).reshape(slow.shape)
    assert np.max(np.abs(fast - slow)) < 2e-3 * slow.max()
    assert np.max(np.abs(fast[:, ::-1] - slow)) > 0.1 * slow.max()


def total(enu: float, toy_five) -> float:
    """The integral of d2sigma/dx dy of the five functions, Gauss-Legendre in ln x and in y."""
    nodes, weights = np.polynomial.legendre.leggauss(80)
    low, high = kin.x_limits(enu, MASS)
    x = np.exp(np.log(low) * 0.5 * (1 - nodes))
    y_low, y_high = kin.y_limits(x, enu, MASS)
    y = y_low[:, None] + (y_high - y_low)[:, None] * 0.5 * (nodes + 1)
    xx = np.broadcast_to(x[:, None], y.shape)
    q2 = 2 * MASS * enu * xx * y
    values = cs.d2sigma_dxdy(toy_five(xx, q2), xx, y, enu, MASS)
    return float(np.sum(values @ weights * 0.5 * (y_high - y_low) * x * weights * 0.5 * np.log(high / low)))


def test_sums_over_bins_are_totals_of_the_five_functions(toy, toy_five) -> None:
    grid = LeptonGrid(24, 24, KNOTS[-1])
    counts = direct_counts(toy(), grid, KNOTS, MASS, points_per_axis=3).sum(axis=1)
    nodes, weights = np.polynomial.legendre.leggauss(6)
    expected = np.zeros(KNOTS.size)
    for k, (low, high) in enumerate(pairwise(KNOTS)):
        for t, weight in zip(0.5 * (nodes + 1), 0.5 * weights * (high - low), strict=True):
            events = weight * total(low + t * (high - low), toy_five) * np.pi * MASS / G_FERMI_GEV2**2
            expected[k : k + 2] += np.array([1 - t, t]) * events
    assert np.allclose(counts, expected, rtol=2e-3)


def test_finer_points_converge(problem, toy) -> None:
    flux = problem.flux
    best = flux @ direct_counts(toy(), problem.grid, problem.knots_gev, MASS, points_per_axis=8)
    coarse, fine = (
        np.abs(flux @ direct_counts(toy(), problem.grid, problem.knots_gev, MASS, points_per_axis=n) - best).sum() / best.sum()
        for n in (1, 4)
    )
    assert fine < 2e-3
    assert coarse > 10 * fine


def test_only_energies_within_the_hats_count(problem, toy) -> None:
    """A knot's counts know nothing of knots beyond its neighbours."""
    few = direct_counts(toy(), problem.grid, problem.knots_gev[3:6], MASS)
    assert np.allclose(few[1], problem.truth[4], rtol=1e-12)
    assert np.all(few[0] <= problem.truth[3] * (1 + 1e-12))
    assert few[0].sum() < problem.truth[3].sum()


def test_progress(problem, toy) -> None:
    seen: list[tuple[int, int]] = []
    direct_counts(toy(), problem.grid, KNOTS, MASS, progress=lambda done, of: seen.append((done, of)))
    assert seen[-1] == (3, 3)

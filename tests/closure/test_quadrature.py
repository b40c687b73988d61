"""The energy integral: against adaptive integration point by point, against twice the nodes, and closed forms."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from nuinfer.closure import quadrature
from nuinfer.closure.observables import GridPoints
from nuinfer.closure.quadrature import energy_nodes
from nuinfer.closure.truth import direct_counts
from nuinfer.errors import InputError
from nuinfer.physics.cross_section import combination_prefactors
from nuinfer.physics.kinematics import ARGON40, bjorken_x, q2_gev2, threshold_enu_gev

MASS = ARGON40.nucleon_mass_gev
KNOTS = np.array([0.25, 0.3, 0.4, 0.6, 1.0, 1.02, 1.4, 2.0, 3.0, 5.0, 7.0, 10.0])
POINTS = {
    "middle": (1.5, 0.9),
    "backward": (0.3, -0.9),
    "lepton at rest": (0.10567, 0.3),
    "low Q2": (0.5, 0.9995),
    "forward, v = 1e-4": (2.0, 1 - 2e-8),
    "forward, v = 1e-3, high energy": (8.0, 1 - 2e-6),
    "last interval": (6.9, 0.98),
}


def as_points(el: float, cos: float) -> GridPoints:
    return GridPoints(np.zeros(1, int), np.array([el]), np.array([cos]), np.ones(1))


def by_nodes(rate, el: float, cos: float, refine: int = 1) -> np.ndarray:
    """Integrals of ``rate`` (E_nu) with each knot's hat."""
    sums = np.zeros(KNOTS.size)
    for nodes in energy_nodes(as_points(el, cos), KNOTS, MASS, refine):
        terms = rate(nodes.enu_gev) * nodes.weight
        sums[nodes.interval] += np.sum(terms * (1 - nodes.rising))
        sums[nodes.interval + 1] += np.sum(terms * nodes.rising)
    return sums


def by_quad(rate, el: float, cos: float) -> np.ndarray:
    """The same by adaptive integration in the energy; between two knots it is broken at every decade of nu."""
    start = float(threshold_enu_gev(el, cos, MASS))
    sums = np.zeros(KNOTS.size)
    for k in range(KNOTS.size):
        hat = np.eye(KNOTS.size)[k]
        for low, high in pairwise(KNOTS):
            low = max(low, start)
            if low >= high or not np.interp([low, high, 0.5 * (low + high)], KNOTS, hat).any():
                continue
            decades = el + (start - el) * 10.0 ** np.arange(9)
            edges = [low, *decades[(decades > low) & (decades < high)], high]
            for a, b in pairwise(edges):
                sums[k] += quad(lambda e, hat=hat: float(rate(e) * np.interp(e, KNOTS, hat)), a, b, epsabs=0, epsrel=1e-9)[0]
    return sums


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("where", POINTS)
def test_agrees_with_adaptive_integration(where: str, toy) -> None:
    el, cos = POINTS[where]

    def rate(enu):
        enu = np.asarray(enu, float)
        x, q2 = np.minimum(bjorken_x(enu, el, cos, MASS), 1.0), q2_gev2(enu, el, cos)
        return (combination_prefactors(enu, el, cos, MASS) * toy()(x, q2)).sum(axis=0)

    slow, fast = by_quad(rate, el, cos), by_nodes(rate, el, cos)
    assert slow.max() > 0
    assert np.max(np.abs(fast - slow)) < 1e-5 * slow.sum()


def test_points_cover_a_threshold_inside_an_interval_and_low_q2() -> None:
    starts = {name: float(threshold_enu_gev(*at, MASS)) for name, at in POINTS.items()}
    assert any(np.min(np.abs(KNOTS - s)) > 0.05 for s in starts.values())
    el, cos = POINTS["forward, v = 1e-4"]
    assert starts["forward, v = 1e-4"] - el < 1e-3
    assert q2_gev2(2.01, el, cos) < 1e-3


@pytest.mark.parametrize("where", POINTS)
def test_hats_are_integrated_from_the_start(where: str) -> None:
    """A rate of one: the integral of a straight line from the later of start and knot."""
    el, cos = POINTS[where]
    start = float(threshold_enu_gev(el, cos, MASS))
    expected = np.zeros(KNOTS.size)
    for k, (low, high) in enumerate(pairwise(KNOTS)):
        first = max(low, start)
        if first < high:
            expected[k] += (high - first) ** 2 / (2 * (high - low))
            expected[k + 1] += ((high - low) ** 2 - (first - low) ** 2) / (2 * (high - low))
    assert np.allclose(by_nodes(np.ones_like, el, cos), expected, rtol=0, atol=1e-7 * expected.sum())


def test_twice_the_nodes_change_little(problem, toy) -> None:
    finer = direct_counts(toy(), problem.grid, problem.knots_gev, problem.mass_gev, refine=2)
    error = np.abs(problem.truth - finer).sum(axis=1) / np.abs(finer).sum(axis=1)
    assert error.max() < 5e-6
    near, near_finer = problem.flux @ problem.truth, problem.flux @ finer
    assert np.abs(near - near_finer).sum() < 2e-6 * near_finer.sum()


def test_a_poorer_rule_is_seen(problem, toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two nodes everywhere: over two hundred times the error that the check above allows."""
    monkeypatch.setattr(quadrature, "NODES", ((np.inf, 2),))
    poor = direct_counts(toy(), problem.grid, problem.knots_gev, problem.mass_gev)
    assert np.abs(problem.flux @ (poor - problem.truth)).sum() > 5e-4 * (problem.flux @ problem.truth).sum()


def test_nodes_are_physical_and_ordered(problem) -> None:
    points, knots = problem.grid.points(2), problem.knots_gev
    seen, last = np.zeros(points.bins.size, bool), 0
    for nodes in energy_nodes(points, knots, MASS):
        assert nodes.interval >= last
        last = nodes.interval
        low, high = knots[last], knots[last + 1]
        assert np.all((nodes.enu_gev > low) & (nodes.enu_gev < high))
        assert np.allclose(nodes.rising, (nodes.enu_gev - low) / (high - low), atol=1e-12)
        assert np.all(nodes.weight > 0)
        x = bjorken_x(nodes.enu_gev, points.el_gev[nodes.point], points.cos_theta[nodes.point], MASS)
        assert np.all((x > 0) & (x < 1 + 1e-9))
        seen[nodes.point] = True
    start = threshold_enu_gev(points.el_gev, points.cos_theta, MASS)
    assert np.array_equal(seen, start < knots[-1])
    assert np.isinf(start).any(), "no point without a threshold: the check above says little"


@pytest.mark.parametrize("knots", [[1.0], [1.0, 1.0], [2.0, 1.0], [0.0, 1.0], [[1.0, 2.0]]])
def test_bad_knots_are_refused(knots: list) -> None:
    with pytest.raises(InputError, match="energy knots"):
        list(energy_nodes(as_points(0.5, 0.5), np.array(knots), MASS))

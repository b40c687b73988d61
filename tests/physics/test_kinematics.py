"""Kinematics of a massive lepton on a target at rest: four-vectors, limits and Jacobians."""

import numpy as np
import pytest

from nuinfer.errors import InputError
from nuinfer.physics import kinematics as kin
from nuinfer.physics.constants import MUON_MASS_GEV

MASS = kin.ARGON40.nucleon_mass_gev
M2 = MUON_MASS_GEV**2


def physical_points(n: int, seed: int, mass_gev: float = MASS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (enu, el, cos_theta) of ``n`` tries, those of the physical region only."""
    rng = np.random.default_rng(seed)
    enu = np.exp(rng.uniform(np.log(0.2), np.log(50), n))
    el = MUON_MASS_GEV + rng.uniform(size=n) * (enu - MUON_MASS_GEV)
    cos = 1 - 2 * rng.uniform(size=n) ** 3
    keep = kin.is_physical(enu, el, cos, mass_gev)
    return enu[keep], el[keep], cos[keep]


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3]


def four_vectors(enu: np.ndarray, el: np.ndarray, cos: np.ndarray, mass_gev: float) -> tuple[np.ndarray, ...]:
    """Return the neutrino, the lepton and the target at rest as ``(4, n)``."""
    p, zero = np.sqrt(el**2 - M2), np.zeros_like(enu)
    target = np.stack([np.full_like(enu, mass_gev), zero, zero, zero])
    return np.stack([enu, zero, zero, enu]), np.stack([el, p * np.sqrt(1 - cos**2), zero, p * cos]), target


def test_invariants_are_those_of_the_four_vectors() -> None:
    enu, el, cos = physical_points(4000, 1)
    k, lepton, target = four_vectors(enu, el, cos, MASS)
    q = k - lepton
    np.testing.assert_allclose(kin.q2_gev2(enu, el, cos), -dot(q, q), atol=1e-10)
    np.testing.assert_allclose(kin.bjorken_x(enu, el, cos, MASS), -dot(q, q) / (2 * dot(target, q)), atol=1e-10)
    np.testing.assert_allclose(kin.inelasticity(enu, el), dot(target, q) / dot(target, k), rtol=1e-12)
    np.testing.assert_allclose(kin.w2_gev2(enu, el, cos, MASS), dot(target + q, target + q), rtol=1e-10)
    np.testing.assert_allclose(kin.energy_minus_longitudinal_gev(el, cos), dot(k, lepton) / enu, atol=1e-12)


def test_forward_q2_keeps_its_digits() -> None:
    """Exactly forward, Q^2 = m^2 nu / E_l up to m^2 / E_l^2: below 1e-9 GeV^2 of terms of 1e6 GeV^2."""
    enu, el = 1e3 + 1e-3, 1e3
    assert kin.q2_gev2(enu, el, 1.0) == pytest.approx(M2 * (enu - el) / el + M2**2 / (4 * el**2), rel=1e-4)
    naive = 2 * enu * (el - np.sqrt(el**2 - M2)) - M2
    assert abs(naive / kin.q2_gev2(enu, el, 1.0) - 1) > 1e-3


def test_argon() -> None:
    assert kin.ARGON40.nuclear_mass_gev == pytest.approx(37.215526, abs=5e-7)
    assert kin.ARGON40.nucleon_mass_gev == pytest.approx(0.930388, abs=5e-7)
    point = (2.5, 1.5, 0.9)
    x_nucleus = kin.bjorken_x(*point, kin.ARGON40.nuclear_mass_gev)
    assert kin.bjorken_x(*point, MASS) == pytest.approx(40 * x_nucleus, rel=1e-14)
    assert kin.bjorken_x(*point, MASS) == pytest.approx(0.40606851, abs=5e-9)
    assert kin.q2_gev2(*point) == pytest.approx(0.75560267, abs=5e-9)


@pytest.mark.parametrize(("z", "a", "mass"), [(19, 18, 37.2), (-1, 40, 37.2), (0, 0, 1.0), (18, 40, 0.0), (18, 40, np.nan)])
def test_a_target_that_is_no_nucleus_is_refused(z: int, a: int, mass: float) -> None:
    with pytest.raises(InputError, match="target"):
        kin.Target(z, a, mass)


def test_round_trip_through_x_and_q2() -> None:
    enu, el, cos = physical_points(4000, 2)
    x, q2 = kin.bjorken_x(enu, el, cos, MASS), kin.q2_gev2(enu, el, cos)
    el_back, cos_back = kin.lepton_from_x_q2(x, q2, enu, MASS)
    np.testing.assert_allclose(el_back, el, rtol=1e-11)
    # Slow leptons leave few digits of the angle: its coefficient is the momentum.
    np.testing.assert_allclose(kin.lepton_momentum_gev(el) * cos_back, kin.lepton_momentum_gev(el) * cos, atol=1e-9)


def test_a_point_out_of_reach_shows_in_the_angle() -> None:
    x, q2, enu = np.array([0.1, 0.9, 0.5]), np.array([5.0, 5.2, 0.5]), np.array([3.0, 3.4, 3.0])
    el, cos = kin.lepton_from_x_q2(x, q2, enu, MASS)
    assert el[0] < MUON_MASS_GEV and np.isnan(cos[0])
    assert cos[1] < -1
    assert abs(cos[2]) < 1 and kin.is_physical(enu[2], el[2], cos[2], MASS)


def test_threshold_is_where_x_is_one() -> None:
    _, el, cos = physical_points(6000, 3)
    enu = kin.threshold_enu_gev(el, cos, MASS)
    reached = np.isfinite(enu)
    moderate = reached & (enu < 1e3)
    np.testing.assert_allclose(kin.bjorken_x(enu[moderate], el[moderate], cos[moderate], MASS), 1, rtol=1e-8)
    assert np.all(enu[reached] > el[reached])
    assert np.all(kin.is_physical(1.001 * enu[moderate], el[moderate], cos[moderate], MASS))
    assert not np.any(kin.is_physical(0.999 * enu[moderate], el[moderate], cos[moderate], MASS))


def test_no_energy_makes_a_backward_lepton_above_half_the_mass() -> None:
    assert kin.threshold_enu_gev(0.6, -1.0, MASS) == np.inf
    assert not np.any(kin.is_physical(np.geomspace(0.7, 1e6, 50), 0.6, -1.0, MASS))
    assert np.isfinite(kin.threshold_enu_gev(0.4, -1.0, MASS))


def test_points_on_the_edges() -> None:
    assert kin.bjorken_x(1.0, 1.0, 0.5, MASS) == np.inf
    assert not kin.is_physical(1.0, 1.0, 0.5, MASS)
    assert not kin.is_physical(1.0, 0.1, 0.5, MASS)
    assert np.isnan(kin.lepton_momentum_gev(0.1))
    assert kin.lepton_momentum_gev(MUON_MASS_GEV) == 0


@pytest.mark.parametrize("mass", [MASS, kin.ARGON40.nuclear_mass_gev])
def test_limits_in_x_and_y_are_those_of_the_angle(mass: float) -> None:
    """Every one of 2e5 random points lies inside the limits exactly if its angle exists."""
    rng = np.random.default_rng(4)
    n = 200_000
    enu = np.exp(rng.uniform(np.log(0.12), np.log(100), n))
    x, y = np.exp(rng.uniform(np.log(1e-5), 0, n)), np.exp(rng.uniform(np.log(1e-6), 0, n))
    y[::2] = 1 - y[::2]
    el = enu * (1 - y)
    _, cos = kin.lepton_from_x_q2(x, 2 * mass * enu * x * y, enu, mass)
    by_angle = (el >= MUON_MASS_GEV) & (np.abs(cos) <= 1)
    low, high = kin.y_limits(x, enu, mass)
    by_limits = (y >= low) & (y <= high)
    assert 0.05 < by_angle.mean() < 0.95
    assert np.count_nonzero(by_angle != by_limits) == 0


def test_limits_close_at_the_lowest_x_and_are_nan_beyond() -> None:
    low_x, high_x = kin.x_limits(2.0, MASS)
    low, high = kin.y_limits(np.array([0.999 * low_x, low_x * (1 + 1e-12), 1.001]), 2.0, MASS)
    assert high_x == 1 and np.isnan(low[[0, 2]]).all() and np.isnan(high[[0, 2]]).all()
    assert low[1] == pytest.approx(high[1], rel=1e-4)
    assert kin.x_limits(MUON_MASS_GEV, MASS)[0] == np.inf


def test_production_threshold() -> None:
    """The range of x opens at E = m + m^2 / 2M."""
    enu = MUON_MASS_GEV + M2 / (2 * MASS)
    assert kin.x_limits(enu * (1 - 1e-9), MASS)[0] > 1 > kin.x_limits(enu * (1 + 1e-9), MASS)[0]


def test_jacobians_against_finite_differences() -> None:
    enu, el, cos = physical_points(3000, 5)
    inner = (el > 1.1 * MUON_MASS_GEV) & (el < 0.95 * enu) & (np.abs(cos) < 0.999)
    enu, el, cos = enu[inner], el[inner], cos[inner]
    h = 1e-6

    def gradient(f, step_el: float, step_cos: float) -> np.ndarray:
        return (f(el + step_el, cos + step_cos) - f(el - step_el, cos - step_cos)) / (2 * h)

    def x(e: np.ndarray, c: np.ndarray) -> np.ndarray:
        return kin.bjorken_x(enu, e, c, MASS)

    def determinant(second) -> np.ndarray:
        return np.abs(gradient(x, h, 0) * gradient(second, 0, h) - gradient(x, 0, h) * gradient(second, h, 0))

    xy = determinant(lambda e, c: kin.inelasticity(enu, e) + 0 * c)
    xq2 = determinant(lambda e, c: kin.q2_gev2(enu, e, c))
    np.testing.assert_allclose(kin.dxdy_per_del_dcos(enu, el, MASS), xy, rtol=1e-6)
    np.testing.assert_allclose(kin.dxdq2_per_del_dcos(enu, el, cos, MASS), xq2, rtol=1e-6)


def test_functions_broadcast() -> None:
    enu, el, cos = np.array([1.0, 3.0])[:, None, None], np.array([0.3, 0.6, 0.9])[:, None], np.array([0.5, 0.9])
    assert kin.bjorken_x(enu, el, cos, MASS).shape == kin.is_physical(enu, el, cos, MASS).shape == (2, 3, 2)
    assert kin.y_limits(np.array([0.1, 0.2]), enu[:, 0], MASS)[0].shape == (2, 2)

"""The expected size of structure functions: the formula point by point, limits, and how far toy partons are from it."""

import numpy as np
import pytest

from nuinfer.closure.envelope import Q0_SQUARED_GEV2, envelope
from nuinfer.errors import InputError
from nuinfer.physics.constants import MUON_MASS_GEV
from nuinfer.physics.cross_section import combination_prefactors
from nuinfer.physics.kinematics import ARGON40, is_physical, lepton_from_x_q2

MASS = ARGON40.nucleon_mass_gev


def test_the_formula_point_by_point() -> None:
    x, q2 = np.array([0.01, 0.2, 0.9]), np.array([0.004, 0.7, 11.0])
    found = envelope("callan_gross", x, q2, MASS)
    for i, (a, b) in enumerate(zip(x, q2, strict=True)):
        falling, scale, m2 = (1 - a) ** 2, b + Q0_SQUARED_GEV2, MUON_MASS_GEV**2
        assert found[0, i] == pytest.approx(falling / a * (b + m2) / scale, rel=1e-12)
        assert found[1, i] == pytest.approx(falling * a / scale, rel=1e-12)
        assert found[2, i] == pytest.approx(falling * a**0.5 / scale * (1 + m2 / b), rel=1e-12)


def test_positive_up_to_x_of_one_and_none_is_one() -> None:
    x, q2 = np.meshgrid(np.geomspace(1e-4, 1.0, 9), np.geomspace(1e-6, 20.0, 9))
    assert np.all(envelope("callan_gross", x, q2, MASS) > 0)
    assert np.array_equal(envelope("none", x, q2, MASS), np.ones((3, 9, 9)))


def test_contributions_to_the_cross_section_are_finite_at_q2_of_zero() -> None:
    """At fixed x and neutrino energy: each tends to a limit, the third although its envelope grows without bound."""
    enu, x, q2 = 100.0, np.full(3, 0.3), np.array([1e-4, 1e-5, 1e-6])
    el, cos = lepton_from_x_q2(x, q2, enu, MASS)
    assert np.all(is_physical(enu, el, cos, MASS))
    sizes = envelope("callan_gross", x, q2, MASS)
    terms = combination_prefactors(enu, el, cos, MASS) * sizes
    assert np.all(np.abs(terms) > 1e-6)
    assert np.allclose(terms[:, 2], terms[:, 1], rtol=5e-3)
    assert sizes[2, 2] > 9 * sizes[2, 1]


def test_toy_functions_over_the_envelope_are_of_order_one(toy) -> None:
    """A learner's task: less than a hundredfold where the functions themselves span ten decades."""
    x, q2 = np.meshgrid(np.geomspace(0.01, 0.7, 30), np.geomspace(0.01, 10.0, 30))
    w = toy()(x, q2)
    g = np.abs(w / envelope("callan_gross", x, q2, MASS))
    assert np.all(g < 30.0)
    assert np.all(np.median(g, axis=(1, 2)) > 0.03)
    assert np.max(np.abs(w)) / np.max(g) > 3.0


def test_unknown_envelopes_are_refused() -> None:
    with pytest.raises(InputError, match=r"'fancy'.*callan_gross, target_mass, none"):
        envelope("fancy", np.array([0.1]), np.array([1.0]), MASS)


def test_target_mass_multiplies_the_first_function_alone():
    x, q2 = np.array([0.1, 0.5]), np.array([0.05, 2.0])
    ratio = envelope("target_mass", x, q2, MASS) / envelope("callan_gross", x, q2, MASS)
    np.testing.assert_allclose(ratio[0], 1 + 2 * MASS**2 * x**2 / q2)
    np.testing.assert_allclose(ratio[1:], 1)

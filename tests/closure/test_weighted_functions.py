"""Events per structure function and point of (x, Q^2): against adaptive quadrature and against the forward operator."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from nuinfer.closure.weighted_functions import (
    least_enu_gev,
    node_areas_gev2,
    structure_function_weights,
    weighted_structure_functions,
)
from nuinfer.errors import InputError
from nuinfer.physics.constants import MUON_MASS_GEV
from nuinfer.physics.cross_section import combination_prefactors
from nuinfer.physics.kinematics import is_physical, lepton_from_x_q2, lepton_momentum_gev


@pytest.fixture
def functions(problem, toy) -> np.ndarray:
    return toy()(*problem.mesh.points)


def test_the_least_energy_is_where_the_lepton_goes_straight(problem, rng):
    x, q2 = rng.uniform(0.01, 1, 200), 10 ** rng.uniform(-3, 1, 200)
    least = least_enu_gev(x, q2, problem.mass_gev)
    _, cos = lepton_from_x_q2(x, q2, least, problem.mass_gev)
    assert np.abs(cos) == pytest.approx(np.ones(200), abs=1e-6)
    for factor, reached in ((1 + 1e-6, True), (1.5, True), (10.0, True), (1 - 1e-6, False)):
        el, cos = lepton_from_x_q2(x, q2, factor * least, problem.mass_gev)
        assert np.all(is_physical(factor * least, el, cos, problem.mass_gev) == reached)


def test_weights_against_adaptive_quadrature(problem):
    knots, mass, mesh = problem.knots_gev, problem.mass_gev, problem.mesh
    found = structure_function_weights(mesh, knots, problem.flux, mass)
    for i, j in ((12, 12), (20, 18), (8, 5), (23, 22), (4, 9)):
        x, q2 = mesh.x[i], mesh.q2_gev2[j]

        def integrand(enu: float, a: int, x: float = x, q2: float = q2) -> float:
            nu = q2 / (2 * mass * x)
            el, cos = lepton_from_x_q2(x, q2, enu, mass)
            if not abs(cos) <= 1:
                return 0.0
            jacobian = nu / (2 * x * lepton_momentum_gev(el) * enu)
            return float(np.interp(enu, knots, problem.flux) * jacobian * combination_prefactors(enu, el, cos, mass)[a])

        start = max(float(least_enu_gev(x, q2, mass)), knots[0])
        breaks = [start, *knots[knots > start]]
        for a in range(3):
            slow = sum(quad(integrand, lo, hi, args=(a,), epsrel=1e-10)[0] for lo, hi in pairwise(breaks))
            assert found[a, i, j] == pytest.approx(slow, rel=1e-7), (a, i, j)
            assert slow != 0


def test_white_is_what_the_highest_energy_does_not_reach(problem, functions):
    x, q2 = problem.mesh.points
    el, cos = lepton_from_x_q2(x, q2, problem.knots_gev[-1], problem.mass_gev)
    # Not is_physical: at the nodes of x = 1 rounding may put x above one.
    reached = ((el > MUON_MASS_GEV) & (np.abs(cos) <= 1)).reshape(problem.mesh.shape)
    found = weighted_structure_functions(problem.operator, problem.flux, functions)
    assert 0.3 < reached.mean() < 0.9
    assert np.array_equal(np.isfinite(found), np.broadcast_to(reached, found.shape))


def test_they_integrate_to_one_as_the_operator_s_columns_do(problem, functions):
    """The operator shares out the same events to the same nodes by another way: lepton by lepton."""
    mesh = problem.mesh
    found = np.nan_to_num(weighted_structure_functions(problem.operator, problem.flux, functions)) * node_areas_gev2(mesh)
    assert found.sum() == pytest.approx(1.0, rel=1e-12)
    columns = np.asarray(problem.operator.matrix(problem.flux).sum(axis=0)).reshape(-1, 3).T
    events = (columns * functions).reshape(found.shape)
    events /= events.sum()
    assert found.sum(axis=(1, 2)) == pytest.approx(events.sum(axis=(1, 2)), abs=5e-3)

    def blocks(values: np.ndarray) -> np.ndarray:
        return values.reshape(3, 6, 4, 6, 4).sum(axis=(2, 4))

    assert np.abs(blocks(found) - blocks(events)).sum() < 0.06
    assert np.abs(np.roll(blocks(found), 1, axis=2) - blocks(events)).sum() > 0.5


def test_weights_do_not_depend_on_the_functions(problem, functions):
    one = weighted_structure_functions(problem.operator, problem.flux, functions)
    other = weighted_structure_functions(problem.operator, 3 * problem.flux, functions * np.array([[1.0], [2.0], [1.0]]))
    seen = np.all(np.isfinite(one) & (one != 0), axis=0)
    assert seen.sum() > 100
    ratio = other[:, seen] / one[:, seen]
    assert ratio[0] == pytest.approx(np.full(seen.sum(), ratio[0, 0]), rel=1e-9)
    assert ratio[1] == pytest.approx(2 * ratio[0], rel=1e-9) and ratio[2] == pytest.approx(ratio[0], rel=1e-9)


def test_antineutrinos_flip_the_third(problem):
    both = [
        structure_function_weights(problem.mesh, problem.knots_gev, problem.flux, problem.mass_gev, a) for a in (False, True)
    ]
    assert np.array_equal(both[1], both[0] * np.array([1.0, 1.0, -1.0])[:, None, None])


def test_bad_input_is_named(problem, functions):
    with pytest.raises(InputError, match="mesh asks for"):
        weighted_structure_functions(problem.operator, problem.flux, functions[:, 1:])
    with pytest.raises(InputError, match="energy knots"):
        weighted_structure_functions(problem.operator, problem.flux[1:], functions)
    with pytest.raises(InputError, match="positive cross section"):
        weighted_structure_functions(problem.operator, problem.flux, -functions)

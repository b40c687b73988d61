"""The forward operator: against a dense one filled node by node, against no mesh at all, and its linearity."""

from itertools import pairwise

import numpy as np
import pytest

from nuinfer.closure.mesh import Mesh
from nuinfer.closure.observables import LeptonGrid
from nuinfer.closure.operator import ForwardOperator, build_operator, energy_knots
from nuinfer.closure.quadrature import energy_nodes
from nuinfer.closure.truth import direct_counts
from nuinfer.errors import InputError
from nuinfer.oscillation.nufast import NUFIT60_NO_WITH_SK, numu_survival
from nuinfer.physics.cross_section import combination_prefactors
from nuinfer.physics.kinematics import ARGON40, bjorken_x, q2_gev2

MASS = ARGON40.nucleon_mass_gev
FLOAT32 = 2e-6
"""Values are kept in single precision."""


def dense_matrix(grid: LeptonGrid, mesh: Mesh, knots: np.ndarray, flux: np.ndarray, antineutrino: bool = False) -> np.ndarray:
    """A of one flux, the flux evaluated at every node and each of its 16 mesh weights written into place."""
    a = np.zeros((grid.n_bins, 3 * mesh.n_nodes))
    points = grid.points(2)
    for nodes in energy_nodes(points, knots, MASS):
        for enu, at, weight in zip(nodes.enu_gev, nodes.point, nodes.weight, strict=True):
            el, cos = points.el_gev[at], points.cos_theta[at]
            events = np.interp(enu, knots, flux) * weight * points.weight[at]
            factors = events * combination_prefactors(enu, el, cos, MASS) * [1, 1, -1 if antineutrino else 1]
            around, shares = mesh.weights(np.atleast_1d(bjorken_x(enu, el, cos, MASS)), np.atleast_1d(q2_gev2(enu, el, cos)))
            for node, share in zip(around[:, 0], shares[:, 0], strict=True):
                a[points.bins[at], 3 * node : 3 * node + 3] += share * factors
    return a


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).sum() / np.abs(expected).sum())


@pytest.mark.parametrize("antineutrino", [False, True])
def test_matrix_is_the_one_filled_node_by_node(antineutrino: bool) -> None:
    grid, knots = LeptonGrid(4, 3, 3.0), np.array([0.3, 0.8, 1.5, 3.0])
    mesh = Mesh(np.geomspace(0.01, 1.0, 6), np.geomspace(0.01, 6.0, 5))
    flux = np.array([0.2, 1.0, 0.7, 0.1])
    found = build_operator(grid, mesh, knots, MASS, antineutrino).matrix(flux).toarray()
    slow = dense_matrix(grid, mesh, knots, flux, antineutrino)
    assert found.shape == slow.shape == (12, 90)
    assert np.max(np.abs(found - slow)) < FLOAT32 * np.max(np.abs(slow))
    other = dense_matrix(grid, mesh, knots, flux, not antineutrino)
    assert np.max(np.abs(found - other)) > 1e-2 * np.max(np.abs(slow))


@pytest.mark.parametrize("antineutrino", [False, True])
def test_cubic_structure_functions_need_no_fine_mesh(problem, rng: np.random.Generator, antineutrino: bool) -> None:
    """What the mesh interpolates exactly must agree with the evaluation without a mesh, knot by knot and bin by bin."""
    powers = rng.normal(size=(3, 4, 4))

    def cubic(x: np.ndarray, q2: np.ndarray) -> np.ndarray:
        return np.stack([np.polynomial.polynomial.polyval2d(np.log(x) / 3, np.log(q2) / 4, p) for p in powers])

    mesh = Mesh(np.geomspace(1e-4, 1.0, 6), np.geomspace(1e-6, 20.0, 6))
    operator = build_operator(problem.grid, mesh, problem.knots_gev, MASS, antineutrino)
    counts = operator.counts_by_knot(cubic(*mesh.points))
    truth = direct_counts(cubic, problem.grid, problem.knots_gev, MASS, antineutrino)
    assert np.max(np.abs(counts - truth)) < 1e-5 * np.max(np.abs(truth))


def test_the_mesh_error_falls_with_its_fourth_power(problem) -> None:
    def smooth(x: np.ndarray, q2: np.ndarray) -> np.ndarray:
        a, b = np.log(x), np.log(q2)
        return np.stack([np.cos(a), 2 + np.sin(b), np.exp(-((a + 1) ** 2) / 4) * np.cos(b / 2)])

    truth = problem.flux @ direct_counts(smooth, problem.grid, problem.knots_gev, MASS)
    errors = []
    for n in (12, 24):
        mesh = Mesh(np.geomspace(1e-3, 1.0, n), np.geomspace(1e-3, 12.0, n))
        counts = build_operator(problem.grid, mesh, problem.knots_gev, MASS).counts_by_knot(smooth(*mesh.points))
        errors.append(relative(problem.flux @ counts, truth))
    assert errors[1] < 1e-3
    assert 3.5 < np.log(errors[0] / errors[1]) / np.log(23 / 11) < 6.0


def test_toy_partons_on_the_mesh(problem, toy) -> None:
    counts = problem.operator.counts_by_knot(toy()(*problem.mesh.points))
    assert relative(problem.flux @ counts, problem.flux @ problem.truth) < 1e-2


def test_counts_of_hats_add_up_to_any_flux(problem, toy) -> None:
    w = toy()(*problem.mesh.points)
    by_knot = problem.operator.counts_by_knot(w)
    for flux in (problem.flux, problem.flux[::-1], np.eye(12)[4]):
        assert relative(problem.operator.matrix(flux) @ w.T.ravel(), flux @ by_knot) < 1e-12


def test_a_flux_contracted_is_the_operator_built_with_it(problem) -> None:
    """With the flux's own knots as the only two, its values scale one straight line."""
    low, high = problem.knots_gev[5:7]
    pair = build_operator(problem.grid, problem.mesh, np.array([low, high]), MASS)
    flux = np.zeros(12)
    flux[5:7] = 0.3, 1.1
    inside = pair.matrix(flux[5:7])
    outside = problem.operator.matrix(np.eye(12)[5]) * 0.3 + problem.operator.matrix(np.eye(12)[6]) * 1.1
    below = build_operator(problem.grid, problem.mesh, problem.knots_gev[4:6], MASS).matrix([0.0, 0.3])
    above = build_operator(problem.grid, problem.mesh, problem.knots_gev[6:8], MASS).matrix([1.1, 0.0])
    whole = problem.operator.matrix(flux)
    assert np.abs(whole - outside).max() < 1e-12 * np.abs(whole).max()
    assert np.abs(whole - (inside + below + above)).max() < FLOAT32 * np.abs(whole).max()


def test_linear_in_flux_and_in_functions(problem, rng: np.random.Generator) -> None:
    first, second = rng.uniform(size=(2, 12))
    summed = problem.operator.matrix(first) + 2.0 * problem.operator.matrix(second)
    assert np.abs(problem.operator.matrix(first + 2.0 * second) - summed).max() < 1e-12 * np.abs(summed).max()
    w, v = rng.normal(size=(2, 3, problem.mesh.n_nodes))
    counts = problem.operator.counts_by_knot
    assert np.allclose(counts(w - 3.0 * v), counts(w) - 3.0 * counts(v), rtol=0, atol=1e-12 * np.abs(counts(w)).max())


def test_antineutrinos_turn_the_third_function_only(problem) -> None:
    operator = build_operator(problem.grid, problem.mesh, problem.knots_gev, MASS, antineutrino=True)
    turned, plain = operator.matrix(problem.flux).toarray(), problem.operator.matrix(problem.flux).toarray()
    assert np.array_equal(turned[:, 0::3], plain[:, 0::3])
    assert np.array_equal(turned[:, 1::3], plain[:, 1::3])
    assert np.array_equal(turned[:, 2::3], -plain[:, 2::3])
    assert all(np.abs(plain[:, a::3]).max() > 0 for a in range(3))


def test_one_pattern_for_every_flux(problem) -> None:
    first, second = problem.operator.matrix(problem.flux), problem.operator.matrix(np.zeros(12))
    assert np.array_equal(first.indices, second.indices)
    assert np.array_equal(first.indptr, second.indptr)
    assert first.has_canonical_format and not second.data.any()


def test_knots_below_threshold_leave_nothing(toy) -> None:
    """Below the muon's mass no interval has a node."""
    grid, mesh = LeptonGrid(4, 4, 1.0), Mesh(np.geomspace(0.01, 1.0, 6), np.geomspace(0.01, 2.0, 6))
    operator = build_operator(grid, mesh, np.array([0.05, 0.07, 0.09, 0.5, 1.0]), MASS)
    counts = operator.counts_by_knot(toy()(*mesh.points))
    assert not counts[:2].any()
    assert np.all(counts[2:].sum(axis=1) > 0)


def test_progress_ends_at_the_last_interval(problem) -> None:
    seen: list[tuple[int, int]] = []
    build_operator(problem.grid, problem.mesh, problem.knots_gev, MASS, progress=lambda done, of: seen.append((done, of)))
    assert seen[-1] == (11, 11)
    assert all(a[0] <= b[0] for a, b in pairwise(seen))


@pytest.mark.parametrize(
    ("flux", "what"), [(np.ones(11), "11 values for 12"), (-np.ones(12), "not negative"), (np.full(12, np.nan), "finite")]
)
def test_bad_fluxes_are_refused(problem, flux: np.ndarray, what: str) -> None:
    operator: ForwardOperator = problem.operator
    with pytest.raises(InputError, match=what):
        operator.matrix(flux)


def test_energy_knots_hold_the_flux_s_own_and_are_dense_enough() -> None:
    own = np.array([0.1, 0.25, 0.375, 0.625, 1.0, 2.0, 4.0, 10.0, 12.0])
    knots = energy_knots(0.25, 10.0, own)
    assert (knots[0], knots[-1]) == (0.25, 10.0)
    assert np.all(np.diff(knots) > 0)
    assert all(np.any(knots == e) for e in own[1:-1])
    for low, high in pairwise(knots):
        assert high - low <= max(0.02, 0.1 * low**2 / 4.2) + 1e-12


def worst_interpolation(step: float) -> float:
    """Of the survival probability between knots, above the energy where the least spacing takes over."""
    knots = energy_knots(0.25, 10.0, np.array([1.0, 3.0]), step=step)
    enu = np.linspace(1.0, 10.0, 4001)
    exact = numu_survival(NUFIT60_NO_WITH_SK, enu)
    return float(np.max(np.abs(np.interp(enu, knots, numu_survival(NUFIT60_NO_WITH_SK, knots)) - exact)))


def test_knots_resolve_the_oscillation() -> None:
    assert worst_interpolation(0.1) < 2.6e-3
    assert worst_interpolation(0.5) > 2e-2

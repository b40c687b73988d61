"""Systematics in closed form: responses against refits, kept modes against the whole covariance, toys against the truth."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest
from toy_world import AT, FAR_EVENTS, OSCILLATION, PLANE, shifted, small_world

from nuinfer.closure import closed_form
from nuinfer.closure.closed_form import central_contents, statistical_toys, systematic_marginal, systematic_toys
from nuinfer.closure.far_model import bins_model
from nuinfer.closure.linear_far import log_densities
from nuinfer.closure.world import World
from nuinfer.errors import InputError
from nuinfer.oscillation.coverage import hypotheses, ratio_levels, truth_statistics
from nuinfer.oscillation.likelihood import densities
from nuinfer.oscillation.marginal import Marginal
from nuinfer.oscillation.optimum import octant_optima
from nuinfer.oscillation.toys import Toys, mixture_points

SIZE = 0.05
NONE = np.zeros(2)


@pytest.fixture(scope="module")
def world(problem) -> World:
    return small_world(problem, SIZE)


@pytest.fixture(scope="module")
def at(world) -> np.ndarray:
    return world.far.fluxes.at(*AT)


@pytest.fixture(scope="module")
def near(world) -> np.ndarray:
    return world.near_shares(NONE, np.random.default_rng(2))


@pytest.fixture(scope="module")
def found(world, near, at) -> tuple[Marginal, np.ndarray]:
    return systematic_marginal(world, near, at)


# The central analysis


def test_central_contents_are_of_the_nominal_flux(problem, world):
    """Data of a shifted flux, taken for the nominal one, give a wrong far detector; taken for what they are, the right one."""
    precise = small_world(problem, SIZE, 10**10)
    amplitudes = np.array([1.5, -0.7])
    data = np.stack([precise.near_shares(a, np.random.default_rng(3)) for a in (NONE, amplitudes)])
    contents = central_contents(precise, data)
    one_by_one = [precise.far.contents(precise.near.coefficients(d[None], NONE[None]))[0] for d in data]
    np.testing.assert_allclose(contents, np.stack(one_by_one), rtol=1e-4, atol=1e-4 * np.abs(contents).max())
    known = precise.far.contents(precise.near.coefficients(data[1:], amplitudes[None]))[0]

    def off(content: np.ndarray, a: np.ndarray) -> float:
        true = precise.true_table(a)
        return float(np.abs(precise.far.log_table(content, a) - true)[true > np.log(1e-3)].max())

    assert off(contents[0], NONE) < 0.01 and off(known, amplitudes) < 0.01
    assert off(contents[1], amplitudes) > 0.05


# Responses


def centred(response: np.ndarray, table: np.ndarray) -> np.ndarray:
    share = np.exp(table.astype(float))
    return response - (response * share).sum(axis=1, keepdims=True) / share.sum(axis=1, keepdims=True)


def test_response_to_a_flux_is_that_of_an_analysis_with_it(problem, world, near, found):
    """The slow twin: knot by knot with the flux itself, a tenth of a standard deviation up and down."""
    marginal, table = found
    sin2, dm31 = PLANE.axes

    def analysed(amplitudes: np.ndarray, refitted: bool = True) -> np.ndarray:
        (c,) = world.near.coefficients(near[None], amplitudes[None] * refitted)
        by_knot = problem.operator.counts_by_knot(world.basis.structure_functions(c))
        flux = shifted(problem, SIZE, amplitudes)
        model = bins_model(np.maximum(by_knot, 0.0), problem.grid, problem.knots_gev, flux, False, None, OSCILLATION)
        return np.log(np.maximum(densities(model, sin2[:, None], dm31).reshape(PLANE.n_nodes, -1), 1e-30))

    filled = table > np.log(2e-3)
    for i, step in enumerate(0.1 * np.eye(2)):
        slow, fixed = (centred((analysed(step, r) - analysed(-step, r)) / 0.2, table) for r in (True, False))
        scale = np.abs(slow[filled]).max()
        assert scale > 0.005
        # A standard deviation is no infinitesimal step, and single precision carries differences.
        np.testing.assert_allclose(marginal.response[i][filled], slow[filled], atol=0.1 * scale)
        assert np.corrcoef(marginal.response[i][filled], slow[filled])[0, 1] > 0.995
        # Were the near data not learned from again: the control.
        assert np.abs(fixed[filled] - slow[filled]).max() > 0.5 * scale


def test_response_to_a_mode_is_that_of_its_step(world, near, at, found):
    marginal, table = found
    (c,) = world.near.coefficients(near[None], NONE[None])
    np.testing.assert_array_equal(table, world.far.log_table(world.far.contents(c[None])[0], NONE))
    steps = closed_form._covariance_modes(world, c, at[0])
    assert len(marginal.response) == 2 + len(steps) and len(steps) >= 2
    filled = table > np.log(2e-3)
    for j, step in enumerate(steps):
        up, down = (world.far.log_table(x, NONE) for x in world.far.contents(np.stack([c + 0.3 * step, c - 0.3 * step])))
        slow = centred((up - down) / 0.6, table)
        scale = np.abs(slow[filled]).max()
        np.testing.assert_allclose(marginal.response[2 + j][filled], slow[filled], atol=0.1 * scale)


def test_kept_modes_are_the_far_detectors_covariance_up_to_what_it_cannot_see(world, near, at, monkeypatch):
    """The slow twin: the covariance of log-densities from each coefficient's derivative, in units of statistical errors."""
    (c,) = world.near.coefficients(near[None], NONE[None])

    def log_share(coefficients: np.ndarray) -> np.ndarray:
        (content,) = world.far.contents(coefficients[None]).astype(float)
        rate = at[0] @ content
        return rate / rate.sum()

    share = log_share(c)
    weight = np.sqrt(FAR_EVENTS * share)
    eps = 1e-2 * np.abs(c).max()
    slopes = np.stack([(log_share(c + e) - log_share(c - e)) / (2 * eps) for e in eps * np.eye(c.size)])
    filled = share > 1e-7
    slopes = weight[filled] * slopes[:, filled] / share[filled]
    factor = world.near.factor()
    whole = slopes.T @ factor.T @ factor @ slopes

    def left(steps: np.ndarray) -> np.ndarray:
        seen = steps @ slopes
        return np.linalg.eigvalsh(whole - seen.T @ seen)

    steps = closed_form._covariance_modes(world, c, at[0])
    assert left(steps).max() < 1.05 * closed_form.LEAST_INFORMATION
    assert left(steps).min() > -1e-3 * np.linalg.eigvalsh(whole).max()
    assert left(steps[:-1]).max() > closed_form.LEAST_INFORMATION
    # One posterior standard deviation each, of directions that do not go together, the best measured first.
    lower = np.linalg.solve(factor.T, steps.T)
    np.testing.assert_allclose(lower.T @ lower, np.eye(len(steps)), atol=1e-6)
    known = np.linalg.norm(steps @ slopes, axis=1)
    assert np.all(np.diff(known) < 0)
    monkeypatch.setattr(closed_form, "MOST_MODES", 1)
    np.testing.assert_allclose(closed_form._covariance_modes(world, c, at[0]), steps[:1], rtol=1e-9, atol=1e-12)


def test_better_near_detectors_leave_fewer_modes(problem, at, found):
    rough = small_world(problem, SIZE, 10**6)
    data = rough.near_shares(NONE, np.random.default_rng(2))
    assert 2 < len(found[0].response) < len(systematic_marginal(rough, data, at)[0].response)


# Toys


def points_of(world: World, marginal: Marginal, table: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    surface = marginal.log_likelihood(world.expected_far(NONE, at), table - table.mean(axis=0))
    return mixture_points(PLANE.coefficients(surface), PLANE)


@pytest.fixture(scope="module")
def alone(world, found, at) -> Toys:
    return statistical_toys(world, points_of(world, *found, at), 2000, np.random.default_rng(7))


@pytest.fixture(scope="module")
def systematic(world, found, at) -> Toys:
    return systematic_toys(world, found[0], points_of(world, *found, at), 250, 2500, np.random.default_rng(8))


def weights(toys: Toys) -> np.ndarray:
    """Importance weights ``(n,)`` of the truth."""
    thrown = toys.coefficients if toys.weighing is None else toys.weighing
    return np.exp(PLANE.at(thrown, *(np.full(len(thrown), a) for a in AT)) - toys.log_mixture)


def test_weights_add_up_to_the_number_of_toys(alone, systematic):
    for toys in (alone, systematic):
        w = weights(toys)
        effective = w.sum() ** 2 / (w**2).sum()
        assert effective > 0.04 * w.size
        assert abs(w.mean() - 1.0) < 4.0 / np.sqrt(effective)
    # Systematic toys weighed with the fitted likelihood would not: the control.
    wrong = weights(replace(systematic, weighing=None))
    assert abs(wrong.mean() - 1.0) > 0.3 or wrong.sum() ** 2 / (wrong**2).sum() < 0.5 * effective


def test_statistics_at_the_truth_are_nearly_chi_square(alone, systematic):
    for toys in (alone, systematic):
        heights = PLANE.at(toys.coefficients, *(np.full(len(toys.coefficients), a) for a in AT))
        w, statistic = weights(toys), 2.0 * (toys.highest - heights)
        assert np.all(statistic > -1e-6)
        # Two parameters; the octants, hardly told apart, add to the highest maximum, and systematics are no Gaussians.
        assert 1.5 < np.average(statistic, weights=w) < 2.8


def test_toys_of_a_single_point_have_weight_one(world):
    toys = statistical_toys(world, tuple(np.array([a]) for a in AT), 50, np.random.default_rng(9))
    assert len(toys.coefficients) == 50 and toys.weighing is None
    np.testing.assert_allclose(weights(toys), 1.0, rtol=1e-9)


def test_toys_depend_on_their_generator_alone(world, found, at):
    (sin2, dm31), told = points_of(world, *found, at), []
    points = sin2[:20], dm31[:20]
    made = [
        systematic_toys(world, found[0], points, 4, 40, np.random.default_rng(s), lambda *what: told.append(what))
        for s in (1, 1, 2)
    ]
    assert made[0].coefficients.shape == made[0].weighing.shape == (40, PLANE.n_sin2, PLANE.n_dm31)
    np.testing.assert_array_equal(made[0].coefficients, made[1].coefficients)
    assert not np.allclose(made[0].coefficients, made[2].coefficients)
    assert [t[:2] for t in told[:4]] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    with pytest.raises(InputError, match="systematic toys: 16 are too few for 20 points"):
        systematic_toys(world, found[0], points, 4, 16, np.random.default_rng(1))


# Levels


def test_levels_of_the_truth_are_even_with_systematics_and_not_without(problem):
    """Pseudo-experiments drawn apart from the toys, at the truth, each with a flux and near data of its own."""
    world = small_world(problem, 0.2)
    at, rng = world.far.fluxes.at(*AT), np.random.default_rng(10)
    marginal, table = systematic_marginal(world, world.near_shares(NONE, rng), at)
    points = points_of(world, marginal, table, at)
    heights = []
    for _ in range(250):
        amplitudes = rng.standard_normal(2)
        content = central_contents(world, world.near_shares(amplitudes, rng)[None])[0]
        rates = np.maximum(world.far.fluxes.mixed[0] @ content, 1e-30)
        density = rates / rates.sum(axis=1, keepdims=True)
        counts = world.far_counts(amplitudes, at, rng)
        heights.append([marginal.log_likelihood(counts, np.log(density), density), counts @ np.log(density).T])
    surfaces = PLANE.coefficients(np.stack(heights))
    toys = (
        systematic_toys(world, marginal, points, 300, 3000, np.random.default_rng(11)),
        statistical_toys(world, points, 3000, np.random.default_rng(11)),
    )
    right, wrong = (
        ratio_levels(hypotheses(t, *AT), PLANE, own, octant_optima(own, PLANE).best.loglike)["plane_sin2"]
        for t, own in zip(toys, np.moveaxis(surfaces, 1, 0), strict=True)
    )
    assert kstest(right, "uniform").pvalue > 1e-3
    assert abs(np.mean(right < 0.6827) - 0.6827) < 0.09
    assert kstest(wrong, "uniform").pvalue < 1e-6 and np.mean(wrong < 0.6827) < 0.58


def test_truth_statistics_of_the_marginal_grow_less_with_the_flux(world, found, at):
    """A far sample in a flux of two standard deviations: the plain likelihood is further from the truth than the marginal."""
    marginal, _ = found
    amplitudes = np.array([2.0, -1.0])
    content = central_contents(world, world.near_shares(amplitudes, np.random.default_rng(12))[None])[0]
    own = log_densities(world.far.fluxes.mixed, content, NONE).astype(float)
    counts = world.expected_far(amplitudes, at)
    hypothesis = {"plane_sin2": tuple(np.array([a]) for a in AT)}
    statistics = []
    for height in (counts @ own.T, marginal.log_likelihood(counts, own, np.exp(own))):
        surface = PLANE.coefficients(height)[None]
        highest = octant_optima(surface, PLANE).best.loglike
        statistics.append(float(truth_statistics(PLANE, surface, highest, hypothesis)["plane_sin2"][0]))
    assert statistics[0] > 2.0 * statistics[1] >= 0.0

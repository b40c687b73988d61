"""Pseudo-experiments: weights of the mixture, distributions against toys thrown at the point itself, streams, counts."""

import numpy as np
import pytest
from scipy.special import logsumexp
from toy_far import TRUTH, binned_model

from nuinfer.errors import InputError
from nuinfer.oscillation.likelihood import FarModel, densities, log_table
from nuinfer.oscillation.optimum import octant_optima
from nuinfer.oscillation.plane import FitRange, Plane
from nuinfer.oscillation.toys import REACH, Toys, _multinomial, mixture_points, throw_toys, toys_from
from nuinfer.seeds import stream

RANGE = FitRange((0.3, 0.7), (2.3e-3, 2.75e-3))
PLANE = Plane.over(RANGE)
EVENTS = 1500
AT = TRUTH["sin2_theta23"], TRUTH["dm31_ev2"]
TAIL = 9.0
"""Of a statistic of two parameters: one toy in ninety exceeds it."""


@pytest.fixture(scope="module")
def bins() -> FarModel:
    return binned_model()


@pytest.fixture(scope="module")
def surface(bins: FarModel) -> np.ndarray:
    """The expected log-likelihood of a sample at the truth."""
    return PLANE.coefficients(log_table(bins, PLANE) @ (EVENTS * densities(bins, *map(np.asarray, AT))))


@pytest.fixture(scope="module")
def points(surface: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A coarse mixture: every eighth point of the library's."""
    return tuple(p[::8] for p in mixture_points(surface, PLANE))


@pytest.fixture(scope="module")
def toys(bins: FarModel, points: tuple[np.ndarray, np.ndarray]) -> Toys:
    return throw_toys(bins, PLANE, points, 4000, EVENTS, 1, ("mixture",))


@pytest.fixture(scope="module")
def direct(bins: FarModel) -> Toys:
    return throw_toys(bins, PLANE, (np.array(AT[:1]), np.array(AT[1:])), 4000, EVENTS, 1, ("direct",))


def heights(toys: Toys, sin2: float, dm31: float) -> np.ndarray:
    return toys.plane.at(toys.coefficients, np.full(len(toys.coefficients), sin2), np.full(len(toys.coefficients), dm31))


def statistic(toys: Toys, sin2: float = AT[0], dm31: float = AT[1]) -> np.ndarray:
    return 2.0 * (toys.highest - heights(toys, sin2, dm31))


def weights(toys: Toys, sin2: float = AT[0], dm31: float = AT[1]) -> np.ndarray:
    return np.exp(heights(toys, sin2, dm31) - toys.log_mixture)


def test_mixture_covers_what_is_within_reach(surface: np.ndarray) -> None:
    sin2, dm31 = mixture_points(surface, PLANE)
    grid = np.meshgrid(np.linspace(*RANGE.sin2_theta23, 80), np.linspace(*RANGE.dm31_ev2, 80), indexing="ij")
    heights_there = PLANE.on_grid(surface, grid[0][:, 0], grid[1][0])
    depth = 2.0 * (heights_there.max() - heights_there)
    assert 100 < sin2.size <= 400
    assert np.all(2.0 * (heights_there.max() - PLANE.at(surface, sin2, dm31)) < REACH + 0.05)
    inside = depth < REACH
    assert sin2.min() == pytest.approx(grid[0][inside].min(), abs=0.01)
    assert sin2.max() == pytest.approx(grid[0][inside].max(), abs=0.01)
    assert dm31.min() == pytest.approx(grid[1][inside].min(), abs=1e-5)
    assert dm31.max() == pytest.approx(grid[1][inside].max(), abs=1e-5)
    # Both octants have about as many, and the truth lies among them.
    assert 0.3 < np.mean(sin2 > 0.5) < 0.7
    assert np.min(np.hypot((sin2 - AT[0]) / 0.04, (dm31 - AT[1]) / 4e-5)) < 1.0


def test_weights_are_one_on_average_within_the_mixture(toys: Toys, points: tuple[np.ndarray, np.ndarray]) -> None:
    n = len(toys.coefficients)
    for sin2, dm31 in [AT, *zip(points[0][::6], points[1][::6], strict=True)]:
        w = weights(toys, sin2, dm31)
        assert abs(w.mean() - 1.0) < 4.0 * w.std() / np.sqrt(n)
        assert w.sum() ** 2 / (w @ w) > 100
    # Far from the mixture hardly a toy has weight, and the effective number says so.
    w = weights(toys, AT[0], 2.32e-3)
    assert w.sum() ** 2 / (w @ w) < 40


def test_the_mixture_is_the_mean_of_its_points_likelihoods(toys: Toys, points: tuple[np.ndarray, np.ndarray]) -> None:
    """The slow twin, toy by toy and point by point; constants that toys leave out do not matter."""
    for i in (0, 17, 3999 % len(toys.coefficients)):
        each = [toys.plane.at(toys.coefficients[i], np.array([s]), np.array([d]))[0] for s, d in zip(*points, strict=True)]
        assert toys.log_mixture[i] == pytest.approx(logsumexp(each) - np.log(len(each)), abs=1e-9)


def distribution_distance(values: np.ndarray, w: np.ndarray, other: np.ndarray) -> float:
    """Return the largest distance of two cumulative distributions, of weighted and of plain values, in standard errors."""
    order = np.argsort(values)
    grid = np.quantile(other, np.linspace(0.02, 0.98, 40))
    below = np.concatenate([[0.0], np.cumsum(w[order])])[np.searchsorted(values[order], grid)] / w.sum()
    plain = np.mean(other[:, None] < grid, axis=0)
    effective = w.sum() ** 2 / (w @ w)
    return float(np.max(np.abs(below - plain)) / np.sqrt(0.25 / effective + 0.25 / other.size))


def test_reweighted_toys_are_those_thrown_at_the_point(toys: Toys, direct: Toys) -> None:
    other = statistic(direct)
    assert distribution_distance(statistic(toys), weights(toys), other) < 4.0
    # Without weights toys from afar have far too large a statistic.
    assert distribution_distance(statistic(toys), np.ones(len(toys.coefficients)), other) > 20.0
    # And the weights of another point give another distribution.
    wrong = weights(toys, AT[0], AT[1] + 5e-5)
    assert distribution_distance(statistic(toys), wrong, other) > 5.0


def tail(toys: Toys, w: np.ndarray) -> tuple[float, float]:
    """Return the share of toys beyond :data:`TAIL` and its standard error."""
    beyond = statistic(toys) > TAIL
    share = w[beyond].sum() / w.sum()
    return float(share), float(np.sqrt(np.sum((w * (beyond - share)) ** 2)) / w.sum())


def test_the_tail_is_right_and_better_known_than_from_direct_toys(toys: Toys, direct: Toys) -> None:
    share, error = tail(toys, weights(toys))
    plain, plain_error = tail(direct, np.ones(len(direct.coefficients)))
    assert 0.002 < plain < 0.05
    assert abs(share - plain) < 3.5 * np.hypot(error, plain_error)
    assert error < 0.6 * plain_error
    unweighted, _ = tail(toys, np.ones(len(toys.coefficients)))
    assert abs(unweighted - plain) > 10.0 * np.hypot(error, plain_error)


def test_toys_depend_on_seed_key_and_number_alone(bins: FarModel) -> None:
    sin2, dm31 = np.array([0.45, 0.5, 0.56]), np.array([2.45e-3, 2.5e-3, 2.55e-3])
    found = throw_toys(bins, PLANE, (sin2, dm31), 30, 200, 4, ("a",))
    fewer = throw_toys(bins, PLANE, (sin2[:2], dm31[:2]), 20, 200, 4, ("a",))
    np.testing.assert_allclose(found.coefficients[:20], fewer.coefficients, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.highest[:20], fewer.highest, rtol=1e-12)
    more = throw_toys(bins, PLANE, (sin2[:1], dm31[:1]), 15, 200, 4, ("a",))
    np.testing.assert_allclose(more.coefficients[:10], found.coefficients[:10], rtol=1e-12, atol=1e-12)
    for seed, key in ((5, ("a",)), (4, ("b",))):
        other = throw_toys(bins, PLANE, (sin2, dm31), 30, 200, seed, key)
        assert not np.any(np.isclose(other.highest, found.highest, rtol=1e-9))


def test_a_toys_likelihood_is_that_of_its_counts(bins: FarModel) -> None:
    """Thrown again from the same stream, bin by bin; also its optima are those of its coefficients."""
    at = np.array([0.45]), np.array([2.45e-3])
    found = throw_toys(bins, PLANE, at, 3, 200, 4, ("a",))
    counts = _multinomial(densities(bins, 0.45, np.asarray(2.45e-3)), 3, 200, stream(4, "toys", "a", 0))
    one, other = (densities(bins, s, np.asarray(2.5e-3)) for s in (0.4, 0.6))
    for i in range(3):
        slow = sum(n * np.log(a / b) for n, a, b in zip(counts[i], one, other, strict=True) if n)
        fast = heights(found, 0.4, 2.5e-3)[i] - heights(found, 0.6, 2.5e-3)[i]
        assert fast == pytest.approx(slow, abs=1e-6)
    np.testing.assert_array_equal(found.highest, octant_optima(found.coefficients, PLANE).best.loglike)


def test_counts_are_multinomial(rng: np.random.Generator) -> None:
    share = np.array([0.5, 0.0, 0.2, 0.05, 0.25])
    n, events = 20_000, 40
    counts = _multinomial(3.0 * share, n, events, rng)
    assert counts.shape == (n, 5) and np.all(counts.sum(axis=1) == events) and not counts[:, 1].any()
    covariance = events * (np.diag(share) - np.outer(share, share))
    error = np.sqrt(np.outer(covariance.diagonal(), covariance.diagonal()) / n)
    assert np.all(np.abs(counts.mean(axis=0) - events * share) <= 4.5 * np.sqrt(covariance.diagonal() / n))
    assert np.all(np.abs(np.cov(counts.T) - covariance) <= 4.5 * np.sqrt(2.0) * error)
    # Independent Poisson counts of the same means are told apart.
    poisson = np.cov(rng.poisson(events * share, (n, 5)).T)
    assert np.any(np.abs(poisson - covariance) > 10.0 * np.sqrt(2.0) * error)


def test_too_few_toys_are_refused_and_progress_ends(bins: FarModel) -> None:
    points = np.array([0.45, 0.5, 0.55]), np.full(3, 2.5e-3)
    with pytest.raises(InputError, match="toys: 2 are too few for 3 points of the plane; give at least one each"):
        throw_toys(bins, PLANE, points, 2, 10, 1)
    seen = []
    assert len(throw_toys(bins, PLANE, points, 5, 10, 1, progress=lambda *a: seen.append(a)).highest) == 3
    assert seen == [(i, 3, "points of the mixture") for i in (1, 2, 3)]


def test_toys_from_likelihoods_are_those_thrown(toys: Toys, points: tuple[np.ndarray, np.ndarray]) -> None:
    found = toys_from(PLANE, toys.coefficients, points)
    assert found.weighing is None
    np.testing.assert_allclose(found.log_mixture, toys.log_mixture, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.highest, toys.highest, rtol=0, atol=1e-9)
    # Another model's likelihoods to take weights from leave the optima alone; a constant a toy is the mixture's, too.
    constant = np.zeros((PLANE.n_sin2, PLANE.n_dm31))
    constant[0, 0] = 3.0
    other = toys_from(PLANE, 0.5 * toys.coefficients, points, toys.coefficients + constant)
    np.testing.assert_allclose(other.log_mixture, toys.log_mixture + 3.0, rtol=0, atol=1e-9)
    np.testing.assert_allclose(other.highest, 0.5 * toys.highest, rtol=0, atol=1e-9)


def test_likelihoods_to_weigh_by_are_of_every_toy(toys: Toys, points: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(InputError, match=r"toys: weighing has shape \(7, 28, 16\); give one a toy, as coefficients"):
        toys_from(PLANE, toys.coefficients, points, toys.coefficients[:7])

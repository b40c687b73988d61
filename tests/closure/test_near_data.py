"""Near-detector data: shares, the moments of multinomial draws, and what is refused."""

import numpy as np
import pytest

from nuinfer.closure.near_data import NearData, NearProblem, near_data, shares
from nuinfer.closure.smearing import smeared, smearing_matrix
from nuinfer.errors import InputError

SHAPE = (3, 2)
COUNTS = np.array([5.0, 1.0, 0.0, 2.0, 8.0, 4.0])


def test_exact_data_are_the_expectation(problem) -> None:
    data = near_data(COUNTS, None, SHAPE, None)
    assert np.allclose(data.share, COUNTS / 20.0, rtol=1e-14)
    assert data.n_events is None
    counts = problem.flux @ problem.truth
    matrix = smearing_matrix(problem.grid, 0.1)
    expected = smeared(counts, matrix, problem.grid.shape)
    assert np.allclose(near_data(counts, matrix, problem.grid.shape, None).share, expected / expected.sum(), rtol=1e-12)


def test_moments_of_draws(rng: np.random.Generator) -> None:
    n, draws = 500, 4000
    p = COUNTS / COUNTS.sum()
    found = np.stack([near_data(COUNTS, None, SHAPE, n, rng).share for _ in range(draws)]) * n
    assert np.allclose(found.sum(axis=1), n)
    assert np.allclose(found, np.rint(found), atol=1e-9)
    covariance = n * (np.diag(p) - np.outer(p, p))
    spread = np.sqrt(np.diag(covariance))
    assert np.all(np.abs(found.mean(axis=0) - n * p) <= 4.5 * spread / np.sqrt(draws))
    # The covariance of a sample of Gaussians scatters by sqrt((c_ij^2 + c_ii c_jj) / draws).
    scatter = np.sqrt((covariance**2 + np.outer(spread, spread) ** 2) / draws)
    difference = np.abs(np.cov(found.T) - covariance)
    assert np.all(difference <= 5.0 * scatter + 1e-12)
    independent = np.diag(n * p)
    assert np.any(np.abs(np.cov(found.T) - independent) > 8.0 * scatter)


def test_noise_is_the_mean_square_of_drawn_densities(rng: np.random.Generator) -> None:
    """Over many draws; the estimate of one draw scatters around it.  Counting one event fewer of four is the control."""
    n, draws = 400, 4000
    expected = COUNTS / COUNTS.sum()
    found = [near_data(COUNTS, None, SHAPE, n, rng) for _ in range(draws)]
    density = COUNTS.size * np.stack([data.share for data in found])
    squares = np.mean((density - COUNTS.size * expected) ** 2, axis=1)
    error = squares.std() / np.sqrt(draws)
    exact = near_data(COUNTS, None, SHAPE, None)
    assert exact.noise == 0.0
    noise = NearData(exact.share, n).noise
    assert abs(squares.mean() - noise) < 4.0 * error
    assert abs(squares.mean() - NearData(exact.share, 0.75 * n).noise) > 12.0 * error
    assert np.mean([data.noise for data in found]) == pytest.approx(noise, rel=0.01)


def test_a_seed_gives_its_draw() -> None:
    first, again, other = (near_data(COUNTS, None, SHAPE, 1000, np.random.default_rng(s)) for s in (3, 3, 4))
    assert np.array_equal(first.share, again.share)
    assert not np.array_equal(first.share, other.share)
    assert first.n_events == 1000.0


def test_a_draw_of_many_events_is_close_to_the_expectation(rng: np.random.Generator) -> None:
    drawn = near_data(COUNTS, None, SHAPE, 30_000_000, rng)
    assert np.max(np.abs(drawn.share - COUNTS / 20.0)) < 5e-4


def test_shares() -> None:
    assert np.array_equal(shares(np.array([[1.0, 3.0], [2.0, 2.0]])), [[0.25, 0.75], [0.5, 0.5]])
    for counts in ([0.0, 0.0], [np.nan, 1.0], [-2.0, 1.0]):
        with pytest.raises(InputError, match="sum to zero or less"):
            shares(np.array(counts))


def test_negative_expectations_are_refused_and_rounding_is_not() -> None:
    with pytest.raises(InputError, match="negative"):
        near_data(COUNTS - [0, 0, 0.01, 0, 0, 0], None, SHAPE, None)
    data = near_data(COUNTS - [0, 0, 1e-12, 0, 0, 0], None, SHAPE, None)
    assert data.share[2] == 0.0
    assert data.share.sum() == pytest.approx(1.0, rel=1e-14)


@pytest.mark.parametrize(("n_events", "with_rng"), [(0, True), (-5, True), (10, False)])
def test_draws_need_events_and_a_generator(n_events: int, with_rng: bool, rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match="a generator and at least one event"):
        near_data(COUNTS, None, SHAPE, n_events, rng if with_rng else None)


def test_near_problem(problem) -> None:
    data = near_data(problem.flux @ problem.truth, None, problem.grid.shape, None)
    near = NearProblem(problem.operator, problem.flux, None, data)
    assert np.array_equal(near.matrix().toarray(), problem.operator.matrix(problem.flux).toarray())
    with pytest.raises(InputError, match="6 bins, the operator has 64"):
        NearProblem(problem.operator, problem.flux, None, NearData(COUNTS / 20.0, None))

"""What a learner returns: counts by knot, draws and members."""

import numpy as np
import pytest

from nuinfer.closure.learned import Learned
from nuinfer.errors import InputError


@pytest.fixture
def members(problem, rng) -> Learned:
    return Learned(w=1.0 + rng.random((3, 3, problem.mesh.n_nodes)))


def test_counts_by_knot_of_members_and_of_their_mean(problem, members):
    by_member = [members.counts_by_knot(problem.operator, i) for i in range(3)]
    for found, w in zip(by_member, members.w, strict=True):
        assert np.array_equal(found, problem.operator.counts_by_knot(w))
    mean = members.counts_by_knot(problem.operator)
    np.testing.assert_allclose(mean, np.mean(by_member, axis=0), rtol=1e-9, atol=1e-15)
    assert not np.allclose(mean, by_member[0], rtol=1e-3)


def test_draws_without_a_posterior_are_the_members(problem, members, rng):
    draws = members.draws(problem.operator, problem.flux, 50, rng)
    assert draws.shape == (3, problem.grid.n_bins)
    for found, w in zip(draws, members.w, strict=True):
        np.testing.assert_allclose(found, problem.flux @ problem.operator.counts_by_knot(w), rtol=1e-5, atol=1e-12)


def test_moments_of_posterior_draws(problem, rng):
    n = problem.mesh.n_nodes
    learned = Learned(w=np.ones((1, 3, n)), factor=0.1 * rng.normal(size=(4, 3, n)))
    draws = learned.draws(problem.operator, problem.flux, 5000, rng)
    assert draws.shape == (5000, problem.grid.n_bins)
    mean = problem.flux @ learned.counts_by_knot(problem.operator)
    steps = np.stack([problem.flux @ problem.operator.counts_by_knot(f) for f in learned.factor])
    spread = np.sqrt((steps**2).sum(axis=0))
    assert np.all(np.abs(draws.mean(axis=0) - mean) <= 4.5 * spread / np.sqrt(5000) + 1e-5 * mean.max())
    scatter = np.outer(spread, spread) / np.sqrt(5000)
    assert np.all(np.abs(np.cov(draws.T) - steps.T @ steps) <= 5 * np.sqrt(2) * scatter + 1e-12)
    again = [learned.draws(problem.operator, problem.flux, 3, np.random.default_rng(s)) for s in (1, 1, 2)]
    assert np.array_equal(again[0], again[1]) and not np.array_equal(again[0], again[2])


def test_counts_need_no_operator(problem, rng):
    learned = Learned(counts=problem.truth)
    assert learned.counts_by_knot(problem.operator) is problem.truth
    draws = learned.draws(problem.operator, problem.flux, 7, rng)
    assert draws.shape == (1, problem.grid.n_bins) and np.array_equal(draws[0], problem.flux @ problem.truth)


@pytest.mark.parametrize("both", [True, False])
def test_either_functions_or_counts(both, problem):
    given = {"w": np.ones((1, 3, 4)), "counts": problem.truth} if both else {}
    with pytest.raises(InputError, match="either structure functions or counts"):
        Learned(**given)

"""Importance sampling: evidence, moments and quantiles against closed forms and loops."""

import numpy as np
import pytest
from scipy import stats

from nuinfer.calibration.importance import (
    efficiency_table,
    importance_weights,
    resampled_indices,
    weighted_moments,
    weighted_quantiles,
)
from nuinfer.errors import InputError

LOG_Z = 3.7


def gaussian_case(n_obs, n_samples, seed, shift=0.5, width=1.3):
    """Samples of a shifted, wider normal proposal for a unit normal target of evidence exp(LOG_Z)."""
    rng = np.random.default_rng(seed)
    samples = shift + width * rng.standard_normal((n_obs, n_samples, 1))
    log_target = LOG_Z + stats.norm.logpdf(samples[..., 0])
    return samples, log_target, stats.norm.logpdf(samples[..., 0], shift, width)


def test_target_moments_and_evidence_are_recovered():
    samples, log_target, log_proposal = gaussian_case(200, 2000, 20)
    result = importance_weights(log_target, log_proposal)
    pull = (result.log_evidence - LOG_Z) / result.log_evidence_error
    assert abs(pull.mean()) < 4 / np.sqrt(200) and abs(pull.std() - 1) < 0.2
    mean, sd = weighted_moments(samples, result.weights)
    assert abs(mean.mean()) < 0.01 and abs(sd.mean() - 1) < 0.01
    quantiles = weighted_quantiles(samples, result.weights, [0.16, 0.5, 0.84])
    assert np.allclose(quantiles.mean(axis=0)[:, 0], stats.norm.ppf([0.16, 0.5, 0.84]), atol=0.01)
    assert np.abs(samples.mean() - 0.5) < 0.01  # negative control: unweighted, the answer is the proposal's


def test_efficiency_matches_its_integral():
    _, log_target, log_proposal = gaussian_case(20, 20000, 21)
    grid = np.linspace(-12, 12, 40001)
    second = np.sum(stats.norm.pdf(grid) ** 2 / stats.norm.pdf(grid, 0.5, 1.3)) * (grid[1] - grid[0])
    efficiency = importance_weights(log_target, log_proposal).efficiency
    table = efficiency_table(efficiency)
    assert table["mean"] == pytest.approx(1 / second, rel=0.02) and table["median"] == pytest.approx(1 / second, rel=0.02)
    assert table["worst"] == efficiency[table["worst_observation"]] <= table["q05"] <= table["median"]


def test_a_perfect_proposal_has_efficiency_one_and_no_error():
    rng = np.random.default_rng(22)
    log_q = rng.normal(size=(3, 50))
    result = importance_weights(log_q + 2.0, log_q)
    assert (
        np.allclose(result.efficiency, 1) and np.allclose(result.log_evidence, 2) and np.all(result.log_evidence_error < 1e-6)
    )


def test_vectorised_sums_match_loops():
    rng = np.random.default_rng(23)
    samples, weights = rng.random((5, 40, 3)), rng.dirichlet(np.ones(40), size=5)
    mean, sd = weighted_moments(samples, weights)
    quantiles = weighted_quantiles(samples, weights, [0.01, 0.16, 0.5, 0.84, 0.999])
    for o in range(5):
        for j in range(3):
            expected = sum(w * s for w, s in zip(weights[o], samples[o, :, j], strict=True))
            assert mean[o, j] == pytest.approx(expected)
            square = sum(w * (s - expected) ** 2 for w, s in zip(weights[o], samples[o, :, j], strict=True))
            assert sd[o, j] == pytest.approx(np.sqrt(square))
            order = np.argsort(samples[o, :, j])
            position = np.cumsum(weights[o, order]) - 0.5 * weights[o, order]
            slow = np.interp([0.01, 0.16, 0.5, 0.84, 0.999], position, samples[o, order, j])
            assert np.allclose(quantiles[o, :, j], slow)


def test_samples_outside_the_target_have_no_weight():
    log_target = np.array([[0.0, -np.inf, 0.0]])
    result = importance_weights(log_target, np.zeros((1, 3)))
    assert np.allclose(result.weights, [[0.5, 0, 0.5]]) and result.log_evidence[0] == pytest.approx(np.log(2 / 3))


def test_resampling_follows_the_weights():
    weights = np.array([0.5, 0.0, 0.3, 0.2])
    index = resampled_indices(weights, 1000, np.random.default_rng(24))
    assert np.all(np.abs(np.bincount(index, minlength=4) - 1000 * weights) <= 1)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="the first is number 1"):
        importance_weights(np.array([[0.0, 0.0], [-np.inf, -np.inf]]), np.zeros((2, 2)))
    with pytest.raises(InputError, match="need \\(n_obs, n_samples\\) both"):
        importance_weights(np.zeros((2, 3)), np.zeros((2, 2)))

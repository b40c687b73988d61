"""Ranks, their fractions and their tests of uniformity."""

import numpy as np
import pytest

from nuinfer.calibration.ranks import chi2_p_values, ks_p_values, marginal_ranks, rank_fractions
from nuinfer.errors import InputError


def slow_marginal_ranks(samples, truth):
    ranks = np.zeros(truth.shape, dtype=int)
    for o in range(samples.shape[0]):
        for j in range(samples.shape[2]):
            for value in samples[o, :, j]:
                ranks[o, j] += value < truth[o, j]
    return ranks


def test_marginal_ranks_match_the_loop():
    rng = np.random.default_rng(1)
    samples, truth = rng.random((20, 13, 3)), rng.random((20, 3))
    assert np.array_equal(marginal_ranks(samples, truth), slow_marginal_ranks(samples, truth))


def test_randomised_fractions_are_uniform_even_with_few_samples():
    rng = np.random.default_rng(2)
    n_samples = 4  # five rank values: the bare ranks are anything but continuous
    ranks = rng.integers(0, n_samples + 1, size=(5000, 3))
    assert np.all(ks_p_values(rank_fractions(ranks, n_samples, rng)) > 0.01)
    assert np.all(ks_p_values(rank_fractions(ranks, n_samples)) < 1e-6)


def test_fractions_keep_to_their_rank():
    ranks = np.arange(8)
    for rng in (None, np.random.default_rng(3)):
        assert np.array_equal(np.floor(rank_fractions(ranks, 7, rng) * 8).astype(int), ranks)


def test_p_values_are_uniform_under_calibration():
    rng = np.random.default_rng(4)
    ranks = rng.integers(0, 101, size=(300, 400))
    for p in (ks_p_values(rank_fractions(ranks, 100, rng)), chi2_p_values(ranks, 100, 20)):
        assert abs(np.mean(p < 0.05) - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 400)
        assert abs(np.mean(p < 0.5) - 0.5) < 4 * np.sqrt(0.25 / 400)


def test_chi2_expects_the_exact_share_of_uneven_bins():
    n_samples, n_bins = 24, 10  # 25 rank values do not divide into 10 bins
    ranks = np.tile(np.arange(n_samples + 1), 8)[:, None]
    assert chi2_p_values(ranks, n_samples, n_bins)[0] > 0.999


@pytest.mark.parametrize("shape", ["cup", "shift"])
def test_non_uniform_ranks_are_caught(shape):
    rng = np.random.default_rng(5)
    u = rng.random((3000, 1))
    u = u**1.15 if shape == "shift" else rng.beta(0.8, 0.8, size=u.shape)
    ranks = np.minimum((u * 1001).astype(int), 1000)
    assert ks_p_values(rank_fractions(ranks, 1000, rng))[0] < 0.01
    assert chi2_p_values(ranks, 1000)[0] < 0.01


def test_bad_input_is_named():
    samples, truth = np.zeros((3, 5, 2)), np.zeros((3, 2))
    with pytest.raises(InputError, match="need \\(n_obs, n_samples, d\\)"):
        marginal_ranks(samples, truth[:2])
    broken = samples.copy()
    broken[1, 2, 0] = np.nan
    with pytest.raises(InputError, match="1 observations hold NaN or infinity, the first is number 1"):
        marginal_ranks(broken, truth)
    with pytest.raises(InputError, match="do not fit 5 samples"):
        rank_fractions(np.array([6]), 5)
    with pytest.raises(InputError, match="fewer bins"):
        chi2_p_values(np.zeros((20, 1), dtype=int), 100, 20)

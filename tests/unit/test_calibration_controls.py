"""A Gaussian toy with a known posterior: exact it passes every check, spoilt it is caught by the right ones."""

import json

import numpy as np
import pytest
from scipy.special import ndtr

from nuinfer.calibration.calibrate import DEFAULT_LEVELS, calibrate
from nuinfer.errors import InputError

NAMES = ("a", "b", "c")
N_OBS, N_SAMPLES = 3000, 200
NOISE = 0.2


def toy_posterior(seed, width=1.0, bias_sd=0.0):
    """Draw truths of a unit normal prior, one noisy observation each, and samples of the exact or a spoilt posterior.

    The observation mixes neighbouring parameters, so the posterior is correlated.  Everything is returned in the unit
    cube, ``u = Phi(theta)``, with log densities there: samples, truth, log_q_samples, log_q_truth, acceptance.
    """
    rng = np.random.default_rng(seed)
    d = len(NAMES)
    mixing = np.eye(d) + 0.5 * np.eye(d, k=1)
    covariance = np.linalg.inv(np.eye(d) + mixing.T @ mixing / NOISE**2)
    root = np.linalg.cholesky(covariance)
    truth = rng.standard_normal((N_OBS, d))
    x = truth @ mixing.T + NOISE * rng.standard_normal((N_OBS, d))
    centre = x @ mixing @ covariance / NOISE**2 + bias_sd * np.sqrt(np.diag(covariance))
    z = rng.standard_normal((N_OBS, N_SAMPLES, d))
    samples = centre[:, None, :] + width * z @ root.T

    def log_q(theta, whitened):
        return -0.5 * np.sum(whitened**2, axis=-1) + 0.5 * np.sum(theta**2, axis=-1)

    z_truth = np.linalg.solve(root, (truth - centre).T).T / width
    return ndtr(samples), ndtr(truth), log_q(samples, z), log_q(truth, z_truth), np.ones(N_OBS)


def run(seed, **spoil):
    return calibrate(*toy_posterior(seed, **spoil), DEFAULT_LEVELS, np.random.default_rng(seed + 1), NAMES)


def test_the_exact_posterior_passes_every_check():
    arrays, metrics = run(10)
    for name in NAMES:
        entry = metrics["parameters"][name]
        assert entry["sbc_ks_p"] > 0.01 and entry["sbc_chi2_p"] > 0.01
        assert entry["coverage"]["inside_simultaneous_band"] and entry["rank_ecdf"]["inside_simultaneous_band"]
        assert abs(entry["coverage"]["max_deviation"]) < 0.03
        assert abs(entry["bias"]) < 4 * entry["bias_error"]
        assert abs(entry["pull_width"] - 1) < 4 * entry["pull_width_error"]
    for check in ("joint", "tarp"):
        assert metrics[check]["ks_p"] > 0.01 and metrics[check]["coverage"]["inside_simultaneous_band"]
        assert abs(metrics[check]["coverage_1sigma"] - 0.6827) < 0.03
    low, high = arrays["tarp_bootstrap"]
    assert np.mean((low <= DEFAULT_LEVELS) & (high >= DEFAULT_LEVELS)) > 0.8


@pytest.mark.parametrize("width, sign", [(0.7, -1), (1.4, 1)])
def test_wrong_widths_are_caught(width, sign):
    _, metrics = run(11, width=width)
    for name in NAMES:
        entry = metrics["parameters"][name]
        assert entry["sbc_ks_p"] < 0.01 and entry["sbc_chi2_p"] < 0.01
        assert not entry["coverage"]["inside_simultaneous_band"]
        assert sign * entry["coverage"]["max_deviation"] > 0.05
        assert sign * (1 - entry["pull_width"]) > 4 * entry["pull_width_error"]
    for check in ("joint", "tarp"):
        assert metrics[check]["ks_p"] < 0.01 and not metrics[check]["coverage"]["inside_simultaneous_band"]
        assert sign * metrics[check]["coverage"]["max_deviation"] > 0.03
    assert sign * metrics["joint"]["coverage"]["max_deviation"] > 0.1


def test_a_bias_is_caught_by_ranks_and_pulls():
    _, metrics = run(12, bias_sd=0.3)
    for name in NAMES:
        entry = metrics["parameters"][name]
        assert entry["sbc_ks_p"] < 1e-6 and entry["sbc_chi2_p"] < 0.01
        assert not entry["rank_ecdf"]["inside_simultaneous_band"]
        assert entry["rank_ecdf"]["max_deviation"] > 0.05  # samples lie too high, so truths rank low
        assert entry["bias"] > 10 * entry["bias_error"]
        # central coverage sees a bias to second order only: the reason why the ranks' ECDF is looked at as well
        assert abs(entry["coverage"]["max_deviation"]) < 0.05


def test_arrays_and_metrics_are_as_documented():
    arrays, metrics = run(13)
    n, d, levels = N_OBS, len(NAMES), len(DEFAULT_LEVELS)
    shapes = {
        "levels": (levels,), "band_pointwise": (2, levels), "band_simultaneous": (2, levels),
        "coverage_central": (levels, d), "coverage_joint": (levels,), "tarp_coverage": (levels,),
        "tarp_bootstrap": (2, levels), "rank_ecdf": (levels, d), "ranks": (n, d), "rank_fractions": (n, d),
        "joint_level": (n,), "tarp_level": (n,), "mean": (n, d), "sd": (n, d), "q16": (n, d), "q50": (n, d),
        "q84": (n, d), "residual": (n, d), "pull": (n, d), "leakage": (n,),
    }  # fmt: skip
    assert {k: v.shape for k, v in arrays.items()} == shapes
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
    again_arrays, again_metrics = run(13)
    assert again_metrics == metrics and all(np.array_equal(arrays[k], again_arrays[k]) for k in arrays)


def test_bad_input_is_named():
    good = [a[:20] for a in toy_posterior(14)]
    rng = np.random.default_rng(15)
    with pytest.raises(InputError, match="need 3 different ones"):
        calibrate(*good, DEFAULT_LEVELS, rng, ("a", "b"))
    with pytest.raises(InputError, match="do not fit samples"):
        calibrate(*good[:4], np.ones(3), DEFAULT_LEVELS, rng, NAMES)
    with pytest.raises(InputError, match="one share in \\[0, 1\\]"):
        calibrate(*good[:4], np.full(20, 1.5), DEFAULT_LEVELS, rng, NAMES)

"""Central and highest-density coverage and TARP against loops over observations."""

import numpy as np
import pytest

from nuinfer.calibration.bands import simultaneous_band
from nuinfer.calibration.coverage import assess_curve, central_levels, coverage_curve, density_ranks
from nuinfer.calibration.ranks import marginal_ranks, rank_fractions
from nuinfer.calibration.tarp import bootstrap_band, bootstrap_curves, reference_points, tarp_ranks
from nuinfer.errors import InputError

LEVELS = np.linspace(0.05, 0.95, 19)


def slow_central_coverage(samples, truth, levels):
    """Count truths inside quantile intervals, one observation, parameter and level at a time.

    Weibull's quantiles: the k-th of S sorted samples has, on average, a share k / (S + 1) below it.
    """
    n_obs, _, d = samples.shape
    curve = np.zeros((len(levels), d))
    for i, level in enumerate(levels):
        for o in range(n_obs):
            for j in range(d):
                low, high = np.quantile(samples[o, :, j], [0.5 - level / 2, 0.5 + level / 2], method="weibull")
                curve[i, j] += low <= truth[o, j] <= high
    return curve / n_obs


def slow_density_ranks(log_q_samples, log_q_truth):
    return np.array([sum(q > t for q in row) for row, t in zip(log_q_samples, log_q_truth, strict=True)])


def slow_tarp_ranks(samples, truth, references):
    spread = truth.std(axis=0)
    ranks = []
    for o in range(len(truth)):
        reach = np.linalg.norm((truth[o] - references[o]) / spread)
        ranks.append(sum(np.linalg.norm((s - references[o]) / spread) < reach for s in samples[o]))
    return np.array(ranks)


@pytest.fixture
def toy():
    rng = np.random.default_rng(9)
    centre = rng.normal(size=(60, 1, 2))
    return centre + rng.normal(size=(60, 400, 2)), centre[:, 0] + rng.normal(size=(60, 2)), rng


def test_central_coverage_matches_quantile_intervals(toy):
    samples, truth, _ = toy
    levels = central_levels(rank_fractions(marginal_ranks(samples, truth), 400))
    fast, slow = coverage_curve(levels, LEVELS), slow_central_coverage(samples, truth, LEVELS)
    # quantiles interpolate between samples, ranks do not: at most the odd truth lies within that step
    assert np.max(np.abs(fast - slow)) <= 1.01 / 60
    assert np.mean(fast != slow) < 0.1


def test_density_ranks_match_the_loop(toy):
    _, _, rng = toy
    log_q, log_truth = rng.normal(size=(60, 50)), rng.normal(size=60)
    assert np.array_equal(density_ranks(log_q, log_truth), slow_density_ranks(log_q, log_truth))


def test_truth_outside_the_support_is_never_covered():
    log_q = np.zeros((1, 9))
    assert density_ranks(log_q, np.array([-np.inf]))[0] == 9
    assert density_ranks(log_q, np.array([1.0]))[0] == 0


def test_tarp_ranks_match_the_loop_across_chunks(toy, monkeypatch):
    samples, truth, rng = toy
    references = reference_points(truth, rng)
    monkeypatch.setattr("nuinfer.calibration.tarp.CHUNK_VALUES", 7 * 800)
    assert np.array_equal(tarp_ranks(samples, truth, references), slow_tarp_ranks(samples, truth, references))


def test_bootstrap_matches_drawing_observations_anew(toy):
    _, _, rng = toy
    truth_levels = rng.random(80)
    fast = bootstrap_curves(truth_levels, LEVELS, rng, 3000)
    slow = np.stack([coverage_curve(rng.choice(truth_levels, 80), LEVELS) for _ in range(3000)])
    assert np.allclose(fast.mean(axis=0), slow.mean(axis=0), atol=5e-3)
    assert np.allclose(fast.std(axis=0), slow.std(axis=0), atol=3e-3)
    band = bootstrap_band(truth_levels, LEVELS, rng)
    curve = coverage_curve(truth_levels, LEVELS)
    assert np.all((band[0] <= curve) & (curve <= band[1]))


def test_assessment_signs_and_bands():
    band = simultaneous_band(1000, LEVELS)
    good = assess_curve(LEVELS, band)
    assert good["max_deviation"] == 0 and good["inside_simultaneous_band"]
    wide = assess_curve(np.minimum(LEVELS + 0.15, 1.0), band)
    assert wide["max_deviation"] == pytest.approx(0.15)
    assert (wide["inside_simultaneous_band"], wide["inside_10_percent"], wide["inside_20_percent"]) == (
        False,
        False,
        True,
    )
    assert assess_curve(LEVELS - 0.04, band)["max_deviation"] == pytest.approx(-0.04)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="NaN or \\+inf"):
        density_ranks(np.array([[np.nan]]), np.zeros(1))
    with pytest.raises(InputError, match="need \\(n_obs, n_samples\\) and \\(n_obs,\\)"):
        density_ranks(np.zeros((3, 4)), np.zeros(4))
    with pytest.raises(InputError, match="one point per observation"):
        tarp_ranks(np.zeros((3, 4, 2)), np.zeros((3, 2)), np.zeros((2, 2)))

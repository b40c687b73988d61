"""Tables against loops, and the two-sample test against laws that agree and differ."""

import numpy as np
import pytest
from scipy import stats

from nuinfer.calibration.c2st import c2st
from nuinfer.calibration.summary import Moments, accuracy_table, comparison_table, kl_gap, leakage_table, moments, pulls
from nuinfer.errors import InputError


def test_moments_match_loops():
    samples = np.random.default_rng(30).random((4, 50, 2)).astype(np.float32)
    fast = moments(samples)
    for o in range(4):
        for j in range(2):
            row = samples[o, :, j].astype(float)
            assert fast.mean[o, j] == pytest.approx(np.mean(row))
            assert fast.sd[o, j] == pytest.approx(np.std(row, ddof=1))
            for name, q in (("q16", 0.16), ("q50", 0.5), ("q84", 0.84)):
                assert getattr(fast, name)[o, j] == pytest.approx(np.quantile(row, q))


def test_accuracy_of_a_known_case():
    rng = np.random.default_rng(31)
    n, sd = 4000, 0.02
    truth = rng.random((n, 1))
    centre = truth + sd * (0.3 + 1.2 * rng.standard_normal((n, 1)))
    table = accuracy_table(Moments(centre, np.full((n, 1), sd), centre - sd, centre, centre + sd), truth, ("a",))["a"]
    assert abs(table["bias"] - 0.3) < 4 * table["bias_error"] and table["bias_error"] == pytest.approx(
        1.2 / np.sqrt(n), rel=0.1
    )
    assert abs(table["pull_width"] - 1.2) < 4 * table["pull_width_error"]
    assert table["mean_width"] == pytest.approx(2 * sd) and table["mean_sd"] == pytest.approx(sd)
    assert table["contraction"] == pytest.approx(1 - 12 * sd**2)
    assert table["rms_residual"] == pytest.approx(sd * np.hypot(1.2, 0.3), rel=0.05)
    assert table["mean_residual"] == pytest.approx(0.3 * sd, rel=0.3)


def test_the_prior_itself_does_not_contract():
    samples = np.random.default_rng(32).random((300, 500, 1))
    assert abs(accuracy_table(moments(samples), np.full((300, 1), 0.5), ("a",))["a"]["contraction"]) < 0.01


def test_pull_of_a_point_at_the_truth_is_zero():
    point = Moments(*[np.full((1, 1), v) for v in (0.5, 0.0, 0.5, 0.5, 0.5)])
    assert pulls(point, np.array([[0.5]]))[0, 0] == 0


def test_leakage():
    table = leakage_table(np.array([1.0, 0.9, 0.2, 1.0]))
    assert table["mean"] == pytest.approx(0.225) and table["worst"] == pytest.approx(0.8)
    assert table["worst_observation"] == 2
    with pytest.raises(InputError, match="one share in"):
        leakage_table(np.array([1.2]))


def test_comparison_with_the_exact_posterior():
    rng = np.random.default_rng(33)
    exact_mean, exact_sd = rng.random((500, 2)), rng.uniform(0.01, 0.02, (500, 2))
    mean = exact_mean + exact_sd * np.array([0.3, -0.1])
    table = comparison_table(mean, 1.1 * exact_sd, exact_mean, exact_sd, ("a", "b"))
    assert table["a"]["rms_shift"] == pytest.approx(0.3) and table["b"]["mean_shift"] == pytest.approx(-0.1)
    assert table["b"]["median_width_ratio"] == pytest.approx(1.1)
    with pytest.raises(InputError, match="not positive"):
        comparison_table(mean, exact_sd, exact_mean, 0 * exact_sd, ("a", "b"))
    with pytest.raises(InputError, match="disagree"):
        comparison_table(mean, exact_sd, exact_mean, exact_sd, ("a",))


def test_kl_gap_of_two_gaussians():
    rng = np.random.default_rng(34)
    theta = rng.standard_normal(20000)
    shift, width = 0.3, 1.2
    result = kl_gap(stats.norm.logpdf(theta), stats.norm.logpdf(theta, shift, width))
    exact = np.log(width) + (1 + shift**2) / (2 * width**2) - 0.5
    assert abs(result["mean"] - exact) < 4 * result["error"] and result["mean"] > 10 * result["error"]
    same = kl_gap(stats.norm.logpdf(theta), stats.norm.logpdf(theta))
    assert same["mean"] == 0 and same["error"] == 0
    with pytest.raises(InputError, match="finite log densities"):
        kl_gap(np.zeros(3), np.full(3, -np.inf))


@pytest.mark.parametrize("classifier", ["mlp", "boosting"])
def test_c2st_tells_laws_apart_only_where_they_differ(classifier):
    rng = np.random.default_rng(35)
    first, second = rng.standard_normal((2, 1000, 4))
    same = c2st(first, second, rng, classifier)
    assert abs(same.accuracy - 0.5) < 0.04 and same.n_test == 2000
    shifted = c2st(first, second + 0.75, rng, classifier)
    assert shifted.accuracy > 0.7
    # the best classifier's accuracy is known for a shift: Phi(distance / 2), distance 0.75 * sqrt(4)
    assert shifted.accuracy < stats.norm.cdf(0.75) + 4 * shifted.error


def test_c2st_sees_a_correlation_and_repeats():
    rng = np.random.default_rng(36)
    first = rng.standard_normal((800, 2))
    second = rng.standard_normal((1000, 2)) @ np.linalg.cholesky([[1, 0.9], [0.9, 1]]).T
    results = [c2st(first, second, np.random.default_rng(37)) for _ in range(2)]
    assert results[0] == results[1] and results[0].accuracy > 0.65 and results[0].n_test == 1600


def test_c2st_bad_input_is_named():
    rng, x = np.random.default_rng(38), np.zeros((100, 2))
    with pytest.raises(InputError, match="need \\(n, d\\) and \\(m, d\\)"):
        c2st(x, np.zeros((100, 3)), rng)
    with pytest.raises(InputError, match="at least 50"):
        c2st(x[:20], x, rng)
    with pytest.raises(InputError, match="known: mlp, boosting"):
        c2st(x, x, rng, "oracle")

"""Coverage of unions and the fraction they would have to demand: loops, Gaussian universes, the wrong rule, refusals."""

import numpy as np
import pytest
from scipy.special import erf

from nuinfer.errors import InputError
from nuinfer.oscillation.regions import level
from nuinfer.oscillation.union import union_level
from nuinfer.oscillation.union_coverage import (
    binomial_interval,
    calibrated_fraction,
    complement,
    coverage_by_method,
    fraction_curves,
    gaussian_ensemble_coverage,
    gaussian_union_coverage,
    members_inside,
    sigma_coverage,
)

SIGMAS = (1, 2, 3)


def _universes(n: int, members: int, ratio: float, key: int = 0, around_truth: bool = False) -> np.ndarray:
    """Return members' levels: one Gaussian parameter, truth at zero, sigma_stat 1, members' fluxes drawn around the nominal.

    ``around_truth`` leaves out that the truth's flux is itself a draw.
    """
    rng = np.random.default_rng(key)
    statistics, flux = rng.normal(size=(2, n, 1))
    central = statistics if around_truth else statistics - ratio * flux
    return level(np.abs(central + ratio * rng.normal(size=(n, members))))


def _coverages(found: dict) -> list[float]:
    return [found[f"{n}_sigma"]["coverage"] for n in SIGMAS]


def test_coverage_is_counted_and_lies_in_its_interval():
    levels = np.random.default_rng(1).random(300)
    found = sigma_coverage(levels)
    for n in SIGMAS:
        of = found[f"{n}_sigma"]
        assert of["claimed"] == pytest.approx(erf(n / np.sqrt(2.0)))
        assert of["coverage"] == sum(value <= of["claimed"] for value in levels) / 300
        assert of["lower"] <= of["coverage"] <= of["upper"]
    assert coverage_by_method({"union": {"dm31": levels}}) == {"union": {"dm31": found}}


def test_a_region_that_just_touches_the_truth_holds_it():
    assert _coverages(sigma_coverage(np.array([level(1), level(2), level(3)]))) == [1 / 3, 2 / 3, 1.0]


def test_intervals_hold_the_true_share_as_often_as_they_say():
    rng, shares = np.random.default_rng(2), (0.5, 0.68, 0.95, 0.997)
    for share in shares:
        lower, upper = binomial_interval(rng.binomial(300, share, 4000), 300)
        assert np.mean((lower <= share) & (share <= upper)) > 0.6827 - 0.02
    lower, upper = binomial_interval(np.array([0, 150, 300]), 300)
    assert lower[0] == 0.0 and upper[2] == 1.0 and upper[0] == pytest.approx(1.0 - lower[2])
    assert lower[2] == pytest.approx(0.158655 ** (1 / 300), rel=1e-6)
    assert upper[1] - lower[1] == pytest.approx(2.0 * np.sqrt(0.25 / 300), rel=0.08)


def test_curves_are_the_slow_counts():
    levels = _universes(40, 7, 1.0)
    curves, inside = fraction_curves(levels), members_inside(levels)
    for i, n in enumerate(SIGMAS):
        for k in range(8):
            holding = 0
            for universe in levels:
                holding += sum(value <= erf(n / np.sqrt(2.0)) for value in universe) >= k
            assert curves.coverage[i, k] == holding / 40
        assert inside[i, 5] == sum(value <= level(n) for value in levels[5])
    assert np.array_equal(curves.fractions, np.arange(8) / 7) and np.all(curves.coverage[:, 0] == 1.0)
    assert np.all((curves.lower <= curves.coverage) & (curves.coverage <= curves.upper))


def test_the_published_point_of_a_curve_is_the_coverage_of_the_union_itself():
    levels = _universes(500, 25, 1.0)
    curves, union = fraction_curves(levels), sigma_coverage(union_level(levels, axis=1))
    assert np.allclose(25 * curves.published, [4, 1, 1]) and np.allclose(25 * curves.complement, [22, 25, 25])
    at = [curves.coverage[i, round(25 * curves.published[i])] for i in range(3)]
    assert at == _coverages(union)
    assert [calibrated_fraction(levels)[f"{n}_sigma"]["published_coverage"] for n in SIGMAS] == at


def test_the_calibrated_fraction_is_the_largest_that_covers():
    levels = _universes(2000, 25, 1.0)
    found, curves = calibrated_fraction(levels), fraction_curves(levels)
    for i, n in enumerate(SIGMAS):
        of = found[f"{n}_sigma"]
        assert of["coverage"] >= of["claimed"] > curves.coverage[i, of["members"] + 1]
        assert of["fraction"] == of["members"] / 25 and of["members"] >= of["published_members"]
    other = calibrated_fraction(_universes(2000, 25, 1.0, key=5))["1_sigma"]["members"]
    assert abs(other - found["1_sigma"]["members"]) <= 2
    assert calibrated_fraction(np.ones((50, 25)))["1_sigma"]["members"] == 0
    assert calibrated_fraction(np.zeros((50, 25)))["3_sigma"]["members"] == 25


def test_equal_members_cover_as_one_does_whatever_is_demanded():
    levels = np.repeat(np.random.default_rng(6).random((200, 1)), 25, axis=1)
    curves = fraction_curves(levels)
    assert np.all(curves.coverage[:, 1:] == curves.coverage[:, 1:2])
    assert _coverages(complement(levels)) == _coverages(sigma_coverage(levels[:, 0]))


def test_the_complement_undercovers_where_the_union_does_not():
    levels = _universes(2000, 25, 1.0)
    union, wrong = _coverages(sigma_coverage(union_level(levels, axis=1))), _coverages(complement(levels))
    claimed = [level(n) for n in SIGMAS]
    assert all(u > c - 0.01 for u, c in zip(union, claimed, strict=True))
    assert all(w < c - 0.1 for w, c in zip(wrong, claimed, strict=True))
    expected = [gaussian_ensemble_coverage(n, 1.0, 25, least) for n, least in zip(SIGMAS, (22, 25, 25), strict=True)]
    assert wrong == pytest.approx(expected, abs=0.035)


def test_linear_addition_overcovers_by_what_quadrature_would_save():
    assert gaussian_union_coverage(1.0, 1.0) == pytest.approx(0.8427, abs=1e-4)
    assert gaussian_union_coverage(np.array([1.0, 2.0, 3.0]), 0.0) == pytest.approx([level(n) for n in SIGMAS])
    ratios = np.linspace(0.0, 5.0, 101)
    assert ratios[np.argmax(gaussian_union_coverage(2.0, ratios))] == pytest.approx(1.0)
    assert gaussian_union_coverage(2.0, 0.25) == pytest.approx(gaussian_union_coverage(2.0, 4.0))


@pytest.mark.parametrize("ratio", [0.5, 1.0])
def test_many_members_around_the_central_fit_cover_as_linear_addition_says(ratio):
    """The truth's flux is one more draw.  Members around the truth, the negative control, would cover far more often."""
    levels, wrong = (_universes(2500, 800, ratio, around_truth=b) for b in (False, True))
    for n in (1, 2):
        expected = gaussian_union_coverage(n, ratio)
        error = np.sqrt(expected * (1.0 - expected) / 2500)
        measured, around_truth = (_coverages(sigma_coverage(union_level(v, axis=1)))[n - 1] for v in (levels, wrong))
        assert measured == pytest.approx(expected, abs=3.5 * error)
        assert around_truth == pytest.approx(level(n * (1.0 + ratio)), abs=0.01)
        # At two sigma both are close to one.
        assert n > 1 or around_truth > expected + 5.0 * error


@pytest.mark.parametrize(("ratio", "members"), [(0.3, 5), (1.0, 25), (2.5, 25)])
def test_the_integral_over_the_truth_is_what_universes_give(ratio, members):
    levels, n_universes = _universes(20000, members, ratio), 20000
    curves = fraction_curves(levels)
    for i, n in enumerate(SIGMAS):
        for least in (1, 2, members // 2, members):
            expected = gaussian_ensemble_coverage(n, ratio, members, least)
            error = np.sqrt(expected * (1.0 - expected) / n_universes) + 2e-5
            assert curves.coverage[i, least] == pytest.approx(expected, abs=4.0 * error)


def test_few_members_and_large_systematics_spoil_linear_addition():
    """25 members reach out to two of their deviations, not three; and at one sigma large systematics add up short."""
    assert gaussian_ensemble_coverage(1, 1.0, 100_000) == pytest.approx(gaussian_union_coverage(1, 1.0), abs=0.003)
    assert gaussian_ensemble_coverage(2, 1.0, 100_000) == pytest.approx(gaussian_union_coverage(2, 1.0), abs=0.001)
    assert gaussian_ensemble_coverage(1, 2.0, 100_000) == pytest.approx(erf(2.75 / np.sqrt(10.0)), abs=0.003)
    assert gaussian_ensemble_coverage(3, 2.5, 25) < level(3) < gaussian_union_coverage(3, 2.5)
    assert gaussian_ensemble_coverage(2, 0.0, 25) == level(2)
    assert gaussian_ensemble_coverage(2, 1e-3, 25) == pytest.approx(level(2), abs=1e-3)
    assert gaussian_ensemble_coverage(1, 1.0, 25, 0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sigma_coverage(np.array([0.5, 1.2])), "not sigmas"),
        (lambda: sigma_coverage(np.array([0.5, np.nan])), "not finite"),
        (lambda: sigma_coverage(np.array([])), r"\(n_universes,\)"),
        (lambda: members_inside(np.ones(5)), r"\(n_universes, n_members\)"),
        (lambda: calibrated_fraction(np.ones((5, 0))), "none of them zero"),
        (lambda: binomial_interval(5, 4), "within 0 .. 4"),
        (lambda: gaussian_union_coverage(1.0, -1.0), "not be negative"),
        (lambda: gaussian_ensemble_coverage(1.0, 1.0, 5, 6), "6 of 5 members"),
        (lambda: gaussian_ensemble_coverage(1.0, -0.5, 5), "at a ratio of -0.5"),
    ],
)
def test_what_is_no_level_is_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()

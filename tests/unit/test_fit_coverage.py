"""What coverage is counted with, biases, and comparisons of fits: numbers that are known beforehand."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
from toy_far import RANGE, TRUTH, binned_model, event_model

from nuinfer.calibration.bands import simultaneous_band
from nuinfer.oscillation.coverage import (
    LEVELS,
    LINE,
    Hypotheses,
    best_fit_facts,
    bias_facts,
    coverage_numbers,
    hypotheses,
    levels_of_truth,
    score,
    toys_around,
)
from nuinfer.oscillation.density_regions import density_confidence
from nuinfer.oscillation.fit import Fit, fit_events
from nuinfer.oscillation.likelihood import FarModel, densities
from nuinfer.oscillation.likelihood_ratio import likelihood_confidence
from nuinfer.oscillation.optimum import Optima
from nuinfer.oscillation.plane import Plane
from nuinfer.oscillation.regions import RegionGrid, confidence_at
from nuinfer.oscillation.summary import compare_fits, fit_numbers, region_numbers

TRUE = TRUTH["sin2_theta23"], TRUTH["dm31_ev2"]
FIELDS = ("plane_sin2", "plane_sin2_2theta", "sin2", "sin2_2theta", "dm31")
EVENTS = 3000


# Counting coverage


@pytest.mark.parametrize("n", [200, 1000])
def test_even_levels_cover(n: int, rng: np.random.Generator) -> None:
    band = simultaneous_band(n, LEVELS)
    inside = [coverage_numbers(rng.random(n), band)["inside_simultaneous_band"] for _ in range(100)]
    assert 88 <= sum(inside) <= 100
    found = coverage_numbers((np.arange(n) + 0.5) / n, band)
    assert found["inside_simultaneous_band"] and found["p_value"] > 0.99 and abs(found["max_deviation"]) <= 1.0 / n
    for n_sigma, claimed in ((1, 0.682689), (2, 0.954500), (3, 0.997300)):
        share = found[f"{n_sigma}_sigma"]
        assert share["claimed"] == pytest.approx(claimed, abs=1e-6)
        assert share["coverage"] == pytest.approx(claimed, abs=1.0 / n)
        assert share["error"] == pytest.approx(np.sqrt(claimed * (1 - claimed) / n), rel=1e-3)


@pytest.mark.parametrize(("power", "sign"), [(2.0, 1), (0.5, -1)])
def test_squeezed_levels_are_caught(power: float, sign: int, rng: np.random.Generator) -> None:
    """Levels that are too low are regions that are too wide, and the other way round."""
    found = coverage_numbers(rng.random(200) ** power, simultaneous_band(200, LEVELS))
    assert not found["inside_simultaneous_band"] and found["p_value"] < 1e-4
    assert np.sign(found["max_deviation"]) == sign
    assert np.sign(found["1_sigma"]["coverage"] - found["1_sigma"]["claimed"]) == sign


# Biases


def test_the_mean_score_is_the_bias(rng: np.random.Generator) -> None:
    """Of a Gaussian likelihood the step is that of the best fit itself: a known shift, with the error that is claimed."""
    sd, n = np.array([0.02, 1.5e-5]), 40_000
    covariance = np.outer(sd, sd) * [[1.0, 0.4], [0.4, 1.0]]
    inverse = np.linalg.inv(covariance)
    for shift in (np.zeros(2), np.array([0.3, -0.2]) * sd):
        found = bias_facts(rng.multivariate_normal(shift, covariance, n) @ inverse)
        assert found["error"] == pytest.approx(0.005)
        assert found["sin2_theta23_sd"] == pytest.approx(sd[0], rel=0.02)
        assert found["dm31_sd_ev2"] == pytest.approx(sd[1], rel=0.02)
        for name, expected in zip(("sin2_theta23", "dm31_ev2"), shift / sd, strict=True):
            assert abs(found[name] - expected) < 4.0 * found["error"]
            assert expected == 0.0 or abs(found[name]) > 20.0 * found["error"]


def test_facts_of_known_best_fits() -> None:
    truth = {"sin2_theta23": 0.47, "dm31_ev2": 2.5e-3}
    found = {
        "sin2_theta23": np.array([[0.46, 0.56], [0.47, 0.57], [0.49, 0.55], [0.50, 0.52]]),
        "dm31_ev2": 2.5e-3 + 1e-5 * np.array([[1.0, 9.0], [2.0, 9.0], [3.0, 9.0], [2.0, 9.0]]),
        "loglike": np.array([[2.0, 1.0], [1.0, 2.0], [5.0, 4.0], [3.0, 1.0]]),
        "sd_dm31_ev2": 1e-5 * np.array([1.0, 1.0, 1.0, 2.0]),
        "score": np.random.default_rng(1).normal(size=(4, 2)),
        "widened": np.array([0.0, 2.0, 0.0, 1.0]),
    }
    facts = best_fit_facts(found, truth)
    spread = np.sqrt(np.sum((np.array([1.0, 2.0, 3.0, 1.0]) - 1.75) ** 2) / 3)
    assert facts["dm31_pull"] == {"mean": pytest.approx(1.75), "error": pytest.approx(spread / 2), "sd": pytest.approx(spread)}
    assert facts["octants"] == {"right": 0.5, "wrong": 0.25, "merged": 0.25} and facts["range_widened"] == 2
    assert facts["bias"] == bias_facts(found["score"])
    upper = best_fit_facts(found, {**truth, "sin2_theta23": 0.55})
    assert upper["octants"] == {"right": 0.25, "wrong": 0.5, "merged": 0.25}
    assert upper["dm31_pull"]["mean"] == pytest.approx((9.0 + 9.0 + 9.0 + 4.5) / 4)


# The truth's hypotheses


@pytest.fixture(scope="module")
def truths() -> Hypotheses:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nuinfer.oscillation.toys.LATTICE", (9, 9))
        return hypotheses(toys_around(binned_model(), RANGE, *TRUE, 1500, EVENTS, 5), *TRUE)


def test_hypotheses_hold_the_truth(truths: Hypotheses) -> None:
    assert tuple(truths.points) == FIELDS
    step = np.diff(RANGE.sin2_theta23)[0] / (LINE - 1), np.diff(RANGE.dm31_ev2)[0] / (LINE - 1)
    fixed = {
        "plane_sin2": (0, 0),
        "plane_sin2_2theta": (0, 0),
        "sin2": (0, step[1] / 2),
        "sin2_2theta": (0, step[1] / 2),
        "dm31": (step[0] / 2, 0),
    }
    for name, (sin2, dm31) in truths.points.items():
        nearest = np.argmin(np.hypot((sin2 - TRUE[0]) / 0.02, (dm31 - TRUE[1]) / 2e-5))
        assert abs(sin2[nearest] - TRUE[0]) <= fixed[name][0] + 1e-12
        assert abs(dm31[nearest] - TRUE[1]) <= fixed[name][1] + 1e-15
        assert truths.heights[name].shape == (len(truths.toys.coefficients), sin2.size)
        one = truths.toys.plane.at(truths.toys.coefficients[3], sin2[[nearest]], dm31[[nearest]])
        assert truths.heights[name][3, nearest] == pytest.approx(one[0], abs=1e-9)
    # What a quantity fixes is fixed, what it leaves free runs over its range.
    for name in ("plane_sin2_2theta", "sin2_2theta"):
        sin2 = truths.points[name][0]
        np.testing.assert_allclose(4 * sin2 * (1 - sin2), 4 * TRUE[0] * (1 - TRUE[0]), rtol=1e-12)
        assert sin2.min() < 0.5 < sin2.max()
    assert np.ptp(truths.points["sin2"][0]) == np.ptp(truths.points["dm31"][1]) == 0.0
    assert truths.points["sin2"][1][[0, -1]] == pytest.approx(RANGE.dm31_ev2)
    assert truths.points["dm31"][0][[0, -1]] == pytest.approx(RANGE.sin2_theta23)


@pytest.fixture(scope="module")
def fitted() -> tuple[FarModel, Fit]:
    model = event_model(EVENTS, np.random.default_rng(2))
    return model, fit_events(model, RANGE, 400, 1)


def test_the_truths_levels_are_those_of_the_regions(truths: Hypotheses, fitted: tuple[FarModel, Fit]) -> None:
    """By either method, as read off whole regions; those of a grid are linear between its cells."""
    fit = fitted[1]
    found = levels_of_truth(fit, truths, *TRUE)
    grid = RegionGrid.over(RANGE, 60, 60)
    regions, _ = likelihood_confidence(truths.toys, fit.surface, float(fit.data.best.loglike[0]), grid)
    for name, value in confidence_at(regions, grid, *TRUE).items():
        assert found["feldman_cousins"][name] == pytest.approx(value, abs=0.06), name
    cloud = fit.cloud.best
    dense = density_confidence(RegionGrid.over(RANGE, 120, 120), cloud.sin2_theta23, cloud.dm31_ev2)
    assert found["bootstrap"] == confidence_at(dense, RegionGrid.over(RANGE, 120, 120), *TRUE)
    far = levels_of_truth(fit, hypotheses(truths.toys, 0.40, 2.6e-3), 0.40, 2.6e-3)
    assert far["feldman_cousins"]["plane_sin2"] > 0.98 and far["bootstrap"]["plane_sin2"] > 0.98


def test_the_score_is_the_slope_of_the_log_likelihood(fitted: tuple[FarModel, Fit]) -> None:
    model, fit = fitted

    def loglike(sin2: float, dm31: float) -> float:
        return float(np.log(densities(model, sin2, np.asarray(dm31))).sum())

    found = score(fit, *TRUE)
    h, k = 1e-5, 1e-8
    slow = (
        (loglike(TRUE[0] + h, TRUE[1]) - loglike(TRUE[0] - h, TRUE[1])) / (2 * h),
        (loglike(TRUE[0], TRUE[1] + k) - loglike(TRUE[0], TRUE[1] - k)) / (2 * k),
    )
    np.testing.assert_allclose(found * [0.02, 2e-5], np.multiply(slow, [0.02, 2e-5]), rtol=0, atol=1e-3)
    # It vanishes at the best fit.
    best = fit.data.best
    at_best = score(fit, float(best.sin2_theta23[0]), float(best.dm31_ev2[0]))
    np.testing.assert_allclose(at_best * [0.02, 2e-5], 0.0, rtol=0, atol=1e-3)


# Numbers of a fit


def test_numbers_of_a_fit(fitted: tuple[FarModel, Fit]) -> None:
    model, fit = fitted
    found = fit_numbers(fit, model)
    lower, upper = (found["octants"][o] for o in ("lower", "upper"))
    assert min(lower["delta_chi2"], upper["delta_chi2"]) == 0.0
    worse = 2.0 * abs(fit.data.loglike[0, 0] - fit.data.loglike[0, 1])
    assert max(lower["delta_chi2"], upper["delta_chi2"]) == pytest.approx(worse)
    better = "lower" if lower["delta_chi2"] == 0.0 else "upper"
    assert found["best"] == {name: found["octants"][better][name] for name in ("sin2_theta23", "dm31_ev2")}
    assert lower["share_of_bootstraps"] + upper["share_of_bootstraps"] == pytest.approx(1.0)
    assert found["events"] == EVENTS and found["bootstraps"] == 400 and found["impossible_events"] == 0
    assert found["range"] == {"sin2_theta23": [0.35, 0.65], "dm31_ev2": [2.3e-3, 2.75e-3]}
    sin2 = fit.cloud.best.sin2_theta23
    inside = [sin2[sin2 <= 0.5], sin2[sin2 > 0.5]]
    slow = np.sqrt(sum(((s - s.mean()) ** 2).sum() for s in inside) / 400)
    assert found["sd"]["sin2_theta23_within_octant"] == pytest.approx(slow)
    assert found["sd"]["dm31_ev2"] == pytest.approx(np.std(fit.cloud.best.dm31_ev2))
    # Two modes together are wider than either.
    assert slow < 0.8 * np.std(sin2)


def test_a_cloud_in_one_octant_has_its_own_width() -> None:
    def optima(sin2: np.ndarray) -> Optima:
        both = np.stack([sin2, 1.02 - sin2], axis=1)
        return Optima(both, np.full(both.shape, 2.5e-3), np.tile([1.0, 0.5], (len(sin2), 1)), np.zeros(both.shape, bool))

    sin2 = np.array([0.44, 0.46, 0.47, 0.43])
    fit = Fit(Plane.over(RANGE), np.zeros((21, 16)), optima(sin2[:1]), optima(sin2), 2, 1e-7, 5)
    found = fit_numbers(fit, SimpleNamespace(kernel=np.zeros((3, 9)), negative_share=0.25))
    assert found["sd"]["sin2_theta23_within_octant"] == pytest.approx(np.std(sin2))
    assert found["octants"]["lower"]["share_of_bootstraps"] == 1.0
    assert found["octants"]["upper"] == {
        "sin2_theta23": pytest.approx(0.58),
        "dm31_ev2": 2.5e-3,
        "delta_chi2": 1.0,
        "share_of_bootstraps": 0.0,
    }
    assert (found["range_widened"], found["impossible_events"], found["negative_share"]) == (2, 5, 0.25)


# Two fits compared


@pytest.fixture(scope="module")
def numbers(fitted: tuple[FarModel, Fit]) -> dict:
    model, fit = fitted
    grid = RegionGrid.over(RANGE, 60, 60)
    regions = {"bootstrap": density_confidence(grid, fit.cloud.best.sin2_theta23, fit.cloud.best.dm31_ev2)}
    found = region_numbers(grid, regions, {"bootstrap": {"bootstraps": 400.0}}, TRUTH)
    assert found["bootstrap"]["bootstraps"] == 400.0
    assert found["bootstrap"]["level_of_truth"] == confidence_at(regions["bootstrap"], grid, *TRUE)
    assert "level_of_truth" not in region_numbers(grid, regions, {"bootstrap": {}}, None)["bootstrap"]
    return {"fit": fit_numbers(fit, model), "regions": found}


def test_identical_fits_do_not_differ(numbers: dict) -> None:
    found = compare_fits(numbers, copy.deepcopy(numbers))
    assert found["shift"] == {"sin2_theta23": 0.0, "dm31_ev2": 0.0}
    for plane in found["regions"]["bootstrap"].values():
        assert plane == {"area_ratio": 1.0, "centre_shift": [0.0, 0.0]}
    assert set(found["regions"]["bootstrap"]) == {"sin2_theta23", "sin2_2theta23"}


def test_a_shifted_fit_differs_by_the_shift(numbers: dict) -> None:
    shifted = copy.deepcopy(numbers)
    sd = numbers["fit"]["sd"]
    for octant in shifted["fit"]["octants"].values():
        octant["sin2_theta23"] += 0.7 * sd["sin2_theta23_within_octant"]
        octant["dm31_ev2"] -= 0.2 * sd["dm31_ev2"]
    one = shifted["regions"]["bootstrap"]["1_sigma"]
    one["area_ev2"]["sin2_theta23"] *= 1.3
    one["centroid"]["sin2_2theta23"][0] += 0.5 * sd["sin2_2theta23"]
    one["centroid"]["sin2_theta23"][1] += 0.4 * sd["dm31_ev2"]
    found = compare_fits(shifted, numbers)
    assert found["shift"] == {"sin2_theta23": pytest.approx(0.7), "dm31_ev2": pytest.approx(-0.2)}
    region = found["regions"]["bootstrap"]
    assert region["sin2_theta23"]["area_ratio"] == pytest.approx(1.3) and region["sin2_2theta23"]["area_ratio"] == 1.0
    assert region["sin2_theta23"]["centre_shift"] == pytest.approx([0.0, 0.4])
    assert region["sin2_2theta23"]["centre_shift"] == pytest.approx([0.5, 0.0])


def test_another_better_octant_is_no_shift(numbers: dict) -> None:
    """A difference of 0.01 in chi2 may turn the octant that is better; the optima have hardly moved."""
    other = copy.deepcopy(numbers)
    octants = other["fit"]["octants"]
    lower, upper = octants["lower"]["delta_chi2"], octants["upper"]["delta_chi2"]
    octants["lower"]["delta_chi2"], octants["upper"]["delta_chi2"] = upper, lower
    better = "lower" if lower > upper else "upper"
    other["fit"]["best"] = {name: octants[better][name] for name in ("sin2_theta23", "dm31_ev2")}
    apart = other["fit"]["best"]["sin2_theta23"] - numbers["fit"]["best"]["sin2_theta23"]
    assert abs(apart) / numbers["fit"]["sd"]["sin2_theta23_within_octant"] > 1.0
    assert compare_fits(other, numbers)["shift"] == {"sin2_theta23": 0.0, "dm31_ev2": 0.0}


def test_methods_and_regions_that_only_one_fit_has_are_left_out(numbers: dict) -> None:
    empty, lacking = copy.deepcopy(numbers), {**numbers, "regions": {}}
    assert compare_fits(numbers, lacking)["regions"] == {} == compare_fits(lacking, numbers)["regions"]
    empty["regions"]["bootstrap"]["1_sigma"]["centroid"]["sin2_theta23"] = None
    assert compare_fits(empty, numbers)["regions"]["bootstrap"]["sin2_theta23"]["centre_shift"] is None
    assert compare_fits(numbers, empty)["regions"]["bootstrap"]["sin2_theta23"]["centre_shift"] is None

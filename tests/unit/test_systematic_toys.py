"""Toys whose true model is not the fitted one, each with a flux of its own: against toys thrown at the hypothesis itself."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtri
from toy_far import FLUX, KNOTS_GEV, OSCILLATION, RANGE, TRUTH, smeared_bins

from nuinfer.calibration.bands import simultaneous_band
from nuinfer.errors import InputError
from nuinfer.oscillation.coverage import LEVELS, _heights, coverage_numbers, hypotheses, levels_of_truth
from nuinfer.oscillation.fit import Fit
from nuinfer.oscillation.likelihood import FarModel, densities, far_model, log_table
from nuinfer.oscillation.likelihood_ratio import FAR, likelihood_confidence, set_confidence
from nuinfer.oscillation.optimum import octant_optima
from nuinfer.oscillation.plane import Plane
from nuinfer.oscillation.regions import RegionGrid, confidence_at
from nuinfer.oscillation.toys import Toys, _multinomial, mixture_points, toys_from
from nuinfer.seeds import stream

PLANE = Plane.over(RANGE)
BINS = smeared_bins(80)
EVENTS, N_DIRECT, N_PSEUDO = 3000, 4000, 400
TRUE = TRUTH["sin2_theta23"], TRUTH["dm31_ev2"]
AMPLITUDES = ndtri((np.arange(20) + 0.5) / 20)
"""The systematic uncertainty: twenty equally likely fluxes."""
OFFSET = 1.0
"""The fitted flux is off by this many deviations besides: a biased model."""
FIELDS = ("plane_sin2", "sin2", "dm31")


def model_of(amplitude: float) -> FarModel:
    """The flux tilted around the survival probability's minimum, as a shift of dm31 tilts the events."""
    return far_model(KNOTS_GEV, FLUX * (1.0 + 0.04 * amplitude * np.tanh((KNOTS_GEV - 2.6) / 0.6)), BINS, BINS, OSCILLATION)


MODELS = [model_of(a) for a in AMPLITUDES]
FITTED = model_of(-OFFSET)


def centred_table(model: FarModel) -> np.ndarray:
    table = log_table(model, PLANE)
    return table - table.mean(axis=0)


def thrown(points: tuple[np.ndarray, np.ndarray], each: int, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients of the fitted and of the true likelihood, ``each`` toys for every flux and point."""
    fitted, found = centred_table(FITTED), ([], [])
    for k, model in enumerate(MODELS):
        contents = np.maximum(densities(model, *points), 0.0)
        counts = np.concatenate([_multinomial(c, each, EVENTS, stream(1, key, k, j)) for j, c in enumerate(contents)])
        for values, table in zip(found, (fitted, centred_table(model)), strict=True):
            values.append(PLANE.coefficients(counts @ table.T))
    return np.concatenate(found[0]), np.concatenate(found[1])


@pytest.fixture(scope="module")
def points() -> tuple[np.ndarray, np.ndarray]:
    """A mixture that reaches as far as shifts of the flux move the best fit: a likelihood of fewer events is as wide."""
    surface = PLANE.coefficients(0.4 * EVENTS * log_table(FITTED, PLANE) @ np.maximum(densities(FITTED, *TRUE), 0.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nuinfer.oscillation.toys.LATTICE", (10, 12))
        return mixture_points(surface, PLANE)


@pytest.fixture(scope="module")
def toys(points: tuple[np.ndarray, np.ndarray]) -> Toys:
    coefficients, weighing = thrown(points, 4, "mixture")
    return toys_from(PLANE, coefficients, points, weighing)


@pytest.fixture(scope="module")
def wrongly_weighed(toys: Toys, points: tuple[np.ndarray, np.ndarray]) -> Toys:
    """The same toys with the fitted model's weights: the negative control."""
    return toys_from(PLANE, toys.coefficients, points)


def at_truth(n: int, key: str) -> Toys:
    at = np.array(TRUE[:1]), np.array(TRUE[1:])
    return toys_from(PLANE, thrown(at, n // len(MODELS), key)[0], at)


@pytest.fixture(scope="module")
def direct() -> Toys:
    """Toys of every flux at the truth itself: shares among them are levels."""
    return at_truth(N_DIRECT, "direct")


@pytest.fixture(scope="module")
def pseudo() -> Toys:
    """Data, from streams of their own."""
    return at_truth(N_PSEUDO, "pseudo")


def levels(toys: Toys, data: Toys, name: str) -> np.ndarray:
    """Return the levels ``(n_data,)`` of the truth's hypothesis."""
    truths = hypotheses(toys, *TRUE)
    heights = _heights(PLANE, data.coefficients, truths.points[name])
    weighing = None if truths.weighing is None else truths.weighing[name]
    return set_confidence(toys, truths.heights[name], heights, data.highest, weighing=weighing)


def statistics(toys: Toys) -> np.ndarray:
    return 2.0 * (toys.highest - _heights(PLANE, toys.coefficients, (np.array(TRUE[:1]), np.array(TRUE[1:])))[:, 0])


def test_levels_are_shares_of_toys_thrown_at_the_hypothesis(
    toys: Toys, wrongly_weighed: Toys, direct: Toys, pseudo: Toys
) -> None:
    """Of one point, with weights of the true models; with the fitted one's they are far off."""
    thrown_there = statistics(direct)
    expected = np.mean(thrown_there < statistics(pseudo)[:, None], axis=1)
    weight = np.exp(hypotheses(toys, *TRUE).weighing["plane_sin2"][:, 0] - toys.log_mixture)
    effective = weight.sum() ** 2 / (weight @ weight)
    error = np.sqrt(0.25 / effective + 0.25 / N_DIRECT)
    assert effective > 500 and abs(weight.mean() - 1.0) < 4.0 * weight.std() / np.sqrt(len(weight))
    assert np.max(np.abs(levels(toys, pseudo, "plane_sin2") - expected)) < 3.5 * error
    assert np.max(np.abs(levels(wrongly_weighed, pseudo, "plane_sin2") - expected)) > 15.0 * error
    # The tail, where two and three sigma are decided, lies where a likelihood without shifts would have none.
    for share in (0.95, 0.99):
        limit = np.quantile(thrown_there, share)
        assert limit > 15.0 and weight[statistics(toys) < limit].sum() / weight.sum() == pytest.approx(share, abs=0.015)


@pytest.mark.parametrize("name", FIELDS)
def test_regions_cover_over_fluxes(name: str, toys: Toys, pseudo: Toys) -> None:
    found = coverage_numbers(levels(toys, pseudo, name), simultaneous_band(N_PSEUDO, LEVELS, 0.99))
    assert found["inside_simultaneous_band"], found


@pytest.mark.parametrize("name", ["plane_sin2", "dm31"])
def test_weights_of_the_fitted_model_are_caught(name: str, wrongly_weighed: Toys, pseudo: Toys) -> None:
    found = coverage_numbers(levels(wrongly_weighed, pseudo, name), simultaneous_band(N_PSEUDO, LEVELS, 0.99))
    assert not found["inside_simultaneous_band"] and found["max_deviation"] < -0.2


def test_regions_of_a_grid_hold_the_levels_of_the_truth(toys: Toys, pseudo: Toys) -> None:
    """Of the data furthest from the truth: no statistic is too large to be judged by toys whose own ones are as large."""
    grid, truths = RegionGrid.over(RANGE, 60, 60), hypotheses(toys, *TRUE)
    order = np.argsort(statistics(pseudo))
    assert statistics(pseudo)[order[-1]] > 25.0
    for i in order[[-1, N_PSEUDO // 2]]:
        surface = pseudo.coefficients[i]
        data = octant_optima(surface[None], PLANE)
        fit = Fit(PLANE, surface, data, pseudo.optima, 0, 0.0, 0)
        regions, facts = likelihood_confidence(toys, surface, float(data.best.loglike[0]), grid)
        found = levels_of_truth(fit, truths, *TRUE)["feldman_cousins"]
        for name, value in confidence_at(regions, grid, *TRUE).items():
            assert found[name] == pytest.approx(value, abs=0.08), name
        assert facts["effective_toys_least"] > 0
    assert found["plane_sin2"] == levels(toys, pseudo, "plane_sin2")[i]


def test_a_statistic_of_any_size_is_judged_by_other_models_toys(toys: Toys, pseudo: Toys) -> None:
    """Sixteen times the log-likelihood orders toys and data alike: no level changes, where statistics exceed 40."""
    grid, surface = RegionGrid.over(RANGE, 12, 12), pseudo.coefficients[0]
    highest = float(pseudo.highest[0])
    optima = replace(toys.optima, loglike=16.0 * toys.optima.loglike)
    scaled = replace(toys, coefficients=16.0 * toys.coefficients, optima=optima)
    plain, _ = likelihood_confidence(toys, surface, highest, grid)
    large, _ = likelihood_confidence(scaled, 16.0 * surface, 16.0 * highest, grid)
    np.testing.assert_allclose(large.plane_sin2, plain.plane_sin2, rtol=0, atol=1e-9)
    statistic = 2.0 * 16.0 * (highest - PLANE.on_grid(surface, grid.sin2_theta23, grid.dm31_ev2))
    assert np.any((statistic > FAR) & (plain.plane_sin2 < 0.99))


def test_weights_must_be_those_of_the_toys(toys: Toys, wrongly_weighed: Toys) -> None:
    heights = np.zeros((len(toys.coefficients), 1))
    for given, weighing in ((toys, None), (wrongly_weighed, heights)):
        with pytest.raises(InputError, match="give weighing, heights of the toys' own, if and only if the toys have it"):
            set_confidence(given, heights, np.zeros((1, 1)), np.zeros(1), weighing=weighing)

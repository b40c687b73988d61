"""Bootstraps all at once against scipy one at a time; multinomial noise; widths; resamples that do not depend on how many."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import minimize
from toy_far import RANGE, binned_model, event_model

from nuinfer.oscillation.bootstrap import bootstrap, multiplicities
from nuinfer.oscillation.likelihood import FarModel, densities, log_table
from nuinfer.oscillation.optimum import BLOCK, Optima, octant_optima
from nuinfer.oscillation.plane import Plane
from nuinfer.seeds import stream

PLANE = Plane.over(RANGE)
REGULAR = {"sin2_theta23": 0.40, "dm31_ev2": 2.513e-3}
"""Far enough from maximal mixing for the lower octant's maximum to be Gaussian."""
SD = np.array([0.02, 2e-5])
FIELDS = ("sin2_theta23", "dm31_ev2", "loglike", "on_edge")


def scipy_optimum(model: FarModel, weights: np.ndarray, octant: int) -> tuple[np.ndarray, float]:
    """The slow twin: the weighted log-likelihood itself, no table and no polynomial, climbed from three starts."""
    low, high = ((0.35, 0.5), (0.5, 0.65))[octant]
    (below, above), floor = RANGE.dm31_ev2, weights.sum() * np.log(densities(model, 0.5, 2.5e-3).mean())

    def depth(p: np.ndarray) -> float:
        return floor - float(np.log(densities(model, p[0] * SD[0], p[1] * SD[1])) @ weights)

    bounds = ((low / SD[0], high / SD[0]), (below / SD[1], above / SD[1]))
    options = {"xatol": 1e-5, "fatol": 1e-9, "maxiter": 2000}
    starts = [(s / SD[0], 2.52e-3 / SD[1]) for s in (low + 0.02, 0.5 * (low + high), high - 0.02)]
    runs = [minimize(depth, start, method="Nelder-Mead", bounds=bounds, options=options) for start in starts]
    best = min(runs, key=lambda run: run.fun)
    return best.x, floor - best.fun


def test_bootstraps_are_scipys_optima(rng: np.random.Generator) -> None:
    """To a thousandth of a standard deviation, in both octants, and the better octant is the same."""
    model = event_model(6200, rng)
    table = log_table(model, PLANE)
    found = bootstrap(table, PLANE, 5, 7, "twin")
    weights = multiplicities(6200, BLOCK, stream(7, "bootstrap", "twin", 0))
    for k in range(5):
        places, heights = zip(*(scipy_optimum(model, weights[k], octant) for octant in range(2)), strict=True)
        for octant in range(2):
            at = np.array([found.sin2_theta23[k, octant], found.dm31_ev2[k, octant]]) / SD
            np.testing.assert_allclose(at, places[octant], rtol=0, atol=1e-3)
        difference = found.loglike[k, 1] - found.loglike[k, 0]
        assert difference == pytest.approx(heights[1] - heights[0], abs=2e-4)
        # Another resample's optimum is elsewhere, so that agreement is no accident.
        assert abs(found.sin2_theta23[(k + 1) % 5, 0] / SD[0] - places[0][0]) > 1e-2


def spread(weights: np.ndarray) -> tuple[float, float]:
    """Return the variance of the multiplicities about one, and the mean covariance of events side by side."""
    off = weights - 1.0
    return float((off**2).mean()), float((off[:, 1:] * off[:, :-1]).mean())


def is_multinomial(weights: np.ndarray) -> bool:
    """Whether variance and covariance are 1 - 1/n and -1/n within five of their standard errors."""
    resamples, n = weights.shape
    variance, covariance = spread(weights)
    error = 5.0 / np.sqrt(resamples * n)
    return abs(variance - (1 - 1 / n)) < np.sqrt(2.0) * error and abs(covariance + 1 / n) < error


def test_multiplicities_are_multinomial(rng: np.random.Generator) -> None:
    n, resamples = 40, 20000
    weights = multiplicities(n, resamples, rng)
    assert weights.shape == (resamples, n) and np.issubdtype(weights.dtype, np.integer) and weights.min() == 0
    np.testing.assert_array_equal(weights.sum(axis=1), n)
    np.testing.assert_allclose(weights.mean(axis=0), 1.0, rtol=0, atol=5 / np.sqrt(resamples))
    assert is_multinomial(weights)
    np.testing.assert_allclose((weights == 0).mean(), (1 - 1 / n) ** n, rtol=0, atol=5e-3)
    # Half the noise, and independent Poisson weights, are told apart by the same check.
    assert not is_multinomial(0.5 + 0.5 * weights)
    assert not is_multinomial(rng.poisson(1.0, weights.shape).astype(float))


def test_multiplicities_are_the_count_of_single_draws() -> None:
    drawn = np.random.default_rng(3).integers(8, size=(4, 8))
    weights = multiplicities(8, 4, np.random.default_rng(3))
    for k in range(4):
        np.testing.assert_array_equal(weights[k], [np.sum(drawn[k] == event) for event in range(8)])


def test_the_first_of_many_are_the_fews(rng: np.random.Generator) -> None:
    table = log_table(event_model(500, rng), PLANE)
    many, few, one = (bootstrap(table, PLANE, n, 11, "true") for n in (600, 300, 1))
    assert many.loglike.shape == (600, 2) and one.loglike.shape == (1, 2)
    for name in FIELDS:
        np.testing.assert_allclose(getattr(many, name)[:300], getattr(few, name), rtol=1e-7, atol=1e-12)
        np.testing.assert_allclose(getattr(many, name)[:1], getattr(one, name), rtol=1e-7, atol=1e-12)
    again = bootstrap(table, PLANE, 300, 11, "true")
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(again, name), getattr(few, name))
    for seed, key in ((12, "true"), (11, "learned")):
        other = bootstrap(table, PLANE, 300, seed, key)
        assert np.mean(np.isclose(other.sin2_theta23, few.sin2_theta23, rtol=1e-6)) < 0.5
    blocks = few.dm31_ev2[:50, 0], few.dm31_ev2[BLOCK:, 0]
    assert np.mean(np.isclose(*blocks, rtol=1e-6)) < 0.5, "blocks draw their own resamples"


def test_no_bootstraps_give_no_optima(rng: np.random.Generator) -> None:
    found = bootstrap(log_table(event_model(10, rng), PLANE), PLANE, 0, 1)
    assert found.sin2_theta23.shape == found.loglike.shape == (0, 2)


def fisher_widths(n_events: int, truth: dict[str, float]) -> np.ndarray:
    """Return the standard deviations of both parameters from the Fisher matrix of the binned density, by differences."""
    model, (s, d) = binned_model(), truth.values()
    h, k = 1e-5, 1e-8
    slopes = np.stack(
        [
            (densities(model, s + h, d) - densities(model, s - h, d)) / (2 * h),
            (densities(model, s, d + k) - densities(model, s, d - k)) / (2 * k),
        ]
    )
    return np.sqrt(np.diag(np.linalg.inv(n_events * (slopes / densities(model, s, d)) @ slopes.T)))


def widths(found: Optima) -> np.ndarray:
    return np.array([found.sin2_theta23[:, 0].std(), found.dm31_ev2[:, 0].std()])


def with_weights(table: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> Optima:
    """Return bootstraps whose multiplicities are changed on the way, without the library's loop."""
    weights = np.concatenate([multiplicities(table.shape[1], BLOCK, stream(5, "bootstrap", "fisher", k)) for k in range(4)])
    return octant_optima(PLANE.coefficients(change(weights.astype(float)) @ (table - table.mean(axis=0)).T), PLANE)


def test_widths_are_the_fisher_matrixs_for_a_regular_case(rng: np.random.Generator) -> None:
    table = log_table(event_model(20000, rng, REGULAR), PLANE)
    expected = fisher_widths(20000, REGULAR)
    found = bootstrap(table, PLANE, 4 * BLOCK, 5, "fisher")
    assert not found.on_edge[:, 0].any() and np.all(found.sin2_theta23[:, 0] < 0.47)
    assert np.all(np.abs(widths(found) / expected - 1.0) < 0.1), widths(found) / expected
    same = with_weights(table, lambda weights: weights)
    np.testing.assert_allclose(same.sin2_theta23, found.sin2_theta23, rtol=1e-7)
    # With half the noise in the multiplicities the widths are half, and the same check says so.
    halved = widths(with_weights(table, lambda weights: 0.5 + 0.5 * weights))
    assert not np.any(np.abs(halved / expected - 1.0) < 0.1)
    np.testing.assert_allclose(halved / widths(found), 0.5, rtol=0.05)


def test_centre_of_the_bootstraps_is_the_samples_own_fit(rng: np.random.Generator) -> None:
    table = log_table(event_model(20000, rng, REGULAR), PLANE)
    own = octant_optima(PLANE.coefficients(table.sum(axis=1))[None], PLANE)
    found = bootstrap(table, PLANE, 1000, 6)
    sd = widths(found)
    assert abs(found.sin2_theta23[:, 0].mean() - own.sin2_theta23[0, 0]) < 0.15 * sd[0]
    assert abs(found.dm31_ev2[:, 0].mean() - own.dm31_ev2[0, 0]) < 0.15 * sd[1]

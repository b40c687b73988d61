"""The far detector's likelihood: a slow twin with loops, clamping, excluded events, order of events, errors."""

from dataclasses import replace

import numpy as np
import pytest
from toy_far import FLUX, KNOTS_GEV, OSCILLATION, RANGE, TRUTH, binned_model, event_model, smeared_bins

from nuinfer.errors import InputError
from nuinfer.oscillation.likelihood import FLOOR, FarModel, densities, far_model, impossible, log_table
from nuinfer.oscillation.nufast import Oscillation, probability
from nuinfer.oscillation.optimum import octant_optima
from nuinfer.oscillation.plane import Plane

PLANE = Plane.over(RANGE)


def fit(model: FarModel) -> np.ndarray:
    """Return both octants' best points, scaled to standard deviations, ``(2, 2)``."""
    found = octant_optima(PLANE.coefficients(log_table(model, PLANE).sum(axis=1))[None], PLANE)
    return np.stack([found.sin2_theta23[0] / 0.02, found.dm31_ev2[0] / 2e-5])


def slow_flux(model: FarModel, point: Oscillation) -> np.ndarray:
    """The oscillated flux on knots: plain least squares of hats at 400 energies an interval."""
    knots = model.knots_gev
    energies = (knots[:-1, None] + np.diff(knots)[:, None] * (np.arange(400) + 0.5) / 400).ravel()
    root = np.sqrt(np.repeat(np.diff(knots), 400))
    hats = np.stack([np.interp(energies, knots, unit) for unit in np.eye(knots.size)], axis=1)
    flux = np.interp(energies, knots, model.flux) * probability(point, energies, "mu", "mu", model.antineutrino)
    return np.linalg.lstsq(hats * root[:, None], flux * root, rcond=None)[0]


def slow_densities(model: FarModel, sin2_theta23: float, dm31_ev2: float) -> np.ndarray:
    """The slow twin: sums over knots written out, one event at a time, with the general probability."""
    flux = slow_flux(model, replace(model.oscillation, sin2_theta23=sin2_theta23, dm31_ev2=dm31_ev2))
    total = sum(flux[k] * model.total[k] for k in range(flux.size))
    return np.array([sum(flux[k] * model.kernel[k, n] for k in range(flux.size)) / total for n in range(model.kernel.shape[1])])


@pytest.mark.parametrize("antineutrino", [False, True])
def test_densities_are_the_loops(antineutrino: bool, rng: np.random.Generator) -> None:
    model = replace(event_model(40, rng), antineutrino=antineutrino)
    sin2, dm31 = rng.uniform(0.35, 0.65, (3, 1)), rng.uniform(2.3e-3, 2.75e-3, 2)
    found = densities(model, sin2, dm31)
    assert found.shape == (3, 2, 40)
    for i in range(3):
        for j in range(2):
            np.testing.assert_allclose(found[i, j], slow_densities(model, sin2[i, 0], dm31[j]), rtol=1e-5)
    other = replace(model, antineutrino=not antineutrino)
    assert not np.allclose(densities(other, **TRUTH), densities(model, **TRUTH), rtol=1e-6)


def test_inverted_ordering_is_the_loops(rng: np.random.Generator) -> None:
    model = event_model(20, rng)
    np.testing.assert_allclose(densities(model, 0.47, -2.4e-3), slow_densities(model, 0.47, -2.4e-3), rtol=1e-5)


def test_bins_sum_to_one_and_the_flux_height_does_not_matter(rng: np.random.Generator) -> None:
    model = binned_model()
    sin2, dm31 = rng.uniform(0.35, 0.65, 20), rng.uniform(2.3e-3, 2.75e-3, 20)
    found = densities(model, sin2, dm31)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=0, atol=1e-13)
    np.testing.assert_allclose(densities(replace(model, flux=7.0 * model.flux), sin2, dm31), found, rtol=1e-13)


def test_table_is_the_log_of_the_densities_at_the_nodes(rng: np.random.Generator) -> None:
    model, plane = event_model(30, rng), Plane(RANGE, 3, 4)
    table = log_table(model, plane)
    assert table.shape == (12, 30)
    for i, sin2 in enumerate(plane.axes[0]):
        for j, dm31 in enumerate(plane.axes[1]):
            np.testing.assert_allclose(table[4 * i + j], np.log(slow_densities(model, sin2, dm31)), rtol=0, atol=1e-5)


def test_order_of_events_does_not_change_the_fitted_point(rng: np.random.Generator) -> None:
    model = event_model(2000, rng)
    shuffled = replace(model, kernel=model.kernel[:, rng.permutation(2000)])
    np.testing.assert_allclose(fit(shuffled), fit(model), rtol=0, atol=1e-8)
    # Events left out do change it, so that the comparison can fail.
    assert np.abs(fit(replace(model, kernel=model.kernel[:, :1990])) - fit(model)).max() > 1e-4


def test_fit_of_the_expectation_is_the_truth() -> None:
    """The limit of infinitely many events: the log-likelihood summed with the true shares peaks at the truth."""
    model = binned_model()
    expected = log_table(model, PLANE) @ densities(model, **TRUTH)
    found = octant_optima(PLANE.coefficients(6200 * expected)[None], PLANE)
    best = found.best
    assert best.sin2_theta23[0] == pytest.approx(TRUTH["sin2_theta23"], abs=2e-5)
    assert best.dm31_ev2[0] == pytest.approx(TRUTH["dm31_ev2"], abs=2e-8)
    # The other octant's maximum is close to the mirror image at 1 / (2 cos^2(theta_13)), and nearly as high.
    mirror = 1.0 / (1.0 - OSCILLATION["sin2_theta13"]) - TRUTH["sin2_theta23"]
    assert found.sin2_theta23[0, 1] == pytest.approx(mirror, abs=0.015)
    assert 0.0 < found.loglike[0, 0] - found.loglike[0, 1] < 1.0


def with_negative_entries(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return bins of which some are negative, their clamped copy, and the bins of 500 events."""
    bins = smeared_bins()
    bins[rng.random(bins.shape) < 0.1] *= -0.3
    return bins, np.where(bins < 0, 0.0, bins), rng.integers(bins.shape[1], size=500)


def test_negative_cross_sections_count_as_zero(rng: np.random.Generator) -> None:
    bins, clamped, events = with_negative_entries(rng)
    model = far_model(KNOTS_GEV, FLUX, bins[:, events], bins, OSCILLATION)
    zeros = far_model(KNOTS_GEV, FLUX, clamped[:, events], clamped, OSCILLATION)
    np.testing.assert_array_equal(model.kernel, zeros.kernel)
    np.testing.assert_array_equal(model.total, zeros.total)
    np.testing.assert_array_equal(log_table(model, PLANE), log_table(zeros, PLANE))
    assert zeros.negative_share == 0.0
    # In the near detector's events, with loops.
    negative = positive = 0.0
    for k in range(bins.shape[0]):
        for n in range(bins.shape[1]):
            negative += FLUX[k] * max(-bins[k, n], 0.0)
            positive += FLUX[k] * max(bins[k, n], 0.0)
    assert 0.01 < model.negative_share == pytest.approx(negative / (negative + positive), rel=1e-12)
    # Summed with their signs, the totals are others; and the arrays that were given stay as they are.
    assert np.abs(bins.sum(axis=1) / model.total - 1.0).max() > 0.01


def test_bins_and_events_may_share_an_array() -> None:
    bins = smeared_bins()
    before = bins.copy()
    model = far_model(KNOTS_GEV, FLUX, bins, bins, OSCILLATION)
    np.testing.assert_allclose(model.total, before.sum(axis=1), rtol=1e-14)
    np.testing.assert_array_equal(bins, before)


def test_an_excluded_event_is_named_and_leaves_the_fit_alone(rng: np.random.Generator) -> None:
    """Its log-density has no value; floored, it is the same number at every point and moves nothing."""
    model = event_model(1000, rng)
    kernel = model.kernel.copy()
    kernel[:, [3, 500]] = 0.0
    excluded = replace(model, kernel=kernel)
    np.testing.assert_array_equal(np.flatnonzero(impossible(excluded)), [3, 500])
    assert not impossible(model).any()
    table = log_table(excluded, PLANE)
    assert np.all(np.isfinite(table)) and np.ptp(table[:, 3]) == 0.0
    assert table[0, 3] == pytest.approx(np.log(FLOOR * np.median(densities(model, *np.meshgrid(*PLANE.axes)))), abs=0.1)
    rest = replace(model, kernel=np.delete(model.kernel, [3, 500], axis=1))
    np.testing.assert_allclose(fit(excluded), fit(rest), rtol=0, atol=1e-6)


def test_an_event_that_only_energies_without_flux_can_make_is_impossible() -> None:
    kernel, flux = np.zeros((KNOTS_GEV.size, 3)), FLUX.copy()
    kernel[-1, 0] = kernel[5, 1] = kernel[-1, 2] = kernel[6, 2] = 1.0
    flux[-1] = 0.0
    model = FarModel(KNOTS_GEV, flux, kernel, np.ones(KNOTS_GEV.size), Oscillation(**OSCILLATION))
    np.testing.assert_array_equal(impossible(model), [True, False, False])
    assert np.all(np.isfinite(log_table(model, PLANE)))


def test_bad_models_are_named() -> None:
    bins = smeared_bins(20)
    fine = {"knots_gev": KNOTS_GEV, "flux": FLUX, "kernel": bins, "bins": bins, "oscillation": OSCILLATION}

    def broken(array: np.ndarray, value: float) -> np.ndarray:
        out = array.copy()
        out[2] = value
        return out

    far_model(**fine)
    for change, message in (
        ({"kernel": broken(bins, np.nan)}, "the kernel must be finite"),
        ({"kernel": broken(bins, np.inf)}, "the kernel must be finite"),
        ({"bins": broken(bins, np.nan)}, "the total must be finite"),
        ({"flux": broken(FLUX, np.nan)}, "the flux must be finite"),
        ({"flux": broken(FLUX, -1.0)}, "the flux must be finite and not negative"),
        ({"kernel": bins[:-1]}, "25 energy knots, but .* kernel \\(24, 20\\)"),
        ({"kernel": bins[0]}, "25 energy knots, but .* kernel"),
        ({"knots_gev": KNOTS_GEV[:-1]}, "24 energy knots"),
    ):
        with pytest.raises(InputError, match=message):
            far_model(**{**fine, **change})


@pytest.mark.parametrize("change", [{"bins": smeared_bins(20)[:-1]}, {"flux": FLUX[:-1]}, {"bins": smeared_bins(20)[0]}])
def test_arrays_that_do_not_fit_each_other_are_named(change: dict[str, np.ndarray]) -> None:
    bins = smeared_bins(20)
    fine = {"knots_gev": KNOTS_GEV, "flux": FLUX, "kernel": bins, "bins": bins, "oscillation": OSCILLATION}
    with pytest.raises(InputError, match="far-detector model"):
        far_model(**{**fine, **change})


def test_parameters_outside_their_ranges_are_named(rng: np.random.Generator) -> None:
    model = event_model(10, rng)
    for sin2, dm31, message in (
        (1.2, 2.5e-3, "sin2_theta23 must be between 0 and 1"),
        (np.array([0.5, -0.1]), 2.5e-3, "sin2_theta23 must be between 0 and 1"),
        (np.nan, 2.5e-3, "sin2_theta23 must be between 0 and 1"),
        (0.5, 0.0, "dm31_ev2 must be finite and not zero"),
        (0.5, np.nan, "dm31_ev2 must be finite"),
    ):
        with pytest.raises(InputError, match=message):
            densities(model, sin2, dm31)
    with pytest.raises(InputError, match="no events at all"):
        densities(replace(model, flux=np.zeros_like(FLUX)), 0.5, 2.5e-3)
    with pytest.raises(InputError, match="no events at all"):
        densities(replace(model, total=np.zeros_like(FLUX)), 0.5, 2.5e-3)

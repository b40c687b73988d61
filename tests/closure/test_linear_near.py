"""Closed-form learning in any flux: against the direct normal equations, and against the learner that it stands for."""

from dataclasses import replace

import numpy as np
import pytest
from toy_world import SETTINGS, shapes, shifted

from nuinfer.closure.gaussian import LEAST_COUNT, fit_gaussian
from nuinfer.closure.gaussian_prior import BOUNDS, Evidence
from nuinfer.closure.linear_near import Basis, LinearNear, Merged, linear_near
from nuinfer.closure.near_data import NearData, NearProblem, near_data, shares
from nuinfer.closure.observables import LeptonGrid
from nuinfer.closure.smearing import smeared, smearing_matrix
from nuinfer.errors import InputError

EVENTS, SIZE = 100_000, 0.1
SMEARING = [None, 0.2]


# Bins


def test_merged_bins_are_sums(rng):
    fine = LeptonGrid(8, 4, 6.0)
    merged = Merged.of(fine, 4)
    counts = rng.random((2, 32))
    found = merged.counts(counts)
    blocks = counts.reshape(2, 8, 4)
    slow = np.array([[[b[2 * i : 2 * i + 2, j].sum() for j in range(4)] for i in range(4)] for b in blocks]).reshape(2, 16)
    np.testing.assert_allclose(found, slow, rtol=1e-12)
    assert merged.grid == LeptonGrid(4, 4, 6.0)
    # An event counts in the bin that the merged grid gives it.
    el, cos = fine.el_gev(rng.random(300)), fine.cos_theta(rng.random(300))
    each = np.bincount(fine.bin_numbers(el, cos), minlength=32).astype(float)
    np.testing.assert_array_equal(merged.counts(each), np.bincount(merged.grid.bin_numbers(el, cos), minlength=16))


@pytest.mark.parametrize("bins", [3, 8])
def test_bins_that_do_not_divide_are_refused(bins):
    with pytest.raises(InputError, match=f"{bins} bins an axis do not divide the experiment's 8 x 4"):
        Merged.of(LeptonGrid(8, 4, 6.0), bins)


# The design


def test_design_is_the_counts_of_each_coefficient_in_the_flux_or_a_difference(problem):
    merged = Merged.of(problem.grid, 4)
    basis = Basis.of(problem.operator, problem.flux, SETTINGS, 16)
    n = 3 * basis.splines.shape[1]
    by_knot = np.stack([merged.counts(problem.operator.counts_by_knot(basis.structure_functions(unit))) for unit in np.eye(n)])
    difference = shifted(problem, SIZE, np.array([1.0, -0.5])) - problem.flux
    assert difference.min() < 0 < difference.max()
    for flux in (problem.flux, difference):
        slow = np.einsum("k,ckb->bc", flux, by_knot)
        np.testing.assert_allclose(basis.design(problem.operator, flux, merged), slow, atol=1e-6 * np.abs(slow).max())
    # Each function alone, all of its splines one, gives one event a bin.
    totals = basis.design(problem.operator, problem.flux, merged).reshape(16, 3, -1).sum(axis=(0, 2))
    np.testing.assert_allclose(np.abs(totals), 16.0, rtol=1e-9)


# Learning


def learner(problem, smearing: float | None = None, expected=None, observed=None) -> tuple[LinearNear, Basis, np.ndarray]:
    """Return the learner of the toy's truth, its basis and the data that its evidence saw."""
    matrix = None if smearing is None else smearing_matrix(problem.grid, smearing)
    exact = near_data(problem.flux @ problem.truth, matrix, problem.grid.shape, None).share
    drawn = np.random.default_rng(4).multinomial(EVENTS, exact) / EVENTS if observed is None else observed
    basis, same = Basis.of(problem.operator, problem.flux, SETTINGS, 64), Merged.of(problem.grid, 8)
    fluxes = np.stack([problem.flux, *(problem.flux * shapes(problem.knots_gev, SIZE).components)])

    def design_of(flux: np.ndarray) -> np.ndarray:
        return smeared(basis.design(problem.operator, flux, same).T, matrix, problem.grid.shape).T

    expected = exact if expected is None else expected
    return linear_near(design_of, fluxes, expected, drawn, EVENTS, basis.axes, SETTINGS), basis, drawn


def normal_equations(problem, smearing: float | None, drawn, data, amplitudes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The slow twin for one data set: coefficients, precision and design, from the operator's matrix of the shifted flux."""
    matrix = None if smearing is None else smearing_matrix(problem.grid, smearing)
    basis = Basis.of(problem.operator, problem.flux, SETTINGS, 64)
    variance = np.maximum(EVENTS * shares(smeared(problem.flux @ problem.truth, matrix, problem.grid.shape)), LEAST_COUNT)
    root = EVENTS / 64 / np.sqrt(variance)

    def folded(flux: np.ndarray) -> np.ndarray:
        full = problem.operator.matrix(flux)
        parts = [full[:, a::3] @ (basis.functions[a][:, None] * basis.splines) for a in range(3)]
        return smeared(np.concatenate(parts, axis=1).T, matrix, problem.grid.shape).T

    nominal, own = root[:, None] * folded(problem.flux), root[:, None] * folded(shifted(problem, SIZE, amplitudes))
    evidence = Evidence(nominal.T @ nominal, nominal.T @ (root * drawn * 64), *basis.axes, SETTINGS.kernel)
    theta = evidence.maximise(np.log(np.tile([0.5, 0.3, 0.3], 3)), SETTINGS.iterations, BOUNDS)
    prior = evidence.prior_precision(theta)
    penalty = np.linalg.cholesky(prior).T
    stacked, right = np.concatenate([own, penalty]), np.concatenate([root * data * 64, np.zeros(len(prior))])
    return np.linalg.lstsq(stacked, right, rcond=None)[0], own.T @ own + prior, own / root[:, None]


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


@pytest.mark.parametrize("smearing", SMEARING)
def test_coefficients_are_those_of_the_normal_equations_of_the_shifted_flux(problem, smearing):
    near, _, drawn = learner(problem, smearing)
    rng = np.random.default_rng(11)
    data = rng.multinomial(EVENTS, drawn, size=3) / EVENTS
    amplitudes = np.array([[0.0, 0.0], [1.5, -0.7], [-2.0, 1.0]])
    assert near.n_shifts == 2
    found, wrong = near.coefficients(data, amplitudes), near.coefficients(data, -amplitudes)
    for i, (share, a) in enumerate(zip(data, amplitudes, strict=True)):
        slow, _, design = normal_equations(problem, smearing, drawn, share, a)
        assert distance(found[i], slow) < 1e-3
        assert distance(design @ found[i], design @ slow) < 1e-5
        if a.any():
            # A shift of the wrong sign: the control.
            assert distance(wrong[i], slow) > 0.05


def test_each_data_set_has_its_own_flux_and_its_own_numbers(problem):
    near, _, drawn = learner(problem)
    data = np.stack([drawn, shares(drawn + 1e-3)])
    amplitudes = np.array([[1.0, 0.0], [0.0, 1.0]])
    both = near.coefficients(data, amplitudes)
    alone = np.concatenate([near.coefficients(data[i : i + 1], amplitudes[i : i + 1]) for i in (0, 1)])
    np.testing.assert_allclose(both, alone, rtol=1e-4, atol=1e-5)
    assert distance(near.coefficients(data, amplitudes[::-1]), both) > 0.01


@pytest.mark.parametrize("smearing", SMEARING)
def test_with_the_same_variances_it_is_the_gaussian_learner(problem, smearing):
    """The learner's first pass takes one more event than observed in each bin for the variances."""
    _, _, drawn = learner(problem, smearing)
    near, basis, _ = learner(problem, smearing, expected=drawn + 1.0 / EVENTS, observed=drawn)
    matrix = None if smearing is None else smearing_matrix(problem.grid, smearing)
    learned = fit_gaussian(NearProblem(problem.operator, problem.flux, matrix, NearData(drawn, EVENTS)), SETTINGS)
    found = near.coefficients(drawn[None], np.zeros((1, 2)))[0]
    assert distance(basis.structure_functions(found) / 64, learned.w[0]) < 1e-3
    covariance = np.einsum("kan,kbm->anbm", *2 * [learned.factor[:, :, ::40].astype(float)])
    steps = np.stack([basis.structure_functions(f)[:, ::40] for f in near.factor()]) / 64
    assert distance(np.einsum("kan,kbm->anbm", steps, steps), covariance) < 1e-3
    # Variances of other data give another fit: the control.
    other, _, _ = learner(problem, smearing, expected=shares(drawn + 0.01), observed=drawn)
    again = other.coefficients(drawn[None], np.zeros((1, 2)))[0]
    assert distance(basis.structure_functions(again) / 64, learned.w[0]) > 1e-2


def test_factor_is_of_the_inverse_precision(problem):
    near, _, drawn = learner(problem)
    _, precision, _ = normal_equations(problem, None, drawn, drawn, np.zeros(2))
    factor = near.factor()
    np.testing.assert_allclose(factor @ precision @ factor.T, np.eye(len(factor)), atol=2e-4)
    # F F^T is not F^T F: the control.
    assert np.abs(factor.T @ precision @ factor - np.eye(len(factor))).max() > 0.1


def test_without_bounds_the_hyperparameters_are_others(problem):
    held, _, drawn = learner(problem)
    basis, same = Basis.of(problem.operator, problem.flux, SETTINGS, 64), Merged.of(problem.grid, 8)
    free = linear_near(
        lambda flux: basis.design(problem.operator, flux, same),
        problem.flux[None],
        drawn,
        drawn,
        EVENTS,
        basis.axes,
        replace(SETTINGS, bounded=False, iterations=30),
    )
    assert free.n_shifts == 0 and free.coefficients(drawn[None], np.zeros((1, 0))).shape == (1, 48)
    assert distance(free.prior, held.prior) > 0.1

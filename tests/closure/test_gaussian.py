"""The Gaussian learner: penalised least squares, bands against draws, and coverage of truths drawn from its own prior."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from nuinfer.closure.envelope import envelope
from nuinfer.closure.gaussian import LEAST_COUNT, basis_on_mesh, design, fit_gaussian, scaled_functions, share_bands
from nuinfer.closure.gaussian_prior import JITTER, Evidence, kernel
from nuinfer.closure.learned import Learned
from nuinfer.closure.near_data import NearData, NearProblem, near_data, shares
from nuinfer.closure.settings import GaussianSettings
from nuinfer.closure.smearing import smeared, smearing_matrix

SMALL = GaussianSettings(n_x=5, n_q2=4, passes=2, iterations=10)
EVENTS = 100_000
FIXED = np.log(np.tile([1.0, 1.5, 1.5], 3))


@pytest.fixture
def fixed(monkeypatch):
    """Hyperparameters held at FIXED."""
    monkeypatch.setattr(Evidence, "maximise", lambda self, theta, iterations, within: FIXED)


def far_flux(problem) -> np.ndarray:
    """A flux with a deep dip where the near one has its peak."""
    return problem.flux * (1.0 - 0.95 * np.exp(-0.5 * ((problem.knots_gev - 2.5) / 0.7) ** 2))


def near_problem(problem, events=None, smearing=None, counts=None, rng=None) -> NearProblem:
    counts = problem.flux @ problem.truth if counts is None else counts
    return NearProblem(problem.operator, problem.flux, smearing, near_data(counts, smearing, problem.grid.shape, events, rng))


def relative_l2(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.linalg.norm(found - true) / np.linalg.norm(true))


def prior_covariance(problem, settings: GaussianSettings, theta: np.ndarray) -> np.ndarray:
    _, axes = basis_on_mesh(problem.mesh.shape, settings)
    n = settings.n_x * settings.n_q2
    covariance = np.zeros((3 * n, 3 * n))
    for a in range(3):
        kx, kq = (
            kernel(settings.kernel, b.centres[:, None] - b.centres, np.exp(t))[0] + JITTER * np.eye(b.centres.size)
            for b, t in zip(axes, theta[3 * a + 1 : 3 * a + 3], strict=True)
        )
        covariance[a * n : (a + 1) * n, a * n : (a + 1) * n] = np.exp(2 * theta[3 * a]) * np.kron(kx, kq)
    return covariance


def unit_functions(problem, settings: GaussianSettings) -> np.ndarray:
    """Functions ``(3 n, 3, n_nodes)`` of one coefficient of one each."""
    matrix = problem.operator.matrix(problem.flux)
    basis, _ = basis_on_mesh(problem.mesh.shape, settings)
    sizes = scaled_functions(matrix, envelope(settings.envelope, *problem.mesh.points, problem.mass_gev), problem.grid.n_bins)
    units = np.zeros((3, basis.shape[1], 3, basis.shape[0]))
    for a in range(3):
        units[a, :, a] = (sizes[a][:, None] * basis).T
    return units.reshape(-1, 3, basis.shape[0])


# The fit


def test_design_is_the_counts_of_each_coefficient_alone(problem):
    matrix = problem.operator.matrix(problem.flux)
    basis, axes = basis_on_mesh(problem.mesh.shape, SMALL)
    assert basis.shape == (problem.mesh.n_nodes, 20) and [len(a.centres) for a in axes] == [5, 4]
    sizes = scaled_functions(matrix, envelope("callan_gross", *problem.mesh.points, problem.mass_gev), problem.grid.n_bins)
    d = design(matrix, sizes, basis)
    for column, unit in enumerate(unit_functions(problem, SMALL)):
        expected = problem.flux @ problem.operator.counts_by_knot(unit)
        np.testing.assert_allclose(d[:, column], expected, atol=1e-5 * np.abs(d).max())
    # Splines sum to one and each function alone gives one event a bin.
    np.testing.assert_allclose(np.abs(d.reshape(-1, 3, 20).sum(axis=(0, 2))), problem.grid.n_bins, rtol=1e-9)


def test_mean_is_penalised_least_squares(problem, fixed, rng):
    """The slow twin: least squares of stacked residuals, the data's and the prior's, in two passes, with a resolution."""
    smearing = smearing_matrix(problem.grid, 0.2)
    near = near_problem(problem, EVENTS, smearing, rng=rng)
    units = unit_functions(problem, SMALL)
    counts = np.stack([problem.flux @ problem.operator.counts_by_knot(u) for u in units])
    d = smeared(counts, smearing, problem.grid.shape).T
    penalty = np.linalg.inv(np.linalg.cholesky(prior_covariance(problem, SMALL, FIXED)))
    y, per_bin = near.data.share * problem.grid.n_bins, EVENTS / problem.grid.n_bins
    expected, means = near.data.share * EVENTS + 1.0, []
    for _ in range(SMALL.passes):
        weight = per_bin / np.sqrt(np.maximum(expected, LEAST_COUNT))
        stacked = np.concatenate([weight[:, None] * d, penalty])
        means.append(np.linalg.lstsq(stacked, np.concatenate([weight * y, np.zeros(len(penalty))]), rcond=None)[0])
        expected = d @ means[-1] * per_bin
    found = fit_gaussian(near, SMALL)
    slow = [np.einsum("k,kan->an", m, units) / problem.grid.n_bins for m in means]
    assert relative_l2(found.w[0], slow[-1]) < 1e-4
    assert relative_l2(found.w[0], slow[0]) > 1e-3
    residual = weight * (y - d @ means[-1])
    filled = expected > LEAST_COUNT
    assert found.facts["bins_in_chi2"] == filled.sum()
    assert found.facts["chi2"] == pytest.approx((residual[filled] ** 2).sum(), rel=1e-3)
    normal = stacked.T @ stacked
    covariance = np.einsum("kan,kl,lbm->anbm", units[:, :, ::50], np.linalg.inv(normal), units[:, :, ::50]) / 64**2
    factor = found.factor.astype(float)[:, :, ::50]
    assert relative_l2(np.einsum("kan,kbm->anbm", factor, factor), covariance) < 1e-3


def test_exact_data_are_followed(problem):
    found = fit_gaussian(near_problem(problem), GaussianSettings(n_x=10, n_q2=10, passes=2))
    true = shares(problem.flux @ problem.truth)
    counts = problem.flux @ found.counts_by_knot(problem.operator)
    assert relative_l2(counts, true) < 2e-3
    assert counts.sum() == pytest.approx(1.0, abs=2e-3)
    far = far_flux(problem)
    assert relative_l2(shares(far @ found.counts_by_knot(problem.operator)), shares(far @ problem.truth)) < 0.05
    assert relative_l2(true, shares(far @ problem.truth)) > 0.2


def test_chi2_of_data_with_poisson_errors(problem, rng):
    found = fit_gaussian(near_problem(problem, EVENTS, rng=rng), GaussianSettings(n_x=8, n_q2=8))
    n = found.facts["bins_in_chi2"]
    assert 0.2 * n < found.facts["chi2"] < n + 3 * np.sqrt(2 * n)
    assert found.facts["events"] == EVENTS
    assert found.w.shape == (1, 3, problem.mesh.n_nodes) and found.factor.shape == (192, 3, problem.mesh.n_nodes)
    names = {f"{name}_{a}" for name in ("amplitude", "length_x", "length_q2") for a in (1, 2, 3)}
    assert set(found.facts["hyperparameters"]) == names


def test_smeared_data_give_the_density_before_smearing(problem):
    near = near_problem(problem, None, smearing_matrix(problem.grid, 0.3))
    true = shares(problem.flux @ problem.truth)
    settings = GaussianSettings(n_x=8, n_q2=8, passes=2)
    told, untold = (fit_gaussian(p, settings).counts_by_knot(problem.operator) for p in (near, replace(near, smearing=None)))
    assert relative_l2(near.data.share, true) > 0.1
    assert relative_l2(shares(problem.flux @ told), true) < 0.02
    assert relative_l2(shares(problem.flux @ untold), true) > 0.1


def test_without_bounds_the_data_choose_and_find_more_evidence(problem):
    near = near_problem(problem, EVENTS, rng=np.random.default_rng(3))
    held, free = (fit_gaussian(near, GaussianSettings(n_x=8, n_q2=8, passes=2, bounded=b)).facts for b in (True, False))
    assert held["at_bound"] and len(free["at_bound"]) < len(held["at_bound"])
    assert free["log_evidence"] > held["log_evidence"]
    outside = [n for n, v in free["hyperparameters"].items() if n.startswith("amplitude") and v < 0.5]
    assert set(outside) & set(held["at_bound"])


def test_progress_and_the_same_digits_again(problem):
    told = []
    first, again = (fit_gaussian(near_problem(problem), SMALL, lambda *what: told.append(what)) for _ in range(2))
    assert np.array_equal(first.w, again.w) and np.array_equal(first.factor, again.factor)
    assert [t[:2] for t in told] == [(1, 2), (2, 2)] * 2


# Bands


def test_bands_against_draws(problem, rng):
    learned = fit_gaussian(near_problem(problem, EVENTS, rng=rng), SMALL)
    flux = far_flux(problem)
    bands = share_bands(learned, problem.operator.matrix(flux))
    draws = learned.draws(problem.operator, flux, 4000, rng)
    relative = shares(draws)
    filled = bands.share > 1e-3
    assert filled.sum() > 20
    np.testing.assert_allclose(bands.share.sum(), 1.0, rtol=1e-12)
    error = relative.std(axis=0) / np.sqrt(4000)
    # Second order in the functions' errors is what the bands leave out.
    assert np.all(np.abs(relative.mean(axis=0) - bands.share)[filled] < 5 * error[filled] + 2e-3 * bands.share[filled])
    np.testing.assert_allclose(bands.sd[filled], relative.std(axis=0)[filled], rtol=0.08)
    # Without the rate's part the bands would be of counts, not of shares: the control.
    of_counts = draws.std(axis=0) / draws.mean(axis=0).sum()
    assert np.any(np.abs(of_counts[filled] / bands.sd[filled] - 1) > 0.15)


@dataclass(frozen=True)
class Coverage:
    """Coverage of 68.27 % and 95.45 % bands: means over draws and their errors, since bins of one draw go together."""

    mean: np.ndarray
    error: np.ndarray


def coverage(problem, rng, factor_scale: float, draws: int = 300) -> Coverage:
    """Truths of the prior with a given rate and no negative bin; multinomial data; bands at the far detector."""
    units = unit_functions(problem, SMALL)
    near = np.stack([problem.flux @ problem.operator.counts_by_knot(u) for u in units])
    far_matrix = problem.operator.matrix(far_flux(problem))
    far = far_matrix @ units.swapaxes(1, 2).reshape(len(units), -1).T
    prior = prior_covariance(problem, SMALL, FIXED)
    root, total = np.linalg.cholesky(prior), near.sum(axis=1)
    gain = prior @ total / (total @ prior @ total)
    inside = []
    while len(inside) < draws:
        c = root @ rng.standard_normal(len(units))
        # Data say nothing of the rate: the prior is conditioned on it.
        c += gain * (problem.grid.n_bins - total @ c)
        if np.any(near.T @ c < 0):
            continue
        learned = fit_gaussian(near_problem(problem, EVENTS, counts=near.T @ c, rng=rng), SMALL)
        bands = share_bands(replace(learned, factor=learned.factor * np.float32(factor_scale)), far_matrix)
        true = shares(far @ c)
        filled = true > 1e-3 * true.max()
        distance = np.abs(true - bands.share)[filled] / bands.sd[filled]
        inside.append([(distance < 1.0).mean(), (distance < 2.0).mean()])
    return Coverage(np.mean(inside, axis=0), np.std(inside, axis=0) / np.sqrt(draws))


def test_bands_cover_truths_of_the_prior(problem, fixed, rng):
    found = coverage(problem, rng, 1.0)
    assert np.all(found.error < [0.02, 0.012])
    assert np.all(np.abs(found.mean - [0.6827, 0.9545]) < 3.5 * found.error), found


def test_bands_half_as_wide_are_caught(problem, fixed, rng):
    found = coverage(problem, rng, 0.5)
    assert np.all(found.mean - [0.6827, 0.9545] < -8 * found.error), found


def test_bands_of_a_made_up_posterior(problem):
    """Two directions by hand: one changes the shape, the other only the rate and therefore no share."""
    matrix = problem.operator.matrix(problem.flux)
    w = np.ones((1, 3, problem.mesh.n_nodes))
    direction = np.zeros_like(w)
    direction[0, 1] = 0.1
    both = Learned(w=w, factor=np.concatenate([direction, 3.0 * w]).astype(np.float32))
    only = Learned(w=w, factor=direction.astype(np.float32))
    counts, step = (matrix @ f[0].T.ravel() for f in (w, direction))
    slow = (shares(counts + 1e-4 * step) - shares(counts - 1e-4 * step)) / 2e-4
    for learned in (both, only):
        bands = share_bands(learned, matrix)
        np.testing.assert_allclose(bands.share, shares(counts), rtol=1e-12)
        np.testing.assert_allclose(bands.sd, np.abs(slow), atol=1e-6 * np.abs(slow).max())


def test_data_of_another_size_are_told_apart(problem):
    """More events, narrower bands: about as one over the root of their number, less where the prior rules."""
    share = shares(problem.flux @ problem.truth)
    widths = []
    for events in (1e4, 1e6):
        near = NearProblem(problem.operator, problem.flux, None, NearData(share, events))
        bands = share_bands(fit_gaussian(near, SMALL), problem.operator.matrix(problem.flux))
        widths.append(np.linalg.norm(bands.sd))
    assert 5.0 < widths[0] / widths[1] < 12.0

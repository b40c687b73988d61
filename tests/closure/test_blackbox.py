"""The network of (E, u, v): its phase space and folding, what it learns, and that it fails at another flux."""

from dataclasses import replace

import numpy as np
import pytest

from nuinfer.closure.blackbox import fit_blackbox
from nuinfer.closure.learn import learner_settings
from nuinfer.closure.near_data import NearProblem, near_data, shares
from nuinfer.closure.observables import LeptonGrid
from nuinfer.closure.phase_space import hats, merged, merged_smearing, near_weights, phase_space_by_knot, training_energies
from nuinfer.closure.settings import BlackBoxSettings
from nuinfer.closure.smearing import smeared, smearing_matrix
from nuinfer.errors import InputError
from nuinfer.physics.kinematics import bjorken_x


def settings_of(entries):
    return learner_settings({"name": "blackbox", **entries})[1]


SMALL = BlackBoxSettings(steps=(250, 250), merge=(2, 1), n_enu=8, width=32, depth=3)


def near_problem(problem, smearing=None) -> NearProblem:
    data = near_data(problem.flux @ problem.truth, smearing, problem.grid.shape, None)
    return NearProblem(problem.operator, problem.flux, smearing, data)


def relative_l2(counts: np.ndarray, truth: np.ndarray) -> float:
    return float(np.linalg.norm(shares(counts) - shares(truth)) / np.linalg.norm(shares(truth)))


@pytest.fixture(scope="module")
def fit(problem):
    return fit_blackbox(near_problem(problem), SMALL, 1)


# Phase space and folding


def test_phase_space_is_the_volume_of_the_physical_region(problem):
    """The slow twin: a fine lattice of midpoints in (E, u, v), counted where nu > 0 and 0 < x <= 1."""
    grid, knots = LeptonGrid(4, 4, problem.grid.el_max_gev), problem.knots_gev
    volume = phase_space_by_knot(grid, knots, problem.mass_gev, points_per_axis=12)
    n, n_e = 40, 600
    mid = (np.arange(n) + 0.5) / n
    u, v = (a.ravel() for a in np.meshgrid(mid, mid, indexing="ij"))
    bins = (u * 4).astype(int) * 4 + (v * 4).astype(int)
    step = (knots[-1] - knots[0]) / n_e
    slow = np.zeros_like(volume)
    for enu in knots[0] + step * (np.arange(n_e) + 0.5):
        el = grid.el_gev(u)
        x = bjorken_x(enu, el, grid.cos_theta(v), problem.mass_gev)
        inside = np.bincount(bins, ((enu > el) & (x > 0) & (x <= 1)) * step / n**2, minlength=16)
        slow += hats(knots, np.array([enu])) * inside
    assert volume.sum() == pytest.approx(slow.sum(), rel=3e-3)
    np.testing.assert_allclose(volume, slow, atol=0.02 * slow.max())


def test_phase_space_lies_where_the_cross_section_does(problem):
    volume = phase_space_by_knot(problem.grid, problem.knots_gev, problem.mass_gev)
    assert np.all(volume >= 0)
    np.testing.assert_array_equal(volume > 0, problem.truth > 0)
    assert np.any(volume == 0)


def test_hats_interpolate(rng):
    nodes, values, at = np.array([1.0, 2.0, 4.0, 5.0]), rng.normal(size=4), rng.uniform(1, 5, 20)
    np.testing.assert_allclose(values @ hats(nodes, at), np.interp(at, nodes, values), atol=1e-14)
    np.testing.assert_allclose(hats(nodes, at).sum(axis=0), 1.0)


def test_near_weights_equal_the_slow_sum(problem, rng):
    volume = phase_space_by_knot(problem.grid, problem.knots_gev, problem.mass_gev)
    energies = training_energies(problem.knots_gev, problem.flux, 6)
    assert energies.shape == (6,)
    assert energies[[0, -1]].tolist() == problem.knots_gev[[0, -1]].tolist()
    squared = rng.uniform(size=(6, problem.grid.n_bins))
    slow = np.zeros(problem.grid.n_bins)
    for k, enu in enumerate(problem.knots_gev):
        for b in range(problem.grid.n_bins):
            slow[b] += problem.flux[k] * volume[k, b] * np.interp(enu, energies, squared[:, b])
    fast = (near_weights(volume, problem.flux, problem.knots_gev, energies) * squared).sum(axis=0)
    np.testing.assert_allclose(fast, slow, rtol=1e-12)


def test_training_energies_are_the_knots_where_enough(problem):
    assert training_energies(problem.knots_gev, problem.flux, 12) is problem.knots_gev


def test_merged_sums_blocks(rng):
    values = rng.uniform(size=(2, 4, 6))
    slow = [[values[k, i : i + 2, j : j + 2].sum() for i in (0, 2) for j in (0, 2, 4)] for k in range(2)]
    np.testing.assert_allclose(merged(values.reshape(2, 24), (4, 6), 2), slow)
    with pytest.raises(InputError, match="merge 3 does not divide the grid of 4 x 6"):
        merged(values.reshape(2, 24), (4, 6), 3)


def test_merged_smearing_commutes_with_merging_of_even_events(rng):
    grid = LeptonGrid(12, 3, 6.0)
    matrix = smearing_matrix(grid, 0.2)
    coarse = rng.uniform(size=(4, 3))
    fine = np.repeat(coarse, 3, axis=0) / 3.0
    expected = (matrix @ fine).reshape(4, 3, 3).sum(axis=1)
    np.testing.assert_allclose(merged_smearing(matrix, 3) @ coarse, expected, rtol=1e-12)
    np.testing.assert_allclose(merged_smearing(matrix, 3).sum(axis=0), 1.0)


# Learning


def test_loss_falls_and_the_best_step_of_the_last_stage_is_kept(fit):
    loss = fit.curves["train_loss"]
    assert loss.shape == (1, 500)
    assert fit.curves["step"].tolist() == list(range(1, 501))
    assert np.all(np.diff(fit.curves["seconds"]) > 0)
    last = loss[0, 250:]
    assert fit.facts["best_loss"] == last.min() < 1e-3 * loss[0, 0]
    assert fit.facts["best_step"] == 251 + last.argmin()


def test_best_loss_is_that_of_the_counts_returned(problem, fit):
    density = shares(problem.flux @ fit.counts) * problem.grid.n_bins
    target = shares(problem.flux @ problem.truth) * problem.grid.n_bins
    assert np.mean((density - target) ** 2) == pytest.approx(fit.facts["best_loss"], rel=1e-2)
    assert np.mean(target**2) == pytest.approx(fit.facts["target_mean_square"])


def test_counts_are_physical(problem, fit):
    assert fit.counts.shape == problem.truth.shape
    assert np.all(fit.counts >= 0)
    assert np.all(fit.counts[problem.truth == 0] == 0)


def test_near_detector_is_learned_and_another_flux_is_not(problem, fit):
    """The control: the true cross section in the same forward model has no error at either flux."""
    other = np.exp(-0.5 * ((problem.knots_gev - 1.2) / 0.6) ** 2)
    near = relative_l2(problem.flux @ fit.counts, problem.flux @ problem.truth)
    far = relative_l2(other @ fit.counts, other @ problem.truth)
    assert near < 0.02
    assert far > 5 * near
    assert far > 0.1


def test_one_seed_one_result(problem):
    settings = replace(SMALL, steps=(15, 5))
    one, same, other = (fit_blackbox(near_problem(problem), settings, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.counts, same.counts)
    np.testing.assert_array_equal(one.curves["train_loss"], same.curves["train_loss"])
    assert not np.allclose(one.counts, other.counts)


def test_energy_resolution_is_unfolded(problem):
    matrix = smearing_matrix(problem.grid, 0.3)
    fit = fit_blackbox(near_problem(problem, matrix), SMALL, 1)
    truth = problem.flux @ problem.truth
    seen = smeared(problem.flux @ fit.counts, matrix, problem.grid.shape)
    assert relative_l2(seen, smeared(truth, matrix, problem.grid.shape)) < 0.02
    assert relative_l2(problem.flux @ fit.counts, smeared(truth, matrix, problem.grid.shape)) > 0.1


def test_progress_counts_every_step(problem):
    calls = []
    settings = replace(SMALL, steps=(2, 1), schedule="constant")
    fit_blackbox(near_problem(problem), settings, 1, lambda *call: calls.append(call))
    assert [call[:2] for call in calls] == [(1, 3), (2, 3), (3, 3)]


def test_a_diverging_rate_is_named(problem):
    broken = near_problem(problem)
    broken.data.share[3] = np.nan
    with pytest.raises(InputError, match="not finite at step 1; lower the rate"):
        fit_blackbox(broken, SMALL, 1)


# Settings


def test_settings_from_a_mapping():
    assert settings_of({}) == BlackBoxSettings()
    assert settings_of({"steps": [3, 2], "merge": [2, 1]}).steps == (3, 2)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"stepps": 3}, "unknown setting .stepps.; allowed: steps, merge"),
        ({"steps": 10}, "steps must be of type list"),
        ({"steps": [10]}, "1 stages in steps and 3 in merge"),
        ({"merge": [4, 2, 0]}, "merge must be a list of whole numbers"),
        ({"width": 0}, "width must be a whole number from 1"),
        ({"n_enu": 3}, "n_enu must be a whole number from 4"),
        ({"rate": 1.5}, "rate must be a number between 0 and 1"),
        ({"beta2": 1.0}, "beta2 must be a number between 0 and 1"),
        ({"schedule": "cosine"}, "not one of one_cycle, constant"),
    ],
)
def test_bad_settings_are_named(entries, message):
    with pytest.raises(InputError, match=message):
        settings_of(entries)


def test_a_merge_that_does_not_fit_is_named(problem):
    with pytest.raises(InputError, match="merge 3 does not divide the grid of 8 x 8"):
        fit_blackbox(near_problem(problem), replace(SMALL, merge=(3, 1)), 1)

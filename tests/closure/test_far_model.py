"""The far detector's model: densities at events against direct sums, the resolution against equation 14, bins, clamping."""

from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
import pytest

from nuinfer.closure.experiment import Experiment, far_flux, refined_knots
from nuinfer.closure.far_drawing import draw_far_events
from nuinfer.closure.far_events import FarEvents, in_order, smeared_events
from nuinfer.closure.far_model import binned_kernel, bins_model, direct_event_model, event_model, event_points
from nuinfer.closure.learned import Learned
from nuinfer.closure.observables import GridPoints, LeptonGrid
from nuinfer.closure.operator import PointOperator, point_operator
from nuinfer.closure.smearing import smearing_matrix
from nuinfer.closure.truth import Combinations, direct_counts, direct_rates
from nuinfer.errors import InputError
from nuinfer.oscillation.fit import fit_events
from nuinfer.oscillation.likelihood import densities
from nuinfer.oscillation.nufast import NUFIT60_NO_WITH_SK, numu_survival
from nuinfer.oscillation.plane import FitRange
from nuinfer.physics.kinematics import ARGON40

OSCILLATION = asdict(NUFIT60_NO_WITH_SK)
MASS = ARGON40.nucleon_mass_gev
FLOAT32 = 2e-6
"""Values of an operator are kept in single precision."""
RANGE = FitRange((0.3, 0.7), (2.0e-3, 3.0e-3))


@pytest.fixture(scope="module")
def events(problem, toy) -> FarEvents:
    """600 events of the far detector, exact energies."""
    flux, grid = far_flux(problem_experiment(problem), OSCILLATION), LeptonGrid(24, 24, 6.0)
    found, _ = draw_far_events(
        toy(),
        bin_counts=flux @ direct_counts(toy(), grid, problem.knots_gev, MASS),
        flux=flux,
        grid=grid,
        knots_gev=problem.knots_gev,
        mass_gev=MASS,
        antineutrino=False,
        n_events=600,
        rng=np.random.default_rng(8),
    )
    return found


@pytest.fixture(scope="module")
def learned(problem, toy) -> Learned:
    """Two members whose mean is the truth on the mesh."""
    w = toy()(*problem.mesh.points)
    return Learned(w=np.stack([0.9 * w, 1.1 * w]))


def problem_experiment(problem) -> Experiment:
    return Experiment(problem.grid, problem.knots_gev, problem.flux, ARGON40, False)


def on_events(problem, points: GridPoints, n: int) -> PointOperator:
    return point_operator(points, n, problem.mesh, problem.knots_gev, MASS)


def at_single_points(functions: Combinations, el_gev: np.ndarray, cos_theta: np.ndarray, knots_gev: np.ndarray) -> np.ndarray:
    """Return d2sigma / dE_l dcos(theta) by knot ``(n_knots, n)`` at points of true energy."""
    n = el_gev.size
    return direct_rates(functions, GridPoints(np.arange(n), el_gev, cos_theta, np.ones(n)), n, knots_gev, MASS)


# Kernels


@pytest.mark.parametrize("smearing", [None, 0.1])
def test_operator_at_events_is_the_direct_sum(problem, events, learned, smearing: float | None) -> None:
    w = learned.w.mean(axis=0)
    points = event_points(events.el_gev[:60], events.cos_theta[:60], problem.grid, smearing, 6)
    fast = on_events(problem, points, 60).counts_by_knot(w)
    slow = direct_rates(lambda x, q2: problem.mesh.interpolate(w, x, q2), points, 60, problem.knots_gev, MASS)
    assert np.max(np.abs(fast - slow)) < FLOAT32 * np.max(np.abs(slow))
    assert np.max(np.abs(fast - np.roll(slow, 1, axis=1))) > 0.1 * np.max(slow)


def test_a_row_is_the_weighted_sum_of_its_points(problem, learned) -> None:
    el, cos = np.array([0.8, 1.1, 2.0, 2.2, 3.0]), np.array([0.9, 0.95, 0.98, 0.9, 0.99])
    weight = np.array([0.2, 1.5, 0.7, 1.0, 0.1])
    rows = np.array([0, 0, 1, 2, 2])
    w = learned.w.mean(axis=0)
    single = on_events(problem, GridPoints(np.arange(5), el, cos, np.ones(5)), 5).counts_by_knot(w) * weight
    found = on_events(problem, GridPoints(rows, el, cos, weight), 4).counts_by_knot(w)
    expected = np.stack([single[:, 0] + single[:, 1], single[:, 2], single[:, 3] + single[:, 4], 0 * single[:, 0]], axis=1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=FLOAT32 * expected.max())


@pytest.mark.parametrize("smearing", [None, 0.1])
def test_models_with_and_without_an_operator_agree(problem, events, learned, smearing: float | None) -> None:
    seen = events if smearing is None else smeared_events(events, smearing, problem.grid, np.random.default_rng(1))
    seen = replace(seen, el_gev=seen.el_gev[:80], cos_theta=seen.cos_theta[:80])
    operator = on_events(problem, event_points(seen.el_gev, seen.cos_theta, problem.grid, smearing), 80)
    model, bins = event_model(problem.operator, seen, operator, learned, problem.flux, OSCILLATION)
    by_knot = learned.counts_by_knot(problem.operator)
    direct = direct_event_model(problem.operator, seen, learned, by_knot, problem.flux, OSCILLATION)
    np.testing.assert_allclose(model.kernel, direct.kernel, rtol=0, atol=FLOAT32 * direct.kernel.max())
    np.testing.assert_array_equal(model.total, direct.total)
    np.testing.assert_allclose(bins.total, direct.total, rtol=1e-12)
    contents = densities(bins, 0.47, np.asarray(2.5e-3))
    assert contents.sum() == pytest.approx(1.0, rel=1e-9)


def test_a_cross_section_in_bins_is_even_within_them(problem, events) -> None:
    counts = Learned(counts=problem.truth)
    for smearing in (None, 0.1):
        seen = replace(events, smearing=smearing)
        operator = on_events(problem, event_points(events.el_gev[:3], events.cos_theta[:3], problem.grid, None), 3)
        model, bins = event_model(problem.operator, seen, operator, counts, problem.flux, OSCILLATION)
        direct = direct_event_model(problem.operator, seen, counts, problem.truth, problem.flux, OSCILLATION)
        np.testing.assert_array_equal(model.kernel, direct.kernel)
        matrix = np.eye(8) if smearing is None else smearing_matrix(problem.grid, smearing)
        smeared = np.einsum("ij,kjv->kiv", matrix, problem.truth.reshape(-1, 8, 8)).reshape(problem.truth.shape)
        np.testing.assert_allclose(bins.kernel, smeared, rtol=0, atol=1e-12 * smeared.max())
        for n in range(0, 600, 97):
            i = int(problem.grid.u(events.el_gev[n]) * 8) * 8 + int(problem.grid.v(events.cos_theta[n]) * 8)
            np.testing.assert_allclose(model.kernel[:, n], 64 * smeared[:, i], rtol=1e-12, atol=1e-15 * smeared.max())


def test_operators_of_other_knots_are_refused(problem, events, learned) -> None:
    points = event_points(events.el_gev[:5], events.cos_theta[:5], problem.grid, None)
    other = point_operator(points, 5, problem.mesh, problem.knots_gev[1:], MASS)
    with pytest.raises(InputError, match="have different energy knots; make them again"):
        event_model(problem.operator, events, other, learned, problem.flux, OSCILLATION)


# Bins at events


def binned_error(n: int, rng: np.random.Generator) -> tuple[float, float]:
    """Return the largest and the mean relative error of a smooth density, even within ``n`` x ``n`` bins, at events."""

    def density(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return 2.0 + np.sin(3.0 * u) * np.cos(2.0 * v)

    grid = LeptonGrid(n, n, 6.0)
    nodes, weights = np.polynomial.legendre.leggauss(4)
    inside = ((np.arange(n)[:, None] + 0.5 * (nodes + 1.0)) / n).ravel()
    values = density(inside[:, None], inside) * np.outer(np.tile(weights, n), np.tile(weights, n)) / (4.0 * n * n)
    bins = values.reshape(n, 4, n, 4).sum(axis=(1, 3)).reshape(1, n * n)
    u, v = rng.random((2, 3000))
    error = np.abs(binned_kernel(bins, grid, grid.el_gev(u), grid.cos_theta(v))[0] / density(u, v) - 1.0)
    return float(error.max()), float(error.mean())


def test_a_binned_density_is_the_points_to_the_bins_size(rng: np.random.Generator) -> None:
    (worst, mean), (finer_worst, finer_mean) = binned_error(8, rng), binned_error(32, rng)
    # The slope is at most 3 of a density of at least 1: half a bin is at most (3 + 2) / 16.
    assert 0.02 < worst < 0.31 and finer_worst < 0.08
    assert finer_mean == pytest.approx(mean / 4.0, rel=0.15)


def test_bins_of_the_cross_section_agree_with_its_density_at_points(problem, toy) -> None:
    """In the bins' middles, where the error is of second order: 24 bins an axis, contracted with the flux."""
    grid = LeptonGrid(24, 24, 6.0)
    counts = problem.flux @ direct_counts(toy(), grid, problem.knots_gev, MASS)
    u, v = np.meshgrid((np.arange(24) + 0.5) / 24, (np.arange(24) + 0.5) / 24, indexing="ij")
    el, cos = grid.el_gev(u.ravel()), grid.cos_theta(v.ravel())
    found = binned_kernel(counts[None], grid, el, cos)[0]
    exact = problem.flux @ at_single_points(toy(), el, cos, problem.knots_gev) * grid.jacobian(u, v).ravel()
    assert np.abs(found - exact).sum() < 0.03 * exact.sum()
    assert np.abs(np.roll(found, 1) - exact).sum() > 0.1 * exact.sum()


def test_events_on_the_ends_of_the_grid_have_a_bin() -> None:
    grid = LeptonGrid(3, 2, 4.0)
    bins = np.arange(1.0, 7.0)[None]
    el = np.array([grid.el_min_gev, grid.el_max_gev, grid.el_max_gev, grid.el_min_gev])
    np.testing.assert_allclose(binned_kernel(bins, grid, el, np.array([1.0, 1.0, -1.0, -1.0]))[0], 6.0 * np.array([1, 5, 6, 2]))


# Negative cross sections


def test_negative_cross_sections_are_clamped_and_counted(problem, events, toy) -> None:
    w = toy()(*problem.mesh.points)
    w = w * np.where(problem.mesh.points[0] > 0.4, -0.5, 1.0)
    negative = Learned(w=w[None])
    by_knot = negative.counts_by_knot(problem.operator)
    assert by_knot.min() < 0
    model = direct_event_model(problem.operator, events, negative, by_knot, problem.flux, OSCILLATION)
    raw = direct_rates(
        lambda x, q2: problem.mesh.interpolate(w, x, q2),
        event_points(events.el_gev, events.cos_theta, problem.grid, None),
        600,
        problem.knots_gev,
        MASS,
    )
    assert raw.min() < 0
    np.testing.assert_array_equal(model.kernel, np.where(raw < 0, 0.0, raw))
    np.testing.assert_allclose(model.total, np.where(by_knot < 0, 0.0, by_knot).sum(axis=1), rtol=1e-13)
    share = problem.flux @ np.where(by_knot < 0, -by_knot, 0.0) / (problem.flux @ np.abs(by_knot)).sum()
    assert 0.0 < model.negative_share == pytest.approx(share.sum(), rel=1e-12)
    bins = bins_model(by_knot, problem.grid, problem.knots_gev, problem.flux, False, 0.1, OSCILLATION)
    assert bins.kernel.min() >= 0.0 and bins.negative_share == model.negative_share
    np.testing.assert_allclose(bins.kernel.sum(axis=1), model.total, rtol=1e-12)
    fit = fit_events(model, RANGE, 0, 1)
    assert np.all(np.isfinite(fit.surface)) and np.isfinite(fit.interpolation_error)


# Order of events


@pytest.mark.parametrize("binned", [False, True])
def test_events_in_another_order_give_the_same_fit(
    binned: bool, problem, events, learned, rng: np.random.Generator, request: pytest.FixtureRequest
) -> None:
    known = Learned(counts=problem.truth) if binned else learned
    by_knot = known.counts_by_knot(problem.operator)

    def fit(these: FarEvents):
        model = direct_event_model(problem.operator, these, known, by_knot, problem.flux, OSCILLATION)
        return fit_events(model, RANGE, 20, 1)

    order = rng.permutation(600)
    shuffled = FarEvents(events.el_gev[order], events.cos_theta[order])
    own, other = fit(FarEvents(events.el_gev, events.cos_theta)), fit(shuffled)
    for name, sd in (("sin2_theta23", 0.06), ("dm31_ev2", 6e-5)):
        assert np.max(np.abs(getattr(other.data, name) - getattr(own.data, name))) < 1e-9 * sd
    # Sorted, as a fit's steps do, resamples are the same events too; unsorted they are others.
    first, second = fit(in_order(FarEvents(events.el_gev, events.cos_theta))), fit(in_order(shuffled))
    assert np.array_equal(first.cloud.dm31_ev2, second.cloud.dm31_ev2) and np.array_equal(first.surface, second.surface)
    assert not np.array_equal(own.cloud.dm31_ev2, other.cloud.dm31_ev2)


# Finer knots


def test_refined_knots_are_the_same_near_flux(problem, toy) -> None:
    coarse = problem_experiment(problem)
    fine = refined_knots(coarse, 5)
    assert fine.knots_gev.size == 5 * 11 + 1 and np.all(np.diff(fine.knots_gev) > 0)
    np.testing.assert_allclose(fine.knots_gev[::5], coarse.knots_gev, rtol=1e-14)
    np.testing.assert_allclose(np.diff(fine.knots_gev).reshape(11, 5), np.repeat(np.diff(coarse.knots_gev)[:, None] / 5, 5, 1))
    np.testing.assert_allclose(fine.near_flux, np.interp(fine.knots_gev, coarse.knots_gev, coarse.near_flux), rtol=1e-14)
    assert fine.grid == coarse.grid and fine.target == coarse.target
    same = refined_knots(coarse, 1)
    assert np.array_equal(same.knots_gev, coarse.knots_gev) and np.array_equal(same.near_flux, coarse.near_flux)
    # The near detector's events do not change, the far one's do: oscillated, the flux is not linear between coarse knots.
    counts = direct_counts(toy(), problem.grid, fine.knots_gev, MASS)
    near, fine_near = problem.flux @ problem.truth, fine.near_flux @ counts
    assert np.abs(fine_near - near).sum() < 1e-3 * near.sum()


def flux_error(experiment: Experiment) -> float:
    """Return the largest error of the far flux, linear between the knots, above 2 GeV."""
    enu = np.linspace(2.0, 5.9, 2000)
    exact = np.interp(enu, experiment.knots_gev, experiment.near_flux) * numu_survival(NUFIT60_NO_WITH_SK, enu)
    linear = np.interp(enu, experiment.knots_gev, far_flux(experiment, OSCILLATION))
    return float(np.max(np.abs(linear - exact)))


def test_refined_knots_resolve_the_oscillation(problem) -> None:
    """An error of second order, or beyond: a fifth of the spacing, 25 times smaller at least by half."""
    coarse = problem_experiment(problem)
    assert flux_error(coarse) > 12.0 * flux_error(refined_knots(coarse, 5))


def test_progress_of_an_operator_at_events_ends(problem) -> None:
    told: list[tuple[int, int]] = []
    report: Callable[[int, int], None] = lambda done, of: told.append((done, of))  # noqa: E731
    points = GridPoints(np.arange(1), np.array([1.0]), np.array([0.9]), np.ones(1))
    point_operator(points, 1, problem.mesh, problem.knots_gev, MASS, progress=report)
    assert told[-1] == (11, 11)

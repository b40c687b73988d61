"""Pseudo-worlds: what is drawn in them is what the truth expects in the flux that it is drawn in."""

from dataclasses import replace

import numpy as np
import pytest
from toy_world import AT, FAR_EVENTS, OSCILLATION, PLANE, SETTINGS, shapes, shifted, small_world, spline_truth

from nuinfer.closure.far_model import bins_model
from nuinfer.closure.linear_near import Merged
from nuinfer.closure.near_data import near_data, shares
from nuinfer.closure.smearing import smearing_matrix
from nuinfer.closure.truth import Truth
from nuinfer.closure.world import World, make_world
from nuinfer.errors import InputError
from nuinfer.oscillation.likelihood import FarModel, densities

SIZE, NEAR_EVENTS = 0.1, 1_000_000
AMPLITUDES = np.array([1.5, -0.7])
CASES = [(8, None, None), (4, 0.1, 0.2)]
"""Bins an axis, and the resolutions of both detectors."""


def direct_truth(problem) -> Truth:
    """A truth that no learner can be: toy partons at every node of the quadrature, not on the mesh."""
    return Truth(problem.grid, problem.knots_gev, problem.flux, problem.truth, np.zeros((3, 1)), problem.mass_gev, False)


@pytest.fixture(scope="module", params=CASES)
def case(request, problem) -> tuple[World, FarModel, np.ndarray]:
    """The world, and its slow twins in the shifted flux: the model of the far detector, shares of the near detector."""
    bins, near, far = request.param
    merged = Merged.of(problem.grid, bins)
    counts, flux = merged.counts(problem.truth), shifted(problem, SIZE, AMPLITUDES)
    world = small_world(problem, SIZE, NEAR_EVENTS, bins, near, far, direct_truth(problem))
    matrix = None if near is None else smearing_matrix(merged.grid, near)
    model = bins_model(counts, merged.grid, problem.knots_gev, flux, False, far, OSCILLATION)
    return world, model, near_data(flux @ counts, matrix, merged.grid.shape, None).share


def chi2_per_bin(found: np.ndarray, expected: np.ndarray) -> float:
    filled = expected > 20.0
    return float(np.mean((found - expected)[filled] ** 2 / expected[filled]))


def test_near_events_are_drawn_in_the_true_flux(case, rng):
    world, _, expected = case
    drawn = world.near_shares(AMPLITUDES, rng)
    events = drawn * NEAR_EVENTS
    assert drawn.sum() == pytest.approx(1.0, abs=1e-9)
    np.testing.assert_allclose(events, np.round(events), atol=1e-6)
    assert 0.4 < chi2_per_bin(events, NEAR_EVENTS * expected) < 2.0
    # The other sign of the shift, and no shift at all: the controls.
    for amplitudes in (-AMPLITUDES, np.zeros(2)):
        assert chi2_per_bin(NEAR_EVENTS * world.near_shares(amplitudes, rng), NEAR_EVENTS * expected) > 20.0


def test_near_bootstraps_scatter_around_the_data(case, rng):
    world, _, expected = case
    data = world.near_shares(AMPLITUDES, rng)
    found = world.resampled(data, 400, rng) * NEAR_EVENTS
    assert found.shape == (400, expected.size)
    np.testing.assert_allclose(found.sum(axis=1), NEAR_EVENTS, rtol=1e-12)
    filled = data * NEAR_EVENTS > 50
    mean, variance = found.mean(axis=0)[filled], found.var(axis=0)[filled]
    own = NEAR_EVENTS * data[filled]
    assert 0.5 < np.mean((mean - own) ** 2 / (own / 400)) < 1.7
    np.testing.assert_allclose(variance, own * (1 - data[filled]), rtol=0.3)
    # Not around what was expected: data scatter around that already.
    assert np.mean((mean - NEAR_EVENTS * expected[filled]) ** 2 / (own / 400)) > 20


def test_far_events_are_expected_where_the_truth_has_them(case, rng):
    world, model, _ = case
    sin2, dm31 = 0.54, 2.42e-3
    slow = FAR_EVENTS * densities(model, np.array(sin2), np.array(dm31))
    mixed = world.far.fluxes.at(sin2, dm31)
    expected = world.expected_far(AMPLITUDES, mixed)
    np.testing.assert_allclose(expected, slow, atol=2e-4 * slow.max())
    assert expected.sum() == pytest.approx(FAR_EVENTS)
    for other in (world.expected_far(-AMPLITUDES, mixed), world.expected_far(AMPLITUDES, world.far.fluxes.at(*AT))):
        assert np.abs(other - slow).max() > 1e-2 * slow.max()
    one, many = world.far_counts(AMPLITUDES, mixed, rng), world.far_counts(AMPLITUDES, mixed, rng, 300)
    assert one.shape == expected.shape and many.shape == (300, expected.size)
    assert one.sum() == FAR_EVENTS and np.all(many.sum(axis=1) == FAR_EVENTS)
    assert 0.2 < chi2_per_bin(many.sum(axis=0), 300 * expected) < 1.8
    assert chi2_per_bin(many.sum(axis=0), 300 * world.expected_far(np.zeros(2), mixed)) > 5.0


def test_true_table_is_that_of_the_true_counts_in_the_true_flux(case):
    world, model, _ = case
    sin2, dm31 = PLANE.axes
    slow = densities(model, sin2[:, None], dm31).reshape(PLANE.n_nodes, -1)
    found, filled = world.true_table(AMPLITUDES), slow > 1e-4
    np.testing.assert_allclose(found[filled], np.log(slow[filled]), atol=3e-4)
    assert np.abs(world.true_table(-AMPLITUDES)[filled] - np.log(slow[filled])).max() > 0.02


def test_expected_events_are_interpolated_as_the_table_is(case):
    """At a node of the plane both are the same."""
    world = case[0]
    sin2, dm31 = PLANE.axes
    expected = world.expected_far(AMPLITUDES, world.far.fluxes.at(sin2[7], dm31[3]))
    table = world.true_table(AMPLITUDES)[7 * PLANE.n_dm31 + 3]
    np.testing.assert_allclose(expected, FAR_EVENTS * np.exp(table.astype(float)), atol=1e-4 * expected.max())


def test_the_generator_draws_the_data_of_the_evidence_alone(problem):
    """Truth and response are of no draw; the hyperparameters, found between their bounds, are of one."""
    settings = replace(SETTINGS, bounded=False, iterations=15)

    def made(seed: int) -> World:
        fixed = spline_truth(problem), problem.operator, shapes(problem.knots_gev, SIZE), OSCILLATION, PLANE, 8
        return make_world(*fixed, 20_000, FAR_EVENTS, None, None, settings, np.random.default_rng(seed))

    one, again, other = made(1), made(1), made(2)
    np.testing.assert_array_equal(one.near.prior, again.near.prior)
    assert not np.allclose(one.near.prior, other.near.prior, rtol=1e-3)
    np.testing.assert_array_equal(one.near_truth, other.near_truth)
    np.testing.assert_array_equal(one.far.response, other.far.response)
    assert one.n_shifts == 2 and one.near_truth.shape == (3, 64)
    assert shares(one.near_truth[0]).sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"bins": 3}, "3 bins an axis do not divide"),
        ({"size": 1.2}, "below zero"),
        ({"near_smearing": 1.5}, "resolution must lie between 0 and 1"),
        ({"far_smearing": -0.1}, "resolution must lie between 0 and 1"),
    ],
)
def test_what_makes_no_world_is_refused(problem, changed, message):
    with pytest.raises(InputError, match=message):
        small_world(problem, **changed)

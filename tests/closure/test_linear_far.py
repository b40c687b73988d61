"""The far detector in a few modes of its flux: against every node's oscillated flux and the models of the fits."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from toy_world import AT, OSCILLATION, PLANE, SETTINGS, shapes, shifted, small_world

from nuinfer.closure.far_model import bins_model
from nuinfer.closure.linear_far import FarFluxes, LinearFar, log_densities
from nuinfer.closure.linear_near import Basis, Merged
from nuinfer.oscillation.far_flux import KnotFlux
from nuinfer.oscillation.likelihood import densities
from nuinfer.oscillation.nufast import Oscillation

SIZE = 0.1
AMPLITUDES = np.array([1.5, -0.7])
FILLED = 1e-6
"""Bins with a larger share are compared: single precision has no more of the others."""


def far_fluxes(problem, antineutrino: bool = False) -> FarFluxes:
    fluxes = np.stack([problem.flux, *(problem.flux * shapes(problem.knots_gev, SIZE).components)])
    return FarFluxes.of(PLANE, problem.knots_gev, fluxes, OSCILLATION, antineutrino)


# Fluxes


@pytest.mark.parametrize("antineutrino", [False, True])
def test_modes_give_the_oscillated_flux_at_the_nodes(problem, antineutrino):
    found = far_fluxes(problem, antineutrino)
    assert found.mixed.shape == (3, PLANE.n_nodes, len(found.modes)) and len(found.modes) <= problem.knots_gev.size
    np.testing.assert_allclose(found.modes @ found.modes.T, np.eye(len(found.modes)), atol=1e-12)
    sin2, dm31 = PLANE.axes
    whole = KnotFlux.of(problem.knots_gev, shifted(problem, SIZE, AMPLITUDES))
    slow = whole.oscillated(Oscillation(**OSCILLATION), sin2[:, None], dm31, antineutrino).reshape(PLANE.n_nodes, -1)
    mine = np.tensordot(np.append(1.0, AMPLITUDES), found.mixed, 1) @ found.modes
    # One singular value is left out below a millionth of the largest, which is of all nodes together.
    scale = np.linalg.norm(slow, axis=1).max()
    np.testing.assert_allclose(mine, slow, atol=2e-5 * scale)
    wrong = np.tensordot(np.append(1.0, -AMPLITUDES), found.mixed, 1) @ found.modes
    assert np.abs(wrong - slow).max() > 1e-2 * scale


@pytest.mark.parametrize(("sin2", "dm31"), [AT, (0.55, 2.45e-3), (0.37, 2.8e-3)])
def test_between_the_nodes_too(problem, sin2, dm31):
    found = far_fluxes(problem)
    mine = found.at(sin2, dm31)
    assert mine.shape == (3, len(found.modes))
    for row, flux in zip(mine, [problem.flux, *(problem.flux * shapes(problem.knots_gev, SIZE).components)], strict=True):
        of_knots, others = KnotFlux.of(problem.knots_gev, flux), Oscillation(**OSCILLATION)
        slow, moved = (of_knots.oscillated(others, np.array(sin2), np.array(d)) for d in (dm31, dm31 + 5e-5))
        np.testing.assert_allclose(row @ found.modes, slow, atol=1e-5 * problem.flux.max())
        assert np.abs(row @ found.modes - moved).max() > 1e-4 * np.abs(slow).max()


# Log-densities


def direct_table(problem, w: np.ndarray, flux: np.ndarray, bins: int, smearing: float | None) -> np.ndarray:
    """The slow twin: shares ``(n_nodes, n_bins)`` of the model that a fit would be given, knot by knot."""
    merged = Merged.of(problem.grid, bins)
    by_knot = merged.counts(problem.operator.counts_by_knot(w))
    assert by_knot.min() >= 0
    model = bins_model(by_knot, merged.grid, problem.knots_gev, flux, False, smearing, OSCILLATION)
    sin2, dm31 = PLANE.axes
    return densities(model, sin2[:, None], dm31).reshape(PLANE.n_nodes, -1)


@pytest.mark.parametrize(("bins", "smearing"), [(8, None), (4, None), (8, 0.15)])
def test_log_table_is_that_of_the_far_model_in_the_shifted_flux(problem, bins, smearing):
    world = small_world(problem, SIZE, bins=bins, far_smearing=smearing)
    rng = np.random.default_rng(5)
    coefficients = 1.0 + 0.1 * rng.standard_normal((2, world.near.design.shape[2]))
    contents = world.far.contents(coefficients)
    assert contents.shape == (2, len(world.far.fluxes.modes), bins * bins)
    for c, content, amplitudes in zip(coefficients, contents, (np.zeros(2), AMPLITUDES), strict=True):
        w = world.basis.structure_functions(c)
        slow = direct_table(problem, w, shifted(problem, SIZE, amplitudes), bins, smearing)
        table = world.far.log_table(content, amplitudes)
        filled = slow > FILLED
        assert filled.any(axis=0).sum() > 0.5 * bins * bins
        np.testing.assert_allclose(table[filled], np.log(slow[filled]), atol=3e-4)
        np.testing.assert_allclose(table[slow > 1e-3], np.log(slow[slow > 1e-3]), atol=1e-5)
        np.testing.assert_allclose(np.exp(table.astype(float)).sum(axis=1), 1.0, rtol=1e-5)
        wrong = world.far.log_table(content, -AMPLITUDES)
        assert np.abs(wrong[slow > 1e-3] - np.log(slow[slow > 1e-3])).max() > 0.02


def test_what_is_below_zero_counts_as_none(problem):
    """By hand: one mode, one node; a bin that is negative, one that is empty."""
    mixed = np.array([[[2.0]], [[1.0]]])
    contents = np.array([[3.0, -0.5, 1.0, 0.0]])
    found = log_densities(mixed, contents, np.array([0.5]))
    assert found.shape == (1, 4)
    np.testing.assert_allclose(found[0, [0, 2]], np.log([0.75, 0.25]), atol=1e-6)
    np.testing.assert_allclose(found[0, [1, 3]], np.log(1e-12 * 0.5), atol=1e-4)


def test_contents_are_linear_and_of_the_design_of_every_mode(problem):
    fluxes = far_fluxes(problem)
    basis, merged = Basis.of(problem.operator, problem.flux, SETTINGS, 64), Merged.of(problem.grid, 8)
    far = LinearFar.of(fluxes, lambda flux: basis.design(problem.operator, flux, merged))
    c = np.random.default_rng(6).standard_normal((3, 48))
    by_knot = np.stack([problem.operator.counts_by_knot(basis.structure_functions(one)) for one in c])
    slow = np.einsum("rk,mkb->mrb", fluxes.modes, by_knot)
    np.testing.assert_allclose(far.contents(c), slow, atol=1e-5 * np.abs(slow).max())
    assert not np.allclose(far.contents(c[::-1]), slow, atol=1e-2 * np.abs(slow).max())


def test_oscillation_parameters_that_are_not_fitted_matter(problem):
    other = asdict(replace(Oscillation(**OSCILLATION), baseline_km=900.0))
    fluxes = FarFluxes.of(PLANE, problem.knots_gev, problem.flux[None], other, False)
    assert np.abs(fluxes.at(*AT) @ fluxes.modes - far_fluxes(problem).at(*AT)[0] @ far_fluxes(problem).modes).max() > 0.05

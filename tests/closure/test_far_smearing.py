"""The resolution of the lepton energy in the far detector's density: sixteen points against equation 14 of arXiv:2412.16303."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.special import erf

from nuinfer.closure.experiment import Experiment, far_flux
from nuinfer.closure.far_model import bins_model, event_points
from nuinfer.closure.observables import GridPoints, LeptonGrid
from nuinfer.closure.truth import Combinations, direct_counts, direct_rates
from nuinfer.errors import InputError
from nuinfer.oscillation.nufast import NUFIT60_NO_WITH_SK
from nuinfer.physics.kinematics import ARGON40

OSCILLATION = asdict(NUFIT60_NO_WITH_SK)
MASS = ARGON40.nucleon_mass_gev


def at_single_points(functions: Combinations, el_gev: np.ndarray, cos_theta: np.ndarray, knots_gev: np.ndarray) -> np.ndarray:
    """Return d2sigma / dE_l dcos(theta) by knot ``(n_knots, n)`` at points of true energy."""
    n = el_gev.size
    return direct_rates(functions, GridPoints(np.arange(n), el_gev, cos_theta, np.ones(n)), n, knots_gev, MASS)


# Equation 14


def equation_14(
    functions: Combinations, el_gev: np.ndarray, cos_theta: float, grid: LeptonGrid, knots_gev: np.ndarray, s: float
) -> np.ndarray:
    """The slow twin ``(n_knots, n)``: a trapezium of 4,001 true energies over the whole range, even in their logarithm."""
    true = np.geomspace(grid.el_min_gev, grid.el_max_gev, 4001)
    density = at_single_points(functions, true, np.full(true.size, cos_theta), knots_gev)

    def below(energy: np.ndarray | float) -> np.ndarray:
        return 0.5 * (1.0 + erf((energy - true) / (np.sqrt(2.0) * s * true)))

    found = []
    for el in el_gev:
        gauss = np.exp(-0.5 * ((el - true) / (s * true)) ** 2) / (np.sqrt(2.0 * np.pi) * s * true)
        found.append(trapezoid(gauss / (below(grid.el_max_gev) - below(grid.el_min_gev)) * density, true, axis=1))
    return np.stack(found, axis=1)


def seen(functions, el_gev, cos_theta: float, grid: LeptonGrid, knots_gev: np.ndarray, s: float, points: int) -> np.ndarray:
    at = event_points(el_gev, np.full(el_gev.size, cos_theta), grid, s, points)
    return direct_rates(functions, at, el_gev.size, knots_gev, MASS)


WHERE = {
    "inside": (np.array([0.2, 0.3, 0.6, 1.0, 1.5, 2.5, 3.5]), 1e-4),
    "high end": (np.array([5.5, 5.9, 5.99, 6.0]), 2e-3),
    "low end": (np.array([0.1058, 0.107, 0.112, 0.12]), 3e-2),
}
"""Observed energies in GeV, and by how much 16 points may be off: within two resolutions of the ends the integrand is cut."""


@pytest.mark.parametrize("smearing", [0.04, 0.1])
@pytest.mark.parametrize("place", WHERE)
def test_sixteen_points_are_equation_14(place: str, smearing: float, problem, toy) -> None:
    """Where the density exceeds 1e-4 of its highest at that angle; beyond five resolutions of any lepton it is zero."""
    el, tolerance = WHERE[place]
    compared = 0
    for cos in (0.99, 0.6):
        slow = problem.flux @ equation_14(toy(), np.append(el, [0.5, 2.5]), cos, problem.grid, problem.knots_gev, smearing)
        fast = problem.flux @ seen(toy(), el, cos, problem.grid, problem.knots_gev, smearing, 16)
        common = slow[:-2] > 1e-4 * slow.max()
        assert np.max(np.abs(fast - slow[:-2])[common] / slow[:-2][common], initial=0.0) < tolerance
        compared += np.count_nonzero(common)
    assert compared >= 4


def test_what_would_break_the_smeared_density_is_seen(problem, toy) -> None:
    """Exact energies, another resolution and four points are all off by far more than the tolerance inside."""
    el, cos = WHERE["inside"][0], 0.6
    args = cos, problem.grid, problem.knots_gev
    slow = problem.flux @ equation_14(toy(), el, *args, 0.1)
    common = slow > 1e-4 * slow.max()
    exact = problem.flux @ at_single_points(toy(), el, np.full(el.size, cos), problem.knots_gev)
    for other in (exact, *(problem.flux @ seen(toy(), el, *args, s, n) for s, n in ((0.09, 16), (0.1, 4)))):
        assert np.max(np.abs(other - slow)[common] / slow[common]) > 1e-3


def test_errors_at_the_ends_hardly_depend_on_the_parameters(problem, toy) -> None:
    """What counts in a likelihood: the ratio of densities of two dm^2_31, two standard deviations apart, to 3e-5."""
    experiment = Experiment(problem.grid, problem.knots_gev, problem.flux, ARGON40, False)
    el = np.concatenate([WHERE["low end"][0], WHERE["high end"][0]])
    fluxes = np.stack([far_flux(experiment, {**OSCILLATION, "dm31_ev2": d}) for d in (2.49e-3, 2.53e-3)])
    slow, fast = (
        fluxes @ at
        for at in (
            equation_14(toy(), el, 0.99, problem.grid, problem.knots_gev, 0.04),
            seen(toy(), el, 0.99, problem.grid, problem.knots_gev, 0.04, 16),
        )
    )
    assert np.max(np.abs(np.log(fast[0] / fast[1]) - np.log(slow[0] / slow[1]))) < 3e-5
    assert np.max(np.abs(np.log(slow[0] / slow[1]))) > 1e-3


@pytest.mark.parametrize("cos", [0.995, 0.2])
def test_smearing_loses_no_event(cos: float, problem, toy) -> None:
    """At one angle, integrated over energies: with and without the resolution, knot by knot."""
    grid, knots = problem.grid, problem.knots_gev
    el = np.geomspace(grid.el_min_gev, grid.el_max_gev, 1501)
    exact = trapezoid(at_single_points(toy(), el, np.full(el.size, cos), knots), el, axis=1)
    smeared = trapezoid(seen(toy(), el, cos, grid, knots, 0.1, 16), el, axis=1)
    reached = exact > 1e-3 * exact.max()
    np.testing.assert_allclose(smeared[reached], exact[reached], rtol=2e-3)
    # Weights without the share inside the range lose events at its ends.
    at = event_points(el, np.full(el.size, cos), grid, 0.1)
    ends = ((end - at.el_gev) / (np.sqrt(2.0) * 0.1 * at.el_gev) for end in (grid.el_max_gev, grid.el_min_gev))
    above, below = (erf(end) for end in ends)
    leaky = direct_rates(toy(), replace(at, weight=at.weight * 0.5 * (above - below)), el.size, knots, MASS)
    assert np.max(np.abs(trapezoid(leaky, el, axis=1) / exact - 1.0)[reached]) > 3e-3


def test_smeared_bins_are_the_smeared_density_integrated(problem, toy) -> None:
    """Matrix on bins and integral at points are one resolution: with 48 bins of energy 1 % apart in relative L1."""
    grid = LeptonGrid(48, 2, 6.0)
    counts = direct_counts(toy(), grid, problem.knots_gev, MASS)
    bins = bins_model(counts, grid, problem.knots_gev, problem.flux, False, 0.1, OSCILLATION)
    inside = grid.points(2)
    at = event_points(inside.el_gev, inside.cos_theta, grid, 0.1, 8)
    points = GridPoints(inside.bins[at.bins], at.el_gev, at.cos_theta, at.weight * inside.weight[at.bins])
    expected = problem.flux @ direct_rates(toy(), points, grid.n_bins, problem.knots_gev, MASS)
    assert np.abs(problem.flux @ bins.kernel - expected).sum() < 0.01 * expected.sum()
    assert np.abs(problem.flux @ counts - expected).sum() > 0.04 * expected.sum()


@pytest.mark.parametrize("smearing", [0.0, 1.0, -0.1, np.nan])
def test_other_resolutions_are_refused(problem, smearing: float) -> None:
    with pytest.raises(InputError, match="smearing: the relative resolution must lie between 0 and 1"):
        event_points(np.array([1.0]), np.array([0.9]), problem.grid, smearing)


def test_points_stay_in_the_range_and_sum_to_one_for_a_flat_density(problem) -> None:
    """Far from the ends a density without structure stays as it is, but for the width's growth with the true energy."""
    el = np.array([problem.grid.el_min_gev, 0.2, 1.0, 5.0, problem.grid.el_max_gev])
    at = event_points(el, np.zeros(5), problem.grid, 0.04)
    assert np.all((at.el_gev >= problem.grid.el_min_gev) & (at.el_gev <= problem.grid.el_max_gev))
    np.testing.assert_array_equal(at.bins, np.repeat(np.arange(5), 16))
    sums = np.bincount(at.bins, at.weight)
    assert sums[2] == pytest.approx(1.0 + 0.04**2, abs=2e-5) and np.all(at.weight > 0)

"""The energy resolution: against a Monte Carlo that redraws what falls outside, and limits."""

import numpy as np
import pytest

from nuinfer.closure.observables import LeptonGrid
from nuinfer.closure.smearing import smeared, smearing_matrix
from nuinfer.errors import InputError

GRID = LeptonGrid(40, 3, 10.0)


def monte_carlo(grid: LeptonGrid, relative: float, n: int, rng: np.random.Generator) -> np.ndarray:
    """Events seen in bin i of ``n`` in every true bin j; what leaves the range is drawn again."""
    seen = np.zeros((grid.n_u, grid.n_u))
    edges = grid.el_gev(grid.u_edges)
    for j in range(grid.n_u):
        true = grid.el_gev((j + rng.uniform(size=n)) / grid.n_u)
        found = rng.normal(true, relative * true)
        while (out := (found < grid.el_min_gev) | (found > grid.el_max_gev)).any():
            found[out] = rng.normal(true[out], relative * true[out])
        seen[:, j] = np.histogram(found, edges)[0]
    return seen


def chi2_per_cell(matrix: np.ndarray, seen: np.ndarray, n: int) -> float:
    expected = n * matrix
    filled = expected > 10
    return float(np.mean((seen - expected)[filled] ** 2 / (expected * (1 - matrix))[filled]))


def test_against_a_monte_carlo(rng: np.random.Generator) -> None:
    n = 20_000
    seen = monte_carlo(GRID, 0.04, n, rng)
    assert chi2_per_cell(smearing_matrix(GRID, 0.04), seen, n) == pytest.approx(1.0, abs=0.35)
    assert chi2_per_cell(smearing_matrix(GRID, 0.045), seen, n) > 3.0


@pytest.mark.parametrize("relative", [1e-6, 0.01, 0.04, 0.3])
def test_no_event_is_lost(relative: float) -> None:
    matrix = smearing_matrix(GRID, relative)
    assert np.allclose(matrix.sum(axis=0), 1.0, rtol=0, atol=1e-12)
    assert np.all(matrix >= 0)


def test_a_perfect_detector_changes_nothing() -> None:
    assert np.allclose(smearing_matrix(GRID, 1e-6), np.eye(GRID.n_u), rtol=0, atol=1e-12)
    assert np.max(np.abs(smearing_matrix(GRID, 0.04) - np.eye(GRID.n_u))) > 0.1


@pytest.mark.parametrize("n_u", [32, 64, 128])
def test_eight_points_suffice_for_bins_as_wide_as_the_resolution(n_u: int) -> None:
    grid = LeptonGrid(n_u, 1, 10.0)
    assert np.max(np.abs(smearing_matrix(grid, 0.04) - smearing_matrix(grid, 0.04, points=64))) < 5e-3


def test_smeared_acts_on_the_energy_alone(rng: np.random.Generator) -> None:
    matrix = smearing_matrix(GRID, 0.1)
    counts = rng.uniform(size=(2, GRID.n_bins))
    found = smeared(counts, matrix, GRID.shape)
    slow = np.zeros_like(counts)
    for row in range(2):
        for i in range(GRID.n_u):
            for j in range(GRID.n_v):
                slow[row, i * GRID.n_v + j] = sum(matrix[i, k] * counts[row, k * GRID.n_v + j] for k in range(GRID.n_u))
    assert np.allclose(found, slow, rtol=1e-12)
    assert np.allclose(found.sum(axis=1), counts.sum(axis=1), rtol=1e-12)
    assert np.array_equal(smeared(counts[0], matrix, GRID.shape), found[0])


def test_none_leaves_counts_alone(rng: np.random.Generator) -> None:
    counts = rng.uniform(size=GRID.n_bins)
    assert smeared(counts, None, GRID.shape) is counts


@pytest.mark.parametrize("relative", [0.0, 1.0, -0.1, np.nan])
def test_bad_resolutions_are_refused(relative: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        smearing_matrix(GRID, relative)

"""Bins in (u, v): round trips, the Jacobian, and what the points inside bins integrate."""

import numpy as np
import pytest

from nuinfer.closure.observables import LeptonGrid
from nuinfer.errors import InputError
from nuinfer.physics.constants import MUON_MASS_GEV

GRID = LeptonGrid(8, 5, 10.0)


def test_round_trips_and_ends(rng: np.random.Generator) -> None:
    u, v = rng.uniform(size=(2, 50))
    assert np.allclose(GRID.u(GRID.el_gev(u)), u, rtol=0, atol=1e-13)
    assert np.allclose(GRID.v(GRID.cos_theta(v)), v, rtol=0, atol=1e-13)
    assert GRID.el_gev([0.0, 1.0]) == pytest.approx([GRID.el_min_gev, 10.0], rel=1e-13)
    assert GRID.el_min_gev > MUON_MASS_GEV
    assert np.array_equal(GRID.cos_theta([0.0, 1.0]), [1.0, -1.0])
    assert np.allclose(GRID.v(np.cos(0.7)), np.sin(0.35), rtol=1e-13)


def test_jacobian_is_the_finite_difference(rng: np.random.Generator) -> None:
    u, v = rng.uniform(0.05, 0.95, size=(2, 50))
    h = 1e-5
    del_du = (GRID.el_gev(u + h) - GRID.el_gev(u - h)) / (2 * h)
    dcos_dv = (GRID.cos_theta(v + h) - GRID.cos_theta(v - h)) / (2 * h)
    assert np.allclose(GRID.jacobian(u, v), np.abs(del_du * dcos_dv), rtol=1e-8)


def bin_integrals(grid: LeptonGrid) -> tuple[np.ndarray, np.ndarray]:
    """Integrals of 1 and of E_l cos(theta) over every bin, in closed form, bin by bin."""
    area, moment = [], []
    for i in range(grid.n_u):
        low, high = grid.el_gev(grid.u_edges[i : i + 2])
        for j in range(grid.n_v):
            cos_high, cos_low = grid.cos_theta(grid.v_edges[j : j + 2])
            area.append((high - low) * (cos_high - cos_low))
            moment.append((high**2 - low**2) * (cos_high**2 - cos_low**2) / 4)
    return np.array(area), np.array(moment)


@pytest.mark.parametrize(("per_axis", "tolerance"), [(2, 5e-4), (3, 1e-6), (4, 2e-9)])
def test_points_integrate_bins(per_axis: int, tolerance: float) -> None:
    points = GRID.points(per_axis)
    area, moment = bin_integrals(GRID)
    assert np.allclose(np.bincount(points.bins, points.weight), area, rtol=tolerance)
    found = np.bincount(points.bins, points.weight * points.el_gev * points.cos_theta)
    assert np.max(np.abs(found - moment) / (area * 10.0)) < tolerance


def test_one_point_a_bin_is_seen_to_be_too_few() -> None:
    points = GRID.points(1)
    assert np.max(np.abs(np.bincount(points.bins, points.weight) / bin_integrals(GRID)[0] - 1)) > 1e-2


def test_points_lie_in_their_bins_in_order() -> None:
    points = GRID.points(3)
    for number, el, cos in zip(points.bins, points.el_gev, points.cos_theta, strict=True):
        i_u, i_v = divmod(int(number), GRID.n_v)
        assert GRID.u_edges[i_u] < GRID.u(el) < GRID.u_edges[i_u + 1]
        assert GRID.v_edges[i_v] < GRID.v(cos) < GRID.v_edges[i_v + 1]
    assert np.all(np.diff(points.bins) >= 0)
    assert np.array_equal(np.bincount(points.bins), np.full(GRID.n_bins, 9))


def test_sizes() -> None:
    assert GRID.shape == (8, 5)
    assert GRID.n_bins == 40
    assert GRID.bin_area == pytest.approx(np.diff(GRID.u_edges)[0] * np.diff(GRID.v_edges)[0])


@pytest.mark.parametrize(("sizes", "what"), [((0, 4, 10.0), "n_u = 0"), ((4, -1, 10.0), "n_v = -1"), ((4, 4, 0.1), "lepton's")])
def test_bad_grids_are_refused(sizes: tuple, what: str) -> None:
    with pytest.raises(InputError, match=what):
        LeptonGrid(*sizes)

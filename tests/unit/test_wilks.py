"""Chi-square levels: slow twins with loops, a Gaussian likelihood whose regions are known, where the theorem fails."""

import numpy as np
import pytest
from scipy import stats
from toy_far import RANGE, TRUTH, binned_model

from nuinfer.errors import InputError
from nuinfer.oscillation.coverage import hypothesis_points, truth_statistics
from nuinfer.oscillation.plane import FitRange, Plane
from nuinfer.oscillation.regions import RegionGrid, area, intervals, level
from nuinfer.oscillation.toys import Toys, throw_toys
from nuinfer.oscillation.wilks import FREEDOMS, wilks_confidence, wilks_levels

PLANE = Plane.over(RANGE)
N_PSEUDO, EVENTS = 800, 6200
DM31_EV2 = TRUTH["dm31_ev2"]


def pseudo(sin2_theta23: float) -> Toys:
    return throw_toys(binned_model(), PLANE, (np.array([sin2_theta23]), np.array([DM31_EV2])), N_PSEUDO, EVENTS, 3)


@pytest.fixture(scope="module")
def data() -> Toys:
    return pseudo(TRUTH["sin2_theta23"])


def test_every_field_is_the_loop_over_cells(data: Toys) -> None:
    grid = RegionGrid.over(RANGE, 6, 5)
    surface, highest = data.coefficients[0], float(data.highest[0])
    found = wilks_confidence(surface, highest, PLANE, grid)
    sin2, dm31 = grid.sin2_theta23, grid.dm31_ev2

    def slow(freedoms: int, *cells: tuple[int, int]) -> float:
        best = max(float(PLANE.at(surface, np.array([sin2[i]]), np.array([dm31[j]]))[0]) for i, j in cells)
        return float(stats.chi2.cdf(2.0 * (highest - best), freedoms))

    for i in range(6):
        assert found.sin2[i] == pytest.approx(slow(1, *((i, j) for j in range(5))), abs=1e-12)
        for j in range(5):
            assert found.plane_sin2[i, j] == pytest.approx(slow(2, (i, j)), abs=1e-12)
    for i in range(3):
        both = i, 5 - i
        assert found.sin2_2theta[i] == pytest.approx(slow(1, *((k, j) for k in both for j in range(5))), abs=1e-12)
        for j in range(5):
            assert found.plane_sin2_2theta[i, j] == pytest.approx(slow(2, *((k, j) for k in both)), abs=1e-12)
    for j in range(5):
        assert found.dm31[j] == pytest.approx(slow(1, *((i, j) for i in range(6))), abs=1e-12)
    assert 0.0 < found.dm31.min() < 0.9 < found.dm31.max()


def test_regions_of_a_gaussian_are_its_ellipse_and_errors() -> None:
    """Joint ones within chi-square of two: 2.30, 6.18, 11.83; intervals n standard deviations either way."""
    fit_range = FitRange((0.3, 0.7), (2.4e-3, 2.6e-3))
    plane, grid = Plane(fit_range, 12, 12), RegionGrid.over(fit_range, 200, 200)
    mean, sd, rho = (0.44, 2.51e-3), (0.015, 1.2e-5), 0.3
    sin2, dm31 = plane.axes
    a, b = (sin2[:, None] - mean[0]) / sd[0], (dm31 - mean[1]) / sd[1]
    surface = plane.coefficients((-0.5 * (a * a - 2 * rho * a * b + b * b) / (1 - rho**2)).ravel())
    found = wilks_confidence(surface, 0.0, plane, grid)
    for n in (1, 2, 3):
        expected = np.pi * stats.chi2.ppf(level(n), 2) * sd[0] * sd[1] * np.sqrt(1 - rho**2)
        widths = np.diff(grid.sin2_edges), np.diff(grid.dm31_edges)
        assert area(found.plane_sin2, *widths, float(level(n))) == pytest.approx(expected, rel=0.01)
        for axis, field, i in ((grid.sin2_theta23, found.sin2, 0), (grid.dm31_ev2, found.dm31, 1)):
            ((low, high),) = intervals(axis, field, float(level(n)))
            assert [low, high] == pytest.approx([mean[i] - n * sd[i], mean[i] + n * sd[i]], abs=0.03 * sd[i])
        # Two degrees of freedom for an interval would be far too many.
        assert abs(np.sqrt(stats.chi2.ppf(level(n), 2)) - n) > 0.3


def test_levels_by_quantity_are_those_of_the_fields(data: Toys) -> None:
    """At a point that is a cell's centre; what is left free runs over points in one and over cells in the other."""
    grid = RegionGrid(RegionGrid.over(RANGE, 120, 4).sin2_theta23, DM31_EV2 + 2e-6 * np.arange(-90, 91))
    i, j = 47, 90
    points = hypothesis_points(PLANE, float(grid.sin2_theta23[i]), DM31_EV2)
    statistics = truth_statistics(PLANE, data.coefficients[:3], data.highest[:3], points)
    found = wilks_levels(statistics)
    assert tuple(found) == tuple(FREEDOMS)
    for k in range(3):
        field = wilks_confidence(data.coefficients[k], float(data.highest[k]), PLANE, grid)
        at = {"plane_sin2": (i, j), "plane_sin2_2theta": (i, j), "sin2": i, "sin2_2theta": i, "dm31": j}
        for name, cell in at.items():
            assert found[name][k] == pytest.approx(getattr(field, name)[cell], abs=5e-3), name
        height = PLANE.at(data.coefficients[k], grid.sin2_theta23[[i]], np.array([DM31_EV2]))[0]
        assert statistics["plane_sin2"][k] == pytest.approx(2.0 * (data.highest[k] - height), abs=1e-9)


def coverage(toys: Toys, sin2_theta23: float) -> dict[str, np.ndarray]:
    points = hypothesis_points(PLANE, sin2_theta23, DM31_EV2)
    levels = wilks_levels(truth_statistics(PLANE, toys.coefficients, toys.highest, points))
    return {name: np.array([np.mean(v <= level(n)) for n in (1, 2, 3)]) for name, v in levels.items()}


def test_where_the_theorem_holds_and_where_it_fails(data: Toys) -> None:
    claimed = level(np.arange(1, 4))
    error = np.sqrt(claimed * (1 - claimed) / N_PSEUDO)
    found = coverage(data, 0.47)
    # Regions of sin^2(theta_23) far from maximal mixing cover, but not at any degree of freedom.
    for name in ("plane_sin2", "sin2"):
        assert np.all(np.abs(found[name] - claimed) < 4 * error + 0.01), name
    assert found["sin2_2theta"][0] - claimed[0] > 0.1 and found["dm31"][0] - claimed[0] > 3 * error[0]
    # At maximal mixing neither mixing parameter's do.
    maximal = coverage(pseudo(0.511), 0.511)
    for name in ("sin2", "sin2_2theta", "plane_sin2_2theta"):
        assert maximal[name][0] - claimed[0] > 0.1, name
    # Of half a likelihood they cover far too often: the check can fail.
    half = {
        name: v / 2
        for name, v in truth_statistics(
            PLANE, data.coefficients, data.highest, hypothesis_points(PLANE, 0.47, DM31_EV2)
        ).items()
    }
    assert np.mean(wilks_levels(half)["plane_sin2"] <= claimed[0]) - claimed[0] > 10 * error[0]


def test_wrong_input_is_refused(data: Toys) -> None:
    grid = RegionGrid.over(RANGE, 20, 20)
    surface, highest = data.coefficients[0], float(data.highest[0])
    with pytest.raises(InputError, match="a statistic of plane_sin2 is below zero"):
        wilks_confidence(surface, highest - 5.0, PLANE, grid)
    with pytest.raises(InputError, match="no quantity 'theta'; there are plane_sin2, "):
        wilks_levels({"theta": np.zeros(3)})
    with pytest.raises(InputError, match="a statistic of dm31 is below zero or no number"):
        wilks_levels({"dm31": np.array([1.0, np.nan])})
    np.testing.assert_array_equal(wilks_levels({"dm31": np.array([-1e-9, 1.0])})["dm31"], stats.chi2.cdf([0.0, 1.0], 1))

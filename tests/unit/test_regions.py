"""Regions read off a field against discs, cones and counting; a grid, a field and a level that cannot be are refused."""

import json

import numpy as np
import pytest
from scipy.special import erf
from scipy.stats import chi2

from nuinfer.errors import InputError
from nuinfer.oscillation.plane import FitRange
from nuinfer.oscillation.regions import (
    Confidence,
    RegionGrid,
    area,
    centroid,
    confidence_at,
    contours,
    intervals,
    level,
    n_sigma_of,
    region_facts,
)

RANGE = FitRange((0.35, 0.65), (2.3e-3, 2.75e-3))
SIN2, DM31_EV2, SIGMA_SIN2, SIGMA_DM31_EV2 = 0.44, 2.513e-3, 0.012, 2.1e-5


def _grid(n: int = 120) -> RegionGrid:
    return RegionGrid.over(RANGE, n, n)


def _disc(radius: float, n_sigma: float, centre: tuple[float, float], cells: int = 61) -> np.ndarray:
    """Return the level of a normal law in two dimensions whose ``n_sigma`` outline has ``radius`` cells."""
    i = np.arange(cells) - cells // 2
    square = ((i[:, None] - centre[0]) ** 2 + (i - centre[1]) ** 2) / radius**2 * chi2.isf(1 - level(n_sigma), 2)
    return chi2.cdf(square, 2)


def _normal(grid: RegionGrid) -> Confidence:
    """Return the levels of a normal law at SIN2, those of sin^2(2 theta) as if it were normal in the folded sin^2."""
    z_sin2 = np.abs(grid.sin2_theta23 - SIN2) / SIGMA_SIN2
    z_dm31 = np.abs(grid.dm31_ev2 - DM31_EV2) / SIGMA_DM31_EV2
    plane = chi2.cdf(z_sin2[:, None] ** 2 + z_dm31**2, 2)
    half = len(z_sin2) // 2
    return Confidence(plane, plane[:half], level(z_sin2), level(z_sin2[:half]), level(z_dm31))


def _counted(field: np.ndarray, x_widths: np.ndarray, y_widths: np.ndarray, at: float, finer: int = 40) -> float:
    """Return the area by counting fine cells on a field interpolated along each axis in turn."""
    fine = n_sigma_of(field)
    for axis, n in enumerate(field.shape):
        where = (np.arange(n * finer) + 0.5) / finer - 0.5
        fine = np.apply_along_axis(lambda line, where=where, n=n: np.interp(where, np.arange(n), line), axis, fine)
    cell = np.multiply.outer(np.repeat(x_widths, finer), np.repeat(y_widths, finer)) / finer**2
    return float(cell[fine <= n_sigma_of(at)].sum())


def test_levels_are_those_of_a_normal_law():
    assert level(np.array([1, 2, 3])) == pytest.approx([0.682689, 0.954500, 0.997300], abs=1e-6)
    assert n_sigma_of(level(np.array([0.0, 0.7, 3.2]))) == pytest.approx([0.0, 0.7, 3.2])
    assert n_sigma_of(1.0) == pytest.approx(4.0)


def test_a_grid_fills_the_range_and_pairs_the_octants():
    grid = _grid(80)
    assert grid.sin2_edges[[0, -1]] == pytest.approx(RANGE.sin2_theta23)
    assert grid.dm31_edges[[0, -1]] == pytest.approx(RANGE.dm31_ev2)
    upper = grid.sin2_theta23[40:][::-1]
    assert grid.sin2_2theta23 == pytest.approx(4 * upper * (1 - upper))
    assert np.all(np.diff(grid.sin2_2theta23) > 0)
    assert np.all((grid.sin2_2theta23 > grid.sin2_2theta_edges[:-1]) & (grid.sin2_2theta23 < grid.sin2_2theta_edges[1:]))
    assert grid.sin2_2theta_edges[[0, -1]] == pytest.approx([4 * 0.35 * 0.65, 1.0])


@pytest.mark.parametrize(
    ("sin2", "dm31", "message"),
    [
        (np.linspace(0.4, 0.6, 9), np.linspace(2e-3, 3e-3, 9), "even number"),
        (np.linspace(0.4, 0.7, 10), np.linspace(2e-3, 3e-3, 9), "symmetric about one half"),
        (np.linspace(0.4, 0.6, 10), np.linspace(3e-3, 2e-3, 9), "dm31_ev2 must be"),
        (np.linspace(0.4, 0.6, 10), np.geomspace(2e-3, 3e-3, 9), "evenly spaced"),
        (np.linspace(0.01, 0.99, 10), np.linspace(2e-3, 3e-3, 9), "inside 0 to 1"),
        (np.linspace(0.4, 0.6, 2), np.linspace(2e-3, 3e-3, 9), "4 or more"),
    ],
)
def test_other_grids_are_refused(sin2, dm31, message):
    with pytest.raises(InputError, match=message):
        RegionGrid(sin2, dm31)


def test_fields_that_are_no_levels_are_refused():
    good = _normal(_grid(8))
    with pytest.raises(InputError, match=r"plane_sin2 has shape \(7, 8\)"):
        Confidence(good.plane_sin2[:7], good.plane_sin2_2theta, good.sin2, good.sin2_2theta, good.dm31)
    for bad in (1.01, -0.1, np.nan):
        with pytest.raises(InputError, match="dm31 has values outside"):
            Confidence(good.plane_sin2, good.plane_sin2_2theta, good.sin2, good.sin2_2theta, np.full(8, bad))


@pytest.mark.parametrize("n_sigma", [1, 2, 3])
@pytest.mark.parametrize("centre", [(0.0, 0.0), (0.3, 0.2), (0.5, 0.5)])
def test_the_area_of_a_disc_of_eight_cells_is_right_to_half_a_percent(n_sigma, centre):
    field, ones = _disc(8.0, n_sigma, centre), np.ones(61)
    assert area(field, ones, 2 * ones, level(n_sigma)) == pytest.approx(2 * np.pi * 64, rel=0.005)
    x = np.arange(61) - 30.0
    assert centroid(x, 2 * x, ones, 2 * ones, field, level(n_sigma)) == pytest.approx([centre[0], 2 * centre[1]], abs=0.01)
    # Whole cells do not do it.
    assert max(abs(np.sum(_disc(8.0, n_sigma, (c, 0.3)) <= level(n_sigma)) / (np.pi * 64) - 1) for c in (0, 0.2, 0.5)) > 0.005


def test_levels_of_few_toys_keep_a_three_sigma_outline():
    """1,000 toys know no level between 0.999 and 1: a step of the field next to the outline."""
    field = _disc(5.0, 3, (0.3, 0.2))
    known = area(field, np.ones(61), np.ones(61), level(3))
    assert area(np.where(field > 0.999, 1.0, field), np.ones(61), np.ones(61), level(3)) == pytest.approx(known, rel=0.05)


def test_areas_match_counting_for_holes_pieces_and_regions_cut_off():
    rng = np.random.default_rng(3)
    wavy = rng.normal(size=(6, 5))
    i, j = np.linspace(0, 5, 24), np.linspace(0, 4, 30)
    field = np.array([[np.sum(wavy * np.outer(np.sinc(a - np.arange(6)), np.sinc(b - np.arange(5)))) for b in j] for a in i])
    field = (field - field.min()) / np.ptp(field)
    x_widths = np.linspace(2.0, 1.0, 24)
    for at in (0.3, 0.5, 0.7, 0.9):
        counted = _counted(field, x_widths, np.ones(30), at)
        assert area(field, x_widths, np.ones(30), at) == pytest.approx(counted, rel=0.01)
    ring = np.abs(_disc(8.0, 2, (0, 0)) - 0.5)
    assert area(ring, np.ones(61), np.ones(61), 0.2) == pytest.approx(_counted(ring, np.ones(61), np.ones(61), 0.2), rel=0.01)
    assert area(np.zeros((4, 6)), np.ones(4), np.ones(6), 0.5) == pytest.approx(24.0)
    assert area(np.ones((4, 6)), np.ones(4), np.ones(6), 0.5) == 0.0
    assert centroid(np.arange(4), np.arange(6), np.ones(4), np.ones(6), np.ones((4, 6)), 0.5) is None


def test_outlines_lie_on_the_level():
    field = _disc(8.0, 1, (0.3, 0.2))
    x = np.arange(61) - 30.0
    (line,) = contours(x, 3 * x, field, level(1))
    assert np.all(line[0] == line[-1])
    assert np.hypot(line[:, 0] - 0.3, line[:, 1] / 3 - 0.2) == pytest.approx(8.0, abs=0.03)
    two = np.minimum(_disc(8.0, 1, (-10, 0)), _disc(8.0, 1, (10, 0)))
    assert len(contours(x, x, two, level(1))) == 2
    assert len(contours(x, x, two, level(3))) == 1


def test_intervals_of_two_modes_and_at_the_ends():
    x = np.linspace(0.0, 1.0, 101)
    field = level(np.minimum(np.abs(x - 0.313) / 0.1, np.abs(x - 0.955) / 0.1))
    (first, second) = intervals(x, field, level(1))
    assert first == pytest.approx([0.213, 0.413], abs=1e-4)
    assert second == [pytest.approx(0.855, abs=1e-4), 1.0]
    assert intervals(x, field, level(1), (-0.005, 1.005))[1][1] == 1.005
    assert len(intervals(x, field, level(3.5))) == 1
    assert intervals(x, np.ones(101), level(1)) == []
    assert intervals(x, np.zeros(101), level(1)) == [[0.0, 1.0]]


def test_the_level_at_a_point_is_interpolated_and_mirrored():
    grid = _grid()
    found = _normal(grid)
    for z_sin2, z_dm31 in ((1.0, 0.4), (-0.63, 0.77), (2.0, -1.0)):
        sin2, dm31 = SIN2 + z_sin2 * SIGMA_SIN2, DM31_EV2 + z_dm31 * SIGMA_DM31_EV2
        at = confidence_at(found, grid, sin2, dm31)
        assert at["plane_sin2"] == pytest.approx(chi2.cdf(z_sin2**2 + z_dm31**2, 2), abs=0.01)
        assert at["sin2"] == pytest.approx(erf(abs(z_sin2) / np.sqrt(2)), abs=0.005)
        assert at["dm31"] == pytest.approx(erf(abs(z_dm31) / np.sqrt(2)), abs=0.02)
        mirrored = confidence_at(found, grid, 1 - sin2, dm31)
        for name in ("plane_sin2_2theta", "sin2_2theta"):
            assert at[name] == pytest.approx(at[name.replace("_2theta", "")])
            assert mirrored[name] == pytest.approx(at[name])
        assert mirrored["sin2"] > 0.999
    with pytest.raises(InputError, match=r"sin2_theta23 = 0.7: .*widen"):
        confidence_at(found, grid, 0.7, DM31_EV2)
    with pytest.raises(InputError, match=r"dm31_ev2 = 0.002"):
        confidence_at(found, grid, SIN2, 2e-3)


def test_a_point_is_inside_the_outline_exactly_if_its_level_is_low_enough():
    grid = _grid(40)
    found = _normal(grid)
    for line in contours(grid.sin2_theta23, grid.dm31_ev2, found.plane_sin2, level(2)):
        for sin2, dm31 in line[::5]:
            assert confidence_at(found, grid, sin2, dm31)["plane_sin2"] == pytest.approx(level(2), abs=1e-9)


def test_the_facts_of_a_normal_law():
    grid = _grid()
    facts = region_facts(grid, _normal(grid))
    assert json.loads(json.dumps(facts)) == facts
    for n in (1, 2, 3):
        of = facts[f"{n}_sigma"]
        ellipse = np.pi * SIGMA_SIN2 * SIGMA_DM31_EV2 * chi2.isf(1 - level(n), 2)
        assert of["area_ev2"]["sin2_theta23"] == pytest.approx(ellipse, rel=0.01)
        assert of["intervals"]["sin2_theta23"][0] == pytest.approx([SIN2 - n * SIGMA_SIN2, SIN2 + n * SIGMA_SIN2], abs=2e-4)
        assert of["intervals"]["dm31_ev2"][0][1] == pytest.approx(DM31_EV2 + n * SIGMA_DM31_EV2, abs=4e-7)
        assert of["centroid"]["sin2_theta23"] == pytest.approx([SIN2, DM31_EV2], rel=1e-4)
        # Of an ellipse dA = 4 |1 - 2 s| ds dm: its mean over the ellipse is the value at the centre.
        assert of["area_ev2"]["sin2_2theta23"] == pytest.approx(4 * (1 - 2 * SIN2) * ellipse, rel=0.01)
        low, high = SIN2 - n * SIGMA_SIN2, SIN2 + n * SIGMA_SIN2
        assert of["intervals"]["sin2_2theta23"][0] == pytest.approx([4 * low * (1 - low), 4 * high * (1 - high)], abs=4e-4)
        assert of["cut_off"] == []


def test_the_facts_name_the_ends_that_a_region_reaches():
    found = _normal(_grid())
    narrow = RegionGrid.over(FitRange((0.415, 0.585), (2.3e-3, 2.52e-3)), 40, 40)
    facts = region_facts(narrow, _normal(narrow))
    assert facts["1_sigma"]["cut_off"] == ["dm31_ev2 high"]
    assert facts["2_sigma"]["cut_off"] == ["sin2_theta23 low", "sin2_2theta23 low", "dm31_ev2 high"]
    assert facts["1_sigma"]["intervals"]["dm31_ev2"][0][1] == pytest.approx(2.52e-3)
    # Maximal mixing is where sin^2(2 theta) ends, not where the grid cuts.
    maximal = Confidence(found.plane_sin2, 0 * found.plane_sin2_2theta + np.linspace(1, 0, 60)[:, None], *_lines(found))
    facts = region_facts(_grid(), maximal)["1_sigma"]
    assert "sin2_2theta23 low" not in facts["cut_off"]
    assert facts["intervals"]["sin2_2theta23"][-1][1] == pytest.approx(1.0, abs=1e-12)


def _lines(found: Confidence) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return found.sin2, np.linspace(1, 0, found.sin2_2theta.size), found.dm31


@pytest.mark.parametrize("at", [0.0, 0.99999, 1.0])
def test_levels_that_no_region_has_are_refused(at):
    with pytest.raises(InputError, match="0 to 4 sigma"):
        area(np.ones((4, 4)), np.ones(4), np.ones(4), at)

"""The union rule against counting and a normal toy; the complement must fail; fields moved to other grids; their errors."""

import json
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator
from scipy.special import erf
from scipy.stats import chi2, norm

from nuinfer import seeds
from nuinfer.errors import InputError
from nuinfer.oscillation import union
from nuinfer.oscillation.plane import FitRange
from nuinfer.oscillation.regions import (
    Confidence,
    RegionGrid,
    confidence_at,
    intervals,
    level,
    n_sigma_of,
    region_facts,
)
from nuinfer.oscillation.union import (
    common_grid,
    finer_grid,
    fraction,
    holds,
    interpolation_error,
    least_members,
    on_grid,
    union_confidence,
    union_level,
    union_n_sigma,
)

SIGMA_SIN2, SIGMA_DM31_EV2 = 0.021, 2e-5
SIN2, DM31_EV2 = 0.47, 2.5e-3
RANGE = FitRange((0.3, 0.7), (2.2e-3, 2.8e-3))


def _member(grid: RegionGrid, sin2: float = SIN2, dm31_ev2: float = DM31_EV2, size: float = 1.0) -> Confidence:
    """Return the levels of a normal law, those of sin^2(2 theta) as if it were normal in the folded sin^2."""
    z_sin2 = np.abs(grid.sin2_theta23 - sin2) / (size * SIGMA_SIN2)
    z_dm31 = np.abs(grid.dm31_ev2 - dm31_ev2) / (size * SIGMA_DM31_EV2)
    plane = chi2.cdf(z_sin2[:, None] ** 2 + z_dm31**2, 2)
    half = len(z_sin2) // 2
    return Confidence(plane, plane[:half], level(z_sin2), level(z_sin2[:half]), level(z_dm31))


def _ensemble(grid: RegionGrid, n_members: int = 25, *key: str | int) -> list[Confidence]:
    rng = seeds.stream(1, "ensemble", *key)
    centres = rng.normal((SIN2, DM31_EV2), (0.01, 2.5 * SIGMA_DM31_EV2), (n_members, 2))
    return [_member(grid, *centre) for centre in centres]


def _shifted(one: Confidence) -> Confidence:
    return Confidence(*(np.roll(getattr(one, of.name), 1, axis=0) for of in fields(Confidence)))


def _equal(one: Confidence, other: Confidence) -> bool:
    return all(np.array_equal(getattr(one, of.name), getattr(other, of.name)) for of in fields(Confidence))


def _values(table: dict) -> list[float]:
    return [value for of in table.values() for part in of.values() for value in part.values()]


def _counted(n_sigma: np.ndarray, share: Callable, steps: np.ndarray) -> np.ndarray:
    """Return the first of ``steps`` at which at least ``share(n)`` of the members ``(M, ...)`` hold each point."""
    found = np.full(n_sigma.shape[1:], np.inf)
    for n in steps[::-1]:
        inside = np.mean(n_sigma <= n, axis=0) >= share(n)
        found[inside] = n
    return found


def _complement(n_sigma: float) -> float:
    """Return the share of members that must exclude a point, as if it were that which must hold it."""
    return 0.5 * (1.0 + erf(n_sigma / np.sqrt(2.0)))


def test_the_numbers_of_members():
    assert fraction(np.array([0, 1, 2, 3])) == pytest.approx([0.5, 0.158655, 0.0227501, 0.00134990], rel=1e-5)
    assert [least_members(n, 25) for n in (1, 2, 3)] == [4, 1, 1]
    assert [least_members(n, 5) for n in (1, 2, 3)] == [1, 1, 1]
    assert [least_members(n, 100) for n in (1, 2, 3)] == [16, 3, 1]
    assert [least_members(n, 1) for n in (0, 1, 30)] == [1, 1, 1]
    # 24 / 2 is 12, also when rounding makes it a little more.
    assert least_members(0, 24) == 12 and least_members(0, 25) == 13
    exactly_three_of_ten = float(norm.isf(0.3))
    assert [least_members(exactly_three_of_ten + d, 10) for d in (-1e-12, 0, 1e-12, -1e-6)] == [3, 3, 3, 4]
    with pytest.raises(InputError, match="no members"):
        least_members(1, 0)


@pytest.mark.parametrize("n_members", [1, 2, 3, 5, 10, 25, 40])
def test_the_slow_twin_counts_members(n_members):
    n_sigma = 4 * seeds.stream(1, "twin", n_members).random((n_members, 30, 4))
    steps = np.linspace(0.0, 4.0, 4001)
    found = union_n_sigma(n_sigma)
    assert found.shape == (30, 4)
    counted = _counted(n_sigma, fraction, steps)
    assert np.all((counted >= found - 1e-9) & (counted <= found + steps[1] + 1e-9))
    assert np.array_equal(union_n_sigma(np.moveaxis(n_sigma, 0, 1), axis=1), found)
    assert union_level(level(n_sigma)) == pytest.approx(level(found), abs=1e-12)
    wrong = _counted(n_sigma, _complement, steps)
    assert n_members == 1 or np.mean(np.abs(wrong - found) > 0.1) > 0.5


def test_the_demand_drops_where_fewer_members_are_enough():
    """One member of 25 holds the point at once, the others never: in from where one is enough on."""
    lonely = np.full((25, 1), 4.0)
    lonely[7] = 0.2
    assert union_n_sigma(lonely)[0] == pytest.approx(norm.isf(1 / 25))
    assert union_n_sigma(lonely)[0] == pytest.approx(1.7507, abs=1e-4)
    lonely[7] = 1.9
    assert union_n_sigma(lonely)[0] == 1.9


def _half_widths(rule: Callable, sigma_stat: float, sigma_sys: float) -> list[float]:
    """Return half the width of the combined 1, 2 and 3 sigma intervals of normal members at the quantiles of a normal law."""
    centres = sigma_sys * norm.ppf((np.arange(1001) + 0.5) / 1001)
    x = np.linspace(0.0, 10.0, 2001)
    found = rule(np.abs(x - centres[:, None]) / sigma_stat)
    return [float(x[found <= n].max(initial=0.0)) for n in (1, 2, 3)]


def _assert_linear(rule: Callable, sigma_sys: float) -> None:
    n = np.array([1, 2, 3])
    assert _half_widths(rule, 1.0, sigma_sys) == pytest.approx(n + n * sigma_sys, rel=0.02)


@pytest.mark.parametrize("sigma_sys", [1.0, 0.5])
def test_statistics_and_systematics_add_linearly(sigma_sys):
    _assert_linear(union_n_sigma, sigma_sys)


def test_linear_addition_falls_short_at_one_sigma_of_large_systematics():
    one, two, three = _half_widths(union_n_sigma, 1.0, 2.0)
    assert one == pytest.approx(2.75, abs=0.02)
    assert [two, three] == pytest.approx([6.0, 9.0], rel=0.02)


def test_the_complement_does_not_add_up():
    """The control: the share that the rule forgives to exclude a point, taken for that which must hold it."""

    def wrong(n_sigma):
        return _counted(n_sigma, _complement, np.array([1.0, 2.0, 3.0]))

    assert _half_widths(wrong, 1.0, 0.5) == pytest.approx([0.49, 1.0, 1.49], abs=0.03)
    for sigma_sys in (1.0, 0.5):
        with pytest.raises(AssertionError):
            _assert_linear(wrong, sigma_sys)


def test_equal_members_and_repeated_ensembles_change_nothing():
    grid = RegionGrid.over(RANGE, 40, 40)
    one = _member(grid)
    for outlines in ((1, 2, 3), None):
        for n_members in (1, 2, 25):
            united = union_confidence([one] * n_members, outlines)
            assert all(
                getattr(united, of.name) == pytest.approx(np.minimum(getattr(one, of.name), level(4.0)), abs=1e-9)
                for of in fields(Confidence)
            )
    n_sigma = 4 * seeds.stream(1, "repeated").random((7, 50))
    assert union_n_sigma(np.tile(n_sigma, (3, 1))) == pytest.approx(union_n_sigma(n_sigma), abs=1e-12)


def test_the_order_of_members_does_not_matter_and_larger_members_give_larger_unions():
    grid = RegionGrid.over(RANGE, 40, 40)
    members = _ensemble(grid)
    united = union_confidence(members)
    assert _equal(united, union_confidence(members[::-1]))
    assert not _equal(united, union_confidence([_shifted(members[0]), *members[1:]]))
    larger = [Confidence(*(0.8 * getattr(m, of.name) for of in fields(Confidence))) for m in members]
    assert np.all(union_confidence(larger).plane_sin2 <= united.plane_sin2)


def _assert_cells_are_counted(members: list[Confidence], outlines: tuple[float, ...] | None) -> None:
    united = union_confidence(members, outlines)
    for n, demanded in ((1, 4), (2, 1), (3, 1)):
        for of in fields(Confidence):
            counted = sum((getattr(member, of.name) <= level(n)).astype(int) for member in members) >= demanded
            assert np.array_equal(getattr(united, of.name) <= level(n), counted)


def test_united_regions_hold_the_cells_that_enough_members_hold(monkeypatch):
    members = _ensemble(RegionGrid.over(RANGE, 60, 60))
    _assert_cells_are_counted(members, (1.0, 2.0, 3.0))
    _assert_cells_are_counted(members, None)
    monkeypatch.setattr(union, "fraction", _complement)
    with pytest.raises(AssertionError):
        _assert_cells_are_counted(members, (1.0, 2.0, 3.0))


def test_outlines_are_not_drawn_in_beside_flat_parts():
    """Areas of a coarse grid against a fine one; the control is the rule at every n, flat 0.006 sigma below 1 sigma."""

    def areas(n_cells: int, outlines: tuple[float, ...] | None) -> np.ndarray:
        grid = RegionGrid.over(RANGE, n_cells, n_cells)
        facts = region_facts(grid, union_confidence(_ensemble(grid), outlines))
        return np.array([facts[f"{n}_sigma"]["area_ev2"]["sin2_theta23"] for n in (1, 2, 3)])

    fine = areas(300, (1.0, 2.0, 3.0))
    assert areas(80, (1.0, 2.0, 3.0)) == pytest.approx(fine, rel=0.015)
    drawn_in = areas(80, None) / fine
    assert drawn_in[0] < 0.96
    assert drawn_in[1:] == pytest.approx([1, 1], rel=0.015)


@pytest.mark.parametrize(("outlines", "message"), [((2.0, 1.0), "increasing"), ((0.0, 1.0), "increasing"), ((), "increasing")])
def test_outlines_that_cannot_be_are_refused(outlines, message):
    with pytest.raises(InputError, match=message):
        union_confidence([_member(RegionGrid.over(RANGE, 8, 8))], outlines)


def test_ensembles_that_cannot_be_united_are_refused():
    with pytest.raises(InputError, match="no members"):
        union_confidence([])
    with pytest.raises(InputError, match="no members"):
        union_n_sigma(np.empty((0, 4)))
    members = [_member(RegionGrid.over(RANGE, n, 10)) for n in (8, 10)]
    with pytest.raises(InputError, match="8 x 10, 10 x 10 cells; put all on their common_grid"):
        union_confidence(members)


def test_a_common_grid_covers_all_and_keeps_the_finest_cells():
    narrow = RegionGrid.over(FitRange((0.4, 0.6), (2.4e-3, 2.6e-3)), 40, 40)
    wide = RegionGrid.over(FitRange((0.31, 0.69), (2.3e-3, 2.75e-3)), 40, 40)
    found = common_grid([wide, narrow])
    assert -1e-12 < 0.31 - found.sin2_edges[0] < 0.005
    assert found.dm31_edges[0] <= 2.3e-3 + 1e-12 and found.dm31_edges[-1] >= 2.75e-3 - 1e-12
    assert np.ptp(found.dm31_edges) < 0.45e-3 + 1e-5
    for name in ("sin2_theta23", "dm31_ev2"):
        fine, axis = getattr(narrow, name), getattr(found, name)
        assert np.diff(axis) == pytest.approx(np.diff(fine)[0])
        first = np.argmin(np.abs(axis - fine[0]))
        assert axis[first : first + 40] == pytest.approx(fine, rel=1e-9)
    assert common_grid([wide, wide]) is wide
    assert common_grid([wide]) is wide
    copy = RegionGrid(wide.sin2_theta23.copy(), wide.dm31_ev2 * (1 + 1e-12))
    assert common_grid([wide, copy]) is wide
    near_all = RegionGrid.over(FitRange((0.01, 0.99), (2.3e-3, 2.75e-3)), 10, 40)
    steps = RegionGrid.over(FitRange((0.26, 0.74), (2.3e-3, 2.75e-3)), 8, 40)
    assert common_grid([near_all, steps]).sin2_edges[0] == pytest.approx(0.01)
    with pytest.raises(InputError, match="no grids"):
        common_grid([])
    with pytest.raises(InputError, match="both signs"):
        common_grid([wide, RegionGrid(wide.sin2_theta23, -wide.dm31_ev2[::-1])])


def test_fields_on_another_grid_match_scipy_and_single_points():
    grid = RegionGrid.over(FitRange((0.38, 0.62), (2.4e-3, 2.6e-3)), 24, 30)
    to = RegionGrid.over(RANGE, 70, 61)
    (member,) = _ensemble(grid, 1)
    found = on_grid(member, grid, to)
    inner = [np.clip(a, b[0], b[-1]) for a, b in ((to.sin2_theta23, grid.sin2_theta23), (to.dm31_ev2, grid.dm31_ev2))]
    scipy = RegularGridInterpolator((grid.sin2_theta23, grid.dm31_ev2), n_sigma_of(member.plane_sin2))
    expected = scipy(tuple(np.meshgrid(*inner, indexing="ij")))
    outside = (np.abs(to.sin2_theta23 - 0.5) > 0.12)[:, None] | (np.abs(to.dm31_ev2 - 2.5e-3) > 1e-4)
    expected[outside] = 4.0
    assert found.plane_sin2 == pytest.approx(level(expected), abs=1e-12)
    for i in range(0, 70, 3):
        for j in range(0, 61, 4):
            if not outside[i, j]:
                at = confidence_at(member, grid, to.sin2_theta23[i], to.dm31_ev2[j])
                folded = min(i, 69 - i)
                values = (
                    found.plane_sin2[i, j],
                    found.plane_sin2_2theta[folded, j],
                    found.sin2[i],
                    found.sin2_2theta[folded],
                    found.dm31[j],
                )
                assert list(at.values()) == pytest.approx(values, abs=1e-12)
    beyond = np.abs(to.sin2_theta23 - 0.5) > 0.12
    assert np.all(found.sin2[beyond] == level(4.0)) and np.all(found.sin2_2theta[beyond[:35]] == level(4.0))
    assert np.all(found.plane_sin2_2theta[outside[:35]] == level(4.0))


def test_a_field_on_its_own_grid_stays_and_on_the_common_one_keeps_its_cells():
    grid = RegionGrid.over(FitRange((0.4, 0.6), (2.4e-3, 2.6e-3)), 40, 40)
    member = _member(grid)
    assert on_grid(member, grid, RegionGrid.over(FitRange((0.4, 0.6), (2.4e-3, 2.6e-3)), 40, 40)) is member
    wide = common_grid([grid, RegionGrid.over(RANGE, 40, 40)])
    there = on_grid(member, grid, wide)
    first = [int(np.argmin(np.abs(getattr(wide, n) - getattr(grid, n)[0]))) for n in ("sin2_theta23", "dm31_ev2")]
    kept = there.plane_sin2[first[0] : first[0] + 40, first[1] : first[1] + 40]
    assert kept == pytest.approx(np.minimum(member.plane_sin2, level(4.0)), abs=1e-9)
    with pytest.raises(InputError, match="40 x 40 cells on a grid of 8 x 9"):
        on_grid(member, RegionGrid.over(RANGE, 8, 9), grid)


SKEW = 0.05


def _skew(grid: RegionGrid, sin2: float, dm31_ev2: float) -> Confidence:
    """Return a normal law in the planes and in sin^2; the interval of dm^2_31 is that of a skew law, n = |z + SKEW z^2|."""
    z = (grid.dm31_ev2 - dm31_ev2) / SIGMA_DM31_EV2
    return replace(_member(grid, sin2, dm31_ev2), dm31=level(np.abs(z + SKEW * z**2)))


def _errors(n_cells: int, n: int) -> np.ndarray:
    """Return stated and true errors ``(2, 2)`` of the area and of the skew ends, means over places within a cell."""
    grid = RegionGrid.over(FitRange((0.35, 0.65), (2.35e-3, 2.65e-3)), n_cells, n_cells)
    ellipse = np.pi * SIGMA_SIN2 * SIGMA_DM31_EV2 * chi2.isf(1 - level(n), 2)
    ends = (np.sqrt(1 + 4 * SKEW * n * np.array([-1, 1])) - 1) / (2 * SKEW) * SIGMA_DM31_EV2
    errors = []
    for part in seeds.stream(1, "place", n_cells).random((12, 2)):
        dm31_ev2 = DM31_EV2 + part[1] * np.diff(grid.dm31_edges)[0]
        found = _skew(grid, SIN2 + part[0] * np.diff(grid.sin2_edges)[0], dm31_ev2)
        stated, facts = interpolation_error(found, grid)[f"{n}_sigma"], region_facts(grid, found)[f"{n}_sigma"]
        (interval,) = facts["intervals"]["dm31_ev2"]
        area_error = abs(facts["area_ev2"]["sin2_theta23"] / ellipse - 1)
        end_error = np.abs(np.array(interval) - dm31_ev2 - ends).max() / np.ptp(interval)
        errors.append([[stated["area"]["sin2_theta23"], stated["ends"]["dm31_ev2"]], [area_error, end_error]])
    return np.mean(errors, axis=0)


@pytest.mark.parametrize("n", [1, 2])
def test_the_interpolation_error_is_about_the_true_one_and_falls_with_the_square_of_the_step(n):
    wide, narrow = _errors(60, n), _errors(120, n)
    for stated, true in (wide, narrow):
        assert np.all((stated > true / 3) & (stated < 3 * true))
    assert np.all((wide[0] / narrow[0] > 3) & (wide[0] / narrow[0] < 5))


def test_the_interpolation_error_is_a_table_and_nothing_for_empty_regions():
    grid = RegionGrid.over(RANGE, 40, 41)
    found = interpolation_error(_member(grid), grid)
    assert json.loads(json.dumps(found)) == found
    assert set(found) == {"1_sigma", "2_sigma", "3_sigma"}
    assert set(found["1_sigma"]["area"]) == {"sin2_theta23", "sin2_2theta23"}
    assert set(found["1_sigma"]["ends"]) == {"sin2_theta23", "sin2_2theta23", "dm31_ev2"}
    # Of a normal law n is linear in one parameter.
    assert found["2_sigma"]["ends"]["dm31_ev2"] < 1e-9
    high = Confidence(*(np.ones_like(getattr(_member(grid), of.name)) for of in fields(Confidence)))
    assert set(_values(interpolation_error(high, grid))) == {0.0}
    with pytest.raises(InputError, match="give the grid they are on"):
        interpolation_error(high, RegionGrid.over(RANGE, 40, 40))
    least = RegionGrid.over(RANGE, 4, 4)
    assert np.isfinite(interpolation_error(_member(least), least)["3_sigma"]["area"]["sin2_2theta23"])


def test_what_lies_outside_is_measured():
    grid = RegionGrid.over(RANGE, 100, 140)
    inner = _member(grid)
    moved = _member(grid, SIN2, DM31_EV2 + 0.5 * SIGMA_DM31_EV2)
    found = holds(moved, inner, grid)
    assert json.loads(json.dumps(found)) == found
    for n in (1, 2, 3):
        of = found[f"{n}_sigma"]
        # Intervals of half width n, moved by a half; two discs of radius r, their centres d apart.
        assert of["length"]["dm31_ev2"] == pytest.approx(0.25 / n, abs=0.01)
        assert of["length"]["sin2_theta23"] == 0.0
        d, r = 0.5, np.sqrt(chi2.isf(1 - level(n), 2))
        lens = 2 * r**2 * np.arccos(d / (2 * r)) - d / 2 * np.sqrt(4 * r**2 - d**2)
        assert of["area"]["sin2_theta23"] == pytest.approx(1 - lens / (np.pi * r**2), abs=0.01)


def test_what_is_held_is_held_and_what_is_apart_is_not():
    grid = RegionGrid.over(RANGE, 60, 80)
    member, members = _member(grid), _ensemble(grid)
    for outer in (member, _member(grid, size=1.1)):
        assert set(_values(holds(outer, member, grid))) == {0.0}
    apart = holds(_member(grid, SIN2, DM31_EV2 + 9 * SIGMA_DM31_EV2), member, grid)
    assert all(of["area"]["sin2_theta23"] == 1.0 and of["length"]["dm31_ev2"] == 1.0 for of in apart.values())
    united = union_confidence(members)
    assert all(holds(united, one, grid)[f"{n}_sigma"]["area"]["sin2_theta23"] < 1e-9 for one in members[:5] for n in (2, 3))
    assert holds(members[0], united, grid)["2_sigma"]["area"]["sin2_theta23"] > 0.3
    empty = Confidence(*(np.ones_like(getattr(member, of.name)) for of in fields(Confidence)))
    assert holds(member, empty, grid)["1_sigma"]["area"]["sin2_theta23"] == 0.0
    with pytest.raises(InputError, match="on a grid of"):
        holds(member, _member(RegionGrid.over(RANGE, 8, 9)), grid)


def test_a_finer_grid_has_the_same_ends_and_keeps_short_pieces():
    """Where two intervals of eight overlap by less than a cell, cells see nothing but their parts do."""
    grid = RegionGrid.over(RANGE, 4, 80)
    fine = finer_grid(grid, 4)
    assert fine.sin2_edges[::4] == pytest.approx(grid.sin2_edges)
    assert fine.dm31_edges[::4] == pytest.approx(grid.dm31_edges)
    assert least_members(1, 8) == 2
    members = [_member(grid, SIN2, DM31_EV2 + z * SIGMA_DM31_EV2) for z in (-5, -3.2, 0.1, 1.95, 5, 8, 11, 12.9)]
    assert intervals(grid.dm31_ev2, union_confidence(members).dm31, level(1)) == []
    united = union_confidence([on_grid(member, grid, fine) for member in members])
    pieces = (np.array(intervals(fine.dm31_ev2, united.dm31, level(1))) - DM31_EV2) / SIGMA_DM31_EV2
    assert pieces == pytest.approx(np.array([[-4.2, -4.0], [0.95, 1.1], [11.9, 12.0]]), abs=0.02)

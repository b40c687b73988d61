"""Parton sets: sum rules, a slow twin of the grid interpolation, reference values, bad files.

Reference values for CT18NNLO come from an independent reader of the same grid.
"""

from pathlib import Path

import numpy as np
import pytest
from parton_grids import FLAVOURS, Q_BLOCKS, X_KNOTS, made_up_xf, twin_blocks, twin_xf, write_set
from scipy.integrate import quad

from nuinfer.errors import InputError
from nuinfer.physics.lhapdf_files import find_set, read_set
from nuinfer.physics.lhapdf_grid import low_q2_factor
from nuinfer.physics.partons import LesHouchesToy, PartonSet, parton_set


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> PartonSet:
    return read_set("MadeUp", 0, write_set(tmp_path_factory.mktemp("pdf")), FLAVOURS)


@pytest.fixture(scope="module")
def ct18(shared_data: Path) -> PartonSet:
    return parton_set({"set": "CT18NNLO", "member": 0, "folder": str(shared_data / "pdf")})


def assert_like_twin(partons: PartonSet, path: Path, x: np.ndarray, q2: np.ndarray, pids: tuple[int, ...]) -> None:
    for pid in pids:
        blocks = twin_blocks(path, pid)
        slow = [twin_xf(blocks, *point) for point in zip(x, q2, strict=True)]
        np.testing.assert_allclose(partons.xf(pid, x, q2), slow, rtol=1e-11, atol=1e-14)


def points(seed: int, n: int, x_low: float, q2_low: float, q2_high: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.exp(rng.uniform(np.log(x_low), 0, n)), np.exp(rng.uniform(np.log(q2_low), np.log(q2_high), n))


# Sum rules.


def test_toy_sum_rules() -> None:
    toy = LesHouchesToy()

    def integral(*pids_and_signs: tuple[int, int], power: int) -> float:
        def in_root(t: float) -> float:
            # x = t^10 takes the x^-0.2 and x^-0.1 ends off.
            return 10 * t**9 * sum(s * toy.xf(p, t**10, 2.0) for p, s in pids_and_signs) / t ** (10 * power)

        return quad(in_root, 1e-9, 1, epsabs=1e-10)[0]

    assert integral((2, 1), (-2, -1), power=1) == pytest.approx(2, abs=2e-6)
    assert integral((1, 1), (-1, -1), power=1) == pytest.approx(1, abs=2e-6)
    everything = [(p, 1) for p in (21, 1, 2, 3, 4, -1, -2, -3, -4)]
    assert integral(*everything, power=0) == pytest.approx(1, abs=2e-6)
    assert abs(integral(*everything[:-2], power=0) - 1) > 1e-2


def test_ct18_number_of_valence_quarks(ct18: PartonSet) -> None:
    x = np.geomspace(1e-9, 1, 40001)[:-1]
    # The residue, about 1e-3, is the step from the tabulated values to the interpolation, not the integral.
    for pid, number in ((2, 2), (1, 1)):
        valence = ct18.xf(pid, x, 4.0) - ct18.xf(-pid, x, 4.0)
        assert np.trapezoid(valence, np.log(x)) == pytest.approx(number, abs=5e-3)


# Grids: twin, continuity, reference values.


def test_grid_is_interpolated_and_continued_as_by_the_slow_twin(made_up: PartonSet, tmp_path: Path) -> None:
    path = write_set(tmp_path) / "MadeUp" / "MadeUp_0000.dat"
    assert_like_twin(made_up, path, *points(1, 400, 1e-6, 1e-3, 1e6), (1, -4, 5))


def test_ct18_is_interpolated_and_continued_as_by_the_slow_twin(ct18: PartonSet, shared_data: Path) -> None:
    path = shared_data / "pdf" / "CT18NNLO" / "CT18NNLO_0000.dat"
    assert_like_twin(ct18, path, *points(2, 150, 1e-11, 1e-2, 1e12), (1, -2, 4))


def test_grid_passes_through_its_knots_and_near_the_function(made_up: PartonSet) -> None:
    for q in Q_BLOCKS:
        x, q2 = np.meshgrid(X_KNOTS, q**2, indexing="ij")
        np.testing.assert_allclose(made_up.xf(2, x, q2), made_up_xf(2, x, np.sqrt(q2)), rtol=1e-12, atol=1e-14)
    x, q2 = points(3, 300, 1e-4, 1.7, 1e4)
    assert np.abs(made_up.xf(2, x, q2) - made_up_xf(2, x, np.sqrt(q2))).max() < 2e-2


def test_blocks_do_not_smooth_a_threshold(made_up: PartonSet) -> None:
    """Bottom is exactly zero below 4.5 GeV: slopes are not taken across the boundary of two blocks."""
    assert not made_up.xf(5, 0.1, np.linspace(1.7, 4.5**2 * (1 - 1e-9), 50)).any()
    assert made_up.xf(5, 0.1, 4.6**2) > 0


@pytest.mark.parametrize("name", ["ct18", "made_up", "toy"])
def test_continuity_at_the_lowest_q2(name: str, request: pytest.FixtureRequest) -> None:
    partons = LesHouchesToy() if name == "toy" else request.getfixturevalue(name)
    edge = 2.0 if name == "toy" else partons.q2_range_gev2[0]
    x = np.linspace(0.01, 0.95, 40)
    below, at, above = (partons.xf(1, x, edge * f) for f in (1 - 1e-7, 1.0, 1 + 1e-7))
    np.testing.assert_allclose(below, above, rtol=1e-6)
    # The exponent is a secant over one per cent, so slopes agree to its curvature only.
    slope_below = (1 - partons.xf(1, x, edge * 0.9999) / at) / 1e-4
    slope_above = (partons.xf(1, x, edge * 1.0001) / at - 1) / 1e-4
    np.testing.assert_allclose(slope_below, slope_above, atol=0.03)
    # Proportional to Q^2 in the end.
    np.testing.assert_allclose(partons.xf(1, x, 1e-8) / partons.xf(1, x, 1e-9), 10, rtol=1e-5)
    assert not partons.xf(1, x, 0.0).any()


def test_low_q2_factor_has_the_slope_it_is_given() -> None:
    for gamma in (0.0, 0.4, -1.0):
        assert (1 - low_q2_factor(1 - 1e-6, gamma)) / 1e-6 == pytest.approx(gamma, abs=1e-5)
    np.testing.assert_array_equal(low_q2_factor(np.array([1.0, 3.0]), 0.7), 1)


@pytest.mark.parametrize(
    ("pid", "x", "q2", "expected"),
    [
        (1, 0.1, 0.5, 1.92896377e-01),
        (1, 0.1, 1.0, 3.65704281e-01),
        (1, 0.1, 4.0, 4.39882040e-01),
        (2, 0.3, 2.0, 6.85533150e-01),
        (2, 0.05, 0.1, 3.60420019e-02),
        (-1, 0.1, 0.5, 6.21996539e-02),
        (-2, 0.1, 1.0, 8.44103492e-02),
        (3, 0.1, 4.0, 5.42173236e-02),
        (-4, 0.1, 4.0, 1.68751718e-02),
        (-4, 0.1, 1.0, 0.0),
    ],
)
def test_ct18_reference_values(ct18: PartonSet, pid: int, x: float, q2: float, expected: float) -> None:
    assert ct18.xf(pid, x, q2) == pytest.approx(expected, rel=3e-9, abs=0)


# Choosing a set, and bad input.


def test_sets_by_name(made_up: PartonSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parton_set({"set": "les_houches_toy"}) == LesHouchesToy()
    assert "hep-ph/0204316" in LesHouchesToy().describe()["citation"]
    write_set(tmp_path / "b")
    monkeypatch.setenv("LHAPDF_DATA_PATH", f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    found = parton_set({"set": "MadeUp"})
    assert found.xf(1, 0.2, 3.0) == made_up.xf(1, 0.2, 3.0)
    assert found.describe()["sha256"] == made_up.sha256


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "'set' is None"),
        ({"set": "les_houches_toy", "member": 1}, "no member"),
        ({"set": "MadeUp", "membre": 1}, "membre"),
        ({"set": "MadeUp", "member": -1}, "whole number"),
    ],
)
def test_bad_settings(settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parton_set(settings)


def test_missing_set_names_the_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LHAPDF_DATA_PATH", raising=False)
    with pytest.raises(InputError, match="LHAPDF_DATA_PATH is not set"):
        find_set("NoSuchSet")
    monkeypatch.setenv("LHAPDF_DATA_PATH", f"{tmp_path}/one:{tmp_path}/two")
    with pytest.raises(InputError, match=r"NoSuchSet\.info.*/one, .*/two"):
        find_set("NoSuchSet")
    with pytest.raises(InputError, match="MadeUp_0007"):
        read_set("MadeUp", 7, write_set(tmp_path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flavours": (-3, -2, -1, 1, 2, 3, 21)}, r"no partons \[-4, 4\]"),
        ({"edit": ("Format: lhagrid1", "Format: lhagrid2")}, "lhagrid2"),
        ({"info": "Interpolator: linear\n"}, "linear"),
        ({"info": "ForcePositive: 3\n"}, "ForcePositive is '3'"),
        ({"drop": 1}, "does not end"),
        ({"drop": 40}, "does not end"),
        ({"drop": 4 + 5 * len(X_KNOTS)}, "block is missing"),
        ({"edit": ("2.2 3.0", "3.0 2.2")}, "Q knots must be positive and increasing"),
        ({"edit": (repr(float(made_up_xf(1, X_KNOTS[3], 1.7))), "nan")}, "finite values"),
        ({"edit": (repr(float(made_up_xf(1, X_KNOTS[3], 1.7))), "")}, "values where"),
        ({"edit": (repr(float(made_up_xf(1, X_KNOTS[3], 1.7))), "1.2.3")}, "then numbers"),
    ],
)
def test_damaged_grid(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_set("MadeUp", 0, write_set(tmp_path, **changes))


def test_positive_sets_are_floored(tmp_path: Path) -> None:
    first = repr(float(made_up_xf(1, X_KNOTS[3], 1.7)))
    negative = {"edit": (first, "-0.5")}
    point = (1, X_KNOTS[3], 1.7**2)
    assert read_set("MadeUp", 0, write_set(tmp_path / "free", **negative)).xf(*point) == pytest.approx(-0.5)
    assert read_set("MadeUp", 0, write_set(tmp_path / "floor", info="ForcePositive: 1\n", **negative)).xf(*point) == 0


def test_points_that_make_no_sense(made_up: PartonSet) -> None:
    for partons in (LesHouchesToy(), made_up):
        for x, q2 in ((0.0, 1.0), (0.5, -1.0), (np.nan, 1.0), (0.5, np.nan)):
            with pytest.raises(InputError, match="needs x > 0"):
                partons.xf(1, x, q2)
        with pytest.raises(InputError, match="no parton 7"):
            partons.xf(7, 0.1, 2.0)

"""The plane of the fitted parameters: ranges, interpolation, and a sample's log-likelihood to the error that is stated."""

from math import comb

import numpy as np
import pytest
from toy_far import RANGE, event_model

from nuinfer.errors import InputError
from nuinfer.oscillation.likelihood import FarModel, densities, log_table
from nuinfer.oscillation.plane import LEAST_NODES, FitRange, Plane

INVERTED = FitRange((0.35, 0.65), (-2.75e-3, -2.3e-3))


def points(fit_range: FitRange, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.uniform(*fit_range.sin2_theta23, n), rng.uniform(*fit_range.dm31_ev2, n)


def test_nodes_run_over_dm31_first_and_lie_inside_the_range() -> None:
    plane = Plane(RANGE, 5, 3)
    sin2, dm31 = plane.axes
    assert plane.n_nodes == 15 and sin2.shape == (5,) and dm31.shape == (3,)
    assert np.all(np.diff(sin2) > 0) and RANGE.sin2_theta23[0] < sin2[0] and sin2[-1] < RANGE.sin2_theta23[1]
    assert np.all(np.diff(dm31) > 0) and RANGE.dm31_ev2[0] < dm31[0] and dm31[-1] < RANGE.dm31_ev2[1]
    values = np.array([10.0 * i + j for i in range(5) for j in range(3)])
    coefficients = plane.coefficients(values)
    for i in range(5):
        for j in range(3):
            assert plane.at(coefficients, sin2[i], dm31[j]) == pytest.approx(10.0 * i + j, abs=1e-11)


@pytest.mark.parametrize("fit_range", [RANGE, INVERTED], ids=["normal", "inverted"])
def test_polynomials_are_exact_everywhere(fit_range: FitRange, rng: np.random.Generator) -> None:
    """Of degree below the number of nodes on each axis; one degree more is not, so that the check can fail."""

    def function(sin2: np.ndarray, dm31: np.ndarray, degree: int) -> np.ndarray:
        s, d = (sin2 - 0.4) / 0.15, (dm31 - fit_range.dm31_ev2[0]) / 2e-4
        return 2.0 - s**degree + 0.3 * s * d**3 + d**2

    plane = Plane(fit_range, 7, 4)
    s, d = points(fit_range, 50, rng)
    for degree, fine in ((6, True), (7, False)):
        coefficients = plane.coefficients(function(plane.axes[0][:, None], plane.axes[1], degree).ravel())
        assert coefficients.shape == (7, 4)
        error = np.abs(plane.at(coefficients, s, d) - function(s, d, degree)).max()
        assert (error < 1e-11) == fine
    grid = plane.on_grid(coefficients, s[:6], d[:4])
    assert grid.shape == (6, 4)
    for i in range(6):
        for j in range(4):
            assert grid[i, j] == pytest.approx(plane.at(coefficients, s[i], d[j]), abs=1e-12)


def test_a_smooth_function_and_its_slopes(rng: np.random.Generator) -> None:
    """The interpolant's differences over a small step are the derivatives of the function itself."""

    def function(s: np.ndarray, d: np.ndarray) -> np.ndarray:
        return np.sin(8.0 * s) * np.exp(600.0 * d)

    plane = Plane(RANGE, 14, 10)
    coefficients = plane.coefficients(function(plane.axes[0][:, None], plane.axes[1]).ravel())
    s, d = points(FitRange((0.36, 0.64), (2.31e-3, 2.74e-3)), 40, rng)
    np.testing.assert_allclose(plane.at(coefficients, s, d), function(s, d), rtol=0, atol=1e-10)
    h, k = 1e-4, 1e-7
    by_sin2 = (plane.at(coefficients, s + h, d) - plane.at(coefficients, s - h, d)) / (2 * h)
    by_dm31 = (plane.at(coefficients, s, d + k) - plane.at(coefficients, s, d - k)) / (2 * k)
    np.testing.assert_allclose(by_sin2, 8.0 * np.cos(8.0 * s) * np.exp(600.0 * d), rtol=0, atol=1e-5)
    np.testing.assert_allclose(by_dm31, 600.0 * function(s, d), rtol=0, atol=1e-4)


def test_many_functions_are_the_loop_over_them(rng: np.random.Generator) -> None:
    plane = Plane(RANGE, 6, 5)
    values = rng.normal(size=(4, 30))
    s, d = points(RANGE, 4, rng)
    coefficients = plane.coefficients(values)
    own, grid = plane.at(coefficients, s, d), plane.on_grid(coefficients, s, d)
    assert coefficients.shape == (4, 6, 5) and own.shape == (4,) and grid.shape == (4, 4, 4)
    for k in range(4):
        one = plane.coefficients(values[k])
        np.testing.assert_allclose(coefficients[k], one, rtol=0, atol=1e-12)
        assert own[k] == pytest.approx(slow_sum(one, RANGE, s[k], d[k]), abs=1e-12)
        np.testing.assert_allclose(grid[k], plane.on_grid(one, s, d), rtol=0, atol=1e-12)


def slow_sum(c: np.ndarray, fit_range: FitRange, sin2: float, dm31: float) -> float:
    """The slow twin: T_n written out as a sum of powers, one term of the double sum at a time."""

    def polynomial(n: int, x: float) -> float:
        return sum(comb(n, 2 * k) * (x * x - 1.0) ** k * x ** (n - 2 * k) for k in range(n // 2 + 1))

    def scaled(value: float, ends: tuple[float, float]) -> float:
        return (2.0 * value - ends[0] - ends[1]) / (ends[1] - ends[0])

    z, y = scaled(sin2, fit_range.sin2_theta23), scaled(dm31, fit_range.dm31_ev2)
    return sum(c[i, j] * polynomial(i, z) * polynomial(j, y) for i in range(c.shape[0]) for j in range(c.shape[1]))


def loglike_error(model: FarModel, plane: Plane, rng: np.random.Generator) -> float:
    """Return the largest error of the sample's log-likelihood at random points, corners of the range among them."""
    s, d = points(plane.range, 60, rng)
    s[:4], d[:4] = np.repeat(plane.range.sin2_theta23, 2), np.tile(plane.range.dm31_ev2, 2)
    direct = np.log(densities(model, s, d)).sum(axis=1)
    return np.abs(plane.at(plane.coefficients(log_table(model, plane).sum(axis=1)), s, d) - direct).max()


@pytest.mark.parametrize("fit_range", [RANGE, INVERTED, RANGE.widened(True, True, True)], ids=["normal", "inverted", "widened"])
def test_loglikelihood_of_6200_events_to_its_stated_error(fit_range: FitRange, rng: np.random.Generator) -> None:
    model, plane = event_model(6200, rng), Plane.over(fit_range)
    assert loglike_error(model, plane, rng) < 1e-4
    # Half of the nodes miss it by far, and the same check says so.
    assert loglike_error(model, Plane(fit_range, plane.n_sin2 // 2, plane.n_dm31 // 2), rng) > 1e-3


def test_nodes_grow_with_the_range() -> None:
    usual, narrow = Plane.over(RANGE), Plane.over(FitRange((0.49, 0.51), (2.5e-3, 2.51e-3)))
    wide = Plane.over(RANGE.widened(True, True, True))
    assert (narrow.n_sin2, narrow.n_dm31) == (LEAST_NODES, LEAST_NODES)
    assert wide.n_sin2 > usual.n_sin2 >= LEAST_NODES and wide.n_dm31 > usual.n_dm31 >= LEAST_NODES


@pytest.mark.parametrize(
    ("sin2", "dm31", "message"),
    [
        ((0.65, 0.35), (2.3e-3, 2.7e-3), "sin2_theta23: .* must lie inside 0 to 1"),
        ((0.0, 1.0), (2.3e-3, 2.7e-3), "sin2_theta23: .* must lie inside 0 to 1"),
        ((-0.1, 1.1), (2.3e-3, 2.7e-3), "sin2_theta23: .* must lie inside 0 to 1"),
        ((0.51, 0.65), (2.3e-3, 2.7e-3), "around one half"),
        ((0.3, np.nan), (2.3e-3, 2.7e-3), "around one half"),
        ((0.35, 0.6), (2.3e-3, 2.7e-3), r"different room; give \[0.35, 0.65\] or \[0.4, 0.6\]"),
        ((0.35, 0.65), (2.7e-3, 2.3e-3), "dm31_ev2: .* must increase"),
        ((0.35, 0.65), (2.3e-3, 2.3e-3), "dm31_ev2: .* must increase"),
        ((0.35, 0.65), (-2.3e-3, 2.3e-3), "keep one sign"),
        ((0.35, 0.65), (0.0, 2.3e-3), "keep one sign"),
        ((0.35, 0.65), (-2.3e-3, -2.7e-3), "dm31_ev2: .* must increase"),
        ((0.35, 0.65), (np.nan, 2.7e-3), "dm31_ev2: .* must increase"),
        ((0.35, 0.65), (2.3e-3, np.inf), "dm31_ev2: "),
    ],
)
def test_bad_ranges_are_named(sin2: tuple[float, float], dm31: tuple[float, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        FitRange(sin2, dm31)


def test_widened_moves_only_the_named_sides() -> None:
    for low, high in ((2.3e-3, 2.75e-3), (-2.75e-3, -2.3e-3)):
        start, step = FitRange((0.35, 0.65), (low, high)), 0.3 * 0.45e-3
        assert start.widened(False, False, False) == start
        sin2 = start.widened(True, False, False)
        assert sin2.sin2_theta23 == pytest.approx((0.26, 0.74)) and sin2.dm31_ev2 == start.dm31_ev2
        below, above = start.widened(False, True, False), start.widened(False, False, True)
        assert below.dm31_ev2 == pytest.approx((low - step, high)) and below.sin2_theta23 == start.sin2_theta23
        assert above.dm31_ev2 == pytest.approx((low, high + step))


@pytest.mark.parametrize("start", [RANGE, INVERTED], ids=["normal", "inverted"])
def test_widened_again_and_again_stays_physical(start: FitRange) -> None:
    now = start
    for _ in range(30):
        wider = now.widened(True, True, True)
        (low, high), (below, above) = wider.sin2_theta23, wider.dm31_ev2
        assert 0.0 < low < now.sin2_theta23[0] and high < 1.0 and low + high == pytest.approx(1.0, abs=1e-12)
        assert below < now.dm31_ev2[0] and above > now.dm31_ev2[1] and below * above > 0
        now = wider
    # Towards zero it closes half of the gap at most, away from it there is no limit.
    assert min(abs(b) for b in now.dm31_ev2) < 1e-5 and max(abs(b) for b in now.dm31_ev2) > 0.1

"""Optima in each octant against a dense grid and scipy's optimiser: two maxima, edges, ridges, flat and steep functions."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import minimize
from toy_far import RANGE, event_model

from nuinfer.oscillation.bootstrap import multiplicities
from nuinfer.oscillation.likelihood import log_table
from nuinfer.oscillation.optimum import BLOCK, octant_optima
from nuinfer.oscillation.plane import Plane

PLANE = Plane(RANGE, 7, 6)
CENTRE, HALF = (0.5, 2.525e-3), (0.15, 0.225e-3)
Function = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Of the two parameters, each scaled to run from -1 to 1 over its range."""


def scaled(sin2: np.ndarray, dm31: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (sin2 - CENTRE[0]) / HALF[0], (dm31 - CENTRE[1]) / HALF[1]


def coefficients(functions: list[Function], plane: Plane = PLANE) -> np.ndarray:
    sin2, dm31 = plane.axes
    z, y = scaled(sin2[:, None], dm31)
    return plane.coefficients(np.stack([np.broadcast_to(f(z, y), (z + y).shape).ravel() for f in functions]))


def two_maxima(rng: np.random.Generator) -> Function:
    """Return a random polynomial with a maximum in each octant, of different heights and in different places."""
    left, right, height = rng.uniform(-0.8, -0.3), rng.uniform(0.3, 0.8), rng.uniform(5.0, 200.0)
    tilt, middle, lean, narrow = rng.normal(0, 1), rng.uniform(-0.6, 0.6), rng.uniform(-0.3, 0.3), rng.uniform(5.0, 200.0)
    return lambda z, y: -height * (z - left) ** 2 * (z - right) ** 2 + tilt * z - narrow * (y - middle - lean * z) ** 2


def ridge(rng: np.random.Generator, correlation: float) -> Function:
    """Return a random quadratic with its maximum inside or outside the range."""
    (a, b), (s, t) = rng.uniform(-1.3, 1.3, 2), rng.uniform(0.02, 0.5, 2)
    return lambda z, y: (
        -0.5 * (((z - a) / s) ** 2 + ((y - b) / t) ** 2 - 2 * correlation * (z - a) * (y - b) / (s * t)) / (1 - correlation**2)
    )


def slow(function: Function, octant: int) -> tuple[np.ndarray, float]:
    """The slow twin: the best of a dense grid, then scipy from there; scaled point and height."""
    low, high = ((-1.0, 0.0), (0.0, 1.0))[octant]
    z, y = np.linspace(low, high, 201), np.linspace(-1.0, 1.0, 401)
    values = function(z[:, None], y)
    i, j = np.unravel_index(values.argmax(), values.shape)
    options = {"ftol": 1e-15, "gtol": 1e-11, "maxiter": 1000}
    found = minimize(
        lambda p: -function(p[0], p[1]), (z[i], y[j]), bounds=((low, high), (-1, 1)), method="L-BFGS-B", options=options
    )
    best = found.x if -found.fun >= values[i, j] else np.array([z[i], y[j]])
    return best, max(-found.fun, values[i, j])


def check(functions: list[Function], place: float = 1e-5) -> None:
    found = octant_optima(coefficients(functions), PLANE)
    assert found.loglike.shape == found.on_edge.shape == (len(functions), 2)
    for k, function in enumerate(functions):
        for octant in range(2):
            point, height = slow(function, octant)
            at = np.array(scaled(found.sin2_theta23[k, octant], found.dm31_ev2[k, octant]))
            # As high as scipy's to rounding; scipy's own place is good to the square root of its tolerance only.
            assert found.loglike[k, octant] >= height - 1e-10 * max(1.0, abs(height))
            assert found.loglike[k, octant] == pytest.approx(float(function(*at)), rel=1e-9, abs=1e-9)
            np.testing.assert_allclose(at, point, rtol=0, atol=place)


def test_two_maxima_are_scipys(rng: np.random.Generator) -> None:
    check([two_maxima(rng) for _ in range(40)])


@pytest.mark.parametrize("correlation", [0.0, 0.5, -0.5])
def test_quadratics_with_the_maximum_inside_or_outside(correlation: float, rng: np.random.Generator) -> None:
    check([ridge(rng, correlation) for _ in range(40)])


@pytest.mark.parametrize("correlation", [0.92, -0.92])
def test_narrow_slanting_ridges(correlation: float, rng: np.random.Generator) -> None:
    """Newton's step cut at an end of the range can point downhill: the climb must not stop there."""
    check([ridge(rng, correlation) for _ in range(150)], place=1e-4)


def test_optimum_next_to_the_middle_across_a_slanting_ridge() -> None:
    """A ridge whose top lies in the other octant: the highest point here is on maximal mixing, on the ridge's flank."""
    s, t, r = 0.287426, 0.037175, -0.916733
    u, v = (lambda z: (z + 0.478547) / s), (lambda y: (y + 0.737026) / t)
    check([lambda z, y: -0.5 * (u(z) ** 2 + v(y) ** 2 - 2 * r * u(z) * v(y)) / (1 - r * r)])


def test_better_octant_is_picked_with_its_own_point(rng: np.random.Generator) -> None:
    functions = [two_maxima(rng) for _ in range(30)]
    found = octant_optima(coefficients(functions), PLANE)
    best = found.best
    upper = found.loglike[:, 1] > found.loglike[:, 0]
    assert 5 < upper.sum() < 25
    for k in range(30):
        j = int(upper[k])
        assert best.loglike[k] == found.loglike[k].max()
        assert (best.sin2_theta23[k] > 0.5) == upper[k] and best.dm31_ev2[k] == found.dm31_ev2[k, j]
    mirrored = octant_optima(coefficients([lambda z, y: -((z * z - 0.25) ** 2) - y * y]), PLANE)
    np.testing.assert_allclose(mirrored.sin2_theta23, [[0.425, 0.575]], atol=1e-7)


def test_edges_are_flagged_and_the_optimum_along_them_is_right() -> None:
    """Closed form: -(z - a)^2 - (y - b)^2 - c (z - a)(y - b) on the edge z = 1 peaks at y = b - c (1 - a) / 2."""

    def bowl(a: float, b: float, c: float) -> Function:
        return lambda z, y: -((z - a) ** 2) - (y - b) ** 2 - c * (z - a) * (y - b)

    found = octant_optima(coefficients([bowl(1.4, 0.2, 0.5), bowl(-0.5, 1.3, 0.5), bowl(-0.5, 0.1, 0.0)]), PLANE)
    z, y = scaled(found.sin2_theta23, found.dm31_ev2)
    np.testing.assert_allclose((z[0, 1], y[0, 1]), (1.0, 0.2 - 0.5 * (1.0 - 1.4) / 2), rtol=0, atol=1e-9)
    np.testing.assert_allclose((z[1, 0], y[1, 0]), (-0.5 - 0.5 * (1.0 - 1.3) / 2, 1.0), rtol=0, atol=1e-9)
    np.testing.assert_allclose((z[2, 0], y[2, 0]), (-0.5, 0.1), rtol=0, atol=1e-9)
    # The middle is no edge of the fitted range: the octant across it is not cut off by the range.
    np.testing.assert_array_equal(found.on_edge, [[False, True], [True, True], [False, False]])


def test_octant_without_a_maximum_ends_on_maximal_mixing(rng: np.random.Generator) -> None:
    places = rng.uniform(0.1, 0.9, 20)
    functions = [lambda z, y, a=a: -30.0 * (z - a) ** 2 - 10.0 * y**2 for a in places]
    found = octant_optima(coefficients(functions), PLANE)
    np.testing.assert_array_equal(found.sin2_theta23[:, 0], 0.5)
    np.testing.assert_allclose(found.sin2_theta23[:, 1], 0.5 + 0.15 * places, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.loglike[:, 0], -30.0 * places**2, rtol=0, atol=1e-9)
    assert not found.on_edge.any()


def test_flat_and_steep_functions() -> None:
    plane = Plane(RANGE, 20, 20)
    flat = octant_optima(coefficients([lambda z, y: 3.0 + 0.0 * z * y]), PLANE)
    assert np.all(np.isfinite(flat.sin2_theta23)) and np.all(np.isfinite(flat.dm31_ev2))
    np.testing.assert_allclose(flat.loglike, 3.0, rtol=0, atol=1e-12)
    # Curved along one axis only, and a height of a million with a curvature that the scan's points do not resolve.
    gutter = octant_optima(coefficients([lambda z, y: -((z - 0.4) ** 2) + 0.0 * y]), PLANE)
    assert gutter.sin2_theta23[0, 1] == pytest.approx(0.56, abs=1e-9) and gutter.loglike[0, 1] == pytest.approx(0.0, abs=1e-12)
    steep = octant_optima(coefficients([lambda z, y: 1e6 - 1e6 * (z + 0.31) ** 2 - 1e7 * (y - 0.27) ** 2], plane), plane)
    z, y = scaled(steep.sin2_theta23, steep.dm31_ev2)
    np.testing.assert_allclose((z[0, 0], y[0, 0]), (-0.31, 0.27), rtol=0, atol=1e-7)
    assert steep.loglike[0, 0] == pytest.approx(1e6, rel=1e-9)
    quartic = octant_optima(coefficients([lambda z, y: -((z - 0.5) ** 4) - (y - 0.5) ** 4]), PLANE)
    assert quartic.loglike[0, 1] == pytest.approx(0.0, abs=1e-12)


def test_results_do_not_depend_on_how_many_are_given_together(rng: np.random.Generator) -> None:
    c = coefficients([two_maxima(rng) for _ in range(BLOCK + 1)])
    together = octant_optima(c, PLANE)
    assert together.loglike.shape == (BLOCK + 1, 2)
    for k in (0, 1, BLOCK - 1, BLOCK):
        alone = octant_optima(c[k : k + 1], PLANE)
        for name in ("sin2_theta23", "dm31_ev2", "loglike"):
            np.testing.assert_allclose(getattr(alone, name)[0], getattr(together, name)[k], rtol=1e-12, atol=1e-15)
    reversed_order = octant_optima(c[::-1], PLANE)
    np.testing.assert_allclose(reversed_order.sin2_theta23[::-1], together.sin2_theta23, rtol=1e-12)


def test_no_functions_give_no_optima() -> None:
    found = octant_optima(np.empty((0, PLANE.n_sin2, PLANE.n_dm31)), PLANE)
    assert found.sin2_theta23.shape == found.loglike.shape == found.on_edge.shape == (0, 2)
    assert found.best.dm31_ev2.shape == (0,)


def test_the_higher_of_two_nearly_equal_peaks_in_one_octant(rng: np.random.Generator) -> None:
    """Just below maximal mixing: the foot of one octant's maximum and the other's own differ by less than the scan's error."""
    plane, model = Plane.over(RANGE), event_model(6200, np.random.default_rng(7))
    table = log_table(model, plane)
    weights = multiplicities(6200, 150, rng).astype(float)
    c = plane.coefficients(weights @ (table - table.mean(axis=0)).T)
    found = octant_optima(c, plane)
    sin2, dm31 = np.linspace(*plane.range.sin2_theta23, 601), np.linspace(*plane.range.dm31_ev2, 301)
    heights = plane.on_grid(c, sin2, dm31)
    on_lattice = np.stack([heights[:, :301].max(axis=(1, 2)), heights[:, 300:].max(axis=(1, 2))], axis=1)
    assert np.all(found.loglike > on_lattice - 1e-9)

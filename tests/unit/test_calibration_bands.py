"""Pointwise and simultaneous bands: exact probability, content by simulation, power."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from nuinfer.calibration.bands import inside_probability, pointwise_band, simultaneous_band
from nuinfer.calibration.coverage import coverage_curve
from nuinfer.errors import InputError

POINTS = np.linspace(0.01, 0.99, 99)


def slow_inside_probability(n, points, lower, upper):
    """Sum the multinomial law over every possible table of counts."""
    cells = np.diff(points, prepend=0.0, append=1.0)
    total = 0.0
    for counts in product(range(n + 1), repeat=len(cells)):
        below = np.cumsum(counts)[:-1]
        if sum(counts) == n and np.all((below >= lower) & (below <= upper)):
            total += stats.multinomial.pmf(counts, n, cells)
    return total


def uniform_curves(n, n_curves, rng):
    """ECDFs of ``n`` uniform values at POINTS, drawn through the counts between neighbouring points."""
    cells = np.diff(POINTS, prepend=0.0, append=1.0)
    return np.cumsum(rng.multinomial(n, cells, size=n_curves), axis=1)[:, :-1].T / n


def test_inside_probability_matches_enumeration():
    points = np.array([0.2, 0.5, 0.9])
    for lower, upper in (([0, 2, 4], [3, 4, 6]), ([0, 0, 0], [6, 6, 6]), ([1, 1, 5], [2, 4, 6])):
        args = (6, points, np.array(lower), np.array(upper))
        assert inside_probability(*args) == pytest.approx(slow_inside_probability(*args), abs=1e-12)


@pytest.mark.parametrize("n", [30, 1000, 5000])
def test_simultaneous_band_holds_95_percent_of_uniform_samples(n):
    band = simultaneous_band(n, POINTS)
    n_curves = 8000
    share = np.mean(band.contains(uniform_curves(n, n_curves, np.random.default_rng(6))))
    exact = inside_probability(n, POINTS, np.rint(n * band.lower), np.rint(n * band.upper))
    assert 0.95 <= exact < 0.955
    assert abs(share - exact) < 4 * np.sqrt(0.05 * 0.95 / n_curves)


def test_pointwise_band_holds_at_each_point_but_not_at_all_of_them():
    n, rng = 1000, np.random.default_rng(7)
    band, curves = pointwise_band(n, POINTS), uniform_curves(1000, 4000, rng)
    each = np.mean((curves >= band.lower[:, None]) & (curves <= band.upper[:, None]), axis=1)
    assert np.all(each > 0.93)
    assert np.mean(band.contains(curves)) < 0.7  # negative control: read as simultaneous it fails far too often


def test_slightly_non_uniform_values_leave_the_band():
    n, rng = 5000, np.random.default_rng(8)
    band = simultaneous_band(n, POINTS)
    caught = [
        [not band.contains(coverage_curve(values, POINTS)) for values in draws]
        for draws in (rng.random((50, n)), rng.random((50, n)) ** 1.12, rng.beta(0.9, 0.9, size=(50, n)))
    ]
    uniform, shifted, cupped = np.mean(caught, axis=1)
    assert uniform < 0.2 and shifted > 0.9 and cupped > 0.9


def test_bands_nest_and_close_at_the_ends():
    points = np.linspace(0, 1, 101)
    wide, narrow = simultaneous_band(500, points), pointwise_band(500, points)
    assert np.all(wide.lower <= narrow.lower) and np.all(wide.upper >= narrow.upper)
    assert wide.lower[0] == wide.upper[0] == 0.0 and wide.lower[-1] == wide.upper[-1] == 1.0
    one = np.array([0.4])
    assert simultaneous_band(500, one).tail == pytest.approx(pointwise_band(500, one).tail, rel=0.3)


def test_bad_input_is_named():
    for points in (np.array([0.5, 0.5]), np.array([0.5, 1.2]), np.array([])):
        with pytest.raises(InputError, match="ascends strictly"):
            simultaneous_band(10, points)
    with pytest.raises(InputError, match="between 0 and 1"):
        simultaneous_band(10, POINTS, 95)
    with pytest.raises(InputError, match="at least one"):
        pointwise_band(0, POINTS)

"""Throws: uniform, disjoint between splits, and the same whatever the chunking."""

import numpy as np
import pytest
from scipy import stats

from nuinfer.errors import InputError
from nuinfer.tuning.throws import DESIGNS, assert_distinct, throw_unit_cube


@pytest.mark.parametrize("design", DESIGNS)
def test_uniform_in_every_direction(design):
    u = throw_unit_cube(design, 3000, 4, 1, "train")
    assert u.shape == (3000, 4) and u.min() >= 0 and u.max() <= 1
    assert min(stats.kstest(u[:, j], "uniform").pvalue for j in range(4)) > 1e-3


def test_a_power_of_the_throws_is_not_uniform():
    """Negative control of the test above."""
    u = throw_unit_cube("random", 3000, 4, 1, "train") ** 1.2
    assert min(stats.kstest(u[:, j], "uniform").pvalue for j in range(4)) < 1e-3


def test_low_discrepancy_designs_fill_the_cube_more_evenly():
    bins = np.linspace(0, 1, 65)
    spread = {d: np.histogram(throw_unit_cube(d, 4096, 2, 5, "x")[:, 0], bins)[0].std() for d in DESIGNS}
    assert spread["sobol"] < 0.2 * spread["random"] and spread["latin_hypercube"] < 0.2 * spread["random"]


@pytest.mark.parametrize("design", DESIGNS)
def test_splits_are_disjoint_and_seeded(design):
    parts = [throw_unit_cube(design, 2000, 4, 7, "throws", "cc0pi", split) for split in ("train", "validation", "test")]
    assert_distinct(np.concatenate(parts))
    assert np.array_equal(parts[0], throw_unit_cube(design, 2000, 4, 7, "throws", "cc0pi", "train"))
    assert not np.isin(parts[0][:, 0], parts[2][:, 0]).any()


def test_a_repeated_throw_is_caught():
    u = throw_unit_cube("sobol", 100, 4, 7, "train")
    with pytest.raises(InputError, match="1 of 101 throws occur twice"):
        assert_distinct(np.concatenate([u, u[40:41]]))


def test_unknown_design_and_no_throws():
    with pytest.raises(InputError, match=r"unknown throw design 'grid'.*sobol"):
        throw_unit_cube("grid", 10, 4, 1)
    with pytest.raises(InputError, match="positive"):
        throw_unit_cube("sobol", 0, 4, 1)

"""Streams of draws: shared where studies are to be compared on the same data, apart everywhere else."""

from itertools import pairwise

import numpy as np
from toy_world import shapes

from nuinfer.closure.draws import flux_amplitudes, learner_seed, near_data_stream

SHAPES = shapes(np.linspace(0.5, 5.0, 10), 0.1)


def near_numbers(*key) -> tuple[float, ...]:
    return tuple(near_data_stream(*key).random(4))


def test_the_same_draw_again_is_the_same():
    assert near_numbers(1, "dune", 30_000_000, 3) == near_numbers(1, "dune", 30_000_000, 3)
    one, again = (flux_amplitudes(SHAPES, 1, "dune", 3) for _ in range(2))
    assert one.shape == (2,) and np.array_equal(one, again)


def test_near_data_belong_to_experiment_number_of_events_and_draw():
    """No study is named: those of as many events have the same data."""
    keys = [(1, "dune", 30, 0), (2, "dune", 30, 0), (1, "t2k", 30, 0), (1, "dune", 3, 0), (1, "dune", 30, 1)]
    assert len({near_numbers(*key) for key in keys}) == len(keys)


def test_fluxes_belong_to_experiment_and_draw():
    keys = [(1, "dune", 0), (2, "dune", 0), (1, "t2k", 0), (1, "dune", 1)]
    assert len({tuple(flux_amplitudes(SHAPES, *key)) for key in keys}) == len(keys)
    many = np.stack([flux_amplitudes(SHAPES, 1, "dune", draw) for draw in range(2000)])
    np.testing.assert_allclose(many.mean(axis=0), 0.0, atol=4 / np.sqrt(2000))
    np.testing.assert_allclose(np.cov(many.T), np.eye(2), atol=0.15)


def test_flux_and_near_data_of_a_draw_do_not_go_together():
    flux = np.array([flux_amplitudes(SHAPES, 1, "dune", draw)[0] for draw in range(1000)])
    near = np.array([near_data_stream(1, "dune", 30, draw).standard_normal() for draw in range(1000)])
    assert abs(np.corrcoef(flux, near)[0, 1]) < 4 / np.sqrt(1000)


def test_own_seeds_differ_and_common_ones_do_not():
    own = {learner_seed(1, study, draw, True) for study in ("seeds", "combined") for draw in range(5)}
    common = {learner_seed(1, study, draw, False) for study in ("flux", "near") for draw in range(5)}
    assert len(own) == 10 and len(common) == 1 and not own & common
    assert learner_seed(1, "seeds", 2, True) == learner_seed(1, "seeds", 2, True)
    assert all(0 <= seed < 2**63 for seed in own | common)
    assert learner_seed(2, "flux", 0, False) not in common
    assert all(a != b for a, b in pairwise(sorted(own)))

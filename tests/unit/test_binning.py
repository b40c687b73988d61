import numpy as np
import pytest
from toy import BINS_PER_SLICE, toy_binning

from nuinfer.errors import InputError
from nuinfer.physics.binning import Binning

EDGES = {
    "cos_lo": [0.0, 0.0, 0.5],
    "cos_hi": [0.5, 0.5, 1.0],
    "p_lo_gev": [0.0, 0.4, 0.0],
    "p_hi_gev": [0.4, 1.0, 2.0],
}


def changed(**entries: tuple[int, float]) -> dict[str, list[float]]:
    edges = {k: list(v) for k, v in EDGES.items()}
    for name, (i, value) in entries.items():
        edges[name][i] = value
    return edges


def test_slices_and_areas() -> None:
    binning = Binning(**EDGES)
    assert [(c, i.tolist()) for c, i in binning.slices()] == [((0.0, 0.5), [0, 1]), ((0.5, 1.0), [2])]
    assert np.allclose(binning.area_gev, [0.2, 0.3, 1.0])
    assert binning.slice_index.tolist() == [0, 0, 1]
    assert [len(i) for _, i in toy_binning().slices()] == list(BINS_PER_SLICE)


def test_selection_and_last_bins() -> None:
    binning = Binning(**EDGES)
    assert binning.select(np.array([True, False, True])) == binning.select(np.array([0, 2]))
    assert binning.without_last_momentum_bins() == binning.select(np.array([0]))
    assert binning != binning.select(np.array([0, 1]))


def test_arrays_round_trip() -> None:
    binning = Binning(**EDGES)
    assert Binning.from_arrays(binning.to_arrays()) == binning
    with pytest.raises(InputError, match="lacks the array 'p_hi_gev'"):
        Binning.from_arrays({k: v for k, v in EDGES.items() if k != "p_hi_gev"})


def test_find_puts_events_where_a_loop_does() -> None:
    binning, rng = toy_binning(), np.random.default_rng(1)
    cos, p = rng.uniform(-1, 1, 300), rng.uniform(0, 2.5, 300)
    slow = [
        next((i for i, (a, b, lo, hi) in enumerate(binning.edges()) if a <= c < b and lo <= q < hi), -1)
        for c, q in zip(cos, p, strict=True)
    ]
    assert binning.find(cos, p).tolist() == slow


def test_edges_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="read-only"):
        Binning(**EDGES).cos_lo[0] = 0.3


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        (changed(p_hi_gev=(0, -0.1)), "bin 0 is inverted, p_lo"),
        (changed(cos_hi=(2, 0.5)), "bin 2 is inverted, cos_lo"),
        (changed(cos_hi=(2, 1.5)), "bin 2: cos"),
        (changed(p_lo_gev=(0, -1.0)), "negative"),
        (changed(p_lo_gev=(1, 0.3)), "bins 0 and 1 overlap"),
        (changed(p_hi_gev=(1, np.nan)), "bin 1 has an edge that is not a number"),
        ({**EDGES, "cos_lo": [0.0]}, "equally long"),
    ],
)
def test_bad_edges_are_named(edges: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Binning(**edges)

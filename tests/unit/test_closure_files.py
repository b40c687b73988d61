"""Files of the closure test: what is read is what was written, and anything else is refused by name."""

import h5py
import numpy as np
import pytest

from nuinfer.closure.learned import Learned
from nuinfer.closure.mesh import Mesh
from nuinfer.closure.near_data import NearData
from nuinfer.closure.observables import LeptonGrid
from nuinfer.closure.operator import ForwardOperator, build_operator
from nuinfer.closure.truth import Truth
from nuinfer.errors import InputError
from nuinfer.io.closure import read_learned, read_near, read_truth, write_learned, write_near, write_truth
from nuinfer.io.operators import grid_of, read_mesh, read_operator, write_operator

MASS = 0.93
GRID = LeptonGrid(3, 4, 2.0)
KNOTS = np.array([0.4, 1.0, 2.0])
RECORD = {"settings": "{}", "seed": 3}


@pytest.fixture(scope="module")
def operator() -> ForwardOperator:
    mesh = Mesh(np.geomspace(1e-2, 1.0, 5), np.geomspace(1e-2, 4.0, 6))
    return build_operator(GRID, mesh, KNOTS, MASS, antineutrino=True)


def truth() -> Truth:
    rng = np.random.default_rng(1)
    return Truth(GRID, KNOTS, rng.random(3), rng.random((3, 12)), rng.random((3, 30)), MASS, True)


def test_operator(tmp_path, operator):
    path = tmp_path / "operator.h5"
    write_operator(path, operator, RECORD)
    found = read_operator(path)
    assert found.grid == GRID and found.mass_gev == MASS and found.antineutrino is True
    for name in ("knots_gev", "indptr", "indices", "start", "place", "value"):
        assert np.array_equal(getattr(found, name), getattr(operator, name))
        assert getattr(found, name).dtype == getattr(operator, name).dtype
    flux = np.array([1.0, 2.0, 0.5])
    assert np.array_equal(found.matrix(flux).toarray(), operator.matrix(flux).toarray())
    for mesh in (found.mesh, read_mesh(path)):
        assert np.array_equal(mesh.x, operator.mesh.x) and np.array_equal(mesh.q2_gev2, operator.mesh.q2_gev2)
    with h5py.File(path) as file:
        assert file["knots_gev"].attrs["unit"] == "GeV" and file["mesh/q2_gev2"].attrs["unit"] == "GeV^2"
        assert file.attrs["seed"] == 3 and grid_of(file.attrs) == GRID


def test_truth(tmp_path):
    path, known = tmp_path / "truth.h5", truth()
    write_truth(path, known, RECORD)
    found = read_truth(path)
    assert found.grid == GRID and found.mass_gev == MASS and found.antineutrino is True
    for name in ("knots_gev", "near_flux", "counts_by_knot", "w"):
        assert np.array_equal(getattr(found, name), getattr(known, name))
    with h5py.File(path) as file:
        assert file["near_flux"].attrs["unit"] == "1/GeV"


@pytest.mark.parametrize("n_events", [None, 1e6])
@pytest.mark.parametrize("smearing", [None, np.eye(3)])
def test_near_data(tmp_path, n_events, smearing):
    share = np.linspace(0.0, 1.0, 12)
    write_near(tmp_path / "near.h5", NearData(share, n_events), KNOTS, smearing, RECORD)
    data, flux, matrix = read_near(tmp_path / "near.h5")
    assert np.array_equal(data.share, share) and data.n_events == n_events
    assert np.array_equal(flux, KNOTS)
    assert matrix is None if smearing is None else np.array_equal(matrix, smearing)


LEARNED = {
    "network": Learned(
        w=np.ones((2, 3, 4)),
        curves={"step": np.arange(3), "train_loss": np.zeros((2, 3))},
        facts={"best_step": [1, 2], "starts": [1, 2], "rate": 0.5},
        tensors={"layer0.weight": np.zeros((2, 2, 3), np.float32)},
    ),
    "posterior": Learned(w=np.ones((1, 3, 4)), factor=np.ones((5, 3, 4), np.float32), facts={"hyperparameters": {"a": 1.0}}),
    "counts": Learned(counts=np.ones((3, 12)), facts={}),
}


@pytest.mark.parametrize("name", LEARNED)
def test_learned(tmp_path, name):
    known = LEARNED[name]
    write_learned(tmp_path / "learned.h5", known, {**RECORD, "learner_settings": {"members": 2}})
    found, facts = read_learned(tmp_path / "learned.h5")
    for part in ("w", "factor", "counts"):
        expected = getattr(known, part)
        assert getattr(found, part) is None if expected is None else np.array_equal(getattr(found, part), expected)
    for part in ("curves", "tensors"):
        assert getattr(found, part).keys() == getattr(known, part).keys()
        assert all(np.array_equal(v, getattr(known, part)[k]) for k, v in getattr(found, part).items())
    assert found.facts == known.facts
    assert facts["learner_settings"] == {"members": 2} and facts["seed"] == 3


READERS = {
    "forward operator": read_operator,
    "closure truth": read_truth,
    "near-detector data": read_near,
    "learned cross section": read_learned,
}


def write(path, kind: str, operator: ForwardOperator) -> None:
    match kind:
        case "forward operator":
            write_operator(path, operator, RECORD)
        case "closure truth":
            write_truth(path, truth(), RECORD)
        case "near-detector data":
            write_near(path, NearData(np.ones(12), None), KNOTS, None, RECORD)
        case "learned cross section":
            write_learned(path, LEARNED["network"], RECORD)


@pytest.mark.parametrize("kind", READERS)
def test_files_of_another_kind_are_refused(tmp_path, operator, kind):
    path = tmp_path / "x.h5"
    write(path, kind, operator)
    READERS[kind](path)
    for other, read in READERS.items():
        if other != kind:
            with pytest.raises(InputError, match=rf"x\.h5: holds '{kind}' in layout 1, wanted '{other}'"):
                read(path)


@pytest.mark.parametrize("kind", READERS)
def test_files_cut_short_or_absent_are_named(tmp_path, operator, kind):
    path = tmp_path / "x.h5"
    with pytest.raises(InputError, match=r"x\.h5: no such file; run the step that makes it"):
        READERS[kind](path)
    write(path, kind, operator)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(InputError, match=r"x\.h5: not a whole HDF5 file"):
        READERS[kind](path)


@pytest.mark.parametrize("earlier", [None, b"an earlier result"])
def test_a_failed_write_leaves_what_was_there(tmp_path, earlier):
    path = tmp_path / "learned.h5"
    if earlier:
        path.write_bytes(earlier)
    with pytest.raises(TypeError):
        write_learned(path, LEARNED["counts"], {"broken": object()})
    assert path.read_bytes() == earlier if earlier else list(tmp_path.iterdir()) == []
    assert [p.name for p in tmp_path.iterdir()] == (["learned.h5"] if earlier else [])


def test_same_content_same_bytes(tmp_path):
    for name in ("a.h5", "b.h5"):
        write_truth(tmp_path / name, truth(), RECORD)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()

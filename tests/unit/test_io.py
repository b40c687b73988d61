"""Files are whole or absent, and what is read is what was written."""

import h5py
import numpy as np
import pytest

from nuinfer.errors import InputError
from nuinfer.io.hdf5 import read_hdf5, replacing, write_hdf5
from nuinfer.io.jsonfile import read_json, write_json
from nuinfer.io.likelihoods import read_likelihood, write_likelihood
from nuinfer.io.provenance import provenance
from nuinfer.io.simulations import Simulations, read_simulations, write_simulations
from nuinfer.physics.binning import Binning
from nuinfer.tuning.likelihood import DiagonalLikelihood, FullLikelihood, NormShapeLikelihood, PoissonLikelihood
from nuinfer.tuning.priors import prior_box

BOX = {"ma_ccqe_gev": {"prior": "uniform", "low": 0.9, "high": 1.4}, "norm_ccmec": {"prior": "uniform", "low": 1, "high": 3}}


def test_round_trip_with_units_and_attributes(tmp_path, rng):
    path = tmp_path / "deep" / "x.h5"
    arrays = {"a": rng.normal(size=(3, 2)), "group/b": np.arange(4), "names": np.array(["α", "b"])}
    write_hdf5(path, "thing", arrays, {"n": 3, "list": [1, {"k": None}], "text": "t"}, {"a": "GeV"})
    found, attributes = read_hdf5(path, "thing")
    assert all(np.array_equal(found[k], arrays[k]) for k in arrays)
    assert attributes["list"] == [1, {"k": None}] and attributes["n"] == 3
    with h5py.File(path) as file:
        assert file["a"].attrs["unit"] == "GeV"


def test_same_content_same_bytes(tmp_path):
    for name in ("a.h5", "b.h5"):
        write_hdf5(tmp_path / name, "thing", {"a": np.arange(3.0)}, {"seed": 1})
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_truncated_file_is_named(tmp_path):
    path = tmp_path / "x.h5"
    write_hdf5(path, "thing", {"a": np.zeros(10000)}, {})
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"x\.h5.*whole HDF5"):
        read_hdf5(path, "thing")


@pytest.mark.parametrize(("kind", "only", "message"), [("other", None, "wanted 'other'"), ("thing", ("b",), "lacks b")])
def test_wrong_kind_or_missing_array(tmp_path, kind, only, message):
    write_hdf5(tmp_path / "x.h5", "thing", {"a": np.zeros(1)}, {})
    with pytest.raises(InputError, match=message):
        read_hdf5(tmp_path / "x.h5", kind, only)


def test_json_round_trip_and_half_a_file(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": np.array([1.0, np.nan]), "b": np.float64(2.5), "c": {"d": float("inf")}})
    assert read_json(path) == {"a": [1.0, None], "b": 2.5, "c": {"d": None}}
    path.write_text(path.read_text()[:10])
    with pytest.raises(InputError, match="not a whole JSON"):
        read_json(path)
    with pytest.raises(InputError, match="no such file"):
        read_json(tmp_path / "absent.json")


@pytest.mark.parametrize(
    "likelihood",
    [
        PoissonLikelihood(np.array([0.1, 0.2])),
        DiagonalLikelihood(np.array([0.1, 0.2])),
        FullLikelihood(np.array([[1.0, 0.0], [0.5, 2.0]])),
        NormShapeLikelihood(np.array([[1.0, 0.0], [0.5, 2.0]]), 0.0856),
    ],
    ids=lambda x: x.kind,
)
def test_likelihood_round_trip(tmp_path, likelihood):
    write_likelihood(tmp_path / "l.h5", likelihood, np.arange(3), {})
    back, bins = read_likelihood(tmp_path / "l.h5")
    assert bins.tolist() == [0, 1, 2]
    x, mu = np.array([0.4, 0.6]), np.array([0.5, 0.5])
    assert type(back) is type(likelihood) and back.log_prob(x, mu) == likelihood.log_prob(x, mu)


def simulations(rng, prediction=None):
    box = prior_box(BOX)
    u = rng.random((6, 2))
    binning = Binning(np.array([0.0, 0.0]), np.array([1.0, 1.0]), np.array([0.0, 0.5]), np.array([0.5, 1.0]))
    prediction = rng.random((6, 2)) if prediction is None else prediction
    return Simulations(box, binning, u, box.from_unit(u), prediction, np.array([0, 0, 0, 1, 2, 2], np.int8))


def test_simulations_round_trip(tmp_path, rng):
    written = simulations(rng)
    write_simulations(tmp_path / "s.h5", written, {})
    back = read_simulations(tmp_path / "s.h5")
    assert back.box == written.box and back.binning == written.binning
    assert np.array_equal(back.part("test").prediction, written.prediction[4:])


def test_a_negative_bin_is_refused(rng):
    prediction = np.ones((6, 2))
    prediction[3, 1] = -1e-9
    with pytest.raises(InputError, match="throw 3"):
        simulations(rng, prediction)


def test_provenance_names_settings_and_code():
    record = provenance("nuinfer.steps.gather", {"b": 1, "a": 2}, seed=3)
    assert record["settings"] == '{"a":2,"b":1}' and record["seed"] == 3
    assert record == provenance("nuinfer.steps.gather", {"a": 2, "b": 1}, seed=3)
    assert record["settings_hash"] != provenance("nuinfer.steps.gather", {"a": 3, "b": 1}, seed=3)["settings_hash"]

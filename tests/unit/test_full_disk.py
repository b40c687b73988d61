"""A file that cannot be written in full is not there; the one before it still is, and the message says what to do."""

import errno
import os

import h5py
import numpy as np
import pytest
import torch

from nuinfer.errors import InputError
from nuinfer.io.hdf5 import read_hdf5, write_hdf5
from nuinfer.io.jsonfile import read_json, write_json
from nuinfer.tuning.estimator.tensors import read_tensors, write_tensors

WRITERS = {
    "h5": (lambda path, x: write_hdf5(path, "kind", {"x": x}, {}), lambda path: read_hdf5(path, "kind")[0]["x"]),
    "safetensors": (
        lambda path, x: write_tensors(path, {"x": torch.from_numpy(x)}, {}),
        lambda path: read_tensors(path)[0]["x"].numpy(),
    ),
    "json": (lambda path, x: write_json(path, {"x": x}), lambda path: read_json(path)["x"]),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_file_is_whole_or_the_one_before_it(tmp_path, monkeypatch, name, code):
    write, read = WRITERS[name]
    path = tmp_path / f"result.{name}"
    write(path, np.arange(3.0))

    def full(descriptor):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(OSError if code == errno.EIO else InputError) as raised:
            write(path, np.arange(4.0))
    assert os.strerror(code) in str(raised.value)
    assert code == errno.EIO or (str(path) in str(raised.value) and "make room" in str(raised.value))
    assert np.array_equal(read(path), np.arange(3.0)) and list(tmp_path.iterdir()) == [path]
    write(path, np.arange(4.0))
    assert np.array_equal(read(path), np.arange(4.0))


def test_a_file_made_in_memory_is_the_same_as_one_made_on_disk(tmp_path):
    arrays = {"x": np.random.default_rng(1).random((40, 30)), "g/words": np.array(["a", "bc"])}
    write_hdf5(tmp_path / "memory.h5", "kind", arrays, {"n": 3})
    with h5py.File(tmp_path / "disk.h5", "w") as file:
        file.attrs.update(kind="kind", layout=1, n=3)
        for name, array in arrays.items():
            file.create_dataset(name, data=array.astype(h5py.string_dtype()) if array.dtype.kind == "U" else array)
    first, second = (read_hdf5(tmp_path / f"{where}.h5", "kind") for where in ("memory", "disk"))
    assert first[1] == second[1] and first[0].keys() == second[0].keys() == arrays.keys()
    assert all(np.array_equal(first[0][k], second[0][k]) and np.array_equal(first[0][k], arrays[k]) for k in arrays)

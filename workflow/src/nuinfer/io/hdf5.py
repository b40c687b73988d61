"""HDF5 files of named arrays with units, written whole or not at all."""

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nuinfer.errors import InputError

LAYOUT = 1
"""Version of the layout of every file; a file of another version is refused."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name in the folder of ``path``; rename it to ``path`` when the block ends without an error.

    The content is on the disk before it has the name, so that a machine that stops leaves all of it or nothing.
    Raises InputError where the disk or the quota is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InputError(f"{path}: {error.strerror}; make room on the disk and run the same command again") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_hdf5(
    path: Path,
    kind: str,
    arrays: Mapping[str, np.ndarray],
    attributes: Mapping[str, Any],
    units: Mapping[str, str] | None = None,
) -> None:
    """Write ``arrays`` (names may hold ``/`` for groups) and ``attributes`` (numbers, strings; the rest as JSON).

    ``units`` gives the unit of an array by its name; it ends as the attribute ``unit`` of the data set.
    Raises InputError where the disk is full.
    """
    # Made in memory: HDF5 that cannot write to its file ends the interpreter with a segmentation fault.
    with h5py.File(Path(path).name, "w", driver="core", backing_store=False) as file:
        file.attrs["kind"] = kind
        file.attrs["layout"] = LAYOUT
        for name, value in attributes.items():
            plain = isinstance(value, (str, int, float, bool, np.integer, np.floating))
            file.attrs[name] = value if plain else "json:" + json.dumps(value)
        for name, array in arrays.items():
            array = np.asarray(array)
            if array.dtype.kind == "U":
                array = array.astype(h5py.string_dtype())
            data = file.create_dataset(name, data=array)
            if units and name in units:
                data.attrs["unit"] = units[name]
        file.flush()
        image = file.id.get_file_image()
    with replacing(path) as temporary:
        temporary.write_bytes(image)


def read_hdf5(path: Path, kind: str, only: tuple[str, ...] | None = None) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays (all, or those in ``only``) and attributes of a file of ``kind``.

    Raises InputError for a file that is missing, cut short, not HDF5, of another kind or layout, or lacks an array.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; run the step that makes it (snakemake {path})")
    try:
        with h5py.File(path, "r") as file:
            found = file.attrs.get("kind")
            if found != kind or file.attrs.get("layout") != LAYOUT:
                raise InputError(
                    f"{path}: holds '{found}' in layout {file.attrs.get('layout')}, "
                    f"wanted '{kind}' in layout {LAYOUT}; remove it and make it again"
                )
            names: list[str] = []
            file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
            missing = [n for n in only or () if n not in names]
            if missing:
                raise InputError(f"{path}: lacks {', '.join(missing)}; holds {', '.join(names)}")
            arrays = {n: _read(file[n]) for n in (only or names)}
            return arrays, {k: _attribute(v) for k, v in file.attrs.items()}
    except OSError as error:
        raise InputError(f"{path}: not a whole HDF5 file ({error}); remove it and make it again") from error


def _read(data: h5py.Dataset) -> np.ndarray:
    return data.asstr()[...] if h5py.check_string_dtype(data.dtype) else data[...]


def _attribute(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("json:"):
        return json.loads(value[5:])
    return value.item() if isinstance(value, np.generic) else value

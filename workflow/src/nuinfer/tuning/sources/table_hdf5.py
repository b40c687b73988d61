"""Throws in HDF5 files: one table, dials and predictions apart, or one data set per dial."""

from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np

from nuinfer.errors import InputError
from nuinfer.tuning.sources.raw import RawThrows
from nuinfer.tuning.sources.tables import (
    BEING_WRITTEN,
    TableLayout,
    place_by_name,
    place_by_position,
    read_each,
    wrong_bins,
    wrong_width,
)

ROWS = 1 << 14
"""Rows of a table that are read at once: a few MiB."""


def read_hdf5_table(
    paths: Sequence[str | Path],
    layout: TableLayout,
    on_bad: str = "error",
    progress: Callable[[int, int, str], None] | None = None,
    *,
    dials: str | None = "dials",
    prediction: str = "prediction",
    table: str | None = None,
) -> RawThrows:
    """Return the throws of HDF5 files; ``line`` counts a file's rows from 1.

    =====================  =============================================================================================
    given                  what is read
    =====================  =============================================================================================
    ``table``              one data set ``(n, width)`` laid out as in a text table; ``dials``, ``prediction`` are not read
    ``dials``              data sets ``dials`` ``(n, d)`` and ``prediction`` ``(n, n_bin)``
    ``dials=None``         a data set ``(n,)`` for each of ``layout.columns``, and ``prediction`` ``(n, n_bin)``
    =====================  =============================================================================================

    An attribute ``columns`` (names) of the data set of dials, or of the table, is its header: the dials are found by name.
    Raises InputError, naming the file and the mend, for a file that is not whole or is being written, a missing data set,
    one of another shape or not of real numbers, and wrong numbers of dials, bins or rows.  With ``on_bad="drop"`` such a file
    is left out and listed in ``bad``.
    """

    def read(file: Path) -> RawThrows:
        with _opened(file) as data:
            if table is not None:
                return _throws(file, layout, *_from_table(file, data, layout, table))
            return _throws(file, layout, _dials(file, data, layout, dials), _numbers(file, data, prediction, 2))

    return read_each(paths, read, on_bad, progress)


def _opened(file: Path) -> h5py.File:
    try:
        return h5py.File(file, "r")
    except OSError as error:
        if "unable to lock" in str(error):
            raise InputError(f"{file}: {BEING_WRITTEN}") from error
        raise InputError(f"{file}: not a whole HDF5 file: it is truncated or still being written ({error})") from error


def _throws(file: Path, layout: TableLayout, dials: np.ndarray, prediction: np.ndarray) -> RawThrows:
    if prediction.shape[1] != layout.n_bin:
        raise InputError(f"{file}: {wrong_bins(prediction.shape[1], layout.n_bin)}")
    if len(dials) != len(prediction):
        raise InputError(f"{file}: {len(dials)} rows of dials, {len(prediction)} of predictions; give one of each a throw")
    if not len(dials):
        raise InputError(f"{file}: no rows; give a table with at least one throw")
    lines = np.arange(1, len(dials) + 1)
    return RawThrows(layout.columns, dials, prediction, (str(file),), np.zeros(len(dials), int), lines)


def _data_set(file: Path, data: h5py.File, name: str, ndim: int) -> h5py.Dataset:
    if not isinstance(data.get(name), h5py.Dataset):
        there: list[str] = []
        data.visititems(lambda key, item: there.append(key) if isinstance(item, h5py.Dataset) else None)
        raise InputError(f"{file}: no data set '{name}'; there are {', '.join(there[:8]) or 'none'}: name yours")
    found = data[name]
    if found.ndim != ndim or found.dtype.kind not in "iuf":
        shape = "x".join(map(str, found.shape)) or "()"
        raise InputError(f"{file}: data set '{name}' is {found.dtype} of shape {shape}; give real numbers, {ndim}-D")
    return found


def _slab(file: Path, found: h5py.Dataset, start: int = 0, stop: int | None = None) -> np.ndarray:
    """Return rows of a data set as float64; a block of it that cannot be read is the file's fault."""
    try:
        return np.asarray(found[start : len(found) if stop is None else stop], float)
    except OSError as error:
        raise InputError(f"{file}: data set '{found.name}' cannot be read ({error}); write or copy the file again") from error


def _numbers(file: Path, data: h5py.File, name: str, ndim: int) -> np.ndarray:
    return _slab(file, _data_set(file, data, name, ndim))


def _header(found: h5py.Dataset) -> list[str] | None:
    names = found.attrs.get("columns")
    if names is None:
        return None
    return [name.decode() if isinstance(name, bytes) else str(name) for name in np.atleast_1d(names)]


def _checked_header(file: Path, found: h5py.Dataset, layout: TableLayout) -> list[str] | None:
    names = _header(found)
    if names is None and layout.header:
        raise InputError(f"{file}: data set '{found.name}' has no attribute columns; add it, or leave header out")
    if names is not None and len(names) != found.shape[1]:
        raise InputError(f"{file}: {len(names)} names for {found.shape[1]} columns of '{found.name}'; mend its columns")
    return None if layout.header is False else names


def _dials(file: Path, data: h5py.File, layout: TableLayout, name: str | None) -> np.ndarray:
    if name is None:
        columns = [_numbers(file, data, column, 1) for column in layout.columns]
        if len({len(values) for values in columns}) > 1:
            sizes = ", ".join(f"{len(v)} of {c}" for c, v in zip(layout.columns, columns, strict=True))
            raise InputError(f"{file}: rows: {sizes}; give dials of one length")
        return np.stack(columns, axis=1)
    found = _data_set(file, data, name, 2)
    names = _checked_header(file, found, layout)
    if names is None and found.shape[1] != len(layout.columns):
        expected = f"{len(layout.columns)} ({', '.join(layout.columns)})"
        raise InputError(f"{file}: {found.shape[1]} dials in '{name}', expected {expected}; name them all in columns")
    if names is None:
        return _slab(file, found)
    if missing := [column for column in layout.columns if names.count(column) != 1]:
        raise InputError(f"{file}: not one column {', '.join(missing)} in '{name}'; there are {', '.join(names)}: mend columns")
    if strange := [column for column in names if column not in layout.columns]:
        raise InputError(f"{file}: dials {', '.join(strange)} in '{name}' are not in columns; name all dials of the table")
    return _slab(file, found)[:, [names.index(column) for column in layout.columns]]


def _from_table(file: Path, data: h5py.File, layout: TableLayout, name: str) -> tuple[np.ndarray, np.ndarray]:
    found = _data_set(file, data, name, 2)
    names = _checked_header(file, found, layout)
    place = place_by_position(layout, file) if names is None else place_by_name(layout, names, file)
    if found.shape[1] != place.width:
        raise InputError(f"{file}: {wrong_width(found.shape[1], place)}")
    dials, bins = np.empty((len(found), len(place.dials))), np.empty((len(found), layout.n_bin))
    for start in range(0, len(found), ROWS):
        rows = _slab(file, found, start, start + ROWS)
        dials[start : start + ROWS], bins[start : start + ROWS] = rows[:, place.dials], rows[:, place.bins]
    return dials, bins

"""A user's table of far-detector events: CSV, HDF5 or ROOT, with columns of any name."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np

from nuinfer.errors import InputError

COLUMNS = ("el_gev", "cos_theta")
"""Lepton energy in GeV, its mass included, and cosine of the angle to the neutrino."""


def read_event_table(path: str | Path, columns: Mapping[str, str] | None = None) -> dict[str, np.ndarray]:
    """Return ``el_gev`` and ``cos_theta``, each ``(n,)`` as they stand in the file, in GeV and 1.

    ``columns`` gives the file's name for ours, e.g. ``{"el_gev": "Elep"}``; a name left out is our own.  By its suffix a file
    is a CSV (a header line, commas, lines that start with ``#`` skipped), HDF5 (one-dimensional data sets) or ROOT (branches
    of the first TTree, or of that named in ``file.root:tree``).

    Raises InputError, naming the file and the mend, for a suffix that is none of these, a missing or unreadable file, a
    missing column, entries that are not numbers, columns of different length, and an empty table.  NaN and numbers outside
    the phase space pass: :func:`nuinfer.closure.far_events.check_events` refuses them.
    """
    wanted = {name: name for name in COLUMNS} | dict(columns or {})
    if strange := set(wanted) - set(COLUMNS):
        raise InputError(f"columns: unknown {', '.join(sorted(strange))}; name {' and '.join(COLUMNS)}")
    file, tree = _file_and_tree(str(path))
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise InputError(f"{file}: events are read from {', '.join(READERS)}; give a file of one of these suffixes")
    if not file.is_file():
        raise InputError(f"{file}: no such file; give the path of a table of events")
    found = reader(file, tree, list(wanted.values()))
    table = {name: found[column] for name, column in wanted.items()}
    sizes = {wanted[name]: values.size for name, values in table.items()}
    if len(set(sizes.values())) > 1:
        raise InputError(f"{file}: {', '.join(f'{n} rows of {c}' for c, n in sizes.items())}; give columns of one length")
    if not all(sizes.values()):
        raise InputError(f"{file}: no events; give a table with at least one row")
    return table


def _file_and_tree(path: str) -> tuple[Path, str | None]:
    file, colon, tree = path.rpartition(":")
    return (Path(file), tree) if colon and file.lower().endswith(".root") else (Path(path), None)


def _present(file: Path, wanted: list[str], there: list[str]) -> None:
    if missing := [name for name in wanted if name not in there]:
        raise InputError(
            f"{file}: no column {', '.join(missing)}; there are {', '.join(there) or 'none'}; name yours in columns"
        )


def _numbers(file: Path, name: str, values: np.ndarray) -> np.ndarray:
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        shape = "x".join(map(str, values.shape))
        raise InputError(f"{file}: column {name} is {values.dtype} of shape {shape}; give one real number an event")
    return values.astype(float)


def _read_csv(file: Path, tree: str | None, wanted: list[str]) -> dict[str, np.ndarray]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            lines = [
                row
                for row in csv.reader(stream, skipinitialspace=True)
                if any(map(str.strip, row)) and not row[0].lstrip().startswith("#")
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: not a readable CSV ({error}); save it as UTF-8 text with commas") from error
    names = [name.strip() for name in lines[0]] if lines else []
    _present(file, wanted, names)
    found = {name: np.empty(len(lines) - 1) for name in wanted}
    for row, line in enumerate(lines[1:], start=1):
        if len(line) != len(names):
            raise InputError(f"{file}: row {row} has {len(line)} entries for {len(names)} columns; mend or remove it")
        for name in wanted:
            entry = line[names.index(name)]
            try:
                found[name][row - 1] = float(entry)
            except ValueError:
                raise InputError(f"{file}: row {row}: {name} = '{entry.strip()}' is not a number; mend or remove it") from None
    return found


def _read_hdf5(file: Path, tree: str | None, wanted: list[str]) -> dict[str, np.ndarray]:
    try:
        with h5py.File(file, "r") as data:
            there: list[str] = []
            data.visititems(lambda name, item: there.append(name) if isinstance(item, h5py.Dataset) else None)
            wanted_there = {name: name.strip("/") for name in wanted}
            _present(file, list(wanted_there.values()), there)
            return {name: _numbers(file, name, np.asarray(data[place][()])) for name, place in wanted_there.items()}
    except OSError as error:
        raise InputError(f"{file}: not a whole HDF5 file ({error}); write it again") from error


def _read_root(file: Path, tree: str | None, wanted: list[str]) -> dict[str, np.ndarray]:
    import uproot

    try:
        data = uproot.open(file)
    except Exception as error:
        # uproot raises whatever its decoding trips over; to the user they are one fault.
        raise InputError(f"{file}: not a readable ROOT file ({type(error).__name__}); write it again") from error
    with data:
        trees = list(dict.fromkeys(data.keys(cycle=False, filter_classname="TTree")))
        if not trees or (tree and tree not in trees):
            named = f"TTree '{tree}'" if tree else "TTree"
            raise InputError(f"{file}: no {named}; there are {', '.join(trees) or 'none'}: give {file}:TREE")
        branches = data[tree or trees[0]]
        _present(file, wanted, branches.keys())
        try:
            arrays = {name: branches[name].array(library="np") for name in wanted}
        except Exception as error:
            raise InputError(f"{file}: a column cannot be read ({type(error).__name__}); write the tree again") from error
        return {name: _numbers(file, name, values) for name, values in arrays.items()}


READERS: dict[str, Callable[[Path, str | None, list[str]], dict[str, np.ndarray]]] = {
    ".csv": _read_csv,
    ".h5": _read_hdf5,
    ".hdf5": _read_hdf5,
    ".root": _read_root,
}

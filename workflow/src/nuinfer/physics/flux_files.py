"""Tables in files, as they stand: a CSV with a ``#`` header, and a one-dimensional histogram of a ROOT file."""

from pathlib import Path

import numpy as np

from nuinfer.errors import InputError

EDGE_COLUMNS = (("enu_lo_gev", "enu_hi_gev"), ("e_lo_gev", "e_hi_gev"))


def read_table(path: str | Path) -> tuple[dict[str, str], list[str], np.ndarray]:
    """Read a CSV with a ``#`` header: header entries, column names, and values ``(n_row, n_column)``."""
    path = existing(path)
    header, names, rows = {}, None, []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if line.startswith("#"):
            key, _, value = line[1:].partition(":")
            header[key.strip()] = value.strip()
        elif names is None and line.strip():
            names = [c.strip() for c in line.split(",")]
        elif line.strip():
            try:
                rows.append([float(c) for c in line.split(",")])
            except ValueError:
                raise InputError(f"{path}: line {number} is not a row of numbers: '{line.strip()[:60]}'") from None
            if len(rows[-1]) != len(names):
                raise InputError(f"{path}: line {number} has {len(rows[-1])} columns, the table has {len(names)}")
    if not rows:
        raise InputError(f"{path}: no rows of numbers")
    return header, names, np.array(rows)


def split_edges(path: str | Path, names: list[str], rows: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Split rows ``(n, n_column)`` of a table into bin edges ``(n + 1,)`` in GeV and the other columns by lower-case name.

    Raises InputError where the columns of the edges are missing and for a gap or an overlap between bins.
    """
    columns = dict(zip((n.lower() for n in names), rows.T, strict=True))
    pair = next((p for p in EDGE_COLUMNS if p[0] in columns and p[1] in columns), None)
    if pair is None:
        raise InputError(f"{path}: no columns enu_lo_gev and enu_hi_gev; found {', '.join(names)}")
    lo, hi = (columns.pop(name) for name in pair)
    gaps = np.flatnonzero(np.abs(lo[1:] - hi[:-1]) > 1e-9)
    if gaps.size:
        i = gaps[0]
        raise InputError(f"{path}: gap or overlap between bins {i} (to {hi[i]:g} GeV) and {i + 1} (from {lo[i + 1]:g} GeV)")
    return np.append(lo, hi[-1]), columns


def read_histogram(path: str | Path, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the bin edges ``(n + 1,)`` and contents ``(n,)`` of the one-dimensional histogram ``key`` of a ROOT file.

    Raises InputError for a missing or unreadable file and, with the keys that would do, for a key that is no such histogram.
    """
    import uproot

    path = existing(path)
    try:
        file = uproot.open(path)
    except Exception as error:
        # uproot raises whatever its decoding trips over; to the user they are one fault.
        raise InputError(f"{path}: not a readable ROOT file ({type(error).__name__})") from error
    with file:
        keys = file.keys(cycle=False, filter_classname="TH1*")
        if key not in keys:
            raise InputError(f"{path}: no one-dimensional histogram '{key}'; found {', '.join(dict.fromkeys(keys)) or 'none'}")
        histogram = file[key]
        return np.asarray(histogram.axis().edges(), float), np.asarray(histogram.values(), float)


def existing(path: str | Path) -> Path:
    """Return ``path``; InputError unless it is a file."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    return path

"""Grid files of LHAPDF6 (format ``lhagrid1``, Buckley et al., arXiv:1412.7420): found, read and checked.

A set is a folder with an information file of ``key: value`` lines and one file per member: a header, then blocks that cover Q
one after the other, each with its knots in x and in Q (GeV), the PDG codes of its partons, and x f with x slowest.  Own
reader: the compiled ones at hand try to download a set that they do not find, and end the process on a damaged file.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np

from nuinfer.errors import InputError
from nuinfer.physics.lhapdf_grid import GridSet, Subgrid, make_subgrid

PATH_VARIABLE = "LHAPDF_DATA_PATH"
QUARKS = (-4, -3, -2, -1, 1, 2, 3, 4)
"""PDG codes that charged-current structure functions need."""

POSITIVE_FLOORS = {"0": -np.inf, "1": 0.0, "2": 1e-10}
"""``ForcePositive`` of an information file -> smallest x f."""


def find_set(name: str, folder: str | Path | None = None) -> Path:
    """Return the folder of set ``name``: in ``folder`` if given, else in the first entry of ``LHAPDF_DATA_PATH`` with it.

    Raises InputError, with the places searched, if there is none.
    """
    listed = [folder] if folder is not None else [p for p in os.environ.get(PATH_VARIABLE, "").split(os.pathsep) if p]
    for place in listed:
        if (Path(place) / name / f"{name}.info").is_file():
            return Path(place) / name
    searched = ", ".join(map(str, listed)) or f"nowhere ({PATH_VARIABLE} is not set)"
    raise InputError(
        f"parton set {name}: no {name}/{name}.info; looked in {searched}. Name the folder above the set's own in the "
        f"configuration or in {PATH_VARIABLE}"
    )


def set_files(name: str, member: int = 0, folder: str | Path | None = None) -> tuple[Path, Path]:
    """Return the information file and the member's file; raises InputError as :func:`find_set`, and for an absent member."""
    place = find_set(name, folder)
    path = place / f"{name}_{member:04d}.dat"
    if not path.is_file():
        raise InputError(f"parton set {name}: no file {path} for member {member}; choose one that is there, or fetch it")
    return place / f"{name}.info", path


def read_set(name: str, member: int = 0, folder: str | Path | None = None, pids: Iterable[int] = QUARKS) -> GridSet:
    """Read member ``member`` of set ``name`` (see :func:`set_files`), only the partons ``pids``.

    Raises InputError for a set or member that is absent, another format or interpolator, partons that the grid does not hold,
    and knots or values that are damaged or incomplete.
    """
    info_path, path = set_files(name, member, folder)
    info = _entries(info_path.read_text(encoding="utf-8", errors="replace"))
    where = f"parton set {name}, member {member}"
    data = path.read_bytes()
    header, *blocks = _blocks(data.decode("utf-8", errors="replace"), f"{where} ({path})")
    info |= _entries(header)
    if info.get("Format") != "lhagrid1":
        raise InputError(f"{where}: format '{info.get('Format')}' in {path}; only lhagrid1 is read")
    if info.get("Interpolator", "logcubic") != "logcubic":
        raise InputError(f"{where}: asks for the interpolator '{info['Interpolator']}'; only logcubic is implemented")
    if info.get("ForcePositive", "0") not in POSITIVE_FLOORS:
        raise InputError(f"{where}: ForcePositive is '{info['ForcePositive']}'; known: {', '.join(POSITIVE_FLOORS)}")
    subgrids = tuple(_read_block(b, tuple(pids), f"{where} ({path}), block {i}") for i, b in enumerate(blocks))
    _check_cover(subgrids, info, f"{where} ({path})")
    return GridSet(
        name=name,
        member=member,
        citation=info.get("Reference", ""),
        set_index=info.get("SetIndex", ""),
        sha256=hashlib.sha256(data).hexdigest(),
        floor=POSITIVE_FLOORS[info.get("ForcePositive", "0")],
        subgrids=subgrids,
    )


def _entries(text: str) -> dict[str, str]:
    """Return the ``key: value`` lines; not parsed as YAML, which some published files are not."""
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line and not line[:1].isspace())
    return {key.strip(): value.strip().strip("'\"") for key, _, value in pairs}


def _blocks(text: str, where: str) -> list[str]:
    parts, current = [], []
    for line in text.splitlines():
        if line.strip() == "---":
            parts.append("\n".join(current))
            current = []
        else:
            current.append(line)
    if len(parts) < 2 or "".join(current).strip():
        raise InputError(f"{where}: does not end with '---': the file is incomplete; fetch it again")
    return parts


def _read_block(text: str, pids: tuple[int, ...], where: str) -> Subgrid:
    lines = text.strip().split("\n", 3)
    try:
        x, q = (np.array(line.split(), float) for line in lines[:2])
        held = [int(p) for p in lines[2].split()]
        values = np.array(lines[3].split(), float)
    except (ValueError, IndexError):
        raise InputError(f"{where}: needs lines of x, Q and parton codes, then numbers; fetch the file again") from None
    missing = [p for p in pids if p not in held]
    if missing:
        raise InputError(f"{where}: no partons {missing}; it holds {held}. Choose a set with at least four flavours")
    for label, knots in (("x", x), ("Q", q)):
        if len(knots) < 2 or not np.all(np.isfinite(knots)) or knots[0] <= 0 or np.any(np.diff(knots) <= 0):
            raise InputError(f"{where}: the {label} knots must be positive and increasing")
    if values.size != x.size * q.size * len(held) or not np.all(np.isfinite(values)):
        expected = f"{x.size} x {q.size} x {len(held)} finite values"
        raise InputError(f"{where}: {values.size} values where {expected} are due; fetch the file again")
    table = values.reshape(x.size, q.size, len(held))
    return make_subgrid(x, q, {p: table[:, :, held.index(p)] for p in pids})


def _check_cover(subgrids: tuple[Subgrid, ...], info: Mapping[str, str], where: str) -> None:
    for low, high in pairwise(subgrids):
        if abs(high.log_q2[0] - low.log_q2[-1]) > 1e-6 or abs(high.log_x[0] - low.log_x[0]) > 1e-6:
            raise InputError(f"{where}: the blocks do not follow each other in Q or differ in their lowest x")
    try:
        q_max = float(info.get("QMax", "nan"))
    except ValueError:
        raise InputError(f"{where}: QMax of the information file is '{info['QMax']}', not a number") from None
    q_last = np.exp(0.5 * subgrids[-1].log_q2[-1])
    if q_last < 0.99 * q_max:
        raise InputError(f"{where}: ends at Q = {q_last:g} GeV, the set at {q_max:g} GeV: a block is missing; fetch it again")

"""Events of NuWro as a table: one charged-current muon-neutrino event a line, commas, one line of names, gzipped or not."""

import gzip
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nuinfer.errors import InputError
from nuinfer.tuning.sources.events import Events, check_sigma

KINEMATICS = {"enu_gev": "E_nu_GeV", "p_mu_gev": "p_mu_GeV", "cos_theta": "cos_theta", "q2_gev2": "Q2_GeV2"}
MESONS = ("n_pip", "n_pim", "n_pi0", "n_other_meson")
SIGMA, MODE, FLAG = "weight_cm2_per_nucleon", "mode", "is_cc0pi"
WEIGHT_PREFIX = "w_"


def read(path: str | Path, weights: Mapping[str, str] | None = None, n_generated: int | None = None) -> Events:
    """Return the events of a table with the columns of :data:`KINEMATICS`, :data:`MESONS`, ``mode`` and the cross section.

    ``weight_cm2_per_nucleon`` is the whole sample's flux-averaged cross section in cm^2 per nucleon, the same in every
    line: an event stands for it over ``n_generated`` (left out: the number of lines).  CC0pi is a line whose four numbers
    of mesons are zero; where the table has its own ``is_cc0pi`` it must agree.  ``weights`` names the columns of
    ``dial_weights``; left out, every column whose name starts with ``w_``.

    Raises InputError naming the file and the mend for a missing or cut-off file, a missing column, an entry that is not a
    number, an empty table, a cross section that varies, a flag that differs, and whatever :class:`Events` refuses.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of a table of NuWro events")
    try:
        names = _header(path)
        dials = {name: name for name in names if name.startswith(WEIGHT_PREFIX)} if weights is None else dict(weights)
        wanted = [*KINEMATICS.values(), *MESONS, MODE, SIGMA, *dials.values(), *([FLAG] if FLAG in names else [])]
        if missing := [name for name in wanted if name not in names]:
            raise InputError(f"missing columns {', '.join(missing)}; found {', '.join(names) or 'none'}")
        table = _columns(path, names, list(dict.fromkeys(wanted)))
        return _events(table, dials, n_generated)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cut off or not a text table ({error}); write it again") from error


def _events(table: np.ndarray, dials: Mapping[str, str], n_generated: int | None) -> Events:
    sigma = table[SIGMA]
    if not np.all(sigma == sigma[0]):
        first = int(np.flatnonzero(sigma != sigma[0])[0])
        raise InputError(
            f"event {first}: {SIGMA} = {sigma[first]:g}, event 0 has {sigma[0]:g}; "
            "give one unweighted sample a table, with its own cross section"
        )
    without_meson = sum(table[name] for name in MESONS) == 0
    if FLAG in table.dtype.names and np.any(differ := without_meson != (table[FLAG] == 1)):
        first = int(np.flatnonzero(differ)[0])
        raise InputError(
            f"{int(differ.sum())} events whose {FLAG} is not what their mesons say, the first event {first}; "
            f"mend the table, or remove the column {FLAG}"
        )
    n_generated = len(table) if n_generated is None else int(n_generated)
    each = check_sigma(1e38 * sigma[0]) / max(n_generated, 1)
    return Events(
        **{ours: np.ascontiguousarray(table[theirs]) for ours, theirs in KINEMATICS.items()},
        channel=np.char.strip(table[MODE]),
        is_cc0pi=without_meson,
        weight_1e38cm2=np.full(len(table), each),
        n_generated=n_generated,
        dial_weights={ours: np.ascontiguousarray(table[theirs]) for ours, theirs in dials.items()},
    )


def _open(path: Path):
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _header(path: Path) -> list[str]:
    with _open(path) as file:
        names = [name.strip() for name in file.readline().decode("utf-8-sig").split(",")]
        if not file.readline().strip():
            raise InputError("no events; give a table with a line of names and at least one line below it")
    return names


class _Lines:
    """The lines of an open file as text, each of ``n_column`` entries; the last one is kept: it tells a cut-off table."""

    def __init__(self, file, n_column: int) -> None:
        self.file, self.n_column, self.last = file, n_column, b""

    def __iter__(self):
        for number, line in enumerate(self.file, start=2):
            self.last = line
            # np.loadtxt takes a line that is too long without a word: a decimal comma shifts every later column.
            if (found := line.count(b",") + 1) != self.n_column and line.strip():
                raise InputError(f"line {number} has {found} entries, the names are {self.n_column}; write the table again")
            yield line.decode("utf-8")


def _columns(path: Path, names: list[str], wanted: list[str]) -> np.ndarray:
    """Return a structured array ``(n,)`` of the columns ``wanted``: text for the mode, numbers for the others."""
    dtype = [(name, "U16" if name == MODE else "f8") for name in wanted]
    with _open(path) as file:
        file.readline()
        lines = _Lines(file, len(names))
        try:
            table = np.loadtxt(lines, dtype=dtype, delimiter=",", usecols=[names.index(n) for n in wanted], ndmin=1)
        except InputError:
            raise
        except ValueError as error:
            raise InputError(f"not a whole table of numbers ({error}; rows are counted from 0); write it again") from error
    if not lines.last.endswith(b"\n"):
        raise InputError("the last line has no end: the table is cut off or being written; end it or write it again")
    return table

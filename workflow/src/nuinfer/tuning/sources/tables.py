"""What all tables of throws share: where the dials and the bins are, and the reading of several files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from nuinfer.errors import InputError
from nuinfer.tuning.sources.raw import BadThrow, RawThrows, check_policy, concatenated

OVERFLOW_BINS = {(67, 58): "false", (58, 67): "true"}
"""T2K 2016 CC0pi, Analysis I, found and expected, with and without the last momentum bins: PRD 93, 112012, arXiv:1602.03652."""
BEING_WRITTEN = "is being written; read it when the program that writes it has ended"


@dataclass(frozen=True)
class TableLayout:
    """Where a table has its dials and its ``n_bin`` bins.

    With a header line ``columns`` are the header's names of the dials, anywhere and in any order; without one they are the
    first columns, in this order.  ``first_bin`` (a name of the header, or a column counted from 0) starts the bins, which
    follow each other to the next dial or the end of the row; ``None``: with a header all columns that are no dials, without
    one right after the dials.  ``header`` ``None``: the first line with content is a header where it names a dial or holds no
    number at all.  With ``decimal_comma`` a comma never separates, and a point in a number is refused.

    Raises InputError for names given twice, no bins, and a ``first_bin`` that cannot be.
    """

    columns: tuple[str, ...]
    n_bin: int
    first_bin: str | int | None = None
    header: bool | None = None
    decimal_comma: bool = False

    def __post_init__(self) -> None:
        if not self.columns or len(set(self.columns)) != len(self.columns):
            raise InputError(f"columns: {', '.join(self.columns) or 'none'}; name every dial of the table once")
        if self.n_bin < 1:
            raise InputError(f"n_bin: {self.n_bin}; a throw has at least one bin")
        if isinstance(self.first_bin, str) and self.header is False:
            raise InputError(f"first_bin: '{self.first_bin}' is a name, but header is false; give the column, counted from 0")
        if isinstance(self.first_bin, int) and self.first_bin < 0:
            raise InputError(f"first_bin: {self.first_bin}; give the column, counted from 0")


@dataclass(frozen=True)
class Place:
    """Columns of a table, counted from 0: the dials' in the order of the layout, the bins', and how many there are."""

    dials: tuple[int, ...]
    bins: tuple[int, ...]
    width: int


def place_by_position(layout: TableLayout, file: str | Path) -> Place:
    """Return the columns of a table without header; raise InputError where ``first_bin`` needs one or is a dial."""
    n_dial = len(layout.columns)
    first = n_dial if layout.first_bin is None else layout.first_bin
    if isinstance(first, str):
        raise InputError(f"{file}: first_bin '{first}' is a name, but there is no header; give the column, counted from 0")
    if first < n_dial:
        raise InputError(f"{file}: first_bin {first} is a dial's column; without a header the first {n_dial} are dials")
    return Place(tuple(range(n_dial)), tuple(range(first, first + layout.n_bin)), first + layout.n_bin)


def place_by_name(layout: TableLayout, names: Sequence[str], file: str | Path) -> Place:
    """Return the columns of a table whose header is ``names``; raise InputError for a missing or doubled name or bin."""
    wanted = [*layout.columns, *([layout.first_bin] if isinstance(layout.first_bin, str) else [])]
    if missing := [name for name in wanted if name not in names]:
        some = ", ".join(names[:8]) + (f", ... ({len(names)} in all)" if len(names) > 8 else "")
        raise InputError(f"{file}: no column {', '.join(missing)}; there are {some}: correct columns or first_bin")
    if twice := [name for name in wanted if list(names).count(name) > 1]:
        raise InputError(f"{file}: more than one column {', '.join(twice)}; give every column a name of its own")
    dials = tuple(names.index(name) for name in layout.columns)
    others = [i for i in range(len(names)) if i not in dials]
    if layout.first_bin is not None:
        first = names.index(layout.first_bin) if isinstance(layout.first_bin, str) else layout.first_bin
        others = list(takewhile(lambda i: i not in dials, range(first, len(names))))
    if len(others) != layout.n_bin:
        raise InputError(f"{file}: {wrong_bins(len(others), layout.n_bin)}")
    return Place(dials, tuple(others), len(names))


def wrong_bins(found: int, expected: int) -> str:
    """Return the message for rows of ``found`` bins where ``expected`` should be."""
    wrong = f"{found} bins a row, expected {expected}"
    if overflow := OVERFLOW_BINS.get((found, expected)):
        return f"{wrong}: did you mean drop_momentum_overflow: {overflow}?"
    return f"{wrong}; name all dials in columns, and the binning that the file was made with"


def wrong_width(width: int, place: Place) -> str:
    """Return the message for rows of ``width`` entries where the layout asks for others."""
    found = width - place.width + len(place.bins)
    if found > 0:
        return wrong_bins(found, len(place.bins))
    return f"{width} entries a row, expected {place.width}; correct columns and first_bin, or give another file"


def read_each(
    paths: Sequence[str | Path],
    read: Callable[[Path], RawThrows],
    on_bad: str = "error",
    progress: Callable[[int, int, str], None] | None = None,
) -> RawThrows:
    """Return the throws of all ``paths``, each read by ``read``; with ``on_bad="drop"`` a file it refuses is listed in ``bad``.

    Raises InputError for a file that changes while it is read, for what ``read`` raises, and where no throw is left.
    """
    check_policy(on_bad)
    parts: list[RawThrows] = []
    bad: list[BadThrow] = []
    for done, path in enumerate(map(Path, paths), start=1):
        try:
            part = _read_unchanged(path, read)
        except InputError as fault:
            if on_bad == "error":
                raise
            bad.append(BadThrow(str(path), str(fault).removeprefix(f"{path}: ")))
        else:
            bad += part.bad
            parts += [replace(part, bad=())] if len(part) else []
        if progress:
            progress(done, len(paths), "files of throws")
    if bad and not parts:
        raise InputError(f"no throw is left of {len(paths)} files; the first fault is {bad[0].where}: {bad[0].why}")
    return replace(parts[0] if len(parts) == 1 else concatenated(parts), bad=tuple(bad))


def _read_unchanged(path: Path, read: Callable[[Path], RawThrows]) -> RawThrows:
    if not path.is_file():
        raise InputError(f"{path}: no such file; correct the path")
    before = path.stat()
    part = read(path)
    after = path.stat() if path.exists() else None
    if after is None or any(getattr(before, s) != getattr(after, s) for s in ("st_size", "st_mtime_ns", "st_ino")):
        raise InputError(f"{path}: {BEING_WRITTEN}")
    return part

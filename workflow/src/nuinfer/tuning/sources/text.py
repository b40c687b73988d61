r"""Throws in tables of text: one row is the dials and then the bins of one throw.

Entries stand between blanks, tabs, commas or semicolons; ``#`` and ``%`` start a comment.  A file is read in blocks of whole
lines, so that memory holds the numbers and one block of text.  A block goes through numpy's parser as a whole; where that
fails, or where a field may be empty, it is read again line by line to find the lines at fault.
"""

import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from nuinfer.errors import InputError
from nuinfer.tuning.sources.raw import BadThrow, RawThrows
from nuinfer.tuning.sources.tables import (
    BEING_WRITTEN,
    Place,
    TableLayout,
    place_by_name,
    place_by_position,
    read_each,
    wrong_width,
)

BLOCK_BYTES = 1 << 22
LONGEST_LINE_BYTES = 1 << 26
BLANKS = " \t\r\f\v"
COMMENT = re.compile("[#%]")
MINUS = "\u2212"
NO_END = "no line end: the file is truncated or still being written; write or copy it again, or end the line if it is whole"

# Fortran's exponent letter becomes Python's.  The last six bytes of the tables are white space to numpy's parser alone: they
# must be refused, not taken for a separator.
_ODD = b"\x1c\x1d\x1e\x1f\x85\xa0"
_POINT = bytes.maketrans(b"dD;\t\r\f\v" + _ODD, b"ee,    " + b"?" * len(_ODD))
_COMMA = bytes.maketrans(b"dD,;\t\r\f\v" + _ODD, b"ee.,    " + b"?" * len(_ODD))


def read_text(
    paths: Sequence[str | Path],
    layout: TableLayout,
    on_bad: str = "error",
    progress: Callable[[int, int, str], None] | None = None,
) -> RawThrows:
    """Return the throws of text tables, CSV or plain, also compressed by gzip; ``line`` counts a file's lines from 1.

    Numbers may have any sign (also U+2212) and exponents with ``e`` or Fortran's ``d``; ``nan`` and ``inf`` pass.  One
    separator at the end of a line is allowed; a field that is empty otherwise is a fault.  The computer's locale has no part.

    Raises InputError, naming file, line and mend, for a row of another length, an entry that is no number, a header without
    the dials, a last line or a compressed file that ends early, and a file that changes while it is read.  With
    ``on_bad="drop"`` such lines, or whole files where the fault is the file's, are left out and listed in ``bad``.
    """
    return read_each(paths, lambda file: _read_file(file, layout, on_bad == "drop"), on_bad, progress)


def _read_file(file: Path, layout: TableLayout, drop: bool) -> RawThrows:
    place: Place | None = None
    dials, bins, lines = [], [], []
    bad: list[BadThrow] = []
    try:
        for start, block in _blocks(file):
            if place is None:
                place, start, block = _after_header(file, start, block, layout)
                if place is None:
                    continue
            if not block.endswith(b"\n") and next(_contents(block), None):
                # A number that is cut short is a number still.
                bad.append(BadThrow(f"{file}: line {start + block.count(10)}", NO_END))
                if not drop:
                    raise InputError(f"{bad[-1].where}: {bad[-1].why}")
                block = block[: block.rfind(b"\n") + 1]
            parsed = _at_once(block, place, layout)
            if parsed is None:
                if not bad and not lines:
                    _check_width(file, block, place, layout)
                *parsed, faults = _line_by_line(block, place, layout)
                bad += [BadThrow(f"{file}: line {start + i}", why) for i, why in faults]
                if bad and not drop:
                    raise InputError(f"{bad[0].where}: {bad[0].why}")
            rows, offsets = parsed
            if len(rows):
                dials.append(rows[:, place.dials])
                bins.append(rows[:, place.bins])
                lines.append(start + offsets)
    except EOFError as error:
        raise InputError(f"{file}: ends early: it is truncated or still being written; copy it again") from error
    except (OSError, zlib.error) as error:
        raise InputError(f"{file}: cannot be read ({error}); write or copy it again") from error
    if not lines and not bad:
        raise InputError(f"{file}: no rows; give a table with at least one throw")
    numbers = (_joined(dials, len(layout.columns)), _joined(bins, layout.n_bin))
    at = np.concatenate(lines) if lines else np.zeros(0, int)
    return RawThrows(layout.columns, *numbers, (str(file),), np.zeros(len(at), int), at, None, tuple(bad))


def _joined(blocks: list[np.ndarray], width: int) -> np.ndarray:
    """Return the blocks as one array and empty the list on the way: the numbers are in memory once, not twice."""
    end = sum(map(len, blocks))
    whole = np.empty((end, width))
    while blocks:
        last = blocks.pop()
        whole[end - len(last) : end] = last
        end -= len(last)
    return whole


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    with file.open("rb") as raw:
        compressed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if compressed:
            with gzip.open(raw) as stream:
                yield stream
        else:
            yield raw


def _blocks(file: Path) -> Iterator[tuple[int, bytes]]:
    """Yield whole lines and the number of the first; a last line without line end comes alone."""
    number, rest, size = 1, b"", file.stat().st_size
    with _opened(file) as stream:
        while piece := stream.read(BLOCK_BYTES):
            # Without this a program that writes as fast as this reads would be followed for ever.
            if file.stat().st_size != size:
                raise InputError(f"{file}: {BEING_WRITTEN}")
            if number == 1 and not rest:
                if piece[:2] in (b"\xff\xfe", b"\xfe\xff"):
                    raise InputError(f"{file}: UTF-16 text; save it as UTF-8")
                piece = piece.removeprefix(b"\xef\xbb\xbf")
            if b"\0" in piece:
                raise InputError(f"{file}: not a text file; give a table of text, or .h5 for HDF5")
            head, end, tail = piece.rpartition(b"\n")
            if end:
                block = rest + head + end
                yield number, block
                number += block.count(b"\n")
                rest = tail
            else:
                rest += tail
            if len(rest) > LONGEST_LINE_BYTES:
                raise InputError(f"{file}: line {number} has no end within {len(rest)} bytes; not a table with a row a line")
    if rest:
        yield number, rest


def _contents(block: bytes) -> Iterator[tuple[int, str]]:
    """Yield the lines with content, without comments and outer blanks, and their places in the block."""
    for i, line in enumerate(block.decode("utf-8", "replace").split("\n")):
        if content := COMMENT.split(line, maxsplit=1)[0].strip(BLANKS):
            yield i, content


def _fields(content: str, layout: TableLayout) -> list[str]:
    marks = ";" if layout.decimal_comma else ",;"
    fields = re.split(rf"[{BLANKS}]*[{marks}][{BLANKS}]*|[{BLANKS}]+", content)
    return fields[:-1] if len(fields) > 1 and not fields[-1] else fields


def _names(content: str, layout: TableLayout) -> list[str]:
    marks = ";\t" if layout.decimal_comma else ",;\t"
    names = re.split(f"[{marks}]", content) if any(m in content for m in marks) else content.split()
    names = [name.strip(BLANKS).strip("\"'") for name in names]
    return names[:-1] if len(names) > 1 and not names[-1] else names


def _number(entry: str, layout: TableLayout) -> float:
    """Return the number that is written; raise ValueError where it is none (Python alone would take ``1_0`` and ``١``)."""
    plain = entry.replace(MINUS, "-")
    if "_" in plain or not plain.isascii() or (layout.decimal_comma and "." in plain):
        raise ValueError(entry)
    return float((plain.replace(",", ".") if layout.decimal_comma else plain).lower().replace("d", "e"))


def _is_number(entry: str, layout: TableLayout) -> bool:
    try:
        _number(entry, layout)
    except ValueError:
        return False
    return True


def _after_header(file: Path, start: int, block: bytes, layout: TableLayout) -> tuple[Place | None, int, bytes]:
    """Return where the columns are and the block after the header, if there is one; no place for a block of comments."""
    first = next(_contents(block), None)
    if first is None:
        return None, start, block
    names = _names(first[1], layout)
    numbers = [_is_number(entry, layout) for entry in _fields(first[1], layout)]
    # A damaged first row holds numbers still and names no dial.
    named = not all(numbers) and (not any(numbers) or not set(layout.columns).isdisjoint(names))
    if not (named if layout.header is None else layout.header):
        _check_comments(file, block, first[0], layout)
        return place_by_position(layout, file), start, block
    skipped = first[0] + 1
    return place_by_name(layout, names, file), start + skipped, b"".join(block.split(b"\n", skipped)[skipped:])


def _check_comments(file: Path, block: bytes, n_lines: int, layout: TableLayout) -> None:
    """Raise InputError where a comment above the rows, as numpy.savetxt writes its header, has the dials in another order."""
    for line in block.decode("utf-8", "replace").split("\n")[:n_lines]:
        names = tuple(_fields(line.strip(BLANKS).lstrip("#%").strip(BLANKS), layout)[: len(layout.columns)])
        if names != layout.columns and set(names) == set(layout.columns):
            raise InputError(
                f"{file}: a comment above the rows has the dials in the order {', '.join(names)}, expected "
                f"{', '.join(layout.columns)}; correct the order of the dials in the configuration"
            )


def _at_once(block: bytes, place: Place, layout: TableLayout) -> tuple[np.ndarray, np.ndarray] | None:
    """Return rows ``(n, width)`` and their places in the block ``(n,)``, or ``None`` where it takes a look at each line."""
    if layout.decimal_comma and b"." in block:
        return None
    table = _COMMA if layout.decimal_comma else _POINT
    lines = block.replace(MINUS.encode(), b"-").translate(table).decode("latin-1").split("\n")
    if b"#" in block or b"%" in block:
        lines = [COMMENT.split(line, maxsplit=1)[0] for line in lines]
    offsets = np.array([i for i, line in enumerate(lines) if line.strip(" ")], int)
    if not len(offsets):
        return np.empty((0, place.width)), offsets
    text = "\n".join(lines[i] for i in offsets)
    if "," in text:
        packed = "\n" + text.replace(" ", "")
        if ",," in packed or "\n," in packed:
            return None
    try:
        rows = np.loadtxt(text.replace(",", " ").split("\n"), comments=None, ndmin=2)
    except ValueError:
        return None
    return (rows, offsets) if rows.shape[1] == place.width else None


def _check_width(file: Path, block: bytes, place: Place, layout: TableLayout) -> None:
    """Raise InputError where all rows of a file's first block have one other length: then the layout is at fault."""
    widths = {len(_fields(content, layout)) for _, content in _contents(block)}
    width = widths.pop() if len(widths) == 1 else place.width
    if width == place.width or (width < place.width and not block.endswith(b"\n")):
        return
    if width == 2 * place.width and not layout.decimal_comma:
        raise InputError(f"{file}: {width} entries a row, expected {place.width}: did you mean decimal_comma: true?")
    raise InputError(f"{file}: {wrong_width(width, place)}")


def _line_by_line(block: bytes, place: Place, layout: TableLayout) -> tuple[np.ndarray, np.ndarray, list[tuple[int, str]]]:
    """Return the good rows ``(n, width)``, their places in the block ``(n,)``, and place and fault of the others."""
    rows, offsets, faults = [], [], []
    for i, content in _contents(block):
        fields = _fields(content, layout)
        wrong = [j for j, entry in enumerate(fields) if not _is_number(entry, layout)]
        cut = not block.endswith(b"\n") and (len(fields) < place.width or wrong == [len(fields) - 1])
        if len(fields) == place.width and not wrong:
            rows.append([_number(entry, layout) for entry in fields])
            offsets.append(i)
        elif cut:
            found = f"{len(fields)} entries, {place.width} expected, and no line end"
            faults.append((i, f"{found}: the file is truncated or still being written; write or copy it again"))
        elif len(fields) != place.width:
            faults.append((i, f"{len(fields)} entries, {place.width} expected; mend or remove the line"))
        else:
            j = wrong[0]
            faults.append((i, f"entry {j + 1} '{fields[j][:40]}' is not a number; mend or remove the line"))
    return np.array(rows).reshape(-1, place.width), np.array(offsets, int), faults

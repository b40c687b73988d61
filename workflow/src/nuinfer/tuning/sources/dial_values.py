"""Dial values of a NUISANCE file: from its name, from the card that it was made with, or from a table of files.

The numbers are those that were given to the generator.  What a dial of 1 means hangs on the card's ``setabstwk``
(:func:`card_setting`), which :class:`FromCard` compares with the convention that it is told.
"""

import csv
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Protocol

from nuinfer.errors import InputError

NUMBER_BEGINS_BEFORE = re.compile(r"(\d([.,p]|[eE][-+]?)?|(^|[^A-Za-z\d])[-+])$")
NUMBER_GOES_ON = re.compile(r"[.,p]?\d|[eE][-+]?\d")


class DialSource(Protocol):
    """What gives the dials of a file: their names, and their values ``(d,)`` in that order."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    def values(self, path: Path) -> tuple[float, ...]: ...


@dataclass(frozen=True)
class FromName:
    r"""Dials from the file's name without ``.root``: a regular expression with one named group for each dial.

    For example ``MaCCQE_(?P<MaCCQE>[-+.\deE]+)_NormCCMEC_(?P<NormCCMEC>[-+.\deE]+)``.  Raises InputError for an expression
    that is none or names no group, for a name that it does not match, and for a group that takes only part of a number: a
    lost sign or digit would be a wrong throw.
    """

    pattern: str

    def __post_init__(self) -> None:
        try:
            names = re.compile(self.pattern).groupindex
        except re.error as error:
            raise InputError(f"dials by file name: '{self.pattern}' is no regular expression ({error}); mend it") from None
        if not names:
            raise InputError(f"dials by file name: '{self.pattern}' names no dial; write a group (?P<NAME>...) for each")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the groups, in the order of the expression."""
        return tuple(re.compile(self.pattern).groupindex)

    def values(self, path: Path) -> tuple[float, ...]:
        """Return the dials ``(d,)`` that stand in the name of ``path``."""
        name = Path(path).name.removesuffix(".root")
        match = re.search(self.pattern, name)
        if match is None:
            raise InputError(f"{path}: the name does not match '{self.pattern}'; correct the expression or rename the file")
        for dial in self.columns:
            start, end = match.span(dial)
            if start > 0 and name[start - 1] == "-":
                raise InputError(
                    f"{path}: '-' stands before {dial} = '{match[dial]}' and is not part of it: a sign, or a separator? "
                    "Take it into the group, or rename the files"
                )
            if start >= 0 and (NUMBER_BEGINS_BEFORE.search(name[:start]) or NUMBER_GOES_ON.match(name[end:])):
                raise InputError(
                    f"{path}: {dial} = '{match[dial]}' is part of a longer number; let the group take all of it, sign included"
                )
        return tuple(_number(f"{path}: {dial} in the name", match[dial]) for dial in self.columns)


@dataclass(frozen=True)
class FromCard:
    """Dials ``columns`` from the card beside each file, in NUISANCE's XML or in its older plain text.

    ``template`` is the card's path from the file's folder; ``{stem}`` and ``{name}`` stand for the file's name without and
    with suffix.  ``absolute`` says whether the cards must set ``setabstwk``, which makes a dial of 1 a change of 100 %; None
    for no matter.  What was set on nuiscomp's command line (``-i``, ``-q``) is not in a card.  Raises InputError for a
    template with other fields, a missing or unreadable card, a card without a wanted dial, and one of the other convention.
    """

    columns: tuple[str, ...]
    template: str = "{stem}.xml"
    absolute: bool | None = None

    def __post_init__(self) -> None:
        try:
            self.template.format(stem="", name="")
        except (KeyError, IndexError, ValueError):
            raise InputError(f"dials by card: template '{self.template}': use only {{stem}} and {{name}}") from None
        if not self.columns:
            raise InputError("dials by card: no dial is named; list those to read")

    def card(self, path: Path) -> Path:
        """Return the card of the file ``path``."""
        path = Path(path)
        return path.parent / self.template.format(stem=path.stem, name=path.name)

    def values(self, path: Path) -> tuple[float, ...]:
        """Return the dials ``(d,)`` of the card of ``path``."""
        card = self.card(path)
        found = card_parameters(card)
        if self.absolute is not None and (card_setting(card, "setabstwk") == "1") != self.absolute:
            raise InputError(
                f"{card}: setabstwk is {'not ' if self.absolute else ''}set, which is not the convention configured; "
                f"{'give reweight3 or reweight2' if self.absolute else 'give convention: absolute'}"
            )
        if missing := [name for name in self.columns if name not in found]:
            raise InputError(
                f"{card}: no parameter {', '.join(missing)}; there are {', '.join(found) or 'none'}: add it or correct the name"
            )
        return tuple(found[name] for name in self.columns)


@dataclass(frozen=True)
class FromTable:
    """Dials from a CSV table: a column ``file`` (path as given, name or stem of a file) and one column for each dial.

    ``wanted`` picks columns; None takes all.  Lines that start with ``#`` are skipped.  Raises InputError for a missing or
    unreadable table, a missing column, an entry that is no number, a file that stands there twice, and a file without a row.
    """

    path: Path
    wanted: tuple[str, ...] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the dials, in the order of ``wanted`` or of the table."""
        return self._table[0]

    def values(self, path: Path) -> tuple[float, ...]:
        """Return the dials ``(d,)`` of the row of ``path``."""
        path, (_, rows) = Path(path), self._table
        for name in (str(path), path.name, path.stem):
            if name in rows:
                return rows[name]
        raise InputError(f"{path}: no row in {self.path}; add one with the file's name in the column 'file'")

    @cached_property
    def _table(self) -> tuple[tuple[str, ...], dict[str, tuple[float, ...]]]:
        """Read once: the table is asked for every file."""
        try:
            with Path(self.path).open(newline="", encoding="utf-8-sig") as stream:
                reader = csv.reader(stream, skipinitialspace=True)
                lines = [(reader.line_num, [entry.strip() for entry in row]) for row in reader if any(row)]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{self.path}: not a readable CSV ({error}); give a UTF-8 table with commas") from None
        lines = [(number, row) for number, row in lines if not row[0].startswith("#")]
        header = lines[0][1] if lines else []
        columns = self.wanted if self.wanted is not None else tuple(name for name in header if name != "file")
        if (missing := [name for name in ("file", *columns) if name not in header]) or not columns:
            raise InputError(
                f"{self.path}: no column {', '.join(missing) or 'with a dial'}; there are {', '.join(header) or 'none'}"
            )
        if len(set(header)) != len(header):
            raise InputError(f"{self.path}: two columns have the same name; rename one")
        rows: dict[str, tuple[float, ...]] = {}
        for number, row in lines[1:]:
            where = f"{self.path}: line {number}"
            if len(row) != len(header):
                raise InputError(f"{where} has {len(row)} entries for {len(header)} columns; mend it")
            entry = dict(zip(header, row, strict=True))
            if entry["file"] in rows:
                raise InputError(f"{where}: the file {entry['file']} stands there twice; remove one line")
            rows[entry["file"]] = tuple(_number(f"{where}: {name}", entry[name]) for name in columns)
        return columns, rows


def card_parameters(path: str | Path) -> dict[str, float]:
    """Return the nominal values of all parameters of a card, as they stand, by name.

    Raises InputError for a card that cannot be read, a value that is no number, a name with two values, and a state by
    which NUISANCE would not pass the value on as a dial: ``FRAC``, and ``ABS`` of the four z-expansion dials, the only
    ones with an entry in its ``parameters/dial_conversion.card``.
    """
    found: dict[str, float] = {}
    for entry in _card(Path(path))[0]:
        name, state = entry.get("name", ""), entry.get("state", "")
        if not name or "nominal" not in entry:
            raise InputError(f"{path}: a parameter without name or nominal ({name or 'no name'}); add it")
        if "FRAC" in state or ("ABS" in state and name.startswith("ZExpA")):
            raise InputError(f"{path}: {name} has state {state}: its value is no dial; give the dial, with state FIX or FREE")
        value = _number(f"{path}: {name}", entry["nominal"])
        if found.setdefault(name, value) != value:
            raise InputError(f"{path}: {name} has two values, {found[name]:g} and {value:g}; remove one")
    return found


def card_setting(path: str | Path, name: str) -> str | None:
    """Return the card's setting ``name`` (``config``), e.g. ``setabstwk``, as text; None where the card has none.

    Raises InputError for a card that cannot be read and for a setting with two values.
    """
    values = {entry[name] for entry in _card(Path(path))[1] if name in entry}
    if len(values) > 1:
        raise InputError(f"{path}: {name} has two values, {' and '.join(sorted(values))}; remove one")
    return values.pop() if values else None


def _card(path: Path) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Return the attributes of a card's parameters and of its settings."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such card; give the template of the cards' paths") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable card ({error}); give NUISANCE's XML or plain text") from None
    if not text.lstrip().startswith("<"):
        return _text_card(path, text)
    try:
        root = ElementTree.fromstring(text.lstrip())
    except ElementTree.ParseError as error:
        raise InputError(f"{path}: not well-formed XML ({error}); write the card again") from None
    return [dict(node.attrib) for node in root.iter("parameter")], [dict(node.attrib) for node in root.iter("config")]


def _text_card(path: Path, text: str) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Read lines such as ``genie_parameter MaCCQE 1.0 -3 3 1 FREE`` and ``config setabstwk 1``; others say nothing of dials."""
    parameters, settings = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#")[0].split()
        if not words or not (words[0] == "config" or words[0].endswith("_parameter")):
            continue
        if len(words) < 3:
            raise InputError(f"{path}: line {number}: '{line.strip()}' needs a name and a value; complete it")
        if words[0] == "config":
            settings.append({words[1]: words[2]})
        else:
            state = words[-1] if len(words) > 3 else ""
            parameters.append({"type": words[0], "name": words[1], "nominal": words[2], "state": state})
    return parameters, settings


def _number(where: str, text: str | None) -> float:
    """Return a finite number; Python's own digit grouping (``1_000``) is none that a generator writes."""
    try:
        value = float(text if text and "_" not in text else "")
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise InputError(f"{where}: '{'' if text is None else text.strip()}' is not a finite number; mend it")
    return value

"""What every source of throws delivers before it is checked: rows as the files give them, and what could not be read."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from nuinfer.errors import InputError

POLICIES = ("error", "drop")
"""What a bad throw does: end the reading, or be left out and listed."""


def check_policy(on_bad: str) -> None:
    """Raise InputError unless ``on_bad`` is one of :data:`POLICIES`."""
    if on_bad not in POLICIES:
        raise InputError(f"on_bad: '{on_bad}' is unknown; give {' or '.join(POLICIES)}")


@dataclass(frozen=True)
class BadThrow:
    """A throw that cannot be used: where it stands (a file, or ``file: line 7``) and why, in one line each."""

    where: str
    why: str


@dataclass(frozen=True)
class RawThrows:
    """Dials ``(n, d)`` and predictions ``(n, n_bin)`` in the file's own conventions and units.

    ``columns`` names the dials in the order of ``dials``.  Row ``i`` stands in ``files[file_index[i]]``, there as throw or
    line ``line[i]`` (counted from 1; zero where a file is one throw).  ``statistical`` ``(n, n_bin)`` are the predictions'
    own statistical errors where the source knows them.  ``bad`` lists what was left out on the way.
    """

    columns: tuple[str, ...]
    dials: np.ndarray
    prediction: np.ndarray
    files: tuple[str, ...]
    file_index: np.ndarray
    line: np.ndarray
    statistical: np.ndarray | None = None
    bad: tuple[BadThrow, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.dials)

    def where(self, row: int) -> str:
        """Return where row ``row`` stands, for a message."""
        line = int(self.line[row])
        return f"{self.files[self.file_index[row]]}" + (f": line {line}" if line else "")

    def taken(self, rows: np.ndarray) -> "RawThrows":
        """Return the throws ``rows`` (indices), in that order."""
        return replace(
            self,
            dials=self.dials[rows],
            prediction=self.prediction[rows],
            file_index=self.file_index[rows],
            line=self.line[rows],
            statistical=None if self.statistical is None else self.statistical[rows],
        )

    def without(self, bad_rows: np.ndarray, reasons: Sequence[BadThrow]) -> "RawThrows":
        """Return the throws without the rows of the mask ``bad_rows`` ``(n,)``, with ``reasons`` added to ``bad``."""
        return replace(self.taken(np.flatnonzero(~bad_rows)), bad=(*self.bad, *reasons))


def concatenated(parts: Sequence[RawThrows]) -> RawThrows:
    """Return the rows of several readings as one, with the bad ones of all.

    Raises InputError where columns or bins differ, and where no reading has a row.
    """
    if not parts:
        raise InputError("no throws: not one file was given")
    bad = tuple(b for p in parts for b in p.bad)
    parts = [p for p in parts if len(p)]
    if not parts:
        raise InputError(f"not one of {len(bad)} throws can be used; the first: {bad[0].where}: {bad[0].why}")
    first = parts[0]
    for part in parts[1:]:
        if part.columns != first.columns:
            raise InputError(
                f"{part.files[0]}: dials {', '.join(part.columns)}, but {first.files[0]} has {', '.join(first.columns)}; "
                "give files of one production"
            )
        if part.prediction.shape[1] != first.prediction.shape[1]:
            raise InputError(
                f"{part.files[0]}: {part.prediction.shape[1]} bins, but {first.files[0]} has {first.prediction.shape[1]}; "
                "give files of one sample"
            )
    starts = np.cumsum([0, *(len(p.files) for p in parts)])
    known = [p.statistical for p in parts]
    return RawThrows(
        first.columns,
        np.concatenate([p.dials for p in parts]),
        np.concatenate([p.prediction for p in parts]),
        tuple(name for p in parts for name in p.files),
        np.concatenate([p.file_index + start for p, start in zip(parts, starts, strict=False)]),
        np.concatenate([p.line for p in parts]),
        None if any(s is None for s in known) else np.concatenate(known),
        bad,
    )

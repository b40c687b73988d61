"""How the report's chapters write numbers for people: None, NaN and infinities become None, which a table shows as a dash."""

import math
from collections.abc import Sequence

DASH = "\u2013"


def fixed(value: float | None, digits: int, scale: float = 1.0) -> str | None:
    """Return ``scale * value`` with ``digits`` decimals, None for what is no number."""
    if value is None or not math.isfinite(value):
        return None
    written = f"{scale * value:.{digits}f}"
    # A rounded zero has no sign.
    return written.lstrip("-") if float(written) == 0.0 else written.replace("-", "\u2212")


def percent(share: float | None, digits: int = 1) -> str | None:
    """Return a share (1 is the whole) in per cent, without the sign for it."""
    return fixed(share, digits, 100.0)


def signed(value: float | None, digits: int = 1) -> str | None:
    """Return :func:`fixed` with a plus before numbers above zero."""
    written = fixed(value, digits)
    return f"+{written}" if written and value > 0 and float(written) > 0 else written


def in_text(written: str | None) -> str:
    """Return a written number for a sentence, a dash where there is none."""
    return DASH if written is None else written


def length(pieces: Sequence[Sequence[float]]) -> float:
    """Return the total length of an interval's pieces, pairs of its ends."""
    return float(sum(high - low for low, high in pieces))


def pieces(intervals: Sequence[Sequence[float]], scale: float) -> str:
    """Return an interval's pieces, pairs of its ends, to four decimals."""
    return " and ".join(f"{scale * low:.4f} to {scale * high:.4f}" for low, high in intervals) or "empty"


def numbered(what: str, numbers: Sequence[int]) -> str:
    """Return how many there are and which: ``2 (draws 3, 7)``."""
    if not numbers:
        return "0"
    return f"{len(numbers)} ({what}{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))})"

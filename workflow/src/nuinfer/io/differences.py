"""What differs between two records, key by key, in lines that a person reads."""

from collections.abc import Iterator, Mapping
from typing import Any

ABSENT = "absent"
"""What stands for a value that one of the two records has not; a text of that name is shown in quotes."""
LONGEST = 80
"""Letters of a mapping or list that stands on one line as it is; of a longer one its size is said."""


def differences(old: Mapping[str, Any], new: Mapping[str, Any], limit: int | None = 20) -> list[str]:
    """Return one line for each value that differs: ``estimator.epochs: 12 -> 64``; none where the records are equal.

    Keys of nested mappings are joined by dots and sorted, entries of lists are ``[i]``, behind a line on a changed length.
    Values are compared as ``repr`` shows them: 12 and 12.0 differ, nan equals nan.
    At most ``limit`` lines (all where it is None), then ``and 12 more``.
    """
    lines = list(_below("", old, new))
    return lines if limit is None or len(lines) <= limit else [*lines[:limit], f"and {len(lines) - limit} more"]


def _below(name: str, old: Any, new: Any) -> Iterator[str]:
    """Yield the lines on everything below ``name``."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        pairs = [(f"{name}.{key}" if name else str(key), key) for key in sorted({*old, *new}, key=str)]
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple):
        if len(old) != len(new):
            yield f"{name}: {len(old)} -> {len(new)} entries"
        old, new = dict(enumerate(old)), dict(enumerate(new))
        pairs = [(f"{name}[{index}]", index) for index in range(max(len(old), len(new)))]
    else:
        if repr(old) != repr(new):
            yield f"{name}: {_shown(old)} -> {_shown(new)}"
        return
    for inner, key in pairs:
        if key not in old:
            yield f"{inner}: {ABSENT} -> {_shown(new[key])}"
        elif key not in new:
            yield f"{inner}: {_shown(old[key])} -> {ABSENT}"
        else:
            yield from _below(inner, old[key], new[key])


def _shown(value: Any) -> str:
    """Return a value as one line, a long mapping or list by its size."""
    text = repr(value)
    if len(text) <= LONGEST or not isinstance(value, Mapping | list | tuple):
        return text
    return f"{{{len(value)} keys}}" if isinstance(value, Mapping) else f"[{len(value)} entries]"

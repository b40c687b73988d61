"""What a configuration refers to: names of its own entries, and files."""

from collections.abc import Iterable
from pathlib import Path

from nuinfer.errors import InputError

MEASURED = "measured"
"""The observation that is the tune's measurement."""


def refers(where: str, name: str, known: Iterable[str]) -> None:
    """Raise InputError unless ``name``, found at ``where``, is among ``known``."""
    if name not in known:
        raise InputError(f"{where}: {name!r} is not defined; known: {', '.join(known) or 'none'}")


def exists(where: str, path: str, root: Path) -> None:
    """Raise InputError unless ``path``, looked up from ``root``, is a file."""
    if not Path(root, path).is_file():
        raise InputError(f"{where}: no such file {path!r} (looked up from the working directory)")

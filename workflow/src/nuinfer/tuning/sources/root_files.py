"""Opening ROOT files that a batch job wrote, or is still writing: whole, or an error that says what is wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nuinfer.errors import InputError


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a ROOT file with uproot to read from it within the ``with`` block.

    Raises InputError, naming the file, where it is missing, empty, truncated, no ROOT file, changes before the block ends,
    or cannot be decoded, within the block too.  ROOT writes the list of keys when a file is closed, so a file without one
    is still open or its job died.
    """
    import uproot

    before = _checked_size(path)
    try:
        with uproot.open(path) as file:
            if not file.keys(recursive=False):
                raise InputError(f"{path}: no keys: still being written, or its job died; wait or run it again")
            yield file
        after = path.stat()
        if (after.st_size, after.st_mtime_ns) != before:
            raise InputError(f"{path}: changed while it was read: still being written; wait for its job")
    except InputError:
        raise
    except Exception as error:
        # uproot raises whatever its decoding trips over; to the user they are one fault.
        raise InputError(f"{path}: not a readable ROOT file ({type(error).__name__}); write it again") from error


def _checked_size(path: Path) -> tuple[int, int]:
    """Return size and time of a file whose header says that all of it is there.

    The header is ``root``, the version, the begin and the end of the data, big-endian; the end has eight bytes from
    version 1000000 on (ROOT, ``TFile`` class reference).
    """
    try:
        state = path.stat()
        with path.open("rb") as stream:
            head = stream.read(20)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; correct the path or run the program that writes it") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); correct path or permissions") from None
    if not head:
        raise InputError(f"{path}: empty file; run the program that writes it again")
    if head[:4] != b"root":
        raise InputError(f"{path}: not a ROOT file; correct the path")
    wide = int.from_bytes(head[4:8], "big") >= 1_000_000
    end = int.from_bytes(head[12 : 20 if wide else 16], "big")
    if len(head) < 20 or state.st_size < end:
        raise InputError(f"{path}: truncated: {state.st_size} bytes of {end}; copy it or run its program again")
    return state.st_size, state.st_mtime_ns


def names_of(file: Any, kind: str) -> list[str]:
    """Return the names of the top level's objects whose class begins with ``kind`` (``TH1``), each once, in order.

    An object is read by such a name in its highest cycle.
    """
    return list(dict.fromkeys(file.keys(recursive=False, cycle=False, filter_classname=lambda name: name.startswith(kind))))

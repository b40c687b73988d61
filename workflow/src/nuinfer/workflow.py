"""What the Snakefiles import: chunk names, and the text and hash of settings.  Standard library only."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

SPLITS = ("train", "validation", "test")


def chunk_starts(n: int, chunk: int) -> list[int]:
    """Return the first index of every chunk of ``n`` throws cut into pieces of ``chunk``."""
    return list(range(0, n, chunk))


def chunk_names(throws: Mapping) -> list[str]:
    """Return the chunk names ``{split}_{index}`` of a throw configuration, in the order in which they are gathered."""
    return [
        f"{split}_{i:05d}" for split in SPLITS for i in range(len(chunk_starts(throws[split], throws["chunk"])))
    ]


def chunk_range(throws: Mapping, name: str) -> tuple[str, int, int]:
    """Return the split, first throw and end of the chunk called ``name``."""
    split, index = name.rsplit("_", 1)
    start = int(index) * throws["chunk"]
    return split, start, min(start + throws["chunk"], throws[split])


def as_json(value: object) -> str:
    """Return ``value`` as one line of JSON with sorted keys: equal settings, equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: object, length: int = 12) -> str:
    """Return the first hex digits of the sha256 of ``value`` as JSON."""
    return hashlib.sha256(as_json(value).encode()).hexdigest()[:length]


def state_of(paths: Iterable[str | Path]) -> str:
    """Return a hash of the files' names, sizes and times: what stands for files that are too many to be a rule's inputs."""
    return digest([[str(p), s.st_size, s.st_mtime_ns] for p in paths for s in [Path(p).stat()]])

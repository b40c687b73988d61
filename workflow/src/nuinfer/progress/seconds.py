"""The file in which a run finds how long the jobs of earlier runs took.

{"results/smoke": {"train": [2, 31.4]}}    results folder, since sizes differ; rule; number of jobs, mean of their seconds
"""

import json
import math
import os
import threading
from contextlib import suppress
from pathlib import Path

from nuinfer.progress.account import Means


def read_means(path: Path, key: str) -> dict[str, tuple[float, float]]:
    """Return the seconds by rule that `write_means` kept for ``key``; a file or an entry that is broken counts as none."""
    found = {}
    for rule, pair in _entries(path, key).items():
        with suppress(TypeError, ValueError):
            n, mean_s = map(float, pair)
            if math.isfinite(n) and n >= 1 and math.isfinite(mean_s) and mean_s >= 0:
                found[rule] = (n, mean_s)
    return found


def write_means(path: Path, key: str, means: Means) -> None:
    """Keep ``means`` for ``key``, a results folder, beside those of others; the file appears whole or not at all.

    Where it cannot be written nothing is kept: the next run then knows less, and no more.
    """
    temporary = Path(path).with_suffix(f".{os.getpid()}.{threading.get_ident()}.part")
    with suppress(OSError):
        try:
            temporary.write_text(json.dumps({**_entries(path), key: dict(means)}, sort_keys=True), encoding="utf-8")
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def _entries(path: Path, *keys: str) -> dict:
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        for key in keys:
            found = found[key]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

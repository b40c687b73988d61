"""Results whose time of modification lies ahead, as a clock that was put back leaves them.  Standard library only.

Snakemake fails a job whose output is older than its input.  With an input from tomorrow it would do so until tomorrow.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def bring_back(paths: Iterable[str | Path], now_ns: int) -> list[Path]:
    """Give the files among ``paths`` that were modified after ``now_ns`` (ns since the epoch) that time; return them.

    The order of the files in time is kept, but that those from ahead become equally old: what has to be made again
    because an input is newer stays so.  A path without a file, or that may not be changed, is passed over.
    """
    ahead = []
    for path in map(Path, paths):
        with suppress(OSError):
            if path.stat().st_mtime_ns > now_ns:
                os.utime(path, ns=(now_ns, now_ns))
                ahead.append(path)
    return ahead

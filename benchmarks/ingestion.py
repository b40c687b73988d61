"""Seconds and memory of reading a table of throws: ``python benchmarks/ingestion.py``.

Writes a text table of ``--rows`` throws of four dials and 58 bins into a temporary folder, the writing not timed, and reads
it with :func:`nuinfer.tuning.sources.text.read_text` in a process of its own, whose peak of memory is that of the reading.
The slow twin, ``float`` of every entry of every line, reads a tenth of it; its time is scaled to the whole.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402 - the thread count is read when numpy is loaded

from nuinfer.seeds import stream  # noqa: E402
from nuinfer.tuning.sources.text import TableLayout, read_text  # noqa: E402

DIALS = ("MaCCQE", "NormCCMEC", "XSecShape_CCMEC", "RPA_CCQE")
N_BIN = 58
CHUNK = 2000
SLOW_SHARE = 10


def write_text(path: Path, n_rows: int) -> None:
    """Write throws with numbers of 10 digits, as a generator does: dials of either sign, then cross sections in cm^2."""
    rng = stream(6, "benchmark", "ingestion")
    with path.open("w") as file:
        for start in range(0, n_rows, CHUNK):
            n = min(CHUNK, n_rows - start)
            rows = np.hstack([rng.normal(size=(n, len(DIALS))), rng.exponential(1e-39, (n, N_BIN))])
            np.savetxt(file, rows, fmt="%.9e")


def read_fast(path: Path) -> dict[str, float]:
    """Return rows, the sum of all numbers and the seconds of the library's reader."""
    start = time.perf_counter()
    throws = read_text([path], TableLayout(DIALS, N_BIN))
    seconds = time.perf_counter() - start
    return {"rows": len(throws), "dial_sum": float(throws.dials.sum()), "seconds": seconds}


def read_slow(path: Path) -> dict[str, float]:
    """Return the same of the slow twin, which reads the first rows only."""
    n_rows = max(1, sum(1 for _ in path.open()) // SLOW_SHARE)
    start = time.perf_counter()
    with path.open() as file:
        rows = np.array([[float(entry) for entry in next(file).split()] for _ in range(n_rows)])
    seconds = time.perf_counter() - start
    return {"rows": n_rows, "dial_sum": float(rows[:, : len(DIALS)].sum()), "seconds": seconds}


READERS: dict[str, Callable[[Path], dict[str, float]]] = {"text": read_fast, "text_slow": read_slow}
"""What a process of its own can time; the files that it reads are the parent's."""


def measured(reader: str, path: Path) -> dict[str, float]:
    """Run a reader in a process of its own; return what it found and its peak of memory in MiB."""
    command = [sys.executable, __file__, "--reader", reader, "--path", str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def text_part(folder: Path, n_rows: int) -> dict[str, float]:
    """Return the figures of the text table."""
    path = folder / "throws.txt"
    write_text(path, n_rows)
    fast, slow = measured("text", path), measured("text_slow", path)
    slow_seconds = slow["seconds"] * fast["rows"] / slow["rows"]
    return {
        "text_rows": fast["rows"],
        "text_file_mib": round(path.stat().st_size / 2**20, 1),
        "text_seconds": round(fast["seconds"], 2),
        "text_peak_rss_mib": round(fast["peak_rss_mib"]),
        "text_slow_twin_seconds_scaled": round(slow_seconds, 2),
        "text_slow_over_fast": round(slow_seconds / fast["seconds"], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000, help="throws in the text table")
    parser.add_argument("--reader", choices=READERS, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.reader:
        found = READERS[args.reader](args.path)
        peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps(found | {"peak_rss_mib": peak_kib / 1024}))
        return
    with tempfile.TemporaryDirectory() as name:
        # A further source is a reader in READERS and a part here, e.g. of 1,000 ROOT files.
        print(json.dumps(text_part(Path(name), args.rows), indent=2))


if __name__ == "__main__":
    main()

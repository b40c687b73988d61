"""Seconds and memory of ingesting throws: ``python benchmarks/ingestion.py``.

Writes ``--rows`` throws of four dials and 58 bins as a text table, and ``--files`` of them as ROOT files of NUISANCE with their
cards, into a temporary folder (not timed), and runs the workflow's two steps on each, ``read_throws`` and ``ingest``, each in a
process of its own: what a user waits for, interpreter and HDF5 included.  The slow twin of the text reader, ``float`` of
every entry of every line, reads a tenth of the table; its time is scaled to the whole.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402 - the thread count is read when numpy is loaded

from nuinfer.seeds import stream  # noqa: E402
from nuinfer.tuning.sources.cards import CardSettings, card_text  # noqa: E402
from nuinfer.tuning.sources.tables import TableLayout  # noqa: E402
from nuinfer.tuning.sources.text import read_text  # noqa: E402
from nuinfer.workflow import state_of  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
BINNING = ROOT / "resources/t2k_cc0pi_bins.csv"
SAMPLE = "T2K_CC0pi_XSec_2DPcos_nu_I"
RANGES = {"MaCCQE": (0.0, 14.8), "NormCCMEC": (0.0, 4.0), "XSecShape_CCMEC": (0.0, 1.0), "RPA_CCQE": (0.0, 1.0)}
PRIORS = {
    "ma_ccqe_gev": {"low": 0.961242, "high": 0.961242 * (1 + 0.03 * 14.8)},
    "norm_ccmec": {"low": 1.0, "high": 3.0},
    "shape_ccmec": {"low": 0.0, "high": 1.0},
    "rpa_strength": {"low": 0.0, "high": 1.0},
}
N_BIN = 58
CHUNK = 2000
SLOW_SHARE = 10


def throws(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return dials of GENIE Reweight 3 and cross sections in cm^2, ``(n, 4 + 58)``."""
    dials = [rng.uniform(*within, n) for within in RANGES.values()]
    return np.column_stack([*dials, rng.exponential(1e-39, (n, N_BIN))])


def write_text(path: Path, n_rows: int) -> None:
    rng = stream(6, "benchmark", "ingestion")
    with path.open("w") as file:
        for start in range(0, n_rows, CHUNK):
            np.savetxt(file, throws(rng, min(CHUNK, n_rows - start)), fmt="%.9e")


def write_files(folder: Path, n_files: int) -> None:
    from nuisance_layout import write_nuiscomp

    rows = throws(stream(6, "benchmark", "files"), n_files)
    folder.mkdir()
    for i, row in enumerate(rows):
        prediction, path = row[len(RANGES) :], folder / f"throw_{i:08d}.root"
        write_nuiscomp(path, SAMPLE, prediction, 0.05 * prediction, prediction, np.diag((0.1 * prediction * 1e38) ** 2))
        dials = dict(zip(RANGES, row.tolist(), strict=False))
        path.with_suffix(".xml").write_text(card_text(CardSettings(), dials))


def run_step(name: str, *arguments: str) -> tuple[float, float]:
    """Run a step in a process of its own; return its seconds, and the highest peak of memory so far in MiB."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", f"nuinfer.steps.{name}", *arguments], check=True, capture_output=True)
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def ingested(folder: Path, source: dict, counts: dict) -> dict[str, float]:
    """Return the seconds of both steps and the higher of their peaks of memory."""
    raw, binning = folder / "raw.h5", str(BINNING)
    common = {"drop_momentum_overflow": True, "on_bad_throw": "error"}
    reading = run_step("read_throws", "--binning", binning, "--output", str(raw), "--settings", json.dumps(common | source))
    settings = {**common, "parameters": PRIORS, "convention": "reweight3", "units": "cm2", "counts": counts}
    settings |= {"check_prior": True, "simulation": "benchmark", "seed": 1}
    files = ["--simulations", str(folder / "simulations.h5"), "--report", str(folder / "ingest.json")]
    checking = run_step("ingest", "--parts", str(raw), "--binning", binning, *files, "--settings", json.dumps(settings))
    seconds = {"read_seconds": reading[0], "ingest_seconds": checking[0], "seconds": reading[0] + checking[0]}
    return {k: round(v, 2) for k, v in seconds.items()} | {"peak_mib": round(max(reading[1], checking[1]))}


def text_ratio(path: Path) -> dict[str, float]:
    """Return the reader's seconds alone, and its ratio to ``float`` of every entry, in this one process."""
    start = time.perf_counter()
    found = read_text([path], TableLayout(tuple(RANGES), N_BIN))
    fast = time.perf_counter() - start
    n_slow = max(1, len(found) // SLOW_SHARE)
    start = time.perf_counter()
    with path.open() as file:
        rows = np.array([[float(entry) for entry in next(file).split()] for _ in range(n_slow)])
    slow = (time.perf_counter() - start) * len(found) / n_slow
    if not np.array_equal(rows[:, len(RANGES) :], found.prediction[:n_slow]):
        raise SystemExit("the fast reader and the slow one differ")
    return {"reader_seconds": round(fast, 2), "slow_twin_seconds_scaled": round(slow, 2), "ratio": round(slow / fast, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000, help="throws in the text table")
    parser.add_argument("--files", type=int, default=1000, help="files of NUISANCE")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder / "files", args.files)
        section = {"files": [f"{folder}/files/*.root"], "range": [0, args.files], "sample": SAMPLE}
        section |= {"state": state_of(sorted((folder / "files").glob("*.root"))), "absolute": False}
        section["dials"] = {"card": "{stem}.xml", "columns": list(RANGES)}
        small = {"validation": args.files // 10, "test": args.files // 10}
        found = {"nuisance": {"files": args.files} | ingested(folder, {"nuisance": section}, small)}
        table = folder / "throws.txt"
        write_text(table, args.rows)
        source = {"files": [str(table)], "dials": list(RANGES), "decimal_comma": False, "predictions": "prediction"}
        large = {"validation": args.rows // 10, "test": args.rows // 40}
        found["text"] = {"rows": args.rows, "file_mib": round(table.stat().st_size / 2**20, 1)}
        found["text"] |= ingested(folder, {"table": source}, large) | text_ratio(table)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()

"""Seconds of a dry run of many systematic ensembles: ``python benchmarks/dag.py``.

Writes a temporary overlay of ``config/config.yaml`` with ``--studies`` studies of ``--draws`` draws, each an ensemble, and
times ``snakemake -n`` of the target ``systematics`` in an empty working directory, with the list of jobs and without.
Also the hashes of all steps' code, which every start of Snakemake asks for: with what is kept of parsed modules, and without.
Seconds of the processor stand beside those of the clock: on a busy machine the clock measures the others.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nuinfer import codehash

ROOT = Path(__file__).resolve().parents[1]


def overlay(n_studies: int, n_draws: int) -> dict:
    """Return the entries added to the configuration: studies of three learners and statistics, an ensemble of each."""
    varied = {"experiment": "dune", "draws": n_draws, "grid": {"n_u": 64, "n_v": 64}, "varies": ["near_data", "flux", "seed"]}
    names = [f"many_{i:03d}" for i in range(n_studies)]
    learners = ("mlp", "gaussian", "published")
    return {
        "studies": {
            name: {**varied, "label": name, "learner": learners[i % 3], "events": 3000000 + i} for i, name in enumerate(names)
        },
        "ensembles": {name: {"label": name, "sample": "plain", "study": name} for name in names},
    }


def dry_run(folder: Path, *options: str) -> tuple[float, float, str]:
    """Return the seconds of one ``snakemake -n`` by clock and processor, and its output; end where it fails."""
    command = [sys.executable, "-m", "snakemake", "-n", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    start, used = time.perf_counter(), processor_s()
    done = subprocess.run(
        [*command, "--configfile", str(folder / "many.yaml"), *options, "--", "systematics"],
        cwd=ROOT, capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
    return seconds, processor_s() - used, done.stdout + done.stderr


def processor_s() -> float:
    """Return the processor's seconds of all finished child processes."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def hashing_s(kept: bool) -> float:
    """Return the processor's seconds for the hashes of all steps' code, as a new process finds them."""
    codehash.code_hash.cache_clear()
    codehash.module_file.cache_clear()
    record = codehash.Meanings(codehash.kept_file() if kept else None)
    start = time.process_time()
    for path in sorted((codehash.SOURCE / "steps").glob("[a-z]*.py")):
        codehash.of_modules(record, f"nuinfer.steps.{path.stem}")
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--draws", type=int, default=25)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    hashing_s(kept=True)  # what lacks is parsed here
    kept_s, parsed_s = (statistics.median(hashing_s(kept) for _ in range(arguments.repeats)) for kept in (True, False))
    print(f"hashes of all steps: {kept_s:.3f} s kept, {parsed_s:.3f} s parsed again, ratio {parsed_s / kept_s:.0f}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for entry in ("config", "resources"):
            (folder / entry).symlink_to(ROOT / entry)
        # JSON is YAML.
        (folder / "many.yaml").write_text(json.dumps(overlay(arguments.studies, arguments.draws)), encoding="utf-8")
        for options in ((), ("--quiet", "all")):
            runs = [dry_run(folder, *options) for _ in range(arguments.repeats)]
            clock, processor = (statistics.median(run[i] for run in runs) for i in (0, 1))
            print(f"snakemake -n {' '.join(options):12s} {clock:5.1f} s by the clock, {processor:5.1f} s of the processor")
            if not options:
                rows = [line.split() for line in runs[0][2].split("Job stats:")[1].splitlines()]
                print({row[0]: int(row[1]) for row in rows if row[:1] in (["learn"], ["member"], ["union"], ["total"])})


if __name__ == "__main__":
    main()

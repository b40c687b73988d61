"""Seconds of a dry run of many systematic ensembles: ``python benchmarks/dag.py``.

Writes a temporary overlay of ``config/config.yaml`` with ``--studies`` studies of ``--draws`` draws, each an ensemble, and times
``snakemake -n`` of the target ``systematics`` in an empty working directory, with its table of jobs and without.  Then the
same with every result in place, where each job's settings and code are compared with what was recorded.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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


def dry_run(folder: Path, *options: str) -> tuple[float, str]:
    """Return the seconds of one ``snakemake -n`` and its output; raise where it fails."""
    command = [sys.executable, "-m", "snakemake", "-n", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    start = time.perf_counter()
    done = subprocess.run(
        [*command, "--configfile", str(folder / "many.yaml"), *options, "--", "systematics"],
        cwd=ROOT, capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
    return seconds, done.stdout + done.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--draws", type=int, default=25)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for entry in ("config", "resources"):
            (folder / entry).symlink_to(ROOT / entry)
        # JSON is YAML.
        (folder / "many.yaml").write_text(json.dumps(overlay(arguments.studies, arguments.draws)), encoding="utf-8")
        for options in ((), ("--quiet", "all")):
            runs = [dry_run(folder, *options) for _ in range(arguments.repeats)]
            seconds = sorted(run[0] for run in runs)
            print(f"snakemake -n {' '.join(options):12s} {seconds[len(seconds) // 2]:6.1f} s  (fastest {seconds[0]:.1f} s)")
            if not options:
                print("\n".join(line for line in runs[0][1].splitlines() if line.split()[:1] in (["learn"], ["member"], ["total"])))


if __name__ == "__main__":
    main()

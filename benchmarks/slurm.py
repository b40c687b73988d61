"""Seconds that Slurm and Snakemake add to a tiny draw: ``python benchmarks/slurm.py``, as root where Slurm is installed.

A study of ``--draws`` tiny draws (the Gaussian learner on 16 x 16 bins) runs through Slurm with ``profiles/slurm``, for each
number in ``--blocks`` of draws that share a job; the same draws are then learned in this one process, and both must agree.
The overhead of a draw is (seconds by the clock x processors of Slurm - seconds of the draws in one process) / draws: all that
is not the fit itself, which is the queue, Snakemake and srun of each job, and the interpreter and imports of each draw.  What
else uses the machine is counted, too.  ``snakemake -n`` of ``--planned`` draws is timed besides.

Uses the Slurm that runs; without one it starts the tests' own and ends it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
from threadpoolctl import threadpool_limits

from nuinfer.steps.learn import learn

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path("results/smoke")
STUDY = {
    "label": "tiny draws",
    "learner": "quick_gaussian",
    "experiment": "dune",
    "grid": {"n_u": 16, "n_v": 16},
    "events": 3000000,
    "varies": ["near_data", "flux", "seed"],
}


def draws_of(study: str, n_draws: int) -> list[str]:
    """Return the files of a study's first draws."""
    return [str(RESULTS / f"closure/{study}/{i}/learned.h5") for i in range(n_draws)]


def snakemake(folder: Path, options: list[str], targets: list[str]) -> tuple[float, str]:
    """Return the seconds of one run and what it said; end where it fails."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    configuration = ["--configfile", str(ROOT / "config/smoke.yaml"), str(folder / "many.yaml")]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    start = time.perf_counter()
    done = subprocess.run(
        [*command, *configuration, *options, "--", *targets],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-4000:])
    return time.perf_counter() - start, done.stdout + done.stderr


def workdir(folder: Path, studies: list[str], n_draws: int) -> None:
    """Make a working directory whose configuration has `studies`, alike but for their seeds."""
    for entry in ("config", "resources"):
        (folder / entry).symlink_to(ROOT / entry)
    overlay = {"studies": {name: {**STUDY, "draws": n_draws} for name in studies}}
    (folder / "many.yaml").write_text(json.dumps(overlay), encoding="utf-8")  # JSON is YAML


def learned_here(folder: Path, study: str, n_draws: int) -> float:
    """Learn the study's draws in this process; return the seconds, and end where Slurm's draws differ."""
    experiments = folder / RESULTS / "experiments"
    elapsed = 0.0
    for path in draws_of(study, n_draws):
        with h5py.File(folder / path) as file:
            settings, through_slurm = json.loads(file.attrs["settings"]), arrays(file)
        near = experiments / "dune_16x16"
        start = time.perf_counter()
        learn(
            near / "truth.h5", near / "operator.h5", folder / "near.h5", folder / "learned.h5",
            settings, [ROOT / "resources/dune_flux_components.csv"],
        )  # fmt: skip
        elapsed += time.perf_counter() - start
        with h5py.File(folder / "learned.h5") as file:
            for name, here in arrays(file).items():
                if not np.array_equal(here, through_slurm[name], equal_nan=True):
                    raise SystemExit(f"{path}: {name} differs from the same draw in one process")
    return elapsed


def arrays(file: h5py.File) -> dict[str, np.ndarray]:
    """Return every numerical array of a file but clock readings."""
    found = {}
    file.visititems(lambda name, item: found.__setitem__(name, item[...]) if isinstance(item, h5py.Dataset) else None)
    clocks = ("cpu_s", "ms_per_step", "seconds")
    return {k: v for k, v in found.items() if v.dtype.kind in "fiu" and k.rsplit("/", 1)[-1] not in clocks}


def processors() -> int:
    """Return the processors that the running Slurm has, 0 where none runs."""
    try:
        done = subprocess.run(["sinfo", "--noheader", "--format=%C"], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return 0
    return sum(int(line.split("/")[-1]) for line in done.stdout.split())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--blocks", type=int, nargs="+", default=[10], help="draws that share a job; 10 is the profile's")
    parser.add_argument("--planned", type=int, default=1000)
    arguments = parser.parse_args()
    started = not processors()
    if started:
        subprocess.run([ROOT / "tests/slurm/up.sh"], check=True)
    try:
        measure(arguments.draws, arguments.blocks)
    finally:
        if started:
            subprocess.run([ROOT / "tests/slurm/down.sh"], check=True)
    with tempfile.TemporaryDirectory() as name:
        workdir(Path(name), ["planned"], arguments.planned)
        options = ["--profile", str(ROOT / "profiles/slurm"), "-n"]
        seconds, said = snakemake(Path(name), options, draws_of("planned", arguments.planned))
        assert said.count("rule learn:") == arguments.planned
        print(f"snakemake -n of {arguments.planned} draws: {seconds:.1f} s")


def measure(n_draws: int, blocks: list[int]) -> None:
    """Print the overhead of a draw for every size of a block."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder, studies = Path(name), [f"blocks_of_{size}" for size in blocks]
        workdir(folder, studies, n_draws)
        shared = [str(RESULTS / f"experiments/dune_16x16/{file}.h5") for file in ("operator", "truth")]
        snakemake(folder, ["--cores", "1"], shared)
        for study, size in zip(studies, blocks, strict=True):
            options = ["--profile", str(ROOT / "profiles/slurm"), "--latency-wait", "5"]
            components = ["--group-components", f"draws_{{study}}={size}", f"draws_{{xsec}}={size}"]
            wall_s, _ = snakemake(folder, [*options, *components], draws_of(study, n_draws))
            with threadpool_limits(1):  # as in a job: the last bits depend on it
                work_s = learned_here(folder, study, n_draws)
            overhead_s = (wall_s * processors() - work_s) / n_draws
            print(
                f"{n_draws} draws in blocks of {size}: {wall_s:.0f} s on {processors()} processors, {work_s:.0f} s of it work:"
                f" {overhead_s:.2f} s of overhead a draw",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""Runs of the smoke configuration, and what they left: for the tests of whole runs."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np

from nuinfer.io.jsonfile import read_json

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path("results/smoke")
CLOCKS = ("cpu_s", "ms_per_step", "seconds")


def command(*arguments):
    base = ["-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2"]
    return [sys.executable, *base, "--configfile", str(ROOT / "config/smoke.yaml"), *arguments]


def environment():
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def workdir(folder):
    folder.mkdir()
    for name in ("config", "resources"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def run(folder, *arguments):
    base = command("--directory", str(folder), *arguments)
    done = subprocess.run(base, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done.stdout + done.stderr


def content(folder):
    """All that a run left: file -> arrays, JSON or tensors as bytes; clock readings left out."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in (folder / RESULTS).rglob("*.safetensors")}
    for path in sorted((folder / RESULTS).rglob("*.h5")):
        with h5py.File(path) as file:
            found |= {f"{path.relative_to(folder)}:{name}": file[name][...] for name in datasets(file)}
    for path in sorted((folder / RESULTS).rglob("*.json")):
        if path.name == "cost.json":
            continue
        found[str(path.relative_to(folder))] = without_clock(read_json(path))
    return found


def datasets(file):
    names = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return [name for name in names if name.rsplit("/", 1)[-1] not in CLOCKS]


def without_clock(value):
    """Drop clock readings, the one thing that two runs may differ in."""
    if isinstance(value, dict):
        return {k: without_clock(v) for k, v in value.items() if k not in CLOCKS}
    return value


def assert_same(first, second):
    assert first.keys() == second.keys()
    for key, value in first.items():
        if isinstance(value, np.ndarray):
            assert np.array_equal(value, second[key], equal_nan=value.dtype.kind == "f"), key
        else:
            assert value == second[key], key


def planned(output):
    """Count the jobs of each rule in a dry run's table."""
    table = output.split("Job stats:")[1].split("\ntotal ")[0].splitlines()[3:]
    return {line.split()[0]: int(line.split()[1]) for line in table if line.strip()}

"""Results made with another configuration, as Snakemake meets them: known to it, unknown to it, and told to take them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from smoke_run import RESULTS, ROOT, environment, planned, workdir

MEASUREMENT = RESULTS / "measurements/stand_in.h5"
CHUNK = RESULTS / "simulations/cc0pi/chunks/test_00000.h5"
CHANGED = {"measurements": {"stand_in": {"floor": 0.05}}}
DIFFERENCE = f"{MEASUREMENT}: measurement.floor: 0.02 -> 0.05"


def attempt(folder, config, *options):
    """Return the exit status and all output of Snakemake on two small results, with ``config`` over the smoke one."""
    overlay = folder / "overlay.yaml"
    overlay.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    base = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    base += ["--cores", "1", "--configfile", str(ROOT / "config/smoke.yaml"), str(overlay), *options]
    done = subprocess.run(
        [*base, "--", str(MEASUREMENT), str(CHUNK)], cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def finish(folder, config, *options):
    status, output = attempt(folder, config, *options)
    assert status == 0, output[-6000:]
    return output


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder in which the two results were made with the smoke configuration."""
    folder = workdir(tmp_path_factory.mktemp("foreign") / "whole")
    finish(folder, {})
    return folder


@pytest.fixture
def known(whole, tmp_path):
    """A copy of that folder, times and Snakemake's notes included."""
    return Path(shutil.copytree(whole, tmp_path / "run", symlinks=True))


@pytest.fixture
def unknown(known):
    """The copy without Snakemake's notes: results that somebody else handed over."""
    shutil.rmtree(known / ".snakemake")
    return known


def state(folder):
    return {str(p): (p.stat().st_mtime_ns, p.read_bytes()) for p in sorted((folder / RESULTS).rglob("*")) if p.is_file()}


def floor(folder):
    with h5py.File(folder / MEASUREMENT) as file:
        return json.loads(file.attrs["settings"])["measurement"]["floor"]


@pytest.mark.parametrize("left", ["nothing", "a job"])
def test_unknown_results_of_another_configuration_are_refused(unknown, left):
    if left == "a job":
        (unknown / CHUNK).unlink()
    before = state(unknown)
    for options in ((), ("-n",)):
        status, output = attempt(unknown, CHANGED, *options)
        assert status != 0 and DIFFERENCE in output and "--forcerun measurement" in output, output[-3000:]
    assert output.count(" -> ") == 2  # the heading's and the one difference
    assert state(unknown) == before
    assert not list(unknown.glob(".snakemake/locks/*")) and not list(unknown.glob(".snakemake/nuinfer_runs/*"))
    if left == "a job":
        assert planned(finish(unknown, CHANGED, "--forcerun", "measurement")) == {"measurement": 1, "simulate": 1}
        assert floor(unknown) == 0.05


def test_unknown_results_of_the_same_configuration_are_taken(unknown):
    before = state(unknown)
    output = finish(unknown, {})
    assert "Nothing to be done" in output and "taken as they are" not in output and " -> " not in output
    assert state(unknown) == before


def test_known_results_of_another_configuration_are_made_again(known):
    output = finish(known, CHANGED)
    assert planned(output) == {"measurement": 1} and floor(known) == 0.05
    assert "no note of" not in output and "taken as they are" not in output


def test_told_to_take_them_the_difference_is_named(known):
    before = state(known)
    output = finish(known, CHANGED, "--rerun-triggers", "mtime")
    assert "Nothing to be done" in output
    assert f"taken as they are: measurement, 1 with other settings, the first {DIFFERENCE}" in output
    assert state(known) == before

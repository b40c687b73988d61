"""A run that meets a fault: the same command finishes it, and ends with the numbers of an undisturbed run."""

import ctypes
import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from smoke_run import RESULTS, ROOT, assert_same, command, content, environment, planned, workdir

from nuinfer.locks import RUNS

TARGET = str(RESULTS / "tuning/diagonal/likelihood.h5")
SIMULATIONS = RESULTS / "simulations/cc0pi/simulations.h5"
DAY_S = 86400.0
WAIT_S = 120.0

# Read by every Python that starts with this folder on its path: stops the one that is about to name its finished output.
STOP = """
import os, signal, time
plain = os.replace
def replace(source, target, **others):
    if os.path.basename(target) == os.environ["STOP_AT"]:
        reached = os.environ["STOP_REACHED"]
        open(reached, "w").close()
        if os.environ["STOP_HOW"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        end = time.monotonic() + 120
        while not os.path.exists(reached + ".go") and time.monotonic() < end:
            time.sleep(0.05)
    plain(source, target, **others)
os.replace = replace
"""


def fault_command(folder, *options):
    return command("--directory", str(folder), *options, "--", TARGET)


def attempt(folder, *options, env=None):
    """Return the exit status and all output of the one command of these tests."""
    done = subprocess.run(
        fault_command(folder, *options), cwd=ROOT, env=env or environment(), capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def finish(folder, *options):
    status, output = attempt(folder, *options)
    assert status == 0, output[-6000:]
    return output


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder in which the command has run undisturbed."""
    folder = workdir(tmp_path_factory.mktemp("faults") / "whole")
    finish(folder)
    return folder


@pytest.fixture
def copied(whole, tmp_path):
    """A copy of that folder, times and Snakemake's notes included."""
    return Path(shutil.copytree(whole, tmp_path / "run", symlinks=True))


@pytest.fixture
def begun(copied):
    """The copy without the gathered simulations: two jobs are left, the second of which reads them."""
    (copied / SIMULATIONS).unlink()
    (copied / TARGET).unlink()
    return copied


def stopping(tmp_path, how):
    """Return the environment in which the job that gathers simulations stops before its rename, and the file it leaves."""
    patch = tmp_path / "patch"
    patch.mkdir()
    (patch / "sitecustomize.py").write_text(STOP)
    reached = tmp_path / "reached"
    own = {"STOP_AT": SIMULATIONS.name, "STOP_HOW": how, "STOP_REACHED": str(reached), "PYTHONPATH": str(patch)}
    return {**environment(), **own}, reached


@contextmanager
def held_up(folder, tmp_path):
    """Yield a Snakemake whose job waits before its rename until ``release(tmp_path)``; all of it is ended at the end."""
    env, reached = stopping(tmp_path, "wait")
    with open(tmp_path / "held_up.log", "w") as log:
        process = subprocess.Popen(fault_command(folder), cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        until(reached.exists, process)
        yield process
    finally:
        release(tmp_path)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def release(tmp_path):
    (tmp_path / "reached.go").touch()


def until(true, process=None):
    end = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end and (process is None or process.poll() is None), "ended or waited too long"
        time.sleep(0.05)


def parts(folder):
    return list((folder / SIMULATIONS).parent.glob(".*.part"))


def lock_files(folder):
    return sorted(p.name for p in (folder / ".snakemake/locks").glob("*"))


def records(folder):
    return sorted((folder / ".snakemake" / RUNS).glob("*"))


@pytest.mark.parametrize("with_its_jobs", [True, False])
def test_killed_snakemake_is_run_again_without_unlocking(whole, begun, tmp_path, with_its_jobs):
    """With its jobs, and alone: its job lives on and ends after the second run has made the same result."""
    with held_up(begun, tmp_path) as process:
        (os.killpg if with_its_jobs else os.kill)(process.pid, signal.SIGKILL)
        process.wait()
        (record,) = records(begun)
        held = lock_files(begun)
        assert held == ["0.input.lock", "0.output.lock"]
        kept = record.rename(tmp_path / record.name)
        status, output = attempt(begun)
        assert status != 0 and "--unlock" in output and lock_files(begun) == held
        kept.rename(record)
        output = finish(begun)
        assert f"process {process.pid} was killed here" in output
        assert output.count("rule gather:") == output.count("rule likelihood:") == 1 and "rule simulate:" not in output
        assert records(begun) == [] and lock_files(begun) == []
        release(tmp_path)
        until(lambda: with_its_jobs or not parts(begun))
    assert_same(content(whole), content(begun))
    if not with_its_jobs:
        finish(begun)
        assert_same(content(whole), content(begun))


def test_second_run_in_a_folder_is_refused_and_the_first_unharmed(whole, begun, tmp_path):
    with held_up(begun, tmp_path) as process:
        held, noted = lock_files(begun), records(begun)
        assert held and len(noted) == 1
        status, output = attempt(begun)
        assert status != 0 and "--unlock" in output and "was killed here" not in output
        assert planned(finish(begun, "-n")) == {"gather": 1, "likelihood": 1}
        assert (lock_files(begun), records(begun)) == (held, noted)
        release(tmp_path)
        assert process.wait(WAIT_S) == 0, (tmp_path / "held_up.log").read_text()[-3000:]
    assert_same(content(whole), content(begun))
    assert records(begun) == [] and "Nothing to be done" in finish(begun)


def test_unlock_still_works(whole, begun, tmp_path):
    """Needed for a run of another machine, about which nothing can be known here; its jobs leave the locks alone."""
    with held_up(begun, tmp_path) as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    (record,) = records(begun)
    for mode in ("subprocess", "remote"):  # as a job of a run is started: it judges no lock
        finish(begun, "-n", "--mode", mode, "--nolock", "--no-hooks")
    assert records(begun) == [record] and lock_files(begun)
    record.write_text(record.read_text().replace('"host": "', '"host": "another-'))
    status, output = attempt(begun)
    assert status != 0 and "--unlock" in output and lock_files(begun)
    finish(begun, "--unlock")
    finish(begun)
    assert_same(content(whole), content(begun))


def test_job_killed_before_its_rename(whole, begun, tmp_path):
    """Its whole but unnamed file is no result, and does not stand in the way of one."""
    env, reached = stopping(tmp_path, "kill")
    status, output = attempt(begun, env=env)
    (part,) = parts(begun)
    assert reached.exists() and status != 0 and part.stat().st_size == (whole / SIMULATIONS).stat().st_size
    assert not (begun / SIMULATIONS).exists() and "rule likelihood:" not in output
    ending = output[output.index("failed jobs, 1") :]
    assert "gather" in ending and "logs/smoke/gather/cc0pi.log" in ending
    assert records(begun) == [] and lock_files(begun) == []
    finish(begun)
    assert_same(content(whole), content(begun))


def mounted(folder, size, again=False):
    """Put a tmpfs of ``size`` on ``folder``, or change its size; return the error's text, empty for none (mount(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    remount = 32 if again else 0
    failed = libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", remount, f"size={size}".encode())
    return os.strerror(ctypes.get_errno()) if failed else ""


@pytest.fixture
def small_disk(begun, tmp_path):
    """The begun run on a disk of 16 MiB of its own, and the files that fill it but for some bytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if refused := mounted(folder, "16m"):
        pytest.skip(f"no tmpfs can be mounted here: {refused}")
    try:
        yield Path(shutil.copytree(begun, folder / "run", symlinks=True))
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("left_byte", [0, 300_000])
def test_full_disk(whole, small_disk, left_byte):
    """Without room for anything at all, and without room for the result of 2.4 MB."""
    state = os.statvfs(small_disk)
    with open(small_disk.parent / "filler", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, (state.f_bavail - left_byte // state.f_frsize) * state.f_frsize))
    before = content(small_disk)
    status, output = attempt(small_disk)
    assert status != 0 and "No space left on device" in output
    assert not (small_disk / SIMULATIONS).exists() and not (small_disk / TARGET).exists() and not parts(small_disk)
    assert_same(before, content(small_disk))
    if left_byte:
        assert f"error: {SIMULATIONS}: No space left on device; make room on the disk" in output
    assert mounted(small_disk.parent, "64m", again=True) == ""
    finish(small_disk)
    assert_same(content(whole), content(small_disk))


def test_half_written_result_is_named_and_made_again(whole, copied):
    """Cut short by hand and newer than what follows; Snakemake sees a changed input, the step that it is not whole."""
    cut = copied / SIMULATIONS
    os.truncate(cut, cut.stat().st_size // 2)
    os.utime(cut)
    status, output = attempt(copied)
    assert status != 0 and f"error: {SIMULATIONS}: not a whole HDF5 file" in output
    assert "remove it and make it again" in output and "logs/smoke/likelihood/diagonal.log" in output
    cut.unlink()
    finish(copied)
    assert_same(content(whole), content(copied))


def planned_by(output):
    return {} if "Nothing to be done" in output else planned(output)


@pytest.mark.parametrize(
    ("name", "by_day", "again"),
    [
        ("response.h5", 1, {}),
        ("simulations.h5", 1, {"likelihood": 1}),
        ("simulations.h5", -1, {"gather": 1, "likelihood": 1}),
    ],
)
def test_clock_that_jumps(whole, copied, name, by_day, again):
    """A result is of tomorrow or yesterday: at most it and what follows it is made again, and comes out the same.

    Snakemake compares the content of a newer input up to 1 MB, and takes a larger one for changed.
    """
    path = copied / SIMULATIONS.with_name(name)
    os.utime(path, (time.time() + by_day * DAY_S,) * 2)
    assert planned_by(finish(copied)) == again
    assert_same(content(whole), content(copied))


def test_clock_put_back_in_the_middle_of_the_work(whole, begun):
    """All results so far are of tomorrow; without its time brought back, an input makes every job on it fail till then."""
    left = list((begun / RESULTS).rglob("*.h5"))
    for path in left:
        os.utime(path, (time.time() + DAY_S,) * 2)
    output = finish(begun)
    assert f"results from the future, {len(left)}, " in output
    assert_same(content(whole), content(begun))
    assert "Nothing to be done" in finish(begun)


def test_all_times_lost(whole, copied):
    """Every result with the same time, long past, as of an archive unpacked without times."""
    for path in (copied / RESULTS).rglob("*.h5"):
        os.utime(path, (DAY_S, DAY_S))
    finish(copied)
    assert_same(content(whole), content(copied))

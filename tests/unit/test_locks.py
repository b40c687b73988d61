"""Locks of a process that is gone are removed; of any other, or of one that nobody knows, never."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nuinfer import locks

HERE = locks.this_process()
pytestmark = pytest.mark.skipif(HERE is None, reason="no /proc on this system")

HOLD = "import sys, time; from nuinfer import locks; from pathlib import Path; f = Path(sys.argv[1])\n"
HOLD += "locks.note_run(f, sorted(f.joinpath('locks').iterdir())); print('held', flush=True); time.sleep(60)\n"


@pytest.fixture
def folder(tmp_path):
    """A ``.snakemake`` with the two lock files of a run."""
    (tmp_path / "locks").mkdir()
    for name in ("0.input.lock", "0.output.lock"):
        (tmp_path / "locks" / name).write_text("results/a.h5\n")
    return tmp_path


def held(folder):
    return sorted(p.name for p in (folder / "locks").iterdir())


def records(folder):
    return sorted((folder / locks.RUNS).glob("*"))


def holder(folder):
    """Start a process that notes the locks of ``folder`` as its own."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def change(folder, **entries):
    (path,) = records(folder)
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def start_by_ps(pid):
    """Seconds for which a process has run, by another tool than the one under test."""
    return float(subprocess.run(["ps", "-o", "etimes=", "-p", str(pid)], capture_output=True, text=True).stdout)


def test_locks_of_a_killed_process_are_removed_and_of_a_running_one_not(folder):
    process = holder(folder)
    try:
        assert locks.clear_stale(folder) == [] and len(held(folder)) == 2 and len(records(folder)) == 1
    finally:
        process.kill()
    process.wait()
    (line,) = locks.clear_stale(folder)
    assert str(process.pid) in line and "0.input.lock" in line
    assert held(folder) == [] and records(folder) == [] and locks.clear_stale(folder) == []


def test_a_zombie_holds_nothing(folder):
    process = holder(folder)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{process.pid}").exists()
    assert locks.clear_stale(folder) and held(folder) == []
    process.wait()


def test_a_number_used_again_is_another_process(folder):
    locks.note_run(folder, (folder / "locks").iterdir())
    change(folder, start_ticks=HERE.start_ticks - 1)
    assert locks.clear_stale(folder) and held(folder) == []


@pytest.mark.parametrize("entry", [{"host": "elsewhere"}, {"machine": "other"}, {"pid_namespace": "pid:[1]"}])
def test_another_machine_or_container_is_left(folder, entry):
    locks.note_run(folder, (folder / "locks").iterdir())
    change(folder, start_ticks=0, **entry)
    assert locks.clear_stale(folder) == [] and len(held(folder)) == 2 and len(records(folder)) == 1


def test_a_boot_ends_every_process_of_a_machine_that_is_known():
    before = dataclasses.replace(HERE, boot="earlier", pid_namespace="pid:[1]")
    assert locks.is_gone(dataclasses.replace(before, machine="m"), dataclasses.replace(HERE, machine="m"))
    assert not locks.is_gone(dataclasses.replace(before, machine=""), dataclasses.replace(HERE, machine=""))


def test_a_hidden_process_is_not_gone(monkeypatch):
    def hidden(pid):
        raise FileNotFoundError

    monkeypatch.setattr(locks, "_stat", hidden)
    assert not locks.is_gone(HERE, HERE)
    assert locks.is_gone(dataclasses.replace(HERE, pid=2**22 + 1), HERE)


def test_a_lock_file_made_anew_under_the_name_is_left(folder):
    locks.note_run(folder, (folder / "locks").iterdir())
    change(folder, start_ticks=0)
    os.utime(folder / "locks/0.input.lock", ns=(1, 1))
    (line,) = locks.clear_stale(folder)
    assert held(folder) == ["0.input.lock"] and "0.output.lock" in line and "0.input.lock" not in line


def test_locks_of_another_run_in_the_folder_are_left(folder):
    """Snakemake allows two runs that share no file: one is killed, the other goes on."""
    mine = sorted((folder / "locks").iterdir())
    (folder / "locks/1.output.lock").write_text("results/b.h5\n")
    locks.note_run(folder, mine)
    change(folder, start_ticks=0)
    assert locks.clear_stale(folder) and held(folder) == ["1.output.lock"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": 1', '{"locks_mtime_ns": {}, "pid": 1}', '{"locks_mtime_ns": 3}'])
def test_without_a_whole_record_nothing_is_removed(folder, text):
    (folder / locks.RUNS).mkdir()
    (folder / locks.RUNS / "host.1.2.json").write_text(text)
    assert locks.clear_stale(folder) == [] and len(held(folder)) == 2


def test_names_in_a_record_lead_nowhere_else(folder):
    (folder / "kept").write_text("")
    locks.note_run(folder, (folder / "locks").iterdir())
    change(folder, start_ticks=0, locks_mtime_ns={"../kept": (folder / "kept").stat().st_mtime_ns})
    assert locks.clear_stale(folder) == [] and (folder / "kept").exists()


def test_a_clean_end_leaves_no_record_and_no_lock_notes_none(folder):
    locks.note_run(folder, [])
    assert records(folder) == []
    locks.note_run(folder, (folder / "locks").iterdir())
    assert len(records(folder)) == 1
    locks.forget_run(folder)
    locks.forget_run(folder)
    assert records(folder) == [] and len(held(folder)) == 2


def test_a_record_that_cannot_be_written_stops_nothing(folder):
    (folder / locks.RUNS).write_text("a file where the folder should be")
    locks.note_run(folder, (folder / "locks").iterdir())
    assert len(held(folder)) == 2


def test_start_agrees_with_ps():
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    try:
        running_s = start_by_ps(HERE.pid)
    except (OSError, ValueError):
        pytest.skip("no ps on this machine")
    assert abs(uptime_s - HERE.start_ticks / ticks_per_s - running_s) < 3.0

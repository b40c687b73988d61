"""Locks that a killed Snakemake left: found by a record of who held them, and removed.  Standard library only.

Snakemake locks the files of a run in ``.snakemake/locks`` and takes the locks away when it ends; killed with SIGKILL it
cannot, and the next run is refused.  Each run therefore notes who it is and which lock files are its own.  Locks are
removed only where that shows that their process is gone.  A run on another machine or in another container, a lock
without a record, and a lock file that is not the one noted are left, so that Snakemake's own refusal stands.
"""

import json
import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

RUNS = "nuinfer_runs"
"""Folder of the records, one file a process: Snakemake allows two runs at once in a folder that share no file."""


@dataclass(frozen=True)
class Process:
    """A process of a machine, as ``/proc`` tells it (proc(5)).

    ``start_ticks`` is when it began, in clock ticks since the boot: a number used again has another.
    """

    host: str
    machine: str
    boot: str
    pid_namespace: str
    pid: int
    start_ticks: int


def this_process() -> Process | None:
    """Return this process, or None on a system without ``/proc``."""
    try:
        found = _stat(os.getpid())
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        return None
    return Process(socket.gethostname(), _machine_id(), boot, namespace, os.getpid(), found[1])


def is_gone(process: Process, here: Process) -> bool:
    """Return whether ``process`` has ended for certain, as seen from the process ``here``; False where one cannot know."""
    if (process.host, process.machine) != (here.host, here.machine):
        return False
    if process.boot != here.boot:
        # Two machines may have one name; with one id as well it is the same machine, started again.
        return bool(here.machine)
    if process.pid_namespace != here.pid_namespace:
        return False
    try:
        state, start_ticks = _stat(process.pid)
    except OSError:
        # Some machines hide other users' processes in /proc (hidepid), but not from this question.
        try:
            os.kill(process.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            pass
        return False
    return state in "ZX" or start_ticks != process.start_ticks


def note_run(folder: Path, lock_files: Iterable[str | Path]) -> None:
    """Note in ``folder`` (``.snakemake``) that this process holds ``lock_files``.

    Without a lock, or where the record cannot be written, nothing is noted: then a kill leaves locks for
    ``snakemake --unlock``, as without this module.
    """
    process, lock_files = this_process(), list(lock_files)
    if process is None or not lock_files:
        return
    path = _record(folder, process)
    temporary = path.with_suffix(".part")
    try:
        held = {Path(p).name: Path(p).stat().st_mtime_ns for p in lock_files}
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps({**asdict(process), "locks_mtime_ns": held}), encoding="utf-8")
        os.replace(temporary, path)
    except OSError:
        forget_run(folder)


def forget_run(folder: Path) -> None:
    """Remove this process' record from ``folder``; none, or one that cannot be removed, is no fault: the next run does it."""
    process = this_process()
    if process is not None:
        for suffix in (".json", ".part"):
            with suppress(OSError):
                _record(folder, process).with_suffix(suffix).unlink()


def clear_stale(folder: Path) -> list[str]:
    """Remove the lock files in ``folder``/locks of processes that are gone, and their records.

    Returns one line for each such process that had a lock left.
    """
    here = this_process()
    lines = []
    for path in sorted(Path(folder, RUNS).glob("*.json")) if here else []:
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            held = dict(entry.pop("locks_mtime_ns"))
            process = Process(**entry)
            if not is_gone(process, here):
                continue
            # Of two runs that find a record, the one that removes it goes on: the other may find its new locks instead.
            path.unlink()
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            continue
        removed = [name for name, mtime_ns in held.items() if _remove(Path(folder, "locks", Path(name).name), mtime_ns)]
        if removed:
            lines.append(f"process {process.pid} was killed here: removed its locks ({', '.join(removed)})")
    return lines


def _remove(path: Path, mtime_ns: int) -> bool:
    """Remove the file if it is the one that was noted (Snakemake uses the names again), and return whether it was."""
    with suppress(OSError):
        if path.stat().st_mtime_ns == mtime_ns:
            path.unlink()
            return True
    return False


def _record(folder: Path, process: Process) -> Path:
    return Path(folder, RUNS, f"{process.host}.{process.pid}.{process.start_ticks}.json")


def _machine_id() -> str:
    try:
        return Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _stat(pid: int) -> tuple[str, int]:
    """Return the state letter and the start in ticks; the command's name before them may hold spaces and brackets."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return fields[0], int(fields[19])

"""The state of a run in words, no finer than it is known."""

import math
import os
import re
import time
from collections.abc import Collection, Sequence

from nuinfer.progress.account import Left, Run, Unit

NAMED = 4  # jobs, or rules, that a line names
TAIL_BYTES = 4096
_STEP = re.compile(r"[^:]{1,80}: (\d+/\d+) ?([^,]{0,40})")


def duration(seconds: float) -> str:
    """Return ``seconds`` in words, no finer than they are known: to 5 s, from 1 min to 1 min, from 2 h to 1 h."""
    if seconds < 57.5:
        return f"{5 * int(seconds / 5 + 0.5)} s"
    if seconds < 119.5 * 60:
        return f"{int(seconds / 60 + 0.5)} min"
    return f"{int(seconds / 3600 + 0.5)} h"


def time_left(left: Left) -> str:
    """Return what is known of the time left; "at least" with the reason where it is a lower bound.

    Where most jobs are of rules without a figure it is unknown.
    """
    whys = [f"no figure yet for {_first(left.unknown)}"] if left.unknown else []
    whys += [f"{_first(left.slow)} slower than before"] if left.slow else []
    if left.unknown and (left.seconds < 2.5 or left.known_share < 0.5):
        return f"time left unknown ({'; '.join(whys)})"
    known = duration(max(left.seconds, 5.0))
    return f"at least {known} left ({'; '.join(whys)})" if whys else f"about {known} left"


def log_note(path: str, age_s: float = math.inf) -> str:
    """Return how far the job says it is, in its last line ``label: done/total note`` of the last 4 kB of its log.

    "" without such a line, without a log, or where nothing was written in the last ``age_s`` seconds: an older log is of
    an earlier attempt.
    """
    try:
        if time.time() - _modified(path) > age_s + 2.0:
            return ""
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            tail = file.read(TAIL_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return ""
    for line in reversed(re.split(r"[\r\n]+", tail)):
        if found := _STEP.match(line):
            return " ".join("".join(c for c in " ".join(found.groups()) if c.isprintable()).split())
    return ""


def running(units: Collection[Unit], now_s: float) -> str:
    """Name the jobs that run longest, with the time of each and what its log says; "" for none.

    Of jobs that share a job of a cluster the one is named whose log was written last.
    """
    parts, longest = [], sorted(units, key=lambda unit: unit.since_s)
    for unit in longest[:NAMED]:
        age_s, others = now_s - unit.since_s, len(unit.jobs) - 1
        job = max(unit.jobs, key=lambda job: _modified(job.log)) if others else unit.jobs[0]
        name = " ".join((job.rule, *job.wildcards)) + (f" and {others} with it" if others else "")
        parts.append(f"{name} ({', '.join(filter(None, (log_note(job.log, age_s), duration(age_s))))})")
    return _first(parts, sum(len(unit.jobs) for unit in longest[NAMED:]))


def counts(run: Run, not_begun: str = "waiting") -> str:
    """Return how many jobs are done, have failed, run and are ``not_begun``, without those that are none."""
    rest = [(len(run.failed), "failed"), (run.running().total(), "running"), (run.waiting().total(), not_begun)]
    first = f"{run.done.total()} of {run.planned.total()} jobs done"
    return ", ".join([first, *(f"{n} {word}" for n, word in rest if n)])


def _first(names: Sequence[str], others: int = 0) -> str:
    others += len(names[NAMED:])
    return ", ".join(names[:NAMED]) + (f" and {others} more" if others else "")


def _modified(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0

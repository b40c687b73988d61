"""Account of a Snakemake run: what is done, what runs, how long is left.  Nothing here has a clock.

Snakemake tells what happens through Python's logging: its records carry an ``event`` of
``snakemake_interface_logger_plugins.common.LogEvent`` and fields of their own.  ``lines`` hears them.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

REMEMBERED = 20  # jobs that the mean of earlier runs counts for at most: what a rule takes changes with its code
SLOW = 1.5  # times its expected seconds, after which a job no longer tells when it ends

Means = Mapping[str, tuple[float, float]]
"""For each rule the number of finished jobs and the mean of their seconds."""


@dataclass(frozen=True)
class Job:
    """A job as Snakemake announces it; ``log`` is its first log file or ""."""

    id: int
    rule: str
    wildcards: tuple[str, ...]
    log: str


@dataclass(frozen=True)
class Unit:
    """What was started at once: a job, or ``size`` jobs that share one job of a cluster, with those that have not ended."""

    since_s: float
    jobs: tuple[Job, ...]
    size: int

    def share_s(self, now_s: float) -> float:
        """Seconds that count for one of its jobs: Snakemake sees only the end of the whole."""
        return (now_s - self.since_s) / self.size


@dataclass(frozen=True)
class Left:
    """Seconds left; only a lower bound where rules are without any figure, or jobs of the ``slow`` ones are overdue.

    ``known_share`` is that of the unfinished jobs whose rules have a figure.
    """

    seconds: float
    unknown: tuple[str, ...]
    slow: tuple[str, ...]
    known_share: float = 1.0


class Run:
    """Account of one run; times are seconds of any steady clock.

    ``planned`` counts the jobs to run by rule; ``instant`` names the rules without a command, which take no time.
    On a cluster a job counts as running from its submission: its seconds hold its time in the queue.
    """

    def __init__(self, planned: Mapping[str, int], now_s: float, instant: Collection[str] = ()) -> None:
        self.planned, self.instant, self.start_s = Counter(planned), frozenset(instant), now_s
        self.units: dict[tuple[int, ...], Unit] = {}
        self.failed: dict[int, str] = {}
        self.done: Counter[str] = Counter()
        self.spent: Counter[str] = Counter()
        self.changes = 0
        self._unit_of: dict[int, tuple[int, ...]] = {}
        self._group_of: dict[int, tuple[int, ...]] = {}
        self._lost_s = 0.0

    def feed(self, event: str, fields: Mapping, now_s: float) -> None:
        """Take in one record of Snakemake; events that say nothing here are passed over."""
        if event == "group_info":
            # Groups that were cut out of one bear its name alike: their jobs tell them apart.
            ids = tuple(sorted(job.jobid for job in fields["jobs"]))
            for job_id in ids:
                self._lose(job_id, now_s)
            self._group_of.update(dict.fromkeys(ids, ids))
        elif event == "job_info":
            wildcards = tuple(map(str, fields["wildcards"].values()))
            log = str(next(iter(fields["log"] or ()), ""))
            self._start(Job(fields["jobid"], fields["rule_name"], wildcards, log), now_s)
        elif event == "job_finished":
            if ended := self._end(fields["job_id"], now_s):
                rule, seconds = ended
                self.done[rule] += 1
                self.spent[rule] += seconds
        elif event == "job_error":
            self._lose(fields["jobid"], now_s)
            self.failed[fields["jobid"]] = fields["rule_name"]
            self.changes += 1

    def expected_s(self, rule: str, earlier: Means) -> float | None:
        """Mean seconds of the rule's finished jobs: of this run, else of earlier ones, else None."""
        if rule in self.instant:
            return 0.0
        return self.spent[rule] / self.done[rule] if self.done[rule] else earlier.get(rule, (0, None))[1]

    def waiting(self) -> Counter:
        """Jobs by rule that have not been started."""
        return self.planned - self.done - self.running() - Counter(self.failed.values())

    def left(self, earlier: Means, now_s: float) -> Left:
        """Expected seconds of all unfinished jobs over the jobs at a time up to now, at least those of the longest one.

        A job that failed, and has not been started again, counts as ended; jobs that need its results still count.
        """
        remaining, unknown, slow = [], set(), set()
        for unit in self.units.values():
            expected = [self.expected_s(job.rule, earlier) for job in unit.jobs]
            unknown.update(job.rule for job, s in zip(unit.jobs, expected, strict=True) if s is None)
            had_s, known_s = unit.share_s(now_s) * len(unit.jobs), sum(s or 0.0 for s in expected)
            remaining.append(max(known_s - had_s, 0.0))
            if None not in expected and had_s > SLOW * known_s + 5.0:
                slow.update(job.rule for job in unit.jobs)
        for rule, n in self.waiting().items():
            each = self.expected_s(rule, earlier)
            unknown.update([rule] if each is None else [])
            remaining.extend([each or 0.0] * n)
        running_s = sum(u.share_s(now_s) * len(u.jobs) for u in self.units.values())
        busy_s, elapsed_s = sum(self.spent.values()) + self._lost_s + running_s, now_s - self.start_s
        at_a_time = max(1.0, busy_s / elapsed_s) if elapsed_s > 0 else 1.0
        unfinished = self.waiting() + self.running()
        known_share = 1.0 - sum(unfinished[rule] for rule in unknown) / max(unfinished.total(), 1)
        seconds = max(sum(remaining) / at_a_time, *remaining, 0.0)
        return Left(seconds, tuple(sorted(unknown)), tuple(sorted(slow)), known_share)

    def means(self, earlier: Means) -> dict[str, tuple[float, float]]:
        """Means of earlier runs and this one together, the earlier as at most `REMEMBERED` jobs."""
        both = dict(earlier)
        for rule, n in self.done.items():
            n_before, mean_s = earlier.get(rule, (0, 0.0))
            n_before = min(n_before, REMEMBERED)
            both[rule] = (n_before + n, (n_before * mean_s + self.spent[rule]) / (n_before + n))
        return both

    def running(self) -> Counter:
        """Jobs by rule that run."""
        return Counter(job.rule for unit in self.units.values() for job in unit.jobs)

    def _start(self, job: Job, now_s: float) -> None:
        # Still running, it is started again without a word of its failure, as after an output that did not appear.
        self._lose(job.id, now_s)
        ids = self._group_of.pop(job.id, (job.id,))
        unit = self.units.get(ids, Unit(now_s, (), 0))
        self.units[ids] = replace(unit, jobs=(*unit.jobs, job), size=unit.size + 1)
        self._unit_of[job.id] = ids
        self.failed.pop(job.id, None)
        seen = self.done + self.running() + Counter(self.failed.values())
        self.planned[job.rule] = max(self.planned[job.rule], seen[job.rule])
        self.changes += 1

    def _end(self, job_id: int, now_s: float) -> tuple[str, float] | None:
        """Take a job out of its unit; returns its rule and its seconds, or None where it does not run."""
        ids = self._unit_of.pop(job_id, None)
        if ids is None:
            return None
        unit = self.units.pop(ids)
        kept = tuple(job for job in unit.jobs if job.id != job_id)
        if kept:
            self.units[ids] = replace(unit, jobs=kept)
        self.changes += 1
        return next(job.rule for job in unit.jobs if job.id == job_id), unit.share_s(now_s)

    def _lose(self, job_id: int, now_s: float) -> None:
        if ended := self._end(job_id, now_s):
            self._lost_s += ended[1]

"""Lines that tell a person how a Snakemake run gets on.

    87 of 165 jobs done, 2 running, 76 waiting: about 6 min left; running: train full 1 (7/16 epochs, 3 min), gather (10 s)

The Snakefile's ``onstart`` calls `follow`, and ``onsuccess`` and ``onerror`` call `finish`: a dry run and a job of a
cluster run neither.  The lines go through Snakemake's own logger, and with it into the log file of the run.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from nuinfer.progress.account import Run
from nuinfer.progress.seconds import read_means, write_means
from nuinfer.progress.words import counts, duration, running, time_left

SILENT_TURNS = 4  # periods between two lines while no job starts or ends


class ProgressLines(logging.Handler):
    """Hears Snakemake's records and calls ``say`` with a line, every ``every_s`` seconds at most, and at the end.

    While no job starts or ends, a line comes every `SILENT_TURNS` periods.  A thread says them, from the first job on
    until `finish` or `close`; what goes wrong in it ends the lines, never the run.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        run: Run,
        seconds_file: Path,
        key: str,
        every_s: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.say, self.run, self.every_s, self.clock = say, run, every_s, clock
        self._file, self._key = Path(seconds_file).absolute(), key
        self._earlier = read_means(self._file, key)
        self._guard = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Pass ``record`` on without logging's lock: Snakemake holds it while it closes, and a line on its way comes here."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Take in one record; others than Snakemake's events are passed over, and none makes the run fail."""
        event = getattr(record, "event", None)
        if event is None or self._over.is_set():
            return
        try:
            with self._guard:
                self.run.feed(str(event), vars(record), self.clock())
                if self._thread is None and self.run.units:
                    self._thread = threading.Thread(target=self._watch, name="progress lines", daemon=True)
                    self._thread.start()
        except Exception:
            self.handleError(record)

    def line(self) -> str:
        """Return the line of this moment."""
        with self._guard:
            now_s, units = self.clock(), tuple(self.run.units.values())
            how_many, left = counts(self.run), self.run.left(self._earlier, now_s)
            over = not units and not self.run.waiting()
        if over:
            return how_many
        # Logs may lie on a slow file system: Snakemake, which waits for the guard, does not wait for them.
        named = running(units, now_s)
        return f"{how_many}: {time_left(left)}" + (f"; running: {named}" if named else "")

    def finish(self) -> None:
        """Say the last line and keep the seconds of this run, once; a line on its way is waited for a second."""
        self._end(said=True)

    def close(self) -> None:
        """Keep the seconds of this run, without a last line: a logger that is being closed takes none."""
        self._end(said=False)
        super().close()

    def _end(self, said: bool) -> None:
        if self._over.is_set():
            return
        self._over.set()
        try:
            if self._thread is not None:
                self._thread.join(timeout=1.0)
            self._keep()
            if said and self.run.changes:
                self.say(f"{counts(self.run, 'not begun')} after {duration(self.clock() - self.run.start_s)}")
        except Exception:
            self.handleError(logging.makeLogRecord({"msg": "last progress line"}))

    def _keep(self) -> None:
        with self._guard:
            means = self.run.means(self._earlier) if self.run.done else {}
        if means:
            write_means(self._file, self._key, means)

    def _watch(self) -> None:
        said_at, silent = -1, 0
        try:
            while not self._over.wait(self.every_s):
                silent += 1
                if self.run.changes == said_at and silent < SILENT_TURNS:
                    continue
                if self.run.changes != said_at:
                    self._keep()
                said_at, silent = self.run.changes, 0
                line = self.line()
                if not self._over.is_set():
                    self.say(line)
        except Exception:
            self.handleError(logging.makeLogRecord({"msg": "progress line"}))


def follow(
    logger: logging.Logger,
    planned: Mapping[str, int],
    instant: Collection[str],
    seconds_file: Path,
    key: str,
    every_s: float = 30.0,
    **fields: object,
) -> None:
    """Say lines about the run whose records ``logger`` carries, with ``fields`` on each (such as Snakemake's quietness).

    ``planned`` counts the jobs to run by rule, ``instant`` names the rules without a command.  A logger that is followed
    already is left.
    """
    if not any(isinstance(handler, ProgressLines) for handler in logger.handlers):
        run = Run(planned, time.monotonic(), instant)
        logger.addHandler(ProgressLines(lambda line: logger.info(line, extra=fields), run, seconds_file, key, every_s))


def finish(logger: logging.Logger) -> None:
    """Say the last line about the run that ``logger`` carries, if it is followed."""
    for handler in list(logger.handlers):
        if isinstance(handler, ProgressLines):
            handler.finish()

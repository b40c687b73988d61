"""Lines on the progress of a run, which never harm it."""

import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from progress_events import done, fed, info, record

from nuinfer.progress.account import Run
from nuinfer.progress.lines import ProgressLines, finish, follow
from nuinfer.progress.seconds import read_means

SOURCE = Path(__file__).resolve().parents[2] / "workflow" / "src"


@pytest.fixture
def logger():
    found = logging.Logger("of this test")
    yield found
    for handler in found.handlers:
        handler.close()


def heard(logger, tmp_path, every_s=0.05, run=None, say=None):
    lines = []
    handler = ProgressLines(say or lines.append, run or Run({"a": 2}, time.monotonic()), tmp_path / "s.json", "r", every_s)
    logger.addHandler(handler)
    return handler, lines


def wait_until(true, seconds=5.0):
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.005)
    assert true()


def test_lines_come_from_the_first_job_on_until_the_end(logger, tmp_path):
    handler, lines = heard(logger, tmp_path)
    time.sleep(0.1)
    assert lines == [] and handler._thread is None
    logger.handle(record(*info(1, "a")))
    wait_until(lambda: len(lines) >= 2)  # the second though nothing happened
    logger.handle(record(*done(1)))
    handler.finish()
    n = len(lines)
    assert lines[0].startswith(
        "0 of 2 jobs done, 1 running, 1 waiting: time left unknown (no figure yet for a); running: a (0 s)"
    )
    assert lines[-1] == "1 of 2 jobs done, 1 not begun after 0 s" and not handler._thread.is_alive()
    handler.finish()
    handler.close()
    time.sleep(0.1)
    assert len(lines) == n and read_means(tmp_path / "s.json", "r")["a"][0] == 1


def test_while_nothing_happens_lines_are_rare(logger, tmp_path):
    start = time.monotonic()
    _, lines = heard(logger, tmp_path, every_s=0.1)
    logger.handle(record(*info(1, "a")))
    wait_until(lambda: lines)
    time.sleep(0.85)
    said, elapsed_s = len(lines), time.monotonic() - start
    assert said <= 1 + (elapsed_s - 0.1) / 0.4  # the first after 0.1 s, then every 0.4 s


def test_the_end_is_not_delayed_by_a_period(logger, tmp_path):
    handler, lines = heard(logger, tmp_path, every_s=60.0)
    logger.handle(record(*info(1, "a")))
    start = time.monotonic()
    handler.finish()
    assert time.monotonic() - start < 30.0 and len(lines) == 1


def test_when_all_is_done_no_time_is_left_to_tell(tmp_path):
    run = fed({"a": 1}, (0, info(1, "a")), (4, done(1)))
    handler = ProgressLines(print, run, tmp_path / "s.json", "r", clock=lambda: 105.0)
    assert handler.line() == "1 of 1 jobs done"
    run.feed(*info(2, "a"), 105.0)
    assert handler.line() == "1 of 2 jobs done, 1 running: about 5 s left; running: a (0 s)"


def test_a_logger_that_closes_its_handlers_keeps_the_seconds_and_hears_no_line(logger, tmp_path):
    handler, lines = heard(logger, tmp_path, every_s=60.0)
    for event in (info(1, "a"), done(1)):
        logger.handle(record(*event))
    handler.close()
    assert lines == [] and "a" in read_means(tmp_path / "s.json", "r")


def test_nothing_is_written_by_a_run_in_which_nothing_ran(logger, tmp_path):
    handler, lines = heard(logger, tmp_path)
    handler.finish()
    assert lines == [] and list(tmp_path.iterdir()) == []


def test_a_display_that_breaks_does_not_break_the_run(logger, tmp_path, monkeypatch):
    faults = []
    monkeypatch.setattr(ProgressLines, "handleError", lambda self, record: faults.append(sys.exc_info()[0]))
    _, lines = heard(logger, tmp_path)
    logger.handle(record("job_info", {}))
    assert faults == [KeyError]
    logger.handle(record(*info(1, "a")))
    wait_until(lambda: lines)

    broken, _ = heard(logger, tmp_path, say=lambda line: 1 / 0)
    logger.handle(record(*info(2, "a")))
    wait_until(lambda: not broken._thread.is_alive())
    broken.finish()
    assert faults == [KeyError, ZeroDivisionError, ZeroDivisionError]


def test_a_line_through_the_logger_that_is_followed_does_not_lock_up(logger, tmp_path):
    told = []
    sink = logging.Handler()
    sink.emit = lambda record: told.append((record.getMessage(), getattr(record, "quietness", None)))
    logger.addHandler(sink)
    follow(logger, {"a": 400}, (), tmp_path / "s.json", "r", every_s=0.001, quietness="progress")
    follow(logger, {"a": 400}, (), tmp_path / "s.json", "r", every_s=0.001)
    assert sum(isinstance(handler, ProgressLines) for handler in logger.handlers) == 1

    def run():
        for n in range(400):
            logger.handle(record(*info(n, "a")))
            logger.handle(record(*done(n)))
            time.sleep(0.0005)
        for handler in logger.handlers:
            handler.acquire()  # as Snakemake does when it closes them
            handler.flush()
        finish(logger)
        for handler in logger.handlers:
            handler.release()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20.0)
    assert not thread.is_alive()
    lines = [entry for entry in told if entry[0] != "x"]
    assert lines[-1][0].startswith("400 of 400 jobs done after ") and len(lines) > 1
    assert {quietness for _, quietness in lines} == {"progress"}


SNAKEFILE = """
from collections import Counter
from pathlib import Path
from snakemake.logging import logger
from snakemake.settings.enums import Quietness
from nuinfer.progress.lines import finish, follow

onstart:
    follow(
        logger,
        Counter(job.rule.name for job in workflow.dag.needrun_jobs()),
        instant={rule.name for rule in workflow.rules if rule.norun},
        seconds_file=Path(workflow.persistence.path, "nuinfer_seconds.json"),
        key="results",
        every_s=0.2,
        quietness=Quietness.PROGRESS,
    )
onsuccess:
    finish(logger)
onerror:
    finish(logger)

rule all:
    input:
        "a_0", "a_1"

rule a:
    output:
        "a_{draw}"
    log:
        "logs/{draw}.log"
    shell:
        "echo 'learn {wildcards.draw}: 2/7 epochs, loss' > {log}; sleep 0.5;"
        " test -e tried_{wildcards.draw} || {{ touch tried_{wildcards.draw}; exit 1; }}; touch {output}"
"""


def snakemake(folder, *options):
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--workflow-profile", "none", *options]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    return ended.returncode, [line for line in ended.stderr.splitlines() if "jobs done" in line], ended.stdout + ended.stderr


def test_a_run_of_snakemake(tmp_path):
    pytest.importorskip("snakemake")
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    code, lines, text = snakemake(tmp_path, "-n")
    assert code == 0 and lines == [] and "total" in text
    code, lines, text = snakemake(tmp_path, "--retries", "1")
    assert code == 0, text
    assert lines[0] == (
        "0 of 3 jobs done, 2 running, 1 waiting: time left unknown (no figure yet for a);"
        " running: a 0 (2/7 epochs, 0 s), a 1 (2/7 epochs, 0 s)"
    ) or re.search(r"running: a 1 .*, a 0 ", lines[0])
    assert re.fullmatch(r"3 of 3 jobs done after \d+ s", lines[-1])
    kept = json.loads((tmp_path / ".snakemake" / "nuinfer_seconds.json").read_text())["results"]
    assert kept["a"][0] == 2 and 0.4 < kept["a"][1] < 10.0
    (log,) = (tmp_path / ".snakemake" / "log").glob("*.log")
    assert log.read_text().count("jobs done") == len(lines)
    (tmp_path / "a_0").unlink()
    code, lines, text = snakemake(tmp_path, "-q", "progress")
    assert code == 0 and lines == [] and (tmp_path / "a_0").exists()


def test_importing_costs_nothing_but_the_standard_library():
    code = "import sys, nuinfer.progress.lines; print(*{m.partition('.')[0] for m in sys.modules})"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "nuinfer" in ended.stdout.split() and not {"numpy", "snakemake", "torch"} & set(ended.stdout.split())

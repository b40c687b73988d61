"""Records as Snakemake logs them, and a run that was told of some: for the tests of the progress display."""

import logging
from types import SimpleNamespace

from nuinfer.progress.account import Run


def info(number, rule, log="", **wildcards):
    return "job_info", {"jobid": number, "rule_name": rule, "wildcards": wildcards, "log": [log] if log else []}


def done(number):
    return "job_finished", {"job_id": number}


def error(number, rule):
    return "job_error", {"jobid": number, "rule_name": rule}


def group(*numbers):
    return "group_info", {"group_id": "draws", "jobs": [SimpleNamespace(jobid=n) for n in numbers]}


def fed(planned, *timed, instant=()):
    """A run that began at 100 s and was told events, each ``(seconds, event)`` after that."""
    run = Run(planned, 100.0, instant)
    for seconds, (event, fields) in timed:
        run.feed(event, fields, 100.0 + seconds)
    return run


def record(event, fields):
    return logging.makeLogRecord({"name": "snakemake.logging", "levelno": logging.INFO, "msg": "x", "event": event, **fields})

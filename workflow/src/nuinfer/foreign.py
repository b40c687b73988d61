"""Results made with other settings or by other code than the plan's, found by the provenance in the files themselves.

Snakemake makes a result again whose parameters changed, where it has noted them.  It takes files as they are of which it
has no note (copied from another folder, ``.snakemake`` deleted), and all files with ``--rerun-triggers mtime``.  Each result
says how it was made (:mod:`nuinfer.io.provenance`); here that is compared with what its job would be given now.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nuinfer.errors import InputError
from nuinfer.io.differences import differences
from nuinfer.io.records import read_record
from nuinfer.workflow import digest

SHOWN = 5
"""Differences that a line names."""

JUDGED = (".json", ".h5", ".html")
"""Suffixes of the outputs that are looked at, in this order: the quickest to read first."""


@dataclass(frozen=True)
class Finished:
    """A job that is not to be run: its output files, the settings it would be given (JSON text), the hash of its code."""

    rule: str
    outputs: tuple[str, ...]
    settings: str
    code: str


@dataclass(frozen=True)
class Foreign:
    """A result made otherwise: ``changes`` names the settings that differ, then and now; none where the code alone does.

    ``in_name`` tells that they differ in labels and folders alone, as on another machine.
    """

    rule: str
    path: str
    changes: tuple[str, ...]
    in_name: bool = False


def finished_jobs(dag: Any, with_notes: bool) -> list[Finished]:
    """Return the jobs of Snakemake's ``dag`` that it holds for finished: of which it has no note, or all ``with_notes``.

    They are sorted by their files.  Jobs without settings and code (targets, other programs) are left out.
    """
    found = []
    for job in dag.jobs:
        reason = dag.reason(job)
        if not dag.needrun(job) and (with_notes or reason.no_metadata or reason.outdated_metadata):
            settings, code = job.params.get("settings"), job.params.get("code")
            if settings and code:
                found.append(Finished(job.rule.name, tuple(map(str, job.output)), settings, code))
    return sorted(found, key=lambda job: job.outputs)


def foreign_results(jobs: Iterable[Finished]) -> list[Foreign]:
    """Return the results that were made otherwise than ``jobs`` would make them, in the order of ``jobs``.

    A job is judged by one output.  One whose outputs are absent, unreadable or without provenance is passed over: that is
    Snakemake's and the next step's business.
    """
    found = []
    for job in jobs:
        path, record = _first_record(job.outputs)
        if record is None:
            continue
        settings = json.loads(job.settings)
        if record["settings_hash"] != digest(settings):
            in_name = "settings" in record and _essence(record["settings"]) == _essence(settings)
            found.append(Foreign(job.rule, path, _changes(record, settings), in_name))
        elif record["code_hash"] != job.code:
            found.append(Foreign(job.rule, path, ()))
    return found


def judged(dag: Any, settings_compared: bool) -> tuple[str, list[str]]:
    """Return why a run on the finished results of ``dag`` is refused (empty: it is not), and lines on those taken as they are.

    With ``settings_compared`` (Snakemake's rerun trigger ``params``) other settings are refused, unless they differ in name
    alone; what is not refused is told.
    """
    found = foreign_results(finished_jobs(dag, with_notes=not settings_compared))
    refused, taken = [], []
    for entry in found:
        (refused if entry.changes and not entry.in_name and settings_compared else taken).append(entry)
    lines = [
        "Results that Snakemake has no note of were made with another configuration (then -> now):",
        *(f"  {line}" for line in in_lines(refused)),
        f"Make them again with `--forcerun {_rules(refused)}`, or remove them; `--rerun-triggers mtime` takes them.",
    ]
    return "\n".join(lines) if refused else "", [f"taken as they are: {line}" for line in in_lines(taken)]


def in_lines(found: Iterable[Foreign]) -> list[str]:
    """Return a line for each rule's results of other settings, with the first file's changes, and one on other code alone."""
    rules: dict[str, list[Foreign]] = {}
    code: list[Foreign] = []
    for entry in found:
        (rules.setdefault(entry.rule, []) if entry.changes else code).append(entry)
    lines = [
        f"{rule}, {len(entries)} with other settings, the first {entries[0].path}: {'; '.join(entries[0].changes)}"
        for rule, entries in rules.items()
    ]
    if code:
        lines.append(f"{len(code)} made by other code (rules {_rules(code)}), the first {code[0].path}")
    return lines


def _rules(found: Iterable[Foreign]) -> str:
    return " ".join(dict.fromkeys(entry.rule for entry in found))


class Told(logging.Filter):
    """Calls ``action`` before a message with one of ``beginnings`` is logged.

    That there is nothing to do, and that a dry run is at its end, Snakemake tells its log and no hook.  What ``action``
    raises ends the run as an error there would.  Added to ``logger``, it takes the place of an older one.
    """

    def __init__(self, logger: logging.Logger, beginnings: tuple[str, ...], action: Callable[[], None]) -> None:
        super().__init__()
        self.beginnings, self.action = beginnings, action
        for older in [f for f in logger.filters if isinstance(f, Told)]:
            logger.removeFilter(older)
        logger.addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        if str(record.msg).startswith(self.beginnings):
            self.action()
        return True


def _changes(record: Mapping[str, Any], settings: Mapping[str, Any]) -> tuple[str, ...]:
    lines = differences(record["settings"], settings, SHOWN) if "settings" in record else []
    return tuple(lines or [f"settings_hash: {record['settings_hash']} -> {digest(settings)}"])


def _essence(value: Any) -> Any:
    """Return settings without labels and without the folders of files."""
    if isinstance(value, Mapping):
        return {k: _essence(v) for k, v in value.items() if k not in ("label", "folder")}
    if isinstance(value, list):
        return [_essence(v) for v in value]
    return value.rpartition("/")[2] if isinstance(value, str) else value


def _first_record(outputs: Iterable[str]) -> tuple[str, Mapping[str, Any] | None]:
    """Return the first output that says where it comes from, and its record; None where none does."""
    for suffix in JUDGED:
        for path in outputs:
            if path.endswith(suffix):
                # HDF5 may raise the last two for a damaged file.
                with suppress(InputError, RuntimeError, KeyError):
                    return path, read_record(Path(path))
    return "", None

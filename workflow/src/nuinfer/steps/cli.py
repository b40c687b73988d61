"""The command line of a step, made from the signature of its one function.

A step is a function of paths (files in, files out), ``settings`` (a dictionary, given as JSON) and, where it may use them,
what it was granted (whole numbers).  Run as ``python -m nuinfer.steps.NAME --help``.
"""

import argparse
import inspect
import json
import sys
import time
import typing
from collections.abc import Callable
from pathlib import Path

from nuinfer.errors import InputError


def run(step: Callable[..., None], arguments: list[str] | None = None) -> None:
    """Parse the command line for ``step`` and call it; an InputError ends in one line on stderr and status 2."""
    parser = argparse.ArgumentParser(prog=f"python -m {step.__module__}", description=inspect.getdoc(step))
    hints = typing.get_type_hints(step)
    for name, parameter in inspect.signature(step).parameters.items():
        option = "--" + name.replace("_", "-")
        required = parameter.default is inspect.Parameter.empty
        if hints[name] == list[Path]:
            parser.add_argument(option, type=Path, nargs="*", required=required, metavar="FILE")
        elif hints[name] is dict:
            parser.add_argument(option, type=json.loads, required=required, metavar="JSON")
        elif hints[name] is int:
            parser.add_argument(option, type=int, required=required, default=parameter.default, metavar="N")
        else:
            parser.add_argument(option, type=Path, required=required, default=parameter.default, metavar="FILE")
    given = vars(parser.parse_args(arguments))
    try:
        step(**given)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def note(text: str) -> None:
    """Say ``text`` on stderr, which is the job's log."""
    print(text, file=sys.stderr, flush=True)


class Progress:
    """Report progress on stderr: over itself on a terminal, else a line at most every ``every_s`` seconds."""

    def __init__(self, label: str, every_s: float = 10.0) -> None:
        self.label, self.every_s = label, every_s
        self._last = -float("inf")
        self._terminal = sys.stderr.isatty()

    def __call__(self, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        if done < total and now - self._last < (0.2 if self._terminal else self.every_s):
            return
        self._last = now
        end = "\r" if self._terminal and done < total else "\n"
        print(f"{self.label}: {done}/{total} {note}", end=end, file=sys.stderr, flush=True)

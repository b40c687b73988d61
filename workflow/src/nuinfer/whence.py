"""Where results come from: ``python -m nuinfer.whence FILE...``, a folder a line a file, ``--compare A B`` for what differs.

Exit status: 0, with ``--compare`` 1 where the two differ; 2 where a file cannot be read or does not say where it comes from.
"""

import argparse
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nuinfer.errors import InputError
from nuinfer.io.differences import differences
from nuinfer.io.records import KEYS, READERS, read_record

EQUAL, DIFFERENT, UNKNOWN = 0, 1, 2


def compared(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return what differs between two records of :func:`nuinfer.io.records.read_record`, a line a key; none: equal.

    Settings stand by their own names.  They are compared where both records have them; figures carry only their hash.
    """
    facts = ({k: v for k, v in record.items() if k != "settings"} for record in (old, new))
    lines = differences(*facts, limit=None)
    if "settings" in old and "settings" in new:
        lines += differences(old["settings"], new["settings"], limit=None)
    # The seed is a setting too, mostly.
    return list(dict.fromkeys(lines))


def described(record: Mapping[str, Any]) -> list[str]:
    """Return a record in lines: a fact each, then a setting each by its dotted name."""
    lines = [f"{key}: {record[key]}" for key in KEYS if key in record and key not in ("versions", "settings")]
    lines.append("versions: " + ", ".join(f"{name} {version}" for name, version in record["versions"].items()))
    if "settings" in record:
        lines += ["settings:", *(f"  {line}" for line in flat(record["settings"]))]
    return lines


def flat(settings: Mapping[str, Any], name: str = "") -> list[str]:
    """Return one line for each value of nested mappings, its keys joined by dots; lists stand whole."""
    lines = []
    for key, value in settings.items():
        inner = f"{name}.{key}" if name else str(key)
        lines += flat(value, inner) if isinstance(value, Mapping) and value else [f"{inner}: {value!r}"]
    return lines


def in_one_line(record: Mapping[str, Any]) -> str:
    """Return what a folder's list says of a file."""
    seed = f", seed {record['seed']}" if "seed" in record else ""
    return f"{record['made_by']}, settings {record['settings_hash']}, code {record['code_hash']}{seed}"


def results_below(folder: Path) -> list[Path]:
    """Return the results in ``folder`` at any depth, sorted; what is being written (hidden names) is none."""
    return sorted(p for p in folder.rglob("*") if p.suffix in READERS and p.is_file() and not p.name.startswith("."))


def main(arguments: Sequence[str] | None = None) -> int:
    """Tell about files, or compare two; return the exit status."""
    summary, _, details = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(prog="python -m nuinfer.whence", description=summary, epilog=details)
    parser.add_argument("files", type=Path, nargs="*", metavar="FILE", help=f"ends in {', '.join(READERS)}; or a folder")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("A", "B"), help="what differs between two results")
    given = parser.parse_args(arguments)
    if bool(given.files) == bool(given.compare):
        parser.error("give files or folders, or --compare with two files")
    try:
        return _compare(*given.compare) if given.compare else max(_tell(p, len(given.files) > 1) for p in given.files)
    except InputError as error:
        return _refuse(error)


def _compare(old: Path, new: Path) -> int:
    lines = compared(read_record(old), read_record(new))
    print("\n".join(lines) or "equal")
    return DIFFERENT if lines else EQUAL


def _tell(path: Path, several: bool) -> int:
    """Print what is known of ``path``; a file that says nothing does not keep the others from being told."""
    if path.is_dir():
        return max((_list(found) for found in results_below(path)), default=EQUAL)
    try:
        lines = described(read_record(path))
    except InputError as error:
        return _refuse(error)
    print("\n".join([f"{path}:", *(f"  {line}" for line in lines)] if several else lines))
    return EQUAL


def _list(path: Path) -> int:
    try:
        print(f"{path}: {in_one_line(read_record(path))}")
    except InputError as error:
        return _refuse(error)
    return EQUAL


def _refuse(error: InputError) -> int:
    print(f"error: {error}", file=sys.stderr)
    return UNKNOWN


if __name__ == "__main__":
    # A list cut by `head` ends without a traceback.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())

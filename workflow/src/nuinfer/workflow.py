"""What the Snakefiles import: file names, chunk names and the hash of a step's code.  Standard library only."""

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

PACKAGE = "nuinfer"
SOURCE = Path(__file__).resolve().parent
SPLITS = ("train", "validation", "test")


def chunk_starts(n: int, chunk: int) -> list[int]:
    """Return the first index of every chunk of ``n`` throws cut into pieces of ``chunk``."""
    return list(range(0, n, chunk))


def chunk_names(throws: Mapping) -> list[str]:
    """Return the chunk names ``{split}_{index}`` of a throw configuration, in the order in which they are gathered."""
    return [
        f"{split}_{i:05d}" for split in SPLITS for i in range(len(chunk_starts(throws[split], throws["chunk"])))
    ]


def chunk_range(throws: Mapping, name: str) -> tuple[str, int, int]:
    """Return the split, first throw and end of the chunk called ``name``."""
    split, index = name.rsplit("_", 1)
    start = int(index) * throws["chunk"]
    return split, start, min(start + throws["chunk"], throws[split])


def as_json(value: object) -> str:
    """Return ``value`` as one line of JSON with sorted keys: equal settings, equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: object, length: int = 12) -> str:
    """Return the first hex digits of the sha256 of ``value`` as JSON."""
    return hashlib.sha256(as_json(value).encode()).hexdigest()[:length]


def state_of(paths: Iterable[str | Path]) -> str:
    """Return a hash of the files' names, sizes and times: what stands for files that are too many to be a rule's inputs."""
    return digest([[str(p), s.st_size, s.st_mtime_ns] for p in paths for s in [Path(p).stat()]])


def _module_file(module: str) -> Path | None:
    base = SOURCE.parent.joinpath(*module.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def _parsed(module: str) -> tuple[str, frozenset[str]]:
    """Return the module's syntax tree as text, docstrings and comments left out, and the own modules that it imports."""
    tree = ast.parse(_module_file(module).read_text(encoding="utf-8"))
    imports = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imports.update(f"{node.module}.{alias.name}" for alias in node.names)
            imports.add(node.module)
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                value.value = ""
    own = frozenset(m for m in imports if m.split(".")[0] == PACKAGE and _module_file(m))
    return ast.dump(tree), own


@cache
def code_hash(module: str) -> str:
    """Return a hash of the meaning of ``module`` and of every module of this package that it imports, at any depth.

    Comments, docstrings and formatting do not change it, so that a step is run again when its code means something
    else and not when a file was touched.
    """
    seen, todo = {}, [module]
    while todo:
        name = todo.pop()
        if name not in seen:
            text, own = _parsed(name)
            seen[name] = text
            todo.extend(own)
    return digest(sorted(seen.items()))

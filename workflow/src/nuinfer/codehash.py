"""The hash of what a step's code means, over every own module that it imports.  Standard library only.

Every start of Snakemake asks for the hashes of all steps, also inside a cluster's job: what parsing a module gave is kept
beside Python's own byte code, under the hash of the file's bytes.
"""

import ast
import hashlib
import json
import os
import sys
import time
from functools import cache
from pathlib import Path

from nuinfer.workflow import digest

PACKAGE = "nuinfer"
SOURCE = Path(__file__).resolve().parent


def kept_file() -> Path:
    """Return where parsed modules are kept: Python versions write a syntax tree differently, and so may this module."""
    own = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    return SOURCE / "__pycache__" / f"meanings.{sys.implementation.cache_tag}.{own}.json"


@cache
def module_file(module: str) -> Path | None:
    """Return the file of the own module ``module``, None for what is none."""
    base = SOURCE.parent.joinpath(*module.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def parsed(text: bytes) -> tuple[str, list[str]]:
    """Return the sha256 of a module's syntax tree, docstrings and comments left out, and the own names that it imports."""
    tree = ast.parse(text)
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
    own = sorted(name for name in imports if name.split(".")[0] == PACKAGE)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), own


class Meanings:
    """What parsing gave, by module: [sha256 of the file, of its meaning, own names imported]; kept in ``file`` if given."""

    def __init__(self, file: Path | None) -> None:
        self._file, self._changed = file, False
        self._kept: dict[str, list] = {}
        self._seen: dict[str, tuple[str, list[str]]] = {}
        try:
            kept = json.loads(file.read_text(encoding="utf-8")) if file else {}
        except (OSError, ValueError):
            kept = {}
        if isinstance(kept, dict):
            self._kept = {k: v for k, v in kept.items() if isinstance(v, list) and len(v) == 3 and isinstance(v[2], list)}

    def of(self, module: str) -> tuple[str, list[str]]:
        """Return the hash of the module's meaning and the own modules that it imports."""
        if module not in self._seen:
            text = module_file(module).read_bytes()
            whole = hashlib.sha256(text).hexdigest()
            kept = self._kept.get(module)
            if not kept or kept[0] != whole:
                self._kept[module] = kept = [whole, *parsed(text)]
                self._changed = True
            self._seen[module] = kept[1], [name for name in kept[2] if module_file(name)]
        return self._seen[module]

    def keep(self) -> None:
        """Write what was parsed anew for the next process; nowhere to write is no error."""
        if not self._changed or self._file is None:
            return
        self._changed = False
        try:
            self._file.parent.mkdir(exist_ok=True)
            temporary = self._file.with_name(f".{self._file.name}.{os.getpid()}.{time.time_ns()}")
            temporary.write_text(json.dumps(self._kept), encoding="utf-8")
            os.replace(temporary, self._file)
        except OSError:
            pass


@cache
def meanings() -> Meanings:
    """Return this process's record of parsed modules."""
    return Meanings(kept_file())


@cache
def code_hash(module: str) -> str:
    """Return a hash of the meaning of ``module`` and of every module of this package that it imports, at any depth.

    Comments, docstrings and formatting do not change it, so that a step is run again when its code means something
    else and not when a file was touched.
    """
    return of_modules(meanings(), module)


def of_modules(record: Meanings, module: str) -> str:
    """Return the hash of ``module`` with what ``record`` knows of modules, which learns and keeps what lacks."""
    seen, todo = {}, [module]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen[name], own = record.of(name)
            todo.extend(own)
    record.keep()
    return digest(sorted(seen.items()))

"""JSON files of numbers that a person reads, written whole or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nuinfer.errors import InputError
from nuinfer.io.hdf5 import replacing


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no place in a JSON file")


def _finite(value: Any) -> Any:
    """Replace NaN and infinities by null, which every JSON reader takes."""
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write ``content``; arrays become lists, NaN and infinities null."""
    text = json.dumps(_finite(json.loads(json.dumps(content, default=_plain))), indent=1)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Return the content of ``path``; raise InputError where it is missing or not whole."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run the step that makes it (snakemake {path})") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a whole JSON file ({error}); remove it and make it again") from None

"""Where any file of a results folder comes from, by its suffix: the record that the step which made it left inside.

No more than a suffix needs is imported or read: arrays and weights stay on the disk.
"""

import html
import json
import re
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nuinfer.errors import InputError
from nuinfer.io.traces import read_pdf_trace, read_png_trace

KEYS = ("made_by", "settings_hash", "code_hash", "seed", "versions", "settings")
"""What a record holds, in the order to show; ``seed`` only where chance has a part, ``settings`` not in figures and pages."""
NEEDED = ("made_by", "settings_hash", "code_hash", "versions")
PROVENANCE_HEADING = "<h2>Provenance</h2>"
VERSION_OF = "version of "


def read_record(path: Path) -> dict[str, Any]:
    """Return the record in ``path``, of the keys :data:`KEYS`; ``versions`` and ``settings`` are mappings.

    Raises InputError for a file that is missing, not whole, of another suffix than those of :data:`READERS`, or without
    a whole record.
    """
    path = Path(path)
    if path.suffix not in READERS:
        raise InputError(f"{path}: no result of this workflow; give one that ends in {', '.join(READERS)}")
    try:
        found = READERS[path.suffix](path)
        record = {key: found[key] for key in KEYS if key in found}
        record |= {key: _mapping(record[key]) for key in ("versions", "settings") if key in record}
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run the step that makes it (snakemake {path})") from None
    except IsADirectoryError:
        raise InputError(f"{path}: a folder; give a file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a whole file of its kind ({error}); remove it and make it again") from None
    missing = [key for key in NEEDED if key not in record]
    if missing:
        raise InputError(f"{path}: does not say where it comes from (no {', '.join(missing)}); make it again")
    return record


def _mapping(value: Any) -> dict[str, Any]:
    """Return what is stored as JSON, or as a mapping already."""
    value = json.loads(value) if isinstance(value, str | bytes) else value
    if not isinstance(value, Mapping):
        raise ValueError("no names and values where they belong")
    return dict(value)


def _from_hdf5(path: Path) -> Mapping[str, Any]:
    import h5py

    with h5py.File(path, "r") as file:
        return {key: _number(file.attrs[key]) for key in KEYS if key in file.attrs}


def _number(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _from_json(path: Path) -> Mapping[str, Any]:
    """Numbers and captions keep the record under ``provenance``, the description of a model under ``extra``."""
    content = _mapping(path.read_bytes())
    return _mapping(content.get("provenance") or content.get("extra") or {})


def _from_safetensors(path: Path) -> Mapping[str, Any]:
    """The record of the ``model.json`` beside, where both are of one model (the hash of the weights is in either)."""
    with open(path, "rb") as file:
        # https://huggingface.co/docs/safetensors: the header's length in 8 bytes, then the header as JSON.
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 0 < length <= path.stat().st_size - 8:
            raise ValueError("cut short")
        header = _mapping(file.read(length))
    held = _mapping(_mapping(header.get("__metadata__", {})).get("record", {}))
    beside = path.with_suffix(".json")
    about = _mapping(beside.read_bytes()) if beside.is_file() else {}
    if not held.get("weights_sha256") or about.get("weights_sha256") != held["weights_sha256"]:
        raise InputError(f"{path}: {beside.name} beside it does not describe these weights; make the model again")
    return _mapping(about.get("extra", {}))


def _from_html(path: Path) -> Mapping[str, Any]:
    """The report's last chapter, a name and a value a line."""
    _, found, footer = path.read_text(encoding="utf-8").rpartition(PROVENANCE_HEADING)
    lines = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", footer if found else "", re.DOTALL)
    facts = {html.unescape(name): html.unescape(value) for name, value in lines}
    versions = {name.removeprefix(VERSION_OF): value for name, value in facts.items() if name.startswith(VERSION_OF)}
    seed = {"seed": int(facts["seed"])} if "seed" in facts else {}
    return {**facts, **seed, **({"versions": versions} if versions else {})}


READERS: Mapping[str, Callable[[Path], Mapping[str, Any]]] = {
    ".h5": _from_hdf5,
    ".json": _from_json,
    ".safetensors": _from_safetensors,
    ".png": read_png_trace,
    ".pdf": read_pdf_trace,
    ".html": _from_html,
}

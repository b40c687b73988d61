"""The captions of a folder's figures, in one JSON file beside them, with what made them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nuinfer.errors import InputError
from nuinfer.io.jsonfile import read_json, write_json


def write_captions(path: Path, captions: Mapping[str, str], record: Mapping[str, Any]) -> None:
    """Write ``captions`` (name of a figure -> text) and ``record``, which :func:`nuinfer.io.provenance.provenance` gives."""
    write_json(path, {"captions": dict(captions), "provenance": dict(record)})


def read_captions(path: Path) -> dict[str, str]:
    """Return the text of every figure by its name, in the order of the file.

    Raises InputError where the file is missing, not whole, or holds no captions.
    """
    content = read_json(path)
    captions = content.get("captions") if isinstance(content, dict) else None
    if not isinstance(captions, dict) or not all(isinstance(text, str) for text in captions.values()):
        raise InputError(f"{path}: holds no captions of figures; remove it and make it again (snakemake {path})")
    return captions

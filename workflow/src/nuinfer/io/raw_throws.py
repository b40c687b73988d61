"""Throws as a source gave them, between reading and checking: one part of many."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nuinfer.io.hdf5 import read_hdf5, write_hdf5
from nuinfer.tuning.sources.raw import BadThrow, RawThrows


def write_raw_throws(path: Path, raw: RawThrows, attributes: Mapping[str, Any]) -> None:
    """Write ``raw`` with the provenance ``attributes``; dials and contents stay in the source's conventions."""
    arrays = {
        "dials": raw.dials,
        "prediction": raw.prediction,
        "files": np.array(raw.files, dtype=str),
        "file_index": raw.file_index,
        "line": raw.line,
    }
    if raw.statistical is not None:
        arrays["statistical"] = raw.statistical
    facts = {"columns": list(raw.columns), "bad": [asdict(b) for b in raw.bad]}
    write_hdf5(path, "raw_throws", arrays, {**attributes, **facts})


def read_raw_throws(path: Path) -> RawThrows:
    """Read what :func:`write_raw_throws` wrote; raise InputError where the file is not of that layout."""
    arrays, facts = read_hdf5(path, "raw_throws")
    return RawThrows(
        tuple(facts["columns"]),
        arrays["dials"],
        arrays["prediction"],
        tuple(arrays["files"].tolist()),
        arrays["file_index"],
        arrays["line"],
        arrays.get("statistical"),
        tuple(BadThrow(**b) for b in facts["bad"]),
    )

"""What a figure's own file says of where it comes from, so that it is told once the figure has left its folder.

The trace is one line of ASCII JSON: in a PNG the text chunk ``Comment`` (PNG specification, section 11.3.4.3), in a PDF the
entry ``Keywords`` of the document information (ISO 32000-1, section 14.3.3), both beside a sentence for a person.  It leaves
out the settings, which may name a user's own files: their hash is enough to find the results that have them.
"""

import json
import re
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nuinfer.errors import InputError

PNG_START = b"\x89PNG\r\n\x1a\n"
KEYWORDS = re.compile(rb"/Keywords\s*\(((?:[^\\()]|\\.)*)\)", re.DOTALL)
ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
CONTROLS = {b"n": b"\n", b"r": b"\r"}


def png_text(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the text chunks of a PNG made by ``record`` (of :func:`nuinfer.io.provenance.provenance`)."""
    return {"Description": _sentence(record), "Comment": _trace(record)}


def pdf_information(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the entries of a PDF's document information for ``record``."""
    return {"Subject": _sentence(record), "Keywords": _trace(record)}


def _sentence(record: Mapping[str, Any]) -> str:
    return f"Made by {record['made_by']}, settings {record['settings_hash']}, code {record['code_hash']}"


def _trace(record: Mapping[str, Any]) -> str:
    kept = {key: record[key] for key in ("made_by", "settings_hash", "code_hash", "seed") if key in record}
    return json.dumps({**kept, "versions": json.loads(record["versions"])}, sort_keys=True, separators=(",", ":"))


def read_png_trace(path: Path) -> dict[str, Any]:
    """Return the trace in a PNG, nothing where it has none; raise InputError where it is no whole PNG."""
    content = Path(path).read_bytes()
    if not content.startswith(PNG_START):
        raise InputError(f"{path}: not a PNG file; remove it and make it again")
    at = len(PNG_START)
    while at + 12 <= len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        body = content[at + 8 : at + 8 + length]
        if kind == b"tEXt" and body.startswith(b"Comment\0"):
            if content[at + 8 + length : at + 12 + length] != struct.pack(">I", zlib.crc32(kind + body)):
                break
            return _parsed(body.removeprefix(b"Comment\0"))
        if kind == b"IEND":
            return {}
        at += 12 + length
    raise InputError(f"{path}: not a whole PNG file; remove it and make it again")


def read_pdf_trace(path: Path) -> dict[str, Any]:
    """Return the trace in a PDF, nothing where it has none; raise InputError where it is no PDF."""
    content = Path(path).read_bytes()
    if not content.startswith(b"%PDF-"):
        raise InputError(f"{path}: not a PDF file; remove it and make it again")
    found = KEYWORDS.search(content)
    # Of the escapes, those that a line of ASCII can need: backslash, parentheses and the ends of lines.
    return _parsed(ESCAPED.sub(lambda m: CONTROLS.get(m[1], m[1]), found[1])) if found else {}


def _parsed(text: bytes) -> dict[str, Any]:
    """Return the trace; another program's comment or keywords are none."""
    try:
        trace = json.loads(text)
    except ValueError:
        return {}
    return trace if isinstance(trace, dict) else {}

"""The formats of generator events by name; a further format is a function ``read(path, **options)`` and an entry here."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nuinfer.errors import InputError
from nuinfer.tuning.sources import nuhepmc, nuisance_flat, nuwro_table
from nuinfer.tuning.sources.events import Events

EVENT_FORMATS: Mapping[str, Callable[..., Events]] = {
    "nuwro_table": nuwro_table.read,
    "nuisance_flat": nuisance_flat.read,
    "nuhepmc": nuhepmc.read,
}


def read_events(path: str | Path, format: str, **options: Any) -> Events:
    """Return the events of a file in one of :data:`EVENT_FORMATS`; the reader says what ``options`` it takes.

    Raises InputError for an unknown format or option, and whatever the reader raises.
    """
    if format not in EVENT_FORMATS:
        raise InputError(f"{path}: unknown format '{format}' of events; known: {', '.join(EVENT_FORMATS)}")
    known = [name for name in inspect.signature(EVENT_FORMATS[format]).parameters if name != "path"]
    if strange := [name for name in options if name not in known]:
        raise InputError(f"{path}: {format} knows no option {', '.join(strange)}; known: {', '.join(known)}")
    return EVENT_FORMATS[format](path, **options)

"""Far-detector events as a file of our own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nuinfer.closure.far_events import FarEvents
from nuinfer.io.hdf5 import read_hdf5, write_hdf5

KIND = "far-detector events"
UNITS = {"el_gev": "GeV", "cos_theta": "1", "el_true_gev": "GeV", "enu_gev": "GeV"}


def write_far_events(path: Path, events: FarEvents, record: Mapping[str, Any]) -> None:
    """Write ``events`` with the provenance ``record``; unknown true values are left out, ``smearing`` is 0 for none."""
    arrays = {name: value for name in UNITS if (value := getattr(events, name)) is not None}
    write_hdf5(path, KIND, arrays, {**record, "smearing": float(events.smearing or 0.0)}, UNITS)


def read_far_events(path: Path) -> FarEvents:
    """Return the events of a file that :func:`write_far_events` wrote; InputError for any other."""
    arrays, facts = read_hdf5(path, KIND)
    return FarEvents(**{name: arrays.get(name) for name in UNITS}, smearing=facts["smearing"] or None)

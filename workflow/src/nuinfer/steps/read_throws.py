"""Read one part of a source's throws, as they stand."""

import glob
from pathlib import Path

import numpy as np

from nuinfer.errors import InputError
from nuinfer.io.binning import read_binning
from nuinfer.io.provenance import provenance
from nuinfer.io.raw_throws import write_raw_throws
from nuinfer.steps.cli import Progress, run
from nuinfer.tuning.sources.dial_values import DialSource, FromCard, FromName, FromTable
from nuinfer.tuning.sources.nuisance import NuisanceLayout, read_nuisance
from nuinfer.tuning.sources.raw import RawThrows, concatenated
from nuinfer.tuning.sources.table_hdf5 import read_hdf5_table
from nuinfer.tuning.sources.tables import TableLayout
from nuinfer.tuning.sources.text import read_text
from nuinfer.workflow import state_of

HDF5_SUFFIXES = (".h5", ".hdf5")


def read_throws(binning: Path, output: Path, settings: dict) -> None:
    """Write the throws of the settings' ``table`` or ``nuisance`` files; bad ones end the step or are listed, as configured."""
    raw = _from_table(settings, binning) if "table" in settings else _from_nuisance(settings, binning)
    write_raw_throws(output, raw, provenance("nuinfer.steps.read_throws", settings))


def _from_table(settings: dict, binning: Path) -> RawThrows:
    table, on_bad = settings["table"], settings["on_bad_throw"]
    n_bin = len(read_binning(binning, settings["drop_momentum_overflow"]))
    layout = TableLayout(tuple(table["dials"]), n_bin, first_bin=table.get("first_bin"), decimal_comma=table["decimal_comma"])
    report = Progress("throws")
    hdf5 = [p for p in table["files"] if Path(p).suffix.lower() in HDF5_SUFFIXES]
    text = [p for p in table["files"] if p not in hdf5]
    parts = [read_text(text, layout, on_bad, report)] if text else []
    if hdf5:
        sets = {"dials": table.get("dials_data"), "prediction": table["predictions"]}
        parts.append(read_hdf5_table(hdf5, layout, on_bad, report, **sets))
    return concatenated(parts)


def _from_nuisance(settings: dict, binning: Path) -> RawThrows:
    entry = settings["nuisance"]
    whole = read_binning(binning)
    bins = read_binning(binning, settings["drop_momentum_overflow"])
    cut = {}
    if len(bins) < len(whole):
        cut = {"keep": tuple(np.flatnonzero(~whole.last_in_slice).tolist()), "n_all": len(whole)}
    layout = NuisanceLayout(entry["sample"], len(bins), entry.get("prediction_key"), **cut)
    dials = _dials(entry["dials"], entry["absolute"])
    return read_nuisance(_files(entry), layout, dials, settings["on_bad_throw"], Progress("throws"))


def _files(entry: dict) -> list[str]:
    if "list" in entry:
        return Path(entry["list"]).read_text(encoding="utf-8").split("\n")[:-1]
    start, stop = entry["range"]
    found = [path for pattern in entry["files"] for path in sorted(glob.glob(pattern))]
    if len(found) < stop:
        raise InputError(f"{', '.join(entry['files'])}: {len(found)} files, {stop} when the run was planned; start it again")
    if state_of(found[start:stop]) != entry["state"]:
        raise InputError(f"{', '.join(entry['files'])}: files have changed since the run was planned; start it again")
    return found[start:stop]


def _dials(entry: dict, absolute: bool) -> DialSource:
    if "name" in entry:
        return FromName(entry["name"])
    columns = tuple(entry["columns"])
    return FromCard(columns, entry["card"], absolute) if "card" in entry else FromTable(Path(entry["table"]), columns)


if __name__ == "__main__":
    run(read_throws)

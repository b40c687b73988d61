"""Files of the closure test: the truth, near-detector data, learned cross sections."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nuinfer.closure.learned import Learned
from nuinfer.closure.near_data import NearData
from nuinfer.closure.truth import Truth
from nuinfer.io.hdf5 import read_hdf5, write_hdf5
from nuinfer.io.operators import grid_facts, grid_of

STORED = ("knots_gev", "near_flux", "counts_by_knot", "w")
TRUTH, NEAR, LEARNED = "closure truth", "near-detector data", "learned cross section"


def write_truth(path: Path, truth: Truth, record: Mapping[str, Any]) -> None:
    """Write ``truth`` with the provenance ``record``."""
    arrays = {name: getattr(truth, name) for name in STORED}
    facts = {**grid_facts(truth.grid), "mass_gev": truth.mass_gev, "antineutrino": truth.antineutrino}
    units = {"knots_gev": "GeV", "near_flux": "1/GeV", "counts_by_knot": "arbitrary", "w": "1"}
    write_hdf5(path, TRUTH, arrays, {**record, **facts}, units)


def read_truth(path: Path) -> Truth:
    """Return the truth of a file that :func:`write_truth` wrote; InputError for any other."""
    arrays, facts = read_hdf5(path, TRUTH)
    return Truth(
        grid=grid_of(facts),
        mass_gev=facts["mass_gev"],
        antineutrino=bool(facts["antineutrino"]),
        **{name: arrays[name] for name in STORED},
    )


def write_near(path: Path, data: NearData, flux: np.ndarray, smearing: np.ndarray | None, record: Mapping[str, Any]) -> None:
    """Write data with the ``flux`` at the knots and the resolution that a learner folds its model with."""
    arrays = {"share": data.share, "flux": flux}
    if smearing is not None:
        arrays["smearing"] = smearing
    write_hdf5(path, NEAR, arrays, {**record, "n_events": data.n_events or 0.0}, {"flux": "1/GeV"})


def read_near(path: Path) -> tuple[NearData, np.ndarray, np.ndarray | None]:
    """Return data, flux ``(n_knots,)`` and resolution ``(n_u, n_u)`` or None; InputError for another file."""
    arrays, facts = read_hdf5(path, NEAR)
    return NearData(arrays["share"], facts["n_events"] or None), arrays["flux"], arrays.get("smearing")


def write_learned(path: Path, learned: Learned, record: Mapping[str, Any]) -> None:
    """Write a learned cross section; arrays that it does not have are left out."""
    arrays = {name: value for name in ("w", "factor", "counts") if (value := getattr(learned, name)) is not None}
    for group in ("curves", "tensors"):
        arrays |= {f"{group}/{name}": value for name, value in getattr(learned, group).items()}
    write_hdf5(path, LEARNED, arrays, {**record, "facts": learned.facts})


def read_learned(path: Path) -> tuple[Learned, dict[str, Any]]:
    """Return a learned cross section and the file's attributes; InputError for another file."""
    arrays, facts = read_hdf5(path, LEARNED)
    groups: dict[str, dict] = {"curves": {}, "tensors": {}}
    for name, value in arrays.items():
        group, _, rest = name.partition("/")
        if rest:
            groups[group][rest] = value
    plain = {name: arrays.get(name) for name in ("w", "factor", "counts")}
    return Learned(**plain, **groups, facts=facts["facts"]), facts

"""Files of the oscillation fits: best fits with their bootstraps, toys, regions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nuinfer.io.hdf5 import read_hdf5, write_hdf5
from nuinfer.oscillation.fit import Fit
from nuinfer.oscillation.optimum import Optima
from nuinfer.oscillation.plane import FitRange, Plane
from nuinfer.oscillation.regions import Confidence, RegionGrid, contours, level
from nuinfer.oscillation.toys import Toys

FIT, TOYS, REGIONS = "oscillation fit", "oscillation toys", "oscillation regions"
OPTIMA = ("sin2_theta23", "dm31_ev2", "loglike", "on_edge")
FIELDS = ("plane_sin2", "plane_sin2_2theta", "sin2", "sin2_2theta", "dm31")
"""Joint regions of two parameters, then intervals of one."""
FIT_FACTS = ("widened", "interpolation_error", "impossible")


def write_fit(path: Path, fit: Fit, record: Mapping[str, Any]) -> None:
    """Write ``fit`` with the provenance ``record``."""
    arrays = {"surface": fit.surface, **_optima("data", fit.data), **_optima("cloud", fit.cloud)}
    facts = {**_plane_facts(fit.plane), **{name: getattr(fit, name) for name in FIT_FACTS}}
    write_hdf5(path, FIT, arrays, {**record, **facts}, _units("data", "cloud"))


def read_fit(path: Path) -> Fit:
    """Return the fit of a file that :func:`write_fit` wrote; InputError for any other."""
    arrays, facts = read_hdf5(path, FIT)
    optima = (_read_optima(name, arrays) for name in ("data", "cloud"))
    return Fit(_plane(facts), arrays["surface"], *optima, **{name: facts[name] for name in FIT_FACTS})


def write_toys(path: Path, toys: Toys, record: Mapping[str, Any]) -> None:
    """Write ``toys`` with the provenance ``record``."""
    arrays = {"coefficients": toys.coefficients, "log_mixture": toys.log_mixture, **_optima("optima", toys.optima)}
    if toys.weighing is not None:
        arrays["weighing"] = toys.weighing
    write_hdf5(path, TOYS, arrays, {**record, **_plane_facts(toys.plane)}, _units("optima"))


def read_toys(path: Path) -> Toys:
    """Return the toys of a file that :func:`write_toys` wrote; InputError for any other."""
    arrays, facts = read_hdf5(path, TOYS)
    optima = _read_optima("optima", arrays)
    return Toys(_plane(facts), arrays["coefficients"], optima, arrays["log_mixture"], arrays.get("weighing"))


def write_regions(path: Path, grid: RegionGrid, regions: Mapping[str, Confidence], record: Mapping[str, Any]) -> None:
    """Write the regions of every method, ``{method}/{field}``, on ``grid``, and the outlines of the joint ones.

    Outlines of 1, 2 and 3 sigma are ``contours/{method}/{field}/{n}_sigma/{i}`` ``(m, 2)``: mixing parameter, dm^2_31 in eV^2.
    """
    arrays = {"sin2_theta23": grid.sin2_theta23, "dm31_ev2": grid.dm31_ev2}
    arrays |= {f"{method}/{name}": getattr(found, name) for method, found in regions.items() for name in FIELDS}
    for method, found in regions.items():
        for name, x in (("plane_sin2", grid.sin2_theta23), ("plane_sin2_2theta", grid.sin2_2theta23)):
            for n in (1, 2, 3):
                lines = contours(x, grid.dm31_ev2, getattr(found, name), float(level(n)))
                arrays |= {f"contours/{method}/{name}/{n}_sigma/{i}": line for i, line in enumerate(lines)}
    write_hdf5(path, REGIONS, arrays, record, {"sin2_theta23": "1", "dm31_ev2": "eV^2"})


def read_regions(path: Path) -> tuple[RegionGrid, dict[str, Confidence]]:
    """Return grid and regions by method of a file that :func:`write_regions` wrote; InputError for any other."""
    arrays, _ = read_hdf5(path, REGIONS)
    methods = dict.fromkeys(name.partition("/")[0] for name in arrays if name.count("/") == 1)
    found = {m: Confidence(**{name: arrays[f"{m}/{name}"] for name in FIELDS}) for m in methods}
    return RegionGrid(arrays["sin2_theta23"], arrays["dm31_ev2"]), found


def _optima(group: str, optima: Optima) -> dict[str, np.ndarray]:
    return {f"{group}/{name}": getattr(optima, name) for name in OPTIMA}


def _read_optima(group: str, arrays: Mapping[str, np.ndarray]) -> Optima:
    return Optima(*(arrays[f"{group}/{name}"] for name in OPTIMA))


def _units(*groups: str) -> dict[str, str]:
    return {f"{group}/dm31_ev2": "eV^2" for group in groups}


def _plane_facts(plane: Plane) -> dict[str, Any]:
    ends = {name: list(getattr(plane.range, name)) for name in ("sin2_theta23", "dm31_ev2")}
    return {"range": ends, "n_sin2": plane.n_sin2, "n_dm31": plane.n_dm31}


def _plane(facts: Mapping[str, Any]) -> Plane:
    ends = facts["range"]
    return Plane(FitRange(tuple(ends["sin2_theta23"]), tuple(ends["dm31_ev2"])), int(facts["n_sin2"]), int(facts["n_dm31"]))

"""Files of systematic ensembles: one member's fits and regions, with every cross section that it was fitted with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nuinfer.io.hdf5 import read_hdf5, write_hdf5
from nuinfer.io.oscillation import FIELDS
from nuinfer.oscillation.regions import Confidence, RegionGrid

MEMBER = "ensemble member"
CLOUD = ("sin2_theta23", "dm31_ev2")


@dataclass(frozen=True)
class MemberFit:
    """A fit with one cross section: ``numbers`` of the best fit, bootstraps' best fits ``cloud`` ``(2, n)``, regions by method.

    Rows of the cloud: sin^2(theta_23) and dm^2_31 (eV^2), bootstrap by bootstrap the same resamples for every member.
    """

    grid: RegionGrid
    cloud: np.ndarray
    regions: dict[str, Confidence]
    numbers: dict[str, Any]


def write_member(path: Path, fits: Mapping[str, MemberFit], training: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    """Write a member's ``fits`` by cross section ("true", "learned") and what is known of its ``training``."""
    arrays = {}
    for xsec, fit in fits.items():
        arrays |= {f"{xsec}/grid/{name}": getattr(fit.grid, name) for name in CLOUD}
        arrays |= {f"{xsec}/cloud/{name}": row for name, row in zip(CLOUD, fit.cloud, strict=True)}
        arrays |= {f"{xsec}/regions/{m}/{name}": getattr(found, name) for m, found in fit.regions.items() for name in FIELDS}
    units = {name: "eV^2" for name in arrays if name.endswith("/dm31_ev2")}
    numbers = {xsec: fit.numbers for xsec, fit in fits.items()}
    write_hdf5(path, MEMBER, arrays, {**record, "numbers": numbers, "training": dict(training)}, units)


def read_member(path: Path) -> tuple[dict[str, MemberFit], dict[str, Any], dict[str, Any]]:
    """Return fits by cross section, what is known of the training, and the file's attributes; InputError for another file."""
    arrays, facts = read_hdf5(path, MEMBER)
    fits = {}
    for xsec, numbers in facts["numbers"].items():
        head = f"{xsec}/regions/"
        methods = dict.fromkeys(name[len(head) :].partition("/")[0] for name in arrays if name.startswith(head))
        fits[xsec] = MemberFit(
            RegionGrid(*(arrays[f"{xsec}/grid/{name}"] for name in CLOUD)),
            np.stack([arrays[f"{xsec}/cloud/{name}"] for name in CLOUD]),
            {m: Confidence(**{name: arrays[f"{head}{m}/{name}"] for name in FIELDS}) for m in methods},
            numbers,
        )
    return fits, facts["training"], facts

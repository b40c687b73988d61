"""What a NuHepMC file says of its whole run: the cross section of the sample, and whether the file is complete.

NuHepMC is HepMC3 (arXiv:1912.08005) with the rules of arXiv:2310.13211; labels such as G.R.6 are those of version 1.0.
"""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nuinfer.errors import InputError

UNITS_CM2 = {"pb": 1e-36, "nb": 1e-33, "fb": 1e-39, "cm2": 1.0, "1e-38cm2": 1e-38, "10-38cm2": 1e-38}
PER_NUCLEON = ("PerNucleon", "PerTargetNucleon", "PerTargetMolecularNucleon")
PER_TARGET = ("PerAtom", "PerTarget", "PerTargetAtom", "PerTargetMolecule")
OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
START, END = b"HepMC::Asciiv3-START_EVENT_LISTING", b"HepMC::Asciiv3-END_EVENT_LISTING"
EVENT = b"\nE "
MARKS = (EVENT, b"\nU MEV", b"\nU GEV")
CHUNK = 1 << 22
"""Bytes looked at at once."""


def count_events(path: Path) -> int:
    """Return the number of event records of a HepMC3 text file (``.gz``, ``.bz2``, ``.xz`` or plain).

    Raises InputError where the file is not of that format, lacks its last line (cut off, or still being written), or has
    an event whose unit is neither MEV nor GEV (HepMC3 would take it for GEV).
    """
    counts, start, tail = dict.fromkeys(MARKS, 0), b"", b""
    try:
        with OPENERS.get(path.suffix, open)(path, "rb") as file:
            while chunk := file.read(CHUNK):
                start = start or chunk[:512]
                for mark in MARKS:
                    # A mark may lie across the seam of two chunks.
                    seam = tail[1 - len(mark) :]
                    counts[mark] += (seam + chunk).count(mark)
                tail = (tail + chunk)[-256:]
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise InputError(f"cut off or not readable ({error}); write it again") from error
    if START not in start:
        raise InputError("not a HepMC3 text file; give NuHepMC as .hepmc3 (or .gz, .bz2, .xz), not protobuf or ROOT")
    if END not in tail:
        raise InputError("the closing line is missing: the file is cut off or being written; write it again")
    events = counts.pop(EVENT)
    if (known := sum(counts.values())) != events:
        raise InputError(f"{events} events, but {known} lines with the unit MEV or GEV; mend the units (E.R.4)")
    return events


def sigma_per_nucleon(
    attributes: Mapping[str, Any], last_event: Any, targets: set[int], nucleons_per_target: float | None
) -> float:
    """Return the sample's flux-averaged cross section in 1e-38 cm^2 per nucleon.

    The run's ``NuHepMC.FluxAveragedTotalCrossSection`` (G.C.2), else the last event's GenCrossSection (E.C.4), in the
    unit and target scale of ``NuHepMC.Units.CrossSection`` (G.R.6; where both are left out, pb per atom, as versions
    before 1.0 have it).  A cross section per atom or molecule is divided by the target's nucleons: those of the one
    particle number in ``targets``, or ``nucleons_per_target``, which a mixture needs (CH: 13 a molecule, 6.5 an atom).

    Raises InputError where there is no cross section, or its unit, scale or number of nucleons is not known.
    """
    name = "NuHepMC.FluxAveragedTotalCrossSection"
    if name in attributes:
        try:
            sigma = float(str(attributes[name]))
        except ValueError:
            raise InputError(f"run attribute {name} = '{attributes[name]}' is not a number; mend it") from None
    elif last_event.cross_section is not None:
        sigma = float(last_event.cross_section.xsec())
    else:
        raise InputError(f"no run attribute {name} and no GenCrossSection; give sigma_1e38cm2 in the options")
    unit = str(attributes.get("NuHepMC.Units.CrossSection.Unit", "pb"))
    scale = str(attributes.get("NuHepMC.Units.CrossSection.TargetScale", "PerAtom"))
    key = unit.lower().replace(" ", "").replace("^", "").replace("{", "").replace("}", "")
    if key not in UNITS_CM2:
        raise InputError(f"cross-section unit '{unit}' is not known; known: {', '.join(UNITS_CM2)}, or give sigma_1e38cm2")
    if scale in PER_NUCLEON:
        nucleons = 1.0
    elif scale in PER_TARGET:
        nucleons = _nucleons(targets, scale) if nucleons_per_target is None else float(nucleons_per_target)
    else:
        known = ", ".join((*PER_NUCLEON, *PER_TARGET))
        raise InputError(f"target scale '{scale}' is not known; known: {known}, or give sigma_1e38cm2")
    if not nucleons > 0:
        raise InputError(f"nucleons_per_target: {nucleons:g} is not positive; give the number of nucleons")
    return sigma * UNITS_CM2[key] * 1e38 / nucleons


def nucleons_of(pdg: int) -> int:
    """Return A of a nucleus (10LZZZAAAI) or a nucleon; raise InputError for any other particle number."""
    if pdg in (2212, 2112):
        return 1
    if pdg // 1_000_000_000 == 1 and (nucleons := pdg // 10 % 1000):
        return nucleons
    raise InputError(f"target {pdg} is no nucleus; give nucleons_per_target")


def _nucleons(targets: set[int], scale: str) -> int:
    if len(targets) != 1:
        found = ", ".join(map(str, sorted(targets))) or "none marked"
        raise InputError(f"the cross section is {scale} and the targets are {found}; give nucleons_per_target")
    return nucleons_of(next(iter(targets)))

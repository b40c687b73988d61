"""Neutrino fluxes: densities in energy, read from small tables.

A CSV table has two columns of bin edges (``enu_lo_gev``, ``enu_hi_gev``; the older ``E_lo_GeV``, ``E_hi_GeV`` are read too)
and one density per flavour.  Lines that start with ``#`` are a header of ``key: value`` pairs, of which ``units`` is used.
In a ROOT file a flavour is a one-dimensional histogram over the energy in GeV, and its units are the caller's to give.

A value is a density unless ``per_bin`` is set: a file whose bins hold "per 50 MeV" says so in its units, whatever the width
of its bins.  A :class:`Flux` is constant within a bin, a :class:`LinearFlux` is linear between the bin centres.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from nuinfer.errors import InputError
from nuinfer.physics.flux_files import read_histogram, read_table, split_edges

__all__ = ["Flux", "LinearFlux", "linear_flux", "make_flux", "parse_units", "read_flux", "read_table"]

LARGEST_EDGE_GEV = 1000.0
"""No accelerator's neutrinos reach it; a table in MeV does."""

UNITS_HELP = "an area (cm^2, m^2), an energy (GeV, MeV, 50MeV) and optionally an exposure (POT, 1e21POT), as in nu/m^2/GeV/POT"

NUMBER = r"(\d+(?:\.\d+)?(?:e\+?\d+)?)?"
UNIT_PATTERNS: Mapping[str, re.Pattern] = MappingProxyType(
    {
        "area": re.compile(NUMBER + r"(c?m)\^?2", re.IGNORECASE),
        "energy": re.compile(NUMBER + r"([GM]eV)", re.IGNORECASE),
        "exposure": re.compile(NUMBER + r"(POT)", re.IGNORECASE),
    }
)
UNIT_FACTORS: Mapping[str, float] = MappingProxyType({"cm": 1.0, "m": 1e4, "gev": 1.0, "mev": 1e-3, "pot": 1.0})
"""Areas in cm^2, energies in GeV."""


@dataclass(frozen=True)
class Flux:
    """Density ``density`` ``(n,)`` in ``units`` on bins of ``edges_gev`` ``(n + 1,)``, constant within a bin."""

    edges_gev: np.ndarray
    density: np.ndarray
    units: str

    @property
    def centres_gev(self) -> np.ndarray:
        return 0.5 * (self.edges_gev[1:] + self.edges_gev[:-1])

    @property
    def widths_gev(self) -> np.ndarray:
        return np.diff(self.edges_gev)

    def integral(self) -> float:
        """Return the integral over energy, in ``units`` times GeV."""
        return float(self.density @ self.widths_gev)

    def mean_energy_gev(self) -> float:
        return float(self.density @ (self.widths_gev * self.centres_gev)) / self.integral()

    def unit_normalised(self) -> "Flux":
        """Return the same shape with integral one, in 1/GeV."""
        return Flux(self.edges_gev, self.density / self.integral(), "1/GeV")

    def __call__(self, enu_gev: np.ndarray) -> np.ndarray:
        """Return the density at energies ``enu_gev``, zero outside the table."""
        enu = np.asarray(enu_gev, float)
        i = np.searchsorted(self.edges_gev, enu, side="right") - 1
        inside = (i >= 0) & (i < len(self.density))
        return np.where(inside, self.density[np.clip(i, 0, len(self.density) - 1)], 0.0)


@dataclass(frozen=True)
class LinearFlux:
    """Density ``density`` ``(k,)`` in ``units`` at increasing ``knots_gev`` ``(k,)``, linear between them, zero outside."""

    knots_gev: np.ndarray
    density: np.ndarray
    units: str = "1/GeV"

    @property
    def enu_range_gev(self) -> tuple[float, float]:
        return float(self.knots_gev[0]), float(self.knots_gev[-1])

    def integral(self) -> float:
        """Return the integral over energy (exact), in ``units`` times GeV."""
        return float(np.trapezoid(self.density, self.knots_gev))

    def unit_normalised(self) -> "LinearFlux":
        """Return the same shape with integral one, in 1/GeV."""
        return LinearFlux(self.knots_gev, self.density / self.integral(), "1/GeV")

    def __call__(self, enu_gev: np.ndarray) -> np.ndarray:
        """Return the density at energies ``enu_gev`` of any shape; the two ends belong to the range."""
        return np.interp(np.asarray(enu_gev, float), self.knots_gev, self.density, left=0.0, right=0.0)


def linear_flux(flux: Flux, enu_range_gev: tuple[float, float]) -> LinearFlux:
    """Interpolate ``flux`` linearly between its bin centres inside ``enu_range_gev`` and cut it to zero outside.

    This is the flux of arXiv:2412.16303.  From an outer edge of the table to the nearest centre the value is constant.  The
    knots are the centres inside the range and its two ends.  Raises InputError for a range that is not positive and
    increasing or not within the table's edges, and for a flux that vanishes in it.
    """
    lo, hi = (float(e) for e in enu_range_gev)
    if not (np.isfinite(lo) and np.isfinite(hi) and 0 < lo < hi):
        raise InputError(f"the energy range must be positive and increasing, not {lo:g}-{hi:g} GeV")
    first, last = flux.edges_gev[[0, -1]]
    if lo < first or hi > last:
        raise InputError(f"the energy range {lo:g}-{hi:g} GeV is not within the flux table's {first:g}-{last:g} GeV; narrow it")
    centres = flux.centres_gev
    knots = np.concatenate([[lo], centres[(centres > lo) & (centres < hi)], [hi]])
    linear = LinearFlux(knots, np.interp(knots, centres, flux.density), flux.units)
    if not linear.integral() > 0:
        raise InputError(f"the flux is zero in all of {lo:g}-{hi:g} GeV; choose another range of its {first:g}-{last:g} GeV")
    return linear


def parse_units(units: str, per_bin: bool = False, where: str = "flux") -> tuple[float, str]:
    """Return the factor to, and the name of, the same units with areas in cm^2 and energies in GeV.

    ``units`` is a quotient such as ``nu/m^2/GeV/POT`` or ``/cm^2/50 MeV/1e21 POT``; the exposure stays as it is.  The units
    of contents ``per_bin`` have no energy; the name returned is that of the density after division by the bins' widths in
    GeV.  Raises InputError for anything else.
    """
    numerator, *parts = str(units).replace(" ", "").split("/")
    found = {}
    for part in parts:
        for kind, pattern in UNIT_PATTERNS.items():
            if (match := pattern.fullmatch(part)) and kind not in found:
                found[kind] = float(match[1] or 1) * UNIT_FACTORS[match[2].lower()], part
    if numerator not in ("", "1", "nu") or len(found) != len(parts) or any(not factor > 0 for factor, _ in found.values()):
        raise InputError(f"{where}: unknown units '{units}'; known: {UNITS_HELP}")
    if per_bin and "energy" in found:
        raise InputError(f"{where}: contents per bin have units without an energy, as in nu/cm^2/POT, not '{units}'")
    if not per_bin and "energy" not in found:
        raise InputError(f"{where}: units '{units}' have no energy; give those of a density or say that contents are per bin")
    area, energy = (found.get(kind, (1.0, ""))[0] for kind in ("area", "energy"))
    names = ["nu", "cm^2"] if "area" in found else [numerator or "nu"]
    exposure = [found["exposure"][1]] if "exposure" in found else []
    return 1.0 / area / energy, "/".join([*names, "GeV", *exposure])


def make_flux(edges_gev: np.ndarray, density: np.ndarray, units: str, where: str = "flux", per_bin: bool = False) -> Flux:
    """Check and convert a flux; ``units`` as in :func:`parse_units`, ``where`` names the flux in errors.

    With ``per_bin`` the values are contents of bins and are divided by the widths.  Raises InputError for unknown units,
    edges that do not increase from at least zero or look like MeV, a value that is negative or not finite (with its bin),
    and a flux that vanishes.
    """
    factor, canonical = parse_units(units, per_bin, where)
    edges, density = np.asarray(edges_gev, float), np.asarray(density, float)
    if edges.ndim != 1 or density.shape != (edges.size - 1,):
        raise InputError(f"{where}: {edges.size} edges need {edges.size - 1} values, got {density.size}")
    if not np.all(np.isfinite(edges)) or edges[0] < 0 or np.any(np.diff(edges) <= 0):
        raise InputError(f"{where}: bin edges must be finite, not negative and increasing")
    if edges[-1] > LARGEST_EDGE_GEV:
        raise InputError(f"{where}: the last bin edge is {edges[-1]:g}; edges must be in GeV and these look like MeV")
    bad = np.flatnonzero(~np.isfinite(density) | (density < 0))
    if bad.size:
        i = bad[0]
        raise InputError(
            f"{where}: the flux must be finite and not negative, but is {density[i]} in bin {i} "
            f"({edges[i]:g}-{edges[i + 1]:g} GeV); mend that row"
        )
    if not density.any():
        raise InputError(f"{where}: the flux is zero everywhere; is this the right column?")
    return Flux(edges, density * factor / (np.diff(edges) if per_bin else 1.0), canonical)


def read_flux(path: str | Path, column: str = "numu", units: str | None = None, per_bin: bool = False) -> Flux:
    """Read ``column`` of a ``.csv`` table, or the histogram of that key of a ``.root`` file.

    ``units`` is needed where the file does not give them: a ROOT file, a CSV without a ``units`` line.  ``per_bin`` says that
    values are contents of bins, not densities.  Raises InputError for another suffix, a missing file or column, a gap between
    bins, units missing or at odds with the header's, and whatever :func:`make_flux` refuses.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".root":
        if units is None:
            raise InputError(f"{path}: a ROOT histogram does not say its units; give them")
        edges, values = read_histogram(path, column)
    elif suffix == ".csv":
        header, names, rows = read_table(path)
        edges, columns = split_edges(path, names, rows)
        if column.lower() not in columns:
            raise InputError(f"{path}: no flux column '{column}'; found {', '.join(names)}")
        values, found = columns[column.lower()], header.get("units")
        if units is None and found is None:
            raise InputError(f"{path}: the header has no 'units' line; add '# units: ...' or give the units")
        if None not in (units, found) and parse_units(units, per_bin, str(path)) != parse_units(found, per_bin, str(path)):
            raise InputError(f"{path}: units given as '{units}' but the file's header says '{found}'")
        units = units or found
    else:
        raise InputError(f"{path}: a flux is read from a file whose name ends in .csv or .root")
    return make_flux(edges, values, units, f"{path}, column {column}", per_bin)

"""Neutrino fluxes: piecewise-constant densities in energy, read from small CSV tables.

A table has two columns of bin edges (``enu_lo_gev``, ``enu_hi_gev``; the older ``E_lo_GeV``, ``E_hi_GeV`` are read too)
and one density per flavour.  Lines that start with ``#`` are a header of ``key: value`` pairs, of which ``units`` is used.
A value is always a density: a file whose bins hold "per 50 MeV" says so in its units, whatever the width of its bins.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from nuinfer.errors import InputError

FLUX_UNITS: Mapping[str, tuple[float, str]] = MappingProxyType(
    {
        "nu/cm^2/GeV": (1.0, "nu/cm^2/GeV"),
        "nu/cm^2/50MeV": (20.0, "nu/cm^2/GeV"),
        "nu/cm^2/50MeV/1e21POT": (20.0, "nu/cm^2/GeV/1e21POT"),
        "nu/cm^2/GeV/POT": (1.0, "nu/cm^2/GeV/POT"),
        "nu/m^2/GeV/POT": (1e-4, "nu/cm^2/GeV/POT"),
    }
)
"""Units of a table -> (factor, units after the factor)."""

EDGE_COLUMNS = (("enu_lo_gev", "enu_hi_gev"), ("e_lo_gev", "e_hi_gev"))


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


def make_flux(edges_gev: np.ndarray, density: np.ndarray, units: str, where: str = "flux") -> Flux:
    """Check and convert a flux; ``units`` is a key of :data:`FLUX_UNITS`, ``where`` names it in errors.

    Raises InputError for unknown units, edges that do not increase from at least zero, a value that is negative or not
    finite (with its bin), and a flux that vanishes.
    """
    if units not in FLUX_UNITS:
        raise InputError(f"{where}: unknown units '{units}'; known: {', '.join(FLUX_UNITS)}")
    edges, density = np.asarray(edges_gev, float), np.asarray(density, float)
    if edges.ndim != 1 or density.shape != (edges.size - 1,):
        raise InputError(f"{where}: {edges.size} edges need {edges.size - 1} values, got {density.size}")
    if not np.all(np.isfinite(edges)) or edges[0] < 0 or np.any(np.diff(edges) <= 0):
        raise InputError(f"{where}: bin edges must be finite, not negative and increasing")
    bad = np.flatnonzero(~np.isfinite(density) | (density < 0))
    if bad.size:
        i = bad[0]
        raise InputError(
            f"{where}: the flux must be finite and not negative, but is {density[i]} in bin {i} "
            f"({edges[i]:g}-{edges[i + 1]:g} GeV); mend that row"
        )
    if not density.any():
        raise InputError(f"{where}: the flux is zero everywhere; is this the right column?")
    factor, canonical = FLUX_UNITS[units]
    return Flux(edges, density * factor, canonical)


def read_flux(path: str | Path, column: str = "numu", units: str | None = None) -> Flux:
    """Read ``column`` of a flux table; ``units`` is needed only where the file's header does not give them.

    Raises InputError for a missing file or column, a gap between bins, and whatever :func:`make_flux` refuses.
    """
    path = Path(path)
    header, names, rows = read_table(path)
    by_name = {name.lower(): i for i, name in enumerate(names)}
    pair = next((p for p in EDGE_COLUMNS if p[0] in by_name and p[1] in by_name), None)
    if pair is None:
        raise InputError(f"{path}: no columns enu_lo_gev and enu_hi_gev; found {', '.join(names)}")
    if column.lower() not in by_name:
        raise InputError(f"{path}: no flux column '{column}'; found {', '.join(names)}")
    lo, hi, density = (rows[:, by_name[c]] for c in (*pair, column.lower()))
    gaps = np.flatnonzero(np.abs(lo[1:] - hi[:-1]) > 1e-9)
    if gaps.size:
        i = gaps[0]
        raise InputError(f"{path}: gap or overlap between bins {i} (to {hi[i]:g} GeV) and {i + 1} (from {lo[i + 1]:g} GeV)")
    found = header.get("units")
    if units is None and found is None:
        raise InputError(f"{path}: the header has no 'units' line; add '# units: ...' or give the units")
    if units is not None and found is not None and units != found:
        raise InputError(f"{path}: units given as '{units}' but the file's header says '{found}'")
    return make_flux(np.append(lo, hi[-1]), density, units or found, f"{path}, column {column}")


def read_table(path: str | Path) -> tuple[dict[str, str], list[str], np.ndarray]:
    """Read a CSV with a ``#`` header: header entries, column names, and values ``(n_row, n_column)``."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    header, names, rows = {}, None, []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if line.startswith("#"):
            key, _, value = line[1:].partition(":")
            header[key.strip()] = value.strip()
        elif names is None and line.strip():
            names = [c.strip() for c in line.split(",")]
        elif line.strip():
            try:
                rows.append([float(c) for c in line.split(",")])
            except ValueError:
                raise InputError(f"{path}: line {number} is not a row of numbers: '{line.strip()[:60]}'") from None
            if len(rows[-1]) != len(names):
                raise InputError(f"{path}: line {number} has {len(rows[-1])} columns, the table has {len(names)}")
    if not rows:
        raise InputError(f"{path}: no rows of numbers")
    return header, names, np.array(rows)

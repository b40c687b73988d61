"""Flux-averaged bin averages as weighted sums over points (E_nu, p_mu, cos theta)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nuinfer.physics.binning import Binning
from nuinfer.physics.constants import MUON_MASS_GEV
from nuinfer.physics.fluxes import Flux

# Where wide bins are cut, so that a few Gauss-Legendre nodes per piece follow the spectrum.
P_CUTS_GEV = (
    *(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5),
    *(5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 14.0, 17.0, 20.0, 25.0),
)
COS_CUTS = (-0.5, 0.0, 0.3, 0.6, 0.7, 0.8, 0.85, 0.9, 0.94, 0.98)


@dataclass(frozen=True)
class QuadratureSettings:
    """Gauss-Legendre nodes per piece of a bin and per piece of a flux bin.

    A piece of a flux bin is at most ``enu_step_gev`` wide, or ``enu_step_relative`` of its energy where that is more.
    """

    nodes_p: int = 4
    nodes_cos: int = 4
    nodes_enu: int = 2
    enu_step_gev: float = 0.1
    enu_step_relative: float = 0.02

    def doubled(self) -> "QuadratureSettings":
        return replace(self, nodes_p=2 * self.nodes_p, nodes_cos=2 * self.nodes_cos, nodes_enu=2 * self.nodes_enu)


@dataclass(frozen=True)
class Points:
    """Points ``(n,)`` with the bin of each, and weights that already hold the flux's shape and the bin's area."""

    bin_index: np.ndarray
    enu_gev: np.ndarray
    p_mu_gev: np.ndarray
    cos_theta: np.ndarray
    weight: np.ndarray
    n_bin: int

    def average(self, density: np.ndarray) -> np.ndarray:
        """Return the flux- and bin-averaged density ``(n_bin,)`` of values ``(n,)``."""
        return np.bincount(self.bin_index, self.weight * density, minlength=self.n_bin)

    def select(self, keep: np.ndarray) -> "Points":
        arrays = (self.bin_index, self.enu_gev, self.p_mu_gev, self.cos_theta, self.weight)
        return Points(*(a[keep] for a in arrays), self.n_bin)


def _nodes(edges: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Gauss-Legendre nodes and weights of every interval of ``edges``, flattened."""
    x, w = np.polynomial.legendre.leggauss(n)
    half = 0.5 * np.diff(edges)[:, None]
    return (edges[:-1, None] + half * (x + 1.0)).ravel(), (half * w).ravel()


def _cut(low: float, high: float, cuts: tuple[float, ...]) -> np.ndarray:
    return np.array([low, *(c for c in cuts if low < c < high), high])


def flux_nodes(flux: Flux, settings: QuadratureSettings) -> tuple[np.ndarray, np.ndarray]:
    """Return energies and weights ``(n,)`` of the unit-normalised flux; nodes never straddle a bin edge."""
    unit = flux.unit_normalised()
    energies, weights = [], []
    for low, high, density in zip(unit.edges_gev[:-1], unit.edges_gev[1:], unit.density, strict=True):
        if density > 0 and high > MUON_MASS_GEV:
            step = max(settings.enu_step_gev, settings.enu_step_relative * high)
            pieces = int(np.ceil((high - low) / step - 1e-9))
            e, w = _nodes(np.linspace(low, high, pieces + 1), settings.nodes_enu)
            energies.append(e)
            weights.append(w * density)
    return np.concatenate(energies), np.concatenate(weights)


Keep = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(E_nu, p_mu, cos theta) -> mask of the points that matter."""


def make_points(flux: Flux, binning: Binning, settings: QuadratureSettings, keep: Keep | None = None) -> Points:
    """Return the points of all bins of ``binning`` at which the muon's energy is below the neutrino's.

    ``keep`` discards points where a component vanishes before they take memory.
    """
    enu, w_enu = flux_nodes(flux, settings)
    parts = []
    for i in range(binning.n_bin):
        p, wp = _nodes(_cut(binning.p_lo_gev[i], binning.p_hi_gev[i], P_CUTS_GEV), settings.nodes_p)
        c, wc = _nodes(_cut(binning.cos_lo[i], binning.cos_hi[i], COS_CUTS), settings.nodes_cos)
        ip, ie = np.nonzero(np.hypot(p, MUON_MASS_GEV)[:, None] < enu[None, :])
        n = len(ip)
        weight = (wp[ip] * w_enu[ie])[None, :] * wc[:, None] / binning.area_gev[i]
        where = (np.tile(enu[ie], len(c)), np.tile(p[ip], len(c)), np.repeat(c, n))
        kept = slice(None) if keep is None else keep(*where)
        where = tuple(a[kept] for a in where)
        parts.append((np.full(len(where[0]), i), *where, weight.ravel()[kept]))
    return Points(*(np.concatenate(column) for column in zip(*parts, strict=True)), binning.n_bin)

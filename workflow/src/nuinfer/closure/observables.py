"""Bins of the lepton's energy and angle in variables that spread the events evenly.

u = ln(E_l / E_min) / ln(E_max / E_min) and v = sin(theta / 2) = sqrt((1 - cos theta) / 2), both in [0, 1]; the change of
variables of the published closure test (arXiv:2412.16303) is not printed there, this choice is ours.
"""

from dataclasses import dataclass

import numpy as np

from nuinfer.errors import InputError
from nuinfer.physics.constants import MUON_MASS_GEV


@dataclass(frozen=True)
class LeptonGrid:
    """``n_u`` x ``n_v`` equal bins of (u, v), bin number ``i_u * n_v + i_v``; ``el_max_gev`` is the highest neutrino energy."""

    n_u: int
    n_v: int
    el_max_gev: float

    def __post_init__(self) -> None:
        if self.n_u < 1 or self.n_v < 1:
            raise InputError(f"grid: n_u = {self.n_u} and n_v = {self.n_v} must be at least 1")
        if not self.el_max_gev > self.el_min_gev:
            raise InputError(f"grid: the highest energy, {self.el_max_gev:g} GeV, does not exceed the lepton's mass")

    @property
    def el_min_gev(self) -> float:
        return MUON_MASS_GEV * (1.0 + 1e-4)

    @property
    def n_bins(self) -> int:
        return self.n_u * self.n_v

    @property
    def shape(self) -> tuple[int, int]:
        return self.n_u, self.n_v

    @property
    def u_edges(self) -> np.ndarray:
        return np.linspace(0.0, 1.0, self.n_u + 1)

    @property
    def v_edges(self) -> np.ndarray:
        return np.linspace(0.0, 1.0, self.n_v + 1)

    @property
    def bin_area(self) -> float:
        """Delta u Delta v: counts per bin = density per unit (u, v) times this."""
        return 1.0 / self.n_bins

    @property
    def log_range(self) -> float:
        return float(np.log(self.el_max_gev / self.el_min_gev))

    def el_gev(self, u: np.ndarray) -> np.ndarray:
        return self.el_min_gev * np.exp(np.asarray(u, float) * self.log_range)

    def u(self, el_gev: np.ndarray) -> np.ndarray:
        return np.log(np.asarray(el_gev, float) / self.el_min_gev) / self.log_range

    @staticmethod
    def cos_theta(v: np.ndarray) -> np.ndarray:
        return 1.0 - 2.0 * np.square(np.asarray(v, float))

    @staticmethod
    def v(cos_theta: np.ndarray) -> np.ndarray:
        return np.sqrt(0.5 * (1.0 - np.asarray(cos_theta, float)))

    def bin_numbers(self, el_gev: np.ndarray, cos_theta: np.ndarray) -> np.ndarray:
        """Return the numbers ``(n,)`` of the bins that leptons lie in; what is outside counts to the nearest."""
        i_u = np.clip((self.u(el_gev) * self.n_u).astype(int), 0, self.n_u - 1)
        i_v = np.clip((self.v(cos_theta) * self.n_v).astype(int), 0, self.n_v - 1)
        return i_u * self.n_v + i_v

    def jacobian(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return d(E_l, cos theta) / d(u, v) in GeV, its absolute value."""
        return self.el_gev(u) * self.log_range * 4.0 * np.asarray(v, float)

    def points(self, per_axis: int) -> "GridPoints":
        """Return Gauss-Legendre points, ``per_axis`` squared a bin, whose weights integrate dE_l dcos(theta) over it."""
        nodes, weights = np.polynomial.legendre.leggauss(per_axis)

        def axis(n: int) -> tuple[np.ndarray, np.ndarray]:
            inside = (np.arange(n)[:, None] + 0.5 * (nodes + 1.0)) / n
            return inside.ravel(), np.tile(0.5 * weights / n, n)

        (u, wu), (v, wv) = axis(self.n_u), axis(self.n_v)
        i_u, i_v = np.arange(u.size) // per_axis, np.arange(v.size) // per_axis
        bins = (i_u[:, None] * self.n_v + i_v).ravel()
        order = np.argsort(bins, kind="stable")
        uu, vv = np.broadcast_arrays(u[:, None], v)
        weight = (wu[:, None] * wv * self.jacobian(uu, vv)).ravel()
        return GridPoints(bins[order], self.el_gev(uu).ravel()[order], self.cos_theta(vv).ravel()[order], weight[order])


@dataclass(frozen=True)
class GridPoints:
    """Points ``(n,)`` inside bins, ordered by ``bins``; ``weight`` (GeV) integrates dE_l dcos(theta) over a bin."""

    bins: np.ndarray
    el_gev: np.ndarray
    cos_theta: np.ndarray
    weight: np.ndarray

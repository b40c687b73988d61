"""The forward operator: expected counts per bin, or densities at events, linear in structure functions and in the flux.

    N(bin) = int_bin dE_l dcos(theta) int dE_nu Phi(E_nu) [K_1 W_1 + K_2 W_2 +- K_3 W_3](x, Q^2)

(the three independent combinations of arXiv:2412.16303, :mod:`nuinfer.physics.cross_section`).  With the W_a given on a
mesh, cubic between its nodes, and the flux on knots, linear between them, N = sum_k Phi_k A_k w with sparse A_k that
depend on neither: a new flux, an oscillated one for example, is a contraction over k, and a new cross section one
product.  Overall constants are left out: every density is normalised to one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import sparse

from nuinfer.closure.mesh import Mesh
from nuinfer.closure.observables import GridPoints, LeptonGrid
from nuinfer.closure.quadrature import EnergyNodes, energy_nodes
from nuinfer.errors import InputError
from nuinfer.physics.cross_section import combination_prefactors
from nuinfer.physics.kinematics import bjorken_x, q2_gev2
from nuinfer.physics.structure_function_forms import lepton_sign


@dataclass(frozen=True)
class PointOperator:
    """Sparse A of rates ``(n_rows,)`` = A(flux) w, w = structure functions ``(3, n_nodes)`` on ``mesh``.

    A row is a weighted sum of phase-space points: a bin's content, or the density at an event.  The matrix of any flux has
    the one pattern ``indptr``, ``indices`` (rows by mesh nodes, compressed rows).  Knot k fills the places
    ``place[start[k]:start[k + 1]]`` of it with ``value[:, start[k]:start[k + 1]]``, one row a structure function, the sign of
    the third included.
    """

    mesh: Mesh
    knots_gev: np.ndarray
    mass_gev: float
    antineutrino: bool
    indptr: np.ndarray
    indices: np.ndarray
    start: np.ndarray
    place: np.ndarray
    value: np.ndarray

    @property
    def n_rows(self) -> int:
        return self.indptr.size - 1

    def matrix(self, flux_at_knots: np.ndarray) -> sparse.csr_matrix:
        """Return A ``(n_rows, 3 * n_nodes)`` of a flux given at the knots; column ``3 * node + a``, a = 0, 1, 2.

        Raises InputError where the flux has another length than the knots, or is negative or not finite.
        """
        flux = np.asarray(flux_at_knots, float)
        if flux.shape != self.knots_gev.shape:
            raise InputError(f"flux: {flux.size} values for {self.knots_gev.size} energy knots")
        if not np.all(np.isfinite(flux)) or np.any(flux < 0):
            raise InputError("flux: must be finite and not negative at every energy knot")
        return self.shift_matrix(flux)

    def shift_matrix(self, shift_at_knots: np.ndarray) -> sparse.csr_matrix:
        """Return the same for a difference of fluxes, of any sign: what it adds to :meth:`matrix`, which is linear."""
        shape = (self.indices.size, self.knots_gev.size)
        data = [sparse.csc_matrix((v, self.place, self.start), shape=shape) @ shift_at_knots for v in self.value]
        columns = (3 * self.indices[:, None] + np.arange(3, dtype=self.indices.dtype)).ravel()
        return sparse.csr_matrix(
            (np.stack(data, axis=1).ravel(), columns, 3 * self.indptr), shape=(self.n_rows, 3 * self.mesh.n_nodes)
        )

    def counts_by_knot(self, w: np.ndarray) -> np.ndarray:
        """Return rates ``(n_knots, n_rows)`` for a flux that is one at a single knot, w ``(3, n_nodes)``."""
        rows = np.repeat(np.arange(self.n_rows, dtype=np.int32), np.diff(self.indptr))
        counts = np.empty((self.knots_gev.size, self.n_rows))
        for k in range(self.knots_gev.size):
            part = slice(self.start[k], self.start[k + 1])
            place = self.place[part]
            nodes = self.indices[place]
            # Function by function: twice as fast as gathering all three first.
            terms = sum(values[part] * np.take(function, nodes) for values, function in zip(self.value, w, strict=True))
            counts[k] = np.bincount(rows[place], terms, minlength=self.n_rows)
        return counts


@dataclass(frozen=True)
class ForwardOperator(PointOperator):
    """The operator whose rows are the bins of ``grid``."""

    grid: LeptonGrid

    @property
    def n_bins(self) -> int:
        return self.grid.n_bins


def columns(w: np.ndarray) -> np.ndarray:
    """Return structure functions ``(..., 3, n_nodes)`` in the order of a matrix's columns, ``(..., 3 * n_nodes)``."""
    return np.swapaxes(w, -1, -2).reshape(*w.shape[:-2], -1)


def build_operator(
    grid: LeptonGrid,
    mesh: Mesh,
    knots_gev: np.ndarray,
    mass_gev: float,
    antineutrino: bool = False,
    points_per_axis: int = 2,
    refine: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> ForwardOperator:
    """Build the operator; ``mass_gev`` is the mass of a nucleon, x runs to one.

    ``points_per_axis`` squared phase-space points integrate a bin; ``refine`` multiplies the energy nodes.
    """
    points = grid.points(points_per_axis)
    at_points = point_operator(points, grid.n_bins, mesh, knots_gev, mass_gev, antineutrino, refine, progress)
    return ForwardOperator(**vars(at_points), grid=grid)


def point_operator(
    points: GridPoints,
    n_rows: int,
    mesh: Mesh,
    knots_gev: np.ndarray,
    mass_gev: float,
    antineutrino: bool = False,
    refine: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> PointOperator:
    """Build the operator whose row r sums ``points`` with ``bins`` r, weighted by ``weight`` (GeV for integrals over a bin)."""
    knots = np.asarray(knots_gev, float)
    merged, parts = [], {0: [], 1: []}
    for nodes in energy_nodes(points, knots, mass_gev, refine):
        while len(merged) < nodes.interval:
            # A knot is complete once the interval above it begins: what is kept meanwhile stays small.
            merged.append(_merged(parts.pop(len(merged))))
            parts[len(merged) + 1] = []
        lower, upper = _terms(nodes, points, mesh, mass_gev, antineutrino)
        parts[nodes.interval].append(lower)
        parts[nodes.interval + 1].append(upper)
        if progress:
            progress(nodes.interval + 1, knots.size - 1)
    while len(merged) < knots.size:
        merged.append(_merged(parts.pop(len(merged), [])))
    return _assembled(n_rows, mesh, knots, mass_gev, antineutrino, merged)


Terms = tuple[np.ndarray, np.ndarray]
"""Keys bin * n_nodes + node ``(n,)``, increasing, and their values ``(3, n)``."""


def _terms(nodes: EnergyNodes, points: GridPoints, mesh: Mesh, mass_gev: float, antineutrino: bool) -> tuple[Terms, Terms]:
    """Return the terms of energy nodes for the lower and the upper knot of their interval."""
    el, cos = points.el_gev[nodes.point], points.cos_theta[nodes.point]
    x, q2 = bjorken_x(nodes.enu_gev, el, cos, mass_gev), q2_gev2(nodes.enu_gev, el, cos)
    factor = combination_prefactors(nodes.enu_gev, el, cos, mass_gev) * (nodes.weight * points.weight[nodes.point])
    factor[2] *= lepton_sign(antineutrino)
    where, share = mesh.weights(x, q2)
    key = (points.bins[nodes.point] * mesh.n_nodes + where).ravel()
    order = np.argsort(key, kind="stable")
    first = np.flatnonzero(np.diff(key[order], prepend=-1))
    values = (factor[:, None, :] * share).reshape(3, -1)[:, order]
    rising = np.broadcast_to(nodes.rising, share.shape).ravel()[order]
    upper = np.add.reduceat(values * rising, first, axis=1)
    both = np.add.reduceat(values, first, axis=1)
    keys = key[order][first]
    return (keys, both - upper), (keys, upper)


def _merged(parts: list[Terms]) -> Terms:
    """Return the keys of ``parts``, each once, and the sums of their values in single precision."""
    if not parts:
        return np.zeros(0, np.int64), np.zeros((3, 0), np.float32)
    key = np.concatenate([p[0] for p in parts])
    order = np.argsort(key, kind="stable")
    key = key[order]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    values = np.concatenate([p[1] for p in parts], axis=1)[:, order]
    return key[first], np.add.reduceat(values, first, axis=1).astype(np.float32)


def _assembled(
    n_rows: int, mesh: Mesh, knots: np.ndarray, mass_gev: float, antineutrino: bool, merged: list
) -> PointOperator:
    keys = np.unique(np.concatenate([k for k, _ in merged]))
    rows, columns = np.divmod(keys, mesh.n_nodes)
    return PointOperator(
        mesh=mesh,
        knots_gev=knots,
        mass_gev=float(mass_gev),
        antineutrino=bool(antineutrino),
        indptr=np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_rows))]).astype(np.int32),
        indices=columns.astype(np.int32),
        start=np.concatenate([[0], np.cumsum([k.size for k, _ in merged])]).astype(np.int32),
        place=np.concatenate([np.searchsorted(keys, k) for k, _ in merged]).astype(np.int32),
        value=np.concatenate([v for _, v in merged], axis=1),
    )


def energy_knots(
    low_gev: float,
    high_gev: float,
    flux_knots_gev: np.ndarray,
    phase_gev: float = 4.2,
    step: float = 0.1,
    least_gev: float = 0.02,
    most_gev: float = 0.25,
) -> np.ndarray:
    """Return knots that hold the flux's own and resolve its oscillation.

    ``phase_gev`` is dm^2 L / 4 E times E (4.2 GeV for 1300 km and 2.5e-3 eV^2): a knot interval is at most ``step`` rad of
    it, but not below ``least_gev`` and never above ``most_gev``.  Between knots an oscillated flux is linear, nearest to the
    true one in least squares (:mod:`nuinfer.oscillation.far_flux`).
    """
    inside = np.asarray(flux_knots_gev, float)
    inside = inside[(inside > low_gev) & (inside < high_gev)]
    edges = np.concatenate([[low_gev], inside, [high_gev]])
    knots = [np.array([low_gev])]
    for a, b in pairwise(edges):
        spacing = min(most_gev, max(least_gev, step * a * a / phase_gev))
        knots.append(np.linspace(a, b, max(1, int(np.ceil((b - a) / spacing))) + 1)[1:])
    return np.concatenate(knots)

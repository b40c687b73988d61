r"""Parton densities on the grids of LHAPDF6 (Buckley et al., Eur. Phys. J. C 75 (2015) 132, arXiv:1412.7420).

Inside the grid: bicubic Hermite interpolation of x f in ln x and ln Q^2 (LHAPDF's ``logcubic``), slopes at a knot being the
mean of the secants on its two sides, and one-sided at the ends of a subgrid.  Outside: LHAPDF's ``continuation``, after the
stand-alone code of Martin, Stirling, Thorne and Watt (Eur. Phys. J. C 63 (2009) 189, arXiv:0901.0002), whatever the set's own
information file says.  Below the lowest :math:`Q^2_0`, with :math:`r = Q^2/Q^2_0`,

.. math::
    xf(x, Q^2) = xf(x, Q^2_0)\, r^{\gamma r + 1 - r},\qquad
    \gamma = \max\Big(-2.5,\ \frac{xf(x, 1.01\,Q^2_0)/xf(x, Q^2_0) - 1}{0.01}\Big),

and :math:`\gamma = 1` where :math:`|xf(x, Q^2_0)| < 10^{-5}`; so x f vanishes as Q^2.  Below the lowest x and above the highest
Q^2 it goes on along the last interval, as a power where both values exceed 1e-3 and linearly in the logarithm elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nuinfer.errors import InputError


@dataclass(frozen=True, eq=False)
class Subgrid:
    """One block of a grid: ``tables[pid]`` ``(n_x, n_q, 2, 2)`` holds x f and its slopes in ln x (third axis) and ln Q^2."""

    log_x: np.ndarray
    log_q2: np.ndarray
    tables: Mapping[int, np.ndarray]

    def xf(self, pid: int, log_x: np.ndarray, log_q2: np.ndarray) -> np.ndarray:
        """Return x f ``(n,)`` at points ``(n,)`` inside the block."""
        ix, weight_x = _hermite(self.log_x, log_x)
        iq, weight_q = _hermite(self.log_q2, log_q2)
        table = self.tables[pid]
        total = np.zeros(len(log_x))
        for end_x in (0, 1):
            for end_q in (0, 1):
                knot = table[ix + end_x, iq + end_q]
                total += np.einsum("na,nb,nab->n", weight_x[end_x], weight_q[end_q], knot)
        return total


@dataclass(frozen=True, eq=False)
class GridSet:
    """One member of a set (:func:`nuinfer.physics.lhapdf_files.read_set`); ``floor`` is the smallest x f that it allows."""

    name: str
    member: int
    citation: str
    set_index: str
    sha256: str
    floor: float
    subgrids: tuple[Subgrid, ...]

    @property
    def q2_range_gev2(self) -> tuple[float, float]:
        return float(np.exp(self.subgrids[0].log_q2[0])), float(np.exp(self.subgrids[-1].log_q2[-1]))

    def describe(self) -> dict:
        """Return what provenance records: the set, its source and the hash of the member's file."""
        keys = ("name", "member", "citation", "set_index", "sha256")
        return {k: getattr(self, k) for k in keys} | {"interpolation": "logcubic", "extrapolation": "continuation"}

    def xf(self, pid: int, x: np.ndarray, q2_gev2: np.ndarray) -> np.ndarray:
        """Return x f of parton ``pid`` (PDG code) at ``x`` and ``q2_gev2``, which broadcast; zero for x >= 1.

        Raises InputError for a parton that was not read, for x <= 0 or Q^2 < 0 or nan, and above the set's largest x.
        """
        if pid not in self.subgrids[0].tables:
            raise InputError(f"parton set {self.name}: no parton {pid}; it holds {sorted(self.subgrids[0].tables)}")
        x, q2 = check_points(self.name, x, q2_gev2)
        inside = x.ravel() < 1
        out = np.zeros(x.size)
        if inside.any():
            largest = self.subgrids[0].log_x[-1]
            log_x = np.log(x.ravel()[inside])
            if log_x.max() > largest:
                raise InputError(f"parton set {self.name}: ends at x = {np.exp(largest):g}, asked for {x[x < 1].max():g}")
            out[inside] = np.maximum(self._continued(pid, log_x, q2.ravel()[inside]), self.floor)
        return out.reshape(x.shape)

    def _continued(self, pid: int, log_x: np.ndarray, q2: np.ndarray) -> np.ndarray:
        first, last = self.subgrids[0].log_q2[0], self.subgrids[-1].log_q2[-1]
        # Q^2 = 0 is allowed: r = 0 there, and the logarithm is only used inside the grid.
        q2_min = np.exp(first)
        log_q2 = np.log(np.maximum(q2, 0.5 * q2_min))
        xf = self._in_q2_range(pid, log_x, np.clip(log_q2, first, last))
        low = q2 < q2_min
        if low.any():
            above = self._in_q2_range(pid, log_x[low], np.full(low.sum(), first + np.log(1.01)))
            xf[low] *= low_q2_factor(q2[low] / q2_min, edge_exponent(xf[low], above))
        high = log_q2 > last
        if high.any():
            before = self.subgrids[-1].log_q2[-2]
            inner = self._in_q2_range(pid, log_x[high], np.full(high.sum(), before))
            xf[high] = extend(log_q2[high], (before, last), (inner, xf[high]))
        return xf

    def _in_q2_range(self, pid: int, log_x: np.ndarray, log_q2: np.ndarray) -> np.ndarray:
        first, second = self.subgrids[0].log_x[:2]
        xf = self._inside(pid, np.maximum(log_x, first), log_q2)
        low = log_x < first
        if low.any():
            next_knot = self._inside(pid, np.full(low.sum(), second), log_q2[low])
            xf[low] = extend(log_x[low], (first, second), (xf[low], next_knot))
        return xf

    def _inside(self, pid: int, log_x: np.ndarray, log_q2: np.ndarray) -> np.ndarray:
        block = np.searchsorted([s.log_q2[0] for s in self.subgrids[1:]], log_q2, side="right")
        out = np.empty(len(log_x))
        for i in np.unique(block):
            chosen = block == i
            out[chosen] = self.subgrids[i].xf(pid, log_x[chosen], log_q2[chosen])
        return out


def check_points(name: str, x: np.ndarray, q2_gev2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``x`` and ``q2_gev2`` broadcast; InputError (naming the set) unless x > 0 and Q^2 >= 0 everywhere."""
    x, q2 = np.broadcast_arrays(np.asarray(x, float), np.asarray(q2_gev2, float))
    if not np.all(x > 0) or not np.all((q2 >= 0) & (q2 < np.inf)):
        raise InputError(f"parton set {name}: needs x > 0 and finite Q^2 >= 0; mask the points that cannot be reached")
    return x, q2


def low_q2_factor(r: np.ndarray, gamma: np.ndarray | float) -> np.ndarray:
    """Return r^(gamma r + 1 - r) for r = Q^2 / Q^2_min <= 1 and 1 above; slope ``gamma`` in ln r at r = 1."""
    r = np.minimum(r, 1.0)
    return r ** (gamma * r + 1 - r)


def edge_exponent(at_edge: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Return the module's gamma from x f at the lowest Q^2 and at 1.01 times that."""
    tiny = np.abs(at_edge) < 1e-5
    safe = np.where(tiny, 1.0, at_edge)
    return np.where(tiny, 1.0, np.maximum(-2.5, (above - at_edge) / safe / 0.01))


def extend(log_z: np.ndarray, log_knots: tuple[float, float], values: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return the line through two knots at ``log_z``: in ln f where both values exceed 1e-3, in f elsewhere."""
    t = (log_z - log_knots[0]) / (log_knots[1] - log_knots[0])
    a, b = values
    power = (a > 1e-3) & (b > 1e-3)
    log_a, log_b = (np.log(np.where(power, v, 1.0)) for v in values)
    return np.where(power, np.exp(log_a + t * (log_b - log_a)), a + t * (b - a))


def _hermite(knots: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval ``(n,)`` of each ``z`` and weights ``(2, n, 2)``: lower or upper knot, point, value or slope."""
    i = np.clip(np.searchsorted(knots, z, side="right") - 1, 0, len(knots) - 2)
    width = knots[i + 1] - knots[i]
    t = (z - knots[i]) / width
    upper = t * t * (3 - 2 * t)
    lower_slope, upper_slope = width * t * (1 - t) ** 2, -width * t * t * (1 - t)
    return i, np.stack([np.stack([1 - upper, lower_slope], -1), np.stack([upper, upper_slope], -1)])


def _slopes(values: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Return the slopes along the first axis: the mean of the two secants, not weighted by their widths."""
    secants = np.diff(values, axis=0) / np.diff(knots)[:, None]
    return np.concatenate([secants[:1], 0.5 * (secants[1:] + secants[:-1]), secants[-1:]])


def make_subgrid(x: np.ndarray, q_gev: np.ndarray, xf: Mapping[int, np.ndarray]) -> Subgrid:
    """Return a block from knots ``(n_x,)``, ``(n_q,)`` and x f by parton, each ``(n_x, n_q)``."""
    log_x, log_q2 = np.log(x), 2 * np.log(q_gev)
    tables = {}
    for pid, value in xf.items():
        by_q = _slopes(value.T, log_q2).T
        rows = [[value, by_q], [_slopes(value, log_x), _slopes(by_q, log_x)]]
        tables[pid] = np.ascontiguousarray(np.moveaxis(np.array(rows), (0, 1), (2, 3)))
    return Subgrid(log_x, log_q2, tables)

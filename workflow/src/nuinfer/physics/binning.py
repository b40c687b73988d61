"""Two-dimensional bins in the muon's angle and momentum.

Bins are kept as flat arrays ordered by slice of cos(theta), then momentum: the order of the T2K 2016 CC0pi release and of
NUISANCE's one-dimensional histograms.  A slice is a run of bins that share their cos(theta) edges.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nuinfer.errors import InputError

EDGE_NAMES = ("cos_lo", "cos_hi", "p_lo_gev", "p_hi_gev")

EDGE_TOLERANCE = 1e-9
"""Edges closer than this (in cos(theta), or GeV) are the same edge."""


@dataclass(frozen=True, eq=False)
class Binning:
    """Rectangles in (cos(theta), p): four arrays ``(n_bin,)``, momenta in GeV.

    Raises InputError naming the bin where arrays differ in length, an edge is not finite, is inverted or outside
    [-1, 1] (cos) or negative (p), or where two bins overlap.
    """

    cos_lo: np.ndarray
    cos_hi: np.ndarray
    p_lo_gev: np.ndarray
    p_hi_gev: np.ndarray

    def __post_init__(self) -> None:
        for name in EDGE_NAMES:
            values = np.array(getattr(self, name), dtype=float)
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        _check(self)

    def __len__(self) -> int:
        return len(self.cos_lo)

    def __eq__(self, other: object) -> bool:
        """Two binnings are equal where every edge agrees within :data:`EDGE_TOLERANCE`."""
        if not isinstance(other, Binning):
            return NotImplemented
        return len(self) == len(other) and bool(np.all(np.abs(self.edges() - other.edges()) <= EDGE_TOLERANCE))

    __hash__ = None

    @property
    def n_bin(self) -> int:
        return len(self)

    @property
    def area_gev(self) -> np.ndarray:
        """Width in cos(theta) times width in momentum, ``(n_bin,)``, GeV."""
        return (self.cos_hi - self.cos_lo) * (self.p_hi_gev - self.p_lo_gev)

    def edges(self) -> np.ndarray:
        """Return ``(n_bin, 4)``: cos_lo, cos_hi, p_lo_gev, p_hi_gev."""
        return np.stack([getattr(self, name) for name in EDGE_NAMES], axis=1)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the four edge arrays by name; :meth:`from_arrays` reads them back."""
        return {name: getattr(self, name) for name in EDGE_NAMES}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Binning":
        """Build a binning from what :meth:`to_arrays` returned; raise InputError where an edge array is missing."""
        try:
            return cls(*(arrays[name] for name in EDGE_NAMES))
        except KeyError as error:
            raise InputError(f"binning: lacks the array {error}; holds {', '.join(arrays) or 'none'}") from None

    def slices(self) -> tuple[tuple[tuple[float, float], np.ndarray], ...]:
        """Return ``((cos_lo, cos_hi), indices)`` of every slice of cos(theta), in order; indices by momentum."""
        breaks = np.flatnonzero(
            (np.abs(np.diff(self.cos_lo)) > EDGE_TOLERANCE) | (np.abs(np.diff(self.cos_hi)) > EDGE_TOLERANCE)
        )
        runs = np.split(np.arange(len(self)), breaks + 1)
        return tuple(((float(self.cos_lo[run[0]]), float(self.cos_hi[run[0]])), run) for run in runs)

    def select(self, mask: np.ndarray) -> "Binning":
        """Return the bins that ``mask`` (booleans ``(n_bin,)`` or indices) keeps."""
        return Binning(self.cos_lo[mask], self.cos_hi[mask], self.p_lo_gev[mask], self.p_hi_gev[mask])

    @property
    def slice_index(self) -> np.ndarray:
        """Number ``(n_bin,)`` of every bin's slice."""
        return np.concatenate([np.full(len(run), k) for k, (_, run) in enumerate(self.slices())])

    @property
    def last_in_slice(self) -> np.ndarray:
        """Mask ``(n_bin,)`` of the last momentum bin of every slice."""
        last = np.zeros(len(self), dtype=bool)
        last[[run[-1] for _, run in self.slices()]] = True
        return last

    def without_last_momentum_bins(self) -> "Binning":
        """Drop the last momentum bin of every slice (NUISANCE's ``mask_mom_overflow``): T2K's 67 bins become 58."""
        return self.select(~self.last_in_slice)

    def positions_in(self, other: "Binning") -> np.ndarray:
        """Return where ``(n_bin,)`` each of these bins stands in ``other``; raise InputError where one is not there."""
        same = np.all(np.abs(self.edges()[:, None] - other.edges()) <= EDGE_TOLERANCE, axis=2)
        missing = np.flatnonzero(~same.any(axis=1))
        if missing.size:
            raise InputError(
                f"{missing.size} of {len(self)} bins are not among the other's {len(other)}, "
                f"the first with edges {np.round(self.edges()[missing[0]], 6).tolist()}"
            )
        return same.argmax(axis=1)

    def find(self, cos_theta: np.ndarray, p_gev: np.ndarray) -> np.ndarray:
        """Return the bin ``(n,)`` that each event falls in, -1 where none does; lower edges are inclusive."""
        found = np.full(len(cos_theta), -1)
        for i in range(len(self)):
            inside = (cos_theta >= self.cos_lo[i]) & (cos_theta < self.cos_hi[i])
            found[inside & (p_gev >= self.p_lo_gev[i]) & (p_gev < self.p_hi_gev[i])] = i
        return found


def _check(binning: Binning) -> None:
    sizes = {name: np.shape(getattr(binning, name)) for name in EDGE_NAMES}
    if len(set(sizes.values())) != 1 or len(next(iter(sizes.values()))) != 1 or len(binning) == 0:
        raise InputError(f"binning: the four edge arrays must be equally long, not empty, one-dimensional; got {sizes}")
    edges = binning.edges()
    if not np.all(np.isfinite(edges)):
        bad = int(np.flatnonzero(~np.isfinite(edges).all(axis=1))[0])
        raise InputError(f"binning: bin {bad} has an edge that is not a number: {edges[bad].tolist()}")
    for what, lo, hi in (("cos", binning.cos_lo, binning.cos_hi), ("p", binning.p_lo_gev, binning.p_hi_gev)):
        bad = np.flatnonzero(~(hi > lo))
        if bad.size:
            i = int(bad[0])
            raise InputError(f"binning: bin {i} is inverted, {what}_lo {lo[i]:g} is not below {what}_hi {hi[i]:g}; swap them")
    bad = np.flatnonzero((binning.cos_lo < -1 - EDGE_TOLERANCE) | (binning.cos_hi > 1 + EDGE_TOLERANCE))
    if bad.size:
        i = int(bad[0])
        raise InputError(f"binning: bin {i}: cos(theta) [{binning.cos_lo[i]:g}, {binning.cos_hi[i]:g}] leaves [-1, 1]")
    bad = np.flatnonzero(binning.p_lo_gev < 0)
    if bad.size:
        i = int(bad[0])
        raise InputError(f"binning: bin {i}: momentum {binning.p_lo_gev[i]:g} GeV is negative")
    overlap_cos = np.minimum(binning.cos_hi[:, None], binning.cos_hi) - np.maximum(binning.cos_lo[:, None], binning.cos_lo)
    overlap_p = np.minimum(binning.p_hi_gev[:, None], binning.p_hi_gev) - np.maximum(
        binning.p_lo_gev[:, None], binning.p_lo_gev
    )
    clash = np.triu((overlap_cos > EDGE_TOLERANCE) & (overlap_p > EDGE_TOLERANCE), k=1)
    if clash.any():
        i, j = (int(k) for k in np.argwhere(clash)[0])
        raise InputError(
            f"binning: bins {i} and {j} overlap: cos, p [GeV] {edges[i].tolist()} and {edges[j].tolist()}; "
            "correct the edges or drop one of them"
        )

"""Gaussian resolution of the lepton energy as a fixed matrix on the bins (equations 9 to 13 of arXiv:2412.16303)."""

import numpy as np
from scipy.special import erf

from nuinfer.closure.observables import LeptonGrid
from nuinfer.errors import InputError


def smearing_matrix(grid: LeptonGrid, relative: float, points: int = 8) -> np.ndarray:
    """Return S ``(n_u, n_u)``: the share of the events of true bin j (column) that are seen in bin i (row).

    A lepton of true energy E' is seen at E with a Gaussian density of width ``relative`` * E', cut to the grid's range
    and normalised within it: no event is lost, columns sum to one.  A bin's events are taken as even in u: with 128 bins, as
    wide as a resolution of 4 %, that changes a smeared density by 0.4 % in relative L2 against 512 bins.
    Raises InputError for a resolution outside (0, 1).
    """
    if not 0.0 < relative < 1.0:
        raise InputError(f"smearing: the relative resolution must lie between 0 and 1, not {relative:g}")
    nodes, weights = np.polynomial.legendre.leggauss(points)
    true_u = (np.arange(grid.n_u)[:, None] + 0.5 * (nodes + 1.0)) / grid.n_u
    true_el = grid.el_gev(true_u)
    edges = grid.el_gev(grid.u_edges)
    below = 0.5 * (1.0 + erf((edges[:, None, None] - true_el) / (np.sqrt(2.0) * relative * true_el)))
    shares = np.diff(below, axis=0) / (below[-1] - below[0])
    return shares @ (0.5 * weights)


def smeared(counts: np.ndarray, matrix: np.ndarray | None, shape: tuple[int, int]) -> np.ndarray:
    """Return ``counts`` ``(..., n_u * n_v)`` after the energy resolution ``matrix``; unchanged where it is None."""
    if matrix is None:
        return counts
    n_u, n_v = shape
    stacked = counts.reshape(*counts.shape[:-1], n_u, n_v)
    return (matrix @ stacked).reshape(counts.shape)

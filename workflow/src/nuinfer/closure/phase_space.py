"""Phase space by bin and neutrino energy, on full and on merged bins: what turns d2sigma / du dv into expected counts."""

import numpy as np

from nuinfer.closure.mesh import refined_nodes
from nuinfer.closure.observables import LeptonGrid
from nuinfer.closure.quadrature import energy_nodes
from nuinfer.errors import InputError


def phase_space_by_knot(grid: LeptonGrid, knots_gev: np.ndarray, mass_gev: float, points_per_axis: int = 2) -> np.ndarray:
    """Return V ``(n_knots, n_bins)`` in GeV: the integral of du dv dE times a knot's hat where x <= 1.

    ``mass_gev`` is the mass of a nucleon.  Raises InputError for knots that are not positive and increasing.
    """
    knots = np.asarray(knots_gev, float)
    points = grid.points(points_per_axis)
    area = points.weight / grid.jacobian(grid.u(points.el_gev), grid.v(points.cos_theta))
    volume = np.zeros((knots.size, grid.n_bins))
    for nodes in energy_nodes(points, knots, mass_gev):
        bins, weight = points.bins[nodes.point], nodes.weight * area[nodes.point]
        for knot, hat in ((nodes.interval, 1.0 - nodes.rising), (nodes.interval + 1, nodes.rising)):
            volume[knot] += np.bincount(bins, weight * hat, minlength=grid.n_bins)
    return volume


def hats(nodes: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return H ``(n, m)``: weights of increasing ``nodes`` ``(n,)`` in linear interpolation at points ``(m,)`` within them."""
    return np.stack([np.interp(at, nodes, row) for row in np.eye(nodes.size)])


def merged(values: np.ndarray, shape: tuple[int, int], n: int) -> np.ndarray:
    """Sum bins ``(..., n_u * n_v)`` over blocks of ``n`` x ``n``; InputError where ``n`` does not divide ``shape``."""
    n_u, n_v = shape
    if n_u % n or n_v % n:
        raise InputError(f"merge {n} does not divide the grid of {n_u} x {n_v} bins")
    blocks = values.reshape(*values.shape[:-1], n_u // n, n, n_v // n, n)
    return blocks.sum(axis=(-3, -1)).reshape(*values.shape[:-1], -1)


def merged_smearing(matrix: np.ndarray, n: int) -> np.ndarray:
    """Return the resolution ``(n_u / n, n_u / n)`` of merged bins whose events lie evenly in their parts."""
    size = len(matrix) // n
    return matrix.reshape(size, n, size, n).sum(axis=1).mean(axis=-1)


def near_weights(volume: np.ndarray, flux: np.ndarray, knots_gev: np.ndarray, energies_gev: np.ndarray) -> np.ndarray:
    """Return G ``(n_energies, n_bins)``: near-detector counts are the sum over the energies of G f^2.

    ``volume`` is ``(n_knots, n_bins)``, ``flux`` ``(n_knots,)``; f^2 is linear between ``energies_gev``.
    """
    return (hats(energies_gev, knots_gev) * flux) @ volume


def training_energies(knots_gev: np.ndarray, flux: np.ndarray, n_enu: int) -> np.ndarray:
    """Return ``n_enu`` energies from the first knot to the last, denser where ``flux`` is, or all knots if no more."""
    if n_enu >= knots_gev.size:
        return knots_gev
    return refined_nodes(knots_gev[0], knots_gev[-1], n_enu, knots_gev, flux * np.gradient(knots_gev))

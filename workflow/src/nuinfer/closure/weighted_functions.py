r"""How many events each structure function adds at each (x, Q^2) for a flux.

Equations 28 to 31 of arXiv:2412.16303, the Jacobian rederived: with the prefactors K_i of
:func:`nuinfer.physics.cross_section.combination_prefactors` and the energy E_min(x, Q^2) from which a point can be reached,

.. math::
    C_i(x,Q^2) = \frac1Z\int_{E_{min}} dE\,\Phi(E)\,\frac{\nu}{2xpE}K_i, \qquad P_i = C_i\tilde W_i, \qquad
    E_{min} = \frac{Q^2+m^2}{2Q^2}\Big(\nu+\sqrt{\nu^2+Q^2}\Big), \quad \nu = \frac{Q^2}{2Mx}

(E_min is where |cos(theta)| = 1; higher energies reach the point too).
"""

import numpy as np

from nuinfer.closure.mesh import Mesh
from nuinfer.closure.operator import ForwardOperator
from nuinfer.errors import InputError
from nuinfer.physics.constants import MUON_MASS_GEV
from nuinfer.physics.cross_section import combination_prefactors
from nuinfer.physics.kinematics import dxdq2_per_del_dcos, lepton_from_x_q2
from nuinfer.physics.structure_function_forms import lepton_sign

ENERGIES = 6
"""Gauss-Legendre energies in an interval between two knots."""


def least_enu_gev(x: np.ndarray, q2_gev2: np.ndarray, mass_gev: float, lepton_mass_gev: float = MUON_MASS_GEV) -> np.ndarray:
    """Return the module's E_min, which broadcasts, for ``q2_gev2 > 0``."""
    q2 = np.asarray(q2_gev2, float)
    nu = q2 / (2.0 * mass_gev * np.asarray(x, float))
    return (q2 + lepton_mass_gev**2) / (2.0 * q2) * (nu + np.sqrt(nu**2 + q2))


def node_areas_gev2(mesh: Mesh) -> np.ndarray:
    """Return the area ``(n_x, n_q)`` in (x, Q^2), GeV^2, of each node's cell.

    Cells end half way between nodes in the logarithm, the outer ones at their nodes.
    """
    widths = [np.diff(np.concatenate([n[:1], np.sqrt(n[1:] * n[:-1]), n[-1:]])) for n in (mesh.x, mesh.q2_gev2)]
    return np.outer(*widths)


def structure_function_weights(
    mesh: Mesh, knots_gev: np.ndarray, flux: np.ndarray, mass_gev: float, antineutrino: bool = False
) -> np.ndarray:
    """Return Z C ``(3, n_x, n_q)`` at the nodes of ``mesh``, the third with its sign, zero where no energy reaches.

    ``flux`` ``(n_knots,)`` is linear between the knots.  In 1/GeV times the flux's integral and the K_i's unit.  Raises
    InputError where ``flux`` does not fit the knots.
    """
    knots, flux = np.asarray(knots_gev, float), np.asarray(flux, float)
    if flux.shape != knots.shape:
        raise InputError(f"flux: {flux.size} values for {knots.size} energy knots")
    x, q2 = (v[:, None, None] for v in mesh.points)
    start = np.clip(least_enu_gev(x, q2, mass_gev), knots[:-1, None], knots[1:, None])
    width = knots[1:, None] - start
    nodes, weights = np.polynomial.legendre.leggauss(ENERGIES)
    enu = start + 0.5 * width * (nodes + 1.0)
    reached = np.broadcast_to(width > 0, enu.shape)
    x, q2 = (np.broadcast_to(v, enu.shape)[reached] for v in (x, q2))
    el, cos = lepton_from_x_q2(x, q2, enu[reached], mass_gev)
    terms = combination_prefactors(enu[reached], el, cos, mass_gev) / dxdq2_per_del_dcos(enu[reached], el, cos, mass_gev)
    terms[2] *= lepton_sign(antineutrino)
    rate = np.interp(enu, knots, flux) * 0.5 * width * weights
    integrand = np.zeros((3, *enu.shape))
    integrand[:, reached] = terms * rate[reached]
    return integrand.sum(axis=(2, 3)).reshape(3, *mesh.shape)


def weighted_structure_functions(operator: ForwardOperator, flux: np.ndarray, w: np.ndarray) -> np.ndarray:
    r"""Return :math:`P_i(x, Q^2)` ``(3, n_x, n_q)`` in GeV^-2 at the mesh's nodes for a flux ``(n_knots,)``.

    ``w`` ``(3, n_nodes)`` are the structure functions.  The sum of all three times :func:`node_areas_gev2` is one.  nan where
    no neutrino of the flux reaches the point.  Raises InputError for shapes that do not fit, and where the events of ``w`` do
    not sum to a positive number.
    """
    mesh = operator.mesh
    w = np.asarray(w, float)
    if w.shape != (3, mesh.n_nodes):
        raise InputError(f"structure functions: shape {w.shape}; the mesh asks for (3, {mesh.n_nodes})")
    weights = structure_function_weights(mesh, operator.knots_gev, flux, operator.mass_gev, operator.antineutrino)
    density = weights * w.reshape(3, *mesh.shape)
    events = float(np.sum(density * node_areas_gev2(mesh)))
    if not np.isfinite(events) or events <= 0:
        raise InputError(f"structure functions: their events sum to {events:g}; give functions of a positive cross section")
    return np.where(np.any(weights != 0, axis=0), density / events, np.nan)

"""The integral over the neutrino energy, point by point of the lepton's phase space.

The flux is a sum of hats, piecewise linear on knots: between two knots the integrand is smooth, except that it starts at
the energy where x = 1.  Close to that start it varies with ln(nu), nu = E_nu - E_l, on scales far below a knot interval
(the whole valence peak lies within nu < Q^2 / 2 M x): every interval is therefore integrated in ln(nu) by Gauss-Legendre
nodes, the more the wider it is in that variable.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nuinfer.closure.observables import GridPoints
from nuinfer.errors import InputError
from nuinfer.physics.kinematics import threshold_enu_gev

# (largest width in ln(nu), nodes): relative error of the bins' contents about 1e-5 (tests/closure/test_quadrature.py).
NODES = ((0.05, 2), (0.3, 3), (1.0, 5), (2.0, 8), (4.0, 12), (np.inf, 20))


@dataclass(frozen=True)
class EnergyNodes:
    """Nodes ``(n,)`` between knots ``interval`` and ``interval + 1``: ``point`` numbers the phase-space point.

    ``weight`` integrates dE_nu (GeV); ``rising`` is the value of the upper knot's hat at the node, one minus it the
    lower's.
    """

    interval: int
    point: np.ndarray
    enu_gev: np.ndarray
    weight: np.ndarray
    rising: np.ndarray


def energy_nodes(points: GridPoints, knots_gev: np.ndarray, mass_gev: float, refine: int = 1) -> Iterator[EnergyNodes]:
    """Yield the nodes of every knot interval and order; ``refine`` multiplies their number.

    Raises InputError for knots that do not increase.
    """
    knots = np.asarray(knots_gev, float)
    if knots.ndim != 1 or knots.size < 2 or knots[0] <= 0 or np.any(np.diff(knots) <= 0):
        raise InputError("energy knots must be positive and increasing, at least two")
    start = threshold_enu_gev(points.el_gev, points.cos_theta, mass_gev)
    for k, (low, high) in enumerate(pairwise(knots)):
        inside = np.flatnonzero(start < high)
        el = points.el_gev[inside]
        first = np.log(np.maximum(low, start[inside]) - el)
        width = np.log(high - el) - first
        below = 0.0
        for largest, order in NODES:
            chosen = (width > below) & (width <= largest)
            below = largest
            if chosen.any():
                yield _interval(k, low, high, inside[chosen], el[chosen], first[chosen], width[chosen], order * refine)


def _interval(
    k: int, low: float, high: float, point: np.ndarray, el: np.ndarray, first: np.ndarray, width: np.ndarray, order: int
) -> EnergyNodes:
    nodes, weights = np.polynomial.legendre.leggauss(order)
    nu = np.exp(first[:, None] + width[:, None] * 0.5 * (nodes + 1.0))
    enu = el[:, None] + nu
    weight = nu * width[:, None] * 0.5 * weights
    return EnergyNodes(
        k, np.repeat(point, order), enu.ravel(), weight.ravel(), np.clip((enu - low) / (high - low), 0.0, 1.0).ravel()
    )

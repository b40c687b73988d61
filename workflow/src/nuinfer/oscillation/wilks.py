r"""Confidence regions by the likelihood ratio with the chi-square distribution that Wilks' theorem gives it.

:math:`\lambda = 2(\max\ln L - \ln L)`, the likelihood maximised over what a hypothesis leaves free, is distributed as
chi-square with as many degrees of freedom as parameters are fixed (S. S. Wilks, Ann. Math. Statist. 9 (1938) 60), for many
events and one maximum, far from every boundary.  No toys are needed, so that whole fields cost nothing; but here the theorem
fails twice, and regions hold the truth more often than they claim.

- sin^2(2 theta_23) ends at one, and has no slope in sin^2(theta_23) there: close to maximal mixing the statistic of its
  regions, and of those of sin^2(theta_23), is smaller than a chi-square.
- The likelihood is nearly the same in both octants.  A hypothesis that leaves the octant free has the better of two points,
  so that also intervals of dm^2_31 and regions of sin^2(2 theta_23) are too wide; and were the octants told apart, by about as
  much as a level asks, regions of sin^2(theta_23) would be too narrow, since the highest maximum may be the wrong one's.

Of 2,000 pseudo-experiments of 6,200 events, at a sin^2(theta_23) of 0.47 in a detector with one observed energy, regions of
one sigma (68 %) hold the truth in 69 % jointly with sin^2(theta_23), 77 % jointly with sin^2(2 theta_23), and 68, 84 and 74 %
for sin^2(theta_23), sin^2(2 theta_23) and dm^2_31 alone; those of two sigma (95 %) in 95 to 97 %.  Levels by toys have
neither fault: :mod:`nuinfer.oscillation.likelihood_ratio`.
"""

from collections.abc import Mapping

import numpy as np
from scipy.special import chdtr

from nuinfer.errors import InputError
from nuinfer.oscillation.plane import Plane
from nuinfer.oscillation.regions import Confidence, RegionGrid

FREEDOMS = {"plane_sin2": 2, "plane_sin2_2theta": 2, "sin2": 1, "sin2_2theta": 1, "dm31": 1}
"""Degrees of freedom by quantity, the fields of :class:`~nuinfer.oscillation.regions.Confidence`: parameters that are fixed."""
ABOVE = 1e-3
"""A log-likelihood this much above its maximum is an error of whoever gave it; less is rounding."""


def wilks_levels(statistics: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the confidence levels of statistics, of any shape, by quantity as in :data:`FREEDOMS`.

    Those of a truth's hypotheses are :func:`~nuinfer.oscillation.coverage.truth_statistics`.  Raises InputError for a quantity
    of another name and for a statistic that is not a number or below zero.
    """
    found = {}
    for name, values in statistics.items():
        if name not in FREEDOMS:
            raise InputError(f"chi-square levels: no quantity '{name}'; there are {', '.join(FREEDOMS)}")
        values = np.asarray(values, float)
        if not np.all(values >= -2.0 * ABOVE):
            raise InputError(f"chi-square levels: a statistic of {name} is below zero or no number; give the highest maximum")
        found[name] = chdtr(FREEDOMS[name], np.maximum(values, 0.0))
    return found


def wilks_confidence(surface: np.ndarray, highest: float, plane: Plane, grid: RegionGrid) -> Confidence:
    """Return the regions of a log-likelihood with coefficients ``surface`` ``(n_sin2, n_dm31)`` and maximum ``highest``.

    What a region does not name, the octant included for sin^2(2 theta_23), is maximised over the cells of ``grid``.  Raises
    InputError where the log-likelihood is above ``highest`` on the grid.
    """
    joint = 2.0 * (highest - plane.on_grid(surface, grid.sin2_theta23, grid.dm31_ev2))
    half = len(joint) // 2
    folded = np.minimum(joint[:half], joint[half:][::-1])
    statistics = {
        "plane_sin2": joint,
        "plane_sin2_2theta": folded,
        "sin2": joint.min(axis=1),
        "sin2_2theta": folded.min(axis=1),
        "dm31": joint.min(axis=0),
    }
    return Confidence(**wilks_levels(statistics))

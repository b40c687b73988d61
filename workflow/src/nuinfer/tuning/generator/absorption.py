r"""Absorption of a pion on its way out of carbon.

A pion starts where the density puts it, flies straight in any direction, and survives a column :math:`T` of matter with
probability :math:`e^{-\kappa T}`.  The effective cross section per nucleon, :math:`\kappa(T_\pi)`, is the one that makes
the same picture give the absorption cross section of a pion *beam* on carbon, :math:`\sigma_\mathrm{abs} = \int d^2b\,
(1 - e^{-\kappa T(b)})`.  That cross section is a Lorentzian about 165 MeV of 170 mb and half width 110 MeV: a rough stand-in,
chosen by eye and not fitted, for what was measured near the Delta (Ashery et al., PRC 23 (1981) 2173, from 85 MeV up; DUET,
PRC 95 (2017) 045203, 106 to 187 MeV).  Expect tens of percent; it has no meaning far above 315 MeV.

Absorption inside the nucleus without a real pion (Delta N -> N N) is not in it: 2p2h stands for that.
"""

import numpy as np

from nuinfer.physics.constants import NUCLEON_MASS_GEV, PION_MASS_GEV
from nuinfer.physics.nucleus import beam_column_fm2, escape_column_fm2

PEAK_MB = 170.0
PEAK_GEV = 0.165
HALF_WIDTH_GEV = 0.110
MB_TO_FM2 = 0.1


def carbon_absorption_mb(kinetic_gev: np.ndarray) -> np.ndarray:
    """Return the pion absorption cross section of carbon in mb at pion kinetic energies in GeV."""
    return PEAK_MB / (1.0 + ((np.asarray(kinetic_gev, float) - PEAK_GEV) / HALF_WIDTH_GEV) ** 2)


def absorption_probability(kinetic_gev: np.ndarray) -> np.ndarray:
    """Return the probability that a pion born inside carbon is absorbed there, shape of ``kinetic_gev``."""
    kappa = np.geomspace(1e-4, 30.0, 60)
    column, area = beam_column_fm2()
    beam_mb = (1.0 - np.exp(-kappa[:, None] * column)) @ area / MB_TO_FM2
    escape, weight = escape_column_fm2()
    absorbed = (1.0 - np.exp(-kappa[:, None] * escape)) @ weight
    return np.interp(carbon_absorption_mb(kinetic_gev), beam_mb, absorbed)


def absorption_after_decay(w_gev: np.ndarray, omega_gev: np.ndarray, q_gev: np.ndarray, n_angle: int = 6) -> np.ndarray:
    r"""Return the absorption probability ``(n,)`` of the pion of a resonance of mass W made on a nucleon at rest.

    The decay is isotropic in the resonance's rest frame; :math:`T_\pi = \gamma E^* + \gamma\beta p^* x - m_\pi` with
    :math:`\gamma = (M+\omega)/W`, :math:`\gamma\beta = |q|/W`.
    """
    kinetic = np.linspace(0.0, 30.0, 6001)
    table = absorption_probability(kinetic)
    e_star = (w_gev**2 + PION_MASS_GEV**2 - NUCLEON_MASS_GEV**2) / (2 * w_gev)
    p_star = np.sqrt(np.maximum(e_star**2 - PION_MASS_GEV**2, 0.0))
    x, weight = np.polynomial.legendre.leggauss(n_angle)
    total = np.zeros_like(w_gev)
    for xi, wi in zip(x, weight, strict=True):
        t = ((NUCLEON_MASS_GEV + omega_gev) * e_star + q_gev * p_star * xi) / w_gev - PION_MASS_GEV
        total += 0.5 * wi * np.interp(t, kinetic, table)
    return total

r"""Nucleon form factors of charged-current quasielastic scattering, as functions of :math:`Q^2` in GeV^2.

Vector part: BBBA05 (Bradford, Bodek, Budd, Arrington, Nucl. Phys. B Proc. Suppl. 159 (2006) 127, hep-ex/0602017).
Axial part: a dipole.  Pseudoscalar part: PCAC with pion-pole dominance (Llewellyn Smith, Phys. Rept. 3 (1972) 261).
"""

import numpy as np

from nuinfer.physics.constants import (
    AXIAL_COUPLING,
    NEUTRON_MAGNETIC_MOMENT,
    NUCLEON_MASS_GEV,
    PION_MASS_GEV,
    PROTON_MAGNETIC_MOMENT,
)

# Numerator and denominator coefficients, lowest power first, in tau = Q^2 / 4 M^2 (hep-ex/0602017, for Q^2 < 18 GeV^2).
_GEP = ((1.0, -0.0578), (1.0, 11.1, 13.6, 33.0))
_GMP = ((1.0, 0.15), (1.0, 11.1, 19.6, 7.54))
_GEN = ((0.0, 1.25, 1.30), (1.0, -9.86, 305.0, -758.0, 802.0))
_GMN = ((1.0, 1.81), (1.0, 14.1, 20.7, 68.7))


def tau(q2_gev2: np.ndarray) -> np.ndarray:
    r"""Return :math:`\tau = Q^2 / 4M^2`, shape of ``q2_gev2``."""
    return q2_gev2 / (4.0 * NUCLEON_MASS_GEV**2)


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], t: np.ndarray) -> np.ndarray:
    top, bottom = coefficients
    return np.polyval(top[::-1], t) / np.polyval(bottom[::-1], t)


def isovector_sachs(q2_gev2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the isovector Sachs form factors G_E^p - G_E^n and G_M^p - G_M^n, each of the shape of ``q2_gev2``."""
    t = tau(np.asarray(q2_gev2, float))
    g_e = _ratio(_GEP, t) - _ratio(_GEN, t)
    g_m = PROTON_MAGNETIC_MOMENT * _ratio(_GMP, t) - NEUTRON_MAGNETIC_MOMENT * _ratio(_GMN, t)
    return g_e, g_m


def vector(q2_gev2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Return :math:`F_1^V` and :math:`\xi F_2^V`, each of the shape of ``q2_gev2``.

    By the conserved vector current :math:`F_1^V = (G_E + \tau G_M)/(1+\tau)`, :math:`\xi F_2^V = (G_M - G_E)/(1+\tau)`.
    """
    t = tau(np.asarray(q2_gev2, float))
    g_e, g_m = isovector_sachs(q2_gev2)
    return (g_e + t * g_m) / (1.0 + t), (g_m - g_e) / (1.0 + t)


def axial(q2_gev2: np.ndarray, ma_gev: float) -> np.ndarray:
    r"""Return :math:`F_A = g_A / (1 + Q^2 / M_A^2)^2`, taken positive."""
    return AXIAL_COUPLING / (1.0 + np.asarray(q2_gev2, float) / ma_gev**2) ** 2


def pseudoscalar_over_axial(q2_gev2: np.ndarray) -> np.ndarray:
    r"""Return :math:`F_P / F_A = 2 M^2 / (m_\pi^2 + Q^2)`."""
    return 2.0 * NUCLEON_MASS_GEV**2 / (PION_MASS_GEV**2 + np.asarray(q2_gev2, float))

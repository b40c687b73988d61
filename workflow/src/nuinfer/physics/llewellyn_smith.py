r"""Charged-current quasielastic scattering of a neutrino on one neutron (Llewellyn Smith, Phys. Rept. 3 (1972) 261).

.. math::
    \frac{d\sigma}{dQ^2} = \frac{M^2 G_F^2 \cos^2\theta_C}{8\pi E_\nu^2}
    \left[A + B\,\frac{s-u}{M^2} + C\,\frac{(s-u)^2}{M^4}\right]

with :math:`s-u = 4ME_\nu - Q^2 - m_\mu^2`, :math:`\tau = Q^2/4M^2`, :math:`F_A > 0` (Llewellyn Smith's is negative) and

.. math::
    A &= \frac{m_\mu^2+Q^2}{M^2}\Big[(1+\tau)F_A^2 - (1-\tau)F_1^2 + \tau(1-\tau)(\xi F_2)^2 + 4\tau F_1\xi F_2
    - \frac{m_\mu^2}{4M^2}\big((F_1+\xi F_2)^2 + (F_A+2F_P)^2 - 4(1+\tau)F_P^2\big)\Big] \\
    B &= \frac{Q^2}{M^2}F_A(F_1+\xi F_2), \qquad C = \tfrac14\big(F_A^2 + F_1^2 + \tau(\xi F_2)^2\big)

(second-class currents left out; B changes sign for antineutrinos).  The bracket is the invariant matrix element, so the
same A, B and C serve for a moving nucleon: :math:`\overline{|\mathcal{M}|^2} = 8 M^4 G_F^2\cos^2\theta_C\,[\ldots]`, a sum
over the final spins and the mean over the neutron's.

A, B and C are quadratic in :math:`F_A`; their coefficients are kept apart so that one pass over the phase space serves
every axial mass.
"""

from dataclasses import dataclass

import numpy as np

from nuinfer.physics import form_factors as ff
from nuinfer.physics.constants import (
    COS2_CABIBBO,
    G_FERMI_GEV2,
    GEV2_TO_1E38_CM2,
    MUON_MASS_GEV,
    NUCLEON_MASS_GEV,
)

M2 = NUCLEON_MASS_GEV**2


@dataclass(frozen=True)
class AxialPolynomial:
    """Coefficients ``(n,)`` of F_A^0 and F_A^2 in A and C, and of F_A^1 in B."""

    a0: np.ndarray
    a2: np.ndarray
    b1: np.ndarray
    c0: np.ndarray
    c2: np.ndarray


def axial_polynomial(q2_gev2: np.ndarray, lepton_mass_gev: float = MUON_MASS_GEV) -> AxialPolynomial:
    """Return A, B and C of the module's equation at ``q2_gev2`` ``(n,)``, expanded in F_A."""
    q2 = np.asarray(q2_gev2, float)
    t = ff.tau(q2)
    f1, f2 = ff.vector(q2)
    r = ff.pseudoscalar_over_axial(q2)
    m2 = lepton_mass_gev**2
    front = (m2 + q2) / M2
    a0 = -(1 - t) * f1**2 + t * (1 - t) * f2**2 + 4 * t * f1 * f2 - m2 / (4 * M2) * (f1 + f2) ** 2
    a2 = (1 + t) - m2 / (4 * M2) * ((1 + 2 * r) ** 2 - 4 * (1 + t) * r**2)
    return AxialPolynomial(front * a0, front * a2, q2 / M2 * (f1 + f2), 0.25 * (f1**2 + t * f2**2), np.full_like(q2, 0.25))


def q2_limits_gev2(enu_gev: float, lepton_mass_gev: float = MUON_MASS_GEV) -> tuple[float, float]:
    """Return the Q^2 range of quasielastic scattering on a nucleon at rest; both zero below threshold."""
    s = M2 + 2 * NUCLEON_MASS_GEV * enu_gev
    e_cm = (s + lepton_mass_gev**2 - M2) / (2 * np.sqrt(s))
    if e_cm <= lepton_mass_gev or np.sqrt(s) <= NUCLEON_MASS_GEV + lepton_mass_gev:
        return 0.0, 0.0
    p_cm = np.sqrt(e_cm**2 - lepton_mass_gev**2)
    k_cm = (s - M2) / (2 * np.sqrt(s))
    return 2 * k_cm * (e_cm - p_cm) - lepton_mass_gev**2, 2 * k_cm * (e_cm + p_cm) - lepton_mass_gev**2


def dsigma_dq2(
    enu_gev: float, q2_gev2: np.ndarray, ma_gev: float, lepton_mass_gev: float = MUON_MASS_GEV, antineutrino: bool = False
) -> np.ndarray:
    """Return the free-nucleon cross section in 1e-38 cm^2 / GeV^2, shape of ``q2_gev2``; zero outside the limits."""
    q2 = np.asarray(q2_gev2, float)
    bracket = _bracket(enu_gev, q2, ma_gev, lepton_mass_gev, antineutrino)
    low, high = q2_limits_gev2(enu_gev, lepton_mass_gev)
    front = M2 * G_FERMI_GEV2**2 * COS2_CABIBBO / (8 * np.pi * enu_gev**2) * GEV2_TO_1E38_CM2
    return np.where((q2 >= low) & (q2 <= high), front * bracket, 0.0)


def axial_mass_weight(
    enu_gev: np.ndarray, q2_gev2: np.ndarray, ma_gev: float, nominal_ma_gev: float, antineutrino: bool = False
) -> np.ndarray:
    """Return the ratio ``(n,)`` of the free-nucleon cross sections of muons at two axial masses, at each event's own energy.

    A nucleon's motion moves events beyond the free limits, where the bracket need not be positive: they keep the weight 1.
    """
    q2 = np.asarray(q2_gev2, float)
    new, old = (_bracket(enu_gev, q2, ma, MUON_MASS_GEV, antineutrino) for ma in (ma_gev, nominal_ma_gev))
    physical = (new > 0) & (old > 0)
    return np.where(physical, new / np.where(physical, old, 1.0), 1.0)


def _bracket(
    enu_gev: np.ndarray | float, q2_gev2: np.ndarray, ma_gev: float, lepton_mass_gev: float, antineutrino: bool
) -> np.ndarray:
    poly = axial_polynomial(q2_gev2, lepton_mass_gev)
    fa = ff.axial(q2_gev2, ma_gev)
    su = (4 * NUCLEON_MASS_GEV * enu_gev - q2_gev2 - lepton_mass_gev**2) / M2
    bracket = poly.a0 + poly.a2 * fa**2 + (poly.c0 + poly.c2 * fa**2) * su**2
    return bracket + (-1 if antineutrino else 1) * poly.b1 * fa * su

r"""Quasielastic scattering on a Fermi gas, its nucleon-momentum integral done in closed form.

For nucleons spread evenly over a sphere of radius :math:`k_F`, with :math:`\tilde\omega = \omega - E_B` the energy that the
nucleon receives and the final nucleon kept out of the occupied sphere (the model of Smith and Moniz, NPB 43 (1972) 605),

.. math::
    \frac{d^2\sigma}{dE_\mu\,d\cos\theta} = \frac{p_\mu}{32\pi E_\nu |q|}\,\frac{3}{4\pi k_F^3}
    \int_{E_\mathrm{lo}}^{E_F}\!dE \int_0^{2\pi}\!d\phi\; \overline{|\mathcal M|^2}

with :math:`E_F = \sqrt{M^2 + k_F^2}`, :math:`E_\mathrm{lo} = \max(E_F - \tilde\omega,\; -\tilde\omega/2 +
\tfrac{|q|}{2}\sqrt{1 + 4M^2/\tilde Q^2})` and :math:`\tilde Q^2 = q^2 - \tilde\omega^2`.  The matrix element is
Llewellyn Smith's at the lepton's :math:`Q^2`, with :math:`s-u = 2p\cdot(k+k') - m_\mu^2` of the moving nucleon; its
average over :math:`\phi` is a quadratic in the nucleon's energy, so three moments of E are all that a sphere contributes.
The flux is that on the nucleus at rest: no relative-velocity factor of the single nucleon.
"""

from dataclasses import dataclass

import numpy as np

from nuinfer.physics.constants import (
    COS2_CABIBBO,
    G_FERMI_GEV2,
    GEV2_TO_1E38_CM2,
    MUON_MASS_GEV,
    NUCLEON_MASS_GEV,
)
from nuinfer.physics.form_factors import axial
from nuinfer.physics.llewellyn_smith import axial_polynomial
from nuinfer.physics.nucleus import FermiShells

M2 = NUCLEON_MASS_GEV**2


@dataclass(frozen=True)
class AxialExpansion:
    """Cross sections ``f0 + f1 F_A + f2 F_A^2`` at points ``(n,)`` with momentum transfers ``q2_gev2``."""

    q2_gev2: np.ndarray
    f0: np.ndarray
    f1: np.ndarray
    f2: np.ndarray

    def at(self, ma_gev: float) -> np.ndarray:
        """Return the cross section at axial mass ``ma_gev``, ``(n,)``."""
        fa = axial(self.q2_gev2, ma_gev)
        return self.f0 + fa * (self.f1 + fa * self.f2)


def energy_moments(
    omega_gev: np.ndarray, q_gev: np.ndarray, k_f_gev: float, pauli_blocking: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Return :math:`\frac{3}{4\pi k_F^3}\int E^k dE` for k = 0, 1, 2 (first equation of the module).

    ``omega_gev`` is the energy that the nucleon receives and ``q_gev`` the momentum transfer, both ``(n,)``.
    """
    q2 = q_gev**2 - omega_gev**2
    allowed = (omega_gev > 0) & (q2 > 0)
    e_min = -0.5 * omega_gev + 0.5 * q_gev * np.sqrt(1.0 + 4.0 * M2 / np.where(allowed, q2, 1.0))
    e_f = np.sqrt(M2 + k_f_gev**2)
    low = np.maximum(e_min, e_f - omega_gev) if pauli_blocking else e_min
    low = np.clip(np.where(allowed, low, e_f), NUCLEON_MASS_GEV, e_f)
    # Differences of powers, factored so that they do not cancel for a nearly empty range.
    i0 = 3.0 / (4.0 * np.pi * k_f_gev**3) * (e_f - low)
    return i0, i0 * (e_f + low) / 2.0, i0 * (e_f * e_f + e_f * low + low * low) / 3.0


def lepton_transfer(
    enu_gev: np.ndarray, p_mu_gev: np.ndarray, cos_theta: np.ndarray, lepton_mass_gev: float = MUON_MASS_GEV
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return lepton energy, energy transfer and momentum transfer, each ``(n,)`` in GeV."""
    e_mu = np.hypot(p_mu_gev, lepton_mass_gev)
    q = np.sqrt(enu_gev**2 + p_mu_gev**2 - 2 * enu_gev * p_mu_gev * cos_theta)
    return e_mu, enu_gev - e_mu, q


def on_peak(enu_gev: np.ndarray, p_mu_gev: np.ndarray, cos_theta: np.ndarray, shells: FermiShells) -> np.ndarray:
    r"""Return where ``(n,)`` a neutron of the spheres can take up the transfer; false only where none can.

    A nucleon of momentum up to :math:`k_F` takes up :math:`\sqrt{M^2+(q\pm k_F)^2} - E_F` at the extremes.
    """
    _, omega, q = lepton_transfer(enu_gev, p_mu_gev, cos_theta)
    k_f = shells.k_f_gev.max()
    e_f = np.sqrt(M2 + k_f**2)
    low = np.sqrt(M2 + (q - k_f) ** 2) - e_f + shells.removal_gev.min()
    high = np.sqrt(M2 + (q + k_f) ** 2) - e_f + shells.removal_gev.max()
    return (omega > np.maximum(low, 0.0)) & (omega < high)


def quasielastic(
    enu_gev: np.ndarray,
    p_mu_gev: np.ndarray,
    cos_theta: np.ndarray,
    shells: FermiShells,
    pauli_blocking: bool = True,
    lepton_mass_gev: float = MUON_MASS_GEV,
) -> AxialExpansion:
    """Return d2sigma / dp_mu dcos(theta) per neutron in 1e-38 cm^2 / GeV at points ``(n,)``, expanded in F_A."""
    e_mu, omega, q = lepton_transfer(enu_gev, p_mu_gev, cos_theta, lepton_mass_gev)
    q2 = np.maximum(q**2 - omega**2, 0.0)
    m2 = lepton_mass_gev**2
    k_0 = enu_gev + e_mu
    k_par = (enu_gev**2 - p_mu_gev**2) / q
    k_t2 = enu_gev**2 + p_mu_gev**2 + 2 * enu_gev * p_mu_gev * cos_theta - k_par**2
    su0, su1, su2 = np.zeros((3, len(q)))
    for k_f, weight, removal in zip(shells.k_f_gev, shells.weight, shells.removal_gev, strict=True):
        w = omega - removal
        half_q2 = 0.5 * (q**2 - w**2)
        i0, i1, i2 = (weight * i for i in energy_moments(w, q, k_f, pauli_blocking))
        slope = 2.0 * (k_0 - k_par * w / q)
        offset = 2.0 * k_par * half_q2 / q - m2
        # Averages over the nucleon's azimuth of s - u and (s - u)^2, integrated over its energy.
        transverse = (i2 - M2 * i0) - (w**2 * i2 - 2 * w * half_q2 * i1 + half_q2**2 * i0) / q**2
        su0 += i0
        su1 += offset * i0 + slope * i1
        su2 += offset**2 * i0 + 2 * offset * slope * i1 + slope**2 * i2 + 2.0 * k_t2 * transverse
    poly = axial_polynomial(q2, lepton_mass_gev)
    front = M2**2 * G_FERMI_GEV2**2 * COS2_CABIBBO * p_mu_gev**2 / (2.0 * enu_gev * e_mu * q) * GEV2_TO_1E38_CM2
    return AxialExpansion(
        q2,
        front * (poly.a0 * su0 + poly.c0 * su2 / M2**2),
        front * poly.b1 * su1 / M2,
        front * (poly.a2 * su0 + poly.c2 * su2 / M2**2),
    )

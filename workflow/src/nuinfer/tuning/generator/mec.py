r"""Two-nucleon knock-out (2p2h): two phenomenological shapes of one total cross section.

``valencia``
    transverse response of two ridges, near the quasielastic and the Delta peak, as the microscopic calculation of Nieves,
    Ruiz Simo, Vicente Vacas (PRC 83 (2011) 045501; its (q0, q3) map in Gran et al., PRD 88 (2013) 113007) shows,

    .. math::
        R(\omega, q) = a_1 e^{-\frac12(\omega-\omega_1)^2/(s_1 q)^2 - q^2/\lambda_1^2}
                     + a_2 e^{-\frac12(\omega-\omega_2)^2/s_2^2 - q^2/\lambda_2^2},\quad
        \omega_i = \sqrt{M_i^2+q^2} - M + \delta_i,\; M_1 = M,\; M_2 = M_\Delta

    in the transverse part, and a constant :math:`\ell` for the axial longitudinal part, of a lepton-nucleus cross section
    after the one that Martini et al. use (PRC 80 (2009) 065501), reduced to these parts and without the lepton's mass in the
    leptonic factors,

    .. math::
        \frac{d^2\sigma}{dE_\mu d\cos\theta} = \frac{G_F^2\cos^2\theta_C}{\pi}\,p_\mu E_\mu \cos^2\tfrac\theta2
        \Big[2\big(\tan^2\tfrac\theta2 + \tfrac{Q^2}{2q^2}\big)\big(\tfrac{q^2}{4M^2}G_M^2 + G_A^2\big)
        + 2\,\tfrac{E_\nu+E_\mu}{M}\tan^2\tfrac\theta2\,G_A G_M + \ell\,G_A^2\Big] R(\omega, q).

    The nine constants, size included, were fitted to the (q0, q3) distribution of NuWro's Valencia 2p2h events in the T2K
    flux: agreement with NuWro there is by construction.
``empirical``
    after Dytman's empirical model in GENIE (``EmpiricalMECPXSec2015``; Katori, arXiv:1304.6014): a Gaussian in the mass W of
    the struck pair, :math:`W^2 = M_2^2 + 2M_2\omega - Q^2`, a steep form factor, and purely magnetic terms much like
    Llewellyn Smith's,

    .. math::
        \frac{d^2\sigma}{dW dQ^2} \propto e^{-\frac12 (W-W_0)^2/\sigma_W^2}\, Q^2 (1+Q^2/\Lambda^2)^{-8}\,
        \Big[A + \frac{(s-u)^2}{M_2^4} C\Big],\quad
        A = \frac{m_\mu^2+Q^2}{M_2^2}\,\frac{\tau(1+4\tau+\tau^2)}{(1+\tau)^2},\; C = \frac{\tau}{4(1+\tau)},\;
        \tau = \frac{Q^2}{4M_2^2}.

    Here :math:`s-u = 4M_2E_\nu - Q^2 - m_\mu^2`.  GENIE's code leaves out the division by :math:`M_2^4`, which is needed for
    the dimensions to agree and makes A matter; between 0.4 and 1 GeV this moves 3 to 4 % of the distribution to larger
    angles (the mean cosine at 0.6 GeV is 0.33, not 0.37).  The pair is at rest here; in GENIE it moves.

The empirical shape is scaled, energy by energy, to the total of the other: the shape dial keeps the total, as GENIE
Reweight's ``XSecShape_CCMEC`` does.  Neither is meant as microscopic physics.
"""

from dataclasses import dataclass

import numpy as np

from nuinfer.physics import form_factors as ff
from nuinfer.physics.constants import (
    COS2_CABIBBO,
    DELTA_MASS_GEV,
    G_FERMI_GEV2,
    GEV2_TO_1E38_CM2,
    MUON_MASS_GEV,
    NUCLEON_MASS_GEV,
)
from nuinfer.physics.fermi_gas import lepton_transfer

M = NUCLEON_MASS_GEV
M_PAIR = 2.0 * M
MEC_AXIAL_MASS_GEV = 1.03
"""The axial mass dial is quasielastic alone; 2p2h keeps this one."""


OMEGA_MAX_GEV = 1.5
Q_MAX_GEV = 2.5
"""Energy and momentum transfer beyond which both shapes have died out."""


@dataclass(frozen=True)
class ValenciaShape:
    """Constants of the two ridges: heights in 1/GeV per nucleon of CH, the rest in GeV or pure numbers."""

    a_qe: float = 0.174
    shift_qe_gev: float = 0.047
    width_qe: float = 0.108
    range_qe_gev: float = 1.449
    a_delta: float = 0.592
    shift_delta_gev: float = 0.040
    width_delta_gev: float = 0.080
    range_delta_gev: float = 1.311
    longitudinal: float = 0.596

    def response(self, omega_gev: np.ndarray, q_gev: np.ndarray) -> np.ndarray:
        """Return R of the module's text, in 1/GeV per nucleon of CH, at transfers ``(n,)``."""
        w_1 = np.sqrt(M**2 + q_gev**2) - M + self.shift_qe_gev
        w_2 = np.sqrt(DELTA_MASS_GEV**2 + q_gev**2) - M + self.shift_delta_gev
        ridge_1 = np.exp(-0.5 * ((omega_gev - w_1) / (self.width_qe * q_gev)) ** 2 - (q_gev / self.range_qe_gev) ** 2)
        ridge_2 = np.exp(-0.5 * ((omega_gev - w_2) / self.width_delta_gev) ** 2 - (q_gev / self.range_delta_gev) ** 2)
        return self.a_qe * ridge_1 + self.a_delta * ridge_2

    def density(self, enu_gev: np.ndarray, p_mu_gev: np.ndarray, cos_theta: np.ndarray) -> np.ndarray:
        """Return d2sigma / dp_mu dcos(theta) per nucleon of CH in 1e-38 cm^2 / GeV at points ``(n,)``."""
        e_mu, omega, q = lepton_transfer(enu_gev, p_mu_gev, cos_theta)
        q2 = np.maximum(q**2 - omega**2, 0.0)
        _, g_m = ff.isovector_sachs(q2)
        g_a = ff.axial(q2, MEC_AXIAL_MASS_GEV)
        cos2, sin2 = 0.5 * (1 + cos_theta), 0.5 * (1 - cos_theta)
        lepton = 2 * (sin2 + cos2 * q2 / (2 * q**2)) * (q**2 / (4 * M**2) * g_m**2 + g_a**2)
        lepton = lepton + 2 * (enu_gev + e_mu) / M * sin2 * g_a * g_m + self.longitudinal * cos2 * g_a**2
        front = G_FERMI_GEV2**2 * COS2_CABIBBO / np.pi * p_mu_gev**2 * GEV2_TO_1E38_CM2
        return front * lepton * self.response(omega, q)


@dataclass(frozen=True)
class EmpiricalShape:
    """Constants of the empirical model: mean and width of the pair's mass, and the form factor's scale squared.

    All three are GENIE's: ``EmpiricalMEC-Mass``, ``-Width`` and ``-Mq2d`` (Generator, config/EmpiricalMECPXSec2015.xml at
    8ad11747).
    """

    w_mean_gev: float = 2.1
    w_sigma_gev: float = 0.05
    scale2_gev2: float = 0.4

    def density(self, enu_gev: np.ndarray, p_mu_gev: np.ndarray, cos_theta: np.ndarray) -> np.ndarray:
        """Return the shape of d2sigma / dp_mu dcos(theta) in arbitrary units at points ``(n,)``."""
        e_mu, omega, q = lepton_transfer(enu_gev, p_mu_gev, cos_theta)
        q2 = np.maximum(q**2 - omega**2, 0.0)
        w2 = M_PAIR**2 + 2 * M_PAIR * omega - q2
        w = np.sqrt(np.maximum(w2, 0.01))
        gauss = np.where(w2 > M_PAIR**2, np.exp(-0.5 * ((w - self.w_mean_gev) / self.w_sigma_gev) ** 2), 0.0)
        t = q2 / (4 * M_PAIR**2)
        m2 = MUON_MASS_GEV**2
        a = (m2 + q2) / M_PAIR**2 * t * (1 + 4 * t + t**2) / (1 + t) ** 2
        c = t / (4 * (1 + t))
        su = (4 * M_PAIR * enu_gev - q2 - m2) / M_PAIR**2
        # (s-u)^2 comes in units of M_pair^4; front and jacobian: dsigma/dQ^2 ~ 1/E^2, |d(W, Q^2)/d(p, cos)|.
        jacobian = 2 * enu_gev * p_mu_gev * M_PAIR / w * p_mu_gev / e_mu
        return jacobian / enu_gev**2 * gauss * q2 * (1 + q2 / self.scale2_gev2) ** -8 * (a + c * su**2)


def total_per_energy(shape: ValenciaShape | EmpiricalShape, enu_gev: np.ndarray, n_node: int = 160) -> np.ndarray:
    """Return the integral of ``shape.density`` over momentum and angle at every energy of ``enu_gev`` ``(n,)``.

    The integral runs over energy and momentum transfer, where both shapes are compact.
    """
    x, w = np.polynomial.legendre.leggauss(n_node)
    omega, w_omega = 0.5 * OMEGA_MAX_GEV * (x + 1), 0.5 * OMEGA_MAX_GEV * w
    fraction, w_fraction = 0.5 * (x + 1), 0.5 * w
    q = omega[:, None] + (Q_MAX_GEV - omega[:, None]) * fraction
    weight = w_omega[:, None] * w_fraction * (Q_MAX_GEV - omega[:, None])
    omega = np.broadcast_to(omega[:, None], q.shape)
    total = np.zeros(len(enu_gev))
    for i, enu in enumerate(enu_gev):
        e_mu = enu - omega
        p = np.sqrt(np.maximum(e_mu**2 - MUON_MASS_GEV**2, 1e-12))
        cos = (enu**2 + p**2 - q**2) / (2 * enu * p)
        keep = (e_mu > MUON_MASS_GEV * 1.0001) & (np.abs(cos) < 1)
        if not keep.any():
            continue
        # dp dcos = (E_mu / p) domega * q / (E_nu p) dq
        jacobian = e_mu[keep] * q[keep] / (enu * p[keep] ** 2)
        density = shape.density(np.full(keep.sum(), enu), p[keep], cos[keep])
        total[i] = np.sum(weight[keep] * jacobian * density)
    return total


def total_ratio(enu_gev: np.ndarray, valencia: ValenciaShape, empirical: EmpiricalShape, n_energy: int = 60) -> np.ndarray:
    """Return the factor ``(n,)`` that gives the empirical shape the total of the other at each energy."""
    grid = np.geomspace(0.16, 31.0, n_energy)
    ratio = np.log(total_per_energy(valencia, grid) / total_per_energy(empirical, grid))
    return np.exp(np.interp(np.log(enu_gev), np.log(grid), ratio))

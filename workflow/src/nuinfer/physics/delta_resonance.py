r"""Neutrino excitation of the Delta(1232), by the Rarita-Schwinger current with its traces done numerically.

The current is :math:`\bar u_\alpha \Gamma^{\alpha\mu} u` with

.. math::
    \Gamma^{\alpha\mu} = \Big[\tfrac{C_3^V}{M}(g^{\alpha\mu}\not{q} - q^\alpha\gamma^\mu)
    + \tfrac{C_4^V}{M^2}(g^{\alpha\mu} q\cdot p_\Delta - q^\alpha p_\Delta^\mu)
    + \tfrac{C_5^V}{M^2}(g^{\alpha\mu} q\cdot p - q^\alpha p^\mu)\Big]\gamma_5
    + \tfrac{C_3^A}{M}(g^{\alpha\mu}\not{q} - q^\alpha\gamma^\mu)
    + \tfrac{C_4^A}{M^2}(g^{\alpha\mu} q\cdot p_\Delta - q^\alpha p_\Delta^\mu)
    + C_5^A g^{\alpha\mu} + \tfrac{C_6^A}{M^2} q^\alpha q^\mu

as written by Hernandez, Nieves, Valverde, PRD 76 (2007) 033005; the vector form factors are those of Lalakulich, Paschos,
Piranishvili, PRD 74 (2006) 014009, and the axial dipole was fitted to ANL and BNL deuterium data by Graczyk, Kielczewska,
Przewlocki, Sobczyk, PRD 80 (2009) 093001: C5A(0) = 1.19, M_A = 0.94 GeV.
The vertex is that of n -> Delta+; the cross section of p -> Delta++ is larger by three (isospin).  There is no background
amplitude, and the Delta is free: no Fermi motion, no change of its width or mass in the nucleus.
"""

import numpy as np
from scipy.interpolate import RectBivariateSpline

from nuinfer.physics.constants import (
    COS2_CABIBBO,
    DELTA_MASS_GEV,
    DELTA_WIDTH_GEV,
    G_FERMI_GEV2,
    GEV2_TO_1E38_CM2,
    MUON_MASS_GEV,
    NUCLEON_MASS_GEV,
    PION_MASS_GEV,
)
from nuinfer.physics.fermi_gas import lepton_transfer

M = NUCLEON_MASS_GEV
METRIC = np.diag([1.0, -1.0, -1.0, -1.0])
AXIAL_MASS_DELTA_GEV = 0.94
C5A_AT_ZERO = 1.19
VECTOR_MASS_DELTA_GEV = 0.84
W_MIN_GEV = NUCLEON_MASS_GEV + PION_MASS_GEV
W_MAX_GEV = 2.0
"""Above this the single-resonance picture has no meaning and the cross section is set to zero."""

_I2, _0 = np.eye(2), np.zeros((2, 2))
_PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
GAMMA = np.array([np.block([[_I2, _0], [_0, -_I2]]), *(np.block([[_0, s], [-s, _0]]) for s in _PAULI)])
GAMMA5 = np.block([[_0, _I2], [_I2, _0]]).astype(complex)


def slash(p: np.ndarray) -> np.ndarray:
    """Return p-slash for a contravariant vector ``(4,)``."""
    return np.einsum("m,mab->ab", METRIC @ p, GAMMA)


def form_factors(q2_gev2: float) -> dict[str, float]:
    """Return C3V .. C6A of n -> Delta+ (sources in the module's text)."""
    dipole_v = (1 + q2_gev2 / VECTOR_MASS_DELTA_GEV**2) ** -2
    slow = 1 / (1 + q2_gev2 / (4 * VECTOR_MASS_DELTA_GEV**2))
    c5a = C5A_AT_ZERO * (1 + q2_gev2 / AXIAL_MASS_DELTA_GEV**2) ** -2
    return {
        "c3v": 2.13 * dipole_v * slow,
        "c4v": -1.51 * dipole_v * slow,
        "c5v": 0.48 * dipole_v / (1 + q2_gev2 / (0.776 * VECTOR_MASS_DELTA_GEV**2)),
        "c3a": 0.0,
        "c4a": -c5a / 4,
        "c5a": c5a,
        "c6a": c5a * M**2 / (q2_gev2 + PION_MASS_GEV**2),
    }


def hadron_tensor(w_gev: float, q2_gev2: float) -> np.ndarray:
    r"""Return :math:`\sum_\mathrm{spins} J^\mu J^{\nu*}` ``(4, 4)`` for a neutron at rest and q along z (GeV^2)."""
    omega = (w_gev**2 + q2_gev2 - M**2) / (2 * M)
    q = np.array([omega, 0, 0, np.sqrt(q2_gev2 + omega**2)])
    p = np.array([M, 0, 0, 0])
    pd = p + q
    q_p, q_pd = q @ METRIC @ p, q @ METRIC @ pd
    c = form_factors(q2_gev2)
    one = np.eye(4)
    qslash = slash(q)
    g_q = np.einsum("am,xy->amxy", METRIC, qslash) - np.einsum("a,mxy->amxy", q, GAMMA)
    g_pd = q_pd * METRIC - np.outer(q, pd)
    g_p = q_p * METRIC - np.outer(q, p)
    vector = c["c3v"] / M * g_q + np.einsum("am,xy->amxy", c["c4v"] / M**2 * g_pd + c["c5v"] / M**2 * g_p, one)
    axial_scalar = c["c4a"] / M**2 * g_pd + c["c5a"] * METRIC + c["c6a"] / M**2 * np.outer(q, q)
    vertex = vector @ GAMMA5 + c["c3a"] / M * g_q + np.einsum("am,xy->amxy", axial_scalar, one)
    vertex_bar = GAMMA[0] @ np.conj(np.swapaxes(vertex, -1, -2)) @ GAMMA[0]
    gamma_low = np.einsum("ab,bxy->axy", METRIC, GAMMA)
    pd_low = METRIC @ pd
    spin = (
        np.einsum("ab,xy->abxy", METRIC, one)
        - np.einsum("axy,byz->abxz", gamma_low, gamma_low) / 3
        - 2 * np.einsum("ab,xy->abxy", np.outer(pd_low, pd_low), one) / (3 * w_gev**2)
        + (np.einsum("a,bxy->abxy", pd_low, gamma_low) - np.einsum("b,axy->abxy", pd_low, gamma_low)) / (3 * w_gev)
    )
    projector = -np.einsum("xy,abyz->abxz", slash(pd) + w_gev * one, spin)
    neutron = slash(p) + M * one
    return np.einsum("amxy,yz,bnzu,baux->mn", vertex, neutron, vertex_bar, projector, optimize=True)


def lepton_tensor_contraction(
    h: np.ndarray, enu: np.ndarray, p_mu: np.ndarray, cos_theta: np.ndarray, mass: float
) -> np.ndarray:
    r"""Return :math:`L_{\mu\nu}H^{\mu\nu}` of ``h = (H00, Re H03, H33, (H11+H22)/2, Im H12)``, ``(5, n)``.

    .. math::
        L^{\mu\nu} = 8[k^\mu k'^\nu + k^\nu k'^\mu - g^{\mu\nu}k\cdot k' \mp i\epsilon^{\mu\nu\alpha\beta}k_\alpha k'_\beta],

    averaged over the azimuth about q.
    """
    e_mu, _, q = lepton_transfer(enu, p_mu, cos_theta, mass)
    k_z = (enu**2 - enu * p_mu * cos_theta) / q
    kp_z = k_z - q
    k_t2 = np.maximum(enu**2 - k_z**2, 0.0)
    dot = enu * e_mu - enu * p_mu * cos_theta
    l_00 = 2 * enu * e_mu - dot
    l_03 = enu * kp_z + e_mu * k_z
    l_33 = 2 * k_z * kp_z + dot
    l_tt = k_t2 + dot
    l_12 = enu * kp_z - e_mu * k_z
    return 8.0 * (l_00 * h[0] - 2 * l_03 * h[1] + l_33 * h[2] + 2 * l_tt * h[3] + 2 * l_12 * h[4])


def width_gev(w_gev: np.ndarray) -> np.ndarray:
    r"""Return :math:`\Gamma(W) = \Gamma_0\,(q_\mathrm{cm}(W)/q_\mathrm{cm}(M_\Delta))^3\,M_\Delta/W`.

    The P-wave width of Delta -> N pi (PRD 76, 033005), shape of ``w_gev``, in GeV.
    """

    def q_cm(w: np.ndarray) -> np.ndarray:
        e = (w**2 + PION_MASS_GEV**2 - M**2) / (2 * w)
        return np.sqrt(np.maximum(e**2 - PION_MASS_GEV**2, 0.0))

    w = np.asarray(w_gev, float)
    return DELTA_WIDTH_GEV * (q_cm(w) / q_cm(DELTA_MASS_GEV)) ** 3 * DELTA_MASS_GEV / w


def spectral_function(w_gev: np.ndarray) -> np.ndarray:
    r"""Return :math:`A(W^2) = \frac1\pi \frac{W\Gamma}{(W^2-M_\Delta^2)^2 + W^2\Gamma^2}` in 1/GeV^2, zero below threshold."""
    w = np.asarray(w_gev, float)
    inside = (w > W_MIN_GEV) & (w < W_MAX_GEV)
    w = np.where(inside, w, DELTA_MASS_GEV)
    g = w * width_gev(w)
    return np.where(inside, g / np.pi / ((w**2 - DELTA_MASS_GEV**2) ** 2 + g**2), 0.0)


def _flatten(q2: np.ndarray) -> np.ndarray:
    return (1.0 + q2 / 0.7) ** 4


def structure_splines(n_w: int = 24, n_q2: int = 40, q2_max_gev2: float = 30.0) -> list[RectBivariateSpline]:
    """Tabulate the five components of :func:`hadron_tensor` over W and log(1 + Q^2 / 0.1) for interpolation."""
    w = np.linspace(W_MIN_GEV, W_MAX_GEV, n_w)
    t = np.linspace(0.0, np.log1p(q2_max_gev2 / 0.1), n_q2)
    q2 = 0.1 * np.expm1(t)
    table = np.empty((5, n_w, n_q2))
    for i in range(n_w):
        for j in range(n_q2):
            h = hadron_tensor(w[i], q2[j]) * _flatten(q2[j])
            table[:, i, j] = (h[0, 0].real, h[0, 3].real, h[3, 3].real, 0.5 * (h[1, 1] + h[2, 2]).real, h[1, 2].imag)
    return [RectBivariateSpline(w, t, component) for component in table]


def hadronic_mass_gev(
    enu_gev: np.ndarray, p_mu_gev: np.ndarray, cos_theta: np.ndarray, lepton_mass_gev: float = MUON_MASS_GEV
) -> np.ndarray:
    r"""Return :math:`W = \sqrt{M^2 + 2M\omega - Q^2}` on a nucleon at rest, zero where that is imaginary."""
    _, omega, q = lepton_transfer(enu_gev, p_mu_gev, cos_theta, lepton_mass_gev)
    return np.sqrt(np.maximum((M + omega) ** 2 - q**2, 0.0))


def delta_production(
    enu_gev: np.ndarray,
    p_mu_gev: np.ndarray,
    cos_theta: np.ndarray,
    splines: list[RectBivariateSpline],
    lepton_mass_gev: float = MUON_MASS_GEV,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Return d2sigma / dp_mu dcos(theta) of n -> Delta+ in 1e-38 cm^2 / GeV and the hadronic mass W, each ``(n,)``.

    :math:`\frac{d^2\sigma}{dE_\mu d\cos\theta} = \frac{p_\mu}{16\pi M E_\nu}\,\overline{|\mathcal M|^2}\,A(W^2)` with
    :math:`\overline{|\mathcal M|^2} = \tfrac12 \tfrac{G_F^2\cos^2\theta_C}{2} L_{\mu\nu}H^{\mu\nu}`.
    """
    e_mu, omega, q = lepton_transfer(enu_gev, p_mu_gev, cos_theta, lepton_mass_gev)
    q2 = np.maximum(q**2 - omega**2, 0.0)
    w = hadronic_mass_gev(enu_gev, p_mu_gev, cos_theta, lepton_mass_gev)
    spectral = spectral_function(w)
    result = np.zeros_like(w)
    i = np.flatnonzero(spectral > 0)
    t = np.log1p(q2[i] / 0.1)
    h = np.stack([s.ev(w[i], t) for s in splines]) / _flatten(q2[i])
    matrix = 0.25 * G_FERMI_GEV2**2 * COS2_CABIBBO
    matrix = matrix * lepton_tensor_contraction(h, enu_gev[i], p_mu_gev[i], cos_theta[i], lepton_mass_gev)
    front = p_mu_gev[i] ** 2 / e_mu[i] / (16 * np.pi * M * enu_gev[i]) * GEV2_TO_1E38_CM2
    result[i] = np.maximum(front * matrix * spectral[i], 0.0)
    return result, w

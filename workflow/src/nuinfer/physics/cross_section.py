r"""Inclusive charged-current cross section from five structure functions (Kretzer and Reno, hep-ph/0208187).

Per target of mass M (a nucleon with M = M_A / A, or the nucleus itself), natural units; the lepton's mass is kept.  With
:math:`P = (1 + Q^2/M_W^2)^{-2}`, lepton energy E_l, momentum p and c = cos(theta):

.. math::
    \frac{d^2\sigma}{dx\,dy} &= \frac{G_F^2ME_\nu}{\pi}P\Big\{\Big(y^2x+\frac{m^2y}{2E_\nu M}\Big)F_1
    + \Big[1-\frac{m^2}{4E_\nu^2}-\Big(1+\frac{Mx}{2E_\nu}\Big)y\Big]F_2
    \pm\Big[xy\Big(1-\frac y2\Big)-\frac{m^2y}{4E_\nu M}\Big]F_3
    + \frac{m^2(m^2+Q^2)}{4E_\nu^2M^2x}F_4-\frac{m^2}{E_\nu M}F_5\Big\} \\
    \frac{d^2\sigma}{dE_l\,dc} &= \frac{G_F^2\,p}{\pi}P\Big\{\frac{E_l-pc}{M}F_1+\frac{E_l+pc}{2\nu}F_2
    \pm\frac{(E_\nu+E_l)(E_l-pc)-m^2}{2M\nu}F_3+\frac{m^2(E_l-pc)}{MQ^2}F_4-\frac{m^2}{M\nu}F_5\Big\}

(upper sign neutrinos).  Both are the bare formulas: outside :func:`nuinfer.physics.kinematics.is_physical` the cross section
is zero and it is for the caller to set it so.  The full weak coupling is used: mixing of quarks belongs in the functions.

A negative value is not the formula's: F_1 = F_2 / 2x lacks the factor 1 + x M / nu of a parton's spin sum, and without it the
leading-order antineutrino cross section falls below zero where x is large and nu small.
"""

import numpy as np

from nuinfer.physics import kinematics as kin
from nuinfer.physics.constants import G_FERMI_GEV2, GEV2_TO_1E38_CM2, MUON_MASS_GEV, W_MASS_GEV
from nuinfer.physics.structure_function_forms import StructureFunctions, lepton_sign


def to_1e38_cm2(cross_section: np.ndarray) -> np.ndarray:
    """Return a cross section in 1e-38 cm^2 (per whatever it is differential in) from one in 1/GeV^2."""
    return GEV2_TO_1E38_CM2 * np.asarray(cross_section, float)


def propagator(q2_gev2: np.ndarray) -> np.ndarray:
    """Return (1 + Q^2 / M_W^2)^-2."""
    return (1 + np.asarray(q2_gev2, float) / W_MASS_GEV**2) ** -2


def coefficients_xy(
    x: np.ndarray, y: np.ndarray, enu_gev: np.ndarray, mass_gev: float, lepton_mass_gev: float = MUON_MASS_GEV
) -> np.ndarray:
    """Return the coefficients ``(5, ...)`` of F_1 ... F_5 in the braces of d2sigma/dx dy, the third as for neutrinos."""
    x, y, e = np.asarray(x, float), np.asarray(y, float), np.asarray(enu_gev, float)
    m2 = lepton_mass_gev**2
    q2 = 2 * mass_gev * e * x * y
    terms = (
        y**2 * x + m2 * y / (2 * e * mass_gev),
        1 - m2 / (4 * e**2) - (1 + mass_gev * x / (2 * e)) * y,
        x * y * (1 - y / 2) - m2 * y / (4 * e * mass_gev),
        m2 * (m2 + q2) / (4 * e**2 * mass_gev**2 * x),
        -m2 / (e * mass_gev),
    )
    return np.stack(np.broadcast_arrays(*terms))


def d2sigma_dxdy(
    sf: StructureFunctions,
    x: np.ndarray,
    y: np.ndarray,
    enu_gev: np.ndarray,
    mass_gev: float,
    antineutrino: bool = False,
    lepton_mass_gev: float = MUON_MASS_GEV,
) -> np.ndarray:
    """Return d2sigma/dx dy in 1/GeV^2; ``sf`` holds the functions at the same points (arrays that broadcast)."""
    e = np.asarray(enu_gev, float)
    c1, c2, c3, c4, c5 = coefficients_xy(x, y, e, mass_gev, lepton_mass_gev)
    sign = lepton_sign(antineutrino)
    braces = c1 * sf.f1 + c2 * sf.f2 + sign * c3 * sf.f3 + c4 * sf.f4 + c5 * sf.f5
    return G_FERMI_GEV2**2 * mass_gev * e / np.pi * propagator(2 * mass_gev * e * np.asarray(x) * np.asarray(y)) * braces


def d2sigma_del_dcos(
    sf: StructureFunctions,
    enu_gev: np.ndarray,
    el_gev: np.ndarray,
    cos_theta: np.ndarray,
    mass_gev: float,
    antineutrino: bool = False,
    lepton_mass_gev: float = MUON_MASS_GEV,
) -> np.ndarray:
    """Return d2sigma/dE_l dcos(theta) in 1/GeV^3; ``sf`` holds the functions at the same points (arrays that broadcast)."""
    e, el = np.asarray(enu_gev, float), np.asarray(el_gev, float)
    m2 = lepton_mass_gev**2
    nu = e - el
    minus = kin.energy_minus_longitudinal_gev(el, cos_theta, lepton_mass_gev)
    q2 = kin.q2_gev2(e, el, cos_theta, lepton_mass_gev)
    sign = lepton_sign(antineutrino)
    braces = (
        minus / mass_gev * sf.f1
        + (2 * el - minus) / (2 * nu) * sf.f2
        + sign * ((e + el) * minus - m2) / (2 * mass_gev * nu) * sf.f3
        + m2 * minus / (mass_gev * q2) * sf.f4
        - m2 / (mass_gev * nu) * sf.f5
    )
    return G_FERMI_GEV2**2 / np.pi * kin.lepton_momentum_gev(el, lepton_mass_gev) * propagator(q2) * braces


def combination_prefactors(
    enu_gev: np.ndarray, el_gev: np.ndarray, cos_theta: np.ndarray, mass_gev: float, lepton_mass_gev: float = MUON_MASS_GEV
) -> np.ndarray:
    r"""Return the prefactors ``(3, ...)`` of :math:`\tilde W_{1,2,3}` in GeV^2, without the sign of the third.

    .. math::
        K_{1,2,3} = p\,P\,\Big\{E_l-pc,\ \tfrac12(E_l+pc),\ \frac{(E_\nu+E_l)(E_l-pc)-m^2}{2M}\Big\}
    """
    e, el = np.asarray(enu_gev, float), np.asarray(el_gev, float)
    minus = kin.energy_minus_longitudinal_gev(el, cos_theta, lepton_mass_gev)
    third = ((e + el) * minus - lepton_mass_gev**2) / (2 * mass_gev)
    front = kin.lepton_momentum_gev(el, lepton_mass_gev) * propagator(kin.q2_gev2(e, el, cos_theta, lepton_mass_gev))
    return front * np.stack(np.broadcast_arrays(minus, el - minus / 2, third))


def d2sigma_from_combinations(
    w: np.ndarray,
    enu_gev: np.ndarray,
    el_gev: np.ndarray,
    cos_theta: np.ndarray,
    mass_gev: float,
    antineutrino: bool = False,
    lepton_mass_gev: float = MUON_MASS_GEV,
) -> np.ndarray:
    r"""Return d2sigma/dE_l dcos(theta) in 1/GeV^3 from :math:`\tilde W` ``(3, ...)`` at the same points.

    :math:`(G_F^2/\pi M)\,[K_1\tilde W_1 + K_2\tilde W_2 \pm K_3\tilde W_3]`, the upper sign for neutrinos; the combinations
    themselves depend on the sign (:func:`nuinfer.physics.structure_function_forms.rescaled_combinations`).
    """
    k1, k2, k3 = combination_prefactors(enu_gev, el_gev, cos_theta, mass_gev, lepton_mass_gev)
    first, second, third = np.asarray(w, float)
    total = k1 * first + k2 * second + lepton_sign(antineutrino) * k3 * third
    return G_FERMI_GEV2**2 / (np.pi * mass_gev) * total

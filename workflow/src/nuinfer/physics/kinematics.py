r"""Kinematics of inclusive charged-current scattering on a target at rest, the lepton's mass kept.

With neutrino energy E, lepton energy E_l, momentum p, angle theta, lepton mass m and target mass M:

.. math::
    \nu = E - E_l,\quad Q^2 = 2E(E_l - p\cos\theta) - m^2,\quad x = \frac{Q^2}{2M\nu},\quad y = \frac{\nu}{E},\quad
    W^2 = M^2 + 2M\nu - Q^2

(Kretzer and Reno, hep-ph/0208187; Paschos and Yu, hep-ph/0107261).  M may be the mass of the nucleus or, as everywhere else in
this library, that of its average nucleon, M_A / A: x is then A times as large and runs over (0, 1].

All functions broadcast over arrays.  A lepton energy below the lepton's mass gives nan, and nothing else checks that a point
can be reached: that is :func:`is_physical`.
"""

from dataclasses import dataclass

import numpy as np

from nuinfer.errors import InputError
from nuinfer.physics.constants import ATOMIC_MASS_UNIT_GEV, ELECTRON_MASS_GEV, MUON_MASS_GEV


@dataclass(frozen=True)
class Target:
    """A nucleus of ``z`` protons and ``a`` nucleons with the mass of the bare nucleus.

    Raises:
        InputError: the numbers are not those of a nucleus.
    """

    z: int
    a: int
    nuclear_mass_gev: float

    def __post_init__(self) -> None:
        if not 0 <= self.z <= self.a or self.a < 1:
            raise InputError(f"target with Z = {self.z} and A = {self.a}: Z must lie in 0 ... A and A be at least 1")
        if not 0 < self.nuclear_mass_gev < np.inf:
            raise InputError(f"target mass {self.nuclear_mass_gev} GeV: give the mass of the nucleus in GeV, above zero")

    @property
    def nucleon_mass_gev(self) -> float:
        """M_A / A, so that x per nucleon is exactly A times x of the nucleus."""
        return self.nuclear_mass_gev / self.a


ARGON40 = Target(z=18, a=40, nuclear_mass_gev=39.9623831237 * ATOMIC_MASS_UNIT_GEV - 18 * ELECTRON_MASS_GEV)
"""Atomic mass from AME2012 (Chin. Phys. C 36 (2012) 1603) less 18 electrons; their binding, 14 keV, is left out."""


def lepton_momentum_gev(el_gev: np.ndarray, lepton_mass_gev: float = MUON_MASS_GEV) -> np.ndarray:
    """Return the lepton's momentum, nan below its mass."""
    el = np.asarray(el_gev, float)
    return np.sqrt(np.where(el >= lepton_mass_gev, (el - lepton_mass_gev) * (el + lepton_mass_gev), np.nan))


def energy_minus_longitudinal_gev(
    el_gev: np.ndarray, cos_theta: np.ndarray, lepton_mass_gev: float = MUON_MASS_GEV
) -> np.ndarray:
    """Return E_l - p cos(theta) = (Q^2 + m^2) / 2E, written so that forward relativistic leptons lose no digits."""
    el = np.asarray(el_gev, float)
    p = lepton_momentum_gev(el, lepton_mass_gev)
    return lepton_mass_gev**2 / (el + p) + p * (1 - np.asarray(cos_theta, float))


def q2_gev2(
    enu_gev: np.ndarray, el_gev: np.ndarray, cos_theta: np.ndarray, lepton_mass_gev: float = MUON_MASS_GEV
) -> np.ndarray:
    """Return Q^2 of the module's equation."""
    minus = energy_minus_longitudinal_gev(el_gev, cos_theta, lepton_mass_gev)
    return 2 * np.asarray(enu_gev, float) * minus - lepton_mass_gev**2


def bjorken_x(
    enu_gev: np.ndarray,
    el_gev: np.ndarray,
    cos_theta: np.ndarray,
    mass_gev: float,
    lepton_mass_gev: float = MUON_MASS_GEV,
) -> np.ndarray:
    """Return x of the module's equation; infinite at E_l = E, negative beyond."""
    nu = np.asarray(enu_gev, float) - np.asarray(el_gev, float)
    with np.errstate(divide="ignore"):
        return q2_gev2(enu_gev, el_gev, cos_theta, lepton_mass_gev) / (2 * mass_gev * nu)


def inelasticity(enu_gev: np.ndarray, el_gev: np.ndarray) -> np.ndarray:
    """Return y = 1 - E_l / E."""
    enu = np.asarray(enu_gev, float)
    return (enu - np.asarray(el_gev, float)) / enu


def w2_gev2(
    enu_gev: np.ndarray,
    el_gev: np.ndarray,
    cos_theta: np.ndarray,
    mass_gev: float,
    lepton_mass_gev: float = MUON_MASS_GEV,
) -> np.ndarray:
    """Return the squared invariant mass of the hadronic final state."""
    nu = np.asarray(enu_gev, float) - np.asarray(el_gev, float)
    return mass_gev**2 + 2 * mass_gev * nu - q2_gev2(enu_gev, el_gev, cos_theta, lepton_mass_gev)


def lepton_from_x_q2(
    x: np.ndarray, q2_gev2: np.ndarray, enu_gev: np.ndarray, mass_gev: float, lepton_mass_gev: float = MUON_MASS_GEV
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lepton's energy in GeV and cos(theta) at ``x`` and ``q2_gev2``.

    A cos(theta) beyond [-1, 1], or nan (the energy is below the lepton's mass), says that this neutrino energy does not reach
    the point.  At rest (p = 0) cos(theta) is infinite or nan.
    """
    q2, enu = np.asarray(q2_gev2, float), np.asarray(enu_gev, float)
    el = enu - q2 / (2 * mass_gev * np.asarray(x, float))
    with np.errstate(divide="ignore", invalid="ignore"):
        cos_theta = (el - (q2 + lepton_mass_gev**2) / (2 * enu)) / lepton_momentum_gev(el, lepton_mass_gev)
    return el, cos_theta


def threshold_enu_gev(
    el_gev: np.ndarray, cos_theta: np.ndarray, mass_gev: float, lepton_mass_gev: float = MUON_MASS_GEV
) -> np.ndarray:
    r"""Return the neutrino energy at which x = 1, the lowest that can make the lepton; infinite where none can.

    :math:`(2ME_l - m^2)/2(M - E_l + p\cos\theta)`, with no solution once :math:`E_l - p\cos\theta \ge M`.
    """
    room = mass_gev - energy_minus_longitudinal_gev(el_gev, cos_theta, lepton_mass_gev)
    with np.errstate(divide="ignore"):
        enu = (2 * mass_gev * np.asarray(el_gev, float) - lepton_mass_gev**2) / (2 * room)
    return np.where(room <= 0, np.inf, enu)


def x_limits(enu_gev: np.ndarray, mass_gev: float, lepton_mass_gev: float = MUON_MASS_GEV) -> tuple[np.ndarray, np.ndarray]:
    """Return the range of x, m^2 / 2M(E - m) to 1; the lower end exceeds 1 (or is infinite) below threshold."""
    enu = np.asarray(enu_gev, float)
    with np.errstate(divide="ignore"):
        low = np.where(enu > lepton_mass_gev, lepton_mass_gev**2 / (2 * mass_gev * (enu - lepton_mass_gev)), np.inf)
    return low, np.ones_like(low)


def y_limits(
    x: np.ndarray, enu_gev: np.ndarray, mass_gev: float, lepton_mass_gev: float = MUON_MASS_GEV
) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the range of y at ``x``: where :math:`|\cos\theta| \le 1` (Kretzer and Reno); nan outside :func:`x_limits`.

    The ends :math:`a \mp b` are

    .. math::
        a = \frac{1-m^2\big(\frac1{2MEx}+\frac1{2E^2}\big)}{2(1+\frac{Mx}{2E})},\qquad
        b = \frac{\sqrt{(1-\frac{m^2}{2MEx})^2-\frac{m^2}{E^2}}}{2(1+\frac{Mx}{2E})},

    and the lower is taken from their product, as the difference loses digits at high energies.
    """
    x, enu = np.asarray(x, float), np.asarray(enu_gev, float)
    low_x, high_x = x_limits(enu, mass_gev, lepton_mass_gev)
    inside = (x >= low_x) & (x <= high_x)
    m2 = lepton_mass_gev**2
    by_x = m2 / (2 * mass_gev * enu * np.where(inside, x, np.nan))
    by_energy = m2 / (2 * enu**2)
    twice = 2 * (1 + mass_gev * x / (2 * enu))
    # Rounding can take the root's argument below zero where the two ends meet.
    root = np.sqrt(np.maximum((1 - by_x) ** 2 - 2 * by_energy, 0))
    high = (1 - by_x - by_energy + root) / twice
    return by_energy * (2 * by_x + by_energy) / twice**2 / high, high


def dxdy_per_del_dcos(
    enu_gev: np.ndarray, el_gev: np.ndarray, mass_gev: float, lepton_mass_gev: float = MUON_MASS_GEV
) -> np.ndarray:
    """Return dx dy / (dE_l dcos(theta)) = p / (M y E) in 1/GeV, at fixed neutrino energy."""
    nu = np.asarray(enu_gev, float) - np.asarray(el_gev, float)
    return lepton_momentum_gev(el_gev, lepton_mass_gev) / (mass_gev * nu)


def dxdq2_per_del_dcos(
    enu_gev: np.ndarray,
    el_gev: np.ndarray,
    cos_theta: np.ndarray,
    mass_gev: float,
    lepton_mass_gev: float = MUON_MASS_GEV,
) -> np.ndarray:
    """Return dx dQ^2 / (dE_l dcos(theta)) = 2 x p E / nu in GeV, at fixed neutrino energy."""
    enu = np.asarray(enu_gev, float)
    x = bjorken_x(enu, el_gev, cos_theta, mass_gev, lepton_mass_gev)
    return 2 * x * lepton_momentum_gev(el_gev, lepton_mass_gev) * enu / (enu - np.asarray(el_gev, float))


def is_physical(
    enu_gev: np.ndarray,
    el_gev: np.ndarray,
    cos_theta: np.ndarray,
    mass_gev: float,
    lepton_mass_gev: float = MUON_MASS_GEV,
) -> np.ndarray:
    """Return whether m <= E_l < E, |cos(theta)| <= 1 and 0 < x <= 1."""
    enu, el, cos = (np.asarray(v, float) for v in (enu_gev, el_gev, cos_theta))
    x = bjorken_x(enu, el, cos, mass_gev, lepton_mass_gev)
    return (el >= lepton_mass_gev) & (el < enu) & (np.abs(cos) <= 1) & (x > 0) & (x <= 1)

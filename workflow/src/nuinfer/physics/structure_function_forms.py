r"""The five structure functions of charged-current scattering and the forms they are written in.

Kretzer and Reno (Phys. Rev. D 66 (2002) 113007, hep-ph/0208187) write the hadronic tensor as

.. math::
    W^{\mu\nu} = -g^{\mu\nu}F_1 + \frac{p^\mu p^\nu}{p\cdot q}F_2
    - i\epsilon^{\mu\nu\rho\sigma}\frac{p_\rho q_\sigma}{2p\cdot q}F_3
    + \frac{2q^\mu q^\nu}{Q^2}F_4 + \frac{p^\mu q^\nu+q^\mu p^\nu}{p\cdot q}F_5 .

At one lepton mass only three combinations of the five enter the cross section: the coefficients of F_4 and F_5 are exact
multiples of those of F_1 and F_3 (see :func:`combinations`).
"""

from dataclasses import astuple, dataclass

import numpy as np

from nuinfer.errors import InputError
from nuinfer.physics.constants import MUON_MASS_GEV

SF_SCALINGS = ("consistent", "uniform_A")


@dataclass(frozen=True)
class StructureFunctions:
    """F_1 ... F_5 in the normalisation of Kretzer and Reno; dimensionless arrays of one shape (or that broadcast).

    In the parton model at leading order F_1 = F_5 = F_2 / 2x and F_4 = 0.  Paschos and Yu (hep-ph/0107261) and GENIE have
    F_4 / x in place of F_4 and 2 F_5 in place of F_5.
    """

    f1: np.ndarray
    f2: np.ndarray
    f3: np.ndarray
    f4: np.ndarray
    f5: np.ndarray

    def stacked(self) -> np.ndarray:
        """Return the five as one array ``(5, ...)``."""
        return np.stack(np.broadcast_arrays(*astuple(self))).astype(float)


@dataclass(frozen=True)
class RescaledFunctions:
    """W_1 ... W_5, finite as Q^2 -> 0 and with prefactors that are polynomials in the energies and p cos(theta).

    W_1 = F_1, W_{2,3,5} = (2 M^2 x / Q^2) F_{2,3,5}, W_4 = (M^2 / Q^2) F_4: Albright and Jarlskog, Nucl. Phys. B84 (1975) 467.
    """

    w1: np.ndarray
    w2: np.ndarray
    w3: np.ndarray
    w4: np.ndarray
    w5: np.ndarray


def lepton_sign(antineutrino: bool) -> float:
    """Return the sign of the F_3 term: +1 for neutrinos, -1 for antineutrinos."""
    return -1.0 if antineutrino else 1.0


def rescaled(sf: StructureFunctions, x: np.ndarray, q2_gev2: np.ndarray, mass_gev: float) -> RescaledFunctions:
    """Return the W_i of ``sf`` at ``x`` and ``q2_gev2 > 0`` (arrays that broadcast) for a target of ``mass_gev``."""
    q2 = np.asarray(q2_gev2, float)
    m_over_nu = 2 * mass_gev**2 * np.asarray(x, float) / q2
    return RescaledFunctions(sf.f1, m_over_nu * sf.f2, m_over_nu * sf.f3, mass_gev**2 / q2 * sf.f4, m_over_nu * sf.f5)


def from_rescaled(w: RescaledFunctions, x: np.ndarray, q2_gev2: np.ndarray, mass_gev: float) -> StructureFunctions:
    """Return the F_i, the inverse of :func:`rescaled`; ``x`` must not be zero."""
    q2 = np.asarray(q2_gev2, float)
    nu_over_m = q2 / (2 * mass_gev**2 * np.asarray(x, float))
    return StructureFunctions(w.w1, nu_over_m * w.w2, nu_over_m * w.w3, q2 / mass_gev**2 * w.w4, nu_over_m * w.w5)


def combinations(
    sf: StructureFunctions, q2_gev2: np.ndarray, antineutrino: bool = False, lepton_mass_gev: float = MUON_MASS_GEV
) -> np.ndarray:
    r"""Return the three combinations ``(3, ...)`` that the cross section depends on.

    With :math:`c_i` the coefficient of :math:`F_i` and :math:`s = \pm1` for neutrinos (antineutrinos),
    :math:`c_4 = (m^2/Q^2)\,c_1` and :math:`c_5 = -(m^2/Q^2)(2c_3 + c_1)` hold exactly, so that

    .. math::
        \tilde F_1 = F_1 + \frac{m^2}{Q^2}(F_4 - F_5), \quad \tilde F_2 = F_2, \quad
        \tilde F_3 = F_3 - s\frac{2m^2}{Q^2}F_5

    (the reduction to three functions in arXiv:2412.16303; signs rederived, checked in ``tests/physics``).
    """
    ratio = lepton_mass_gev**2 / np.asarray(q2_gev2, float)
    first = sf.f1 + ratio * (sf.f4 - sf.f5)
    third = sf.f3 - lepton_sign(antineutrino) * 2 * ratio * sf.f5
    return np.stack(np.broadcast_arrays(first, sf.f2, third)).astype(float)


def rescaled_combinations(
    sf: StructureFunctions,
    x: np.ndarray,
    q2_gev2: np.ndarray,
    mass_gev: float,
    antineutrino: bool = False,
    lepton_mass_gev: float = MUON_MASS_GEV,
) -> np.ndarray:
    r"""Return :math:`\tilde W_{1,2,3}` ``(3, ...)`` at ``x`` and ``q2_gev2 > 0`` for a target of ``mass_gev``.

    .. math::
        \tilde W_1 = \tilde F_1 = W_1 + \frac{m^2}{M^2}W_4 - \frac{m^2}{2M^2x}W_5, \quad \tilde W_2 = W_2, \quad
        \tilde W_3 = W_3 - s\frac{2m^2}{Q^2}W_5
    """
    first, second, third = combinations(sf, q2_gev2, antineutrino, lepton_mass_gev)
    m_over_nu = 2 * mass_gev**2 * np.asarray(x, float) / np.asarray(q2_gev2, float)
    return np.stack(np.broadcast_arrays(first, m_over_nu * second, m_over_nu * third))


def nucleus_from_nucleon(sf: StructureFunctions, a: int, sf_scaling: str = "consistent") -> StructureFunctions:
    """Return the functions of a nucleus at x_A = x_N / A and mass A M_N from those of its average nucleon at x_N.

    "consistent" multiplies F_2 by A and the others by A^2, which makes the cross section of the nucleus A times that of the
    nucleon (the rescaling of arXiv:2301.07715 carried to all five).  "uniform_A" multiplies all five by A: with the nuclear
    mass in the prefactors it leaves F_2 and suppresses the other terms by 1/A.

    Raises:
        InputError: ``a`` is below one or ``sf_scaling`` is neither of the two.
    """
    _require_mass_number(a)
    if sf_scaling not in SF_SCALINGS:
        raise InputError(f"sf_scaling is {sf_scaling!r}: choose one of {', '.join(SF_SCALINGS)}")
    others = a if sf_scaling == "uniform_A" else a**2
    return _times(sf, a, others)


def nucleon_from_nucleus(sf: StructureFunctions, a: int) -> StructureFunctions:
    """Return the functions per nucleon, at x_N = A x_A and mass M_A / A, that give 1/A of the nucleus's cross section.

    The inverse of the "consistent" :func:`nucleus_from_nucleon`; after "uniform_A" it gives the per-nucleon functions with
    which that choice is computed in the nucleon's kinematics.

    Raises:
        InputError: ``a`` is below one.
    """
    _require_mass_number(a)
    return _times(sf, 1 / a, 1 / a**2)


def _times(sf: StructureFunctions, f2: float, others: float) -> StructureFunctions:
    return StructureFunctions(others * sf.f1, f2 * sf.f2, others * sf.f3, others * sf.f4, others * sf.f5)


def _require_mass_number(a: int) -> None:
    if a < 1:
        raise InputError(f"mass number is {a}: give the number of nucleons, at least 1")

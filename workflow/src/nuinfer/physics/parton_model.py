r"""Structure functions of the quark-parton model at leading order, per average nucleon of a nucleus.

For four massless flavours, no mixing between generations and no slow rescaling (Kretzer and Reno, hep-ph/0208187):

.. math::
    \nu p:\quad F_2 = 2x(d+s+\bar u+\bar c),\quad xF_3 = 2x(d+s-\bar u-\bar c);\qquad
    \bar\nu p:\quad F_2 = 2x(u+c+\bar d+\bar s),\quad xF_3 = 2x(u+c-\bar d-\bar s)

with u and d exchanged for the neutron, F_1 = F_2 / 2x (Callan and Gross, PRL 22 (1969) 156), F_4 = 0 and F_5 = F_2 / 2x
(Albright and Jarlskog, Nucl. Phys. B84 (1975) 467).  Nucleons are free: no nuclear modification of the densities.

With the target's mass kept, Callan and Gross's F_1 oversteps the bound :math:`F_3\sqrt{1+4M^2x^2/Q^2} \le 2F_1` (no negative
cross section for a right-handed W).  The cross section of neutrinos is positive all the same; that of antineutrinos is
negative towards y = 1: on argon with CT18NNLO the negative part is 9 % of the positive at 1 GeV, 3 % at 2 GeV and 0.03 % at
10 GeV.  The choice ``spin_sum``, :math:`F_1 = (F_2/2x)(1+xM/\nu)`, is what spinors of four-momentum x p give:
positive for both.
"""

import numpy as np

from nuinfer.errors import InputError
from nuinfer.physics.partons import PartonSet
from nuinfer.physics.structure_function_forms import StructureFunctions


def quark_sums(
    partons: PartonSet, x: np.ndarray, q2_gev2: np.ndarray, z: int, a: int, antineutrino: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return x times the quarks and x times the antiquarks that scatter, per nucleon of a nucleus of ``z`` protons in ``a``.

    Shapes as ``x`` and ``q2_gev2`` broadcast.  Raises InputError unless 0 <= z <= a, and what the set raises.
    """
    if not 0 <= z <= a or a < 1:
        raise InputError(f"nucleus with Z = {z} and A = {a}: Z must lie in 0 ... A and A be at least 1")
    # A neutrino meets d in a proton and, by isospin, the proton's u in a neutron; an antineutrino the other way round.
    share_d = (a - z) / a if antineutrino else z / a
    strange_like, charm_like = (4, -3) if antineutrino else (3, -4)

    def xf(pid: int) -> np.ndarray:
        return partons.xf(pid, x, q2_gev2)

    quarks = share_d * xf(1) + (1 - share_d) * xf(2) + xf(strange_like)
    antiquarks = share_d * xf(-2) + (1 - share_d) * xf(-1) + xf(charm_like)
    return quarks, antiquarks


F1_CHOICES = ("callan_gross", "spin_sum")


def structure_functions(
    partons: PartonSet,
    x: np.ndarray,
    q2_gev2: np.ndarray,
    z: int,
    a: int,
    antineutrino: bool = False,
    f1: str = "callan_gross",
    mass_gev: float | None = None,
) -> StructureFunctions:
    """Return the module's functions at ``x`` (per nucleon) and ``q2_gev2``, which broadcast; all zero for x >= 1.

    ``f1`` is one of :data:`F1_CHOICES`; ``spin_sum`` needs Q^2 > 0 and the nucleon's ``mass_gev``.  Raises InputError for
    another name, and as :func:`quark_sums`.
    """
    if f1 not in F1_CHOICES or (f1 == "spin_sum" and mass_gev is None):
        raise InputError(f"f1: {f1!r} must be one of {', '.join(F1_CHOICES)}, the last with the mass of a nucleon")
    quarks, antiquarks = quark_sums(partons, x, q2_gev2, z, a, antineutrino)
    x = np.asarray(x, float)
    total = quarks + antiquarks
    # x M / nu = 2 M^2 x^2 / Q^2
    factor = 1.0 if mass_gev is None or f1 == "callan_gross" else 1.0 + 2.0 * (mass_gev * x) ** 2 / np.asarray(q2_gev2, float)
    return StructureFunctions(
        f1=factor * total / x, f2=2 * total, f3=2 * (quarks - antiquarks) / x, f4=np.zeros_like(total), f5=total / x
    )

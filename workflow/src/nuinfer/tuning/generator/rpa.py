r"""Low-:math:`Q^2` suppression of quasielastic scattering: T2K's BeRPA form of the random-phase approximation.

.. math::
    w(Q^2) = \begin{cases} A(1-x)^3 + 3B(1-x)^2x + 3p_1(1-x)x^2 + Dx^3 & Q^2 < U,\; x = Q^2/U \\
    1 + (D-1)\,e^{-E(Q^2-U)} & Q^2 \ge U \end{cases}
    \qquad p_1 = D + \frac{U E (D-1)}{3}

a shape for the suppression that Nieves, Ruiz Simo, Vicente Vacas calculate (PRC 83 (2011) 045501); ``p_1`` makes it smooth
at U.  The form is known from T2K's oscillation analyses.  Its central values (:data:`T2K_2017`) and errors (20, 20, 15 and
40 % of A, B, D and E) are also in the public code nusystematics (``BeRPA.hh``), which credits them to C. Wilkinson.

The default is not T2K's.  Its A, B and D were fitted, with E and U kept, to the ratio of NuWro's quasielastic events with RPA
to those without (local Fermi gas, T2K flux, 49 bins of Q^2, chi2 about 30; T2K's values have 270): agreement with NuWro is by
construction.  They are 0.66, 1.21 and 1.01, each within one of T2K's errors of its value.  A weight in Q^2 alone leaves out
how RPA varies with energy transfer.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BerpaSettings:
    """A, B and D are pure numbers; E is in 1/GeV^2 and U in GeV^2.  The default is fitted to NuWro."""

    a: float = 0.66
    b: float = 1.21
    d: float = 1.01
    e_per_gev2: float = 0.88
    u_gev2: float = 1.2


T2K_2017 = BerpaSettings(a=0.59, b=1.05, d=1.13, e_per_gev2=0.88, u_gev2=1.2)


def berpa_weight(q2_gev2: np.ndarray, settings: BerpaSettings = BerpaSettings()) -> np.ndarray:
    """Return the ratio of the cross section with RPA to that without, shape of ``q2_gev2``."""
    s, q2 = settings, np.asarray(q2_gev2, float)
    x = q2 / s.u_gev2
    p1 = s.d + s.u_gev2 * s.e_per_gev2 * (s.d - 1.0) / 3.0
    bernstein = s.a * (1 - x) ** 3 + 3 * s.b * (1 - x) ** 2 * x + 3 * p1 * (1 - x) * x**2 + s.d * x**3
    tail = 1.0 + (s.d - 1.0) * np.exp(-s.e_per_gev2 * np.maximum(q2 - s.u_gev2, 0.0))
    return np.where(q2 < s.u_gev2, bernstein, tail)

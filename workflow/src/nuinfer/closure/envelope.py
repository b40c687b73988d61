r"""How large structure functions are expected to be, up to smooth factors of order one that remain to be learned.

Learners write :math:`\tilde W_a = e_a(x, Q^2)\,g_a(x, Q^2)` and look for g.  The e_a hold only what any model shares:
functions vanish at x = 1, stay finite in the cross section at Q^2 = 0, scale at high Q^2, and the lepton mass enters as in
the combinations of :mod:`nuinfer.physics.structure_function_forms` (F_2 ~ Q^2 at low Q^2, F_1 ~ F_2 / x):

.. math::
    e_1 = \frac{(1-x)^2}{x}\frac{Q^2+m^2}{Q^2+Q_0^2},\quad e_2 = \frac{(1-x)^2 x}{Q^2+Q_0^2},\quad
    e_3 = \frac{(1-x)^2 \sqrt x}{Q^2+Q_0^2}\Big(1+\frac{m^2}{Q^2}\Big)

``target_mass`` has e_1 times 1 + 2 M^2 x^2 / Q^2, the F_1 of on-shell partons (:mod:`nuinfer.physics.parton_model`).  The
published network (arXiv:2412.16303) outputs functions "with factors of x and Q^2 absorbed"; which ones is not printed.
"""

import numpy as np

from nuinfer.closure.settings import ENVELOPES
from nuinfer.errors import InputError
from nuinfer.physics.constants import MUON_MASS_GEV

Q0_SQUARED_GEV2 = 0.5


def envelope(
    name: str, x: np.ndarray, q2_gev2: np.ndarray, mass_gev: float, lepton_mass_gev: float = MUON_MASS_GEV
) -> np.ndarray:
    """Return e ``(3, n)`` at ``x`` and ``q2_gev2`` ``(n,)``, per nucleon of ``mass_gev``; ones for the name ``none``.

    Raises InputError for a name that is not one of :data:`~nuinfer.closure.settings.ENVELOPES`.
    """
    x, q2 = np.broadcast_arrays(np.asarray(x, float), np.asarray(q2_gev2, float))
    if name == "none":
        return np.ones((3, *x.shape))
    if name not in ENVELOPES:
        raise InputError(f"envelope: unknown name '{name}'; known: {', '.join(ENVELOPES)}")
    mass2 = lepton_mass_gev**2
    common = np.maximum(1.0 - x, 1e-6) ** 2 / (q2 + Q0_SQUARED_GEV2)
    transverse = 1.0 + 2.0 * (mass_gev * x) ** 2 / q2 if name == "target_mass" else 1.0
    return common * np.stack([transverse * (q2 + mass2) / x, x, np.sqrt(x) * (1.0 + mass2 / q2)])

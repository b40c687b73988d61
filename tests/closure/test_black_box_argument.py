r"""Why a cross section without structure functions cannot be learned (appendix of arXiv:2412.16303, equations 19 to 25).

Every f(v, h) = P(v) a(h) / \int phi a + r(v, h) with \int dh phi r = 0 has the near-detector density
P(v) = \int dh phi(h) f(v, h), for any a(h) and, with r = R - phi \int phi R / \int phi^2, for any R(v, h).
Here h is the neutrino energy on knots, phi the near flux and v a bin of the lepton's energy and angle.
"""

import numpy as np
import pytest

from nuinfer.closure.comparison import compare, hat_integrals
from nuinfer.oscillation.nufast import NUFIT60_NO_WITH_SK, numu_survival


def member(near: np.ndarray, flux: np.ndarray, hats: np.ndarray, a: np.ndarray, any_r: np.ndarray) -> np.ndarray:
    """Return the member of the family as counts by knot ``(n_knots, n_bins)`` of near-detector density ``near``."""
    phi = flux[:, None]
    r = any_r - phi * (hats @ (phi * any_r)) / (hats @ flux**2)
    return hats[:, None] * (a[:, None] * near / (hats @ (flux * a)) + r)


@pytest.fixture
def members(problem, rng) -> list[np.ndarray]:
    near = problem.flux @ problem.truth
    hats, knots = hat_integrals(problem.knots_gev), problem.knots_gev
    # Peaked where the far detector's flux has its dip, and of either sign.
    wild = near / (hats @ problem.flux) * np.exp(-(((knots - 2.5) / 0.5) ** 2))[:, None] * rng.choice([-1.0, 1.0], near.size)
    return [
        member(near, problem.flux, hats, np.ones(knots.size), 0 * wild),
        member(near, problem.flux, hats, knots**2, 0 * wild),
        member(near, problem.flux, hats, knots, wild),
    ]


def test_members_share_the_near_detector_and_not_the_far(problem, members):
    far = problem.flux * numu_survival(NUFIT60_NO_WITH_SK, problem.knots_gev)
    for counts in members[1:]:
        found = compare(members[0], counts, problem.flux, far, problem.knots_gev, problem.grid)
        assert found["near"]["rel_l2"] < 1e-12
        assert abs(found["near"]["kl"]) < 1e-10 and found["near"]["kl_3d"] > 1e-2
        assert found["total"]["rms"] > 0.1
    # Without r the far density has the near one's shape for every a(h); with it the far detector differs as well.
    assert compare(members[0], members[1], problem.flux, far, problem.knots_gev, problem.grid)["far"]["rel_l2"] < 1e-12
    assert found["far"]["rel_l2"] > 0.02


def test_the_true_cross_section_is_one_of_them(problem, members):
    far = problem.flux * numu_survival(NUFIT60_NO_WITH_SK, problem.knots_gev)
    for counts in members:
        found = compare(problem.truth, counts, problem.flux, far, problem.knots_gev, problem.grid)
        assert found["near"]["rel_l2"] < 1e-12 and found["far"]["rel_l2"] > 0.05

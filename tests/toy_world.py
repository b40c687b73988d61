"""A pseudo-world small enough to check by hand: 8 x 8 bins, two flux shapes, a truth that the closed-form learner can be.

Its cross section is a sum of the learner's own splines, so that no error but the statistical one is left to learning.
"""

from dataclasses import asdict
from typing import Any

import numpy as np

from nuinfer.closure.linear_near import Basis
from nuinfer.closure.settings import GaussianSettings
from nuinfer.closure.truth import Truth
from nuinfer.closure.world import World, make_world
from nuinfer.oscillation.nufast import NUFIT60_NO_WITH_SK
from nuinfer.oscillation.plane import FitRange, Plane
from nuinfer.physics.flux_shapes import FluxShapes

SETTINGS = GaussianSettings(n_x=4, n_q2=4, passes=1, iterations=5)
RANGE = FitRange((0.35, 0.65), (2.3e-3, 2.75e-3))
PLANE = Plane.over(RANGE)
AT = (0.470, 2.513e-3)
OSCILLATION = asdict(NUFIT60_NO_WITH_SK)
FAR_EVENTS = 6200


def shapes(knots_gev: np.ndarray, size: float) -> FluxShapes:
    """Return a tilt and a bump at low energies, up to ``size`` each."""
    tilt, bump = np.tanh((knots_gev - 2.5) / 0.8), np.exp(-0.5 * ((knots_gev - 1.8) / 0.5) ** 2)
    return FluxShapes(knots_gev, size * np.stack([tilt, bump]), ("tilt", "bump"))


def spline_truth(problem: Any) -> Truth:
    """Return the truth whose coefficients are all one: the envelope itself."""
    basis = Basis.of(problem.operator, problem.flux, SETTINGS, problem.grid.n_bins)
    w = basis.structure_functions(np.ones(3 * basis.splines.shape[1]))
    counts = problem.operator.counts_by_knot(w)
    return Truth(problem.grid, problem.knots_gev, problem.flux, counts, w, problem.mass_gev, False)


def shifted(problem: Any, size: float, amplitudes: np.ndarray) -> np.ndarray:
    """Return the near flux of ``amplitudes`` at the knots."""
    return problem.flux * shapes(problem.knots_gev, size).shift(problem.knots_gev, amplitudes)


def small_world(
    problem: Any,
    size: float = 0.05,
    near_events: int = 100_000_000,
    bins: int = 8,
    near_smearing: float | None = None,
    far_smearing: float | None = None,
    truth: Truth | None = None,
) -> World:
    """Return a world of :func:`spline_truth` unless another truth is given."""
    return make_world(
        truth or spline_truth(problem),
        problem.operator,
        shapes(problem.knots_gev, size),
        OSCILLATION,
        PLANE,
        bins,
        near_events,
        FAR_EVENTS,
        near_smearing,
        far_smearing,
        SETTINGS,
        np.random.default_rng(1),
    )

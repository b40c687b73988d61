"""How often regions hold the truth: the level of every pseudo-experiment at which its regions begin to.

A region of level c holds the truth exactly if the truth's own level is at most c: over pseudo-experiments those levels are even
between 0 and 1 where a method covers as it claims.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nuinfer.calibration.bands import Band
from nuinfer.calibration.coverage import assess_curve, coverage_curve
from nuinfer.oscillation.density_regions import density_confidence
from nuinfer.oscillation.fit import Fit
from nuinfer.oscillation.likelihood import FarModel, densities, log_table
from nuinfer.oscillation.likelihood_ratio import set_confidence
from nuinfer.oscillation.optimum import MERGED
from nuinfer.oscillation.plane import FitRange, Plane
from nuinfer.oscillation.regions import RegionGrid, confidence_at, level
from nuinfer.oscillation.toys import Toys, mixture_points, throw_toys

CELLS = 120
"""Cells an axis on which a cloud's regions are found."""
LINE = 241
"""Points of a line along which a likelihood is maximised."""
LEVELS = np.round(np.linspace(0.02, 0.98, 49), 10)
"""Levels of a coverage curve."""

Points = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Hypotheses:
    """The truth's hypotheses by quantity: points that leave free what the quantity does not fix, and the toys' heights.

    ``heights`` ``(n_toys, n_points)`` by quantity are of the fitted model, ``weighing`` of the model that each toy was thrown
    from; None for toys of the fitted one.
    """

    points: dict[str, Points]
    toys: Toys
    heights: dict[str, np.ndarray]
    weighing: dict[str, np.ndarray] | None = None


def toys_around(
    bins: FarModel, fit_range: FitRange, sin2_theta23: float, dm31_ev2: float, n_toys: int, n_events: int, seed: int, *key: str
) -> Toys:
    """Return toys of the model ``bins`` from a mixture around the truth, on the plane over ``fit_range``."""
    plane = Plane.over(fit_range)
    expected = n_events * np.maximum(densities(bins, np.asarray(sin2_theta23), np.asarray(dm31_ev2)), 0.0)
    surface = plane.coefficients(log_table(bins, plane) @ expected)
    return throw_toys(bins, plane, mixture_points(surface, plane), n_toys, n_events, seed, ("coverage", *key))


def hypotheses(toys: Toys, sin2_theta23: float, dm31_ev2: float) -> Hypotheses:
    """Return the hypotheses of a true point; quantities are named as the fields of :class:`Confidence`."""
    points = hypothesis_points(toys.plane, sin2_theta23, dm31_ev2)
    heights, weighing = (
        None if c is None else {name: _heights(toys.plane, c, p) for name, p in points.items()}
        for c in (toys.coefficients, toys.weighing)
    )
    return Hypotheses(points, toys, heights, weighing)


def hypothesis_points(plane: Plane, sin2_theta23: float, dm31_ev2: float) -> dict[str, Points]:
    """Return the points ``(n_points,)`` of each of a true point's hypotheses, by quantity as :func:`hypotheses`."""
    sin2 = np.linspace(*plane.range.sin2_theta23, LINE)
    dm31 = np.linspace(*plane.range.dm31_ev2, LINE)
    both = np.array([sin2_theta23, 1.0 - sin2_theta23])
    return {
        "plane_sin2": (both[:1], np.array([dm31_ev2])),
        "plane_sin2_2theta": (both, np.full(2, dm31_ev2)),
        "sin2": (np.full(LINE, sin2_theta23), dm31),
        "sin2_2theta": (np.repeat(both, LINE), np.tile(dm31, 2)),
        "dm31": (sin2, np.full(LINE, dm31_ev2)),
    }


def truth_statistics(
    plane: Plane, coefficients: np.ndarray, highest: np.ndarray, points: Mapping[str, Points]
) -> dict[str, np.ndarray]:
    """Return 2 (max ln L - ln L) ``(n,)`` of hypotheses ``points``, by quantity, the likelihood maximised over each.

    ``coefficients`` ``(n, n_sin2, n_dm31)`` are of log-likelihoods on ``plane``, ``highest`` ``(n,)`` their maxima.
    """
    return {name: 2.0 * (highest - _heights(plane, coefficients, p).max(axis=1)) for name, p in points.items()}


def levels_of_truth(fit: Fit, truths: Hypotheses, sin2_theta23: float, dm31_ev2: float) -> dict[str, dict[str, float]]:
    """Return the level of the truth by method (:mod:`nuinfer.oscillation.region_methods`) and quantity."""
    grid = RegionGrid.over(fit.plane.range, CELLS, CELLS)
    found = {}
    for method, cloud in (("bootstrap", fit.cloud.best), ("bootstrap_octants", fit.cloud.drawn)):
        density = density_confidence(grid, cloud.sin2_theta23, cloud.dm31_ev2)
        found[method] = confidence_at(density, grid, sin2_theta23, dm31_ev2)
    ratio = ratio_levels(truths, fit.plane, fit.surface[None], fit.data.best.loglike)
    return {**found, "feldman_cousins": {name: float(levels[0]) for name, levels in ratio.items()}}


def ratio_levels(truths: Hypotheses, plane: Plane, coefficients: np.ndarray, highest: np.ndarray) -> dict[str, np.ndarray]:
    """Return the truth's levels ``(n,)`` by quantity, from the likelihood ratio as the toys have it.

    ``coefficients`` ``(n, n_sin2, n_dm31)`` are of log-likelihoods on ``plane``, ``highest`` ``(n,)`` their maxima.
    """
    found = {}
    for name, points in truths.points.items():
        data = _heights(plane, coefficients, points)
        octants = points[0] > 0.5 if "sin2_2theta" in name else None
        weighing = None if truths.weighing is None else truths.weighing[name]
        found[name] = set_confidence(truths.toys, truths.heights[name], data, highest, octants, weighing)
    return found


def score(fit: Fit, sin2_theta23: float, dm31_ev2: float) -> np.ndarray:
    """Return the slope ``(2,)`` of the log-likelihood in sin^2(theta_23) and dm^2_31 (1 / eV^2) at a point.

    Its mean over samples drawn at the point is zero, whatever the shape of the likelihood.
    """
    steps = 1e-4 * np.ptp(fit.plane.range.sin2_theta23), 1e-4 * np.ptp(fit.plane.range.dm31_ev2)
    sin2 = sin2_theta23 + steps[0] * np.array([1.0, -1.0, 0.0, 0.0])
    dm31 = dm31_ev2 + steps[1] * np.array([0.0, 0.0, 1.0, -1.0])
    up0, down0, up1, down1 = fit.plane.at(fit.surface, sin2, dm31)
    return np.array([(up0 - down0) / (2.0 * steps[0]), (up1 - down1) / (2.0 * steps[1])])


def _heights(plane: Plane, coefficients: np.ndarray, points: Points) -> np.ndarray:
    of_sin2, of_dm31 = plane.basis(*points)
    basis = np.einsum("mi,mj->mij", of_sin2, of_dm31).reshape(len(of_sin2), -1)
    return coefficients.reshape(len(coefficients), -1) @ basis.T


def bias_facts(scores: np.ndarray) -> dict[str, float]:
    """Return the mean of I^-1 score, the first step from the truth to the best fit, in standard deviations, and its error.

    ``scores`` ``(n, 2)`` as :func:`score`; I is their covariance.  Zero for a likelihood that is right.
    """
    inverse = np.linalg.inv(np.cov(scores.T))
    shift, sd = inverse @ scores.mean(axis=0), np.sqrt(np.diag(inverse))
    return {
        "sin2_theta23": float(shift[0] / sd[0]),
        "dm31_ev2": float(shift[1] / sd[1]),
        "error": float(1.0 / np.sqrt(len(scores))),
        "sin2_theta23_sd": float(sd[0]),
        "dm31_sd_ev2": float(sd[1]),
    }


def best_fit_facts(found: Mapping[str, np.ndarray], truth: Mapping[str, float]) -> dict[str, Any]:
    """Return what best fits of pseudo-experiments do: ``sin2_theta23``, ``dm31_ev2``, ``loglike`` ``(n, 2)`` of both octants.

    ``dm31_pull``: of the optimum in the truth's octant, over the bootstraps' spread ``sd_dm31_ev2`` ``(n,)``; the other
    octant's is elsewhere.  ``octants``: shares whose better optimum is in the right octant, in the wrong one, or one for both
    (merged).
    """
    own = int(truth["sin2_theta23"] > 0.5)
    pull = (found["dm31_ev2"][:, own] - truth["dm31_ev2"]) / found["sd_dm31_ev2"]
    merged = found["sin2_theta23"][:, 0] > 0.5 - MERGED
    right = (found["loglike"].argmax(axis=1) == own) & ~merged
    n = pull.size
    return {
        "bias": bias_facts(found["score"]),
        "dm31_pull": {"mean": float(pull.mean()), "error": float(pull.std(ddof=1) / np.sqrt(n)), "sd": float(pull.std(ddof=1))},
        "octants": {"right": float(right.mean()), "wrong": float(np.mean(~right & ~merged)), "merged": float(merged.mean())},
        "range_widened": int(np.count_nonzero(found["widened"])),
    }


def coverage_numbers(levels_of_truth: np.ndarray, band: Band) -> dict[str, Any]:
    """Return the share of regions of 1, 2 and 3 sigma that hold the truth, of levels ``(n,)``, and the curve's deviation.

    ``error`` is the binomial one of the claimed share; ``p_value`` a Kolmogorov test that levels are even between 0 and 1.
    """
    from scipy.stats import kstest

    n = levels_of_truth.size
    found: dict[str, Any] = {}
    for n_sigma in (1, 2, 3):
        claimed = float(level(n_sigma))
        share = float(np.mean(levels_of_truth <= claimed))
        error = float(np.sqrt(claimed * (1.0 - claimed) / n))
        found[f"{n_sigma}_sigma"] = {"claimed": claimed, "coverage": share, "error": error}
    found["p_value"] = float(kstest(levels_of_truth, "uniform").pvalue)
    return {**found, **assess_curve(coverage_curve(levels_of_truth, band.points), band)}

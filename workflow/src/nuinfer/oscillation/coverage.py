"""How often regions hold the truth: the level of every pseudo-experiment at which its regions begin to.

A region of level c holds the truth exactly if the truth's own level is at most c: over pseudo-experiments those levels are even
between 0 and 1 where a method covers as it claims.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import kstest

from nuinfer.calibration.bands import Band
from nuinfer.calibration.coverage import assess_curve, coverage_curve
from nuinfer.oscillation.density_regions import density_confidence
from nuinfer.oscillation.fit import Fit
from nuinfer.oscillation.likelihood import FarModel, densities, log_table
from nuinfer.oscillation.likelihood_ratio import set_confidence
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
    """The truth's hypotheses by quantity: points that leave free what the quantity does not fix, and the toys' heights."""

    points: dict[str, Points]
    toys: Toys
    heights: dict[str, np.ndarray]


def toys_around(
    bins: FarModel, fit_range: FitRange, sin2_theta23: float, dm31_ev2: float, n_toys: int, n_events: int, seed: int, *key: str
) -> Toys:
    """Return toys of the model ``bins`` from a mixture around the truth, on the plane over ``fit_range``."""
    plane = Plane.over(fit_range)
    expected = n_events * densities(bins, np.asarray(sin2_theta23), np.asarray(dm31_ev2))
    surface = plane.coefficients(log_table(bins, plane) @ expected)
    return throw_toys(bins, plane, mixture_points(surface, plane), n_toys, n_events, seed, ("coverage", *key))


def hypotheses(toys: Toys, sin2_theta23: float, dm31_ev2: float) -> Hypotheses:
    """Return the hypotheses of a true point; quantities are named as the fields of :class:`Confidence`."""
    sin2 = np.linspace(*toys.plane.range.sin2_theta23, LINE)
    dm31 = np.linspace(*toys.plane.range.dm31_ev2, LINE)
    both = np.array([sin2_theta23, 1.0 - sin2_theta23])
    points = {
        "plane_sin2": (both[:1], np.array([dm31_ev2])),
        "plane_sin2_2theta": (both, np.full(2, dm31_ev2)),
        "sin2": (np.full(LINE, sin2_theta23), dm31),
        "sin2_2theta": (np.repeat(both, LINE), np.tile(dm31, 2)),
        "dm31": (sin2, np.full(LINE, dm31_ev2)),
    }
    return Hypotheses(points, toys, {name: _heights(toys.plane, toys.coefficients, p) for name, p in points.items()})


def levels_of_truth(fit: Fit, truths: Hypotheses, sin2_theta23: float, dm31_ev2: float) -> dict[str, dict[str, float]]:
    """Return the level of the truth by method and quantity: ``bootstrap`` and ``feldman_cousins``."""
    cloud = fit.cloud.best
    grid = RegionGrid.over(fit.plane.range, CELLS, CELLS)
    density = density_confidence(grid, cloud.sin2_theta23, cloud.dm31_ev2)
    highest = fit.data.best.loglike
    ratio = {
        name: float(
            set_confidence(truths.toys, truths.heights[name], _heights(fit.plane, fit.surface[None], points), highest)[0]
        )
        for name, points in truths.points.items()
    }
    return {"bootstrap": confidence_at(density, grid, sin2_theta23, dm31_ev2), "feldman_cousins": ratio}


def _heights(plane: Plane, coefficients: np.ndarray, points: Points) -> np.ndarray:
    of_sin2, of_dm31 = plane.basis(*points)
    basis = np.einsum("mi,mj->mij", of_sin2, of_dm31).reshape(len(of_sin2), -1)
    return coefficients.reshape(len(coefficients), -1) @ basis.T


def pull_facts(sin2: np.ndarray, dm31: np.ndarray, sd_dm31: np.ndarray, truth: Mapping[str, float]) -> dict[str, float]:
    """Return the bias of best fits ``(n,)`` with its error, in standard deviations.

    ``dm31``: mean and standard deviation of (best fit - truth) / sd of its own bootstraps.  ``sin2_in_octant``: mean
    deviation of the optimum in the truth's octant over its spread: which octant wins is close to a coin's throw, so that the
    overall best fit has no meaningful mean.
    """
    pull = (dm31 - truth["dm31_ev2"]) / sd_dm31
    own = sin2[:, int(truth["sin2_theta23"] > 0.5)]
    n = dm31.size
    spread = own.std(ddof=1)
    return {
        "dm31_mean": float(pull.mean()),
        "dm31_mean_error": float(pull.std(ddof=1) / np.sqrt(n)),
        "dm31_sd": float(pull.std(ddof=1)),
        "sin2_in_octant_mean": float((own.mean() - truth["sin2_theta23"]) / spread),
        "sin2_in_octant_mean_error": float(1.0 / np.sqrt(n)),
        "sin2_in_octant_sd": float(spread),
    }


def coverage_numbers(levels_of_truth: np.ndarray, band: Band) -> dict[str, Any]:
    """Return the share of regions of 1, 2 and 3 sigma that hold the truth, of levels ``(n,)``, and the curve's deviation.

    ``error`` is the binomial one of the claimed share; ``p_value`` a Kolmogorov test that levels are even between 0 and 1.
    """
    n = levels_of_truth.size
    found: dict[str, Any] = {}
    for n_sigma in (1, 2, 3):
        claimed = float(level(n_sigma))
        share = float(np.mean(levels_of_truth <= claimed))
        error = float(np.sqrt(claimed * (1.0 - claimed) / n))
        found[f"{n_sigma}_sigma"] = {"claimed": claimed, "coverage": share, "error": error}
    found["p_value"] = float(kstest(levels_of_truth, "uniform").pvalue)
    return {**found, **assess_curve(coverage_curve(levels_of_truth, band.points), band)}

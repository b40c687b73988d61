"""What a fit says in numbers, and how two fits of one sample compare."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nuinfer.oscillation.fit import Fit
from nuinfer.oscillation.likelihood import FarModel
from nuinfer.oscillation.optimum import Optima
from nuinfer.oscillation.regions import Confidence, RegionGrid, confidence_at, region_facts

OCTANTS = ("lower", "upper")


def fit_numbers(fit: Fit, model: FarModel) -> dict[str, Any]:
    """Return best fits, octants, spreads of the bootstraps and everything that could be wrong with a fit.

    ``delta_chi2`` is 2 (ln L of the best octant - ln L); ``sd`` of sin^2(theta_23) is taken within octants, since two modes
    have no one width.
    """
    best, cloud = fit.data.best, fit.cloud.best
    upper = cloud.sin2_theta23 > 0.5
    octants = {
        name: {
            "sin2_theta23": float(fit.data.sin2_theta23[0, i]),
            "dm31_ev2": float(fit.data.dm31_ev2[0, i]),
            "delta_chi2": float(2.0 * (best.loglike[0] - fit.data.loglike[0, i])),
            "share_of_bootstraps": float(np.mean(upper == (i == 1))),
        }
        for i, name in enumerate(OCTANTS)
    }
    return {
        "best": _point(best, 0),
        "octants": octants,
        "sd": {
            "sin2_theta23_within_octant": _spread_within(cloud, upper),
            "sin2_2theta23": float(np.std(4.0 * cloud.sin2_theta23 * (1.0 - cloud.sin2_theta23))),
            "dm31_ev2": float(cloud.dm31_ev2.std()),
        },
        "merged_share_of_bootstraps": float(fit.cloud.merged.mean()),
        "events": int(model.kernel.shape[1]),
        "bootstraps": int(cloud.dm31_ev2.size),
        "range": {name: list(getattr(fit.plane.range, name)) for name in ("sin2_theta23", "dm31_ev2")},
        "range_widened": fit.widened,
        "bootstraps_on_edge": int(cloud.on_edge.sum()),
        "best_on_edge": bool(best.on_edge[0]),
        "interpolation_error": fit.interpolation_error,
        "negative_share": model.negative_share,
        "impossible_events": fit.impossible,
    }


def region_numbers(
    grid: RegionGrid, regions: Mapping[str, Confidence], facts: Mapping[str, Any], truth: Mapping[str, float] | None
) -> dict[str, Any]:
    """Return areas, intervals and centres of every method's regions and, for a known truth, the levels that hold it."""
    numbers: dict[str, Any] = {}
    for method, found in regions.items():
        numbers[method] = {**region_facts(grid, found), **facts[method]}
        if truth is not None:
            numbers[method]["level_of_truth"] = confidence_at(found, grid, truth["sin2_theta23"], truth["dm31_ev2"])
    return numbers


def compare_fits(fit: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a fit differs from a ``reference``, both ``{"fit": fit_numbers, "regions": region_numbers}``.

    ``shift``: best points' distance in the reference's spreads, in the reference's better octant: the better one may change
    by the accident of a small difference in likelihood.  ``centre_shift`` and ``area_ratio`` by method and plane, of the
    1-sigma regions, the centre in sin^2(2 theta_23) or sin^2(theta_23) and dm^2_31, in spreads of the reference's cloud.
    """
    octant = min(OCTANTS, key=lambda o: reference["fit"]["octants"][o]["delta_chi2"])
    here, there = (f["fit"]["octants"][octant] for f in (fit, reference))
    sd = reference["fit"]["sd"]
    found: dict[str, Any] = {
        "shift": {
            "sin2_theta23": (here["sin2_theta23"] - there["sin2_theta23"]) / sd["sin2_theta23_within_octant"],
            "dm31_ev2": (here["dm31_ev2"] - there["dm31_ev2"]) / sd["dm31_ev2"],
        },
        "regions": {},
    }
    spreads = {"sin2_theta23": sd["sin2_theta23_within_octant"], "sin2_2theta23": sd["sin2_2theta23"]}
    for method in (m for m in fit["regions"] if m in reference["regions"]):
        one, other = (f["regions"][method]["1_sigma"] for f in (fit, reference))
        found["regions"][method] = {
            plane: {
                "area_ratio": one["area_ev2"][plane] / other["area_ev2"][plane],
                "centre_shift": _centre_shift(one["centroid"][plane], other["centroid"][plane], spread, sd["dm31_ev2"]),
            }
            for plane, spread in spreads.items()
        }
    return found


def _centre_shift(one: list[float] | None, other: list[float] | None, spread: float, spread_dm31: float) -> list[float] | None:
    if one is None or other is None:
        return None
    return [(one[0] - other[0]) / spread, (one[1] - other[1]) / spread_dm31]


def _point(optima: Optima, i: int) -> dict[str, float]:
    return {"sin2_theta23": float(optima.sin2_theta23[i]), "dm31_ev2": float(optima.dm31_ev2[i])}


def _spread_within(cloud: Optima, upper: np.ndarray) -> float:
    squares = sum(float(((s := cloud.sin2_theta23[upper == side]) - s.mean()) @ (s - s.mean())) for side in set(upper))
    return float(np.sqrt(squares / upper.size))

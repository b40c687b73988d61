"""What an ensemble of fits says in numbers: how far members scatter, how much wider than statistics alone their union is."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nuinfer.oscillation.regions import Confidence, RegionGrid, region_facts
from nuinfer.oscillation.summary import OCTANTS
from nuinfer.oscillation.toys import Toys

PARAMETERS = ("sin2_theta23", "dm31_ev2")
FAILED = 10.0
"""A training whose loss, less the data's noise, exceeds the median of its ensemble's this many times did not converge."""


def shift_facts(members: Sequence[Mapping[str, Any]], reference: Mapping[str, Any]) -> dict[str, Any]:
    """Return how members' best fits are shifted from the reference's, in the standard deviations of its bootstraps.

    All are results of :func:`nuinfer.oscillation.summary.fit_numbers`; compared are optima in the reference's better octant,
    since the better one may change by an accident.  ``mean``, ``sd`` (None for one member), ``rms`` and ``each``, by parameter;
    ``octant_changed`` counts members whose better octant is the other one.
    """
    octant = _better(reference)
    spread = {"sin2_theta23": reference["sd"]["sin2_theta23_within_octant"], "dm31_ev2": reference["sd"]["dm31_ev2"]}
    found: dict[str, Any] = {"octant": octant, "octant_changed": sum(_better(m) != octant for m in members)}
    for name in PARAMETERS:
        each = np.array([m["octants"][octant][name] - reference["octants"][octant][name] for m in members]) / spread[name]
        found[name] = {
            "mean": float(each.mean()),
            "sd": float(each.std(ddof=1)) if each.size > 1 else None,
            "rms": float(np.sqrt(np.mean(each**2))),
            "each": each.tolist(),
        }
    return found


def broadening(found: Confidence, reference: Confidence, grid: RegionGrid) -> dict[str, dict[str, float]]:
    """Return by how much, in per cent, regions are larger than the reference's, keyed "1_sigma" and so on.

    ``area_...`` of the joint regions with either mixing parameter, ``length_...`` of the intervals of one parameter, all of
    their pieces summed; NaN for an empty reference.
    """
    one, other = region_facts(grid, found), region_facts(grid, reference)
    result = {}
    for key, facts in one.items():
        pairs = {f"area_{name}": (value, other[key]["area_ev2"][name]) for name, value in facts["area_ev2"].items()}
        pairs |= {
            f"length_{name}": (_length(pieces), _length(other[key]["intervals"][name]))
            for name, pieces in facts["intervals"].items()
        }
        result[key] = {name: 100.0 * (a / b - 1.0) if b > 0 else float("nan") for name, (a, b) in pairs.items()}
    return result


def convergence(trainings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return which draws were trained from how many starts, and which did not converge, of the facts of their trainings.

    ``restarted``: draws that took more than one start (any of their members); ``misfit``: mean square of density less data
    beyond the data's noise, over the density's, the worst member's; ``failed``: draws for which that exceeds
    :data:`FAILED` times the median.  A drawn flux that data contradict raises it as well, by a few times.  Empty for learners
    that are not trained, or not from several starts.
    """
    networks = [t for t in trainings if "starts" in t]
    if not networks:
        return {"restarted": [], "misfit": [], "failed": []}
    misfit = np.array([(max(t["best_loss"]) - t["noise"]) / t["target_mean_square"] for t in networks])
    # Losses of noisy data lie below the noise by what the network has fitted of it.
    least = max(float(np.median(np.abs(misfit))), 1e-9)
    return {
        "restarted": [i for i, t in enumerate(networks) if max(t["starts"]) > 1],
        "starts": [max(t["starts"]) for t in networks],
        "misfit": misfit.tolist(),
        "failed": np.flatnonzero(misfit > FAILED * least).tolist(),
    }


def scatter(best_dm31_ev2: np.ndarray, statistical_ev2: float) -> dict[str, float]:
    """Return standard deviations in eV^2 of dm^2_31's best fits ``(n_universes, n_members + 1)``, the central analysis last.

    ``total``: of central analyses over universes; ``systematic``: of the members within a universe, which share its far events;
    ``statistical``: as given, of far events alone; ``ratio``: systematic over statistical; ``quadrature``: of both, which
    should be the total within its ``total_error``.
    """
    n = len(best_dm31_ev2)
    total = float(best_dm31_ev2[:, -1].std(ddof=1))
    systematic = float(np.sqrt(best_dm31_ev2[:, :-1].var(axis=1, ddof=1).mean()))
    return {
        "total_ev2": total,
        "total_error_ev2": total / float(np.sqrt(2.0 * (n - 1))),
        "systematic_ev2": systematic,
        "statistical_ev2": statistical_ev2,
        "quadrature_ev2": float(np.hypot(systematic, statistical_ev2)),
        "ratio": systematic / statistical_ev2,
    }


def statistical_spread(toys: Toys, sin2_theta23: float, dm31_ev2: float) -> float:
    """Return the standard deviation in eV^2 of dm^2_31's best fits, in the octant of a point at which all toys are weighted."""
    height = toys.plane.at(toys.coefficients, *(np.full(len(toys.coefficients), v) for v in (sin2_theta23, dm31_ev2)))
    weight = np.exp(height - toys.log_mixture)
    best = toys.optima.dm31_ev2[:, int(sin2_theta23 > 0.5)]
    mean = np.average(best, weights=weight)
    return float(np.sqrt(np.average((best - mean) ** 2, weights=weight)))


def _better(numbers: Mapping[str, Any]) -> str:
    return min(OCTANTS, key=lambda octant: numbers["octants"][octant]["delta_chi2"])


def _length(pieces: list[list[float]]) -> float:
    return float(sum(high - low for low, high in pieces))

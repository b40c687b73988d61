"""The constructions of confidence regions by name: each from one fit to the same fields."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nuinfer.oscillation.density_regions import density_confidence
from nuinfer.oscillation.fit import Fit
from nuinfer.oscillation.likelihood import FarModel
from nuinfer.oscillation.likelihood_ratio import likelihood_confidence
from nuinfer.oscillation.regions import Confidence, RegionGrid
from nuinfer.oscillation.toys import mixture_points, throw_toys

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class RegionProblem:
    """A ``fit`` of ``n_events``, the ``grid`` that regions are wanted on, and what a method may need besides.

    ``bins`` is the model that pseudo-experiments are thrown from, ``n_toys`` their number; their streams depend on ``seed``
    and ``key``.
    """

    fit: Fit
    n_events: int
    grid: RegionGrid
    bins: FarModel
    n_toys: int
    seed: int
    key: tuple[str | int, ...]
    progress: Progress | None = None


Method = Callable[[RegionProblem], tuple[Confidence, dict[str, Any]]]


def bootstrap_regions(problem: RegionProblem) -> tuple[Confidence, dict[str, Any]]:
    """Return the highest-density regions of the bootstraps' best fits, as published (arXiv:2412.16303)."""
    cloud = problem.fit.cloud.best
    return density_confidence(problem.grid, cloud.sin2_theta23, cloud.dm31_ev2), {"bootstraps": float(cloud.dm31_ev2.size)}


def bootstrap_octants_regions(problem: RegionProblem) -> tuple[Confidence, dict[str, Any]]:
    """Return the highest-density regions of the bootstraps' optima in both octants, drawn as their likelihoods are.

    A best fit alone is in one octant, by an accident of a small difference, and so are most bootstraps of its sample.
    """
    cloud = problem.fit.cloud.drawn
    return density_confidence(problem.grid, cloud.sin2_theta23, cloud.dm31_ev2), {"bootstraps": float(cloud.dm31_ev2.size)}


def feldman_cousins_regions(problem: RegionProblem) -> tuple[Confidence, dict[str, Any]]:
    """Return the regions of the likelihood ratio with the distribution that pseudo-experiments in bins give it."""
    fit = problem.fit
    points = mixture_points(fit.surface, fit.plane)
    toys = throw_toys(
        problem.bins, fit.plane, points, problem.n_toys, problem.n_events, problem.seed, problem.key, problem.progress
    )
    return likelihood_confidence(toys, fit.surface, float(fit.data.best.loglike[0]), problem.grid, problem.progress)


def region_methods() -> dict[str, Method]:
    """Return the methods by name."""
    return {
        "bootstrap": bootstrap_regions,
        "bootstrap_octants": bootstrap_octants_regions,
        "feldman_cousins": feldman_cousins_regions,
    }

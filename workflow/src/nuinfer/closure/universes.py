"""Universes: whole analyses of pseudo-worlds, to measure how often united confidence regions hold the truth.

In each a true flux is drawn from the flux's uncertainty, near data and far events in it; the ensemble is what one who has these
data would make: members with bootstraps of the near data and fluxes drawn around the nominal one.
"""

from dataclasses import dataclass, fields

import numpy as np

from nuinfer.closure.world import World
from nuinfer.oscillation.coverage import CELLS, Hypotheses, ratio_levels, truth_statistics
from nuinfer.oscillation.density_regions import density_confidence
from nuinfer.oscillation.marginal import Marginal
from nuinfer.oscillation.optimum import octant_optima
from nuinfer.oscillation.regions import Confidence, RegionGrid, confidence_at
from nuinfer.oscillation.wilks import wilks_levels

QUANTITIES = tuple(of.name for of in fields(Confidence))
Levels = dict[str, np.ndarray]
"""Confidence levels by quantity, the fields of :class:`nuinfer.oscillation.regions.Confidence`."""


@dataclass(frozen=True)
class Ensemble:
    """``n_members`` members, and what they have of their own: bootstraps of the near data, draws of the flux."""

    n_members: int
    near_data: bool
    flux: bool


def universe_levels(
    world: World,
    marginal: Marginal,
    statistical: Hypotheses,
    systematic: Hypotheses,
    truth: tuple[float, float],
    ensemble: Ensemble,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> tuple[dict[str, Levels], np.ndarray]:
    """Return the levels at which the regions of one universe begin to hold the ``truth`` (sin^2(theta_23), dm^2_31 in eV^2).

    Also the best dm^2_31 ``(n_members + 1,)`` in the truth's octant of every member and of the central analysis.
    ``members_feldman_cousins`` and, from ``n_bootstrap`` resamples each (none for zero), ``members_bootstrap``: of the members,
    ``(n_members,)``, whose regions know statistics alone.  ``central_...``: the same of one analysis in the nominal flux.
    ``marginal_chi2`` and ``marginal_toys``: of the likelihood with systematics marginalised, by chi-square and by toys.
    ``statistical`` and ``systematic`` are the truth's hypotheses with toys of statistics alone and with systematics.
    """
    plane, k = world.far.fluxes.plane, world.n_shifts
    amplitudes = rng.standard_normal(k)
    near = world.near_shares(amplitudes, rng)
    counts = world.far_counts(amplitudes, world.far.fluxes.at(*truth), rng)
    assumed = rng.standard_normal((ensemble.n_members, k)) * ensemble.flux
    data = world.resampled(near, ensemble.n_members, rng)
    if not ensemble.near_data:
        data[:] = near
    resampled = rng.multinomial(world.far_events, counts / counts.sum(), size=n_bootstrap).astype(float)
    # Last comes the central analysis: all near data in the nominal flux.
    assumed, data = np.concatenate([assumed, np.zeros((1, k))]), np.concatenate([data, near[None]])
    contents = world.far.contents(world.near.coefficients(data, assumed))
    surfaces, densities = [], []
    for content, a in zip(contents, assumed, strict=True):
        whole = world.far.log_table(content, a).astype(float)
        table = whole - whole.mean(axis=0)
        surfaces.append(plane.coefficients(counts @ table.T))
        if n_bootstrap:
            densities.append(_density_levels(plane.coefficients(resampled @ table.T), world, truth))
    surfaces = np.stack(surfaces)
    optima = octant_optima(surfaces, plane)
    found = {"feldman_cousins": ratio_levels(statistical, plane, surfaces, optima.best.loglike)}
    if n_bootstrap:
        found["bootstrap"] = {name: np.array([d[name] for d in densities]) for name in densities[0]}
    levels = {}
    for method, by_quantity in found.items():
        levels[f"members_{method}"] = {name: values[:-1] for name, values in by_quantity.items()}
        levels[f"central_{method}"] = {name: values[-1:] for name, values in by_quantity.items()}
    surface = plane.coefficients(marginal.log_likelihood(counts, table, np.exp(whole)))[None]
    highest = octant_optima(surface, plane).best.loglike
    levels["marginal_chi2"] = wilks_levels(truth_statistics(plane, surface, highest, systematic.points))
    levels["marginal_toys"] = ratio_levels(systematic, plane, surface, highest)
    return levels, optima.dm31_ev2[:, int(truth[0] > 0.5)]


def _density_levels(surfaces: np.ndarray, world: World, truth: tuple[float, float]) -> dict[str, float]:
    plane = world.far.fluxes.plane
    grid, cloud = RegionGrid.over(plane.range, CELLS, CELLS), octant_optima(surfaces, plane).best
    if np.ptp(cloud.dm31_ev2) == 0.0:
        # A flux so far off that every resample ends on one edge of the range: no region of it comes near the truth.
        return dict.fromkeys(QUANTITIES, 1.0)
    return confidence_at(density_confidence(grid, cloud.sin2_theta23, cloud.dm31_ev2), grid, *truth)

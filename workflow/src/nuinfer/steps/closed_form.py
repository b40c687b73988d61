"""Regions with flux and near-detector uncertainties marginalised in closed form: the other road to an ensemble's union."""

from pathlib import Path

import numpy as np

from nuinfer.closure.closed_form import systematic_marginal, systematic_toys
from nuinfer.io.far_events import read_far_events
from nuinfer.io.jsonfile import write_json
from nuinfer.io.oscillation import write_regions
from nuinfer.io.provenance import provenance
from nuinfer.oscillation.likelihood_ratio import likelihood_confidence
from nuinfer.oscillation.optimum import octant_optima
from nuinfer.oscillation.regions import RegionGrid, confidence_at, region_facts
from nuinfer.oscillation.summary import OCTANTS
from nuinfer.oscillation.toys import mixture_points
from nuinfer.oscillation.wilks import wilks_confidence
from nuinfer.physics.flux_shapes import read_flux_shapes
from nuinfer.seeds import stream
from nuinfer.steps.cli import Progress, run
from nuinfer.steps.worlds import ensemble_world, observed_near, true_point


def closed_form(
    truth: Path, operator: Path, events: Path, flux_shapes: Path, metrics: Path, output: Path, settings: dict
) -> None:
    """Regions are ``statistics_chi2`` (the learned cross section alone), ``marginal_chi2`` and ``marginal_toys``.

    The last are calibrated with pseudo-experiments that have fluxes and near data of their own (Feldman and Cousins).
    """
    sample = read_far_events(events)
    world = ensemble_world(truth, operator, flux_shapes, {**settings, "far_events": sample.el_gev.size})
    grid = world.merged.grid
    counts = np.bincount(grid.bin_numbers(sample.el_gev, sample.cos_theta), minlength=grid.n_bins).astype(float)
    near = observed_near(world, settings)
    plane = world.far.fluxes.plane
    marginal, table = systematic_marginal(world, near, world.far.fluxes.at(*true_point(settings)))
    table = table.astype(float) - table.mean(axis=0)
    surfaces = {
        "statistics": plane.coefficients(counts @ table.T),
        "marginal": plane.coefficients(marginal.log_likelihood(counts, table)),
    }
    optima = {name: octant_optima(surface[None], plane) for name, surface in surfaces.items()}
    grid = RegionGrid.over(plane.range, settings["n_sin2"], settings["n_dm31"])
    regions = {
        f"{name}_chi2": wilks_confidence(surface, float(optima[name].best.loglike[0]), plane, grid)
        for name, surface in surfaces.items()
    }
    rng = stream(settings["seed"], "systematic toys", settings["ensemble"])
    points = mixture_points(surfaces["marginal"], plane)
    report = Progress("toys with systematics")
    toys = systematic_toys(world, marginal, points, settings["systematic_draws"], settings["systematic_toys"], rng, report)
    highest = float(optima["marginal"].best.loglike[0])
    regions["marginal_toys"], facts = likelihood_confidence(toys, surfaces["marginal"], highest, grid, Progress("regions"))
    record = provenance("nuinfer.steps.closed_form", settings, settings["seed"])
    write_regions(output, grid, regions, record)
    best = optima["marginal"].best
    pulls = marginal.pulls(counts, float(best.sin2_theta23[0]), float(best.dm31_ev2[0]))
    names = read_flux_shapes(flux_shapes).names
    numbers = {
        "best": {
            name: {
                octant: {
                    "sin2_theta23": float(found.sin2_theta23[0, i]),
                    "dm31_ev2": float(found.dm31_ev2[0, i]),
                    "delta_chi2": float(2.0 * (found.best.loglike[0] - found.loglike[0, i])),
                }
                for i, octant in enumerate(OCTANTS)
            }
            for name, found in optima.items()
        },
        "regions": {name: region_facts(grid, found) for name, found in regions.items()},
        "flux_pulls": {
            name: {"mean": float(pulls.mean[i]), "sd": float(np.sqrt(pulls.covariance[i, i]))} for i, name in enumerate(names)
        },
        "near_modes": len(marginal.response) - len(names),
        **facts,
    }
    if settings["truth_known"]:
        numbers["level_of_truth"] = {name: confidence_at(found, grid, *true_point(settings)) for name, found in regions.items()}
    write_json(metrics, {**numbers, "provenance": record})


if __name__ == "__main__":
    run(closed_form)

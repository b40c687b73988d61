"""Throw the pseudo-experiments behind the likelihood ratios of universes: with statistics alone, and with systematics."""

from pathlib import Path

import numpy as np

from nuinfer.closure.closed_form import statistical_toys, systematic_marginal, systematic_toys
from nuinfer.io.oscillation import write_toys
from nuinfer.io.provenance import provenance
from nuinfer.oscillation.toys import mixture_points
from nuinfer.seeds import stream
from nuinfer.steps.cli import Progress, run
from nuinfer.steps.worlds import ensemble_world, observed_near, true_point


def universe_toys(truth: Path, operator: Path, flux_shapes: Path, statistical: Path, systematic: Path, settings: dict) -> None:
    """Around the truth: mixtures of points are those of the likelihoods of its expected events."""
    world = ensemble_world(truth, operator, flux_shapes, settings)
    plane, fluxes = world.far.fluxes.plane, world.far.fluxes
    at = fluxes.at(*true_point(settings))
    marginal, table = systematic_marginal(world, observed_near(world, settings), at)
    expected = world.expected_far(np.zeros(world.n_shifts), at)
    table = table.astype(float) - table.mean(axis=0)
    record = provenance("nuinfer.steps.universe_toys", settings, settings["seed"])
    alone = mixture_points(plane.coefficients(expected @ table.T), plane)
    rng = stream(settings["seed"], "universe toys", settings["ensemble"], "statistical")
    write_toys(statistical, statistical_toys(world, alone, settings["toys"], rng), record)
    points = mixture_points(plane.coefficients(marginal.log_likelihood(expected, table)), plane)
    rng = stream(settings["seed"], "universe toys", settings["ensemble"], "systematic")
    draws, toys = settings["systematic_draws"], settings["systematic_toys"]
    found = systematic_toys(world, marginal, points, draws, toys, rng, Progress("toys with systematics"))
    write_toys(systematic, found, record)


if __name__ == "__main__":
    run(universe_toys)

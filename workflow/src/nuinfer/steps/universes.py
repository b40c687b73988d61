"""Draw some universes, make the ensemble's analysis in each, and keep at which level its regions hold the truth."""

from pathlib import Path

import numpy as np

from nuinfer.closure.closed_form import systematic_marginal
from nuinfer.closure.universes import Ensemble, universe_levels
from nuinfer.io.hdf5 import write_hdf5
from nuinfer.io.oscillation import read_toys
from nuinfer.io.provenance import provenance
from nuinfer.oscillation.coverage import hypotheses
from nuinfer.seeds import stream
from nuinfer.steps.cli import Progress, run
from nuinfer.steps.worlds import ensemble_world, observed_near, true_point

UNIVERSES = "universes"


def universes(
    truth: Path, operator: Path, flux_shapes: Path, statistical: Path, systematic: Path, output: Path, settings: dict
) -> None:
    """Universe i has a stream of its own: how many a job draws changes none of them."""
    world = ensemble_world(truth, operator, flux_shapes, settings)
    point = true_point(settings)
    marginal, _ = systematic_marginal(world, observed_near(world, settings), world.far.fluxes.at(*point))
    alone, with_systematics = (hypotheses(read_toys(path), *point) for path in (statistical, systematic))
    varies = settings["varies"]
    ensemble = Ensemble(settings["members"], "near_data" in varies, "flux" in varies)
    resamples = settings["universe_bootstraps"] if "bootstrap" in settings["member_methods"] else 0
    start, stop = settings["range"]
    report, found, best = Progress("universes"), [], []
    for i in range(start, stop):
        rng = stream(settings["seed"], "universe", settings["ensemble"], i)
        levels, dm31 = universe_levels(world, marginal, alone, with_systematics, point, ensemble, resamples, rng)
        found.append(levels)
        best.append(dm31)
        report(i + 1 - start, stop - start, "")
    arrays = {
        f"{method}/{quantity}": np.stack([levels[method][quantity] for levels in found])
        for method, by_quantity in found[0].items()
        for quantity in by_quantity
    }
    record = provenance("nuinfer.steps.universes", settings, settings["seed"])
    write_hdf5(output, UNIVERSES, {**arrays, "best_dm31_ev2": np.stack(best)}, record, {"best_dm31_ev2": "eV^2"})


if __name__ == "__main__":
    run(universes)

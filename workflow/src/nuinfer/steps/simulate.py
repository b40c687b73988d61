"""Throw one chunk of parameters and predict it."""

from pathlib import Path

import numpy as np

from nuinfer.io.provenance import provenance
from nuinfer.io.responses import read_response
from nuinfer.io.simulations import Simulations, write_simulations
from nuinfer.steps.cli import run
from nuinfer.tuning.priors import prior_box
from nuinfer.tuning.throws import throw_unit_cube
from nuinfer.workflow import SPLITS


def simulate(response: Path, output: Path, settings: dict) -> None:
    """Predict the throws ``range`` (split, start, stop) of a design of ``n`` points of that split.

    Test throws are independent whatever the design: bands and p-values assume it, and points spread more evenly would
    make them pass too easily.
    """
    model, binning = read_response(response)
    box = prior_box(settings["parameters"])
    split, start, stop = settings["range"]
    key = ("throws", settings["simulation"], split)
    design = "random" if split == "test" else settings["design"]
    u = throw_unit_cube(design, settings["n"], box.dim, settings["seed"], *key)[start:stop]
    theta = box.from_unit(u)
    chunk = Simulations(
        box, binning, u, theta, model.predict(theta, box.names), np.full(len(u), SPLITS.index(split), np.int8)
    )
    write_simulations(output, chunk, provenance("nuinfer.steps.simulate", settings, settings["seed"]))


if __name__ == "__main__":
    run(simulate)

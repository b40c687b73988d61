"""Fit a response to throws that exist already."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from nuinfer.io.jsonfile import read_json, write_json
from nuinfer.io.provenance import provenance
from nuinfer.io.responses import write_response
from nuinfer.io.simulations import read_simulations
from nuinfer.steps.cli import run
from nuinfer.tuning.surrogate_fit import edge_error, fit_surrogate


def surrogate(simulations: Path, report: Path, response: Path, checks: Path, settings: dict) -> None:
    """Write the fitted response with the throws' own statistics, and its error on throws that it did not see."""
    throws = read_simulations(simulations)
    model = fit_surrogate(throws, settings["max_degree"], lambda line: print(f"surrogate: {line}", file=sys.stderr))
    statistical = read_json(report)["statistical_rel"]
    if statistical is not None:
        relative = np.array([0.0 if s is None else s for s in statistical])
        model = replace(model, variance=(relative * model.errors["mean"]) ** 2)
    record = provenance("nuinfer.steps.surrogate", settings)
    write_response(response, model, throws.binning, record)
    numbers = {
        "degree": model.degree,
        "terms": len(model.exponents),
        "interpolation_error": model.interpolation_error,
        "rms_rel": (model.errors["rms"] / model.errors["mean"]).tolist(),
        "edge_rel": edge_error(model, throws.part("test")),
        "largest_rel": float(np.max(model.errors["largest"] / model.errors["mean"])),
        "negative_test_throws": model.n_negative,
        "test_throws": model.n_test,
    }
    write_json(checks, {**numbers, "provenance": record})


if __name__ == "__main__":
    run(surrogate)

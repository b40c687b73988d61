"""The exact posterior of every held-out throw."""

import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from nuinfer.errors import InputError
from nuinfer.io.hdf5 import read_hdf5, write_hdf5
from nuinfer.io.provenance import provenance
from nuinfer.seeds import stream
from nuinfer.steps.cli import Progress, run
from nuinfer.steps.tune_files import read_tune
from nuinfer.tuning.exact import ExactPosterior, importance_sample
from nuinfer.tuning.priors import prior_box


def exact_held_out(response: Path, likelihood: Path, held_out: Path, output: Path, settings: dict) -> None:
    """Importance-sample the first ``events`` held-out throws; an unreliable one is flagged, never dropped."""
    model, _, noise = read_tune(response, likelihood)
    posterior = ExactPosterior(noise, model, prior_box(settings["parameters"]))
    throws, _ = read_hdf5(held_out, "held_out", ("u", "x"))
    n = settings["events"]
    rng = stream(settings["seed"], "exact held-out", settings["tune"])
    result = importance_sample(posterior, throws["x"][:n], rng, progress=Progress(f"exact posteriors of {settings['tune']}"))
    if result.n_flagged > 0.05 * n:
        raise InputError(f"{result.n_flagged} of {n} exact posteriors are unreliable: the prior may be far too wide")
    if result.n_flagged:
        print(f"{result.n_flagged} of {n} exact posteriors have too small a sample size; flagged", file=sys.stderr)
    log_p_truth = posterior.log_prob_u(throws["u"][:n], throws["x"][:n]) - result.log_evidence
    arrays = {k: np.asarray(v) for k, v in asdict(result).items() if k != "samples"} | {"log_p_truth": log_p_truth}
    write_hdf5(output, "exact", arrays, provenance("nuinfer.steps.exact_held_out", settings, settings["seed"]))


if __name__ == "__main__":
    run(exact_held_out)

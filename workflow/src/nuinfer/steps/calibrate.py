"""Calibration of a tune's estimator on held-out throws, and its gap to the exact posterior."""

from pathlib import Path

import numpy as np

from nuinfer.calibration.calibrate import DEFAULT_LEVELS
from nuinfer.calibration.calibrate import calibrate as check
from nuinfer.calibration.importance import efficiency_table
from nuinfer.calibration.summary import comparison_table, kl_gap
from nuinfer.io.hdf5 import read_hdf5, write_hdf5
from nuinfer.io.jsonfile import write_json
from nuinfer.io.provenance import provenance
from nuinfer.seeds import stream, torch_seed
from nuinfer.steps.cli import run
from nuinfer.steps.models import load_members
from nuinfer.steps.tune_files import read_tune
from nuinfer.tuning.exact import ExactPosterior, neural_importance

N_EXAMPLES = 3
"""Held-out throws whose samples are kept for figures."""


def calibrate(
    models: list[Path],
    response: Path,
    likelihood: Path,
    held_out: Path,
    exact: Path,
    arrays: Path,
    metrics: Path,
    settings: dict,
) -> None:
    """Sample every held-out throw once, and read coverage, SBC, TARP, leakage and the gap to the exact posterior off it."""
    from nuinfer.tuning.estimator.sampling import log_prob, sample

    network, stored = load_members(models)
    box = stored[0].box
    throws = read_hdf5(held_out, "held_out", ("u", "x"))[0]
    draws = sample(network, throws["x"], settings["samples"], torch_seed(settings["seed"], "calibrate", settings["tune"]))
    log_q_truth = log_prob(network, throws["u"][:, None], throws["x"])[:, 0] - np.log(draws.acceptance)
    rng = stream(settings["seed"], "calibrate", settings["tune"])
    found, numbers = check(
        draws.u, throws["u"], draws.log_q, log_q_truth, draws.acceptance, DEFAULT_LEVELS, rng, box.names
    )

    reference = read_hdf5(exact, "exact")[0]
    n = len(reference["log_p_truth"])
    model, _, noise = read_tune(response, likelihood)
    target = ExactPosterior(noise, model, box)
    weights = neural_importance(target, draws.u[:n], draws.log_q[:n], throws["x"][:n])
    trusted = ~reference["flagged"]
    numbers["exact"] = {
        "n_obs": n,
        "n_flagged": int(np.sum(reference["flagged"])),
        "kl_gap": kl_gap(reference["log_p_truth"][trusted], log_q_truth[:n][trusted]),
        "parameters": comparison_table(
            *(a[trusted] for a in (found["mean"][:n], found["sd"][:n], reference["mean"], reference["sd"])), box.names
        ),
        "importance_efficiency": efficiency_table(weights.efficiency),
        "exact_efficiency_median": float(np.median(reference["ess"])),
    }
    numbers["leakage"] |= {k: v for k, v in draws.report().items() if k.endswith("_short")}
    examples = {"examples/u": draws.u[:N_EXAMPLES], "examples/truth_u": throws["u"][:N_EXAMPLES]}
    gap = {
        "exact/efficiency": weights.efficiency,
        "exact/kl": reference["log_p_truth"] - log_q_truth[:n],
        "exact/sd": reference["sd"],
        "exact/mean": reference["mean"],
        "exact/trusted": trusted,
    }
    record = provenance("nuinfer.steps.calibrate", settings, settings["seed"])
    write_hdf5(arrays, "calibration", found | examples | gap, {**record, "parameters": list(box.names)})
    write_json(metrics, {**numbers, "provenance": record})


if __name__ == "__main__":
    run(calibrate)

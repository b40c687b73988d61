"""What the posterior of one observation predicts, and whether the simulation can produce the observation at all."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from nuinfer.io.hdf5 import read_hdf5, write_hdf5
from nuinfer.io.jsonfile import write_json
from nuinfer.io.provenance import provenance
from nuinfer.io.simulations import XSEC_UNIT
from nuinfer.seeds import stream
from nuinfer.steps.cli import run
from nuinfer.steps.tune_files import read_tune
from nuinfer.tuning.exact import ExactPosterior
from nuinfer.tuning.predictive import bands, misspecification, posterior_predictive
from nuinfer.tuning.priors import prior_box

WARN_BELOW = 0.01
"""A misspecification p-value below this is a warning in the report."""


def predictive(
    posterior: Path,
    response: Path,
    likelihood: Path,
    held_out: Path,
    observation: Path,
    bands_file: Path,
    metrics: Path,
    settings: dict,
) -> None:
    """Write prediction bands, the components at the best fit, p-values and the misspecification statistic."""
    model, _, noise = read_tune(response, likelihood)
    exact = ExactPosterior(noise, model, prior_box(settings["parameters"]))
    x = read_hdf5(observation, "observation", ("x",))[0]["x"]
    sampled = read_hdf5(posterior, "posterior", ("reference/u", "fit/theta"))[0]
    key = (settings["tune"], settings["observation"])

    rng = stream(settings["seed"], "predictive", *key)
    mu = exact.predict_u(sampled["reference/u"][rng.choice(len(sampled["reference/u"]), settings["draws"])])
    found = bands(exact.likelihood, mu, rng)
    p_value = posterior_predictive(exact.likelihood, mu, x, rng)
    u_null = read_hdf5(held_out, "held_out", ("u",))[0]["u"]
    u_null = u_null[rng.choice(len(u_null), settings["null_draws"], replace=len(u_null) < settings["null_draws"])]
    prior_null = misspecification(exact, x, u_null, rng)
    best = np.repeat(prior_null.best_u[None], settings["null_draws"], axis=0)
    best_null = misspecification(exact, x, best, rng)

    theta = sampled["fit/theta"][None]
    arrays = {
        "prediction": found["prediction"],
        "observation": found["observation"],
        "best_fit": model.predict(theta, exact.prior_box.names)[0],
        "null_prior": prior_null.null,
        "null_best_fit": best_null.null,
    } | {f"components/{k}": v[0] for k, v in model.components(theta, exact.prior_box.names).items()}
    record = provenance("nuinfer.steps.predictive", settings, settings["seed"])
    units = {k: XSEC_UNIT for k in arrays if not k.startswith("null")}
    write_hdf5(bands_file, "predictive", arrays, record, units)
    numbers = {
        "posterior_predictive_p": asdict(p_value),
        "misspecification": {
            "chi2": prior_null.chi2,
            "n_bin": len(x),
            "p_prior": asdict(prior_null.p_value),
            "p_best_fit": asdict(best_null.p_value),
            "null_q95": float(np.quantile(prior_null.null, 0.95)),
        },
        "warning": bool(min(prior_null.p_value.value, best_null.p_value.value) < WARN_BELOW),
    }
    write_json(metrics, {**numbers, "provenance": record})


if __name__ == "__main__":
    run(predictive)

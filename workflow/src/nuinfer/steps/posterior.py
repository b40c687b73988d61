"""The posterior of one observation by every method, in one table."""

import sys
from pathlib import Path

import numpy as np

from nuinfer.calibration.c2st import c2st
from nuinfer.calibration.importance import resampled_indices
from nuinfer.io.hdf5 import read_hdf5, write_hdf5
from nuinfer.io.jsonfile import write_json
from nuinfer.io.provenance import provenance
from nuinfer.seeds import stream, torch_seed
from nuinfer.steps.cli import run
from nuinfer.steps.models import load_members
from nuinfer.steps.tune_files import read_tune
from nuinfer.tuning.comparison import against_exact, against_truth, fit_marginals, marginals
from nuinfer.tuning.exact import ExactPosterior, ImportanceSettings, importance_sample, neural_importance
from nuinfer.tuning.fit import fit_maximum_likelihood
from nuinfer.tuning.mcmc import ChainSettings, sample_chain


def posterior(
    models: list[Path],
    response: Path,
    likelihood: Path,
    observation: Path,
    samples: Path,
    table: Path,
    settings: dict,
) -> None:
    """Write samples of the estimator, the importance-corrected and the exact posterior, the fit, and how they compare."""
    from nuinfer.tuning.estimator.sampling import sample

    network, stored = load_members(models)
    box = stored[0].box
    model, _, noise = read_tune(response, likelihood)
    target = ExactPosterior(noise, model, box)
    observed, facts = read_hdf5(observation, "observation")
    x, key, n = observed["x"], (settings["tune"], settings["observation"]), settings["samples"]

    draws = sample(network, x[None], n, torch_seed(settings["seed"], "posterior", *key))
    weights = neural_importance(target, draws.u, draws.log_q, x[None])
    corrected = draws.u[0][resampled_indices(weights.weights[0], n, stream(settings["seed"], "corrected", *key))]
    effort = ImportanceSettings(n_draw=10 * n, n_keep=n)
    exact = importance_sample(target, x[None], stream(settings["seed"], "exact", *key), effort)
    if exact.n_flagged:
        print("the exact posterior's importance sampling is unreliable here; rely on the chain", file=sys.stderr)
    chain_rng = stream(settings["seed"], "chain", *key)
    effort = ChainSettings(max_step=settings["chain_max_steps"], n_keep=n)
    chain = sample_chain(target, x, exact.samples[0], chain_rng, effort, allow_short=True)
    fit = fit_maximum_likelihood(target, x, minos=True)

    u = {"estimator": draws.u[0], "corrected": corrected, "exact": exact.samples[0], "chain": chain.samples}
    theta = {k: box.from_unit(v) for k, v in u.items()}
    tables = {k: marginals(v, box.names) for k, v in theta.items()}
    # Importance draws are independent; a chain's are not, which a classifier sees: it is the second choice.
    reference = "chain" if exact.flagged[0] else "exact"
    methods = {k: tables[k] for k in ("estimator", "corrected", "chain")}
    classifier_rng = stream(settings["seed"], "c2st", *key)
    chosen = classifier_rng.choice(n, min(settings["c2st_samples"], n), replace=False)
    two_sample = c2st(u["estimator"][chosen], u[reference][chosen], classifier_rng)
    numbers = {
        "units": {p.name: p.unit for p in box.parameters},
        "observation": {k: facts.get(k) for k in ("name", "label", "is_data", "source")},
        "marginals": {**tables, "fit": fit_marginals(fit)},
        "against_exact": {k: against_exact(v, tables[reference]) for k, v in methods.items()},
        "fit": fit.to_dict(),
        "importance_efficiency": float(weights.efficiency[0]),
        "leakage": float(1.0 - draws.acceptance[0]),
        "log_evidence": {"exact": float(exact.log_evidence[0]), "estimator": float(weights.log_evidence[0])},
        "c2st": {"accuracy": two_sample.accuracy, "error": two_sample.error, "n_test": two_sample.n_test},
        "reference": reference,
        "chain": {"steps": chain.n_step, "converged": chain.converged, "autocorrelation": chain.tau},
    }
    arrays = {f"{k}/u": v for k, v in u.items()} | {f"{k}/theta": v for k, v in theta.items()}
    arrays |= {"fit/theta": fit.theta, "fit/covariance": fit.covariance, "reference/u": u[reference]}
    if "truth" in observed:
        truth = dict(zip(box.names, observed["truth"].tolist(), strict=True))
        exact_sd = {name: row["sd"] for name, row in tables[reference].items()}
        compared = {**{k: tables[k] for k in u}, "fit": numbers["marginals"]["fit"]}
        numbers |= {"truth": truth, "truth_deviation": against_truth(compared, truth, exact_sd)}
        arrays["truth/theta"] = np.asarray(observed["truth"])
    record = provenance("nuinfer.steps.posterior", settings, settings["seed"])
    write_hdf5(samples, "posterior", arrays, {**record, "parameters": list(box.names)})
    write_json(table, {**numbers, "provenance": record})


if __name__ == "__main__":
    run(posterior)

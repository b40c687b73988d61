"""Tunes of different measurements against each other: parameters from one, the data of another, a p-value."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nuinfer.io.hdf5 import read_hdf5
from nuinfer.io.jsonfile import read_json, write_json
from nuinfer.io.measurement import read_measurement
from nuinfer.io.provenance import provenance
from nuinfer.physics.binning import Binning
from nuinfer.seeds import stream, torch_seed
from nuinfer.steps.cli import Progress, run
from nuinfer.steps.models import load_members
from nuinfer.steps.tune_files import read_tune
from nuinfer.tuning.exact import ExactPosterior
from nuinfer.tuning.priors import prior_box
from nuinfer.tuning.tension import (
    JointErrors,
    calibration,
    equivalent_sigma,
    joint_errors,
    p_values_batch,
    predictive_p_value,
)

PSEUDO_DRAWS = 400
"""Posterior draws behind the p-value of a pseudo-experiment."""


@dataclass(frozen=True)
class Side:
    """One tune of a tension: what it predicts, its data ``(n_bin,)``, and its posterior's draws in the unit cube."""

    posterior: ExactPosterior
    binning: Binning
    x: np.ndarray
    u: np.ndarray
    goodness: dict


def tension(
    posteriors: list[Path],
    predictives: list[Path],
    likelihoods: list[Path],
    observations: list[Path],
    responses: list[Path],
    models: list[Path],
    held_out: Path,
    whole: list[Path],
    output: Path,
    settings: dict,
) -> None:
    """Write the matrix of p-values (row: learned from, column: predicted), and how they come out for pseudo-data.

    ``whole`` is the measurement that the tunes' measurements are slices of; none where they share no errors.
    """
    box, names = prior_box(settings["parameters"]), settings["tunes"]
    sides = []
    for files in zip(posteriors, predictives, likelihoods, observations, responses, strict=True):
        sampled, fit, likelihood, observation, response = files
        model, binning, noise = read_tune(response, likelihood)
        x = read_hdf5(observation, "observation", ("x",))[0]["x"]
        u = read_hdf5(sampled, "posterior", ("reference/u",))[0]["reference/u"]
        goodness = read_json(fit)["misspecification"]["p_best_fit"]
        sides.append(Side(ExactPosterior(noise, model, box), binning, x, u, goodness))
    measured = read_measurement(whole[0]) if whole else None
    networks = _networks(models, settings["members"])
    truths = read_hdf5(held_out, "held_out", ("u",))[0]["u"][: settings["pseudo_experiments"]]

    k = len(sides)
    p, errors = np.empty((k, k)), np.empty((k, k))
    pairs = []
    report = Progress("tension")
    for i, learned in enumerate(sides):
        for j, predicted in enumerate(sides):
            if i == j:
                p[i, i], errors[i, i] = learned.goodness["value"], learned.goodness["error"]
                continue
            key = (settings["tension"], names[i], names[j])
            joint = joint_errors(
                learned.posterior.likelihood, predicted.posterior.likelihood, learned.binning, predicted.binning, measured
            )
            rng = stream(settings["seed"], "tension", *key)
            u = learned.u[rng.choice(len(learned.u), min(settings["draws"], len(learned.u)), replace=False)]
            mu_i, mu_j = learned.posterior.predict_u(u), predicted.posterior.predict_u(u)
            found = predictive_p_value(mu_i, mu_j, learned.x, predicted.x, joint, rng)
            p[i, j], errors[i, j] = found.p.value, found.p.error
            values = _pseudo(learned, predicted, networks[i], joint, truths, settings["seed"], key)
            pairs.append(
                {
                    "learned_from": names[i],
                    "predicted": names[j],
                    "p": found.p.value,
                    "error": found.p.error,
                    "sigma": float(equivalent_sigma(found.p.value)),
                    "distance": found.distance,
                    "expected": found.expected,
                    "n_bin": found.n_bin_j,
                    "pulls": found.pulls,
                    "calibration": calibration(values),
                    "pseudo_p_values": values,
                }
            )
            report(len(pairs), k * (k - 1), "pairs")
    record = provenance("nuinfer.steps.tension", settings, settings["seed"])
    facts = {"tunes": names, "labels": settings["labels"], "shared_errors": measured is not None}
    write_json(output, {**facts, "p": p, "errors": errors, "pairs": pairs, "provenance": record})


def _networks(models: list[Path], members: list[int]) -> list[object]:
    ends = np.cumsum(members)
    return [load_members(models[end - n : end])[0] for n, end in zip(members, ends, strict=True)]


def _pseudo(
    learned: Side, predicted: Side, network: object, joint: JointErrors, truths: np.ndarray, seed: int, key: tuple[str, ...]
) -> np.ndarray:
    """Return p-values of pairs of pseudo-data at ``truths``: each posterior from the tune's own estimator."""
    from nuinfer.tuning.estimator.sampling import sample

    rng = stream(seed, "tension pseudo-data", *key)
    mu = np.concatenate([s.posterior.predict_u(truths) for s in (learned, predicted)], axis=1)
    x = joint.sample(mu, rng)
    x_i, x_j = x[:, : joint.n_i], x[:, joint.n_i :]
    u = sample(network, x_i, PSEUDO_DRAWS, torch_seed(seed, "tension pseudo-data", *key)).u
    return p_values_batch(learned.posterior.predict_u(u), predicted.posterior.predict_u(u), x_i, x_j, joint, rng)


if __name__ == "__main__":
    run(tension)

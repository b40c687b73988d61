"""The figures of one observation: posterior, recovery, prediction in slices, misspecification, and the four-panel page."""

from pathlib import Path

import numpy as np

from nuinfer.figures.figure1 import figure1
from nuinfer.figures.files import write_figures
from nuinfer.figures.misspecification import misspecification
from nuinfer.figures.recovery import RecoveryRow, tune_recovery
from nuinfer.figures.slices import prediction_slices
from nuinfer.figures.triangle import triangle
from nuinfer.io.hdf5 import read_hdf5
from nuinfer.io.jsonfile import read_json
from nuinfer.io.provenance import provenance
from nuinfer.physics.binning import Binning
from nuinfer.steps.cli import run
from nuinfer.tuning.priors import PriorBox, prior_box

COMPONENT_NAMES = {"qe": "CCQE", "mec": "2p2h", "res": "resonance"}
METHODS = ("estimator", "corrected", "exact", "fit")


def figures_observation(
    posterior: Path,
    table: Path,
    predictive: Path,
    metrics: Path,
    observation: Path,
    calibration: Path,
    captions: Path,
    settings: dict,
) -> None:
    """Draw into the folder of ``captions``, each figure as PDF and PNG; captions state N, seed and settings."""
    box = prior_box(settings["parameters"])
    labels, symbols = ([getattr(p, k) for p in box.parameters] for k in ("label", "symbol"))
    ranges = np.array([[p.low, p.high] for p in box.priors])
    samples, facts = read_hdf5(posterior, "posterior")
    observed, about = read_hdf5(observation, "observation")
    bands, calibrated = read_hdf5(predictive, "predictive")[0], read_hdf5(calibration, "calibration")[0]
    numbers, tested = read_json(table), read_json(metrics)
    rows = recovery_rows(box, numbers)
    stand_in = not about["is_data"]

    truth = samples.get("truth/theta")
    posteriors = {k: samples[f"{k}/theta"] for k in ("estimator", "corrected", "exact")}
    null = {
        "prior": (bands["null_prior"], tested["misspecification"]["p_prior"]["value"]),
        "best fit": (bands["null_best_fit"], tested["misspecification"]["p_best_fit"]["value"]),
    }
    chi2 = tested["misspecification"]["chi2"]
    binning = Binning.from_arrays({k[8:]: v for k, v in observed.items() if k.startswith("binning/")})
    components = {COMPONENT_NAMES.get(k[11:], k[11:]): v for k, v in bands.items() if k.startswith("components/")}
    examples = {"estimator": box.from_unit(calibrated["examples/u"][0])}
    figures = {
        "triangle": triangle(posteriors, labels, ranges, truth, samples["fit/theta"]),
        "recovery": tune_recovery(rows),
        "slices": prediction_slices(
            binning,
            observed["x"],
            observed["sigma"],
            {"exact": tuple(bands["observation"])},
            bands["best_fit"],
            components,
            data_label=about["label"],
            stand_in=stand_in,
        ),
        "misspecification": misspecification({k: (v, chi2, p) for k, (v, p) in null.items()}),
        "figure1": figure1(
            {
                "samples": examples,
                "labels": labels,
                "ranges": ranges,
                "truth": box.from_unit(calibrated["examples/truth_u"][0]),
            },
            {"residual": calibrated["residual"], "labels": symbols, "in_units": "prior range"},
            {
                "levels": calibrated["levels"],
                "coverage": calibrated["coverage_central"],
                "joint": calibrated["coverage_joint"],
                "labels": symbols,
                "band_lo": calibrated["band_simultaneous"][0],
                "band_hi": calibrated["band_simultaneous"][1],
            },
            rows,
        ),
    }

    n_samples, n_events = len(posteriors["estimator"]), len(calibrated["residual"])
    what = f"{about['label']}, not a measurement" if stand_in else about["label"]
    tail = f"Tune {settings['tune']}, {what}; seed {facts['seed']}, settings {facts['settings_hash']}."
    texts = {
        "triangle": f"Posterior of the parameters, 68 and 95 % regions, {n_samples} samples: the estimator, the estimator "
        "corrected by importance weights, and the exact posterior.",
        "recovery": "Medians and 68 % intervals on the prior ranges (the fit: best fit and MINOS).",
        "slices": "Prediction against the observation in slices of the muon's angle: posterior-predictive 68 % band "
        "(parameters and scatter), best fit and its components.",
        "misspecification": f"Chi-square of the best fit, {chi2:.1f} for {len(observed['x'])} bins, against its distribution "
        f"for {len(bands['null_prior'])} observations simulated over the prior and at the best fit.",
        "figure1": f"(a) Posterior of one held-out throw. (b) Residuals of {n_events} throws in units of the prior range. "
        "(c) Coverage. (d) What is found for this observation.",
    }
    drawn = [(name, figure, f"{texts[name]} {tail}") for name, figure in figures.items()]
    write_figures(captions, drawn, provenance("nuinfer.steps.figures_observation", settings))


def recovery_rows(box: PriorBox, numbers: dict) -> list[RecoveryRow]:
    """Return one row per parameter: its prior range, the methods' medians and 68 % intervals, the truth where known."""
    rows = []
    for known, prior in zip(box.parameters, box.priors, strict=True):
        name = known.name
        found = {m: numbers["marginals"][m][name] for m in METHODS}
        intervals = {m: (row["q50"], row["q16"], row["q84"]) for m, row in found.items()}
        truth = numbers.get("truth", {}).get(name)
        rows.append(RecoveryRow(known.label, prior.low, prior.high, intervals, truth))
    return rows


if __name__ == "__main__":
    run(figures_observation)

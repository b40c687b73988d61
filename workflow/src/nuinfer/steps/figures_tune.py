"""The figures that describe a tune's estimator: residuals, coverage, SBC, TARP, the gap to the exact posterior, losses."""

from pathlib import Path

import numpy as np

from nuinfer.figures.coverage import coverage_figure, sbc_figure, tarp_figure
from nuinfer.figures.exact_panels import exact_panels
from nuinfer.figures.files import write_figures
from nuinfer.figures.loss import loss_curves
from nuinfer.figures.residuals import residual_triangle
from nuinfer.io.hdf5 import read_hdf5
from nuinfer.io.jsonfile import read_json
from nuinfer.io.provenance import provenance
from nuinfer.steps.cli import run
from nuinfer.tuning.priors import prior_box


def figures_tune(calibration: Path, metrics: Path, models: list[Path], captions: Path, settings: dict) -> None:
    """Draw into the folder of ``captions``, each figure as PDF and PNG; captions state N, seed and settings."""
    arrays, facts = read_hdf5(calibration, "calibration")
    numbers = read_json(metrics)
    names = facts["parameters"]
    symbols = [p.symbol for p in prior_box(settings["parameters"]).parameters]
    levels, (low, high) = arrays["levels"], arrays["band_simultaneous"]
    trusted = arrays["exact/trusted"]
    n_exact = len(trusted)
    figures = {
        "residuals": residual_triangle(arrays["pull"], symbols),
        "coverage": coverage_figure(levels, arrays["coverage_central"], arrays["coverage_joint"], symbols, low, high),
        "sbc": sbc_figure(
            levels, arrays["rank_ecdf"], symbols, low, high, [numbers["parameters"][n]["sbc_ks_p"] for n in names]
        ),
        "tarp": tarp_figure(levels, arrays["tarp_coverage"], *arrays["tarp_bootstrap"], low, high),
        "exact": exact_panels(
            arrays["exact/sd"][trusted],
            arrays["sd"][:n_exact][trusted],
            arrays["exact/efficiency"][trusted],
            arrays["exact/kl"][trusted],
            symbols,
        ),
        "loss": loss_curves({f"member {i}": _curve(read_json(m)["curves"]) for i, m in enumerate(models)}),
    }

    tail = (
        f"Tune {settings['tune']}: {numbers['n_obs']} held-out throws, {numbers['n_samples']} samples each, "
        f"{settings['n_train']} training throws, seed {facts['seed']}, settings {facts['settings_hash']}."
    )
    texts = {
        "residuals": "Posterior mean minus truth in units of each posterior's standard deviation. A calibrated posterior "
        "follows the unit Gaussian as far as it is one itself.",
        "coverage": "Share of truths inside central intervals (joint: highest-density regions) against their credible "
        "level, and the difference. Grey: simultaneous 95 % band; lighter: the paper's 10 % and 20 % bands.",
        "sbc": "Simulation-based calibration: ECDF of the truths' ranks minus its expectation, with the simultaneous "
        "95 % band and the Kolmogorov-Smirnov p-value.",
        "tarp": "Expected coverage at random reference points (TARP), with its bootstrap band.",
        "exact": f"Against the exact posteriors of {n_exact} throws: widths, width ratios, importance efficiency of the "
        "estimator as a proposal, and log density lost at the truth.",
        "loss": "Losses per throw against epochs and CPU time, one thread. For Gaussian likelihoods the training loss is of "
        "a mixture with off-model observations and does not compare with the validation loss, which has none.",
    }
    drawn = [(name, figure, f"{texts[name]} {tail}") for name, figure in figures.items()]
    write_figures(captions, drawn, provenance("nuinfer.steps.figures_tune", settings))


def _curve(curves: dict) -> dict[str, np.ndarray]:
    n = len(curves["validation_loss"])
    return {
        "epoch": np.arange(1, n + 1),
        "train": np.array(curves["training_loss"]),
        "validation": np.array(curves["validation_loss"]),
        "cpu_s": np.array(curves["cpu_s"]),
    }


if __name__ == "__main__":
    run(figures_tune)

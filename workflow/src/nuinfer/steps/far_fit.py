"""Fit the oscillation parameters to far-detector events with one cross section, and to their bootstraps."""

import time
from pathlib import Path

from nuinfer.io.jsonfile import write_json
from nuinfer.io.oscillation import write_fit
from nuinfer.io.provenance import provenance
from nuinfer.oscillation.fit import fit_events
from nuinfer.oscillation.plane import FitRange
from nuinfer.oscillation.summary import fit_numbers
from nuinfer.steps.cli import run
from nuinfer.steps.far_models import far_models


def far_fit(
    truth: Path,
    operator: Path,
    events: Path,
    at_events: Path,
    metrics: Path,
    output: Path,
    settings: dict,
    learned: list[Path] = (),
) -> None:
    """Fit; bootstraps depend on the sample's draw and not on the cross section, so that fits of one sample compare."""
    model, _ = far_models(truth, operator, events, at_events, learned, settings["oscillation"])
    start = time.monotonic()
    allowed = FitRange(tuple(settings["sin2_theta23"]), tuple(settings["dm31_ev2"]))
    key = (settings["experiment"], settings["draw"])
    fit = fit_events(model, allowed, settings["bootstraps"], settings["seed"], key)
    seconds = time.monotonic() - start
    record = provenance("nuinfer.steps.far_fit", settings, settings["seed"])
    write_fit(output, fit, record)
    write_json(metrics, {**fit_numbers(fit, model), "seconds": seconds, "provenance": record})


if __name__ == "__main__":
    run(far_fit)

"""Draw far-detector events from an experiment's truth."""

from pathlib import Path

import numpy as np

from nuinfer.closure.experiment import far_flux, make_experiment, refined_knots, truth_functions
from nuinfer.closure.far_drawing import draw_far_events
from nuinfer.closure.far_events import in_order, smeared_events
from nuinfer.io.closure import read_truth
from nuinfer.io.far_events import write_far_events
from nuinfer.io.provenance import provenance
from nuinfer.seeds import stream
from nuinfer.steps.cli import Progress, run


def far_draw(flux: Path, truth: Path, output: Path, settings: dict, partons: list[Path] = ()) -> None:
    """Draw ``settings["events"]``; the resolution has a stream of its own, so that samples with and without share events."""
    known, experiment = read_truth(truth), make_experiment(settings, flux)
    fine = refined_knots(experiment)
    seed, key = settings["seed"], (settings["experiment"], settings["draw"])
    events, facts = draw_far_events(
        truth_functions(settings, experiment),
        experiment.grid,
        fine.knots_gev,
        far_flux(fine, settings["oscillation"]),
        np.maximum(far_flux(known, settings["oscillation"]) @ known.counts_by_knot, 0.0),
        experiment.mass_gev,
        experiment.antineutrino,
        settings["events"],
        stream(seed, "far events", *key),
        Progress(f"events {settings['sample']}"),
    )
    if settings["smearing"]:
        events = smeared_events(events, settings["smearing"], experiment.grid, stream(seed, "far smearing", *key))
    record = provenance("nuinfer.steps.far_draw", settings, seed)
    write_far_events(output, in_order(events), {**record, "drawing": facts})


if __name__ == "__main__":
    run(far_draw)

"""Make per-bin response functions of event samples."""

from pathlib import Path

from nuinfer.io.binning import read_binning
from nuinfer.io.jsonfile import write_json
from nuinfer.io.provenance import provenance
from nuinfer.io.responses import write_response
from nuinfer.steps.cli import run
from nuinfer.tuning.sources.event_formats import read_events
from nuinfer.tuning.sources.event_response import build_event_response, curve_differences
from nuinfer.tuning.sources.event_terms import event_terms


def event_response(samples: list[Path], binning: Path, response: Path, checks: Path, settings: dict) -> None:
    """Write the response of the settings' terms, and how far its curves can be trusted.

    ``samples`` are the files in the alphabetical order of the samples' names.
    """
    bins = read_binning(binning, settings["drop_momentum_overflow"])
    entries = settings["samples"]
    events = {
        name: read_events(path, entry["format"], **entry["options"])
        for (name, entry), path in zip(sorted(entries.items()), samples, strict=True)
    }
    terms = event_terms(settings["terms"], list(entries))
    model, left_out = build_event_response(events, terms, bins, settings["nominal"], settings["left_out"])
    record = provenance("nuinfer.steps.event_response", settings)
    write_response(response, model, bins, record)
    numbers = {
        "samples": {n: {"events": e.n_generated, "cc0pi": int(e.is_cc0pi.sum())} for n, e in events.items()},
        "curves": left_out,
        "curve_differences": curve_differences(model, terms),
        "total_1e38cm2": model.total,
    }
    write_json(checks, {**numbers, "provenance": record})


if __name__ == "__main__":
    run(event_response)

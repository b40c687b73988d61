"""From throws as their source gave them to the one file of simulations."""

import sys
from pathlib import Path

from nuinfer.io.binning import read_binning
from nuinfer.io.jsonfile import write_json
from nuinfer.io.provenance import provenance
from nuinfer.io.raw_throws import read_raw_throws
from nuinfer.io.simulations import write_simulations
from nuinfer.steps.cli import run
from nuinfer.tuning.priors import prior_box
from nuinfer.tuning.sources.checks import check_throws
from nuinfer.tuning.sources.ingest import assemble
from nuinfer.tuning.sources.raw import concatenated


def ingest(parts: list[Path], binning: Path, simulations: Path, report: Path, settings: dict) -> None:
    """Write the checked throws with their splits, and a report of what was read, left out and found."""
    bins = read_binning(binning, settings["drop_momentum_overflow"])
    on_bad = settings["on_bad_throw"]
    raw = check_throws(concatenated([read_raw_throws(path) for path in parts]), len(bins), settings["units"], on_bad)
    throws, facts = assemble(
        raw,
        prior_box(settings["parameters"]),
        bins,
        settings["convention"],
        settings["counts"],
        settings["seed"],
        settings["simulation"],
        on_bad,
        settings["check_prior"],
    )
    for line in facts["warnings"]:
        print(f"warning: {line}", file=sys.stderr)
    if facts["n_bad"]:
        print(f"warning: {facts['n_bad']} of {facts['n_read']} throws left out; {report} lists them", file=sys.stderr)
    record = provenance("nuinfer.steps.ingest", settings, settings["seed"])
    write_simulations(simulations, throws, record)
    write_json(report, {**facts, "provenance": record})


if __name__ == "__main__":
    run(ingest)

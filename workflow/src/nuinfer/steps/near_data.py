"""Draw near-detector data."""

from pathlib import Path

from nuinfer.closure.near_data import near_data as draw_near
from nuinfer.closure.smearing import smearing_matrix
from nuinfer.io.closure import read_truth, write_near
from nuinfer.io.provenance import provenance
from nuinfer.seeds import stream
from nuinfer.steps.cli import run


def near_data(truth: Path, output: Path, settings: dict) -> None:
    """Draw ``events`` events (None: the expectation) of an experiment's truth, with a relative energy resolution or without.

    The stream is the experiment's, the number's and the draw's: studies of equal numbers of events share their draws, so that
    learners are compared on the same data.
    """
    known = read_truth(truth)
    relative = settings["smearing"]
    smearing = smearing_matrix(known.grid, relative) if relative else None
    rng = stream(settings["seed"], "near data", settings["experiment"], settings["events"] or 0, settings["draw"])
    data = draw_near(known.near_flux @ known.counts_by_knot, smearing, known.grid.shape, settings["events"], rng)
    write_near(output, data, known.near_flux, smearing, provenance("nuinfer.steps.near_data", settings, settings["seed"]))


if __name__ == "__main__":
    run(near_data)

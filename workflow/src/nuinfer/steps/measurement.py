"""Read and check a measurement."""

from pathlib import Path

from nuinfer.io.measurement import load_measurement, write_measurement
from nuinfer.io.provenance import provenance
from nuinfer.io.responses import read_response
from nuinfer.steps.cli import run


def measurement(files: list[Path], output: Path, settings: dict) -> None:
    """Check a measurement, or make the stand-in from a response, and write it in nuinfer's layout."""
    entry = settings["measurement"]
    prediction = None
    if entry["format"] == "toy":
        model, binning = read_response(files[0])
    measured = load_measurement(settings["name"], entry)
    write_measurement(output, measured, provenance("nuinfer.steps.measurement", settings, settings["seed"]))


if __name__ == "__main__":
    run(measurement)

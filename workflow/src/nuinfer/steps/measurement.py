"""Read and check a measurement."""

from pathlib import Path

from nuinfer.io.measurement import load_measurement, write_measurement
from nuinfer.io.provenance import provenance
from nuinfer.io.responses import read_response
from nuinfer.steps.cli import run
from nuinfer.tuning.parameters import values_in_order


def measurement(files: list[Path], output: Path, settings: dict) -> None:
    """Check a measurement, or make the stand-in from a response (the one file then), and write it in nuinfer's layout."""
    entry = settings["measurement"]
    stand_in = {}
    if entry["format"] == "toy":
        response, binning = read_response(files[0])
        names, theta = values_in_order(entry["parameters"])
        stand_in = {"prediction": response.predict(theta[None], names)[0], "binning": binning}
    measured = load_measurement(settings["name"], entry, **stand_in)
    write_measurement(output, measured, provenance("nuinfer.steps.measurement", settings))


if __name__ == "__main__":
    run(measurement)

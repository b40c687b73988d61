"""Read and check a measurement."""

from pathlib import Path

from nuinfer.io.measurement import load_measurement, read_measurement, write_measurement
from nuinfer.io.measurement_slices import measurement_slice
from nuinfer.io.provenance import provenance
from nuinfer.io.responses import read_response
from nuinfer.steps.cli import run
from nuinfer.tuning.parameters import values_in_order


def measurement(files: list[Path], output: Path, settings: dict) -> None:
    """Check a measurement, or make it from the one file given: a stand-in from a response, a slice from its whole."""
    name, entry = settings["name"], settings["measurement"]
    record = provenance("nuinfer.steps.measurement", settings)
    if entry["format"] == "slice":
        part = measurement_slice(read_measurement(files[0]), name, tuple(entry["cos_theta"]), entry.get("label"))
        write_measurement(output, part, record)
        return
    stand_in = {}
    if entry["format"] == "toy":
        response, binning = read_response(files[0])
        names, theta = values_in_order(entry["parameters"])
        stand_in = {"prediction": response.predict(theta[None], names)[0], "binning": binning}
    write_measurement(output, load_measurement(name, entry, **stand_in), record)


if __name__ == "__main__":
    run(measurement)

"""The built-in generator against real numbers: chi2 to measurements, and NuWro's events where they are."""

from pathlib import Path

from nuinfer.io.jsonfile import write_json
from nuinfer.io.measurement import read_measurement
from nuinfer.io.provenance import provenance
from nuinfer.io.responses import read_response
from nuinfer.steps.cli import run
from nuinfer.tuning.generator.comparison import data_chi2, nuwro_comparison
from nuinfer.tuning.sources import nuwro_table


def comparison(response: Path, measurements: list[Path], output: Path, settings: dict) -> None:
    """Write chi2 at the defaults and NuWro ratios; what has no file is named as absent."""
    model, binning = read_response(response)
    events = settings["events"]
    prediction = model.default_prediction()
    chi2 = {}
    for path in measurements:
        measured = read_measurement(path)
        found = data_chi2(prediction, measured.values, measured.covariances["total"])
        chi2[measured.label] = found | {"n_bin": len(prediction)}
    nuwro = {}
    if "nuwro_all" in events:
        samples = [nuwro_table.read(events[k], weights={}) for k in ("nuwro_all", "nuwro_qe_norpa") if k in events]
        nuwro = nuwro_comparison(model, binning, *samples)
    numbers = {
        "interpolation_error": model.interpolation_error,
        "chi2_at_defaults": chi2,
        "nuwro": nuwro,
        "absent": settings["absent"],
        "total_1e38cm2": model.total,
    }
    write_json(output, {**numbers, "provenance": provenance("nuinfer.steps.comparison", settings)})


if __name__ == "__main__":
    run(comparison)

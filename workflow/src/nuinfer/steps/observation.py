"""One observation of a tune: a mock at known parameters, or the tune's measurement."""

from pathlib import Path

from nuinfer.config_names import MEASURED
from nuinfer.io.hdf5 import write_hdf5
from nuinfer.io.measurement import read_measurement
from nuinfer.io.provenance import provenance
from nuinfer.io.simulations import XSEC_UNIT
from nuinfer.seeds import stream
from nuinfer.steps.cli import run
from nuinfer.steps.tune_files import read_tune
from nuinfer.tuning.parameters import values_in_order
from nuinfer.tuning.priors import prior_box, theta_from_mapping


def observation(response: Path, likelihood: Path, measurement: list[Path], output: Path, settings: dict) -> None:
    """Write the observed values, their errors for plots, and, for a mock, the parameters that made them."""
    name, entry = settings["name"], settings["observation"]
    model, binning, noise = read_tune(response, likelihood)
    facts = {"name": name, "label": entry.get("label", name)}
    arrays = {f"binning/{k}": v for k, v in binning.to_arrays().items()}
    if name == MEASURED:
        measured = read_measurement(measurement[0])
        facts |= {"is_data": measured.is_data, "label": measured.label, "source": measured.source}
        arrays |= {"x": measured.values, "sigma": measured.sigma}
    else:
        names, theta = values_in_order(entry["parameters"])
        mu = model.predict(theta[None], names)[0]
        rng = stream(settings["seed"], "mock noise", settings["tune"], name)
        x = noise.sample(mu[None], rng)[0] if entry["scatter"] else mu
        box = prior_box(settings["parameters"])
        inferred = {n: v for n, v in entry["parameters"].items() if n in box.names}
        facts |= {"is_data": False, "source": settings["source"], "scatter": entry["scatter"]}
        arrays |= {"x": x, "sigma": noise.bin_sigma(mu), "truth": theta_from_mapping(box, inferred)}
    record = provenance("nuinfer.steps.observation", settings, settings["seed"])
    write_hdf5(output, "observation", arrays, {**record, **facts}, {"x": XSEC_UNIT, "sigma": XSEC_UNIT})


if __name__ == "__main__":
    run(observation)

"""What a tune's observations scatter by, and its held-out throws with that scatter."""

from pathlib import Path

from nuinfer.errors import InputError
from nuinfer.io.hdf5 import write_hdf5
from nuinfer.io.likelihoods import write_likelihood
from nuinfer.io.measurement import read_measurement
from nuinfer.io.provenance import provenance
from nuinfer.io.responses import read_response
from nuinfer.io.simulations import XSEC_UNIT, read_simulations
from nuinfer.seeds import stream
from nuinfer.steps.cli import run
from nuinfer.tuning.likelihood import Likelihood, PoissonLikelihood, measurement_likelihood


def likelihood(
    simulations: Path, response: Path, measurement: list[Path], likelihood: Path, held_out: Path, settings: dict
) -> None:
    """Write the likelihood of the tune's mode, and the first ``events`` test throws with its scatter."""
    throws = read_simulations(simulations)
    chosen = _chosen(throws.binning, response, measurement, settings)
    record = provenance("nuinfer.steps.likelihood", settings, settings["seed"])
    write_likelihood(likelihood, chosen, record)

    test = throws.part("test")
    n = settings["events"]
    x = chosen.sample(test.prediction[:n], stream(settings["seed"], "held-out noise", settings["tune"]))
    arrays = {"u": test.u[:n], "theta": test.theta[:n], "prediction": test.prediction[:n], "x": x}
    write_hdf5(held_out, "held_out", arrays, record, {"prediction": XSEC_UNIT, "x": XSEC_UNIT})


def _chosen(binning: object, response: Path, measurement: list[Path], settings: dict) -> Likelihood:
    if settings["mode"] == "prediction":
        model, _ = read_response(response)
        return PoissonLikelihood(model.per_event(settings["n_events"]))
    measured = read_measurement(measurement[0])
    if measured.binning != binning:
        raise InputError(
            f"{measurement[0]}: {len(measured.binning)} bins differ from the simulation's {len(binning)}; "
            "choose the measurement's binning for the simulation (generator.binning, generator.drop_momentum_overflow)"
        )
    return measurement_likelihood(settings["likelihood"], measured.covariances, measured.norm_rel)


if __name__ == "__main__":
    run(likelihood)

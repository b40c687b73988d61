"""What a tune's observations scatter by, and its held-out throws with that scatter."""

from pathlib import Path

import numpy as np

from nuinfer.errors import InputError
from nuinfer.io.hdf5 import write_hdf5
from nuinfer.io.likelihoods import write_likelihood
from nuinfer.io.measurement import read_measurement
from nuinfer.io.provenance import provenance
from nuinfer.io.responses import read_response
from nuinfer.io.simulations import XSEC_UNIT, Simulations, read_simulations
from nuinfer.seeds import stream
from nuinfer.steps.cli import run
from nuinfer.tuning.likelihood import Likelihood, PoissonLikelihood, measurement_likelihood


def likelihood(
    simulations: Path, response: Path, measurement: list[Path], likelihood: Path, held_out: Path, settings: dict
) -> None:
    """Write the likelihood of the tune's mode, and the first ``events`` test throws with its scatter."""
    throws = read_simulations(simulations)
    chosen, bins = _chosen(throws, response, measurement, settings)
    record = provenance("nuinfer.steps.likelihood", settings, settings["seed"])
    write_likelihood(likelihood, chosen, bins, record)

    test = throws.part("test").select(bins)
    n = settings["events"]
    x = chosen.sample(test.prediction[:n], stream(settings["seed"], "held-out noise", settings["tune"]))
    arrays = {"u": test.u[:n], "theta": test.theta[:n], "prediction": test.prediction[:n], "x": x}
    write_hdf5(held_out, "held_out", arrays, record, {"prediction": XSEC_UNIT, "x": XSEC_UNIT})


def _chosen(throws: Simulations, response: Path, measurement: list[Path], settings: dict) -> tuple[Likelihood, np.ndarray]:
    model, _ = read_response(response)
    if settings["mode"] == "prediction":
        if getattr(model, "n_negative", 0):
            raise InputError(
                f"{response}: the fitted response is negative in {model.n_negative} of {model.n_test} test throws, and has no "
                "statistics there; raise max_degree, or narrow the priors"
            )
        return PoissonLikelihood(model.per_event(settings["n_events"])), np.arange(len(throws.binning))
    measured = read_measurement(measurement[0])
    try:
        bins = measured.binning.positions_in(throws.binning)
    except InputError as error:
        raise InputError(
            f"{measurement[0]}: {error}; choose the measurement's binning for the simulation (its table of bins and "
            "drop_momentum_overflow)"
        ) from None
    covariances = dict(measured.covariances)
    if settings["simulation_statistics"]:
        # At the middle of the prior: it moves little over it, and a covariance that is fixed keeps the likelihood simple.
        middle = throws.box.from_unit(np.full((1, throws.box.dim), 0.5))
        own = np.diag(model.simulation_variance(middle, throws.box.names)[0, bins])
        if not own.any():
            raise InputError(
                f"{response}: the source knows no statistics of its events; leave simulation_statistics out of the tune"
            )
        covariances |= {key: covariances[key] + own for key in ("total", "shape")}
    return measurement_likelihood(settings["likelihood"], covariances, measured.norm_rel), bins


if __name__ == "__main__":
    run(likelihood)

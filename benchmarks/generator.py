"""Time the built-in generator and print build time, errors and throws per second as JSON (no arguments)."""

import json
import time
from pathlib import Path

import numpy as np

from nuinfer.io.binning import read_binning
from nuinfer.physics.fluxes import read_flux
from nuinfer.tuning.generator.build import GeneratorSettings, build_response, with_doubled_quadrature
from nuinfer.tuning.parameters import PARAMETERS

RESOURCES = Path(__file__).parent.parent / "resources"
LOW, HIGH = (0.961242, 1.0, 0.0, 0.0), (1.39, 3.0, 1.0, 1.0)


def main(n_throws: int = 200_000) -> dict[str, float]:
    flux = read_flux(RESOURCES / "t2k_nd280_numu.csv")
    binning = read_binning(RESOURCES / "t2k_cc0pi_bins.csv", drop_momentum_overflow=True)
    start = time.perf_counter()
    response = build_response(flux, binning)
    built = time.perf_counter()
    theta = np.random.default_rng(1).uniform(LOW, HIGH, (n_throws, 4))
    begin = time.perf_counter()
    response.predict(theta, tuple(PARAMETERS))
    thrown = time.perf_counter()
    finer = build_response(flux, binning, with_doubled_quadrature(GeneratorSettings()))
    return {
        "build_s": built - start,
        "throws": n_throws,
        "throws_s": thrown - begin,
        "interpolation_error": response.interpolation_error,
        "quadrature_error": float(np.max(np.abs(response.default_prediction() / finer.default_prediction() - 1.0))),
    }


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))

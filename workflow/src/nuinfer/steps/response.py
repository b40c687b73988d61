"""Tabulate the built-in generator."""

import sys
from pathlib import Path

from nuinfer.io.binning import read_binning
from nuinfer.io.provenance import provenance
from nuinfer.io.responses import write_response
from nuinfer.physics.fluxes import read_flux
from nuinfer.steps.cli import run
from nuinfer.tuning.generator.build import build_response, generator_settings


def response(flux: Path, binning: Path, output: Path, settings: dict) -> None:
    """Tabulate the built-in generator's components, flux-averaged in the bins of the binning table."""
    options = dict(settings)
    bins = read_binning(binning, options.pop("drop_momentum_overflow"))
    model = build_response(
        read_flux(flux), bins, generator_settings(options), lambda line: print(line, file=sys.stderr, flush=True)
    )
    write_response(output, model, bins, provenance("nuinfer.steps.response", settings))


if __name__ == "__main__":
    run(response)

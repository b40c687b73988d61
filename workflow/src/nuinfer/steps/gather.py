"""Gather chunks of throws into the one file of simulations."""

from pathlib import Path

import numpy as np

from nuinfer.errors import InputError
from nuinfer.io.provenance import provenance
from nuinfer.io.simulations import Simulations, read_simulations, write_simulations
from nuinfer.steps.cli import run
from nuinfer.tuning.throws import assert_distinct


def gather(chunks: list[Path], output: Path, settings: dict) -> None:
    """Concatenate chunks that share priors and bins; refuse a throw that occurs twice."""
    parts = [read_simulations(path) for path in chunks]
    for path, part in zip(chunks, parts, strict=True):
        if part.box != parts[0].box or part.binning != parts[0].binning:
            raise InputError(f"{path}: priors or bins differ from those of {chunks[0]}; make the chunks again")
    whole = Simulations(
        parts[0].box,
        parts[0].binning,
        *(np.concatenate([getattr(p, name) for p in parts]) for name in ("u", "theta", "prediction", "split")),
    )
    assert_distinct(whole.u)
    write_simulations(output, whole, provenance("nuinfer.steps.gather", settings))


if __name__ == "__main__":
    run(gather)

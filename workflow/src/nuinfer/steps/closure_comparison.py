"""Compare a learned cross section with the truth."""

from pathlib import Path

from nuinfer.closure.experiment import far_flux
from nuinfer.closure.summary import comparison_arrays, comparison_numbers
from nuinfer.io.closure import read_learned, read_truth
from nuinfer.io.hdf5 import write_hdf5
from nuinfer.io.jsonfile import write_json
from nuinfer.io.operators import grid_facts, read_operator
from nuinfer.io.provenance import provenance
from nuinfer.steps.cli import run


def closure_comparison(truth: Path, operator: Path, learned: Path, metrics: Path, output: Path, settings: dict) -> None:
    """Write the numbers of the comparison (``metrics``) and the arrays that its figures show (``output``)."""
    known, folded = read_truth(truth), read_operator(operator)
    found, facts = read_learned(learned)
    record = provenance("nuinfer.steps.closure_comparison", settings)
    flux = far_flux(known, settings["oscillation"])
    numbers = comparison_numbers(known, flux, folded, found, with_bands=settings["events"] is not None)
    write_json(metrics, {**numbers, "learner": facts["learner_settings"], "provenance": record})
    arrays, units = comparison_arrays(known, flux, folded, found, settings["enu_gev"])
    write_hdf5(output, "closure comparison", arrays, {**record, **grid_facts(known.grid)}, units)


if __name__ == "__main__":
    run(closure_comparison)

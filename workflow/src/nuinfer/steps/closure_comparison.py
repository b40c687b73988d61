"""Compare a learned cross section with the truth."""

from pathlib import Path

from nuinfer.closure.summary import comparison_arrays, comparison_numbers
from nuinfer.io.closure import read_learned, read_truth
from nuinfer.io.hdf5 import write_hdf5
from nuinfer.io.jsonfile import write_json
from nuinfer.io.operators import read_operator
from nuinfer.io.provenance import provenance
from nuinfer.steps.cli import run


def closure_comparison(truth: Path, operator: Path, learned: Path, metrics: Path, output: Path, settings: dict) -> None:
    """Write the numbers of the comparison (``metrics``) and the arrays that its figures show (``output``)."""
    known, folded = read_truth(truth), read_operator(operator)
    found, facts = read_learned(learned)
    record = provenance("nuinfer.steps.closure_comparison", settings)
    numbers = comparison_numbers(known, folded, found, with_bands=settings["events"] is not None)
    write_json(metrics, {**numbers, "learner": facts["learner_settings"], "provenance": record})
    arrays, units = comparison_arrays(known, folded, found, settings["enu_gev"])
    grid = known.grid
    axes = {"n_u": grid.n_u, "n_v": grid.n_v, "el_max_gev": grid.el_max_gev, "lepton_mass_gev": grid.lepton_mass_gev}
    write_hdf5(output, "closure comparison", arrays, {**record, **axes}, units)


if __name__ == "__main__":
    run(closure_comparison)

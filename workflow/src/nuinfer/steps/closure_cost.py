"""Measure what operator and training cost by grid size, and draw it."""

from pathlib import Path

from nuinfer.closure.cost import measure
from nuinfer.figures.closure_cost import cost_curves
from nuinfer.figures.files import write_figures
from nuinfer.io.jsonfile import write_json
from nuinfer.io.provenance import provenance
from nuinfer.steps.cli import Progress, run

DIRECT, OPERATOR = "training step, direct", "training step, operator"


def closure_cost(flux: Path, metrics: Path, captions: Path, settings: dict) -> None:
    """Write the times and memory of every size of ``settings["cost_bins"]`` and the figure ``cost`` beside ``captions``."""
    grids = measure(settings, flux, settings["cost_bins"], progress=Progress("cost: grids", 0.0))
    record = provenance("nuinfer.steps.closure_cost", settings)
    write_json(metrics, {"grids": grids, "provenance": record})
    seconds = {
        "operator built": [g["build_s"] for g in grids],
        "new flux": [1e-3 * g["contract_ms"] for g in grids],
        OPERATOR: [1e-3 * g["step_ms"] for g in grids],
        DIRECT: [1e-3 * g["direct_step_ms"] for g in grids],
    }
    labels = {"xlabel": "bins of (u, v)", "ylabel": "CPU time [s]"}
    figure = cost_curves([g["bins"] for g in grids], seconds, (DIRECT, OPERATOR), **labels)
    text = (
        "CPU time of one thread against the number of bins: the forward operator is built once, contracted once for every new "
        "flux, and used in every training step of one network; a direct step evaluates the network at every cell in three "
        f"variables ({', '.join(str(g['direct_cells']) for g in grids)} cells). Below: direct over operator."
    )
    write_figures(captions, [("cost", figure, text)], record)


if __name__ == "__main__":
    run(closure_cost)

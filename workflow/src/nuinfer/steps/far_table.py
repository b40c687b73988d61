"""Read a table of observed far-detector events."""

from pathlib import Path

from nuinfer.closure.far_events import FarEvents, check_events, in_order
from nuinfer.io.event_tables import read_event_table
from nuinfer.io.far_events import write_far_events
from nuinfer.io.operators import read_operator
from nuinfer.io.provenance import provenance
from nuinfer.steps.cli import run


def far_table(table: Path, operator: Path, output: Path, settings: dict) -> None:
    """Check the table's events against the phase space of the experiment; keep them in an order of their own."""
    folded = read_operator(operator)
    source = f"{table}:{settings['tree']}" if settings["tree"] else str(table)
    columns = read_event_table(source, settings["columns"])
    smearing = settings["smearing"]
    check_events(columns["el_gev"], columns["cos_theta"], folded.grid, folded.mass_gev, smearing is not None, source)
    events = in_order(FarEvents(columns["el_gev"], columns["cos_theta"], smearing=smearing))
    write_far_events(output, events, provenance("nuinfer.steps.far_table", settings))


if __name__ == "__main__":
    run(far_table)

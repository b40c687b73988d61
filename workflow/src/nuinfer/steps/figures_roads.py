"""Draw an ensemble's united regions beside those with systematics marginalised in closed form."""

from pathlib import Path

from nuinfer.figures.ensemble_union import ROADS_CAPTION, UnionEntry, roads_figure
from nuinfer.figures.files import write_figures
from nuinfer.io.oscillation import read_regions
from nuinfer.io.provenance import provenance
from nuinfer.oscillation.union import on_grid
from nuinfer.steps.cli import run

PLANES = ("mixing", "octants")
ROADS = {"marginal_chi2": "marginalised in closed form", "marginal_toys": "marginalised, Feldman-Cousins"}


def figures_roads(union: Path, closed_form: Path, captions: Path, settings: dict) -> None:
    """One figure a plane and method of the members' regions, on the grid of the union."""
    grid, united = read_regions(union)
    own, found = read_regions(closed_form)
    closed = [UnionEntry(text, on_grid(found[key], own, grid)) for key, text in ROADS.items()]
    truth = settings["truth"] and (settings["truth"]["sin2_theta23"], settings["truth"]["dm31_ev2"])
    drawn = []
    for method in settings["methods"]:
        entries = [UnionEntry(f"union of {settings['members']} learned draws", united[f"learned_{method}"]), *closed]
        for plane in PLANES:
            figure = roads_figure(grid, entries, truth, plane)
            drawn.append((f"roads_{plane}_{method}", figure, f"{settings['label']}: {ROADS_CAPTION}"))
    write_figures(captions, drawn, provenance("nuinfer.steps.figures_roads", settings))


if __name__ == "__main__":
    run(figures_roads)

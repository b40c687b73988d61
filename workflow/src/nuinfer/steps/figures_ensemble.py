"""Draw an ensemble: its members over statistics alone, and its united regions."""

from pathlib import Path

import numpy as np

from nuinfer.figures.ensemble_members import MEMBERS_CAPTION, MembersPanel, members_figure
from nuinfer.figures.ensemble_union import UNION_CAPTION, UnionEntry, union_figure
from nuinfer.figures.files import write_figures
from nuinfer.io.ensembles import MemberFit, read_member
from nuinfer.io.oscillation import read_regions
from nuinfer.io.provenance import provenance
from nuinfer.oscillation.regions import RegionGrid
from nuinfer.oscillation.union import on_grid
from nuinfer.steps.cli import run

PLANES = ("mixing", "octants")
TITLES = {"true": "true cross section", "learned": "learned cross section"}


def figures_ensemble(references: list[Path], members: list[Path], union: Path, captions: Path, settings: dict) -> None:
    """One set of figures a method of the members' regions, all on the grid of the union."""
    reference = read_member(references[0])[0]["true"]
    beside = read_member(references[1])[0]["learned"] if len(references) > 1 else None
    fits = [read_member(path)[0] for path in members]
    grid, united = read_regions(union)
    truth = settings["truth"] and (settings["truth"]["sin2_theta23"], settings["truth"]["dm31_ev2"])
    xsecs = [x for x in TITLES if f"{x}_{settings['methods'][0]}" in united]
    said = f"  Reference: statistics alone, and for learned cross sections '{settings['reference']}'." if beside else ""
    label, drawn = settings["label"], []
    for method in settings["methods"]:
        panels = [_panel(x, [f[x] for f in fits], _behind(x, reference, beside), method, grid) for x in xsecs]
        labels = {"true": "true cross section", "learned": "learned"}
        entries = [UnionEntry("statistics alone", united[f"reference_{method}"])]
        entries += [UnionEntry(f"{labels[x]}, {len(fits)} draws", united[f"{x}_{method}"]) for x in xsecs]
        for plane in PLANES:
            name = "reference" if beside else "statistics alone"
            figure = members_figure(grid, panels, truth, plane, name)
            drawn.append((f"members_{plane}_{method}", figure, f"{label}: {MEMBERS_CAPTION}{said}"))
            figure = union_figure(grid, entries, truth, plane)
            drawn.append((f"union_{plane}_{method}", figure, f"{label}: {UNION_CAPTION}"))
    write_figures(captions, drawn, provenance("nuinfer.steps.figures_ensemble", settings))


def _behind(xsec: str, reference: MemberFit, beside: MemberFit | None) -> MemberFit:
    """A learned panel has the reference study's fit behind it where there is one."""
    return beside if xsec == "learned" and beside else reference


def _panel(xsec: str, fits: list[MemberFit], behind: MemberFit, method: str, grid: RegionGrid) -> MembersPanel:
    best = [fit.numbers["best"] for fit in fits]
    return MembersPanel(
        TITLES[xsec],
        [on_grid(fit.regions[method], fit.grid, grid) for fit in fits],
        on_grid(behind.regions[method], behind.grid, grid),
        np.array([b["sin2_theta23"] for b in best]),
        np.array([b["dm31_ev2"] for b in best]),
    )


if __name__ == "__main__":
    run(figures_ensemble)

"""Unite the regions of an ensemble's members, and compare them with statistics alone."""

from pathlib import Path
from typing import Any

from nuinfer.io.ensembles import MemberFit, read_member
from nuinfer.io.jsonfile import write_json
from nuinfer.io.oscillation import write_regions
from nuinfer.io.provenance import provenance
from nuinfer.oscillation.ensemble import broadening, convergence, shift_facts
from nuinfer.oscillation.paired import paired_distance
from nuinfer.oscillation.regions import Confidence, RegionGrid, region_facts
from nuinfer.oscillation.union import (
    common_grid,
    finer_grid,
    holds,
    interpolation_error,
    least_members,
    on_grid,
    union_confidence,
)
from nuinfer.steps.cli import run

FINER = 4
"""Members are united on cells of this many parts an axis: their regions leave narrow pieces."""
XSECS = ("true", "learned")


def union(reference: Path, members: list[Path], metrics: Path, output: Path, settings: dict) -> None:
    """``reference`` is the fit with the true cross section and flux; regions are ``{xsec}_{method}``.

    Where no flux varies, the true cross section has no members of its own: the reference stands for them.
    """
    alone = read_member(reference)[0]["true"]
    read = [read_member(path) for path in members]
    found = {xsec: [fits[xsec] for fits, _, _ in read if xsec in fits] for xsec in XSECS}
    used = {xsec: fits for xsec, fits in found.items() if fits}
    common = common_grid([fit.grid for fit in [alone, *(f for fits in used.values() for f in fits)]])
    grid = finer_grid(common, FINER)
    regions, numbers = {}, {}
    for method in settings["member_methods"]:
        regions[f"reference_{method}"] = _placed(alone, method, grid)
        for xsec, fits in used.items():
            united = union_confidence([_placed(fit, method, grid) for fit in fits])
            regions[f"{xsec}_{method}"] = united
            numbers.setdefault(xsec, {})[method] = _facts(united, regions[f"reference_{method}"], fits, method, common, grid)
        if len(used) == 2:
            # How much of the true cross section's united region the learned one leaves out.
            numbers["learned"][method]["leaves_out_of_true"] = holds(
                regions[f"learned_{method}"], regions[f"true_{method}"], grid
            )
        numbers["learned"][method]["leaves_out_of_reference"] = holds(
            regions[f"learned_{method}"], regions[f"reference_{method}"], grid
        )
    record = provenance("nuinfer.steps.union", settings)
    write_regions(output, grid, regions, record)
    summary: dict[str, Any] = {
        "members": len(read),
        "members_needed": {f"{n}_sigma": least_members(n, len(read)) for n in (1, 2, 3)},
        "regions": numbers,
        "shifts": {xsec: shift_facts([f.numbers for f in fits], alone.numbers) for xsec, fits in used.items()},
        "distance": {xsec: [paired_distance(*f.cloud, *alone.cloud) for f in fits] for xsec, fits in used.items()},
        "reference": {
            "fit": alone.numbers,
            "regions": {m: region_facts(grid, regions[f"reference_{m}"]) for m in settings["member_methods"]},
        },
        "convergence": convergence([training for _, training, _ in read]),
        "range_widened": sum(f.numbers["range_widened"] for fits in used.values() for f in fits),
    }
    write_json(metrics, {**summary, "provenance": record})


def _placed(fit: MemberFit, method: str, grid: RegionGrid) -> Confidence:
    return on_grid(fit.regions[method], fit.grid, grid)


def _facts(
    united: Confidence, alone: Confidence, fits: list[MemberFit], method: str, common: RegionGrid, grid: RegionGrid
) -> dict[str, Any]:
    """``interpolation_error`` is that of uniting on the members' own grid, four times as coarse."""
    coarse = union_confidence([_placed(fit, method, common) for fit in fits])
    return {
        **region_facts(grid, united),
        "broadening_percent": broadening(united, alone, grid),
        "interpolation_error": interpolation_error(coarse, common),
    }


if __name__ == "__main__":
    run(union)

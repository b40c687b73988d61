"""From the numbers of systematic ensembles and of scans (the JSON files beside their results) to the report's chapter."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from nuinfer.report import Cell, Picture, Section, Table
from nuinfer.report_cells import fixed, in_text, numbered, percent, signed
from nuinfer.report_ensembles import (
    PARAMETERS,
    ROADS,
    SIGMAS,
    WIDER,
    XSECS,
    broadening,
    demanded,
    interpolation,
    left_out,
    members,
    named_regions,
    pulls,
    regions,
    restarted,
    shifts,
    widths,
)
from nuinfer.report_universes import coverage_paragraph, coverage_tables, coverage_warnings

FEW_TOYS = 50
"""So few effective pseudo-experiments do not make a 3-sigma region."""


def ensemble_section(
    name: str,
    label: str,
    union: Mapping,
    closed_form: Mapping | None,
    coverage: Mapping | None,
    pictures: Sequence[Picture],
) -> Section:
    """Return the section of an ensemble: members, united regions, the closed form beside them, coverage in universes."""
    tables = [make(union) for make in (members, shifts, regions, broadening, left_out, interpolation)]
    paragraphs = [_said_of_members(union)]
    warnings = list(_convergence(name, union))
    found = [(what, facts) for what, _, facts in named_regions(union)]
    if closed_form is not None:
        tables += [widths(union, closed_form), pulls(closed_form)]
        paragraphs.append(_said_of_closed_form(closed_form))
        found += [(text, closed_form["regions"][key]) for key, text in ROADS.items()]
        warnings += _few_toys(name, closed_form)
    warnings += _cut_off(name, found)
    if coverage is not None:
        tables += coverage_tables(coverage)
        paragraphs.append(coverage_paragraph(coverage))
        warnings += coverage_warnings(name, coverage)
    return Section(f"Ensemble {name}: {label}", paragraphs, tables, pictures, warnings)


def effects_section(rows: Sequence[tuple[str, Mapping]]) -> Section:
    """Return every effect's size on the fit with the learned cross section, the largest shift of dm2_31 first.

    ``rows``: label and united numbers of every ensemble.
    """
    cells: list[list[Cell]] = []
    for label, union in sorted(rows, key=lambda row: -_size(row[1])):
        sin2, dm31 = (union["shifts"]["learned"][p] for p in ("sin2_theta23", "dm31_ev2"))
        wider = _first_method(union, "learned")["broadening_percent"]["1_sigma"]
        moved = [fixed(of[key], 3) for key in ("rms", "sd") for of in (sin2, dm31)]
        cells.append([label, union["members"], *moved, *(signed(wider[f"length_{p}"]) for p in PARAMETERS), restarted(union)])
    header = ["effect", "draws", "rms sin2", "rms dm2", "sd sin2", "sd dm2", *WIDER, "restarted"]
    note = (
        "Rms: of the shifts of best fits with the learned cross section (sin2 th23 and dm2_31) from statistics alone, sd: "
        "their scatter over the draws, both in standard deviations of statistics. In per cent: how much longer united 1-sigma "
        "intervals are than those of statistics alone."
    )
    said = (
        "The publication (arXiv:2412.16303) finds that the network's start matters more than 30 million near-detector events "
        "and than the smearing, 3 million events visibly more than 30 million, and the flux the most."
    )
    return Section("Sizes of effects", [said], [Table(header, cells, "Every ensemble's effect on the learned fit", note)])


def scan_section(name: str, label: str, scan: Mapping, pictures: Sequence[Picture]) -> Section:
    """Return the section of a scan of the network's size and the number of bins."""
    cells: list[list[Cell]] = []
    for row in scan["rows"]:
        accuracy = [fixed(row[f"kl_{place}"], 4) for place in ("near", "far")]
        accuracy += [percent(row[f"rel_l2_{place}"], 2) for place in ("near", "far")]
        moved = [fixed(row["distance"]["mean_shift"][p], 2) for p in ("sin2_2theta23", "dm31_ev2")]
        cells.append([row["depth"], row["width"], row["bins"], *accuracy, fixed(row["metric"], 3), *moved])
    header = [
        "depth", "width", "bins", "near KL, 3-D", "far KL, 3-D", "near rel. L2 [%]", "far rel. L2 [%]", "metric",
        "shift of sin2 2th23", "shift of dm2_31",
    ]  # fmt: skip
    note = (
        "KL in nat. Metric: mean squared distance of paired bootstraps' best fits from the true cross section's "
        "(arXiv:2412.16303, eq. 33); shifts: their mean, in standard deviations of the true cross section's bootstraps."
    )
    return Section(f"Scan {name}: {label}", [], [Table(header, cells, "Size of the network and bins", note)], pictures)


def systematics_summary_line(name: str, label: str, union: Mapping, coverage: Mapping | None) -> str:
    """Return one line of the report's summary on an ensemble."""
    shift = in_text(fixed(union["shifts"]["learned"]["dm31_ev2"]["rms"], 2))
    parts = [f"{union['members']} draws, dm2_31 shifted by {shift} sd of statistics (rms)"]
    for xsec in ("learned", "true"):
        if xsec in union["regions"]:
            one = _first_method(union, xsec)["broadening_percent"]["1_sigma"]
            wider = [f"{PARAMETERS[p]} {in_text(signed(one[f'length_{p}']))} %" for p in ("sin2_2theta23", "dm31_ev2")]
            parts.append(f"1-sigma intervals against statistics alone, {XSECS[xsec]}: {', '.join(wider)}")
    if coverage is not None:
        held = coverage["coverage"][f"union_{next(iter(coverage['calibrated']))}"]["plane_sin2"]
        shares = ", ".join(in_text(percent(held[f"{n}_sigma"]["coverage"])) for n in SIGMAS)
        parts.append(f"joint regions of 1, 2, 3 sigma hold the truth in {shares} % of {coverage['universes']} universes")
    return f"{name} ({label}): {'; '.join(parts)}"


def _size(union: Mapping) -> float:
    rms = union["shifts"]["learned"]["dm31_ev2"]["rms"]
    return -math.inf if rms is None or not math.isfinite(rms) else rms


def _first_method(union: Mapping, xsec: str) -> Mapping:
    return next(iter(union["regions"][xsec].values()))


def _said_of_members(union: Mapping) -> str:
    (one, two, three), best = demanded(union), union["reference"]["fit"]["best"]
    said = (
        f"A point is in the united region of 1, 2 or 3 sigma if it is in those of at least {one}, {two} or {three} of "
        f"{union['members']} members (arXiv:2412.16303, eq. 18). Statistics alone is the fit with the true cross section and "
        f"flux: sin2 th23 {best['sin2_theta23']:.4f}, dm2_31 {1e3 * best['dm31_ev2']:.4f}e-3 eV2."
    )
    return said if "true" in union["regions"] else f"{said} No flux varies: the true cross section has no members of its own."


def _said_of_closed_form(closed_form: Mapping) -> str:
    least, median = (in_text(fixed(closed_form.get(f"effective_toys_{k}"), 0)) for k in ("least", "median"))
    best = min(closed_form["best"]["marginal"].values(), key=lambda octant: octant["delta_chi2"])
    return (
        f"Closed form: {len(closed_form['flux_pulls'])} components of the flux and {closed_form['near_modes']} modes of the "
        f"near-detector data are marginalised; best fit sin2 th23 {best['sin2_theta23']:.4f}, dm2_31 "
        f"{1e3 * best['dm31_ev2']:.4f}e-3 eV2. Its Feldman-Cousins regions rest on {closed_form['toys']:.0f} "
        f"pseudo-experiments, effectively {least} at the worst point of the 3-sigma region and {median} in the median."
    )


def _convergence(name: str, union: Mapping) -> Iterator[str]:
    failed = union["convergence"]["failed"]
    if failed:
        yield (
            f"{name}: of {union['members']} draws {numbered('draw', failed)} did not converge and are in the union all the "
            "same; give their learner more steps"
        )


def _few_toys(name: str, closed_form: Mapping) -> Iterator[str]:
    least = closed_form.get("effective_toys_least")
    if least is not None and least < FEW_TOYS:
        yield (
            f"{name}: the closed form's 3-sigma region has points of effectively {least:.0f} pseudo-experiments (wanted: "
            f"{FEW_TOYS}); raise fit.systematic_toys"
        )


def _cut_off(name: str, found: Iterable[tuple[str, Mapping]]) -> Iterator[str]:
    where, keys = [], set()
    for what, facts in found:
        cut = {n: sides for n in SIGMAS if (sides := facts[f"{n}_sigma"]["cut_off"])}
        if cut:
            where.append(f"{what} at {' and '.join(map(str, cut))} sigma")
            # The range of sin2 2th23 follows from that of sin2 th23.
            keys |= {side.split()[0].replace("sin2_2theta23", "sin2_theta23") for sides in cut.values() for side in sides}
    if where:
        widen = " and ".join(f"fit.{key}" for key in sorted(keys))
        yield f"{name}: regions are cut off by the fitted range ({'; '.join(where)}); widen {widen}"

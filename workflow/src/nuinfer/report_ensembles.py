"""The report's tables of an ensemble: members, shifts, united regions, and the closed form beside them.

``union`` and ``closed_form`` are the numbers of the steps of these names.
"""

from collections.abc import Iterator, Mapping

from nuinfer.report import Cell, Table
from nuinfer.report_cells import fixed, length, numbered, percent, pieces, signed
from nuinfer.report_oscillation import METHOD_NAMES

SIGMAS = (1, 2, 3)
PARAMETERS = {"sin2_2theta23": "sin2 2th23", "sin2_theta23": "sin2 th23", "dm31_ev2": "dm2_31"}
SCALES = {"sin2_2theta23": 1.0, "sin2_theta23": 1.0, "dm31_ev2": 1e3}
"""Intervals of dm2_31 are written in 1e-3 eV2."""
PLANES = {"sin2_2theta23": "area, sin2 2th23", "sin2_theta23": "area, sin2 th23"}
XSECS = {"true": "true cross section", "learned": "learned"}
ROADS = {
    "statistics_chi2": "closed form, statistics alone",
    "marginal_chi2": "closed form, marginalised",
    "marginal_toys": "closed form, marginalised, Feldman-Cousins",
}
WIDER = [f"{text} [%]" for text in PARAMETERS.values()]
OF_REGION = ["region", "sigma", *PARAMETERS.values(), *PLANES.values()]


def members(union: Mapping) -> Table:
    """Return how many draws there are, how they were trained, and how many of them a united region demands."""
    convergence = union["convergence"]
    failed = numbered("draw", convergence["failed"]) if convergence["misfit"] else None
    octants = [union["shifts"].get(x, {}).get("octant_changed") for x in XSECS]
    row = [union["members"], *demanded(union), restarted(union), failed, *octants, union["range_widened"]]
    header = [
        "draws", "1 sigma", "2 sigma", "3 sigma", "restarted", "not converged", "octant, true", "octant, learned", "ranges",
    ]  # fmt: skip
    note = (
        "1, 2, 3 sigma: members that a united region demands. Restarted: trained again from a new start, all else held. "
        "Octant: members that prefer the other one than statistics alone. Ranges: how often a fit's was widened."
    )
    return Table(header, [row], "Members", note)


def shifts(union: Mapping) -> Table:
    """Return how members' best fits scatter around that of statistics alone."""
    rows: list[list[Cell]] = []
    for xsec, shift in _of_xsecs(union["shifts"]):
        cells = [fixed(shift[p][key], 2) for p in ("sin2_theta23", "dm31_ev2") for key in ("mean", "sd", "rms")]
        totals = [d["total"] for d in union["distance"][xsec]]
        rows.append([XSECS[xsec], *cells, fixed(sum(totals) / len(totals), 3), fixed(max(totals), 3)])
    of_each = [f"{key} {text}" for text in ("sin2", "dm2") for key in ("mean", "sd", "rms")]
    note = (
        "Optima (sin2 th23, dm2_31) in the better octant of statistics alone, in its standard deviations; metric: mean squared "
        "distance of paired bootstraps' best fits (arXiv:2412.16303, eq. 33), mean and largest of the members'."
    )
    return Table(["members", *of_each, "metric", "largest"], rows, "Shifts of best fits from statistics alone", note)


def regions(union: Mapping) -> Table:
    """Return intervals and areas of united regions below those of statistics alone."""
    rows: list[list[Cell]] = []
    for what, _, facts in named_regions(union):
        for n in SIGMAS:
            one = facts[f"{n}_sigma"]
            areas = [fixed(one["area_ev2"][p], 3, 1e6) for p in PLANES]
            rows.append([what, n, *(pieces(one["intervals"][p], SCALES[p]) for p in PARAMETERS), *areas])
    note = "Intervals of one parameter, dm2_31 in 1e-3 eV2; areas of the joint regions with dm2_31 in 1e-6 eV2."
    return Table(OF_REGION, rows, "United regions", note)


def broadening(union: Mapping) -> Table:
    """Return by how much united regions are larger than those of statistics alone."""
    rows: list[list[Cell]] = []
    for what, _, facts in _united(union):
        for n in SIGMAS:
            found = facts["broadening_percent"][f"{n}_sigma"]
            keys = [*(f"length_{p}" for p in PARAMETERS), *(f"area_{p}" for p in PLANES)]
            rows.append([what, n, *(signed(found[key]) for key in keys)])
    note = "Total lengths of intervals, and areas of joint regions."
    return Table(OF_REGION, rows, "Broadening relative to statistics alone [%]", note)


def left_out(union: Mapping) -> Table:
    """Return which part of two other regions the learned united ones leave out."""
    rows: list[list[Cell]] = []
    for key, what in (("leaves_out_of_true", "united, true"), ("leaves_out_of_reference", "statistics alone")):
        for method, facts in union["regions"]["learned"].items():
            rows += _shares(f"{what}, {_method(method)}", facts.get(key, {}), "length")
    note = "Shares of length and area that lie outside the united regions of the learned cross section."
    return Table(OF_REGION, rows, "Left out by the learned united regions [%]", note)


def interpolation(union: Mapping) -> Table:
    """Return the errors that the finite step of the regions' grid may cause."""
    rows: list[list[Cell]] = []
    for what, _, facts in _united(union):
        rows += _shares(what, facts["interpolation_error"], "ends")
    note = "Of uniting on the members' own cells, over total length or area; regions are united on cells of a quarter."
    return Table(OF_REGION, rows, "Interpolation error [%]", note)


def widths(union: Mapping, closed_form: Mapping) -> Table:
    """Return how wide united intervals and those with marginalised systematics are, each against its road's statistics."""
    alone, closed = union["reference"]["regions"], closed_form["regions"]
    rows: list[list[Cell]] = []
    for n in SIGMAS:
        rows += [_widths(what, n, facts, alone[method]) for what, method, facts in named_regions(union)]
        rows += [_widths(ROADS[key], n, closed[key], closed["statistics_chi2"]) for key in ROADS]
    header = ["region", "sigma", *PARAMETERS.values(), *WIDER]
    note = (
        "Total lengths of intervals, dm2_31 in 1e-3 eV2. In per cent: longer than statistics alone of the same road, which in "
        "closed form has the learned cross section and likelihood ratios by Wilks' theorem."
    )
    return Table(header, rows, "Widths from two roads: united members and closed form", note)


def pulls(closed_form: Mapping) -> Table:
    """Return what the events say about the components of the flux."""
    rows = [[name, fixed(pull["mean"], 2), fixed(pull["sd"], 2)] for name, pull in closed_form["flux_pulls"].items()]
    note = "At the best fit, in standard deviations of the flux model: with a spread of 1 the events say nothing."
    return Table(["component", "amplitude", "sd"], rows, "Pulls of the flux components, closed form", note)


def named_regions(union: Mapping) -> Iterator[tuple[str, str, Mapping]]:
    """Yield name, method and facts of the regions of statistics alone, then of the united ones."""
    yield from ((f"statistics alone, {_method(m)}", m, facts) for m, facts in union["reference"]["regions"].items())
    yield from _united(union)


def demanded(union: Mapping) -> list[int]:
    """Return how many members a united region of 1, 2 and 3 sigma demands."""
    return [union["members_needed"][f"{n}_sigma"] for n in SIGMAS]


def restarted(union: Mapping) -> str | None:
    """Return which draws were trained from more than one start; None for learners that are not trained."""
    convergence = union["convergence"]
    return numbered("draw", convergence["restarted"]) if convergence["misfit"] else None


def _united(union: Mapping) -> Iterator[tuple[str, str, Mapping]]:
    for xsec, methods in _of_xsecs(union["regions"]):
        yield from ((f"united, {xsec}, {_method(m)}", m, facts) for m, facts in methods.items())


def _of_xsecs(found: Mapping) -> Iterator[tuple[str, Mapping]]:
    """Without a flux that varies, the true cross section has no members."""
    return ((xsec, found[xsec]) for xsec in XSECS if xsec in found)


def _shares(what: str, facts: Mapping, of_lines: str) -> list[list[Cell]]:
    return [
        [what, n, *(percent(of[of_lines][p]) for p in PARAMETERS), *(percent(of["area"][p]) for p in PLANES)]
        for n in SIGMAS
        if (of := facts.get(f"{n}_sigma"))
    ]


def _widths(what: str, n: int, facts: Mapping, alone: Mapping) -> list[Cell]:
    own, base = ({p: length(f[f"{n}_sigma"]["intervals"][p]) for p in PARAMETERS} for f in (facts, alone))
    wider = [signed(100.0 * (own[p] / base[p] - 1.0)) if base[p] and facts is not alone else None for p in PARAMETERS]
    return [what, n, *(fixed(own[p], 4, SCALES[p]) for p in PARAMETERS), *wider]


def _method(name: str) -> str:
    return METHOD_NAMES.get(name, name)

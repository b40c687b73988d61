"""The report's tables of universes: how often united regions of an ensemble hold the truth, and which rule would.

``coverage`` is the numbers of the step universes_summary.
"""

import math
from collections.abc import Iterator, Mapping

from nuinfer.report import Cell, Table
from nuinfer.report_cells import fixed, in_text, percent
from nuinfer.report_oscillation import METHOD_NAMES

SIGMAS = (1, 2, 3)
QUANTITIES = {"plane_sin2": "joint", "sin2": "sin2 th23", "dm31": "dm2_31"}
METHODS = {
    **{f"union_{name}": f"united, {text}" for name, text in METHOD_NAMES.items()},
    **{f"central_{name}": f"statistics alone, {text}" for name, text in METHOD_NAMES.items()},
    "marginal_chi2": "closed form, marginalised",
    "marginal_toys": "closed form, marginalised, Feldman-Cousins",
}


def coverage_tables(coverage: Mapping) -> list[Table]:
    """Return the coverage of every method, and the fraction of members with which a union covers."""
    return [_coverage(coverage), _calibrated(coverage)]


def coverage_paragraph(coverage: Mapping) -> str:
    """Return in words how many universes there are, and what scatters in them."""
    spread = coverage["dm31_scatter"]
    total, statistics, systematics = (
        in_text(fixed(spread[f"{key}_ev2"], 4, 1e3)) for key in ("total", "statistical", "systematic")
    )
    return (
        f"Coverage: {coverage['universes']} universes of {coverage['members']} members, each with a true flux, near-detector "
        f"data and far-detector events of its own. Best fits of dm2_31 scatter by {total}e-3 eV2: {statistics}e-3 from the "
        f"events and {systematics}e-3 from systematics, which is {in_text(fixed(spread['ratio'], 2))} times as much."
    )


def coverage_warnings(name: str, coverage: Mapping) -> Iterator[str]:
    """Yield what of the coverage cannot be judged."""
    one = next(iter(next(iter(coverage["coverage"].values())).values()))["3_sigma"]
    missing, universes = 1.0 - one["claimed"], coverage["universes"]
    if universes * missing < 1.0:
        yield (
            f"{name}: of {universes} universes {universes * missing:.2g} regions of 3 sigma are expected to miss the truth, so "
            f"too wide ones cannot be told from right ones; set the ensemble's universes to {math.ceil(1.0 / missing)} or more"
        )


def _coverage(coverage: Mapping) -> Table:
    named = {METHODS.get(m, m): found for m, found in _in_order(coverage["coverage"])}
    named |= {f"complement of the rule, {METHOD_NAMES.get(m, m)}": found for m, found in coverage["complement"].items()}
    rows: list[list[Cell]] = [
        [what, text, *(_share(found[quantity][f"{n}_sigma"]) for n in SIGMAS)]
        for what, found in named.items()
        for quantity, text in QUANTITIES.items()
    ]
    expected = coverage["gaussian"]
    for key, members in (("finite", f"{coverage['members']} members"), ("linear", "members without end")):
        rows.append(
            [f"expected of Gaussians, {members}", "one parameter", *(percent(expected[f"{n}_sigma"][key]) for n in SIGMAS)]
        )
    claims = ", ".join(f"{100 * c:.2f}" for c in _claims(coverage))
    note = (
        f"Claimed: {claims} %; in brackets binomial intervals of 68 %. The complement demands as many members as the rule lets "
        "fail: a negative control, which should cover less. Expected: one Gaussian parameter with the measured ratio of "
        "systematics to statistics; members without end add the two linearly."
    )
    header = ["method", "region of", *(f"{n} sigma [%]" for n in SIGMAS)]
    return Table(header, rows, f"Regions that hold the truth, of {coverage['universes']} universes", note)


def _calibrated(coverage: Mapping) -> Table:
    rows: list[list[Cell]] = []
    n_members = coverage["members"]
    for method, found in coverage["calibrated"].items():
        for quantity, text in QUANTITIES.items():
            of = [found[quantity][f"{n}_sigma"] for n in SIGMAS]
            published = [f"{c['published_members']} ({in_text(percent(c['published_coverage']))} %)" for c in of]
            own = [f"{c['members']} ({in_text(percent(c['coverage']))} %)" if c["members"] else "none covers" for c in of]
            cells = [cell for pair in zip(published, own, strict=True) for cell in pair]
            rows.append([METHOD_NAMES.get(method, method), text, *cells])
    header = ["regions", "of", *(f"{n}, {rule}" for n in SIGMAS for rule in ("published", "calibrated"))]
    fractions = ", ".join(in_text(percent(c["published_fraction"], 2)) for c in of)
    note = (
        f"Members for 1, 2, 3 sigma, and the coverage with them in brackets. Published: {fractions} % of the "
        "members (arXiv:2412.16303, eq. 18). Calibrated: the most that still cover as claimed, measured in the same universes; "
        "none covers: even one is too many."
    )
    return Table(header, rows, f"How many of {n_members} members a union should demand", note)


def _in_order(found: Mapping) -> list[tuple[str, Mapping]]:
    return [*((m, found[m]) for m in METHODS if m in found), *((m, of) for m, of in found.items() if m not in METHODS)]


def _claims(coverage: Mapping) -> list[float]:
    one = next(iter(coverage["coverage"].values()))["dm31"]
    return [one[f"{n}_sigma"]["claimed"] for n in SIGMAS]


def _share(found: Mapping) -> str:
    return f"{in_text(percent(found['coverage']))} ({in_text(percent(found['lower']))} to {in_text(percent(found['upper']))})"

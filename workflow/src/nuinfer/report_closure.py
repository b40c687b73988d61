"""From the closure studies' numbers (the JSON files beside their results) to the report's chapter."""

from collections.abc import Mapping, Sequence

from nuinfer.report import Cell, Picture, Section, Table


def study_section(
    name: str, label: str, draws: Sequence[Mapping], coverage: Mapping | None, pictures: Sequence[Picture]
) -> Section:
    """Return the section of a study: ``draws`` its comparisons in order, ``coverage`` its bands' if they were measured."""
    tables = [_accuracy_table(draws)]
    members = draws[0].get("members", [])
    if members:
        tables.append(_accuracy_table(members, "member", "Members of the ensemble, first draw"))
    if coverage is not None:
        tables.append(_coverage_table(coverage))
    fit = draws[0]["fit"]
    said = {k: v for k, v in fit.items() if not isinstance(v, (Mapping, list))}
    learner = ", ".join(f"{k} {v}" for k, v in draws[0]["learner"].items())
    paragraphs = [f"Learner: {learner}.", f"First draw's fit: {', '.join(f'{k} {_short(v)}' for k, v in said.items())}."]
    again = [f"{i} ({n} starts)" for i, n in enumerate(fit.get("starts", [])) if n > 1]
    if again:
        paragraphs.append(f"Members that did not converge from their first start, trained again: {', '.join(again)}.")
    if fit.get("at_bound"):
        paragraphs.append(f"Hyperparameters at their bounds (first draw): {', '.join(fit['at_bound'])}.")
    warnings = []
    negative = draws[0]["far"]["negative_share"]
    if negative > 1e-3:
        warnings.append(f"{name}: {100 * negative:.2g} % of the far-detector rate is negative before the clamp at zero")
    return Section(f"Study {name}: {label}", paragraphs, tables, pictures, warnings)


def summary_line(name: str, label: str, numbers: Mapping) -> str:
    """Return one line of the report's summary on a study's first draw."""
    near, far = numbers["near"], numbers["far"]
    return (
        f"{name} ({label}): near detector {100 * near['rel_l2']:.2g} %, far detector {100 * far['rel_l2']:.2g} % in "
        f"relative L2, far-detector KL {far['kl']:.2g} nat"
    )


def overview(rows: Sequence[tuple[str, str, Mapping]]) -> Table:
    """Return all studies beside each other: ``rows`` of name, label and first comparison."""
    header = [
        "study",
        "near rel. L2 [%]",
        "far rel. L2 [%]",
        "near KL",
        "far KL",
        "far KL, 3-D",
        "sigma(E) rms [%]",
        "test loss",
    ]
    cells = [
        [
            label, 100 * n["near"]["rel_l2"], 100 * n["far"]["rel_l2"], n["near"]["kl"], n["far"]["kl"], n["far"]["kl_3d"],
            100 * n["total"]["rms"], n["test_loss"],
        ]
        for _, label, n in rows
    ]  # fmt: skip
    note = "Densities in u and v (3-D: and neutrino energy) against the truth; KL in nat; a network's seed and draw: the first."
    return Table(header, cells, "Learners", note)


def cost_section(cost: Mapping, pictures: Sequence[Picture]) -> Section:
    """Return the section on what operator and training cost by grid size."""
    rows: list[list[Cell]] = [
        [
            r["bins"],
            r["build_s"],
            r["contract_ms"],
            r["step_ms"],
            r["direct_step_ms"],
            r["direct_step_ms"] / r["step_ms"],
            r["peak_mib"],
        ]
        for r in cost["grids"]
    ]
    header = ["bins", "build [s]", "new flux [ms]", "step [ms]", "direct step [ms]", "ratio", "peak memory [MiB]"]
    note = (
        "A training step of the network through the operator and with the network evaluated at every point in three variables, "
        "side by side on one thread."
    )
    return Section("Cost against grid size", [], [Table(header, rows, "Cost", note)], pictures)


def _accuracy_table(entries: Sequence[Mapping], what: str = "draw", title: str = "Deviation from the truth") -> Table:
    rows: list[list[Cell]] = []
    for i, entry in enumerate(entries):
        for place in ("near", "far"):
            n = entry[place]
            rows.append([f"{what} {i}, {place}", 100 * n["rel_l2"], n["kl"], 100 * n["rel_l2_3d"], n["kl_3d"]])
    header = ["", "rel. L2 [%]", "KL [nat]", "3-D rel. L2 [%]", "3-D KL [nat]"]
    return Table(header, rows, title, "Two-dimensional: (E_l, cos theta); three-dimensional: with the neutrino energy.")


def _coverage_table(coverage: Mapping) -> Table:
    names = {
        "events_68": "coverage of 68.27 % bands, by events", "events_95": "coverage of 95.45 % bands, by events",
        "bins_68": "coverage of 68.27 % bands, filled bins", "bins_95": "coverage of 95.45 % bands, filled bins",
        "rel_sd": "size of the bands", "rel_l2": "rel. L2 of the mean", "kl": "KL of the mean", "seconds": "seconds a fit",
    }  # fmt: skip
    rows = [[label, coverage[key]["mean"], coverage[key]["error"], coverage[key]["highest"]] for key, label in names.items()]
    title = f"Far-detector bands over {coverage['draws']} near-detector draws"
    return Table(
        ["", "mean", "+-", "highest"], rows, title, "Errors from draw to draw: the bins of one draw fluctuate together."
    )


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

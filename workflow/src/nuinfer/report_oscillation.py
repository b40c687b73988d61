"""From the oscillation fits' numbers (the JSON files beside their results) to the report's chapter."""

from collections.abc import Mapping, Sequence

from nuinfer.report import Cell, Picture, Section, Table

METHOD_NAMES = {
    "bootstrap": "bootstrap density",
    "bootstrap_octants": "bootstraps, both octants",
    "feldman_cousins": "Feldman-Cousins",
}
QUANTITIES = {
    "plane_sin2": "(sin2 th23, dm2_31)",
    "plane_sin2_2theta": "(sin2 2th23, dm2_31)",
    "sin2": "sin2 th23",
    "sin2_2theta": "sin2 2th23",
    "dm31": "dm2_31",
}
FAR_OUT = 1.0
"""A shift by more than this many standard deviations from the true cross section's fit is a warning."""


def fit_section(name: str, label: str, comparison: Mapping, pictures: Sequence[Picture]) -> Section:
    """Return the section of a group of fits: best fits, regions, and the distance from the true cross section's."""
    entries = comparison["entries"]
    tables = [_best_fits(entries), _regions(entries), _distances(entries)]
    return Section(f"Fits {name}: {label}", [], tables, pictures, _warnings(name, entries))


def coverage_section(
    name: str, label: str, labels: Mapping[str, str], numbers: Mapping, pictures: Sequence[Picture]
) -> Section:
    """Return the section on how often regions of samples like ``name`` hold the truth; ``labels`` by cross section."""
    rows: list[list[Cell]] = []
    pulls: list[list[Cell]] = []
    for xsec, text in labels.items():
        best = numbers[xsec]
        for method, found in numbers[xsec]["coverage"].items():
            for quantity, n in found.items():
                shares = [f"{100 * n[f'{s}_sigma']['coverage']:.1f} +- {100 * n[f'{s}_sigma']['error']:.1f}" for s in (1, 2, 3)]
                inside = "yes" if n["inside_simultaneous_band"] else "no"
                rows.append([text, METHOD_NAMES.get(method, method), QUANTITIES[quantity], *shares, n["max_deviation"], inside])
        bias, octants, pull = best["bias"], best["octants"], best["dm31_pull"]
        pulls.append(
            [
                text,
                *(f"{bias[name]:.3f} +- {bias['error']:.3f}" for name in ("sin2_theta23", "dm31_ev2")),
                f"{pull['mean']:.3f} +- {pull['error']:.3f}",
                pull["sd"],
                *(octants[name] for name in ("right", "wrong", "merged")),
            ]
        )
    header = [
        "cross section",
        "method",
        "region of",
        "1 sigma [%]",
        "2 sigma [%]",
        "3 sigma [%]",
        "largest deviation",
        "in band",
    ]
    note = "Claimed: 68.27, 95.45 and 99.73 %; errors are binomial, of the claimed share."
    header_pulls = [
        "cross section", "bias of sin2 th23 [sd]", "of dm2_31 [sd]", "dm2_31 pull in the true octant", "its sd",
        "right octant", "wrong", "one optimum",
    ]  # fmt: skip
    note_pulls = "Bias: mean of the likelihood's slope at the truth, as a step to the best fit; pulls: optima themselves."
    return Section(
        f"Coverage of samples like {name}: {label}",
        [f"{numbers['pseudo_experiments']} pseudo-experiments, drawn at known parameters and fitted."],
        [
            Table(header, rows, "Share of regions that hold the truth", note),
            Table(header_pulls, pulls, "Bias of best fits", note_pulls),
        ],
        pictures,
    )


def fit_summary_line(name: str, entries: Sequence[Mapping]) -> str:
    """Return one line of the report's summary on a group of fits."""
    parts = []
    for entry in entries:
        best, shift = entry["fit"]["best"], entry["from_true"]["shift"]
        moved = "" if entry["xsec"] == "true" else f" ({shift['dm31_ev2']:+.2f} sd from the true cross section's)"
        parts.append(
            f"{entry['label']} on {entry['sample_label']}: sin2 th23 {best['sin2_theta23']:.4f}, dm2_31 "
            f"{1e3 * best['dm31_ev2']:.4f}e-3 eV2{moved}"
        )
    return f"{name}: {'; '.join(parts)}"


def _named(entry: Mapping) -> str:
    return f"{entry['label']}, {entry['sample_label']}"


def _best_fits(entries: Sequence[Mapping]) -> Table:
    rows: list[list[Cell]] = []
    for entry in entries:
        fit = entry["fit"]
        lower, upper, sd = fit["octants"]["lower"], fit["octants"]["upper"], fit["sd"]
        rows.append(
            [
                _named(entry), fit["events"], lower["sin2_theta23"], upper["sin2_theta23"],
                upper["delta_chi2"] - lower["delta_chi2"], f"{1e3 * fit['best']['dm31_ev2']:.4f} +- {1e3 * sd['dm31_ev2']:.4f}",
                upper["share_of_bootstraps"],
                fit["merged_share_of_bootstraps"],
            ]
        )  # fmt: skip
    header = ["fit", "events", "sin2 th23, lower", "upper", "delta chi2", "dm2_31 [1e-3 eV2]", "bootstraps in upper", "merged"]
    note = "Optima of both octants; delta chi2: upper less lower. Merged: bootstraps with one optimum for both."
    return Table(header, rows, "Best fits", note)


def _regions(entries: Sequence[Mapping]) -> Table:
    rows: list[list[Cell]] = []
    for entry in entries:
        for method, found in entry["regions"].items():
            one, held = found["1_sigma"], found.get("level_of_truth", {})
            intervals = one["intervals"]
            rows.append(
                [
                    _named(entry), METHOD_NAMES.get(method, method), _pieces(intervals["sin2_theta23"], 1.0),
                    _pieces(intervals["sin2_2theta23"], 1.0), _pieces(intervals["dm31_ev2"], 1e3),
                    1e6 * one["area_ev2"]["sin2_theta23"], held.get("plane_sin2"),
                ]
            )  # fmt: skip
    header = ["fit", "method", "sin2 th23", "sin2 2th23", "dm2_31 [1e-3 eV2]", "area [1e-6 eV2]", "truth at"]
    note = (
        "Intervals of one parameter, and area in (sin2 th23, dm2_31), at 1 sigma; the truth is in every region of a level "
        "above that in the last column."
    )
    return Table(header, rows, "Confidence regions", note)


def _distances(entries: Sequence[Mapping]) -> Table:
    rows: list[list[Cell]] = []
    for entry in (e for e in entries if e["xsec"] != "true"):
        for method, planes in entry["from_true"]["regions"].items():
            plane, shift = planes["sin2_2theta23"], entry["from_true"]["shift"]
            rows.append(
                [
                    _named(entry), METHOD_NAMES.get(method, method), shift["sin2_theta23"], shift["dm31_ev2"],
                    *(plane["centre_shift"] or [None, None]), plane["area_ratio"], planes["sin2_theta23"]["area_ratio"],
                ]
            )  # fmt: skip
    header = [
        "fit",
        "method",
        "best sin2 th23",
        "best dm2_31",
        "centre sin2 2th23",
        "centre dm2_31",
        "area ratio",
        "in sin2 th23",
    ]
    note = (
        "Shifts in standard deviations of the true cross section's fit. Best: optimum of that fit's octant; centre and area: "
        "1-sigma regions in (sin2 2th23, dm2_31), the last column in (sin2 th23, dm2_31)."
    )
    return Table(header, rows, "Distance from the true cross section's fit to the same sample", note)


def _warnings(name: str, entries: Sequence[Mapping]) -> list[str]:
    found = []
    for entry in entries:
        fit, what = entry["fit"], f"{name}, {entry['label']}, {entry['sample_label']}"
        if fit["best_on_edge"] or fit["bootstraps_on_edge"]:
            found.append(
                f"{what}: {fit['bootstraps_on_edge']} bootstraps lie on the edge of the fitted range, which was widened "
                f"{fit['range_widened']} times; widen fit.sin2_theta23 or fit.dm31_ev2"
            )
        if fit["impossible_events"]:
            found.append(f"{what}: {fit['impossible_events']} events are impossible for this cross section at any parameters")
        if fit["negative_share"] > 1e-3:
            found.append(f"{what}: {100 * fit['negative_share']:.2g} % of the cross section was negative and set to zero")
        for method, regions in entry["regions"].items():
            if regions["3_sigma"]["cut_off"]:
                found.append(f"{what}: the 3-sigma region ({METHOD_NAMES.get(method, method)}) is cut off by the fitted range")
        farthest = max(entry["from_true"]["shift"].values(), key=abs)
        if abs(farthest) > FAR_OUT:
            found.append(f"{what}: the fit is {abs(farthest):.2g} sd away from the true cross section's")
    return found


def _pieces(intervals: Sequence[Sequence[float]], scale: float) -> str:
    return " and ".join(f"{scale * low:.4f} to {scale * high:.4f}" for low, high in intervals) or "empty"

"""From a tune's numbers (the JSON files beside its results) to the sections of the report."""

from collections.abc import Mapping, Sequence

from nuinfer.report import Cell, Picture, Section, Table, Verdict

LARGEST_DEVIATION = 0.03
"""A coverage further than this from its level is marked, whatever the band allows."""
METHOD_NAMES = {
    "estimator": "estimator",
    "corrected": "estimator, importance-corrected",
    "exact": "exact (importance sampling)",
    "chain": "exact (MCMC)",
    "fit": "maximum likelihood",
}


def calibration_section(name: str, numbers: Mapping, pictures: Sequence[Picture]) -> Section:
    """Return the section on how far the estimator ``name`` can be trusted."""
    warnings = []
    for what, entry in coverage_entries(numbers):
        if not entry["inside_simultaneous_band"]:
            warnings.append(
                f"{name}: the coverage of {what} leaves its simultaneous {100 * numbers['band_probability']:.0f} % band "
                f"(largest deviation {entry['max_deviation']:+.3f})"
            )
    exact = numbers["exact"]
    if exact["n_flagged"]:
        warnings.append(f"{name}: {exact['n_flagged']} of {exact['n_obs']} exact posteriors are unreliable and left out")
    intro = (
        f"{numbers['n_obs']} held-out throws, {numbers['n_samples']} samples each, one sampling pass. Each band holds with "
        f"{100 * numbers['band_probability']:.0f} % probability for one whole curve: of many, a few may leave it by chance."
    )
    tables = (_coverage_table(numbers), _accuracy_table(numbers), _exact_table(exact), _leakage_table(numbers["leakage"]))
    return Section("Calibration", [intro], tables, pictures, warnings)


def coverage_entries(numbers: Mapping) -> list[tuple[str, Mapping]]:
    """Return the coverage assessments of every parameter, of the joint region and of TARP."""
    entries = [(p, row["coverage"]) for p, row in numbers["parameters"].items()]
    return [*entries, ("the joint region", numbers["joint"]["coverage"]), ("TARP", numbers["tarp"]["coverage"])]


def _coverage_table(numbers: Mapping) -> Table:
    rows: list[list[Cell]] = []
    kinds = [(p, row, row["sbc_ks_p"]) for p, row in numbers["parameters"].items()]
    kinds += [("joint", numbers["joint"], numbers["joint"]["ks_p"]), ("TARP", numbers["tarp"], numbers["tarp"]["ks_p"])]
    for what, row, p in kinds:
        entry = row["coverage"]
        inside = entry["inside_simultaneous_band"]
        small = abs(entry["max_deviation"]) <= LARGEST_DEVIATION
        rows.append(
            [
                what,
                row["coverage_1sigma"],
                Verdict(f"{entry['max_deviation']:+.4f}", small),
                Verdict("yes" if inside else "no", inside),
                "yes" if entry["inside_10_percent"] else "no",
                "yes" if entry["inside_20_percent"] else "no",
                Verdict(f"{p:.3g}", p >= 0.01),
            ]
        )
    header = ["", "coverage at 68.3 %", "largest deviation", "inside band", "inside 10 %", "inside 20 %", "rank p-value"]
    note = "Rank p-value: Kolmogorov-Smirnov test of uniform ranks (SBC for parameters, credible levels for joint and TARP)."
    return Table(header, rows, "Coverage", note)


def _accuracy_table(numbers: Mapping) -> Table:
    header = ["", "bias [sd]", "+-", "pull width", "mean 16-84 % width [prior]", "contraction", "rms residual [prior]"]
    rows = [
        [p, r["bias"], r["bias_error"], r["pull_width"], r["mean_width"], r["contraction"], r["rms_residual"]]
        for p, r in numbers["parameters"].items()
    ]
    return Table(header, rows, "Accuracy", "Contraction: 1 - posterior variance / prior variance.")


def _exact_table(exact: Mapping) -> Table:
    gap, efficiency = exact["kl_gap"], exact["importance_efficiency"]
    header = ["", *exact["parameters"]]
    keys = list(next(iter(exact["parameters"].values())))
    rows: list[list[Cell]] = [[k.replace("_", " "), *(r[k] for r in exact["parameters"].values())] for k in keys]
    note = (
        f"{exact['n_obs']} throws. Mean KL gap {gap['mean']:.4f} +- {gap['error']:.4f} nat; importance efficiency median "
        f"{efficiency['median']:.3f}, 5 % quantile {efficiency['q05']:.3f}, worst {efficiency['worst']:.3g}."
    )
    return Table(header, rows, "Against the exact posteriors", note)


def _leakage_table(leakage: Mapping) -> Table:
    return Table(list(leakage), [list(leakage.values())], "Leakage out of the prior (before truncation)")


def observation_section(name: str, table: Mapping, predictive: Mapping, pictures: Sequence[Picture]) -> Section:
    """Return the section on one observation: every method's result, the fit, and the tests of the model."""
    about = table["observation"]
    what = about["label"] if about["is_data"] else f"{about['label']} (no measurement: {about['source']})"
    warnings = []
    if not about["is_data"] and name == "measured":
        warnings.append(f"{what}: the points of this observation are NOT data")
    tested = predictive["misspecification"]
    if predictive["warning"]:
        warnings.append(
            f"{what}: the observation lies outside what the simulation can produce (chi2 {tested['chi2']:.1f} for "
            f"{tested['n_bin']} bins at least, p = {tested['p_best_fit']['value']:.2g}); its posterior describes the "
            "least bad parameters, not the data"
        )
    if table["reference"] != "exact":
        state = "converged" if table["chain"]["converged"] else "not converged either"
        warnings.append(f"{what}: importance sampling of the exact posterior is unreliable; the chain ({state}) is used")
    paragraphs = [
        f"Importance efficiency {table['importance_efficiency']:.3f}; C2ST between estimator and exact posterior "
        f"{table['c2st']['accuracy']:.3f} +- {table['c2st']['error']:.3f} (0.5: the same); leakage {table['leakage']:.4f}; "
        f"log evidence {table['log_evidence']['exact']:.2f} (exact) and {table['log_evidence']['estimator']:.2f} (estimator).",
        f"Smallest chi2 inside the prior {tested['chi2']:.1f} for {tested['n_bin']} bins; its p-value "
        f"{_p(tested['p_best_fit'])} for observations simulated there, {_p(tested['p_prior'])} over the prior; "
        f"posterior-predictive p-value {_p(predictive['posterior_predictive_p'])}.",
    ]
    if "truth" in table and tested["chi2"] < 1e-6:
        paragraphs.append("A noise-free mock: its chi2 is zero by construction, and its p-values say nothing.")
    tables = [_marginal_table(table), _fit_table(table["fit"])]
    if "truth" in table:
        tables.insert(1, _truth_table(table))
    return Section(f"Observation: {what}", paragraphs, tables, pictures, warnings)


def _p(entry: Mapping) -> str:
    return f"{entry['value']:.3g} +- {entry['error']:.1g}"


def _marginal_table(table: Mapping) -> Table:
    rows: list[list[Cell]] = []
    for parameter in table["marginals"]["exact"]:
        for method, label in METHOD_NAMES.items():
            row = table["marginals"][method][parameter]
            against = table["against_exact"].get(method, {}).get(parameter, {})
            unit = table["units"][parameter]
            rows.append(
                [
                    f"{parameter} [{unit}]" if unit else parameter,
                    label,
                    *(row[k] for k in ("mean", "sd", "q16", "q50", "q84")),
                    against.get("mean_shift_sd"),
                    against.get("sd_ratio"),
                ]
            )
    header = ["parameter", "method", "mean", "sd", "16 %", "50 %", "84 %", "shift [exact sd]", "sd / exact sd"]
    note = "Maximum likelihood: best fit, parabolic error (none at a limit) and MINOS interval, cut at the prior's limits."
    return Table(header, rows, "Marginals, physical values", note)


def _truth_table(table: Mapping) -> Table:
    rows: list[list[Cell]] = []
    for parameter, truth in table["truth"].items():
        for method in ("estimator", "corrected", "exact", "fit"):
            row = table["truth_deviation"][method][parameter]
            values = (row["mean_minus_truth"], row["mean_minus_truth_sd"], row["median_minus_truth_sd"])
            rows.append([parameter, truth, METHOD_NAMES[method], *values])
    header = ["parameter", "truth", "method", "mean - truth", "[exact sd]", "median - truth [exact sd]"]
    note = (
        "At the prior's edge the exact posterior is about half a Gaussian: its mean lies 1.3 and its median 1.1 of its own "
        "standard deviations from a truth on the edge, whatever the method; the best fit is the fair comparison there."
    )
    return Table(header, rows, "Deviation from the truth", note)


def _fit_table(fit: Mapping) -> Table:
    rows: list[list[Cell]] = []
    for i, (name, row) in enumerate(fit["parameters"].items()):
        rows.append([name, row["value"], row["error"], "yes" if row["at_limit"] else "no", *fit["correlation"][i]])
    flux = fit.get("flux_normalisation")
    note = f"chi2 / ndf = {fit['chi2']:.1f} / {fit['ndf']}, likelihood {fit['likelihood']}"
    if flux:
        note += f"; flux normalisation {flux['value']:.3f} +- {flux['error']:.3f}"
    return Table(
        ["parameter", "best fit", "error", "at limit", *(f"corr. {n}" for n in fit["parameters"])],
        rows,
        "Maximum-likelihood fit",
        note + ".",
    )

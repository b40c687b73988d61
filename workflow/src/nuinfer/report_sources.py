"""From the checks of sources of throws (``ingest.json``, ``response.json``) to the report's chapter on them."""

from collections.abc import Iterator, Mapping, Sequence

from nuinfer.report import Cell, Section, Table, Verdict
from nuinfer.report_cells import fixed, in_text, percent

LARGEST_ERROR = 0.02
"""A fitted response that misses unseen throws by more of a bin's content (rms) is warned of."""
LOW_P = 0.01
"""A p-value below this is marked."""


def events_section(name: str, label: str, checks: Mapping) -> Section:
    """Return the section of a simulation that is made of event samples: their sizes, and how far curves can be trusted.

    ``checks``: what :mod:`nuinfer.steps.event_response` writes.
    """
    total = in_text(fixed(checks["total_1e38cm2"], 4))
    paragraphs = [f"Flux-averaged CC0pi cross section at the defaults: {total}e-38 cm2 / nucleon."]
    tables = [_samples(checks["samples"])]
    if checks["curves"]:
        tables.append(_left_out(checks["curves"]))
    if checks["curve_differences"]:
        tables.append(_differences(checks["curve_differences"]))
    return Section(f"{name}: {label}", paragraphs, tables, warnings=list(_off_curve(name, checks["curves"])))


def throws_section(name: str, label: str, facts: Mapping, fitted: Mapping) -> Section:
    """Return the section of a simulation whose throws exist already: what was read, left out and found.

    ``facts`` and ``fitted``: what :mod:`nuinfer.steps.ingest` and :mod:`nuinfer.steps.surrogate` write.
    """
    tables = [_counts(facts), _ranges(facts), _response(fitted, facts["statistical_rel"])]
    if facts["bad"]:
        rows = [[bad["where"], bad["why"]] for bad in facts["bad"]]
        tables.append(Table(["where", "why"], rows, f"Throws left out: all {len(rows)}", tall=True))
    warnings = [f"{name}: {line}" for line in facts["warnings"]]
    if facts["n_bad"]:
        warnings.append(f"{name}: {facts['n_bad']} of {facts['n_read']} throws are bad and left out; all are listed below")
    warnings += _badly_fitted(name, fitted)
    return Section(f"{name}: {label}", list(_said(facts)), tables, warnings=warnings)


def throws_summary_line(name: str, label: str, facts: Mapping, fitted: Mapping) -> str:
    """Return one line of the report's summary on throws that exist already."""
    error = in_text(percent(fitted["interpolation_error"], 2))
    return (
        f"{name} ({label}): {facts['n_used']} of {facts['n_read']} throws used; the response fitted to them misses unseen ones "
        f"by {error} % (rms) in its worst bin"
    )


def _samples(samples: Mapping) -> Table:
    rows = [[n, s["events"], s["cc0pi"], percent(s["cc0pi"] / s["events"])] for n, s in samples.items()]
    return Table(["sample", "events", "CC0pi events", "[%]"], rows, "Event samples")


def _left_out(curves: Sequence[Mapping]) -> Table:
    rows: list[list[Cell]] = []
    for curve in curves:
        for row in curve["left_out"]:
            good, of = row["n_bins_within_1_sigma"], row["n_bins"]
            off = [row["largest_sigma"], row["largest_rel"]]
            within = Verdict(f"{good} of {of}", good == of)
            rows.append([curve["component"], curve["parameter"], row["value"], *off, within])
    header = ["component", "parameter", "value left out", "largest error [sigma]", "largest, relative", "bins within 1 sigma"]
    note = (
        "Each inner value is predicted by the polynomial through all others. Sigma: the statistical error of the samples' "
        "events in the bin; largest over bins."
    )
    return Table(header, rows, "Curves without one of their values", note)


def _differences(differences: Sequence[Mapping]) -> Table:
    rows: list[list[Cell]] = [
        [d["component"], d["parameter"], *row]
        for d in differences
        for row in zip(d["values"], d["largest_rel"], d["largest_sigma"], strict=True)
    ]
    header = ["component", "parameter", "value", "largest, relative", "largest [sigma]"]
    note = (
        "How differently two terms of one component change from the default to this value, the largest over bins. Sigma: the "
        "statistical error of the prediction made with the second term alone."
    )
    return Table(header, rows, "Curves of one component against each other", note)


def _off_curve(name: str, curves: Sequence[Mapping]) -> Iterator[str]:
    for curve in curves:
        off = [row for row in curve["left_out"] if row["n_bins_within_1_sigma"] < row["n_bins"]]
        if off:
            values = ", ".join(f"{row['value']:g}" for row in off)
            yield (
                f"{name}: the curve of {curve['parameter']} in {curve['component']} misses its own values {values} by up to "
                f"{max(row['largest_sigma'] for row in off):.2g} sigma of statistics; give weights at more values"
            )


def _said(facts: Mapping) -> Iterator[str]:
    yield (
        f"{facts['n_read']} throws read from {facts['n_files']} file{'s' if facts['n_files'] != 1 else ''}: {facts['n_used']} "
        f"used, {facts['n_bad']} bad, {facts['n_left_over']} left over, which no split asks for."
    )
    fixed_dials = ", ".join(f"{n} = {v:g}" for n, v in facts["fixed_dials"].items()) or "none"
    yield f"Convention of the dials: {facts['convention']}. Dials that are fixed in all throws: {fixed_dials}."
    if facts["relations"]:
        most = max(facts["relations"], key=lambda relation: abs(relation["z"]))
        yield (
            f"Strongest relation of two parameters: {' and '.join(most['pair'])}, Spearman's rank correlation "
            f"{in_text(fixed(most['spearman'], 4))}, {in_text(fixed(abs(most['z']), 1))} standard deviations from none."
        )


def _counts(facts: Mapping) -> Table:
    numbers = [facts["n_read"], facts["n_bad"], facts["n_left_over"], facts["n_used"], *facts["splits"].values()]
    return Table(["read", "bad", "left over", "used", *facts["splits"]], [numbers], "Throws")


def _ranges(facts: Mapping) -> Table:
    rows: list[list[Cell]] = []
    for parameter, row in facts["ranges"].items():
        test = facts["uniformity"][parameter]
        name = f"{parameter} [{row['unit']}]" if row["unit"] else parameter
        p = Verdict(f"{test['p_value']:.3g}", test["p_value"] >= LOW_P)
        rows.append([name, row["column"], *row["dial"], *row["physical"], test["distance"], p])
    header = ["parameter", "column", "lowest dial", "highest", "lowest value", "highest", "KS distance", "KS p-value"]
    note = "Kolmogorov-Smirnov test of the throws, all good ones, against the parameter's prior."
    return Table(header, rows, "Dials, physical values, and the prior", note)


def _response(fitted: Mapping, statistical: Sequence[float | None] | None) -> Table:
    bins = sorted(r for r in fitted["rms_rel"] if r is not None)
    median = bins[len(bins) // 2] if bins else None
    error, negative = fitted["interpolation_error"], fitted["negative_test_throws"]
    worst = Verdict(in_text(percent(error, 3)), not _large(error))
    outer = Verdict(in_text(percent(fitted["edge_rel"], 3)), not _large(fitted["edge_rel"]))
    below = Verdict(f"{negative} of {fitted['test_throws']}", not negative)
    row = [fitted["degree"], fitted["terms"], worst, outer, percent(median, 3), percent(fitted["largest_rel"], 3), below]
    header = ["degree", "terms", "rms, worst bin [%]", "rms, outer throws [%]", "rms, median bin [%]", "largest [%]"]
    header.append("throws below zero")
    note = "Error on the test split's throws, which the fit did not see, relative to a bin's mean. "
    note += "Outer throws are the fiftieth nearest to the ends of a prior, the worst of all priors."
    if statistical is not None and (known := sorted(s for s in statistical if s is not None)):
        middle, most = (in_text(percent(v, 2)) for v in (known[len(known) // 2], known[-1]))
        note += f" Statistical error of the throws themselves: {middle} % in the median bin, {most} % in the worst."
    return Table(header, [row], "Response fitted to the throws", note)


def _large(error: float | None) -> bool:
    """A number that is none counts: nothing is known then."""
    return error is None or error > LARGEST_ERROR


def _badly_fitted(name: str, fitted: Mapping) -> Iterator[str]:
    error = fitted["interpolation_error"]
    if _large(error):
        yield (
            f"{name}: the fitted response misses throws that it did not see by {in_text(percent(error))} % (rms) in its worst "
            f"bin (wanted: {100 * LARGEST_ERROR:g} %); give more throws, or raise max_degree"
        )
    elif _large(fitted["edge_rel"]):
        yield (
            f"{name}: near the ends of the priors the fitted response misses throws by "
            f"{in_text(percent(fitted['edge_rel']))} % (rms) in its worst bin "
            f"(wanted: {100 * LARGEST_ERROR:g} %); data that pull there want more throws there"
        )
    if negative := fitted["negative_test_throws"]:
        yield (
            f"{name}: the fitted response has bins below zero for {negative} of {fitted['test_throws']} throws that it did not "
            "see; give more throws, or narrow the priors"
        )

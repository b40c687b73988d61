"""From a tension's numbers (``tension.json``) to its section of the report."""

from collections.abc import Iterator, Mapping, Sequence

from nuinfer.report import Cell, Picture, Section, Table, Verdict
from nuinfer.report_cells import fixed, percent

LOW_P = 0.01
"""A p-value below this is warned of."""


def tension_section(name: str, label: str, facts: Mapping, pictures: Sequence[Picture]) -> Section:
    """Return the section on measurements against each other: p-values, and how they come out for pseudo-data.

    ``facts``: what :mod:`nuinfer.steps.tension` writes.
    """
    labels = dict(zip(facts["tunes"], facts["labels"], strict=True))
    errors = "with the errors that they share" if facts["shared_errors"] else "with errors that are independent"
    said = (
        f"The posterior given one measurement alone predicts another, {errors}. If the model holds and the parameters come "
        "from the prior, these p-values are uniform."
    )
    tables = [_pairs(facts["pairs"], labels), _own_data(facts), _calibration(facts["pairs"], labels)]
    warnings = [line for pair in facts["pairs"] for line in _warned(name, pair, labels)]
    return Section(f"Tension {name}: {label}", [said], tables, pictures, warnings)


def tension_summary_line(name: str, label: str, facts: Mapping) -> str:
    """Return one line of the report's summary on a tension: its smallest p-value."""
    labels = dict(zip(facts["tunes"], facts["labels"], strict=True))
    least = min(facts["pairs"], key=lambda pair: pair["p"])
    return f"{name} ({label}): smallest p-value of {len(facts['pairs'])} predictions {_p(least)}, {_which(least, labels)}"


def _pairs(pairs: Sequence[Mapping], labels: Mapping[str, str]) -> Table:
    rows: list[list[Cell]] = []
    for pair in pairs:
        distances = [fixed(pair[key], 1) for key in ("distance", "expected")]
        named = [labels[pair[key]] for key in ("learned_from", "predicted")]
        rows.append([*named, *_p_cells(pair), _sigma(pair), *distances, pair["n_bin"]])
    header = ["learned from", "predicted", "p-value", "+-", "sigma", "distance", "expected", "bins"]
    note = (
        "Distance: squared Mahalanobis distance of the data from the predictive mean; expected: its mean over replicas. Sigma: "
        "of a normal with the same two-sided p-value."
    )
    return Table(header, rows, "Measurements predicted by each other", note)


def _own_data(facts: Mapping) -> Table:
    rows: list[list[Cell]] = []
    for i, label in enumerate(facts["labels"]):
        rows.append([label, *_p_cells({"p": facts["p"][i][i], "error": facts["errors"][i][i]})])
    return Table(["measurement", "p-value", "+-"], rows, "Goodness of fit to a measurement's own data")


def _calibration(pairs: Sequence[Mapping], labels: Mapping[str, str]) -> Table:
    rows: list[list[Cell]] = []
    for pair in pairs:
        found = pair["calibration"]
        shares = [f"{percent(found[f'below_{t}'])} \u00b1 {percent(found[f'below_{t}_error'])}" for t in ("0.05", "0.01")]
        uniform = Verdict(f"{found['ks_p']:.3g}", found["ks_p"] >= LOW_P)
        rows.append([labels[pair["learned_from"]], labels[pair["predicted"]], found["n"], uniform, *shares])
    header = ["learned from", "predicted", "pseudo-data", "KS p-value", "below 0.05 [%]", "below 0.01 [%]"]
    note = "Kolmogorov-Smirnov test of uniform p-values; errors of the shares are those of calibrated ones, 5 and 1 %."
    return Table(header, rows, "The same p-values for pairs of pseudo-data", note)


def _warned(name: str, pair: Mapping, labels: Mapping[str, str]) -> Iterator[str]:
    if pair["p"] < LOW_P:
        yield f"{name}: measurements are in tension: p-value {_p(pair)}, {_which(pair, labels)}"
    found = pair["calibration"]
    if found["ks_p"] < LOW_P:
        yield (
            f"{name}: p-values are not calibrated, {_which(pair, labels)}: over {found['n']} pairs of pseudo-data they are not "
            f"uniform (KS p-value {found['ks_p']:.2g}, {percent(found['below_0.05'])} % below 0.05)"
        )


def _which(pair: Mapping, labels: Mapping[str, str]) -> str:
    return f"of '{labels[pair['predicted']]}' learned from '{labels[pair['learned_from']]}'"


def _p(pair: Mapping) -> str:
    p, error = _p_cells(pair)
    return f"{p.text} ({_sigma(pair)} sigma)" if error is None else f"{p.text} +- {error} ({_sigma(pair)} sigma)"


def _p_cells(pair: Mapping) -> tuple[Verdict, str | None]:
    """Return p and its error as they are written; a bound has none."""
    good, written = pair["p"] >= LOW_P, f"{pair['p']:.3g}"
    return (Verdict(f"\u2264 {written}", good), None) if _is_bound(pair) else (Verdict(written, good), f"{pair['error']:.1g}")


def _sigma(pair: Mapping) -> str:
    return f"\u2265 {fixed(pair['sigma'], 1)}" if _is_bound(pair) else fixed(pair["sigma"], 1)


def _is_bound(pair: Mapping) -> bool:
    """Whether no replica lies as far out as the data: p and its error are equal then."""
    return pair["error"] >= pair["p"] * (1.0 - 1e-6)

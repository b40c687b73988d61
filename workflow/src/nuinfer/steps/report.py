"""Write the one HTML page that tells a run's results."""

import json
from pathlib import Path

from nuinfer.errors import InputError
from nuinfer.io.captions import read_captions
from nuinfer.io.hdf5 import replacing
from nuinfer.io.jsonfile import read_json
from nuinfer.io.provenance import provenance
from nuinfer.report import Picture, ReportContent, Section, Table, render
from nuinfer.report_closure import cost_section, overview, study_section, summary_line
from nuinfer.report_oscillation import coverage_section, fit_section, fit_summary_line
from nuinfer.report_sources import events_section, throws_section, throws_summary_line
from nuinfer.report_systematics import effects_section, ensemble_section, scan_section, systematics_summary_line
from nuinfer.report_tension import tension_section, tension_summary_line
from nuinfer.report_tune import calibration_section, observation_section
from nuinfer.steps.cli import run


def report(
    comparisons: list[Path],
    calibrations: list[Path],
    tune_captions: list[Path],
    tables: list[Path],
    predictives: list[Path],
    captions: list[Path],
    sources: list[Path],
    ingests: list[Path],
    tensions: list[Path],
    tension_captions: list[Path],
    closures: list[Path],
    coverages: list[Path],
    closure_captions: list[Path],
    cost: list[Path],
    fits: list[Path],
    fit_coverages: list[Path],
    fit_captions: list[Path],
    unions: list[Path],
    closed_forms: list[Path],
    ensemble_coverages: list[Path],
    scans: list[Path],
    systematics_captions: list[Path],
    output: Path,
    settings: dict,
) -> None:
    """Gather tables and figures; the lists follow the order of ``settings["tunes"]`` and of their observations.

    ``sources`` (checks of responses) follow ``settings["sources"]``, ``ingests`` those of them that are throws, and
    ``tensions`` and ``tension_captions`` follow ``settings["tensions"]``.
    ``closures`` follow ``settings["studies"]`` and their draws, ``coverages`` the studies that have one;
    ``closure_captions``, ``fit_captions`` and ``systematics_captions`` are told apart by their folders; ``fits`` and
    ``fit_coverages`` follow ``settings["fits"]`` and ``settings["fit_coverages"]``; ``unions`` and ``scans`` follow
    ``settings["ensembles"]`` and ``settings["scans"]``, ``closed_forms`` and ``ensemble_coverages`` ensembles that have one.
    """
    observed = iter(zip(tables, predictives, captions, strict=True))
    tunes, summary = [], []
    for tune, calibration, tune_caption in zip(settings["tunes"], calibrations, tune_captions, strict=True):
        name = tune["name"]
        numbers = _of(read_json(calibration), calibration, tune=name)
        parts = [calibration_section(name, numbers, pictures(tune_caption))]
        for observation in tune["observations"]:
            table, predictive, caption = next(observed)
            found, tested = (_of(read_json(p), p, tune=name, observation=observation) for p in (table, predictive))
            parts.append(observation_section(observation, found, tested, pictures(caption)))
        intro = f"Mode {tune['mode']}, estimator {tune['estimator']}."
        tunes.append(Section(f"Tune {name}: {tune['label']}", [intro], parts=parts))
        gap, efficiency = numbers["exact"]["kl_gap"], numbers["exact"]["importance_efficiency"]["median"]
        summary.append(
            f"{name} ({tune['label']}): mean KL gap to the exact posterior {gap['mean']:.3f} +- {gap['error']:.3f} nat, "
            f"median importance efficiency {efficiency:.2f}, joint coverage at 68.3 % {numbers['joint']['coverage_1sigma']:.3f}"
        )
    tensed, lines = _tensions(tensions, tension_captions, settings["tensions"])
    summary += lines
    studies, lines = _studies(closures, coverages, closure_captions, cost, settings["studies"])
    summary += lines
    oscillation, lines = _oscillation(fits, fit_coverages, fit_captions, settings)
    summary += lines
    systematics, lines = _systematics(unions, closed_forms, ensemble_coverages, scans, systematics_captions, settings)
    summary += lines
    origins, lines = _sources(sources, ingests, settings["sources"])
    summary += lines
    records = [read_json(path) for path in comparisons]
    record = provenance("nuinfer.steps.report", settings, settings["seed"])
    content = ReportContent(
        settings["title"],
        summary,
        [*tunes, *tensed, *studies, *oscillation, *systematics, *origins, _generator_section(records, settings["throws"])],
        provenance={**{k: str(v) for k, v in record.items() if k not in ("settings", "versions")}, **_versions(record)},
    )
    with replacing(output) as temporary:
        temporary.write_text(render(content), encoding="utf-8")


def _of(numbers: dict, path: Path, **expected: str) -> dict:
    """Return ``numbers``; raise InputError unless they were made for the tune and observation that they stand under."""
    made_for = json.loads(numbers["provenance"]["settings"])
    wrong = {k: made_for.get(k) for k, v in expected.items() if made_for.get(k) != v}
    if wrong:
        raise InputError(f"{path}: made for {wrong}, listed for {expected}; give the files in the order of the tunes")
    return numbers


def _tensions(found: list[Path], captions: list[Path], tensions: list[dict]) -> tuple[list[Section], list[str]]:
    """Return the chapter on tensions between measurements (none without any) and the summary's lines on it."""
    parts, lines = [], []
    for tension, path, caption in zip(tensions, found, captions, strict=True):
        name, label = tension["name"], tension["label"]
        facts = _of(read_json(path), path, tension=name)
        parts.append(tension_section(name, label, facts, pictures(caption)))
        lines.append(tension_summary_line(name, label, facts))
    return ([Section("Tensions between measurements", parts=parts)] if parts else []), lines


def _sources(checks: list[Path], ingests: list[Path], sources: list[dict]) -> tuple[list[Section], list[str]]:
    """Return the chapter on where throws come from (none for the built-in generator alone) and the summary's lines on it."""
    ingested = iter(ingests)
    parts, lines = [], []
    for source, path in zip(sources, checks, strict=True):
        name, label = source["name"], source["label"]
        if path.parent.name != name:
            raise InputError(f"{path}: listed for the simulation {name}; give the files in the order of the simulations")
        checked = read_json(path)
        if source["source"] == "events":
            parts.append(events_section(name, label, checked))
            continue
        path = next(ingested)
        facts = _of(read_json(path), path, simulation=name)
        parts.append(throws_section(name, label, facts, checked))
        lines.append(throws_summary_line(name, label, facts, checked))
    return ([Section("Sources of throws", parts=parts)] if parts else []), lines


def _studies(
    closures: list[Path], coverages: list[Path], captions: list[Path], cost: list[Path], studies: list[dict]
) -> tuple[list[Section], list[str]]:
    """Return the closure chapter (none without studies) and the summary's lines on it."""
    if not studies:
        return [], []
    found, covered = iter(closures), iter(coverages)
    rows, parts = [], []
    for study in studies:
        name, label = study["name"], study["label"]
        draws = []
        for draw in range(study["draws"]):
            path = next(found)
            draws.append(_of(read_json(path), path, study=name, draw=draw))
        coverage = None
        if study["coverage"]:
            path = next(covered)
            coverage = _of(read_json(path), path, study=name)
        own = [
            p for path in captions if path.parent.name == name and path.parent.parent.name == "closure" for p in pictures(path)
        ]
        parts.append(study_section(name, label, draws, coverage, own))
        rows.append((name, label, draws[0]))
    shared = [p for path in captions if path.parent.parent.name == "experiments" for p in pictures(path)]
    parts += [cost_section(read_json(path), pictures(path.with_name("cost_captions.json"))) for path in cost]
    chapter = Section("Cross sections learned at the near detector", [], [overview(rows)], shared, parts=parts)
    return [chapter], [summary_line(*row) for row in rows]


def _oscillation(
    fits: list[Path], coverages: list[Path], captions: list[Path], settings: dict
) -> tuple[list[Section], list[str]]:
    """Return the chapter on oscillation fits (none without any) and the summary's lines on it."""
    parts, lines = [], []
    for fit, path in zip(settings["fits"], fits, strict=True):
        name = fit["name"]
        comparison = _of(read_json(path), path, fit=name)
        own = [p for c in captions if c.parent.name == name for p in pictures(c)]
        parts.append(fit_section(name, fit["label"], comparison, own))
        lines.append(fit_summary_line(name, comparison["entries"]))
    for sample, path in zip(settings["fit_coverages"], coverages, strict=True):
        name = sample["name"]
        own = [p for c in captions if c.parent.name == f"coverage_{name}" for p in pictures(c)]
        numbers = _of(read_json(path), path, sample=name)
        parts.append(coverage_section(name, sample["label"], sample["xsecs"], numbers, own))
    return ([Section("Oscillation fits at the far detector", parts=parts)] if parts else []), lines


def _systematics(
    unions: list[Path], closed_forms: list[Path], coverages: list[Path], scans: list[Path], captions: list[Path], settings: dict
) -> tuple[list[Section], list[str]]:
    """Return the chapter on systematic ensembles and scans (none without any) and the summary's lines on it."""
    marginal, covered = iter(closed_forms), iter(coverages)
    parts, rows, lines = [], [], []
    for ensemble, path in zip(settings["ensembles"], unions, strict=True):
        name, label = ensemble["name"], ensemble["label"]
        found = [path, next(marginal) if ensemble["closed_form"] else None, next(covered) if ensemble["coverage"] else None]
        united, closed, coverage = (_of(read_json(p), p, ensemble=name) if p else None for p in found)
        parts.append(ensemble_section(name, label, united, closed, coverage, _beside(captions, "ensembles", name)))
        rows.append((label, united))
        lines.append(systematics_summary_line(name, label, united, coverage))
    if rows:
        parts.insert(0, effects_section(rows))
    for scan, path in zip(settings["scans"], scans, strict=True):
        name = scan["name"]
        parts.append(scan_section(name, scan["label"], _of(read_json(path), path, scan=name), _beside(captions, "scans", name)))
    shared = _beside(captions, "flux")
    return ([Section("Systematic uncertainties", figures=shared, parts=parts)] if parts or shared else []), lines


def _beside(captions: list[Path], kind: str, name: str | None = None) -> list[Picture]:
    """Return the figures whose captions lie in ``kind/name``, in any folder of ``kind`` without a name."""
    own = [p for p in captions if p.parent.parent.name == kind and name in (None, p.parent.name)]
    return [picture for path in own for picture in pictures(path)]


def pictures(captions: Path) -> list[Picture]:
    """Return the figures beside a file of captions, in its order."""
    return [Picture(captions.with_name(f"{n}.png").read_bytes(), text) for n, text in read_captions(captions).items()]


def _versions(record: dict) -> dict[str, str]:
    return {f"version of {k}": v for k, v in json.loads(record["versions"]).items()}


def _generator_section(records: list[dict], throws: dict) -> Section:
    tables, paragraphs = [], []
    for record in records:
        paragraphs.append(
            f"Flux-averaged CC0pi cross section at the defaults: {record['total_1e38cm2']:.4f}e-38 cm2 / nucleon; largest "
            f"relative error of the response's curves {record['interpolation_error']:.1e}."
        )
        rows = [[k, v["n_bin"], v["full"], v["diagonal"]] for k, v in record["chi2_at_defaults"].items()]
        if rows:
            header = ["measurement", "bins", "chi2, full covariance", "chi2, diagonal"]
            tables.append(Table(header, rows, "Default prediction against measurements", "NuWro's own: 146 and 67 in 58 bins."))
        rows = [
            [k, v["normalisation"], v["n_bins"], v.get("n_within_20_percent"), v.get("shape_min"), v.get("shape_max")]
            for k, v in record["nuwro"].items()
        ]
        if rows:
            header = ["component", "normalisation ratio", "bins > 200 events", "within 20 %", "lowest shape ratio", "highest"]
            tables.append(Table(header, rows, "Built-in generator over NuWro"))
        if record["absent"]:
            paragraphs.append(f"Not compared, for want of the files: {', '.join(record['absent'])}.")
    counts = [[k, *(v[s] for s in ("design", "train", "validation", "test"))] for k, v in throws.items()]
    if counts:
        tables.append(Table(["simulation", "design", "train", "validation", "test"], counts, "Throws"))
    return Section("The generator", paragraphs, tables)


if __name__ == "__main__":
    run(report)

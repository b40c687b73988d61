"""Checks of a configuration's far-detector samples and oscillation fits."""

from collections.abc import Mapping
from pathlib import Path

from nuinfer.config_names import exists, refers
from nuinfer.errors import InputError

TRUE = "true"
"""The cross section of an experiment's truth, beside the studies' learned ones."""
RESERVED = (TRUE, "coverage")
"""Names of folders beside the studies'."""


def check_oscillation(config: dict, root: Path) -> None:
    """Give every sample its parameters of the oscillation (``truth``); raise InputError for the first thing that does not fit.

    A sample that no fit, ensemble or scan uses and whose coverage is not measured is not looked at.
    """
    used = {name for fit in config["fits"].values() for name in fit["samples"]}
    used |= {entry["sample"] for section in ("ensembles", "scans") for entry in config[section].values()}
    for name, fit in config["fits"].items():
        _check_fit(f"fits.{name}", fit, config)
    for name, sample in config["far_samples"].items():
        if name in used or sample["coverage"]["pseudo_experiments"]:
            _check_sample(f"far_samples.{name}", sample, config, root)
    for name in config["fits"]:
        if name.startswith("coverage_"):
            raise InputError(f"fits: '{name}' begins like the folders of coverage figures; choose another name")
    for name in RESERVED:
        if name in config["studies"] and config["fits"]:
            raise InputError(f"studies: the name '{name}' is taken by a folder of the fits; choose another")
    if used and "fits" in config["tunes"]:
        raise InputError("tunes: the name 'fits' is taken by a folder of figures; choose another")


def _check_fit(where: str, fit: Mapping, config: Mapping) -> None:
    for sample in fit["samples"]:
        refers(f"{where}.samples", sample, config["far_samples"])
    experiments = {config["far_samples"][s]["experiment"] for s in fit["samples"]}
    if len(experiments) > 1:
        raise InputError(f"{where}.samples: of different experiments, {', '.join(sorted(experiments))}; fit them apart")
    _check_studies(f"{where}.studies", fit["studies"], experiments.pop(), config)


def _check_studies(where: str, studies: list[str], experiment: str, config: Mapping) -> None:
    for study in studies:
        refers(where, study, config["studies"])
        other = config["studies"][study]["experiment"]
        if other != experiment:
            raise InputError(f"{where}: '{study}' is of the experiment '{other}', the samples of '{experiment}'")


def _check_sample(where: str, sample: dict, config: Mapping, root: Path) -> None:
    from nuinfer.oscillation.plane import FitRange

    refers(f"{where}.experiment", sample["experiment"], config["experiments"])
    if ("events" in sample) == ("table" in sample):
        raise InputError(f"{where}: give either 'events', a number to draw, or a 'table' to read")
    if "table" in sample:
        exists(f"{where}.table.path", sample["table"]["path"], root)
        if sample["coverage"]["pseudo_experiments"]:
            raise InputError(f"{where}.coverage: pseudo-experiments need a truth; only samples with 'events' have one")
    _check_studies(f"{where}.coverage.studies", sample["coverage"]["studies"], sample["experiment"], config)
    sample["truth"] = {**config["experiments"][sample["experiment"]]["oscillation"], **sample["oscillation"]}
    try:
        allowed = FitRange(tuple(config["fit"]["sin2_theta23"]), tuple(config["fit"]["dm31_ev2"]))
    except InputError as error:
        raise InputError(f"fit: {error}") from None
    if "events" not in sample:
        return
    for name in ("sin2_theta23", "dm31_ev2"):
        low, high = getattr(allowed, name)
        if not low < sample["truth"][name] < high:
            raise InputError(f"{where}: its true {name}, {sample['truth'][name]:g}, is outside fit.{name}, [{low:g}, {high:g}]")

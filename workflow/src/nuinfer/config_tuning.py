"""Checks of the tuning side of a configuration: sources of throws, measurements, tunes, tensions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nuinfer.config_names import MEASURED, exists, refers
from nuinfer.config_tensions import check_tensions
from nuinfer.errors import InputError

SECTION_OF = {"events": "events", "throws": "table", "nuisance": "nuisance", "genie": "genie"}
"""The entry of a simulation that describes its source."""

RESPONSE_SOURCES = ("builtin", "events")
"""Sources that are functions of the parameters; the others are throws, to which a function is fitted."""


def check_tuning(config: Mapping, root: Path) -> None:
    """Raise InputError for the first entry of the tuning side that refers to nothing, contradicts itself or lacks a file.

    Files are looked for where a tune uses them.
    """
    tunes = config["tunes"].values()
    used = {t["simulation"] for t in tunes}
    used |= {config["measurements"].get(t.get("measurement"), {}).get("simulation") for t in tunes}
    for name, simulation in config["simulations"].items():
        _check_simulation(f"simulations.{name}", simulation, root if name in used else None)
    _check_measurements(config, root)
    _check_tunes(config)
    check_tensions(config)


def _check_simulation(where: str, simulation: Mapping, root: Path | None) -> None:
    from nuinfer.tuning.parameters import PARAMETERS
    from nuinfer.tuning.priors import prior_box

    try:
        box = prior_box(simulation["parameters"])
    except InputError as error:
        raise InputError(f"{where}.parameters: {error}") from None
    source = simulation["source"]
    for other, section in SECTION_OF.items():
        if (section in simulation) != (other == source):
            verb = "needs" if other == source else "takes no"
            raise InputError(f"{where}: the source '{source}' {verb} '{section}'")
    if source in (*RESPONSE_SOURCES, "genie") and "train" not in simulation["throws"]:
        raise InputError(f"{where}.throws: the source '{source}' needs the number of throws 'train'")
    if source == "builtin":
        if unknown := [n for n in box.names if n not in PARAMETERS]:
            known = ", ".join(PARAMETERS)
            raise InputError(f"{where}.parameters: the built-in generator has no {', '.join(unknown)}; it has {known}")
        _check_generator(f"{where}.generator", simulation["generator"], box)
        for key in ("flux", "binning"):
            _there(f"{where}.generator.{key}", simulation["generator"][key], root)
        return
    _there(f"{where}.bins.path", simulation["bins"]["path"], root)
    CHECKS[source](f"{where}.{SECTION_OF[source]}", simulation, box, root)


def _there(where: str, path: str, root: Path | None) -> None:
    if root is not None:
        exists(where, path, root)


def _check_generator(where: str, generator: Mapping, box: Any) -> None:
    """The axial-mass table must hold the prior, and a parameter needs the component that depends on it."""
    low, high = generator["ma_range_gev"]
    if not 0 < low < high:
        raise InputError(f"{where}.ma_range_gev: inverted range, {low:g} is not below {high:g}")
    needed = {"ma_ccqe_gev": "qe", "rpa_strength": "qe", "norm_ccmec": "mec", "shape_ccmec": "mec"}
    for name, prior in zip(box.names, box.priors, strict=True):
        if name == "ma_ccqe_gev" and not low <= prior.low < prior.high <= high:
            raise InputError(f"{where}.ma_range_gev: [{low:g}, {high:g}] does not hold the prior of ma_ccqe_gev; widen it")
        if needed[name] not in generator["components"]:
            raise InputError(f"{where}.components: {name} needs the component '{needed[name]}'; add it")


def _check_events(where: str, simulation: Mapping, box: Any, root: Path | None) -> None:
    from nuinfer.tuning.sources.event_terms import event_terms

    events = simulation["events"]
    for name, sample in events["samples"].items():
        _there(f"{where}.samples.{name}.path", sample["path"], root)
    try:
        terms = event_terms(events["terms"], list(events["samples"]))
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    curves = {t.curve.parameter: t.curve.within for t in terms if t.curve}
    there = {n for t in terms for n, _ in t.factors} | set(curves)
    for name, prior in zip(box.names, box.priors, strict=True):
        if name not in there:
            raise InputError(f"{where}.terms: none depends on {name}; name it as a factor or a curve, or take its prior out")
        low, high = curves.get(name, (prior.low, prior.high))
        if not low <= prior.low < prior.high <= high:
            raise InputError(f"{where}.terms: weights hold for {name} in [{low:g}, {high:g}]; the prior leaves it: narrow it")


def _check_files(where: str, section: Mapping, root: Path | None) -> None:
    if root is None:
        return
    for pattern in section["files"]:
        # An absolute pattern stands for itself.
        path = Path(root, pattern)
        if not any(c in pattern for c in "*?[") and not path.is_file():
            raise InputError(f"{where}.files: no such file: {pattern}")
        if not any(path.parent.glob(path.name) if path.parent.is_dir() else _matches(path)):
            raise InputError(f"{where}.files: the pattern '{pattern}' matches no file")


def _matches(path: Path) -> Any:
    import glob

    return glob.iglob(str(path))


def _check_table(where: str, simulation: Mapping, box: Any, root: Path | None) -> None:
    _check_files(where, simulation["table"], root)
    _check_dials(f"{where}.dials", simulation["table"]["dials"], box)


def _check_nuisance(where: str, simulation: Mapping, box: Any, root: Path | None) -> None:
    from nuinfer.tuning.sources.dial_values import FromCard, FromName

    section = simulation["nuisance"]
    _check_files(where, section, root)
    dials = section["dials"]
    ways = [k for k in ("name", "card", "table") if k in dials]
    if len(ways) != 1:
        raise InputError(f"{where}.dials: give one of name, card, table; got {', '.join(ways) or 'none'}")
    if (ways == ["name"]) == ("columns" in dials):
        verb = "takes no" if ways == ["name"] else "needs"
        raise InputError(f"{where}.dials: '{ways[0]}' {verb} 'columns', the dials' names")
    if ways == ["table"]:
        _there(f"{where}.dials.table", dials["table"], root)
    try:
        columns = FromName(dials["name"]).columns if ways == ["name"] else tuple(dials["columns"])
        if ways == ["card"]:
            FromCard(columns, dials["card"])
    except InputError as error:
        raise InputError(f"{where}.dials: {error}") from None
    _check_dials(f"{where}.dials", columns, box)


def _check_dials(where: str, dials: Sequence[str], box: Any) -> None:
    for known in box.parameters:
        if not {known.name, known.dial} & set(dials):
            raise InputError(
                f"{where}: no column {known.name} or {known.dial}, which has a prior; there are {', '.join(dials)}"
            )


def _check_genie(where: str, simulation: Mapping, box: Any, root: Path | None) -> None:
    from nuinfer.tuning.parameters import PARAMETERS

    genie = simulation["genie"]
    if "event_file" in genie:
        _there(f"{where}.event_file", genie["event_file"], root)
    elif "splines" not in genie:
        raise InputError(f"{where}: needs 'splines' to generate events, or an 'event_file' that is there")
    else:
        _there(f"{where}.splines", genie["splines"], root)
    file, comma, histogram = genie["flux"].rpartition(",")
    if not comma or not histogram:
        raise InputError(f"{where}.flux: '{genie['flux']}' must be FILE.root,HISTOGRAM")
    if "event_file" not in genie:
        _there(f"{where}.flux", file, root)
    if simulation["throws"].get("design", "random") != "random":
        raise InputError(f"{where}: throws are split once they are read: the design must be random")
    if unknown := [n for n in box.names if n not in PARAMETERS]:
        raise InputError(f"{where}: no dial of GENIE is known for {', '.join(unknown)}; known: {', '.join(PARAMETERS)}")


CHECKS = {"events": _check_events, "throws": _check_table, "nuisance": _check_nuisance, "genie": _check_genie}


def _check_measurements(config: Mapping, root: Path) -> None:
    used = {t.get("measurement") for t in config["tunes"].values()}
    used |= {m["of"] for n, m in config["measurements"].items() if n in used and m["format"] == "slice"}
    for name, entry in config["measurements"].items():
        where = f"measurements.{name}"
        if name not in used:
            continue
        if entry["format"] == "toy":
            refers(f"{where}.simulation", entry["simulation"], config["simulations"])
            _check_values(f"{where}.parameters", entry["parameters"], config["simulations"][entry["simulation"]])
        elif entry["format"] == "slice":
            refers(f"{where}.of", entry["of"], config["measurements"])
            if config["measurements"][entry["of"]]["format"] == "slice":
                raise InputError(f"{where}.of: {entry['of']} is a slice itself; name the whole measurement")
        else:
            exists(f"{where}.path", entry["path"], root)
            for key, path in entry.get("covariances", {}).items():
                exists(f"{where}.covariances.{key}", path, root)


def _tables(simulation: Mapping) -> dict[str, tuple[float, float]]:
    """Ranges of the parameters that a source knows only inside a table or between its events' weights."""
    from nuinfer.tuning.sources.event_terms import event_terms

    if simulation["source"] == "builtin":
        return {"ma_ccqe_gev": tuple(simulation["generator"]["ma_range_gev"])}
    if simulation["source"] != "events":
        return {}
    terms = event_terms(simulation["events"]["terms"], list(simulation["events"]["samples"]))
    return {t.curve.parameter: t.curve.within for t in terms if t.curve}


def _check_tunes(config: Mapping) -> None:
    for name, tune in config["tunes"].items():
        where = f"tunes.{name}"
        refers(f"{where}.simulation", tune["simulation"], config["simulations"])
        refers(f"{where}.estimator", tune["estimator"], config["estimators"])
        if tune["mode"] == "measurement":
            for key in ("measurement", "likelihood"):
                if key not in tune:
                    raise InputError(f"{where}: mode 'measurement' needs the key '{key}'")
            refers(f"{where}.measurement", tune["measurement"], config["measurements"])
        elif "likelihood" in tune or "measurement" in tune or tune["simulation_statistics"]:
            raise InputError(
                f"{where}: mode 'prediction' takes neither 'likelihood' nor 'measurement', nor 'simulation_statistics': "
                "it scatters by those alone"
            )
        simulation = config["simulations"][tune["simulation"]]
        _check_counts(where, config["calibration"], simulation["throws"])
        for observation in tune["observations"]:
            _check_observation(f"{where}.observations", observation, config["observations"], tune, simulation)


def _check_counts(where: str, calibration: Mapping, throws: Mapping) -> None:
    if calibration["events"] > throws["test"]:
        raise InputError(
            f"calibration.events: {calibration['events']} held-out throws wanted, but the simulation of {where} has "
            f"only throws.test = {throws['test']}"
        )
    if calibration["exact_events"] > calibration["events"]:
        raise InputError("calibration.exact_events: must not exceed calibration.events")


def _check_observation(where: str, name: str, observations: Mapping, tune: Mapping, simulation: Mapping) -> None:
    refers(where, name, observations)
    if name == MEASURED:
        if "measurement" not in tune:
            raise InputError(f"{where}: '{MEASURED}' needs a tune with a measurement (mode: measurement)")
        return
    values = observations[name].get("parameters")
    if not values:
        raise InputError(f"observations.{name}: a mock needs its 'parameters' (physical values)")
    for parameter in simulation["parameters"]:
        if parameter not in values:
            raise InputError(f"observations.{name}.parameters: missing {parameter!r}, which {where} infers")
    _check_values(f"observations.{name}.parameters", values, simulation)


def _check_values(where: str, values: Mapping, simulation: Mapping) -> None:
    """Parameters at which something is predicted must be known, physical, and inside the source's tables."""
    from nuinfer.tuning.parameters import PARAMETERS

    for parameter, value in values.items():
        prior = simulation["parameters"].get(parameter)
        if prior is None and (parameter not in PARAMETERS or simulation["source"] not in RESPONSE_SOURCES):
            raise InputError(f"{where}: unknown parameter '{parameter}'; known: {', '.join(simulation['parameters'])}")
        if simulation["source"] in RESPONSE_SOURCES and parameter in PARAMETERS:
            low, high = PARAMETERS[parameter].lowest, PARAMETERS[parameter].highest
        else:
            low, high = prior["low"], prior["high"]
        table = _tables(simulation).get(parameter, (low, high))
        low, high = max(low, table[0]), min(high, table[1])
        if not low <= value <= high:
            raise InputError(f"{where}.{parameter}: {value:g} leaves [{low:g}, {high:g}]")

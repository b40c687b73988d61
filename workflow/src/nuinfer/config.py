"""The configuration, checked before anything runs: one error that names the key and what is allowed."""

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nuinfer.config_closure import check_closure
from nuinfer.config_names import exists, refers
from nuinfer.config_oscillation import check_oscillation
from nuinfer.config_systematics import check_ensembles, expand_scans
from nuinfer.errors import InputError

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
SECTIONS = (
    *("simulations", "measurements", "observations", "estimators", "tunes"),
    *("experiments", "learners", "studies", "far_samples", "fits", "ensembles", "scans"),
)
MEASURED = "measured"
"""The observation that is the tune's measurement."""


def checked(config: Mapping[str, Any], schema_path: Path, root: Path) -> dict[str, Any]:
    """Return ``config`` with the schema's defaults filled in.

    An entry set to null (by an overlay) is removed.  Paths are looked up from ``root``.  Raises InputError for the
    first thing that the schema forbids, a name that refers to nothing, an inverted range, or a missing file.
    """
    import yaml

    schema = yaml.safe_load(Path(schema_path).read_text(encoding="utf-8"))
    config = _without_null(copy.deepcopy(dict(config)))
    _validate(config, schema)
    config["observations"].setdefault(MEASURED, {})
    _check_names(config)
    _check_estimators(config)
    _check_simulations(config, root)
    _check_measurements(config, root)
    _check_tunes(config)
    expand_scans(config)
    check_closure(config, root)
    check_oscillation(config, root)
    check_ensembles(config)
    return config


def _without_null(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_null(v) for k, v in value.items() if v is not None}
    return value


def _validate(config: dict, schema: dict) -> None:
    from jsonschema import Draft202012Validator, validators

    plain = Draft202012Validator.VALIDATORS["properties"]

    def fill_defaults(validator, properties, instance, schema):
        if isinstance(instance, dict):
            for key, sub in properties.items():
                if isinstance(sub, dict) and "default" in sub:
                    instance.setdefault(key, copy.deepcopy(sub["default"]))
        yield from plain(validator, properties, instance, schema)

    filling = validators.extend(Draft202012Validator, {"properties": fill_defaults})
    errors = sorted(filling(schema).iter_errors(config), key=lambda e: (len(e.absolute_path), str(e.absolute_path)))
    if errors:
        raise InputError(_message(errors[0]))


def _message(error: Any) -> str:
    where = ".".join(str(p) for p in error.absolute_path) or "top level"
    if error.validator == "additionalProperties":
        allowed = list(error.schema.get("properties", {}))
        unknown = [k for k in error.instance if k not in allowed]
        return f"{where}: unknown key {', '.join(map(repr, unknown))}; allowed: {', '.join(allowed)}"
    if error.validator == "required":
        missing = [k for k in error.validator_value if k not in error.instance]
        return f"{where}: missing key {', '.join(map(repr, missing))}"
    if error.validator == "enum":
        return f"{where}: {error.instance!r} is not one of {', '.join(map(str, error.validator_value))}"
    if error.validator == "type":
        return f"{where}: {error.instance!r} is not of type {error.validator_value}"
    return f"{where}: {error.message}"


def _check_names(config: Mapping) -> None:
    for section in SECTIONS:
        for name in config[section]:
            if not NAME.match(name):
                raise InputError(f"{section}: the name {name!r} must be letters, digits and underscores")


def _check_simulations(config: Mapping, root: Path) -> None:
    from nuinfer.tuning.priors import prior_box

    for name, simulation in config["simulations"].items():
        where = f"simulations.{name}"
        try:
            box = prior_box(simulation["parameters"])
        except InputError as error:
            raise InputError(f"{where}.parameters: {error}") from None
        _check_generator(f"{where}.generator", simulation["generator"], box)
        for key in ("flux", "binning"):
            exists(f"{where}.generator.{key}", simulation["generator"][key], root)


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


def _check_estimators(config: dict) -> None:
    """Add the library's named estimators to the configuration's own, and check the settings of those."""
    from nuinfer.tuning.estimator.settings import ESTIMATORS, estimator_settings

    for name, entry in config["estimators"].items():
        try:
            estimator_settings({"name": "ours", **{k: v for k, v in entry.items() if k != "members"}})
        except InputError as error:
            raise InputError(f"estimators.{name}: {error}") from None
    for name in ESTIMATORS:
        config["estimators"].setdefault(name, {"name": name, "members": 1})


def _check_measurements(config: Mapping, root: Path) -> None:
    for name, entry in config["measurements"].items():
        where = f"measurements.{name}"
        if not any(t.get("measurement") == name for t in config["tunes"].values()):
            continue
        if entry["format"] == "toy":
            refers(f"{where}.simulation", entry["simulation"], config["simulations"])
            _check_values(f"{where}.parameters", entry["parameters"], config["simulations"][entry["simulation"]])
            continue
        exists(f"{where}.path", entry["path"], root)
        for key, path in entry.get("covariances", {}).items():
            exists(f"{where}.covariances.{key}", path, root)


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
        elif "likelihood" in tune or "measurement" in tune:
            raise InputError(f"{where}: mode 'prediction' takes neither 'likelihood' nor 'measurement'")
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
    """Parameters at which something is predicted must be physical and inside the generator's axial-mass table."""
    from nuinfer.tuning.parameters import PARAMETERS

    for parameter, value in values.items():
        low, high = PARAMETERS[parameter].lowest, PARAMETERS[parameter].highest
        if parameter == "ma_ccqe_gev":
            table = simulation["generator"]["ma_range_gev"]
            low, high = max(low, table[0]), min(high, table[1])
        if not low <= value <= high:
            raise InputError(f"{where}.{parameter}: {value:g} leaves [{low:g}, {high:g}]")

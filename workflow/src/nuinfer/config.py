"""The configuration, checked before anything runs: one error that names the key and what is allowed."""

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nuinfer.config_closure import check_closure
from nuinfer.config_names import MEASURED
from nuinfer.config_oscillation import check_oscillation
from nuinfer.config_systematics import check_ensembles, expand_scans
from nuinfer.config_tuning import check_tuning
from nuinfer.errors import InputError

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
SECTIONS = (
    *("simulations", "measurements", "observations", "estimators", "tunes", "tensions"),
    *("experiments", "learners", "studies", "far_samples", "fits", "ensembles", "scans"),
)


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
    check_tuning(config, root)
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

"""A trained estimator on disk: ``model.safetensors`` (weights) and ``model.json`` (all else), nothing that unpickles.

The directory is written beside its place and moved into it; loading checks the schema version, the weights' hash and
that both files fit each other.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from torch import nn

from nuinfer.errors import InputError
from nuinfer.tuning.estimator.data import Trained
from nuinfer.tuning.estimator.network import build_network
from nuinfer.tuning.estimator.settings import EstimatorSettings, settings_from_json
from nuinfer.tuning.estimator.tensors import read_tensors, tensor_hash, write_tensors
from nuinfer.tuning.priors import PriorBox, prior_box

SCHEMA_VERSION = 1
PACKAGES = ("nuinfer", "torch", "sbi", "zuko", "numpy")


@dataclass(frozen=True)
class StoredModel:
    """What :func:`load_model` gives back; ``record`` is the whole of ``model.json``."""

    network: nn.Module
    settings: EstimatorSettings
    box: PriorBox
    record: Mapping


def save_model(
    folder: Path, trained: Trained, settings: EstimatorSettings, box: PriorBox, seed: int, extra: Mapping | None = None
) -> None:
    """Write the model directory ``folder``, replacing an older one; ``extra`` is kept under that key."""
    state = trained.network.state_dict()
    record = {
        "schema_version": SCHEMA_VERSION,
        "settings": settings.to_json(),
        "network": trained.network.describe(),
        "names": list(box.names),
        "priors": box.to_config(),
        "seed": seed,
        "identity": dict(trained.identity),
        "weights_sha256": tensor_hash(state),
        "versions": {p: _version(p) for p in PACKAGES},
        "best_epoch": trained.best_epoch,
        "cpu_s": trained.cpu_s,
        "curves": {k: np.asarray(v).tolist() for k, v in trained.curves.items()},
        "extra": dict(extra or {}),
    }
    folder = Path(folder)
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        write_tensors(scratch / "model.safetensors", state, {"weights_sha256": record["weights_sha256"]})
        (scratch / "model.json").write_text(json.dumps(record, indent=1) + "\n")
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def load_model(folder: Path) -> StoredModel:
    """Read a model directory; raise InputError where a file is missing, damaged, of another schema or another model."""
    folder = Path(folder)
    path = folder / "model.json"
    if not path.is_file():
        raise InputError(f"{folder}: no model.json; is this a model directory?")
    try:
        record = json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error}); train the estimator again") from None
    held = record.get("schema_version") if isinstance(record, dict) else None
    if held != SCHEMA_VERSION:
        raise InputError(f"{path}: schema version {held}; this release reads {SCHEMA_VERSION}: train the estimator again")
    missing = [k for k in ("settings", "network", "names", "priors", "weights_sha256") if k not in record]
    if missing:
        raise InputError(f"{path}: no entry '{missing[0]}'; train the estimator again")
    settings = settings_from_json(record["settings"])
    box = prior_box({name: record["priors"][name] for name in record["names"]})
    state, _ = read_tensors(folder / "model.safetensors")
    if tensor_hash(state) != record["weights_sha256"]:
        raise InputError(f"{folder}: model.safetensors and model.json are not of one model; train the estimator again")
    network = build_network(settings.network, record["network"])
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(f"{folder}: the weights do not fit the settings ({error}); train the estimator again") from None
    return StoredModel(network.eval(), settings, box, record)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"

"""Where a result comes from: settings, their hash, code, seed and package versions.  No clock: same input, same record."""

import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from nuinfer.codehash import code_hash
from nuinfer.workflow import as_json, digest

PACKAGES = ("nuinfer", "numpy", "scipy", "torch", "zuko", "sbi", "h5py")


def provenance(module: str, settings: Mapping[str, Any], seed: int | None = None) -> dict[str, Any]:
    """Return the attributes that every result of the step ``module`` made with ``settings`` carries."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "absent"
    record = {
        "made_by": module,
        "settings": as_json(settings),
        "settings_hash": digest(settings),
        "code_hash": code_hash(module),
        "versions": as_json(versions),
    }
    return record if seed is None else {**record, "seed": int(seed)}

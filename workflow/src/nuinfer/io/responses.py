"""A response on disk, a generator's or one fitted to throws, with the bins that it predicts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nuinfer.errors import InputError
from nuinfer.io.hdf5 import read_hdf5, write_hdf5
from nuinfer.physics.binning import Binning
from nuinfer.tuning.response import Response, stored_structure
from nuinfer.tuning.surrogate import Surrogate

AnyResponse = Response | Surrogate
KINDS = {"terms": Response, "polynomial": Surrogate}


def write_response(path: Path, response: AnyResponse, binning: Binning, attributes: Mapping[str, Any]) -> None:
    """Write ``response`` and its bins with the provenance ``attributes``."""
    arrays = dict(response.to_arrays()) | {f"binning/{k}": v for k, v in binning.to_arrays().items()}
    write_hdf5(path, "response", arrays, attributes)


def read_response(path: Path) -> tuple[AnyResponse, Binning]:
    """Read what :func:`write_response` wrote; raise InputError where the file is not of that layout."""
    arrays, _ = read_hdf5(path, "response")
    bins = {k[8:]: v for k, v in arrays.items() if k.startswith("binning/")}
    kind = stored_structure(arrays).get("kind") if "structure" in arrays else None
    if kind not in KINDS:
        raise InputError(f"{path}: holds a response of kind {kind!r}, known: {', '.join(KINDS)}; remove it and make it again")
    plain = {k: v for k, v in arrays.items() if not k.startswith("binning/")}
    return KINDS[kind].from_arrays(plain), Binning.from_arrays(bins)

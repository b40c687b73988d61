"""A generator's response on disk, with the bins that it predicts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nuinfer.io.hdf5 import read_hdf5, write_hdf5
from nuinfer.physics.binning import Binning
from nuinfer.tuning.response import Response


def write_response(path: Path, response: Response, binning: Binning, attributes: Mapping[str, Any]) -> None:
    """Write ``response`` and its bins with the provenance ``attributes``."""
    arrays = dict(response.to_arrays()) | {f"binning/{k}": v for k, v in binning.to_arrays().items()}
    write_hdf5(path, "response", arrays, attributes)


def read_response(path: Path) -> tuple[Response, Binning]:
    """Read what :func:`write_response` wrote; raise InputError where the file is not of that layout."""
    arrays, _ = read_hdf5(path, "response")
    bins = {k[8:]: v for k, v in arrays.items() if k.startswith("binning/")}
    return (
        Response.from_arrays({k: v for k, v in arrays.items() if not k.startswith("binning/")}),
        Binning.from_arrays(bins),
    )

"""Tensors and JSON on disk: written beside their place and moved into it, so that a file is whole or not there.

One file holds both: safetensors with the JSON in its header's metadata, never a pickle.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from nuinfer.errors import InputError
from nuinfer.io.hdf5 import replacing


def write_tensors(path: Path, tensors: Mapping[str, Tensor], record: Mapping) -> None:
    """Write ``tensors``, from the CPU, and the JSON-serialisable ``record`` to ``path``, replacing it in one step.

    Raises InputError where the disk is full.
    """
    contiguous = {k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()}
    with replacing(path) as scratch:
        scratch.write_bytes(save(contiguous, metadata={"record": json.dumps(record)}))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict]:
    """Return the tensors and the record of ``path``; raise InputError where it is missing or damaged."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with safe_open(path, framework="pt") as handle:
            record = json.loads((handle.metadata() or {})["record"])
            return {k: handle.get_tensor(k) for k in list(handle.keys())}, record
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise InputError(f"{path}: not a readable tensor file ({error}); remove it and make it again") from None


def array_hash(*arrays: np.ndarray) -> str:
    """Return a SHA-256 of the arrays' shapes, types and contents."""
    digest = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()


def tensor_hash(tensors: Mapping[str, Tensor]) -> str:
    """Return a SHA-256 of named tensors, independent of their order."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(array_hash(tensors[name].detach().to(torch.device("cpu")).numpy()).encode())
    return digest.hexdigest()

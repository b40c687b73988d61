"""The operator's sparse product on any torch device, for training on a GPU; on the CPU scipy's own product is used."""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import Tensor


@dataclass(frozen=True)
class DeviceMatrix:
    """A fixed sparse matrix and its transpose, compressed by rows, on one device."""

    forward: Tensor
    transposed: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        return tuple(self.forward.shape)


class DeviceFold(torch.autograd.Function):
    """A w for a fixed sparse A ``(n, k)`` and w ``(k, m)``; the gradient A^T g takes the transpose that is held for it."""

    @staticmethod
    def forward(ctx: object, w: Tensor, matrix: DeviceMatrix) -> Tensor:
        ctx.matrix = matrix
        return matrix.forward @ w.detach()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.matrix.transposed @ gradient, None


def device_matrix(matrix: sparse.csr_matrix, device: str | torch.device) -> DeviceMatrix:
    """Copy a scipy matrix to ``device``, in its own precision."""
    return DeviceMatrix(_on_device(matrix.tocsr(), device), _on_device(matrix.T.tocsr(), device))


def _on_device(matrix: sparse.csr_matrix, device: str | torch.device) -> Tensor:
    indices = (torch.from_numpy(a.astype(np.int64)) for a in (matrix.indptr, matrix.indices))
    values = torch.from_numpy(np.array(matrix.data))
    with warnings.catch_warnings():
        # Of torch's sparse tensors only the product is used, which tests compare with scipy's.
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(*indices, values, size=matrix.shape, device=device, check_invariants=False)

"""Conditional densities of ``u`` by name; all work on the residual from a first guess, in units of its spread.

A flow has ``base`` (``normal`` or ``uniform``: what its draws are made from), ``noise_dim``, ``log_prob(u, context, guess,
scale)`` and ``sample(z, context, guess, scale)``; see :class:`~nuinfer.tuning.estimator.box.BoxFlow` for the shapes.  All but
``box`` may leave the unit cube: :mod:`~nuinfer.tuning.estimator.sampling` truncates them by acceptance.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
import zuko
from torch import Tensor, nn

from nuinfer.tuning.estimator.box import LOG_SQRT_2PI, BoxFlow
from nuinfer.tuning.estimator.settings import NetworkSettings


class ZukoFlow(nn.Module):
    """A zuko flow from a standard normal to the residual ``(u - guess) / scale``."""

    base = "normal"

    def __init__(self, flow: zuko.flows.Flow, dim: int):
        super().__init__()
        self.flow, self.noise_dim = flow, dim

    def log_prob(self, u: Tensor, context: Tensor, guess: Tensor, scale: Tensor) -> Tensor:
        r = (u - guess) / scale
        z, log_det = self.flow.transform(context).call_and_ladj(r)
        return _standard_normal(z) + log_det - torch.log(scale).sum()

    def sample(self, z: Tensor, context: Tensor, guess: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        wide = context[:, None].expand(-1, z.shape[1], -1)
        r, log_det = self.flow.transform(wide).inv.call_and_ladj(z)
        return guess[:, None] + scale * r, _standard_normal(z) - log_det - torch.log(scale).sum()


class GaussianHead(nn.Module):
    """A Gaussian with mean and full covariance (as its inverse Cholesky factor) computed from the context."""

    base = "normal"

    def __init__(self, dim: int, n_context: int):
        super().__init__()
        self.dim = self.noise_dim = dim
        self.head = nn.Linear(n_context, dim + dim * dim)
        with torch.no_grad():
            self.head.weight.mul_(0.1)

    def _mean_and_precision_factor(self, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        raw = self.head(context)
        square = raw[:, self.dim :].unflatten(-1, (self.dim, self.dim))
        log_diagonal = torch.clamp(square.diagonal(dim1=-2, dim2=-1), -7.0, 7.0)
        return raw[:, : self.dim], torch.tril(square, -1) + torch.diag_embed(torch.exp(log_diagonal)), log_diagonal.sum(-1)

    def log_prob(self, u: Tensor, context: Tensor, guess: Tensor, scale: Tensor) -> Tensor:
        mean, factor, log_det = self._mean_and_precision_factor(context)
        z = (factor @ ((u - guess) / scale - mean)[..., None])[..., 0]
        return _standard_normal(z) + log_det - torch.log(scale).sum()

    def sample(self, z: Tensor, context: Tensor, guess: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        mean, factor, log_det = self._mean_and_precision_factor(context)
        r = mean[:, None] + torch.linalg.solve_triangular(factor, z.transpose(1, 2), upper=False).transpose(1, 2)
        return guess[:, None] + scale * r, _standard_normal(z) + log_det[:, None] - torch.log(scale).sum()


def _standard_normal(z: Tensor) -> Tensor:
    return -0.5 * (z * z).sum(dim=-1) - z.shape[-1] * LOG_SQRT_2PI


def _maf(network: NetworkSettings, dim: int, n_context: int) -> nn.Module:
    # hidden_features as a tuple: zuko reads a list of n widths as n layers of every transform
    flow = zuko.flows.MAF(
        dim, n_context, transforms=network.transforms, randperm=dim > 1, hidden_features=tuple(network.hidden)
    )
    return ZukoFlow(flow, dim)


def _nsf(network: NetworkSettings, dim: int, n_context: int) -> nn.Module:
    flow = zuko.flows.NSF(
        dim,
        n_context,
        bins=network.components,
        transforms=network.transforms,
        randperm=dim > 1,
        hidden_features=tuple(network.hidden),
    )
    return ZukoFlow(flow, dim)


FLOWS: Mapping[str, Callable[[NetworkSettings, int, int], nn.Module]] = MappingProxyType(
    {
        "box": lambda network, dim, n: BoxFlow(dim, n, network.hidden, network.components),
        "maf": _maf,
        "nsf": _nsf,
        "gaussian": lambda network, dim, n: GaussianHead(dim, n),
    }
)

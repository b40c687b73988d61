"""Fresh observation noise for every training batch: torch twins of the likelihoods' ``sample``.

A draw is made in the units of the observation, so that the features see exactly what they see in use.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from nuinfer.errors import InputError
from nuinfer.tuning.likelihood import Likelihood


class Noise(Protocol):
    """Draws one observation for every prediction."""

    def draw(self, mu: Tensor, generator: torch.Generator) -> Tensor:
        """Return observations ``(n, n_bin)`` of predictions ``(n, n_bin)``, 1e-38 cm^2 / nucleon / GeV."""


@dataclass(frozen=True)
class NoNoise:
    """For throws whose scatter is their own: the input is the observation already."""

    def draw(self, mu: Tensor, generator: torch.Generator) -> Tensor:
        return mu


@dataclass(frozen=True)
class PoissonNoise:
    """Counts of a finite simulation; ``per_event`` ``(n_bin,)``."""

    per_event: Tensor

    def draw(self, mu: Tensor, generator: torch.Generator) -> Tensor:
        return torch.poisson(mu / self.per_event, generator=generator) * self.per_event


@dataclass(frozen=True)
class DiagonalNoise:
    """Independent Gaussian errors ``sigma`` ``(n_bin,)``."""

    sigma: Tensor

    def draw(self, mu: Tensor, generator: torch.Generator) -> Tensor:
        return torch.addcmul(mu, torch.empty_like(mu).normal_(generator=generator), self.sigma)


@dataclass(frozen=True)
class CorrelatedNoise:
    """Correlated Gaussian errors and, with ``norm_rel`` above zero, a common scale of the prediction."""

    cholesky: Tensor
    norm_rel: float = 0.0

    def draw(self, mu: Tensor, generator: torch.Generator) -> Tensor:
        noise = torch.empty_like(mu).normal_(generator=generator) @ self.cholesky.T
        if self.norm_rel == 0.0:
            return mu + noise
        scale = mu.new_empty((*mu.shape[:-1], 1)).normal_(1.0, self.norm_rel, generator=generator)
        return torch.addcmul(noise, mu, scale)


def torch_noise(likelihood: Likelihood | None) -> Noise:
    """Return the noise of ``likelihood`` in single precision; ``None`` stands for throws with a scatter of their own."""
    if likelihood is None:
        return NoNoise()

    def tensor(array: object) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32)

    if likelihood.kind == "poisson":
        return PoissonNoise(tensor(likelihood.per_event))
    if likelihood.kind == "diagonal":
        return DiagonalNoise(tensor(likelihood.sigma))
    if likelihood.kind == "full":
        return CorrelatedNoise(tensor(likelihood.cholesky))
    if likelihood.kind == "norm_shape":
        return CorrelatedNoise(tensor(likelihood.cholesky), float(likelihood.norm_rel))
    raise InputError(f"no training noise for likelihood '{likelihood.kind}'; known: poisson, diagonal, full, norm_shape")

"""A trained estimator as an sbi posterior in physical parameters, for sbi's own diagnostics and users."""

from typing import ClassVar

import torch
from sbi.inference import DirectPosterior
from sbi.neural_nets.estimators.base import ConditionalDensityEstimator
from torch import Tensor, nn
from torch.distributions import Distribution, constraints

from nuinfer.tuning.estimator.sampling import log_volume, sample
from nuinfer.tuning.priors import PriorBox


class BoxDistribution(Distribution):
    """The priors of a :class:`~nuinfer.tuning.priors.PriorBox` as a torch distribution of ``(d,)`` physical values."""

    arg_constraints: ClassVar[dict] = {}

    def __init__(self, box: PriorBox):
        super().__init__(event_shape=torch.Size([box.dim]), validate_args=False)
        self.box = box
        self.low, self.high = (_tensor(box.from_unit(torch.full((box.dim,), v).numpy())) for v in (0.0, 1.0))

    @property
    def support(self) -> constraints.Constraint:
        return constraints.independent(constraints.interval(self.low, self.high), 1)

    @property
    def mean(self) -> Tensor:
        return self.sample(torch.Size([10_000])).mean(dim=0)

    @property
    def variance(self) -> Tensor:
        return self.sample(torch.Size([10_000])).var(dim=0)

    def sample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008 - torch's own signature
        return _tensor(self.box.from_unit(torch.rand(*sample_shape, self.box.dim).double().numpy()))

    def log_prob(self, value: Tensor) -> Tensor:
        inside = ((value >= self.low) & (value <= self.high)).all(dim=-1)
        u = self.box.to_unit(torch.clamp(value, self.low, self.high).double().numpy())
        return torch.where(inside, _tensor(log_volume(self.box, u)), -torch.inf)


class UnitCubeEstimator(ConditionalDensityEstimator):
    """The network's density moved from the cube to physical values; not truncated, as sbi's estimators are not."""

    def __init__(self, network: nn.Module, box: PriorBox):
        super().__init__(network, torch.Size([network.dim]), torch.Size([network.n_bin]))
        self.box = box

    def log_prob(self, input: Tensor, condition: Tensor, **kwargs) -> Tensor:
        u = self.box.to_unit(input.double().numpy())
        flat = torch.broadcast_to(condition, (*input.shape[:-1], condition.shape[-1])).reshape(-1, condition.shape[-1])
        log_q = self.net.log_prob(_tensor(u).reshape(-1, self.net.dim), flat).reshape(input.shape[:-1])
        return log_q + _tensor(log_volume(self.box, u))

    def loss(self, input: Tensor, condition: Tensor, **kwargs) -> Tensor:
        return -self.log_prob(input, condition)

    @torch.no_grad()
    def sample(self, sample_shape: torch.Size, condition: Tensor, **kwargs) -> Tensor:
        n = torch.Size(sample_shape).numel()
        z = torch.rand(len(condition), n, self.net.noise_dim)
        if self.net.base == "normal":
            z = torch.randn(z.shape)
        u, _ = self.net.sample_given(z, self.net.summary(condition))
        theta = _tensor(self.box.from_unit(u.transpose(0, 1).double().numpy()))
        return theta.reshape(*sample_shape, len(condition), self.net.dim)


class CubePosterior(DirectPosterior):
    """sbi's posterior with draws made by :func:`~nuinfer.tuning.estimator.sampling.sample`: no event waits for another."""

    def sample_batched(self, sample_shape, x: Tensor, **kwargs) -> Tensor:
        """Return ``(*sample_shape, B, d)`` physical values; seeded by torch's global generator, as sbi's draws are."""
        estimator = self.posterior_estimator
        shape = torch.Size(sample_shape if isinstance(sample_shape, tuple | torch.Size) else (sample_shape,))
        seed = int(torch.randint(0, 2**62, (1,)))
        draws = sample(estimator.net, x.double().numpy(), shape.numel(), seed)
        theta = _tensor(estimator.box.from_unit(draws.u)).transpose(0, 1)
        return theta.reshape(*shape, len(x), estimator.net.dim)


def as_sbi_posterior(network: nn.Module, box: PriorBox) -> CubePosterior:
    """Return a posterior of physical parameters that sbi's diagnostics (``run_sbc``, ``run_tarp``, ..) accept."""
    return CubePosterior(UnitCubeEstimator(network, box), BoxDistribution(box), enable_transform=False)


def _tensor(array) -> Tensor:
    return torch.as_tensor(array, dtype=torch.float32)

r"""Several estimators as one: the mixture :math:`q(u \mid x) = K^{-1}\sum_k q_k(u \mid x)` of members of other seeds."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from nuinfer.errors import InputError


class Ensemble(nn.Module):
    """A mixture with the methods of a network; its draws come from the members in random order, not one by one."""

    base = "uniform"

    def __init__(self, members: list[nn.Module]):
        super().__init__()
        if not members:
            raise InputError("ensemble: at least one member is needed")
        if len({(m.dim, m.n_bin) for m in members}) > 1:
            raise InputError("ensemble: members differ in their parameters or bins; train them on the same throws")
        self.members = nn.ModuleList(members)
        self.dim, self.n_bin = members[0].dim, members[0].n_bin
        self.n_summary = sum(m.n_summary for m in members)
        self.noise_dim = 1 + max(m.noise_dim for m in members)

    def summary(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the members' summaries, one after the other."""
        return tuple(t for m in self.members for t in m.summary(x))

    def _by_member(self, summary: tuple[Tensor, ...]) -> Iterator[tuple[nn.Module, tuple[Tensor, ...]]]:
        start = 0
        for member in self.members:
            yield member, summary[start : start + member.n_summary]
            start += member.n_summary

    def log_prob(self, u: Tensor, x: Tensor) -> Tensor:
        return _mixture(torch.stack([m.log_prob(u, x) for m in self.members]))

    def log_prob_given(self, u: Tensor, summary: tuple[Tensor, ...]) -> Tensor:
        return _mixture(torch.stack([m.log_prob_given(u, part) for m, part in self._by_member(summary)]))

    def sample_given(self, z: Tensor, summary: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Turn uniform numbers ``(B, S, noise_dim)``, the first of which chooses the member, into draws."""
        chosen = torch.clamp((z[..., 0] * len(self.members)).long(), max=len(self.members) - 1)
        u = z.new_zeros(*z.shape[:2], self.dim)
        for k, (member, part) in enumerate(self._by_member(summary)):
            noise = z[..., 1 : 1 + member.noise_dim]
            if member.base == "normal":
                noise = torch.special.ndtri(torch.clamp(noise.double(), 2.0**-25, 1.0 - 2.0**-25)).float()
            draws, _ = member.sample_given(noise, part)
            u = torch.where((chosen == k)[..., None], draws, u)
        return u, self.log_prob_given(u, summary)


def _mixture(log_probs: Tensor) -> Tensor:
    return torch.logsumexp(log_probs, dim=0) - math.log(len(log_probs))

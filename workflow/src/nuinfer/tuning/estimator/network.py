"""The estimator's network: features, embedding and flow in one module, rebuilt from a small JSON description."""

from collections.abc import Mapping
from dataclasses import asdict

import torch
from torch import Tensor, nn

from nuinfer.tuning.estimator.embedding import mlp
from nuinfer.tuning.estimator.features import Features, FeatureShape
from nuinfer.tuning.estimator.flows import FLOWS
from nuinfer.tuning.estimator.settings import NetworkSettings

EDGE_REACH = 4.0
"""Distances from the cube's faces are told apart up to this many widths of the first guess."""
UNIFORM_SD = 12.0**-0.5


class Network(nn.Module):
    """Conditional density ``q(u | x)`` in the unit cube; ``u`` ``(n, d)``, ``x`` ``(n, n_bin)`` in data units."""

    n_summary = 2

    def __init__(self, settings: NetworkSettings, features: Features):
        super().__init__()
        shape = features.shape
        self.settings, self.dim, self.n_bin = settings, shape.dim, shape.n_bin
        self.features = features
        self.embedding = mlp(shape.n_feature + 3 * shape.dim, settings.embedding, settings.activation)
        self.flow = FLOWS[settings.flow](settings, shape.dim, settings.embedding[-1])
        self.base, self.noise_dim = self.flow.base, self.flow.noise_dim

    def describe(self) -> dict:
        """Return what :func:`build_network` needs beside the settings, as JSON types."""
        return asdict(self.features.shape)

    def summary(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the flow's context ``(n, c)`` and the first guess of ``u`` ``(n, d)``; computed once per observation."""
        return self.summary_of(self.features.directions(x))

    def summary_of(self, f: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same for an observation's features ``(n, n_feature)``."""
        guess = self.features.guess(f)
        scale = self.features.guess_scale
        # the posterior is cut within a few widths of a face, a layer too thin to be found from features that span the
        # whole prior: its distances are given in widths, saturated where they do not matter
        low = torch.clamp(guess / scale, -EDGE_REACH, EDGE_REACH) - EDGE_REACH
        high = torch.clamp((1.0 - guess) / scale, -EDGE_REACH, EDGE_REACH) - EDGE_REACH
        inputs = [f, (guess - 0.5) / UNIFORM_SD, low, high]
        return self.embedding(torch.cat(inputs, dim=1)), guess

    def log_prob(self, u: Tensor, x: Tensor) -> Tensor:
        """Return log densities ``(n,)`` in ``u``, not renormalised for what lies outside the cube."""
        return self.log_prob_of(u, self.features.directions(x))

    def log_prob_of(self, u: Tensor, f: Tensor) -> Tensor:
        """Return the same for observations' features ``(n, n_feature)``."""
        context, guess = self.summary_of(f)
        return self.flow.log_prob(u, context, guess, self.features.guess_scale)

    def log_prob_given(self, u: Tensor, summary: tuple[Tensor, Tensor]) -> Tensor:
        """Return log densities ``(B, S)`` of ``u`` ``(B, S, d)`` given summaries of ``B`` observations."""
        n_event, n_draw, dim = u.shape
        context, guess = (t.repeat_interleave(n_draw, dim=0) for t in summary)
        flat = self.flow.log_prob(u.reshape(-1, dim), context, guess, self.features.guess_scale)
        return flat.reshape(n_event, n_draw)

    def sample_given(self, z: Tensor, summary: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Turn noise ``(B, S, noise_dim)`` into draws ``(B, S, d)`` and log densities ``(B, S)``."""
        return self.flow.sample(z, *summary, self.features.guess_scale)


def build_network(settings: NetworkSettings, description: Mapping) -> nn.Module:
    """Build an untrained network of a description that :meth:`Network.describe` gave."""
    if settings.flow == "nflows_maf":
        from nuinfer.tuning.estimator.baseline import build_sbi_network

        return build_sbi_network(settings, description)
    return Network(settings, Features(FeatureShape(**description)))


def initial_network(settings: NetworkSettings, features: Features, seed: int) -> Network:
    """Build a network with weights drawn from ``seed``, leaving torch's global random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(settings, features)

r"""A density on the unit cube itself: autoregressive mixtures of truncated Gaussians.

.. math::
    q(u \mid x) = \prod_{i=1}^{d} \sum_{k=1}^{K} w_{ik}
        \frac{\mathcal{N}(u_i; m_{ik}, \sigma_{ik})}{\Phi((1 - m_{ik})/\sigma_{ik}) - \Phi(-m_{ik}/\sigma_{ik})},
    \qquad 0 \le u_i \le 1,

with weights, means and widths that networks compute from the observation and from :math:`u_1 .. u_{i-1}` (the chain rule
with mixture densities: Bishop 1994; Uria et al., RNADE, arXiv:1306.0186; truncation to the prior's support is the
addition here).  A Gaussian posterior is represented exactly, also one cut by the cube's faces in its last parameter, and
no draw ever leaves the prior.  Parameters are independent networks run as one batched product, so that a draw costs one
evaluation in all, not one per parameter and layer.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
SQRT_HALF = math.sqrt(0.5)
MAX_OUTSIDE = 8.0
"""A component's mean may lie this many widths outside the cube: further out single precision loses its mass."""


def log_interval_mass(low: Tensor, high: Tensor) -> Tensor:
    r"""Return :math:`\log(\Phi(b) - \Phi(a))` without cancellation, for ``low`` = a < ``high`` = b."""
    left = low + high < 0
    a = torch.where(left, -high, low)
    b = torch.where(left, -low, high)
    return torch.log(torch.clamp(0.5 * (torch.erfc(a * SQRT_HALF) - torch.erfc(b * SQRT_HALF)), min=1e-30))


def truncated_normal(v: Tensor, mean: Tensor, sigma: Tensor) -> Tensor:
    """Return the ``v`` quantile of N(mean, sigma) truncated to [0, 1]; computed in double precision."""
    v, mean, sigma = v.double(), mean.double(), sigma.double()
    low, high = -mean / sigma, (1.0 - mean) / sigma
    left = low + high < 0
    a, b = torch.where(left, -high, low), torch.where(left, -low, high)
    tail = torch.where(left, v, 1.0 - v)
    # the interval's centre is at or right of zero, so upper tail probabilities keep their relative precision
    upper_a, upper_b = torch.special.ndtr(-a), torch.special.ndtr(-b)
    z = -torch.special.ndtri(torch.clamp(upper_b + tail * (upper_a - upper_b), min=1e-300))
    return torch.clamp(mean + sigma * torch.where(left, -z, z), 0.0, 1.0).float()


class BoxFlow(nn.Module):
    """Conditional density on the cube; ``guess`` and ``scale`` give the units in which the networks work."""

    base = "uniform"

    def __init__(self, dim: int, n_context: int, hidden: tuple[int, ...], components: int):
        super().__init__()
        first, second = (hidden[0], hidden[-1])
        self.dim, self.n_hidden, self.components = dim, first, components
        self.noise_dim = 2 * dim
        self.from_context = nn.Linear(n_context, dim * first)
        self.slopes = nn.Linear(n_context, dim * dim)
        self.from_left = nn.Parameter(torch.randn(dim, dim, first) / math.sqrt(dim))
        self.second = nn.Parameter(torch.randn(dim, first, second) / math.sqrt(first))
        self.second_bias = nn.Parameter(torch.zeros(dim, 1, second))
        self.last = nn.Parameter(0.1 * torch.randn(dim, second, 3 * components) / math.sqrt(second))
        start = torch.zeros(3, components)
        start[1] = torch.linspace(-0.6, 0.6, components) if components > 1 else 0.0
        self.last_bias = nn.Parameter(start.reshape(1, 1, -1).repeat(dim, 1, 1))
        with torch.no_grad():
            self.slopes.weight.mul_(0.1)
        # parameter i sees those before it: entry [j, i] is one where j < i
        self.register_buffer("before", torch.triu(torch.ones(dim, dim), diagonal=1), persistent=False)

    def _components(self, raw: Tensor, linear: Tensor, guess: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log weights, means and widths ``(..., K)`` from raw outputs; ``linear`` is the mean's linear part."""
        logits, shift, log_width = raw.unflatten(-1, (3, self.components)).unbind(-2)
        sigma = torch.clamp(scale[..., None] * torch.exp(torch.clamp(log_width, -7.0, 7.0)), 1e-5, 3.0)
        mean = (guess + scale * linear)[..., None] + scale[..., None] * shift
        reach = MAX_OUTSIDE * sigma
        mean = torch.minimum(torch.maximum(mean, -reach), 1.0 + reach)
        return functional.log_softmax(logits, dim=-1), mean, sigma

    @staticmethod
    def _log_mixture(u: Tensor, log_w: Tensor, mean: Tensor, sigma: Tensor) -> Tensor:
        r = (u[..., None] - mean) / sigma
        mass = log_interval_mass(-mean / sigma, (1.0 - mean) / sigma)
        return torch.logsumexp(log_w - 0.5 * r * r - torch.log(sigma) - mass, dim=-1) - LOG_SQRT_2PI

    def _hidden(self, hidden: Tensor) -> Tensor:
        """Second and last layer for first-layer sums ``(d, n, H)`` -> raw outputs ``(d, n, 3 K)``."""
        h = functional.silu(torch.baddbmm(self.second_bias, functional.silu(hidden), self.second))
        return torch.baddbmm(self.last_bias, h, self.last)

    def log_prob(self, u: Tensor, context: Tensor, guess: Tensor, scale: Tensor) -> Tensor:
        """Return log densities ``(n,)`` of ``u`` ``(n, d)`` given ``context`` ``(n, c)`` and ``guess`` ``(n, d)``."""
        r = (u - guess) / scale
        left = (self.from_left * self.before[..., None]).reshape(self.dim, -1)
        hidden = torch.addmm(self.from_context(context), r, left).unflatten(-1, (self.dim, -1)).transpose(0, 1)
        slopes = self.slopes(context).unflatten(-1, (self.dim, self.dim)) * self.before
        linear = (r[:, None, :] @ slopes)[:, 0]
        parts = self._components(self._hidden(hidden).transpose(0, 1), linear, guess, scale)
        inside = ((u >= 0.0) & (u <= 1.0)).all(dim=-1)
        return torch.where(inside, self._log_mixture(u, *parts).sum(dim=-1), -torch.inf)

    def sample(self, z: Tensor, context: Tensor, guess: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Turn uniform numbers ``(B, S, 2 d)`` into draws ``(B, S, d)`` and their log densities ``(B, S)``."""
        n_event, n_draw, _ = z.shape
        from_context = self.from_context(context).unflatten(-1, (self.dim, -1))
        slopes = self.slopes(context).unflatten(-1, (self.dim, self.dim)) * self.before
        r = z.new_zeros(n_event, n_draw, self.dim)
        u = torch.zeros_like(r)
        log_q = z.new_zeros(n_event, n_draw)
        for i in range(self.dim):
            hidden = r[..., :i] @ self.from_left[:i, i] + from_context[:, None, i]
            h = functional.silu(functional.silu(hidden) @ self.second[i] + self.second_bias[i])
            raw = h @ self.last[i] + self.last_bias[i]
            linear = (r @ slopes[..., i : i + 1])[..., 0]
            log_w, mean, sigma = self._components(raw, linear, guess[:, None, i], scale[i])
            chosen = torch.sum(z[..., 2 * i, None] > torch.cumsum(torch.exp(log_w), dim=-1)[..., :-1], dim=-1)[..., None]
            u_i = truncated_normal(z[..., 2 * i + 1], mean.gather(-1, chosen)[..., 0], sigma.gather(-1, chosen)[..., 0])
            log_q += self._log_mixture(u_i, log_w, mean, sigma)
            u[..., i] = u_i
            r[..., i] = (u_i - guess[:, None, i]) / scale[i]
        return u, log_q

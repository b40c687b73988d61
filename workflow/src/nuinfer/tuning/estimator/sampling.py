"""Draws from trained estimators for many observations at once, truncated to the prior event by event.

What leaves the cube is redrawn for the events that are short, never for the whole batch; work is cut into chunks of
bounded memory, and every event has its own random stream, so that neither chunks nor neighbours change its draws.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nuinfer.errors import InputError
from nuinfer.seeds import torch_seed
from nuinfer.tuning.estimator.threads import one_thread
from nuinfer.tuning.priors import PriorBox

CHUNK_ROWS = 16_384
"""Draws made at a time: large enough to amortise Python, small enough to stay in cache."""
MAX_ROUNDS = 30
MAX_FACTOR = 16
"""A round asks for at most this many times the wanted number of draws for one event."""


@dataclass(frozen=True)
class Draws:
    """Posterior draws of ``B`` observations.

    ``u`` ``(B, S, d)``; ``log_q`` ``(B, S)``, log densities in the cube, renormalised for what lay outside;
    ``acceptance`` ``(B,)``, the fraction of draws inside; ``shortfall`` ``(B,)``, the draws that could not be had within
    the limit and were filled with repetitions of accepted ones (or, where there were none, put on the cube's face).
    """

    u: np.ndarray
    log_q: np.ndarray
    acceptance: np.ndarray
    shortfall: np.ndarray

    def report(self) -> dict[str, float]:
        """Return the leakage figures that a report quotes."""
        leak = 1.0 - self.acceptance
        return {
            "leakage_mean": float(leak.mean()),
            "leakage_worst": float(leak.max()),
            "events_short": int(np.sum(self.shortfall > 0)),
            "draws_short": int(self.shortfall.sum()),
        }


@one_thread()
def sample(network: nn.Module, x: np.ndarray, n_draw: int, seed: int, chunk_rows: int = CHUNK_ROWS) -> Draws:
    """Draw ``n_draw`` points of the posterior of each observation ``x`` ``(B, n_bin)``.

    Raises InputError where ``x`` does not have the network's bins or is not finite.
    """
    x = _checked(network, x)
    n_event = len(x)
    u = np.empty((n_event, n_draw, network.dim))
    log_q = np.empty((n_event, n_draw))
    acceptance, shortfall = np.empty(n_event), np.zeros(n_event, int)
    per_chunk = max(1, chunk_rows // n_draw)
    with torch.no_grad():
        for start in range(0, n_event, per_chunk):
            rows = slice(start, min(start + per_chunk, n_event))
            generators = [_generator(seed, i) for i in range(rows.start, rows.stop)]
            parts = _sample_chunk(network, torch.as_tensor(x[rows], dtype=torch.float32), n_draw, generators)
            u[rows], log_q[rows], acceptance[rows], shortfall[rows] = parts
    return Draws(u, log_q, acceptance, shortfall)


def _sample_chunk(network: nn.Module, x: Tensor, n_draw: int, generators: list[torch.Generator]) -> tuple:
    n_event = len(x)
    summary = network.summary(x)
    u, log_q = torch.zeros(n_event, n_draw, network.dim), torch.zeros(n_event, n_draw)
    have, tried, inside = (torch.zeros(n_event, dtype=torch.long) for _ in range(3))
    last = [None] * n_event
    active = torch.arange(n_event)
    for round_ in range(MAX_ROUNDS):
        if round_ == 0:
            wanted = n_draw
        else:
            rate = (inside[active] + 1.0) / (tried[active] + 2.0)
            # the events still short share one request, sized for the one that accepts least
            need = (n_draw - have[active]) / rate
            wanted = int(min(MAX_FACTOR * n_draw, 16 + 1.1 * float(need.max())))
        part = tuple(t[active] for t in summary)
        new_u, new_log_q = network.sample_given(_noise(network, wanted, [generators[i] for i in active]), part)
        ok = ((new_u >= 0.0) & (new_u <= 1.0)).all(dim=-1)
        for k, i in enumerate(active.tolist()):
            room = n_draw - int(have[i])
            kept = torch.nonzero(ok[k])[:, 0][:room]
            place = slice(int(have[i]), int(have[i]) + len(kept))
            u[i, place], log_q[i, place] = new_u[k, kept], new_log_q[k, kept]
            have[i] += len(kept)
            last[i] = (new_u[k], new_log_q[k])
        tried[active] += wanted
        inside[active] += ok.sum(dim=1)
        active = torch.nonzero(have < n_draw)[:, 0]
        if len(active) == 0:
            break
    for i in active.tolist():
        n = int(have[i])
        source, source_log_q = (u[i, :n].clone(), log_q[i, :n].clone()) if n else last[i]
        index = torch.arange(n_draw - n) % len(source)
        u[i, n:], log_q[i, n:] = torch.clamp(source[index], 0.0, 1.0), source_log_q[index]
    acceptance = inside.double() / tried
    log_q = log_q.double() - torch.log(torch.clamp(acceptance, min=1.0 / float(tried.max())))[:, None]
    return u.double().numpy(), log_q.numpy(), acceptance.numpy(), (n_draw - have).numpy()


def _noise(network: nn.Module, n: int, generators: list[torch.Generator]) -> Tensor:
    z = torch.empty(len(generators), n, network.noise_dim)
    for row, generator in zip(z, generators, strict=True):
        if network.base == "uniform":
            row.uniform_(generator=generator)
        else:
            row.normal_(generator=generator)
    return z


def _generator(seed: int, event: int) -> torch.Generator:
    return torch.Generator().manual_seed(torch_seed(seed, "sample", event))


@one_thread()
@torch.no_grad()
def log_prob(network: nn.Module, u: np.ndarray, x: np.ndarray, chunk_rows: int = CHUNK_ROWS) -> np.ndarray:
    """Return log densities in the cube ``(B, S)`` of ``u`` ``(B, S, d)`` given ``x`` ``(B, n_bin)``.

    They are those of the network: subtract the log acceptance of :class:`Draws` to renormalise for the truncation.
    """
    x = _checked(network, x)
    u = np.asarray(u)
    if u.ndim != 3 or len(u) != len(x) or u.shape[2] != network.dim:
        raise InputError(f"points {u.shape} do not fit {len(x)} observations of {network.dim} parameters: (B, S, d) needed")
    out = np.empty(u.shape[:2])
    per_chunk = max(1, chunk_rows // u.shape[1])
    for start in range(0, len(x), per_chunk):
        rows = slice(start, start + per_chunk)
        summary = network.summary(torch.as_tensor(x[rows], dtype=torch.float32))
        out[rows] = network.log_prob_given(torch.as_tensor(u[rows], dtype=torch.float32), summary).double().numpy()
    return np.where(np.all((u >= 0.0) & (u <= 1.0), axis=-1), out, -np.inf)


def log_volume(box: PriorBox, u: np.ndarray, step: float = 1e-6) -> np.ndarray:
    r"""Return :math:`\sum_i \log |du_i / d\theta_i|` ``(...)`` at ``u`` ``(..., d)``: add it for a density in theta.

    The prior's own density, by a central difference of its quantile function (exact for a uniform prior).
    """
    low, high = np.clip(u - step, 0.0, 1.0), np.clip(u + step, 0.0, 1.0)
    return np.sum(np.log((high - low) / (box.from_unit(high) - box.from_unit(low))), axis=-1)


def _checked(network: nn.Module, x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, float)
    if x.ndim != 2 or x.shape[1] != network.n_bin:
        raise InputError(f"observations of shape {x.shape}; this estimator takes (n, {network.n_bin})")
    if not np.all(np.isfinite(x)):
        row, column = np.argwhere(~np.isfinite(x))[0]
        raise InputError(f"observation {row}: bin {column} is not finite")
    return x

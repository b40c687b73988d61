"""Draws from trained estimators for many observations at once, truncated to the prior event by event.

What leaves the cube is redrawn for the events that are short, never for the whole batch; work is cut into chunks of
bounded memory.  Every event has its own random stream and asks for draws by its own acceptance alone, so that neither
chunks nor neighbours change its draws or its accounting (but for the rounding of matrix products of another size).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nuinfer.errors import InputError
from nuinfer.networks.threads import one_thread
from nuinfer.seeds import torch_seed
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
    ``acceptance`` ``(B,)``, the fraction inside of all draws made for that event, never below one of them: its log is
    what ``log_q`` was renormalised with, and callers may take it as it is; ``shortfall`` ``(B,)``, the draws that could
    not be had within the limit and were filled with repetitions of accepted ones (or, where there were none, put on the
    cube's face).
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
            wanted = torch.full((n_event,), n_draw)
        else:
            rate = (inside[active] + 1.0) / (tried[active] + 2.0)
            need = (n_draw - have[active]) / rate
            wanted = torch.clamp(16 + 1.1 * need, max=MAX_FACTOR * n_draw).long()
        part = tuple(t[active] for t in summary)
        new_u, new_log_q = network.sample_given(_noise(network, wanted, [generators[i] for i in active]), part)
        # rows are padded to the longest request: what is beyond an event's own is not a draw
        own = torch.arange(new_u.shape[1]) < wanted[:, None]
        ok = ((new_u >= 0.0) & (new_u <= 1.0)).all(dim=-1) & own
        for k, i in enumerate(active.tolist()):
            room = n_draw - int(have[i])
            kept = torch.nonzero(ok[k])[:, 0][:room]
            place = slice(int(have[i]), int(have[i]) + len(kept))
            u[i, place], log_q[i, place] = new_u[k, kept], new_log_q[k, kept]
            have[i] += len(kept)
            last[i] = (new_u[k, : wanted[k]], new_log_q[k, : wanted[k]])
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
    acceptance = torch.clamp(inside, min=1).double() / tried
    log_q = log_q.double() - torch.log(acceptance)[:, None]
    return u.double().numpy(), log_q.numpy(), acceptance.numpy(), (n_draw - have).numpy()


def _noise(network: nn.Module, wanted: Tensor, generators: list[torch.Generator]) -> Tensor:
    """Return ``(B, max(wanted), noise_dim)``; of row ``k`` the first ``wanted[k]`` are drawn, the others harmless."""
    z = torch.full((len(generators), int(wanted.max()), network.noise_dim), 0.5)
    for row, n, generator in zip(z, wanted.tolist(), generators, strict=True):
        if network.base == "uniform":
            row[:n].uniform_(generator=generator)
        else:
            row[:n].normal_(generator=generator)
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

r"""The learner that fails: a network of neutrino energy and lepton for d2sigma / du dv itself, without structure functions.

Near-detector data fix, in every bin, the one integral P = int dE Phi f over the energy.  With any r of
:math:`\int dE\,\Phi\,r = 0`, f and f + r give the same near detector and different far ones: data in two variables do not
determine a function of three (appendix A of arXiv:2412.16303).  Published: inputs E, u and v, four hidden layers of 64
LeakyReLU, one output squared, the mean square error of unit-normalised densities, Adam, the best step kept.  Here

    counts(bin) = sum_k Phi_k V_k(bin) f(E_k, u, v)^2

with V_k the phase space of a bin (du dv dE times the hat of knot k, where x <= 1), and f^2 linear between a few energies, at
which the network is evaluated.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nuinfer.closure.learned import Learned
from nuinfer.closure.mlp import initial_layers, outputs_of
from nuinfer.closure.near_data import NearProblem
from nuinfer.closure.observables import LeptonGrid
from nuinfer.closure.phase_space import hats, merged, merged_smearing, near_weights, phase_space_by_knot, training_energies
from nuinfer.closure.settings import BlackBoxSettings
from nuinfer.errors import InputError
from nuinfer.networks.schedule import one_cycle
from nuinfer.networks.threads import one_thread
from nuinfer.seeds import torch_seed

CHUNK = 65536
"""Points that go through the network at a time after training."""


@one_thread()
def fit_blackbox(
    problem: NearProblem,
    settings: BlackBoxSettings,
    seed: int,
    progress: Callable[[int, int, str], None] | None = None,
    device: str | torch.device = "cpu",
) -> Learned:
    """Train the network; the result holds counts by knot before the energy resolution.

    Curves: ``step`` ``(steps,)``, ``train_loss`` ``(1, steps)`` on the bins of the stage, ``seconds`` ``(steps,)``.  The step
    kept is the best of the last stage.  The same seed gives the same numbers on the CPU; on another
    torch ``device`` sums into bins have no order, and numbers agree to rounding.  What is returned lies on the CPU.  Raises
    InputError where a merge does not divide the grid and where the loss is not finite.
    """
    operator = problem.operator
    grid, knots = operator.grid, operator.knots_gev
    volume = phase_space_by_knot(grid, knots, operator.mass_gev)
    energies = training_energies(knots, problem.flux, settings.n_enu)
    stages = [_stage(problem, volume, energies, n) for n in settings.merge]
    mean, scale = stages[0].inputs.mean(axis=0), stages[0].inputs.std(axis=0)
    layers = initial_layers([3, *[settings.width] * settings.depth, 1], [torch_seed(seed, "black box")])
    trained = _train(layers, stages, (mean, scale), settings, progress, device)

    every = _inputs(grid, np.repeat(energies, grid.n_bins), np.tile(np.arange(grid.n_bins), energies.size))
    with torch.no_grad():
        cells = _tensor((every - mean) / scale, device).split(CHUNK)
        parts = [outputs_of(trained["layers"], c).ravel().cpu() for c in cells]
    squared = torch.cat(parts).double().square().numpy().reshape(energies.size, grid.n_bins)
    names = [f"layer{i // 2}.{'bias' if i % 2 else 'weight'}" for i in range(len(layers))]
    counts = volume * (hats(energies, knots).T @ squared)
    return Learned(
        counts=counts / (problem.flux @ counts).sum(),
        curves=trained["curves"],
        facts={
            "best_step": trained["best_step"],
            "best_loss": trained["best_loss"],
            "target_mean_square": float(np.mean(stages[-1].density ** 2)),
            "ms_per_step": 1e3 * trained["curves"]["seconds"][-1] / sum(settings.steps),
        },
        tensors={name: layer.cpu().numpy() for name, layer in zip(names, trained["layers"], strict=True)}
        | {"input_mean": mean, "input_scale": scale, "enu_gev": energies},
    )


@dataclass(frozen=True)
class _Stage:
    """Cells (energy, merged bin) within reach: ``inputs`` ``(n, 3)``, ``weight`` and ``bins`` ``(n,)``; target ``density``."""

    inputs: np.ndarray
    weight: np.ndarray
    bins: np.ndarray
    density: np.ndarray
    shape: tuple[int, int]
    smearing: np.ndarray | None


def _stage(problem: NearProblem, volume: np.ndarray, energies: np.ndarray, n: int) -> _Stage:
    grid = problem.operator.grid
    share = merged(problem.data.share, grid.shape, n)
    weight = near_weights(merged(volume, grid.shape, n), problem.flux, problem.operator.knots_gev, energies)
    where, bins = np.nonzero(weight)
    coarse = LeptonGrid(grid.n_u // n, grid.n_v // n, grid.el_max_gev)
    return _Stage(
        inputs=_inputs(coarse, energies[where], bins),
        weight=weight[where, bins] / weight.sum(),
        bins=bins,
        density=share / coarse.bin_area,
        shape=coarse.shape,
        smearing=None if problem.smearing is None else merged_smearing(problem.smearing, n),
    )


def _inputs(grid: LeptonGrid, enu_gev: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Return ln E, u, v ``(n, 3)`` at the centres of ``bins``; the logarithm, as u is that of the lepton's energy."""
    i_u, i_v = np.divmod(bins, grid.n_v)
    return np.stack([np.log(enu_gev), (i_u + 0.5) / grid.n_u, (i_v + 0.5) / grid.n_v], axis=1)


def _tensor(values: np.ndarray, device: str | torch.device) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device)


def _loss(
    stage: _Stage, standard: tuple[np.ndarray, np.ndarray], device: str | torch.device
) -> Callable[[list[Tensor]], Tensor]:
    """Return the mean square error of the density per unit (u, v) as a function of the network's layers."""
    inputs = (stage.inputs - standard[0]) / standard[1]
    inputs, weight, density = (_tensor(a, device) for a in (inputs, stage.weight, stage.density))
    bins = torch.from_numpy(stage.bins).to(device)
    smearing = None if stage.smearing is None else _tensor(stage.smearing, device)

    def loss(layers: list[Tensor]) -> Tensor:
        rate = weight * outputs_of(layers, inputs).ravel().square()
        counts = torch.zeros_like(density).index_add(0, bins, rate)
        if smearing is not None:
            counts = (smearing @ counts.reshape(stage.shape)).ravel()
        return (counts * (len(counts) / counts.sum()) - density).square().mean()

    return loss


def _train(
    layers: list[Tensor],
    stages: list[_Stage],
    standard: tuple[np.ndarray, np.ndarray],
    settings: BlackBoxSettings,
    progress: Callable[[int, int, str], None] | None,
    device: str | torch.device,
) -> dict[str, Any]:
    layers = [layer.to(device).requires_grad_() for layer in layers]
    optimiser = torch.optim.Adam(layers, lr=settings.rate, betas=(0.9, settings.beta2), fused=True)
    total = sum(settings.steps)
    losses, seconds = np.empty(total), np.empty(total)
    started, best = time.perf_counter(), {}
    for stage, steps, end in zip(stages, settings.steps, np.cumsum(settings.steps).tolist(), strict=True):
        loss_of, best = _loss(stage, standard, device), {"best_loss": np.inf}
        for step in range(end - steps, end):
            if settings.schedule == "one_cycle":
                optimiser.param_groups[0]["lr"] = one_cycle(step, total, settings.rate, warmup=0.07)
            loss = loss_of(layers)
            losses[step] = loss.item()
            if not np.isfinite(losses[step]):
                raise InputError(f"black box: the loss is not finite at step {step + 1}; lower the rate, {settings.rate:g}")
            if losses[step] < best["best_loss"]:
                copies = [layer.detach().clone() for layer in layers]
                best = {"best_loss": float(losses[step]), "best_step": step + 1, "layers": copies}
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            seconds[step] = time.perf_counter() - started
            if progress:
                progress(step + 1, total, f"steps, loss {losses[step]:.3g}")
    return best | {"curves": {"step": np.arange(1, total + 1), "train_loss": losses[None], "seconds": seconds}}

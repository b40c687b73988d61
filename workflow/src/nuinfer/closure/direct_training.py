r"""The network trained as published, evaluated at every cell (E_nu, E_l, cos theta): the slow twin of ``closure.mlp``.

Equations 5 and 6 of arXiv:2412.16303 on cells (i, b), energies evenly spaced and bins of (u, v), all at their centres and only
those with x <= 1:

.. math::
    G^a_{ib} = \Phi_i\,K_a\,\Big|\frac{\partial(E_l, \cos\theta)}{\partial(u, v)}\Big|,\qquad
    N_b = \sum_{i,a} G^a_{ib}\,\tilde W_a(x_{ib}, Q^2_{ib}),\qquad \mathcal L = \sum_b (\tilde P_b - P_b)^2\,\Delta u\,\Delta v

It serves benchmarks and tests: nothing is learned through it in the workflow.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from nuinfer.closure.envelope import envelope
from nuinfer.closure.experiment import Experiment
from nuinfer.closure.mlp import initial_layers, outputs_of
from nuinfer.closure.near_data import NearData
from nuinfer.closure.observables import LeptonGrid
from nuinfer.closure.settings import MlpSettings
from nuinfer.errors import InputError
from nuinfer.networks.schedule import one_cycle
from nuinfer.networks.threads import one_thread
from nuinfer.physics.cross_section import combination_prefactors
from nuinfer.physics.kinematics import bjorken_x, is_physical, q2_gev2
from nuinfer.seeds import torch_seed

N_ENU = 96
PIECE = 4096
"""Cells that pass through the network at a time: their hidden layers fit a core's cache, three times as fast as all at once."""
LARGEST_BYTES = 3 * 2**30
"""Of the hidden layers' values kept for the gradient; those of the cells beyond it are computed twice."""


@dataclass(frozen=True)
class DirectProblem:
    """Cells ``(n,)`` with ``inputs`` ``(n, 2)``, ``factor`` ``(n, 3)``, G times :meth:`scale`, and the bin of each.

    ``target`` ``(n_bins,)`` is the density per unit (u, v), ``smearing`` ``(n_u, n_u)`` the energy resolution or None.
    """

    grid: LeptonGrid
    x: np.ndarray
    q2_gev2: np.ndarray
    factor: Tensor
    bins: Tensor
    inputs: Tensor
    target: Tensor
    smearing: Tensor | None
    mean: np.ndarray
    width: np.ndarray
    unit: np.ndarray
    envelope: str
    mass_gev: float

    def scale(self, x: np.ndarray, q2_gev2: np.ndarray) -> np.ndarray:
        """Return what an output of one stands for, ``(3, n)``: a third of the events, shaped as the envelope."""
        return self.unit[:, None] * envelope(self.envelope, x, q2_gev2, self.mass_gev)

    def density(self, outputs: Tensor) -> Tensor:
        """Return the unit-normalised density ``(n_bins,)`` of outputs ``(n, 3)`` at the cells."""
        rate = (outputs * self.factor).sum(dim=1)
        counts = torch.zeros(self.grid.n_bins, dtype=rate.dtype).index_add(0, self.bins, rate)
        if self.smearing is not None:
            counts = (self.smearing @ counts.reshape(self.grid.shape)).ravel()
        return counts * (len(counts) / counts.sum())

    def functions(self, layers: list[Tensor], x: np.ndarray, q2_gev2: np.ndarray) -> np.ndarray:
        """Return structure functions ``(3, n)`` of a network at ``x``, ``q2_gev2`` ``(n,)``."""
        inputs = _standardised(x, q2_gev2, self.mean, self.width)
        with torch.no_grad():
            return outputs_of(layers, inputs)[0].numpy().T.astype(float) * self.scale(x, q2_gev2)


def direct_problem(
    experiment: Experiment,
    data: NearData,
    settings: MlpSettings,
    n_enu: int = N_ENU,
    smearing: np.ndarray | None = None,
) -> DirectProblem:
    """Return the problem of ``data`` on the bins of ``experiment`` and ``n_enu`` energies over its range.

    Inputs and outputs are scaled as in :mod:`nuinfer.closure.mlp`, up to the difference of the quadratures.  Raises
    InputError for data of another number of bins and where no cell is within reach.
    """
    grid = experiment.grid
    if data.share.shape != (grid.n_bins,):
        raise InputError(f"near-detector data: {data.share.size} bins, the experiment has {grid.n_bins}")
    low, high = experiment.knots_gev[[0, -1]]
    energies = low + (np.arange(n_enu) + 0.5) * (high - low) / n_enu
    u, v = (np.arange(grid.n_u) + 0.5) / grid.n_u, (np.arange(grid.n_v) + 0.5) / grid.n_v
    el, cos = np.repeat(grid.el_gev(u), grid.n_v), np.tile(grid.cos_theta(v), grid.n_u)
    jacobian = grid.jacobian(u[:, None], v).ravel()
    # Ordered by bin, so that the sum over energies runs through memory once.
    bins, i = np.nonzero(is_physical(energies, el[:, None], cos[:, None], experiment.mass_gev))
    if not bins.size:
        raise InputError(f"direct training: none of {n_enu} energies reaches a bin's centre; take more energies or bins")
    at = energies[i], el[bins], cos[bins]
    x, q2 = bjorken_x(*at, experiment.mass_gev), q2_gev2(*at)
    flux = np.interp(energies, experiment.knots_gev, experiment.near_flux)
    factor = combination_prefactors(*at, experiment.mass_gev) * (flux[i] * jacobian[bins])
    if experiment.antineutrino:
        factor[2] *= -1.0
    factor *= envelope(settings.envelope, x, q2, experiment.mass_gev)
    unit = grid.n_bins / 3.0 / np.abs(factor.sum(axis=1))
    factor *= unit[:, None]
    events = np.abs(factor).sum(axis=0)
    logarithms = np.log([x, q2])
    mean = np.average(logarithms, axis=1, weights=events)
    width = np.sqrt(np.average((logarithms - mean[:, None]) ** 2, axis=1, weights=events))
    return DirectProblem(
        grid=grid,
        x=x,
        q2_gev2=q2,
        factor=_tensor(factor.T),
        bins=torch.from_numpy(bins),
        inputs=_standardised(x, q2, mean, width),
        target=_tensor(data.share * grid.n_bins),
        smearing=None if smearing is None else _tensor(smearing),
        mean=mean,
        width=width,
        unit=unit,
        envelope=settings.envelope,
        mass_gev=experiment.mass_gev,
    )


@dataclass(frozen=True)
class DirectTrained:
    """``layers`` of the best step, ``loss`` and CPU seconds ``cpu_s`` ``(steps,)`` of every step."""

    layers: list[Tensor]
    loss: np.ndarray
    cpu_s: np.ndarray


@one_thread()
def train_direct(
    problem: DirectProblem,
    settings: MlpSettings,
    seed: int,
    steps: int | None = None,
    largest_bytes: int = LARGEST_BYTES,
    progress: Callable[[int, int, str], None] | None = None,
) -> DirectTrained:
    """Take the first ``steps`` of a training (all for None), from the start of the first member of ``fit_mlp``.

    Raises InputError where the loss is not finite.
    """
    steps = settings.steps if steps is None else steps
    layers = initial_layers([2, *[settings.width] * settings.depth, 3], [torch_seed(seed, "mlp", 0, 0)])
    layers = [layer.requires_grad_() for layer in layers]
    optimiser = torch.optim.Adam(layers, lr=settings.rate, betas=(0.9, settings.beta2))
    # A layer keeps its values before and after the nonlinearity.
    kept_cells = largest_bytes // (8 * settings.width * settings.depth)
    best, kept, losses, cpu_s = np.inf, layers, np.empty(steps), np.empty(steps)
    for step in range(steps):
        started = time.process_time()
        if settings.schedule == "one_cycle":
            optimiser.param_groups[0]["lr"] = one_cycle(step, settings.steps, settings.rate, warmup=0.07)
        loss = ((problem.density(_outputs(layers, problem.inputs, kept_cells)) - problem.target) ** 2).mean()
        losses[step] = loss.item()
        if not np.isfinite(losses[step]):
            raise InputError(f"direct training: the loss is not finite at step {step + 1}; lower the rate, {settings.rate:g}")
        if losses[step] < best:
            best, kept = losses[step], [layer.detach().clone() for layer in layers]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        cpu_s[step] = time.process_time() - started
        if progress:
            progress(step + 1, steps, f"steps, loss {losses[step]:.3g}")
    return DirectTrained(kept, losses, cpu_s)


def direct_step_seconds(problem: DirectProblem, settings: MlpSettings, n_steps: int = 3, seed: int = 0) -> np.ndarray:
    """Return the CPU seconds ``(n_steps,)`` of training steps after a first one that is left out."""
    return train_direct(problem, settings, seed, n_steps + 1).cpu_s[1:]


def _outputs(layers: list[Tensor], inputs: Tensor, kept_cells: int) -> Tensor:
    outputs = []
    for i, piece in enumerate(inputs.split(PIECE)):
        kept = (i + 1) * PIECE <= kept_cells
        outputs.append((outputs_of(layers, piece) if kept else checkpoint(outputs_of, layers, piece, use_reentrant=False))[0])
    return torch.cat(outputs)


def _standardised(x: np.ndarray, q2_gev2: np.ndarray, mean: np.ndarray, width: np.ndarray) -> Tensor:
    return _tensor((np.stack([np.log(x), np.log(q2_gev2)], axis=1) - mean) / width)


def _tensor(values: np.ndarray) -> Tensor:
    return torch.tensor(np.ascontiguousarray(values), dtype=torch.float32)

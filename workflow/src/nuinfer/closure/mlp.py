"""Structure functions as a network of (x, Q^2), trained on the near-detector density alone (arXiv:2412.16303).

The network is evaluated on the operator's mesh and folded with one sparse product: for 128 x 128 bins a step costs a
hundredth of evaluating it at every (E_nu, E_l, cos theta).  Full batch, and deterministic on the CPU.  Members of an ensemble
are trained together: they share the product's pass over the matrix (a tenth of the time) and nothing else.
"""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from nuinfer.closure.device_fold import DeviceFold, DeviceMatrix, device_matrix
from nuinfer.closure.envelope import envelope
from nuinfer.closure.learned import Learned
from nuinfer.closure.near_data import NearProblem
from nuinfer.closure.operator import columns
from nuinfer.closure.settings import MlpSettings
from nuinfer.errors import InputError
from nuinfer.networks.schedule import one_cycle
from nuinfer.networks.threads import one_thread
from nuinfer.seeds import torch_seed

SLOPE = 0.01
FAILED = 10.0
"""A member whose loss exceeds the median's this many times has failed to start, and is trained again from another start."""
RESTARTS = 3


class _Fold(torch.autograd.Function):
    """A w for a fixed sparse A, by scipy: as fast as torch's own and without a copy of the transpose."""

    @staticmethod
    def forward(ctx: object, w: Tensor, matrix: sparse.csr_matrix) -> Tensor:
        ctx.matrix = matrix
        return torch.from_numpy(matrix @ w.detach().numpy())

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None]:
        return torch.from_numpy(ctx.matrix.T @ gradient.numpy()), None


@dataclass(frozen=True)
class _Folded:
    """The problem in single precision: inputs ``(n_nodes, 2)``, scale ``(n_nodes, 3)``, matrix, resolution, target density.

    All lie on one device; the matrix is scipy's on the CPU.
    """

    inputs: Tensor
    scale: Tensor
    matrix: sparse.csr_matrix | DeviceMatrix
    smearing: Tensor | None
    shape: tuple[int, int]
    target: Tensor

    def densities(self, outputs: Tensor) -> Tensor:
        """Return unit-normalised densities ``(n_bins, n_members)`` of network outputs ``(n_members, n_nodes, 3)``."""
        w = (outputs * self.scale).permute(1, 2, 0).reshape(self.matrix.shape[1], -1)
        fold = DeviceFold if isinstance(self.matrix, DeviceMatrix) else _Fold
        counts = fold.apply(w.contiguous(), self.matrix)
        if self.smearing is not None:
            n_u, n_v = self.shape
            counts = (self.smearing @ counts.reshape(n_u, -1)).reshape(n_u * n_v, -1)
        return counts * (len(counts) / counts.sum(dim=0))


def _folded(problem: NearProblem, settings: MlpSettings, device: str | torch.device = "cpu") -> _Folded:
    mesh = problem.operator.mesh
    x, q2 = mesh.points
    matrix = problem.matrix()
    scale = envelope(settings.envelope, x, q2, problem.operator.mass_gev)
    for a in range(3):
        # An output of one gives a third of the events, so that the three start with equal weight.
        scale[a] *= len(problem.data.share) / 3.0 / abs((matrix[:, a::3] @ scale[a]).sum())
    events = np.maximum(np.abs(matrix).sum(axis=0).A1.reshape(-1, 3).T * np.abs(scale), 0).sum(axis=0)
    inputs = np.stack([np.log(x), np.log(q2)], axis=1)
    mean = np.average(inputs, axis=0, weights=events)
    width = np.sqrt(np.average((inputs - mean) ** 2, axis=0, weights=events))
    single, single_matrix = {"dtype": torch.float32, "device": device}, matrix.astype(np.float32)
    return _Folded(
        inputs=torch.tensor((inputs - mean) / width, **single),
        scale=torch.tensor(scale.T.copy(), **single),
        matrix=single_matrix if torch.device(device).type == "cpu" else device_matrix(single_matrix, device),
        smearing=None if problem.smearing is None else torch.tensor(problem.smearing, **single),
        shape=problem.operator.grid.shape,
        target=torch.tensor(problem.data.share * problem.operator.n_bins, **single)[:, None],
    )


def initial_layers(widths: list[int], seeds: list[int]) -> list[Tensor]:
    """Return weights ``(members, n_in, n_out)`` and biases ``(members, 1, n_out)`` in turn, each member of its own seed.

    PyTorch's default for linear layers: uniform within one over the square root of ``n_in``.  They are drawn on the CPU,
    whatever device trains them, so that a seed has one start.
    """
    members = []
    for seed in seeds:
        generator = torch.Generator("cpu").manual_seed(seed)
        tensors = []
        for n_in, n_out in itertools.pairwise(widths):
            for shape in ((n_in, n_out), (1, n_out)):
                tensors.append((2 * torch.rand(shape, generator=generator, device="cpu") - 1) / n_in**0.5)
        members.append(tensors)
    return [torch.stack(layer) for layer in zip(*members, strict=True)]


def outputs_of(layers: list[Tensor], inputs: Tensor) -> Tensor:
    """Return the networks' outputs ``(members, n, n_out)`` at ``inputs`` ``(n, n_in)``."""
    hidden = inputs.expand(len(layers[0]), *inputs.shape)
    for i in range(0, len(layers), 2):
        hidden = torch.baddbmm(layers[i + 1], hidden, layers[i])
        if i + 2 < len(layers):
            hidden = torch.nn.functional.leaky_relu(hidden, SLOPE)
    return hidden


@one_thread()
def fit_mlp(
    problem: NearProblem,
    settings: MlpSettings,
    seed: int,
    members: int = 1,
    progress: Callable[[int, int, str], None] | None = None,
    device: str | torch.device = "cpu",
) -> Learned:
    """Train ``members`` networks from starts of their own; the best step of each is kept.

    The density does not change when all three functions are multiplied by one number, whatever its sign: each member's are
    given the scale at which the near detector's counts sum to one, so that members can be averaged.  A
    member that failed (:data:`FAILED` among several, ``settings.failed_above`` for each) is trained again from another start,
    everything else held, at most :data:`RESTARTS` times.  Training runs on the torch ``device``; what is returned lies on the
    CPU.  Raises InputError where all of them fail.
    """
    folded = _folded(problem, settings, device)
    starts = np.ones(members, int)
    trained = _train(folded, settings, [torch_seed(seed, "mlp", i, 0) for i in range(members)], progress)
    mean_square = float((folded.target**2).mean())
    noise = problem.data.noise
    for start in range(1, RESTARTS + 1):
        for member in _failed(trained["best_loss"], noise, mean_square, settings):
            starts[member] += 1
            again = _train(folded, settings, [torch_seed(seed, "mlp", int(member), start)], progress)
            for name in ("best_loss", "best_step", "w", "loss", "snapshots"):
                trained[name][member] = again[name][0]
            for layer, new in zip(trained["layers"], again["layers"], strict=True):
                layer[member] = new[0]
    hopeless = _failed(trained["best_loss"], noise, mean_square, settings)
    if hopeless.size:
        raise InputError(
            f"mlp: member {hopeless[0]} did not converge from {RESTARTS + 1} starts (loss "
            f"{trained['best_loss'][hopeless[0]]:.3g}, of which {noise:.3g} is the data's own noise; the members' median "
            f"{np.median(trained['best_loss']):.3g}, the density's mean square {mean_square:.3g}); lower the rate, take more "
            "steps or raise 'failed_above'"
        )
    total = np.einsum("c,mc->m", np.asarray(problem.matrix().sum(axis=0)).ravel(), columns(trained["w"]))
    return Learned(
        w=trained["w"] / total[:, None, None],
        curves={
            "step": np.arange(1, settings.steps + 1),
            "train_loss": trained["loss"],
            "snapshot_step": trained["snapshot_step"],
            "snapshot_w": (trained["snapshots"] / total[:, None, None, None]).astype(np.float32),
        },
        facts={
            "best_step": (trained["best_step"] + 1).tolist(),
            "best_loss": trained["best_loss"].tolist(),
            "target_mean_square": mean_square,
            "noise": noise,
            "starts": starts.tolist(),
            "sign_before_fixing": np.sign(total).astype(int).tolist(),
            "ms_per_step": trained["ms_per_step"],
        },
        tensors={f"layer{i // 2}.{'bias' if i % 2 else 'weight'}": t.cpu().numpy() for i, t in enumerate(trained["layers"])},
    )


def _failed(losses: np.ndarray, noise: float, mean_square: float, settings: MlpSettings) -> np.ndarray:
    """Return the members that did not converge: far above the others, or above the absolute share beyond the data's noise."""
    usual = max(FAILED * np.median(losses), 1e-6 * mean_square)
    return np.flatnonzero(~(losses < min(settings.failed_above * mean_square + noise, usual)))


def _train(folded: _Folded, settings: MlpSettings, seeds: list[int], progress: Callable[[int, int, str], None] | None) -> dict:
    """Return best layers, functions ``w`` ``(members, 3, n_nodes)``, losses ``(members, steps)`` and snapshots of w."""
    layers = initial_layers([2, *[settings.width] * settings.depth, 3], seeds)
    layers = [layer.to(folded.inputs.device).requires_grad_() for layer in layers]
    optimiser = torch.optim.Adam(layers, lr=settings.rate, betas=(0.9, settings.beta2))
    best = np.full(len(seeds), np.inf)
    best_step = np.zeros(len(seeds), int)
    best_layers = [layer.detach().clone() for layer in layers]
    losses = np.empty((len(seeds), settings.steps))
    kept = np.unique(np.geomspace(1, settings.steps, settings.snapshots).astype(int)) - 1
    snapshots = []
    started = time.perf_counter()
    for step in range(settings.steps):
        if settings.schedule == "one_cycle":
            optimiser.param_groups[0]["lr"] = one_cycle(step, settings.steps, settings.rate, warmup=0.07)
        outputs = outputs_of(layers, folded.inputs)
        member_loss = ((folded.densities(outputs) - folded.target) ** 2).mean(dim=0)
        now = member_loss.detach().cpu().numpy()
        losses[:, step] = now
        better = np.flatnonzero(now < best)
        best[better], best_step[better] = now[better], step
        for layer, copy in zip(layers, best_layers, strict=True):
            copy[better] = layer.detach()[better]
        if step in kept:
            snapshots.append((outputs.detach() * folded.scale).cpu().numpy().swapaxes(1, 2))
        optimiser.zero_grad()
        # Members do not mix: the gradient of the sum is each one's own.
        member_loss.sum().backward()
        optimiser.step()
        if progress:
            progress(step + 1, settings.steps, f"steps, loss {now.min():.3g}")
    with torch.no_grad():
        w = (outputs_of(best_layers, folded.inputs) * folded.scale).cpu().numpy().swapaxes(1, 2).astype(float)
    return {
        "layers": best_layers,
        "w": w,
        "loss": losses,
        "best_loss": best,
        "best_step": best_step,
        "snapshot_step": kept + 1,
        "snapshots": np.stack(snapshots, axis=1).astype(np.float32),
        "ms_per_step": 1e3 * (time.perf_counter() - started) / settings.steps,
    }

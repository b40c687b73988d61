"""Our training loop: tensors in memory, noise drawn afresh for every batch, a decaying rate, exact resumption.

Every random number has its own stream (weights, order of the throws, training noise, validation noise), keyed by the
seed and its purpose; the loop runs on one thread, so that a seed gives one result to the last digit.

Throws stay in the host's memory and all random numbers are drawn there, whatever device the network is trained on: a GPU
sees the same batches as a CPU, and a checkpoint of the one is resumed on the other.  Single precision throughout.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from nuinfer.errors import InputError
from nuinfer.networks.schedule import one_cycle
from nuinfer.networks.threads import one_thread
from nuinfer.seeds import stream, torch_seed
from nuinfer.tuning.estimator.checkpoint import load_checkpoint, restore, save_checkpoint, state_tensors
from nuinfer.tuning.estimator.data import CURVE_NAMES, Trained, TrainingData, check_data, training_identity
from nuinfer.tuning.estimator.features import CLIP, Features, fit_features
from nuinfer.tuning.estimator.network import initial_network
from nuinfer.tuning.estimator.noise import Noise, torch_noise
from nuinfer.tuning.estimator.off_model import MAX_PAIRS, can_leave_model, off_model_pairs
from nuinfer.tuning.estimator.settings import EstimatorSettings, TrainingSettings


@one_thread()
def train(
    data: TrainingData,
    settings: EstimatorSettings,
    seed: int,
    checkpoint: Path | None = None,
    progress: Callable[[dict], None] | None = None,
    discard_stale: bool = False,
    device: str | torch.device = "cpu",
) -> Trained:
    """Train the estimator of ``settings`` on ``data``, in our loop or (without checkpoints) in sbi's.

    ``checkpoint`` is written every ``settings.training.checkpoint_s`` seconds and resumed from where it exists; it is
    left in place at the end.  ``progress`` receives a dictionary of the curves' last values after every epoch.  Weights
    of the best validation epoch are returned.  Raises InputError for bad throws, where the loss is not finite, and for a
    damaged checkpoint or one of another training; with ``discard_stale`` such a checkpoint is passed over, and
    ``progress`` receives the reason under ``note``, as it does where off-model pairs were asked for and none can be made.

    The loop runs on the torch ``device`` (sbi's on the CPU always, of which ``progress`` receives a note); the trained network
    lies on the CPU.
    """
    check_data(data)
    if settings.training.loop == "sbi":
        from nuinfer.tuning.estimator.baseline import train_baseline

        if progress and torch.device(device).type != "cpu":
            progress({"note": "sbi's own loop trains on the CPU: the GPU is not used"})
        return train_baseline(data, settings, seed)
    identity = training_identity(data, settings, seed)
    started = time.process_time()
    x, x_validation = data.fixed_observations(seed)
    fit_seed = torch_seed(seed, "weights")
    off_model = None
    if settings.network.flow == "nflows_maf":
        from nuinfer.tuning.estimator.baseline import initial_sbi_network

        network = initial_sbi_network(settings.network, data.u, x, fit_seed)
    else:
        features = fit_features(data.u, x, data.likelihood)
        off_model = _off_model(features, data, x, settings.training, seed, progress)
        network = initial_network(settings.network, features, fit_seed)
    fresh = settings.training.fresh_noise and data.likelihood is not None
    tensors = [_single(a) for a in (data.u, data.mu if fresh else x, data.u_validation, x_validation)]
    noise = torch_noise(data.likelihood if fresh else None)
    return _loop(
        network.to(device),
        tensors,
        noise,
        off_model,
        settings.training,
        seed,
        identity,
        checkpoint,
        progress,
        started,
        discard_stale,
        torch.device(device),
    )


def _loop(
    network: nn.Module,
    tensors: list[Tensor],
    noise: Noise,
    off_model: tuple[Tensor, Tensor] | None,
    settings: TrainingSettings,
    seed: int,
    identity: Mapping[str, str],
    checkpoint: Path | None,
    progress: Callable[[dict], None] | None,
    started: float,
    discard: bool,
    device: torch.device,
) -> Trained:
    u, mu = tensors[:2]
    u_validation, x_validation = (t.to(device) for t in tensors[2:])
    weights = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=settings.max_rate, weight_decay=settings.weight_decay, fused=True)
    batch = min(settings.batch_size, len(u))
    per_epoch = len(u) // batch
    total = settings.epochs * per_epoch
    n_off = round(settings.off_model_share * batch) if off_model else 0
    generator = torch.Generator("cpu").manual_seed(torch_seed(seed, "noise", "fresh"))
    curves: dict[str, list[float]] = {k: [] for k in CURVE_NAMES}
    best, best_loss, best_epoch = {}, np.inf, -1
    first_step, loss_sum, cpu_before = 0, torch.zeros((), dtype=torch.float64, device=device), 0.0
    held = _held(checkpoint, identity, progress, discard) if checkpoint else None
    if held:
        state, record = held
        best = restore(network, optimiser, state)
        generator.set_state(state["generator"])
        loss_sum = state["loss_sum"].to(device)
        curves, best_loss, best_epoch = record["curves"], record["best_loss"], record["best_epoch"]
        best_loss = np.inf if best_loss is None else best_loss
        first_step, cpu_before = record["step"], record["cpu_s"]

    saved = time.monotonic()
    order = _order(len(u), seed, first_step // per_epoch)
    for step in range(first_step, total):
        epoch, in_epoch = divmod(step, per_epoch)
        if in_epoch == 0:
            order = _order(len(u), seed, epoch)
        rows = order[in_epoch * batch : (in_epoch + 1) * batch]
        x = noise.draw(mu[rows], generator).to(device)
        loss = _batch_loss(network, u[rows].to(device), x, off_model, n_off, generator)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(weights, settings.clip_norm, foreach=True)
        rate = one_cycle(step, total, settings.max_rate, settings.warmup)
        optimiser.param_groups[0]["lr"] = rate
        optimiser.step()
        loss_sum += loss.detach()
        if in_epoch == per_epoch - 1:
            validation = mean_loss(network, u_validation, x_validation)
            cpu_s = cpu_before + time.process_time() - started
            for name, value in zip(CURVE_NAMES, (float(loss_sum) / per_epoch, validation, rate, cpu_s), strict=True):
                curves[name].append(value)
            if not np.isfinite(curves["training_loss"][-1]):
                raise InputError(f"training: loss not finite in epoch {epoch}; lower max_rate (now {settings.max_rate:g})")
            if validation < best_loss:
                best_loss, best_epoch = validation, epoch
                best = {k: v.detach().clone() for k, v in network.state_dict().items()}
            loss_sum = torch.zeros((), dtype=torch.float64, device=device)
            if progress:
                progress({"epoch": epoch + 1, "epochs": settings.epochs, **{k: v[-1] for k, v in curves.items()}})
        if checkpoint and (time.monotonic() - saved >= settings.checkpoint_s or step == total - 1):
            state = state_tensors(network, optimiser, best)
            state |= {"generator": generator.get_state(), "loss_sum": loss_sum}
            record = {"step": step + 1, "curves": curves, "best_epoch": best_epoch}
            record["best_loss"] = best_loss if np.isfinite(best_loss) else None
            record["cpu_s"] = cpu_before + time.process_time() - started
            save_checkpoint(checkpoint, state, identity, record)
            saved = time.monotonic()
    if not best:
        raise InputError(f"training: no epoch had a finite validation loss; lower max_rate (now {settings.max_rate:g})")
    network.load_state_dict(best)
    network.cpu().eval()
    cpu_s = cpu_before + time.process_time() - started
    return Trained(network, {k: np.array(v) for k, v in curves.items()}, best_epoch, cpu_s, identity)


def _off_model(
    features: Features,
    data: TrainingData,
    x: np.ndarray,
    settings: TrainingSettings,
    seed: int,
    progress: Callable[[dict], None] | None,
) -> tuple[Tensor, Tensor] | None:
    """Make the off-model pairs and fit the features' guess again, on all that the network will see."""
    if not (settings.off_model_share > 0 and settings.fresh_noise and can_leave_model(data.likelihood)):
        return None
    rng = stream(seed, "off-model")
    pairs = off_model_pairs(features, data.likelihood, data.u, data.mu, settings.off_model_reach, rng)
    if pairs is None:
        if progress:
            progress({"note": "no off-model pairs: too few throws lie within the errors (more throws would mend it)"})
        return None
    f, u = torch.clamp(pairs[0], -CLIP, CLIP), pairs[1]
    # as many as there could be pairs, however few are left: the guess must stay good where the model is
    on_model = features.directions(_single(x[:MAX_PAIRS]))
    on_model_u = _single(data.u[:MAX_PAIRS])
    features.double().fit_guess(torch.cat([f, on_model]).double(), torch.cat([u, on_model_u]).double())
    features.float()
    return f, u


def _batch_loss(
    network: nn.Module, u: Tensor, x: Tensor, off_model: tuple[Tensor, Tensor] | None, n_off: int, generator: torch.Generator
) -> Tensor:
    """Mean loss of a batch on the network's device, ``n_off`` rows of which are replaced by off-model pairs of the CPU."""
    if not n_off:
        return -network.log_prob(u, x).mean()
    pick = torch.randint(len(off_model[0]), (n_off,), generator=generator, device="cpu")
    off_f, off_u = (t[pick].to(x.device) for t in off_model)
    f = torch.cat([off_f, network.features.directions(x[n_off:])])
    return -network.log_prob_of(torch.cat([off_u, u[n_off:]]), f).mean()


def _held(checkpoint: Path, identity: Mapping[str, str], progress: Callable | None, discard: bool) -> tuple | None:
    try:
        return load_checkpoint(checkpoint, identity)
    except InputError as error:
        if not discard:
            raise
        if progress:
            progress({"note": str(error)})
        return None


@torch.no_grad()
def mean_loss(network: nn.Module, u: Tensor, x: Tensor, rows: int = 8192) -> float:
    """Return the mean negative log density in the cube of ``u`` ``(n, d)`` given ``x`` ``(n, n_bin)``."""
    network.eval()
    total = sum(float(network.log_prob(u[i : i + rows], x[i : i + rows]).double().sum()) for i in range(0, len(u), rows))
    network.train()
    return -total / len(u)


def _order(n: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator("cpu").manual_seed(torch_seed(seed, "order", epoch)), device="cpu")


def _single(array: np.ndarray) -> Tensor:
    return torch.as_tensor(np.ascontiguousarray(array), dtype=torch.float32)


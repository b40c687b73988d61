"""The published baseline: sbi's networks (nflows MAF) and sbi's own training loop, behind this package's interface."""

import contextlib
import io
import time
from collections.abc import Callable, Mapping

import numpy as np
import torch
from sbi.inference import NPE
from sbi.neural_nets import posterior_nn
from sbi.utils import BoxUniform
from torch import Tensor, nn

from nuinfer.errors import InputError
from nuinfer.networks.threads import one_thread
from nuinfer.seeds import torch_seed
from nuinfer.tuning.estimator.data import Trained, TrainingData, check_data, training_identity
from nuinfer.tuning.estimator.embedding import mlp
from nuinfer.tuning.estimator.settings import EstimatorSettings, NetworkSettings


class SbiNetwork(nn.Module):
    """An sbi ``maf`` estimator of ``u`` with the methods of :class:`~nuinfer.tuning.estimator.network.Network`."""

    base = "normal"
    n_summary = 1

    def __init__(self, estimator: nn.Module, dim: int, n_bin: int):
        super().__init__()
        self.estimator, self.dim, self.noise_dim, self.n_bin = estimator, dim, dim, n_bin

    def describe(self) -> dict:
        return {"dim": self.dim, "n_bin": self.n_bin}

    def summary(self, x: Tensor) -> tuple[Tensor]:
        return (self.estimator.net._embedding_net(x),)

    def log_prob(self, u: Tensor, x: Tensor) -> Tensor:
        return self.estimator.net.log_prob(u, context=x)

    def log_prob_given(self, u: Tensor, summary: tuple[Tensor]) -> Tensor:
        n_event, n_draw, dim = u.shape
        flow = self.estimator.net
        context = summary[0].repeat_interleave(n_draw, dim=0)
        z, log_det = flow._transform(u.reshape(-1, dim), context=context)
        return (flow._distribution.log_prob(z) + log_det).reshape(n_event, n_draw)

    def sample_given(self, z: Tensor, summary: tuple[Tensor]) -> tuple[Tensor, Tensor]:
        n_event, n_draw, dim = z.shape
        flow, flat = self.estimator.net, z.reshape(-1, dim)
        u, log_det = flow._transform.inverse(flat, context=summary[0].repeat_interleave(n_draw, dim=0))
        log_q = flow._distribution.log_prob(flat) - log_det
        return u.reshape(z.shape), log_q.reshape(n_event, n_draw)


def build_fn(settings: NetworkSettings, n_bin: int) -> Callable[[Tensor, Tensor], nn.Module]:
    """Return sbi's builder of the density estimator: ``(u, x) -> estimator``, z-scores taken from its arguments."""
    embedding = mlp(n_bin, settings.embedding, settings.activation)[:-1]
    hidden = settings.hidden[0]
    return posterior_nn("maf", hidden_features=hidden, num_transforms=settings.transforms, embedding_net=embedding)


def initial_sbi_network(settings: NetworkSettings, u: np.ndarray, x: np.ndarray, seed: int) -> SbiNetwork:
    """Build the baseline's networks with weights drawn from ``seed``, for training in our loop."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tensors = [torch.as_tensor(a, dtype=torch.float32) for a in (u, x)]
        return SbiNetwork(build_fn(settings, x.shape[1])(*tensors), u.shape[1], x.shape[1])


def build_sbi_network(settings: NetworkSettings, description: Mapping) -> SbiNetwork:
    """Build the baseline's networks for weights to be loaded; z-scores and permutations are among them."""
    generator = np.random.default_rng(0)
    u, x = (generator.random((16, description[k])) for k in ("dim", "n_bin"))
    return initial_sbi_network(settings, u, x, 0)


class _NoTracker:
    """Receives what sbi would write to a folder of its own, and drops it."""

    log_dir = None

    def __getattr__(self, name: str) -> Callable:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: None


@one_thread()
def train_baseline(data: TrainingData, settings: EstimatorSettings, seed: int, max_epochs: int | None = None) -> Trained:
    """Train with ``NPE.train()``: constant rate, fixed noise, patience, its own random split of the training throws.

    The validation throws of ``data`` are not used.  The curves' CPU seconds are sbi's epoch durations, scaled to the CPU time
    of the whole call.
    """
    check_data(data)
    if settings.training.loop != "sbi":
        raise InputError("train_baseline: settings with loop 'sbi' are needed, e.g. the named configuration 'paper'")
    x, _ = data.fixed_observations(seed)
    u, x = (torch.as_tensor(a, dtype=torch.float32) for a in (data.u, x))
    dim, n_bin = u.shape[1], x.shape[1]
    training = settings.training
    with torch.random.fork_rng(devices=[]), contextlib.redirect_stdout(io.StringIO()):
        torch.manual_seed(torch_seed(seed, "baseline"))
        prior = BoxUniform(torch.zeros(dim), torch.ones(dim))
        inference = NPE(
            prior,
            density_estimator=build_fn(settings.network, n_bin),
            tracker=_NoTracker(),
            show_progress_bars=False,
        )
        started = time.process_time()
        estimator = inference.append_simulations(u, x).train(
            training_batch_size=training.batch_size,
            learning_rate=training.max_rate,
            validation_fraction=training.validation_fraction,
            stop_after_epochs=training.patience,
            max_num_epochs=max_epochs or training.epochs,
            clip_max_norm=training.clip_norm,
        )
        cpu_s = time.process_time() - started
    validation = np.asarray(inference.summary["validation_loss"], float)
    wall = np.cumsum(inference.summary["epoch_durations_sec"])
    n = min(len(validation), len(wall))
    curves = {
        "training_loss": np.asarray(inference.summary["training_loss"], float)[:n],
        "validation_loss": validation[:n],
        "rate": np.full(n, training.max_rate),
        "cpu_s": np.asarray(wall[:n]) * cpu_s / wall[-1],
    }
    network = SbiNetwork(estimator, dim, n_bin).eval()
    return Trained(network, curves, int(np.argmin(validation[:n])), cpu_s, training_identity(data, settings, seed))



"""What a training starts from and what it gives back, whichever loop does it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from nuinfer.errors import InputError
from nuinfer.seeds import stream
from nuinfer.tuning.estimator.settings import EstimatorSettings
from nuinfer.tuning.estimator.tensors import array_hash
from nuinfer.tuning.likelihood import Likelihood

CURVE_NAMES = ("training_loss", "validation_loss", "rate", "cpu_s")


@dataclass(frozen=True)
class TrainingData:
    """Throws: ``u`` ``(n, d)`` in the cube and predictions ``mu`` ``(n, n_bin)``, split into training and validation.

    ``likelihood`` is the observation mode's noise; None says that ``mu`` holds observations with a scatter of their own.
    """

    u: np.ndarray
    mu: np.ndarray
    u_validation: np.ndarray
    mu_validation: np.ndarray
    likelihood: Likelihood | None

    def fixed_observations(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return one observation of every training and validation throw, drawn once."""
        if self.likelihood is None:
            return self.mu, self.mu_validation
        return (
            self.likelihood.sample(self.mu, stream(seed, "noise", "train")),
            self.likelihood.sample(self.mu_validation, stream(seed, "noise", "validation")),
        )

    def hash(self) -> str:
        """Return a SHA-256 of all throws and of the likelihood."""
        parts = [] if self.likelihood is None else [np.asarray(v) for v in vars(self.likelihood).values()]
        parts = [np.frombuffer(p.item().encode(), np.uint8) if p.dtype.kind == "U" else p for p in parts]
        return array_hash(self.u, self.mu, self.u_validation, self.mu_validation, *parts)


@dataclass(frozen=True)
class Trained:
    """A trained network, its curves (arrays, one value per epoch, of :data:`CURVE_NAMES`), CPU time and identity.

    The CPU time holds everything that was done for this training: fixed observations, features and the loop.
    """

    network: nn.Module
    curves: Mapping[str, np.ndarray]
    best_epoch: int
    cpu_s: float
    identity: Mapping[str, str]


def check_data(data: TrainingData) -> None:
    """Raise InputError unless the throws are finite, inside the cube, aligned, and enough to train on."""
    for split, u, mu in (("training", data.u, data.mu), ("validation", data.u_validation, data.mu_validation)):
        if u.ndim != 2 or mu.ndim != 2 or len(u) != len(mu):
            raise InputError(f"{split} throws: parameters {u.shape} and predictions {mu.shape} do not align")
        if not (np.all(np.isfinite(u)) and np.all(np.isfinite(mu))):
            row = int(np.argmin(np.isfinite(u).all(axis=1) & np.isfinite(mu).all(axis=1)))
            raise InputError(f"{split} throws: row {row} is not finite; drop it or make the throws again")
        if np.any((u < 0.0) | (u > 1.0)):
            row, column = np.argwhere((u < 0.0) | (u > 1.0))[0]
            raise InputError(f"{split} throws: row {row}, parameter {column} lies outside its prior; correct the prior")
    if len(data.u) < 100 or len(data.u_validation) < 10:
        raise InputError(f"{len(data.u)} training and {len(data.u_validation)} validation throws; 100 and 10 are needed")


def training_identity(data: TrainingData, settings: EstimatorSettings, seed: int) -> dict[str, str]:
    """Return what decides a training's result: settings (but for how often it is checkpointed), data, seed, torch."""
    entry = settings.to_json()
    entry["training"].pop("checkpoint_s")
    text = json.dumps(entry, sort_keys=True)
    return {"settings": text, "data": data.hash(), "seed": str(seed), "torch": torch.__version__}

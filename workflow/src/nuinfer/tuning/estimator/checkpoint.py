"""Training state on disk, and the refusal to resume what is not the same training."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from nuinfer.errors import InputError
from nuinfer.tuning.estimator.tensors import read_tensors, write_tensors


def state_tensors(network: nn.Module, optimiser: torch.optim.Optimizer, best: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights, optimiser moments and the best weights so far under flat names."""
    state = {f"network.{k}": v for k, v in network.state_dict().items()}
    state |= {f"best.{k}": v for k, v in best.items()}
    for i, moments in optimiser.state_dict()["state"].items():
        state |= {f"optimiser.{i}.{k}": v for k, v in moments.items()}
    return state


def restore(network: nn.Module, optimiser: torch.optim.Optimizer, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Load what :func:`state_tensors` returned into the network and the optimiser; return the best weights."""
    network.load_state_dict(_under(state, "network."))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in _under(state, "optimiser.").items():
        index, key = name.split(".", 1)
        moments.setdefault(int(index), {})[key] = value
    optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
    return _under(state, "best.")


def save_checkpoint(path: Path, state: Mapping[str, Tensor], identity: Mapping[str, str], record: Mapping) -> None:
    """Write the training state; ``identity`` is what must agree for a resumption (settings, data, seed)."""
    write_tensors(path, state, {"identity": dict(identity), **record})


def load_checkpoint(path: Path, identity: Mapping[str, str]) -> tuple[dict[str, Tensor], dict] | None:
    """Return the state and record at ``path``, or None where there is none.

    Raises InputError where the checkpoint is damaged or belongs to another training; the message names what differs.
    """
    if not path.exists():
        return None
    state, record = read_tensors(path)
    held = record.get("identity", {})
    differing = [k for k in sorted({*identity, *held}) if identity.get(k) != held.get(k)]
    if differing:
        raise InputError(
            f"{path}: checkpoint of another training (differs in {', '.join(differing)}); remove it to train afresh"
        )
    return state, record


def _under(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}

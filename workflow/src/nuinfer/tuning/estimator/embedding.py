"""The fully connected network between the features and a flow."""

from itertools import pairwise

from torch import nn

ACTIVATIONS = {"silu": nn.SiLU, "relu": nn.ReLU}


def mlp(n_in: int, widths: tuple[int, ...], activation: str) -> nn.Sequential:
    """Return linear layers ``n_in -> widths[0] -> .. -> widths[-1]``, each followed by the activation."""
    layers: list[nn.Module] = []
    for a, b in pairwise((n_in, *widths)):
        layers += [nn.Linear(a, b), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers)

"""What a learner returns: a cross section that any flux can be folded with, and how it was found."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nuinfer.closure.operator import ForwardOperator, columns
from nuinfer.errors import InputError


@dataclass(frozen=True)
class Learned:
    """A learned cross section, on the scale at which the near detector's counts sum to one (a posterior's mean: nearly).

    Either structure functions ``w`` ``(n_members, 3, n_nodes)`` on the operator's mesh, of which a Gaussian posterior has one
    member, the mean, and ``factor`` ``(n, 3, n_nodes)``: draws are mean + z @ factor with standard normal z.  Or, for a
    learner that knows no structure functions, ``counts`` ``(n_knots, n_bins)`` of a flux that is one at a single knot.
    ``curves`` hold what training left (arrays by name), ``facts`` numbers, ``tensors`` the networks.
    """

    w: np.ndarray | None = None
    factor: np.ndarray | None = None
    counts: np.ndarray | None = None
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.w is None) == (self.counts is None):
            raise InputError("a learned cross section has either structure functions or counts by energy knot")

    def counts_by_knot(self, operator: ForwardOperator, member: int | None = None) -> np.ndarray:
        """Return counts ``(n_knots, n_bins)`` of one member, or of the members' mean."""
        if self.w is None:
            return self.counts
        return operator.counts_by_knot(self.w.mean(axis=0) if member is None else self.w[member])

    def draws(self, operator: ForwardOperator, flux: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return counts ``(n, n_bins)`` for a flux at the knots: posterior draws, or every member without a posterior."""
        if self.w is None:
            return (flux @ self.counts)[None]
        matrix = operator.matrix(flux)
        mean = matrix @ columns(self.w).T
        if self.factor is None:
            return mean.T
        return mean.T + rng.standard_normal((n, len(self.factor))) @ (matrix @ columns(self.factor).T).T

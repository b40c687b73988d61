"""What the near detector gives a learner: shares of events in bins, exact or of a finite sample."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from nuinfer.closure.operator import ForwardOperator
from nuinfer.closure.smearing import smeared
from nuinfer.errors import InputError


@dataclass(frozen=True)
class NearData:
    """Shares ``share`` ``(n_bins,)`` of the events, summing to one; ``n_events`` is None for the exact expectation."""

    share: np.ndarray
    n_events: float | None

    @property
    def noise(self) -> float:
        """Mean square of the statistical error of the density, with bins of size one over their number; zero for exact data."""
        if self.n_events is None:
            return 0.0
        return self.share.size * float(1.0 - np.sum(self.share**2)) / self.n_events


@dataclass(frozen=True)
class NearProblem:
    """Near-detector data, and the operator, flux at its knots ``(n_knots,)`` and resolution to fold a model with."""

    operator: ForwardOperator
    flux: np.ndarray
    smearing: np.ndarray | None
    data: NearData

    def __post_init__(self) -> None:
        share = self.data.share
        if share.shape != (self.operator.n_bins,):
            raise InputError(f"near-detector data: {share.size} bins, the operator has {self.operator.n_bins}")

    def matrix(self) -> sparse.csr_matrix:
        """Return A of the flux, before the energy resolution."""
        return self.operator.matrix(self.flux)


def shares(counts: np.ndarray) -> np.ndarray:
    """Return ``counts`` ``(..., n)`` over their sum; raise InputError where that is not positive."""
    total = counts.sum(axis=-1, keepdims=True)
    if not np.all(np.isfinite(total)) or np.any(total <= 0):
        raise InputError("the events sum to zero or less; is the flux zero in the energy range?")
    return counts / total


def near_data(
    counts: np.ndarray,
    smearing: np.ndarray | None,
    shape: tuple[int, int],
    n_events: int | None,
    rng: np.random.Generator | None = None,
) -> NearData:
    """Return data of expected ``counts`` ``(n_bins,)``: a multinomial draw of ``n_events``, or the expectation for None.

    Equation 8 of arXiv:2412.16303.  Raises InputError for expected counts below zero or fewer than one event.
    """
    expected = shares(smeared(np.asarray(counts, float), smearing, shape))
    if np.any(expected < -1e-9 * expected.max()):
        raise InputError(
            "near-detector data: the expected counts are negative in some bins, as Callan and Gross's F1 makes them for "
            "antineutrinos; set the experiment's 'f1: spin_sum'"
        )
    expected = shares(np.maximum(expected, 0.0))
    if n_events is None:
        return NearData(expected, None)
    if n_events < 1 or rng is None:
        raise InputError(f"near-detector data: a draw needs a generator and at least one event, not {n_events}")
    return NearData(rng.multinomial(int(n_events), expected) / float(n_events), float(n_events))

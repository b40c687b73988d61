"""Thousands of resampled fits at once: event multiplicities times a table of log-densities, then each likelihood's optimum."""

import numpy as np

from nuinfer.oscillation.optimum import BLOCK, Optima, octant_optima
from nuinfer.oscillation.plane import Plane
from nuinfer.seeds import stream


def multiplicities(n_events: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return how often each event is drawn, ``(n, n_events)``: multinomial with equal chances."""
    picked = rng.integers(n_events, size=(n, n_events)) + n_events * np.arange(n)[:, None]
    return np.bincount(picked.ravel(), minlength=n * n_events).reshape(n, n_events)


def bootstrap(table: np.ndarray, plane: Plane, n: int, seed: int, *key: str | int) -> Optima:
    """Return the optima of ``n`` bootstraps of events whose log-densities are ``table`` ``(n_nodes, n_events)``.

    Resamples depend on seed and ``key`` and on their number alone: the first thousand of ten thousand are the thousand's.
    """
    # Less a common constant: sums stay small, and rounding with them.
    table = table - table.mean(axis=0)
    found = []
    for block in range(max(1, -(-n // BLOCK))):
        size = min(BLOCK, n - block * BLOCK)
        weights = multiplicities(table.shape[1], BLOCK, stream(seed, "bootstrap", *key, block))[:size]
        found.append(octant_optima(plane.coefficients(weights.astype(float) @ table.T), plane))
    names = ("sin2_theta23", "dm31_ev2", "loglike", "on_edge")
    return Optima(*(np.concatenate([getattr(o, name) for o in found]) for name in names))

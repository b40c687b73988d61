"""A mesh in (x, Q^2) on which structure functions are given, cubic in ln x and in ln Q^2 between its nodes."""

from dataclasses import dataclass

import numpy as np

from nuinfer.errors import InputError


@dataclass(frozen=True)
class Mesh:
    """Nodes ``x`` ``(n_x,)`` in (0, 1] and ``q2_gev2`` ``(n_q,)``; node number ``i_x * n_q + i_q``.

    Outside the nodes a function keeps its value on the border.
    """

    x: np.ndarray
    q2_gev2: np.ndarray

    def __post_init__(self) -> None:
        for name, nodes in (("x", self.x), ("q2_gev2", self.q2_gev2)):
            if np.ndim(nodes) != 1 or np.size(nodes) < 4 or not (nodes[0] > 0 and np.all(np.diff(nodes) > 0)):
                raise InputError(f"mesh: the nodes of {name} must be positive and increasing, at least four")

    @property
    def shape(self) -> tuple[int, int]:
        return self.x.size, self.q2_gev2.size

    @property
    def n_nodes(self) -> int:
        return self.x.size * self.q2_gev2.size

    @property
    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """x and Q^2 (GeV^2) of every node, each ``(n_nodes,)``."""
        x, q2 = np.meshgrid(self.x, self.q2_gev2, indexing="ij")
        return x.ravel(), q2.ravel()

    def weights(self, x: np.ndarray, q2_gev2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the 16 nodes ``(16, n)`` around each point and their weights, which sum to one.

        Lagrange polynomials through four nodes an axis: exact for cubics in ln x times cubics in ln Q^2.
        """
        i, wx = _lagrange(np.log(self.x), np.log(x))
        j, wq = _lagrange(np.log(self.q2_gev2), np.log(q2_gev2))
        nodes = i[:, None] * self.q2_gev2.size + j[None]
        return nodes.reshape(16, -1), (wx[:, None] * wq[None]).reshape(16, -1)

    def interpolate(self, values: np.ndarray, x: np.ndarray, q2_gev2: np.ndarray) -> np.ndarray:
        """Return functions ``values`` ``(..., n_nodes)`` at points ``(n,)``, as ``(..., n)``."""
        nodes, weights = self.weights(np.asarray(x, float), np.asarray(q2_gev2, float))
        return sum(values[..., n] * w for n, w in zip(nodes, weights, strict=True))


def _lagrange(nodes: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the four nodes around each point of ``at``, held inside the nodes' range, and their weights, each ``(4, n)``."""
    t = np.clip(at, nodes[0], nodes[-1])
    first = np.clip(np.searchsorted(nodes, t, side="right") - 2, 0, nodes.size - 4)
    index = first + np.arange(4)[:, None]
    around = nodes[index]
    weights = np.ones_like(around)
    for a in range(4):
        for b in range(4):
            if a != b:
                weights[a] *= (t - around[b]) / (around[a] - around[b])
    return index, weights


def refined_nodes(low: float, high: float, n: int, at: np.ndarray, weight: np.ndarray, share: float = 0.6) -> np.ndarray:
    """Return ``n`` nodes from ``low`` to ``high``: evenly in the logarithm, and denser where ``weight`` lies.

    ``at`` ``(m,)`` are points and ``weight`` ``(m,)`` their event weights.  A fraction ``share`` of the nodes has the density
    weight^(1/5), the rest is even: measured to be good for cubic and for linear interpolation alike.  Raises InputError for
    weights that are negative, not finite or all zero.
    """
    if not np.all(np.isfinite(weight)) or np.any(weight < 0) or not np.any(weight > 0):
        raise InputError("mesh: event weights must be finite, not negative and not all zero")
    edges = np.linspace(np.log(low), np.log(high), 201)
    inside, _ = np.histogram(np.log(np.clip(at, low, high)), bins=edges, weights=weight)
    # A running mean keeps single empty bins from opening holes.
    smooth = np.convolve(inside, np.ones(9) / 9.0, mode="same") ** 0.2
    density = share * smooth / smooth.sum() + (1.0 - share) / smooth.size
    steps = np.concatenate([[0.0], np.cumsum(density)])
    nodes = np.exp(np.interp(np.linspace(0.0, steps[-1], n), steps, edges))
    nodes[0], nodes[-1] = low, high
    return nodes

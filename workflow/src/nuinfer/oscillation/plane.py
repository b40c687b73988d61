"""The plane of the two fitted parameters, sin^2(theta_23) and dm^2_31, and functions on it as Chebyshev polynomials.

A log-likelihood is smooth on the fitted range: its values at a few hundred nodes give it everywhere, derivatives included.
What a sum over events is at the nodes it is everywhere, so that thousands of resampled likelihoods are one matrix product.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial import chebyshev

from nuinfer.errors import InputError

NODES_PER_SIN2 = 68.0
"""Nodes per unit of sin^2(theta_23), and the least number: 21 over 0.35 to 0.65, a log-likelihood of 6,200 events to 1e-6."""
NODES_PER_DM31_EV2 = 35e3
LEAST_NODES = 8


@dataclass(frozen=True)
class FitRange:
    """Range of sin^2(theta_23), symmetric about one half so that both octants have the same room, and of dm^2_31 in eV^2.

    Raises InputError for an inverted range, one outside the physical values, or octants of different size; dm^2_31 is of
    one sign, that of the ordering.
    """

    sin2_theta23: tuple[float, float]
    dm31_ev2: tuple[float, float]

    def __post_init__(self) -> None:
        low, high = self.sin2_theta23
        if not 0.0 < low < 0.5 < high < 1.0:
            raise InputError(f"range of sin2_theta23: [{low:g}, {high:g}] must lie inside 0 to 1, around one half")
        if abs(low + high - 1.0) > 1e-9:
            raise InputError(
                f"range of sin2_theta23: [{low:g}, {high:g}] gives the octants different room; give [{low:g}, {1 - low:g}] "
                f"or [{1 - high:g}, {high:g}]"
            )
        below, above = self.dm31_ev2
        if not -np.inf < below < above < np.inf or below * above <= 0:
            raise InputError(f"range of dm31_ev2: [{below:g}, {above:g}] must increase and keep one sign, that of the ordering")

    def widened(self, sin2: bool, dm31_low: bool, dm31_high: bool, by: float = 0.3) -> "FitRange":
        """Return the range with the named sides moved out by ``by`` of its width, at most half way to the physical limit."""
        (low, _), (below, above) = self.sin2_theta23, self.dm31_ev2
        if sin2:
            low = max(0.5 * low, low - by * (1.0 - 2.0 * low))
        step = by * (above - below)
        sign = 1.0 if below > 0 else -1.0
        nearest, farthest = (below, above) if sign > 0 else (-above, -below)
        move_near, move_far = (dm31_low, dm31_high) if sign > 0 else (dm31_high, dm31_low)
        nearest = max(0.5 * nearest, nearest - step) if move_near else nearest
        farthest = farthest + step if move_far else farthest
        return FitRange((low, 1.0 - low), (nearest, farthest) if sign > 0 else (-farthest, -nearest))


@dataclass(frozen=True)
class Plane:
    """Functions on ``range`` through their values at ``n_sin2`` x ``n_dm31`` Chebyshev nodes.

    Node number ``i_sin2 * n_dm31 + i_dm31``.  Values ``(..., n_nodes)`` and coefficients ``(..., n_sin2, n_dm31)``.
    """

    range: FitRange
    n_sin2: int
    n_dm31: int

    @classmethod
    def over(cls, fit_range: FitRange) -> "Plane":
        """Return a plane with as many nodes as likelihoods of the survival probability need on ``fit_range``."""
        sin2, dm31 = np.diff(fit_range.sin2_theta23)[0], np.diff(fit_range.dm31_ev2)[0]
        n_sin2, n_dm31 = int(np.ceil(NODES_PER_SIN2 * sin2)), int(np.ceil(NODES_PER_DM31_EV2 * dm31))
        return cls(fit_range, max(LEAST_NODES, n_sin2), max(LEAST_NODES, n_dm31))

    @property
    def n_nodes(self) -> int:
        return self.n_sin2 * self.n_dm31

    @property
    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Nodes of sin^2(theta_23) ``(n_sin2,)`` and of dm^2_31 in eV^2 ``(n_dm31,)``."""
        return (
            _physical(chebyshev.chebpts1(self.n_sin2), self.range.sin2_theta23),
            _physical(chebyshev.chebpts1(self.n_dm31), self.range.dm31_ev2),
        )

    @cached_property
    def _transforms(self) -> tuple[np.ndarray, np.ndarray]:
        return tuple(np.linalg.inv(chebyshev.chebvander(chebyshev.chebpts1(n), n - 1)) for n in (self.n_sin2, self.n_dm31))

    def coefficients(self, values: np.ndarray) -> np.ndarray:
        """Return the coefficients ``(..., n_sin2, n_dm31)`` of functions given at the nodes, ``(..., n_nodes)``."""
        of_sin2, of_dm31 = self._transforms
        return of_sin2 @ values.reshape(*values.shape[:-1], self.n_sin2, self.n_dm31) @ of_dm31.T

    def basis(self, sin2_theta23: np.ndarray, dm31_ev2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the polynomials of both axes at points of any shape, ``(..., n_sin2)`` and ``(..., n_dm31)``."""
        return (
            chebyshev.chebvander(_scaled(sin2_theta23, self.range.sin2_theta23), self.n_sin2 - 1),
            chebyshev.chebvander(_scaled(dm31_ev2, self.range.dm31_ev2), self.n_dm31 - 1),
        )

    def on_grid(self, coefficients: np.ndarray, sin2_theta23: np.ndarray, dm31_ev2: np.ndarray) -> np.ndarray:
        """Return functions ``(..., n_sin2, n_dm31)`` on the grid of two axes, ``(..., n_a, n_b)``."""
        of_sin2, of_dm31 = self.basis(sin2_theta23, dm31_ev2)
        return of_sin2 @ coefficients @ of_dm31.T

    def at(self, coefficients: np.ndarray, sin2_theta23: np.ndarray, dm31_ev2: np.ndarray) -> np.ndarray:
        """Return functions ``(n, n_sin2, n_dm31)``, each at its own point ``(n,)``, or one function at all of them."""
        of_sin2, of_dm31 = self.basis(sin2_theta23, dm31_ev2)
        return np.einsum("...i,...ij,...j->...", of_sin2, coefficients, of_dm31)


def _physical(z: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    return ends[0] + 0.5 * (ends[1] - ends[0]) * (z + 1.0)


def _scaled(x: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    return 2.0 * (np.asarray(x, float) - ends[0]) / (ends[1] - ends[0]) - 1.0

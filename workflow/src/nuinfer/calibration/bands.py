r"""Bands within which the empirical distribution of ``n`` uniform values stays with a stated probability.

One law serves rank fractions, credible levels and TARP levels alike: calibrated, each is uniform, and the count below
a point ``z`` is binomial.  A *pointwise* band holds at any one point; a *simultaneous* band holds at all points at
once (Säilynoja, Bürkner and Vehtari, arXiv:2103.10522): binomial quantiles at a tail probability lowered until the
whole curve stays inside with the probability asked for.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from nuinfer.errors import InputError


@dataclass(frozen=True)
class Band:
    """Limits ``lower <= curve <= upper`` at ``points``, all ``(K,)``; ``tail``: probability outside at one point."""

    points: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    tail: float

    def contains(self, curve: np.ndarray) -> np.ndarray | bool:
        """Return whether ``curve`` ``(K,)`` or each column of ``(K, d)`` lies inside at every point."""
        slack = 1e-9  # limits and curves are both counts over n, each rounded once
        limits = (self.lower, self.upper) if curve.ndim == 1 else (self.lower[:, None], self.upper[:, None])
        inside = np.all((curve >= limits[0] - slack) & (curve <= limits[1] + slack), axis=0)
        return bool(inside) if curve.ndim == 1 else inside


def pointwise_band(n: int, points: np.ndarray, probability: float = 0.95) -> Band:
    """Return the central binomial band of ``n`` uniform values at each of ``points`` ``(K,)`` on its own."""
    return _binomial_band(n, _checked(n, points, probability), 1.0 - probability)


def simultaneous_band(n: int, points: np.ndarray, probability: float = 0.95) -> Band:
    """Return the narrowest equal-tailed band that holds ``n`` uniform values at all ``points`` ``(K,)`` at once.

    The probability is exact (:func:`inside_probability`) and never below the one asked for; since counts are whole it
    may exceed it, by less than 0.001 for ``n`` in the thousands.  ``points`` ascend strictly within [0, 1]; raises
    InputError otherwise.
    """
    points = _checked(n, points, probability)
    # Bonferroni's tail certainly suffices, the pointwise tail suffices at most for a single point.
    low, high = np.log((1.0 - probability) / len(points)), np.log(1.0 - probability)
    if _holds(_binomial_band(n, points, 1.0 - probability), n, probability):
        return _binomial_band(n, points, 1.0 - probability)
    for _ in range(25):
        middle = 0.5 * (low + high)
        if _holds(_binomial_band(n, points, float(np.exp(middle))), n, probability):
            low = middle
        else:
            high = middle
    return _binomial_band(n, points, float(np.exp(low)))


def inside_probability(n: int, points: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> float:
    r"""Return the probability that counts of ``n`` uniform values below ``points`` lie in ``lower`` .. ``upper``.

    ``lower`` and ``upper`` are whole counts ``(K,)``, neither decreasing.  The counts of a Poisson process of rate
    ``n`` have independent increments, and given :math:`N(1) = n` they are those of ``n`` uniform values, so that

    .. math:: P = P(l_k \le N(z_k) \le u_k \;\forall k,\; N(1) = n) \,/\, P(N(1) = n)

    is a chain of short convolutions (the idea of Moscovich and Nadler, arXiv:1503.04363).
    """
    state, first, previous = np.ones(1), 0, 0.0
    for point, low, high in zip(points, lower.astype(int), upper.astype(int), strict=True):
        step = _poisson(np.arange(high - first + 1), n * (point - previous))
        state = np.convolve(state, step)[low - first : high - first + 1]
        first, previous = low, point
    last = _poisson(n - first - np.arange(len(state)), n * (1.0 - previous))
    return float(state @ last / _poisson(np.array([n]), float(n))[0])


def _poisson(count: np.ndarray, mean: float) -> np.ndarray:
    return np.exp(special.xlogy(count, mean) - special.gammaln(count + 1.0) - mean)


def _binomial_band(n: int, points: np.ndarray, tail: float) -> Band:
    from scipy import stats

    lower = np.maximum(stats.binom.ppf(0.5 * tail, n, points), 0.0)
    return Band(points, lower / n, stats.binom.ppf(1.0 - 0.5 * tail, n, points) / n, tail)


def _holds(band: Band, n: int, probability: float) -> bool:
    return inside_probability(n, band.points, np.rint(n * band.lower), np.rint(n * band.upper)) >= probability


def _checked(n: int, points: np.ndarray, probability: float) -> np.ndarray:
    points = np.asarray(points, float)
    if n < 1:
        raise InputError(f"band of {n} values: need at least one")
    if points.ndim != 1 or not len(points) or points[0] < 0 or points[-1] > 1 or np.any(np.diff(points) <= 0):
        raise InputError("band points (or levels): need a list that ascends strictly within [0, 1]")
    if not 0 < probability < 1:
        raise InputError(f"band probability {probability:g}: need a number between 0 and 1")
    return points

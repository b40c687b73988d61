"""The highest point of many likelihoods at once, in each octant of theta_23.

The survival probability is nearly the same for sin^2(theta_23) mirrored at 0.51: most likelihoods have two maxima.  Both are
sought, each in its own octant, from the best point of a grid, and climbed by Newton's method: no result depends on where a
search began.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial import chebyshev

from nuinfer.oscillation.plane import Plane

SCAN = (24, 64)
"""Points of the first scan over one octant's sin^2(theta_23) and over dm^2_31."""
BLOCK = 250
"""Likelihoods scanned together: memory, and a fixed size so that results do not depend on how work is cut."""
STEPS = 60
MERGED = 1e-6
"""Both octants' optima are one where the lower octant's is closer than this to maximal mixing."""
EDGE = 1e-9
"""An optimum closer than this share of the range to its end lies on it."""


@dataclass(frozen=True)
class Optima:
    """Highest points ``(n, 2)``, lower octant first: parameters, log-likelihoods and whether the fitted range cut them off.

    An octant without a maximum of its own has its highest point on maximal mixing.
    """

    sin2_theta23: np.ndarray
    dm31_ev2: np.ndarray
    loglike: np.ndarray
    on_edge: np.ndarray

    @property
    def best(self) -> "Optima":
        """The better octant's, all ``(n,)``; of equal ones the lower's."""
        return self._picked(self.loglike.argmax(axis=1))

    @property
    def merged(self) -> np.ndarray:
        """Whether there is no maximum in the lower octant but that of the upper one's side, beyond maximal mixing, ``(n,)``."""
        return self.sin2_theta23[:, 0] > 0.5 - MERGED

    @property
    def drawn(self) -> "Optima":
        """One octant's each, all ``(n,)``, with chances as their likelihoods: data hardly choose between the octants.

        Chances are even numbers between 0 and 1 that depend on an optimum's place alone.
        """
        n = len(self.loglike)
        chance = (np.arange(1, n + 1) * 0.6180339887498949) % 1.0
        upper = chance * (1.0 + np.exp(np.clip(self.loglike[:, 0] - self.loglike[:, 1], -50.0, 50.0))) < 1.0
        return self._picked(upper.astype(int))

    def _picked(self, octant: np.ndarray) -> "Optima":
        fields = (self.sin2_theta23, self.dm31_ev2, self.loglike, self.on_edge)
        return Optima(*(np.take_along_axis(f, octant[:, None], axis=1)[:, 0] for f in fields))


def octant_optima(coefficients: np.ndarray, plane: Plane) -> Optima:
    """Return the optima of log-likelihoods ``(n, n_sin2, n_dm31)`` on ``plane``."""
    found = [
        [_highest(block, *box) for box in _octants()]
        for block in np.split(coefficients, range(BLOCK, len(coefficients), BLOCK))
    ]
    z = np.concatenate([np.stack([o[0] for o in octants], axis=1) for octants in found])
    loglike = np.concatenate([np.stack([o[1] for o in octants], axis=1) for octants in found])
    (low, high), (below, above) = plane.range.sin2_theta23, plane.range.dm31_ev2
    on_edge = np.any(np.abs(z) > 1.0 - 2.0 * EDGE, axis=-1)
    return Optima(
        low + 0.5 * (high - low) * (z[..., 0] + 1.0), below + 0.5 * (above - below) * (z[..., 1] + 1.0), loglike, on_edge
    )


def _octants() -> tuple[tuple[float, float], tuple[float, float]]:
    """Ends of the octants in the scaled sin^2(theta_23): the range is symmetric about maximal mixing."""
    return (-1.0, 0.0), (0.0, 1.0)


def _highest(c: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Return scaled points ``(n, 2)`` and heights ``(n,)`` of the highest points with scaled sin^2 in [low, high].

    Close to maximal mixing an octant may hold its own maximum and the foot of the other's: both are climbed, since the scan
    is too coarse to tell which is higher.
    """
    lowest, highest = np.array([low, -1.0]), np.array([high, 1.0])
    first, second, has_second = _scan(c, lowest, highest)
    z, value = _climb(c, first, lowest, highest)
    both = np.flatnonzero(has_second)
    other, height = _climb(c[both], second[both], lowest, highest)
    better = height > value[both]
    z[both[better]], value[both[better]] = other[better], height[better]
    return z, value


def _climb(c: np.ndarray, z: np.ndarray, lowest: np.ndarray, highest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where Newton's method leads from scaled points ``z`` ``(n, 2)``, and the heights ``(n,)`` there."""
    value, slope, bend = _derivatives(c, z)
    active = np.arange(len(c))
    for _ in range(STEPS):
        step = _step(z[active], slope[active], bend[active], lowest, highest)
        trial = np.clip(z[active] + step, lowest, highest)
        new = _derivatives(c[active], trial)
        # A likelihood that got lower keeps its point and tries a shorter step towards it, which _climb_back finds.
        worse = new[0] < value[active] - 1e-12 * np.abs(value[active])
        if worse.any():
            trial[worse] = _climb_back(c[active][worse], z[active][worse], trial[worse], value[active][worse])
            again = _derivatives(c[active][worse], trial[worse])
            for whole, part in zip(new, again, strict=True):
                whole[worse] = part
        moved = np.abs(trial - z[active]).max(axis=1)
        z[active] = trial
        for whole, part in zip((value, slope, bend), new, strict=True):
            whole[active] = part
        active = active[moved > 1e-11]
        if not active.size:
            break
    return z, value


def _scan(c: np.ndarray, lowest: np.ndarray, highest: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the best points ``(n, 2)`` of the highest and of the second peak along sin^2, and whether there is a second."""
    a, b = (np.linspace(lo, hi, n) for lo, hi, n in zip(lowest, highest, SCAN, strict=True))
    heights = chebyshev.chebvander(a, c.shape[1] - 1) @ c @ chebyshev.chebvander(b, c.shape[2] - 1).T
    column = heights.argmax(axis=2)
    # The ridge's height from a parabola through three points of dm^2_31: the scan's own steps would hide shallow peaks.
    near = np.clip(column, 1, b.size - 2)[..., None] + np.arange(-1, 2)
    below, middle, above = np.moveaxis(np.take_along_axis(heights, near, axis=2), 2, 0)
    bend = 2.0 * middle - below - above
    ridge = middle + np.where(bend > 0.0, (above - below) ** 2 / (8.0 * np.where(bend > 0.0, bend, 1.0)), 0.0)
    ridge = np.where(near[..., 1] == column, ridge, heights.max(axis=2))
    around = np.pad(ridge, ((0, 0), (1, 1)), constant_values=-np.inf)
    peaks = np.where((ridge > around[:, :-2]) & (ridge >= around[:, 2:]), ridge, -np.inf)
    each = np.arange(len(c))
    starts = []
    for _ in range(2):
        row = peaks.argmax(axis=1)
        starts.append((np.stack([a[row], b[column[each, row]]], axis=1), np.isfinite(peaks[each, row])))
        peaks[each, row] = -np.inf
    return starts[0][0], starts[1][0], starts[1][1]


def _derivatives(c: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return value ``(n,)``, slope ``(n, 2)`` and second derivatives ``(n, 3)``: 00, 01, 11."""
    p, q = (_polynomials(z[:, i], c.shape[1 + i]) for i in range(2))
    rows = [np.einsum("ni,nij->nj", p[k], c) for k in range(3)]
    value = (rows[0] * q[0]).sum(axis=1)
    slope = np.stack([(rows[1] * q[0]).sum(axis=1), (rows[0] * q[1]).sum(axis=1)], axis=1)
    bend = np.stack([(rows[2] * q[0]).sum(axis=1), (rows[1] * q[1]).sum(axis=1), (rows[0] * q[2]).sum(axis=1)], axis=1)
    return value, slope, bend


def _polynomials(z: np.ndarray, n: int) -> list[np.ndarray]:
    """Return T_0 ... T_(n-1) at ``z`` and their first and second derivatives, each ``(len(z), n)``."""
    values, first = chebyshev.chebvander(z, n - 1), _derivative_matrix(n)
    return [values, values @ first, values @ first @ first]


@lru_cache
def _derivative_matrix(n: int) -> np.ndarray:
    """Return D ``(n, n)``: column j holds the coefficients of T_j's derivative."""
    matrix = np.zeros((n, n))
    matrix[: max(n - 1, 1)] = chebyshev.chebder(np.eye(n))
    return matrix


def _step(z: np.ndarray, slope: np.ndarray, bend: np.ndarray, lowest: np.ndarray, highest: np.ndarray) -> np.ndarray:
    """Return a step uphill, within a tenth of the range and the ends; a coordinate pressed against its end stays there.

    Where the function is concave it is the best step of the second-order expansion in that box, elsewhere along the slope.
    """
    held = ((z <= lowest) & (slope < 0)) | ((z >= highest) & (slope > 0))
    g = np.where(held, 0.0, slope)
    a, b, d = bend.T
    b = np.where(held.any(axis=1), 0.0, b)
    a, d = np.where(held[:, 0], -1.0, a), np.where(held[:, 1], -1.0, d)
    shortest, longest = np.maximum(lowest - z, -0.1), np.minimum(highest - z, 0.1)
    concave = (a < 0) & (a * d - b * b > 0)
    # Each coordinate by its own curvature: a single scale would crawl along sin^2(theta_23) near maximal mixing.
    size = np.stack([np.abs(a), np.abs(d)], axis=1) + np.abs(b)[:, None]
    uphill = g / np.where(size > 0, size, 1.0)
    best = np.clip(uphill, shortest, longest)
    best[concave] = _best_in_box(*(v[concave] for v in (g, a, b, d, shortest, longest)))
    return best


def _best_in_box(
    g: np.ndarray, a: np.ndarray, b: np.ndarray, d: np.ndarray, shortest: np.ndarray, longest: np.ndarray
) -> np.ndarray:
    """Return the highest points of concave g s + s H s / 2 with s in a box: Newton's step, or the best one on a side.

    Newton's step cut at the box could lead downhill, on a ridge that runs across the axes.
    """
    newton = np.stack([-(d * g[:, 0] - b * g[:, 1]), -(a * g[:, 1] - b * g[:, 0])], axis=1) / (a * d - b * b)[:, None]
    sides = [(s, np.clip(-(g[:, 1] + b * s) / d, shortest[:, 1], longest[:, 1])) for s in (shortest[:, 0], longest[:, 0])]
    sides += [(np.clip(-(g[:, 0] + b * t) / a, shortest[:, 0], longest[:, 0]), t) for t in (shortest[:, 1], longest[:, 1])]
    steps = np.stack([np.stack(side, axis=1) for side in sides])
    s, t = steps[..., 0], steps[..., 1]
    gain = g[:, 0] * s + g[:, 1] * t + 0.5 * (a * s * s + d * t * t) + b * s * t
    on_side = np.take_along_axis(steps, gain.argmax(axis=0)[None, :, None], axis=0)[0]
    inside = np.all((newton >= shortest) & (newton <= longest), axis=1)
    return np.where(inside[:, None], newton, on_side)


def _climb_back(c: np.ndarray, start: np.ndarray, trial: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Return points between ``start`` and ``trial`` that are not lower than ``start``, halving the step up to it."""
    point = trial
    for _ in range(30):
        point = np.where((_derivatives(c, point)[0] < value)[:, None], 0.5 * (start + point), point)
    return np.where((_derivatives(c, point)[0] < value)[:, None], start, point)

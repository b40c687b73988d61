"""Smooth densities of weighted samples inside a window, for curves and contours."""

import numpy as np
from scipy.ndimage import gaussian_filter


def window(samples: np.ndarray, weights: np.ndarray, tail: float = 1e-3) -> tuple[float, float]:
    """Return the interval that leaves the weight ``tail`` of ``samples`` ``(S,)`` on either side."""
    order = np.argsort(samples)
    cumulative = np.cumsum(weights[order]) / np.sum(weights)
    last = len(samples) - 1
    lo, hi = (min(int(np.searchsorted(cumulative, p)), last) for p in (tail, 1.0 - tail))
    return float(samples[order[lo]]), float(samples[order[hi]])


def density(
    samples: np.ndarray, weights: np.ndarray, limits: np.ndarray, n_cells: int
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    r"""Return cell centres, one array per axis, and the density of ``samples`` ``(S, k)`` on them.

    A histogram of ``n_cells`` per axis between ``limits`` ``(k, 2)``, smoothed by a Gaussian whose width is Scott's
    rule :math:`\sigma_i\, n_\mathrm{eff}^{-1/(k+4)}` (Scott, "Multivariate Density Estimation", 1992, eq. 6.42) with
    :math:`n_\mathrm{eff} = (\sum w)^2 / \sum w^2` and :math:`\sigma_i` the width of axis i at given values of the
    others.  The kernel is reflected at the window's edges, so that a posterior that fills its prior keeps its height
    there.
    """
    k = samples.shape[1]
    edges = [np.linspace(lo, hi, n_cells + 1) for lo, hi in limits]
    counts, _ = np.histogramdd(samples, bins=edges, weights=weights)
    n_eff = np.sum(weights) ** 2 / np.sum(weights**2)
    covariance = np.atleast_2d(np.cov(samples.T, aweights=weights)) if len(samples) > 1 else np.zeros((k, k))
    variance = np.maximum(np.diag(covariance), 1e-100)
    if k == 2:
        variance = variance * np.clip(1.0 - covariance[0, 1] ** 2 / np.prod(variance), 0.05, 1.0)
    cell = np.array([e[1] - e[0] for e in edges])
    sigma_cells = np.sqrt(variance) * n_eff ** (-1.0 / (k + 4)) / cell
    smooth = gaussian_filter(counts, np.maximum(sigma_cells, 0.8), mode="reflect")
    return tuple(0.5 * (e[1:] + e[:-1]) for e in edges), smooth / max(float(np.sum(weights) * np.prod(cell)), 1e-300)


def mass_levels(values: np.ndarray, masses: tuple[float, ...]) -> list[float]:
    """Return the ascending densities whose highest-density regions hold ``masses`` of what lies in the window."""
    ordered = np.sort(values.ravel())[::-1]
    cumulative = np.cumsum(ordered)
    levels = sorted(float(ordered[np.searchsorted(cumulative, m * cumulative[-1])]) for m in masses)
    for i in range(1, len(levels)):
        levels[i] = max(levels[i], np.nextafter(levels[i - 1], np.inf))
    return levels

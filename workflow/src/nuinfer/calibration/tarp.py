r"""Tests of accuracy with random points (Lemos, Coogan, Hezaveh and Perreault-Levasseur, arXiv:2302.03026).

Around a random reference point :math:`\theta_r` lies a ball that just holds the truth; the posterior probability in
that ball, :math:`f = P(|\theta_s - \theta_r| < |\theta - \theta_r|)`, is uniform for the exact posterior, whatever
the references.  Needs no density.  With references that ignore the observation and posteriors that are narrow, a
common *bias* shows only to second order, since references on either side push ``f`` opposite ways: the ranks are the
check for that, TARP the one for the joint width.
"""

import numpy as np

from nuinfer.calibration.coverage import coverage_curve
from nuinfer.calibration.ranks import check_samples
from nuinfer.errors import InputError

CHUNK_VALUES = 1_000_000  # numbers of one temporary array: a few MiB, so that memory stays flat and in cache


def reference_points(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return ``(n_obs, d)`` points drawn uniformly from the box that holds ``truth`` ``(n_obs, d)``."""
    return rng.uniform(truth.min(axis=0), truth.max(axis=0), size=truth.shape)


def tarp_ranks(samples: np.ndarray, truth: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Return ``(n_obs,)`` integers: how many samples lie closer to the reference than the truth does.

    Distances are Euclidean after every parameter is divided by its standard deviation over ``truth`` (none where the
    truths do not vary).  ``references`` are ``(n_obs, d)`` and must not depend on the truth.
    """
    n_obs, n_samples, d = check_samples(samples, truth)
    if references.shape != truth.shape:
        raise InputError(f"references {references.shape}: need one point per observation, {truth.shape}")
    spread = truth.std(axis=0)
    scale = 1.0 / np.where(spread > 0, spread, 1.0)
    reach = np.sum(((truth - references) * scale) ** 2, axis=1)
    ranks = np.empty(n_obs, dtype=int)
    step = max(1, CHUNK_VALUES // (n_samples * d))
    for start in range(0, n_obs, step):
        part = slice(start, start + step)
        offset = (samples[part] - references[part, None, :]) * scale
        distance = np.einsum("osd,osd->os", offset, offset)
        ranks[part] = np.count_nonzero(distance < reach[part, None], axis=1)
    return ranks


def bootstrap_curves(
    truth_levels: np.ndarray, levels: np.ndarray, rng: np.random.Generator, n_bootstrap: int = 1000
) -> np.ndarray:
    """Return ``(n_bootstrap, L)`` coverage curves of ``truth_levels`` ``(n_obs,)`` drawn anew with replacement.

    Only the counts between neighbouring ``levels`` matter, and under the bootstrap they are multinomial: one draw of
    L + 1 numbers per curve instead of n_obs.
    """
    share = np.diff(coverage_curve(truth_levels, levels), prepend=0.0, append=1.0)
    counts = rng.multinomial(len(truth_levels), np.maximum(share, 0.0) / share.sum(), size=n_bootstrap)
    return np.cumsum(counts, axis=1)[:, :-1] / len(truth_levels)


def bootstrap_band(
    truth_levels: np.ndarray,
    levels: np.ndarray,
    rng: np.random.Generator,
    n_bootstrap: int = 1000,
    probability: float = 0.95,
) -> np.ndarray:
    """Return ``(2, L)``: the pointwise central ``probability`` band of :func:`bootstrap_curves`."""
    tail = 0.5 * (1.0 - probability)
    return np.quantile(bootstrap_curves(truth_levels, levels, rng, n_bootstrap), [tail, 1.0 - tail], axis=0)

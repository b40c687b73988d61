r"""Self-normalised importance sampling: from an approximate posterior's samples to the exact posterior.

With a target :math:`p` known up to a constant and samples of a normalised proposal :math:`q`, weights
:math:`w_s = p(\theta_s)/q(\theta_s)` correct every average, their mean is the evidence :math:`Z = \int p`, and their
effective sample size :math:`(\sum w)^2 / \sum w^2` (Kong, Liu and Wong, JASA 89 (1994) 278), divided by the number of
samples, says how good a proposal :math:`q` is.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from nuinfer.errors import InputError


@dataclass(frozen=True)
class Importance:
    """Result of :func:`importance_weights`, by observation.

    weights: normalised to a sum of one, ``(n_obs, n_samples)``.
    efficiency: effective sample size over number of samples, in (0, 1], ``(n_obs,)``.
    log_evidence, log_evidence_error: natural log of the evidence and its standard error, ``(n_obs,)``.
    """

    weights: np.ndarray
    efficiency: np.ndarray
    log_evidence: np.ndarray
    log_evidence_error: np.ndarray


def importance_weights(log_target: np.ndarray, log_proposal: np.ndarray) -> Importance:
    r"""Weight samples of a proposal, log densities ``(n_obs, n_samples)``, so that they stand for the target.

    ``log_target`` may be ``-inf`` (outside the support) and need not be normalised; ``log_proposal`` must be
    normalised for the evidence to mean anything.  The evidence's error is the weights' scatter to first order,
    :math:`\sigma(\ln Z) = \sqrt{(1/e - 1)/(S - 1)}` with the efficiency :math:`e`; it is too small where ``e`` is, as
    the weights that matter may not have been drawn.  Raises InputError for NaN or infinite weights, or for an
    observation none of whose samples has any weight.
    """
    if log_target.ndim != 2 or log_target.shape != log_proposal.shape:
        raise InputError(f"log target {log_target.shape} and log proposal {log_proposal.shape}: need (n_obs, n_samples) both")
    n_samples = log_target.shape[1]
    if n_samples < 2:
        raise InputError("importance weights: need at least two samples per observation")
    with np.errstate(invalid="ignore"):
        log_w = np.asarray(log_target, float) - log_proposal
    bad = np.flatnonzero(np.isnan(log_w).any(axis=1) | np.isposinf(log_w).any(axis=1) | np.isneginf(log_w).all(axis=1))
    if bad.size:
        raise InputError(
            f"importance weights: NaN, infinite or all zero for {bad.size} observations, the first is number "
            f"{bad[0]}; target and proposal must be log densities over the same coordinates"
        )
    log_sum = special.logsumexp(log_w, axis=1)
    weights = np.exp(log_w - log_sum[:, None])
    efficiency = 1.0 / (n_samples * np.sum(weights**2, axis=1))
    error = np.sqrt(np.maximum(1.0 / efficiency - 1.0, 0.0) / (n_samples - 1))
    return Importance(weights, efficiency, log_sum - np.log(n_samples), error)


def efficiency_table(efficiency: np.ndarray) -> dict[str, float]:
    """Return median, 5 % quantile, mean and worst of ``efficiency`` ``(n_obs,)``, and which the worst is."""
    return {
        "median": float(np.median(efficiency)),
        "q05": float(np.quantile(efficiency, 0.05)),
        "mean": float(np.mean(efficiency)),
        "worst": float(np.min(efficiency)),
        "worst_observation": int(np.argmin(efficiency)),
    }


def weighted_moments(samples: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and sd ``(n_obs, d)`` of ``samples`` ``(n_obs, n_samples, d)`` under normalised ``weights``."""
    mean = np.einsum("os,osd->od", weights, samples)
    variance = np.stack(
        [np.sum(weights * (samples[:, :, j] - mean[:, None, j]) ** 2, axis=1) for j in range(samples.shape[2])], axis=1
    )
    return mean, np.sqrt(variance)


def weighted_quantiles(samples: np.ndarray, weights: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return quantiles ``(n_obs, n_probability, d)`` of weighted ``samples`` ``(n_obs, n_samples, d)``.

    ``weights`` are ``(n_obs, n_samples)`` and sum to one.  Linear between sorted samples, each placed at the middle
    of its step of the cumulative weight.
    """
    n_obs, n_samples, d = samples.shape
    probabilities = np.atleast_1d(probabilities)
    result = np.empty((n_obs, len(probabilities), d))
    rows = np.arange(n_obs)
    for j in range(d):
        order = np.argsort(samples[:, :, j], axis=1)
        value = np.take_along_axis(samples[:, :, j], order, axis=1)
        weight = np.take_along_axis(weights, order, axis=1)
        position = np.cumsum(weight, axis=1) - 0.5 * weight
        for i, probability in enumerate(probabilities):
            above = np.clip(np.count_nonzero(position < probability, axis=1), 1, n_samples - 1)
            x0, x1 = position[rows, above - 1], position[rows, above]
            slope = np.where(x1 > x0, (probability - x0) / np.where(x1 > x0, x1 - x0, 1.0), 0.0)
            y0, y1 = value[rows, above - 1], value[rows, above]
            result[:, i, j] = y0 + np.clip(slope, 0.0, 1.0) * (y1 - y0)
    return result


def resampled_indices(weights: np.ndarray, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return ``(n_draws,)`` sample numbers of one observation with ``weights`` ``(n_samples,)``, drawn systematically.

    Unweighted samples of the corrected posterior, for figures and two-sample tests; their order is shuffled.
    """
    comb = (np.arange(n_draws) + rng.random()) / n_draws
    index = np.searchsorted(np.cumsum(weights), comb, side="right")
    return rng.permutation(np.minimum(index, len(weights) - 1))

r"""Training pairs for observations that the model itself would hardly ever produce.

Measured data may lie several standard deviations from every prediction, where an estimator trained on the model's own
observations extrapolates.  The posterior is as well defined there, and where the likelihood is known it can be taught:
an observation is thrown with its noise enlarged, and its parameters are then drawn from the posterior *of the true
likelihood* by sampling-importance resampling (Rubin, Bayesian Statistics 3 (1988) 395) among the training throws, which
are draws of the prior.  Such pairs follow the conditional :math:`p(u \mid x)` that the network learns; only the
distribution of :math:`x` is another, and the minimum of the loss does not depend on it.

Resampling gives draws of the posterior only where many candidates share its weight.  For precise measurements the
posterior lies between the candidates, and the nearest would be returned whatever the posterior's width.  Pairs are
therefore dropped by the effective sample size of their weights, :math:`(\sum w)^2 / \sum w^2` (Kong, Liu and Wong,
J. Am. Stat. Assoc. 89 (1994) 278).  It depends on the observation and the candidates, not on the draw: dropping changes
the distribution of :math:`x` once more, towards smaller stretches and the middle of the prior, and leaves
:math:`p(u \mid x)` as it was.

All is done in the network's own features, a few numbers per observation that are linear in it for a Gaussian likelihood.
"""

import numpy as np
import torch
from torch import Tensor

from nuinfer.tuning.estimator.features import Features
from nuinfer.tuning.likelihood import Likelihood

MAX_CANDIDATES = 16_384
MAX_PAIRS = 20_000
CHUNK = 64
MIN_EFFECTIVE = 2.0
"""Effective candidates below which a pair is dropped: the nearest candidate alone is no draw of a posterior."""
MIN_MEDIAN_EFFECTIVE = 30.0
"""Median over all pairs below which none is used: the measurement is too precise for candidates so far apart.

The spread of a resampled posterior is off by about 1/sqrt(2 * 30) = 13 % there.  Far pairs of a measurement that passes may
have fewer: dropping all below ten was found to lower the importance efficiency at the T2K data (full covariance, 180,000
throws) from 0.84 to 0.50, as nothing was then left to learn from where the data lie.
"""
MIN_PAIRS = 1_000
"""Fewer pairs are not used at all: each would be shown so often that the network would learn it by heart."""


def can_leave_model(likelihood: Likelihood | None) -> bool:
    """Say whether off-model pairs can be made: the likelihood must be known and Gaussian."""
    return likelihood is not None and likelihood.kind in ("diagonal", "full", "norm_shape")


def off_model_pairs(
    features: Features, likelihood: Likelihood, u: np.ndarray, mu: np.ndarray, reach: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor] | None:
    """Return features ``(m, n_feature)`` of off-model observations and draws of ``u`` ``(m, d)`` of their posteriors.

    ``u`` ``(n, d)`` and ``mu`` ``(n, n_bin)`` are training throws; noise is enlarged by factors between one and
    ``reach``.  ``n`` pairs are made, at most :data:`MAX_PAIRS`, and those of fewer than :data:`MIN_EFFECTIVE` effective
    candidates dropped, mostly of large stretches; None where fewer than :data:`MIN_PAIRS` are left or the median is below
    :data:`MIN_MEDIAN_EFFECTIVE`.
    """
    matrix = features.matrix.double().numpy()
    lower, norm_rel = _reduced(likelihood, matrix)
    y = np.asarray(mu, float) @ matrix
    m = min(len(y), MAX_PAIRS)
    rows = rng.integers(len(y), size=m)
    stretch = rng.uniform(1.0, reach, size=(m, 1))
    noise = rng.standard_normal((m, y.shape[1])) @ lower.T + norm_rel * rng.standard_normal((m, 1)) * y[rows]
    f = y[rows] + stretch * noise
    candidates = rng.permutation(len(y))[:MAX_CANDIDATES]
    chosen, effective = _resample(f, y[candidates], lower, norm_rel, rng.random(m))
    keep = effective >= MIN_EFFECTIVE
    if np.median(effective) < MIN_MEDIAN_EFFECTIVE or np.sum(keep) < MIN_PAIRS:
        return None
    f, chosen = f[keep], chosen[keep]
    shifted = f - features.center.double().numpy() @ matrix
    return torch.as_tensor(shifted, dtype=torch.float32), torch.as_tensor(u[candidates[chosen]], dtype=torch.float32)


def _reduced(likelihood: Likelihood, matrix: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the Cholesky factor of the features' noise and the common relative error of the prediction."""
    root = np.diag(likelihood.sigma) if likelihood.kind == "diagonal" else likelihood.cholesky
    projected = matrix.T @ root
    return np.linalg.cholesky(projected @ projected.T), float(getattr(likelihood, "norm_rel", 0.0))


def _resample(
    f: np.ndarray, y: np.ndarray, lower: np.ndarray, norm_rel: float, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return for every observation ``f`` the index of one candidate ``y``, drawn with its likelihood's weight.

    The second array holds the effective numbers of candidates, between one and ``len(y)``.
    """
    inverse = np.linalg.inv(lower)
    a, b = (torch.as_tensor(z @ inverse.T) for z in (f, y))
    bb = (b * b).sum(dim=1)
    pull, log_det = norm_rel**2 / (1.0 + norm_rel**2 * bb), torch.log1p(norm_rel**2 * bb)
    chosen, effective = [], []
    for i in range(0, len(a), CHUNK):
        ab = a[i : i + CHUNK] @ b.T
        # the observation's own square drops out of the normalised weights
        log_w = ab - 0.5 * (bb + log_det)
        if norm_rel:
            log_w += 0.5 * pull * (ab - bb) ** 2
        weight = torch.exp((log_w - log_w.max(dim=1, keepdim=True).values).float())
        total = torch.cumsum(weight, dim=1)
        point = torch.as_tensor(v[i : i + CHUNK, None], dtype=torch.float32) * total[:, -1:]
        chosen.append(torch.searchsorted(total, point)[:, 0])
        effective.append(total[:, -1] ** 2 / (weight * weight).sum(dim=1))
    return torch.clamp(torch.cat(chosen), max=len(y) - 1).numpy(), torch.cat(effective).numpy()



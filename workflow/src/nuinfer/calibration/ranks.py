r"""Ranks of truths among posterior samples and tests of their uniformity.

Simulation-based calibration (Talts et al., arXiv:1804.06788): if :math:`\theta \sim p(\theta)`, :math:`x \sim
p(x\mid\theta)` and :math:`\theta_1 \dots \theta_S \sim p(\theta\mid x)`, then the rank
:math:`r = \#\{s: f(\theta_s) < f(\theta)\}` of any scalar :math:`f` is uniform on :math:`0 \dots S`.
"""

import numpy as np

from nuinfer.errors import InputError


def check_samples(samples: np.ndarray, truth: np.ndarray) -> tuple[int, int, int]:
    """Return ``(n_obs, n_samples, d)`` of finite ``samples`` ``(n_obs, n_samples, d)`` and ``truth`` ``(n_obs, d)``.

    Raises InputError where the shapes disagree, an axis is empty, or a value is not finite.
    """
    if samples.ndim != 3 or truth.ndim != 2 or (samples.shape[0], samples.shape[2]) != truth.shape:
        raise InputError(f"samples {samples.shape} and truth {truth.shape}: need (n_obs, n_samples, d) and (n_obs, d)")
    if 0 in samples.shape:
        raise InputError(f"samples {samples.shape}: need at least one observation, one sample and one parameter")
    for label, array in (("samples", samples), ("truth", truth)):
        finite = np.isfinite(array).reshape(len(array), -1).all(axis=1)
        if not finite.all():
            raise InputError(
                f"{label}: {np.count_nonzero(~finite)} observations hold NaN or infinity, the first is number "
                f"{np.argmin(finite)}; remove them or mend the sampler"
            )
    return samples.shape


def marginal_ranks(samples: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return ``(n_obs, d)`` integers in 0 .. n_samples: how many samples lie below each parameter's truth."""
    check_samples(samples, truth)
    return np.count_nonzero(samples < truth[:, None, :], axis=1)


def rank_fractions(ranks: np.ndarray, n_samples: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """Return probability-integral transforms in (0, 1) of ``ranks`` (any shape, integers in 0 .. n_samples).

    With ``rng`` the fraction is ``(r + U) / (n_samples + 1)``, ``U`` uniform: continuous and *exactly* uniform under
    calibration, whatever ``n_samples``, so that tests and bands for continuous variables hold without correction.
    Without it ``U`` is 1/2, a grid of n_samples + 1 values.
    """
    ranks = np.asarray(ranks)
    if ranks.size and (ranks.min() < 0 or ranks.max() > n_samples):
        raise InputError(f"ranks from {ranks.min()} to {ranks.max()} do not fit {n_samples} samples: need 0 .. {n_samples}")
    jitter = 0.5 if rng is None else rng.random(ranks.shape)
    return (ranks + jitter) / (n_samples + 1)


def ks_p_values(fractions: np.ndarray) -> np.ndarray:
    """Return ``(d,)`` exact Kolmogorov-Smirnov p-values of uniform columns of ``fractions`` ``(n_obs, d)``.

    Give it *randomised* fractions (:func:`rank_fractions` with ``rng``): bare ranks are discrete, and the test of a
    discrete law is conservative.
    """
    from scipy import stats

    return np.array([stats.kstest(column, "uniform").pvalue for column in fractions.T])


def chi2_p_values(ranks: np.ndarray, n_samples: int, n_bins: int = 20) -> np.ndarray:
    """Return ``(d,)`` p-values of Pearson's test for uniform columns of ``ranks`` ``(n_obs, d)``, 0 .. n_samples.

    ``n_bins`` bins hold (nearly) equally many rank values, each with its exact expectation.  Raises InputError where
    a bin expects fewer than five ranks: the chi-square law is then a poor approximation.
    """
    from scipy import stats

    n_bins = min(n_bins, n_samples + 1)
    edges = np.linspace(0, n_samples + 1, n_bins + 1).round().astype(int)
    expected = len(ranks) * np.diff(edges) / (n_samples + 1)
    if expected.min() < 5:
        raise InputError(
            f"chi2 rank test: {n_bins} bins of {len(ranks)} ranks expect {expected.min():.1f} each, below 5; "
            "take fewer bins or more observations"
        )
    return np.array([stats.chisquare(np.histogram(column, edges - 0.5)[0], expected).pvalue for column in ranks.T])

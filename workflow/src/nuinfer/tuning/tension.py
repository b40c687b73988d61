r"""Does what one measurement teaches describe another?  Predictive p-values between measurements.

A tune to one data set does not carry over to others of itself (arXiv:2509.22526).  Here the posterior given a measurement
``i`` predicts a measurement ``j``.  If the parameters come from the prior and both measurements from the model, then

.. math:: p(x_j \mid x_i) = \int p(x_j \mid \theta, x_i)\, p(\theta \mid x_i)\, d\theta

is the density of :math:`x_j`, so that the p-value of *any* statistic under draws from it is uniform: the data are not
used twice, unlike in a posterior-predictive p-value.  The statistic is the squared Mahalanobis distance of :math:`x_j`
from the predictive mean with the predictive covariance, by the law of total covariance

.. math:: S = E_\theta[C_{j|i}(\theta)] + \mathrm{Cov}_\theta[m_{j|i}(\theta)],

``m`` and ``C`` being the mean and covariance of :math:`x_j` given :math:`\theta` *and* :math:`x_i`, which differ from
those given :math:`\theta` alone where the measurements share errors, as two parts of one measurement do.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from scipy import linalg, special

from nuinfer.calibration.ranks import ks_p_values
from nuinfer.errors import InputError
from nuinfer.physics.binning import Binning
from nuinfer.tuning.likelihood import MEASUREMENT_LIKELIHOODS, Likelihood, constant_covariance, whiten
from nuinfer.tuning.predictive import PValue, p_value

MIN_DRAW = 100
"""Fewer draws of the posterior can tell no p-value from 0.01."""
TAILS = (0.05, 0.01)
Progress = Callable[[int, int], None]


class Measured(Protocol):
    """A measurement whose slices share errors: covariances ``total`` and ``shape`` of its bins, and the flux normalisation."""

    covariances: Mapping[str, np.ndarray]
    norm_rel: float
    binning: Binning


@dataclass(frozen=True)
class JointErrors:
    r"""Errors of two measurements: :math:`C(\theta) = \mathrm{base} + \sum (\epsilon\mu)(\epsilon\mu)^T`.

    ``base`` ``(n, n)`` is the constant covariance over the ``n_i`` bins of ``i`` and then those of ``j``.  ``norm_rel_i``
    and ``norm_rel_j`` are the relative errors of normalisations that scale the predictions: one normalisation for all
    ``n`` bins where ``shared``, otherwise one for each measurement.  Raises InputError for a base that is not a
    covariance or numbers that do not fit it.
    """

    base: np.ndarray
    n_i: int
    norm_rel_i: float = 0.0
    norm_rel_j: float = 0.0
    shared: bool = False

    def __post_init__(self) -> None:
        shape = np.shape(self.base)
        if len(shape) != 2 or shape[0] != shape[1] or not 0 < self.n_i < shape[0]:
            raise InputError(f"joint errors: base {shape} with {self.n_i} bins learned from; give (n, n) and 0 < n_i < n")
        if not np.all(np.isfinite(self.base)) or not _is_symmetric(self.base):
            raise InputError("joint errors: base holds values that are not finite or not symmetric; give a covariance")
        for name in ("norm_rel_i", "norm_rel_j"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0.0):
                raise InputError(f"joint errors: {name} is {value}; give a relative error of at least zero")

    @property
    def n_j(self) -> int:
        return len(self.base) - self.n_i

    def sample(self, mu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw one pair of observations ``(B, n)`` for every pair of predictions ``mu`` ``(B, n)``."""
        mu = np.asarray(mu, float)
        strength = rng.standard_normal((2, len(mu), 1))
        side_j = strength[0] if self.shared else strength[1]
        shift = np.concatenate(
            [self.norm_rel_i * strength[0] * mu[:, : self.n_i], self.norm_rel_j * side_j * mu[:, self.n_i :]], axis=1
        )
        return mu + shift + rng.standard_normal(mu.shape) @ self.cholesky().T

    def cholesky(self) -> np.ndarray:
        """Return the lower factor of ``base``; raise InputError where it is not positive definite."""
        try:
            return np.linalg.cholesky(self.base)
        except np.linalg.LinAlgError:
            raise InputError("joint errors: base is not positive definite; leave out bins that repeat others") from None


@dataclass(frozen=True)
class Conditional:
    r"""Law of :math:`x_j` given :math:`x_i` at ``S`` parameter points: :math:`N(m_s, LL^T + \sum_k v_{ks} v_{ks}^T)`.

    ``mean`` ``(S, n_j)``, ``cholesky`` ``(n_j, n_j)`` and ``modes`` ``(k, S, n_j)``.
    """

    mean: np.ndarray
    cholesky: np.ndarray
    modes: np.ndarray

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """Draw one observation ``(S, n_j)`` at every point."""
        noise = rng.standard_normal(self.mean.shape) @ self.cholesky.T
        strength = rng.standard_normal((*self.modes.shape[:2], 1))
        return self.mean + noise + np.sum(strength * self.modes, axis=0)

    def total_covariance(self) -> np.ndarray:
        """Return the covariance ``(n_j, n_j)`` over points and scatter, the law of total covariance."""
        flat = self.modes.reshape(-1, self.mean.shape[1])
        away = self.mean - self.mean.mean(axis=0)
        return self.cholesky @ self.cholesky.T + (flat.T @ flat + away.T @ away) / len(self.mean)


@dataclass(frozen=True)
class Tension:
    """How far ``x_j`` lies from what ``x_i`` predicts.

    ``distance`` is the squared Mahalanobis distance over ``n_bin_j`` bins and ``expected`` its mean over replicas.
    ``pulls`` ``(n_bin_j,)`` are observation minus predictive mean, over the predictive standard deviation of each bin;
    they are correlated.
    """

    p: PValue
    distance: float
    expected: float
    n_bin_j: int
    pulls: np.ndarray


def independent_errors(base_i: np.ndarray, base_j: np.ndarray, norm_rel_i: float = 0.0, norm_rel_j: float = 0.0) -> JointErrors:
    """Return the errors of two measurements that share none; covariances ``(n_i, n_i)`` and ``(n_j, n_j)``."""
    return JointErrors(linalg.block_diag(base_i, base_j), len(base_i), norm_rel_i, norm_rel_j)


def errors_within(
    kind: str, covariances: Mapping[str, np.ndarray], norm_rel: float, bins_i: np.ndarray, bins_j: np.ndarray
) -> JointErrors:
    """Return the joint errors of two sets of bins of one measurement under the likelihood ``kind``.

    ``covariances`` holds ``total`` and ``shape`` ``(n_bin, n_bin)`` and ``norm_rel`` the flux normalisation's relative
    error, as :func:`nuinfer.tuning.likelihood.measurement_likelihood` has them; ``bins_i`` and ``bins_j`` are row
    numbers.  Raises InputError for an unknown kind or a bin that stands on both sides.
    """
    bins_i, bins_j = np.asarray(bins_i, int), np.asarray(bins_j, int)
    rows = np.concatenate([bins_i, bins_j])
    if len(np.unique(rows)) != len(rows):
        raise InputError("tension: a bin is both learned from and predicted, or named twice; give disjoint sets of bins")
    if kind not in MEASUREMENT_LIKELIHOODS:
        raise InputError(f"unknown likelihood '{kind}'; known: {', '.join(MEASUREMENT_LIKELIHOODS)}")
    block = np.asarray(covariances["shape" if kind == "norm_shape" else "total"], float)[np.ix_(rows, rows)]
    if kind == "diagonal":
        block = np.diag(np.diag(block))
    norm = float(norm_rel) if kind == "norm_shape" else 0.0
    return JointErrors(block, len(bins_i), norm, norm, shared=True)


def joint_errors(
    likelihood_i: Likelihood, likelihood_j: Likelihood, binning_i: Binning, binning_j: Binning, whole: Measured | None
) -> JointErrors:
    """Return the joint errors of two tunes' likelihoods; those of two slices of ``whole`` share its covariance.

    What a likelihood adds to its measurement's variance, the simulation's statistics, is taken as independent between
    bins.  Raises InputError for likelihoods of different kinds, or of simulation statistics alone.
    """
    if likelihood_i.kind != likelihood_j.kind or likelihood_i.kind not in MEASUREMENT_LIKELIHOODS:
        raise InputError(f"tension: likelihoods '{likelihood_i.kind}' and '{likelihood_j.kind}'; give two tunes of one kind")
    own = [constant_covariance(n) for n in (likelihood_i, likelihood_j)]
    norms = [getattr(n, "norm_rel", 0.0) for n in (likelihood_i, likelihood_j)]
    if whole is None:
        return independent_errors(*own, *norms)
    bins = [b.positions_in(whole.binning) for b in (binning_i, binning_j)]
    inside = errors_within(likelihood_i.kind, whole.covariances, whole.norm_rel, *bins)
    added = np.concatenate([np.diag(c) for c in own]) - np.diag(inside.base)
    return replace(inside, base=inside.base + np.diag(np.maximum(added, 0.0)))


def conditional(mu_i: np.ndarray, mu_j: np.ndarray, x_i: np.ndarray, errors: JointErrors) -> Conditional:
    r"""Return the law of :math:`x_j` given ``x_i`` ``(n_i,)`` at predictions ``mu_i`` ``(S, n_i)``, ``mu_j`` ``(S, n_j)``.

    It is that of the joint Gaussian, :math:`m_{j|i} = \mu_j + C_{ji} C_{ii}^{-1} (x_i - \mu_i)` and :math:`C_{j|i} =
    C_{jj} - C_{ji} C_{ii}^{-1} C_{ij}`.  The normalisation is kept as a standard normal :math:`f` that adds
    :math:`f\epsilon\mu`, so that one factor :math:`L` of the base serves all points: with :math:`r = L_{ii}^{-1} (x_i -
    \mu_i)` and :math:`q = L_{ii}^{-1} \epsilon_i\mu_i`, :math:`f \mid x_i \sim N(q \cdot r / (1 + q^2), 1 / (1 + q^2))`
    (Sherman and Morrison), and :math:`L_{ji}`, :math:`L_{jj}` carry the rest over.  Raises InputError for shapes that
    do not fit or values that are not finite.
    """
    return _conditional(mu_i, mu_j, x_i, errors, errors.cholesky())


def _conditional(mu_i: np.ndarray, mu_j: np.ndarray, x_i: np.ndarray, errors: JointErrors, cholesky: np.ndarray) -> Conditional:
    mu_i, mu_j, x_i = (np.asarray(v, float) for v in (mu_i, mu_j, x_i))
    n_i = errors.n_i
    if mu_i.shape != (len(mu_j), n_i) or mu_j.shape != (len(mu_i), errors.n_j) or x_i.shape != (n_i,):
        raise InputError(
            f"tension: predictions {mu_i.shape} and {mu_j.shape}, observation {x_i.shape}; expected (S, {n_i}), "
            f"(S, {errors.n_j}) and ({n_i},)"
        )
    for name, values in (("mu_i", mu_i), ("mu_j", mu_j), ("x_i", x_i)):
        _finite(name, values)
    across, within = cholesky[n_i:, :n_i], cholesky[n_i:, n_i:]
    r = whiten(cholesky[:n_i, :n_i], x_i - mu_i)
    q = errors.norm_rel_i * whiten(cholesky[:n_i, :n_i], mu_i)
    variance = 1.0 / (1.0 + np.sum(q * q, axis=1, keepdims=True))
    norm = variance * np.sum(q * r, axis=1, keepdims=True)
    own = errors.norm_rel_j * mu_j
    known = own - q @ across.T if errors.shared else -q @ across.T
    modes = [np.sqrt(variance) * known]
    if not errors.shared:
        modes.append(own)
    return Conditional(mu_j + r @ across.T + norm * known, within, np.stack(modes))


def predictive_p_value(
    mu_i: np.ndarray, mu_j: np.ndarray, x_i: np.ndarray, x_j: np.ndarray, errors: JointErrors, rng: np.random.Generator
) -> Tension:
    """Return how well ``x_j`` ``(n_j,)`` is predicted by the posterior given ``x_i`` ``(n_i,)``.

    ``mu_i`` ``(S, n_i)`` and ``mu_j`` ``(S, n_j)`` are predictions at the same ``S`` equally weighted draws of that
    posterior, computed with the errors of ``i`` in ``errors``; all in the units of the measurements.  Each draw brings
    forth one replica, and ``p`` is their upper tail beyond the data.  The predictive mean and covariance come from the
    same draws, which moves ``p`` by the order of parameters over ``S``, well below its error.  Raises InputError for
    fewer than 100 draws, shapes that do not fit or values that are not finite.
    """
    return _p_value(mu_i, mu_j, x_i, x_j, errors, errors.cholesky(), rng)


def _p_value(
    mu_i: np.ndarray,
    mu_j: np.ndarray,
    x_i: np.ndarray,
    x_j: np.ndarray,
    errors: JointErrors,
    cholesky: np.ndarray,
    rng: np.random.Generator,
) -> Tension:
    law = _conditional(mu_i, mu_j, x_i, errors, cholesky)
    x_j = np.asarray(x_j, float)
    if len(law.mean) < MIN_DRAW:
        raise InputError(f"tension: {len(law.mean)} draws of the posterior; give at least {MIN_DRAW}")
    if x_j.shape != (errors.n_j,):
        raise InputError(f"tension: observation {x_j.shape} to be predicted; expected ({errors.n_j},)")
    _finite("x_j", x_j)
    centre, covariance = law.mean.mean(axis=0), law.total_covariance()
    factor = np.linalg.cholesky(covariance)
    observed = float(np.sum(whiten(factor, x_j - centre) ** 2))
    replicas = np.sum(whiten(factor, law.sample(rng) - centre) ** 2, axis=1)
    pulls = (x_j - centre) / np.sqrt(np.diag(covariance))
    return Tension(p_value(replicas, observed), observed, float(replicas.mean()), errors.n_j, pulls)


def p_values_batch(
    mu_i: Sequence[np.ndarray] | np.ndarray,
    mu_j: Sequence[np.ndarray] | np.ndarray,
    x_i: np.ndarray,
    x_j: np.ndarray,
    errors: JointErrors,
    rng: np.random.Generator,
    progress: Progress | None = None,
) -> np.ndarray:
    """Return the p-values ``(B,)`` of ``B`` pseudo-experiments, whose law :func:`calibration` judges.

    ``mu_i`` ``(B, S, n_i)`` and ``mu_j`` ``(B, S, n_j)``, ``x_i`` ``(B, n_i)`` and ``x_j`` ``(B, n_j)`` as in
    :func:`predictive_p_value`.  Every pseudo-experiment has its own random stream; ``progress`` is called with the number
    done and the total.  Raises InputError for lengths that differ.
    """
    n = len(x_i)
    if not n == len(x_j) == len(mu_i) == len(mu_j):
        lengths = f"{len(mu_i)}, {len(mu_j)}, {n} and {len(x_j)}"
        raise InputError(f"tension: {lengths} pseudo-experiments in mu_i, mu_j, x_i and x_j; give as many of each")
    cholesky, p = errors.cholesky(), np.empty(n)
    for b, stream in enumerate(rng.spawn(n)):
        p[b] = _p_value(mu_i[b], mu_j[b], x_i[b], x_j[b], errors, cholesky, stream).p.value
        if progress is not None:
            progress(b + 1, n)
    return p


def calibration(p_values: np.ndarray) -> dict[str, float]:
    """Judge p-values ``(B,)`` of pseudo-experiments: uniform if the prediction is honest.

    Returns ``n``, ``ks_p`` (Kolmogorov and Smirnov's p-value of uniformity), and for the levels 0.05 and 0.01
    ``below_0.05`` and the like, the fraction below, with ``below_0.05_error``, the binomial error of a calibrated one.
    Raises InputError for anything but numbers in [0, 1].
    """
    p = np.asarray(p_values, float)
    if p.ndim != 1 or not p.size or not np.all((p >= 0.0) & (p <= 1.0)):
        raise InputError(f"calibration of p-values: shape {p.shape} or values outside [0, 1]; give one row of p-values")
    result = {"n": int(p.size), "ks_p": float(ks_p_values(p[:, None])[0])}
    for tail in TAILS:
        result[f"below_{tail:g}"] = float(np.mean(p < tail))
        result[f"below_{tail:g}_error"] = float(np.sqrt(tail * (1.0 - tail) / p.size))
    return result


def equivalent_sigma(p: np.ndarray | float) -> np.ndarray:
    """Return how many standard deviations of a normal leave ``p`` outside, both sides counted: 0.0455 is 2."""
    return -special.ndtri(0.5 * np.asarray(p, float))


def _is_symmetric(matrix: np.ndarray) -> bool:
    """Rounding is judged against the two bins' own errors: bins differ by orders of magnitude."""
    sigma = np.sqrt(np.abs(np.diag(matrix)))
    return bool(np.all(np.abs(matrix - np.transpose(matrix)) <= 1e-8 * np.outer(sigma, sigma)))


def _finite(name: str, values: np.ndarray) -> None:
    if not np.all(np.isfinite(values)):
        raise InputError(f"tension: {name} holds values that are not finite; drop those draws or bins first")

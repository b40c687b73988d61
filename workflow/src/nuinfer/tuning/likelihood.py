r"""What a measurement or a finite simulation makes of a prediction: densities :math:`p(x \mid \mu)` that can be drawn from.

``mu`` is a prediction and ``x`` an observation, both flux-averaged densities per bin in 1e-38 cm^2 / nucleon / GeV.
Each treatment is a choice of the configuration, not a fork of the code:

``poisson``
    the statistics of a simulated sample, :math:`x_i = w_i\,\mathrm{Poisson}(\mu_i / w_i)`, ``w_i`` the density that one
    event stands for;
``diagonal``
    the measurement's total errors without correlations (the MicroBooNE tune's choice, arXiv:2110.14028);
``full``
    the whole covariance, whose flux normalisation pulls a fit low (Peelle's pertinent puzzle);
``norm_shape``
    the flux normalisation as a parameter of its own that scales the *prediction*, :math:`x \sim N(f\mu, C_\mathrm{shape})`
    with :math:`f \sim N(1, \epsilon^2)`, integrated out in closed form: :math:`x \sim N(\mu, C_\mathrm{shape} +
    \epsilon^2 \mu\mu^T)`.  Scaling the prediction and not the data is what avoids the puzzle (D'Agostini,
    NIM A 346 (1994) 306).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy import linalg, special

from nuinfer.errors import InputError

LOG_2PI = float(np.log(2 * np.pi))


class Likelihood(Protocol):
    """Density of an observation given a prediction; ``x`` and ``mu`` broadcast, ``(..., n_bin)``."""

    kind: str

    def log_prob(self, x: np.ndarray, mu: np.ndarray) -> np.ndarray:
        """Return the normalised log density (a log probability for counts) of ``x`` given ``mu``, shape ``(...)``."""

    def chi2(self, x: np.ndarray, mu: np.ndarray) -> np.ndarray:
        """Return the distance of ``x`` from ``mu`` that is chi-square distributed at the truth, shape ``(...)``."""

    def sample(self, mu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw one observation for every prediction ``(n, n_bin)``."""

    def residual(self, x: np.ndarray, mu: np.ndarray) -> np.ndarray:
        """Return whitened residuals ``(..., n_bin)`` whose squares sum to :meth:`chi2`."""

    def bin_sigma(self, mu: np.ndarray) -> np.ndarray:
        """Return the standard deviation of every bin ``(..., n_bin)`` at the prediction ``mu``."""


@dataclass(frozen=True)
class PoissonLikelihood:
    """Simulation statistics: ``per_event`` ``(n_bin,)`` is the density that one event adds to its bin."""

    per_event: np.ndarray
    kind: str = field(default="poisson", init=False)

    def log_prob(self, x: np.ndarray, mu: np.ndarray) -> np.ndarray:
        n = np.asarray(x) / self.per_event
        expected = np.asarray(mu) / self.per_event
        # A fitted response may be negative somewhere: no number of events is possible there.
        impossible = np.any(expected < 0, axis=-1)
        expected = np.where(expected < 0, 0.0, expected)
        value = np.sum(special.xlogy(n, expected) - expected - special.gammaln(n + 1.0), axis=-1)
        return np.where(impossible, -np.inf, value)

    def chi2(self, x: np.ndarray, mu: np.ndarray) -> np.ndarray:
        """Return the Poisson deviance (Baker and Cousins, NIM 221 (1984) 437)."""
        return np.sum(self.residual(x, mu) ** 2, axis=-1)

    def sample(self, mu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return rng.poisson(np.asarray(mu) / self.per_event) * self.per_event

    def residual(self, x: np.ndarray, mu: np.ndarray) -> np.ndarray:
        n = np.asarray(x) / self.per_event
        expected = np.asarray(mu) / self.per_event
        deviance = 2.0 * (expected - n + special.xlogy(n, n) - special.xlogy(n, expected))
        return np.sign(n - expected) * np.sqrt(np.maximum(deviance, 0.0))

    def bin_sigma(self, mu: np.ndarray) -> np.ndarray:
        return np.sqrt(np.asarray(mu) * self.per_event)


@dataclass(frozen=True)
class DiagonalLikelihood:
    """Independent Gaussian errors ``sigma`` ``(n_bin,)``."""

    sigma: np.ndarray
    kind: str = field(default="diagonal", init=False)

    def log_prob(self, x: np.ndarray, mu: np.ndarray) -> np.ndarray:
        return -0.5 * self.chi2(x, mu) - np.sum(np.log(self.sigma)) - 0.5 * self.sigma.size * LOG_2PI

    def chi2(self, x: np.ndarray, mu: np.ndarray) -> np.ndarray:
        return np.sum(self.residual(x, mu) ** 2, axis=-1)

    def sample(self, mu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return mu + rng.standard_normal(np.shape(mu)) * self.sigma

    def residual(self, x: np.ndarray, mu: np.ndarray) -> np.ndarray:
        return (np.asarray(x) - mu) / self.sigma

    def bin_sigma(self, mu: np.ndarray) -> np.ndarray:
        return np.broadcast_to(self.sigma, np.shape(mu))


@dataclass(frozen=True)
class FullLikelihood:
    """Correlated Gaussian errors; ``cholesky`` ``(n_bin, n_bin)`` is the covariance's lower factor."""

    cholesky: np.ndarray
    kind: str = field(default="full", init=False)

    def log_prob(self, x: np.ndarray, mu: np.ndarray) -> np.ndarray:
        log_det = np.sum(np.log(np.diag(self.cholesky)))
        return -0.5 * self.chi2(x, mu) - log_det - 0.5 * len(self.cholesky) * LOG_2PI

    def chi2(self, x: np.ndarray, mu: np.ndarray) -> np.ndarray:
        return np.sum(self.residual(x, mu) ** 2, axis=-1)

    def sample(self, mu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return mu + rng.standard_normal(np.shape(mu)) @ self.cholesky.T

    def residual(self, x: np.ndarray, mu: np.ndarray) -> np.ndarray:
        return whiten(self.cholesky, np.asarray(x) - mu)

    def bin_sigma(self, mu: np.ndarray) -> np.ndarray:
        return np.broadcast_to(np.sqrt(np.sum(self.cholesky**2, axis=1)), np.shape(mu))


@dataclass(frozen=True)
class NormShapeLikelihood:
    """Correlated shape errors and a common relative normalisation error ``norm_rel`` of the prediction."""

    cholesky: np.ndarray
    norm_rel: float
    kind: str = field(default="norm_shape", init=False)

    def _parts(self, x: np.ndarray, mu: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        r = whiten(self.cholesky, np.asarray(x) - mu)
        m = self.norm_rel * whiten(self.cholesky, np.asarray(mu))
        r, m = np.broadcast_arrays(r, m)
        return r, m, np.sum(m * m, axis=-1)

    def log_prob(self, x: np.ndarray, mu: np.ndarray) -> np.ndarray:
        r, m, mm = self._parts(x, mu)
        chi2 = np.sum(r * r, axis=-1) - np.sum(r * m, axis=-1) ** 2 / (1.0 + mm)
        log_det = np.sum(np.log(np.diag(self.cholesky))) + 0.5 * np.log1p(mm)
        return -0.5 * chi2 - log_det - 0.5 * len(self.cholesky) * LOG_2PI

    def chi2(self, x: np.ndarray, mu: np.ndarray) -> np.ndarray:
        r, m, mm = self._parts(x, mu)
        return np.sum(r * r, axis=-1) - np.sum(r * m, axis=-1) ** 2 / (1.0 + mm)

    def sample(self, mu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        mu = np.asarray(mu)
        scale = 1.0 + self.norm_rel * rng.standard_normal((*mu.shape[:-1], 1))
        return scale * mu + rng.standard_normal(mu.shape) @ self.cholesky.T

    def residual(self, x: np.ndarray, mu: np.ndarray) -> np.ndarray:
        """Whiten with the symmetric root of :math:`(1 + mm^T)^{-1}`, ``m`` the whitened normalisation direction."""
        r, m, mm = self._parts(x, mu)
        shrink = (1.0 - 1.0 / np.sqrt(1.0 + mm)) / np.where(mm > 0, mm, 1.0)
        return r - (shrink * np.sum(r * m, axis=-1))[..., None] * m

    def bin_sigma(self, mu: np.ndarray) -> np.ndarray:
        return np.sqrt(np.sum(self.cholesky**2, axis=1) + (self.norm_rel * np.asarray(mu)) ** 2)


def whiten(cholesky: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Return ``L^{-1} r`` for residuals ``(..., n_bin)``."""
    flat = residual.reshape(-1, residual.shape[-1])
    return linalg.solve_triangular(cholesky, flat.T, lower=True, check_finite=False).T.reshape(residual.shape)


def constant_covariance(likelihood: Likelihood) -> np.ndarray:
    """Return the part ``(n_bin, n_bin)`` of a measurement's covariance that does not follow the prediction."""
    if isinstance(likelihood, DiagonalLikelihood):
        return np.diag(likelihood.sigma**2)
    if isinstance(likelihood, (FullLikelihood, NormShapeLikelihood)):
        return likelihood.cholesky @ likelihood.cholesky.T
    raise InputError(f"the likelihood '{likelihood.kind}' has no covariance; known: {', '.join(MEASUREMENT_LIKELIHOODS)}")


MEASUREMENT_LIKELIHOODS = ("diagonal", "full", "norm_shape")


def measurement_likelihood(kind: str, covariances: Mapping[str, np.ndarray], norm_rel: float) -> Likelihood:
    """Build the likelihood ``kind`` of a measurement.

    ``covariances`` holds ``total`` and ``shape`` (all but the flux normalisation), each ``(n_bin, n_bin)`` in
    (1e-38 cm^2 / nucleon / GeV)^2; ``norm_rel`` is the relative flux-normalisation error.
    """
    if kind == "diagonal":
        return DiagonalLikelihood(np.sqrt(np.diag(covariances["total"])))
    if kind == "full":
        return FullLikelihood(np.linalg.cholesky(covariances["total"]))
    if kind == "norm_shape":
        return NormShapeLikelihood(np.linalg.cholesky(covariances["shape"]), float(norm_rel))
    raise InputError(f"unknown likelihood '{kind}'; known: {', '.join(MEASUREMENT_LIKELIHOODS)}")

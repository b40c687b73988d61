"""Responses with closed answers: linear in the parameters, and a curved one in one dimension."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from nuinfer.tuning.exact import ExactPosterior
from nuinfer.tuning.likelihood import DiagonalLikelihood, Likelihood
from nuinfer.tuning.priors import PriorBox, prior_box

RANGES = {"ma_ccqe_gev": (0.9, 1.4), "norm_ccmec": (1.0, 3.0), "shape_ccmec": (0.0, 1.0), "rpa_strength": (0.0, 1.0)}


def box_of(dim: int) -> PriorBox:
    names = list(RANGES)[:dim]
    return prior_box({n: {"prior": "uniform", "low": RANGES[n][0], "high": RANGES[n][1]} for n in names})


@dataclass(frozen=True)
class LinearResponse:
    """``mu = 2 + A theta + curvature (sum theta)^2`` with a fixed random matrix ``A`` ``(n_bin, d)``."""

    matrix: np.ndarray
    curvature: float = 0.0

    def predict(self, theta: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
        del names
        return 2.0 + theta @ self.matrix.T + self.curvature * np.sum(theta, axis=1, keepdims=True) ** 2


def linear_posterior(dim: int, sigma: float, curvature: float = 0.0, likelihood: Likelihood | None = None) -> ExactPosterior:
    matrix = np.random.default_rng(7).uniform(-1.0, 1.0, (8, dim))
    return ExactPosterior(likelihood or DiagonalLikelihood(np.full(8, sigma)), LinearResponse(matrix, curvature), box_of(dim))


def closed_form(posterior: ExactPosterior, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return mean, covariance and log evidence in ``u`` of a linear response whose posterior lies inside the cube.

    The evidence is the Gaussian integral over all of space, hence the integral over the cube to the accuracy to which
    the posterior is inside it.
    """
    d = posterior.dim
    origin = posterior.predict_u(np.zeros((1, d)))[0]
    slope = (posterior.predict_u(np.eye(d)) - origin).T
    noise = np.diag(posterior.likelihood.sigma**2)
    precision = slope.T @ np.linalg.solve(noise, slope)
    covariance = np.linalg.inv(precision)
    mean = covariance @ slope.T @ np.linalg.solve(noise, x - origin)
    peak = stats.multivariate_normal(origin + slope @ mean, noise).logpdf(x)
    return mean, covariance, float(peak + 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1])


def grid_posterior(posterior: ExactPosterior, x: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Return mean, sd and log evidence by midpoint quadrature with ``n`` points a dimension."""
    axis = (np.arange(n) + 0.5) / n
    points = np.stack(np.meshgrid(*[axis] * posterior.dim, indexing="ij"), axis=-1).reshape(-1, posterior.dim)
    log_p = posterior.log_prob_u(points, x)
    p = np.exp(log_p - log_p.max())
    mean = p @ points / p.sum()
    return mean, np.sqrt(p @ (points - mean) ** 2 / p.sum()), float(log_p.max() + np.log(np.mean(p)))

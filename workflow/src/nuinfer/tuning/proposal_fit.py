r"""Where to put a restricted Gaussian so that it resembles a posterior: from a best fit, or from weighted draws."""

import numpy as np

from nuinfer.tuning.gauss_newton import BatchFit
from nuinfer.tuning.proposal import CubeGaussian, cube_gaussian

LEAST_CURVATURE = 0.1
"""A direction wider than a few times the cube is flat for all that the cube can tell."""


def effective_fraction(log_w: np.ndarray) -> np.ndarray:
    r"""Return :math:`(\sum w)^2 / (S \sum w^2)`, ``(B,)``, of log weights ``(B, S)``."""
    weight = _normalised(log_w)
    return 1.0 / (np.sum(weight**2, axis=1) * log_w.shape[1])


def laplace(fit: BatchFit, coupled: bool) -> CubeGaussian:
    """Return the quadratic expansion at the best fit, centred on its own optimum, be it outside the cube.

    With ``coupled`` false a coordinate held at a face by its gradient is taken as independent of the others: right
    where the gradient is so steep that the posterior hugs the face and its width follows from the gradient alone.
    """
    hessian = fit.hessian
    if not coupled:
        held = ((fit.u <= 0.0) & (fit.gradient > 0.0)) | ((fit.u >= 1.0) & (fit.gradient < 0.0))
        same = np.eye(fit.u.shape[1], dtype=bool)
        hessian = hessian * (same | ~(held[:, :, None] | held[:, None, :]))
    return _from_quadratic(fit.u, fit.gradient, hessian)


def from_moments(u: np.ndarray, log_w: np.ndarray) -> CubeGaussian:
    """Return the Gaussian of the mean and covariance of draws ``u`` ``(B, S, d)`` with log weights ``(B, S)``."""
    weight = _normalised(log_w)
    mean = np.einsum("bs,bsd->bd", weight, u)
    shift = u - mean[:, None]
    covariance = np.einsum("bs,bsi,bsj->bij", weight, shift, shift, optimize=True)
    # The floor keeps a covariance made of too few draws invertible.
    floor = 1e-4 * np.einsum("bii->bi", covariance) + 1e-12
    return cube_gaussian(mean, covariance + floor[:, :, None] * np.eye(u.shape[2]))


def from_regression(u: np.ndarray, log_w: np.ndarray, log_p: np.ndarray) -> CubeGaussian:
    """Fit the log density ``log_p`` ``(B, S)`` by a second-order polynomial, draws weighted by what they contribute.

    Moments describe a posterior that a face of the cube cuts by a narrower Gaussian at another place; the polynomial's
    coefficients are those of the Gaussian that is cut.
    """
    n, _, dim = u.shape
    weight = _normalised(log_w)
    centre = np.einsum("bs,bsd->bd", weight, u)
    scale = np.sqrt(np.einsum("bs,bsd->bd", weight, (u - centre[:, None]) ** 2)) + 1e-6
    t = (u - centre[:, None]) / scale[:, None]
    rows, cols = np.triu_indices(dim)
    features = np.concatenate([np.ones_like(t[..., :1]), t, t[..., rows] * t[..., cols]], axis=-1)
    # The square root keeps single large weights of a poor first proposal from ruling the fit.
    root = np.sqrt(weight)
    gram = np.einsum("bs,bsi,bsj->bij", root, features, features, optimize=True)
    target = np.where(root > 0.0, log_p - log_p.max(axis=1, keepdims=True), 0.0)
    right = np.einsum("bs,bsi,bs->bi", root, features, target, optimize=True)
    ridge = 1e-9 * np.einsum("bii->b", gram)[:, None, None] * np.eye(features.shape[-1])
    coefficients = np.linalg.solve(gram + ridge, right[:, :, None])[:, :, 0]
    hessian = np.zeros((n, dim, dim))
    for k, (i, j) in enumerate(zip(rows, cols, strict=True)):
        hessian[:, i, j] -= coefficients[:, 1 + dim + k]
        hessian[:, j, i] -= coefficients[:, 1 + dim + k]
    hessian /= scale[:, :, None] * scale[:, None, :]
    return _from_quadratic(centre, -coefficients[:, 1 : 1 + dim] / scale, hessian)


def _normalised(log_w: np.ndarray) -> np.ndarray:
    weight = np.exp(log_w - log_w.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)


def _from_quadratic(centre: np.ndarray, gradient: np.ndarray, hessian: np.ndarray) -> CubeGaussian:
    """Return the Gaussian of :math:`-\\log p = g^T (u - c) + (u - c)^T H (u - c) / 2`."""
    eigenvalues, vectors = np.linalg.eigh(hessian)
    inverse = np.einsum("bij,bj,bkj->bik", vectors, 1.0 / np.maximum(eigenvalues, LEAST_CURVATURE), vectors)
    return cube_gaussian(centre - np.einsum("bij,bj->bi", inverse, gradient), inverse)

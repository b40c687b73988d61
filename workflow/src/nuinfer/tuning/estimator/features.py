r"""From an observation to the network's input: equal-noise bins, their signal directions, and a first guess of ``u``.

1. *Equal noise.*  Counts are variance-stabilised, :math:`y = 2\sqrt{n + 3/8}` (Anscombe, Biometrika 35 (1948) 246);
   Gaussian observations are whitened by their covariance's Cholesky factor, :math:`y = L^{-1}x`.
2. *Signal directions.*  In these units the noise is a unit sphere and every direction counts by its signal alone, so the
   eigenvectors of the training set's covariance with eigenvalues above one hold the information; they are scaled to unit
   variance.
3. *First guess.*  A ridge regression of ``u`` on cubic monomials of the leading directions says roughly where the posterior
   sits.  A second one corrects it with the directions times quadratics in the first guess, a Gauss-Newton step whose gain
   depends on the place: it takes care of products of parameters.  Both are solved in closed form; a flow then models what
   is left, in units of its spread.

All are constants of the trained model: buffers, fitted once in double precision.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import linalg
from torch import Tensor, nn

from nuinfer.tuning.likelihood import Likelihood

CLIP = 12.0
"""Features beyond this many standard deviations of the training set are held there: a cubic must not run away."""


@dataclass(frozen=True)
class FeatureShape:
    """What is needed to rebuild the module before its tensors are read."""

    n_bin: int
    dim: int
    n_feature: int
    n_leading: int
    counts: bool


class Features(nn.Module):
    """Buffers and forward pass of the steps above; build one with :func:`fit_features`."""

    def __init__(self, shape: FeatureShape):
        super().__init__()
        self.shape = shape
        first, second, third = _monomial_indices(shape.n_leading)
        n_correction = (shape.dim + 1) * (shape.dim + 2) // 2 * (shape.n_leading + 1)
        self.register_buffer("per_event", torch.ones(shape.n_bin))
        self.register_buffer("center", torch.zeros(shape.n_bin))
        self.register_buffer("matrix", torch.zeros(shape.n_bin, shape.n_feature))
        self.register_buffer("coefficients", torch.zeros(len(first), shape.dim))
        self.register_buffer("correction", torch.zeros(n_correction, shape.dim))
        self.register_buffer("guess_scale", torch.ones(shape.dim))
        row, column = np.triu_indices(shape.dim + 1)
        indices = {"first": first, "second": second, "third": third, "row": row, "column": column}
        for name, index in indices.items():
            self.register_buffer(name, torch.as_tensor(index), persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return features ``(n, n_feature)`` and the guess of ``u`` ``(n, d)`` for observations ``(n, n_bin)``."""
        f = self.directions(x)
        return f, self.guess(f)

    def guess(self, f: Tensor) -> Tensor:
        """Return the guess of ``u`` ``(n, d)`` from the directions ``(n, n_feature)``."""
        first = _bounded(self.monomials(f) @ self.coefficients)
        return _bounded(first + self.corrections(f, first) @ self.correction)

    def directions(self, x: Tensor) -> Tensor:
        """Return the scaled signal directions ``(n, n_feature)``."""
        y = 2.0 * torch.sqrt(torch.clamp(x / self.per_event, min=0.0) + 0.375) if self.shape.counts else x
        return torch.clamp((y - self.center) @ self.matrix, -CLIP, CLIP)

    def monomials(self, f: Tensor) -> Tensor:
        """Return all monomials of the leading directions up to the third degree."""
        padded = self._padded(f)
        return padded[:, self.first] * padded[:, self.second] * padded[:, self.third]

    def corrections(self, f: Tensor, guess: Tensor) -> Tensor:
        """Return products of monomials of the guess up to the second degree with one and the leading directions."""
        place = torch.cat([torch.ones_like(guess[:, :1]), 2.0 * guess - 1.0], dim=1)
        squares = place[:, self.row] * place[:, self.column]
        return (squares[:, :, None] * self._padded(f)[:, None, :]).flatten(1)

    def fit_guess(self, f: Tensor, u: Tensor, ridge: float = 1e-6) -> None:
        """Solve both regressions on directions ``(n, n_feature)`` and ``u`` ``(n, d)``, in their precision."""
        self.coefficients.copy_(_ridge(self.monomials(f), u, ridge))
        first = _bounded(self.monomials(f) @ self.coefficients)
        self.correction.copy_(_ridge(self.corrections(f, first), u - first, ridge))
        self.guess_scale.copy_(torch.clamp((u - self.guess(f)).std(dim=0), min=1e-5))

    def _padded(self, f: Tensor) -> Tensor:
        return torch.cat([torch.ones_like(f[:, :1]), f[:, : self.shape.n_leading]], dim=1)


def _bounded(guess: Tensor) -> Tensor:
    return torch.clamp(guess, -0.5, 1.5)


def _monomial_indices(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index triples into (1, f_1 .. f_n) of all monomials up to the third degree."""
    triples = [(i, j, k) for i in range(n + 1) for j in range(i, n + 1) for k in range(j, n + 1)]
    return tuple(np.array(triples).T)


def _whitening(likelihood: Likelihood | None, x: np.ndarray) -> np.ndarray:
    """Return ``W`` ``(n_bin, n_bin)`` such that the columns of ``x @ W`` have noise of unit covariance."""
    n_bin = x.shape[1]
    if likelihood is None:
        return np.diag(1.0 / np.maximum(x.std(axis=0), 1e-12 * np.abs(x).max()))
    if likelihood.kind == "poisson":
        return np.eye(n_bin)
    if likelihood.kind == "diagonal":
        return np.diag(1.0 / likelihood.sigma)
    cholesky = likelihood.cholesky
    if likelihood.kind == "norm_shape":
        mean = x.mean(axis=0)
        cholesky = np.linalg.cholesky(cholesky @ cholesky.T + likelihood.norm_rel**2 * np.outer(mean, mean))
    return linalg.solve_triangular(cholesky, np.eye(n_bin), lower=True).T


def fit_features(
    u: np.ndarray,
    x: np.ndarray,
    likelihood: Likelihood | None,
    min_signal: float = 0.01,
    n_leading: int = 8,
    n_fit: int = 50_000,
    ridge: float = 1e-6,
) -> Features:
    """Fit the features on noisy observations ``x`` ``(n, n_bin)`` at ``u`` ``(n, d)``.

    ``min_signal`` is the smallest signal variance, in units of the noise, of a direction that is kept (all are where
    the noise is not known); the first ``n_fit`` rows are used.
    """
    u, x = np.asarray(u, float)[:n_fit], np.asarray(x, float)[:n_fit]
    counts = likelihood is not None and likelihood.kind == "poisson"
    per_event = np.asarray(likelihood.per_event, float) if counts else np.ones(x.shape[1])
    y = 2.0 * np.sqrt(np.maximum(x / per_event, 0.0) + 0.375) if counts else x
    center = y.mean(axis=0)
    whitening = _whitening(likelihood, x)
    white = (y - center) @ whitening
    values, vectors = np.linalg.eigh(np.cov(white, rowvar=False).reshape(x.shape[1], x.shape[1]))
    values, vectors = values[::-1], vectors[:, ::-1]
    # the eigenvalues of pure noise scatter by about 2 sqrt(n_bin / n) around one
    known = 1.0 + max(min_signal, 2.0 * np.sqrt(x.shape[1] / len(x)))
    floor = 1e-7 * values[0] if likelihood is None else known
    n_feature = max(int(np.sum(values > floor)), min(u.shape[1], x.shape[1]))
    matrix = whitening @ vectors[:, :n_feature] / np.sqrt(np.maximum(values[:n_feature], 1e-12))
    n_leading = min(n_leading, n_feature)

    module = Features(FeatureShape(x.shape[1], u.shape[1], n_feature, n_leading, counts)).double()
    module.load_state_dict(
        module.state_dict() | {"per_event": _tensor(per_event), "center": _tensor(center), "matrix": _tensor(matrix)}
    )
    module.fit_guess(module.directions(_tensor(x)), _tensor(u), ridge)
    return module.float()


def _ridge(design: Tensor, target: Tensor, ridge: float) -> Tensor:
    """Return the coefficients of least squares with a penalty of ``ridge`` times every column's own mean square."""
    gram = design.T @ design / len(design)
    gram += torch.diag(ridge * torch.clamp(gram.diagonal(), min=1e-12))
    return torch.linalg.solve(gram, design.T @ target / len(design))


def _tensor(array: np.ndarray) -> Tensor:
    return torch.as_tensor(np.ascontiguousarray(array), dtype=torch.float64)

r"""A Gaussian-process prior of structure functions on a small basis of splines, and its marginal likelihood.

:math:`\tilde W_a = e_a\,s_a\,(B c_a)`: an envelope (:mod:`nuinfer.closure.envelope`), a scale that makes c of order one, and
tensor-product cubic B-splines in the mesh's own coordinates (node number over number of nodes, so that knots are dense where
the events are).  The coefficients are a Gaussian process at the splines' centres, independent for the three functions:
covariance amplitude^2 k(t - t') k(s - s') with a Matern-5/2 (Rasmussen and Williams, eq. 4.17) or squared-exponential k.
For data y = D c + noise of covariance V, everything is closed:

.. math::
    p(c|y) = N(\hat c, S),\quad S = (D^TV^{-1}D + K^{-1})^{-1},\quad \hat c = S D^TV^{-1}y,\quad
    \ln p(y|K) = \tfrac12\hat c^T D^TV^{-1}y - \tfrac12\ln|K| + \tfrac12\ln|S| + \mathrm{const.}
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag, cho_factor, cho_solve, lapack

JITTER = 1e-6
"""Relative nugget on each axis of the covariance: keeps smooth kernels invertible."""
BOUNDS = {"amplitude": (0.5, 1e2), "length_x": (0.05, 0.5), "length_q2": (0.05, 0.5)}
"""A function may differ from its envelope by order one, and is not taken to be smoother than 0.5 of the mesh's range.

Left free, data choose a stiffer prior whose bands cover less than they claim (CT18NNLO, thirty million: 62 +- 4 % and
89 +- 3 % of events instead of 68 % and 95 %): functions of one smoothness everywhere are not what the truth is drawn from.
With the bounds, which most amplitudes then sit at, bands are a little conservative."""


@dataclass(frozen=True)
class SplineBasis:
    """Cubic B-splines ``(n_nodes, n)`` on one axis of the mesh, and their centres (Greville points) in [0, 1]."""

    values: np.ndarray
    centres: np.ndarray


def spline_basis(n_nodes: int, n: int) -> SplineBasis:
    """Return ``n`` >= 4 splines with even knots over node numbers 0 to ``n_nodes`` - 1."""
    from scipy.interpolate import BSpline

    knots = np.concatenate([[0.0] * 3, np.linspace(0.0, 1.0, n - 2), [1.0] * 3])
    values = BSpline.design_matrix(np.linspace(0.0, 1.0, n_nodes), knots, 3).toarray()
    return SplineBasis(values, np.array([knots[i + 1 : i + 4].mean() for i in range(n)]))


def kernel(name: str, distance: np.ndarray, length: float) -> tuple[np.ndarray, np.ndarray]:
    """Return k and its derivative in ln(length) at ``distance``."""
    r = np.abs(distance) / length
    if name == "squared_exponential":
        k = np.exp(-0.5 * r * r)
        return k, k * r * r
    s = np.sqrt(5.0) * r
    decay = np.exp(-s)
    return (1.0 + s + s * s / 3.0) * decay, s * s / 3.0 * (1.0 + s) * decay


WIDE_BOUNDS = {"amplitude": (1e-3, 1e2), "length_x": (0.05, 5.0), "length_q2": (0.05, 5.0)}
"""What leaves the choice to the data."""


def on_bound(name: str, log_value: float, bounds: Mapping[str, tuple[float, float]] = BOUNDS) -> bool:
    """Return whether a hyperparameter, as ``length_x_2``, is at one of its ``bounds``."""
    return bool(np.min(np.abs(np.log(bounds[name.rsplit("_", 1)[0]]) - log_value)) < 1e-3)


@dataclass(frozen=True)
class Posterior:
    """Coefficients' mean ``(3 n,)`` and factor ``(3 n, 3 n)``: covariance = factor.T @ factor."""

    mean: np.ndarray
    factor: np.ndarray
    log_evidence: float


@dataclass(frozen=True)
class Evidence:
    """ln p(y) as a function of nine hyperparameters: logarithms of amplitude, length in x, length in Q^2 of each function.

    ``h`` = D^T V^-1 D ``(3 n, 3 n)`` and ``b`` = D^T V^-1 y ``(3 n,)``, coefficients ordered function, x, Q^2.
    """

    h: np.ndarray
    b: np.ndarray
    x: SplineBasis
    q2: SplineBasis
    kernel: str

    def _axes(self, theta: np.ndarray, a: int) -> list[tuple[np.ndarray, np.ndarray]]:
        axes = []
        for basis, log_length in zip((self.x, self.q2), theta[3 * a + 1 : 3 * a + 3], strict=True):
            k, dk = kernel(self.kernel, basis.centres[:, None] - basis.centres, np.exp(log_length))
            axes.append((k + JITTER * np.eye(len(k)), dk))
        return axes

    def _solve(self, theta: np.ndarray) -> tuple[list, np.ndarray, float, np.ndarray, np.ndarray]:
        n = len(self.b) // 3
        axes = [self._axes(theta, a) for a in range(3)]
        precision = self.h.copy()
        log_prior = 0.0
        inverses = []
        for a, ((kx, _), (kq, _)) in enumerate(axes):
            factor_x, factor_q = cho_factor(kx, lower=True), cho_factor(kq, lower=True)
            ix, iq = cho_solve(factor_x, np.eye(len(kx))), cho_solve(factor_q, np.eye(len(kq)))
            log_prior += 2.0 * (
                n * theta[3 * a] + len(kq) * np.log(np.diag(factor_x[0])).sum() + len(kx) * np.log(np.diag(factor_q[0])).sum()
            )
            inverse = np.kron(ix, iq) * np.exp(-2.0 * theta[3 * a])
            inverses.append(inverse)
            precision[a * n : (a + 1) * n, a * n : (a + 1) * n] += inverse
        cholesky, _ = cho_factor(precision, lower=True, overwrite_a=True, check_finite=False)
        mean = cho_solve((cholesky, True), self.b)
        value = 0.5 * self.b @ mean - 0.5 * log_prior - np.log(np.diag(cholesky)).sum()
        return axes, mean, float(value), cholesky, np.stack(inverses)

    def value_and_gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Return ln p(y) and its gradient ``(9,)``: 1/2 tr[K^-1 (c c^T + S - K) K^-1 dK] for each."""
        axes, mean, value, cholesky, inverses = self._solve(theta)
        n = len(mean) // 3
        lower, _ = lapack.dpotri(cholesky, lower=1)
        gradient = np.empty(9)
        for a, ((kx, dkx), (kq, dkq)) in enumerate(axes):
            part = slice(a * n, (a + 1) * n)
            block = np.tril(lower[part, part])
            moment = block + np.tril(block, -1).T + np.outer(mean[part], mean[part])
            inner = inverses[a] @ moment @ inverses[a] - inverses[a]
            amplitude2 = np.exp(2.0 * theta[3 * a])
            folded = inner.reshape(len(kx), len(kq), len(kx), len(kq))
            for j, (x, q) in enumerate(((2.0 * kx, kq), (dkx, kq), (kx, dkq))):
                gradient[3 * a + j] = 0.5 * amplitude2 * np.einsum("iajb,ij,ab->", folded, x, q, optimize=True)
        return value, gradient

    def prior_precision(self, theta: np.ndarray) -> np.ndarray:
        """Return K^-1 ``(3 n, 3 n)``: no correlation between the functions."""
        return block_diag(*self._solve(theta)[4])

    def posterior(self, theta: np.ndarray) -> Posterior:
        _, mean, value, cholesky, _ = self._solve(theta)
        inverse, _ = lapack.dtrtri(np.tril(cholesky), lower=1)
        return Posterior(mean, np.tril(inverse), value)

    def maximise(
        self, theta: np.ndarray, iterations: int, within: Mapping[str, tuple[float, float]] = BOUNDS
    ) -> np.ndarray:
        """Return the hyperparameters of greatest ln p(y) ``within`` bounds, searched from ``theta``."""
        from scipy.optimize import minimize

        bounds = [tuple(np.log(within[name])) for _ in range(3) for name in ("amplitude", "length_x", "length_q2")]
        # Per datum: L-BFGS's first step is as long as its gradient.
        scale = 1e-3

        def negative(t: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = self.value_and_gradient(t)
            return -scale * value, -scale * gradient

        stop = {"maxiter": iterations, "ftol": 1e-10, "gtol": 1e-5}
        return minimize(negative, theta, jac=True, method="L-BFGS-B", bounds=bounds, options=stop).x

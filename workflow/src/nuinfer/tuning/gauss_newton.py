r"""Best fits of many observations at once: damped Gauss-Newton steps inside the unit cube.

Levenberg-Marquardt (Marquardt, SIAM J. Appl. Math. 11 (1963) 431) on the whitened residuals :math:`r(u)`, whose squares sum
to the chi-square: :math:`(J^T J + \lambda D)\,\delta = -J^T r`.  A parameter that sits on a face of the cube while its
gradient points outwards is held there for the step (projected active set), so that best fits at the prior's edge are
found like any other.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nuinfer.tuning.likelihood import Likelihood

Predict = Callable[[np.ndarray], np.ndarray]
"""Map unit-cube points ``(n, d)`` to predictions ``(n, n_bin)``."""


@dataclass(frozen=True)
class FitSettings:
    """How hard to try: ``n_scan`` starting points scanned, the best ``n_start`` refined in at most ``n_step`` steps."""

    n_scan: int = 256
    n_start: int = 2
    n_step: int = 40
    step_u: float = 1e-3
    tolerance: float = 1e-4


DEFAULT_FIT = FitSettings()


@dataclass(frozen=True)
class BatchFit:
    """Chi-square minima: ``u`` ``(B, d)``, ``chi2`` ``(B,)``, gradient and Gauss-Newton matrix there.

    ``gradient`` ``(B, d)`` is :math:`J^T r` and ``hessian`` ``(B, d, d)`` is :math:`J^T J`: half the derivatives of
    the chi-square, hence the gradient and curvature of :math:`-\\log L`.  ``converged`` ``(B,)`` marks fits whose last
    step changed the chi-square by less than the tolerance.
    """

    u: np.ndarray
    chi2: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    converged: np.ndarray


def fit_batch(
    likelihood: Likelihood, predict: Predict, x: np.ndarray, dim: int, settings: FitSettings = DEFAULT_FIT
) -> BatchFit:
    """Minimise the chi-square of each observation ``x`` ``(B, n_bin)`` over the unit cube of ``dim`` dimensions."""
    starts = _scan(likelihood, predict, x, dim, settings)
    fits = [_refine(likelihood, predict, x, starts[:, k], settings) for k in range(starts.shape[1])]
    best = np.argmin(np.stack([f.chi2 for f in fits]), axis=0)
    rows = np.arange(len(x))
    pick = {name: np.stack([getattr(f, name) for f in fits])[best, rows] for name in BatchFit.__dataclass_fields__}
    return BatchFit(**pick)


def _scan(likelihood: Likelihood, predict: Predict, x: np.ndarray, dim: int, settings: FitSettings) -> np.ndarray:
    """Return the ``n_start`` best of a fixed set of points, ``(B, n_start, d)``; unscrambled, hence repeatable."""
    from scipy.stats import qmc

    n_scan = 1 << max(settings.n_scan - 1, 1).bit_length()
    # A Sobol sequence starts at the origin, an improbable corner: half a cell inwards keeps the set balanced.
    points = (qmc.Sobol(dim, scramble=False).random(n_scan) + 0.5 / n_scan).clip(0.0, 1.0)
    mu = predict(points)
    chunk = max(1, 2_000_000 // mu.size)
    chi2 = np.concatenate(
        [likelihood.chi2(x[i : i + chunk, None, :], mu[None]) for i in range(0, len(x), chunk)] or [np.empty((0, n_scan))]
    )
    order = np.argsort(chi2, axis=1)[:, : settings.n_start]
    return points[order]


def residual_jacobian(
    likelihood: Likelihood, predict: Predict, x: np.ndarray, u: np.ndarray, step_u: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return residuals ``(B, n_bin)`` and their derivatives ``(B, n_bin, d)`` by one-sided differences into the cube."""
    n, dim = u.shape
    sign = np.where(u > 0.5, -1.0, 1.0)
    shifted = u[:, None, :] + sign[:, :, None] * step_u * np.eye(dim)
    points = np.concatenate([u[:, None, :], shifted], axis=1)
    mu = predict(points.reshape(-1, dim)).reshape(n, dim + 1, -1)
    r = likelihood.residual(x[:, None, :], mu)
    jacobian = (r[:, 1:] - r[:, :1]) / (sign * step_u)[:, :, None]
    return r[:, 0], np.swapaxes(jacobian, 1, 2)


def _refine(
    likelihood: Likelihood, predict: Predict, x: np.ndarray, start: np.ndarray, settings: FitSettings
) -> BatchFit:
    n, dim = start.shape
    u = start.copy()
    gradient, hessian = np.empty((n, dim)), np.empty((n, dim, dim))
    chi2, damping = np.empty(n), np.full(n, 1e-2)
    converged = np.zeros(n, dtype=bool)

    def expand(rows: np.ndarray) -> None:
        r, jac = residual_jacobian(likelihood, predict, x[rows], u[rows], settings.step_u)
        gradient[rows] = np.einsum("bkd,bk->bd", jac, r)
        hessian[rows] = np.einsum("bkd,bke->bde", jac, jac)
        chi2[rows] = np.sum(r * r, axis=1)

    active = np.arange(n)
    if n:
        expand(active)
    for _ in range(settings.n_step):
        if not active.size:
            break
        step = _damped_step(u[active], gradient[active], hessian[active], damping[active])
        trial = np.clip(u[active] + step, 0.0, 1.0)
        trial_chi2 = likelihood.chi2(x[active], predict(trial))
        gain = chi2[active] - trial_chi2
        better = gain >= 0.0
        done = np.where(better, gain < settings.tolerance, damping[active] > 1e8)
        damping[active] = np.where(better, np.maximum(damping[active] * 0.2, 1e-9), damping[active] * 6.0)
        moved = active[better]
        u[moved] = trial[better]
        if moved.size:
            expand(moved)
        converged[active[done]] = True
        active = active[~done]
    return BatchFit(u, chi2, gradient, hessian, converged)


def _damped_step(u: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, damping: np.ndarray) -> np.ndarray:
    held = ((u <= 0.0) & (gradient > 0.0)) | ((u >= 1.0) & (gradient < 0.0))
    diagonal = np.einsum("bdd->bd", hessian)
    # The floor keeps a direction that the data do not see from making the matrix singular.
    floor = 1e-8 * np.maximum(diagonal.max(axis=1, keepdims=True), 1e-12)
    matrix = hessian * ~held[:, :, None] * ~held[:, None, :]
    extra = np.where(held, 1.0, damping[:, None] * diagonal + floor)
    matrix = matrix + extra[:, :, None] * np.eye(u.shape[1])
    return np.linalg.solve(matrix, -np.where(held, 0.0, gradient)[:, :, None])[:, :, 0]

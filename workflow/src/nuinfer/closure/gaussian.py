r"""Structure functions by linear-Gaussian inference: their posterior mean and covariance in closed form.

Counts are linear in the functions, and counts of many events have Gaussian errors: with the Gaussian-process prior of
:mod:`nuinfer.closure.gaussian_prior` the posterior is Gaussian.  Counts are taken as independent Poisson numbers with the
overall rate left to the functions; after normalisation this is the multinomial.  Their variances are the model's own
expectation, found by iterating, as in Fisher scoring: the observed numbers would pull the fit down.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from nuinfer.closure.envelope import envelope
from nuinfer.closure.gaussian_prior import BOUNDS, WIDE_BOUNDS, Evidence, on_bound, spline_basis
from nuinfer.closure.learned import Learned
from nuinfer.closure.near_data import NearProblem
from nuinfer.closure.operator import columns
from nuinfer.closure.settings import GaussianSettings
from nuinfer.closure.smearing import smeared

LEAST_COUNT = 0.3
"""Least expected number of events in a bin's variance: where less is expected, a Poisson number is far from Gaussian."""


def basis_on_mesh(shape: tuple[int, int], settings: GaussianSettings) -> tuple[np.ndarray, tuple]:
    """Return the splines at the mesh's nodes, ``(n_nodes, n_x * n_q2)``, and the two axes."""
    x, q2 = spline_basis(shape[0], settings.n_x), spline_basis(shape[1], settings.n_q2)
    return np.kron(x.values, q2.values), (x, q2)


def scaled_functions(matrix: sparse.csr_matrix, functions: np.ndarray, n_bins: int) -> np.ndarray:
    """Return ``functions`` ``(3, n_nodes)`` scaled so that each alone gives one event a bin."""
    return np.stack([f * n_bins / abs((matrix[:, a::3] @ f).sum()) for a, f in enumerate(functions)])


def design(matrix: sparse.csr_matrix, functions: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Return D ``(n_bins, 3 * n)``: counts of coefficients, function by function."""
    return np.concatenate([matrix[:, a::3] @ (functions[a][:, None] * basis) for a in range(3)], axis=1)


def fit_gaussian(
    problem: NearProblem, settings: GaussianSettings, progress: Callable[[int, int, str], None] | None = None
) -> Learned:
    """Return the posterior of the structure functions given ``problem``; ``facts`` has hyperparameters, evidence and chi^2.

    The logarithm of the evidence leaves out a constant of the last pass's variances: it compares priors for one data set.
    """
    started = time.perf_counter()
    operator = problem.operator
    matrix = problem.matrix()
    n_bins = operator.n_bins
    basis, axes = basis_on_mesh(operator.mesh.shape, settings)
    shape = envelope(settings.envelope, *operator.mesh.points, operator.mass_gev)
    functions = scaled_functions(matrix, shape, n_bins)
    d = smeared(design(matrix, functions, basis).T, problem.smearing, operator.grid.shape).T
    events = problem.data.n_events or settings.exact_events
    y = problem.data.share * n_bins
    # One more than observed to begin with, so that empty bins do not rule.
    expected = problem.data.share * events + 1.0
    theta = np.log(np.tile([0.5, 0.3, 0.3], 3))
    bounds = BOUNDS if settings.bounded else WIDE_BOUNDS
    for i in range(settings.passes):
        weight = (events / n_bins) ** 2 / np.maximum(expected, LEAST_COUNT)
        weighted = np.sqrt(weight)[:, None] * d
        filled = expected > LEAST_COUNT
        evidence = Evidence(weighted.T @ weighted, d.T @ (weight * y), *axes, settings.kernel)
        theta = evidence.maximise(theta, settings.iterations, bounds)
        posterior = evidence.posterior(theta)
        model = d @ posterior.mean
        expected = model * events / n_bins
        if progress:
            progress(i + 1, settings.passes, f"passes, ln evidence {posterior.log_evidence:.1f}")
    on_mesh = (basis.T[None] * functions[:, None]).swapaxes(0, 1)
    n = basis.shape[1]
    mean = np.stack([functions[a] * (basis @ posterior.mean[a * n : (a + 1) * n]) for a in range(3)])
    factor = np.einsum("kan,nam->kam", posterior.factor.reshape(-1, 3, n), on_mesh, optimize=True)
    names = [f"{name}_{a}" for a in (1, 2, 3) for name in ("amplitude", "length_x", "length_q2")]
    return Learned(
        w=mean[None] / n_bins,
        factor=(factor / n_bins).astype(np.float32),
        facts={
            "hyperparameters": dict(zip(names, np.exp(theta).tolist(), strict=True)),
            "at_bound": [name for name, value in zip(names, theta, strict=True) if on_bound(name, value, bounds)],
            "log_evidence": posterior.log_evidence,
            "chi2": float(np.sum(weight[filled] * (y - model)[filled] ** 2)),
            "bins_in_chi2": int(filled.sum()),
            "events": float(events),
            "seconds": time.perf_counter() - started,
        },
    )


@dataclass(frozen=True)
class Bands:
    """Shares ``(n_bins,)`` expected in a detector, and their standard deviations."""

    share: np.ndarray
    sd: np.ndarray


def share_bands(learned: Learned, matrix: sparse.csr_matrix) -> Bands:
    """Return the posterior of unit-normalised counts for another flux's ``matrix``, to first order in the functions."""

    mean = matrix @ columns(learned.w[0])
    share = mean / mean.sum()
    # Single precision is enough for an error, and half the time.
    steps = matrix.astype(np.float32) @ columns(learned.factor).astype(np.float32).T
    steps -= share[:, None] * steps.sum(axis=0)
    return Bands(share, np.sqrt((steps**2).sum(axis=1)) / mean.sum())

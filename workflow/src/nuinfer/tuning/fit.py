r"""The maximum-likelihood fit that a tune has always been, in physical units, for the same likelihood as the posterior.

Minuit (James and Roos, Comput. Phys. Commun. 10 (1975) 343; iminuit) minimises :math:`-2 \log L` inside the prior's
limits from several starting points.  A parameter found at its limit is fixed there before the covariance is
computed, as NUISANCE's ``FixAtLim`` does: a parabola does not describe the likelihood at an edge.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nuinfer.errors import InputError
from nuinfer.tuning.exact import ExactPosterior
from nuinfer.tuning.gauss_newton import FitSettings
from nuinfer.tuning.likelihood import NormShapeLikelihood, whiten

if TYPE_CHECKING:
    from iminuit import Minuit

AT_LIMIT_U = 1e-3
"""A best fit nearer to a limit than this part of the prior (its CDF) counts as at the limit."""


@dataclass(frozen=True)
class FitResult:
    """Best fit ``theta`` ``(d,)``, ``covariance`` and ``correlation`` ``(d, d)`` in physical units.

    Rows of a parameter that is ``at_limit`` are zero in the covariance, its error is then found only by ``minos``.
    ``chi2`` is the likelihood's distance at the best fit, ``ndf`` the bins less all parameters.  ``minos`` ``(d, 2)``
    holds the lower and upper errors where :math:`-2\\log L` rises by one (negative and positive; cut at the limit), or
    is None.  ``norm`` and ``norm_error`` are the profiled flux normalisation of ``norm_shape``, else None.
    """

    names: tuple[str, ...]
    likelihood: str
    theta: np.ndarray
    covariance: np.ndarray
    correlation: np.ndarray
    at_limit: np.ndarray
    log_likelihood: float
    chi2: float
    ndf: int
    valid: bool
    minos: np.ndarray | None
    norm: float | None
    norm_error: float | None

    @property
    def errors(self) -> np.ndarray:
        """Parabolic errors ``(d,)``, zero at a limit."""
        return np.sqrt(np.diag(self.covariance))

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers for JSON."""
        return {
            "likelihood": self.likelihood,
            "parameters": {
                name: {"value": float(self.theta[i]), "error": float(self.errors[i]), "at_limit": bool(self.at_limit[i])}
                | ({} if self.minos is None else {"minos": [float(v) for v in self.minos[i]]})
                for i, name in enumerate(self.names)
            },
            "correlation": self.correlation.tolist(),
            "chi2": self.chi2,
            "ndf": self.ndf,
            "log_likelihood": self.log_likelihood,
            "valid": self.valid,
        } | ({} if self.norm is None else {"flux_normalisation": {"value": self.norm, "error": self.norm_error}})


def fit_maximum_likelihood(posterior: ExactPosterior, x: np.ndarray, n_start: int = 4, minos: bool = False) -> FitResult:
    """Fit one observation ``x`` ``(n_bin,)`` from the ``n_start`` best of a fixed scan of the prior.

    Raises InputError for an observation that is not finite.
    """
    x = np.asarray(x, float)
    if x.ndim != 1 or not np.all(np.isfinite(x)):
        raise InputError(f"fit: the observation must be one row of finite numbers, got shape {x.shape}")
    box = posterior.prior_box
    starts = [posterior.fit(x[None], FitSettings(n_start=k)).u[0] for k in (1, n_start)]
    starts += [np.full(box.dim, 0.5)]
    # One offset for all attempts: their costs are compared.
    offset = float(posterior.log_prob_u(starts[0], x))
    attempts = [_minimise(posterior, x, u, offset) for u in _distinct(starts)]
    minuit, u, at_limit = min(attempts, key=lambda a: a[0].fval)
    covariance = np.zeros((box.dim, box.dim))
    free = np.flatnonzero(~at_limit)
    if free.size:
        minuit.hesse()
        covariance[np.ix_(free, free)] = np.array(minuit.covariance)[np.ix_(free, free)]
    theta = np.array(minuit.values)
    mu = posterior.predict_u(box.to_unit(theta)[None])[0]
    norm, norm_error = profiled_norm(posterior.likelihood, x, mu)
    return FitResult(
        names=box.names,
        likelihood=posterior.likelihood.kind,
        theta=theta,
        covariance=covariance,
        correlation=_correlation(covariance),
        at_limit=at_limit,
        log_likelihood=float(posterior.likelihood.log_prob(x, mu)),
        chi2=float(posterior.likelihood.chi2(x, mu)),
        ndf=len(x) - box.dim,
        valid=bool(free.size == 0 or minuit.valid),
        minos=_minos(posterior, x, theta, u, covariance) if minos else None,
        norm=norm,
        norm_error=norm_error,
    )


def profiled_norm(likelihood: object, x: np.ndarray, mu: np.ndarray) -> tuple[float | None, float | None]:
    r"""Return the flux normalisation that fits ``x`` ``(n_bin,)`` best given ``mu``, and its error; None for other likelihoods.

    Of :math:`(x - f\mu)^T C^{-1} (x - f\mu) + (f - 1)^2 / \epsilon^2` the minimum is at :math:`f = 1 + \epsilon^2 \mu^T
    C^{-1} (x - \mu) / (1 + \epsilon^2 \mu^T C^{-1} \mu)`.  The error is the one at fixed parameters.
    """
    if not isinstance(likelihood, NormShapeLikelihood):
        return None, None
    r = whiten(likelihood.cholesky, x - mu)
    m = likelihood.norm_rel * whiten(likelihood.cholesky, mu)
    scale = 1.0 + m @ m
    return float(1.0 + likelihood.norm_rel * (m @ r) / scale), float(likelihood.norm_rel / np.sqrt(scale))


def _distinct(points: list[np.ndarray]) -> list[np.ndarray]:
    kept: list[np.ndarray] = []
    for point in points:
        if all(np.max(np.abs(point - other)) > 1e-3 for other in kept):
            kept.append(point)
    return kept


def _minimise(
    posterior: ExactPosterior, x: np.ndarray, start: np.ndarray, offset: float, fixed: dict[int, float] | None = None
) -> tuple["Minuit", np.ndarray, np.ndarray]:
    """Run Migrad from ``start``; fix what ends at a limit and run again.  Returns Minuit, unit-cube point, limit flags."""
    from iminuit import Minuit

    box = posterior.prior_box

    def cost(theta: np.ndarray) -> float:
        u = np.clip(box.to_unit(np.asarray(theta)), 0.0, 1.0)
        return -2.0 * (float(posterior.log_prob_u(u, x)) - offset)

    # Minuit's limits are a sine: on the limit itself it sees no slope.
    inside = np.clip(start, 0.01, 0.99)
    minuit = Minuit(cost, box.from_unit(inside), name=box.names)
    minuit.errordef = Minuit.LEAST_SQUARES
    minuit.limits = [(p.low, p.high) for p in box.priors]
    minuit.errors = [0.02 * (p.high - p.low) for p in box.priors]
    at_limit = np.zeros(box.dim, dtype=bool)
    for i, value in (fixed or {}).items():
        minuit.values[i], minuit.fixed[i], at_limit[i] = value, True, True
    if not at_limit.all():
        minuit.migrad()
    else:
        minuit.simplex(ncall=1)
    u = box.to_unit(np.array(minuit.values))
    found = {i: (p.low if u[i] < 0.5 else p.high) for i, p in enumerate(box.priors) if not AT_LIMIT_U < u[i] < 1 - AT_LIMIT_U}
    if fixed is None and found:
        held = _minimise(posterior, x, start, offset, found)
        if held[0].fval <= minuit.fval + 1e-3:
            return held
    return minuit, u, at_limit


def _correlation(covariance: np.ndarray) -> np.ndarray:
    sd = np.sqrt(np.diag(covariance))
    scale = np.where(sd > 0, sd, 1.0)
    return np.where(np.eye(len(sd), dtype=bool), 1.0, covariance / np.outer(scale, scale))


def _minos(
    posterior: ExactPosterior, x: np.ndarray, theta: np.ndarray, u: np.ndarray, covariance: np.ndarray
) -> np.ndarray:
    """Return lower and upper errors ``(d, 2)`` by profiling; an interval that meets a limit ends there."""
    from scipy.optimize import brentq, minimize

    box = posterior.prior_box
    best = box.to_unit(theta)
    top = float(posterior.log_prob_u(np.clip(best, 0, 1), x))

    def rise(i: int, value: float) -> float:
        others = [k for k in range(box.dim) if k != i]

        def cost(v: np.ndarray) -> float:
            point = np.empty(box.dim)
            point[others], point[i] = np.clip(v, 0.0, 1.0), value
            return -2.0 * (float(posterior.log_prob_u(point, x)) - top)

        if not others:
            return cost(np.empty(0)) - 1.0
        start = np.clip(best[others], 1e-4, 1 - 1e-4)
        return minimize(cost, start, method="L-BFGS-B", bounds=[(0.0, 1.0)] * len(others)).fun - 1.0

    out = np.zeros((box.dim, 2))
    for i in range(box.dim):
        for side, limit in ((0, 0.0), (1, 1.0)):
            here = float(np.clip(best[i], 0.0, 1.0))
            crossing = limit
            if abs(limit - here) > 1e-9 and rise(i, limit) > 0:
                crossing = brentq(lambda v, i=i: rise(i, v), here, limit, xtol=1e-5)
            shifted = best.copy()
            shifted[i] = crossing
            out[i, side] = box.from_unit(shifted)[i] - theta[i]
    return out

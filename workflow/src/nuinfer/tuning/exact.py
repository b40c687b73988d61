r"""The posterior that the likelihood implies, computed without any learning.

In the unit cube ``u`` the prior is uniform, so the posterior density is :math:`p(u \mid x) = p(x \mid \mu(u)) / Z`.  It
is sampled by importance sampling, many observations at once: a Gauss-Newton fit gives a first proposal, its draws place
better ones (:mod:`nuinfer.tuning.proposal_fit`), and a mixture with a wider and a flat component keeps the weights
bounded.  Every result carries its own quality, the effective sample size
:math:`(\sum w)^2 / \sum w^2` (Kong, Liu and Wong, JASA 89 (1994) 278), and the evidence
:math:`Z = \langle p(x \mid \mu(u)) / q(u) \rangle_q` comes with its statistical error.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nuinfer.calibration.importance import Importance, importance_weights, weighted_moments, weighted_quantiles
from nuinfer.errors import InputError
from nuinfer.tuning.gauss_newton import DEFAULT_FIT, BatchFit, FitSettings, fit_batch
from nuinfer.tuning.likelihood import Likelihood
from nuinfer.tuning.priors import PriorBox
from nuinfer.tuning.proposal import CubeGaussian
from nuinfer.tuning.proposal_fit import effective_fraction, from_moments, from_regression, laplace

QUANTILES = (0.16, 0.50, 0.84)
Progress = Callable[[int, int], None]


class Predictor(Protocol):
    """What makes predictions: the generator's response or a stand-in."""

    def predict(self, theta: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
        """Return predictions ``(n, n_bin)`` at physical values ``(n, d)`` of the parameters ``names``."""


@dataclass(frozen=True)
class ExactPosterior:
    """The posterior of any likelihood, response and prior."""

    likelihood: Likelihood
    response: Predictor
    prior_box: PriorBox

    @property
    def dim(self) -> int:
        return self.prior_box.dim

    def predict_u(self, u: np.ndarray) -> np.ndarray:
        """Return predictions ``(..., n_bin)`` at unit-cube points ``(..., d)``."""
        flat = self.prior_box.from_unit(np.reshape(u, (-1, self.dim)))
        mu = self.response.predict(flat, self.prior_box.names)
        return mu.reshape(*np.shape(u)[:-1], mu.shape[-1])

    def log_prob_u(self, u: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the unnormalised log density (the log likelihood) at ``u`` ``(..., d)`` for ``x`` ``(..., n_bin)``.

        The leading shapes broadcast; outside the unit cube the value is minus infinity.
        """
        u = np.asarray(u, float)
        inside = np.all((u >= 0.0) & (u <= 1.0), axis=-1)
        value = self.likelihood.log_prob(x, self.predict_u(np.clip(u, 0.0, 1.0)))
        return np.where(inside, value, -np.inf)

    def fit(self, x: np.ndarray, settings: FitSettings = DEFAULT_FIT) -> BatchFit:
        """Return the chi-square minima of observations ``x`` ``(B, n_bin)`` inside the prior."""
        return fit_batch(self.likelihood, self.predict_u, x, self.dim, settings)


@dataclass(frozen=True)
class ImportanceSettings:
    """Effort of the importance sampling.

    ``n_adapt`` draws judge each of four ways to place the proposal, ``n_draw`` are the result's; ``n_keep`` draws are
    resampled from the weights.  An observation whose effective fraction stays below ``min_fraction`` gets up to
    ``n_retry`` rounds of four times the draws; if its effective sample size then is below ``min_ess`` it is flagged.
    ``wide`` and ``flat`` are the shares of the safety components, ``inflation`` the wide one's scale.
    """

    n_adapt: int = 400
    n_draw: int = 2000
    n_keep: int = 0
    min_fraction: float = 0.2
    min_ess: float = 400.0
    n_retry: int = 2
    wide: float = 0.10
    flat: float = 0.02
    inflation: float = 2.0
    fit: FitSettings = DEFAULT_FIT
    chunk_points: int = 60_000


DEFAULT_IMPORTANCE = ImportanceSettings()


@dataclass(frozen=True)
class ExactResult:
    """What importance sampling found for ``B`` observations, all in the unit cube.

    ``log_evidence`` and its standard error ``(B,)``; ``mean`` and ``sd`` ``(B, d)``; ``quantiles`` ``(B, 3, d)`` at
    16, 50 and 84 %; ``ess`` ``(B,)`` as a fraction of ``n_draw`` ``(B,)``; ``flagged`` ``(B,)`` where the effective
    sample size is too small to be believed; ``best_u`` and ``best_chi2`` of the fit; ``samples`` ``(B, n_keep, d)``,
    resampled with replacement.
    """

    log_evidence: np.ndarray
    log_evidence_error: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    quantiles: np.ndarray
    ess: np.ndarray
    n_draw: np.ndarray
    flagged: np.ndarray
    best_u: np.ndarray
    best_chi2: np.ndarray
    samples: np.ndarray

    @property
    def n_flagged(self) -> int:
        return int(np.sum(self.flagged))


def importance_sample(
    posterior: ExactPosterior,
    x: np.ndarray,
    rng: np.random.Generator,
    settings: ImportanceSettings = DEFAULT_IMPORTANCE,
    progress: Progress | None = None,
) -> ExactResult:
    """Compute the exact posteriors of observations ``x`` ``(B, n_bin)``.

    Every observation has its own random stream, so that results do not depend on the chunk size.  ``progress`` is
    called with the number done and the total.  Raises InputError for observations of the wrong shape or not finite.
    """
    x = np.atleast_2d(np.asarray(x, float))
    n_bin = posterior.predict_u(np.full((1, posterior.dim), 0.5)).shape[-1]
    if x.ndim != 2 or x.shape[1] != n_bin:
        raise InputError(f"observations have shape {x.shape}, the prediction has {n_bin} bins: expected (n, {n_bin})")
    if not np.all(np.isfinite(x)):
        row, col = np.argwhere(~np.isfinite(x))[0]
        raise InputError(f"observation {row}, bin {col} is {x[row, col]}: drop or mend it")
    streams = rng.spawn(len(x))
    chunk = max(1, settings.chunk_points // settings.n_draw)
    parts = []
    for i in range(0, len(x), chunk):
        parts.append(_sample_chunk(posterior, x[i : i + chunk], streams[i : i + chunk], settings))
        if progress is not None:
            progress(min(i + chunk, len(x)), len(x))
    return ExactResult(**{k: np.concatenate([p[k] for p in parts]) for k in ExactResult.__dataclass_fields__})


def _sample_chunk(
    posterior: ExactPosterior, x: np.ndarray, streams: list[np.random.Generator], settings: ImportanceSettings
) -> dict[str, np.ndarray]:
    fit = posterior.fit(x, settings.fit)
    core = _best_proposal(posterior, x, fit, streams, settings)
    u, log_w, _ = _draw(posterior, x, core, streams, settings.n_draw, settings)
    result = _summarise(u, log_w, streams, settings)
    result |= {"best_u": fit.u, "best_chi2": fit.chi2}
    for k in range(len(x)):
        if result["ess"][k] < settings.min_fraction:
            _retry(posterior, x[k : k + 1], core.rows([k]), streams[k : k + 1], settings, result, k)
    result["flagged"] = result["ess"] * result["n_draw"] < settings.min_ess
    return result


def _best_proposal(
    posterior: ExactPosterior,
    x: np.ndarray,
    fit: BatchFit,
    streams: list[np.random.Generator],
    settings: ImportanceSettings,
) -> CubeGaussian:
    """Try each way to place the proposal with a few draws; keep, per observation, the one of the largest sample size."""
    best: dict[str, np.ndarray] = {}
    core = None
    candidates = (
        lambda: laplace(fit, coupled=True),
        lambda: laplace(fit, coupled=False),
        lambda: from_regression(best["u"], best["log_w"], best["log_p"]),
        lambda: from_moments(best["u"], best["log_w"]),
    )
    for build in candidates:
        trial = build()
        u, log_w, log_p = _draw(posterior, x, trial, streams, settings.n_adapt, settings)
        found = {"u": u, "log_w": log_w, "log_p": log_p, "ess": effective_fraction(log_w)}
        if core is None:
            core, best = trial, found
            continue
        better = found["ess"] > best["ess"]
        core = core.replaced(better, trial)
        for name, value in found.items():
            best[name][better] = value[better]
    return core


def _retry(
    posterior: ExactPosterior,
    x: np.ndarray,
    core: CubeGaussian,
    streams: list[np.random.Generator],
    settings: ImportanceSettings,
    result: dict[str, np.ndarray],
    k: int,
) -> None:
    """Spend four times the draws, adapting on them, and keep whichever round did best in row ``k`` of ``result``."""
    for _ in range(settings.n_retry):
        u, log_w, _ = _draw(posterior, x, core, streams, 4 * settings.n_draw, settings)
        again = _summarise(u, log_w, streams, settings)
        if again["ess"][0] * again["n_draw"][0] > result["ess"][k] * result["n_draw"][k]:
            for name, value in again.items():
                result[name][k] = value[0]
        if result["ess"][k] >= settings.min_fraction:
            return
        core = from_moments(u, log_w)


def _draw(
    posterior: ExactPosterior,
    x: np.ndarray,
    core: CubeGaussian,
    streams: list[np.random.Generator],
    n: int,
    settings: ImportanceSettings,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw ``n`` points from the mixture; return points ``(B, n, d)``, log weights and log likelihoods ``(B, n)``.

    The shares of the components are exact, not random, and every point is weighted by the whole mixture's density.
    """
    uniforms = np.stack([r.random((n, core.mean.shape[1])) for r in streams])
    n_wide, n_flat = round(settings.wide * n), round(settings.flat * n)
    n_core = n - n_wide - n_flat
    wide = core.wider(settings.inflation)
    u_core, _ = core.draw(uniforms[:, :n_core])
    u_wide, _ = wide.draw(uniforms[:, n_core : n_core + n_wide])
    u = np.concatenate([u_core, u_wide, uniforms[:, n_core + n_wide :]], axis=1)
    with np.errstate(divide="ignore"):
        shares = np.log(np.array([n_core, n_wide, n_flat]) / n)
    log_q = np.logaddexp(shares[0] + core.log_prob(u), shares[1] + wide.log_prob(u))
    log_q = np.logaddexp(log_q, shares[2])
    log_p = posterior.log_prob_u(u, x[:, None, :])
    return u, log_p - log_q, log_p


def _summarise(
    u: np.ndarray, log_w: np.ndarray, streams: list[np.random.Generator], settings: ImportanceSettings
) -> dict[str, np.ndarray]:
    n, size, dim = u.shape
    fraction = effective_fraction(log_w)
    top = log_w.max(axis=1, keepdims=True)
    weight = np.exp(log_w - top)
    total = weight.sum(axis=1)
    weight /= total[:, None]
    mean, sd = weighted_moments(u, weight)
    keep = np.empty((n, settings.n_keep, dim))
    for k in range(n if settings.n_keep else 0):
        keep[k] = u[k, streams[k].choice(size, settings.n_keep, p=weight[k])]
    return {
        "log_evidence": top[:, 0] + np.log(total / size),
        # Relative variance of the mean weight: (1 / efficiency - 1) / n.
        "log_evidence_error": np.sqrt(np.maximum(1.0 / fraction - 1.0, 0.0) / size),
        "mean": mean,
        "sd": sd,
        "quantiles": weighted_quantiles(u, weight, np.array(QUANTILES)),
        "ess": fraction,
        "n_draw": np.full(n, size),
        "samples": keep,
    }


def neural_importance(
    posterior: ExactPosterior, u: np.ndarray, log_q: np.ndarray, x: np.ndarray, chunk_points: int = 60_000
) -> Importance:
    """Weight an estimator's draws ``u`` ``(B, S, d)`` so that they stand for the exact posterior of ``x`` ``(B, n_bin)``.

    ``log_q`` ``(B, S)`` is the estimator's log density in the unit cube, renormalised for its truncation there.  The
    result's efficiency says how good the estimator is, its weights give the corrected posterior, and its evidence
    can be held against :func:`importance_sample`.  Raises InputError for shapes that disagree or weights that are not
    finite.
    """
    u, x = np.asarray(u, float), np.atleast_2d(np.asarray(x, float))
    if u.ndim != 3 or u.shape[:2] != np.shape(log_q) or len(x) != len(u):
        raise InputError(
            f"draws {np.shape(u)}, log densities {np.shape(log_q)}, observations {x.shape}: expected (B, S, d), (B, S), "
            "(B, n_bin)"
        )
    chunk = max(1, chunk_points // u.shape[1])
    log_p = [posterior.log_prob_u(u[i : i + chunk], x[i : i + chunk, None]) for i in range(0, len(u), chunk)]
    return importance_weights(np.concatenate(log_p), np.asarray(log_q, float))

"""Tables of bias, width, contraction, leakage and distance from the exact posterior: plain numbers, ready for JSON."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nuinfer.calibration.ranks import check_samples
from nuinfer.errors import InputError

UNIT_PRIOR_VARIANCE = 1.0 / 12.0
"""Variance of the uniform prior on the unit interval."""

ONE_SIGMA_QUANTILES = (0.16, 0.50, 0.84)


@dataclass(frozen=True)
class Moments:
    """Posterior ``mean``, standard deviation ``sd`` and quantiles at 16, 50 and 84 %, all ``(n_obs, d)``."""

    mean: np.ndarray
    sd: np.ndarray
    q16: np.ndarray
    q50: np.ndarray
    q84: np.ndarray


def moments(samples: np.ndarray) -> Moments:
    """Return the moments of ``samples`` ``(n_obs, n_samples, d)``, at least two samples each."""
    if samples.ndim != 3 or samples.shape[1] < 2:
        raise InputError(f"samples {samples.shape}: need (n_obs, n_samples, d) with at least two samples")
    n_obs, _, d = samples.shape
    mean, sd = np.empty((n_obs, d)), np.empty((n_obs, d))
    quantiles = np.empty((3, n_obs, d))
    for j in range(d):  # one parameter at a time: contiguous rows, and a quarter of the memory
        column = np.array(samples[:, :, j], dtype=float)
        mean[:, j], sd[:, j] = column.mean(axis=1), column.std(axis=1, ddof=1)
        quantiles[:, :, j] = np.quantile(column, ONE_SIGMA_QUANTILES, axis=1, overwrite_input=True)
    return Moments(mean, sd, *quantiles)


def pulls(posterior: Moments, truth: np.ndarray) -> np.ndarray:
    """Return ``(mean - truth) / sd`` ``(n_obs, d)``, 0 where the residual is; calibrated, its mean square is 1."""
    residual = posterior.mean - truth
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(residual == 0, 0.0, residual / posterior.sd)


def accuracy_table(posterior: Moments, truth: np.ndarray, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return, by parameter, bias and width of unit-cube posteriors about their ``truth`` ``(n_obs, d)``.

    ``bias`` is the mean pull and ``pull_width`` the pulls' standard deviation, both with standard errors (that of the
    width for Gaussian pulls); ``mean_residual`` and ``rms_residual`` are of posterior mean minus truth,
    ``mean_width`` is the mean 84-16 % full width and ``mean_sd`` the mean standard deviation, all four in units of
    the prior's range; ``contraction`` is the mean of ``1 - var_posterior / var_prior``.
    """
    n_obs = len(truth)
    pull, residual = pulls(posterior, truth), posterior.mean - truth
    table = {}
    for j, name in enumerate(names):
        width = float(pull[:, j].std(ddof=1)) if n_obs > 1 else float("nan")
        table[name] = {
            "bias": float(pull[:, j].mean()),
            "bias_error": width / np.sqrt(n_obs),
            "pull_width": width,
            "pull_width_error": width / np.sqrt(2.0 * max(n_obs - 1, 1)),
            "mean_residual": float(residual[:, j].mean()),
            "rms_residual": float(np.sqrt(np.mean(residual[:, j] ** 2))),
            "mean_width": float(np.mean(posterior.q84[:, j] - posterior.q16[:, j])),
            "mean_sd": float(posterior.sd[:, j].mean()),
            "contraction": float(1.0 - np.mean(posterior.sd[:, j] ** 2) / UNIT_PRIOR_VARIANCE),
        }
    return _plain(table)


def leakage_table(acceptance: np.ndarray) -> dict[str, float]:
    """Return mean, 95 % quantile and worst of ``1 - acceptance`` ``(n_obs,)``: mass outside the prior."""
    acceptance = np.asarray(acceptance, float)
    if not (acceptance.size and np.all((acceptance >= 0) & (acceptance <= 1))):
        raise InputError("acceptance: need one share in [0, 1] per observation")
    leakage = 1.0 - acceptance
    return _plain(
        {
            "mean": leakage.mean(),
            "q95": np.quantile(leakage, 0.95),
            "worst": leakage.max(),
            "worst_observation": int(leakage.argmax()),
        }
    )


def comparison_table(
    mean: np.ndarray, sd: np.ndarray, exact_mean: np.ndarray, exact_sd: np.ndarray, names: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return, by parameter, how posteriors differ from the exact ones; all inputs ``(n_obs, d)`` in the same units.

    ``rms_shift`` and ``mean_shift`` are of ``(mean - exact_mean) / exact_sd``; the width ratio ``sd / exact_sd`` is
    given by its median and its 16 and 84 % quantiles over the observations.
    """
    shapes = {np.shape(a) for a in (mean, sd, exact_mean, exact_sd)}
    if len(shapes) != 1 or np.ndim(mean) != 2 or np.shape(mean)[1] != len(names):
        raise InputError(f"comparison with the exact posterior: shapes {sorted(shapes)} and {len(names)} names disagree")
    if not np.all(np.asarray(exact_sd) > 0):
        raise InputError("comparison with the exact posterior: an exact standard deviation is not positive")
    shift, ratio = (mean - exact_mean) / exact_sd, sd / exact_sd
    return _plain(
        {
            name: {
                "rms_shift": np.sqrt(np.mean(shift[:, j] ** 2)),
                "mean_shift": shift[:, j].mean(),
                "median_width_ratio": np.median(ratio[:, j]),
                "q16_width_ratio": np.quantile(ratio[:, j], 0.16),
                "q84_width_ratio": np.quantile(ratio[:, j], 0.84),
            }
            for j, name in enumerate(names)
        }
    )


def kl_gap(log_p_exact: np.ndarray, log_q: np.ndarray) -> dict[str, float]:
    r"""Return the mean gap in nats, its standard error, and the spread over the ``n_obs`` observations.

    Both are log densities ``(n_obs,)`` at the *truth*, in the same coordinates; over truths drawn with their
    observations, :math:`E[\ln p(\theta|x) - \ln q(\theta|x)] = E_x\,\mathrm{KL}(p\,\|\,q) \ge 0`.  One event may well
    have a negative gap.
    """
    gap = np.asarray(log_p_exact, float) - np.asarray(log_q, float)
    if gap.ndim != 1 or len(gap) < 2 or not np.isfinite(gap).all():
        raise InputError("KL gap: need finite log densities, (n_obs,) both, for at least two observations")
    spread = gap.std(ddof=1)
    return _plain({"mean": gap.mean(), "error": spread / np.sqrt(len(gap)), "spread": spread, "n_obs": len(gap)})


def check_names(names: Sequence[str], samples: np.ndarray, truth: np.ndarray) -> None:
    """Raise InputError unless ``samples`` and ``truth`` fit each other and have one parameter per name."""
    check_samples(samples, truth)
    if len(names) != truth.shape[1] or len(set(names)) != len(names):
        raise InputError(f"names {list(names)}: need {truth.shape[1]} different ones, one per parameter of the samples")


def _plain(value):
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return value if isinstance(value, int | bool | str) else float(value)

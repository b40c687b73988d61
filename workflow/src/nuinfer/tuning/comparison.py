"""One table of what every method finds for one observation: estimator, its importance-corrected version, exact, fit."""

from collections.abc import Mapping, Sequence

import numpy as np

from nuinfer.tuning.fit import FitResult

QUANTILES = (0.16, 0.50, 0.84)


def marginals(theta: np.ndarray, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return mean, sd and 16, 50, 84 % quantiles of equally weighted samples ``(S, d)`` in physical units."""
    q16, q50, q84 = np.quantile(theta, QUANTILES, axis=0)
    columns = {"mean": theta.mean(axis=0), "sd": theta.std(axis=0), "q16": q16, "q50": q50, "q84": q84}
    return {name: {k: float(v[i]) for k, v in columns.items()} for i, name in enumerate(names)}


def fit_marginals(fit: FitResult) -> dict[str, dict[str, float | bool | None]]:
    """Return best fit and errors of a maximum-likelihood fit in the same layout (16 to 84 % from MINOS)."""
    rows = {}
    for i, name in enumerate(fit.names):
        down, up = (None, None) if fit.minos is None else (float(v) for v in fit.minos[i])
        value = float(fit.theta[i])
        rows[name] = {
            "mean": value,
            "sd": float(fit.errors[i]) or None,
            "q16": None if down is None else value + down,
            "q50": value,
            "q84": None if up is None else value + up,
            "at_limit": bool(fit.at_limit[i]),
        }
    return rows


def against_exact(
    rows: Mapping[str, Mapping[str, float]], exact: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """Return per parameter the shift of the mean in exact standard deviations and the ratio of the widths."""
    return {
        name: {
            "mean_shift_sd": (rows[name]["mean"] - exact[name]["mean"]) / exact[name]["sd"],
            "sd_ratio": rows[name]["sd"] / exact[name]["sd"],
        }
        for name in exact
    }


def against_truth(
    tables: Mapping[str, Mapping[str, Mapping[str, float]]], truth: Mapping[str, float], exact_sd: Mapping[str, float]
) -> dict[str, dict[str, dict[str, float]]]:
    """Return by method and parameter the deviation of mean and median from the truth, in physical units and exact sd."""
    return {
        method: {
            name: {
                "mean_minus_truth": rows[name]["mean"] - truth[name],
                "mean_minus_truth_sd": (rows[name]["mean"] - truth[name]) / exact_sd[name],
                "median_minus_truth_sd": (rows[name]["q50"] - truth[name]) / exact_sd[name],
            }
            for name in truth
        }
        for method, rows in tables.items()
    }

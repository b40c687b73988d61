"""The whole calibration of one sampling pass: every check, its arrays for files and figures, its numbers for tables."""

from collections.abc import Sequence

import numpy as np

from nuinfer.calibration.bands import pointwise_band, simultaneous_band
from nuinfer.calibration.coverage import ONE_SIGMA, assess_curve, central_levels, coverage_curve, density_ranks
from nuinfer.calibration.ranks import chi2_p_values, ks_p_values, marginal_ranks, rank_fractions
from nuinfer.calibration.summary import accuracy_table, check_names, leakage_table, moments, pulls
from nuinfer.calibration.tarp import bootstrap_band, reference_points, tarp_ranks
from nuinfer.errors import InputError

DEFAULT_LEVELS = np.linspace(0.01, 0.99, 99)


def calibrate(
    samples_u: np.ndarray,
    truth_u: np.ndarray,
    log_q_samples: np.ndarray,
    log_q_truth: np.ndarray,
    acceptance: np.ndarray,
    levels: np.ndarray,
    rng: np.random.Generator,
    names: Sequence[str],
    probability: float = 0.95,
    n_bootstrap: int = 1000,
) -> tuple[dict[str, np.ndarray], dict]:
    """Check posteriors against the truths of ``n_obs`` held-out throws.

    Parameters
    ----------
    samples_u: posterior samples in the unit cube, ``(n_obs, S, d)``.
    truth_u: the throws themselves, ``(n_obs, d)``.
    log_q_samples, log_q_truth: log densities in the unit cube, renormalised for truncation, ``(n_obs, S)`` and
        ``(n_obs,)``.
    acceptance: share of each untruncated estimate inside the cube, ``(n_obs,)``.
    levels: credible levels at which coverage is quoted, ``(L,)``, ascending strictly within [0, 1].
    rng: randomises ranks within their steps, TARP references and the bootstrap; nothing else is random.
    names: the ``d`` parameters' names.
    probability: of the pointwise, simultaneous and bootstrap bands.
    n_bootstrap: number of bootstrap curves behind the TARP band.

    Returns
    -------
    arrays:
        ``levels`` ``(L,)``, as given;
        ``band_pointwise``, ``band_simultaneous`` ``(2, L)``, lower and upper, for every curve below;
        ``coverage_central`` ``(L, d)``, ``coverage_joint`` ``(L,)`` (highest density), ``tarp_coverage`` ``(L,)``;
        ``tarp_bootstrap`` ``(2, L)``, pointwise;
        ``rank_ecdf`` ``(L, d)``, the share of rank fractions at or below each level;
        ``ranks`` ``(n_obs, d)``, integers in 0 .. S, and ``rank_fractions`` ``(n_obs, d)``, randomised;
        ``joint_level``, ``tarp_level`` ``(n_obs,)``, credible levels of the truths;
        ``mean``, ``sd``, ``q16``, ``q50``, ``q84``, ``residual`` (mean - truth) ``(n_obs, d)``, in the unit cube;
        ``pull`` ``(n_obs, d)``, residual / sd;
        ``leakage`` ``(n_obs,)``, 1 - acceptance.
    metrics:
        ``n_obs``, ``n_samples``, ``band_probability``, ``band_tail`` (of the simultaneous band, at one point);
        ``parameters``, by name: ``sbc_ks_p``, ``sbc_chi2_p`` (None below 100 observations), ``coverage_1sigma`` (share
        of central 68.27 % intervals that hold the truth), ``coverage`` and ``rank_ecdf`` as of
        :func:`~nuinfer.calibration.coverage.assess_curve`, and the entries of
        :func:`~nuinfer.calibration.summary.accuracy_table`;
        ``joint`` and ``tarp``: ``ks_p``, ``coverage_1sigma``, ``coverage``;
        ``leakage``: :func:`~nuinfer.calibration.summary.leakage_table`.

    Raises
    ------
    InputError: shapes that disagree, values that are not finite, levels or names that do not fit.
    """
    check_names(names, samples_u, truth_u)
    n_obs, n_samples, _ = samples_u.shape
    if np.shape(acceptance) != (n_obs,) or np.shape(log_q_samples) != (n_obs, n_samples):
        raise InputError(
            f"acceptance {np.shape(acceptance)} and log densities {np.shape(log_q_samples)} do not fit samples "
            f"{samples_u.shape}: need (n_obs,) and (n_obs, n_samples)"
        )
    pointwise = pointwise_band(n_obs, levels, probability)
    simultaneous = simultaneous_band(n_obs, levels, probability)
    levels = simultaneous.points

    ranks = marginal_ranks(samples_u, truth_u)
    fractions = rank_fractions(ranks, n_samples, rng)
    central = central_levels(fractions)
    joint = rank_fractions(density_ranks(log_q_samples, log_q_truth), n_samples, rng)
    tarp = rank_fractions(tarp_ranks(samples_u, truth_u, reference_points(truth_u, rng)), n_samples, rng)
    posterior = moments(samples_u)

    arrays = {
        "levels": levels,
        "band_pointwise": np.stack([pointwise.lower, pointwise.upper]),
        "band_simultaneous": np.stack([simultaneous.lower, simultaneous.upper]),
        "coverage_central": coverage_curve(central, levels),
        "coverage_joint": coverage_curve(joint, levels),
        "tarp_coverage": coverage_curve(tarp, levels),
        "tarp_bootstrap": bootstrap_band(tarp, levels, rng, n_bootstrap, probability),
        "rank_ecdf": coverage_curve(fractions, levels),
        "ranks": ranks,
        "rank_fractions": fractions,
        "joint_level": joint,
        "tarp_level": tarp,
        "mean": posterior.mean,
        "sd": posterior.sd,
        "q16": posterior.q16,
        "q50": posterior.q50,
        "q84": posterior.q84,
        "residual": posterior.mean - truth_u,
        "pull": pulls(posterior, truth_u),
        "leakage": 1.0 - np.asarray(acceptance, float),
    }

    accuracy = accuracy_table(posterior, truth_u, names)
    ks_p = ks_p_values(fractions)
    chi2_p = chi2_p_values(ranks, n_samples, min(20, n_obs // 10)) if n_obs >= 100 else None
    parameters = {
        name: {
            "sbc_ks_p": float(ks_p[j]),
            "sbc_chi2_p": None if chi2_p is None else float(chi2_p[j]),
            "coverage_1sigma": float(np.mean(central[:, j] <= ONE_SIGMA)),
            "coverage": assess_curve(arrays["coverage_central"][:, j], simultaneous),
            "rank_ecdf": assess_curve(arrays["rank_ecdf"][:, j], simultaneous),
            **accuracy[name],
        }
        for j, name in enumerate(names)
    }
    metrics = {
        "n_obs": n_obs,
        "n_samples": n_samples,
        "band_probability": probability,
        "band_tail": simultaneous.tail,
        "parameters": parameters,
        "leakage": leakage_table(acceptance),
    }
    for label, truth_levels, curve in (
        ("joint", joint, arrays["coverage_joint"]),
        ("tarp", tarp, arrays["tarp_coverage"]),
    ):
        metrics[label] = {
            "ks_p": float(ks_p_values(truth_levels[:, None])[0]),
            "coverage_1sigma": float(np.mean(truth_levels <= ONE_SIGMA)),
            "coverage": assess_curve(curve, simultaneous),
        }
    return arrays, metrics

r"""Coverage: how often credible regions of a level hold the truth.

A region of level :math:`\alpha` covers where the *credible level of the truth*, the level of the smallest region that
holds it, is at most :math:`\alpha`.  Calibrated, credible levels are uniform, so coverage as a function of the level
is their empirical distribution, and :mod:`nuinfer.calibration.bands` gives its bands.
"""

import numpy as np

from nuinfer.calibration.bands import Band
from nuinfer.errors import InputError

FIXED_BANDS = (0.10, 0.20)
"""Half widths of the bands drawn in earlier work: at 1,000 observations 6 and 13 standard deviations, hence no test."""

ONE_SIGMA = 0.6827


def central_levels(fractions: np.ndarray) -> np.ndarray:
    r"""Return the central-interval levels :math:`|2 f - 1|` of truths at posterior fractions ``f``, any shape."""
    return np.abs(2.0 * np.asarray(fractions) - 1.0)


def density_ranks(log_q_samples: np.ndarray, log_q_truth: np.ndarray) -> np.ndarray:
    """Return ``(n_obs,)`` integers: how many samples have a higher posterior density than the truth.

    ``log_q_samples`` ``(n_obs, n_samples)`` and ``log_q_truth`` ``(n_obs,)`` are log densities of one and the same
    estimate, in the same coordinates and precision.  The rank's fraction is the level of the smallest highest-density
    region that holds the truth (Hyndman, Am. Stat. 50 (1996) 120; Hermans et al., arXiv:2110.06581).  A truth outside
    the estimate's support has ``-inf``.  Raises InputError for NaN, ``+inf`` or shapes that disagree.
    """
    if log_q_samples.ndim != 2 or log_q_truth.shape != log_q_samples.shape[:1]:
        raise InputError(
            f"log densities {log_q_samples.shape} of samples and {log_q_truth.shape} of truths: "
            "need (n_obs, n_samples) and (n_obs,)"
        )
    for label, array in (("samples", log_q_samples), ("truths", log_q_truth)):
        if np.isnan(array).any() or np.isposinf(array).any():
            raise InputError(f"log densities of {label}: NaN or +inf; the estimate is broken there")
    return np.count_nonzero(log_q_samples > log_q_truth[:, None], axis=1)


def coverage_curve(truth_levels: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return the share of ``truth_levels`` ``(n_obs,)`` or ``(n_obs, d)`` at or below each of ``levels`` ``(L,)``.

    The result is ``(L,)`` or ``(L, d)``.  Given rank fractions in place of credible levels it is their ECDF.
    """
    truth_levels = np.asarray(truth_levels)
    if truth_levels.ndim == 1:
        return np.searchsorted(np.sort(truth_levels), levels, side="right") / len(truth_levels)
    return np.stack([coverage_curve(column, levels) for column in truth_levels.T], axis=1)


def assess_curve(curve: np.ndarray, band: Band) -> dict[str, float | bool]:
    """Return how far ``curve`` ``(L,)`` strays from the diagonal at the points of ``band``.

    ``max_deviation`` is signed (positive: covers too often), ``max_deviation_level`` says where; then whether the
    curve stays inside the simultaneous ``band`` and inside the fixed bands of 10 % and 20 %.
    """
    deviation = np.asarray(curve) - band.points
    worst = int(np.argmax(np.abs(deviation)))
    result = {
        "max_deviation": float(deviation[worst]),
        "max_deviation_level": float(band.points[worst]),
        "inside_simultaneous_band": band.contains(np.asarray(curve)),
    }
    for half_width in FIXED_BANDS:
        result[f"inside_{100 * half_width:.0f}_percent"] = bool(np.abs(deviation[worst]) <= half_width)
    return result

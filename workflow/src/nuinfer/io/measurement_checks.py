"""What a measurement must satisfy before anything is fitted to it; every refusal names the entry and the mend.

All numbers here are in 1e-38 cm^2 / nucleon / GeV, covariances in the square of that.
"""

from collections.abc import Mapping

import numpy as np

from nuinfer.errors import InputError

SYMMETRY_TOLERANCE = 1e-6
"""Allowed asymmetry in units of sqrt(C_ii C_jj): rounding of a table of six digits.  The T2K files are exactly symmetric."""

DIAGONAL_TOLERANCE = 1e-3
"""Allowed relative difference between a covariance's diagonal and the quoted errors squared."""

SUM_TOLERANCE = 1e-5
"""Allowed difference between the components' sum and the total, in units of sqrt(C_ii C_jj)."""

SMALLEST_EIGENVALUE = 1e-10
"""Least eigenvalue of the correlation matrix that can still be inverted in double precision."""

NORMALISATION_TOLERANCE = 1e-2
"""Allowed departure of the flux normalisation from a common relative error, times that error squared."""


def checked_values(name: str, values: np.ndarray) -> np.ndarray:
    """Return ``values`` ``(n_bin,)``; raise InputError for NaN, infinity, and values that are in cm^2."""
    values = np.asarray(values, float)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise InputError(f"{name}: value of bin {bad[0]} is {values[bad[0]]}; give a number or drop the bin")
    largest = float(np.max(np.abs(values)))
    if largest < 1e-20:
        raise InputError(
            f"{name}: the largest value is {largest:.3g}: these look like cm^2 / nucleon / GeV; multiply by 1e38"
        )
    if largest > 1e6:
        raise InputError(
            f"{name}: the largest value is {largest:.3g}, too large for 1e-38 cm^2 / nucleon / GeV; check the unit"
        )
    return values


def checked_covariance(name: str, matrix: np.ndarray, values: np.ndarray, definite: bool = True) -> np.ndarray:
    """Return a covariance ``(n_bin, n_bin)`` of ``values``, made exactly symmetric where rounding broke it.

    ``definite`` asks for a positive definite matrix; a component may have zero eigenvalues, not negative ones.
    Raises InputError for a wrong shape, an entry that is not finite, asymmetry, a negative variance, an unlikely unit
    and eigenvalues that are too small.
    """
    matrix = np.asarray(matrix, float)
    n = len(values)
    if matrix.shape != (n, n):
        raise InputError(f"{name}: shape {matrix.shape}, the table has {n} bins: expected ({n}, {n})")
    if not np.all(np.isfinite(matrix)):
        row, col = np.argwhere(~np.isfinite(matrix))[0]
        raise InputError(f"{name}: entry ({row}, {col}) is {matrix[row, col]}; give a number")
    variance = np.diag(matrix)
    if np.any(variance < 0) or (definite and np.any(variance == 0)):
        i = int(np.argmin(variance))
        raise InputError(f"{name}: variance ({i}, {i}) is {variance[i]:g}; a variance must be positive")
    _check_unit(name, variance, values)
    scale = np.sqrt(np.where(variance > 0, variance, 1.0))
    correlation = matrix / np.outer(scale, scale)
    asymmetry = np.abs(correlation - correlation.T)
    if asymmetry.max() > SYMMETRY_TOLERANCE:
        row, col = np.unravel_index(np.argmax(asymmetry), asymmetry.shape)
        raise InputError(
            f"{name}: not symmetric: entry ({row}, {col}) is {matrix[row, col]:g} and ({col}, {row}) is "
            f"{matrix[col, row]:g}; correct the wrong one"
        )
    smallest = float(np.linalg.eigvalsh(0.5 * (correlation + correlation.T))[0])
    if definite and smallest < SMALLEST_EIGENVALUE:
        raise InputError(
            f"{name}: not positive definite: the smallest eigenvalue of its correlation matrix is {smallest:.3g} "
            f"(needs {SMALLEST_EIGENVALUE:g}); drop bins that others determine or use the diagonal"
        )
    if not definite and smallest < -SYMMETRY_TOLERANCE * n:
        raise InputError(f"{name}: has the negative eigenvalue {smallest:.3g} (as a correlation); check its entries")
    return 0.5 * (matrix + matrix.T)


def _check_unit(name: str, variance: np.ndarray, values: np.ndarray) -> None:
    typical = np.median(variance) / np.median(values**2)
    if typical < 1e-40:
        raise InputError(
            f"{name}: the median variance is {np.median(variance):.3g}, 1e76 times too small for values in "
            "1e-38 cm^2 / nucleon / GeV: it looks like (cm^2)^2; multiply by 1e76"
        )
    if typical > 1e40:
        raise InputError(
            f"{name}: the median variance is {np.median(variance):.3g}, 1e76 times too large for the values; "
            "multiply by 1e-76, or the values by 1e38"
        )


def check_errors(name: str, covariance: np.ndarray, quoted: np.ndarray) -> None:
    """Raise InputError unless the diagonal equals the quoted errors ``(n_bin,)`` squared."""
    diagonal = np.diag(covariance)
    ratio = np.asarray(quoted, float) ** 2 / diagonal
    bad = np.flatnonzero(~(np.abs(ratio - 1.0) < DIAGONAL_TOLERANCE))
    if bad.size:
        i = int(bad[0])
        raise InputError(
            f"{name}: entry ({i}, {i}) is {diagonal[i]:g}, the quoted error {quoted[i]:g} squared is "
            f"{quoted[i] ** 2:g} ({bad.size} bins disagree); the table and the covariance are not of one release or order"
        )


def check_sum(name: str, total: np.ndarray, components: Mapping[str, np.ndarray]) -> None:
    """Raise InputError unless the components add up to the total."""
    scale = np.sqrt(np.diag(total))
    gap = np.abs(sum(components.values()) - total) / np.outer(scale, scale)
    if gap.max() > SUM_TOLERANCE:
        row, col = np.unravel_index(np.argmax(gap), gap.shape)
        parts = " + ".join(f"{key} {matrix[row, col]:g}" for key, matrix in components.items())
        raise InputError(
            f"{name}: components do not add up at ({row}, {col}): {parts} against {total[row, col]:g} in the total"
        )


def common_norm_rel(name: str, normalisation: np.ndarray, values: np.ndarray) -> float:
    """Return the relative error :math:`\\epsilon` of a normalisation covariance :math:`\\epsilon^2 x x^T`.

    Raises InputError where the matrix is not of that form: it then is not one normalisation of every bin.
    """
    product = np.outer(values, values)
    squared = float(np.sum(normalisation * product) / np.sum(product * product))
    if not squared > 0:
        raise InputError(f"{name}: the flux normalisation's covariance is not positive along the values")
    relative = np.abs(normalisation - squared * product) / (squared * np.abs(product) + 1e-300)
    if relative.max() > NORMALISATION_TOLERANCE:
        row, col = np.unravel_index(np.argmax(relative), relative.shape)
        raise InputError(
            f"{name}: not one normalisation: entry ({row}, {col}) is {normalisation[row, col]:g}, a common "
            f"{100 * np.sqrt(squared):.3g} % of the values gives {squared * product[row, col]:g}"
        )
    return float(np.sqrt(squared))

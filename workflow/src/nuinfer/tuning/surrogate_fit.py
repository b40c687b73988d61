"""Polynomial responses fitted to throws: coefficients from the train split, the degree from validation, the error from test."""

from collections.abc import Callable
from dataclasses import replace
from math import comb

import numpy as np
from scipy import linalg

from nuinfer.errors import InputError
from nuinfer.io.simulations import Simulations
from nuinfer.tuning.surrogate import BLOCK, Surrogate, evaluate, exponents_up_to, terms
from nuinfer.workflow import SPLITS

EXACT = 1e-11
"""Relative error below which one degree is as good as another: rounding."""

OUTER = 0.02
"""Share of the test throws that :func:`edge_error` looks at."""

MOST_TERMS = 2000
"""The normal equations of more terms would take minutes and gigabytes."""

THROWS_PER_TERM = 5
WITHIN_BEST = 1.02


def fit_surrogate(simulations: Simulations, max_degree: int = 8, progress: Callable[[str], None] | None = None) -> Surrogate:
    """Fit the polynomials to the train split of ``simulations``, one least-squares problem for all bins.

    The normal equations of the highest degree are summed in blocks of throws, in double precision, and contain those of every
    lower degree.  The degree is the smallest whose rms residual in the validation split, each bin's in units of the best that
    any degree reaches there, is within 2 % of the smallest.  Degrees are tried up to ``max_degree`` while the train split has
    five throws per term, there are at most :data:`MOST_TERMS` terms, and the throws determine them.

    Raises InputError for a ``max_degree`` below 1, an empty split, and throws that do not determine a straight line in every
    parameter (too few, or a parameter that does not vary).
    """
    if max_degree < 1:
        raise InputError(f"max_degree must be at least 1, got {max_degree}")
    box = simulations.box
    train, validation, test = (simulations.part(name) for name in SPLITS)
    if not (len(validation.u) and len(test.u)):
        raise InputError("surrogate: no throws in the validation or the test split; give some to both")
    limits = np.array([(p.low, p.high) for p in box.priors])
    most = min(MOST_TERMS, len(train.u) // THROWS_PER_TERM)
    if most < 1 + box.dim:
        least = THROWS_PER_TERM * (1 + box.dim)
        raise InputError(f"surrogate: {len(train.u)} train throws for {box.dim} parameters; give {least} or more")
    highest = max(k for k in range(1, max_degree + 1) if comb(box.dim + k, k) <= most)
    exponents = exponents_up_to(box.dim, highest)
    fits = _solve_every_degree(*_normal_equations(train, limits, exponents), exponents.sum(axis=1))
    if len(fits) < 2:
        raise InputError(f"surrogate: the throws do not vary independently in {', '.join(box.names)}; fix what does not vary")
    residuals = (evaluate(validation.theta, limits, exponents[: len(c)], c) - validation.prediction for c in fits)
    validation_rms = np.array([np.sqrt(np.mean(r**2, axis=0)) for r in residuals])
    coefficients = fits[_smallest_sufficient(validation_rms, validation.prediction.mean(axis=0))]
    exponents = exponents[: len(coefficients)]
    predicted = evaluate(test.theta, limits, exponents, coefficients)
    residual, mean = predicted - test.prediction, test.prediction.mean(axis=0)
    rms, n_negative = np.sqrt(np.mean(residual**2, axis=0)), int((predicted < 0).any(axis=1).sum())
    error = float(np.max(rms / np.maximum(mean, EXACT * mean.max())))
    if progress:
        progress(f"{len(exponents)} terms, relative error {error:.2g}, {n_negative} of {len(test.u)} test throws negative")
    surrogate = Surrogate(
        box.names,
        {n: (float(low), float(high)) for n, (low, high) in zip(box.names, limits, strict=True)},
        exponents,
        coefficients,
        simulations.binning.area_gev,
        {p.name: float(np.clip(p.default, *pair)) for p, pair in zip(box.parameters, limits, strict=True)},
        error,
        {"rms": rms, "largest": np.abs(residual).max(axis=0), "mean": mean, "validation": validation_rms},
        n_negative,
        len(test.u),
    )
    return replace(surrogate, total=float(surrogate.default_prediction() @ surrogate.area_gev))


def edge_error(surrogate: Surrogate, test: Simulations) -> float:
    """Return the largest rms residual, relative to the bin's mean, of the test throws nearest an end of a parameter's range.

    These are, for each parameter, the :data:`OUTER` part of the throws that is farthest from the middle of its range: where a
    normal prior has few throws, a polynomial is worst, and data that pull will look.  Taken over all parameters at once they
    would be those at the ends of a uniform prior, which has the most throws there.
    """
    low, high = surrogate.limits().T
    reach = np.abs(2.0 * test.theta - low - high) / (high - low)
    n = max(2, int(OUTER * len(reach)))
    errors = [0.0]
    for outer in np.argsort(reach, axis=0)[-n:].T:
        residual = surrogate.predict(test.theta[outer], surrogate.names) - test.prediction[outer]
        mean = test.prediction[outer].mean(axis=0)
        errors.append(float(np.max(np.sqrt(np.mean(residual**2, axis=0)) / np.maximum(mean, EXACT * mean.max()))))
    return max(errors)


def _normal_equations(part: Simulations, limits: np.ndarray, exponents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return :math:`A^T A` ``(n_term, n_term)`` and :math:`A^T y` ``(n_term, n_bin)`` of the throws' terms :math:`A`."""
    gram, projected = np.zeros((len(exponents),) * 2), np.zeros((len(exponents), part.prediction.shape[1]))
    for start in range(0, len(part.theta), BLOCK):
        block = slice(start, start + BLOCK)
        features = terms(part.theta[block], limits, exponents)
        gram += features @ features.T
        projected += features @ part.prediction[block]
    return gram, projected


def _solve_every_degree(gram: np.ndarray, projected: np.ndarray, total_degree: np.ndarray) -> list[np.ndarray]:
    """Return the coefficients of degree 0, 1, ..; the list ends before the first degree that the throws do not determine."""
    scale = 1.0 / np.sqrt(np.diag(gram))
    found = []
    for degree in range(int(total_degree.max()) + 1):
        n = int(np.sum(total_degree <= degree))
        scaled = gram[:n, :n] * scale[:n, None] * scale[:n]
        try:
            factor = linalg.cho_factor(scaled, lower=True)
        except linalg.LinAlgError:
            break
        # The smallest pivot of a matrix of unit diagonal: what is left of a term once all before it are taken out.
        if np.diag(factor[0]).min() ** 2 < 1e-10:
            break
        found.append(scale[:n, None] * linalg.cho_solve(factor, scale[:n, None] * projected[:n]))
    return found


def _smallest_sufficient(rms: np.ndarray, mean: np.ndarray) -> int:
    """Return the first degree that is as good as the best, of rms residuals ``(n_degree, n_bin)`` and mean contents."""
    floored = np.maximum(rms, EXACT * mean.max())
    score = np.sqrt(np.mean((floored / floored.min(axis=0)) ** 2, axis=1))
    return int(np.argmax(score <= WITHIN_BEST * score.min()))

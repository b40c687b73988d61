r"""A response fitted to throws: in every bin a polynomial in all parameters, for sources that deliver predictions alone.

.. math::
    \mu_b(\theta) = \sum_{|k| \le K} c_{kb} \prod_j T_{k_j}(x_j), \qquad
    x_j = \frac{2\theta_j - \theta_j^\mathrm{low} - \theta_j^\mathrm{high}}{\theta_j^\mathrm{high} - \theta_j^\mathrm{low}}

with Chebyshev polynomials :math:`T` over the prior's range and total degree :math:`|k| = \sum_j k_j`.  The idea is that of
Professor (A. Buckley et al., arXiv:0907.2973, section 2), which uses monomials; Chebyshev polynomials keep the fit well
conditioned at high degree.  The train split gives the coefficients, the validation split the degree, the test split the error.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations_with_replacement
from math import comb

import numpy as np
from scipy import linalg

from nuinfer.errors import InputError
from nuinfer.io.simulations import Simulations
from nuinfer.tuning.response import chebyshev_features, stored_structure
from nuinfer.workflow import SPLITS

KIND = "polynomial"
BLOCK = 4096
"""Throws whose features are held at a time."""

MOST_TERMS = 2000
"""The normal equations of more terms would take minutes and gigabytes."""

THROWS_PER_TERM = 5
WITHIN_BEST = 1.02
EXACT = 1e-11
"""Relative error below which one degree is as good as another: rounding."""

EDGE = 1e-9
"""A parameter may leave its range by this fraction of it: rounding."""


@dataclass(frozen=True)
class Surrogate:
    """Predictions in ``n_bin`` bins, in 1e-38 cm^2 / nucleon / GeV; used like :class:`nuinfer.tuning.response.Response`.

    ``exponents`` ``(n_term, d)`` are the degrees :math:`k` in the order of ``names``, ``coefficients`` ``(n_term, n_bin)``.
    ``ranges`` is where the polynomial holds.  ``total`` is the flux-averaged CC0pi cross section *inside the bins* at the
    ``defaults``, in 1e-38 cm^2 / nucleon: throws do not say what is outside.  ``interpolation_error`` is the largest over bins
    of the rms residual in the test split relative to the bin's mean prediction there; where the throws carry statistical
    scatter it contains that scatter.  ``errors`` has ``rms`` and ``largest`` (absolute residual) in the test split and
    ``mean``, each ``(n_bin,)``, and ``validation`` ``(n_degree, n_bin)``, the rms of every degree tried, from 0.

    A polynomial may be negative somewhere: it is not clipped, and ``n_negative`` of the ``n_test`` test throws have a negative
    bin.  ``variance`` ``(n_bin,)`` is a constant statistical variance, where one is given.
    """

    names: tuple[str, ...]
    ranges: Mapping[str, tuple[float, float]]
    exponents: np.ndarray
    coefficients: np.ndarray
    area_gev: np.ndarray
    defaults: Mapping[str, float]
    interpolation_error: float = float("nan")
    errors: Mapping[str, np.ndarray] = field(default_factory=dict)
    n_negative: int = 0
    n_test: int = 0
    total: float = float("nan")
    variance: np.ndarray | None = None

    @property
    def n_bin(self) -> int:
        return self.coefficients.shape[1]

    @property
    def degree(self) -> int:
        """Largest total degree of a term."""
        return int(self.exponents.sum(axis=1).max())

    def predict(self, theta: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
        """Return predictions ``(n, n_bin)`` at ``theta`` ``(n, d)``, columns in the order of ``names``.

        Parameters not named stay at their defaults.  Raises InputError for a name the surrogate does not know, a shape that
        does not match, a value that is not finite, or one outside the range of the throws.
        """
        return evaluate(self._full(theta, names), self._limits(), self.exponents, self.coefficients)

    def components(self, theta: np.ndarray, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Return :meth:`predict` as the one component ``prediction``: throws do not tell channels apart."""
        return {"prediction": self.predict(theta, names)}

    def default_prediction(self) -> np.ndarray:
        """Return the prediction ``(n_bin,)`` at every parameter's default."""
        return self.predict(np.empty((1, 0)), ())[0]

    def simulation_variance(self, theta: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
        """Return the variance ``(n, n_bin)`` that the throws' own statistics leave in :meth:`predict`; zero for none."""
        constant = np.zeros(self.n_bin) if self.variance is None else self.variance
        return np.tile(constant, (len(self._full(theta, names)), 1))

    def per_event(self, n_events: int) -> np.ndarray:
        r"""Return the density ``(n_bin,)`` :math:`\sigma_\mathrm{total} / (N a_b)` of one of ``n_events`` binned events."""
        if n_events < 1:
            raise InputError(f"the number of simulated events must be at least 1, got {n_events}")
        return self.total / (n_events * self.area_gev)

    def select(self, keep: np.ndarray) -> "Surrogate":
        """Return the surrogate of the bins ``keep`` (a mask or indices); ``total`` and the error stay those of all bins."""
        return replace(
            self,
            coefficients=np.ascontiguousarray(self.coefficients[:, keep]),
            area_gev=self.area_gev[keep],
            errors={k: v[..., keep] for k, v in self.errors.items()},
            variance=None if self.variance is None else self.variance[keep],
        )

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return plain arrays (and the structure as JSON bytes) from which :meth:`from_arrays` rebuilds this."""
        structure = {
            "kind": KIND,
            "names": list(self.names),
            "ranges": {k: list(v) for k, v in self.ranges.items()},
            "defaults": dict(self.defaults),
            "interpolation_error": self.interpolation_error,
            "n_negative": self.n_negative,
            "n_test": self.n_test,
            "total": self.total,
        }
        arrays = {"exponents": self.exponents, "coefficients": self.coefficients, "area_gev": self.area_gev}
        arrays |= {f"error_{k}": v for k, v in self.errors.items()}
        if self.variance is not None:
            arrays["variance"] = self.variance
        return {"structure": np.bytes_(json.dumps(structure)), **arrays}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Surrogate":
        """Rebuild a surrogate; raise InputError where an array is missing or does not fit."""
        try:
            facts = stored_structure(arrays)
            if facts["kind"] != KIND:
                raise InputError(f"stored response: kind '{facts['kind']}', not '{KIND}'; read it with the class of its kind")
            surrogate = cls(
                tuple(facts["names"]),
                {k: (low, high) for k, (low, high) in facts["ranges"].items()},
                np.asarray(arrays["exponents"], int),
                np.asarray(arrays["coefficients"], float),
                np.asarray(arrays["area_gev"], float),
                facts["defaults"],
                facts["interpolation_error"],
                {k[6:]: np.asarray(v, float) for k, v in arrays.items() if k.startswith("error_")},
                facts["n_negative"],
                facts["n_test"],
                facts["total"],
                np.asarray(arrays["variance"], float) if "variance" in arrays else None,
            )
        except KeyError as missing:
            raise InputError(f"stored response: no entry {missing}; build the response again") from None
        shape = (len(surrogate.exponents), len(surrogate.area_gev))
        if surrogate.coefficients.shape != shape or surrogate.exponents.shape[1:] != (len(surrogate.names),):
            raise InputError(f"stored response: coefficients do not fit {shape[1]} bins; build the response again")
        return surrogate

    def _limits(self) -> np.ndarray:
        return np.array([self.ranges[n] for n in self.names])

    def _full(self, theta: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
        """Return ``theta`` with every parameter, in the surrogate's order, checked."""
        theta = np.asarray(theta, float)
        unknown = [n for n in names if n not in self.names]
        if unknown:
            raise InputError(f"the surrogate does not depend on {', '.join(unknown)}; it knows {', '.join(self.names)}")
        if theta.ndim != 2 or theta.shape[1] != len(names):
            raise InputError(f"theta must have shape (n, {len(names)}), got {theta.shape}")
        if not np.all(np.isfinite(theta)):
            raise InputError(f"theta holds a value that is not finite (throw {np.argwhere(~np.isfinite(theta))[0][0]})")
        full = np.tile([self.defaults[n] for n in self.names], (len(theta), 1))
        for i, name in enumerate(names):
            full[:, self.names.index(name)] = theta[:, i]
        for (low, high), name, values in zip(self._limits(), self.names, full.T, strict=True):
            slack = EDGE * (high - low)
            if values.size and (values.min() < low - slack or values.max() > high + slack):
                raise InputError(
                    f"{name} from {values.min():g} to {values.max():g} leaves the throws' range [{low:g}, {high:g}]; "
                    "throw a wider range, or narrow the prior"
                )
        return full


def exponents_up_to(dim: int, degree: int) -> np.ndarray:
    """Return the exponents ``(n_term, dim)`` of total degree 0 .. ``degree``, in the order of total degree."""
    chosen = [c for k in range(degree + 1) for c in combinations_with_replacement(range(dim), k)]
    return np.array([np.bincount(np.array(c, int), minlength=dim) for c in chosen])


def terms(theta: np.ndarray, limits: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """Return the products of Chebyshev polynomials ``(n_term, n)`` at ``theta`` ``(n, d)``; ``limits`` ``(d, 2)``."""
    out = np.ones((len(exponents), len(theta)))
    for j in range(theta.shape[1]):
        curves = np.ascontiguousarray(chebyshev_features(theta[:, j], tuple(limits[j]), exponents.max() + 1).T)
        bent = np.flatnonzero(exponents[:, j])
        out[bent] *= curves[exponents[bent, j]]
    return out


def evaluate(theta: np.ndarray, limits: np.ndarray, exponents: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Return the polynomials ``(n, n_bin)`` at ``theta`` ``(n, d)``, in blocks of throws."""
    out = np.empty((len(theta), coefficients.shape[1]))
    for start in range(0, len(theta), BLOCK):
        block = slice(start, start + BLOCK)
        out[block] = terms(theta[block], limits, exponents).T @ coefficients
    return out


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

r"""A response fitted to throws: in every bin a polynomial in all parameters, for sources that deliver predictions alone.

.. math::
    \mu_b(\theta) = \sum_{|k| \le K} c_{kb} \prod_j T_{k_j}(x_j), \qquad
    x_j = \frac{2\theta_j - \theta_j^\mathrm{low} - \theta_j^\mathrm{high}}{\theta_j^\mathrm{high} - \theta_j^\mathrm{low}}

with Chebyshev polynomials :math:`T` over the prior's range and total degree :math:`|k| = \sum_j k_j`.  The idea is that of
Professor (A. Buckley et al., arXiv:0907.2973, section 2), which uses monomials; Chebyshev polynomials keep the fit well
conditioned at high degree.  :mod:`nuinfer.tuning.surrogate_fit` finds them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations_with_replacement

import numpy as np

from nuinfer.errors import InputError
from nuinfer.tuning.response import chebyshev_features, stored_structure

KIND = "polynomial"
BLOCK = 4096
"""Throws whose features are held at a time."""

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
        return evaluate(self._full(theta, names), self.limits(), self.exponents, self.coefficients)

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

    def limits(self) -> np.ndarray:
        """Return the ranges ``(d, 2)`` in the order of ``names``."""
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
        for (low, high), name, values in zip(self.limits(), self.names, full.T, strict=True):
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

r"""A generator's prediction as a linear function of fixed features of the parameters.

.. math::
    \mu_b(\theta) = \sum_t \Big[\prod_j f_{tj}(\theta_j)\Big] \sum_k T_k\big(x(\theta_{c(t)})\big)\, c_{tkb}

with factors :math:`f(\theta) = \theta` or :math:`1 - \theta`, Chebyshev polynomials :math:`T_k` in the one parameter (as a
rule the axial mass) that bends the term, mapped to [-1, 1], and :math:`k = 0` alone for terms that none bends: any number of
throws is one matrix product.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from nuinfer.errors import InputError
from nuinfer.tuning.parameters import PARAMETERS

MA = "ma_ccqe_gev"


@dataclass(frozen=True)
class Block:
    """One term: its component, factors ``((parameter, "linear" | "complement"), ...)`` and ``(n_order, n_bin)`` numbers.

    ``curve`` names the parameter of the polynomials; of no meaning where ``n_order`` is 1.
    """

    component: str
    factors: tuple[tuple[str, str], ...]
    coefficients: np.ndarray
    curve: str = MA


@dataclass(frozen=True)
class Response:
    """Predictions in ``n_bin`` bins, in 1e-38 cm^2 / nucleon / GeV.

    ``ranges`` is where each curve's interpolation holds and ``interpolation_error`` its largest error off the nodes,
    relative to the bin's prediction; ``area_gev`` ``(n_bin,)`` are the bins' areas; ``total`` is the flux-averaged total
    CC0pi cross section at the defaults in 1e-38 cm^2 / nucleon.  ``defaults`` are those that are not the library's, and
    ``variance`` has the blocks of the statistical variance of simulated samples, where the prediction comes from such.
    """

    blocks: tuple[Block, ...]
    ranges: Mapping[str, tuple[float, float]]
    interpolation_error: float
    area_gev: np.ndarray
    total: float
    defaults: Mapping[str, float] = field(default_factory=dict)
    variance: tuple[Block, ...] = ()

    @property
    def n_bin(self) -> int:
        return self.blocks[0].coefficients.shape[1]

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters that the prediction depends on, in canonical order."""
        used = {name for b in self.blocks for name, _ in b.factors}
        used |= {b.curve for b in self.blocks if len(b.coefficients) > 1}
        return (*(n for n in PARAMETERS if n in used), *sorted(used - set(PARAMETERS)))

    def predict(self, theta: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
        """Return predictions ``(n, n_bin)`` at ``theta`` ``(n, d)``, columns in the order of ``names``.

        Parameters not named stay at their defaults.  Raises InputError for a name the response does not know, a shape
        that does not match, a value that is not finite, or one outside the range of its curve.
        """
        columns = self._columns(theta, names)
        return self._features(columns, self.blocks) @ np.concatenate([b.coefficients for b in self.blocks])

    def components(self, theta: np.ndarray, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Return each component's part ``(n, n_bin)`` of :meth:`predict`."""
        columns = self._columns(theta, names)
        parts = {}
        for component in dict.fromkeys(b.component for b in self.blocks):
            blocks = tuple(b for b in self.blocks if b.component == component)
            parts[component] = self._features(columns, blocks) @ np.concatenate([b.coefficients for b in blocks])
        return parts

    def default_prediction(self) -> np.ndarray:
        """Return the prediction ``(n_bin,)`` at every parameter's default."""
        return self.predict(np.empty((1, 0)), ())[0]

    def simulation_variance(self, theta: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
        """Return the variance ``(n, n_bin)`` of :meth:`predict` that the simulated samples' statistics leave; zero for none."""
        columns = self._columns(theta, names)
        if not self.variance:
            return np.zeros((len(theta), self.n_bin))
        # Between the nodes of a curve a polynomial through a bin's few events may dip below zero by rounding.
        features = self._features(columns, self.variance)
        return np.maximum(features @ np.concatenate([b.coefficients for b in self.variance]), 0.0)

    def per_event(self, n_events: int) -> np.ndarray:
        """Return the density ``(n_bin,)`` that one of ``n_events`` simulated CC0pi events adds to its bin.

        :math:`w_b = \\sigma_\\mathrm{total} / (N\\,a_b)`: the sample stands for the whole flux-averaged cross section at
        the default parameters, so that the counts of all bins add up to about ``n_events`` there.
        """
        if n_events < 1:
            raise InputError(f"the number of simulated events must be at least 1, got {n_events}")
        return self.total / (n_events * self.area_gev)

    def select(self, keep: np.ndarray) -> "Response":
        """Return the response of the bins ``keep`` (a mask or indices)."""

        def kept(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
            return tuple(replace(b, coefficients=np.ascontiguousarray(b.coefficients[:, keep])) for b in blocks)

        return replace(self, blocks=kept(self.blocks), area_gev=self.area_gev[keep], variance=kept(self.variance))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return plain arrays (floats, and the structure as JSON bytes) from which :meth:`from_arrays` rebuilds this."""

        def described(blocks: tuple[Block, ...]) -> list[dict]:
            return [{"component": b.component, "factors": list(map(list, b.factors)), "curve": b.curve} for b in blocks]

        structure = {
            "kind": "terms",
            "blocks": described(self.blocks),
            "variance": described(self.variance),
            "ranges": {k: list(v) for k, v in self.ranges.items()},
            "defaults": dict(self.defaults),
            "interpolation_error": self.interpolation_error,
            "total": self.total,
        }
        arrays = {f"coefficients_{i}": b.coefficients for i, b in enumerate(self.blocks)}
        arrays |= {f"variance_{i}": b.coefficients for i, b in enumerate(self.variance)}
        return {"structure": np.bytes_(json.dumps(structure)), "area_gev": self.area_gev, **arrays}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Response":
        """Rebuild a response; raise InputError where an array is missing or does not fit."""
        try:
            structure = stored_structure(arrays)
            area = np.asarray(arrays["area_gev"], float)

            def blocks(key: str, prefix: str) -> tuple[Block, ...]:
                return tuple(
                    Block(
                        b["component"],
                        tuple((n, kind) for n, kind in b["factors"]),
                        np.asarray(arrays[f"{prefix}_{i}"], float),
                        b["curve"],
                    )
                    for i, b in enumerate(structure[key])
                )

            parts, variance = blocks("blocks", "coefficients"), blocks("variance", "variance")
            ranges = {k: (low, high) for k, (low, high) in structure["ranges"].items()}
            rest = (structure["interpolation_error"], area, structure["total"], structure["defaults"], variance)
        except KeyError as missing:
            raise InputError(f"stored response: no entry {missing}; build the response again") from None
        if any(b.coefficients.ndim != 2 or b.coefficients.shape[1] != len(area) for b in (*parts, *variance)):
            raise InputError(f"stored response: coefficients do not fit {len(area)} bins; build the response again")
        return cls(parts, ranges, *rest)

    def _columns(self, theta: np.ndarray, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        theta = np.asarray(theta, float)
        unknown = [n for n in names if n not in self.names]
        if unknown:
            raise InputError(f"the generator does not depend on {', '.join(unknown)}; it knows {', '.join(self.names)}")
        if theta.ndim != 2 or theta.shape[1] != len(names):
            raise InputError(f"theta must have shape (n, {len(names)}), got {theta.shape}")
        if not np.all(np.isfinite(theta)):
            raise InputError(f"theta holds a value that is not finite (throw {np.argwhere(~np.isfinite(theta))[0][0]})")
        columns = {n: np.full(len(theta), self._default(n)) for n in self.names}
        columns.update({n: theta[:, i] for i, n in enumerate(names)})
        for name, (low, high) in self.ranges.items():
            values = columns.get(name, np.empty(0))
            if values.size and (values.min() < low - 1e-9 or values.max() > high + 1e-9):
                raise InputError(
                    f"{name} from {values.min():g} to {values.max():g} leaves the generator's table [{low:g}, {high:g}]; "
                    "widen the table (ma_range_gev of the built-in generator) or narrow the prior"
                )
        return columns

    def _default(self, name: str) -> float:
        return self.defaults[name] if name in self.defaults else PARAMETERS[name].default

    def _features(self, columns: Mapping[str, np.ndarray], blocks: tuple[Block, ...]) -> np.ndarray:
        n = len(next(iter(columns.values()))) if columns else 1
        order: dict[str, int] = {}
        for block in blocks:
            order[block.curve] = max(order.get(block.curve, 1), len(block.coefficients))
        curves = {
            name: chebyshev_features(columns[name], self.ranges[name], k) if k > 1 else np.ones((n, 1))
            for name, k in order.items()
        }
        parts = []
        for block in blocks:
            factor = np.ones((n, 1))
            for name, kind in block.factors:
                factor = factor * (columns[name] if kind == "linear" else 1.0 - columns[name])[:, None]
            parts.append(factor * curves[block.curve][:, : len(block.coefficients)])
        return np.concatenate(parts, axis=1)


def stored_structure(arrays: Mapping[str, np.ndarray]) -> dict:
    """Return the description that a stored response holds beside its arrays; its ``kind`` says which class rebuilds it."""
    raw = arrays["structure"]
    return json.loads(raw if isinstance(raw, (bytes, str)) else np.asarray(raw).item())


def chebyshev_features(values: np.ndarray, within: tuple[float, float], order: int) -> np.ndarray:
    """Return Chebyshev polynomials T_0 .. T_(order-1) ``(n, order)`` of ``values`` ``(n,)`` mapped to [-1, 1]."""
    low, high = within
    x = (2.0 * np.asarray(values, float) - low - high) / (high - low)
    t = np.ones((len(x), order))
    t[:, 1:2] = x[:, None]
    for k in range(2, order):
        t[:, k] = 2.0 * x * t[:, k - 1] - t[:, k - 2]
    return t


def chebyshev_nodes(within: tuple[float, float], order: int) -> np.ndarray:
    """Return the ``order`` Chebyshev nodes of the range ``within``."""
    low, high = within
    x = np.cos(np.pi * (np.arange(order) + 0.5) / order)
    return 0.5 * (low + high) + 0.5 * (high - low) * x

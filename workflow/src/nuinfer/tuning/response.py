r"""A generator's prediction as a linear function of fixed features of the parameters.

.. math::
    \mu_b(\theta) = \sum_t \Big[\prod_j f_{tj}(\theta_j)\Big] \sum_k T_k\big(x(M_A)\big)\, c_{tkb}

with factors :math:`f(\theta) = \theta` or :math:`1 - \theta`, Chebyshev polynomials :math:`T_k` in the axial mass mapped
to [-1, 1], and :math:`k = 0` alone for terms that do not depend on it: any number of throws is one matrix product.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nuinfer.errors import InputError
from nuinfer.tuning.parameters import PARAMETERS

MA = "ma_ccqe_gev"


@dataclass(frozen=True)
class Block:
    """One term: its component, factors ``((parameter, "linear" | "complement"), ...)`` and ``(n_order, n_bin)`` numbers."""

    component: str
    factors: tuple[tuple[str, str], ...]
    coefficients: np.ndarray


@dataclass(frozen=True)
class Response:
    """Predictions in ``n_bin`` bins, in 1e-38 cm^2 / nucleon / GeV.

    ``ma_range_gev`` is where the interpolation holds and ``interpolation_error`` its largest error off the nodes,
    relative to the bin's prediction; ``area_gev`` ``(n_bin,)`` are the bins' areas; ``total`` is the flux-averaged total
    CC0pi cross section at the defaults in 1e-38 cm^2 / nucleon.
    """

    blocks: tuple[Block, ...]
    ma_range_gev: tuple[float, float]
    interpolation_error: float
    area_gev: np.ndarray
    total: float

    @property
    def n_bin(self) -> int:
        return self.blocks[0].coefficients.shape[1]

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters that the prediction depends on, in canonical order."""
        used = {name for b in self.blocks for name, _ in b.factors}
        used |= {MA} if any(len(b.coefficients) > 1 for b in self.blocks) else set()
        return tuple(n for n in PARAMETERS if n in used)

    def predict(self, theta: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
        """Return predictions ``(n, n_bin)`` at ``theta`` ``(n, d)``, columns in the order of ``names``.

        Parameters not named stay at their defaults.  Raises InputError for a name the response does not know, a shape
        that does not match, a value that is not finite, or an axial mass outside ``ma_range_gev``.
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
        blocks = tuple(Block(b.component, b.factors, np.ascontiguousarray(b.coefficients[:, keep])) for b in self.blocks)
        return Response(blocks, self.ma_range_gev, self.interpolation_error, self.area_gev[keep], self.total)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return plain arrays (floats, and the structure as JSON bytes) from which :meth:`from_arrays` rebuilds this."""
        structure = {
            "blocks": [{"component": b.component, "factors": list(map(list, b.factors))} for b in self.blocks],
            "ma_range_gev": list(self.ma_range_gev),
            "interpolation_error": self.interpolation_error,
            "total": self.total,
        }
        arrays = {f"coefficients_{i}": b.coefficients for i, b in enumerate(self.blocks)}
        return {"structure": np.bytes_(json.dumps(structure)), "area_gev": self.area_gev, **arrays}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Response":
        """Rebuild a response; raise InputError where an array is missing or does not fit."""
        try:
            raw = arrays["structure"]
            raw = raw if isinstance(raw, (bytes, str)) else np.asarray(raw).item()
            structure = json.loads(raw)
            area = np.asarray(arrays["area_gev"], float)
            coefficients = [np.asarray(arrays[f"coefficients_{i}"], float) for i in range(len(structure["blocks"]))]
            blocks = tuple(
                Block(b["component"], tuple((n, kind) for n, kind in b["factors"]), c)
                for b, c in zip(structure["blocks"], coefficients, strict=True)
            )
            low, high = structure["ma_range_gev"]
            error, total = structure["interpolation_error"], structure["total"]
        except KeyError as missing:
            raise InputError(f"stored response: no entry {missing}; build the response again") from None
        if any(c.ndim != 2 or c.shape[1] != len(area) for c in coefficients):
            raise InputError(f"stored response: coefficients do not fit {len(area)} bins; build the response again")
        return cls(blocks, (low, high), error, area, total)

    def _columns(self, theta: np.ndarray, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        theta = np.asarray(theta, float)
        unknown = [n for n in names if n not in self.names]
        if unknown:
            raise InputError(f"the generator does not depend on {', '.join(unknown)}; it knows {', '.join(self.names)}")
        if theta.ndim != 2 or theta.shape[1] != len(names):
            raise InputError(f"theta must have shape (n, {len(names)}), got {theta.shape}")
        if not np.all(np.isfinite(theta)):
            raise InputError(f"theta holds a value that is not finite (throw {np.argwhere(~np.isfinite(theta))[0][0]})")
        columns = {n: np.full(len(theta), PARAMETERS[n].default) for n in self.names}
        columns.update({n: theta[:, i] for i, n in enumerate(names)})
        if MA in columns and len(theta):
            ma, (low, high) = columns[MA], self.ma_range_gev
            if ma.min() < low - 1e-9 or ma.max() > high + 1e-9:
                raise InputError(
                    f"{MA} from {ma.min():g} to {ma.max():g} GeV leaves the generator's table [{low:g}, {high:g}] GeV; "
                    "widen ma_range_gev of the generator or narrow the prior"
                )
        return columns

    def _features(self, columns: Mapping[str, np.ndarray], blocks: tuple[Block, ...]) -> np.ndarray:
        n = len(next(iter(columns.values()))) if columns else 1
        order = max(len(b.coefficients) for b in blocks)
        chebyshev = chebyshev_features(columns[MA], self.ma_range_gev, order) if order > 1 else np.ones((n, 1))
        parts = []
        for block in blocks:
            factor = np.ones((n, 1))
            for name, kind in block.factors:
                factor = factor * (columns[name] if kind == "linear" else 1.0 - columns[name])[:, None]
            parts.append(factor * chebyshev[:, : len(block.coefficients)])
        return np.concatenate(parts, axis=1)


def chebyshev_features(ma_gev: np.ndarray, ma_range_gev: tuple[float, float], order: int) -> np.ndarray:
    """Return Chebyshev polynomials T_0 .. T_(order-1) ``(n, order)`` of the axial mass mapped to [-1, 1]."""
    low, high = ma_range_gev
    x = (2.0 * np.asarray(ma_gev, float) - low - high) / (high - low)
    t = np.ones((len(x), order))
    t[:, 1:2] = x[:, None]
    for k in range(2, order):
        t[:, k] = 2.0 * x * t[:, k - 1] - t[:, k - 2]
    return t


def chebyshev_nodes(ma_range_gev: tuple[float, float], order: int) -> np.ndarray:
    """Return the ``order`` Chebyshev nodes of the axial mass, in GeV."""
    low, high = ma_range_gev
    x = np.cos(np.pi * (np.arange(order) + 0.5) / order)
    return 0.5 * (low + high) + 0.5 * (high - low) * x

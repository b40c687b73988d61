"""A stand-in for the generator: 58 smooth predictions in the four parameters, cheap and obviously right.

Same interface and the same kind of dependence as the real response: quadratic in the axial mass, linear in the RPA
strength, and a 2p2h term that is scaled and moved between two shapes of equal total.  Not physics.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nuinfer.physics.binning import Binning
from nuinfer.tuning.parameters import MA0_GEV, PARAMETERS
from nuinfer.tuning.priors import PriorBox, prior_box

NAMES = ("ma_ccqe_gev", "norm_ccmec", "shape_ccmec", "rpa_strength")
COS_EDGES = (-1.0, 0.0, 0.6, 0.7, 0.8, 0.85, 0.9, 0.94, 0.98, 1.0)
BINS_PER_SLICE = (2, 5, 6, 7, 7, 7, 8, 8, 8)
NORM_REL = 0.0856


def toy_prior() -> PriorBox:
    """Return the paper's four uniform priors."""
    return prior_box(
        {
            "ma_ccqe_gev": {"prior": "uniform", "low": 0.961242, "high": 1.39},
            "norm_ccmec": {"prior": "uniform", "low": 1.0, "high": 3.0},
            "shape_ccmec": {"prior": "uniform", "low": 0.0, "high": 1.0},
            "rpa_strength": {"prior": "uniform", "low": 0.0, "high": 1.0},
        }
    )


def toy_binning() -> Binning:
    """Return 58 bins in nine slices of cos(theta)."""
    rows = []
    for (lo, hi), n in zip(pairwise(COS_EDGES), BINS_PER_SLICE, strict=True):
        edges = np.linspace(0.2, 0.6 + 1.6 * (1.0 + hi) / 2.0, n + 1)
        rows += [(lo, hi, a, b) for a, b in pairwise(edges)]
    return Binning(*np.array(rows).T)


@dataclass(frozen=True)
class ToyResponse:
    """The stand-in response; ``binning`` fixes its bins."""

    binning: Binning

    def _parts(self) -> tuple[np.ndarray, ...]:
        cos = 0.5 * (self.binning.cos_lo + self.binning.cos_hi)
        p = 0.5 * (self.binning.p_lo_gev + self.binning.p_hi_gev)
        peak = 0.45 + 0.3 * (1.0 + cos) / 2.0
        q2 = np.maximum(0.02, 2.0 * (p + 0.25) * p * (1.0 - cos))
        qe = 0.9 * np.exp(0.8 * cos) / np.e * np.exp(-0.5 * ((p - peak) / 0.28) ** 2) + 0.01
        suppression = 0.55 * np.exp(-q2 / 0.25) - 0.1 * np.exp(-(((q2 - 0.8) / 0.5) ** 2))
        first = 0.15 * np.exp(0.5 * cos) / np.e * np.exp(-0.5 * ((p - peak + 0.15) / 0.25) ** 2)
        second = 0.15 * np.exp(1.0 * cos) / np.e * np.exp(-0.5 * ((p - peak - 0.10) / 0.35) ** 2)
        area = self.binning.area_gev
        second = second * np.sum(first * area) / np.sum(second * area)
        background = 0.06 * np.exp(0.6 * cos) / np.e * np.exp(-0.5 * ((p - 0.5) / 0.35) ** 2) + 0.002
        return qe, q2, suppression, first, second, background

    def predict(self, theta: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
        """Return predictions ``(n, n_bin)`` in 1e-38 cm^2 / nucleon / GeV at physical values ``(n, d)``."""
        theta = np.atleast_2d(np.asarray(theta, float))
        value = {n: np.full((len(theta), 1), PARAMETERS[n].default) for n in NAMES}
        value |= {n: theta[:, i : i + 1] for i, n in enumerate(names)}
        qe, q2, suppression, first, second, background = self._parts()
        shift = value["ma_ccqe_gev"] / MA0_GEV - 1.0
        mass = 1.0 + shift * (0.5 + 1.2 * q2 / (0.4 + q2)) - 0.5 * shift**2 * q2
        quasielastic = qe * mass * (1.0 - value["rpa_strength"] * suppression)
        multi = value["norm_ccmec"] * (first + value["shape_ccmec"] * (second - first))
        return quasielastic + multi + background


def toy_response() -> ToyResponse:
    return ToyResponse(toy_binning())


def toy_per_event(n_events: float = 2.0e6) -> np.ndarray:
    """Return the density ``(n_bin,)`` that one event of a sample of about ``n_events`` adds to its bin."""
    response = toy_response()
    area = response.binning.area_gev
    nominal = response.predict(np.zeros((1, 0)), ())[0]
    return np.sum(nominal * area) / (n_events * area)


def toy_covariances(values: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Return ``total`` and ``shape`` covariances: correlated systematics of a few per cent, T2K-like in size."""
    response = toy_response()
    mu = response.predict(np.zeros((1, 0)), ())[0] if values is None else np.asarray(values, float)
    p = 0.5 * (response.binning.p_lo_gev + response.binning.p_hi_gev)
    correlated = 0.05**2 * np.exp(-0.5 * ((p[:, None] - p) / 0.5) ** 2) * np.outer(mu, mu)
    shape = correlated + np.diag((0.15 * mu) ** 2 + 0.005**2)
    return {"shape": shape, "total": shape + NORM_REL**2 * np.outer(mu, mu)}

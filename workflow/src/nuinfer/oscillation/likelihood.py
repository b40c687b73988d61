r"""The far detector's likelihood: where its events lie, for any point of the fitted parameters (arXiv:2412.16303, equation 7).

.. math::
    P(n; \theta) = \frac{\sum_k c_k(\theta) A_k(n)}{\sum_k c_k(\theta) \bar A_k}

with the oscillated flux :math:`c_k` on energy knots (:mod:`nuinfer.oscillation.far_flux`), the kernel :math:`A_k(n)` of event
(or bin) n, that is its density (content) for a flux that is one at a single knot, and the total :math:`\bar A_k`.  Only
shapes enter, no rates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nuinfer.errors import InputError
from nuinfer.oscillation.far_flux import KnotFlux
from nuinfer.oscillation.nufast import Oscillation
from nuinfer.oscillation.plane import Plane

FLOOR = 1e-12
"""Where a model has no events at all the logarithm has no value: densities are at least this share of their median."""


@dataclass(frozen=True)
class FarModel:
    """What a cross section says of the far detector: ``kernel`` ``(n_knots, n)`` of events or bins, ``total`` ``(n_knots,)``.

    ``flux`` ``(n_knots,)`` is the near detector's at ``knots_gev``; ``oscillation`` holds the parameters that are not fitted
    (and values of the fitted ones, which are not used).  Negative cross sections count as zero (arXiv:2412.16303);
    ``negative_share`` is what they were of the sum of absolute values.
    """

    knots_gev: np.ndarray
    flux: np.ndarray
    kernel: np.ndarray
    total: np.ndarray
    oscillation: Oscillation
    antineutrino: bool = False
    negative_share: float = 0.0

    @cached_property
    def knot_flux(self) -> KnotFlux:
        """The near flux, ready to be oscillated."""
        return KnotFlux.of(self.knots_gev, self.flux)

    def __post_init__(self) -> None:
        n = self.knots_gev.size
        if self.flux.shape != (n,) or self.total.shape != (n,) or self.kernel.ndim != 2 or len(self.kernel) != n:
            raise InputError(
                f"far-detector model: {n} energy knots, but flux {self.flux.shape}, kernel {self.kernel.shape}, "
                f"total {self.total.shape}"
            )
        for name, values in (("flux", self.flux), ("kernel", self.kernel), ("total", self.total)):
            if not np.all(np.isfinite(values)) or np.any(values < 0):
                raise InputError(f"far-detector model: the {name} must be finite and not negative")


def far_model(
    knots_gev: np.ndarray,
    flux: np.ndarray,
    kernel: np.ndarray,
    bins: np.ndarray,
    oscillation: Mapping[str, Any],
    antineutrino: bool = False,
) -> FarModel:
    """Return the model with cross sections clamped at zero; ``bins`` ``(n_knots, n_bins)`` are contents that sum to the total.

    ``kernel`` may be ``bins`` itself.  Raises InputError for shapes that do not fit and values that are not finite.
    """
    if bins.ndim != 2 or flux.shape != (len(bins),):
        raise InputError(f"far-detector model: flux {flux.shape} and bins {bins.shape}, which need one row per energy knot")
    magnitude = np.abs(bins)
    weight = flux[:, None] * magnitude
    negative = float(weight[bins < 0].sum() / weight.sum()) if weight.sum() > 0 else 0.0
    return FarModel(
        knots_gev,
        flux,
        np.maximum(kernel, 0.0),
        np.maximum(bins, 0.0).sum(axis=1),
        Oscillation(**oscillation),
        antineutrino,
        negative,
    )


def densities(model: FarModel, sin2_theta23: np.ndarray, dm31_ev2: np.ndarray) -> np.ndarray:
    """Return P(n; theta) ``(..., n)`` at parameters that broadcast to ``(...)``; bins' contents sum to one.

    Raises InputError for parameters outside their physical ranges and for a flux that nowhere survives.
    """
    rate = model.knot_flux.oscillated(model.oscillation, sin2_theta23, dm31_ev2, model.antineutrino)
    total = rate @ model.total
    if not np.all(total > 0):
        raise InputError("far-detector model: no events at all; are the flux and the cross section zero?")
    return rate @ model.kernel / total[..., None]


def log_table(model: FarModel, plane: Plane) -> np.ndarray:
    """Return log P(n; theta) ``(n_nodes, n)`` at the nodes of ``plane``, floored at :data:`FLOOR` of the median density.

    Raises InputError where the model excludes every event.
    """
    sin2, dm31 = plane.axes
    table = densities(model, sin2[:, None], dm31).reshape(plane.n_nodes, -1)
    possible = table[table > 0]
    if not possible.size:
        raise InputError("far-detector model: it excludes every event; are energies in GeV, and of this experiment's range?")
    return np.log(np.maximum(table, FLOOR * np.median(possible)))


def impossible(model: FarModel) -> np.ndarray:
    """Return which events ``(n,)`` the model excludes for every parameter: no energy that the flux has can make them."""
    return ~np.any((model.kernel > 0) & (model.flux > 0)[:, None], axis=0)

r"""The far detector's log-densities of any coefficients and any shift of the flux, over the whole plane of parameters.

The oscillated fluxes of a plane's nodes and of the near flux's shifts span few dimensions: with the r leading right singular
vectors :math:`v_s` of all of them, :math:`\Phi(\theta, a) = \sum_s u_s(\theta, a)\,v_s`, counts are
:math:`\sum_s u_s(\theta, a)\,(A(v_s)\,c)` with r about 30 dense matrices in place of one per energy knot.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nuinfer.oscillation.far_flux import KnotFlux
from nuinfer.oscillation.likelihood import FLOOR
from nuinfer.oscillation.nufast import Oscillation
from nuinfer.oscillation.plane import Plane

RANK = 1e-6
"""Singular values below this share of the largest are left out."""


@dataclass(frozen=True)
class FarFluxes:
    """``mixed`` ``(1 + k, n_nodes, r)``: the oscillated true flux and its k shifts in terms of ``modes`` ``(r, n_knots)``."""

    plane: Plane
    mixed: np.ndarray
    modes: np.ndarray

    @classmethod
    def of(
        cls, plane: Plane, knots_gev: np.ndarray, fluxes: np.ndarray, oscillation: Mapping[str, Any], antineutrino: bool
    ) -> "FarFluxes":
        """Return those of near ``fluxes`` ``(1 + k, n_knots)``; InputError as :class:`KnotFlux`."""
        sin2, dm31 = plane.axes
        parameters = Oscillation(**oscillation), sin2[:, None], dm31, antineutrino
        rates = np.stack([KnotFlux.of(knots_gev, flux).oscillated(*parameters) for flux in fluxes])
        u, s, v = np.linalg.svd(rates.reshape(-1, rates.shape[-1]), full_matrices=False)
        rank = int(np.count_nonzero(s > RANK * s[0]))
        return cls(plane, (u[:, :rank] * s[:rank]).reshape(len(fluxes), plane.n_nodes, rank), v[:rank])

    def at(self, sin2_theta23: float, dm31_ev2: float) -> np.ndarray:
        """Return ``mixed`` at one point of the parameters, ``(1 + k, r)``."""
        coefficients = self.plane.coefficients(np.moveaxis(self.mixed, 1, -1))
        of_sin2, of_dm31 = self.plane.basis(np.array([sin2_theta23]), np.array([dm31_ev2]))
        return np.einsum("i,frij,j->fr", of_sin2[0], coefficients, of_dm31[0])


@dataclass(frozen=True)
class LinearFar:
    """``response`` ``(r, n_bins, n)``: counts of each coefficient in the modes of ``fluxes``; smeared where the sample is."""

    fluxes: FarFluxes
    response: np.ndarray

    @classmethod
    def of(cls, fluxes: FarFluxes, design_of: Callable[[np.ndarray], np.ndarray]) -> "LinearFar":
        """Return that whose ``design_of`` gives the smeared counts ``(n_bins, n)`` of coefficients in a flux."""
        return cls(fluxes, np.stack([design_of(mode).astype(np.float32) for mode in fluxes.modes]))

    def contents(self, coefficients: np.ndarray) -> np.ndarray:
        """Return counts in the modes ``(m, r, n_bins)`` of ``coefficients`` ``(m, n)``."""
        return np.tensordot(coefficients.astype(np.float32), self.response, (1, 2))

    def log_table(self, contents: np.ndarray, amplitudes: np.ndarray) -> np.ndarray:
        """Return log P ``(n_nodes, n_bins)`` of ``contents`` ``(r, n_bins)`` and flux ``amplitudes`` ``(k,)``.

        A node's contents add up to one.  Negative counts are taken as none and logarithms floored, as
        in :mod:`nuinfer.oscillation.likelihood`.
        """
        return log_densities(self.fluxes.mixed, contents, amplitudes)


def log_densities(mixed: np.ndarray, contents: np.ndarray, amplitudes: np.ndarray) -> np.ndarray:
    """Return log P ``(..., n_bins)`` of fluxes ``mixed`` ``(1 + k, ..., r)``, normalised to one and floored."""
    f = np.concatenate([[1.0], amplitudes])
    rates = np.maximum(np.tensordot(f, mixed, 1).astype(np.float32) @ contents.astype(np.float32), 0.0)
    rates /= rates.sum(axis=-1, keepdims=True)
    floor = FLOOR * np.median(rates[..., :1, :][rates[..., :1, :] > 0])
    return np.log(np.maximum(rates, floor, out=rates), out=rates)

"""Pseudo-worlds for systematics: near and far data in any flux of a family, and closed-form learning from them.

A world is drawn as nature would: a true flux, near-detector events in it, far-detector events in it and at given parameters.
Whoever analyses it knows neither: near data are learned from, and far data fitted, in a flux that is assumed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nuinfer.closure.linear_far import FarFluxes, LinearFar, log_densities
from nuinfer.closure.linear_near import Basis, LinearNear, Merged, linear_near
from nuinfer.closure.near_data import shares
from nuinfer.closure.operator import ForwardOperator
from nuinfer.closure.settings import GaussianSettings
from nuinfer.closure.smearing import smeared, smearing_matrix
from nuinfer.closure.truth import Truth
from nuinfer.oscillation.plane import Plane
from nuinfer.physics.flux_shapes import FluxShapes


@dataclass(frozen=True)
class World:
    """``near_truth`` ``(1 + k, n_bins)``: true counts in the flux and per unit of its k shifts; ``far_truth`` ``(r, n_bins)``.

    The latter in the modes of ``far.fluxes``.  ``near_events`` and ``far_events`` are the numbers of events of its data.
    """

    merged: Merged
    basis: Basis
    near: LinearNear
    far: LinearFar
    near_truth: np.ndarray
    far_truth: np.ndarray
    near_events: int
    far_events: int

    @property
    def n_shifts(self) -> int:
        return self.near.n_shifts

    def near_shares(self, amplitudes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return shares ``(n_bins,)`` of near-detector events drawn in the flux of ``amplitudes`` ``(k,)``."""
        expected = shares(np.maximum(np.concatenate([[1.0], amplitudes]) @ self.near_truth, 0.0))
        return rng.multinomial(self.near_events, expected) / self.near_events

    def resampled(self, near_shares: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return ``n`` bootstraps ``(n, n_bins)`` of near-detector data."""
        return rng.multinomial(self.near_events, near_shares, size=n) / self.near_events

    def expected_far(self, amplitudes: np.ndarray, mixed: np.ndarray) -> np.ndarray:
        """Return expected far-detector counts ``(n_bins,)`` in the flux of ``amplitudes``.

        ``mixed`` ``(1 + k, r)`` is that of the parameters, :meth:`FarFluxes.at`.
        """
        content = np.exp(log_densities(mixed[:, None], self.far_truth, amplitudes)[0].astype(float))
        return self.far_events * content / content.sum()

    def far_counts(
        self, amplitudes: np.ndarray, mixed: np.ndarray, rng: np.random.Generator, n: int | None = None
    ) -> np.ndarray:
        """Return far-detector counts drawn from :meth:`expected_far`, ``(n_bins,)`` or ``(n, n_bins)``."""
        chances = self.expected_far(amplitudes, mixed) / self.far_events
        return rng.multinomial(self.far_events, chances / chances.sum(), size=n).astype(float)

    def true_table(self, amplitudes: np.ndarray) -> np.ndarray:
        """Return log P ``(n_nodes, n_bins)`` of the far detector in the flux of ``amplitudes``, as nature has it."""
        return self.far.log_table(self.far_truth, amplitudes)


def make_world(
    truth: Truth,
    operator: ForwardOperator,
    shapes: FluxShapes,
    oscillation: Mapping[str, Any],
    plane: Plane,
    bins: int,
    near_events: int,
    far_events: int,
    near_smearing: float | None,
    far_smearing: float | None,
    settings: GaussianSettings,
    rng: np.random.Generator,
) -> World:
    """Return the world of an experiment in ``bins`` x ``bins`` bins of both detectors; ``rng`` draws the data of its evidence.

    Raises InputError where ``bins`` do not divide the operator's, for a flux whose shift by one standard deviation is negative
    somewhere, and for a resolution outside (0, 1).
    """
    merged = Merged.of(operator.grid, bins)
    k = len(shapes.names)
    flux = truth.near_flux
    fluxes = np.concatenate([flux[None], flux * (shapes.shift(truth.knots_gev, np.eye(k)) - 1.0)])
    seen_near, seen_far = (None if s is None else smearing_matrix(merged.grid, s) for s in (near_smearing, far_smearing))
    basis = Basis.of(operator, flux, settings, merged.grid.n_bins)

    def smeared_design(flux: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
        return smeared(basis.design(operator, flux, merged).T, matrix, merged.grid.shape).T

    near_truth = smeared(merged.counts(fluxes @ truth.counts_by_knot), seen_near, merged.grid.shape)
    expected = shares(np.maximum(near_truth[0], 0.0))
    observed = rng.multinomial(near_events, expected) / near_events
    far_fluxes = FarFluxes.of(plane, truth.knots_gev, fluxes, oscillation, truth.antineutrino)
    return World(
        merged,
        basis,
        linear_near(lambda f: smeared_design(f, seen_near), fluxes, expected, observed, near_events, basis.axes, settings),
        LinearFar.of(far_fluxes, lambda f: smeared_design(f, seen_far)),
        near_truth,
        smeared(merged.counts(far_fluxes.modes @ truth.counts_by_knot), seen_far, merged.grid.shape),
        near_events,
        far_events,
    )

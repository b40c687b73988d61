"""Far-detector events drawn from a cross section and a flux.

The density of the observed lepton is d2N / dE_l dcos(theta) = int dE_nu Phi(E_nu) d2sigma(E_nu) / dE_l dcos(theta), taken per
unit (u, v) of :class:`nuinfer.closure.observables.LeptonGrid`.  Bins serve only as a proposal: every candidate is accepted by
the density at its own point, so that the sample carries no trace of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter

from nuinfer.closure.far_events import FarEvents
from nuinfer.closure.observables import GridPoints, LeptonGrid
from nuinfer.closure.quadrature import energy_nodes
from nuinfer.closure.truth import Combinations, direct_rates
from nuinfer.errors import InputError
from nuinfer.physics.cross_section import combination_prefactors
from nuinfer.physics.kinematics import bjorken_x, q2_gev2, threshold_enu_gev
from nuinfer.physics.structure_function_forms import lepton_sign

HEADROOM = 1.5
"""The proposal over the largest average of a bin and its neighbours: room for the density to vary within a bin."""
CLIPPED_LIMIT = 1e-3
"""Largest share of the density that may stick out of the proposal; 6,200 events cannot tell less than a hundredth."""
BATCH = 4096
ENERGY_REFINE = 2
SCALE_BINS = 64


@dataclass(frozen=True)
class _Density:
    """The density to draw from; ``at`` gives it per unit (u, v), in the units of ``direct_counts``, zero where negative."""

    functions: Combinations
    grid: LeptonGrid
    knots_gev: np.ndarray
    flux: np.ndarray
    mass_gev: float
    antineutrino: bool

    def points(self, u: np.ndarray, v: np.ndarray) -> GridPoints:
        return GridPoints(np.arange(u.size), self.grid.el_gev(u), self.grid.cos_theta(v), self.grid.jacobian(u, v))

    def at(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        rates = direct_rates(self.functions, self.points(u, v), u.size, self.knots_gev, self.mass_gev, self.antineutrino)
        return np.maximum(self.flux @ rates, 0.0)


def draw_far_events(
    functions: Combinations,
    grid: LeptonGrid,
    knots_gev: np.ndarray,
    flux: np.ndarray,
    bin_counts: np.ndarray,
    mass_gev: float,
    antineutrino: bool,
    n_events: int,
    rng: np.random.Generator,
    progress: Callable[[int, int], None] | None = None,
    energies: bool = True,
) -> tuple[FarEvents, dict[str, float]]:
    """Return ``n_events`` events in the order drawn, without a resolution, and facts of the drawing.

    ``functions`` are the three structure functions, ``flux`` ``(n_knots,)`` is linear between ``knots_gev``, and ``bin_counts``
    ``(n_bins,)`` are expected counts in the bins of ``grid``, in any units: they shape the proposal only, negative ones are
    taken as zero.  (u, v) comes from rejection, with an even proposal in a bin, ``HEADROOM`` times the largest average of the
    bin and its neighbours.  A neutrino energy is then drawn by :func:`draw_energies`, which is half of the work, unless
    ``energies`` is false.  A candidate takes five numbers of ``rng``, so that the events do not depend on how candidates are
    grouped, and a shorter sample begins a longer one.

    Facts: ``candidates``, ``acceptance`` and ``clipped_share``, the share of the density that sticks out of the proposal and
    is lost (zero: the sampling is exact).
    Raises InputError for shapes, signs or numbers that make no sample, and for a ``clipped_share`` above ``CLIPPED_LIMIT``.
    """
    density = _checked_density(functions, grid, knots_gev, flux, mass_gev, antineutrino)
    envelope = _proposal(density, bin_counts)
    if n_events < 1:
        raise InputError(f"far-detector events: ask for at least one, not {n_events}")
    cumulative = np.cumsum(envelope)
    found: list[np.ndarray] = []
    accepted = candidates = 0
    wanted = lost = 0.0
    while accepted < n_events:
        pick, first, second, accept, energy = rng.random((BATCH, 5)).T
        bins = np.searchsorted(cumulative, pick * cumulative[-1], side="right")
        u, v = (bins // grid.n_v + first) / grid.n_u, (bins % grid.n_v + second) / grid.n_v
        ratio = density.at(u, v) / envelope[bins]
        keep = np.flatnonzero(accept < ratio)
        candidates, wanted, lost = candidates + BATCH, wanted + ratio.sum(), lost + np.maximum(ratio - 1.0, 0.0).sum()
        used = keep[: n_events - accepted]
        accepted += keep.size
        points = density.points(u[used], v[used])
        rows = [points.el_gev, points.cos_theta]
        if energies:
            rows.append(
                draw_energies(functions, points, density.knots_gev, density.flux, mass_gev, antineutrino, energy[used])
            )
        found.append(np.stack(rows))
        if progress:
            progress(min(accepted, n_events), n_events)
    facts = {"candidates": candidates, "acceptance": accepted / candidates, "clipped_share": float(lost / wanted)}
    if facts["clipped_share"] > CLIPPED_LIMIT:
        raise InputError(
            f"far-detector events: {facts['clipped_share']:.2%} of the density lies above the proposal; "
            "give expected counts of this cross section and flux, in finer bins"
        )
    el, cos, *enu = np.concatenate(found, axis=1)
    return FarEvents(el, cos, el_true_gev=el, enu_gev=enu[0] if energies else None), facts


def _checked_density(
    functions: Combinations, grid: LeptonGrid, knots_gev: np.ndarray, flux: np.ndarray, mass_gev: float, antineutrino: bool
) -> _Density:
    knots, flux = np.asarray(knots_gev, float), np.asarray(flux, float)
    if flux.shape != knots.shape:
        raise InputError(f"far-detector flux: {flux.size} values for {knots.size} knots; give one a knot")
    if not (np.all(np.isfinite(flux)) and np.all(flux >= 0.0) and np.any(flux > 0.0)):
        raise InputError("far-detector flux: values must be finite, none negative, and not all zero")
    return _Density(functions, grid, knots, flux, mass_gev, antineutrino)


def _proposal(density: _Density, bin_counts: np.ndarray) -> np.ndarray:
    """Return the envelope ``(n_bins,)`` per unit (u, v), in the units of the density; zero where all neighbours are empty."""
    grid, counts = density.grid, np.asarray(bin_counts, float)
    if counts.shape != (grid.n_bins,):
        raise InputError(f"far-detector proposal: {counts.size} counts for {grid.n_bins} bins; give one a bin")
    counts = np.maximum(counts, 0.0)
    if not (np.all(np.isfinite(counts)) and np.any(counts > 0.0)):
        raise InputError("far-detector proposal: counts must be finite, and some of them positive")
    # The fullest bins put the counts, which may be shares, in the units of the density.
    fullest = np.argsort(counts, kind="stable")[::-1][: min(SCALE_BINS, np.count_nonzero(counts))]
    scale = _at_middles(density, fullest).sum() / counts[fullest].sum()
    if not scale > 0.0:
        raise InputError("far-detector proposal: the density is zero where the counts are largest; give counts of this flux")
    largest = maximum_filter(counts.reshape(grid.shape), size=3, mode="nearest").ravel()
    if _at_middles(density, np.flatnonzero(largest == 0.0)).sum() > CLIPPED_LIMIT * scale * counts.sum():
        raise InputError("far-detector proposal: counts are zero in bins where the density is not; give counts of this flux")
    return HEADROOM * scale * largest


def _at_middles(density: _Density, bins: np.ndarray) -> np.ndarray:
    grid = density.grid
    return density.at((bins // grid.n_v + 0.5) / grid.n_u, (bins % grid.n_v + 0.5) / grid.n_v)


def draw_energies(
    functions: Combinations,
    points: GridPoints,
    knots_gev: np.ndarray,
    flux: np.ndarray,
    mass_gev: float,
    antineutrino: bool,
    uniform: np.ndarray,
    refine: int = ENERGY_REFINE,
) -> np.ndarray:
    """Return a neutrino energy ``(n,)`` in GeV for each of ``points`` ``(n,)``, from numbers ``uniform`` ``(n,)`` in [0, 1).

    Inverts the cumulative sum over the energy nodes of Phi(E_nu) d2sigma / dE_l dcos(theta), negative values taken as zero.
    Each node stands for its weight's share of ln(nu), nu = E_nu - E_l, within which events are spread evenly: at least two
    times ``refine`` shares between two knots or, in the first interval, between the energy where x = 1 and the knot.
    Raises InputError for a point that no energy within the knots makes.
    """
    knots_gev, flux = np.asarray(knots_gev, float), np.asarray(flux, float)
    sign = np.array([1.0, 1.0, lepton_sign(antineutrino)])[:, None]
    start = threshold_enu_gev(points.el_gev, points.cos_theta, mass_gev)
    parts = [np.zeros((4, 0))]
    for nodes in energy_nodes(points, knots_gev, mass_gev, refine):
        el, cos, k = points.el_gev[nodes.point], points.cos_theta[nodes.point], nodes.interval
        x, q2 = bjorken_x(nodes.enu_gev, el, cos, mass_gev), q2_gev2(nodes.enu_gev, el, cos)
        terms = combination_prefactors(nodes.enu_gev, el, cos, mass_gev) * sign * functions(x, q2)
        at_node = flux[k] + (flux[k + 1] - flux[k]) * nodes.rising
        events = np.maximum(terms.sum(axis=0), 0.0) * nodes.weight * at_node
        # A point's nodes are neighbours, as many for each point: a node's share begins where the one before it ends.
        per_point = np.count_nonzero(nodes.point == nodes.point[0])
        share = (nodes.weight / (nodes.enu_gev - el)).reshape(-1, per_point)
        first = np.log(np.maximum(knots_gev[k], start[nodes.point]) - el).reshape(-1, per_point)
        begin = first + np.cumsum(share, axis=1) - share
        parts.append(np.stack([nodes.point, events, begin.ravel(), share.ravel()]))
    point, events, begin, share = np.concatenate(parts, axis=1)
    point = point.astype(int)
    if not np.all(np.bincount(point, events, minlength=uniform.size) > 0.0):
        raise InputError("far-detector events: a lepton that no neutrino of this flux makes; give points of positive density")
    order = np.argsort(point, kind="stable")
    ends = np.cumsum(events[order])
    last = np.cumsum(np.bincount(point, minlength=uniform.size)) - 1
    before = np.concatenate([[0.0], ends[last[:-1]]])
    target = before + uniform * (ends[last] - before)
    chosen = np.minimum(np.searchsorted(ends, target, side="right"), last)
    node = order[chosen]
    inside = np.clip((target - (ends[chosen] - events[node])) / np.maximum(events[node], np.finfo(float).tiny), 0.0, 1.0)
    return np.clip(points.el_gev + np.exp(begin[node] + inside * share[node]), start, knots_gev[-1])

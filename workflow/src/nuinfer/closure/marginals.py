r"""Distributions in one kinematic variable at a time: E_nu, E_l, cos(theta), x, y and Q^2.

A cross section is given as counts ``(n_knots, n_bins)``, per energy knot and bin of (E_l, theta).  In E_l and cos(theta) whole
bins are counted, in E_nu the counts of a knot follow its hat.  x, y and Q^2 vary within a cell: its counts are spread evenly
over that part of its phase space dE_nu dE_l dcos(theta), weighted with the hat, where E_l < E_nu and x <= 1.  Truth and model
are spread alike, so that their ratio does not suffer from the size of the cells.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nuinfer.closure.comparison import hat_integrals
from nuinfer.closure.observables import GridPoints, LeptonGrid
from nuinfer.errors import InputError
from nuinfer.physics.kinematics import bjorken_x, inelasticity, q2_gev2

LABELS = {
    "enu": r"$E_\nu$ [GeV]",
    "el": r"$E_\ell$ [GeV]",
    "cos_theta": r"$\cos\theta_\ell$",
    "x": "$x$",
    "y": "$y$",
    "q2": r"$Q^2$ [GeV$^2$]",
}
SPREAD = ("x", "y", "q2")
ENERGIES = 3
"""Gauss-Legendre energies in an interval between two knots."""


@dataclass(frozen=True)
class Axis:
    """Bins ``edges`` ``(n + 1,)`` of the variable ``name``, a key of :data:`LABELS`; ``log``: how to draw it."""

    name: str
    edges: np.ndarray
    log: bool = False

    def __post_init__(self) -> None:
        if self.name not in LABELS:
            raise InputError(f"marginals: unknown variable '{self.name}'; known: {', '.join(LABELS)}")
        if np.ndim(self.edges) != 1 or np.size(self.edges) < 2 or np.any(np.diff(self.edges) <= 0):
            raise InputError(f"marginals: the edges of '{self.name}' must increase, at least two")

    @property
    def label(self) -> str:
        return LABELS[self.name]


def default_axes(knots_gev: np.ndarray, grid: LeptonGrid, mass_gev: float, n: int = 40) -> tuple[Axis, ...]:
    """Return bins of all six variables, about ``n`` each.

    Whole bins of the grid in E_l and cos(theta), even ones in E_nu and y, and even in the logarithm in x from 0.003 and in
    Q^2 from 0.003 GeV^2.
    """
    low, high = knots_gev[0], knots_gev[-1]

    def merged(edges: np.ndarray) -> np.ndarray:
        step = -(-(edges.size - 1) // n)
        return np.append(edges[:-1:step], edges[-1])

    return (
        Axis("enu", np.linspace(low, high, n + 1)),
        Axis("el", merged(grid.el_gev(grid.u_edges)), log=True),
        Axis("cos_theta", merged(grid.cos_theta(grid.v_edges))[::-1]),
        Axis("x", np.geomspace(3e-3, 1.0, n + 1), log=True),
        Axis("y", np.linspace(0.0, 1.0, n + 1)),
        Axis("q2", np.geomspace(3e-3, 2.0 * mass_gev * high, n + 1), log=True),
    )


def marginal_counts(
    by_knot: np.ndarray,
    knots_gev: np.ndarray,
    grid: LeptonGrid,
    mass_gev: float,
    axes: Sequence[Axis],
    points_per_axis: int = 2,
) -> list[np.ndarray]:
    """Return counts ``(n_models, n_knots, n_axis)`` of each axis, for ``by_knot`` ``(n_models, n_knots, n_bins)``.

    Linear in the flux: those of a flux given at the knots are ``flux @ counts``.  Events outside the edges are left out, and,
    in x, y and Q^2, those of cells of which none of the points (``points_per_axis`` squared a bin, three energies an
    interval) is in the phase space.  Raises InputError for shapes that do not fit.
    """
    knots, by_knot = np.asarray(knots_gev, float), np.asarray(by_knot, float)
    if by_knot.ndim != 3 or by_knot.shape[1:] != (knots.size, grid.n_bins):
        raise InputError(f"marginals: counts of shape {by_knot.shape}; give (models, {knots.size} knots, {grid.n_bins} bins)")
    spread = [a for a in axes if a.name in SPREAD]
    filled = iter(_spread(by_knot, knots, grid, mass_gev, spread, points_per_axis))
    stacked = by_knot.reshape(*by_knot.shape[:2], *grid.shape)
    counts = []
    for axis in axes:
        if axis.name == "enu":
            counts.append(by_knot.sum(axis=2)[..., None] * _hat_shares(knots, axis.edges))
        elif axis.name == "el":
            counts.append(stacked.sum(axis=3) @ _overlap(grid.el_gev(grid.u_edges), axis.edges))
        elif axis.name == "cos_theta":
            counts.append(stacked.sum(axis=2) @ _overlap(grid.cos_theta(grid.v_edges)[::-1], axis.edges)[::-1])
        else:
            counts.append(next(filled))
    return counts


def marginals(
    by_knot: np.ndarray,
    flux: np.ndarray,
    knots_gev: np.ndarray,
    grid: LeptonGrid,
    mass_gev: float,
    axes: Sequence[Axis] | None = None,
) -> list[dict]:
    """Return ``name``, ``label``, ``log``, ``edges``, ``density`` and ``outside`` per axis (:func:`default_axes` for None).

    ``by_knot`` ``(n_knots, n_bins)``; ``flux`` ``(n_knots,)``.  Densities ``(n,)`` are per unit of the label and of all events:
    they integrate to one less ``outside``, the share that :func:`marginal_counts` leaves out.
    """
    axes = default_axes(knots_gev, grid, mass_gev) if axes is None else axes
    counts = marginal_counts(np.asarray(by_knot, float)[None], knots_gev, grid, mass_gev, axes)
    events = float(np.asarray(flux, float) @ np.asarray(by_knot, float).sum(axis=1))
    found = []
    for axis, c in zip(axes, counts, strict=True):
        density = _density(flux, c[0], events, axis)
        outside = 1.0 - float(density @ np.diff(axis.edges))
        panel = {"name": axis.name, "label": axis.label, "log": axis.log, "edges": axis.edges}
        found.append(panel | {"density": density, "outside": outside})
    return found


def marginal_panels(
    truth_by_knot: np.ndarray,
    model_by_knot: np.ndarray,
    flux_near: np.ndarray,
    flux_far: np.ndarray,
    knots_gev: np.ndarray,
    grid: LeptonGrid,
    mass_gev: float,
    axes: Sequence[Axis] | None = None,
) -> list[dict]:
    """Return what :func:`nuinfer.figures.closure_marginals.marginals` draws: ``label``, ``edges``, ``log`` and four densities.

    As :func:`marginals`, with the points of every cell found once.
    """
    axes = default_axes(knots_gev, grid, mass_gev) if axes is None else axes
    both = np.stack([truth_by_knot, model_by_knot]).astype(float)
    panels = [{"label": a.label, "edges": a.edges, "log": a.log} for a in axes]
    by_axis = marginal_counts(both, knots_gev, grid, mass_gev, axes)
    for flux, where in ((flux_near, "near"), (flux_far, "far")):
        events = both.sum(axis=2) @ np.asarray(flux, float)
        for panel, axis, counts in zip(panels, axes, by_axis, strict=True):
            for name, c, n in zip(("true", "model"), counts, events, strict=True):
                panel[f"{name}_{where}"] = _density(flux, c, n, axis)
    return panels


def _density(flux: np.ndarray, counts: np.ndarray, events: float, axis: Axis) -> np.ndarray:
    if not np.isfinite(events) or events <= 0:
        raise InputError(f"marginals: the events sum to {events:g}; give a positive cross section and flux")
    return np.asarray(flux, float) @ counts / (events * np.diff(axis.edges))


def _hat_shares(knots: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the share ``(n_knots, n)`` of each knot's hat in each bin."""
    at = np.union1d(knots, edges)
    hats = np.stack([np.interp(at, knots, row, left=0.0, right=0.0) for row in np.eye(knots.size)])
    # Hats are straight between neighbouring points of the union, but for the jump to zero outside the knots.
    inside = (at[1:] <= knots[-1]) & (at[:-1] >= knots[0])
    pieces = np.where(inside, 0.5 * np.diff(at) * (hats[:, 1:] + hats[:, :-1]), 0.0)
    sums = np.concatenate([np.zeros((knots.size, 1)), np.cumsum(pieces, axis=1)], axis=1)
    return np.diff(sums[:, np.searchsorted(at, edges)], axis=1) / hat_integrals(knots)[:, None]


def _overlap(cells: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the share ``(n_cells, n)`` of each cell in each bin; cells are even inside."""
    covered = np.clip(edges, cells[:-1, None], cells[1:, None])
    return np.diff(covered, axis=1) / np.diff(cells)[:, None]


@dataclass(frozen=True)
class _Part:
    """Points ``(n,)`` in one knot interval: their bin of the grid, hat of the upper knot, volume, and place on each axis."""

    bins: np.ndarray
    rising: np.ndarray
    volume: np.ndarray
    places: list[np.ndarray]


def _spread(
    by_knot: np.ndarray, knots: np.ndarray, grid: LeptonGrid, mass: float, axes: Sequence[Axis], points_per_axis: int
) -> list[np.ndarray]:
    """Return counts ``(n_models, n_knots, n_axis)`` of each of ``axes``, spread over the points of the cells."""
    sizes = [a.edges.size - 1 for a in axes]
    counts = [np.zeros((*by_knot.shape[:2], n)) for n in sizes]
    if not axes:
        return counts
    below = None
    for k, above in enumerate([*_parts(grid.points(points_per_axis), knots, grid, mass, axes), None]):
        sides = [(p, p.volume * w) for p, w in _sides(below, above)]
        volume = sum(np.bincount(p.bins, v, minlength=grid.n_bins) for p, v in sides)
        per_volume = by_knot[:, k] / np.where(volume > 0, volume, np.inf)
        for part, v in sides:
            for model, density in enumerate(per_volume):
                events = density[part.bins] * v
                for count, place, n in zip(counts, part.places, sizes, strict=True):
                    # Places 0 and n + 1 are outside the edges.
                    count[model, k] += np.bincount(place, events, minlength=n + 2)[1:-1]
        below = above
    return counts


def _sides(below: _Part | None, above: _Part | None) -> list[tuple[_Part, np.ndarray]]:
    """Return the intervals around a knot, each with the knot's hat there."""
    return [(p, w) for p, w in ((below, below and below.rising), (above, above and 1.0 - above.rising)) if p is not None]


def _parts(points: GridPoints, knots: np.ndarray, grid: LeptonGrid, mass: float, axes: Sequence[Axis]) -> Iterator[_Part]:
    nodes, weights = np.polynomial.legendre.leggauss(ENERGIES)
    for low, high in pairwise(knots):
        rising = 0.5 * (nodes + 1.0)
        enu = (low + rising * (high - low))[:, None]
        x = bjorken_x(enu, points.el_gev, points.cos_theta, mass)
        energy, point = np.nonzero((enu > points.el_gev) & (x > 0) & (x <= 1))
        enu, el, cos = enu[energy, 0], points.el_gev[point], points.cos_theta[point]
        values = {"x": x[energy, point], "y": inelasticity(enu, el), "q2": q2_gev2(enu, el, cos)}
        yield _Part(
            bins=points.bins[point],
            rising=rising[energy],
            volume=(0.5 * (high - low) * weights)[energy] * points.weight[point],
            places=[np.searchsorted(a.edges, values[a.name], side="right") for a in axes],
        )

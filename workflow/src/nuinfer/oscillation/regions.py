r"""Confidence regions of the two fitted parameters as data: one grid, one field per region, and what is read off a field.

Every method says the same of a grid: the smallest confidence level whose region holds a point, 0 at the centre and 1 far out.
The n-sigma region is the set with confidence at most :math:`\mathrm{erf}(n/\sqrt2)` (68.27, 95.45 and 99.73 %), jointly in two
parameters as in figures 6, 7 and 9 of arXiv:2412.16303, or for one.  Between cell centres the field is linear in
:math:`n = \sqrt2\,\mathrm{erf}^{-1}`: unlike the level itself it is no plateau at 1 far out.  A region may be cut in pieces.
"""

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erf, erfinv

from nuinfer.errors import InputError
from nuinfer.oscillation.plane import FitRange

if TYPE_CHECKING:  # a fifth of a second, which whoever reads regions need not pay
    from scipy.interpolate import CubicSpline

HIGHEST_N_SIGMA = 4.0
"""Levels above count as this many sigma.  A field from 1,000 toys is one from 3.3 on: were it far higher, its 3-sigma outline
would shrink by the step (a disc of five cells by 4 % of its area, by 7 % with six sigma; smooth fields do not notice)."""
LEAST_CELLS = 4


def level(n_sigma: np.ndarray | float) -> np.ndarray | float:
    r"""Return the confidence level :math:`\mathrm{erf}(n/\sqrt2)` of ``n_sigma``, of the same shape."""
    return erf(np.asarray(n_sigma) / np.sqrt(2.0))[()]


def n_sigma_of(confidence: np.ndarray | float) -> np.ndarray | float:
    """Return the inverse of :func:`level`, of the same shape, at most :data:`HIGHEST_N_SIGMA`."""
    return np.sqrt(2.0) * erfinv(np.clip(confidence, 0.0, level(HIGHEST_N_SIGMA)))


@dataclass(frozen=True)
class RegionGrid:
    """Cell centres ``sin2_theta23`` ``(n_a,)`` and ``dm31_ev2`` ``(n_b,)`` in eV^2, evenly spaced and increasing.

    ``n_a`` is even and the centres are symmetric about one half: cell i of the lower octant and cell n_a - 1 - i have the same
    sin^2(2 theta_23).  Raises InputError for other grids and for fewer than four cells an axis.
    """

    sin2_theta23: np.ndarray
    dm31_ev2: np.ndarray

    def __post_init__(self) -> None:
        for name in ("sin2_theta23", "dm31_ev2"):
            axis = np.asarray(getattr(self, name), float)
            steps = np.diff(axis)
            if axis.ndim != 1 or axis.size < LEAST_CELLS or not np.all(steps > 0) or np.ptp(steps) > 1e-6 * steps.mean():
                raise InputError(
                    f"grid of regions: {name} must be {LEAST_CELLS} or more evenly spaced, increasing cell centres"
                )
            object.__setattr__(self, name, axis)
        sin2 = self.sin2_theta23
        if sin2.size % 2 or np.any(np.abs(sin2 + sin2[::-1] - 1.0) > 1e-9):
            raise InputError(
                "grid of regions: sin2_theta23 must be an even number of cells, symmetric about one half, so that they pair up"
            )
        if self.sin2_edges[0] <= 0.0:
            raise InputError("grid of regions: sin2_theta23 must stay inside 0 to 1; give a narrower range")

    @classmethod
    def over(cls, fit_range: FitRange, n_sin2: int, n_dm31: int) -> "RegionGrid":
        """Return ``n_sin2`` x ``n_dm31`` cells that fill ``fit_range``."""
        ends = ((*fit_range.sin2_theta23, n_sin2), (*fit_range.dm31_ev2, n_dm31))
        return cls(*(low + (high - low) * (np.arange(n) + 0.5) / n for low, high, n in ends))

    @property
    def sin2_edges(self) -> np.ndarray:
        """Edges ``(n_a + 1,)`` in sin^2(theta_23)."""
        return _edges(self.sin2_theta23)

    @property
    def dm31_edges(self) -> np.ndarray:
        """Edges ``(n_b + 1,)`` in dm^2_31, eV^2."""
        return _edges(self.dm31_ev2)

    @property
    def sin2_2theta_edges(self) -> np.ndarray:
        """Edges ``(n_a // 2 + 1,)`` in sin^2(2 theta_23), increasing to one."""
        lower = self.sin2_edges[: self.sin2_theta23.size // 2 + 1]
        return 4.0 * lower * (1.0 - lower)

    @property
    def sin2_2theta23(self) -> np.ndarray:
        """Values ``(n_a // 2,)`` of sin^2(2 theta_23) at the centres of the lower octant, increasing and unevenly spaced."""
        lower = self.sin2_theta23[: self.sin2_theta23.size // 2]
        return 4.0 * lower * (1.0 - lower)


@dataclass(frozen=True)
class Confidence:
    """Smallest confidence level whose region holds each point of a :class:`RegionGrid`.

    Joint regions ``plane_sin2`` ``(n_a, n_b)`` and ``plane_sin2_2theta`` ``(n_a // 2, n_b)``; intervals of one parameter
    ``sin2`` ``(n_a,)``, ``sin2_2theta`` ``(n_a // 2,)`` and ``dm31`` ``(n_b,)``.  Raises InputError for shapes that do not fit
    together and for values outside 0 to 1.
    """

    plane_sin2: np.ndarray
    plane_sin2_2theta: np.ndarray
    sin2: np.ndarray
    sin2_2theta: np.ndarray
    dm31: np.ndarray

    def __post_init__(self) -> None:
        n_a, n_b = self.sin2.size, self.dm31.size
        shapes = ((n_a, n_b), (n_a // 2, n_b), (n_a,), (n_a // 2,), (n_b,))
        for field, shape in zip(fields(self), shapes, strict=True):
            values = getattr(self, field.name)
            if values.shape != shape:
                raise InputError(f"confidence: {field.name} has shape {values.shape}; a grid of {n_a} x {n_b} needs {shape}")
            if not np.all((values >= -1e-9) & (values <= 1.0 + 1e-9)):
                raise InputError(f"confidence: {field.name} has values outside 0 to 1; give confidence levels")


def area(field: np.ndarray, x_widths: np.ndarray, y_widths: np.ndarray, level: float) -> float:
    """Return the area of {field <= level} of a field ``(n_x, n_y)`` given at the cells' centres, in the widths' units.

    The outline is that of :func:`contours`, continued to the outer cells' ends.  A disc whose level grows as that of a normal
    law is measured to 0.5 % from a radius of eight cells on.  Raises InputError for a level that is not between 0 and that of
    :data:`HIGHEST_N_SIGMA`, as do the functions below.
    """
    return _moments(field, x_widths, y_widths, level)[0]


def centroid(
    x: np.ndarray, y: np.ndarray, x_widths: np.ndarray, y_widths: np.ndarray, field: np.ndarray, level: float
) -> list[float] | None:
    """Return the centre of gravity [x, y] of the region of :func:`area`, cells centred at ``x`` and ``y``; None if empty."""
    total, first_x, first_y = _moments(field, x_widths, y_widths, level)
    if total <= 0.0:
        return None
    sides = ((x, x_widths, first_x), (y, y_widths, first_y))
    return [float(centres[0] - _positions(widths)(0.0) + first / total) for centres, widths, first in sides]


def contours(x: np.ndarray, y: np.ndarray, field: np.ndarray, level: float) -> list[np.ndarray]:
    """Return the lines where a field ``(n_x, n_y)`` at ``x`` and ``y`` crosses ``level``, each ``(m, 2)``.

    A line is closed (first point repeated at the end) unless it runs into the end of the grid.
    """
    return [np.asarray(line) for line in _outlines(x, y, n_sigma_of(field)).lines(_threshold(level))]


def intervals(x: np.ndarray, field: np.ndarray, level: float, ends: tuple[float, float] | None = None) -> list[list[float]]:
    """Return every interval [low, high] of ``x`` ``(n,)`` where ``field`` ``(n,)`` is at most ``level``, in increasing order.

    An interval that reaches the first or last cell ends at ``ends``, the grid's (``x``'s own where left out).
    """
    excess = n_sigma_of(field) - _threshold(level)
    inside = np.concatenate([[False], excess <= 0.0, [False]])
    first, last = (np.flatnonzero(a & ~b) for a, b in ((inside[1:-1], inside[:-2]), (inside[1:-1], inside[2:])))
    low, high = (x[0], x[-1]) if ends is None else ends

    def crossing(i: int, outer: int) -> float:
        return float(x[i] + (x[outer] - x[i]) * excess[i] / (excess[i] - excess[outer]))

    return [
        [float(low) if i == 0 else crossing(i, i - 1), float(high) if j == len(x) - 1 else crossing(j, j + 1)]
        for i, j in zip(first, last, strict=True)
    ]


def confidence_at(confidence: Confidence, grid: RegionGrid, sin2_theta23: float, dm31_ev2: float) -> dict[str, float]:
    """Return the five fields of ``confidence``, by name, at one point of the parameters.

    Interpolated as outlines are, in sigma and linearly in both parameters, fields of sin^2(2 theta_23) with the octants folded
    onto one another; hence at most the level of :data:`HIGHEST_N_SIGMA`.  Raises InputError for a point outside the grid.
    """
    for name, value, edges in (
        ("sin2_theta23", sin2_theta23, grid.sin2_edges),
        ("dm31_ev2", dm31_ev2, grid.dm31_edges),
    ):
        if not edges[0] <= value <= edges[-1]:
            raise InputError(
                f"confidence at {name} = {value:g}: the grid of regions is {edges[0]:g} to {edges[-1]:g}; widen the fit range"
            )
    half = grid.sin2_theta23.size // 2
    folded = min(sin2_theta23, 1.0 - sin2_theta23)
    of_sin2 = _hats(grid.sin2_theta23, sin2_theta23)
    of_folded = _hats(grid.sin2_theta23[:half], folded)
    of_dm31 = _hats(grid.dm31_ev2, dm31_ev2)
    values = {
        "plane_sin2": of_sin2 @ n_sigma_of(confidence.plane_sin2) @ of_dm31,
        "plane_sin2_2theta": of_folded @ n_sigma_of(confidence.plane_sin2_2theta) @ of_dm31,
        "sin2": of_sin2 @ n_sigma_of(confidence.sin2),
        "sin2_2theta": of_folded @ n_sigma_of(confidence.sin2_2theta),
        "dm31": of_dm31 @ n_sigma_of(confidence.dm31),
    }
    return {name: float(level(value)) for name, value in values.items()}


def region_facts(grid: RegionGrid, confidence: Confidence) -> dict:
    """Return what the 1, 2 and 3 sigma regions are, keyed "1_sigma" and so on, in plain numbers.

    ``area_ev2`` and ``centroid`` of the two planes, ``intervals`` of the three parameters, each by the parameter's name, and
    ``cut_off``, the ends of the grid that a region reaches.  Maximal mixing, sin^2(2 theta_23) = 1, is no such end.
    """
    axes = {
        "sin2_theta23": (grid.sin2_theta23, grid.sin2_edges),
        "sin2_2theta23": (grid.sin2_2theta23, grid.sin2_2theta_edges),
        "dm31_ev2": (grid.dm31_ev2, grid.dm31_edges),
    }
    widths = {name: np.diff(edges) for name, (_, edges) in axes.items()}
    planes = {"sin2_theta23": confidence.plane_sin2, "sin2_2theta23": confidence.plane_sin2_2theta}
    lines = {"sin2_theta23": confidence.sin2, "sin2_2theta23": confidence.sin2_2theta, "dm31_ev2": confidence.dm31}
    facts = {}
    for n in (1, 2, 3):
        at = float(level(n))
        facts[f"{n}_sigma"] = {
            "level": at,
            "area_ev2": {name: area(field, widths[name], widths["dm31_ev2"], at) for name, field in planes.items()},
            "centroid": {
                name: centroid(axes[name][0], grid.dm31_ev2, widths[name], widths["dm31_ev2"], field, at)
                for name, field in planes.items()
            },
            "intervals": {
                name: intervals(axes[name][0], field, at, tuple(axes[name][1][[0, -1]])) for name, field in lines.items()
            },
            "cut_off": _cut_off(confidence, at),
        }
    return facts


def _cut_off(confidence: Confidence, at: float) -> list[str]:
    sides = {
        "sin2_theta23 low": (confidence.plane_sin2[0], confidence.sin2[:1]),
        "sin2_theta23 high": (confidence.plane_sin2[-1], confidence.sin2[-1:]),
        "sin2_2theta23 low": (confidence.plane_sin2_2theta[0], confidence.sin2_2theta[:1]),
        "dm31_ev2 low": (confidence.plane_sin2[:, 0], confidence.plane_sin2_2theta[:, 0], confidence.dm31[:1]),
        "dm31_ev2 high": (confidence.plane_sin2[:, -1], confidence.plane_sin2_2theta[:, -1], confidence.dm31[-1:]),
    }
    return [side for side, values in sides.items() if min(v.min() for v in values) <= at]


def _edges(centres: np.ndarray) -> np.ndarray:
    step = (centres[-1] - centres[0]) / (centres.size - 1)
    return centres[0] + step * (np.arange(centres.size + 1) - 0.5)


def _hats(axis: np.ndarray, value: float) -> np.ndarray:
    """Return the weights ``(n,)`` of linear interpolation at one point; beyond the outer centres the field is constant."""
    position = np.clip((value - axis[0]) / (axis[1] - axis[0]), 0.0, axis.size - 1.0)
    return np.maximum(0.0, 1.0 - np.abs(np.arange(axis.size) - position))


def _threshold(level: float) -> float:
    n_sigma = float(n_sigma_of(level))
    if not 0.0 < n_sigma < HIGHEST_N_SIGMA:
        raise InputError(
            f"confidence level {level:g}: regions are known from 0 to {HIGHEST_N_SIGMA:g} sigma; ask for one between"
        )
    return n_sigma


def _outlines(x: np.ndarray, y: np.ndarray, field: np.ndarray):
    import contourpy

    return contourpy.contour_generator(x, y, field.T, fill_type=contourpy.FillType.OuterOffset)


def _positions(widths: np.ndarray) -> "CubicSpline":
    """Return the coordinate, from the first edge on, of a cell number; exact for sin^2(2 theta), quadratic in the number."""
    from scipy.interpolate import CubicSpline

    return CubicSpline(np.arange(len(widths) + 1) - 0.5, np.concatenate([[0.0], np.cumsum(widths)]))


def _moments(field: np.ndarray, x_widths: np.ndarray, y_widths: np.ndarray, level: float) -> tuple[float, float, float]:
    """Return the integrals of 1, x and y over {field <= level}, coordinates counted from the first edges."""
    number = [np.concatenate([[-0.5], np.arange(n), [n - 0.5]]) for n in field.shape]
    to_x, to_y = _positions(x_widths), _positions(y_widths)
    n_sigma = np.pad(n_sigma_of(field), 1, mode="edge")
    outlines, offsets = _outlines(*number, n_sigma).filled(-np.inf, _threshold(level))
    total = np.zeros(3)
    for points, ends in zip(outlines, offsets, strict=True):
        for start, stop in pairwise(ends):
            x, y = to_x(points[start:stop, 0]), to_y(points[start:stop, 1])
            # Green's theorem; contourpy runs around holes the other way, so that they count as negative.
            cross = x[:-1] * y[1:] - x[1:] * y[:-1]
            total += cross.sum() / 2.0, ((x[:-1] + x[1:]) * cross).sum() / 6.0, ((y[:-1] + y[1:]) * cross).sum() / 6.0
    return tuple(float(t) for t in total)

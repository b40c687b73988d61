r"""The union of an ensemble's confidence regions (arXiv:2412.16303, equation 18), and what is needed to unite and compare.

A point is in the combined n-sigma region if it lies in at least a fraction :math:`g_n = [1 - \mathrm{erf}(n/\sqrt2)]/2` of the
members' n-sigma regions: 4, 1 and 1 of 25 for 1, 2 and 3 sigma.  With n the members demanded become fewer and their regions
larger, so each point has a least n from which on it is in.  With the members' fields in sigma sorted,
:math:`f_{(1)} \le \dots \le f_{(M)}`, it is :math:`\min_j \max(f_{(j)}, n_j)`, where j members are enough from
:math:`n_j = \sqrt2\,\mathrm{erf}^{-1}(1 - 2j/M)` on, from 0 for :math:`j \ge M/2`.  The union is again a
:class:`~nuinfer.oscillation.regions.Confidence`.  For normal members it is :math:`n\sigma_{stat} + n\sigma_{sys}` wide.
"""

from collections.abc import Sequence
from dataclasses import fields
from functools import partial, reduce

import numpy as np
from scipy.special import erfc, erfinv

from nuinfer.errors import InputError
from nuinfer.oscillation.regions import HIGHEST_N_SIGMA, Confidence, RegionGrid, level, n_sigma_of, region_facts

OUTLINES_N_SIGMA = (1.0, 2.0, 3.0)
"""The regions that are reported and drawn."""
FINER = 4
"""Two fields are compared on cells of this many parts an axis, lest the grid's step counts as a violation."""
ROUNDING = 1e-9


def fraction(n_sigma: np.ndarray | float) -> np.ndarray | float:
    r"""Return the fraction :math:`g_n = [1 - \mathrm{erf}(n/\sqrt2)]/2` of the members that must hold a point, same shape."""
    return 0.5 * erfc(np.asarray(n_sigma) / np.sqrt(2.0))[()]


def least_members(n_sigma: float, n_members: int) -> int:
    """Return how many of ``n_members`` members must hold a point of the combined ``n_sigma`` region, one or more.

    Raises InputError for an ensemble without members.
    """
    if n_members < 1:
        raise InputError("union of regions: the ensemble has no members; give one or more")
    return max(1, int(np.ceil(n_members * fraction(n_sigma) - ROUNDING)))


def union_n_sigma(n_sigma: np.ndarray, axis: int = 0) -> np.ndarray:
    """Return the least n whose combined region holds each point, members' fields ``n_sigma`` in sigma along ``axis``.

    The rule as it stands, at every n; the result has the shape without ``axis``.  Where the number of members demanded drops
    the field is flat over a finite range of the parameters, at 1.75, 1.41, 1.17, 0.99 ... for 25.  Raises InputError for an
    ensemble without members.
    """
    ordered = np.moveaxis(np.sort(n_sigma, axis=axis), axis, -1)
    n_members = ordered.shape[-1]
    if n_members < 1:
        raise InputError("union of regions: the ensemble has no members; give one or more")
    enough_from = np.sqrt(2.0) * erfinv(np.maximum(0.0, 1.0 - 2.0 * np.arange(1, n_members + 1) / n_members))
    return np.maximum(ordered, enough_from).min(axis=-1)


def union_level(levels: np.ndarray, axis: int = 0) -> np.ndarray:
    """Return :func:`union_n_sigma` of confidence levels instead of sigma, such as those of a truth in many universes."""
    return level(union_n_sigma(n_sigma_of(levels), axis))


def union_confidence(members: Sequence[Confidence], outlines_n_sigma: Sequence[float] | None = OUTLINES_N_SIGMA) -> Confidence:
    """Return the union of the members' regions, each field by itself, all on one grid.

    The regions of ``outlines_n_sigma`` are those of the rule exactly.  In between the number of members demanded drops half
    way from one outline to the next; with None it drops where the rule has it, as in :func:`union_n_sigma`.  Cells at the
    outlines' levels are the same, but an outline interpolated beside a flat part of the field is drawn in by half a cell: with
    25 members 1 sigma is 0.006 sigma from a flat part, and on 100 x 100 cells areas came out 5 % short.  Raises InputError for
    no members, for members on grids of different size and for outlines that do not increase.
    """
    if not members:
        raise InputError("union of regions: the ensemble has no members; give one or more")
    shapes = {member.plane_sin2.shape for member in members}
    if len(shapes) > 1:
        raise InputError(f"union of regions: members on grids of {_listed(shapes)} cells; put all on their common_grid first")
    unite = union_n_sigma if outlines_n_sigma is None else partial(_at_outlines, outlines=np.asarray(outlines_n_sigma, float))
    return Confidence(
        *(level(unite(np.stack([n_sigma_of(getattr(member, of.name)) for member in members]))) for of in fields(Confidence))
    )


def common_grid(grids: Sequence[RegionGrid]) -> RegionGrid:
    """Return a grid that covers all of ``grids`` with the finest step among them, the very grid if all are equal.

    Its cells in dm^2_31 continue those of the finest grid, which thus keeps its values.  Raises InputError for no grids and for
    grids of both mass orderings.
    """
    if not grids:
        raise InputError("common grid of regions: no grids given; give one or more")
    first = grids[0]
    if all(_same(first, grid) for grid in grids):
        return first
    if len({np.sign(grid.dm31_ev2.mean()) for grid in grids}) > 1:
        raise InputError("common grid of regions: dm31_ev2 has both signs; unite fits of one mass ordering")
    half_width = max(grid.sin2_edges[-1] for grid in grids) - 0.5
    step = min(_step(grid.sin2_theta23) for grid in grids)
    n_half = int(np.ceil(half_width / step - ROUNDING))
    if n_half * step >= 0.5:
        step = half_width / n_half
    finest = min((grid.dm31_ev2 for grid in grids), key=_step)
    low, high = min(grid.dm31_edges[0] for grid in grids), max(grid.dm31_edges[-1] for grid in grids)
    below = int(np.ceil((finest[0] - low) / _step(finest) - 0.5 - ROUNDING))
    above = int(np.ceil((high - finest[-1]) / _step(finest) - 0.5 - ROUNDING))
    return RegionGrid(
        0.5 + step * (np.arange(2 * n_half) - n_half + 0.5),
        finest[0] + _step(finest) * np.arange(-below, finest.size + above),
    )


def finer_grid(grid: RegionGrid, parts: int) -> RegionGrid:
    """Return ``grid`` with every cell in ``parts`` parts an axis.

    Uniting members there keeps the short pieces that their regions leave in one parameter, where fields turn within a cell.
    """
    axes = (grid.sin2_theta23, grid.dm31_ev2)
    return RegionGrid(*(axis[0] + _step(axis) * ((np.arange(parts * axis.size) + 0.5) / parts - 0.5) for axis in axes))


def on_grid(confidence: Confidence, grid: RegionGrid, to: RegionGrid) -> Confidence:
    """Return the fields of ``confidence``, given on ``grid``, at the centres of ``to``; the very fields if the grids are equal.

    Interpolated as outlines and :func:`~nuinfer.oscillation.regions.confidence_at` are, in sigma.  Outside ``grid`` the level
    is that of HIGHEST_N_SIGMA: a region that runs into the end of its grid ends there.  Raises InputError if ``confidence`` is
    not on ``grid``.
    """
    _check_grid(confidence, grid)
    if _same(grid, to):
        return confidence
    half, to_half = grid.sin2_theta23.size // 2, to.sin2_theta23.size // 2
    sin2 = _weights(grid.sin2_theta23, to.sin2_theta23)
    folded = _weights(grid.sin2_theta23[:half], to.sin2_theta23[:to_half])
    dm31 = _weights(grid.dm31_ev2, to.dm31_ev2)
    beyond_sin2 = np.abs(to.sin2_theta23 - 0.5) > grid.sin2_edges[-1] - 0.5
    beyond_dm31 = (to.dm31_ev2 < grid.dm31_edges[0]) | (to.dm31_ev2 > grid.dm31_edges[-1])
    return _interpolated(confidence, sin2, folded, dm31, beyond_sin2, beyond_dm31)


def interpolation_error(confidence: Confidence, grid: RegionGrid) -> dict[str, dict[str, dict[str, float]]]:
    """Return the relative errors of the 1, 2 and 3 sigma regions that the finite step of ``grid`` may cause.

    Keyed "1_sigma" and so on, ``area`` of the two planes and ``ends`` of the intervals of the three parameters.  The field is
    given at every second cell only, filled in by linear interpolation, and its regions are compared with those of all cells:
    that is three times the error of the grid as it is, since the error falls with the square of the step.  Given is the largest
    over the alignments, four in a plane and two on a line, of a third of the difference: over the area, or the largest shift of
    an end over the total length of the intervals (the change of that length where pieces join or part); 0 for empty regions.
    It is an estimate for fields that are smooth over a few cells, no bound.
    """
    _check_grid(confidence, grid)
    known = region_facts(grid, confidence)
    kept = [_every_second(confidence, grid, i, j) for i in (0, 1) for j in (0, 1)]
    coarse = [region_facts(grid, found) for found in kept]
    return {
        key: {
            "area": {
                name: max(_over(abs(facts[key]["area_ev2"][name] - total), 3.0 * total) for facts in coarse)
                for name, total in of["area_ev2"].items()
            },
            "ends": {
                name: max(_over(_shift(facts[key]["intervals"][name], pieces), 3.0 * _length(pieces)) for facts in coarse)
                for name, pieces in of["intervals"].items()
            },
        }
        for key, of in known.items()
    }


def holds(outer: Confidence, inner: Confidence, grid: RegionGrid) -> dict[str, dict[str, dict[str, float]]]:
    """Return which fraction of the regions of ``inner`` lies outside those of ``outer``, 0 where it is wholly inside.

    Keyed "1_sigma" and so on, ``area`` of the two planes and ``length`` of the intervals of the three parameters; both fields
    on ``grid``, compared on finer cells.  Raises InputError if they are not on ``grid``.
    """
    for confidence in (outer, inner):
        _check_grid(confidence, grid)
    fine = finer_grid(grid, FINER)
    one, other = (on_grid(confidence, grid, fine) for confidence in (outer, inner))
    both = Confidence(*(np.maximum(getattr(one, of.name), getattr(other, of.name)) for of in fields(Confidence)))
    shared, whole = region_facts(fine, both), region_facts(fine, other)
    return {
        key: {
            "area": {
                name: _over(max(0.0, total - shared[key]["area_ev2"][name]), total) for name, total in of["area_ev2"].items()
            },
            "length": {
                name: _over(max(0.0, _length(pieces) - _length(shared[key]["intervals"][name])), _length(pieces))
                for name, pieces in of["intervals"].items()
            },
        }
        for key, of in whole.items()
    }


def _at_outlines(n_sigma: np.ndarray, outlines: np.ndarray) -> np.ndarray:
    """Return the field ``(...)`` of the union of members ``(M, ...)``, right at ``outlines``."""
    if outlines.size < 1 or outlines[0] <= 0.0 or np.any(np.diff(outlines) <= 0.0):
        raise InputError("union of regions: outlines must be increasing numbers of sigma, all above 0")
    ordered = np.sort(n_sigma, axis=0)
    from_n = np.concatenate([[0.0], (outlines[:-1] + outlines[1:]) / 2.0])
    demanded = (ordered[least_members(n, len(ordered)) - 1] for n in outlines)
    return reduce(np.minimum, (np.maximum(field, low) for field, low in zip(demanded, from_n, strict=True)))


def _interpolated(
    confidence: Confidence,
    sin2: np.ndarray,
    folded: np.ndarray,
    dm31: np.ndarray,
    beyond_sin2: np.ndarray | bool = False,
    beyond_dm31: np.ndarray | bool = False,
) -> Confidence:
    """Return the fields with weights ``(n_to, n_from)`` applied to each axis, and at its highest ``beyond`` any of them."""
    beyond_sin2 = np.broadcast_to(beyond_sin2, len(sin2))
    beyond_dm31 = np.broadcast_to(beyond_dm31, len(dm31))
    beyond_folded = beyond_sin2[: len(folded)]
    of = {field.name: n_sigma_of(getattr(confidence, field.name)) for field in fields(Confidence)}
    moved = (
        (sin2 @ of["plane_sin2"] @ dm31.T, beyond_sin2[:, None] | beyond_dm31),
        (folded @ of["plane_sin2_2theta"] @ dm31.T, beyond_folded[:, None] | beyond_dm31),
        (sin2 @ of["sin2"], beyond_sin2),
        (folded @ of["sin2_2theta"], beyond_folded),
        (dm31 @ of["dm31"], beyond_dm31),
    )
    return Confidence(*(level(np.where(beyond, HIGHEST_N_SIGMA, n_sigma)) for n_sigma, beyond in moved))


def _every_second(confidence: Confidence, grid: RegionGrid, sin2_from: int, dm31_from: int) -> Confidence:
    """Return the fields on all cells as every second one gives them, from a first one on."""
    half = grid.sin2_theta23.size // 2

    def refilled(axis: np.ndarray, start: int) -> np.ndarray:
        weights = np.zeros((axis.size, axis.size))
        weights[:, start::2] = _weights(axis[start::2], axis)
        return weights

    # In the folded fields the mirror image of the last cell kept is as near as that cell: constant there is linear.
    sin2, folded = refilled(grid.sin2_theta23, sin2_from), refilled(grid.sin2_theta23[:half], sin2_from)
    return _interpolated(confidence, sin2, folded, refilled(grid.dm31_ev2, dm31_from))


def _weights(axis: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the weights ``(n_values, n_axis)`` of linear interpolation; beyond the outer centres the field is constant."""
    if axis.size == 1:
        return np.ones((values.size, 1))
    position = np.clip((values - axis[0]) / _step(axis), 0.0, axis.size - 1.0)
    return np.maximum(0.0, 1.0 - np.abs(np.arange(axis.size) - position[:, None]))


def _step(axis: np.ndarray) -> float:
    return float((axis[-1] - axis[0]) / (axis.size - 1))


def _same(one: RegionGrid, other: RegionGrid) -> bool:
    return all(
        a.size == b.size and bool(np.all(np.abs(a - b) <= 1e-6 * _step(a)))
        for a, b in ((one.sin2_theta23, other.sin2_theta23), (one.dm31_ev2, other.dm31_ev2))
    )


def _check_grid(confidence: Confidence, grid: RegionGrid) -> None:
    cells, found = (grid.sin2_theta23.size, grid.dm31_ev2.size), confidence.plane_sin2.shape
    if found != cells:
        raise InputError(
            f"regions: fields of {_listed([found])} cells on a grid of {_listed([cells])}; give the grid they are on"
        )


def _listed(shapes: Sequence[tuple[int, int]] | set[tuple[int, int]]) -> str:
    return ", ".join(f"{n_a} x {n_b}" for n_a, n_b in sorted(shapes))


def _length(pieces: list[list[float]]) -> float:
    return float(sum(high - low for low, high in pieces))


def _shift(pieces: list[list[float]], known: list[list[float]]) -> float:
    if len(pieces) != len(known):
        return abs(_length(pieces) - _length(known))
    return float(np.abs(np.array(pieces) - np.array(known)).max(initial=0.0))


def _over(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0.0 else 0.0

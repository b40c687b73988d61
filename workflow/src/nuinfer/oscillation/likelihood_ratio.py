r"""Confidence regions by the likelihood ratio with the distribution that pseudo-experiments give it (Feldman and Cousins).

At a point the statistic is :math:`\lambda = 2(\max\ln L - \ln L)` (physics/9711021), its confidence level the share of toys
with a smaller one.  A hypothesis may leave parameters free: an interval of one parameter, or a value of sin^2(2 theta_23),
whose octant is open.  The likelihood is then maximised over them, and the toys are those of the data's best point in it
("profiled", arXiv:2207.14353); of the two octants' best points, between which data hardly choose, those of the one that keeps
the hypothesis at a lower level.

The likelihood need not be that of the model which toys are thrown from: shifts that it leaves out, drawn for every toy, widen
the distribution of :math:`\lambda` and with it the regions (:class:`~nuinfer.oscillation.toys.Toys`, ``weighing``).
"""

from collections.abc import Callable

import numpy as np

from nuinfer.errors import InputError
from nuinfer.oscillation.regions import Confidence, RegionGrid
from nuinfer.oscillation.toys import Toys

BLOCK = 200
"""Toys on the grid at once: memory."""
FAR = 40.0
"""Where the data's statistic exceeds this no toy is asked: the level is one.  For toys of the fitted model only: of any other
the statistic has no scale."""
LEAST_TOYS, LEAST_SHARE = 10.0, 0.01
"""Effective toys that a level takes, at least so many and such a share of all: elsewhere, far from where toys were thrown, it
is one."""


class _Share:
    """Weighted share of toys whose statistic is below the data's, summed block by block, for hypotheses of one shape."""

    def __init__(self, observed: np.ndarray, far: float) -> None:
        self.observed, self.far = observed, far
        self.below, self.total, self.squares = (np.zeros_like(observed) for _ in range(3))
        self.toys = 0

    def add(self, statistic: np.ndarray, weight: np.ndarray) -> None:
        self.toys += len(statistic)
        self.below += np.where(statistic < self.observed, weight, 0.0).sum(axis=0)
        self.total += weight.sum(axis=0)
        self.squares += np.square(weight).sum(axis=0)

    @property
    def level(self) -> np.ndarray:
        judged = (self.observed < self.far) & (self.effective >= _least(self.toys))
        return np.where(judged, self.below / np.where(judged, self.total, 1.0), 1.0)

    @property
    def effective(self) -> np.ndarray:
        """Effective number of toys at every hypothesis."""
        return self.total**2 / np.where(self.squares > 0, self.squares, 1.0)


def likelihood_confidence(
    toys: Toys,
    surface: np.ndarray,
    highest: float,
    grid: RegionGrid,
    progress: Callable[[int, int, str], None] | None = None,
) -> tuple[Confidence, dict[str, float]]:
    """Return the regions of data with coefficients ``surface`` and maximum ``highest``, on the toys' plane.

    Also facts: the effective number of toys, least and median, over the points of the 3-sigma region.
    """
    plane, axes = toys.plane, (grid.sin2_theta23, grid.dm31_ev2)
    data = 2.0 * (highest - plane.on_grid(surface, *axes))
    half = np.arange(len(data) // 2)
    folded, octants = _folded(data), (data[: half.size], data[half.size :][::-1])
    row, column = data.argmin(axis=0), data.argmin(axis=1)
    columns = [octant.argmin(axis=1) for octant in octants]
    far = FAR if toys.weighing is None else np.inf
    joint, of_sin2, of_dm31 = (_Share(observed, far) for observed in (data, data.min(axis=1), data.min(axis=0)))
    # Hypotheses of sin^2(2 theta_23) have toys of their own for each octant.
    joint_folded = [_Share(folded, far) for _ in octants]
    of_folded = [_Share(folded.min(axis=1), far) for _ in octants]
    n = len(toys.coefficients)
    for start in range(0, n, BLOCK):
        part = slice(start, start + BLOCK)
        heights = plane.on_grid(toys.coefficients[part], *axes)
        thrown = heights if toys.weighing is None else plane.on_grid(toys.weighing[part], *axes)
        weight = np.exp(thrown - toys.log_mixture[part, None, None])
        statistic = 2.0 * (toys.highest[part, None, None] - heights)
        joint.add(statistic, weight)
        of_sin2.add(statistic.min(axis=2), weight[:, np.arange(len(data)), column])
        of_dm31.add(statistic.min(axis=1), weight[:, row, np.arange(weight.shape[2])])
        both = _folded(statistic)
        for k, own in enumerate((weight[:, : half.size], weight[:, half.size :][:, ::-1])):
            joint_folded[k].add(both, own)
            of_folded[k].add(both.min(axis=2), own[:, half, columns[k]])
        if progress:
            progress(min(start + BLOCK, n), n, "toys")
    found = Confidence(
        joint.level,
        np.minimum(*(share.level for share in joint_folded)),
        of_sin2.level,
        np.minimum(*(share.level for share in of_folded)),
        of_dm31.level,
    )
    inside = joint.effective[joint.level < 0.9973]
    facts = {"toys": float(n)}
    if inside.size:
        facts |= {"effective_toys_least": float(inside.min()), "effective_toys_median": float(np.median(inside))}
    return found, facts


def set_confidence(
    toys: Toys,
    heights: np.ndarray,
    data: np.ndarray,
    highest: np.ndarray,
    octants: np.ndarray | None = None,
    weighing: np.ndarray | None = None,
) -> np.ndarray:
    """Return the confidence level ``(n_data,)`` of one hypothesis, a set of points: what a whole grid of them is made of.

    ``heights`` ``(n_toys, n_points)`` and ``data`` ``(n_data, n_points)`` are log-likelihoods at the points, ``highest``
    ``(n_data,)`` the data's maxima; ``octants`` ``(n_points,)`` says which points are of which octant where it is open.
    ``weighing`` ``(n_toys, n_points)`` are the toys' log-likelihoods under the models that they were thrown from.  Raises
    InputError where it is missing for toys of other models than the fitted one, or given for toys of that one.
    """
    if (weighing is None) != (toys.weighing is None):
        raise InputError("confidence of a hypothesis: give weighing, heights of the toys' own, if and only if the toys have it")
    thrown = heights if weighing is None else weighing
    statistic = 2.0 * (toys.highest - heights.max(axis=1))
    observed = 2.0 * (highest - data.max(axis=1))
    groups = [np.arange(heights.shape[1])] if octants is None else [np.flatnonzero(octants == k) for k in np.unique(octants)]
    levels = np.ones(len(data))
    for group in groups:
        best = group[data[:, group].argmax(axis=1)]
        for i, (at, value) in enumerate(zip(best, observed, strict=True)):
            weight = np.exp(thrown[:, at] - toys.log_mixture)
            if weight.sum() ** 2 >= _least(len(weight)) * np.square(weight).sum() > 0.0:
                levels[i] = min(levels[i], weight[statistic < value].sum() / weight.sum())
    return levels


def _least(n_toys: int) -> float:
    return max(LEAST_TOYS, LEAST_SHARE * n_toys)


def _folded(values: np.ndarray) -> np.ndarray:
    """Return the lesser of both octants' values: axis -2 is sin^2(theta_23), symmetric about one half."""
    half = values.shape[-2] // 2
    return np.minimum(values[..., :half, :], values[..., half:, :][..., ::-1, :])

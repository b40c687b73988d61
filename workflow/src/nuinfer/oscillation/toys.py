r"""Pseudo-experiments in bins, thrown from a mixture of parameter points, and their likelihoods over the whole plane.

A toy thrown at any point serves every other one: its likelihood :math:`L_i(\theta)` is known everywhere, so that it stands
for :math:`\theta` with the weight

.. math::
    w_i(\theta) = L_i(\theta) \Big/ \frac1m\sum_{j=1}^m L_i(\theta_j)

(multiple importance sampling from the mixture of the points :math:`\theta_j`; for Feldman-Cousins intervals: arXiv:2501.08988).
Toys from afar fill the tails of the test statistic, where 3-sigma limits are decided.

Where a toy is thrown from a model of its own, with systematic shifts drawn independently of :math:`\theta_j`, the weight is the
same with L that model's: the density of the shifts cancels.  The likelihood that is fitted to the toy is then another one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from nuinfer.errors import InputError
from nuinfer.oscillation.likelihood import FarModel, densities, log_table
from nuinfer.oscillation.optimum import Optima, octant_optima
from nuinfer.oscillation.plane import Plane
from nuinfer.seeds import stream

LATTICE = (20, 20)
"""Points an axis from which those of the mixture are chosen."""
REACH = 16.0
"""The mixture covers the points whose log-likelihood is within half of this of the highest: 3 sigma and beyond."""


@dataclass(frozen=True)
class Toys:
    """``coefficients`` ``(n, n_sin2, n_dm31)`` of log-likelihoods on ``plane``, each less its own constant.

    ``highest`` ``(n,)``: their maxima; ``log_mixture`` ``(n,)``: log of the mixture's density, less the same constant.
    ``weighing`` ``(n, n_sin2, n_dm31)``: coefficients under the model that each toy was thrown from, where it is not the fitted
    one.  Weights and ``log_mixture``, with its constant, are then of these; statistics are always of ``coefficients``.  Raises
    InputError for another shape.
    """

    plane: Plane
    coefficients: np.ndarray
    optima: Optima
    log_mixture: np.ndarray
    weighing: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.weighing is not None and self.weighing.shape != self.coefficients.shape:
            raise InputError(
                f"toys: weighing has shape {self.weighing.shape}; give one a toy, as coefficients, {self.coefficients.shape}"
            )

    @property
    def highest(self) -> np.ndarray:
        return self.optima.best.loglike


def mixture_points(surface: np.ndarray, plane: Plane) -> tuple[np.ndarray, np.ndarray]:
    """Return sin^2(theta_23) and dm^2_31 (eV^2), each ``(m,)``: a lattice over where ``surface`` is within :data:`REACH`."""
    (low, high), (below, above) = plane.range.sin2_theta23, plane.range.dm31_ev2
    fine = [np.linspace(a, b, 201) for a, b in ((low, high), (below, above))]
    heights = plane.on_grid(surface, *fine)
    inside = 2.0 * (heights.max() - heights) < REACH
    ends = [axis[np.flatnonzero(inside.any(axis=1 - i))[[0, -1]]] for i, axis in enumerate(fine)]
    sin2, dm31 = (
        a.ravel() for a in np.meshgrid(*(np.linspace(*e, n) for e, n in zip(ends, LATTICE, strict=True)), indexing="ij")
    )
    chosen = 2.0 * (heights.max() - plane.at(surface, sin2, dm31)) < REACH
    return sin2[chosen], dm31[chosen]


def toys_from(
    plane: Plane, coefficients: np.ndarray, points: tuple[np.ndarray, np.ndarray], weighing: np.ndarray | None = None
) -> Toys:
    """Return toys thrown equally often at every one of ``points``, of log-likelihoods ``(n, n_sin2, n_dm31)`` on ``plane``.

    ``coefficients`` are of the fitted model; ``weighing`` of that which each toy was thrown from, if it is another: it must be
    the very model of that toy, shifts included.
    """
    mixture = _log_mixture(plane, coefficients if weighing is None else weighing, *points)
    return Toys(plane, coefficients, octant_optima(coefficients, plane), mixture, weighing)


def throw_toys(
    bins: FarModel,
    plane: Plane,
    points: tuple[np.ndarray, np.ndarray],
    n_toys: int,
    n_events: int,
    seed: int,
    key: tuple[str | int, ...] = (),
    progress: Callable[[int, int, str], None] | None = None,
) -> Toys:
    """Throw about ``n_toys`` of ``n_events`` each, equally many at every one of ``points``; ``bins`` hold all the events.

    Toys of a point depend on seed, ``key`` and the point's number.  Raises InputError for fewer toys than points.
    """
    sin2, dm31 = (np.atleast_1d(p) for p in points)
    each = n_toys // sin2.size
    if each < 1:
        raise InputError(f"toys: {n_toys} are too few for {sin2.size} points of the plane; give at least one each")
    contents = np.maximum(densities(bins, sin2, dm31), 0.0)
    table = log_table(bins, plane)
    table -= table.mean(axis=0)
    coefficients, optima = [], []
    for j, content in enumerate(contents):
        counts = _multinomial(content, each, n_events, stream(seed, "toys", *key, j))
        coefficients.append(plane.coefficients(counts @ table.T))
        optima.append(octant_optima(coefficients[-1], plane))
        if progress:
            progress(j + 1, sin2.size, "points of the mixture")
    found = np.concatenate(coefficients)
    return Toys(plane, found, _joined(optima), _log_mixture(plane, found, sin2, dm31))


def _log_mixture(plane: Plane, coefficients: np.ndarray, sin2: np.ndarray, dm31: np.ndarray) -> np.ndarray:
    of_sin2, of_dm31 = plane.basis(np.atleast_1d(sin2), np.atleast_1d(dm31))
    at_points = np.einsum("mi,mj->mij", of_sin2, of_dm31).reshape(len(of_sin2), -1)
    return logsumexp(coefficients.reshape(len(coefficients), -1) @ at_points.T, axis=1) - np.log(len(of_sin2))


def _multinomial(content: np.ndarray, n: int, n_events: int, rng: np.random.Generator) -> np.ndarray:
    """Return ``n`` draws ``(n, n_bins)`` of ``n_events``: faster than one binomial a bin where bins outnumber events."""
    steps = np.cumsum(content)
    picked = np.searchsorted(steps, rng.random((n, n_events)) * steps[-1], side="right")
    picked = np.minimum(picked, content.size - 1) + content.size * np.arange(n)[:, None]
    return np.bincount(picked.ravel(), minlength=n * content.size).reshape(n, -1).astype(float)


def _joined(optima: list[Optima]) -> Optima:
    return Optima(
        *(np.concatenate([getattr(o, name) for o in optima]) for name in ("sin2_theta23", "dm31_ev2", "loglike", "on_edge"))
    )

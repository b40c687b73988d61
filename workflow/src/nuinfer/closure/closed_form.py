r"""Flux shapes and near-detector statistics as Gaussian nuisances of the far detector's likelihood.

A shift of the flux by a standard deviation changes the far flux, and what is learned from the given near data: both at once, in
one closed-form analysis with the shifted flux.  The near detector's statistical errors are the learner's posterior covariance;
of its modes those are kept that far-detector events can tell apart.  The likelihood's response to all of them goes to
:mod:`nuinfer.oscillation.marginal`.
"""

from collections.abc import Callable

import numpy as np

from nuinfer.closure.world import World
from nuinfer.errors import InputError
from nuinfer.oscillation.marginal import Marginal
from nuinfer.oscillation.toys import Toys, toys_from

LEAST_INFORMATION = 1e-2
"""A mode of the near detector's errors is kept if the far detector's events measure it to better than ten of its deviations."""
MOST_MODES = 20


def central_contents(world: World, near_shares: np.ndarray) -> np.ndarray:
    """Return far contents in the modes ``(m, r, n_bins)`` of near data ``(m, n_bins)``, analysed in the nominal flux."""
    return world.far.contents(world.near.coefficients(near_shares, np.zeros((len(near_shares), world.n_shifts))))


def systematic_marginal(world: World, near_shares: np.ndarray, at: np.ndarray) -> tuple[Marginal, np.ndarray]:
    """Return the marginal likelihood given near data ``(n_bins,)``, and the central log table ``(n_nodes, n_bins)``.

    Nuisances are the world's k flux shapes, then the kept modes of the near detector's covariance, which is looked at for the
    flux ``at`` ``(1 + k, r)`` of some far-detector parameters.
    """
    k, none = world.n_shifts, np.zeros(world.n_shifts)
    signs = np.concatenate([np.eye(k), -np.eye(k)])
    shifted = world.far.contents(world.near.coefficients(np.tile(near_shares, (2 * k, 1)), signs))
    tables = [world.far.log_table(content, a) for content, a in zip(shifted, signs, strict=True)]
    coefficients = world.near.coefficients(near_shares[None], none[None])
    table = world.far.log_table(world.far.contents(coefficients)[0], none)
    response = [0.5 * (tables[i] - tables[k + i]) for i in range(k)]
    for step in _covariance_modes(world, coefficients[0], at[0]):
        up, down = (world.far.log_table(c, none) for c in world.far.contents(coefficients + np.stack([step, -step])))
        response.append(0.5 * (up - down))
    return Marginal.of(world.far.fluxes.plane, np.stack(response), np.exp(table.astype(float))), table


def _covariance_modes(world: World, coefficients: np.ndarray, mixed: np.ndarray) -> np.ndarray:
    """Return steps of coefficients ``(m, n)``, one standard deviation each, in the order of what far events know of them."""
    factor = world.near.factor()
    by_coefficient = np.tensordot(mixed.astype(np.float32), world.far.response, 1).astype(float)
    content = np.maximum(by_coefficient @ coefficients, 0.0)
    total = content.sum()
    # d ln P / d z in units of its statistical error, the norm taken out.
    slope = by_coefficient @ factor.T
    share = content / total
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(content[:, None] > 0, slope / content[:, None], 0.0) - slope.sum(axis=0) / total
    _, known, directions = np.linalg.svd(np.sqrt(world.far_events * share)[:, None] * relative, full_matrices=False)
    kept = min(MOST_MODES, int(np.count_nonzero(known**2 > LEAST_INFORMATION)))
    return directions[:kept] @ factor


def statistical_toys(
    world: World,
    points: tuple[np.ndarray, np.ndarray],
    n_toys: int,
    rng: np.random.Generator,
) -> Toys:
    """Return about ``n_toys`` pseudo-experiments of the true cross section in the true flux, thrown and fitted with both."""
    plane, none = world.far.fluxes.plane, np.zeros(world.n_shifts)
    table = world.true_table(none).astype(float)
    table -= table.mean(axis=0)
    each = max(1, n_toys // len(points[0]))
    samples = (world.far_counts(none, world.far.fluxes.at(s, d), rng, each) for s, d in zip(*points, strict=True))
    return toys_from(plane, np.concatenate([plane.coefficients(counts @ table.T) for counts in samples]), points)


def systematic_toys(
    world: World,
    marginal: Marginal,
    points: tuple[np.ndarray, np.ndarray],
    n_draws: int,
    n_toys: int,
    rng: np.random.Generator,
    progress: Callable[[int, int, str], None] | None = None,
) -> Toys:
    """Return pseudo-experiments of ``n_draws`` worlds, each with as many far samples, in all about ``n_toys``.

    A world's far samples are thrown at ``points`` in turn; each is fitted with the marginal likelihood around what its own near
    data say in the nominal flux, and weighted with the likelihood of its own true flux and cross section.  Raises InputError
    for fewer toys than points.
    """
    plane = world.far.fluxes.plane
    each = max(1, n_toys // n_draws)
    sin2, dm31 = points
    if n_draws * each < len(sin2):
        raise InputError(
            f"systematic toys: {n_draws * each} are too few for {len(sin2)} points of the plane; give at least one each"
        )
    mixed = [world.far.fluxes.at(s, d) for s, d in zip(sin2, dm31, strict=True)]
    fitted, weighing = [], []
    for draw in range(n_draws):
        amplitudes = rng.standard_normal(world.n_shifts)
        contents = central_contents(world, world.near_shares(amplitudes, rng)[None])[0]
        table = world.far.log_table(contents, np.zeros(world.n_shifts))
        true_table = world.true_table(amplitudes)
        chosen = (draw * each + np.arange(each)) % len(mixed)
        counts = np.stack([world.far_counts(amplitudes, mixed[i], rng) for i in chosen])
        own = marginal.log_likelihood(counts, table - table.mean(axis=0), np.exp(table))
        fitted.append(plane.coefficients(own))
        weighing.append(plane.coefficients(counts @ (true_table - true_table.mean(axis=0)).T.astype(float)))
        if progress:
            progress(draw + 1, n_draws, "draws of flux and near data")
    return toys_from(plane, np.concatenate(fitted), points, np.concatenate(weighing))

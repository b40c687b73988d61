r"""How far a learned cross section is from the true one, at both detectors and in itself.

A cross section is given as counts ``(n_knots, n_bins)``: expected events per bin of a :class:`LeptonGrid` for a flux that is
one at a single energy knot and falls linearly to its neighbours.  Cell (k, bin) therefore has the volume h_k in energy, the
integral of the hat, times the bin's, and every figure below is a sum over cells of cell averages.  Overall constants drop out:
all is normalised to one.
"""

import numpy as np

from nuinfer.closure.observables import LeptonGrid
from nuinfer.errors import InputError

KL_FLOOR = 1e-12
"""A model's cells are at least this share of its largest: where a model has no events at all the logarithm has no value."""

EVENTS_FLOOR = 1e-3
"""Energies with less than this share of the highest event rate per GeV do not enter the worst deviation of the total."""


def hat_integrals(knots_gev: np.ndarray) -> np.ndarray:
    """Return the integral h ``(n_knots,)`` in GeV of each knot's hat, half a hat at the two ends.

    Raises InputError for fewer than two knots or knots that do not increase.
    """
    knots = np.asarray(knots_gev, float)
    if knots.ndim != 1 or knots.size < 2 or np.any(np.diff(knots) <= 0):
        raise InputError("comparison: energy knots must increase, at least two")
    half = 0.5 * np.diff(knots)
    return np.append(half, 0.0) + np.insert(half, 0, 0.0)


def bin_areas_gev(grid: LeptonGrid) -> np.ndarray:
    """Return the area ``(n_bins,)`` of each bin in (E_l, cos theta), GeV."""
    el_widths, cos_widths = np.diff(grid.el_gev(grid.u_edges)), -np.diff(grid.cos_theta(grid.v_edges))
    return np.outer(el_widths, cos_widths).ravel()


def relative_l2(model: np.ndarray, truth: np.ndarray, volume: np.ndarray | float = 1.0) -> float:
    r"""Return :math:`\sqrt{\sum V^{-1}(m-t)^2 / \sum V^{-1}t^2}` of shares of events in cells.

    With the cells' volumes ``volume``, which broadcasts, it is the relative L2 distance of the densities m / V and t / V; for
    cells of one size and for densities themselves it may be left out.  Raises InputError for shapes that differ and for a
    truth that is zero everywhere.
    """
    model, truth = _alike(model, truth)
    size = np.sum(truth**2 / volume)
    if size <= 0:
        raise InputError("comparison: the truth is zero everywhere; is the flux zero in the energy range?")
    return float(np.sqrt(np.sum((model - truth) ** 2 / volume) / size))


def kl_divergence(truth: np.ndarray, model: np.ndarray) -> float:
    r"""Return :math:`\sum t\ln(t/m)` in nat, of shares of events in cells of any shape (equation 32 of arXiv:2412.16303).

    Both are normalised to one.  Cells without true events add nothing, negative true ones are taken as empty; cells of the
    model are raised to :data:`KL_FLOOR` of its largest.  Raises InputError for shapes that differ and counts that do not sum
    to a positive number.
    """
    model, truth = _alike(model, truth)
    m = _shares("model", np.maximum(model, KL_FLOOR * model.max()))
    t = _shares("truth", np.maximum(truth, 0.0))
    seen = t > 0
    return float(np.sum(t[seen] * np.log(t[seen] / m[seen])))


def negative_share(counts: np.ndarray) -> float:
    """Return the share of the sum of absolute ``counts`` that is of negative ones, 0 for no counts at all."""
    counts = np.asarray(counts, float)
    total = np.abs(counts).sum()
    return float(np.abs(counts[counts < 0]).sum() / total) if total > 0 else 0.0


def total_cross_section(by_knot: np.ndarray, knots_gev: np.ndarray) -> np.ndarray:
    """Return sigma ``(n_knots,)`` in 1/GeV, the average over each knot's hat; linear between knots it integrates to one."""
    by_knot = np.asarray(by_knot, float)
    return _shares("cross section", by_knot.sum(axis=1)) / hat_integrals(knots_gev)


def differential_cross_section(by_knot: np.ndarray, knots_gev: np.ndarray, grid: LeptonGrid) -> np.ndarray:
    """Return d2sigma / dE_l dcos(theta) ``(n_knots, n_bins)`` in GeV^-2, averages over cells.

    Its integral over all three variables is one (equation 26 of arXiv:2412.16303).
    """
    by_knot = np.asarray(by_knot, float)
    return _shares("cross section", by_knot) / (hat_integrals(knots_gev)[:, None] * bin_areas_gev(grid))


def cross_section_loss(truth_by_knot: np.ndarray, model_by_knot: np.ndarray, knots_gev: np.ndarray, grid: LeptonGrid) -> float:
    r"""Return :math:`\int dE_\nu\,dE_l\,dc\,(\hat\sigma-\hat{\tilde\sigma})^2` in GeV^-2 (equation 27 of arXiv:2412.16303).

    Both of :func:`differential_cross_section`, the model as learned, without a clamp.  The integral is a sum over cells with
    the hat's integral as the weight in energy.
    """
    truth, model = (differential_cross_section(c, knots_gev, grid) for c in (truth_by_knot, model_by_knot))
    return float(hat_integrals(knots_gev) @ (model - truth) ** 2 @ bin_areas_gev(grid))


def differential_slices(
    by_knot: np.ndarray, knots_gev: np.ndarray, grid: LeptonGrid, enu_gev: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the knots ``(n,)`` nearest to ``enu_gev`` ``(n,)`` and :func:`differential_cross_section` ``(n, n_u, n_v)`` there.

    nan where there are no counts at all: no neutrino of the hat's energies reaches the bin.
    """
    knots = np.asarray(knots_gev, float)
    nearest = np.abs(knots - np.asarray(enu_gev, float)[:, None]).argmin(axis=1)
    slices = differential_cross_section(by_knot, knots, grid)[nearest]
    return knots[nearest], np.where(slices == 0, np.nan, slices).reshape(-1, *grid.shape)


def compare(
    truth_by_knot: np.ndarray,
    model_by_knot: np.ndarray,
    flux_near: np.ndarray,
    flux_far: np.ndarray,
    knots_gev: np.ndarray,
    grid: LeptonGrid,
) -> dict[str, dict[str, float] | float]:
    """Return every number of a comparison; fluxes ``(n_knots,)``, their normalisation does not matter.

    ``near``, ``far``: ``rel_l2`` and ``kl`` of the densities in (u, v), ``rel_l2_3d`` and ``kl_3d`` of those in (E_nu, u, v),
    and the ``negative_share`` of the model's and, ``negative_share_true``, of the truth's events.  The far detector is
    predicted with cross sections clamped at zero cell by cell, as in arXiv:2412.16303; the near detector is what was learned
    from and stays as it is.
    ``test_loss``: :func:`cross_section_loss`.
    ``total``: relative deviation of :func:`total_cross_section`: ``rms`` over the energies of near-detector events and the
    ``worst``, at ``worst_at_gev``, where they are more than :data:`EVENTS_FLOOR` of the highest rate.

    Raises InputError for arrays whose shapes do not fit, that are not finite, or cross sections that are not positive.
    """
    knots = np.asarray(knots_gev, float)
    truth = _finite("truth", truth_by_knot, (knots.size, grid.n_bins))
    model = _finite("model", model_by_knot, (knots.size, grid.n_bins))
    near, far = (_finite(f"{n} flux", f, knots.shape) for n, f in (("near", flux_near), ("far", flux_far)))
    return {
        "near": _detector(truth, model, near, knots, clamp=False),
        "far": _detector(truth, model, far, knots, clamp=True),
        "test_loss": cross_section_loss(truth, model, knots, grid),
        "total": _total(truth, model, near, knots),
    }


def _detector(truth: np.ndarray, model: np.ndarray, flux: np.ndarray, knots: np.ndarray, clamp: bool) -> dict[str, float]:
    cells = [flux[:, None] * c for c in (truth, model)]
    negative = [negative_share(c) for c in cells]
    if clamp:
        cells = [np.maximum(c, 0.0) for c in cells]
    true, learned = (_shares(name, c) for name, c in zip(("truth", "model"), cells, strict=True))
    return {
        "rel_l2": relative_l2(learned.sum(axis=0), true.sum(axis=0)),
        "kl": kl_divergence(true.sum(axis=0), learned.sum(axis=0)),
        "rel_l2_3d": relative_l2(learned, true, hat_integrals(knots)[:, None]),
        "kl_3d": kl_divergence(true, learned),
        "negative_share": negative[1],
        "negative_share_true": negative[0],
    }


def _total(truth: np.ndarray, model: np.ndarray, flux: np.ndarray, knots: np.ndarray) -> dict[str, float]:
    true, learned = total_cross_section(truth, knots), total_cross_section(model, knots)
    rate = flux * true
    seen = rate > 0
    deviation = learned[seen] / true[seen] - 1.0
    events = (rate * hat_integrals(knots))[seen]
    judged = np.where(rate[seen] > EVENTS_FLOOR * rate.max(), np.abs(deviation), 0.0)
    return {
        "rms": float(np.sqrt(np.average(deviation**2, weights=events))),
        "worst": float(judged.max()),
        "worst_at_gev": float(knots[seen][judged.argmax()]),
    }


def _shares(name: str, counts: np.ndarray) -> np.ndarray:
    total = float(counts.sum())
    if not np.isfinite(total) or total <= 0:
        raise InputError(f"comparison: the counts of the {name} sum to {total:g}; give a positive cross section, fix its sign")
    return counts / total


def _alike(model: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    model, truth = np.asarray(model, float), np.asarray(truth, float)
    if model.shape != truth.shape:
        raise InputError(f"comparison: the model's shape is {model.shape}, the truth's {truth.shape}; give the same cells")
    return model, truth


def _finite(name: str, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    values = np.asarray(values, float)
    if values.shape != shape:
        raise InputError(f"comparison: the shape of the {name} is {values.shape}; the knots and the grid ask for {shape}")
    if not np.all(np.isfinite(values)):
        raise InputError(f"comparison: the {name} has values that are not finite; did the fit fail?")
    return values

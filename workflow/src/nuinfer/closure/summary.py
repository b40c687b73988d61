"""Everything that is said about one learned cross section: numbers for people, arrays for figures."""

from typing import Any

import numpy as np
from scipy.special import ndtri

from nuinfer.closure.comparison import (
    compare,
    cross_section_loss,
    differential_slices,
    kl_divergence,
    relative_l2,
    total_cross_section,
)
from nuinfer.closure.gaussian import Bands, share_bands
from nuinfer.closure.learned import Learned
from nuinfer.closure.marginals import default_axes, marginal_panels
from nuinfer.closure.near_data import shares
from nuinfer.closure.operator import ForwardOperator
from nuinfer.closure.truth import Truth
from nuinfer.closure.weighted_functions import weighted_structure_functions

FILLED = 1e-3
"""Bins below this share of the fullest one are left out where a coverage counts every bin alike."""
LEVELS = {"68": 0.6827, "95": 0.9545}


def comparison_numbers(
    truth: Truth, far_flux: np.ndarray, operator: ForwardOperator, learned: Learned, with_bands: bool = True
) -> dict[str, Any]:
    """Return the comparison of the members' mean, of every member, and what the fit says of itself (``fit``).

    ``with_bands``: also how a posterior's bands cover the far detector, which has no meaning for exact data.
    """

    def one(by_knot: np.ndarray) -> dict:
        return compare(truth.counts_by_knot, by_knot, truth.near_flux, far_flux, truth.knots_gev, truth.grid)

    numbers = {**one(learned.counts_by_knot(operator)), "fit": learned.facts}
    if learned.w is not None and len(learned.w) > 1:
        numbers["members"] = [one(learned.counts_by_knot(operator, i)) for i in range(len(learned.w))]
    if learned.factor is not None and with_bands:
        true = shares(far_flux @ truth.counts_by_knot)
        numbers["far_bands"], _ = band_coverage(true, share_bands(learned, operator.matrix(far_flux)))
    return numbers


def band_coverage(true: np.ndarray, bands: Bands) -> tuple[dict[str, float], np.ndarray]:
    """Return how bands cover the ``true`` shares ``(n_bins,)``, and each bin's distance in standard deviations ``(n_bins,)``.

    ``events_*`` are shares of events in bins whose true content lies inside the posterior's central band of that level,
    ``bins_*`` shares of the bins above :data:`FILLED` of the fullest; ``rel_sd`` is the bands' size,
    sqrt(sum sd^2 / sum share^2), ``rel_l2`` and ``kl`` what the mean deviates by.
    """
    distance = np.abs(bands.share - true) / np.where(bands.sd > 0, bands.sd, np.inf)
    filled = true > FILLED * true.max()
    found = {"rel_sd": float(np.sqrt((bands.sd**2).sum() / (true**2).sum()))}
    found |= {"rel_l2": relative_l2(bands.share, true), "kl": kl_divergence(true, np.maximum(bands.share, 0.0))}
    for name, level in LEVELS.items():
        inside = distance < ndtri(0.5 + 0.5 * level)
        found[f"events_{name}"] = float(true[inside].sum())
        found[f"bins_{name}"] = float(np.mean(inside[filled]))
    return found, distance


def coverage_summary(draws: dict[str, np.ndarray], share: np.ndarray) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return mean coverages over draws with their errors, and coverage against level ``(n_levels,)`` of both kinds.

    ``draws``: ``distance`` ``(n_draws, n_bins)`` of :func:`band_coverage`, and ``numbers/...`` ``(n_draws,)``.  Errors are
    standard errors over draws: bins of one draw fluctuate together.
    """
    n = len(draws["distance"])
    true = shares(share)
    filled = true > FILLED * true.max()
    levels = np.array([*np.arange(0.1, 0.95, 0.1), LEVELS["68"], LEVELS["95"]])
    levels.sort()
    inside = draws["distance"][:, None, :] < ndtri(0.5 + 0.5 * levels)[:, None]
    curves = {"levels": levels}
    for name, each in (("events", inside @ true), ("bins", inside[..., filled].mean(axis=-1))):
        curves[f"{name}_coverage"] = each.mean(axis=0)
        curves[f"{name}_error"] = each.std(axis=0, ddof=min(1, n - 1)) / np.sqrt(n)
    numbers: dict[str, Any] = {"draws": n}
    for key, values in draws.items():
        if key.startswith("numbers/"):
            error = values.std(ddof=min(1, n - 1)) / np.sqrt(n)
            numbers[key.removeprefix("numbers/")] = {"mean": values.mean(), "error": error, "highest": values.max()}
    return numbers, curves


def comparison_arrays(
    truth: Truth, far_flux: np.ndarray, operator: ForwardOperator, learned: Learned, enu_gev: list[float]
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return arrays by name, and their units: densities per unit (u, v), marginals, slices, totals, functions, losses."""
    grid, knots = truth.grid, truth.knots_gev
    by_knot = learned.counts_by_knot(operator)
    arrays: dict[str, np.ndarray] = {}
    units = {"slices/enu_gev": "GeV", "total/enu_gev": "GeV", "mesh/q2_gev2": "GeV^2"}
    for name, flux in (("near", truth.near_flux), ("far", far_flux)):
        for whose, counts in (("true", truth.counts_by_knot), ("model", by_knot)):
            density = shares(flux @ counts) / grid.bin_area
            arrays[f"density/{name}_{whose}"] = density.reshape(grid.shape)
    for i, panel in enumerate(
        marginal_panels(
            truth.counts_by_knot, by_knot, truth.near_flux, far_flux, knots, grid, truth.mass_gev,
            default_axes(knots, grid, truth.mass_gev),
        )
    ):  # fmt: skip
        for key, value in panel.items():
            arrays[f"marginals/{i}/{key}"] = np.asarray(value)
    at, arrays["slices/true"] = differential_slices(truth.counts_by_knot, knots, grid, np.asarray(enu_gev, float))
    arrays["slices/enu_gev"], (_, arrays["slices/model"]) = at, differential_slices(by_knot, knots, grid, at)
    arrays["total/enu_gev"], arrays["total/near_flux"] = knots, truth.near_flux
    arrays["total/true"], arrays["total/model"] = (total_cross_section(c, knots) for c in (truth.counts_by_knot, by_knot))
    if learned.w is not None:
        arrays |= _functions(truth, operator, learned)
    if "snapshot_w" in learned.curves:
        arrays["loss/test_step"] = learned.curves["snapshot_step"]
        arrays["loss/test"] = _test_losses(truth, operator, learned.curves["snapshot_w"][0])
    if "train_loss" in learned.curves:
        losses = learned.curves["train_loss"]
        arrays["loss/step"], arrays["loss/train"] = learned.curves["step"], losses[0]
        arrays["loss/best_step"] = np.ravel(learned.facts["best_step"])[0]
    return arrays, units


def _test_losses(truth: Truth, operator: ForwardOperator, snapshots: np.ndarray) -> np.ndarray:
    losses = []
    for w in snapshots:
        by_knot = operator.counts_by_knot(w.astype(float))
        # Early in a training the sign may still be the other one; the normalised cross section does not know it.
        by_knot *= np.sign(by_knot.sum())
        losses.append(cross_section_loss(truth.counts_by_knot, by_knot, truth.knots_gev, truth.grid))
    return np.array(losses)


def _functions(truth: Truth, operator: ForwardOperator, learned: Learned) -> dict[str, np.ndarray]:
    """Return structure functions ``(3, n_x, n_q2)``, true and learned (of one scale), and weighted by the events they bring."""
    mesh = operator.mesh
    matrix = operator.matrix(truth.near_flux)

    def scaled(w: np.ndarray) -> np.ndarray:
        return w / (matrix @ w.T.ravel()).sum()

    found = {"mesh/x": mesh.x, "mesh/q2_gev2": mesh.q2_gev2}
    true, model = scaled(truth.w), scaled(learned.w.mean(axis=0))
    # The truth's scale, which the data do not know, is given to both.
    scale = np.abs(truth.w).max() / np.abs(true).max()
    for name, w in (("true", true), ("model", model)):
        weighted = weighted_structure_functions(operator, truth.near_flux, w)
        found[f"functions/weighted_{name}"] = weighted
        found[f"functions/{name}"] = np.where(np.isfinite(weighted), scale * w.reshape(3, *mesh.shape), np.nan)
    return found

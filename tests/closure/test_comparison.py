"""Comparisons with the truth: each number against a loop or a closed form, and what each can and cannot see."""

import json
import math

import numpy as np
import pytest

from nuinfer.closure.comparison import (
    bin_areas_gev,
    compare,
    cross_section_loss,
    differential_cross_section,
    differential_slices,
    hat_integrals,
    kl_divergence,
    negative_share,
    relative_l2,
    total_cross_section,
)
from nuinfer.closure.observables import LeptonGrid
from nuinfer.closure.truth import direct_counts
from nuinfer.errors import InputError
from nuinfer.oscillation.nufast import NUFIT60_NO_WITH_SK, numu_survival
from nuinfer.physics.cross_section import d2sigma_from_combinations
from nuinfer.physics.kinematics import bjorken_x, q2_gev2


@pytest.fixture
def far_flux(problem) -> np.ndarray:
    return problem.flux * numu_survival(NUFIT60_NO_WITH_SK, problem.knots_gev)


@pytest.fixture
def compared(problem, far_flux):
    def run(model: np.ndarray, truth: np.ndarray | None = None) -> dict:
        truth = problem.truth if truth is None else truth
        return compare(truth, model, problem.flux, far_flux, problem.knots_gev, problem.grid)

    return run


def gaussian(x: np.ndarray, mean: float, sd: float) -> np.ndarray:
    return np.exp(-0.5 * ((x - mean) / sd) ** 2) / sd


def gaussian_kl(mean: float, sd: float) -> float:
    """KL of a standard normal from one of ``mean`` and ``sd``."""
    return math.log(sd) + (1 + mean**2) / (2 * sd**2) - 0.5


def test_relative_l2_is_the_loop_and_of_densities_with_volumes(rng):
    truth, model, volume = rng.uniform(0.5, 1.5, (3, 4, 5))
    up = sum((m - t) ** 2 / v for m, t, v in zip(model.flat, truth.flat, volume.flat, strict=True))
    down = sum(t**2 / v for t, v in zip(truth.flat, volume.flat, strict=True))
    assert relative_l2(model, truth, volume) == pytest.approx(math.sqrt(up / down), rel=1e-14)
    # Cells of one density, one split into two halves, must give what the whole cell gives.
    halves = [np.array([0.3, 0.35, 0.35]), np.array([0.8, 0.1, 0.1])]
    whole = [np.array([0.3, 0.7]), np.array([0.8, 0.2])]
    assert relative_l2(*halves, np.array([1.0, 0.5, 0.5])) == pytest.approx(relative_l2(*whole), rel=1e-14)
    assert relative_l2(*halves) != pytest.approx(relative_l2(*whole), rel=0.01)


def test_kl_of_gaussians_is_the_closed_form():
    x = np.linspace(-10, 10, 801)
    one, other = gaussian(x, 0, 1), gaussian(x, 0.3, 1.2)
    assert kl_divergence(one, other) == pytest.approx(gaussian_kl(0.3, 1.2), abs=1e-9)
    assert kl_divergence(other, one) != pytest.approx(gaussian_kl(0.3, 1.2), rel=0.01)
    # Independent variables add up; normalisation does not matter.
    x = x[::8]
    axes = [(gaussian(x, 0, 1), gaussian(x, m, s)) for m, s in ((0.3, 1.2), (-0.5, 0.9), (0.0, 1.1))]
    truth, model = (np.einsum("i,j,k->ijk", *(a[i] for a in axes)) for i in (0, 1))
    expected = gaussian_kl(0.3, 1.2) + gaussian_kl(-0.5, 0.9) + gaussian_kl(0.0, 1.1)
    assert kl_divergence(truth, 7 * model) == pytest.approx(expected, abs=1e-6)


def test_kl_with_empty_cells():
    # Where the truth has nothing the model costs its share only; where the model has nothing it counts as 1e-12.
    assert kl_divergence([1.0, 1.0, 0.0], [1.0, 1.0, 2.0]) == pytest.approx(math.log(2))
    assert kl_divergence([0.5, 0.5], [1.0, 0.0]) == pytest.approx(0.5 * math.log(0.5) + 0.5 * math.log(0.5e12), rel=1e-10)
    assert kl_divergence([0.5, 0.5], [1.0, -3.0]) == kl_divergence([0.5, 0.5], [1.0, 0.0])


def test_negative_share():
    assert negative_share(np.array([3.0, -1.0])) == 0.25
    assert negative_share(np.ones(3)) == negative_share(np.zeros(3)) == 0.0


def test_the_truth_compared_with_itself_is_zero(problem, compared):
    result = compared(problem.truth)
    json.dumps(result)
    for detector in ("near", "far"):
        values = result[detector]
        assert values["rel_l2"] == values["rel_l2_3d"] == values["negative_share"] == 0.0
        assert abs(values["kl"]) < 1e-10 and abs(values["kl_3d"]) < 1e-10
    assert result["test_loss"] == result["total"]["rms"] == result["total"]["worst"] == 0.0


def test_the_scale_and_the_flux_s_normalisation_do_not_matter(problem, far_flux, compared):
    model = problem.truth * np.linspace(1.0, 1.5, problem.knots_gev.size)[:, None]
    once = compared(model)
    again = compare(problem.truth, 1e-3 * model, 5 * problem.flux, 3 * far_flux, problem.knots_gev, problem.grid)
    for detector in ("near", "far", "total"):
        assert again[detector] == pytest.approx(once[detector], rel=1e-9)
    assert again["test_loss"] == pytest.approx(once["test_loss"], rel=1e-9) and once["test_loss"] > 0


def test_every_number_of_a_detector_against_loops(problem, far_flux, compared, rng):
    model = problem.truth * rng.uniform(0.8, 1.2, problem.truth.shape)
    found = compared(model)
    knots, h = problem.knots_gev, hat_integrals(problem.knots_gev)
    for name, flux in (("near", problem.flux), ("far", far_flux)):
        densities = {}
        for key, by_knot in (("t", problem.truth), ("m", model)):
            total = sum(f * c.sum() for f, c in zip(flux, by_knot, strict=True))
            densities[key] = [[flux[k] * c / total / h[k] for c in by_knot[k]] for k in range(knots.size)]
        pairs = [(t, m, h[k]) for k in range(knots.size) for t, m in zip(densities["t"][k], densities["m"][k], strict=True)]
        l2 = math.sqrt(sum((m - t) ** 2 * v for t, m, v in pairs) / sum(t**2 * v for t, _, v in pairs))
        kl = sum(v * t * math.log(t / m) for t, m, v in pairs if t > 0)
        assert found[name]["rel_l2_3d"] == pytest.approx(l2, rel=1e-10)
        assert found[name]["kl_3d"] == pytest.approx(kl, rel=1e-6)
        flat = {key: [sum(d[k][b] * h[k] for k in range(knots.size)) for b in range(64)] for key, d in densities.items()}
        pairs = list(zip(flat["t"], flat["m"], strict=True))
        l2 = math.sqrt(sum((m - t) ** 2 for t, m in pairs) / sum(t**2 for t, _ in pairs))
        assert found[name]["rel_l2"] == pytest.approx(l2, rel=1e-10)
        assert found[name]["kl"] == pytest.approx(sum(t * math.log(t / m) for t, m in pairs if t > 0), rel=1e-6)


def test_negative_cells_are_clamped_at_the_far_detector_alone(problem, compared):
    model = problem.truth.copy()
    model[5, model[5].argmax()] *= -0.5
    clamped = np.maximum(model, 0.0)
    found, mended = compared(model), compared(clamped)
    assert found["far"]["negative_share"] > 0.001 and mended["far"]["negative_share"] == 0.0
    for key in ("rel_l2", "kl", "rel_l2_3d", "kl_3d"):
        assert found["far"][key] == mended["far"][key]
    assert found["near"]["rel_l2"] > 1.01 * mended["near"]["rel_l2"]
    assert compared(problem.truth, truth=model)["near"]["negative_share_true"] > 0.001


def test_test_loss_against_a_loop(problem, rng):
    model = problem.truth * rng.uniform(0.8, 1.2, problem.truth.shape)
    knots, grid = problem.knots_gev, problem.grid
    loss = 0.0
    for k in range(knots.size):
        low, high = knots[max(k - 1, 0)], knots[min(k + 1, knots.size - 1)]
        width = 0.5 * (high - low)
        for i in range(grid.n_u):
            for j in range(grid.n_v):
                el = grid.el_gev(np.array([i, i + 1]) / grid.n_u)
                cos = grid.cos_theta(np.array([j, j + 1]) / grid.n_v)
                area, cell = (el[1] - el[0]) * (cos[0] - cos[1]), i * grid.n_v + j
                values = [c[k, cell] / c.sum() / (width * area) for c in (problem.truth, model)]
                loss += (values[0] - values[1]) ** 2 * width * area
    assert cross_section_loss(problem.truth, model, knots, grid) == pytest.approx(loss, rel=1e-12)


def test_integrals_are_one(problem):
    knots, grid = problem.knots_gev, problem.grid
    total = total_cross_section(problem.truth, knots)
    assert np.trapezoid(total, knots) == pytest.approx(1.0, rel=1e-12)
    differential = differential_cross_section(problem.truth, knots, grid)
    assert differential @ bin_areas_gev(grid) == pytest.approx(total, rel=1e-12)
    assert hat_integrals(knots).sum() == pytest.approx(knots[-1] - knots[0])
    # Areas of the bins against the sums of the quadrature's weights.
    points = grid.points(4)
    assert np.bincount(points.bins, points.weight) == pytest.approx(bin_areas_gev(grid), rel=1e-7)


def test_slices_have_the_shape_of_the_cross_section(toy, problem):
    """In cells well inside the phase space the average is the value at the centre, up to their size."""
    grid, knots = LeptonGrid(48, 48, 3.0), np.array([2.45, 2.5, 2.55])
    used, slices = differential_slices(direct_counts(toy(), grid, knots, problem.mass_gev), knots, grid, [2.51])
    assert used == [2.5] and slices.shape == (1, 48, 48)
    cells = [(36, 8), (30, 10), (25, 15), (20, 12)]
    u, v = (np.array([c[a] for c in cells]) + 0.5 for a in (0, 1))
    el, cos = grid.el_gev(u / 48), grid.cos_theta(v / 48)
    x, q2 = bjorken_x(2.5, el, cos, problem.mass_gev), q2_gev2(2.5, el, cos)
    direct = d2sigma_from_combinations(toy()(x, q2), 2.5, el, cos, problem.mass_gev)
    found = np.array([slices[0][c] for c in cells])
    assert found / found[0] == pytest.approx(direct / direct[0], rel=0.01)
    # A lepton of nearly the highest energy at a wide angle cannot be made.
    assert np.isnan(slices[0, 47, 47]) and np.isfinite(slices[0, 10, 10])


def test_slices_take_the_nearest_knots(problem):
    used, slices = differential_slices(problem.truth, problem.knots_gev, problem.grid, np.array([0.3, 2.3, 99.0]))
    assert used == pytest.approx([0.25, 2.4, 6.0])
    expected = problem.truth[-1].reshape(8, 8) / problem.truth.sum() / hat_integrals(problem.knots_gev)[-1]
    assert np.nan_to_num(slices[2]) == pytest.approx(expected / bin_areas_gev(problem.grid).reshape(8, 8))


def test_total_against_a_loop(problem, compared):
    model = problem.truth * np.where(np.isclose(problem.knots_gev, 3.0), 1.2, 1.0)[:, None]
    found = compared(model)["total"]
    knots, h = problem.knots_gev, hat_integrals(problem.knots_gev)
    sigma = [c.sum(axis=1) / h / c.sum() for c in (problem.truth, model)]
    deviations, events = [], []
    for k in range(knots.size):
        if sigma[0][k] > 0:
            deviations.append(sigma[1][k] / sigma[0][k] - 1)
            events.append(problem.flux[k] * sigma[0][k] * h[k])
    mean = sum(e * d**2 for e, d in zip(events, deviations, strict=True)) / sum(events)
    assert found["rms"] == pytest.approx(math.sqrt(mean), rel=1e-12)
    assert found["worst_at_gev"] == pytest.approx(3.0)
    assert found["worst"] == pytest.approx(max(abs(d) for d in deviations), rel=1e-12)


def test_energies_without_events_do_not_decide_the_worst_total(problem, compared):
    model = problem.truth.copy()
    seen = np.flatnonzero(problem.truth.sum(axis=1) > 0)[0]
    rate = problem.flux * total_cross_section(problem.truth, problem.knots_gev)
    assert rate[seen] < 1e-3 * rate.max()
    model[seen] *= 3.0
    assert compared(model)["total"]["worst"] < 0.01


def test_an_error_at_one_energy_is_seen_at_the_far_detector_alone(problem, compared):
    """Events moved from one energy to another in every bin leave the near detector as it is."""
    low, high = (int(np.argmin(np.abs(problem.knots_gev - e))) for e in (2.4, 4.0))
    near = problem.flux[:, None] * problem.truth
    moved = 0.5 * np.minimum(near[low], near[high])
    model = problem.truth.copy()
    model[low] -= moved / problem.flux[low]
    model[high] += moved / problem.flux[high]
    found = compared(model)
    assert found["near"]["rel_l2"] < 1e-12 and abs(found["near"]["kl"]) < 1e-10
    assert found["far"]["rel_l2"] > 0.02 and found["far"]["kl"] > 1e-4
    # In three dimensions it shows at both, and so it does in the cross section itself.
    assert min(found[d]["kl_3d"] for d in ("near", "far")) > 1e-3
    assert found["test_loss"] > 0 and found["total"]["worst"] > 0.02


def test_bad_input_is_named(problem, far_flux, compared):
    knots, grid, truth = problem.knots_gev, problem.grid, problem.truth
    with pytest.raises(InputError, match=r"shape of the model is \(11, 64\)"):
        compared(truth[1:])
    with pytest.raises(InputError, match="far flux"):
        compare(truth, truth, problem.flux, far_flux[1:], knots, grid)
    with pytest.raises(InputError, match="model has values that are not finite"):
        compared(np.where(truth > 0, np.nan, truth))
    with pytest.raises(InputError, match="fix its sign"):
        compared(-truth)
    with pytest.raises(InputError, match="truth is zero everywhere"):
        relative_l2(np.ones(3), np.zeros(3))
    with pytest.raises(InputError, match="give the same cells"):
        kl_divergence(np.ones(3), np.ones(4))
    with pytest.raises(InputError, match="must increase"):
        hat_integrals(np.array([1.0, 1.0]))

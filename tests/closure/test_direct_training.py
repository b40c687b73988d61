"""The published way of a training step against the operator: density, gradient, loss; pieces against all at once."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from nuinfer.closure import direct_training
from nuinfer.closure.direct_training import direct_problem, direct_step_seconds, train_direct
from nuinfer.closure.experiment import Experiment
from nuinfer.closure.mlp import initial_layers, outputs_of
from nuinfer.closure.near_data import NearData, near_data, shares
from nuinfer.closure.observables import LeptonGrid
from nuinfer.closure.operator import build_operator
from nuinfer.closure.settings import MlpSettings
from nuinfer.closure.smearing import smearing_matrix
from nuinfer.closure.truth import direct_counts
from nuinfer.errors import InputError
from nuinfer.physics.kinematics import ARGON40

SMALL = MlpSettings(steps=30, width=8, depth=2)
PUBLISHED_SMALL = MlpSettings(steps=30, width=8, depth=2, rate=1e-3, schedule="constant", beta2=0.999, envelope="none")


@pytest.fixture(scope="module")
def experiment(problem):
    return Experiment(problem.grid, problem.knots_gev, problem.flux, ARGON40, False)


@pytest.fixture(scope="module")
def data(problem) -> NearData:
    return near_data(problem.flux @ problem.truth, None, problem.grid.shape, None)


def merged_density(experiment: Experiment, functions, n: int, n_enu: int) -> np.ndarray:
    """Shares in 8 x 8 bins of given functions, from n x n cells and ``n_enu`` energies."""
    fine = replace(experiment, grid=LeptonGrid(n, n, experiment.grid.el_max_gev))
    flat = NearData(np.full(n * n, 1.0 / n**2), None)
    direct = direct_problem(fine, flat, SMALL, n_enu)
    outputs = functions(direct.x, direct.q2_gev2) / direct.scale(direct.x, direct.q2_gev2)
    density = direct.density(torch.tensor(outputs.T, dtype=torch.float32)).numpy()
    assert density.mean() == pytest.approx(1.0, rel=1e-5)
    return shares(density.reshape(8, n // 8, 8, n // 8).sum(axis=(1, 3)).ravel())


@pytest.fixture(scope="module")
def fine_truth(problem, toy) -> np.ndarray:
    """Shares in 8 x 8 bins, integrated on 64 x 64: two points an axis in a coarse bin are not enough to judge midpoints by."""
    counts = problem.flux @ direct_counts(
        toy(), LeptonGrid(64, 64, problem.grid.el_max_gev), problem.knots_gev, problem.mass_gev
    )
    return shares(counts.reshape(8, 8, 8, 8).sum(axis=(1, 3)).ravel())


def test_density_tends_to_the_quadratures(experiment, fine_truth, toy):
    """Midpoints are of second order: halved cells, a quarter of the error."""
    distances = [
        np.linalg.norm(merged_density(experiment, toy(), n, n_enu) - fine_truth) / np.linalg.norm(fine_truth)
        for n, n_enu in ((16, 48), (32, 96), (64, 192))
    ]
    assert distances[-1] < 0.003
    assert all(0.2 < fine / coarse < 0.3 for coarse, fine in pairwise(distances)), distances


def test_density_notices_the_sign_of_the_third(experiment, fine_truth, toy):
    """The negative control: another sign is farther from the truth than any midpoints' error above."""
    wrong = merged_density(replace(experiment, antineutrino=True), toy(), 32, 96)
    assert np.linalg.norm(wrong - fine_truth) > 0.1 * np.linalg.norm(fine_truth)


def test_a_density_by_hand(experiment, toy):
    """A loop over cells, one at a time."""
    from nuinfer.physics.cross_section import d2sigma_from_combinations
    from nuinfer.physics.kinematics import bjorken_x, q2_gev2

    grid, n_enu = experiment.grid, 6
    low, high = experiment.knots_gev[[0, -1]]
    counts = np.zeros(grid.n_bins)
    for i in range(n_enu):
        e = low + (i + 0.5) * (high - low) / n_enu
        for b in range(grid.n_bins):
            u, v = (b // grid.n_v + 0.5) / grid.n_u, (b % grid.n_v + 0.5) / grid.n_v
            el, cos = grid.el_gev(u), grid.cos_theta(v)
            x = bjorken_x(e, el, cos, experiment.mass_gev)
            if 0 < x <= 1:
                w = toy()(np.array([x]), np.array([q2_gev2(e, el, cos)]))[:, 0]
                sigma = d2sigma_from_combinations(w, e, el, cos, experiment.mass_gev)
                counts[b] += np.interp(e, experiment.knots_gev, experiment.near_flux) * sigma * grid.jacobian(u, v)
    direct = direct_problem(experiment, NearData(np.full(64, 1 / 64), None), SMALL, n_enu)
    outputs = toy()(direct.x, direct.q2_gev2) / direct.scale(direct.x, direct.q2_gev2)
    density = direct.density(torch.tensor(outputs.T, dtype=torch.float32)).numpy()
    np.testing.assert_allclose(density / 64, counts / counts.sum(), rtol=2e-5, atol=1e-8)


def test_loss_and_gradient_are_the_operators(problem, experiment, toy):
    """One network, its loss through cells and through the operator on the same 32 x 32 bins."""
    fine = replace(experiment, grid=LeptonGrid(32, 32, experiment.grid.el_max_gev))
    operator = build_operator(fine.grid, problem.mesh, problem.knots_gev, problem.mass_gev, points_per_axis=1)
    matrix = operator.matrix(problem.flux)
    x, q2 = problem.mesh.points
    data = NearData(shares(matrix @ toy()(x, q2).T.ravel()), None)
    direct = direct_problem(fine, data, SMALL, 192)
    layers = [layer.requires_grad_() for layer in initial_layers([2, 8, 8, 3], [5])]

    def gradient(loss: torch.Tensor) -> np.ndarray:
        return torch.cat([g.ravel() for g in torch.autograd.grad(loss, layers)]).numpy()

    loss = ((direct.density(outputs_of(layers, direct.inputs)[0]) - direct.target) ** 2).mean()
    inputs = torch.tensor((np.log([x, q2]).T - direct.mean) / direct.width, dtype=torch.float32)
    w = outputs_of(layers, inputs)[0] * torch.tensor(direct.scale(x, q2).T, dtype=torch.float32)
    counts = torch.tensor(matrix.toarray(), dtype=torch.float32) @ w.ravel()
    folded = ((counts * (len(counts) / counts.sum()) - direct.target) ** 2).mean()

    assert loss.item() == pytest.approx(folded.item(), rel=0.03)
    a, b = gradient(loss), gradient(folded)
    assert a @ b > 0.995 * np.linalg.norm(a) * np.linalg.norm(b)
    functions = direct.functions([layer.detach() for layer in layers], x, q2)
    np.testing.assert_allclose(functions, w.detach().numpy().T, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("settings", [SMALL, PUBLISHED_SMALL], ids=["one cycle", "published"])
def test_loss_falls_and_the_best_step_is_kept(experiment, data, settings):
    direct = direct_problem(experiment, data, settings, 24)
    trained = train_direct(direct, settings, seed=1)
    assert trained.loss.shape == trained.cpu_s.shape == (30,)
    assert trained.loss[-1] < (0.5 if settings is SMALL else 1.0) * trained.loss[0]
    kept = ((direct.density(outputs_of(trained.layers, direct.inputs)[0]) - direct.target) ** 2).mean()
    assert kept.item() == pytest.approx(trained.loss.min(), rel=1e-4)


def test_first_steps_are_those_of_the_whole_training(experiment, data):
    direct = direct_problem(experiment, data, SMALL, 24)
    whole, first = train_direct(direct, SMALL, seed=1), train_direct(direct, SMALL, seed=1, steps=4)
    np.testing.assert_array_equal(first.loss, whole.loss[:4])
    assert direct_step_seconds(direct, SMALL, 2).shape == (2,)


@pytest.mark.parametrize("largest_bytes", [0, 200 * 8 * 8 * 2, 2**30])
def test_pieces_change_nothing(experiment, data, monkeypatch, largest_bytes):
    direct = direct_problem(experiment, data, SMALL, 24)
    once = train_direct(direct, SMALL, seed=1, steps=5).loss
    assert len(direct.x) > 3 * 100
    monkeypatch.setattr(direct_training, "PIECE", 100)
    np.testing.assert_allclose(train_direct(direct, SMALL, 1, 5, largest_bytes).loss, once, rtol=1e-4)


def test_resolution_is_applied(experiment, data, toy):
    smearing = smearing_matrix(experiment.grid, 0.3)
    sharp, smeared = (direct_problem(experiment, data, SMALL, 24, s) for s in (None, smearing))
    outputs = torch.tensor((toy()(sharp.x, sharp.q2_gev2) / sharp.scale(sharp.x, sharp.q2_gev2)).T, dtype=torch.float32)
    expected = (smearing @ sharp.density(outputs).numpy().reshape(8, 8)).ravel()
    np.testing.assert_allclose(smeared.density(outputs).numpy(), expected, rtol=1e-4)


def test_bad_input_is_named(experiment, data):
    with pytest.raises(InputError, match="4 bins, the experiment has 64"):
        direct_problem(experiment, NearData(np.full(4, 0.25), None), SMALL)
    low = replace(experiment, knots_gev=np.array([0.01, 0.1]), near_flux=np.ones(2))
    with pytest.raises(InputError, match="none of 4 energies"):
        direct_problem(low, data, SMALL, 4)
    with pytest.raises(InputError, match="not finite at step"):
        direct = direct_problem(experiment, NearData(np.full(64, np.nan), None), SMALL, 4)
        train_direct(direct, SMALL, 1)

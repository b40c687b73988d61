"""The network learner: gradients, the loss at every quadrature node, seeds and members, starts that fail, and smearing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse

from nuinfer.closure import mlp
from nuinfer.closure.envelope import envelope
from nuinfer.closure.learned import Learned
from nuinfer.closure.mesh import Mesh
from nuinfer.closure.mlp import fit_mlp, initial_layers, outputs_of
from nuinfer.closure.near_data import NearProblem, near_data, shares
from nuinfer.closure.operator import build_operator
from nuinfer.closure.settings import MlpSettings
from nuinfer.closure.smearing import smearing_matrix
from nuinfer.closure.truth import direct_counts
from nuinfer.errors import InputError
from nuinfer.networks.threads import one_thread
from nuinfer.seeds import torch_seed

SMALL = MlpSettings(steps=400, width=24, depth=3, snapshots=5)
SHORT = replace(SMALL, steps=25)


def near_problem(problem, smearing=None, operator=None) -> NearProblem:
    data = near_data(problem.flux @ problem.truth, smearing, problem.grid.shape, None)
    return NearProblem(operator or problem.operator, problem.flux, smearing, data)


def near_shares(near: NearProblem, w: np.ndarray) -> np.ndarray:
    """Return the unsmeared near-detector shares ``(n_members, n_bins)`` of functions ``(n_members, 3, n_nodes)``."""
    return shares(np.stack([near.flux @ near.operator.counts_by_knot(one) for one in w]))


def losses_of(near: NearProblem, w: np.ndarray) -> np.ndarray:
    return ((near_shares(near, w) - near.data.share) ** 2).mean(axis=1) * near.operator.n_bins**2


@pytest.fixture
def unhurried(monkeypatch):
    """Starts that are far from good are taken, so that a few steps do for a test."""
    monkeypatch.setattr(mlp, "_failed", lambda *_: np.empty(0, int))


@pytest.fixture(scope="module")
def fit(problem) -> Learned:
    return fit_mlp(near_problem(problem), SMALL, 3, members=5)


# Gradients and the loss


def test_gradient_of_the_fold(rng):
    matrix = sparse.random(7, 9, 0.4, format="csr", random_state=rng)
    w = torch.tensor(rng.normal(size=(9, 2)), requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: mlp._Fold.apply(t, matrix), (w,))


def test_gradient_of_the_loss_against_differences(problem, rng):
    """In double precision and with a resolution: along random directions, all parts of a step at once."""
    near = near_problem(problem, smearing_matrix(problem.grid, 0.2))
    folded = mlp._folded(near, SMALL)
    folded = replace(
        folded, inputs=folded.inputs.double(), scale=folded.scale.double(), matrix=folded.matrix.astype(float),
        smearing=folded.smearing.double(), target=folded.target.double(),
    )  # fmt: skip
    layers = [layer.double().requires_grad_() for layer in initial_layers([2, 8, 3], [5, 6])]

    def loss(tensors: list[torch.Tensor]) -> torch.Tensor:
        return ((folded.densities(outputs_of(tensors, folded.inputs)) - folded.target) ** 2).mean(dim=0).sum()

    loss(layers).backward()
    for _ in range(3):
        along = [torch.tensor(rng.normal(size=tuple(layer.shape))) for layer in layers]
        ends = [float(loss([p.detach() + h * a for p, a in zip(layers, along, strict=True)])) for h in (1e-6, -1e-6)]
        slope = sum(float((p.grad * a).sum()) for p, a in zip(layers, along, strict=True))
        assert slope == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)


def test_first_loss_is_that_of_the_network_at_every_quadrature_node(problem, unhurried):
    """The slow twin evaluates the network itself there; a coarse mesh is the control."""
    near = near_problem(problem)
    folded = mlp._folded(near, SHORT)
    layers = initial_layers([2, 24, 24, 24, 3], [torch_seed(1, "mlp", 0, 0)])
    x, q2 = problem.mesh.points
    nodes = np.stack([np.log(x), np.log(q2)], axis=1)
    inputs = folded.inputs.numpy()
    slope, offset = np.stack([np.polyfit(nodes[:, i], inputs[:, i], 1) for i in range(2)], axis=1)
    size = (folded.scale.numpy() / envelope("callan_gross", x, q2, problem.mass_gev).T)[0]

    def network(x: np.ndarray, q2: np.ndarray) -> np.ndarray:
        at = slope * np.stack([np.log(x), np.log(q2)], axis=1) + offset
        out = outputs_of(layers, torch.tensor(at, dtype=torch.float32))[0].numpy()
        return envelope("callan_gross", x, q2, problem.mass_gev) * (out * size).T

    direct = problem.flux @ direct_counts(network, problem.grid, problem.knots_gev, problem.mass_gev)
    slow = np.mean((direct / direct.sum() - near.data.share) ** 2) * problem.grid.n_bins**2
    assert fit_mlp(near, SHORT, 1).curves["train_loss"][0, 0] == pytest.approx(slow, rel=2e-3)
    coarse = Mesh(np.geomspace(3e-3, 1.0, 5), np.geomspace(1e-3, 12.0, 5))
    operator = build_operator(problem.grid, coarse, problem.knots_gev, problem.mass_gev)
    rough = mlp._folded(near_problem(problem, operator=operator), SHORT)
    cx, cq = coarse.points
    at = torch.tensor(slope * np.stack([np.log(cx), np.log(cq)], axis=1) + offset, dtype=torch.float32)
    scale = torch.tensor((envelope("callan_gross", cx, cq, problem.mass_gev).T * size).astype(np.float32))
    with torch.no_grad():
        found = replace(rough, scale=scale).densities(outputs_of(layers, at))
    assert abs(float(((found - rough.target) ** 2).mean()) / slow - 1) > 2e-2


# What training returns


def test_learns_the_near_density_and_keeps_the_best_step(problem, fit):
    near = near_problem(problem)
    best = np.array(fit.facts["best_loss"])
    assert np.all(best < 1e-3 * fit.facts["target_mean_square"])
    assert np.array_equal(best, fit.curves["train_loss"].min(axis=1))
    assert fit.facts["best_step"] == (fit.curves["train_loss"].argmin(axis=1) + 1).tolist()
    np.testing.assert_allclose(losses_of(near, fit.w), best, rtol=1e-2)
    assert fit.facts["starts"] == [1] * 5 and fit.facts["noise"] == 0.0


def test_best_step_is_not_the_last_where_training_is_rough(problem, unhurried):
    near = near_problem(problem)
    fit = fit_mlp(near, replace(SMALL, steps=60, rate=0.08, schedule="constant"), 2)
    last = losses_of(near, fit.curves["snapshot_w"][:, -1].astype(float))
    assert fit.facts["best_step"][0] < 60
    assert losses_of(near, fit.w)[0] == pytest.approx(fit.facts["best_loss"][0], rel=1e-3)
    assert last[0] == pytest.approx(fit.curves["train_loss"][0, -1], rel=1e-3)
    assert last[0] > 1.01 * fit.facts["best_loss"][0]


def test_curves_and_tensors(problem, fit):
    assert fit.w.shape == (5, 3, problem.mesh.n_nodes)
    assert fit.curves["train_loss"].shape == (5, 400)
    steps = fit.curves["snapshot_step"]
    assert steps[0] == 1 and steps[-1] == 400 and np.all(np.diff(steps) > 0)
    assert fit.curves["snapshot_w"].shape == (5, steps.size, 3, problem.mesh.n_nodes)
    shapes = [(5, 2, 24), (5, 1, 24), (5, 24, 24), (5, 1, 24), (5, 24, 24), (5, 1, 24), (5, 24, 3), (5, 1, 3)]
    assert [t.shape for t in fit.tensors.values()] == shapes
    assert list(fit.tensors)[:2] == ["layer0.weight", "layer0.bias"]


def check_tensors(near: NearProblem, fit: Learned) -> None:
    """The networks' outputs are the returned functions, member by member, up to sign and scale."""
    folded = mlp._folded(near, SMALL)
    out = (outputs_of([torch.tensor(t) for t in fit.tensors.values()], folded.inputs) * folded.scale).numpy().swapaxes(1, 2)
    assert np.all(np.abs(out).max(axis=(1, 2)) > 0)
    scale = (fit.w * out).sum(axis=(1, 2)) / (out**2).sum(axis=(1, 2))
    assert np.sign(scale).tolist() == fit.facts["sign_before_fixing"]
    np.testing.assert_allclose(fit.w, scale[:, None, None] * out, rtol=1e-5, atol=1e-12)


def test_tensors_are_the_networks_of_the_returned_functions(problem, fit):
    check_tensors(near_problem(problem), fit)


def test_every_member_has_counts_that_sum_to_one(problem, fit):
    """Sign and scale are free in the density: both occurred, and none is left."""
    assert set(fit.facts["sign_before_fixing"]) == {-1, 1}
    matrix = near_problem(problem).matrix()
    for w, snapshot in zip(fit.w, fit.curves["snapshot_w"][:, -1], strict=True):
        assert (matrix @ w.T.ravel()).sum() == pytest.approx(1.0, rel=1e-9)
        assert (matrix @ snapshot.T.ravel()).sum() == pytest.approx(1.0, rel=0.05)


def test_same_seed_same_digits(problem, unhurried):
    first, again, other = (fit_mlp(near_problem(problem), SHORT, seed, members=2) for seed in (7, 7, 8))
    assert np.array_equal(first.w, again.w)
    assert np.array_equal(first.curves["train_loss"], again.curves["train_loss"])
    assert not np.allclose(first.w, other.w, rtol=1e-2)
    assert not np.allclose(first.w[0], first.w[1], rtol=1e-2)


def test_a_member_alone_is_the_member_among_others(problem, unhurried):
    three = fit_mlp(near_problem(problem), SHORT, 4, members=3)
    for members in (1, 2):
        fewer = fit_mlp(near_problem(problem), SHORT, 4, members=members)
        np.testing.assert_allclose(fewer.curves["train_loss"], three.curves["train_loss"][:members], rtol=1e-3)
        for mine, theirs in zip(fewer.w, three.w, strict=False):
            assert np.linalg.norm(mine - theirs) < 1e-3 * np.linalg.norm(theirs)


def test_first_layers_are_within_the_default_of_linear_layers():
    layers = initial_layers([2, 500, 3], [1, 2])
    for layer, n_in in zip(layers, (2, 2, 500, 500), strict=True):
        assert float(layer.abs().max()) <= n_in**-0.5
        assert not torch.equal(layer[0], layer[1])
    assert float(layers[0].abs().max()) > 0.98 * 2**-0.5
    assert abs(float(layers[2].mean())) < 0.05 * 500**-0.5


def test_schedules(problem, unhurried):
    """The cycle begins at a 25th of its peak, the constant rate is what it says."""

    def losses(schedule: str, rate: float) -> np.ndarray:
        settings = replace(SHORT, steps=3, schedule=schedule, rate=rate, snapshots=1)
        return fit_mlp(near_problem(problem), settings, 1).curves["train_loss"][0]

    cycle, slow, fast = losses("one_cycle", 0.05), losses("constant", 0.002), losses("constant", 0.05)
    assert np.array_equal(cycle[:2], slow[:2]) and cycle[2] != slow[2]
    assert cycle[0] == fast[0] and cycle[1] != fast[1]


def test_progress_is_reported(problem, unhurried):
    told = []
    fit_mlp(near_problem(problem), replace(SHORT, steps=4), 1, progress=lambda *what: told.append(what))
    assert [t[:2] for t in told] == [(i, 4) for i in (1, 2, 3, 4)]
    assert told[-1][2].startswith("steps, loss ")


# Starts that fail


def dead(monkeypatch, *seeds: int) -> None:
    """Networks of ``seeds`` begin with zero outputs, from which there is no gradient to learn by."""
    sound = initial_layers

    def start(widths: list[int], given: list[int]) -> list[torch.Tensor]:
        layers = sound(widths, given)
        for member, seed in enumerate(given):
            if seed in seeds:
                layers[-1][member] = layers[-2][member] = 0.0
        return layers

    monkeypatch.setattr(mlp, "initial_layers", start)


def test_a_failed_start_is_restarted_and_the_others_held(problem, fit, monkeypatch):
    near = near_problem(problem)
    dead(monkeypatch, torch_seed(3, "mlp", 1, 0))
    mended = fit_mlp(near, SMALL, 3, members=5)
    assert mended.facts["starts"] == [1, 2, 1, 1, 1]
    others = [0, 2, 3, 4]
    for name in ("train_loss", "snapshot_w"):
        assert np.array_equal(mended.curves[name][others], fit.curves[name][others])
    assert np.array_equal(mended.w[others], fit.w[others])
    assert all(np.array_equal(mended.tensors[k][others], fit.tensors[k][others]) for k in fit.tensors)
    assert not np.allclose(mended.w[1], fit.w[1], rtol=1e-3)
    assert mended.facts["best_loss"][1] < 1e-3 * mended.facts["target_mean_square"]
    assert losses_of(near, mended.w)[1] == pytest.approx(mended.facts["best_loss"][1], rel=1e-2)
    assert np.all(np.isfinite(mended.curves["train_loss"]))
    check_tensors(near, mended)


def drawn(problem, n_events: int) -> NearProblem:
    data = near_data(problem.flux @ problem.truth, None, problem.grid.shape, n_events, np.random.default_rng(5))
    return NearProblem(problem.operator, problem.flux, None, data)


def test_a_draw_of_one_network_is_restarted_on_its_own_data_and_flux(problem, monkeypatch):
    """Twin: a training from the start that did not fail, alone."""
    near, short = drawn(problem, 1_000_000), replace(SMALL, steps=150)
    share, flux = near.data.share.copy(), near.flux.copy()
    for failures in (1, mlp.RESTARTS):
        with monkeypatch.context() as patched:
            dead(patched, *(torch_seed(3, "mlp", 0, start) for start in range(failures)))
            found = fit_mlp(near, short, 3)
        assert found.facts["starts"] == [failures + 1]
        with one_thread():
            alone = mlp._train(mlp._folded(near, short), short, [torch_seed(3, "mlp", 0, failures)], None)
        assert np.array_equal(found.curves["train_loss"], alone["loss"])
        assert found.facts["best_loss"] == alone["best_loss"].tolist()
        check_tensors(near, found)
    assert np.array_equal(near.data.share, share) and np.array_equal(near.flux, flux)


def test_a_network_that_fails_every_time_is_named(problem, monkeypatch):
    near, short = near_problem(problem), replace(SMALL, steps=150)
    seeds = [torch_seed(3, "mlp", 2, start) for start in range(mlp.RESTARTS + 1)]
    with monkeypatch.context() as patched:
        dead(patched, *seeds[:-1])
        assert fit_mlp(near, short, 3, members=3).facts["starts"] == [1, 1, mlp.RESTARTS + 1]
    dead(monkeypatch, *seeds)
    with pytest.raises(InputError, match=r"mlp: member 2 did not converge from 4 starts .*take more steps or raise"):
        fit_mlp(near, short, 3, members=3)


def test_an_absurd_rate_is_named(problem):
    with pytest.raises(InputError, match="member 0 did not converge from 4 starts"):
        fit_mlp(near_problem(problem), replace(SHORT, rate=1e6), 3)


def test_the_noise_of_the_data_is_no_failure(problem):
    """Few events: no network can fit their scatter.  The same data taken for exact are the control."""
    near = drawn(problem, 1000)
    short = replace(SMALL, steps=100)
    found = fit_mlp(near, short, 3)
    noise, mean_square = found.facts["noise"], found.facts["target_mean_square"]
    assert found.facts["starts"] == [1] and noise == near.data.noise
    strict = replace(short, failed_above=0.1 * noise / mean_square)
    assert fit_mlp(near, strict, 3).facts["starts"] == [1]
    assert found.facts["best_loss"][0] > strict.failed_above * mean_square
    exact = replace(near, data=replace(near.data, n_events=None))
    with pytest.raises(InputError, match=r"did not converge from 4 starts .*of which 0 is the data's own noise"):
        fit_mlp(exact, strict, 3)


def test_what_counts_as_failed():
    settings = replace(SMALL, failed_above=0.05)

    def failed(losses: list[float], noise: float) -> list[int]:
        return mlp._failed(np.array(losses), noise, 2.0, settings).tolist()

    assert failed([0.11], 0.02) == [] and failed([0.11], 0.0) == [0] and failed([0.13], 0.02) == [0]
    assert failed([0.001, 0.001, 0.02], 0.0) == [2] and failed([0.001, 0.001, 0.009], 0.0) == []
    assert failed([np.inf], 0.0) == failed([np.nan], 0.0) == [0]
    # Differences between perfect fits are none.
    assert failed([1e-12, 1e-12, 1e-7], 0.0) == []


@pytest.mark.parametrize("share", [0.0, 1.5, -0.1])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(InputError, match="mlp: failed_above must lie between 0 and 1"):
        replace(SMALL, failed_above=share)


# Resolution


def test_smeared_data_give_the_density_before_smearing(problem):
    smearing = smearing_matrix(problem.grid, 0.3)
    near = near_problem(problem, smearing)
    true = shares(problem.flux @ problem.truth)

    def distance(found: np.ndarray) -> float:
        return float(np.linalg.norm(found - true) / np.linalg.norm(true))

    told = fit_mlp(near, SMALL, 1)
    untold = fit_mlp(replace(near, smearing=None), SMALL, 1)
    assert distance(near.data.share) > 0.1
    assert distance(near_shares(near, told.w)[0]) < 0.04
    assert distance(near_shares(near, untold.w)[0]) > 0.1

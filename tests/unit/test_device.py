"""The device of a training: chosen from what was granted, named wherever a tensor is made, and of no effect on CPU results.

No GPU is needed.  Torch's ``meta`` device stands in for one: its tensors have shapes and no values, and refuse to be mixed with
those of the CPU.
"""

import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import sparse
from toy import toy_per_event, toy_prior, toy_response

from nuinfer.closure import mlp
from nuinfer.closure.blackbox import fit_blackbox
from nuinfer.closure.device_fold import DeviceFold, DeviceMatrix, device_matrix
from nuinfer.closure.envelope import envelope
from nuinfer.closure.learn import learn, learners
from nuinfer.closure.mesh import Mesh
from nuinfer.closure.mlp import fit_mlp
from nuinfer.closure.near_data import NearProblem, near_data
from nuinfer.closure.observables import LeptonGrid
from nuinfer.closure.operator import build_operator
from nuinfer.closure.settings import BlackBoxSettings, MlpSettings
from nuinfer.closure.smearing import smearing_matrix
from nuinfer.device import chosen_device
from nuinfer.errors import InputError
from nuinfer.physics.kinematics import ARGON40
from nuinfer.steps import cli
from nuinfer.tuning.estimator import training
from nuinfer.tuning.estimator.data import TrainingData
from nuinfer.tuning.estimator.features import fit_features
from nuinfer.tuning.estimator.network import initial_network
from nuinfer.tuning.estimator.noise import torch_noise
from nuinfer.tuning.estimator.settings import estimator_settings
from nuinfer.tuning.estimator.tensors import read_tensors, tensor_hash, write_tensors
from nuinfer.tuning.likelihood import DiagonalLikelihood, FullLikelihood, NormShapeLikelihood, PoissonLikelihood

torch.set_num_threads(1)
SMALL = {"name": "ours", "epochs": 2, "batch_size": 128, "embedding": [16], "hidden": [8, 8], "transforms": 2, "components": 3}
MLP = MlpSettings(steps=20, width=12, depth=2, snapshots=3)
BLACKBOX = BlackBoxSettings(steps=(5, 5), merge=(2, 1), width=8, depth=2)


def data(kind="poisson", n=600) -> TrainingData:
    box, rng = toy_prior(), np.random.default_rng(0)
    u, held = rng.random((n, box.dim)), rng.random((100, box.dim))
    mu, mu_held = (toy_response().predict(box.from_unit(v), box.names) for v in (u, held))
    sigma = mu.std(axis=0)
    known = {
        "poisson": PoissonLikelihood(toy_per_event(1e6)),
        "diagonal": DiagonalLikelihood(sigma),
        "full": FullLikelihood(np.diag(sigma)),
        "norm_shape": NormShapeLikelihood(np.diag(sigma), 0.1),
    }
    return TrainingData(u, mu, held, mu_held, known[kind])


# What was granted, and what torch sees


def sees_a_gpu(monkeypatch, answer):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: answer)


@pytest.mark.parametrize("gpus", [1, 2])
def test_a_granted_gpu_is_used(monkeypatch, gpus):
    sees_a_gpu(monkeypatch, True)
    notes = []
    assert chosen_device(gpus, notes.append) == "cuda" and notes == []


def test_a_gpu_that_was_not_granted_is_left_to_others(monkeypatch):
    sees_a_gpu(monkeypatch, True)
    assert chosen_device(0) == "cpu"


def test_a_gpu_that_torch_does_not_see_is_said_once(monkeypatch):
    sees_a_gpu(monkeypatch, False)
    notes = []
    assert chosen_device(1, notes.append) == "cpu" and chosen_device(1) == "cpu"
    assert len(notes) == 1 and "1 GPU granted" in notes[0] and torch.__version__ in notes[0] and "\n" not in notes[0]


def test_a_negative_number_is_refused():
    with pytest.raises(InputError, match="gpus: a number from 0 is needed, not -1"):
        chosen_device(-1)


def test_no_gpu_no_torch():
    program = "import sys; from nuinfer.device import chosen_device; {}; print('torch' in sys.modules)"
    for call, imported in (("chosen_device(0)", "False"), ("chosen_device(1)", "True")):
        done = subprocess.run([sys.executable, "-c", program.format(call)], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == imported


def test_learners_that_may_use_one():
    assert {name for name, learner in learners().items() if not learner.network} == {"gaussian"}


# The command line


def test_whole_numbers_on_the_command_line(capsys):
    given = []

    def step(settings: dict, gpus: int = 0) -> None:
        given.append(gpus)

    cli.run(step, ["--settings", "{}"])
    cli.run(step, ["--settings", "{}", "--gpus", "2"])
    assert given == [0, 2]
    with pytest.raises(SystemExit):
        cli.run(step, ["--settings", "{}", "--gpus", "one"])
    assert "invalid int value" in capsys.readouterr().err
    cli.note("said")
    assert capsys.readouterr() == ("", "said\n")


# Every tensor of a loop is made on a device that is named: a default of ``meta`` changes nothing


@pytest.fixture
def unnamed_is_meta(monkeypatch):
    """Run the loop of :mod:`training` with ``meta`` for the device of tensors whose maker named none."""
    loop = training._loop

    def guarded(*arguments):
        with torch.device("meta"):
            return loop(*arguments)

    monkeypatch.setattr(training, "_loop", guarded)


@pytest.mark.parametrize(
    ("flow", "kind"), [("box", "poisson"), ("box", "norm_shape"), ("gaussian", "diagonal"), ("maf", "full"), ("nsf", "poisson")]
)
def test_the_estimators_loop_names_its_device(flow, kind, request, tmp_path):
    throws, settings = data(kind), estimator_settings({**SMALL, "flow": flow, "checkpoint_s": 0.0})
    free = training.train(throws, settings, 3)
    request.getfixturevalue("unnamed_is_meta")
    guarded = training.train(throws, settings, 3, tmp_path / "checkpoint", device=torch.device("cpu"))
    assert tensor_hash(guarded.network.state_dict()) == tensor_hash(free.network.state_dict())
    np.testing.assert_array_equal(guarded.curves["validation_loss"], free.curves["validation_loss"])


def test_off_model_pairs_name_their_device(request):
    throws, settings = data("norm_shape", 3000), estimator_settings({**SMALL, "epochs": 1})
    notes = []
    free = training.train(throws, settings, 3, progress=notes.append)
    assert not any("note" in n for n in notes), "there are pairs"
    request.getfixturevalue("unnamed_is_meta")
    assert tensor_hash(training.train(throws, settings, 3).network.state_dict()) == tensor_hash(free.network.state_dict())


def test_a_tensor_of_the_default_device_is_found(unnamed_is_meta, monkeypatch):
    """The negative control of the two tests above."""
    loss = training._batch_loss
    monkeypatch.setattr(training, "_batch_loss", lambda *arguments: loss(*arguments) + torch.zeros(1).sum())
    with pytest.raises((RuntimeError, NotImplementedError)):
        training.train(data(), estimator_settings(SMALL), 3)


# A stand-in for a GPU


@pytest.mark.parametrize("flow", ["box", "gaussian", "maf", "nsf"])
def test_a_training_step_on_another_device(flow):
    throws, settings = data(), estimator_settings({**SMALL, "flow": flow})
    features = fit_features(throws.u, throws.mu, throws.likelihood)
    network = initial_network(settings.network, features, 1).to("meta")
    generator = torch.Generator("cpu").manual_seed(1)
    u, mu = (torch.as_tensor(a[:64], dtype=torch.float32) for a in (throws.u, throws.mu))
    x = torch_noise(throws.likelihood).draw(mu, generator)
    pairs = torch.zeros(50, features.shape.n_feature), torch.zeros(50, throws.u.shape[1])
    loss = training._batch_loss(network, u.to("meta"), x.to("meta"), pairs, 16, generator)
    loss.backward()
    optimiser = torch.optim.AdamW(network.parameters())
    optimiser.step()
    assert loss.shape == () and all(p.grad.device.type == "meta" for p in network.parameters() if p.requires_grad)
    for left_behind in ((u, x.to("meta")), (u.to("meta"), x)):
        with pytest.raises(RuntimeError):
            training._batch_loss(network, *left_behind, None, 0, generator)


def test_sbis_loop_says_that_it_stays_on_the_cpu(monkeypatch):
    # Not the module itself: importing sbi takes seconds.
    stub = SimpleNamespace(train_baseline=lambda *_: "trained")
    monkeypatch.setitem(sys.modules, "nuinfer.tuning.estimator.baseline", stub)
    for device, said in (("cpu", 0), ("cuda", 1)):
        notes = []
        assert training.train(data(), estimator_settings("paper"), 1, progress=notes.append, device=device) == "trained"
        assert len(notes) == said


def test_written_tensors_are_values_of_the_cpu(tmp_path):
    held = {"a": torch.arange(3.0, requires_grad=True), "b": torch.ones(2, 3, dtype=torch.float64).T}
    write_tensors(tmp_path / "t", held, {})
    read, _ = read_tensors(tmp_path / "t")
    assert all(t.device.type == "cpu" and torch.equal(t, held[k].detach()) for k, t in read.items())


# The learners of the closure test


@pytest.fixture(scope="module")
def near() -> NearProblem:
    """Events of smooth functions on 8 x 8 bins, with an energy resolution."""
    knots = np.linspace(0.6, 6.0, 8)
    grid, flux = LeptonGrid(8, 8, knots[-1]), np.exp(-0.5 * ((knots - 2.5) / 0.8) ** 2) + 0.05
    mesh = Mesh(np.geomspace(3e-3, 1.0, 12), np.geomspace(1e-3, 12.0, 12))
    operator = build_operator(grid, mesh, knots, ARGON40.nucleon_mass_gev)
    smearing = smearing_matrix(grid, 0.05)
    counts = flux @ operator.counts_by_knot(envelope("target_mass", *mesh.points, operator.mass_gev))
    return NearProblem(operator, flux, smearing, near_data(np.abs(counts), smearing, grid.shape, None))


def test_the_fold_on_a_device_is_scipys(rng):
    matrix = sparse.random(7, 9, 0.4, format="csr", random_state=rng)
    on_device = device_matrix(matrix, "cpu")
    assert on_device.shape == matrix.shape
    w = torch.tensor(rng.normal(size=(9, 2)), requires_grad=True)
    np.testing.assert_allclose(DeviceFold.apply(w, on_device).detach(), matrix @ w.detach().numpy(), rtol=1e-13)
    assert torch.autograd.gradcheck(lambda t: DeviceFold.apply(t, on_device), (w,))
    wrong = DeviceMatrix(on_device.forward, device_matrix(2.0 * matrix, "cpu").transposed)
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(lambda t: DeviceFold.apply(t, wrong), (w,))


@pytest.fixture
def unhurried(monkeypatch):
    """Starts that are far from good are taken, so that a few steps do for a test."""
    monkeypatch.setattr(mlp, "_failed", lambda *_: np.empty(0, int))


def test_networks_of_the_mlp_learn_the_same_through_the_devices_fold(near, unhurried, monkeypatch):
    """The path that a GPU takes, on the CPU: scipy's product and torch's agree to the rounding of single precision."""
    usual, folded = fit_mlp(near, MLP, 3, members=2), mlp._folded
    monkeypatch.setattr(mlp, "_folded", lambda *a: replace(folded(*a), matrix=device_matrix(folded(*a).matrix, "cpu")))
    other = fit_mlp(near, MLP, 3, members=2, device="cpu")
    np.testing.assert_allclose(other.curves["train_loss"], usual.curves["train_loss"], rtol=1e-3)
    np.testing.assert_allclose(other.w, usual.w, rtol=0, atol=1e-3 * np.abs(usual.w).max())
    wrong = near.matrix().astype(np.float32) * 1.0
    wrong.data[::7] = 0.0
    monkeypatch.setattr(mlp, "_folded", lambda *a: replace(folded(*a), matrix=device_matrix(wrong, "cpu")))
    assert not np.allclose(fit_mlp(near, MLP, 3, members=2).curves["train_loss"], usual.curves["train_loss"], rtol=1e-3)


@pytest.fixture
def steps_on_the_cpu(monkeypatch):
    """Adam counts its steps in a tensor of the default device, whatever the parameters' own."""
    step = torch.optim.Adam.step

    def stepped(optimiser):
        with torch.device("cpu"):
            return step(optimiser)

    monkeypatch.setattr(torch.optim.Adam, "step", stepped)


@pytest.mark.parametrize(("fit", "settings"), [(fit_mlp, MLP), (fit_blackbox, BLACKBOX)])
def test_learners_name_their_device(near, unhurried, steps_on_the_cpu, fit, settings):
    free = fit(near, settings, 3)
    with torch.device("meta"):
        guarded = fit(near, settings, 3, device=torch.device("cpu"))
    assert guarded.tensors.keys() == free.tensors.keys()
    for name, tensor in free.tensors.items():
        np.testing.assert_array_equal(guarded.tensors[name], tensor)
    np.testing.assert_array_equal(guarded.curves["train_loss"], free.curves["train_loss"])


def test_a_learner_that_makes_a_tensor_of_the_default_device_is_found(near, unhurried, steps_on_the_cpu, monkeypatch):
    start = mlp.initial_layers
    monkeypatch.setattr(mlp, "initial_layers", lambda *a: [torch.ones(layer.shape) for layer in start(*a)])
    fit_mlp(near, MLP, 3)
    with torch.device("meta"), pytest.raises((RuntimeError, NotImplementedError)):
        fit_mlp(near, MLP, 3)


def test_the_device_reaches_the_learner_and_is_no_setting(near, monkeypatch):
    devices = []
    monkeypatch.setattr(mlp, "fit_mlp", lambda *a: devices.append(a[-1]))
    _, chosen = learn(near, {"name": "mlp"}, 1, device="cuda")
    _, usual = learn(near, {"name": "mlp"}, 1)
    assert devices == ["cuda", "cpu"] and chosen == usual and "device" not in chosen


# Where there is a GPU

on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here: training on one was not run")
GPU_TOLERANCE = {"rtol": 1e-2, "atol": 1e-2}
"""Same start, same batches, single precision: sums in another order, which a training amplifies from step to step."""


@on_a_gpu
@pytest.mark.parametrize("flow", ["box", "gaussian", "maf", "nsf"])
def test_a_gpu_trains_the_same_estimator(flow):
    throws, settings = data(), estimator_settings({**SMALL, "flow": flow})
    cpu, gpu = (training.train(throws, settings, 3, device=device) for device in ("cpu", "cuda"))
    assert all(t.device.type == "cpu" for t in gpu.network.state_dict().values())
    np.testing.assert_allclose(gpu.curves["validation_loss"], cpu.curves["validation_loss"], **GPU_TOLERANCE)


@on_a_gpu
@pytest.mark.parametrize("devices", [("cpu", "cuda"), ("cuda", "cpu")])
def test_a_training_moves_between_devices(devices, tmp_path):
    """Interrupted after its first epoch on the one device, it is finished on the other."""
    throws, settings = data(), estimator_settings({**SMALL, "checkpoint_s": 0.0})
    whole, path = training.train(throws, settings, 3), tmp_path / "checkpoint"

    def interrupted(last):
        if last["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.train(throws, settings, 3, path, interrupted, device=devices[0])
    resumed = training.train(throws, settings, 3, path, device=devices[1])
    np.testing.assert_allclose(resumed.curves["validation_loss"], whole.curves["validation_loss"], **GPU_TOLERANCE)


@on_a_gpu
@pytest.mark.parametrize(("fit", "settings"), [(fit_mlp, MLP), (fit_blackbox, BLACKBOX)])
def test_a_gpu_learns_the_same_cross_section(near, unhurried, fit, settings):
    cpu, gpu = (fit(near, settings, 3, device=device) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(gpu.curves["train_loss"], cpu.curves["train_loss"], **GPU_TOLERANCE)

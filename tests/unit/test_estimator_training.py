"""The loop: same seed, same model; a killed training resumed; models on disk; other trainings refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy import toy_per_event, toy_prior, toy_response

from nuinfer.errors import InputError
from nuinfer.tuning.estimator.data import TrainingData
from nuinfer.tuning.estimator.sampling import sample
from nuinfer.tuning.estimator.settings import estimator_settings
from nuinfer.tuning.estimator.store import load_model, save_model
from nuinfer.tuning.estimator.training import train
from nuinfer.tuning.likelihood import PoissonLikelihood

torch.set_num_threads(1)  # the networks are tiny: threads only wait for each other
SETTINGS = estimator_settings(
    {"name": "ours", "epochs": 3, "batch_size": 128, "embedding": [32, 32], "hidden": [16, 16], "checkpoint_s": 0.0}
)


def toy_data(n=600, likelihood=True):
    box = toy_prior()
    rng = np.random.default_rng(0)
    u, u_validation = rng.random((n, 4)), rng.random((100, 4))
    mu, mu_validation = (toy_response().predict(box.from_unit(v), box.names) for v in (u, u_validation))
    return TrainingData(u, mu, u_validation, mu_validation, PoissonLikelihood(toy_per_event(1e6)) if likelihood else None)


def same(a, b):
    return all(torch.equal(v, b.network.state_dict()[k]) for k, v in a.network.state_dict().items())


class KilledError(Exception):
    pass


def kill_after(epochs):
    def progress(record):
        if record["epoch"] == epochs:
            raise KilledError

    return progress


def test_same_seed_same_model_and_another_seed_another():
    first, again, other = (train(toy_data(), SETTINGS, seed) for seed in (1, 1, 2))
    assert same(first, again)
    assert not same(first, other)
    assert np.array_equal(first.curves["validation_loss"], again.curves["validation_loss"])


@pytest.mark.parametrize("flow", ["box", "maf"])
def test_killed_and_resumed_equals_uninterrupted(tmp_path, flow):
    settings = replace(SETTINGS, network=replace(SETTINGS.network, flow=flow, transforms=2))
    path = tmp_path / "checkpoint.safetensors"
    whole = train(toy_data(), settings, 1)
    with pytest.raises(KilledError):
        train(toy_data(), settings, 1, path, kill_after(2))
    steps = []
    resumed = train(toy_data(), settings, 1, path, lambda record: steps.append(record["epoch"]))
    assert steps == [2, 3]  # the checkpoint is that of the step before the kill, in mid epoch
    assert same(whole, resumed)
    assert np.array_equal(whole.curves["training_loss"], resumed.curves["training_loss"])
    # a finished training resumed is done at once
    assert same(whole, train(toy_data(), settings, 1, path, kill_after(3)))
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.safetensors"]


def test_checkpoint_of_another_training_is_refused_by_what_differs(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    train(toy_data(), SETTINGS, 1, path)
    with pytest.raises(InputError, match=r"differs in seed\)"):
        train(toy_data(), SETTINGS, 2, path)
    with pytest.raises(InputError, match=r"differs in data\)"):
        train(toy_data(500), SETTINGS, 1, path)
    notes = []
    again = train(toy_data(), SETTINGS, 2, path, notes.append, discard_stale=True)
    assert "differs in seed" in notes[0]["note"]
    assert same(again, train(toy_data(), SETTINGS, 2))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="not a readable tensor file"):
        train(toy_data(), SETTINGS, 1, path)


def test_how_often_checkpoints_are_written_changes_nothing(tmp_path):
    rare = replace(SETTINGS, training=replace(SETTINGS.training, checkpoint_s=1e9))
    path = tmp_path / "checkpoint.safetensors"
    assert same(train(toy_data(), SETTINGS, 1, path), train(toy_data(), rare, 1))
    assert same(train(toy_data(), rare, 1, path), train(toy_data(), rare, 1))


def test_loss_falls_and_throws_with_their_own_scatter_train_too():
    for data in (toy_data(), toy_data(likelihood=False)):
        trained = train(data, SETTINGS, 1)
        assert trained.curves["validation_loss"][-1] < trained.curves["validation_loss"][0]
        assert len(trained.curves["cpu_s"]) == 3


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("mu", np.nan, "training throws: row 7 is not finite"), ("u", 1.5, "row 7, parameter 0 lies outside its prior")],
)
def test_bad_throws_are_refused_by_row(field, value, message):
    data = toy_data()
    array = getattr(data, field).copy()
    array[7, 0] = value
    with pytest.raises(InputError, match=message):
        train(replace(data, **{field: array}), SETTINGS, 1)


@pytest.mark.parametrize("flow", ["box", "maf", "nflows_maf"])
def test_model_directory_gives_the_same_draws_to_the_last_digit(tmp_path, flow):
    network = replace(SETTINGS.network, flow=flow, transforms=2, activation="relu")
    settings = replace(SETTINGS, network=network, training=replace(SETTINGS.training, epochs=2))
    data = toy_data()
    trained = train(data, settings, 1)
    save_model(tmp_path / "model", trained, settings, toy_prior(), 1, {"note": "x"})
    save_model(tmp_path / "model", trained, settings, toy_prior(), 1, {"note": "y"})  # replaces
    stored = load_model(tmp_path / "model")
    assert stored.settings == settings
    assert stored.box == toy_prior()
    assert stored.record["extra"] == {"note": "y"}
    a, b = (sample(n, data.mu_validation[:3], 20, seed=5) for n in (trained.network, stored.network))
    assert np.array_equal(a.u, b.u) and np.array_equal(a.log_q, b.log_q)
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == ["model.json", "model.safetensors"]


def test_spoiled_model_directories_are_refused(tmp_path):
    settings = replace(SETTINGS, training=replace(SETTINGS.training, epochs=1))
    for seed in (1, 2):
        save_model(tmp_path / f"model{seed}", train(toy_data(), settings, seed), settings, toy_prior(), seed)
    folder = tmp_path / "model1"
    record = (folder / "model.json").read_text()
    with pytest.raises(InputError, match=r"no model\.json"):
        load_model(tmp_path / "nowhere")
    (folder / "model.json").write_text(record[:-20])
    with pytest.raises(InputError, match="not valid JSON"):
        load_model(folder)
    (folder / "model.json").write_text(json.dumps(json.loads(record) | {"schema_version": 99}))
    with pytest.raises(InputError, match="schema version 99"):
        load_model(folder)
    (folder / "model.json").write_text(record)
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes((tmp_path / "model2" / "model.safetensors").read_bytes())
    with pytest.raises(InputError, match="not of one model"):
        load_model(folder)
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(InputError, match="not a readable tensor file"):
        load_model(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match="no such file"):
        load_model(folder)

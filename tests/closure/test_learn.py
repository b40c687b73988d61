"""Learners by name: every wrong setting ends in one message, and every learner in a cross section."""

from dataclasses import asdict

import numpy as np
import pytest

from nuinfer.closure.learn import learn, learner_settings, learners
from nuinfer.closure.near_data import NearProblem, near_data, shares
from nuinfer.closure.settings import PUBLISHED, GaussianSettings, MlpSettings
from nuinfer.errors import InputError

QUICK = {
    "mlp": {"steps": 200, "width": 24, "depth": 3, "snapshots": 2},
    "published": {"steps": 400, "rate": 0.01, "width": 24, "depth": 3, "snapshots": 2},
    "gaussian": {"n_x": 6, "n_q2": 6, "passes": 2, "iterations": 5},
    "blackbox": {"steps": [80, 160], "merge": [2, 1], "n_enu": 6, "width": 16, "depth": 2, "rate": 0.02},
}


@pytest.mark.parametrize("name", sorted(QUICK))
def test_every_learner_follows_the_near_detector(name, problem):
    data = near_data(problem.flux @ problem.truth, None, problem.grid.shape, None)
    near = NearProblem(problem.operator, problem.flux, None, data)
    told = []
    learned, settings = learn(near, {"name": name, **QUICK[name]}, 1, lambda *what: told.append(what))
    counts = problem.flux @ learned.counts_by_knot(problem.operator)
    assert counts.sum() == pytest.approx(1.0, abs=0.02)
    assert np.linalg.norm(shares(counts) - data.share) < 0.2 * np.linalg.norm(data.share)
    assert told and all(0 < done <= total for done, total, _ in told)
    assert settings["members"] == 1
    assert {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}.items() >= QUICK[name].items()


def test_the_seed_and_the_members_reach_the_network(problem):
    near = NearProblem(
        problem.operator, problem.flux, None, near_data(problem.flux @ problem.truth, None, problem.grid.shape, None)
    )
    entry = {"name": "mlp", "members": 2, **QUICK["mlp"]}
    first, again, other = (learn(near, entry, seed)[0].w for seed in (5, 5, 6))
    assert first.shape[0] == 2
    assert np.array_equal(first, again) and not np.allclose(first, other, rtol=1e-3)


def test_defaults_and_single_settings():
    learner, settings, members = learner_settings({})
    assert settings == MlpSettings() and members == 1 and learner.ensemble
    assert learner_settings({"name": "published", "members": 4})[1:] == (PUBLISHED, 4)
    _, changed, _ = learner_settings({"name": "gaussian", "n_x": 9, "exact_events": 10})
    assert asdict(changed) == {**asdict(GaussianSettings()), "n_x": 9, "exact_events": 10}
    assert learner_settings({"name": "blackbox", "steps": [5, 4, 3]})[1].steps == (5, 4, 3)
    assert not learners()["blackbox"].ensemble


def test_the_entry_is_left_alone():
    entry = {"name": "mlp", "members": 2, "steps": 3}
    learner_settings(entry)
    assert entry == {"name": "mlp", "members": 2, "steps": 3}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "forest"}, r"learner 'forest' is unknown; known: mlp, published, gaussian, blackbox"),
        ({"name": "mlp", "epochs": 3}, r"learner mlp: unknown setting 'epochs'; allowed: steps, rate, schedule"),
        ({"name": "gaussian", "rate": 0.1}, r"learner gaussian: unknown setting 'rate'; allowed: n_x, n_q2, kernel"),
        ({"name": "mlp", "steps": 1.5}, r"learner mlp: steps must be of type int, not 1\.5"),
        ({"name": "mlp", "steps": True}, r"steps must be of type int, not True"),
        ({"name": "mlp", "rate": "fast"}, r"rate must be of type float, not 'fast'"),
        ({"name": "mlp", "rate": True}, r"rate must be of type float, not True"),
        ({"name": "mlp", "schedule": 1}, r"schedule must be of type str, not 1"),
        ({"name": "blackbox", "steps": 3}, r"learner blackbox: steps must be of type list, not 3"),
        ({"name": "gaussian", "members": 2}, r"learner gaussian: takes one member only"),
        ({"name": "blackbox", "members": 2}, r"learner blackbox: takes one member only"),
        ({"steps": 0}, r"mlp: steps must be at least 1, not 0"),
        ({"depth": -1}, r"mlp: depth must be at least 1, not -1"),
        ({"schedule": "linear"}, r"mlp: schedule 'linear' is not one of one_cycle, constant"),
        ({"envelope": "square"}, r"mlp: envelope 'square' is not one of callan_gross, target_mass, none"),
        ({"rate": 0}, r"mlp: rate 0 must be positive and beta2 0\.95 inside \(0, 1\)"),
        ({"beta2": 1.0}, r"beta2 1 inside \(0, 1\)"),
        ({"name": "gaussian", "n_x": 3}, r"gaussian: n_x and n_q2 must be at least 4, passes and iterations at least 1"),
        ({"name": "gaussian", "passes": 0}, r"passes and iterations at least 1"),
        ({"name": "gaussian", "kernel": "cubic"}, r"kernel must be one of matern52, squared_exponential"),
        ({"name": "gaussian", "envelope": "square"}, r"envelope one of callan_gross, target_mass, none"),
        ({"name": "gaussian", "exact_events": 0}, r"gaussian: exact_events must be at least 1, not 0"),
        ({"name": "gaussian", "exact_events": float("nan")}, r"exact_events must be at least 1, not nan"),
    ],
)
def test_every_wrong_setting_is_named(entry, message):
    with pytest.raises(InputError, match=message):
        learner_settings(entry)

import numpy as np
import pytest
from scipy import stats

from nuinfer.errors import InputError
from nuinfer.tuning.priors import PRIORS, prior_box, theta_from_mapping

CONFIG = {
    "ma_ccqe_gev": {"prior": "uniform", "low": 0.96, "high": 1.39},
    "norm_ccmec": {"prior": "normal", "mean": 1.6, "sigma": 0.5, "low": 1.0, "high": 3.0},
}


def test_round_trip_and_edges_for_every_prior() -> None:
    box = prior_box(CONFIG)
    assert {type(p) for p in box.priors} == set(PRIORS.values())
    u = np.random.default_rng(1).random((200, 2))
    assert np.allclose(box.to_unit(box.from_unit(u)), u, atol=1e-9)
    corners = box.from_unit(np.array([[0.0, 0.0], [1.0, 1.0]]))
    assert np.allclose(corners, [[0.96, 1.0], [1.39, 3.0]])


def test_normal_prior_is_the_truncated_normal() -> None:
    value = prior_box(CONFIG).from_unit(np.random.default_rng(2).random((5000, 2)))[:, 1]
    law = stats.truncnorm((1.0 - 1.6) / 0.5, (3.0 - 1.6) / 0.5, 1.6, 0.5)
    assert stats.kstest(value, law.cdf).pvalue > 0.01
    assert stats.kstest(value, stats.uniform(1.0, 2.0).cdf).pvalue < 1e-6


def test_configuration_round_trip() -> None:
    assert prior_box(prior_box(CONFIG).to_config()) == prior_box(CONFIG)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "no parameters"),
        ({"MaCCQE": {"low": 1.0, "high": 2.0}}, "its parameter is 'ma_ccqe_gev'"),
        ({"norm_ccmec": {"prior": "flat", "low": 1.0, "high": 2.0}}, "unknown prior 'flat'"),
        ({"norm_ccmec": {"low": 1.0}}, "takes low, high"),
        ({"norm_ccmec": {"low": 3.0, "high": 1.0}}, "inverted range"),
        ({"shape_ccmec": {"low": 0.0, "high": 1.5}}, "physical range"),
        ({"norm_ccmec": {"prior": "normal", "mean": 1, "sigma": 0, "low": 0, "high": 2}}, "sigma must be positive"),
    ],
)
def test_bad_priors_are_named(config: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        prior_box(config)


def test_parameter_values_must_be_complete() -> None:
    box = prior_box(CONFIG)
    assert theta_from_mapping(box, {"norm_ccmec": 2.0, "ma_ccqe_gev": 1.1}).tolist() == [1.1, 2.0]
    with pytest.raises(InputError, match="missing \\['norm_ccmec'\\], unknown \\['rpa'\\]"):
        theta_from_mapping(box, {"ma_ccqe_gev": 1.1, "rpa": 0.0})

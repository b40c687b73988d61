"""Off-model pairs: their resampling weights are the likelihood's, and they mend the posterior far from every prediction."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from toy import NORM_REL, toy_covariances, toy_per_event, toy_prior, toy_response

from nuinfer.errors import InputError
from nuinfer.tuning.estimator.data import TrainingData
from nuinfer.tuning.estimator.features import fit_features
from nuinfer.tuning.estimator.off_model import _reduced, _resample, can_leave_model, off_model_pairs
from nuinfer.tuning.estimator.sampling import sample
from nuinfer.tuning.estimator.settings import estimator_settings
from nuinfer.tuning.estimator.training import train
from nuinfer.tuning.exact import ExactPosterior, neural_importance
from nuinfer.tuning.likelihood import NormShapeLikelihood, PoissonLikelihood, measurement_likelihood

torch.set_num_threads(1)  # the networks are tiny: threads only wait for each other


def toy_data(kind, n=4000):
    box, rng = toy_prior(), np.random.default_rng(0)
    u, u_validation = rng.random((n, 4)), rng.random((200, 4))
    mu, mu_validation = (toy_response().predict(box.from_unit(v), box.names) for v in (u, u_validation))
    likelihood = measurement_likelihood(kind, toy_covariances(), NORM_REL)
    return TrainingData(u, mu, u_validation, mu_validation, likelihood)


@pytest.mark.parametrize("kind", ["diagonal", "full", "norm_shape"])
def test_resampling_follows_the_likelihood_and_not_another(kind):
    data = toy_data(kind)
    x = data.likelihood.sample(data.mu, np.random.default_rng(1))
    matrix = fit_features(data.u, x, data.likelihood).matrix.double().numpy()
    lower, norm_rel = _reduced(data.likelihood, matrix)
    f, y = x[:1] @ matrix, data.mu[:60] @ matrix
    n = 40_000
    chosen, effective = _resample(np.repeat(f, n, axis=0), y, lower, norm_rel, np.random.default_rng(2).random(n))
    counts = np.bincount(chosen, minlength=len(y))

    def p_value(norm):
        log_w = NormShapeLikelihood(lower, norm).log_prob(f, y)
        expected = n * np.exp(log_w - log_w.max()) / np.sum(np.exp(log_w - log_w.max()))
        keep = expected > 5
        if norm == norm_rel:
            assert effective[0] == pytest.approx(expected.sum() ** 2 / np.sum(expected**2), rel=1e-3)
        return stats.chi2.sf(np.sum((counts - expected)[keep] ** 2 / expected[keep]), keep.sum() - 1)

    assert p_value(norm_rel) > 1e-3
    assert p_value(norm_rel + 0.1) < 1e-6


def test_features_noise_is_that_of_the_observations():
    data = toy_data("full")
    x = data.likelihood.sample(data.mu, np.random.default_rng(1))
    matrix = fit_features(data.u, x, data.likelihood).matrix.double().numpy()
    lower, _ = _reduced(data.likelihood, matrix)
    expected = lower @ lower.T
    sd = np.sqrt(np.diag(expected))
    assert np.max(np.abs(np.cov((x - data.mu) @ matrix, rowvar=False) - expected) / np.outer(sd, sd)) < 0.08


def test_pairs_without_enlargement_are_pairs_of_the_model():
    """With a reach of one the pairs have the joint distribution of throws and observations: same regression."""
    data = toy_data("full")
    x = data.likelihood.sample(data.mu, np.random.default_rng(1))
    features = fit_features(data.u, x, data.likelihood)

    def slopes(f, u):
        design = np.hstack([np.ones((len(f), 1)), f])
        return np.linalg.lstsq(design, u, rcond=None)[0]

    model = slopes(features.directions(torch.as_tensor(x, dtype=torch.float32)).numpy(), data.u)
    f, u = off_model_pairs(features, data.likelihood, data.u, data.mu, 1.0, np.random.default_rng(3))
    assert np.allclose(slopes(f.numpy(), u.numpy()), model, atol=0.03)
    assert not np.allclose(slopes(f.numpy(), u.numpy()[::-1]), model, atol=0.03)


@pytest.mark.parametrize("kind", ["full", "norm_shape"])
def test_pairs_are_used_only_where_the_throws_resolve_the_posterior(kind):
    def pairs(likelihood, n_throw=8000):
        data = toy_data(kind, n_throw)
        x = likelihood.sample(data.mu, np.random.default_rng(1))
        features = fit_features(data.u, x, likelihood)
        return off_model_pairs(features, likelihood, data.u, data.mu, 5.0, np.random.default_rng(3))

    f, u = pairs(toy_data(kind).likelihood)
    assert len(f) == len(u) > 0.6 * 8000
    tenth = {name: covariance / 100.0 for name, covariance in toy_covariances().items()}
    precise = measurement_likelihood(kind, tenth, NORM_REL / 10.0)
    assert pairs(precise) is None


def test_training_goes_on_without_pairs_and_says_so():
    data = toy_data("full", 1500)
    tenth = {name: covariance / 100.0 for name, covariance in toy_covariances().items()}
    data = replace(data, likelihood=measurement_likelihood("full", tenth, NORM_REL / 10.0))
    settings = estimator_settings({"name": "ours", "epochs": 1, "batch_size": 256})
    without = replace(settings, training=replace(settings.training, off_model_share=0.0))
    told = []
    states = [train(data, s, 1, progress=told.append).network.state_dict() for s in (settings, without)]
    assert [t["note"] for t in told if "note" in t] == [told[0]["note"]] and "off-model" in told[0]["note"]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_an_observation_far_from_the_model_gets_its_posterior():
    # so far out 4,000 throws have too few effective candidates: such pairs are dropped, and nothing is learnt there
    data, box = toy_data("full", 16_384), toy_prior()
    settings = estimator_settings({"name": "ours", "epochs": 8, "batch_size": 256, "max_rate": 5e-3})
    without = replace(settings, training=replace(settings.training, off_model_share=0.0))
    x = 0.45 * toy_response().predict(box.from_unit(np.array([[0.3, 0.4, 0.5, 0.5]])), box.names)
    exact = ExactPosterior(data.likelihood, toy_response(), box)
    efficiency = []
    for chosen in (settings, without):
        draws = sample(train(data, chosen, 1).network, x, 4000, seed=1)
        efficiency.append(neural_importance(exact, draws.u, draws.log_q, x).efficiency[0])
    assert efficiency[0] > 0.3
    assert efficiency[1] < 0.5 * efficiency[0]


def test_only_known_gaussian_noise_can_be_enlarged():
    assert not can_leave_model(None)
    assert not can_leave_model(PoissonLikelihood(toy_per_event()))
    with pytest.raises(InputError, match="off_model_share"):
        estimator_settings({"off_model_share": 1.0})
    with pytest.raises(InputError, match="off_model_reach"):
        estimator_settings({"off_model_reach": 0.5})

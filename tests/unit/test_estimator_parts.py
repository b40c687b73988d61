"""Noise, features, schedule, settings and the truncated densities, each against something slow and obviously right."""

import numpy as np
import pytest
import torch
from scipy import stats
from toy import NORM_REL, toy_covariances, toy_per_event, toy_prior, toy_response

from nuinfer.errors import InputError
from nuinfer.networks.schedule import one_cycle
from nuinfer.tuning.estimator.box import BoxFlow, log_interval_mass, truncated_normal
from nuinfer.tuning.estimator.features import fit_features
from nuinfer.tuning.estimator.flows import FLOWS
from nuinfer.tuning.estimator.network import initial_network
from nuinfer.tuning.estimator.noise import torch_noise
from nuinfer.tuning.estimator.settings import ESTIMATORS, NetworkSettings, estimator_settings, settings_from_json
from nuinfer.tuning.likelihood import PoissonLikelihood, measurement_likelihood

torch.set_num_threads(1)  # the networks are tiny: threads only wait for each other
KINDS = ("poisson", "diagonal", "full", "norm_shape")


def likelihood_of(kind):
    if kind == "poisson":
        return PoissonLikelihood(toy_per_event(4e6))
    return measurement_likelihood(kind, toy_covariances(), NORM_REL)


def toy_throws(n, seed=0):
    box = toy_prior()
    u = np.random.default_rng(seed).random((n, box.dim))
    return u, toy_response().predict(box.from_unit(u), box.names)


@pytest.mark.parametrize("kind", KINDS)
def test_torch_noise_has_the_moments_of_the_likelihood(kind):
    likelihood = likelihood_of(kind)
    mu = toy_response().predict(np.array([[1.1, 1.7, 0.5, 0.4]]), toy_prior().names)
    mu = np.repeat(mu, 40_000, axis=0)
    slow = likelihood.sample(mu, np.random.default_rng(1))
    drawn = torch_noise(likelihood).draw(torch.as_tensor(mu, dtype=torch.float32), torch.Generator().manual_seed(2))
    fast = drawn.double().numpy()
    sd = slow.std(axis=0)
    assert np.max(np.abs(fast.mean(axis=0) - slow.mean(axis=0)) / sd) < 0.04
    assert np.max(np.abs(fast.std(axis=0) / sd - 1.0)) < 0.03
    assert np.max(np.abs(np.corrcoef(fast.T) - np.corrcoef(slow.T))) < 0.04


def test_noise_of_another_likelihood_is_told_apart():
    mu = np.repeat(toy_response().predict(np.array([[1.1, 1.7, 0.5, 0.4]]), toy_prior().names), 40_000, axis=0)
    slow = likelihood_of("norm_shape").sample(mu, np.random.default_rng(1))
    noise = torch_noise(likelihood_of("diagonal"))
    fast = noise.draw(torch.as_tensor(mu, dtype=torch.float32), torch.Generator().manual_seed(2)).double().numpy()
    assert np.max(np.abs(np.corrcoef(fast.T) - np.corrcoef(slow.T))) > 0.04


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_whitened_signal_directions(kind):
    u, mu = toy_throws(4000)
    likelihood = likelihood_of(kind)
    x = likelihood.sample(mu, np.random.default_rng(3))
    module = fit_features(u, x, likelihood)
    f, guess = (t.double().numpy() for t in module(torch.as_tensor(x, dtype=torch.float32)))
    assert np.allclose(np.cov(f, rowvar=False), np.eye(f.shape[1]), atol=0.02)
    assert f.shape[1] < 30
    assert np.all(np.std(u - guess, axis=0) < 0.9 * np.std(u, axis=0))
    assert np.allclose(np.std(u - guess, axis=0), module.guess_scale.numpy(), rtol=0.02)


def test_features_carry_the_information():
    """With noise well below the signal the closed-form guess alone finds the parameters to a per cent of the prior."""
    u, mu = toy_throws(4000)
    likelihood = likelihood_of("poisson")
    module = fit_features(u, likelihood.sample(mu, np.random.default_rng(3)), likelihood)
    u_test, mu_test = toy_throws(500, seed=9)
    x = likelihood.sample(mu_test, np.random.default_rng(4))
    guess = module(torch.as_tensor(x, dtype=torch.float32))[1].numpy()
    assert np.all(np.sqrt(np.mean((guess - u_test) ** 2, axis=0)) < 0.03)


def test_one_cycle_rises_falls_and_is_continuous():
    rates = np.array([one_cycle(i, 1000, 0.01, 0.2) for i in range(1000)])
    assert rates.argmax() == 200
    assert rates.max() == pytest.approx(0.01)
    assert rates[0] == pytest.approx(0.01 / 25)
    assert rates[-1] == pytest.approx(1e-6)
    assert np.max(np.abs(np.diff(rates))) < 1e-4


def test_interval_mass_against_scipy():
    rng = np.random.default_rng(0)
    low = rng.uniform(-8, 8, 2000)
    high = low + rng.uniform(0.5, 30, 2000)
    fast = log_interval_mass(torch.as_tensor(low, dtype=torch.float32), torch.as_tensor(high, dtype=torch.float32))
    slow = np.log(np.where(low > 0, stats.norm.sf(low) - stats.norm.sf(high), stats.norm.cdf(high) - stats.norm.cdf(low)))
    assert np.max(np.abs(fast.numpy() - slow)) < 2e-4


def test_truncated_quantiles_against_scipy():
    rng = np.random.default_rng(0)
    sigma = 10 ** rng.uniform(-2.5, 0.4, 500)
    mean = rng.uniform(0, 1, 500) + sigma * rng.uniform(-5, 5, 500)
    v = rng.random(500)
    fast = truncated_normal(*(torch.as_tensor(a) for a in (v, mean, sigma))).numpy()
    slow = stats.truncnorm.ppf(v, -mean / sigma, (1 - mean) / sigma, loc=mean, scale=sigma)
    assert np.max(np.abs(fast - slow) / np.minimum(sigma, 1.0)) < 1e-4
    assert fast.min() >= 0.0 and fast.max() <= 1.0


def box_flow(dim, seed=0):
    torch.manual_seed(seed)
    flow = BoxFlow(dim, 5, (16, 16), 3)
    with torch.no_grad():
        flow.last.mul_(20.0)
    return flow, torch.randn(1, 5), torch.rand(1, dim), 0.3 * torch.ones(dim)


@torch.no_grad()
def test_box_density_integrates_to_one():
    flow, context, guess, scale = box_flow(2)

    grid = (np.arange(600) + 0.5) / 600
    u = torch.as_tensor(np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2), dtype=torch.float32)
    total = torch.exp(flow.log_prob(u, context.expand(len(u), -1), guess.expand(len(u), -1), scale)).mean()
    assert float(total) == pytest.approx(1.0, abs=2e-3)
    outside = torch.tensor([[1.2, 0.5], [0.5, -0.1]])
    assert torch.all(flow.log_prob(outside, context.expand(2, -1), guess.expand(2, -1), scale) == -torch.inf)


@torch.no_grad()
def test_box_draws_follow_the_box_density():
    """Histogram of draws against the density on a grid; and the same draws against a shifted guess must fail."""
    flow, context, guess, scale = box_flow(2)
    z = torch.rand(1, 100_000, flow.noise_dim, generator=torch.Generator().manual_seed(1))
    u, log_q = flow.sample(z, context, guess, scale)
    n = u.shape[1]
    again = flow.log_prob(u[0], context.expand(n, -1), guess.expand(n, -1), scale)
    assert torch.allclose(again, log_q[0], atol=1e-3)
    assert float(u.min()) >= 0.0 and float(u.max()) <= 1.0
    counts = np.histogram2d(*u[0].numpy().T, bins=8, range=[[0, 1], [0, 1]])[0]
    grid = (np.arange(160) + 0.5) / 160
    points = torch.as_tensor(np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2), dtype=torch.float32)

    def chi2(guess_used):
        m = len(points)
        q = torch.exp(flow.log_prob(points, context.expand(m, -1), guess_used.expand(m, -1), scale))
        expected = n * q.reshape(8, 20, 8, 20).mean(dim=(1, 3)).numpy() / 64
        keep = expected > 5
        return np.sum((counts - expected)[keep] ** 2 / expected[keep]), keep.sum()

    value, bins = chi2(guess)
    assert stats.chi2.sf(value, bins) > 1e-4
    value, bins = chi2(guess + 0.05)
    assert stats.chi2.sf(value, bins) < 1e-4


@pytest.mark.parametrize("name", sorted(FLOWS))
@torch.no_grad()
def test_every_flow_draws_what_its_density_says(name):
    u, mu = toy_throws(500)
    likelihood = likelihood_of("full")
    features = fit_features(u, likelihood.sample(mu, np.random.default_rng(1)), likelihood)
    network = initial_network(NetworkSettings(flow=name, embedding=(16,), hidden=(16, 16), transforms=2), features, 5)
    x = torch.as_tensor(mu[:3], dtype=torch.float32)
    summary = network.summary(x)
    generator = torch.Generator().manual_seed(0)
    z = torch.empty(3, 50, network.noise_dim)
    z = z.uniform_(generator=generator) if network.base == "uniform" else z.normal_(generator=generator)
    draws, log_q = network.sample_given(z, summary)
    inside = ((draws >= 0) & (draws <= 1)).all(dim=-1)
    given = network.log_prob_given(draws, summary)
    assert inside.float().mean() > 0.1
    assert torch.allclose(given[inside], log_q[inside], atol=2e-3)
    assert torch.allclose(given[:, 0], network.log_prob(draws[:, 0], x), atol=1e-3, equal_nan=True)


def test_weights_are_those_of_the_seed_and_leave_the_global_state():
    u, mu = toy_throws(300)
    state = torch.random.get_rng_state()
    networks = [initial_network(NetworkSettings(), fit_features(u, mu, None), seed) for seed in (1, 1, 2)]
    assert torch.equal(torch.random.get_rng_state(), state)
    first, same, other = (n.embedding[0].weight for n in networks)
    assert torch.equal(first, same) and not torch.equal(first, other)


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_settings_survive_json(name):
    settings = estimator_settings(name)
    assert settings_from_json(settings.to_json()) == settings


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("best", "unknown name 'best'"),
        ({"name": "ours", "epoch": 3}, "unknown setting 'epoch'"),
        ({"flow": "realnvp"}, "flow: unknown 'realnvp'"),
        ({"epochs": "ten"}, "epochs: int needed"),
        ({"epochs": True}, "epochs: int needed"),
        ({"batch_size": 0}, "batch_size: must be positive"),
        ({"embedding": [64, -1]}, "positive whole numbers"),
        ({"warmup": 1.5}, "between 0 and 1"),
        ({"loop": "sbi"}, "loop: 'sbi' trains"),
    ],
)
def test_bad_settings_are_refused_by_name(config, message):
    with pytest.raises(InputError, match=message):
        estimator_settings(config)


def test_one_word_changes_the_flow():
    assert estimator_settings({"flow": "maf"}).network.flow == "maf"

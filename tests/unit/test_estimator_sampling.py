"""Batched draws: truncation event by event, chunks, densities; the baseline, ensembles and sbi's diagnostics."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from toy import toy_per_event, toy_prior, toy_response

from nuinfer.errors import InputError
from nuinfer.tuning.estimator.data import TrainingData
from nuinfer.tuning.estimator.ensemble import Ensemble
from nuinfer.tuning.estimator.sampling import log_prob, log_volume, sample
from nuinfer.tuning.estimator.settings import estimator_settings
from nuinfer.tuning.estimator.training import train
from nuinfer.tuning.likelihood import PoissonLikelihood
from nuinfer.tuning.priors import prior_box

torch.set_num_threads(1)  # the networks are tiny: threads only wait for each other


class KnownGaussian(nn.Module):
    """q(u | x) = N(u; x, 0.1^2): its leakage is known in closed form."""

    base, dim, noise_dim, n_bin = "normal", 2, 2, 2

    def summary(self, x):
        return (x,)

    def sample_given(self, z, summary):
        return summary[0][:, None] + 0.1 * z, self._log_density(z)

    def log_prob_given(self, u, summary):
        return self._log_density((u - summary[0][:, None]) / 0.1)

    def log_prob(self, u, x):
        return self.log_prob_given(u[:, None], (x,))[:, 0]

    @staticmethod
    def _log_density(z):
        return -0.5 * (z * z).sum(-1) - 2 * np.log(0.1 * np.sqrt(2 * np.pi))


def test_truncation_fills_every_event_and_renormalises():
    x = np.array([[0.5, 0.5], [0.0, 0.5], [1.0, 1.0]])
    draws = sample(KnownGaussian(), x, 4000, seed=1)
    assert draws.u.shape == (3, 4000, 2) and draws.log_q.shape == (3, 4000)
    assert draws.u.min() >= 0 and draws.u.max() <= 1
    assert np.allclose(draws.acceptance, [1.0, 0.5, 0.25], atol=0.03)
    assert not draws.shortfall.any()
    # renormalised: the mean of 1/q over draws of q is the volume of the cube, where the draws fill it
    expected = log_prob(KnownGaussian(), draws.u, x) - np.log(draws.acceptance)[:, None]
    assert np.allclose(draws.log_q, expected, atol=1e-4)
    half = draws.u[1, :, 0]
    assert np.mean(half) == pytest.approx(0.1 * np.sqrt(2 / np.pi), rel=0.05)


def test_an_event_outside_the_cube_is_filled_counted_and_harms_no_other():
    x = np.array([[0.5, 0.5], [5.0, 0.5]])
    draws = sample(KnownGaussian(), x, 100, seed=1)
    alone = sample(KnownGaussian(), x[:1], 100, seed=1)
    assert draws.shortfall.tolist() == [0, 100]
    assert draws.report()["events_short"] == 1
    assert np.all(draws.u[1, :, 0] == 1.0)
    assert np.array_equal(draws.u[0], alone.u[0])


def test_draws_do_not_depend_on_chunks_or_neighbours():
    x = np.random.default_rng(0).random((7, 2))
    # leaky by about 0, 1/2, 3/4, all but 1e-3 and all but nothing: several rounds of different sizes
    x[:5, 0] = [0.5, 0.0, -0.07, -0.3, -3.0]
    whole = sample(KnownGaussian(), x, 50, seed=3)
    assert np.sum(whole.acceptance < 0.9) >= 4
    moved = x.copy()
    moved[[0, 3, 6]] = [[-0.15, 0.5], [0.5, 0.5], [0.5, 1.2]]
    same = [1, 2, 4, 5]
    cut = sample(KnownGaussian(), x, 50, seed=3, chunk_rows=120)
    first = sample(KnownGaussian(), x[:3], 50, seed=3)
    beside = sample(KnownGaussian(), moved, 50, seed=3)
    for name in ("u", "log_q", "acceptance", "shortfall"):
        assert np.array_equal(getattr(whole, name), getattr(cut, name)), name
        assert np.array_equal(getattr(whole, name)[:3], getattr(first, name)), name
        assert np.array_equal(getattr(whole, name)[same], getattr(beside, name)[same]), name
    assert not np.array_equal(whole.u, sample(KnownGaussian(), x, 50, seed=4).u)


def test_acceptance_is_what_log_q_was_renormalised_with_and_never_zero():
    x = np.array([[0.0, 0.5], [5.0, 0.5]])
    draws = sample(KnownGaussian(), x, 100, seed=1)
    assert np.all(draws.acceptance > 0) and draws.acceptance[1] < 1e-4
    density = log_prob(KnownGaussian(), draws.u[:1], x[:1])
    assert np.allclose(draws.log_q[:1] + np.log(draws.acceptance[0]), density, atol=1e-4)


def test_bad_observations_are_refused():
    with pytest.raises(InputError, match=r"takes \(n, 2\)"):
        sample(KnownGaussian(), np.zeros((3, 5)), 10, seed=1)
    with pytest.raises(InputError, match="observation 1: bin 0 is not finite"):
        sample(KnownGaussian(), np.array([[0.5, 0.5], [np.nan, 0.1]]), 10, seed=1)
    with pytest.raises(InputError, match="do not fit"):
        log_prob(KnownGaussian(), np.zeros((2, 3)), np.zeros((2, 2)))


def test_log_volume_is_the_prior_density():
    box = prior_box(
        {
            "ma_ccqe_gev": {"low": 1.0, "high": 1.4},
            "norm_ccmec": {"prior": "normal", "mean": 1.5, "sigma": 0.5, "low": 1.0, "high": 3.0},
        }
    )
    theta = np.linspace(1.0, 3.0, 4001)
    u = np.stack([np.full(theta.shape, 0.5), box.priors[1].to_unit(theta)], axis=-1)
    density = np.exp(log_volume(box, u)) * 0.4
    assert np.trapezoid(density, theta) == pytest.approx(1.0, abs=1e-3)


def small_data(n=3000):
    box, rng = toy_prior(), np.random.default_rng(0)
    u, u_validation = rng.random((n, 4)), rng.random((200, 4))
    mu, mu_validation = (toy_response().predict(box.from_unit(v), box.names) for v in (u, u_validation))
    return TrainingData(u, mu, u_validation, mu_validation, PoissonLikelihood(toy_per_event(2e5)))


@pytest.fixture(scope="module")
def members():
    settings = estimator_settings({"name": "smoke", "epochs": 20, "batch_size": 256, "embedding": [48, 48]})
    other = replace(settings, network=replace(settings.network, flow="box"))
    return [train(small_data(), s, seed).network for s, seed in ((settings, 1), (other, 2))]


def test_ensemble_density_and_shuffled_draws(members):
    ensemble = Ensemble(members)
    data = small_data()
    x = data.likelihood.sample(data.mu_validation[:4], np.random.default_rng(1))
    draws = sample(ensemble, x, 2000, seed=2)
    parts = np.stack([log_prob(m, draws.u, x) for m in members])
    assert np.allclose(log_prob(ensemble, draws.u, x), np.logaddexp(*parts) - np.log(2), atol=1e-3)
    first, second = draws.u[:, :1000].mean(axis=1), draws.u[:, 1000:].mean(axis=1)
    assert np.all(np.abs(first - second) < 5 * draws.u.std(axis=1) / np.sqrt(500))
    with pytest.raises(InputError, match="at least one"):
        Ensemble([])


def test_central_coverage_and_its_negative_control(members):
    """Marginal 68 % intervals of a trained network cover about 68 %; the same draws pulled in by half must not."""
    data = small_data()
    x = data.likelihood.sample(data.mu_validation, np.random.default_rng(1))
    u = sample(members[1], x, 400, seed=2).u
    median = np.median(u, axis=1, keepdims=True)

    def coverage(draws):
        low, high = np.quantile(draws, [0.16, 0.84], axis=1)
        return np.mean((data.u_validation >= low) & (data.u_validation <= high))

    assert abs(coverage(u) - 0.68) < 0.07
    assert coverage(median + 0.5 * (u - median)) < 0.55


def test_sbi_diagnostics_accept_the_posterior(members):
    from sbi.diagnostics import run_sbc, run_tarp

    from nuinfer.tuning.estimator.sbi_posterior import as_sbi_posterior

    data, box = small_data(), toy_prior()
    x = torch.as_tensor(data.likelihood.sample(data.mu_validation[:30], np.random.default_rng(1)), dtype=torch.float32)
    theta = torch.as_tensor(box.from_unit(data.u_validation[:30]), dtype=torch.float32)
    posterior = as_sbi_posterior(members[0], box)
    torch.manual_seed(0)
    ranks, dap = run_sbc(theta, x, posterior, num_posterior_samples=60, show_progress_bar=False)
    assert ranks.shape == (30, 4) and dap.shape == (30, 4)
    assert 10 < ranks.float().mean() < 50
    ecp, alpha = run_tarp(theta, x, posterior, num_posterior_samples=60, show_progress_bar=False)
    assert ecp.shape == alpha.shape
    draws = posterior.sample_batched((50,), x[:3])
    assert draws.shape == (50, 3, 4)
    density = posterior.log_prob_batched(draws, x[:3], norm_posterior=False)
    u = box.to_unit(draws.transpose(0, 1).double().numpy())
    ours = log_prob(members[0], u, x[:3].double().numpy()) + log_volume(box, u)
    assert np.allclose(density.T.detach().numpy(), ours, atol=2e-2)
    assert posterior.sample((10,), x=x[:1], show_progress_bars=False).shape == (10, 4)


def test_baseline_is_sbis_own_loop_and_is_reproducible():
    settings = estimator_settings({"name": "paper", "epochs": 2, "batch_size": 256})
    data = small_data(1000)
    first, again = (train(data, settings, 1) for _ in range(2))
    assert all(torch.equal(v, again.network.state_dict()[k]) for k, v in first.network.state_dict().items())
    assert sum(p.numel() for p in train(data, settings, 1).network.parameters()) > 50_000
    draws = sample(first.network, data.mu_validation[:3], 20, seed=1)
    density = log_prob(first.network, draws.u, data.mu_validation[:3])
    assert np.allclose(draws.log_q + np.log(draws.acceptance)[:, None], density, atol=1e-2)

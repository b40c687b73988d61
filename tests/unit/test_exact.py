import numpy as np
import pytest
from toy import NORM_REL, toy_covariances, toy_per_event, toy_prior, toy_response
from toy_linear import closed_form, grid_posterior, linear_posterior

from nuinfer.errors import InputError
from nuinfer.tuning.exact import ExactPosterior, ImportanceSettings, importance_sample, neural_importance
from nuinfer.tuning.likelihood import PoissonLikelihood, measurement_likelihood
from nuinfer.tuning.mcmc import ChainSettings, UnconvergedError, sample_chain
from nuinfer.tuning.proposal import cube_gaussian

KINDS = ("poisson", "diagonal", "full", "norm_shape")


def toy_posterior(kind: str, widen: float = 1.0) -> ExactPosterior:
    if kind == "poisson":
        likelihood = PoissonLikelihood(toy_per_event(2e6 / widen))
    else:
        covariances = {k: widen * v for k, v in toy_covariances().items()}
        likelihood = measurement_likelihood(kind, covariances, NORM_REL * np.sqrt(widen))
    return ExactPosterior(likelihood, toy_response(), toy_prior())


def held_out(posterior: ExactPosterior, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    u = rng.random((n, posterior.dim))
    return u, posterior.likelihood.sample(posterior.predict_u(u), rng)


def test_log_prob_is_the_likelihood_inside_and_nothing_outside() -> None:
    posterior = toy_posterior("full")
    u, x = held_out(posterior, 3, 1)
    slow = [posterior.likelihood.log_prob(x[i], posterior.predict_u(u[i : i + 1])[0]) for i in range(3)]
    assert np.allclose(posterior.log_prob_u(u, x), slow)
    assert np.isneginf(posterior.log_prob_u(u + np.eye(4)[0], x)).all()
    assert posterior.log_prob_u(u[:, None], x[None]).shape == (3, 3)


@pytest.mark.parametrize(("dim", "n_grid"), [(1, 4000), (2, 500)])
@pytest.mark.parametrize("sigma", [0.01, 0.3, 3.0])
def test_importance_sampling_agrees_with_quadrature(dim: int, n_grid: int, sigma: float) -> None:
    """Narrow, broad, and filling the cube; inside it, and with the optimum far outside."""
    posterior = linear_posterior(dim, sigma, curvature=0.1)
    inside = posterior.predict_u(np.full((1, dim), 0.4))
    x = np.concatenate([inside, inside + 0.5, posterior.predict_u(np.zeros((1, dim)))])
    result = importance_sample(posterior, x, np.random.default_rng(1), ImportanceSettings(n_draw=4000))
    for k in range(len(x)):
        mean, sd, log_z = grid_posterior(posterior, x[k], n_grid)
        n_eff = result.ess[k] * result.n_draw[k]
        assert np.all(np.abs(result.mean[k] - mean) < 5 * sd / np.sqrt(n_eff) + 1e-4)
        assert np.allclose(result.sd[k], sd, rtol=5 / np.sqrt(n_eff), atol=1e-4)
        assert abs(result.log_evidence[k] - log_z) < 5 * result.log_evidence_error[k] + 2e-3
    assert result.n_flagged == 0 and result.ess.min() > 0.3


def test_linear_gaussian_closed_form() -> None:
    posterior = linear_posterior(4, 0.01)
    x = posterior.predict_u(np.array([[0.3, 0.5, 0.6, 0.4]])) + 0.01 * np.random.default_rng(3).standard_normal((20, 8))
    result = importance_sample(posterior, x, np.random.default_rng(4), ImportanceSettings(n_draw=4000))
    for k in range(len(x)):
        mean, covariance, log_z = closed_form(posterior, x[k])
        sd = np.sqrt(np.diag(covariance))
        assert np.max(np.abs(result.mean[k] - mean) / sd) < 0.1
        assert np.allclose(result.sd[k], sd, rtol=0.1)
        assert abs(result.log_evidence[k] - log_z) < 5 * result.log_evidence_error[k]
        assert np.allclose(result.quantiles[k, 1], mean, atol=0.15 * sd.max())
        assert np.allclose(result.quantiles[k, 2] - result.quantiles[k, 0], 1.989 * sd, rtol=0.15)
    # The deviations in units of their stated errors scatter as they should.
    pulls = [(result.log_evidence[k] - closed_form(posterior, x[k])[2]) / result.log_evidence_error[k] for k in range(20)]
    assert 0.4 < np.std(pulls) < 1.6


@pytest.mark.parametrize("kind", KINDS)
def test_many_at_once_is_one_at_a_time(kind: str) -> None:
    posterior = toy_posterior(kind)
    _, x = held_out(posterior, 4, 5)
    settings = ImportanceSettings(n_draw=1000, n_keep=10)
    together = importance_sample(posterior, x, np.random.default_rng(6), settings)
    streams = np.random.default_rng(6).spawn(4)

    class Only:
        def __init__(self, stream: np.random.Generator) -> None:
            self.stream = stream

        def spawn(self, n: int) -> list[np.random.Generator]:
            assert n == 1
            return [self.stream]

    for k in range(4):
        alone = importance_sample(posterior, x[k], Only(streams[k]), settings)
        for name in ("log_evidence", "mean", "sd", "quantiles", "ess", "samples"):
            assert np.allclose(getattr(together, name)[k], getattr(alone, name)[0], rtol=1e-6), name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("widen", [1.0, 30.0])
def test_held_out_posteriors_are_efficient_and_calibrated(kind: str, widen: float) -> None:
    posterior = toy_posterior(kind, widen)
    u, x = held_out(posterior, 150, 8)
    result = importance_sample(posterior, x, np.random.default_rng(9), ImportanceSettings(n_draw=1500, n_keep=200))
    assert np.median(result.ess) > 0.5 and result.ess.min() > 0.2 and result.n_flagged == 0
    ranks = np.mean(result.samples < u[:, None], axis=1)
    assert np.all(np.abs(ranks.mean(axis=0) - 0.5) < 4 * 0.289 / np.sqrt(150))
    assert np.all(np.abs(ranks.std(axis=0) - 0.289) < 0.06)
    log_p = posterior.log_prob_u(u, x) - result.log_evidence
    # On average the posterior knows more of the truth than the prior, whose log density is zero.
    assert np.mean(log_p) > 0.0


def test_edges_and_impossible_observations_are_sampled() -> None:
    posterior = toy_posterior("poisson")
    corners = np.array([[0, 0, 0, 0], [1, 1, 1, 1], [0.3, 0.3, 1.0, 0.85], [0, 1, 0, 1.0]])
    x = posterior.predict_u(corners)
    result = importance_sample(posterior, np.concatenate([x, 1.15 * x]), np.random.default_rng(2))
    assert result.n_flagged == 0 and result.ess.min() > 0.2
    assert np.all((result.best_u >= 0) & (result.best_u <= 1))
    assert result.best_chi2[4:].min() > 150 > 1.0 > result.best_chi2[:4].max()


def test_a_hopeless_observation_is_flagged() -> None:
    posterior = toy_posterior("poisson")
    _, x = held_out(posterior, 2, 3)
    settings = ImportanceSettings(n_draw=20, n_adapt=20, n_retry=1)
    result = importance_sample(posterior, x, np.random.default_rng(2), settings)
    assert result.n_flagged == 2


def test_restricted_gaussian_density_integrates_to_one_and_matches_its_draws() -> None:
    mean = np.array([[0.3, 1.4], [-6.0, 0.5], [0.5, 0.5]])
    covariance = np.array([[[0.02, 0.015], [0.015, 0.05]], [[0.4, 0.1], [0.1, 0.3]], [[1e-4, 0.0], [0.0, 50.0]]])
    proposal = cube_gaussian(mean, covariance)
    n = 400
    axis = (np.arange(n) + 0.5) / n
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(1, -1, 2).repeat(3, axis=0)
    density = np.exp(proposal.log_prob(grid))
    assert np.allclose(density.mean(axis=1), 1.0, rtol=0.01)
    u, log_q = proposal.draw(np.random.default_rng(1).random((3, 20_000, 2)))
    assert u.min() >= 0 and u.max() <= 1
    assert np.allclose(log_q, proposal.log_prob(u), atol=1e-6)
    expected = np.einsum("bs,bsd->bd", density, grid) / density.sum(axis=1, keepdims=True)
    assert np.allclose(u.mean(axis=1), expected, atol=0.01)


@pytest.mark.parametrize("kind", ["poisson", "norm_shape"])
def test_a_markov_chain_finds_the_same_posterior(kind: str) -> None:
    posterior = toy_posterior(kind)
    x = posterior.predict_u(np.array([[0.33, 0.33, 1.0, 0.85]]))
    settings = ImportanceSettings(n_draw=8000, n_keep=1000)
    result = importance_sample(posterior, x, np.random.default_rng(1), settings)
    chain = sample_chain(posterior, x[0], result.samples[0], np.random.default_rng(2))
    assert chain.converged and chain.n_step > 50 * chain.tau.max()
    assert np.all(np.abs(chain.samples.mean(axis=0) - result.mean[0]) < 0.15 * result.sd[0])
    assert np.allclose(chain.samples.std(axis=0), result.sd[0], rtol=0.1)


def test_a_short_chain_is_refused() -> None:
    posterior = toy_posterior("full")
    _, x = held_out(posterior, 1, 3)
    short = ChainSettings(block=50, max_step=100)
    start = np.random.default_rng(1).random((40, 4))
    with pytest.raises(UnconvergedError, match="raise max_step"):
        sample_chain(posterior, x[0], start, np.random.default_rng(1), short)
    assert not sample_chain(posterior, x[0], start, np.random.default_rng(1), short, allow_short=True).converged


def test_neural_importance_corrects_a_wrong_proposal_and_sees_the_exact_one() -> None:
    posterior = toy_posterior("full", widen=0.05)
    _, x = held_out(posterior, 6, 4)
    result = importance_sample(posterior, x, np.random.default_rng(1), ImportanceSettings(n_draw=4000))
    rng = np.random.default_rng(2)
    efficiency = {}
    for stretch in (1.0, 1.6):
        wide = cube_gaussian(result.mean + 0.3 * (stretch - 1) * result.sd, (stretch * result.sd)[:, None] ** 2 * np.eye(4))
        u, log_q = wide.draw(rng.random((6, 8000, 4)))
        corrected = neural_importance(posterior, u, log_q, x)
        mean = np.einsum("bs,bsd->bd", corrected.weights, u)
        assert np.max(np.abs(mean - result.mean) / result.sd) < 0.25
        assert np.allclose(corrected.log_evidence, result.log_evidence, atol=0.15)
        efficiency[stretch] = np.median(corrected.efficiency)
    uniform = rng.random((6, 2000, 4))
    blind = neural_importance(posterior, uniform, np.zeros((6, 2000)), x)
    assert np.median(blind.efficiency) < 0.5 * min(efficiency.values())


def test_bad_observations_are_named() -> None:
    posterior = toy_posterior("full")
    rng = np.random.default_rng(1)
    with pytest.raises(InputError, match="the prediction has 58 bins"):
        importance_sample(posterior, np.zeros((2, 57)), rng)
    x = np.ones((2, 58))
    x[1, 3] = np.nan
    with pytest.raises(InputError, match="observation 1, bin 3 is nan"):
        importance_sample(posterior, x, rng)
    with pytest.raises(InputError, match="expected \\(B, S, d\\)"):
        neural_importance(posterior, np.zeros((2, 5, 4)), np.zeros((2, 4)), np.ones((2, 58)))

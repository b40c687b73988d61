import numpy as np
import pytest
from scipy import stats
from toy import NORM_REL, toy_covariances, toy_per_event, toy_prior, toy_response

from nuinfer.errors import InputError
from nuinfer.tuning.exact import ExactPosterior, ImportanceSettings, importance_sample
from nuinfer.tuning.likelihood import PoissonLikelihood, measurement_likelihood
from nuinfer.tuning.predictive import bands, misspecification, p_value, posterior_predictive

KINDS = ("poisson", "diagonal", "full", "norm_shape")


def posterior(kind: str) -> ExactPosterior:
    if kind == "poisson":
        likelihood = PoissonLikelihood(toy_per_event())
    else:
        likelihood = measurement_likelihood(kind, toy_covariances(), NORM_REL)
    return ExactPosterior(likelihood, toy_response(), toy_prior())


def p_values(kind: str, change: str) -> tuple[float, float]:
    """Return the posterior-predictive and the misspecification p-value of an observation that was tampered with."""
    p = posterior(kind)
    rng = np.random.default_rng(11)
    x = p.likelihood.sample(p.predict_u(np.array([[0.5, 0.5, 0.5, 0.5]])), rng)[0]
    if change == "all bins +30 %":
        x = 1.3 * x
    elif change == "one bin doubled":
        x = np.where(np.arange(58) == np.argmax(x), 2.0 * x, x)
    drawn = importance_sample(p, x, rng, ImportanceSettings(n_keep=500)).samples[0]
    return (
        posterior_predictive(p.likelihood, p.predict_u(drawn), x, rng).value,
        misspecification(p, x, rng.random((500, 4)), rng).p_value.value,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_observation_passes(kind: str) -> None:
    assert min(p_values(kind, "nothing")) > 0.02


@pytest.mark.parametrize("change", ["all bins +30 %", "one bin doubled"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_observation_is_caught(kind: str, change: str) -> None:
    predictive, misspecified = p_values(kind, change)
    assert misspecified < 0.01
    assert predictive < 0.05


def test_misspecification_p_values_of_good_observations_are_uniform() -> None:
    p = posterior("full")
    rng = np.random.default_rng(5)
    u = rng.random((300, 4))
    x = p.likelihood.sample(p.predict_u(u), rng)
    null = misspecification(p, x[0], rng.random((2000, 4)), rng).null
    values = [p_value(null, c).value for c in p.fit(x).chi2]
    assert stats.kstest(values, "uniform").pvalue > 0.01
    inflated = [p_value(null, c).value for c in 1.2 * p.fit(x).chi2]
    assert stats.kstest(inflated, "uniform").pvalue < 1e-6


def test_p_value_counts() -> None:
    null = np.arange(99.0)
    result = p_value(null, 95.0)
    assert result.value == pytest.approx(0.05) and result.n == 99
    assert result.error == pytest.approx(np.sqrt(0.05 * 0.95 / 99))
    assert p_value(null, 1e9).value == pytest.approx(0.01)
    with pytest.raises(InputError, match="row of replicas"):
        p_value(np.empty(0), 1.0)


def test_bands_against_a_loop_and_noise_widens_them() -> None:
    p = posterior("full")
    mu = p.predict_u(np.random.default_rng(1).random((3000, 4)) * 0.1)
    found = bands(p.likelihood, mu, np.random.default_rng(2))
    slow = np.array([[np.quantile(mu[:, i], q) for i in range(58)] for q in (0.16, 0.5, 0.84)])
    assert np.allclose(found["prediction"], slow)
    width = found["observation"][2] - found["observation"][0]
    sd = np.sqrt(mu.var(axis=0) + np.diag(toy_covariances()["total"]))
    assert np.allclose(width, 1.989 * sd, rtol=0.15)


def test_shapes_are_checked() -> None:
    p = posterior("full")
    rng = np.random.default_rng(1)
    with pytest.raises(InputError, match="do not fit"):
        posterior_predictive(p.likelihood, np.ones((3, 58)), np.ones(57), rng)
    with pytest.raises(InputError, match="expected \\(n, 4\\)"):
        misspecification(p, np.ones(58), np.ones((5, 3)), rng)

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from toy import NORM_REL, toy_binning, toy_covariances, toy_per_event, toy_prior, toy_response

from nuinfer.errors import InputError
from nuinfer.io.likelihoods import read_likelihood
from nuinfer.io.measurement import Measurement, write_measurement
from nuinfer.io.responses import write_response
from nuinfer.io.simulations import Simulations, write_simulations
from nuinfer.steps.likelihood import likelihood as write_likelihood_step
from nuinfer.tuning.likelihood import (
    MEASUREMENT_LIKELIHOODS,
    Likelihood,
    PoissonLikelihood,
    constant_covariance,
    measurement_likelihood,
)
from nuinfer.tuning.surrogate import Surrogate

KINDS = ("poisson", *MEASUREMENT_LIKELIHOODS)


def make(kind: str) -> Likelihood:
    if kind == "poisson":
        return PoissonLikelihood(toy_per_event(2e4))
    return measurement_likelihood(kind, toy_covariances(), NORM_REL)


def predictions(n: int) -> np.ndarray:
    box = toy_prior()
    return toy_response().predict(box.from_unit(np.random.default_rng(5).random((n, 4))), box.names)


def covariance(kind: str, mu: np.ndarray) -> np.ndarray:
    """The explicit covariance of an observation at ``mu``."""
    matrices = toy_covariances()
    if kind == "poisson":
        return np.diag(mu * toy_per_event(2e4))
    if kind == "diagonal":
        return np.diag(np.diag(matrices["total"]))
    if kind == "full":
        return matrices["total"]
    return matrices["shape"] + NORM_REL**2 * np.outer(mu, mu)


@pytest.mark.parametrize("kind", MEASUREMENT_LIKELIHOODS)
def test_gaussian_densities_are_scipys(kind: str) -> None:
    likelihood, mu = make(kind), predictions(3)
    x = likelihood.sample(mu, np.random.default_rng(1))
    slow = [stats.multivariate_normal(m, covariance(kind, m)).logpdf(v) for m, v in zip(mu, x, strict=True)]
    assert np.allclose(likelihood.log_prob(x, mu), slow, rtol=1e-9)
    slow = [(v - m) @ np.linalg.solve(covariance(kind, m), v - m) for m, v in zip(mu, x, strict=True)]
    assert np.allclose(likelihood.chi2(x, mu), slow)


def test_poisson_density_is_scipys() -> None:
    likelihood, mu, w = make("poisson"), predictions(3), toy_per_event(2e4)
    x = likelihood.sample(mu, np.random.default_rng(1))
    assert np.allclose(x / w, np.round(x / w))
    assert np.allclose(likelihood.log_prob(x, mu), stats.poisson(mu / w).logpmf(np.round(x / w)).sum(axis=1))


def test_a_negative_expectation_is_impossible() -> None:
    """A fitted response may be negative in a bin; without its check the density would be larger than where it is zero."""
    likelihood, mu, w = make("poisson"), predictions(4), toy_per_event(2e4)
    x = likelihood.sample(mu, np.random.default_rng(1))
    x[2, 5] = 0.0
    expected = likelihood.log_prob(x, mu)
    mu[1, 7], mu[2, 5] = -1e-9 * w[7], -w[5]
    found = likelihood.log_prob(x, mu)
    assert found[1] == found[2] == -np.inf and np.array_equal(found[[0, 3]], expected[[0, 3]])
    mu[2, 5] = 0.0
    assert np.isfinite(likelihood.log_prob(x, mu)[2]) and np.isfinite(expected).all()
    assert likelihood.log_prob(x[2], mu[1:3]).tolist()[0] == -np.inf


@pytest.mark.parametrize("kind", KINDS)
def test_samples_have_the_stated_mean_and_covariance(kind: str) -> None:
    likelihood, mu = make(kind), predictions(1)
    n = 20_000
    x = likelihood.sample(np.repeat(mu, n, axis=0), np.random.default_rng(2))
    expected = covariance(kind, mu[0])
    sd = np.sqrt(np.diag(expected))
    assert np.max(np.abs(x.mean(axis=0) - mu[0]) / sd) < 5 / np.sqrt(n)
    assert np.max(np.abs(np.cov(x.T) - expected) / np.outer(sd, sd)) < 6 / np.sqrt(n)


@pytest.mark.parametrize("kind", KINDS)
def test_residuals_square_to_chi2_which_counts_the_bins(kind: str) -> None:
    likelihood, mu = make(kind), predictions(2000)
    x = likelihood.sample(mu, np.random.default_rng(3))
    chi2 = likelihood.chi2(x, mu)
    assert np.allclose(np.sum(likelihood.residual(x, mu) ** 2, axis=1), chi2)
    assert np.mean(chi2) == pytest.approx(58, abs=2.0)
    assert np.mean(likelihood.chi2(1.2 * x, mu)) > 62


@pytest.mark.parametrize("kind", KINDS)
def test_leading_shapes_broadcast(kind: str) -> None:
    likelihood, mu = make(kind), predictions(6).reshape(2, 3, 58)
    x = likelihood.sample(mu[:, 0], np.random.default_rng(4))[:, None]
    for name in ("log_prob", "chi2"):
        together = getattr(likelihood, name)(x, mu)
        alone = [[getattr(likelihood, name)(x[i, 0], mu[i, j]) for j in range(3)] for i in range(2)]
        assert np.allclose(together, alone)


def test_peelles_puzzle_pulls_the_full_covariance_low_and_not_norm_shape() -> None:
    """Ten bins that scatter about 1 with a 20 % common normalisation taken from the data: the full covariance falls short."""
    rng = np.random.default_rng(6)
    x = 1.0 + 0.1 * rng.standard_normal(10)
    shape = np.diag(np.full(10, 0.1**2))
    matrices = {"shape": shape, "total": shape + 0.2**2 * np.outer(x, x)}
    scale = np.linspace(0.3, 1.7, 1401)
    fitted = {}
    for kind in MEASUREMENT_LIKELIHOODS:
        likelihood = measurement_likelihood(kind, matrices, 0.2)
        fitted[kind] = scale[np.argmin(likelihood.chi2(x[None], scale[:, None] * np.ones(10)))]
    assert fitted["full"] < x.min() + 0.02 < x.mean() - 0.1
    assert abs(fitted["norm_shape"] - x.mean()) < 0.02
    assert abs(fitted["diagonal"] - x.mean()) < 0.1


def test_unknown_kind_is_named() -> None:
    with pytest.raises(InputError, match="unknown likelihood 'shape'; known: diagonal"):
        measurement_likelihood("shape", toy_covariances(), 0.1)


@pytest.fixture
def tune(tmp_path: Path) -> Path:
    """Simulations and a measurement on disk, as the step takes them."""
    box, u = toy_prior(), np.random.default_rng(8).random((30, 4))
    theta = box.from_unit(u)
    throws = Simulations(box, toy_binning(), u, theta, toy_response().predict(theta, box.names), np.arange(30) % 3)
    write_simulations(tmp_path / "simulations.h5", throws, {})
    data = Measurement("toy", "toy", predictions(1)[0], toy_covariances(), NORM_REL, toy_binning(), True, "tests/toy.py")
    write_measurement(tmp_path / "measurement.h5", data, {})
    return tmp_path


SURROGATE = Surrogate(
    toy_prior().names,
    {n: (p.low, p.high) for n, p in zip(toy_prior().names, toy_prior().priors, strict=True)},
    np.zeros((1, 4), dtype=int),
    predictions(1),
    toy_binning().area_gev,
    dict(zip(toy_prior().names, toy_prior().from_unit(np.full((1, 4), 0.5))[0].tolist(), strict=True)),
    0.01,
    {key: np.ones(58) for key in ("rms", "largest", "mean")} | {"validation": np.ones((1, 58))},
    n_test=10,
    total=1.0,
    variance=np.zeros(58),
)


def step(tune: Path, surrogate: Surrogate, **settings: object) -> Likelihood:
    """Run the step with ``surrogate`` for the response and return the likelihood that it writes."""
    write_response(tune / "response.h5", surrogate, toy_binning(), {})
    settings = {"seed": 1, "tune": "t", "events": 5, "simulation_statistics": False, "likelihood": "full"} | settings
    paths = [tune / name for name in ("simulations.h5", "response.h5", "measurement.h5", "likelihood.h5", "held_out.h5")]
    write_likelihood_step(paths[0], paths[1], [paths[2]], *paths[3:], settings)
    return read_likelihood(paths[3])[0]


def test_a_negative_surrogate_has_no_statistics_of_events(tune: Path) -> None:
    bad = replace(SURROGATE, n_negative=3)
    with pytest.raises(InputError, match=r"response\.h5: .* is negative in 3 of 10 test throws.*raise max_degree"):
        step(tune, bad, mode="prediction", n_events=1000)
    assert not (tune / "likelihood.h5").exists()
    assert step(tune, SURROGATE, mode="prediction", n_events=1000).kind == "poisson"
    # The errors of data do not hang on it.
    assert step(tune, bad, mode="data").kind == "full"


def test_statistics_that_a_source_does_not_know_are_not_taken_for_zero(tune: Path) -> None:
    with pytest.raises(InputError, match=r"response\.h5: the source knows no statistics .*leave simulation_statistics out"):
        step(tune, SURROGATE, mode="data", simulation_statistics=True)
    plain = constant_covariance(step(tune, SURROGATE, mode="data"))
    np.testing.assert_allclose(plain, toy_covariances()["total"], rtol=1e-9)
    variance = 0.5 * np.diag(plain)
    both = constant_covariance(step(tune, replace(SURROGATE, variance=variance), mode="data", simulation_statistics=True))
    np.testing.assert_allclose(both - plain, np.diag(variance), rtol=0, atol=1e-9 * np.diag(plain).max())

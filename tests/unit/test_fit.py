import json

import numpy as np
import pytest
from scipy.optimize import minimize
from toy import NORM_REL, toy_covariances, toy_per_event, toy_prior, toy_response
from toy_linear import closed_form, linear_posterior

from nuinfer.errors import InputError
from nuinfer.tuning.exact import ExactPosterior
from nuinfer.tuning.fit import fit_maximum_likelihood, profiled_norm
from nuinfer.tuning.gauss_newton import residual_jacobian
from nuinfer.tuning.likelihood import (
    DiagonalLikelihood,
    Likelihood,
    NormShapeLikelihood,
    PoissonLikelihood,
    measurement_likelihood,
)
from nuinfer.tuning.priors import prior_box

KINDS = ("poisson", "diagonal", "full", "norm_shape")


def likelihood(kind: str) -> Likelihood:
    if kind == "poisson":
        return PoissonLikelihood(toy_per_event())
    return measurement_likelihood(kind, {k: 0.1 * v for k, v in toy_covariances().items()}, NORM_REL * np.sqrt(0.1))


def posterior(kind: str) -> ExactPosterior:
    return ExactPosterior(likelihood(kind), toy_response(), toy_prior())


def test_linear_fit_is_the_closed_form() -> None:
    linear = linear_posterior(3, 0.02)
    x = linear.predict_u(np.array([[0.3, 0.5, 0.6]]))[0] + 0.02 * np.random.default_rng(1).standard_normal(8)
    mean, covariance, _ = closed_form(linear, x)
    result = fit_maximum_likelihood(linear, x, minos=True)
    width = np.array([p.high - p.low for p in linear.prior_box.priors])
    sd = np.sqrt(np.diag(covariance))
    assert result.valid and not result.at_limit.any() and result.ndf == 5
    assert np.allclose(linear.prior_box.to_unit(result.theta), mean, atol=0.02 * sd.min())
    assert np.allclose(result.covariance, covariance * np.outer(width, width), rtol=0.01, atol=1e-8)
    assert np.allclose(result.minos, np.stack([-sd * width, sd * width], axis=1), rtol=0.02)
    assert np.allclose(np.diag(result.correlation), 1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_truth_is_found_and_batched_fit_agrees(kind: str) -> None:
    p = posterior(kind)
    rng = np.random.default_rng(3)
    u = np.array([[0.4, 0.5, 0.5, 0.6]])
    x = p.likelihood.sample(p.predict_u(u), rng)
    result = fit_maximum_likelihood(p, x[0])
    best = p.prior_box.to_unit(result.theta)
    sd = result.errors / np.array([q.high - q.low for q in p.prior_box.priors])
    assert result.valid and np.all(np.abs(best - u[0]) < 4 * sd)
    batched = p.fit(x)
    assert batched.converged.all()
    # norm_shape's determinant depends on the parameters: least chi-square and maximum likelihood differ a little.
    assert np.all(np.abs(batched.u[0] - best) < (0.25 if kind == "norm_shape" else 0.03) * sd)
    assert batched.chi2[0] <= result.chi2 + 1e-3
    json.dumps(result.to_dict(), allow_nan=False)


def test_parameter_at_its_limit_is_fixed_and_flagged() -> None:
    p = posterior("poisson")
    x = p.predict_u(np.array([[0.33, 0.33, 1.0, 0.85]]))[0]
    mu = p.response.predict(np.array([[1.1, 1.66, 1.05, 0.85]]), p.prior_box.names)[0]
    for observation in (x, mu):
        result = fit_maximum_likelihood(p, observation, minos=True)
        assert result.at_limit.tolist() == [False, False, True, False]
        assert result.theta[2] == 1.0 and result.errors[2] == 0.0 and np.all(result.errors[[0, 1, 3]] > 0)
        assert result.minos[2, 0] < 0 == result.minos[2, 1]
        assert p.fit(observation[None]).u[0, 2] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_batched_fit_against_scipy_one_at_a_time(kind: str) -> None:
    p = posterior(kind)
    rng = np.random.default_rng(4)
    u = rng.random((6, 4))
    u[0] = [1, 0, 1, 0]
    x = p.likelihood.sample(p.predict_u(u), rng)
    fitted = p.fit(x)
    for k in range(len(x)):
        slow = min(
            (
                minimize(
                    lambda v, k=k: float(p.likelihood.chi2(x[k], p.predict_u(v[None])[0])),
                    start,
                    method="L-BFGS-B",
                    bounds=[(0, 1)] * 4,
                    options={"ftol": 1e-12},
                )
                for start in (np.full(4, 0.5), np.clip(u[k], 0.01, 0.99))
            ),
            key=lambda r: r.fun,
        )
        assert fitted.chi2[k] <= slow.fun + 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_jacobian_against_central_differences(kind: str) -> None:
    p = posterior(kind)
    rng = np.random.default_rng(4)
    u = rng.uniform(0.1, 0.9, (3, 4))
    x = p.likelihood.sample(p.predict_u(u), rng)
    r, jacobian = residual_jacobian(p.likelihood, p.predict_u, x, u, 1e-4)
    assert np.allclose(r, p.likelihood.residual(x, p.predict_u(u)))
    for i in range(4):
        step = 1e-3 * np.eye(4)[i]
        slow = (
            p.likelihood.residual(x, p.predict_u(u + step)) - p.likelihood.residual(x, p.predict_u(u - step))
        ) / 2e-3
        assert np.allclose(jacobian[:, :, i], slow, rtol=0.02, atol=0.02 * np.abs(slow).max())


def test_chi2_of_many_fits_follows_its_law() -> None:
    p = posterior("full")
    u = np.random.default_rng(1).uniform(0.3, 0.7, (400, 4))
    x = p.likelihood.sample(p.predict_u(u), np.random.default_rng(2))
    chi2 = p.fit(x).chi2
    assert chi2.mean() == pytest.approx(54, abs=4 * np.sqrt(2 * 54 / 400))
    assert chi2.std() == pytest.approx(np.sqrt(2 * 54), rel=0.15)


def test_profiled_norm_minimises_the_explicit_sum() -> None:
    chosen = likelihood("norm_shape")
    assert isinstance(chosen, NormShapeLikelihood)
    p = posterior("norm_shape")
    mu = p.predict_u(np.full((1, 4), 0.5))[0]
    x = 1.04 * mu
    f = np.linspace(0.9, 1.1, 20_001)
    shape = chosen.cholesky @ chosen.cholesky.T
    residual = x - f[:, None] * mu
    total = np.einsum("fi,fi->f", residual, np.linalg.solve(shape, residual.T).T) + (f - 1) ** 2 / chosen.norm_rel**2
    norm, error = profiled_norm(chosen, x, mu)
    assert norm == pytest.approx(f[np.argmin(total)], abs=1e-5)
    assert total.min() == pytest.approx(float(chosen.chi2(x, mu)), rel=1e-6)
    assert np.interp(norm + error, f, total) - total.min() == pytest.approx(1.0, rel=0.01)
    assert profiled_norm(likelihood("full"), x, mu) == (None, None)


def test_bad_observation_is_refused() -> None:
    with pytest.raises(InputError, match="one row of finite numbers"):
        fit_maximum_likelihood(posterior("full"), np.full(58, np.nan))


class TwoWells:
    """Predicts zero in both bins at 0.93, and almost in the first one at 0.3 too."""

    def predict(self, theta: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
        v = np.asarray(theta)[:, 0]
        return np.stack([5.0 * (v - 0.93) * (v - 0.3), 0.1 * (0.93 - v)], axis=1)


def test_deeper_of_two_minima_is_kept() -> None:
    """The centre of the prior leads to the shallow one."""
    box = prior_box({"norm_ccmec": {"prior": "uniform", "low": 0.0, "high": 1.0}})
    posterior = ExactPosterior(DiagonalLikelihood(np.array([0.01, 0.01])), TwoWells(), box)
    result = fit_maximum_likelihood(posterior, np.zeros(2))
    assert result.theta[0] == pytest.approx(0.93, abs=1e-3)
    assert result.chi2 == pytest.approx(0.0, abs=1e-3)

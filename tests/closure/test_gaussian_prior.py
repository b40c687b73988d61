"""Splines, kernels and the marginal likelihood against scipy's Gaussian, finite differences and brute force."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import block_diag
from scipy.special import gamma, kv
from scipy.stats import multivariate_normal

from nuinfer.closure.gaussian_prior import BOUNDS, JITTER, Evidence, kernel, spline_basis
from nuinfer.closure.settings import KERNELS

THETA = np.log([1.3, 0.4, 0.3, 0.8, 0.25, 0.5, 2.0, 0.35, 0.2])


def matern52(r: np.ndarray) -> np.ndarray:
    """Equation 4.14 of Rasmussen and Williams for nu = 5/2: the general form with a Bessel function."""
    s = np.sqrt(5.0) * np.maximum(r, 1e-9)
    return 2 ** (1 - 2.5) / gamma(2.5) * s**2.5 * kv(2.5, s)


SLOW = {"matern52": matern52, "squared_exponential": lambda r: np.exp(-0.5 * r**2)}


def slow_covariance(name: str, theta: np.ndarray, x: np.ndarray, q2: np.ndarray) -> np.ndarray:
    """K ``(3 n, 3 n)``, entry by entry; the nugget is each axis's own."""
    blocks = []
    for a in range(3):
        amplitude, *lengths = np.exp(theta[3 * a : 3 * a + 3])
        kx, kq = (
            SLOW[name](np.abs(c[:, None] - c) / length) + JITTER * np.eye(c.size)
            for c, length in zip((x, q2), lengths, strict=True)
        )
        block = np.empty((x.size * q2.size,) * 2)
        for i in range(block.shape[0]):
            for j in range(block.shape[0]):
                (ix, iq), (jx, jq) = divmod(i, q2.size), divmod(j, q2.size)
                block[i, j] = amplitude**2 * kx[ix, jx] * kq[iq, jq]
        blocks.append(block)
    return block_diag(*blocks)


@pytest.fixture(params=KERNELS)
def small(request, rng):
    """Evidence of 30 data with 3 x (4 x 5) coefficients, and D, V, y behind it."""
    x, q2 = spline_basis(9, 4), spline_basis(7, 5)
    d = rng.normal(size=(30, 60))
    variance = rng.uniform(0.5, 2.0, 30)
    y = rng.normal(size=30) * 4.0
    return Evidence(d.T @ (d / variance[:, None]), d.T @ (y / variance), x, q2, request.param), d, variance, y


@pytest.mark.parametrize(("n_nodes", "n"), [(24, 4), (24, 5), (48, 18), (10, 12)])
def test_splines_are_a_partition_of_unity_that_holds_straight_lines(n_nodes, n):
    basis = spline_basis(n_nodes, n)
    assert basis.values.shape == (n_nodes, n)
    assert np.all(basis.values >= 0)
    np.testing.assert_allclose(basis.values.sum(axis=1), 1.0, rtol=1e-14)
    np.testing.assert_allclose(basis.values @ basis.centres, np.linspace(0.0, 1.0, n_nodes), atol=1e-14)
    assert basis.centres[0] == 0.0 and basis.centres[-1] == 1.0 and np.all(np.diff(basis.centres) > 0)


def test_splines_hold_cubics():
    t = np.linspace(0.0, 1.0, 40)
    values = spline_basis(40, 7).values
    for power in range(4):
        assert np.linalg.norm(values @ np.linalg.lstsq(values, t**power, rcond=None)[0] - t**power) < 1e-12
    assert np.linalg.norm(values @ np.linalg.lstsq(values, t**4, rcond=None)[0] - t**4) > 1e-5


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_and_their_derivatives(name):
    distance, length, step = np.linspace(-1.0, 1.0, 41), 0.3, 1e-5
    k, dk = kernel(name, distance, length)
    np.testing.assert_allclose(k, SLOW[name](np.abs(distance) / length), rtol=1e-7)
    up, down = (kernel(name, distance, length * np.exp(h))[0] for h in (step, -step))
    np.testing.assert_allclose(dk, (up - down) / (2 * step), atol=1e-9)


@pytest.mark.parametrize("name", KERNELS)
def test_covariances_are_positive_definite_at_every_length(name):
    centres = spline_basis(48, 18).centres
    for length in (*BOUNDS["length_x"], *BOUNDS["length_q2"], 0.2):
        k, _ = kernel(name, centres[:, None] - centres, length)
        assert np.linalg.eigvalsh(k + JITTER * np.eye(18)).min() > 0.5 * JITTER
        assert np.allclose(np.diag(k), 1.0) and np.allclose(k, k.T)


def test_evidence_is_the_density_of_the_data(small):
    """Differences between hyperparameters: constants of the data are left out."""
    evidence, d, variance, y = small

    def slow(theta: np.ndarray, nugget: float = 0.0) -> float:
        k = slow_covariance(evidence.kernel, theta, evidence.x.centres, evidence.q2.centres)
        return multivariate_normal(cov=d @ k @ d.T + np.diag(variance + nugget)).logpdf(y)

    for index in range(9):
        moved = THETA.copy()
        moved[index] += 0.2 * (-1) ** index
        found = evidence.value_and_gradient(moved)[0] - evidence.value_and_gradient(THETA)[0]
        assert found == pytest.approx(slow(moved) - slow(THETA), abs=1e-6)
        # Other noise is another evidence: the control.
        assert abs(found - slow(moved, 5.0) + slow(THETA, 5.0)) > 1e-4


def test_gradient_against_differences(small):
    evidence = small[0]
    gradient = evidence.value_and_gradient(THETA)[1]
    for index in range(9):
        ends = []
        for step in (1e-5, -1e-5):
            moved = THETA.copy()
            moved[index] += step
            ends.append(evidence.value_and_gradient(moved)[0])
        assert gradient[index] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-5)


def test_posterior_by_brute_force(small):
    """Conditioning of the joint Gaussian of coefficients and data, in the space of the data."""
    evidence, d, variance, y = small
    k = slow_covariance(evidence.kernel, THETA, evidence.x.centres, evidence.q2.centres)
    gain = k @ d.T @ np.linalg.inv(d @ k @ d.T + np.diag(variance))
    posterior = evidence.posterior(THETA)
    np.testing.assert_allclose(posterior.mean, gain @ y, atol=1e-6 * np.abs(posterior.mean).max())
    covariance = k - gain @ d @ k
    found = posterior.factor.T @ posterior.factor
    np.testing.assert_allclose(found, covariance, atol=1e-6 * np.abs(covariance).max())
    assert np.abs(posterior.factor @ posterior.factor.T - covariance).max() > 1e-2 * np.abs(covariance).max()
    assert posterior.log_evidence == pytest.approx(evidence.value_and_gradient(THETA)[0], rel=1e-12)


def test_the_arguments_are_left_alone(small):
    evidence = small[0]
    h, b, theta = evidence.h.copy(), evidence.b.copy(), THETA.copy()
    evidence.posterior(THETA)
    evidence.value_and_gradient(THETA)
    evidence.maximise(THETA, 3)
    assert np.array_equal(evidence.h, h) and np.array_equal(evidence.b, b) and np.array_equal(THETA, theta)


def test_maximum_is_stationary_or_on_a_bound(small):
    evidence = small[0]
    found = evidence.maximise(THETA, 200)
    low, high = np.log(np.array([BOUNDS[n] for _ in range(3) for n in ("amplitude", "length_x", "length_q2")])).T
    assert np.all(found >= low - 1e-12) and np.all(found <= high + 1e-12)
    value, gradient = evidence.value_and_gradient(found)
    assert value > evidence.value_and_gradient(THETA)[0]
    pushed = np.where(np.isclose(found, low), gradient > 0, np.where(np.isclose(found, high), gradient < 0, True))
    assert np.all(np.abs(gradient[pushed]) < 0.05)


@pytest.mark.parametrize(("size", "bound"), [(1e-4, 0), (1e6, 1)])
def test_bounds_hold_where_the_data_ask_for_more(small, size, bound):
    evidence = small[0]
    found = np.exp(replace(evidence, b=evidence.b * size).maximise(THETA, 100))
    for first, (name, (low, high)) in enumerate(BOUNDS.items()):
        assert np.all((found[first::3] >= low * (1 - 1e-9)) & (found[first::3] <= high * (1 + 1e-9))), name
    assert np.any(np.isclose(found[0::3], BOUNDS["amplitude"][bound]))

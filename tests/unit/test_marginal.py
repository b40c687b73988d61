"""The marginal likelihood: integrals over nuisances by brute force, the exact model, posteriors, rounding, wrong input."""

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import logsumexp

from nuinfer.errors import InputError
from nuinfer.oscillation.marginal import BLOCK, Marginal
from nuinfer.oscillation.optimum import octant_optima
from nuinfer.oscillation.plane import FitRange, Plane

PLANE = Plane(FitRange((0.3, 0.7), (2.4e-3, 2.6e-3)), 9, 8)
ROWS, EVENTS = 120, 6200
X = np.linspace(0.0, 1.0, ROWS)
SIN2, DM31 = (a.ravel()[:, None] for a in np.meshgrid(*PLANE.axes, indexing="ij"))
NODE = 30
"""The node that samples are drawn at."""


@pytest.fixture(scope="module")
def density() -> np.ndarray:
    """Contents ``(n_nodes, ROWS)``: a dip that moves with dm31 and deepens with sin2."""
    dip = np.exp(-0.5 * ((X - 0.4 - 400.0 * (DM31 - 2.5e-3)) / 0.15) ** 2)
    density = (1.2 - 1.4 * SIN2 * dip) * np.exp(-X)
    return density / density.sum(axis=1, keepdims=True)


def response_of(m: int, size: float = 0.04) -> np.ndarray:
    """Smooth responses ``(m, n_nodes, ROWS)`` of a few per cent, not centred, that depend on the point."""
    waves = [np.sin((5.0 + 3.0 * k) * X + 0.5 * k + SIN2) + 0.3 + 200.0 * (DM31 - 2.5e-3) for k in range(m)]
    return size * np.reshape(waves, (m, PLANE.n_nodes, ROWS))


def sample(density: np.ndarray, response: np.ndarray, nuisance: np.ndarray, n: int = 1, seed: int = 1) -> np.ndarray:
    """Counts ``(n, ROWS)`` of the exact model at :data:`NODE`."""
    share = density[NODE] * (1.0 + np.tensordot(nuisance, response[:, NODE], axes=1))
    return np.random.default_rng(seed).multinomial(EVENTS, share / share.sum(), n).astype(float)


def prior_points(m: int) -> tuple[np.ndarray, np.ndarray]:
    """Points ``(k, m)`` and log weights ``(k,)`` of the standard normal's integral: a dense Gauss-Hermite lattice."""
    nodes, weights = hermegauss(120)
    keep = weights > 1e-250
    nodes, log_weights = nodes[keep], np.log(weights[keep] / np.sqrt(2.0 * np.pi))
    lattice = np.stack(np.meshgrid(*m * [nodes], indexing="ij"), axis=-1).reshape(-1, m)
    return lattice, sum(np.meshgrid(*m * [log_weights], indexing="ij")).ravel()


@pytest.mark.parametrize("m", [1, 2])
@pytest.mark.parametrize("seed", [1, 2])
def test_linearised_model_is_integrated_exactly(m: int, seed: int, density: np.ndarray) -> None:
    """ln P_0 + J nu less the norm to second order, every sum written out."""
    response = response_of(m)
    counts = sample(density, response, np.array([0.8, -1.1])[:m], seed=seed)[0]
    found = Marginal.of(PLANE, response, density).log_likelihood(counts, np.log(density))
    nu, log_weight = prior_points(m)
    for node in range(0, PLANE.n_nodes, 7):
        p, j = density[node], response[:, node]
        j = j - (j @ p)[:, None]
        norm = sum(p[n] * np.outer(j[:, n], j[:, n]) for n in range(ROWS))
        exponent = nu @ j @ counts - 0.5 * EVENTS * np.einsum("ki,ij,kj->k", nu, norm, nu)
        slow = counts @ np.log(p) + logsumexp(exponent + log_weight)
        assert found[node] == pytest.approx(slow, abs=2e-3)


def exact_bilinear(counts: np.ndarray, density: np.ndarray, response: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """ln of the integral over nuisances of the likelihood of P_0 (1 + J nu), normalised, at ``nodes``."""
    m = len(response)
    grid = np.stack(np.meshgrid(*m * [np.linspace(-4.5, 4.5, 241 if m == 1 else 91)], indexing="ij"), axis=-1).reshape(-1, m)
    step = 9.0 / (240 if m == 1 else 90)
    values = []
    for node in nodes:
        factor = 1.0 + grid @ response[:, node]
        share = density[node] * factor
        loglike = np.log(share / share.sum(axis=1, keepdims=True)) @ counts
        prior = -0.5 * (grid**2).sum(axis=1) - 0.5 * m * np.log(2.0 * np.pi)
        values.append(logsumexp(loglike + prior) + m * np.log(step))
    return np.array(values)


@pytest.mark.parametrize("m", [1, 2])
def test_exact_model_is_within_hundredths(m: int, density: np.ndarray) -> None:
    """Differences of ln L between points that data hardly tell apart; without nuisances they are off by far more."""
    response = response_of(m, 0.01)
    table, marginal = np.log(density), Marginal.of(PLANE, response, density)
    worst, plain = [], []
    for seed in range(4):
        counts = sample(density, response, np.array([1.2, -0.7])[:m], seed=seed)[0]
        found = marginal.log_likelihood(counts, table)
        nodes = np.flatnonzero(found > found.max() - 6.0)
        assert nodes.size > 2
        slow, without = exact_bilinear(counts, density, response, nodes), counts @ table[nodes].T
        worst.append(np.ptp(found[nodes] - slow))
        plain.append(np.ptp(without - slow))
    assert max(worst) < 0.06 and max(plain) > 15 * max(worst), (worst, plain)


def test_coverage_of_nuisances_and_shape_of_the_maximum(density: np.ndarray) -> None:
    """Best fits over samples that have nuisances of their own: chi-square about the truth is right, of the plain one not."""
    response = response_of(2)
    rng = np.random.default_rng(4)
    counts = np.concatenate([sample(density, response, rng.standard_normal(2), seed=100 + i) for i in range(300)])
    marginal, table = Marginal.of(PLANE, response, density), np.log(density)
    means = {}
    for name, values in (("marginal", marginal.log_likelihood(counts, table)), ("plain", counts @ table.T)):
        highest = octant_optima(PLANE.coefficients(values - values.mean(axis=1, keepdims=True)), PLANE).best.loglike
        means[name] = np.mean(2.0 * (highest - (values[:, NODE] - values.mean(axis=1))))
    # Two parameters: a mean of two, and about a tenth for its error.
    assert abs(means["marginal"] - 2.0) < 0.45 and means["plain"] > 6.0, means


def test_no_nuisances_are_the_plain_likelihood(density: np.ndarray) -> None:
    counts = sample(density, response_of(1), np.zeros(1), 3)
    marginal = Marginal.of(PLANE, response_of(0), density)
    np.testing.assert_array_equal(marginal.log_likelihood(counts, np.log(density)), counts @ np.log(density).T)
    pulls = marginal.pulls(counts, 0.47, 2.5e-3)
    assert pulls.mean.shape == (3, 0) and pulls.covariance.shape == (3, 0, 0)


def test_a_constant_response_and_the_prior_alone_change_nothing(density: np.ndarray) -> None:
    """A factor on all bins is no shape; without events the nuisances' integral is one."""
    table = np.log(density)
    marginal = Marginal.of(PLANE, np.full((1, *density.shape), 0.3), density)
    counts = sample(density, response_of(1), np.zeros(1))
    np.testing.assert_allclose(marginal.log_likelihood(counts, table), counts @ table.T, rtol=0, atol=1e-3)
    empty = Marginal.of(PLANE, response_of(2), density)
    np.testing.assert_array_equal(empty.log_likelihood(np.zeros(ROWS), table), 0.0)
    pulls = empty.pulls(np.zeros(ROWS), 0.47, 2.5e-3)
    assert not pulls.mean.any()
    np.testing.assert_allclose(pulls.covariance, np.eye(2), rtol=0, atol=1e-12)


def test_many_samples_of_any_shape_and_number_of_events(density: np.ndarray) -> None:
    """One call is sample by sample and node by node with a solver, to rounding of single precision."""
    response = response_of(3)
    counts = np.concatenate([sample(density, response, np.array([0.5, 0.0, -1.0]), BLOCK + 3)])
    counts[1] *= 2.0
    counts[2] = sample(density, response, np.zeros(3), seed=8)[0] / 3.0
    table = np.log(density)
    marginal = Marginal.of(PLANE, response, density)
    found = marginal.log_likelihood(counts, table)
    assert marginal.response.dtype == np.float32 and found.shape == (BLOCK + 3, PLANE.n_nodes)
    np.testing.assert_allclose(
        marginal.log_likelihood(counts[:6].reshape(2, 3, ROWS), table), found[:6].reshape(2, 3, -1), rtol=1e-7, atol=1e-3
    )
    for i in (0, 1, 2, BLOCK, BLOCK + 2):
        events = counts[i].sum()
        for node in (0, NODE, 71):
            j = response[:, node] - (response[:, node] @ density[node])[:, None]
            g, stiffness = j @ counts[i], np.eye(3) + events * (j * density[node]) @ j.T
            slow = counts[i] @ table[node] + 0.5 * g @ np.linalg.solve(stiffness, g) - 0.5 * np.linalg.slogdet(stiffness)[1]
            assert found[i, node] == pytest.approx(slow, abs=5e-3)
    # At the node of the samples, where likelihoods matter, single precision is hardly felt.
    j = np.asarray(marginal.response[:, NODE], float)
    g, stiffness = counts[3:] @ j.T, np.eye(3) + EVENTS * marginal.information[NODE]
    slow = counts[3:] @ table[NODE] + 0.5 * ((g @ np.linalg.inv(stiffness)) * g).sum(axis=1)
    np.testing.assert_allclose(found[3:, NODE], slow - 0.5 * np.linalg.slogdet(stiffness)[1], rtol=0, atol=3e-4)


@pytest.mark.parametrize("nuisance", [(0.0, 0.0), (1.5, -1.0)])
def test_pulls_are_the_posteriors_moments(nuisance: tuple[float, float], density: np.ndarray) -> None:
    response = response_of(2)
    sin2, dm31 = float(SIN2[NODE, 0]), float(DM31[NODE, 0])
    counts = sample(density, response, np.array(nuisance), 200, seed=3)
    pulls = Marginal.of(PLANE, response, density).pulls(counts, sin2, dm31)
    nu, log_weight = prior_points(2)
    j = response[:, NODE] - (response[:, NODE] @ density[NODE])[:, None]
    information = (j * density[NODE]) @ j.T
    log_posterior = nu @ j @ counts[0] - 0.5 * EVENTS * np.einsum("ki,ij,kj->k", nu, information, nu) + log_weight
    weight = np.exp(log_posterior - logsumexp(log_posterior))
    mean = weight @ nu
    np.testing.assert_allclose(pulls.mean[0], mean, rtol=0, atol=1e-4)
    np.testing.assert_allclose(pulls.covariance[0], (nu - mean).T @ ((nu - mean) * weight[:, None]), rtol=0, atol=1e-4)
    # Over samples the mean is the true amplitude, drawn to zero as far as data do not know it.
    known = np.eye(2) - pulls.covariance[0]
    spread = pulls.mean.std(axis=0) / np.sqrt(200)
    assert np.all(np.abs(pulls.mean.mean(axis=0) - known @ nuisance) < 4 * spread + 0.03)
    assert np.all(np.linalg.eigvalsh(known) > 0.01)


def test_pulls_between_the_nodes_follow_the_response(density: np.ndarray) -> None:
    """At a point that is no node, against the response computed there."""
    sin2, dm31 = 0.463, 2.507e-3
    dip = np.exp(-0.5 * ((X - 0.4 - 400.0 * (dm31 - 2.5e-3)) / 0.15) ** 2)
    p = (1.2 - 1.4 * sin2 * dip) * np.exp(-X)
    p /= p.sum()
    j = 0.04 * np.stack([np.sin((5.0 + 3.0 * k) * X + 0.5 * k + sin2) + 0.3 for k in range(2)])
    j = j - (j @ p)[:, None]
    counts = sample(density, response_of(2), np.array([1.0, 1.0]))[0]
    covariance = np.linalg.inv(np.eye(2) + EVENTS * (j * p) @ j.T)
    pulls = Marginal.of(PLANE, response_of(2), density).pulls(counts, sin2, dm31)
    np.testing.assert_allclose(pulls.covariance, covariance, rtol=0, atol=1e-3)
    np.testing.assert_allclose(pulls.mean, covariance @ j @ counts, rtol=0, atol=5e-3)


def test_contents_of_another_table_are_centred_on_themselves(density: np.ndarray) -> None:
    """Of a table with other contents than J was centred with: as if it had been centred with these from the start."""
    response = response_of(2)
    other = density * np.exp(0.03 * np.cos(9.0 * X))
    other /= other.sum(axis=1, keepdims=True)
    counts, table = sample(other, response, np.array([0.8, -1.1]), 3), np.log(other)
    marginal = Marginal.of(PLANE, response, density)
    found = marginal.log_likelihood(counts, table, other)
    slow = Marginal.of(PLANE, response, other).log_likelihood(counts, table)
    # What is left is the information, of the contents that J was centred with.
    near_top = slow > slow.max() - 6.0
    np.testing.assert_allclose(found[near_top], slow[near_top], atol=0.3)
    assert np.abs(marginal.log_likelihood(counts, table)[near_top] - slow[near_top]).max() > 1.0
    same = marginal.log_likelihood(counts, np.log(density))
    np.testing.assert_allclose(marginal.log_likelihood(counts, np.log(density), density), same, atol=2e-3)
    with pytest.raises(InputError, match="contents"):
        marginal.log_likelihood(counts, table, other[:-1])


def test_wrong_input_is_refused(density: np.ndarray) -> None:
    response = response_of(2)
    marginal = Marginal.of(PLANE, response, density)
    with pytest.raises(InputError, match=r"response \(2, 72, 119\) and density \(72, 120\) need"):
        Marginal.of(PLANE, response[..., 1:], density)
    with pytest.raises(InputError, match="with 72 nodes"):
        Marginal.of(PLANE, response[:, 1:], density[1:])
    with pytest.raises(InputError, match="contents must add up to one at every node"):
        Marginal.of(PLANE, response[..., 1:], density[:, 1:])
    with pytest.raises(InputError, match="the response is not finite"):
        Marginal.of(PLANE, np.where(response > response.max() - 1e-12, np.nan, response), density)
    with pytest.raises(InputError, match=r"counts \(3, 119\) need one number for each of 120 bins"):
        marginal.log_likelihood(np.ones((3, 119)), np.log(density))
    with pytest.raises(InputError, match=r"log contents \(71, 120\) need shape \(72, 120\)"):
        marginal.log_likelihood(np.ones((3, 120)), np.log(density)[1:])

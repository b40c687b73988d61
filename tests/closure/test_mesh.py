"""The mesh: exact for cubics in the logarithms, held at its borders, weights that sum to one; where nodes are placed."""

import numpy as np
import pytest

from nuinfer.closure.mesh import Mesh, refined_nodes
from nuinfer.errors import InputError

MESH = Mesh(np.geomspace(0.01, 1.0, 9) ** 1.1, np.geomspace(0.05, 8.0, 7))


def inside(rng: np.random.Generator, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    def draw(nodes: np.ndarray) -> np.ndarray:
        return np.exp(rng.uniform(np.log(nodes[0]), np.log(nodes[-1]), n))

    return draw(MESH.x), draw(MESH.q2_gev2)


def polynomial(powers: np.ndarray, x: np.ndarray, q2: np.ndarray) -> np.ndarray:
    return np.polynomial.polynomial.polyval2d(np.log(x), np.log(q2), powers)


def test_cubics_in_the_logarithms_are_exact(rng: np.random.Generator) -> None:
    powers = rng.normal(size=(4, 4))
    x, q2 = inside(rng)
    expected = polynomial(powers, x, q2)
    assert np.allclose(MESH.interpolate(polynomial(powers, *MESH.points), x, q2), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("quartic", [(4, 0), (0, 4)])
def test_quartics_are_not(quartic: tuple[int, int], rng: np.random.Generator) -> None:
    powers = np.zeros((5, 5))
    powers[quartic] = 1.0
    x, q2 = inside(rng)
    assert np.max(np.abs(MESH.interpolate(polynomial(powers, *MESH.points), x, q2) - polynomial(powers, x, q2))) > 1e-3


def test_against_a_polynomial_fitted_through_the_nodes_around(rng: np.random.Generator) -> None:
    values = rng.normal(size=MESH.n_nodes)
    table = values.reshape(MESH.shape)

    def one_axis(nodes: np.ndarray, rows: np.ndarray, at: float) -> np.ndarray:
        left = max(i for i in range(nodes.size) if nodes[i] <= at)
        first = min(max(left - 1, 0), nodes.size - 4)
        four = slice(first, first + 4)
        fit = np.polynomial.polynomial.polyfit(np.log(nodes[four]), rows[four], 3)
        return np.polynomial.polynomial.polyval(np.log(at), fit)

    x, q2 = inside(rng, 40)
    slow = [one_axis(MESH.q2_gev2, one_axis(MESH.x, table, a), b) for a, b in zip(x, q2, strict=True)]
    assert np.allclose(MESH.interpolate(values, x, q2), slow, rtol=0, atol=1e-10)


def test_nodes_give_their_own_values_and_numbers(rng: np.random.Generator) -> None:
    values = rng.normal(size=(2, 3, MESH.n_nodes))
    assert np.allclose(MESH.interpolate(values, *MESH.points), values, rtol=0, atol=1e-12)
    x, q2 = MESH.points
    assert (x[2 * 7 + 5], q2[2 * 7 + 5]) == (MESH.x[2], MESH.q2_gev2[5])
    assert MESH.n_nodes == 63


def test_weights_sum_to_one_and_nodes_surround(rng: np.random.Generator) -> None:
    x, q2 = inside(rng)
    nodes, weights = MESH.weights(x, q2)
    assert nodes.shape == weights.shape == (16, x.size)
    assert np.allclose(weights.sum(axis=0), 1.0, rtol=0, atol=1e-12)
    assert np.all((nodes >= 0) & (nodes < MESH.n_nodes))
    assert np.all(np.diff(np.sort(nodes, axis=0), axis=0) > 0)
    i = nodes // MESH.q2_gev2.size
    assert np.all((MESH.x[i.min(axis=0)] <= x) & (x <= MESH.x[i.max(axis=0)]))


def test_borders_hold_outside() -> None:
    values = np.arange(MESH.n_nodes, dtype=float) ** 2
    x, q2 = np.array([1e-6, 0.1, 5.0, 0.1]), np.array([1.0, 1e-9, 1.0, 1e3])
    held = np.clip(x, MESH.x[0], MESH.x[-1]), np.clip(q2, MESH.q2_gev2[0], MESH.q2_gev2[-1])
    assert np.allclose(MESH.interpolate(values, x, q2), MESH.interpolate(values, *held), rtol=1e-12)


@pytest.mark.parametrize("nodes", [[0.1, 0.2, 1.0], [0.0, 0.1, 0.2, 1.0], [0.1, 0.3, 0.2, 1.0], [0.1, np.nan, 0.2, 1.0]])
def test_bad_nodes_are_refused(nodes: list) -> None:
    fine = np.geomspace(0.1, 1.0, 4)
    for axes, name in (((nodes, fine), "nodes of x"), ((fine, nodes), "nodes of q2_gev2")):
        with pytest.raises(InputError, match=name):
            Mesh(*(np.array(a) for a in axes))


def test_refined_nodes(rng: np.random.Generator) -> None:
    at = np.exp(rng.normal(np.log(0.3), 0.2, 5000))
    nodes = refined_nodes(0.01, 1.0, 33, at, np.ones(at.size))
    assert nodes.size == 33
    assert (nodes[0], nodes[-1]) == (0.01, 1.0)
    assert np.all(np.diff(nodes) > 0)
    steps = np.diff(np.log(nodes))
    assert steps[np.searchsorted(nodes, 0.3) - 1] < 0.5 * steps[0]


def test_refined_nodes_without_refinement_are_even() -> None:
    nodes = refined_nodes(0.01, 1.0, 21, np.array([0.3]), np.ones(1), share=0.0)
    assert np.allclose(nodes, np.geomspace(0.01, 1.0, 21), rtol=1e-10)


@pytest.mark.parametrize("weight", [[0.0, 0.0], [1.0, -1.0], [1.0, np.nan]])
def test_weights_without_a_density_are_refused(weight: list) -> None:
    with pytest.raises(InputError, match="weights"):
        refined_nodes(0.01, 1.0, 8, np.array([0.1, 0.2]), np.array(weight))

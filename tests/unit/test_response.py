"""The response: features against a slow twin, storage, errors."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from nuinfer.errors import InputError
from nuinfer.tuning.parameters import PARAMETERS
from nuinfer.tuning.response import Block, Response, chebyshev_features, chebyshev_nodes

NAMES = ("ma_ccqe_gev", "norm_ccmec", "shape_ccmec", "rpa_strength")
FACTORS = (
    ("qe", (("rpa_strength", "complement"),), 5),
    ("qe", (("rpa_strength", "linear"),), 5),
    ("mec", (("norm_ccmec", "linear"), ("shape_ccmec", "complement")), 1),
    ("mec", (("norm_ccmec", "linear"), ("shape_ccmec", "linear")), 1),
    ("res", (), 1),
)


@pytest.fixture
def response(rng: np.random.Generator) -> Response:
    blocks = tuple(Block(c, f, rng.normal(size=(k, 7))) for c, f, k in FACTORS)
    return Response(blocks, {"ma_ccqe_gev": (0.9, 1.5)}, 1e-6, rng.uniform(0.1, 1, 7), 0.4)


def slow_prediction(response: Response, theta: np.ndarray) -> np.ndarray:
    """One throw and one bin at a time, with numpy's own Chebyshev series."""
    low, high = response.ranges["ma_ccqe_gev"]
    found = np.zeros((len(theta), response.n_bin))
    for i, row in enumerate(theta):
        value = dict(zip(NAMES, row, strict=True))
        x = (2 * value["ma_ccqe_gev"] - low - high) / (high - low)
        for block in response.blocks:
            factor = 1.0
            for name, kind in block.factors:
                factor *= value[name] if kind == "linear" else 1 - value[name]
            for b in range(response.n_bin):
                found[i, b] += factor * np.polynomial.chebyshev.chebval(x, block.coefficients[:, b])
    return found


def throws(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.uniform([0.92, 0.5, 0, 0], [1.45, 3, 1, 1], (n, 4))


def test_matrix_product_is_the_sum_over_terms(response: Response, rng: np.random.Generator) -> None:
    theta = throws(rng, 20)
    np.testing.assert_allclose(response.predict(theta, NAMES), slow_prediction(response, theta), rtol=1e-12, atol=1e-13)


def test_components_add_up(response: Response, rng: np.random.Generator) -> None:
    theta = throws(rng, 5)
    parts = response.components(theta, NAMES)
    assert set(parts) == {"qe", "mec", "res"}
    np.testing.assert_allclose(sum(parts.values()), response.predict(theta, NAMES), rtol=1e-12)


def test_order_of_names_is_free_and_others_keep_their_defaults(response: Response, rng: np.random.Generator) -> None:
    theta = throws(rng, 6)
    order = [2, 0, 3, 1]
    shuffled = response.predict(theta[:, order], tuple(NAMES[i] for i in order))
    np.testing.assert_allclose(shuffled, response.predict(theta, NAMES), rtol=1e-12)
    alone = response.predict(theta[:, :1], NAMES[:1])
    full = np.column_stack([theta[:, 0], *(np.full(6, PARAMETERS[n].default) for n in NAMES[1:])])
    np.testing.assert_allclose(alone, response.predict(full, NAMES), rtol=1e-12)
    np.testing.assert_allclose(response.default_prediction(), response.predict(np.empty((1, 0)), ())[0])


def test_survives_hdf5(response: Response, rng: np.random.Generator, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "response.h5", "w") as file:
        for name, array in response.to_arrays().items():
            file[name] = array
    with h5py.File(tmp_path / "response.h5") as file:
        again = Response.from_arrays({name: file[name][()] for name in file})
    theta = throws(rng, 4)
    np.testing.assert_array_equal(again.predict(theta, NAMES), response.predict(theta, NAMES))
    assert (again.total, again.interpolation_error, again.names) == (0.4, 1e-6, NAMES)


def test_stored_response_that_does_not_fit_is_refused(response: Response) -> None:
    arrays = response.to_arrays()
    with pytest.raises(InputError, match="coefficients_3"):
        Response.from_arrays({k: v for k, v in arrays.items() if k != "coefficients_3"})
    with pytest.raises(InputError, match="do not fit"):
        Response.from_arrays(arrays | {"area_gev": np.ones(5)})


def test_selection_of_bins(response: Response, rng: np.random.Generator) -> None:
    theta, keep = throws(rng, 3), np.array([True, False, True, True, False, False, True])
    np.testing.assert_allclose(response.select(keep).predict(theta, NAMES), response.predict(theta, NAMES)[:, keep])


def test_per_event_is_the_total_shared_out(response: Response) -> None:
    np.testing.assert_allclose(response.per_event(200) * response.area_gev, 0.4 / 200)
    with pytest.raises(InputError, match="at least 1"):
        response.per_event(0)


@pytest.mark.parametrize(
    ("theta", "names", "message"),
    [
        (np.ones((2, 1)), ("MaCCQE",), "does not depend on MaCCQE"),
        (np.ones((2, 3)), NAMES, r"shape \(n, 4\)"),
        (np.full((2, 1), np.nan), ("norm_ccmec",), "not finite"),
        (np.full((2, 1), 1.6), ("ma_ccqe_gev",), "leaves the generator's table"),
    ],
)
def test_bad_throws_say_what_is_wrong(response: Response, theta: np.ndarray, names: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        response.predict(theta, names)


def test_interpolation_is_exact_for_polynomials() -> None:
    limits, order = (0.9, 1.5), 4
    nodes = chebyshev_nodes(limits, order)
    coefficients = np.linalg.solve(chebyshev_features(nodes, limits, order), nodes**3 - 2 * nodes)
    ma = np.linspace(0.9, 1.5, 11)
    np.testing.assert_allclose(chebyshev_features(ma, limits, order) @ coefficients, ma**3 - 2 * ma, atol=1e-12)

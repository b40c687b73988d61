"""The fitted response: against its slow twin, on predictions that it must and must not reproduce, and storage."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from toy import toy_binning, toy_prior, toy_response

from nuinfer.errors import InputError
from nuinfer.io.simulations import Simulations
from nuinfer.physics.binning import Binning
from nuinfer.tuning.parameters import PARAMETERS
from nuinfer.tuning.priors import PriorBox, prior_box
from nuinfer.tuning.response import Block, Response
from nuinfer.tuning.surrogate import Surrogate, exponents_up_to
from nuinfer.tuning.surrogate_fit import OUTER, edge_error, fit_surrogate

BINNING = Binning([0.0, 0.0, 0.5], [0.5, 0.5, 1.0], [0.0, 0.5, 0.0], [0.5, 1.0, 1.0])


def simulated(box: PriorBox, u: np.ndarray, prediction: np.ndarray, binning: Binning) -> Simulations:
    """Throws with a fifth each in validation and test."""
    split = np.tile([0, 1, 0, 2, 0], len(u) // 5)
    return Simulations(box, binning, u, box.from_unit(u), prediction, split)


def toy_simulations(rng: np.random.Generator, n: int, noise_rel: float = 0.0) -> Simulations:
    box, u = toy_prior(), rng.random((n, 4))
    prediction = toy_response().predict(box.from_unit(u), box.names)
    return simulated(box, u, prediction * (1.0 + noise_rel * rng.normal(size=prediction.shape)), toy_binning())


def slow_prediction(surrogate: Surrogate, theta: np.ndarray) -> np.ndarray:
    """One throw and one term at a time, with numpy's own Chebyshev series."""
    found = np.zeros((len(theta), surrogate.n_bin))
    for i, row in enumerate(theta):
        for exponents, coefficients in zip(surrogate.exponents, surrogate.coefficients, strict=True):
            term = 1.0
            for name, value, k in zip(surrogate.names, row, exponents, strict=True):
                low, high = surrogate.ranges[name]
                x = (2.0 * value - low - high) / (high - low)
                term *= np.polynomial.chebyshev.chebval(x, np.eye(k + 1)[k])
            found[i] += term * coefficients
    return found


@pytest.fixture
def surrogate(rng: np.random.Generator) -> Surrogate:
    exponents = exponents_up_to(4, 3)
    box = toy_prior()
    ranges = {n: (p.low, p.high) for n, p in zip(box.names, box.priors, strict=True)}
    defaults = {n: float(np.clip(PARAMETERS[n].default, *ranges[n])) for n in box.names}
    errors = {"rms": rng.random(5), "validation": rng.random((4, 5))}
    coefficients = rng.normal(size=(len(exponents), 5))
    return Surrogate(
        box.names, ranges, exponents, coefficients, rng.random(5), defaults, 0.01, errors, 1, 9, 0.4, rng.random(5)
    )


def test_exponents_are_all_of_the_degree_once() -> None:
    exponents = exponents_up_to(4, 6)
    assert exponents.shape == (210, 4) and len(exponents_up_to(4, 8)) == 495
    assert len(np.unique(exponents, axis=0)) == 210
    assert (np.diff(exponents.sum(axis=1)) >= 0).all() and exponents.sum(axis=1).max() == 6
    np.testing.assert_array_equal(exponents_up_to(4, 5), exponents[:126])


def test_prediction_is_the_sum_over_terms(surrogate: Surrogate, rng: np.random.Generator) -> None:
    theta = toy_prior().from_unit(rng.random((12, 4)))
    np.testing.assert_allclose(
        surrogate.predict(theta, surrogate.names), slow_prediction(surrogate, theta), rtol=1e-12, atol=1e-13
    )
    assert surrogate.degree == 3


def test_blocks_of_throws_are_joined(surrogate: Surrogate, rng: np.random.Generator) -> None:
    theta = toy_prior().from_unit(rng.random((9000, 4)))
    whole = surrogate.predict(theta, surrogate.names)
    some = [0, 4095, 4096, 8191, 8192, 8999]
    np.testing.assert_allclose(whole[some], surrogate.predict(theta[some], surrogate.names), rtol=1e-12)


def test_order_of_names_is_free_and_others_keep_their_defaults(surrogate: Surrogate, rng: np.random.Generator) -> None:
    theta = toy_prior().from_unit(rng.random((6, 4)))
    order = [2, 0, 3, 1]
    shuffled = surrogate.predict(theta[:, order], tuple(surrogate.names[i] for i in order))
    np.testing.assert_array_equal(shuffled, surrogate.predict(theta, surrogate.names))
    alone = surrogate.predict(theta[:, :1], surrogate.names[:1])
    full = np.column_stack([theta[:, 0], *(np.full(6, surrogate.defaults[n]) for n in surrogate.names[1:])])
    np.testing.assert_array_equal(alone, surrogate.predict(full, surrogate.names))
    np.testing.assert_array_equal(surrogate.default_prediction(), surrogate.predict(np.empty((1, 0)), ())[0])
    np.testing.assert_array_equal(surrogate.components(theta, surrogate.names)["prediction"], shuffled)


def test_selection_variance_and_events(surrogate: Surrogate, rng: np.random.Generator) -> None:
    theta, keep = toy_prior().from_unit(rng.random((4, 4))), np.array([True, False, True, True, False])
    chosen = surrogate.select(keep)
    np.testing.assert_allclose(chosen.predict(theta, chosen.names), surrogate.predict(theta, surrogate.names)[:, keep])
    np.testing.assert_array_equal(chosen.errors["validation"], surrogate.errors["validation"][:, keep])
    np.testing.assert_array_equal(chosen.simulation_variance(theta, chosen.names), np.tile(surrogate.variance[keep], (4, 1)))
    np.testing.assert_allclose(surrogate.per_event(200) * surrogate.area_gev, 0.4 / 200)
    with pytest.raises(InputError, match="at least 1"):
        surrogate.per_event(0)


def test_survives_hdf5(surrogate: Surrogate, rng: np.random.Generator, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "surrogate.h5", "w") as file:
        for name, array in surrogate.to_arrays().items():
            file[name] = array
    with h5py.File(tmp_path / "surrogate.h5") as file:
        again = Surrogate.from_arrays({name: file[name][()] for name in file})
    theta = toy_prior().from_unit(rng.random((4, 4)))
    np.testing.assert_array_equal(again.predict(theta, again.names), surrogate.predict(theta, surrogate.names))
    for name in ("names", "ranges", "defaults", "interpolation_error", "n_negative", "n_test", "total", "degree"):
        assert getattr(again, name) == getattr(surrogate, name)
    np.testing.assert_array_equal(again.errors["validation"], surrogate.errors["validation"])
    np.testing.assert_array_equal(again.variance, surrogate.variance)


def test_stored_surrogate_that_does_not_fit_is_refused(surrogate: Surrogate) -> None:
    arrays = surrogate.to_arrays()
    with pytest.raises(InputError, match="exponents"):
        Surrogate.from_arrays({k: v for k, v in arrays.items() if k != "exponents"})
    with pytest.raises(InputError, match="do not fit"):
        Surrogate.from_arrays(arrays | {"area_gev": np.ones(3)})
    other = Response((Block("qe", (), np.ones((1, 5))),), {}, 0.0, np.ones(5), 1.0)
    with pytest.raises(InputError, match="kind 'terms'"):
        Surrogate.from_arrays(other.to_arrays())


@pytest.mark.parametrize(
    ("theta", "names", "message"),
    [
        (np.ones((2, 1)), ("MaCCQE",), "does not depend on MaCCQE"),
        (np.ones((2, 3)), ("norm_ccmec",), r"shape \(n, 1\)"),
        (np.full((2, 1), np.nan), ("norm_ccmec",), "not finite"),
        (np.full((2, 1), 1.6), ("ma_ccqe_gev",), r"leaves the throws' range \[0.961242, 1.39\]"),
        (np.full((2, 1), 1.0 - 1e-7), ("norm_ccmec",), "leaves the throws' range"),
    ],
)
def test_bad_throws_say_what_is_wrong(surrogate: Surrogate, theta: np.ndarray, names: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        surrogate.predict(theta, names)
    surrogate.predict(np.full((2, 1), 1.0 - 1e-12), ("norm_ccmec",))


def test_a_polynomial_is_recovered(surrogate: Surrogate, rng: np.random.Generator) -> None:
    box, u = toy_prior(), rng.random((2000, 4))
    truth = surrogate.select(np.arange(3))
    truth.coefficients[0] += 30.0
    found = fit_surrogate(simulated(box, u, truth.predict(box.from_unit(u), box.names), BINNING), 6)
    assert found.degree == 3 and found.interpolation_error < 1e-12 and found.n_negative == 0
    np.testing.assert_allclose(found.coefficients, truth.coefficients, rtol=0, atol=1e-10)
    assert found.total == pytest.approx(truth.default_prediction() @ BINNING.area_gev, rel=1e-12)
    assert found.n_test == 400 and not found.simulation_variance(box.from_unit(u[:2]), box.names).any()


def test_least_squares_against_a_slow_twin(rng: np.random.Generator) -> None:
    """Every residual of the fit is orthogonal to numpy's own design matrix."""
    box, u = prior_box({"ma_ccqe_gev": {"low": 0.9, "high": 1.4}}), rng.random((500, 1))
    prediction = np.exp(2.0 * u * [0.5, 1.0, 1.5]) + 0.01 * rng.random((500, 3))
    simulations = simulated(box, u, prediction, BINNING)
    found = fit_surrogate(simulations, 5)
    train = simulations.part("train")
    design = np.polynomial.chebyshev.chebvander(2.0 * train.u[:, 0] - 1.0, found.degree)
    expected = np.linalg.lstsq(design, train.prediction, rcond=None)[0]
    np.testing.assert_allclose(found.coefficients, expected, rtol=0, atol=1e-12)
    test = simulations.part("test")
    residual = found.predict(test.theta, box.names) - test.prediction
    np.testing.assert_allclose(found.errors["rms"], np.sqrt(np.mean(residual**2, axis=0)), rtol=1e-9)
    np.testing.assert_allclose(found.errors["largest"], np.abs(residual).max(axis=0), rtol=1e-9)
    assert found.interpolation_error == pytest.approx(np.max(found.errors["rms"] / test.prediction.mean(axis=0)))


def test_the_toy_is_reproduced_and_too_low_a_degree_is_seen(rng: np.random.Generator) -> None:
    simulations = toy_simulations(rng, 2500)
    found = fit_surrogate(simulations, 6)
    theta = toy_prior().from_unit(rng.random((300, 4)))
    truth = toy_response().predict(theta, toy_prior().names)
    np.testing.assert_allclose(found.predict(theta, found.names), truth, rtol=1e-10)
    assert found.interpolation_error < 1e-12
    low = fit_surrogate(simulations, 1)
    worst = np.max(np.sqrt(np.mean((low.predict(theta, low.names) / truth - 1.0) ** 2, axis=0)))
    assert low.degree == 1 and low.interpolation_error > 5e-3
    assert low.interpolation_error == pytest.approx(worst, rel=0.3)


def test_a_response_that_is_no_polynomial_of_low_degree(rng: np.random.Generator) -> None:
    """Terms as the built-in generator has them, bent by the axial mass at order 5: exact at total degree 5 alone."""
    factors = (
        ("qe", (("rpa_strength", "complement"),), 5),
        ("qe", (("rpa_strength", "linear"),), 5),
        ("mec", (("norm_ccmec", "linear"), ("shape_ccmec", "complement")), 1),
        ("mec", (("norm_ccmec", "linear"), ("shape_ccmec", "linear")), 1),
        ("res", (), 1),
    )
    falling = 0.2 ** np.arange(5)[:, None]
    blocks = tuple(
        Block(c, f, 1.0 * (np.arange(k)[:, None] == 0) + rng.normal(size=(k, 3)) * 0.5 * falling[:k]) for c, f, k in factors
    )
    response = Response(blocks, {"ma_ccqe_gev": (0.9, 1.5)}, 0.0, BINNING.area_gev, 1.0)
    box, u = toy_prior(), rng.random((3000, 4))
    simulations = simulated(box, u, response.predict(box.from_unit(u), box.names), BINNING)
    errors = [fit_surrogate(simulations, k).interpolation_error for k in (2, 3, 4, 5)]
    assert errors[0] > errors[1] > errors[2] > 1e-6 and errors[2] < 1e-2 and errors[3] < 1e-12
    found = fit_surrogate(simulations, 7)
    theta = box.from_unit(rng.random((100, 4)))
    np.testing.assert_allclose(found.predict(theta, found.names), response.predict(theta, box.names), rtol=1e-10)
    assert found.degree == 5


def test_scatter_does_not_drive_the_degree_up(rng: np.random.Generator) -> None:
    noisy = fit_surrogate(toy_simulations(rng, 4000, noise_rel=0.02), 6)
    assert noisy.degree <= 3 and noisy.errors["validation"].shape == (7, 58)
    assert 0.018 < noisy.interpolation_error < 0.03
    theta = toy_prior().from_unit(rng.random((300, 4)))
    off = noisy.predict(theta, noisy.names) / toy_response().predict(theta, noisy.names) - 1.0
    assert np.sqrt(np.mean(off**2)) < 0.005
    # Taken to the highest degree the same throws are fitted worse.
    assert (noisy.errors["validation"][6] > 1.02 * noisy.errors["validation"][noisy.degree]).mean() > 0.9


def slow_edge_error(surrogate: Surrogate, test: Simulations) -> float:
    """One parameter and one throw at a time: how near it is to an end, then the residuals of the nearest ones."""
    found = []
    for j, name in enumerate(surrogate.names):
        low, high = surrogate.ranges[name]
        nearest = sorted((min(row[j] - low, high - row[j]), i) for i, row in enumerate(test.theta))
        chosen = [i for _, i in nearest[: int(OUTER * len(test.theta))]]
        residual = np.array([surrogate.predict(test.theta[[i]], surrogate.names)[0] - test.prediction[i] for i in chosen])
        found.append(max(np.sqrt(np.mean(residual**2, axis=0)) / np.mean(test.prediction[chosen], axis=0)))
    return max(found)


def test_the_error_at_the_ends_of_the_ranges(rng: np.random.Generator) -> None:
    """A normal prior has few throws at its ends, where too low a degree is worst; a whole polynomial is good there too."""
    normal = {"prior": "normal", "mean": 1.0, "sigma": 0.3, "low": 0.0, "high": 2.0}
    box, u = prior_box({"norm_ccmec": normal, "rpa_strength": {"low": 0.0, "high": 1.0}}), rng.random((5000, 2))
    theta = box.from_unit(u)
    bent = np.exp(2.0 * theta[:, :1] * [0.5, 1.0, 1.5]) + theta[:, 1:]
    simulations = simulated(box, u, bent, BINNING)
    found = fit_surrogate(simulations, 3)
    test = simulations.part("test")
    assert edge_error(found, test) == pytest.approx(slow_edge_error(found, test), rel=1e-9)
    assert edge_error(found, test) > 1.2 * found.interpolation_error > 1e-4
    exact = simulated(box, u, 1.0 + theta[:, :1] ** 2 * [0.5, 1.0, 1.5] + theta[:, 1:], BINNING)
    assert edge_error(fit_surrogate(exact, 3), exact.part("test")) < 1e-12


def test_negative_predictions_are_counted_and_not_clipped(rng: np.random.Generator) -> None:
    box, u = prior_box({"norm_ccmec": {"low": 0.0, "high": 2.0}}), rng.random((500, 1))
    kink = np.maximum(u - 0.5, 0.0) * [1.0, 1.0, 0.0] + [0.0, 0.0, 1.0]
    found = fit_surrogate(simulated(box, u, kink, BINNING), 3)
    assert 0 < found.n_negative < found.n_test == 100
    assert found.predict(np.linspace(0, 2, 50)[:, None], box.names).min() < 0


def test_an_empty_bin_has_no_error(rng: np.random.Generator) -> None:
    box, u = prior_box({"norm_ccmec": {"low": 0.0, "high": 2.0}}), rng.random((100, 1))
    found = fit_surrogate(simulated(box, u, np.column_stack([u, 1.0 + u**2, 0.0 * u]), BINNING), 4)
    assert found.degree == 2 and found.interpolation_error < 1e-12 and found.errors["rms"][2] == 0.0


def test_a_default_outside_the_prior_is_its_nearest_end(rng: np.random.Generator) -> None:
    box, u = prior_box({"ma_ccqe_gev": {"low": 1.0, "high": 1.4}}), rng.random((100, 1))
    assert fit_surrogate(simulated(box, u, 1.0 + u * np.ones(3), BINNING), 2).defaults == {"ma_ccqe_gev": 1.0}


def test_throws_that_do_not_determine_the_polynomial(rng: np.random.Generator) -> None:
    with pytest.raises(InputError, match="give 25 or more"):
        fit_surrogate(toy_simulations(rng, 30))
    assert fit_surrogate(toy_simulations(rng, 200)).degree <= 2
    with pytest.raises(InputError, match="max_degree"):
        fit_surrogate(toy_simulations(rng, 100), 0)
    box, u = toy_prior(), rng.random((500, 4))
    u[:, 2] = 0.25
    with pytest.raises(InputError, match="do not vary independently"):
        fit_surrogate(simulated(box, u, 1.0 + u[:, :3], BINNING))
    good = toy_simulations(rng, 100)
    with pytest.raises(InputError, match="validation or the test"):
        fit_surrogate(good.part("train"))


def test_progress_is_told(rng: np.random.Generator) -> None:
    lines: list[str] = []
    fit_surrogate(toy_simulations(rng, 500), 3, lines.append)
    assert len(lines) == 1 and "35 terms" in lines[0]

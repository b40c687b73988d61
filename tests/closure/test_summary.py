"""What is said about a learned cross section: numbers, coverages and the arrays of its figures."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from nuinfer.closure.comparison import compare, cross_section_loss
from nuinfer.closure.gaussian import share_bands
from nuinfer.closure.learned import Learned
from nuinfer.closure.near_data import shares
from nuinfer.closure.summary import (
    FILLED,
    band_coverage,
    comparison_arrays,
    comparison_numbers,
    coverage_summary,
)
from nuinfer.closure.truth import Truth
from nuinfer.oscillation.nufast import NUFIT60_NO_WITH_SK, numu_survival


@pytest.fixture(scope="module")
def truth(problem, toy) -> Truth:
    w = toy()(*problem.mesh.points)
    return Truth(problem.grid, problem.knots_gev, problem.flux, problem.truth, w, problem.mass_gev, False)


@pytest.fixture(scope="module")
def far(problem) -> np.ndarray:
    return problem.flux * numu_survival(NUFIT60_NO_WITH_SK, problem.knots_gev)


@pytest.fixture
def exact(truth) -> Learned:
    """The true functions at another scale."""
    return Learned(w=0.01 * truth.w[None], facts={"note": 1})


def off(truth: Truth, size: float) -> np.ndarray:
    """The true functions, the second changed by ``size``."""
    w = truth.w.copy()
    w[1] *= 1.0 + size
    return w


# Numbers


def test_numbers_of_the_true_functions(problem, far, truth, exact):
    numbers = comparison_numbers(truth, far, problem.operator, exact)
    assert numbers["near"]["rel_l2"] < 5e-3 and numbers["far"]["rel_l2"] < 1e-2
    assert numbers["fit"] == {"note": 1}
    assert "members" not in numbers and "far_bands" not in numbers
    wrong = comparison_numbers(truth, far, problem.operator, Learned(w=off(truth, 0.5)[None]))
    assert wrong["near"]["rel_l2"] > 3 * numbers["near"]["rel_l2"]


def test_numbers_of_an_ensemble(problem, far, truth):
    w = np.stack([off(truth, s) for s in (-0.3, 0.3)])
    numbers = comparison_numbers(truth, far, problem.operator, Learned(w=w))

    def slow(functions: np.ndarray) -> dict:
        by_knot = problem.operator.counts_by_knot(functions)
        return compare(truth.counts_by_knot, by_knot, truth.near_flux, far, truth.knots_gev, truth.grid)

    assert numbers["members"] == [slow(one) for one in w]
    assert {k: numbers[k] for k in numbers["members"][0]} == slow(w.mean(axis=0))
    # The mean of the two is the truth: better than either.
    assert numbers["near"]["rel_l2"] < 0.5 * min(m["near"]["rel_l2"] for m in numbers["members"])


def test_numbers_of_counts(problem, far, truth):
    numbers = comparison_numbers(truth, far, problem.operator, Learned(counts=3.0 * truth.counts_by_knot))
    assert numbers["near"]["rel_l2"] < 1e-12 and numbers["test_loss"] < 1e-20


# Coverage


def banded(truth: Truth, size: float, width: float) -> Learned:
    """Functions off by ``size`` in a direction of the posterior whose standard deviation is ``width``."""
    direction = off(truth, 1.0) - truth.w
    return Learned(w=(truth.w + size * direction)[None], factor=np.stack([width * direction, 1e-4 * truth.w]))


@pytest.mark.parametrize(("size", "width", "inside"), [(0.1, 0.2, (1, 1)), (0.3, 0.2, (0, 1)), (0.6, 0.2, (0, 0))])
def test_far_coverage_of_a_known_deviation(problem, far, truth, size, width, inside):
    """Off by half, one and a half and three standard deviations: bins are in or out almost all at once."""
    learned = banded(truth, size, width)
    # The operator's own counts as the truth: nothing but the direction differs.
    known = replace(truth, counts_by_knot=problem.operator.counts_by_knot(truth.w))
    true = shares(far @ known.counts_by_knot)
    bands = share_bands(learned, problem.operator.matrix(far))
    found, distance = band_coverage(true, bands)
    assert found["events_68"] == pytest.approx(inside[0], abs=0.15)
    assert found["bins_95"] == pytest.approx(inside[1], abs=0.15)
    slow = [abs(t - b) / s if s > 0 else 0.0 for t, b, s in zip(true, bands.share, bands.sd, strict=True)]
    np.testing.assert_allclose(distance, slow, rtol=1e-12)
    for key, level in (("68", 0.6827), ("95", 0.9545)):
        within = np.array(slow) < norm.ppf(0.5 + level / 2)
        assert found[f"events_{key}"] == pytest.approx(true[within].sum())
        assert found[f"bins_{key}"] == pytest.approx(within[true > FILLED * true.max()].mean())
    assert found["rel_sd"] == pytest.approx(np.linalg.norm(bands.sd) / np.linalg.norm(true))
    assert found["rel_l2"] == pytest.approx(np.linalg.norm(bands.share - true) / np.linalg.norm(true))
    assert found["kl"] > 0
    assert comparison_numbers(known, far, problem.operator, learned)["far_bands"] == found


def test_coverage_summary_of_normal_distances(rng):
    """Distances of bins are normal: the coverage is nominal at every level; half as wide bands are not."""
    share = np.concatenate([rng.uniform(0.1, 1.0, 40), np.full(5, 1e-5)])
    distance = np.abs(rng.normal(size=(200, 45)))
    distance[:, 40:] = 99.0
    draws = {"distance": distance, "numbers/kl": np.array([1.0, 3.0] * 100)}
    numbers, curves = coverage_summary(draws, share)
    assert np.all(np.diff(curves["levels"]) > 0) and {0.6827, 0.9545} <= set(curves["levels"])
    for name in ("events", "bins"):
        assert np.all(np.abs(curves[f"{name}_coverage"] - curves["levels"]) < 4 * curves[f"{name}_error"])
        assert np.all(curves[f"{name}_error"] < 0.01)
    narrow = coverage_summary({**draws, "distance": 2 * distance}, share)[1]
    assert np.all(narrow["bins_coverage"] < curves["levels"] - 8 * narrow["bins_error"])
    assert numbers["draws"] == 200
    assert numbers["kl"]["mean"] == 2.0 and numbers["kl"]["highest"] == 3.0
    assert numbers["kl"]["error"] == pytest.approx(np.sqrt(200 / 199) / np.sqrt(200))


def test_bins_of_a_draw_that_move_together_have_larger_errors(rng):
    share = np.ones(30)
    alone, together = rng.normal(size=(100, 30)), np.repeat(rng.normal(size=(100, 1)), 30, axis=1)
    errors = [coverage_summary({"distance": np.abs(d)}, share)[1]["bins_error"][5] for d in (alone, together)]
    assert errors[1] > 4 * errors[0]
    single = coverage_summary({"distance": np.abs(alone[:1]), "numbers/kl": np.ones(1)}, share)
    assert np.all(single[1]["bins_error"] == 0.0) and single[0]["kl"]["error"] == 0.0


# Arrays


def test_arrays_of_a_learned_cross_section(problem, far, truth, exact):
    snapshots = np.stack([off(truth, s) for s in (1.0, 0.2)])[None].astype(np.float32)
    curves = {
        "snapshot_step": np.array([1, 9]),
        "snapshot_w": np.concatenate([snapshots, snapshots[:, ::-1]]),
        "step": np.arange(1, 10),
        "train_loss": np.arange(18.0).reshape(2, 9),
    }
    learned = replace(exact, curves=curves, facts={"best_step": [7, 9]})
    arrays, units = comparison_arrays(truth, far, problem.operator, learned, [1.0, 3.1])
    grid, knots = problem.grid, problem.knots_gev
    for name in ("near_true", "near_model", "far_true", "far_model"):
        assert arrays[f"density/{name}"].shape == grid.shape
        assert arrays[f"density/{name}"].sum() * grid.bin_area == pytest.approx(1.0)
    np.testing.assert_allclose(
        arrays["density/far_true"].ravel() * grid.bin_area, shares(far @ truth.counts_by_knot), rtol=1e-12
    )
    np.testing.assert_allclose(arrays["density/near_model"], arrays["density/near_true"], atol=0.05)
    nearest = [knots[np.abs(knots - e).argmin()] for e in (1.0, 3.1)]
    assert arrays["slices/enu_gev"].tolist() == nearest
    assert arrays["slices/true"].shape == arrays["slices/model"].shape == (2, *grid.shape)
    for name in ("total/true", "total/model", "total/enu_gev", "total/near_flux"):
        assert arrays[name].shape == knots.shape
    assert sum(name.startswith("marginals/") for name in arrays) > 10
    assert np.array_equal(arrays["loss/train"], np.arange(9.0)) and np.array_equal(arrays["loss/step"], np.arange(1, 10))
    slow = [
        cross_section_loss(truth.counts_by_knot, problem.operator.counts_by_knot(off(truth, s)), knots, grid)
        for s in (1.0, 0.2)
    ]
    np.testing.assert_allclose(arrays["loss/test"], slow, rtol=1e-3)
    assert slow[0] > 2 * slow[1]
    assert set(units) <= set(arrays)
    assert arrays["loss/best_step"] == 7


def test_functions_are_of_the_truths_scale(problem, far, truth, exact):
    arrays, _ = comparison_arrays(truth, far, problem.operator, exact, [1.0])
    true, model = arrays["functions/true"], arrays["functions/model"]
    assert true.shape == model.shape == (3, *problem.mesh.shape)
    seen = np.isfinite(true)
    assert 0.1 < seen.mean() < 1.0 and np.array_equal(seen, np.isfinite(model))
    np.testing.assert_allclose(true[seen], truth.w.reshape(true.shape)[seen], rtol=1e-9)
    np.testing.assert_allclose(model[seen], true[seen], rtol=1e-9)
    other = comparison_arrays(truth, far, problem.operator, Learned(w=off(truth, 0.5)[None]), [1.0])[0]["functions/model"]
    filled = seen.all(axis=0) & (true != 0).all(axis=0)
    ratio = other[:, filled] / true[:, filled]
    np.testing.assert_allclose(ratio[1] / ratio[0], 1.5, rtol=1e-6)


def test_arrays_without_structure_functions(problem, far, truth):
    arrays, units = comparison_arrays(truth, far, problem.operator, Learned(counts=truth.counts_by_knot), [1.0])
    assert not [name for name in arrays if name.startswith(("functions/", "mesh/", "loss/"))]
    assert np.array_equal(arrays["density/far_model"], arrays["density/far_true"])
    assert units["slices/enu_gev"] == "GeV"

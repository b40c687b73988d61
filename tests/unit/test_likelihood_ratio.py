"""The likelihood ratio's regions: a slow twin with loops, chi-square in a regular case, coverage, methods by name."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from scipy import stats
from toy_far import RANGE, TRUTH, binned_model, event_model

from nuinfer.calibration.bands import simultaneous_band
from nuinfer.oscillation.coverage import LEVELS, Hypotheses, _heights, coverage_numbers, hypotheses, toys_around
from nuinfer.oscillation.fit import fit_events
from nuinfer.oscillation.likelihood_ratio import FAR, LEAST_TOYS, likelihood_confidence, set_confidence
from nuinfer.oscillation.plane import Plane
from nuinfer.oscillation.region_methods import RegionProblem, region_methods
from nuinfer.oscillation.regions import Confidence, RegionGrid
from nuinfer.oscillation.toys import Toys, throw_toys

PLANE = Plane.over(RANGE)
FIELDS = ("plane_sin2", "plane_sin2_2theta", "sin2", "sin2_2theta", "dm31")
EVENTS = 3000
N_PSEUDO = 400
TRUE = TRUTH["sin2_theta23"], TRUTH["dm31_ev2"]
REGULAR = 0.42, 2.513e-3
FEW_POINTS = 9, 9
"""Lattice of the mixture: quicker than the library's."""


def point(sin2: float, dm31: float) -> tuple[np.ndarray, np.ndarray]:
    return np.array([sin2]), np.array([dm31])


# The fields of a grid against loops


def few_toys() -> Toys:
    points = np.repeat([0.42, 0.47, 0.53, 0.58], 3), np.tile([2.48e-3, 2.51e-3, 2.54e-3], 4)
    return throw_toys(binned_model(), PLANE, points, 120, EVENTS, 2, ("few",))


Groups = list[list[tuple[float, float]]]
"""The points of a hypothesis: one list, or one for each octant where the octant is open."""


def slow_level(toys: Toys, surface: np.ndarray, highest: float, groups: Groups) -> float:
    """The level of one hypothesis, one toy after another: the lowest of those from the toys of each group's best point."""

    def height(coefficients: np.ndarray, at: tuple[float, float]) -> float:
        return float(PLANE.at(coefficients, np.array([at[0]]), np.array([at[1]]))[0])

    members = [at for group in groups for at in group]
    observed = 2.0 * (highest - max(height(surface, at) for at in members))
    if observed >= FAR and toys.weighing is None:
        return 1.0
    statistics = [2.0 * (toys.highest[i] - max(height(c, at) for at in members)) for i, c in enumerate(toys.coefficients)]
    levels = []
    for group in groups:
        best = max(group, key=lambda at: height(surface, at))
        below = total = squares = 0.0
        for i, c in enumerate(toys.coefficients):
            weight = np.exp(height(c if toys.weighing is None else toys.weighing[i], best) - toys.log_mixture[i])
            below += weight if statistics[i] < observed else 0.0
            total += weight
            squares += weight * weight
        levels.append(below / total if total * total / squares >= LEAST_TOYS else 1.0)
    return min(levels)


def groups_of(grid: RegionGrid) -> dict[str, np.ndarray]:
    """Return the hypotheses of every field, groups of points, in the fields' shapes."""
    sin2, dm31 = grid.sin2_theta23, grid.dm31_ev2
    n, half = sin2.size, sin2.size // 2

    def listed(shape: tuple[int, ...], make: Callable[..., Groups]) -> np.ndarray:
        out = np.empty(shape, object)
        for i in np.ndindex(shape):
            out[i] = make(*i)
        return out

    return {
        "plane_sin2": listed((n, dm31.size), lambda i, j: [[(sin2[i], dm31[j])]]),
        "plane_sin2_2theta": listed((half, dm31.size), lambda i, j: [[(sin2[i], dm31[j])], [(sin2[n - 1 - i], dm31[j])]]),
        "sin2": listed((n,), lambda i: [[(sin2[i], d) for d in dm31]]),
        "sin2_2theta": listed((half,), lambda i: [[(s, d) for d in dm31] for s in (sin2[i], sin2[n - 1 - i])]),
        "dm31": listed((dm31.size,), lambda j: [[(s, dm31[j]) for s in sin2]]),
    }


@pytest.fixture(scope="module")
def small() -> tuple[Toys, np.ndarray, float, RegionGrid]:
    """Toys, and one of their kind as data, on a grid of 6 x 5 cells."""
    data = throw_toys(binned_model(), PLANE, point(*TRUE), 1, EVENTS, 9)
    return few_toys(), data.coefficients[0], float(data.highest[0]), RegionGrid.over(RANGE, 6, 5)


def fitted_twofold(toys: Toys) -> Toys:
    """Return the toys with twice their log-likelihoods fitted, and with the weights that they have."""
    optima = replace(toys.optima, loglike=2.0 * toys.optima.loglike)
    return replace(toys, coefficients=2.0 * toys.coefficients, optima=optima, weighing=toys.coefficients)


@pytest.mark.parametrize("other_model", [False, True])
def test_every_field_is_the_loop_over_toys(small: tuple[Toys, np.ndarray, float, RegionGrid], other_model: bool) -> None:
    toys, surface, highest, grid = small
    toys = fitted_twofold(toys) if other_model else toys
    found, facts = likelihood_confidence(toys, surface, highest, grid)
    judged = 0
    for name, hypothesis in groups_of(grid).items():
        expected = [slow_level(toys, surface, highest, groups) for groups in hypothesis.ravel()]
        np.testing.assert_allclose(getattr(found, name).ravel(), expected, rtol=0, atol=1e-9, err_msg=name)
        judged += np.count_nonzero(np.asarray(expected) < 1.0)
    assert judged > 15 and facts["toys"] == len(toys.coefficients)
    assert 0 < facts["effective_toys_least"] <= facts["effective_toys_median"] <= facts["toys"]


@pytest.mark.parametrize("other_model", [False, True])
def test_a_grid_is_made_of_single_hypotheses(small: tuple[Toys, np.ndarray, float, RegionGrid], other_model: bool) -> None:
    """What coverage is measured with, one set of points, is what regions are made of, point by point."""
    toys, surface, highest, grid = small
    toys = fitted_twofold(toys) if other_model else toys
    found, _ = likelihood_confidence(toys, surface, highest, grid)
    for name, hypothesis in groups_of(grid).items():
        for i in np.ndindex(hypothesis.shape):
            points = tuple(np.array(axis) for axis in zip(*(at for group in hypothesis[i] for at in group), strict=True))
            octants = np.repeat(np.arange(len(hypothesis[i])), len(hypothesis[i][0]))
            data = _heights(PLANE, surface[None], points)
            if 2.0 * (highest - data.max()) >= FAR and not other_model:
                assert getattr(found, name)[i] == 1.0
                continue
            heights = _heights(PLANE, toys.coefficients, points)
            weighing = _heights(PLANE, toys.weighing, points) if other_model else None
            level = set_confidence(toys, heights, data, np.array([highest]), octants, weighing)[0]
            assert getattr(found, name)[i] == pytest.approx(level, abs=1e-9), (name, i)
            if octants.max() == 0:
                assert set_confidence(toys, heights, data, np.array([highest]), weighing=weighing)[0] == level


def test_hypotheses_beyond_all_toys_are_excluded(small: tuple[Toys, np.ndarray, float, RegionGrid]) -> None:
    """Where but a few toys have weight a level is one; data never are judged by a single toy."""
    toys, surface, highest, _ = small
    points = np.array([0.47]), np.array([2.36e-3])
    heights, data = (_heights(PLANE, c, points) for c in (toys.coefficients, surface[None]))
    weight = np.exp(heights[:, 0] - toys.log_mixture)
    assert 0.0 < weight.sum() ** 2 / (weight @ weight) < LEAST_TOYS
    assert set_confidence(toys, heights, data, np.array([highest]))[0] == 1.0
    # The same with any number of toys asked for: data exactly at their maximum would be kept.
    assert set_confidence(toys, heights, data, data[:, 0])[0] == 1.0


def test_levels_do_not_depend_on_blocks(
    small: tuple[Toys, np.ndarray, float, RegionGrid], monkeypatch: pytest.MonkeyPatch
) -> None:
    toys, surface, highest, grid = small
    seen: list[tuple[int, int, str]] = []
    whole, _ = likelihood_confidence(toys, surface, highest, grid)
    monkeypatch.setattr("nuinfer.oscillation.likelihood_ratio.BLOCK", 7)
    cut, _ = likelihood_confidence(toys, surface, highest, grid, lambda *a: seen.append(a))
    for name in FIELDS:
        np.testing.assert_allclose(getattr(cut, name), getattr(whole, name), rtol=0, atol=1e-12)
    assert seen[-1] == (120, 120, "toys") and seen[0] == (7, 120, "toys")


# A regular case: dm31 in one octant, whose likelihood is close to a Gaussian


def lower_octant_alone(toys: Toys) -> Toys:
    """Return the toys with the lower octant's maxima in both places."""
    first = {f.name: np.repeat(getattr(toys.optima, f.name)[:, :1], 2, axis=1) for f in fields(toys.optima)}
    return replace(toys, optima=replace(toys.optima, **first))


def test_levels_of_dm31_in_one_octant_are_chi_squares() -> None:
    """Wilks' theorem holds where one maximum is far from every boundary, to the 4 % that toys of finite number can tell."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nuinfer.oscillation.toys.LATTICE", FEW_POINTS)
        toys = lower_octant_alone(toys_around(binned_model(), RANGE, *REGULAR, 4000, 5000, 3))
    data = lower_octant_alone(throw_toys(binned_model(), PLANE, point(*REGULAR), 60, 5000, 4))
    points = np.linspace(0.35, 0.5, 121), np.full(121, REGULAR[1])
    heights = _heights(PLANE, data.coefficients, points)
    levels = set_confidence(toys, _heights(PLANE, toys.coefficients, points), heights, data.highest)
    observed = 2.0 * (data.highest - heights.max(axis=1))
    assert np.ptp(observed) > 3.0
    assert np.max(np.abs(levels - stats.chi2.cdf(observed, 1))) < 0.05
    # The check tells one degree of freedom from two.
    assert np.max(np.abs(levels - stats.chi2.cdf(observed, 2))) > 0.15


# Coverage


@pytest.fixture(scope="module")
def around() -> Hypotheses:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nuinfer.oscillation.toys.LATTICE", FEW_POINTS)
        return hypotheses(toys_around(binned_model(), RANGE, *TRUE, 4000, EVENTS, 5), *TRUE)


@pytest.fixture(scope="module")
def pseudo() -> Toys:
    """Pseudo-experiments at the truth: data, from streams of their own."""
    return throw_toys(binned_model(), PLANE, point(*TRUE), N_PSEUDO, EVENTS, 6, ("data",))


def levels_of(truths: Hypotheses, data: Toys, name: str, scale: float = 1.0) -> np.ndarray:
    """Return the truth's levels ``(n,)`` for data whose log-likelihood is multiplied by ``scale``."""
    points = truths.points[name]
    heights = scale * _heights(PLANE, data.coefficients, points)
    octants = points[0] > 0.5 if "2theta" in name else None
    return set_confidence(truths.toys, truths.heights[name], heights, scale * data.highest, octants)


@pytest.mark.parametrize("name", FIELDS)
def test_regions_cover_as_they_claim(name: str, around: Hypotheses, pseudo: Toys) -> None:
    """Of sin^2(2 theta_23), kept where either octant keeps it, they may cover more often, by 5 % at most."""
    band = simultaneous_band(N_PSEUDO, LEVELS, 0.99)
    if "2theta" in name:
        band = replace(band, upper=band.upper + 0.05)
    found = coverage_numbers(levels_of(around, pseudo, name), band)
    assert found["inside_simultaneous_band"], found
    for n_sigma in (1, 2, 3):
        share = found[f"{n_sigma}_sigma"]
        excess = 0.05 if "2theta" in name else 0.0
        assert share["coverage"] - share["claimed"] + 3.0 * share["error"] > -1.0 / N_PSEUDO
        assert share["coverage"] - share["claimed"] - 3.0 * share["error"] < excess + 1.0 / N_PSEUDO


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_likelihoods_of_half_or_twice_the_events_are_caught(name: str, scale: float, around: Hypotheses, pseudo: Toys) -> None:
    found = coverage_numbers(levels_of(around, pseudo, name, scale), simultaneous_band(N_PSEUDO, LEVELS, 0.99))
    assert not found["inside_simultaneous_band"]
    assert np.sign(found["max_deviation"]) == np.sign(1.0 - scale)


@pytest.mark.parametrize(("name", "freedoms"), [("plane_sin2_2theta", 2), ("sin2_2theta", 1)])
def test_chi_square_thresholds_are_caught(name: str, freedoms: int, around: Hypotheses, pseudo: Toys) -> None:
    """Close to maximal mixing the statistic of sin^2(2 theta_23) is no chi-square: such regions cover too often."""
    heights = _heights(PLANE, pseudo.coefficients, around.points[name])
    levels = stats.chi2.cdf(2.0 * (pseudo.highest - heights.max(axis=1)), freedoms)
    found = coverage_numbers(levels, simultaneous_band(N_PSEUDO, LEVELS, 0.99))
    assert not found["inside_simultaneous_band"] and found["max_deviation"] > 0.1


def test_toys_without_weights_are_caught(around: Hypotheses, pseudo: Toys) -> None:
    statistic = 2.0 * (around.toys.highest - around.heights["plane_sin2"].max(axis=1))
    observed = 2.0 * (pseudo.highest - _heights(PLANE, pseudo.coefficients, around.points["plane_sin2"]).max(axis=1))
    levels = np.mean(statistic < observed[:, None], axis=1)
    assert not coverage_numbers(levels, simultaneous_band(N_PSEUDO, LEVELS, 0.99))["inside_simultaneous_band"]


# Methods by name


def test_methods_give_regions_of_one_interface(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nuinfer.oscillation.toys.LATTICE", FEW_POINTS)
    model = event_model(1500, rng)
    fit = fit_events(model, RANGE, 300, 1)
    grid = RegionGrid.over(fit.plane.range, 24, 20)
    problem = RegionProblem(fit, 1500, grid, binned_model(), 600, 1, ("methods",))
    assert list(region_methods()) == ["bootstrap", "bootstrap_octants", "feldman_cousins"]
    for name, method in region_methods().items():
        found, facts = method(problem)
        assert isinstance(found, Confidence) and found.plane_sin2.shape == (24, 20)
        assert all(isinstance(v, float) for v in facts.values())
        again, _ = method(problem)
        for field in FIELDS:
            assert np.array_equal(getattr(again, field), getattr(found, field)), name
        # The best fit is at the centre, the corner of the range is excluded.
        best = fit.data.best
        cell = np.abs(grid.sin2_theta23 - best.sin2_theta23).argmin(), np.abs(grid.dm31_ev2 - best.dm31_ev2).argmin()
        assert found.plane_sin2[cell] < 0.5 and found.plane_sin2[0, 0] > 0.95

"""Highest-density regions of clouds: normal, two octants, maximal mixing, cut off; their coverage; a slow twin; bad clouds."""

from functools import partial

import numpy as np
import pytest
from scipy.stats import binom, chi2, norm

from nuinfer import seeds
from nuinfer.errors import InputError
from nuinfer.oscillation import density_regions
from nuinfer.oscillation.density_regions import density_confidence
from nuinfer.oscillation.plane import FitRange
from nuinfer.oscillation.regions import RegionGrid, confidence_at, contours, intervals, level, region_facts

RANGE = FitRange((0.35, 0.65), (2.3e-3, 2.75e-3))
SIN2, DM31_EV2, SIGMA_SIN2, SIGMA_DM31_EV2 = 0.42, 2.513e-3, 0.011, 2.1e-5
MIRROR_SIN2 = 0.511
"""Where the survival probability is least, 1 / (2 cos^2 theta_13): it is nearly symmetric about it."""


def _grid(n: int = 100, fit_range: FitRange = RANGE) -> RegionGrid:
    return RegionGrid.over(fit_range, n, n)


def _normal(n: int, *key: str | int, sin2: float = SIN2) -> tuple[np.ndarray, np.ndarray]:
    rng = seeds.stream(1, "cloud", *key)
    return rng.normal(sin2, SIGMA_SIN2, n), rng.normal(DM31_EV2, SIGMA_DM31_EV2, n)


def _two_octants(n: int, *key: str | int) -> tuple[np.ndarray, np.ndarray]:
    """Return a cloud of two mirrored modes, three fifths of it at 0.470, as bootstraps of the far detector have it."""
    rng = seeds.stream(2, "cloud", *key)
    distance = np.abs(rng.normal(0.041, 0.018, n))
    return MIRROR_SIN2 + np.where(rng.random(n) < 0.6, -distance, distance), rng.normal(DM31_EV2, SIGMA_DM31_EV2, n)


def _areas(cloud: tuple[np.ndarray, np.ndarray], of: str = "sin2_theta23") -> np.ndarray:
    grid = _grid()
    facts = region_facts(grid, density_confidence(grid, *cloud))
    return np.array([facts[f"{n}_sigma"]["area_ev2"][of] for n in (1, 2, 3)])


def _sides(points: np.ndarray, n_parts: int, at: float) -> list[list[float]]:
    """Return the intervals of highest density of a large sample, ``n_parts`` bins between its ends."""
    counts, edges = np.histogram(points, n_parts)
    order = np.argsort(-counts)
    held = np.zeros(n_parts, bool)
    held[order[: 1 + np.searchsorted(np.cumsum(counts[order]), at * points.size)]] = True
    steps = np.flatnonzero(np.diff(np.concatenate([[0], held, [0]])))
    return edges[steps].reshape(-1, 2).tolist()


def test_regions_of_a_normal_cloud_are_ellipses():
    expected = np.pi * SIGMA_SIN2 * SIGMA_DM31_EV2 * chi2.isf(1 - level(np.array([1, 2, 3])), 2)
    ratio = np.mean([_areas(_normal(2000, i)) for i in range(20)], axis=0) / expected
    # Points alone scatter the mean by 0.5 %.
    assert ratio[:2] == pytest.approx([1, 1], abs=0.025)
    assert 0.9 < ratio[2] < 1.0


def test_without_the_kernels_width_taken_out_regions_are_too_large(monkeypatch):
    """The control of the test above: kernels on the points themselves, which is Scott's estimate as it stands."""
    monkeypatch.setattr(density_regions.np, "gradient", lambda values, _: np.zeros_like(values))
    expected = np.pi * SIGMA_SIN2 * SIGMA_DM31_EV2 * chi2.isf(1 - level(np.array([1, 2])), 2)
    ratio = np.mean([_areas(_normal(2000, i))[:2] for i in range(20)], axis=0) / expected
    assert np.all(ratio > 1.05)


def test_intervals_of_a_normal_cloud():
    grid = _grid()
    facts = region_facts(grid, density_confidence(grid, *_normal(5000, "intervals")))
    for n in (1, 2):
        (sin2,) = facts[f"{n}_sigma"]["intervals"]["sin2_theta23"]
        (dm31,) = facts[f"{n}_sigma"]["intervals"]["dm31_ev2"]
        assert sin2 == pytest.approx([SIN2 - n * SIGMA_SIN2, SIN2 + n * SIGMA_SIN2], abs=0.15 * SIGMA_SIN2)
        assert dm31 == pytest.approx([DM31_EV2 - n * SIGMA_DM31_EV2, DM31_EV2 + n * SIGMA_DM31_EV2], abs=0.15 * SIGMA_DM31_EV2)


def test_both_octants_survive():
    grid = _grid()
    cloud = _two_octants(1000, "two")
    found = density_confidence(grid, *cloud)
    assert len(contours(grid.sin2_theta23, grid.dm31_ev2, found.plane_sin2, level(1))) == 2
    pieces = intervals(grid.sin2_theta23, found.sin2, level(1))
    assert len(pieces) == 2
    truth = _sides(_two_octants(2_000_000, "many")[0], 400, level(1))
    assert np.array(pieces) == pytest.approx(np.array(truth), abs=0.006)
    assert pieces[0][1] < MIRROR_SIN2 < pieces[1][0]


def test_a_bandwidth_of_the_whole_cloud_blurs_the_octants(monkeypatch):
    """The control: Scott's estimate as it stands, with the standard deviation of both octants together."""
    cloud, grid = _two_octants(200, "few"), _grid()
    assert len(intervals(grid.sin2_theta23, density_confidence(grid, *cloud).sin2, level(1.9))) == 2
    smoothed, whole = density_regions._smoothed, np.std(cloud[0])

    def with_the_whole(edges, points, spread, mirror, dimensions):
        return smoothed(edges, points, whole if np.array_equal(points, cloud[0]) else spread, mirror, dimensions)

    monkeypatch.setattr(density_regions, "_smoothed", with_the_whole)
    monkeypatch.setattr(density_regions.np, "gradient", lambda values, _: np.zeros_like(values))
    assert len(intervals(grid.sin2_theta23, density_confidence(grid, *cloud).sin2, level(1.9))) == 1


@pytest.mark.parametrize("n_sigma", [1, 2])
def test_maximal_mixing_is_inside_and_the_region_ends_at_one(n_sigma):
    """With s normal about 1/2 the density grows with sin^2(2 theta) = 1 - 4 (s - 1/2)^2: the region is |s - 1/2| <= n sigma."""
    grid = _grid()
    rng = seeds.stream(1, "maximal")
    cloud = rng.normal(0.5, 0.02, 5000), rng.normal(DM31_EV2, SIGMA_DM31_EV2, 5000)
    (found,) = region_facts(grid, density_confidence(grid, *cloud))[f"{n_sigma}_sigma"]["intervals"]["sin2_2theta23"]
    assert found[1] == pytest.approx(1.0, abs=1e-12)
    assert 1 - found[0] == pytest.approx(4 * (n_sigma * 0.02) ** 2, rel=0.08)


def test_without_the_reflection_maximal_mixing_is_lost(monkeypatch):
    smoothed = density_regions._smoothed

    def open_end(edges, points, spread, mirror, dimensions):
        return smoothed(edges, points, spread, None, dimensions)

    monkeypatch.setattr(density_regions, "_smoothed", open_end)
    with pytest.raises(AssertionError):
        test_maximal_mixing_is_inside_and_the_region_ends_at_one(1)


def test_the_folded_plane_matches_a_histogram_of_many():
    sin2, _ = _two_octants(4_000_000, "many")
    edges = np.linspace(0.9, 1.0, 801)
    share = np.histogram(4 * sin2 * (1 - sin2), edges)[0] / sin2.size
    y_edges = DM31_EV2 + SIGMA_DM31_EV2 * np.linspace(-4, 4, 161)
    mass = np.outer(share, np.diff(norm.cdf(y_edges, DM31_EV2, SIGMA_DM31_EV2))).ravel()
    held = np.cumsum(mass[np.argsort(-mass)])
    cell = (edges[1] - edges[0]) * (y_edges[1] - y_edges[0])
    expected = [cell * np.searchsorted(held, level(n)) for n in (1, 2)]
    found = np.mean([_areas(_two_octants(2000, i), "sin2_2theta23")[:2] for i in range(8)], axis=0)
    assert found == pytest.approx(expected, rel=0.05)


def test_the_slow_twin_agrees():
    """Loops over the points for the density; confidence levels from a million throws of the smoothed cloud."""
    sin2, dm31 = _two_octants(60, "twin")
    grid = _grid(160)
    found = density_confidence(grid, sin2, dm31)
    means = {side: sin2[(sin2 >= 0.5) == side].mean() for side in (False, True)}
    spreads = np.std([s - means[s >= 0.5] for s in sin2]), np.std(dm31)
    for dimensions, fields in ((2, found.plane_sin2), (1, found.sin2)):
        h_sin2, h_dm31 = (s * 60 ** (-1 / (dimensions + 4)) for s in spreads)
        moved = [_moved(points, h) for points, h in ((sin2, h_sin2), (dm31, h_dm31))]
        rng = seeds.stream(1, "twin", dimensions)
        chosen = rng.integers(60, size=1_000_000)
        if dimensions == 2:
            throws = [m[chosen] + h * rng.normal(size=chosen.size) for m, h in zip(moved, (h_sin2, h_dm31), strict=True)]
            density = partial(_density, moved, (h_sin2, h_dm31))
            where = [(40, 75), (60, 60), (75, 80), (80, 70), (100, 76), (107, 95), (120, 60)]
            points = [np.array([axis[c[i]] for c in where]) for i, axis in enumerate((grid.sin2_theta23, grid.dm31_ev2))]
            got = [fields[c] for c in where]
        else:
            throws = [moved[0][chosen] + h_sin2 * rng.normal(size=chosen.size)]
            density = partial(_density, moved[:1], (h_sin2,))
            where = [40, 50, 60, 65, 75, 85, 95, 105, 120]
            points = [grid.sin2_theta23[where]]
            got = fields[where]
        of_throws = density(throws)
        slow = [np.mean(of_throws > d) for d in density(points)]
        assert got == pytest.approx(slow, abs=0.006)


def _moved(points: np.ndarray, h: float) -> np.ndarray:
    moved = []
    for x in points:
        weights = [np.exp(-0.5 * ((x - y) / h) ** 2) for y in points]
        moved.append(x + 0.5 * sum(w * (y - x) for w, y in zip(weights, points, strict=True)) / sum(weights))
    return np.array(moved)


def _density(centres: list[np.ndarray], bandwidths: tuple[float, ...], at: list[np.ndarray]) -> np.ndarray:
    total = np.zeros(at[0].size)
    for i in range(centres[0].size):
        square = sum(((x - c[i]) / h) ** 2 for x, c, h in zip(at, centres, bandwidths, strict=True))
        total += np.exp(-0.5 * square)
    return total


def test_what_lies_outside_the_grid_is_ranked():
    """Half of the cloud is cut off: levels inside stay, the far corner is outside all regions, and the facts say so."""
    cloud = _normal(3000, "cut")
    half = _grid(60, FitRange((0.35, 0.65), (2.3e-3, DM31_EV2)))
    whole = RegionGrid.over(FitRange((0.35, 0.65), (2.3e-3, 2 * DM31_EV2 - 2.3e-3)), 60, 120)
    cut, full = (density_confidence(g, *cloud) for g in (half, whole))
    assert cut.plane_sin2 == pytest.approx(full.plane_sin2[:, :60], abs=0.01)
    assert cut.dm31 == pytest.approx(full.dm31[:60], abs=0.01)
    assert cut.plane_sin2[0, 0] == pytest.approx(1.0, abs=1e-9)
    assert cut.sin2 == pytest.approx(full.sin2)
    assert region_facts(half, cut)["1_sigma"]["cut_off"] == ["dm31_ev2 high"]
    far = density_confidence(_grid(60), np.append(cloud[0], [0.1, 0.97]), np.append(cloud[1], [1e-3, 9e-3]))
    assert far.dm31[[0, -1]] == pytest.approx(1.0, abs=1e-3)


N_EXPERIMENTS = 300


def _levels_of_the_truth(widths: float) -> np.ndarray:
    """Return the level at the true point in many experiments, each a cloud about a scattered best fit."""
    grid, levels = _grid(72), np.empty(N_EXPERIMENTS)
    for i in range(N_EXPERIMENTS):
        rng = seeds.stream(5, "experiment", i)
        best = rng.normal(SIN2, SIGMA_SIN2), rng.normal(DM31_EV2, SIGMA_DM31_EV2)
        cloud = [rng.normal(b, widths * s, 300) for b, s in zip(best, (SIGMA_SIN2, SIGMA_DM31_EV2), strict=True)]
        levels[i] = confidence_at(density_confidence(grid, *cloud), grid, SIN2, DM31_EV2)["plane_sin2"]
    return levels


def test_regions_cover_as_they_claim():
    levels = _levels_of_the_truth(1.0)
    for n_sigma in (1, 2):
        low, high = binom.interval(0.99, N_EXPERIMENTS, level(n_sigma))
        assert low <= np.sum(levels <= level(n_sigma)) <= high


def test_clouds_half_as_wide_are_caught():
    held = np.sum(_levels_of_the_truth(0.5) <= level(1))
    assert held < binom.ppf(1e-4, N_EXPERIMENTS, level(1))


def test_the_order_of_the_points_does_not_matter():
    grid = _grid(40)
    cloud = np.array(_two_octants(300, "order"))
    one, other = density_confidence(grid, *cloud), density_confidence(grid, *cloud[:, ::-1])
    assert one.plane_sin2 == pytest.approx(other.plane_sin2, abs=1e-9)


def test_a_cloud_piled_up_at_maximal_mixing_has_regions():
    """Data whose likelihood is highest near maximal mixing: nearly all bootstraps there, a few percent in the octants."""
    rng = seeds.stream(5, "piled up")
    sin2 = np.where(rng.random(2000) < 0.96, 0.5159 + 1e-4 * rng.standard_normal(2000), rng.normal(0.53, 0.004, 2000))
    grid = _grid(120)
    found = density_confidence(grid, sin2, rng.normal(DM31_EV2, SIGMA_DM31_EV2, 2000))
    (low, high), *more = intervals(grid.sin2_theta23, found.sin2, level(1))
    assert not more and low < 0.5159 < high and high - low < 0.01
    assert confidence_at(found, grid, SIN2, DM31_EV2)["sin2"] > level(2)


@pytest.mark.parametrize(
    ("sin2", "dm31", "message"),
    [
        (np.full(19, 0.5), np.full(19, 2.5e-3), "19 points .* at least 20"),
        (np.full(30, 0.5), np.full(29, 2.5e-3), "one length"),
        (np.append(np.full(30, 0.5), np.nan), np.full(31, 2.5e-3), "1 of 31 values of sin2_theta23 are not finite"),
        (np.full(30, 0.5), np.append(np.full(28, 2.5e-3), [np.inf, np.nan]), "2 of 30 values of dm31_ev2"),
        (np.linspace(0.9, 1.1, 30), np.full(30, 2.5e-3), "within 0 to 1"),
        (np.full(30, 0.47), np.linspace(2.4e-3, 2.6e-3, 30), "all values of sin2_theta23 are the same"),
        (np.linspace(0.4, 0.6, 30), np.full(30, 2.5e-3), "all values of dm31_ev2 are the same"),
    ],
)
def test_clouds_without_a_density_are_refused(sin2, dm31, message):
    with pytest.raises(InputError, match=message):
        density_confidence(_grid(), sin2, dm31)

"""Universes: each against its analysis done member by member, and coverage of many where it is known."""

from dataclasses import dataclass

import numpy as np
import pytest
from toy_world import AT, FAR_EVENTS, PLANE, small_world

from nuinfer.closure import universes
from nuinfer.closure.closed_form import central_contents, statistical_toys, systematic_marginal, systematic_toys
from nuinfer.closure.universes import QUANTITIES, Ensemble, universe_levels
from nuinfer.closure.world import World
from nuinfer.oscillation.coverage import CELLS, Hypotheses, hypotheses, ratio_levels
from nuinfer.oscillation.density_regions import density_confidence
from nuinfer.oscillation.marginal import Marginal
from nuinfer.oscillation.optimum import octant_optima
from nuinfer.oscillation.regions import RegionGrid, confidence_at, level
from nuinfer.oscillation.toys import mixture_points
from nuinfer.oscillation.union import union_level
from nuinfer.oscillation.wilks import FREEDOMS

BOTH = Ensemble(3, near_data=True, flux=True)


@dataclass(frozen=True)
class Setting:
    """What all universes of a world share."""

    world: World
    marginal: Marginal
    alone: Hypotheses
    systematic: Hypotheses

    def levels(self, ensemble: Ensemble, seed: int, n_bootstrap: int = 0) -> tuple[dict, np.ndarray]:
        rng = np.random.default_rng([seed, 77])
        return universe_levels(self.world, self.marginal, self.alone, self.systematic, AT, ensemble, n_bootstrap, rng)


def setting(world: World, n_toys: int = 2000, n_draws: int = 300) -> Setting:
    none, at = np.zeros(world.n_shifts), world.far.fluxes.at(*AT)
    marginal, table = systematic_marginal(world, world.near_shares(none, np.random.default_rng(2)), at)
    expected, table = world.expected_far(none, at), table.astype(float)
    table -= table.mean(axis=0)
    points = mixture_points(PLANE.coefficients(expected @ table.T), PLANE)
    wide = mixture_points(PLANE.coefficients(marginal.log_likelihood(expected, table)), PLANE)
    alone = statistical_toys(world, points, n_toys, np.random.default_rng(3))
    systematic = systematic_toys(world, marginal, wide, n_draws, n_toys, np.random.default_rng(4))
    return Setting(world, marginal, hypotheses(alone, *AT), hypotheses(systematic, *AT))


@pytest.fixture(scope="module")
def with_flux(problem) -> Setting:
    return setting(small_world(problem, 0.2))


@pytest.fixture(scope="module")
def certain(problem) -> Setting:
    """No uncertainty of the flux to speak of, and a near detector that leaves none of the cross section."""
    return setting(small_world(problem, 1e-9, 10**11))


# One universe


def counted_levels(hypothesis: Hypotheses, surface: np.ndarray) -> dict[str, float]:
    """Levels of the joint region and of dm^2_31, toy by toy."""
    found, toys = {}, hypothesis.toys
    highest = octant_optima(surface[None], PLANE).best.loglike[0]
    for name in ("plane_sin2", "dm31"):
        points = hypothesis.points[name]
        heights = PLANE.at(surface, *points)
        best = int(heights.argmax())
        own = toys.coefficients if toys.weighing is None else toys.weighing
        thrown = PLANE.at(own, *(np.full(len(own), float(p[best])) for p in points))
        weight = np.exp(thrown - toys.log_mixture)
        free = np.stack([PLANE.at(c, *points).max() for c in toys.coefficients])
        below = 2.0 * (toys.highest - free) < 2.0 * (highest - heights[best])
        found[name] = weight[below].sum() / weight.sum()
    return found


def members_dm31(s: Setting, ensemble: Ensemble, seed: int, known: bool) -> np.ndarray:
    """Levels of dm^2_31 ``(n_members,)`` of members drawn around the nominal flux or, were it ``known``, the true one."""
    rng = np.random.default_rng([seed, 77])
    world, k = s.world, s.world.n_shifts
    true = rng.standard_normal(k)
    near = world.near_shares(true, rng)
    counts = world.far_counts(true, world.far.fluxes.at(*AT), rng)
    fluxes = rng.standard_normal((ensemble.n_members, k)) + (true if known else 0.0)
    contents = world.far.contents(world.near.coefficients(world.resampled(near, ensemble.n_members, rng), fluxes))
    tables = [world.far.log_table(c, f).astype(float) for c, f in zip(contents, fluxes, strict=True)]
    surfaces = PLANE.coefficients(np.stack([counts @ t.T for t in tables]))
    return ratio_levels(s.alone, PLANE, surfaces, octant_optima(surfaces, PLANE).best.loglike)["dm31"]


def member_by_member(s: Setting, ensemble: Ensemble, n_bootstrap: int, seed: int) -> dict:
    """The slow twin: the same draws, one analysis after another."""
    rng = np.random.default_rng([seed, 77])
    world, k = s.world, s.world.n_shifts
    true = rng.standard_normal(k)
    near = world.near_shares(true, rng)
    counts = world.far_counts(true, world.far.fluxes.at(*AT), rng)
    fluxes = rng.standard_normal((ensemble.n_members, k)) * ensemble.flux
    data = [d if ensemble.near_data else near for d in world.resampled(near, ensemble.n_members, rng)]
    resampled = rng.multinomial(FAR_EVENTS, counts / counts.sum(), size=n_bootstrap)

    def surface_of(share: np.ndarray, flux: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        (content,) = world.far.contents(world.near.coefficients(share[None], flux[None])).astype(float)
        rates = np.maximum(np.tensordot(np.append(1.0, flux), world.far.fluxes.mixed, 1) @ content, 1e-30)
        density = rates / rates.sum(axis=1, keepdims=True)
        return PLANE.coefficients(counts @ np.log(density).T), np.log(density), density

    levels: dict = {"members_feldman_cousins": [], "central_feldman_cousins": [], "members_bootstrap": []}
    for share, flux in zip(data, fluxes, strict=True):
        surface, logs, _ = surface_of(share, flux)
        levels["members_feldman_cousins"].append(counted_levels(s.alone, surface))
        if n_bootstrap:
            cloud = octant_optima(PLANE.coefficients(resampled @ logs.T), PLANE).best
            grid = RegionGrid.over(PLANE.range, CELLS, CELLS)
            density = density_confidence(grid, cloud.sin2_theta23, cloud.dm31_ev2)
            levels["members_bootstrap"].append(confidence_at(density, grid, *AT))
    surface, logs, density = surface_of(near, np.zeros(k))
    levels["central_feldman_cousins"].append(counted_levels(s.alone, surface))
    own = Marginal.of(PLANE, s.marginal.response, density)
    slopes = np.array([own.response[:, node].astype(float) @ counts for node in range(PLANE.n_nodes)])
    heights = counts @ logs.T
    for node, g in enumerate(slopes):
        stiffness = np.eye(len(g)) + FAR_EVENTS * s.marginal.information[node]
        heights[node] += 0.5 * g @ np.linalg.solve(stiffness, g) - 0.5 * np.linalg.slogdet(stiffness)[1]
    levels["marginal_toys"] = [counted_levels(s.systematic, PLANE.coefficients(heights))]
    return levels


def test_a_universe_is_its_members_analysed_one_by_one(with_flux):
    found, best = with_flux.levels(BOTH, 5, 150)
    slow = member_by_member(with_flux, BOTH, 150, 5)
    for method, analyses in slow.items():
        # Rounding takes some of the resamples' best fits to the other octant.
        close = 0.03 if method == "members_bootstrap" else 3e-3
        for name in analyses[0]:
            np.testing.assert_allclose(found[method][name], [a[name] for a in analyses], atol=close, err_msg=f"{method} {name}")
    assert best.shape == (4,)
    # The order of members, and what their fluxes are drawn around: the controls.
    mine, other = found["members_feldman_cousins"]["dm31"], members_dm31(with_flux, BOTH, 5, True)
    np.testing.assert_allclose(mine, members_dm31(with_flux, BOTH, 5, False), atol=3e-3)
    assert np.abs(mine - mine[::-1]).max() > 0.05 and np.abs(mine - other).max() > 0.05


def test_shapes_and_ranges(with_flux):
    found, best = with_flux.levels(BOTH, 6, 60)
    sizes = {f"{who}_{how}": n for who, n in (("members", 3), ("central", 1)) for how in ("feldman_cousins", "bootstrap")}
    assert {m: {q: v.shape for q, v in levels.items()} for m, levels in found.items()} == {
        m: dict.fromkeys(FREEDOMS, (n,)) for m, n in (sizes | {"marginal_chi2": 1, "marginal_toys": 1}).items()
    }
    for levels in found.values():
        assert all(np.all((v >= 0.0) & (v <= 1.0)) for v in levels.values())
    low, high = PLANE.range.dm31_ev2
    assert best.shape == (4,) and np.all((best >= low) & (best <= high))
    assert not any("bootstrap" in method for method in with_flux.levels(BOTH, 6)[0])


def same(one: dict, other: dict) -> bool:
    return all(np.array_equal(one[m][q], other[m][q]) for m in one for q in one[m])


def test_a_universe_depends_on_its_generator_alone(with_flux):
    first, best = with_flux.levels(BOTH, 7)
    other, _ = with_flux.levels(BOTH, 8)
    again, best_again = with_flux.levels(BOTH, 7)
    assert same(first, again) and np.array_equal(best, best_again) and not same(first, other)


def test_members_have_of_their_own_what_the_ensemble_says(with_flux):
    best = {(near, flux): with_flux.levels(Ensemble(4, near, flux), 9)[1] for near in (False, True) for flux in (False, True)}
    # The central analysis is last and has nothing of its own.
    assert len({b[-1].round(12) for b in best.values()}) == 1
    np.testing.assert_allclose(best[False, False][:-1], best[False, False][-1], atol=5e-8)
    for varied in ((True, False), (False, True), (True, True)):
        assert np.ptp(best[varied][:-1]) > 3e-7
    assert np.ptp(best[False, True]) > 2 * np.ptp(best[True, False])


# Coverage


def inside(levels: list[dict], method: str, quantity: str, n_sigma: int) -> float:
    return float(np.mean([np.all(found[method][quantity] <= level(n_sigma)) for found in levels]))


def off(share: float, n_sigma: int, n: int) -> float:
    claimed = float(level(n_sigma))
    return (share - claimed) / np.sqrt(claimed * (1 - claimed) / n)


def test_without_systematics_regions_hold_the_truth_as_often_as_they_claim(certain):
    n = 160
    levels = [certain.levels(Ensemble(1, True, True), seed)[0] for seed in range(n)]
    for method in ("central_feldman_cousins", "members_feldman_cousins", "marginal_toys"):
        for quantity in FREEDOMS:
            for n_sigma in (1, 2):
                share = inside(levels, method, quantity, n_sigma)
                # Levels have the error of the toys, too.
                assert abs(off(share, n_sigma, n)) < 4.0, (method, quantity, n_sigma, share)


def test_with_them_plain_regions_hold_it_too_seldom_and_calibrated_ones_do_not(with_flux):
    n = 160
    levels = [with_flux.levels(Ensemble(1, True, True), seed)[0] for seed in range(n)]
    for quantity in ("dm31", "plane_sin2"):
        assert off(inside(levels, "central_feldman_cousins", quantity, 1), 1, n) < -3.0
        assert off(inside(levels, "central_feldman_cousins", quantity, 2), 2, n) < -3.0
        # A member has the true flux's deviation and its own.
        assert inside(levels, "members_feldman_cousins", quantity, 2) < inside(levels, "central_feldman_cousins", quantity, 2)
        for n_sigma in (1, 2):
            assert abs(off(inside(levels, "marginal_toys", quantity, n_sigma), n_sigma, n)) < 4.0


def test_the_statistic_knows_of_systematics_where_it_is_centred_on_its_own_near_data(with_flux):
    """The marginal's maximum scatters no more than the plain one's; were it pulled to other near data, it would."""
    world, none, at = with_flux.world, np.zeros(2), with_flux.world.far.fluxes.at(*AT)
    rng, best = np.random.default_rng(12), []
    for _ in range(60):
        true = rng.standard_normal(2)
        content = central_contents(world, world.near_shares(true, rng)[None])[0]
        whole = world.far.log_table(content, none).astype(float)
        table, counts = whole - whole.mean(axis=0), world.far_counts(true, at, rng)
        heights = [
            counts @ table.T,
            with_flux.marginal.log_likelihood(counts, table, np.exp(whole)),
            with_flux.marginal.log_likelihood(counts, table),
        ]
        best.append(octant_optima(PLANE.coefficients(np.stack(heights)), PLANE).dm31_ev2[:, 0])
    plain, own, others = np.std(best, axis=0)
    assert own < 1.1 * plain and others > 1.5 * own


def test_the_union_covers_otherwise_with_members_around_the_true_flux(with_flux):
    """They would know what nobody knows: the control of where members are drawn."""
    ensemble, n = Ensemble(7, True, True), 80
    unknown, known = (np.stack([members_dm31(with_flux, ensemble, seed, k) for seed in range(n)]) for k in (False, True))
    mine = with_flux.levels(ensemble, 3)[0]["members_feldman_cousins"]["dm31"]
    np.testing.assert_allclose(mine, unknown[3], atol=3e-3)
    # Members that know the true flux hold the truth more often, and so does their union.
    difference = (unknown - known).mean(axis=1)
    assert difference.mean() > 2.0 * difference.std() / np.sqrt(n)
    united = [[np.mean(union_level(members, axis=1) <= level(k)) for k in (1, 2)] for members in (unknown, known)]
    assert np.all(np.subtract(*united[::-1]) > 0.03), united


def test_a_cloud_on_the_edge_of_the_range_holds_nothing(certain):
    """Members whose flux is far off may have every resample's best fit on one end of the fitted range."""
    plane = certain.world.far.fluxes.plane
    rising = np.zeros((60, plane.n_sin2, plane.n_dm31))
    rising[:, 0, 1] = 50.0  # steeply up in dm^2_31
    rising[:, 2, 0] = -np.linspace(1.0, 2.0, 60)  # a peak in sin^2(theta_23)
    rising[:, 1, 0] = np.linspace(-1.0, 1.0, 60)
    levels = universes._density_levels(rising, certain.world, (0.47, 2.513e-3))
    assert levels == dict.fromkeys(QUANTITIES, 1.0)

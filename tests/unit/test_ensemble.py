"""What an ensemble says in numbers, against pencil and paper and counting; draws that did not converge; the scatter."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2, norm

from nuinfer.oscillation.ensemble import FAILED, broadening, convergence, scatter, shift_facts, statistical_spread
from nuinfer.oscillation.optimum import Optima
from nuinfer.oscillation.plane import FitRange, Plane
from nuinfer.oscillation.regions import Confidence, RegionGrid, level
from nuinfer.oscillation.toys import Toys

SIGMA_SIN2, SIGMA_DM31_EV2 = 0.01, 2e-5
GRID = RegionGrid.over(FitRange((0.3, 0.7), (2.2e-3, 2.8e-3)), 240, 240)


def numbers(lower: tuple[float, float], upper: tuple[float, float], better: str = "lower") -> dict:
    """Return the numbers of a fit with best points ``(sin2, dm31)`` in the octants."""
    points = {"lower": lower, "upper": upper}
    return {
        "octants": {
            name: {"sin2_theta23": point[0], "dm31_ev2": point[1], "delta_chi2": 0.0 if name == better else 1.5}
            for name, point in points.items()
        },
        "sd": {"sin2_theta23_within_octant": SIGMA_SIN2, "dm31_ev2": SIGMA_DM31_EV2},
    }


REFERENCE = numbers((0.47, 2.50e-3), (0.55, 2.51e-3))


# Shifts


def test_shifts_are_in_the_references_octant_and_spreads():
    members = [
        numbers((0.48, 2.54e-3), (0.60, 2.51e-3)),
        numbers((0.45, 2.50e-3), (0.55, 2.90e-3), better="upper"),
        numbers((0.47, 2.48e-3), (0.55, 2.51e-3)),
    ]
    found = shift_facts(members, REFERENCE)
    assert found["octant"] == "lower" and found["octant_changed"] == 1
    for name, each in (("sin2_theta23", [1.0, -2.0, 0.0]), ("dm31_ev2", [2.0, 0.0, -1.0])):
        assert found[name]["each"] == pytest.approx(each, abs=1e-9)
        mean = sum(each) / 3
        assert found[name]["mean"] == pytest.approx(mean, abs=1e-9)
        assert found[name]["sd"] == pytest.approx((sum((e - mean) ** 2 for e in each) / 2) ** 0.5)
        assert found[name]["rms"] == pytest.approx((sum(e**2 for e in each) / 3) ** 0.5)


def test_the_references_better_octant_decides():
    reference = numbers((0.47, 2.50e-3), (0.55, 2.51e-3), better="upper")
    found = shift_facts([numbers((0.47, 2.50e-3), (0.57, 2.53e-3))], reference)
    assert found["octant"] == "upper" and found["octant_changed"] == 1
    assert found["sin2_theta23"]["mean"] == pytest.approx(2.0) and found["dm31_ev2"]["mean"] == pytest.approx(1.0)


def test_one_member_has_no_spread():
    found = shift_facts([REFERENCE], REFERENCE)
    assert found["dm31_ev2"] == {"mean": 0.0, "sd": None, "rms": 0.0, "each": [0.0]}


# Broadening


def normal(size: float) -> Confidence:
    """Return the levels of a normal law in the lower octant, ``size`` times as wide."""
    z_sin2 = np.abs(GRID.sin2_theta23 - 0.4) / (size * SIGMA_SIN2)
    z_dm31 = np.abs(GRID.dm31_ev2 - 2.5e-3) / (size * SIGMA_DM31_EV2)
    plane = chi2.cdf(z_sin2[:, None] ** 2 + z_dm31**2, 2)
    half = z_sin2.size // 2
    return Confidence(plane, plane[:half], level(z_sin2), level(z_sin2[:half]), level(z_dm31))


def test_regions_twice_as_wide():
    """Lengths double and areas in sin^2 are four times as large; in sin^2(2 theta) the scale is bent, up to a per cent."""
    found = broadening(normal(2.0), normal(1.0), GRID)
    assert set(found) == {"1_sigma", "2_sigma", "3_sigma"}
    one = found["1_sigma"]
    assert one["length_sin2_theta23"] == pytest.approx(100.0, abs=2.0)
    assert one["length_dm31_ev2"] == pytest.approx(100.0, abs=2.0)
    assert one["area_sin2_theta23"] == pytest.approx(300.0, abs=6.0)
    assert one["area_sin2_2theta23"] == pytest.approx(300.0, abs=10.0)


def test_the_same_regions_are_no_wider_and_narrower_ones_are_below_zero():
    same, narrower = broadening(normal(1.0), normal(1.0), GRID), broadening(normal(1.0), normal(2.0), GRID)
    assert set(same["2_sigma"].values()) == {0.0}
    assert all(value < -40.0 for value in narrower["2_sigma"].values())


def test_pieces_are_summed():
    """An interval in both octants is twice as long as that in one."""
    one = normal(1.0)
    both = Confidence(one.plane_sin2, one.plane_sin2_2theta, np.minimum(one.sin2, one.sin2[::-1]), one.sin2_2theta, one.dm31)
    assert broadening(both, one, GRID)["1_sigma"]["length_sin2_theta23"] == pytest.approx(100.0, abs=1e-6)


def test_an_empty_reference_gives_no_number():
    one = normal(1.0)
    empty = Confidence(one.plane_sin2, one.plane_sin2_2theta, one.sin2, one.sin2_2theta, np.ones_like(one.dm31))
    assert np.isnan(broadening(one, empty, GRID)["1_sigma"]["length_dm31_ev2"])


# Convergence


def training(loss: float = 1.2e-4, noise: float = 1e-4, starts: int = 1, **more) -> dict:
    return {"best_loss": [loss], "noise": noise, "target_mean_square": 2.0, "starts": [starts], **more}


def test_all_converged():
    found = convergence([training() for _ in range(5)])
    assert found["restarted"] == found["failed"] == [] and found["starts"] == [1] * 5
    assert found["misfit"] == pytest.approx([1e-5] * 5)


def test_restarted_and_failed_draws_are_named():
    trainings = [training() for _ in range(5)]
    trainings[1] = training(starts=3)
    trainings[4] = training(loss=1e-4 + 1.1 * FAILED * 2e-5)
    found = convergence(trainings)
    assert found["restarted"] == [1] and found["starts"] == [1, 3, 1, 1, 1] and found["failed"] == [4]
    trainings[4] = training(loss=1e-4 + 0.9 * FAILED * 2e-5)
    assert convergence(trainings)["failed"] == []


def test_noise_is_taken_off():
    """A draw of fewer events has the larger loss and the same misfit; without its noise taken off it would have failed."""
    sample = [training() for _ in range(4)]
    noisy = training(loss=1e-2 + 2e-5, noise=1e-2)
    assert convergence([*sample, noisy])["failed"] == []
    assert convergence([*sample, {**noisy, "noise": 1e-4}])["failed"] == [4]


def test_losses_below_the_noise():
    """Networks fit some of the scatter: a misfit below zero is none, and one far above the usual size still is."""
    below = [training(loss=0.8e-4) for _ in range(4)]
    assert convergence(below)["failed"] == []
    assert convergence([*below, training(loss=1e-2)])["failed"] == [4]


def test_the_worst_member_of_a_draw_counts():
    two = training()
    two |= {"best_loss": [1.2e-4, 1e-1], "starts": [1, 2]}
    found = convergence([training(), training(), two])
    assert found["failed"] == [2] and found["restarted"] == [2]


def test_a_closed_form_is_not_trained():
    assert convergence([{"chi2": 1.0}, {}]) == {"restarted": [], "misfit": [], "failed": []}


# Scatter over universes


def test_scatter_of_a_normal_toy(rng):
    """Members share their universe's far events: what they differ by is systematic alone, and both are the central's."""
    n, members, statistical, systematic = 4000, 6, 2e-5, 5e-5
    common = 2.5e-3 + rng.normal(0.0, statistical, (n, 1))
    found = scatter(common + rng.normal(0.0, systematic, (n, members + 1)), statistical)
    assert found["systematic_ev2"] == pytest.approx(systematic, rel=0.03)
    assert found["ratio"] == pytest.approx(systematic / statistical, rel=0.03)
    assert abs(found["total_ev2"] - found["quadrature_ev2"]) < 4.0 * found["total_error_ev2"]
    wrong = scatter(common + rng.normal(0.0, systematic, (n, members + 1)), 2.0 * statistical)
    assert abs(wrong["total_ev2"] - wrong["quadrature_ev2"]) > 6.0 * wrong["total_error_ev2"]
    alone = scatter(common + np.zeros((n, members + 1)), statistical)
    assert alone["systematic_ev2"] < 1e-15 and alone["ratio"] < 1e-9


def test_scatter_counts_members_one_by_one(rng):
    best = 2.5e-3 + 1e-5 * rng.normal(size=(7, 4))
    variances = [sum((b - sum(row) / 3) ** 2 for b in row) / 2 for row in best[:, :3].tolist()]
    last = best[:, 3].tolist()
    found = scatter(best, 3e-5)
    assert found["systematic_ev2"] == pytest.approx((sum(variances) / 7) ** 0.5)
    assert found["total_ev2"] == pytest.approx((sum((b - sum(last) / 7) ** 2 for b in last) / 6) ** 0.5)
    assert found["statistical_ev2"] == 3e-5


def test_the_error_of_the_total(rng):
    """Twin: the scatter of the total itself, over many sets of universes."""
    totals = [scatter(rng.normal(0.0, 1.0, (50, 3)), 1.0) for _ in range(2000)]
    spread = np.std([t["total_ev2"] for t in totals])
    assert np.mean([t["total_error_ev2"] for t in totals]) == pytest.approx(spread, rel=0.06)


def test_statistical_spread_is_that_at_the_point(rng):
    """Toys of a normal law thrown three times too wide and off the point: their weights bring them back."""
    plane = Plane(FitRange((0.35, 0.65), (2.3e-3, 2.75e-3)), 2, 3)
    centre, wide = 2.52e-3, 3.0 * SIGMA_DM31_EV2
    best = rng.normal(2.55e-3, wide, 20000)
    surfaces = plane.coefficients(-0.5 * ((np.tile(plane.axes[1], 2) - best[:, None]) / SIGMA_DM31_EV2) ** 2)
    log_mixture = norm.logpdf(best, 2.55e-3, wide) + np.log(SIGMA_DM31_EV2 * np.sqrt(2.0 * np.pi))
    # The upper octant's optima are elsewhere: those of the point's octant count.
    places = np.stack([best, 2.4e-3 + 0.5 * (best - 2.55e-3)], axis=1)
    optima = Optima(np.tile([0.45, 0.55], (best.size, 1)), places, np.zeros((best.size, 2)), np.zeros((best.size, 2), bool))
    toys = Toys(plane, surfaces, optima, log_mixture)
    found = statistical_spread(toys, 0.45, centre)
    assert found == pytest.approx(SIGMA_DM31_EV2, rel=0.03)
    assert statistical_spread(toys, 0.55, centre) == pytest.approx(0.5 * found)
    unweighted = replace(toys, log_mixture=plane.at(surfaces, *(np.full(best.size, v) for v in (0.45, centre))))
    assert statistical_spread(unweighted, 0.45, centre) == pytest.approx(wide, rel=0.03)


def test_a_learner_without_starts_is_not_judged():
    """A black box has one loss and no restarts, a closed form neither."""
    nothing = {"restarted": [], "misfit": [], "failed": []}
    assert convergence([{"best_loss": 1e-3, "target_mean_square": 6.5}, {"chi2": 1.0}]) == nothing

"""Far-detector events: the drawn sample against its density, energies, the resolution, order, and what is refused."""

from collections.abc import Callable
from dataclasses import astuple, replace

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr

from nuinfer.closure import far_drawing
from nuinfer.closure.far_drawing import draw_energies, draw_far_events
from nuinfer.closure.far_events import FarEvents, check_events, in_order, smear_energies, smeared_events
from nuinfer.closure.observables import GridPoints, LeptonGrid
from nuinfer.closure.truth import Combinations, direct_counts
from nuinfer.errors import InputError
from nuinfer.physics import kinematics as kin
from nuinfer.physics.cross_section import d2sigma_from_combinations

N_EVENTS = 30_000
FINE = 24
LOW, HIGH, RELATIVE = 0.5, 4.0, 0.2
MASS = kin.ARGON40.nucleon_mass_gev
GRID = LeptonGrid(4, 4, 6.0)


def p_value(seen: np.ndarray, expected: np.ndarray) -> float:
    """Return the chi2 p-value of counts ``seen`` against a density; bins of fewer than ten events are taken together."""
    expected = expected * seen.sum() / expected.sum()
    many = expected > 10
    seen, expected = (np.append(a[many], a[~many].sum()) for a in (seen, expected))
    filled = expected > 5
    chi2 = np.sum((seen - expected)[filled] ** 2 / expected[filled])
    return float(stats.chi2.sf(chi2, np.count_nonzero(filled) - 1))


def in_bins(events: FarEvents, grid: LeptonGrid) -> np.ndarray:
    """Return the events' counts ``(n_u, n_v)``."""
    return np.histogram2d(grid.u(events.el_gev), grid.v(events.cos_theta), (grid.u_edges, grid.v_edges))[0]


def draw(problem, combinations: Combinations, n_events: int, seed: int = 1, **other) -> tuple[FarEvents, dict[str, float]]:
    setting = {
        "flux": problem.flux,
        "bin_counts": problem.flux @ problem.truth,
        "grid": problem.grid,
        "antineutrino": False,
    } | other
    return draw_far_events(
        combinations,
        knots_gev=problem.knots_gev,
        mass_gev=problem.mass_gev,
        n_events=n_events,
        rng=np.random.default_rng(seed),
        **setting,
    )


@pytest.fixture(scope="module")
def drawn(problem, toy) -> FarEvents:
    events, facts = draw(problem, toy(), N_EVENTS)
    assert facts["clipped_share"] == 0.0
    assert facts["candidates"] * facts["acceptance"] >= N_EVENTS
    return events


@pytest.fixture(scope="module")
def fine_grid(problem) -> LeptonGrid:
    """Three bins across each bin of the proposal."""
    return LeptonGrid(FINE, FINE, problem.grid.el_max_gev)


@pytest.fixture(scope="module")
def by_knot(problem, toy, fine_grid) -> np.ndarray:
    return direct_counts(toy(), fine_grid, problem.knots_gev, problem.mass_gev, points_per_axis=4)


def test_sample_follows_the_density(problem, drawn, fine_grid, by_knot) -> None:
    expected = (problem.flux @ by_knot).reshape(fine_grid.shape)
    seen = in_bins(drawn, fine_grid)
    assert p_value(seen.ravel(), expected.ravel()) > 1e-3
    for axis in (0, 1):
        assert p_value(seen.sum(axis), expected.sum(axis)) > 1e-3


def test_events_even_within_the_proposals_bins_would_be_seen(problem, fine_grid, by_knot) -> None:
    rng, grid = np.random.default_rng(2), problem.grid
    counts = problem.flux @ problem.truth
    bins = rng.choice(grid.n_bins, N_EVENTS, p=counts / counts.sum())
    u, v = (bins // grid.n_v + rng.random(N_EVENTS)) / grid.n_u, (bins % grid.n_v + rng.random(N_EVENTS)) / grid.n_v
    even = FarEvents(grid.el_gev(u), grid.cos_theta(v))
    assert p_value(in_bins(even, fine_grid).ravel(), problem.flux @ by_knot) < 1e-12


def test_a_wrong_flux_would_be_seen(problem, drawn, fine_grid, by_knot) -> None:
    other = problem.flux * (1.0 + 0.15 * (problem.knots_gev - 2.5))
    assert p_value(in_bins(drawn, fine_grid).ravel(), other @ by_knot) < 1e-4


def test_antineutrinos(problem, toy, fine_grid, by_knot) -> None:
    n_events, grid = N_EVENTS // 3, LeptonGrid(16, 16, problem.grid.el_max_gev)
    counts, fine = (direct_counts(toy(True), g, problem.knots_gev, problem.mass_gev, True) for g in (grid, fine_grid))
    events, _ = draw(problem, toy(True), n_events, antineutrino=True, grid=grid, bin_counts=problem.flux @ counts)
    seen = in_bins(events, fine_grid)
    assert p_value(seen.ravel(), problem.flux @ fine) > 1e-3
    assert p_value(seen.ravel(), problem.flux @ by_knot) < 1e-12


def test_energies_follow_the_flux_times_the_cross_section(problem, toy, drawn, fine_grid) -> None:
    """A pair of knots at the edges of an energy bin integrates over that bin alone."""
    edges = np.unique(np.concatenate([problem.knots_gev, np.linspace(0.6, 6.0, 37)]))
    flux = np.interp(edges, problem.knots_gev, problem.flux)
    pairs = [slice(i, i + 2) for i in range(edges.size - 1)]
    coarse = LeptonGrid(16, 16, problem.grid.el_max_gev)
    expected = np.array([np.sum(flux[p] @ direct_counts(toy(), coarse, edges[p], problem.mass_gev)) for p in pairs])
    seen = np.histogram(drawn.enu_gev, edges)[0]
    assert p_value(seen, expected) > 1e-3
    unweighted = np.array([flux[p].sum() * (edges[p][1] - edges[p][0]) for p in pairs])
    assert p_value(seen, unweighted) < 1e-12


def test_every_event_is_physical(problem, drawn) -> None:
    x = kin.bjorken_x(drawn.enu_gev, drawn.el_gev, drawn.cos_theta, problem.mass_gev)
    assert np.all(drawn.el_gev <= drawn.enu_gev)
    assert np.all((x > 0) & (x <= 1 + 1e-9))
    assert np.all((drawn.enu_gev >= problem.knots_gev[0]) & (drawn.enu_gev <= problem.knots_gev[-1]))
    assert np.array_equal(drawn.el_gev, drawn.el_true_gev)
    assert drawn.smearing is None
    check_events(drawn.el_gev, drawn.cos_theta, problem.grid, problem.mass_gev, False, "drawn events")


@pytest.mark.parametrize("antineutrino", [False, True])
def test_energies_at_one_point_against_a_fine_sum(problem, toy, antineutrino: bool) -> None:
    """The cumulative distribution at one lepton, by a trapezium of 200,000 energies; shares of ln(nu) stay within 0.5 %."""
    el, cos, n = 1.2, 0.85, 2_000
    enu = np.linspace(kin.threshold_enu_gev(el, cos, problem.mass_gev) + 1e-9, problem.knots_gev[-1], 200_001)
    x, q2 = kin.bjorken_x(enu, el, cos, problem.mass_gev), kin.q2_gev2(enu, el, cos)
    sigma = d2sigma_from_combinations(toy(antineutrino)(x, q2), enu, el, cos, problem.mass_gev, antineutrino)
    density = np.maximum(sigma, 0.0) * np.interp(enu, problem.knots_gev, problem.flux)
    below = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    uniform = (np.arange(n) + 0.5) / n
    points = GridPoints(np.arange(n), np.full(n, el), np.full(n, cos), np.ones(n))
    found = draw_energies(toy(antineutrino), points, problem.knots_gev, problem.flux, problem.mass_gev, antineutrino, uniform)
    assert np.all(np.diff(found) >= 0.0)
    distance = np.max(np.abs(np.interp(found, enu, below / below[-1]) - uniform))
    assert distance < 5e-3
    other = draw_energies(toy(antineutrino), points, problem.knots_gev, problem.flux[::-1], MASS, antineutrino, uniform)
    assert np.max(np.abs(np.interp(other, enu, below / below[-1]) - uniform)) > 10 * distance


def test_no_energy_for_a_lepton_that_cannot_be_made(problem, toy) -> None:
    backward = GridPoints(np.zeros(1, int), np.array([5.0]), np.array([-0.9]), np.ones(1))
    with pytest.raises(InputError, match="no neutrino of this flux makes"):
        draw_energies(toy(), backward, problem.knots_gev, problem.flux, problem.mass_gev, False, np.array([0.5]))


def test_the_generator_alone_decides(problem, toy, monkeypatch: pytest.MonkeyPatch) -> None:
    first, again, other = (draw(problem, toy(), 500, seed)[0] for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(astuple(first)[:4], astuple(again)[:4], strict=True))
    assert not np.any(first.el_gev == other.el_gev)
    longer = draw(problem, toy(), 900, 3)[0]
    assert np.array_equal(longer.enu_gev[:500], first.enu_gev)
    monkeypatch.setattr(far_drawing, "BATCH", 700)
    chunked = draw(problem, toy(), 500, 3)[0]
    assert np.allclose(chunked.el_gev, first.el_gev, rtol=1e-14)
    assert np.allclose(chunked.enu_gev, first.enu_gev, rtol=1e-9)


def test_the_proposal_needs_no_units_and_no_precision(problem, toy, fine_grid, by_knot) -> None:
    rough = problem.flux @ problem.truth * np.random.default_rng(5).uniform(0.85, 1.15, problem.grid.n_bins) * 1e-30
    events, facts = draw(problem, toy(), N_EVENTS // 2, 6, bin_counts=rough)
    assert facts["clipped_share"] < 1e-3
    assert p_value(in_bins(events, fine_grid).ravel(), problem.flux @ by_knot) > 1e-3


def test_a_proposal_that_cuts_the_density_is_refused(problem, toy) -> None:
    narrow = problem.flux @ problem.truth
    narrow = np.where(narrow > np.quantile(narrow, 0.8), narrow, narrow * 1e-3)
    with pytest.raises(InputError, match="of the density lies above the proposal; give expected counts"):
        draw(problem, toy(), 2000, bin_counts=narrow)


def test_progress_ends_at_the_number_of_events(problem, toy) -> None:
    seen: list[tuple[int, int]] = []
    draw(problem, toy(), 1500, progress=lambda done, of: seen.append((done, of)))
    assert seen[-1] == (1500, 1500)
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: {"flux": p.flux[1:]}, "far-detector flux: 11 values for 12 knots"),
        (lambda p: {"flux": -p.flux}, "flux: values must be finite, none negative"),
        (lambda p: {"flux": 0 * p.flux}, "not all zero"),
        (lambda p: {"flux": p.flux * np.nan}, "must be finite"),
        (lambda p: {"bin_counts": np.ones(3)}, "proposal: 3 counts for 64 bins"),
        (lambda p: {"bin_counts": np.zeros(64)}, "proposal: counts must be finite, and some of them positive"),
        (lambda p: {"bin_counts": np.eye(64)[63]}, "the density is zero where the counts are largest"),
        (lambda p: {"bin_counts": np.eye(64)[7]}, "counts are zero in bins where the density is not"),
        (lambda p: {"n_events": 0}, "ask for at least one, not 0"),
    ],
)
def test_what_makes_no_sample_is_refused(problem, toy, change: Callable[..., dict], message: str) -> None:
    with pytest.raises(InputError, match=message):
        draw(problem, toy(), **({"n_events": 10} | change(problem)))


def truncated_cdf(seen: np.ndarray, true: float) -> np.ndarray:
    low, high, at = (ndtr((e - true) / (RELATIVE * true)) for e in (LOW, HIGH, seen))
    return (at - low) / (high - low)


@pytest.mark.parametrize("true", [LOW, 0.6, 2.0, 3.9, HIGH])
def test_smeared_energies_are_truncated_gaussians(true: float) -> None:
    seen = smear_energies(np.full(4000, true), RELATIVE, LOW, HIGH, np.random.default_rng(8))
    assert seen.min() >= LOW and seen.max() <= HIGH
    assert stats.kstest(truncated_cdf(seen, true), "uniform").pvalue > 1e-3
    piled = np.clip(np.random.default_rng(8).normal(true, RELATIVE * true, 4000), LOW, HIGH)
    if true != 2.0:
        assert stats.kstest(truncated_cdf(piled, true), "uniform").pvalue < 1e-6
    assert stats.kstest(truncated_cdf(seen * 1.05, true), "uniform").pvalue < 1e-6


def test_smearing_is_repeatable_and_leaves_its_input() -> None:
    true = np.linspace(LOW, HIGH, 50)
    first, again = (smear_energies(true, RELATIVE, LOW, HIGH, np.random.default_rng(9)) for _ in range(2))
    assert np.array_equal(first, again)
    assert np.array_equal(true, np.linspace(LOW, HIGH, 50))


@pytest.mark.parametrize("relative", [0.0, 1.0, -0.1, np.nan])
def test_a_resolution_outside_its_range_is_refused(relative: float) -> None:
    with pytest.raises(InputError, match="relative resolution must lie between 0 and 1"):
        smear_energies(np.ones(3), relative, LOW, HIGH, np.random.default_rng(1))


def test_energies_that_cannot_be_redrawn_into_the_range_are_refused() -> None:
    with pytest.raises(InputError, match=r"2 of 3 true energies lie outside \[0.5, 4\] GeV"):
        smear_energies(np.array([1.0, 5.0, np.nan]), 0.1, LOW, HIGH, np.random.default_rng(1))


def test_smeared_events_keep_the_true_energy(problem, drawn) -> None:
    seen = smeared_events(drawn, 0.04, problem.grid, np.random.default_rng(11))
    assert seen.smearing == 0.04
    assert np.array_equal(seen.el_true_gev, drawn.el_gev)
    assert np.array_equal(seen.enu_gev, drawn.enu_gev) and np.array_equal(seen.cos_theta, drawn.cos_theta)
    assert np.std(seen.el_gev / seen.el_true_gev) == pytest.approx(0.04, rel=0.02)
    check_events(seen.el_gev, seen.cos_theta, problem.grid, problem.mass_gev, True, "smeared events")


def test_order_of_a_file_is_forgotten(drawn) -> None:
    some = FarEvents(*(a[:400] for a in astuple(drawn)[:4]), smearing=0.04)
    mixed = np.random.default_rng(10).permutation(400)
    shuffled = replace(some, **{n: getattr(some, n)[mixed] for n in ("el_gev", "cos_theta", "el_true_gev", "enu_gev")})
    one, two = in_order(some), in_order(shuffled)
    assert all(np.array_equal(a, b) for a, b in zip(astuple(one), astuple(two), strict=True))
    assert np.all(np.diff(one.cos_theta) >= 0.0)
    assert one.smearing == 0.04
    at = np.flatnonzero(some.el_gev == one.el_gev[7])[0]
    assert (some.cos_theta[at], some.enu_gev[at]) == (one.cos_theta[7], one.enu_gev[7])


def test_order_where_angles_repeat_and_the_truth_is_unknown() -> None:
    ordered = in_order(FarEvents(np.array([3.0, 1.0, 2.0]), np.array([0.5, 0.9, 0.5])))
    assert ordered.el_gev.tolist() == [2.0, 3.0, 1.0]
    assert ordered.cos_theta.tolist() == [0.5, 0.5, 0.9]
    assert ordered.enu_gev is None and ordered.el_true_gev is None and ordered.smearing is None


@pytest.mark.parametrize(
    ("el", "cos", "smeared", "message"),
    [
        ([], [], False, "my.csv: no events; give a table with at least one row"),
        ([1.0], [0.9, 0.8], False, "my.csv: 1 energies and 2 angles"),
        ([1.0, np.nan, np.nan], [0.9] * 3, True, "my.csv: row 2: el_gev = nan is not a finite number.* 2 of 3 rows are bad"),
        ([1.0, 1.0], [0.9, -np.inf], True, "my.csv: row 2: cos_theta = -inf is not a finite number.* 1 of 2 rows"),
        ([1.0, 1.0], [-1.1, 0.9], True, r"my.csv: row 1: cos_theta = -1.1 lies outside \[-1, 1\].* 1 of 2 rows"),
        ([1.0, 0.05], [0.9] * 2, True, r"my.csv: row 2: el_gev = 0.05 lies outside \[0.105669, 6\] GeV; .* 1 of 2 rows"),
        ([1200.0, 1000.0], [0.9] * 2, True, "my.csv: row 1: el_gev = 1200 lies outside .* in GeV.* 2 of 2 rows"),
        ([1.0, 5.0], [0.9, -0.5], False, "my.csv: row 2: el_gev = 5 takes a neutrino above 6 GeV .*smeared.* 1 of 2 rows"),
        ([5.99], [0.9], False, "my.csv: row 1: el_gev = 5.99 takes a neutrino above 6 GeV"),
    ],
)
def test_bad_events_are_named(el: list[float], cos: list[float], smeared: bool, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        check_events(np.array(el), np.array(cos), GRID, MASS, smeared, "my.csv")
    assert "\n" not in str(caught.value)


def test_good_events_pass() -> None:
    check_events(np.array([GRID.el_min_gev, 1.0]), np.array([1.0, 0.9]), GRID, MASS, False, "my.csv")
    check_events(np.array([5.0, 6.0]), np.array([-1.0, 1.0]), GRID, MASS, True, "my.csv")

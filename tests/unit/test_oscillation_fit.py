"""One fit: its range grows until it holds the best fits, the order of events does not matter, and what is wrong is reported."""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits
from toy_far import RANGE, TRUTH, binned_model, event_model

from nuinfer.errors import InputError
from nuinfer.oscillation import plane as plane_module
from nuinfer.oscillation.fit import Fit, fit_events
from nuinfer.oscillation.likelihood import FarModel, densities
from nuinfer.oscillation.optimum import Optima
from nuinfer.oscillation.plane import FitRange

SD = 0.021, 2.1e-5
REGULAR = {"sin2_theta23": 0.43, "dm31_ev2": 2.513e-3}
"""The octants' maxima are apart from each other here."""
SHORT = {
    "beside the truth": FitRange((0.45, 0.55), (2.55e-3, 2.60e-3)),
    "above": FitRange((0.35, 0.65), (2.60e-3, 2.65e-3)),
    "below": FitRange((0.46, 0.54), (2.40e-3, 2.45e-3)),
}


@pytest.fixture(scope="module")
def model() -> FarModel:
    return event_model(6200, np.random.default_rng(5), REGULAR)


@pytest.fixture(scope="module")
def wide(model: FarModel) -> Fit:
    return fit_events(model, RANGE, 40, 3, ("test",))


def scaled(optima: Optima) -> np.ndarray:
    """Return parameters in standard deviations."""
    return np.stack([optima.sin2_theta23 / SD[0], optima.dm31_ev2 / SD[1]])


def distance(one: Optima, other: Optima) -> float:
    return float(np.abs(scaled(one) - scaled(other)).max())


@pytest.mark.parametrize("name", SHORT)
def test_a_short_range_grows_to_the_wide_ones_fit(name: str, model: FarModel, wide: Fit) -> None:
    assert not wide.widened and not wide.cloud.on_edge.any()
    found = fit_events(model, SHORT[name], 40, 3, ("test",), widen=20)
    assert 1 <= found.widened < 20
    assert not found.data.best.on_edge.any() and not found.cloud.best.on_edge.any()
    assert distance(found.data.best, wide.data.best) < 1e-6
    assert distance(found.cloud.best, wide.cloud.best) < 1e-6
    # What a range that did not grow would have said is far off.
    assert distance(fit_events(model, SHORT[name], 0, 3, widen=0).data.best, wide.data.best) > 0.5


def test_an_octant_that_is_cut_off_makes_the_range_grow(rng: np.random.Generator) -> None:
    """Some bootstraps' best fits lie beyond the edge of one octant, while the other's optimum, inside, is higher for now."""
    near_maximal = event_model(6200, rng)
    found, wide = (fit_events(near_maximal, r, 100, 3, widen=20) for r in (FitRange((0.46, 0.54), (2.4e-3, 2.6e-3)), RANGE))
    assert found.widened and not found.cloud.on_edge.any()
    assert distance(found.cloud.best, wide.cloud.best) < 1e-5


def test_growth_stops_and_says_so(model: FarModel) -> None:
    start = FitRange((0.45, 0.55), (2.60e-3, 2.61e-3))
    for widen in (0, 1, 2):
        found = fit_events(model, start, 10, 3, widen=widen)
        assert found.widened == widen and found.data.best.on_edge[0] and found.cloud.best.on_edge.any()
        expected = start
        for _ in range(widen):
            expected = expected.widened(True, True, False)
        assert found.plane.range.dm31_ev2 == pytest.approx(expected.dm31_ev2, rel=1e-12)
        assert found.data.best.dm31_ev2[0] == pytest.approx(found.plane.range.dm31_ev2[0], rel=1e-9)


def test_only_the_side_that_cuts_moves(model: FarModel) -> None:
    start = FitRange((0.35, 0.65), (2.52e-3, 2.75e-3))
    found = fit_events(model, start, 10, 3)
    assert found.widened and found.plane.range.sin2_theta23 == start.sin2_theta23
    assert found.plane.range.dm31_ev2[0] < 2.5e-3 and found.plane.range.dm31_ev2[1] == 2.75e-3


def test_the_optimum_of_the_data_is_the_highest_log_likelihood(model: FarModel, wide: Fit) -> None:
    """The slow twin: the log-likelihood itself on a lattice around the best fit, and over the whole range."""

    def loglike(sin2: float, dm31: float) -> float:
        return float(np.log(densities(model, np.asarray(sin2), np.asarray(dm31))).sum())

    best = wide.data.best
    at = best.sin2_theta23[0], best.dm31_ev2[0]
    top = loglike(*at)
    for a in (-1e-2, 0.0, 1e-2):
        for b in (-1e-2, 0.0, 1e-2):
            assert (a, b) == (0.0, 0.0) or loglike(at[0] + a * SD[0], at[1] + b * SD[1]) < top
    for sin2 in np.linspace(0.36, 0.64, 12):
        for dm31 in np.linspace(2.31e-3, 2.74e-3, 12):
            assert loglike(sin2, dm31) < top


def test_order_of_events_changes_nothing(model: FarModel, wide: Fit, rng: np.random.Generator) -> None:
    shuffled = replace(model, kernel=model.kernel[:, rng.permutation(6200)])
    found = fit_events(shuffled, RANGE, 0, 3)
    assert distance(found.data, wide.data) < 1e-9
    lacking = replace(model, kernel=model.kernel[:, 1:])
    assert distance(fit_events(lacking, RANGE, 0, 3).data, wide.data) > 1e-5


def test_number_of_threads_changes_nothing(model: FarModel, wide: Fit) -> None:
    for threads in (1, 2):
        with threadpool_limits(threads):
            found = fit_events(model, RANGE, 40, 3, ("test",))
        assert distance(found.data, wide.data) < 1e-9 and distance(found.cloud, wide.cloud) < 1e-9, threads


def test_bootstraps_depend_on_seed_and_key_alone(model: FarModel, wide: Fit) -> None:
    again = fit_events(model, RANGE, 40, 3, ("test",))
    assert np.array_equal(again.cloud.dm31_ev2, wide.cloud.dm31_ev2) and np.array_equal(again.surface, wide.surface)
    for seed, key in ((4, ("test",)), (3, ("other",))):
        other = fit_events(model, RANGE, 40, seed, key)
        assert np.array_equal(other.surface, wide.surface)
        assert distance(other.cloud.best, wide.cloud.best) > 0.1


def test_one_event(rng: np.random.Generator) -> None:
    found = fit_events(event_model(1, rng), RANGE, 5, 1)
    assert np.all(np.isfinite(scaled(found.data))) and np.all(np.isfinite(found.surface))
    # Its resamples are all itself.
    assert np.ptp(scaled(found.cloud), axis=1).max() < 1e-6 and distance(found.cloud.best, found.data.best) < 1e-6


def test_no_events_are_refused(model: FarModel) -> None:
    with pytest.raises(InputError, match="far-detector fit: no events"):
        fit_events(replace(model, kernel=model.kernel[:, :0]), RANGE, 5, 1)


def test_events_that_the_model_excludes_are_counted(model: FarModel, wide: Fit) -> None:
    kernel = model.kernel.copy()
    kernel[:, [7, 70, 700]] = 0.0
    found = fit_events(replace(model, kernel=kernel), RANGE, 0, 3)
    assert found.impossible == 3 and wide.impossible == 0
    rest = fit_events(replace(model, kernel=np.delete(model.kernel, [7, 70, 700], axis=1)), RANGE, 0, 3)
    assert distance(found.data, rest.data) < 1e-8 < distance(found.data, wide.data)
    assert found.interpolation_error < 1e-5


def test_a_coarse_plane_is_caught(model: FarModel, wide: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wide.interpolation_error < 1e-6
    monkeypatch.setattr(plane_module, "NODES_PER_SIN2", 24.0)
    monkeypatch.setattr(plane_module, "NODES_PER_DM31_EV2", 12e3)
    coarse = fit_events(model, RANGE, 0, 3)
    assert coarse.plane.n_nodes < 0.3 * wide.plane.n_nodes
    assert coarse.interpolation_error > 1e-2
    # It is the deviation that there is: of the difference between both surfaces, which has no constant of its own.
    sin2, dm31 = np.meshgrid(np.linspace(0.36, 0.64, 30), np.linspace(2.31e-3, 2.74e-3, 30))
    apart = coarse.plane.at(coarse.surface, sin2.ravel(), dm31.ravel()) - wide.plane.at(
        wide.surface, sin2.ravel(), dm31.ravel()
    )
    assert 0.2 < coarse.interpolation_error / np.ptp(apart) < 5.0


def test_the_fit_of_a_likelihood_without_noise_is_the_truth() -> None:
    """Bins repeated as often as they are expected: 20,000 events at the truth, without fluctuations beyond rounding."""
    bins = binned_model()
    expected = 2e4 * densities(bins, **TRUTH)
    counts = np.floor(np.cumsum(expected) + 0.5).astype(int)
    kernel = np.repeat(bins.kernel, np.diff(counts, prepend=0), axis=1)
    best = fit_events(replace(bins, kernel=kernel), RANGE, 0, 1).data.best
    assert abs(best.sin2_theta23[0] - TRUTH["sin2_theta23"]) < 0.05 * SD[0]
    assert abs(best.dm31_ev2[0] - TRUTH["dm31_ev2"]) < 0.05 * SD[1]

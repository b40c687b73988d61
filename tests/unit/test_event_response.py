"""Response functions of event samples: predictions and their variance against loops over events, and what is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.interpolate import BarycentricInterpolator

from nuinfer.errors import InputError
from nuinfer.physics.binning import Binning
from nuinfer.physics.llewellyn_smith import axial_mass_weight, dsigma_dq2, q2_limits_gev2
from nuinfer.tuning.response import Response, chebyshev_nodes
from nuinfer.tuning.sources.event_response import build_event_response, curve_differences
from nuinfer.tuning.sources.event_terms import EventTerm, event_terms
from nuinfer.tuning.sources.events import CHANNELS, Events

BINNING = Binning(
    np.array([-1.0, -1.0, 0.5, 0.5, 0.5]),
    np.array([0.5, 0.5, 1.0, 1.0, 1.0]),
    np.array([0.0, 0.6, 0.0, 0.4, 0.9]),
    np.array([0.6, 2.0, 0.4, 0.9, 3.0]),
)
VALUES = {"w_80": 0.8, "w_90": 0.9, "nominal": 1.0, "w_110": 1.1, "w_120": 1.2}
NAMES = ("ma_ccqe_gev", "norm_ccmec", "shape_ccmec", "rpa_strength", "own")
MA = NAMES[0]
DEFAULTS = {MA: 1.0, "own": 0.4}
LIBRARY = {"norm_ccmec": 1.0, "shape_ccmec": 0.0, "rpa_strength": 1.0}
WEIGHTS = {"parameter": MA, "weights": VALUES}
FREE = {"parameter": MA, "free_nucleon": 1.03, "range": [0.9, 1.3]}

Coefficients = Mapping[str, np.ndarray]
"""Every sample's slope and curvature ``(2, n)`` of the events' weights in the axial mass about 1 GeV."""


def bent_weight(value: float, coefficients: np.ndarray) -> np.ndarray:
    """The true weights: quadratic, so that five nodes hold them, and their squares, exactly."""
    return 1.0 + coefficients[0] * (value - 1.0) + coefficients[1] * (value - 1.0) ** 2


def sample(n: int, seed: int, sigma: float, weighted: bool = True) -> tuple[Events, np.ndarray]:
    """Return random events, some in no bin and some not CC0pi, and their weights' coefficients ``(2, n)``."""
    rng = np.random.default_rng(seed)
    coefficients = rng.uniform([[-1.0], [-2.0]], [[2.0], [2.0]], (2, n))
    weight = rng.gamma(2.0, sigma / (2 * n), n) if weighted else np.full(n, sigma / n)
    events = Events(
        enu_gev=rng.uniform(0.3, 3.0, n),
        p_mu_gev=rng.uniform(0.01, 3.5, n),
        cos_theta=rng.uniform(-1.0, 1.0, n),
        q2_gev2=rng.uniform(0.0, 1.0, n),
        channel=rng.choice(["QE", "MEC", "RES", "DIS"], n, p=[0.4, 0.3, 0.2, 0.1]),
        is_cc0pi=rng.random(n) < 0.8,
        weight_1e38cm2=weight,
        n_generated=10 * n,
        dial_weights={c: bent_weight(v, coefficients) for c, v in VALUES.items() if c != "nominal"},
    )
    return events, coefficients


@cache
def samples() -> tuple[dict[str, Events], dict[str, np.ndarray]]:
    made = {"one": sample(400, 1, 0.7), "two": sample(250, 2, 0.5, weighted=False), "three": sample(300, 3, 1.1)}
    return {k: e for k, (e, _) in made.items()}, {k: c for k, (_, c) in made.items()}


ENTRIES = (
    {"component": "qe", "samples": ["one"], "channels": ["QE"], "factors": {"rpa_strength": "linear"}, "curve": WEIGHTS},
    # Events of the first term once more: the two fluctuate together.
    {"component": "qe", "samples": ["one"], "channels": ["QE", "RES"], "factors": {"rpa_strength": "complement"}},
    {
        "component": "mec",
        "samples": ["one", "two"],
        "channels": ["MEC"],
        "factors": {"norm_ccmec": "linear", "shape_ccmec": "complement"},
    },
    {
        "component": "mec",
        "samples": ["three"],
        "channels": ["MEC"],
        "factors": {"norm_ccmec": "linear", "shape_ccmec": "linear"},
        "scale_to": ["one", "two"],
    },
    {
        "component": "own",
        "samples": ["two", "three"],
        "channels": ["DIS", "MEC"],
        "factors": {"own": "linear"},
        "curve": WEIGHTS,
    },
    {"component": "other", "samples": ["one"], "channels": ["DIS"]},
)


def built(
    entries: Sequence[Mapping] = ENTRIES, left_out: Sequence[str] = CHANNELS, **changed: Events
) -> tuple[Response, list[dict], tuple[EventTerm, ...]]:
    """Most terms here are made to test sums: they count no channel once on purpose."""
    events = samples()[0] | changed
    terms = event_terms(entries, list(events))
    response, checks = build_event_response(events, terms, BINNING, DEFAULTS, left_out)
    return response, checks, terms


def throws(n: int) -> np.ndarray:
    return np.random.default_rng(5).uniform([0.8, 0.5, 0.0, 0.0, -1.0], [1.2, 3.0, 1.0, 1.0, 2.0], (n, 5))


def bin_of(cos: float, p: float) -> int:
    for b, (cos_lo, cos_hi, p_lo, p_hi) in enumerate(BINNING.edges()):
        if cos_lo <= cos and (cos < cos_hi or cos == cos_hi == 1.0) and p_lo <= p < p_hi:
            return b
    return -1


def listed(events: Events, channels: Sequence[str], selected: bool) -> list[int]:
    return [e for e in range(len(events)) if events.channel[e] in channels and (events.is_cc0pi[e] or not selected)]


def exposure(events: Events, channels: Sequence[str], selected: bool) -> float:
    w = [float(events.weight_1e38cm2[e]) for e in listed(events, channels, selected)]
    return sum(w) / sum(v * v for v in w)


def cross_section(events: Mapping[str, Events], names: Sequence[str], channels: Sequence[str]) -> float:
    parts = [exposure(events[n], channels, False) for n in names]
    each = [sum(float(events[n].weight_1e38cm2[e]) for e in listed(events[n], channels, False)) for n in names]
    return sum(p * s for p, s in zip(parts, each, strict=True)) / sum(parts)


def slow(
    events: Mapping[str, Events], bends: Coefficients, entries: Sequence[Mapping], values: Mapping[str, float]
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return prediction, variance and the CC0pi cross section in and out of bins, event by event with the true weights."""
    prediction, variance, total = np.zeros(len(BINNING)), np.zeros(len(BINNING)), 0.0
    for name, one in events.items():
        amount = [0.0] * len(one)
        for entry in entries:
            if name not in entry["samples"]:
                continue
            factor = 1.0
            for parameter, kind in entry.get("factors", {}).items():
                factor *= values[parameter] if kind == "linear" else 1.0 - values[parameter]
            pooled = [exposure(events[n], entry["channels"], True) for n in entry["samples"]]
            share = pooled[entry["samples"].index(name)] / sum(pooled)
            if "scale_to" in entry:
                there = cross_section(events, entry["scale_to"], entry["channels"])
                share *= there / cross_section(events, entry["samples"], entry["channels"])
            for e in listed(one, entry["channels"], True):
                bend = bent_weight(values[MA], bends[name][:, e]) if "curve" in entry else 1.0
                amount[e] += factor * share * bend * float(one.weight_1e38cm2[e])
        for e, a in enumerate(amount):
            total += a
            b = bin_of(one.cos_theta[e], one.p_mu_gev[e])
            if b >= 0:
                prediction[b] += a / BINNING.area_gev[b]
                variance[b] += (a / BINNING.area_gev[b]) ** 2
    return prediction, variance, total


def test_prediction_and_variance_are_sums_over_events() -> None:
    response, checks, _ = built()
    theta = throws(12)
    prediction, variance = response.predict(theta, NAMES), response.simulation_variance(theta, NAMES)
    for row, found, spread in zip(theta, prediction, variance, strict=True):
        mean, error2, _ = slow(*samples(), ENTRIES, dict(zip(NAMES, row, strict=True)))
        np.testing.assert_allclose(found, mean, rtol=1e-12)
        np.testing.assert_allclose(spread, error2, rtol=1e-12)
    assert response.ranges == {MA: (0.8, 1.2)} and response.names == NAMES
    assert [c["component"] for c in checks] == ["qe", "own"] and response.interpolation_error < 1e-12


def test_defaults_are_those_of_the_samples_and_the_total_has_events_of_no_bin() -> None:
    response, _, _ = built()
    mean, _, total = slow(*samples(), ENTRIES, DEFAULTS | LIBRARY)
    np.testing.assert_allclose(response.default_prediction(), mean, rtol=1e-12)
    assert response.total == pytest.approx(total, rel=1e-12)
    assert total > 1.1 * mean @ BINNING.area_gev


def test_order_of_samples_terms_and_channels_is_of_no_matter() -> None:
    response, _, _ = built()
    events = samples()[0]
    turned = [{**e, "samples": e["samples"][::-1], "channels": e["channels"][::-1]} for e in ENTRIES[::-1]]
    turned = [{**e, "scale_to": e["scale_to"][::-1]} if "scale_to" in e else e for e in turned]
    backwards = dict(reversed(events.items()))
    other, _ = build_event_response(backwards, event_terms(turned, list(backwards)), BINNING, DEFAULTS, CHANNELS)
    mixed, _ = build_event_response(
        {k: e.select(np.random.default_rng(8).permutation(len(e))) for k, e in events.items()},
        event_terms(ENTRIES, list(events)),
        BINNING,
        DEFAULTS,
        CHANNELS,
    )
    theta = throws(5)
    for changed in (other, mixed):
        np.testing.assert_allclose(changed.predict(theta, NAMES), response.predict(theta, NAMES), rtol=1e-12)
        expected = response.simulation_variance(theta, NAMES)
        np.testing.assert_allclose(changed.simulation_variance(theta, NAMES), expected, rtol=1e-12)
        assert changed.total == pytest.approx(response.total, rel=1e-12)


def test_a_muon_straight_ahead_is_in_the_last_slice() -> None:
    one = samples()[0]["one"]
    first = int(np.flatnonzero((one.channel == "DIS") & one.is_cc0pi)[0])
    cos, p = one.cos_theta.copy(), one.p_mu_gev.copy()
    entries = [{"component": "other", "samples": ["one"], "channels": ["DIS"]}]
    found = []
    for where in (1.0, -1.0):
        cos[first], p[first] = where, 0.6
        found.append(built(entries, one=replace(one, cos_theta=cos, p_mu_gev=p))[0].default_prediction() * BINNING.area_gev)
    weight = one.weight_1e38cm2[first]
    # -1 is an edge that belongs to its bin as every lower edge does; momentum 0.6 GeV starts the second bin there.
    np.testing.assert_allclose(found[0] - found[1], [0, -weight, 0, weight, 0], atol=1e-15)


def test_pooled_samples_count_as_one() -> None:
    """Unweighted samples of one cross section: every event of either stands for sigma / (N_1 + N_2)."""
    small, large = sample(200, 11, 0.6, weighted=False)[0], sample(800, 12, 0.6, weighted=False)[0]
    small, large = (replace(e, is_cc0pi=np.ones(len(e), bool), channel=np.full(len(e), "QE")) for e in (small, large))
    response, _, _ = built([{"component": "qe", "samples": ["one", "two"], "channels": ["QE"]}], one=small, two=large)
    counts = small.counts(BINNING) + large.counts(BINNING)
    each = 0.6 / 1000 / BINNING.area_gev
    np.testing.assert_allclose(response.default_prediction(), each * counts, rtol=1e-12)
    np.testing.assert_allclose(response.simulation_variance(np.empty((1, 0)), ())[0], each**2 * counts, rtol=1e-12)


def test_a_shape_keeps_the_total_of_another_sample() -> None:
    everything = Binning(*np.array([[-1.0, 1.0, 0.0, 100.0]]).T)
    events = {k: replace(e, is_cc0pi=np.ones(len(e), bool)) for k, e in samples()[0].items()}
    entries = [{"component": "mec", "samples": ["three"], "channels": ["MEC"], "scale_to": ["one", "two"]}]
    target = cross_section(events, ["one", "two"], ["MEC"])
    response, _ = build_event_response(events, event_terms(entries, list(events)), everything, {}, CHANNELS)
    assert response.total == pytest.approx(target, rel=1e-12)
    del entries[0]["scale_to"]
    free, _ = build_event_response(events, event_terms(entries, list(events)), everything, {}, CHANNELS)
    assert abs(free.total / target - 1.0) > 0.2


RESAMPLED = ENTRIES[:3]
POINTS = np.array([[0.85, 1.5, 0.2, 0.5], [1.15, 1.0, 0.5, 0.7], [1.0, 2.0, 0.0, 0.4]])


@cache
def resampled_variance(n: int = 700) -> np.ndarray:
    """Return the variance ``(3, n_bin)`` of predictions from events that are each drawn a Poisson number of times."""
    rng = np.random.default_rng(13)
    found = []
    for _ in range(n):
        drawn = {k: e.select(np.repeat(np.arange(len(e)), rng.poisson(1.0, len(e)))) for k, e in samples()[0].items()}
        found.append(built(RESAMPLED, **drawn)[0].predict(POINTS, NAMES[:4]))
    return np.var(found, axis=0)


def test_variance_is_the_scatter_over_samples() -> None:
    """700 samples leave 5 % of error on a bin's variance, 15 bins and points (partly of the same events) about 2 %."""
    ratio = built(RESAMPLED)[0].simulation_variance(POINTS, NAMES[:4]) / resampled_variance()
    assert np.mean(ratio) == pytest.approx(1.0, abs=0.07)
    assert np.all(np.abs(ratio - 1.0) < 0.25)


def test_without_the_events_that_terms_share_the_variance_is_wrong() -> None:
    """Negative control: terms taken one by one, as if each had events of its own."""
    response, _, _ = built(RESAMPLED)
    alone = tuple(b for b in response.variance if b.factors[: len(b.factors) // 2] == b.factors[len(b.factors) // 2 :])
    assert len(alone) == len(response.variance) - 1
    ratio = replace(response, variance=alone).simulation_variance(POINTS, NAMES[:4]) / resampled_variance()
    assert np.mean(ratio) < 0.8


def kinked(strength: float) -> Events:
    one, bends = samples()[0]["one"], samples()[1]["one"]
    dials = {c: bent_weight(v, bends) + strength * abs(v - 0.97) for c, v in VALUES.items() if c != "nominal"}
    return replace(one, dial_weights=dials)


def test_leave_one_out_is_the_polynomial_through_the_others() -> None:
    one = kinked(4.0)
    _, checks, _ = built([ENTRIES[0]], one=one)
    columns = {v: one.dial_weights.get(c, np.ones(len(one))) for c, v in VALUES.items()}
    bins = one.bin_index(BINNING, "QE")
    rows = {}
    for left in (0.9, 1.0, 1.1):
        sigma, rel = [], []
        for b in range(len(BINNING)):
            inside = bins == b
            w = {v: one.weight_1e38cm2[inside] * c[inside] for v, c in columns.items()}
            rest = [v for v in w if v != left]
            off = abs(BarycentricInterpolator(rest, [w[v].sum() for v in rest])(left) - w[left].sum())
            sigma.append(off / np.sqrt(np.sum(w[left] ** 2)))
            rel.append(off / w[left].sum())
        rows[left] = (max(sigma), max(rel), sum(s <= 1 for s in sigma))
    assert [r["value"] for r in checks[0]["left_out"]] == list(rows)
    for row in checks[0]["left_out"]:
        found = (row["largest_sigma"], row["largest_rel"], row["n_bins_within_1_sigma"])
        assert found == pytest.approx(rows[row["value"]], rel=1e-9)
        assert row["n_bins"] == len(BINNING)


def test_leave_one_out_sees_a_kink() -> None:
    smooth, kink = (built([ENTRIES[0]], one=kinked(s)) for s in (0.0, 4.0))
    (before,), (after,) = smooth[1], kink[1]
    assert max(r["largest_sigma"] for r in before["left_out"]) < 1e-10
    assert all(r["n_bins_within_1_sigma"] == r["n_bins"] for r in before["left_out"])
    assert max(r["largest_sigma"] for r in after["left_out"]) > 1.0
    assert min(r["n_bins_within_1_sigma"] for r in after["left_out"]) < len(BINNING)
    assert (
        kink[0].interpolation_error == max(r["largest_rel"] for r in after["left_out"]) > 1e-2 > smooth[0].interpolation_error
    )


def test_curve_differences_are_ratios_of_ratios() -> None:
    """Every event of a sample bends alike: the ratio is known, and the second term's error is 1 / sqrt(N)."""
    slopes = {"one": 0.5, "two": 0.8}
    events = {}
    for seed, (name, slope) in enumerate(slopes.items()):
        made, _ = sample(500, 20 + seed, 0.6, weighted=False)
        dials = {c: np.full(len(made), 1.0 + slope * (v - 1.0)) for c, v in VALUES.items() if c != "nominal"}
        events[name] = replace(made, dial_weights=dials)
    base = {"component": "qe", "channels": ["QE"], "curve": WEIGHTS}
    entries = [
        {**base, "samples": ["one"], "factors": {"rpa_strength": "linear"}},
        {**base, "samples": ["two"], "factors": {"rpa_strength": "complement"}},
    ]
    response, _, terms = built(entries, **events)
    (found,) = curve_differences(response, terms)
    off = np.array([abs((1 + 0.5 * d) / (1 + 0.8 * d) - 1) for d in (-0.2, 0.2)])
    assert (found["component"], found["parameter"], found["values"]) == ("qe", MA, [0.8, 1.2])
    np.testing.assert_allclose(found["largest_rel"], off, rtol=1e-10)
    np.testing.assert_allclose(found["largest_sigma"], off * np.sqrt(events["two"].counts(BINNING, "QE").max()), rtol=1e-10)
    same, _, terms = built(entries, one=events["one"], two=events["one"])
    assert max(curve_differences(same, terms)[0]["largest_rel"]) < 1e-12
    entries[1]["component"] = "another"
    response, _, terms = built(entries, **events)
    assert curve_differences(response, terms) == []


def free_events(n: int) -> Events:
    """Return quasielastic events inside the limits of a nucleon at rest."""
    rng = np.random.default_rng(30)
    made, _ = sample(n, 31, 0.6)
    limits = np.array([q2_limits_gev2(e) for e in made.enu_gev])
    q2 = limits[:, 0] + rng.uniform(0.01, 0.99, n) * (limits[:, 1] - limits[:, 0])
    return replace(made, q2_gev2=q2, channel=np.full(n, "QE"))


FREE_ENTRY = {"component": "qe", "samples": ["one"], "channels": ["QE"], "curve": FREE}


def test_free_nucleon_weights_are_ratios_of_cross_sections() -> None:
    events = free_events(120)
    response, checks, _ = built([FREE_ENTRY], one=events)
    masses = np.array([*chebyshev_nodes((0.9, 1.3), 7), 0.9, 0.98, 1.03, 1.17, 1.3])
    prediction, variance = (f(masses[:, None], (MA,)) for f in (response.predict, response.simulation_variance))
    for i, mass in enumerate(masses):
        sums = np.zeros((2, len(BINNING)))
        for e in range(len(events)):
            b = bin_of(events.cos_theta[e], events.p_mu_gev[e])
            if events.is_cc0pi[e] and b >= 0:
                ratio = np.divide(*(dsigma_dq2(events.enu_gev[e], events.q2_gev2[e], m) for m in (mass, 1.03)))
                w = events.weight_1e38cm2[e] * ratio / BINNING.area_gev[b]
                sums[:, b] += w, w**2
        at_node = i < 7
        np.testing.assert_allclose(prediction[i], sums[0], rtol=1e-12 if at_node else 1e-6)
        np.testing.assert_allclose(variance[i], sums[1], rtol=1e-12 if at_node else 1e-4)
    assert response.ranges == {MA: (0.9, 1.3)} and checks == []


def test_events_that_no_nucleon_at_rest_gives_have_a_finite_weight() -> None:
    """A moving nucleon goes beyond the limits: weights go on smoothly, and stay 1 where the cross section is not positive."""
    low, high = q2_limits_gev2(0.3)
    beyond = np.array([0.5 * low, 1.2 * high])
    assert np.all(dsigma_dq2(0.3, beyond, 1.3) == 0.0)
    weights = axial_mass_weight(np.full(2, 0.3), beyond, 1.3, 1.03)
    at_limits = [dsigma_dq2(0.3, q, 1.3) / dsigma_dq2(0.3, q, 1.03) for q in (low, high)]
    np.testing.assert_allclose(weights, at_limits, rtol=0.05)
    enu, q2 = np.full(2, 0.5), np.array([0.4, 0.53])
    inside, outside = axial_mass_weight(enu, q2, 1.3, 1.03, antineutrino=True)
    assert inside != 1.0 and outside == 1.0


def test_a_term_that_fills_no_bin_is_nothing_there() -> None:
    one = samples()[0]["one"]
    response, checks, terms = built([ENTRIES[0]] * 2, one=replace(one, p_mu_gev=np.full(len(one), 50.0)))
    assert np.all(response.default_prediction() == 0.0) and response.total > 0
    assert [(r["n_bins"], r["largest_sigma"]) for r in checks[0]["left_out"]] == [(0, 0.0)] * 3
    assert curve_differences(response, terms)[0]["largest_rel"] == [0.0, 0.0]


def entry(index: int = 0, **changed: Any) -> dict:
    return {**ENTRIES[index], **changed}


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ([entry(samples=["four"])], r"term 0 \(qe\): no sample 'four'; there are one, two, three"),
        ([entry(), entry(3, scale_to=["one", "four"])], r"term 1 \(mec\): no sample 'four'"),
        ([entry(factors={"rpa_strength": "square"})], "factor rpa_strength: 'square' is none of linear, complement"),
        ([entry(curve={"parameter": MA})], "a curve needs either 'weights'"),
        ([entry(curve={**WEIGHTS, **FREE})], "a curve needs either 'weights'"),
        ([entry(curve={"parameter": MA, "weights": {"w_80": 0.8, "nominal": 1.0}})], "three weights or more"),
        ([entry(curve={"parameter": MA, "weights": {"w_80": 0.8, "w_90": 0.8, "nominal": 1.0}})], "a value of its own"),
        ([entry(curve={"parameter": MA, "free_nucleon": 1.03})], r"needs a range \[low, high\], got \[nan, nan\]"),
        ([entry(curve={**FREE, "range": [1.3, 0.9]})], r"needs a range \[low, high\], got \[1.3, 0.9\]"),
        ([entry(curve={**FREE, "parameter": "own"})], "free_nucleon weights follow ma_ccqe_gev, not own"),
        ([entry(), entry(2, curve=FREE)], r"hold in \(0.8, 1.2\) and \(0.9, 1.3\): give all of them one range"),
    ],
)
def test_terms_that_make_no_sense(entries: list[dict], match: str) -> None:
    with pytest.raises(InputError, match=match):
        event_terms(entries, ["one", "two", "three"])


BAD_SAMPLES = [
    ([entry(factors={"unheard_of": "linear"})], "nominal: give the value of unheard_of in the event samples"),
    ([entry(curve={**WEIGHTS, "parameter": "unheard_of"})], "nominal: give the value of unheard_of"),
    ([entry(channels=["COH"])], "sample one: no CC0pi events of COH; correct the term's samples or channels"),
    (
        [entry(curve={"parameter": MA, "weights": {"w_80": 0.8, "w_95": 0.95, "nominal": 1.0}})],
        "sample one: no weight column w_95; there are w_80, w_90, w_110, w_120",
    ),
    (
        [entry(), entry(1, curve={**FREE, "range": [0.8, 1.2]})],
        "sample one: two terms bend the same events in different ways; give them one curve",
    ),
]


@pytest.mark.parametrize(("entries", "match"), BAD_SAMPLES)
def test_terms_that_the_samples_do_not_bear(entries: list[dict], match: str) -> None:
    with pytest.raises(InputError, match=match):
        built(entries)


def test_a_total_needs_events_and_a_bare_sample_says_that_it_has_no_weights() -> None:
    two = samples()[0]["two"]
    no_mec = replace(two, channel=np.where(two.channel == "MEC", "RES", two.channel))
    with pytest.raises(InputError, match="samples two: no events of MEC to scale to; correct scale_to"):
        built([entry(3, scale_to=["two"])], two=no_mec)
    with pytest.raises(InputError, match="no weight column w_80, w_90, w_110, w_120; there are none"):
        built([entry(samples=["two"])], two=replace(two, dial_weights={}))


# Every channel once, at the samples' own parameters: rpa_strength 1, norm_ccmec 1, shape_ccmec 0, own 0.4.
ONCE = (
    ENTRIES[0],
    {"component": "qe", "samples": ["three"], "channels": ["QE"], "factors": {"rpa_strength": "complement"}},
    *ENTRIES[2:4],
    {"component": "res", "samples": ["one"], "channels": ["RES"], "factors": {"own": "linear"}},
    {"component": "res", "samples": ["two"], "channels": ["RES"], "factors": {"own": "complement"}},
    ENTRIES[5],
)


def test_terms_that_count_every_channel_once_are_taken() -> None:
    """The control of the next test; pions that are not absorbed need no term."""
    response, _, _ = built(ONCE, left_out=())
    assert response.total == pytest.approx(slow(*samples(), ONCE, DEFAULTS | LIBRARY)[2], rel=1e-12)
    without = {k: replace(e, is_cc0pi=e.is_cc0pi & (e.channel != "DIS")) for k, e in samples()[0].items()}
    assert built(ONCE[:-1], left_out=(), **without)[0].total > 0


@pytest.mark.parametrize(
    ("entries", "channel", "times"),
    [
        (ONCE[:-1], "DIS", "0"),
        ((*ONCE, ENTRIES[5]), "DIS", "2"),
        (ONCE[:5] + ONCE[6:], "RES", "0.4"),
        ((entry(factors={}), *ONCE[1:2], *ONCE[2:-1], entry(5, channels=["DIS", "QE"])), "QE", "2"),
        ((*ONCE[:2], entry(2, factors={"norm_ccmec": "linear", "own": "complement"}), *ONCE[3:]), "MEC", "0.6"),
        ((entry(factors={"rpa_strength": "complement"}), *ONCE[1:]), "QE", "0"),
    ],
    ids=["no term", "twice", "half of a pair", "in another's term too", "factors of a pair differ", "complement alone"],
)
def test_a_channel_that_is_not_counted_once_is_refused(entries: Sequence[Mapping], channel: str, times: str) -> None:
    message = f"the channel {channel} counts {times} times, not once; name it in a term, correct factors or nominal, or list"
    with pytest.raises(InputError, match=message):
        built(entries, left_out=())
    others = [c for c in CHANNELS if c != channel]
    with pytest.raises(InputError, match=message):
        built(entries, left_out=others)
    assert built(entries, left_out=[channel])[0].total > 0


def test_the_nominal_values_decide_what_counts_once() -> None:
    """Samples without RPA: the complement is the whole there."""
    events = samples()[0]
    entries = [entry(factors={"rpa_strength": "complement"}), *ONCE[2:]]
    terms = event_terms(entries, list(events))
    response, _ = build_event_response(events, terms, BINNING, DEFAULTS | {"rpa_strength": 0.0})
    assert response.total > 0
    with pytest.raises(InputError, match="the channel QE counts 0 times"):
        build_event_response(events, terms, BINNING, DEFAULTS)

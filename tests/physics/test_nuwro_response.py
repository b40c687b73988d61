"""The response of config/nuwro.yaml from NuWro's own event tables (skipped where those files are absent)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml

from nuinfer.errors import InputError
from nuinfer.io.measurement import Measurement, load_measurement
from nuinfer.physics.binning import Binning
from nuinfer.physics.llewellyn_smith import axial_mass_weight
from nuinfer.tuning.generator.comparison import data_chi2
from nuinfer.tuning.response import Response
from nuinfer.tuning.sources.event_formats import read_events
from nuinfer.tuning.sources.event_response import build_event_response, curve_differences
from nuinfer.tuning.sources.event_terms import EventTerm, event_terms
from nuinfer.tuning.sources.events import CHANNELS, Events

ROOT = Path(__file__).resolve().parents[2]
CONFIG = yaml.safe_load((ROOT / "config" / "nuwro.yaml").read_text())
ENTRY = CONFIG["simulations"]["nuwro"]["events"]
NAMES = ("ma_ccqe_gev", "norm_ccmec", "shape_ccmec", "rpa_strength")
EVERYTHING = Binning(*np.array([[-1.0, 1.0, 0.0, 1000.0]]).T)


@dataclass(frozen=True)
class Built:
    events: Mapping[str, Events]
    terms: tuple[EventTerm, ...]
    data: Measurement
    response: Response
    checks: list[dict]


@pytest.fixture(scope="module")
def built(shared_data: Path) -> Built:
    entry = CONFIG["measurements"]["t2k_2016"]
    data = load_measurement("t2k_2016", {**entry, "path": str(ROOT / entry["path"])})
    events = {k: read_events(ROOT / e["path"], e["format"], **e.get("options", {})) for k, e in ENTRY["samples"].items()}
    terms = event_terms(ENTRY["terms"], list(events))
    return Built(events, terms, data, *build_event_response(events, terms, data.binning, ENTRY["nominal"]))


def test_cc0pi_events(built: Built) -> None:
    expected = {"all": (100_000, 61_264), "qe_no_rpa": (100_000, 98_628)}
    expected |= {"mec_valencia": (50_000, 48_945), "mec_susav2": (50_000, 48_947)}
    assert {k: (len(e), int(e.is_cc0pi.sum())) for k, e in built.events.items()} == expected


def test_chi2_at_the_nominal_setting_is_the_samples_own(built: Built) -> None:
    def chi2(prediction: np.ndarray) -> dict[str, float]:
        return data_chi2(prediction, built.data.values, built.data.covariances["total"])

    own, found = chi2(built.events["all"].density(built.data.binning)[0]), chi2(built.response.default_prediction())
    assert own == pytest.approx({"full": 146.3, "diagonal": 66.6}, abs=0.1)
    assert abs(found["full"] - own["full"]) < 2.0 and abs(found["diagonal"] - own["diagonal"]) < 1.0
    # The 2p2h part is pooled with a second sample: that alone makes the difference.
    assert found == pytest.approx({"full": 145.1, "diagonal": 66.5}, abs=0.1)
    terms = [{**t, "samples": ["all"]} for t in ENTRY["terms"] if "all" in t["samples"]]
    alone, _ = build_event_response(built.events, event_terms(terms, list(built.events)), built.data.binning, ENTRY["nominal"])
    assert chi2(alone.default_prediction()) == pytest.approx(own, rel=1e-9)
    variance = alone.simulation_variance(np.empty((1, 0)), ())[0]
    np.testing.assert_allclose(np.sqrt(variance), built.events["all"].density(built.data.binning)[1], rtol=1e-9)


def test_pooling_moves_no_bin_beyond_its_statistics(built: Built) -> None:
    parts = [built.events[k].density(built.data.binning, "MEC") for k in ("all", "mec_valencia")]
    pull = (parts[0][0] - parts[1][0]) / np.hypot(parts[0][1], parts[1][1])
    pull = pull[np.isfinite(pull)]
    assert np.sum(pull**2) < len(pull) + 4 * np.sqrt(2 * len(pull))
    pooled = built.response.components(np.array([[1.03, 1.0, 0.0, 1.0]]), NAMES)["mec"][0]
    low, high = (f(parts[0][0], parts[1][0]) for f in (np.minimum, np.maximum))
    assert np.all((pooled >= low * (1 - 1e-12)) & (pooled <= high * (1 + 1e-12)))


def test_total_is_the_samples_cc0pi_cross_section(built: Built) -> None:
    sample = built.events["all"]
    assert built.response.total == pytest.approx(sample.weight_1e38cm2[sample.is_cc0pi].sum(), rel=5e-3)


@pytest.mark.parametrize("dial", ["w_MAQE_900", "w_MAQE_1160", "w_MAQE_1300"])
def test_axial_mass_is_nuwros_own_weight(built: Built, dial: str) -> None:
    """The prediction's quasielastic part at a weight's value is the weighted sample, and its error that one's."""
    value = float(dial.removeprefix("w_MAQE_")) / 1000
    theta = np.array([[value, 0.0, 0.0, 1.0]])
    density, error = built.events["all"].density(built.data.binning, "QE", dial)
    other = np.sum([built.events["all"].density(built.data.binning, c)[1] ** 2 for c in ("RES", "DIS", "COH")], axis=0)
    np.testing.assert_allclose(built.response.components(theta, NAMES)["qe"][0], density, rtol=1e-9)
    np.testing.assert_allclose(built.response.simulation_variance(theta, NAMES)[0], error**2 + other, rtol=1e-9)


def test_rpa_off_is_the_other_sample(built: Built) -> None:
    theta = np.array([[1.03, 1.0, 0.0, 0.0]])
    density, _ = built.events["qe_no_rpa"].density(built.data.binning, "QE")
    np.testing.assert_allclose(built.response.components(theta, NAMES)["qe"][0], density, rtol=1e-6)


def test_a_setting_that_is_left_out_is_predicted_within_its_statistics(built: Built) -> None:
    (check,) = built.checks
    rows = {row["value"]: row for row in check["left_out"]}
    assert list(rows) == [1.03, 1.1, 1.13, 1.16, 1.23]
    assert all(row["n_bins"] == row["n_bins_within_1_sigma"] == len(built.data.binning) == 58 for row in rows.values())
    # Measured: 1.4e-5 sigma for 1.16 GeV.
    assert rows[1.16]["largest_sigma"] < 1e-4 and built.response.interpolation_error < 1e-4


def test_a_coarse_curve_is_seen_by_leaving_one_out(built: Built) -> None:
    """Negative control: weights of three settings far apart leave a straight line, which is off by more than rounding."""
    curve = {"parameter": "ma_ccqe_gev", "weights": {"w_MAQE_900": 0.9, "nominal": 1.03, "w_MAQE_1300": 1.3}}
    entry = {"component": "qe", "samples": ["all"], "channels": ["QE"], "curve": curve}
    terms = event_terms([entry], list(built.events))
    others = [c for c in CHANNELS if c != "QE"]
    response, _ = build_event_response(built.events, terms, built.data.binning, ENTRY["nominal"], others)
    assert response.interpolation_error > 100 * built.response.interpolation_error


def test_bending_without_rpa_is_that_with_it_within_errors(built: Built) -> None:
    (found,) = curve_differences(built.response, built.terms)
    assert found["values"] == [0.9, 1.3]
    assert max(found["largest_sigma"]) < 1.0
    assert found["largest_sigma"] == pytest.approx([0.35, 0.69], abs=0.02)


@pytest.mark.parametrize("dial", ["w_MAQE_900", "w_MAQE_1300"])
def test_free_nucleon_weights_are_nuwros_on_the_same_events(built: Built, dial: str) -> None:
    """No statistics between the two: what is left in a bin is the nucleons' motion in NuWro's own weights."""
    events, value = built.events["all"], float(dial.removeprefix("w_MAQE_")) / 1000
    weights = axial_mass_weight(events.enu_gev, events.q2_gev2, value, 1.03)
    free = Events(**vars(events) | {"dial_weights": {"free": weights}}).density(built.data.binning, "QE", "free")[0]
    nuwro, error = events.density(built.data.binning, "QE", dial)
    assert np.max(np.abs(free / nuwro - 1.0)) < 0.008
    assert np.max(np.abs(free - nuwro) / error) < 0.2


def test_2p2h_shape_keeps_the_total(built: Built) -> None:
    """In one bin that holds everything: the two ends differ by their CC0pi fractions alone; unscaled, by the models' totals."""
    ends = np.array([[1.03, 1.0, s, 1.0] for s in (0.0, 1.0)])
    found = []
    for scaled in (True, False):
        entries = [e if scaled else {k: v for k, v in e.items() if k != "scale_to"} for e in ENTRY["terms"]]
        response, _ = build_event_response(built.events, event_terms(entries, list(built.events)), EVERYTHING, ENTRY["nominal"])
        found.append(np.divide(*response.components(ends, NAMES)["mec"][:, 0]))
    assert found[0] == pytest.approx(1.0, abs=3e-3)
    assert abs(found[1] - 1.0) > 0.02
    norm = built.response.components(np.array([[1.03, 2.5, 0.3, 1.0], [1.03, 1.0, 0.3, 1.0]]), NAMES)["mec"]
    np.testing.assert_allclose(norm[0], 2.5 * norm[1], rtol=1e-12)


@pytest.mark.parametrize("left", range(len(ENTRY["terms"])))
def test_every_term_with_events_of_its_own_is_needed(built: Built, left: int) -> None:
    """Without a term that the nominal prediction has, channels are lost, and that is refused; the others are zero there."""
    entries = [e for i, e in enumerate(ENTRY["terms"]) if i != left]
    terms = event_terms(entries, list(built.events))
    off = {("rpa_strength", "complement"), ("shape_ccmec", "linear")}
    if off & set(ENTRY["terms"][left].get("factors", {}).items()):
        response, _ = build_event_response(built.events, terms, built.data.binning, ENTRY["nominal"])
        assert response.total == pytest.approx(built.response.total, rel=1e-12)
    else:
        with pytest.raises(InputError, match="counts 0 times, not once"):
            build_event_response(built.events, terms, built.data.binning, ENTRY["nominal"])

"""The report's chapter on oscillation fits: what its tables say, and when it warns."""

import copy

import pytest

from nuinfer.report import ReportContent, render
from nuinfer.report_oscillation import coverage_section, fit_section, fit_summary_line

FIT = {
    "best": {"sin2_theta23": 0.4712, "dm31_ev2": 2.5181e-3},
    "octants": {
        "lower": {"sin2_theta23": 0.4712, "dm31_ev2": 2.5181e-3, "delta_chi2": 0.0, "share_of_bootstraps": 0.8},
        "upper": {"sin2_theta23": 0.5601, "dm31_ev2": 2.5221e-3, "delta_chi2": 0.1234, "share_of_bootstraps": 0.2},
    },
    "sd": {"sin2_theta23_within_octant": 0.0145, "sin2_2theta23": 0.004, "dm31_ev2": 2.1e-5},
    "merged_share_of_bootstraps": 0.17, "events": 6200,
    "bootstraps_on_edge": 0, "best_on_edge": False, "range_widened": 0, "impossible_events": 0,
    "negative_share": 0.0,
}  # fmt: skip
REGION = {
    "1_sigma": {
        "area_ev2": {"sin2_theta23": 6.5e-6, "sin2_2theta23": 1.2e-6},
        "intervals": {
            "sin2_theta23": [[0.4545, 0.4945], [0.5381, 0.5761]], "sin2_2theta23": [[0.9781, 0.9989]],
            "dm31_ev2": [[2.4988e-3, 2.5399e-3]],
        },
    },
    "3_sigma": {"cut_off": []},
    "level_of_truth": {"plane_sin2": 0.04, "plane_sin2_2theta": 0.075},
}  # fmt: skip
SAME = {
    "shift": {"sin2_theta23": 0.0, "dm31_ev2": 0.0},
    "regions": {
        "feldman_cousins": {
            "sin2_theta23": {"area_ratio": 1.0, "centre_shift": [0.0, 0.0]},
            "sin2_2theta23": {"area_ratio": 1.0, "centre_shift": [0.0, 0.0]},
        }
    },
}


@pytest.fixture
def comparison():
    true = {
        "sample": "plain", "xsec": "true", "label": "true cross section", "sample_label": "exact energies", "fit": FIT,
        "regions": {"feldman_cousins": REGION}, "from_true": SAME,
    }  # fmt: skip
    learned = {**copy.deepcopy(true), "xsec": "posterior", "label": "learned one"}
    learned["from_true"]["shift"]["dm31_ev2"] = -0.1178
    return {"entries": [true, learned]}


def text(section):
    return render(ReportContent("title", sections=[section]))


def test_tables_say_both_octants_and_every_piece_of_an_interval(comparison):
    page = text(fit_section("main", "6,200 events", comparison, []))
    for part in ("0.4712", "0.5601", "0.1234", "0.4545 to 0.4945 and 0.5381 to 0.5761", "2.4988 to 2.5399", "Feldman-Cousins"):
        assert part in page, part
    assert 'role="alert"' not in page


def test_summary_names_the_shift(comparison):
    line = fit_summary_line("main", comparison["entries"])
    assert "learned one on exact energies" in line and "(-0.12 sd from the true cross section's)" in line
    assert line.count("sd from the true") == 1


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"bootstraps_on_edge": 3, "range_widened": 4}, "3 bootstraps lie on the edge of the fitted range"),
        ({"impossible_events": 2}, "2 events are impossible for this cross section"),
        ({"negative_share": 0.02}, "2 % of the cross section was negative"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_fit_is_a_warning(comparison, change, warning):
    comparison["entries"][1]["fit"] |= change
    section = fit_section("main", "6,200 events", comparison, [])
    assert len(section.warnings) == 1 and warning in section.warnings[0] and "learned one" in section.warnings[0]


def test_a_fit_far_from_the_true_cross_sections_is_a_warning(comparison):
    comparison["entries"][1]["from_true"]["shift"]["dm31_ev2"] = -8.4
    assert "8.4 sd away" in fit_section("main", "6,200 events", comparison, []).warnings[0]


def test_coverage_says_what_is_claimed_and_found():
    claimed = {1: 0.6827, 2: 0.9545, 3: 0.9973}
    sigmas = {f"{n}_sigma": {"claimed": c, "coverage": c - 0.2, "error": 0.02} for n, c in claimed.items()}
    quantity = {**sigmas, "max_deviation": -0.213, "inside_simultaneous_band": False}
    numbers = {
        "pseudo_experiments": 500,
        "true": {
            "bias": {"sin2_theta23": 0.01, "dm31_ev2": -0.02, "error": 0.045},
            "dm31_pull": {"mean": 0.05, "error": 0.045, "sd": 1.02},
            "octants": {"right": 0.4, "wrong": 0.38, "merged": 0.22},
            "coverage": {"bootstrap": {"plane_sin2": quantity}},
        },
    }
    page = text(coverage_section("plain", "exact energies", {"true": "true cross section"}, numbers, []))
    for part in ("500 pseudo-experiments", "48.3 +- 2.0", "0.213", "(sin2 th23, dm2_31)", "0.020 +- 0.045"):
        assert part in page, part

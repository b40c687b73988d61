"""The report's chapter on systematic ensembles: what its tables say, what is left out, and when it warns."""

import copy
import json

import pytest

from nuinfer.errors import InputError
from nuinfer.io.captions import write_captions
from nuinfer.io.jsonfile import write_json
from nuinfer.report import Picture, ReportContent, Section, Table, render
from nuinfer.report_cells import fixed, numbered, signed
from nuinfer.report_systematics import effects_section, ensemble_section, scan_section, systematics_summary_line
from nuinfer.steps.report import _systematics

LENGTHS = {"sin2_2theta23": 0.02, "sin2_theta23": 0.04, "dm31_ev2": 4e-5}
NAN = float("nan")


def of_sigmas(make) -> dict:
    return {f"{n}_sigma": make(n) for n in (1, 2, 3)}


def facts(scale: float = 1.0, pieces: int = 1) -> dict:
    """Regions of n sigma: intervals ``scale`` times n times LENGTHS long in all, in so many pieces a twentieth apart."""

    def one(n: int) -> dict:
        low = {"sin2_2theta23": 0.9, "sin2_theta23": 0.45, "dm31_ev2": 2.5e-3}
        part = {p: scale * n * whole / pieces for p, whole in LENGTHS.items()}
        return {
            "area_ev2": {"sin2_theta23": 1.2345e-6 * scale, "sin2_2theta23": 0.5e-6 * scale},
            "intervals": {p: [[low[p] + i * 0.05, low[p] + i * 0.05 + part[p]] for i in range(pieces)] for p in LENGTHS},
            "cut_off": [],
        }

    return of_sigmas(one)


def united(percent: float, **more) -> dict:
    keys = [*(f"length_{p}" for p in LENGTHS), "area_sin2_theta23", "area_sin2_2theta23"]
    lines, areas = dict.fromkeys(LENGTHS, 0.0123), {"sin2_theta23": 0.0456, "sin2_2theta23": 0.0}
    return {
        **facts(1.0 + percent / 100.0),
        "broadening_percent": of_sigmas(lambda n: {k: percent + i for i, k in enumerate(keys)}),
        "interpolation_error": of_sigmas(lambda n: {"area": areas, "ends": lines}),
        **{k: of_sigmas(lambda n: {"area": areas, "length": lines}) for k in more.get("leaves_out", [])},
    }


def shifted(rms: float | None) -> dict:
    return {"octant_changed": 2} | {p: {"mean": -0.5, "sd": None, "rms": rms} for p in ("sin2_theta23", "dm31_ev2")}


def union_numbers(rms: float | None = 1.25) -> dict:
    return {
        "members": 25,
        "members_needed": {"1_sigma": 4, "2_sigma": 1, "3_sigma": 1},
        "regions": {
            "true": {"bootstrap": united(75.0)},
            "learned": {"bootstrap": united(110.0, leaves_out=["leaves_out_of_true", "leaves_out_of_reference"])},
        },
        "shifts": {"true": shifted(0.75), "learned": shifted(rms)},
        "distance": {"true": [{"total": 1.0}, {"total": 3.0}], "learned": [{"total": 2.0}, {"total": 5.0}]},
        "reference": {
            "fit": {"best": {"sin2_theta23": 0.4701, "dm31_ev2": 2.5131e-3}},
            "regions": {"bootstrap": facts(pieces=2)},
        },
        "convergence": {"restarted": [3, 7], "misfit": [1e-5] * 25, "failed": []},
        "range_widened": 1,
    }


@pytest.fixture
def union():
    return union_numbers()


@pytest.fixture
def closed_form():
    lower = {"sin2_theta23": 0.5521, "dm31_ev2": 2.5199e-3, "delta_chi2": 0.2}
    return {
        "best": {"marginal": {"lower": lower, "upper": {**lower, "sin2_theta23": 0.47, "delta_chi2": 0.0}}},
        "regions": {"statistics_chi2": facts(), "marginal_chi2": facts(1.5), "marginal_toys": facts(1.6)},
        "flux_pulls": {"pc0": {"mean": -0.1683, "sd": 0.9603}},
        "near_modes": 5,
        "toys": 800.0,
        "effective_toys_least": 115.2,
        "effective_toys_median": 334.1,
    }


@pytest.fixture
def coverage():
    claimed = {1: 0.6827, 2: 0.9545, 3: 0.9973}
    share = of_sigmas(lambda n: {"claimed": claimed[n], "coverage": 0.8 + n / 20, "lower": 0.7, "upper": 0.99})
    wrong = of_sigmas(lambda n: {"claimed": claimed[n], "coverage": 0.111, "lower": 0.1, "upper": 0.2})
    rule = of_sigmas(
        lambda n: {
            "members": 9 - 3 * n, "coverage": 0.7, "published_members": 4, "published_coverage": 0.85,
            "published_fraction": 0.1587,
        }
    )  # fmt: skip
    quantities = ("plane_sin2", "sin2", "dm31", "plane_sin2_2theta")
    return {
        "universes": 500,
        "members": 25,
        "coverage": {m: dict.fromkeys(quantities, share) for m in ("central_bootstrap", "marginal_chi2", "union_bootstrap")},
        "complement": {"bootstrap": dict.fromkeys(quantities, wrong)},
        "calibrated": {"bootstrap": dict.fromkeys(quantities, rule)},
        "dm31_scatter": {"total_ev2": 5.76e-5, "systematic_ev2": 5.4e-5, "statistical_ev2": 2e-5, "ratio": 2.7},
        "gaussian": of_sigmas(lambda n: {"linear": 0.8012, "finite": 0.7512}),
    }


def table(section: Section, title: str) -> Table:
    return next(t for t in section.tables if t.title.startswith(title))


def row(section: Section, title: str, *start) -> list:
    found = [r for r in table(section, title).rows if list(r[: len(start)]) == list(start)]
    assert len(found) == 1, start
    return list(found[0])[len(start) :]


def test_all_of_an_ensemble_is_rendered_and_nothing_is_warned_of(union, closed_form, coverage):
    section = ensemble_section("main", "a <b>", union, closed_form, coverage, [Picture(b"", "caption")])
    assert section.heading == "Ensemble main: a <b>" and section.warnings == [] and len(section.figures) == 1
    assert len(section.tables) == 10 and all(len(r) == len(t.header) for t in section.tables for r in t.rows)
    page = render(ReportContent("T", sections=[Section(section.heading, section.paragraphs, section.tables)]))
    assert "a &lt;b&gt;" in page and ">nan" not in page.lower() and "None" not in page


def test_members_and_shifts(union):
    section = ensemble_section("main", "l", union, None, None, [])
    assert row(section, "Members") == [25, 4, 1, 1, "2 (draws 3, 7)", "0", 2, 2, 1]
    # A spread of one draw is none.
    one_parameter = ["−0.50", None, "1.25"]
    assert row(section, "Shifts", "learned") == [*one_parameter, *one_parameter, "3.500", "5.000"]
    assert "at least 4, 1 or 1 of 25 members" in section.paragraphs[0] and "2.5131e-3 eV2" in section.paragraphs[0]


def test_regions_and_what_they_leave_out(union):
    section = ensemble_section("main", "l", union, None, None, [])
    alone = row(section, "United regions", "statistics alone, bootstrap density", 1)
    assert alone[1] == "0.4500 to 0.4700 and 0.5000 to 0.5200" and alone[3:] == ["0.500", "1.234"]
    assert row(section, "United regions", "united, learned, bootstrap density", 1)[2] == "2.5000 to 2.5840"
    assert row(section, "Broadening", "united, true, bootstrap density", 1)[0] == "+75.0"
    assert row(section, "Broadening", "united, learned, bootstrap density", 3)[2] == "+112.0"
    assert row(section, "Left out", "united, true, bootstrap density", 2) == ["1.2"] * 3 + ["0.0", "4.6"]
    assert row(section, "Interpolation", "united, learned, bootstrap density", 2) == ["1.2"] * 3 + ["0.0", "4.6"]


def test_without_a_varied_flux_the_true_cross_section_has_no_members(union):
    for part in ("regions", "shifts", "distance"):
        del union[part]["true"]
    del union["regions"]["learned"]["bootstrap"]["leaves_out_of_true"]
    section = ensemble_section("main", "l", union, None, None, [])
    assert "No flux varies" in section.paragraphs[0]
    assert {r[0] for r in table(section, "Broadening").rows} == {"united, learned, bootstrap density"}
    assert {r[0] for r in table(section, "Left out").rows} == {"statistics alone, bootstrap density"}
    assert row(section, "Members")[6:8] == [None, 2]
    assert "true cross section" not in systematics_summary_line("main", "l", union, None)


def test_numbers_that_are_none_become_dashes(union):
    broader = union["regions"]["learned"]["bootstrap"]["broadening_percent"]["1_sigma"]
    broader |= {"length_dm31_ev2": None, "area_sin2_theta23": NAN}
    # A learner in closed form is not trained.
    union["convergence"] = {"restarted": [], "misfit": [], "failed": []}
    section = ensemble_section("main", "l", union, None, None, [])
    assert row(section, "Broadening", "united, learned, bootstrap density", 1)[2:] == [None, "+114.0", None]
    assert row(section, "Members")[4:6] == [None, None]
    assert "dm2_31 – %" in systematics_summary_line("main", "l", union, None)
    effects_section([("x", union)])


def test_widths_are_compared_with_statistics_of_their_own_road(union, closed_form):
    section = ensemble_section("main", "l", union, closed_form, None, [])
    # Alone: pieces are summed.
    assert row(section, "Widths", "statistics alone, bootstrap density", 2) == ["0.0400", "0.0800", "0.0800", None, None, None]
    assert row(section, "Widths", "united, learned, bootstrap density", 2)[3:] == ["+110.0"] * 3
    assert row(section, "Widths", "closed form, statistics alone", 1)[3:] == [None] * 3
    assert row(section, "Widths", "closed form, marginalised", 1) == ["0.0300", "0.0600", "0.0600"] + ["+50.0"] * 3
    assert row(section, "Pulls", "pc0") == ["−0.17", "0.96"]
    assert "best fit sin2 th23 0.4700" in section.paragraphs[1] and "effectively 115 at the worst" in section.paragraphs[1]


def test_coverage_says_the_control_the_calibrated_rule_and_the_expectation(union, coverage):
    section = ensemble_section("main", "l", union, None, coverage, [])
    share = "85.0 (70.0 to 99.0)"
    assert row(section, "Regions that hold", "united, bootstrap density", "joint")[0] == share
    assert row(section, "Regions that hold", "complement of the rule, bootstrap density", "dm2_31")[2].startswith("11.1 ")
    assert row(section, "Regions that hold", "expected of Gaussians, 25 members", "one parameter") == ["75.1"] * 3
    # United regions first, whatever the order of the file; quantities that are not asked for are left out.
    first = table(section, "Regions that hold").rows
    assert [r[0] for r in first[:3]] == ["united, bootstrap density"] * 3 and len(first) == 3 * 4 + 2
    assert "68.27, 95.45, 99.73" in table(section, "Regions that hold").note
    # Members that no rule can do with: none covers.
    found = row(section, "How many of 25", "bootstrap density", "joint")
    assert found == ["4 (85.0 %)", "6 (70.0 %)", "4 (85.0 %)", "3 (70.0 %)", "4 (85.0 %)", "none covers"]
    assert "0.0200e-3 from the events and 0.0540e-3 from systematics" in section.paragraphs[-1]


@pytest.mark.parametrize(("universes", "warned"), [(370, True), (371, False)])
def test_few_universes_cannot_judge_three_sigma(union, coverage, universes, warned):
    coverage["universes"] = universes
    warnings = ensemble_section("main", "l", union, None, coverage, []).warnings
    assert len(warnings) == warned and all("universes to 371 or more" in w for w in warnings)


@pytest.mark.parametrize(("least", "warned"), [(49.4, True), (50.0, False), (None, False)])
def test_few_effective_toys(union, closed_form, least, warned):
    closed_form["effective_toys_least"] = least
    warnings = ensemble_section("main", "l", union, closed_form, None, []).warnings
    assert len(warnings) == warned and all("effectively 49 pseudo" in w and "fit.systematic_toys" in w for w in warnings)


def test_draws_that_did_not_converge_are_a_warning_and_restarted_ones_are_none(union):
    assert ensemble_section("main", "l", union, None, None, []).warnings == []
    union["convergence"]["failed"] = [4]
    section = ensemble_section("main", "l", union, None, None, [])
    assert len(section.warnings) == 1 and "of 25 draws 1 (draw 4) did not converge" in section.warnings[0]
    assert row(section, "Members")[5] == "1 (draw 4)"


def test_regions_cut_off_by_the_range_are_one_warning(union, closed_form):
    learned = union["regions"]["learned"]["bootstrap"]
    learned["2_sigma"]["cut_off"] = ["dm31_ev2 low"]
    learned["3_sigma"]["cut_off"] = ["dm31_ev2 low", "sin2_2theta23 low"]
    closed_form["regions"]["marginal_toys"]["3_sigma"]["cut_off"] = ["dm31_ev2 high"]
    (warning,) = ensemble_section("main", "l", union, closed_form, None, []).warnings
    assert "united, learned, bootstrap density at 2 and 3 sigma" in warning
    assert "closed form, marginalised, Feldman-Cousins at 3 sigma" in warning
    assert warning.endswith("widen fit.dm31_ev2 and fit.sin2_theta23")


def test_effects_are_ordered_by_the_shift_of_dm31():
    rows = [("small", union_numbers(0.1)), ("unknown", union_numbers(None)), ("large", union_numbers(2.0))]
    section = effects_section(rows)
    (effects,) = section.tables
    assert [r[0] for r in effects.rows] == ["large", "small", "unknown"]
    assert effects.rows[0] == [
        "large", 25, "2.000", "2.000", None, None, "+110.0", "+111.0", "+112.0", "2 (draws 3, 7)",
    ]  # fmt: skip
    assert effects.rows[2][3] is None and len(effects.header) == len(effects.rows[0])


def test_scan():
    point = {
        "depth": 2, "width": 16, "bins": 32, "kl_near": 0.03074, "kl_far": 0.0573, "metric": 5.3522,
        "distance": {"mean_shift": {"sin2_2theta23": 0.309, "dm31_ev2": -2.0713}}, "rel_l2_near": 0.0304, "rel_l2_far": 0.1237,
    }  # fmt: skip
    section = scan_section("size", "network", {"rows": [point, copy.deepcopy(point) | {"depth": 1, "metric": None}]}, [])
    first, second = section.tables[0].rows
    assert first == [2, 16, 32, "0.0307", "0.0573", "3.04", "12.37", "5.352", "0.31", "−2.07"]
    assert second[0] == 1 and second[7] is None and len(first) == len(section.tables[0].header)


def test_summary(union, coverage):
    line = systematics_summary_line("main", "25 draws", union, coverage)
    assert line.startswith("main (25 draws): 25 draws, dm2_31 shifted by 1.25 sd of statistics (rms); ")
    assert "learned: sin2 2th23 +110.0 %, dm2_31 +112.0 %" in line and "true cross section: sin2 2th23 +75.0 %" in line
    assert line.endswith("hold the truth in 85.0, 90.0, 95.0 % of 500 universes")


def test_cells():
    assert [fixed(v, 2) for v in (1.006, -1.006, -0.001, NAN, None)] == ["1.01", "−1.01", "0.00", None, None]
    assert [signed(v) for v in (0.04, 3.0, -3.0, None)] == ["0.0", "+3.0", "−3.0", None]
    assert [numbered("draw", v) for v in ([], [4], [1, 2])] == ["0", "1 (draw 4)", "2 (draws 1, 2)"]


def written(path, numbers: dict, **made_for: str):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {**numbers, "provenance": {"settings": json.dumps(made_for)}})
    return path


@pytest.fixture
def files(tmp_path, closed_form, coverage):
    """Two ensembles, the second with a closed form and universes; figures of the first, the second and the flux."""
    captions = []
    for folder, name in (("ensembles/a", "captions"), ("ensembles/b", "roads"), ("flux/dune", "captions")):
        path = tmp_path / "figures" / folder / f"{name}.json"
        path.parent.mkdir(parents=True)
        write_captions(path, {"one": f"in {folder}"}, {})
        path.with_name("one.png").write_bytes(b"")
        captions.append(path)
    settings = {
        "ensembles": [{"name": n, "label": n.upper(), "closed_form": n == "b", "coverage": n == "b"} for n in "ab"],
        "scans": [{"name": "size", "label": "network"}],
    }
    return {
        "unions": [written(tmp_path / n / "union.json", union_numbers(), ensemble=n) for n in "ab"],
        "closed_forms": [written(tmp_path / "b" / "closed_form.json", closed_form, ensemble="b")],
        "coverages": [written(tmp_path / "b" / "coverage.json", coverage, ensemble="b")],
        "scans": [written(tmp_path / "scan.json", {"rows": []}, scan="size")],
        "captions": captions,
        "settings": settings,
    }


def test_the_chapter_puts_every_file_under_its_ensemble(files):
    (chapter,), lines = _systematics(**files)
    headings = ["Sizes of effects", "Ensemble a: A", "Ensemble b: B", "Scan size: network"]
    assert [p.heading for p in chapter.parts] == headings
    assert [[f.caption for f in s.figures] for s in (chapter, *chapter.parts)] == [
        ["in flux/dune"], [], ["in ensembles/a"], ["in ensembles/b"], [],
    ]  # fmt: skip
    assert [len(p.tables) for p in chapter.parts] == [1, 6, 10, 1] and [line[:5] for line in lines] == ["a (A)", "b (B)"]


def test_files_in_the_wrong_order_are_refused(files):
    with pytest.raises(InputError, match=r"made for .*'b'.*listed for .*'a'"):
        _systematics(**files | {"unions": files["unions"][::-1]})


def test_without_ensembles_there_is_no_chapter():
    assert _systematics([], [], [], [], [], {"ensembles": [], "scans": []}) == ([], [])

"""The report's chapter on sources of throws: every number and every bad throw is in it, and warnings come when they should."""

import json
import re

import pytest

from nuinfer.errors import InputError
from nuinfer.io.jsonfile import write_json
from nuinfer.report import ReportContent, Section, Table, Verdict, render
from nuinfer.report_sources import events_section, throws_section, throws_summary_line
from nuinfer.steps.report import _sources


def events_checks(**more) -> dict:
    """What the step event_response writes: one curve with two inner values, two terms of a component that differ."""
    left_out = [
        {"value": 1.03, "largest_sigma": 0.0125, "largest_rel": 1.25e-5, "n_bins": 58, "n_bins_within_1_sigma": 58},
        {"value": 1.16, "largest_sigma": 0.25, "largest_rel": 2.5e-4, "n_bins": 57, "n_bins_within_1_sigma": 57},
    ]
    ends = {"values": [0.9, 1.3], "largest_rel": [0.0066, 0.0133], "largest_sigma": [0.35, 0.69]}
    return {
        "samples": {"all": {"events": 100000, "cc0pi": 61264}, "no_rpa": {"events": 1000, "cc0pi": 900}},
        "curves": [{"component": "qe", "parameter": "ma_ccqe_gev", "left_out": left_out}],
        "curve_differences": [{"component": "qe", "parameter": "ma_ccqe_gev", **ends}],
        "total_1e38cm2": 0.74250,
        **more,
    }


def ingest_facts(**more) -> dict:
    """What the step ingest writes of 500 throws in two parameters, all good."""
    limits = {"dial": [-3.0, 5.0], "physical": [0.961242, 1.3]}
    return {
        "n_read": 500, "n_bad": 0, "bad": [], "n_used": 480, "n_left_over": 20, "n_files": 500, "convention": "reweight3",
        "splits": {"train": 400, "validation": 50, "test": 30},
        "ranges": {
            "ma_ccqe_gev": {"column": "MaCCQE", "unit": "GeV", **limits},
            "bend": {"column": "bend", "unit": "", "dial": [0.0, 1.0], "physical": [0.0, 1.0]},
        },
        "uniformity": {"ma_ccqe_gev": {"distance": 0.0123, "p_value": 0.456}, "bend": {"distance": 0.2, "p_value": 1e-9}},
        "relations": [{"pair": ["ma_ccqe_gev", "bend"], "spearman": -0.0123, "z": -0.27}],
        "fixed_dials": {"NormCCMEC": 1.0}, "statistical_rel": None, "warnings": [], **more,
    }  # fmt: skip


def fitted(**more) -> dict:
    """What the step surrogate writes of a good fit."""
    numbers = {
        "degree": 4,
        "terms": 15,
        "interpolation_error": 0.00512,
        "edge_rel": 0.00611,
        "rms_rel": [0.001, 0.002, 0.00512],
    }
    return {**numbers, "largest_rel": 0.0211, "negative_test_throws": 0, "test_throws": 30, **more}


def table(section: Section, title: str) -> Table:
    (found,) = [t for t in section.tables if t.title.startswith(title)]
    return found


def page(section: Section) -> str:
    return render(ReportContent("T", sections=[section]))


def test_all_of_event_samples_is_rendered_and_nothing_is_warned_of():
    section = events_section("nuwro", "the event samples", events_checks())
    assert section.heading == "nuwro: the event samples" and section.warnings == []
    assert "0.7425e-38 cm2" in section.paragraphs[0]
    assert table(section, "Event samples").rows == [["all", 100000, 61264, "61.3"], ["no_rpa", 1000, 900, "90.0"]]
    rows = table(section, "Curves without").rows
    assert rows[0] == ["qe", "ma_ccqe_gev", 1.03, 0.0125, 1.25e-5, Verdict("58 of 58", True)]
    assert rows[1][-1] == Verdict("57 of 57", True)
    rows = table(section, "Curves of one component").rows
    assert rows == [["qe", "ma_ccqe_gev", 0.9, 0.0066, 0.35], ["qe", "ma_ccqe_gev", 1.3, 0.0133, 0.69]]
    assert "None" not in page(section) and ">nan" not in page(section)


def test_a_curve_that_misses_its_values_is_warned_of():
    checks = events_checks()
    checks["curves"][0]["left_out"][1] |= {"n_bins_within_1_sigma": 55, "largest_sigma": 2.5}
    section = events_section("nuwro", "l", checks)
    (warning,) = section.warnings
    assert "ma_ccqe_gev in qe misses its own values 1.16 by up to 2.5 sigma" in warning
    assert table(section, "Curves without").rows[1][-1] == Verdict("55 of 57", False)


def test_samples_without_curves_have_one_table():
    assert len(events_section("n", "l", events_checks(curves=[], curve_differences=[])).tables) == 1


def test_all_of_good_throws_is_rendered_and_nothing_is_warned_of():
    section = throws_section("genie", "NUISANCE's files", ingest_facts(), fitted())
    assert section.heading == "genie: NUISANCE's files" and section.warnings == []
    read, convention, relation = section.paragraphs
    assert read.startswith("500 throws read from 500 files: 480 used, 0 bad, 20 left over")
    assert "reweight3" in convention and "NormCCMEC = 1" in convention
    assert "ma_ccqe_gev and bend" in relation and "−0.0123, 0.3 standard deviations" in relation
    assert table(section, "Throws").rows == [[500, 0, 20, 480, 400, 50, 30]]
    first, second = table(section, "Dials").rows
    assert first == ["ma_ccqe_gev [GeV]", "MaCCQE", -3.0, 5.0, 0.961242, 1.3, 0.0123, Verdict("0.456", True)]
    assert second[0] == "bend" and second[-1] == Verdict("1e-09", False)
    assert table(section, "Response").rows == [
        [4, 15, Verdict("0.512", True), Verdict("0.611", True), "0.200", "2.110", Verdict("0 of 30", True)]
    ]
    assert len(section.tables) == 3 and "None" not in page(section)
    line = throws_summary_line("genie", "files", ingest_facts(), fitted())
    assert line.startswith("genie (files): 480 of 500 throws used") and "0.51 % (rms)" in line


def test_every_bad_throw_is_listed_with_its_fault_in_a_box_that_scrolls():
    bad = [{"where": f"throw_{i}.root", "why": f"bin {i} is nan & <cut>"} for i in range(137)]
    facts = ingest_facts(n_bad=137, bad=bad, n_used=343)
    section = throws_section("files", "l", facts, fitted())
    listed = table(section, "Throws left out: all 137")
    assert listed.rows == [[b["where"], b["why"]] for b in bad] and listed.tall
    written = page(section)
    assert all(f"throw_{i}.root<" in written and f"bin {i} is nan &amp; &lt;cut&gt;" in written for i in range(137))
    assert written.count('class="table tall"') == 1
    (warning,) = section.warnings
    assert "files: 137 of 500 throws are bad" in warning


def test_no_box_scrolls_without_bad_throws():
    assert "tall" not in page(throws_section("n", "l", ingest_facts(), fitted())).split("</style>")[1]


def test_warnings_of_the_ingestion_are_warnings_of_the_report():
    section = throws_section("n", "l", ingest_facts(warnings=["throws of bend are not distributed as its prior"]), fitted())
    assert section.warnings == ["n: throws of bend are not distributed as its prior"]


@pytest.mark.parametrize(("error", "warned"), [(0.0201, True), (0.02, False), (None, True)])
def test_a_fit_that_misses_unseen_throws_is_warned_of(error, warned):
    section = throws_section("n", "l", ingest_facts(), fitted(interpolation_error=error))
    assert len(section.warnings) == warned
    assert all("more throws, or raise max_degree" in w for w in section.warnings)
    assert table(section, "Response").rows[0][2].good is not warned


@pytest.mark.parametrize(("negative", "warned"), [(1, True), (0, False)])
def test_a_fit_below_zero_is_warned_of(negative, warned):
    warnings = throws_section("n", "l", ingest_facts(), fitted(negative_test_throws=negative)).warnings
    assert len(warnings) == warned and all("below zero for 1 of 30 throws" in w for w in warnings)


@pytest.mark.parametrize(("edge", "warned"), [(0.021, True), (0.019, False)])
def test_a_fit_that_is_poor_near_the_ends_is_warned_of(edge, warned):
    warnings = throws_section("n", "l", ingest_facts(), fitted(edge_rel=edge)).warnings
    assert len(warnings) == warned and all("near the ends of the priors" in w and "2.1 %" in w for w in warnings)


def test_numbers_that_are_none_become_dashes():
    empty = fitted(interpolation_error=None, rms_rel=[None, None], largest_rel=None)
    section = throws_section("n", "l", ingest_facts(relations=[], fixed_dials={}, statistical_rel=[None]), empty)
    assert table(section, "Response").rows[0][4:6] == [None, None]
    assert "all throws: none" in section.paragraphs[1] and "None" not in page(section)
    assert "– %" in throws_summary_line("n", "l", ingest_facts(), empty)


def test_statistics_of_the_throws_are_told_where_they_are_known():
    section = throws_section("n", "l", ingest_facts(statistical_rel=[0.01, None, 0.03, 0.02]), fitted())
    assert "2.00 % in the median bin, 3.00 % in the worst" in table(section, "Response").note
    assert "Statistical" not in table(throws_section("n", "l", ingest_facts(), fitted()), "Response").note


def written(path, numbers: dict, **made_for: str):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {**numbers, "provenance": {"settings": json.dumps(made_for)}})
    return path


@pytest.fixture
def files(tmp_path):
    """Event samples between two sources of throws, the first of which warns."""
    sources = [("a", "throws", "a table"), ("b", "events", "samples"), ("c", "genie", "GENIE")]
    wrong = fitted(negative_test_throws=3)
    checks = {"a": wrong, "b": events_checks(), "c": fitted()}
    return {
        "checks": [written(tmp_path / n / "response.json", checks[n]) for n, _, _ in sources],
        "ingests": [written(tmp_path / n / "ingest.json", ingest_facts(), simulation=n) for n in "ac"],
        "sources": [{"name": n, "source": s, "label": label} for n, s, label in sources],
    }


def test_the_chapter_puts_every_file_under_its_simulation(files):
    (chapter,), lines = _sources(**files)
    assert [p.heading for p in chapter.parts] == ["a: a table", "b: samples", "c: GENIE"]
    assert [len(p.warnings) for p in chapter.parts] == [1, 0, 0]
    assert [line[:1] for line in lines] == ["a", "c"]
    head = page(chapter).split("</header>")[0]
    assert re.search(r'<a href="#s1-1">a: a table</a>: a: the fitted response has bins below zero', head)


@pytest.mark.parametrize("kind", ["checks", "ingests"])
def test_files_in_the_wrong_order_are_refused(files, kind):
    with pytest.raises(InputError, match="listed for"):
        _sources(**files | {kind: files[kind][::-1]})


def test_without_sources_there_is_no_chapter():
    assert _sources([], [], []) == ([], [])

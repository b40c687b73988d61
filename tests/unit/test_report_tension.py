"""The report's chapter on tensions between measurements: p-values, their bounds, their calibration, and warnings."""

import base64
import json

import pytest

from nuinfer.errors import InputError
from nuinfer.io.captions import write_captions
from nuinfer.io.jsonfile import write_json
from nuinfer.report import Picture, ReportContent, Section, Table, Verdict, render
from nuinfer.report_tension import tension_section, tension_summary_line
from nuinfer.steps.report import _tensions

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
BOUND = 1 / 4001


def pair(learned: str, predicted: str, p: float = 0.25, error: float = 0.007, ks_p: float = 0.5) -> dict:
    judged = {"n": 200, "ks_p": ks_p, "below_0.05": 0.06, "below_0.05_error": 0.0154}
    judged |= {"below_0.01": 0.015, "below_0.01_error": 0.007}
    return {
        "learned_from": learned, "predicted": predicted, "p": p, "error": error, "sigma": 3.66 if p < 0.001 else 1.15,
        "distance": 35.25, "expected": 29.04, "n_bin": 29, "pulls": [0.1], "calibration": judged, "pseudo_p_values": [0.5],
    }  # fmt: skip


def facts(**more) -> dict:
    """Two tunes, the second's own data described badly."""
    found = {"tunes": ["b", "f"], "labels": ["backward <1>", "forward"], "shared_errors": True}
    matrix = {"p": [[0.5, 0.25], [0.25, 0.005]], "errors": [[0.016, 0.007], [0.007, 0.002]]}
    return {**found, **matrix, "pairs": [pair("b", "f"), pair("f", "b")], **more}


def table(section: Section, title: str) -> Table:
    (found,) = [t for t in section.tables if t.title.startswith(title)]
    return found


def test_all_of_a_tension_is_rendered_and_nothing_is_warned_of():
    section = tension_section("angles", "by angle", facts(), [Picture(PIXEL, "caption")])
    assert section.heading == "Tension angles: by angle" and section.warnings == [] and len(section.figures) == 1
    assert "with the errors that they share" in section.paragraphs[0]
    first, second = table(section, "Measurements predicted").rows
    assert first == ["backward <1>", "forward", Verdict("0.25", True), "0.007", "1.1", "35.2", "29.0", 29]
    assert second[:2] == ["forward", "backward <1>"]
    own = table(section, "Goodness").rows
    assert own == [["backward <1>", Verdict("0.5", True), "0.02"], ["forward", Verdict("0.005", False), "0.002"]]
    assert table(section, "The same").rows[0][2:] == [200, Verdict("0.5", True), "6.0 ± 1.5", "1.5 ± 0.7"]
    page = render(ReportContent("T", sections=[section]))
    assert "backward &lt;1&gt;" in page and "None" not in page


def test_independent_errors_are_told():
    assert "independent" in tension_section("n", "l", facts(shared_errors=False), []).paragraphs[0]


@pytest.mark.parametrize(("p", "warned"), [(0.0099, True), (0.01, False)])
def test_a_small_p_value_is_warned_of(p, warned):
    section = tension_section("angles", "l", facts(pairs=[pair("b", "f", p, 0.0016), pair("f", "b")]), [])
    assert len(section.warnings) == warned
    assert all("p-value 0.0099 +- 0.002" in w and "of 'forward' learned from 'backward <1>'" in w for w in section.warnings)
    assert table(section, "Measurements").rows[0][2].good is not warned


def test_a_p_value_that_no_replica_reaches_is_a_bound():
    found = facts(pairs=[pair("b", "f", BOUND, BOUND), pair("f", "b")])
    section = tension_section("angles", "l", found, [])
    first, second = table(section, "Measurements").rows
    assert first[2:5] == [Verdict("≤ 0.00025", False), None, "≥ 3.7"]
    assert "≤" not in second[2].text
    assert "p-value ≤ 0.00025 (≥ 3.7 sigma), of" in section.warnings[0]
    line = tension_summary_line("angles", "l", found)
    assert line.startswith("angles (l): smallest p-value of 2 predictions ≤ 0.00025 (≥ 3.7 sigma)")
    assert line.endswith("of 'forward' learned from 'backward <1>'")


@pytest.mark.parametrize(("ks_p", "warned"), [(0.0099, True), (0.01, False)])
def test_p_values_of_pseudo_data_that_are_not_uniform_are_warned_of(ks_p, warned):
    section = tension_section("angles", "l", facts(pairs=[pair("b", "f"), pair("f", "b", ks_p=ks_p)]), [])
    assert len(section.warnings) == warned
    assert all("not calibrated, of 'backward <1>' learned from 'forward'" in w for w in section.warnings)
    assert table(section, "The same").rows[1][3].good is not warned


@pytest.fixture
def files(tmp_path):
    """Two tensions with a figure each."""
    paths, captions = [], []
    for name in "xy":
        paths.append(tmp_path / "tensions" / name / "tension.json")
        captions.append(tmp_path / "figures" / "tensions" / name / "captions.json")
        for path in (paths[-1], captions[-1]):
            path.parent.mkdir(parents=True)
        write_json(paths[-1], {**facts(), "provenance": {"settings": json.dumps({"tension": name})}})
        write_captions(captions[-1], {"matrix": f"of {name}"}, {})
        captions[-1].with_name("matrix.png").write_bytes(PIXEL)
    return {"found": paths, "captions": captions, "tensions": [{"name": n, "label": n.upper()} for n in "xy"]}


def test_the_chapter_puts_every_file_under_its_tension(files):
    (chapter,), lines = _tensions(**files)
    assert [p.heading for p in chapter.parts] == ["Tension x: X", "Tension y: Y"]
    assert [[f.caption for f in p.figures] for p in chapter.parts] == [["of x"], ["of y"]]
    assert [line[:5] for line in lines] == ["x (X)", "y (Y)"]


def test_files_in_the_wrong_order_are_refused(files):
    with pytest.raises(InputError, match=r"made for .*'y'.*listed for .*'x'"):
        _tensions(**files | {"found": files["found"][::-1]})


def test_without_tensions_there_is_no_chapter():
    assert _tensions([], [], []) == ([], [])

"""The report's chapter on closure studies: what each table says, what is left out, and when it warns."""

import copy

import pytest

from nuinfer.report import Picture, ReportContent, Section, render
from nuinfer.report_closure import cost_section, overview, study_section, summary_line


def detector(size: float) -> dict:
    return {"rel_l2": size, "kl": size**2, "rel_l2_3d": 2 * size, "kl_3d": 2 * size**2, "negative_share": 0.0}


def numbers(**changes) -> dict:
    plain = {
        "near": detector(0.003),
        "far": detector(0.02),
        "test_loss": 1.5e-5,
        "total": {"rms": 0.04, "worst": 0.1, "worst_at_gev": 0.5},
        "fit": {"ms_per_step": 12.3456, "best_step": [7], "starts": [1], "hyperparameters": {"a": 1}, "events": 3},
        "learner": {"steps": 1500, "members": 1},
    }
    return copy.deepcopy(plain) | changes


COVERAGE = {"draws": 20} | {
    key: {"mean": mean, "error": 0.01, "highest": 0.99}
    for key, mean in {
        "events_68": 0.69, "events_95": 0.96, "bins_68": 0.67, "bins_95": 0.94,
        "rel_sd": 0.01, "rel_l2": 0.011, "kl": 1e-4, "seconds": 3.0,
    }.items()
}  # fmt: skip
GRID = {"bins": 32, "build_s": 0.7, "contract_ms": 5.0, "step_ms": 2.0, "direct_step_ms": 300.0, "peak_mib": 120.0}


def titles(section: Section) -> list[str]:
    return [t.title for t in section.tables]


def test_a_study_of_two_draws():
    section = study_section("net", "network", [numbers(), numbers(far=detector(0.05))], None, [])
    assert section.heading == "Study net: network"
    assert titles(section) == ["Deviation from the truth"] and section.warnings == []
    rows = section.tables[0].rows
    assert [r[0] for r in rows] == ["draw 0, near", "draw 0, far", "draw 1, near", "draw 1, far"]
    assert rows[1][1:] == pytest.approx([2.0, 4e-4, 4.0, 8e-4]) and rows[3][1] == pytest.approx(5.0)
    assert all(len(r) == len(section.tables[0].header) for r in rows)
    # What the fit says: plain numbers only.
    assert section.paragraphs == ["Learner: steps 1500, members 1.", "First draw's fit: ms_per_step 12.35, events 3."]


def test_members_that_were_trained_again_are_counted():
    found = study_section("net", "network", [numbers(fit={"starts": [1, 3, 1, 2]})], None, []).paragraphs
    assert found[2] == "Members that did not converge from their first start, trained again: 1 (3 starts), 3 (2 starts)."
    assert len(study_section("net", "network", [numbers(fit={"starts": [1, 1]})], None, []).paragraphs) == 2


def test_members_and_coverage_have_tables_of_their_own():
    draws = [numbers(members=[numbers(), numbers()])]
    section = study_section("net", "network", draws, COVERAGE, [Picture(b"", "c")])
    assert titles(section) == [
        "Deviation from the truth",
        "Members of the ensemble, first draw",
        "Far-detector bands over 20 near-detector draws",
    ]
    assert [r[0] for r in section.tables[1].rows][-1] == "member 1, far"
    coverage = {r[0]: r[1:] for r in section.tables[2].rows}
    assert coverage["coverage of 68.27 % bands, by events"] == [0.69, 0.01, 0.99]
    assert coverage["coverage of 95.45 % bands, filled bins"][0] == 0.94
    assert len(coverage) == 8 and len(section.figures) == 1


@pytest.mark.parametrize(("negative", "warned"), [(0.0, False), (9e-4, False), (0.02, True)])
def test_negative_rates_are_warned_of(negative, warned):
    far = {**detector(0.02), "negative_share": negative}
    warnings = study_section("net", "network", [numbers(far=far)], None, []).warnings
    assert warnings == (["net: 2 % of the far-detector rate is negative before the clamp at zero"] if warned else [])


def test_summary_and_overview():
    line = summary_line("net", "network", numbers())
    assert line == "net (network): near detector 0.3 %, far detector 2 % in relative L2, far-detector KL 0.0004 nat"
    table = overview([("net", "network", numbers()), ("box", "black box", numbers(test_loss=0.5))])
    assert [r[0] for r in table.rows] == ["network", "black box"]
    assert table.rows[0][1:] == pytest.approx([0.3, 2.0, 9e-6, 4e-4, 8e-4, 4.0, 1.5e-5])
    assert table.rows[1][-1] == 0.5
    assert all(len(r) == len(table.header) for r in table.rows)


def test_cost():
    section = cost_section({"grids": [GRID, {**GRID, "bins": 64, "direct_step_ms": 1200.0}]}, [])
    assert [r[0] for r in section.tables[0].rows] == [32, 64]
    assert [r[5] for r in section.tables[0].rows] == [150.0, 600.0]
    assert all(len(r) == len(section.tables[0].header) for r in section.tables[0].rows)


def test_the_chapter_is_rendered():
    draws = [numbers(members=[numbers()], far={**detector(0.02), "negative_share": 0.02})]
    parts = [study_section("net", "a <b> & c", draws, COVERAGE, []), cost_section({"grids": [GRID]}, [])]
    table = overview([("net", "a <b> & c", numbers())])
    page = render(ReportContent("T", ["l"], [Section("Closure", tables=[table], parts=parts)], [], {"seed": "1"}))
    assert "a &lt;b&gt; &amp; c" in page and "<b>" not in page
    assert "Far-detector bands over 20 near-detector draws" in page and "Cost against grid size" in page
    assert "negative before the clamp" in page

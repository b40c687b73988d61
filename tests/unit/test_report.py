"""The report: everything escaped, nothing from outside, warnings that stand out."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from nuinfer.errors import InputError
from nuinfer.report import Picture, ReportContent, Section, Table, Verdict, render

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Balanced(HTMLParser):
    """Checks that tags close in order and notes identities and links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        attrs = dict(attrs)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.links += [attrs[k] for k in ("href", "src") if k in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def _content() -> ReportContent:
    inner = Section("Likelihood <full>", ["p & q"], warnings=["data lie outside what the simulation can produce"])
    table = Table(
        ["parameter", "mean", "n", "gate"],
        [["M_A", 1.10123, 5000, Verdict("0.97", True)], ["norm", -1.5e-7, None, Verdict("1.2 > 1.03", False)]],
        "Widths",
        "N = 5",
    )
    figure = Picture(PIXEL, 'Coverage. "N" = 1,000 <throws>')
    first = Section("Calibration", ["<script>alert(1)</script>"], [table], [figure])
    return ReportContent(
        "Tune & test",
        ["one line"],
        [first, Section("Data", parts=[inner], figures=[figure])],
        ["stand-in, NOT data"],
        {"settings hash": "abc<1>", "seed": "7"},
    )


def test_page_is_well_formed_and_its_links_lead_somewhere():
    page = Balanced(render(_content()))
    assert len(set(page.ids)) == len(page.ids)
    for link in page.links:
        assert link.startswith("data:image/png;base64,") or link[1:] in page.ids
    assert page.links.count("#s2-1") == 2


def test_nothing_comes_from_outside_and_nothing_runs():
    page = render(_content())
    assert not re.search(r"(?:src|href)=(?!\"data:|\"#)", page)
    assert "http" not in page and "@import" not in page and "url(" not in page
    assert "script" not in Balanced(page).tags


def test_text_is_escaped_everywhere():
    page = render(_content())
    for raw in ("<script>", "<full>", "p & q", "<throws>", "abc<1>", "Tune & test"):
        assert raw not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "&quot;N&quot;" in page


def test_figures_are_embedded_and_numbered():
    page = render(_content())
    assert page.count(base64.b64encode(PIXEL).decode()) == 2
    assert "Figure 1." in page and "Figure 2." in page and "Table 1. Widths" in page


def test_warnings_stand_under_the_title_and_where_they_belong():
    page = render(_content())
    head, body = page.split("</header>")
    assert "stand-in, NOT data" in head and "data lie outside" in head and 'href="#s2-1"' in head
    assert "data lie outside" in body and body.count('class="warning"') == 1
    quiet = render(ReportContent("All well", sections=[Section("A")]))
    assert 'class="warning"' not in quiet


def test_cells_are_written_for_readers():
    page = render(_content())
    for cell in (">1.101<", ">\u22121.5e\u221207<", ">5\u2009000<", ">\u2013<", "\u2713 0.97", "\u2717 1.2 &gt; 1.03"):
        assert cell in page
    numpy_cell = render(
        ReportContent("t", sections=[Section("s", tables=[Table(["a"], [[np.float64(0.25)], [np.int64(3)]])])])
    )
    assert ">0.25<" in numpy_cell and ">3<" in numpy_cell


def test_dollars_and_braces_in_text_survive():
    assert "$title {x} $$" in render(ReportContent("t", ["$title {x} $$"]))


def test_same_content_same_bytes():
    assert render(_content()) == render(_content())


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="row 1 has 1 cells for 2 columns"):
        render(ReportContent("t", sections=[Section("s", tables=[Table(["a", "b"], [[1]])])]))
    with pytest.raises(InputError, match="not a PNG"):
        render(ReportContent("t", sections=[Section("s", figures=[Picture(b"%PDF", "c")])]))

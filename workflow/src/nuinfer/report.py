"""One HTML file that tells a run's results without a network: text, tables and figures in one page.

Content is given as the frozen records below; :func:`render` escapes every text of theirs and embeds every figure.
"""

import base64
import html
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nuinfer.errors import InputError
from nuinfer.report_page import PAGE, STYLE

NUMBER = re.compile(r"\u2013|[<>\u2264\u2265\u2248+\u2212-]?\s*\d[\d.,\u2009]*(e[+\u2212-]?\d+)?( ?\u00b1.*)?( ?%)?")
"""What a cell looks like that must not be broken between lines."""
PNG_START = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Verdict:
    """A table's cell that passed or failed: what it says, and which of the two."""

    text: str
    good: bool


Cell = str | int | float | bool | None | Verdict
"""A table's cell: numbers are written to four digits, None as a dash."""


@dataclass(frozen=True)
class Table:
    """``header`` names the columns, ``rows`` are as long as it; ``title`` stands above, ``note`` below.

    A ``tall`` table scrolls inside a box of limited height; on paper it is whole.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    note: str = ""
    tall: bool = False


@dataclass(frozen=True)
class Picture:
    """A figure as a PNG file's bytes with its caption."""

    png: bytes
    caption: str


@dataclass(frozen=True)
class Section:
    """A chapter: its warnings come first, then paragraphs, tables and figures; ``parts`` are chapters inside it."""

    heading: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Picture] = ()
    warnings: Sequence[str] = ()
    parts: Sequence["Section"] = ()


@dataclass(frozen=True)
class ReportContent:
    """The whole report; ``provenance`` (settings hash, versions, seeds) stands at its foot, a name and value a line."""

    title: str
    summary: Sequence[str] = ()
    sections: Sequence[Section] = ()
    warnings: Sequence[str] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)


def render(report: ReportContent) -> str:
    """Return ``report`` as one HTML page that refers to nothing outside itself.

    Warnings of every section are repeated, with a link, under the title.  The same content gives the same bytes.
    Raises InputError for a table whose rows differ from its header in length and for a figure that is not a PNG.
    """
    count = _Counter()
    body = "\n".join(_section(s, 2, f"s{i}", count) for i, s in enumerate(report.sections, 1))
    return string.Template(PAGE).substitute(
        title=_text(report.title),
        style=STYLE,
        summary="\n".join(f"<p>{_text(line)}</p>" for line in report.summary),
        warnings=_all_warnings(report),
        contents=_contents(report.sections, "s"),
        body=body,
        provenance="\n".join(f"<dt>{_text(k)}</dt><dd>{_text(v)}</dd>" for k, v in report.provenance.items()),
    )


class _Counter:
    """Numbers figures and tables through the page."""

    def __init__(self) -> None:
        self.figures = self.tables = 0


def _text(value: object) -> str:
    return html.escape(str(value), quote=True)


def _contents(sections: Sequence[Section], prefix: str) -> str:
    items = []
    for i, section in enumerate(sections, 1):
        anchor = f"{prefix}{i}"
        inner = f"<ol>{_contents(section.parts, anchor + '-')}</ol>" if section.parts else ""
        items.append(f'<li><a href="#{anchor}">{_text(section.heading)}</a>{inner}</li>')
    return "\n".join(items)


def _all_warnings(report: ReportContent) -> str:
    items = [_text(w) for w in report.warnings]

    def collect(sections: Sequence[Section], prefix: str) -> None:
        for i, section in enumerate(sections, 1):
            link = f'<a href="#{prefix}{i}">{_text(section.heading)}</a>'
            items.extend(f"{link}: {_text(w)}" for w in section.warnings)
            collect(section.parts, f"{prefix}{i}-")

    collect(report.sections, "s")
    return _warning_box(items)


def _warning_box(items: Sequence[str]) -> str:
    if not items:
        return ""
    head = "Warning" if len(items) == 1 else f"{len(items)} warnings"
    lines = "".join(f"<li>{item}</li>" for item in items)
    return f'<div class="warning" role="alert"><strong>{head}</strong><ul>{lines}</ul></div>'


def _section(section: Section, level: int, anchor: str, count: _Counter) -> str:
    tag = f"h{min(level, 6)}"
    pieces = [f'<section id="{anchor}">', f"<{tag}>{_text(section.heading)}</{tag}>"]
    pieces.append(_warning_box([_text(w) for w in section.warnings]))
    pieces += [f"<p>{_text(p)}</p>" for p in section.paragraphs]
    pieces += [_table(t, count) for t in section.tables]
    pieces += [_figure(f, count) for f in section.figures]
    pieces += [_section(p, level + 1, f"{anchor}-{i}", count) for i, p in enumerate(section.parts, 1)]
    return "\n".join([*filter(None, pieces), "</section>"])


def _table(table: Table, count: _Counter) -> str:
    count.tables += 1
    for i, row in enumerate(table.rows):
        if len(row) != len(table.header):
            where = f"report: table '{table.title or count.tables}', row {i + 1}"
            raise InputError(f"{where} has {len(row)} cells for {len(table.header)} columns; give one a column")
    head = "".join(f'<th scope="col">{_text(h)}</th>' for h in table.header)
    rows = "\n".join(f"<tr>{''.join(_cell(c) for c in row)}</tr>" for row in table.rows)
    note = f'<p class="note">{_text(table.note)}</p>' if table.note else ""
    caption = f"<caption>Table {count.tables}. {_text(table.title)}</caption>"
    # A box that scrolls must be reached by keyboard.
    box = 'class="table tall" tabindex="0"' if table.tall else 'class="table"'
    return (
        f'<div {box}><table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>{note}'
    )


def _cell(cell: Cell) -> str:
    if isinstance(cell, Verdict):
        kind, mark = ("good", "\u2713") if cell.good else ("bad", "\u2717")
        return f'<td class="{kind}">{mark} {_text(cell.text)}</td>'
    written = _written(cell)
    return f'<td class="number">{_text(written)}</td>' if NUMBER.fullmatch(written) else f"<td>{_text(written)}</td>"


def _written(cell: Cell) -> str:
    if cell is None or cell == "":
        return "\u2013"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, str):
        return cell
    written = f"{cell:,}".replace(",", "\u2009") if isinstance(cell, int) else f"{cell:.4g}"
    return written.replace("-", "\u2212")


def _figure(picture: Picture, count: _Counter) -> str:
    count.figures += 1
    if not picture.png.startswith(PNG_START):
        raise InputError(
            f"report: figure {count.figures} ('{picture.caption[:40]}') is not a PNG; give a PNG file's bytes"
        )
    width = int.from_bytes(picture.png[16:20], "big")
    data = base64.b64encode(picture.png).decode("ascii")
    alt = _text(picture.caption.split(". ")[0])
    # Fewer pixels of the page than of the picture: sharp on dense screens, and a column's figure stays a column wide.
    image = f'<img src="data:image/png;base64,{data}" alt="{alt}" style="width:{width * 0.6:.0f}px">'
    return f"<figure>{image}<figcaption><b>Figure {count.figures}.</b> {_text(picture.caption)}</figcaption></figure>"

"""Captions and figures that say where they come from, in the files themselves."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from matplotlib import image
from matplotlib.figure import Figure

from nuinfer import steps
from nuinfer.errors import InputError
from nuinfer.figures.files import write_figures
from nuinfer.figures.style import new_figure, save
from nuinfer.io.captions import read_captions, write_captions
from nuinfer.io.jsonfile import read_json, write_json
from nuinfer.io.provenance import provenance
from nuinfer.io.traces import read_pdf_trace, read_png_trace

SETTINGS = {"label": "muons (\u00b5)", "path": "/home/someone/throws.root"}
RECORD = provenance("nuinfer.steps.figure_scan", SETTINGS, 7)
CARRIED = ("made_by", "settings_hash", "code_hash", "seed")


def drawn(height: float = 1.0) -> Figure:
    figure = new_figure(2.0, 1.5)
    figure.add_subplot().plot([0.0, height])
    return figure


def test_captions_come_back_in_their_order_with_their_record(tmp_path):
    path = tmp_path / "captions.json"
    texts = {"second": "b", "first": 'a \u00b5 "c"'}
    write_captions(path, texts, RECORD)
    assert read_captions(path) == texts and list(read_captions(path)) == ["second", "first"]
    assert read_json(path)["provenance"] == RECORD


@pytest.mark.parametrize("content", [{"first": "a"}, {"captions": ["a"]}, {"captions": {"first": 1}}, []])
def test_other_files_are_no_captions(tmp_path, content):
    path = tmp_path / "captions.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"captions\.json: holds no captions of figures; remove it and make it again"):
        read_captions(path)


def test_absent_captions_are_named(tmp_path):
    with pytest.raises(InputError, match=r"captions\.json: no such file"):
        read_captions(tmp_path / "captions.json")


def test_figures_of_a_folder_carry_one_record(tmp_path):
    captions = tmp_path / "new" / "captions.json"
    write_figures(captions, ((n, drawn(), f"of {n}") for n in ("b", "a")), RECORD)
    assert sorted(p.name for p in captions.parent.iterdir()) == ["a.pdf", "a.png", "b.pdf", "b.png", "captions.json"]
    assert read_captions(captions) == {"b": "of b", "a": "of a"}
    for name in ("a", "b"):
        for trace in (read_png_trace(captions.with_name(f"{name}.png")), read_pdf_trace(captions.with_name(f"{name}.pdf"))):
            assert trace == {**{k: RECORD[k] for k in CARRIED}, "versions": json.loads(RECORD["versions"])}


@pytest.mark.parametrize("path", sorted(Path(steps.__path__[0]).glob("*.py")), ids=lambda path: path.stem)
def test_every_step_writes_its_own_name(path):
    """A name copied from another step would send a reader to the wrong code."""
    source = path.read_text()
    named = set(re.findall(r'provenance\(\s*"([^"]+)"', source))
    assert named <= {f"nuinfer.steps.{path.stem}"} and (named or "provenance(" not in source)
    assert ("write_figures(" in source) == (path.stem.startswith("figure") or path.stem == "closure_cost")


def test_captions_are_written_after_their_figures(tmp_path):
    def failing():
        yield "a", drawn(), "of a"
        raise InputError("the second figure fails")

    with pytest.raises(InputError, match="second figure"):
        write_figures(tmp_path / "captions.json", failing(), RECORD)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.pdf", "a.png"]


@pytest.fixture
def pair(tmp_path):
    """A figure's PDF and PNG."""
    paths = tmp_path / "a.pdf", tmp_path / "a.png"
    save(drawn(), *paths, RECORD)
    return paths


def test_files_repeat_to_the_byte_and_change_with_the_record(pair, tmp_path):
    again = tmp_path / "b.pdf", tmp_path / "b.png"
    save(drawn(), *again, RECORD)
    assert [p.read_bytes() for p in pair] == [p.read_bytes() for p in again]
    save(drawn(), *again, {**RECORD, "code_hash": "0" * 12})
    assert all(a.read_bytes() != b.read_bytes() for a, b in zip(pair, again, strict=True))
    save(drawn(), *again)
    assert (read_pdf_trace(again[0]), read_png_trace(again[1])) == ({}, {})


def test_pixels_do_not_depend_on_the_record(pair, tmp_path):
    save(drawn(), tmp_path / "b.pdf", tmp_path / "b.png")
    assert (image.imread(pair[1]) == image.imread(tmp_path / "b.png")).all()


def test_settings_and_dates_stay_out_of_figures(pair):
    """A figure goes to other people; the settings may name a user's own files."""
    for path in pair:
        content = path.read_bytes()
        assert b"someone" not in content and b"Date" not in content and RECORD["settings_hash"].encode() in content


def test_other_readers_find_the_trace(pair):
    """The twin: an independent reader of PNG, and of PDF where the machine has one."""
    from PIL import Image

    with Image.open(pair[1]) as picture:
        assert json.loads(picture.text["Comment"]) == read_png_trace(pair[1])
        assert picture.text["Description"] == (
            f"Made by nuinfer.steps.figure_scan, settings {RECORD['settings_hash']}, code {RECORD['code_hash']}"
        )
    if shutil.which("pdfinfo"):
        told = subprocess.run(["pdfinfo", str(pair[0])], capture_output=True, text=True, check=True).stdout
        assert json.loads(told.split("Keywords:")[1].splitlines()[0]) == read_pdf_trace(pair[0])
    else:
        print("pdfinfo (poppler-utils) is not installed: PDFs are read by nuinfer alone")


def test_parentheses_and_backslashes_survive_in_a_pdf(tmp_path):
    versions = json.dumps({"odd": "1 (a\\b) \u00b5 )("})
    save(drawn(), tmp_path / "a.pdf", tmp_path / "a.png", {**RECORD, "versions": versions})
    for trace in (read_pdf_trace(tmp_path / "a.pdf"), read_png_trace(tmp_path / "a.png")):
        assert trace["versions"] == json.loads(versions)


@pytest.mark.parametrize("damage", [lambda b: b[:60], lambda b: b[:200], lambda b: b"x" + b])
def test_damaged_figures_are_named(pair, damage):
    path = pair[1]
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"a\.png: not a( whole)? PNG file"):
        read_png_trace(path)


def test_a_changed_letter_is_noticed(pair):
    path = pair[1]
    path.write_bytes(path.read_bytes().replace(RECORD["settings_hash"].encode(), b"0" * 12))
    with pytest.raises(InputError, match="not a whole PNG"):
        read_png_trace(path)


def test_what_is_no_pdf_is_named(tmp_path):
    write_json(tmp_path / "a.pdf", {})
    with pytest.raises(InputError, match=r"a\.pdf: not a PDF file"):
        read_pdf_trace(tmp_path / "a.pdf")


@pytest.mark.parametrize("comment", ["made with care", "[1]", "{"])
def test_another_programs_comment_is_no_trace(tmp_path, comment):
    drawn().savefig(tmp_path / "a.png", metadata={"Comment": comment})
    drawn().savefig(tmp_path / "a.pdf", metadata={"Keywords": comment})
    assert read_png_trace(tmp_path / "a.png") == read_pdf_trace(tmp_path / "a.pdf") == {}

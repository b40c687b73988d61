"""Snakemake's own report of the finished smoke run: every figure in its place, with labels and caption, without a network."""

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from smoke_run import RESULTS, ROOT, command, environment

# A port that nothing listens on.
NOWHERE = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
FETCHED = re.compile(r"""<(?:script|link|img|iframe)[^>]*(?:src|href)\s*=\s*["'](?:https?:)?//""")


@pytest.fixture(scope="module")
def folder(smoke, tmp_path_factory):
    """A copy of the finished run that tests may change; a report needs no arrays."""
    copy = tmp_path_factory.mktemp("reported") / "run"
    return Path(shutil.copytree(smoke, copy, symlinks=True, ignore=shutil.ignore_patterns("*.h5", "*.safetensors")))


def make(folder, path):
    base = command("--directory", str(folder), "--report", str(path))
    return subprocess.run(base, cwd=ROOT, env=environment() | NOWHERE, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def page(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    done = make(folder, path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return path.read_text(encoding="utf-8")


def embedded(page, name, variable):
    """What the page holds in one of its scripts, as JSON."""
    start = page.index("=", page.index(f"var {variable}", page.index(f'<script id="{name}">'))) + 1
    return json.JSONDecoder().raw_decode(page[start:].lstrip())[0]


def figures(folder):
    return {str(path.relative_to(folder)) for path in (folder / RESULTS).rglob("*.png")}


def place(path):
    """Category and subcategory of a figure, from where it lies."""
    parts = Path(path).relative_to(RESULTS).parts
    if parts[0] == "closure_cost":
        return "Closure", "cost"
    kind, name = parts[1], parts[2]
    of_kind = {
        "closure": ("Closure", f"study {name}"),
        "experiments": ("Closure", f"experiment {name}"),
        "fits": ("Oscillation", f"coverage of {name[9:]}" if name.startswith("coverage_") else f"fit {name}"),
        "flux": ("Systematics", f"flux of {name}"),
        "ensembles": ("Systematics", f"ensemble {name}"),
        "scans": ("Systematics", f"scan {name}"),
        "tensions": ("Tensions", name),
    }
    return of_kind.get(kind, ("Tuning", kind))


def test_every_figure_has_its_place(page, folder):
    shown = {
        path: (category, subcategory)
        for category, parts in embedded(page, "categories", "categories").items()
        for subcategory, paths in parts.items()
        for path in paths
    }
    assert len(shown) > 100 and shown == {path: place(path) for path in figures(folder)}


def test_no_two_figures_of_a_place_look_alike(page):
    results = embedded(page, "results", "results")
    for parts in embedded(page, "categories", "categories").values():
        for subcategory, paths in parts.items():
            labels = [results[path]["labels"] for path in paths]
            assert all(each["figure"] for each in labels), subcategory
            assert len({tuple(sorted(each.items())) for each in labels}) == len(paths), subcategory
    tuned = RESULTS / "figures/mock"
    assert results[str(tuned / "sbc.png")]["labels"]["observation"] == "held-out throws"
    assert results[str(tuned / "microboone_tune/triangle.png")]["labels"]["observation"] == "microboone_tune"
    assert results[str(RESULTS / "figures/fits/coverage_plain/pulls_posterior.png")]["labels"]["cross section"] == "posterior"


def test_every_caption_is_told(page):
    """And every caption in the folder belongs to a figure."""
    captions = {path: result["caption"] for path, result in embedded(page, "results", "results").items()}
    for path, text in captions.items():
        assert len(text) > 60 and "system-message" not in text and "{" not in text, path
    said = " ".join(" ".join(captions.values()).split())
    for path in (ROOT / "workflow/report").glob("*.rst"):
        if path.name != "workflow.rst":
            pieces = re.split(r"``.*?``|\n\n", path.read_text(encoding="utf-8"), flags=re.DOTALL)
            assert all(" ".join(piece.split()) in said for piece in pieces), path.name


def test_figures_are_inside(page, folder):
    for path, result in embedded(page, "results", "results").items():
        head, data = result["data_uri"].split(",", 1)
        assert head.startswith("data:image/png") and base64.b64decode(data) == (folder / path).read_bytes(), path
    assert not FETCHED.search(page)
    assert FETCHED.search('<script src="https://example.org/x.js">')


def test_description_leads_to_every_category_and_to_the_own_report(page, folder):
    text = embedded(page, "workflow-desc", "workflow_desc")
    assert "system-message" not in text and "{" not in text
    for category in embedded(page, "categories", "categories"):
        assert f"app.showCategory('{category}')" in text
    own = str(RESULTS / "report.html")
    assert own in text and (folder / own).is_file()


def test_a_missing_figure_is_refused(folder, tmp_path):
    lost = folder / RESULTS / "figures/scans/size/scan.png"
    kept = lost.rename(tmp_path / lost.name)
    try:
        done = make(folder, tmp_path / "report.html")
        assert done.returncode != 0 and "does not exist" in done.stdout + done.stderr
        assert str(lost.relative_to(folder)) in done.stdout + done.stderr and not (tmp_path / "report.html").exists()
    finally:
        kept.rename(lost)

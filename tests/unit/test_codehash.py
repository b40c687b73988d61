"""The hash that decides whether a step runs again, and what is kept of it between processes."""

import json
import os
import subprocess
import sys

import pytest

from nuinfer import codehash


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two modules, ``top`` importing ``below`` inside a function."""
    folder = tmp_path / "toypackage"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "top.py").write_text("def f():\n    from toypackage.below import x\n    return x\n")
    (folder / "below.py").write_text('"""Doc."""\nx = 1  # comment\n')
    monkeypatch.setattr(codehash, "SOURCE", folder)
    monkeypatch.setattr(codehash, "PACKAGE", "toypackage")
    yield folder
    forget()


def forget():
    for cached in (codehash.code_hash, codehash.meanings, codehash.module_file):
        cached.cache_clear()


def fresh_hash():
    """The hash as another process finds it."""
    forget()
    return codehash.code_hash("toypackage.top")


def test_code_hash_follows_meaning_through_imports(package):
    before = fresh_hash()
    (package / "below.py").write_text('"""Another docstring."""\n\nx = (1)\n')
    assert fresh_hash() == before
    (package / "below.py").write_text("x = 2\n")
    assert fresh_hash() != before


def test_what_is_kept_gives_the_same_hash_without_parsing(package, monkeypatch):
    before = fresh_hash()
    assert codehash.kept_file().is_file()
    monkeypatch.setattr(codehash, "parsed", lambda text: pytest.fail("parsed again"))
    assert fresh_hash() == before
    (package / "below.py").write_text("x = 2\n")
    with pytest.raises(pytest.fail.Exception):
        fresh_hash()


def test_a_change_back_and_forth_is_seen_whatever_the_times_of_files(package):
    """The same size and the same time, as a checkout of another branch may leave them."""
    first = fresh_hash()
    time_ns = (package / "below.py").stat().st_mtime_ns
    for text, same in (('"""Doc."""\nx = 2  # comment\n', False), ('"""Doc."""\nx = 1  # comment\n', True)):
        (package / "below.py").write_text(text)
        os.utime(package / "below.py", ns=(time_ns, time_ns))
        assert (fresh_hash() == first) is same


@pytest.mark.parametrize(
    "junk",
    ["", "{", "[1, 2]", '{"toypackage.top": 3}', '{"toypackage.top": ["a"]}', '{"toypackage.top": ["a", "b", null]}'],
)
def test_a_broken_file_is_ignored(package, junk):
    before = fresh_hash()
    codehash.kept_file().write_text(junk)
    assert fresh_hash() == before
    assert set(json.loads(codehash.kept_file().read_text())) == {"toypackage.top", "toypackage.below"}


def test_nowhere_to_keep_it_is_no_error(package, monkeypatch):
    before = fresh_hash()
    monkeypatch.setattr(codehash, "kept_file", lambda: package / "top.py" / "kept.json")
    assert fresh_hash() == before


def test_a_module_that_came_is_followed_though_its_importer_did_not_change(package):
    (package / "top.py").write_text("from toypackage import below, later\n")
    before = fresh_hash()
    (package / "later.py").write_text("y = 1\n")
    assert fresh_hash() != before


def test_hashes_of_all_steps_agree_with_parsing_them():
    """In other processes, one with and one without what is kept."""
    steps = [f"nuinfer.steps.{path.stem}" for path in sorted((codehash.SOURCE / "steps").glob("[a-z]*.py"))]
    assert "nuinfer.steps.train" in steps
    say = f"from nuinfer import codehash; {{}}; print([codehash.code_hash(step) for step in {steps}])"
    without = "codehash.kept_file = lambda: None"
    said = [
        subprocess.run([sys.executable, "-c", say.format(first)], capture_output=True, text=True, check=True).stdout
        for first in ("pass", without)
    ]
    assert said[0] == said[1] != ""

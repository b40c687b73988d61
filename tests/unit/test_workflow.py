"""File names and the hash that decides whether a step runs again."""

import pytest

from nuinfer import workflow

THROWS = {"train": 25, "validation": 10, "test": 7, "chunk": 10}


def test_chunks_cover_every_throw_once():
    ranges = [workflow.chunk_range(THROWS, name) for name in workflow.chunk_names(THROWS)]
    covered = {split: [i for s, start, stop in ranges if s == split for i in range(start, stop)] for split in workflow.SPLITS}
    assert covered == {split: list(range(THROWS[split])) for split in workflow.SPLITS}


def test_more_throws_keep_the_names_of_the_full_chunks():
    names = set(workflow.chunk_names(THROWS))
    more = set(workflow.chunk_names({**THROWS, "train": 45}))
    assert names < more


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two modules, ``top`` importing ``below`` inside a function."""
    folder = tmp_path / "toypackage"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "top.py").write_text("def f():\n    from toypackage.below import x\n    return x\n")
    (folder / "below.py").write_text('"""Doc."""\nx = 1  # comment\n')
    monkeypatch.setattr(workflow, "SOURCE", folder)
    monkeypatch.setattr(workflow, "PACKAGE", "toypackage")
    return folder


def fresh_hash():
    workflow.code_hash.cache_clear()
    workflow._parsed.cache_clear()
    return workflow.code_hash("toypackage.top")


def test_code_hash_follows_meaning_through_imports(package):
    before = fresh_hash()
    (package / "below.py").write_text('"""Another docstring."""\n\nx = (1)\n')
    assert fresh_hash() == before
    (package / "below.py").write_text("x = 2\n")
    assert fresh_hash() != before


def test_as_json_refuses_nan():
    with pytest.raises(ValueError):
        workflow.as_json({"x": float("nan")})

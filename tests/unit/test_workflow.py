"""Chunk names and the text of settings."""

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


def test_as_json_refuses_nan():
    with pytest.raises(ValueError):
        workflow.as_json({"x": float("nan")})

"""What differs between two records: named by dotted keys, complete, and nothing where nothing differs."""

import numpy as np
import pytest

from nuinfer.io.differences import differences


def nested(rng, depth=3):
    """A random record of mappings, lists and plain values."""
    kind = rng.integers(6 if depth else 4)
    if kind < 4:
        return [int(rng.integers(9)), float(rng.random()), str(rng.integers(9)), None][kind]
    children = [nested(rng, depth - 1) for _ in range(rng.integers(1, 4))]
    return children if kind == 4 else {f"k{i}": child for i, child in enumerate(children)}


def leaves(value, path=()):
    """The slow twin's view of a record: every plain value by its path."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        return {path: value}
    return {k: v for key, child in items for k, v in leaves(child, (*path, key)).items()}


def name(path):
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")


def replaced(value, path, new):
    """A copy of a record with the value at ``path`` replaced."""
    if not path:
        return new
    key, *rest = path
    if isinstance(value, list):
        return [replaced(child, rest, new) if i == key else child for i, child in enumerate(value)]
    return {k: replaced(child, rest, new) if k == key else child for k, child in value.items()}


def test_every_changed_value_is_named_and_no_other():
    rng = np.random.default_rng(7)
    for _ in range(200):
        old = {f"top{i}": nested(rng) for i in range(4)}
        paths = list(leaves(old))
        chosen = [p for p in paths if rng.random() < 0.3]
        new = old
        for path in chosen:
            new = replaced(new, path, "new")
        held = leaves(old)
        assert sorted(differences(old, new, None)) == sorted(f"{name(p)}: {held[p]!r} -> 'new'" for p in chosen)
        assert differences(new, new) == [] and len(differences(new, old, None)) == len(chosen)


def test_keys_are_dotted():
    old = {"estimator": {"epochs": 12, "name": "smoke"}, "versions": {"torch": "2.12"}}
    new = {"estimator": {"epochs": 64, "name": "smoke"}, "versions": {"torch": "2.13"}}
    assert differences(old, new) == ["estimator.epochs: 12 -> 64", "versions.torch: '2.12' -> '2.13'"]


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ({"a": 1}, {}, ["a: 1 -> absent"]),
        ({}, {"a": {"b": None}}, ["a: absent -> {'b': None}"]),
        ({"a": "absent"}, {}, ["a: 'absent' -> absent"]),
        ({"a": [1, 2, 3]}, {"a": [1, 5]}, ["a: 3 -> 2 entries", "a[1]: 2 -> 5", "a[2]: 3 -> absent"]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}, 7]}, ["a: 1 -> 2 entries", "a[0].b: 1 -> 2", "a[1]: absent -> 7"]),
        ({"a": 12}, {"a": 12.0}, ["a: 12 -> 12.0"]),
        ({"a": 1}, {"a": True}, ["a: 1 -> True"]),
        ({"a": {"b": 1}}, {"a": [1]}, ["a: {'b': 1} -> [1]"]),
        ({"a": 0.1}, {"a": 0.1 + 2e-17}, ["a: 0.1 -> 0.10000000000000002"]),
        ({"a": list(range(100))}, {"a": 0}, ["a: [100 entries] -> 0"]),
        ({}, {"a": {str(i): i for i in range(100)}}, ["a: absent -> {100 keys}"]),
        ({"a": float("nan"), "b": (1, 2)}, {"a": float("nan"), "b": [1, 2]}, []),
        ({}, {}, []),
    ],
)
def test_lines(old, new, lines):
    assert differences(old, new) == lines


def test_two_long_values_of_one_size_still_differ():
    """The negative control of the short form: what is shown alike is not taken for equal."""
    assert differences({"a": [0] * 100}, {"a": {str(i): 0 for i in range(100)}}) == ["a: [100 entries] -> {100 keys}"]


def test_lines_are_limited():
    old, new = ({f"k{i:02d}": value for i in range(32)} for value in (0, 1))
    limited = differences(old, new)
    assert len(limited) == 21 and limited[0] == "k00: 0 -> 1" and limited[-1] == "and 12 more"
    assert differences(old, new, limit=32) == differences(old, new, limit=None)
    assert differences(old, new, limit=0) == ["and 32 more"]

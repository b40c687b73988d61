"""One set of pins: the project's dependencies, the lock of pip and the environment of conda agree."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lines):
    split = (line.strip().split("==") for line in lines if "==" in line)
    return {canonical(name): version for name, version in split}


def test_pins_agree():
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    lock = pins((ROOT / "envs/constraints.txt").read_text().splitlines())
    conda = pins(yaml.safe_load((ROOT / "envs/nuinfer.yaml").read_text())["dependencies"][-1]["pip"])
    names = {canonical(re.split("[=<>]", d)[0]) for d in dependencies}
    assert conda.keys() == names
    assert conda == {n: lock[n] for n in names - {"torch"}} | {"torch": pins(dependencies)["torch"]}
    assert pins(dependencies).items() <= conda.items()

"""Seeds and the command line of steps."""

from pathlib import Path

import numpy as np
import pytest

from nuinfer.errors import InputError
from nuinfer.seeds import stream, torch_seed
from nuinfer.steps.cli import Progress, run


def test_streams_differ_by_key_and_repeat_by_seed():
    draws = [stream(1, "a", 0).random(), stream(1, "a", 1).random(), stream(1, "b", 0).random(), stream(2, "a", 0).random()]
    assert len(set(draws)) == 4
    assert draws[0] == stream(1, "a", 0).random()
    assert stream(1, "1").random() != stream(1, 1).random()
    assert 0 <= torch_seed(1, "a") < 2**63


def copy(source: Path, others: list[Path], settings: dict, output: Path) -> None:
    """Copy a file."""
    if settings.get("fail"):
        raise InputError("source: nothing to copy; write it first")
    output.write_text(source.read_text() + str(len(others)) + str(settings["x"]))


def test_step_from_its_signature(tmp_path):
    (tmp_path / "in").write_text("text")
    arguments = ["--source", str(tmp_path / "in"), "--others", "--settings", '{"x": 3}', "--output", str(tmp_path / "out")]
    run(copy, arguments)
    assert (tmp_path / "out").read_text() == "text03"


def test_step_ends_with_one_line_on_bad_input(tmp_path, capsys):
    arguments = ["--source", "a", "--others", "b", "c", "--settings", '{"fail": true}', "--output", "d"]
    with pytest.raises(SystemExit) as ended:
        run(copy, arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: source: nothing to copy; write it first\n"


def test_progress_is_thinned_but_ends(capsys):
    report = Progress("train", every_s=1000.0)
    for i in range(1, 101):
        report(i, 100, "epochs")
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["train: 1/100 epochs", "train: 100/100 epochs"]
    assert np.all([isinstance(line, str) for line in lines])

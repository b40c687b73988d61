"""The command that tells where results come from: every kind of file, folders, what differs, and files that say nothing."""

import json
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

from nuinfer.errors import InputError
from nuinfer.figures.files import write_figures
from nuinfer.figures.style import new_figure
from nuinfer.io.hdf5 import write_hdf5
from nuinfer.io.jsonfile import write_json
from nuinfer.io.provenance import provenance
from nuinfer.io.records import KEYS, READERS, read_record
from nuinfer.report import ReportContent, render
from nuinfer.whence import compared, main

SETTINGS = {"estimator": {"epochs": 12, "name": "smoke"}, "label": "a <b> & c", "seed": 7, "bins": [1, 2], "none": {}}
RECORD = provenance("nuinfer.steps.figure_scan", SETTINGS, 7)
TOLD = {**RECORD, "settings": SETTINGS, "versions": json.loads(RECORD["versions"])}
NAMES = ("a.h5", "a.json", "captions.json", "fig.pdf", "fig.png", "model.json", "model.safetensors", "report.html")
WITH_SETTINGS = ("a.h5", "a.json", "captions.json", "model.json", "model.safetensors")


def fill(folder, record=RECORD):
    """Write one file of every kind, as the steps do."""
    folder.mkdir()
    write_hdf5(folder / "a.h5", "posterior", {"x": np.zeros(3)}, {**record, "other": 1.5})
    write_json(folder / "a.json", {"numbers": [1], "provenance": record})
    write_figures(folder / "captions.json", [("fig", new_figure(1.0, 1.0), "text")], record)
    (folder / "model.json").write_text(json.dumps({"weights_sha256": "abc", "versions": {"x": 1}, "extra": record}))
    save_file({"w": np.zeros(3)}, folder / "model.safetensors", {"record": json.dumps({"weights_sha256": "abc"})})
    versions = {f"version of {k}": v for k, v in json.loads(record["versions"]).items()}
    facts = {k: str(v) for k, v in record.items() if k not in ("settings", "versions")}
    (folder / "report.html").write_text(render(ReportContent("<Provenance>", provenance={**facts, **versions})))
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("whence") / "results")


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_file_gives_its_record(results, name):
    wanted = TOLD if name in WITH_SETTINGS else {k: v for k, v in TOLD.items() if k != "settings"}
    assert read_record(results / name) == wanted
    assert list(read_record(results / name)) == [k for k in KEYS if k in wanted]


def test_every_reader_is_tried():
    assert {name[name.index(".") :] for name in NAMES} == READERS.keys()


def test_one_file_is_told_fact_by_fact(results, capsys):
    assert main([str(results / "a.h5")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "made_by: nuinfer.steps.figure_scan"
    assert {f"settings_hash: {RECORD['settings_hash']}", f"code_hash: {RECORD['code_hash']}", "seed: 7"} <= set(lines)
    assert f"numpy {np.__version__}" in lines[4] and lines[5] == "settings:"
    # In the order of the settings' JSON, whose keys are sorted.
    assert lines[6:] == [
        "  bins: [1, 2]",
        "  estimator.epochs: 12",
        "  estimator.name: 'smoke'",
        "  label: 'a <b> & c'",
        "  none: {}",
        "  seed: 7",
    ]


def test_several_files_stand_under_their_names(results, capsys):
    assert main([str(results / "a.h5"), str(results / "fig.png")]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"{results / 'a.h5'}:" and f"{results / 'fig.png'}:" in out
    assert out.count("  made_by: nuinfer.steps.figure_scan") == 2


def test_a_folder_has_one_line_a_file(results, capsys):
    (results / ".hidden.h5.1.part").write_bytes(b"half")
    (results / ".half.h5").write_bytes(b"half")
    assert main([str(results)]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = f"nuinfer.steps.figure_scan, settings {RECORD['settings_hash']}, code {RECORD['code_hash']}, seed 7"
    assert lines == [f"{results / name}: {told}" for name in NAMES]


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """The same files with another number of epochs, another torch, of the same code."""
    settings = {**SETTINGS, "estimator": {"epochs": 64, "name": "smoke"}}
    versions = json.dumps({**json.loads(RECORD["versions"]), "torch": "1.0"})
    record = {**provenance("nuinfer.steps.figure_scan", settings, 7), "versions": versions}
    return fill(tmp_path_factory.mktemp("whence") / "others", record)


@pytest.mark.parametrize("name", NAMES)
def test_compare_says_what_differs_and_nothing_else(results, others, capsys, name):
    assert main(["--compare", str(results / name), str(others / name)]) == 1
    lines = capsys.readouterr().out.splitlines()
    wanted = ["settings_hash", "versions.torch", *(["estimator.epochs"] if name in WITH_SETTINGS else [])]
    assert [line.split(":")[0] for line in lines] == wanted
    assert name not in WITH_SETTINGS or lines[-1] == "estimator.epochs: 12 -> 64"


def test_compare_of_results_made_alike(results, capsys):
    assert main(["--compare", str(results / "a.h5"), str(results / "model.safetensors")]) == 0
    assert capsys.readouterr().out == "equal\n"
    assert main(["--compare", str(results / "a.h5"), str(results / "fig.pdf")]) == 0, "a figure has the hash alone"


def test_a_seed_is_said_once():
    new = {**TOLD, "seed": 8, "settings": {**SETTINGS, "seed": 8}}
    assert compared(TOLD, new) == ["seed: 7 -> 8"]
    assert compared(TOLD, {**new, "seed": 7}) == ["seed: 7 -> 8"], "of the settings alone"


DAMAGED = {
    "a.h5": "not a whole file of its kind",
    "a.json": "not a whole file of its kind",
    "fig.png": "not a whole PNG file",
    "fig.pdf": "does not say where it comes from",
    "model.safetensors": "not a whole file of its kind",
    "report.html": "does not say where it comes from",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_file_cut_short_is_named(results, tmp_path, capsys, name):
    content = (results / name).read_bytes()
    (tmp_path / name).write_bytes(
        content[: 150 if name == "fig.png" else 60 if name == "model.safetensors" else len(content) // 2]
    )
    assert main([str(tmp_path / name)]) == main(["--compare", str(results / name), str(tmp_path / name)]) == 2
    told = capsys.readouterr()
    assert told.out == "" and len(told.err.splitlines()) == 2
    assert all(line.startswith(f"error: {tmp_path / name}: {DAMAGED[name]}") for line in told.err.splitlines())


@pytest.mark.parametrize(
    "content", ["[]", "1", "{}", '{"provenance": 3}', '{"provenance": {"made_by": "x"}}', '{"extra": [1]}']
)
def test_json_without_a_record_is_named(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=r"a\.json: (does not say where it comes from|not a whole file of its kind)"):
        read_record(tmp_path / "a.json")


@pytest.mark.parametrize("settings", ["{", "[1]", "3"])
def test_a_record_that_is_not_whole_is_named(tmp_path, settings):
    write_json(tmp_path / "a.json", {"provenance": {**RECORD, "settings": settings}})
    with pytest.raises(InputError, match="not a whole file of its kind"):
        read_record(tmp_path / "a.json")


def test_weights_of_another_model_are_not_taken_for_these(results, tmp_path):
    (tmp_path / "model.safetensors").write_bytes((results / "model.safetensors").read_bytes())
    with pytest.raises(InputError, match=r"model\.json beside it does not describe these weights"):
        read_record(tmp_path / "model.safetensors")
    about = json.loads((results / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**about, "weights_sha256": "other"}))
    with pytest.raises(InputError, match="does not describe these weights"):
        read_record(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("name", "told"), [("absent.h5", "no such file"), ("notes.txt", "no result of this workflow"), ("folder.h5", "a folder")]
)
def test_what_cannot_be_read_is_named(tmp_path, name, told):
    (tmp_path / "folder.h5").mkdir()
    with pytest.raises(InputError, match=rf"{name}: {told}"):
        read_record(tmp_path / name)


def test_one_bad_file_does_not_hide_the_others(results, tmp_path, capsys):
    write_json(tmp_path / "a.json", {})
    assert main([str(tmp_path / "a.json"), str(results / "a.h5")]) == 2
    told = capsys.readouterr()
    assert "made_by" in told.out and len(told.err.splitlines()) == 1
    (tmp_path / "b.h5").write_bytes((results / "a.h5").read_bytes())
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'b.h5'}: nuinfer.steps")


@pytest.mark.parametrize("arguments", [[], ["a.h5", "--compare", "b.h5", "c.h5"], ["--compare", "b.h5"]])
def test_wrong_calls_end_with_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2 and "usage:" in capsys.readouterr().err


def test_only_hdf5_files_cost_the_import_of_h5py(results):
    """And the command's exit status is the function's."""
    program = "import sys; from nuinfer.whence import main; main(sys.argv[1:]); print(*({'h5py', 'numpy'} & set(sys.modules)))"
    for name in NAMES:
        command = [sys.executable, "-c", program, str(results / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert set(done.stdout.splitlines()[-1].split()) == ({"h5py", "numpy"} if name == "a.h5" else set()), name
    command = [sys.executable, "-m", "nuinfer.whence", str(results / "absent.h5")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1

"""Bad files of ensembles, universes and scans end their steps in one line and status 2; what was there before stays."""

import importlib
import json

import numpy as np
import pytest
from test_bad_closure_input import SETTINGS, flux_file
from test_bad_far_input import GOOD, OSCILLATION, table
from test_bad_input import fails

from nuinfer.io.hdf5 import read_hdf5, write_hdf5
from nuinfer.steps.cli import run

EARLIER = b"an earlier result"
SHAPES = ["0,1,0.05,0.01", "1,2,0.04,-0.02", "2,4,0.03,0.02"]
LEARN = {
    "learner": {"name": "gaussian", "n_x": 4, "n_q2": 4, "passes": 1, "iterations": 2}, "study": "toy", "experiment": "toy",
    "events": 20000, "smearing": None, "varies": ["near_data", "flux"], "draw": 1, "seed": 1,
}  # fmt: skip
MEMBER = {
    "experiment": "toy", "sample_draw": 0, "oscillation": OSCILLATION, "with_true": True, "seed": 1,
    "sin2_theta23": [0.35, 0.65], "dm31_ev2": [2.3e-3, 2.75e-3], "member_bootstraps": 100, "member_methods": ["bootstrap"],
    "toys": 400, "n_sin2": 20, "n_dm31": 20,
}  # fmt: skip
WORLD = {
    "ensemble": "toy", "experiment": "toy", "learner": LEARN["learner"], "near_events": 20000, "near_smearing": None,
    "far_events": 5, "far_smearing": None, "oscillation": OSCILLATION, "seed": 1, "sin2_theta23": [0.35, 0.65],
    "dm31_ev2": [2.3e-3, 2.75e-3], "linear_bins": 4, "systematic_draws": 10, "systematic_toys": 400,
}  # fmt: skip
EXPERIMENT = ("truth", "operator", "flux-shapes")
STEPS = {  # a step's inputs in the order in which they are read, and its outputs
    "learn": (("truth", "operator"), ("near", "output")),
    "member": (("truth", "operator", "events", "at-events", "near", "learned"), ("output",)),
    "union": (("reference", "members"), ("metrics", "output")),
    "closed_form": ((*EXPERIMENT, "events"), ("metrics", "output")),
    "universe_toys": (EXPERIMENT, ("statistical", "systematic")),
    "universes": ((*EXPERIMENT, "statistical", "systematic"), ("output",)),
    "universes_summary": (("parts", "statistical"), ("metrics", "output")),
    "scan": (("reference", "comparisons", "members"), ("output",)),
    "figures_flux": (("truth", "flux-shapes"), ("captions",)),
    "figures_ensemble": (("references", "members", "union"), ("captions",)),
    "figures_roads": (("union", "closed-form"), ("captions",)),
    "figures_universes": (("metrics", "arrays"), ("captions",)),
    "figure_scan": (("scan",), ("captions",)),
}
READS_JSON = ("figures_universes", "figure_scan")


def shapes_file(folder, rows=SHAPES, header="enu_lo_gev,enu_hi_gev,one,two"):
    path = folder / "shapes.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def call(step, *arguments):
    """Run a step in this process: one of its own takes a second to start."""
    run(getattr(importlib.import_module(f"nuinfer.steps.{step}"), step), [str(a) for a in arguments])


def options(inputs, outputs, settings):
    pairs = {**inputs, **outputs, "settings": json.dumps(settings)}
    return [word for name, value in pairs.items() for word in (f"--{name}", value)]


def refused(capsys, folder, step, inputs, settings):
    """Run a step that must fail over earlier outputs; return its one line on stderr."""
    outputs = {name: folder / f"out_{name}" for name in STEPS[step][1]}
    for path in outputs.values():
        path.write_bytes(EARLIER)
    with pytest.raises(SystemExit) as ended:
        call(step, *options(inputs, outputs, settings))
    lines = capsys.readouterr().err.strip().splitlines()
    assert ended.value.code == 2 and len(lines) == 1 and lines[0].startswith("error: "), lines
    assert all(path.read_bytes() == EARLIER for path in outputs.values())
    assert [p for p in folder.iterdir() if p.name.startswith(".out_")] == []
    return lines[0]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The control: without a mistake a draw is learned, fitted and united; every file by name."""
    folder = tmp_path_factory.mktemp("good")
    flux, settings, far = flux_file(folder), json.dumps(SETTINGS), folder / "events.h5"
    names = ("operator", "truth", "near", "learned", "at-events", "member", "reference")
    files = {name: folder / f"{name}.h5" for name in names} | {"events": far, "flux-shapes": shapes_file(folder)}
    call("operator", "--flux", flux, "--output", files["operator"], "--settings", settings)
    call("truth", "--flux", flux, "--operator", files["operator"], "--output", files["truth"], "--settings", settings)
    columns = json.dumps({"columns": {"el_gev": "el_gev", "cos_theta": "cos_theta"}, "tree": None, "smearing": None})
    call("far_table", "--table", table(folder, GOOD), "--operator", files["operator"], "--output", far, "--settings", columns)
    call("far_operator", "--events", far, "--operator", files["operator"], "--output", files["at-events"],
         "--settings", '{"smearing_points": 8}')  # fmt: skip
    learn = {name: files[name] for name in EXPERIMENT}
    call("learn", *options(learn, {"near": files["near"], "output": files["learned"]}, LEARN))
    inputs = {name: files[name] for name in STEPS["member"][0]}
    call("member", *options(inputs, {"output": files["member"]}, MEMBER))
    true = {name: files[name] for name in ("truth", "operator", "events", "at-events")}
    call("member", *options(true, {"output": files["reference"]}, MEMBER))
    return files


def test_good_files_pass(good, tmp_path):
    outputs = {"metrics": tmp_path / "union.json", "output": tmp_path / "union.h5"}
    settings = {"ensemble": "toy", "member_methods": ["bootstrap"]}
    call("union", *options({"reference": good["reference"], "members": good["member"]}, outputs, settings))
    arrays, _ = read_hdf5(outputs["output"], "oscillation regions")
    assert {"reference_bootstrap/dm31", "true_bootstrap/dm31", "learned_bootstrap/dm31"} <= set(arrays)


def test_the_closed_form_of_a_table_has_its_number_of_events(good, tmp_path):
    """The configuration knows no number of events of a table: they are counted."""
    outputs = {"metrics": tmp_path / "closed.json", "output": tmp_path / "closed.h5"}
    inputs = {name: good[name] for name in STEPS["closed_form"][0]}
    settings = {**WORLD, "far_events": None, "n_sin2": 20, "n_dm31": 20, "truth_known": False}
    call("closed_form", *options(inputs, outputs, settings))
    arrays, _ = read_hdf5(outputs["output"], "oscillation regions")
    assert {"statistics_chi2/dm31", "marginal_chi2/dm31", "marginal_toys/dm31"} <= set(arrays)


@pytest.mark.parametrize(
    ("step", "fault"),
    [(s, f) for s in STEPS for f in ("missing", "wrong kind", "cut short") if s not in READS_JSON or f != "wrong kind"],
)
def test_the_first_file_is_bad(capsys, tmp_path, step, fault):
    bad = tmp_path / "bad.h5"
    if fault != "missing":
        write_hdf5(bad, "simulations", {"a": np.zeros(1000)}, {})
    if fault == "cut short":
        bad.write_bytes(b'{"rows": [' if step in READS_JSON else bad.read_bytes()[:-600])
    settings = {"seed": 1, "points": [[1, 2, 3]], "truth": None, "label": "toy", "methods": ["bootstrap"]}
    line = refused(capsys, tmp_path, step, dict.fromkeys(STEPS[step][0], bad), {**settings, **MEMBER, **WORLD, **LEARN})
    assert "bad.h5" in line


@pytest.mark.parametrize(
    ("step", "name", "settings"),
    [
        *(("member", name, MEMBER) for name in STEPS["member"][0][2:]),
        ("union", "members", {"ensemble": "toy", "member_methods": ["bootstrap"]}),
        ("closed_form", "events", {**WORLD, "n_sin2": 20, "n_dm31": 20, "truth_known": False}),
        ("figures_ensemble", "members", {"label": "toy", "methods": ["bootstrap"], "truth": None}),
        ("figures_ensemble", "union", {"label": "toy", "methods": ["bootstrap"], "truth": None}),
    ],
)
def test_a_later_file_is_of_another_kind(capsys, tmp_path, good, step, name, settings):
    """Here the operator, in the place of the others."""
    known = {**good, "references": good["reference"], "members": good["member"]}
    inputs = {key: known.get(key, good["operator"]) for key in STEPS[step][0]}
    line = refused(capsys, tmp_path, step, {**inputs, name: good["operator"]}, settings)
    assert "operator.h5: holds" in line


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        ([SHAPES[0], "1,2,nan,0", SHAPES[2]], None, "component 'one' is nan in a bin"),
        (["0,1,5,1", "1,2,4,-2"], None, "component 'one' shifts the flux by 5 times; is it in percent?"),
        ([SHAPES[0], SHAPES[2]], None, "gap or overlap between bins"),
        (["0,1", "1,2"], "enu_lo_gev,enu_hi_gev", "no component beside the bin edges"),
    ],
    ids=["nan", "percent", "gap", "none"],
)
def test_bad_flux_components(capsys, tmp_path, good, rows, header, message):
    path = shapes_file(tmp_path, rows, header or "enu_lo_gev,enu_hi_gev,one,two")
    inputs = {**{name: good[name] for name in EXPERIMENT}, "flux-shapes": path}
    for step, settings in (("learn", LEARN), ("universe_toys", {**WORLD, "toys": 400})):
        line = refused(capsys, tmp_path, step, inputs, settings)
        assert message in line and "shapes.csv" in line


def test_bins_that_do_not_merge(capsys, tmp_path, good):
    inputs = {name: good[name] for name in EXPERIMENT}
    line = refused(capsys, tmp_path, "universe_toys", inputs, {**WORLD, "linear_bins": 3, "toys": 400})
    assert "3" in line and "4" in line


def test_the_status_of_a_process(tmp_path):
    output, near = tmp_path / "learned.h5", tmp_path / "near.h5"
    missing = tmp_path / "none.h5"
    line = fails("learn", [output, near], "--truth", missing, "--operator", missing, "--near", near, "--output", output,
                 "--settings", json.dumps(LEARN))  # fmt: skip
    assert "none.h5" in line

"""Tables of far-detector events: a good one is fitted, a bad one ends its step in one line and status 2."""

import json

import numpy as np
import pytest
from test_bad_closure_input import SETTINGS, fails, flux_file, run

from nuinfer.io.far_events import read_far_events
from nuinfer.io.jsonfile import read_json

COLUMNS = {"el_gev": "el_gev", "cos_theta": "cos_theta"}
OSCILLATION = {
    "sin2_theta12": 0.308, "sin2_theta13": 0.02215, "sin2_theta23": 0.47, "delta_cp_rad": 3.7, "dm21_ev2": 7.49e-5,
    "dm31_ev2": 2.513e-3, "baseline_km": 1300.0, "density_g_cm3": 2.848, "electron_fraction": 0.5,
}  # fmt: skip
FIT = {
    "experiment": "toy", "draw": 0, "seed": 1, "oscillation": OSCILLATION, "sin2_theta23": [0.35, 0.65],
    "dm31_ev2": [2.3e-3, 2.75e-3], "bootstraps": 100,
}  # fmt: skip
GOOD = ["0.8,0.9", "1.2,0.7", "1.9,0.98", "2.4,0.95", "0.5,0.2"]


def table(folder, rows, header="el_gev,cos_theta", name="events.csv"):
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def settings(columns=COLUMNS, tree=None, smearing=None):
    return json.dumps({"columns": columns, "tree": tree, "smearing": smearing})


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """Operator and truth of a small experiment."""
    folder = tmp_path_factory.mktemp("far")
    flux, chosen = flux_file(folder), json.dumps(SETTINGS)
    operator, truth = folder / "operator.h5", folder / "truth.h5"
    assert run("operator", operator, "--flux", flux, "--settings", chosen).returncode == 0
    assert run("truth", truth, "--flux", flux, "--operator", operator, "--settings", chosen).returncode == 0
    return operator, truth


def fitted(folder, experiment, rows, **changes):
    """Run a table through the steps up to the fit; return its numbers."""
    operator, truth = experiment
    events, at_events, metrics = folder / "events.h5", folder / "at_events.h5", folder / "fit.json"
    chain = [
        ("far_table", events, "--table", table(folder, rows), "--operator", operator, "--settings", settings(**changes)),
        ("far_operator", at_events, "--events", events, "--operator", operator, "--settings", '{"smearing_points": 8}'),
        ("far_fit", folder / "fit.h5", "--truth", truth, "--operator", operator, "--events", events, "--at-events",
         at_events, "--metrics", metrics, "--settings", json.dumps(FIT)),
    ]  # fmt: skip
    for step, output, *arguments in chain:
        done = run(step, output, *arguments)
        assert done.returncode == 0, done.stderr
    return read_json(metrics)


def test_a_users_table_is_fitted_whatever_its_order(tmp_path, experiment):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first = fitted(tmp_path / "one", experiment, GOOD)
    second = fitted(tmp_path / "two", experiment, GOOD[::-1])
    assert first["events"] == 5 and first["impossible_events"] == 0
    assert {k: first[k] for k in ("best", "octants", "sd")} == {k: second[k] for k in ("best", "octants", "sd")}
    events = read_far_events(tmp_path / "one/events.h5")
    assert np.all(np.diff(events.cos_theta) > 0) and events.smearing is None and events.enu_gev is None


def test_a_resolution_is_the_tables_own(tmp_path, experiment):
    exact = fitted(tmp_path, experiment, GOOD)
    smeared = fitted(tmp_path, experiment, [*GOOD[:4], "3.4,0.1"], smearing=0.04)
    assert smeared["events"] == 5 and smeared["best"] != exact["best"]


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        ([*GOOD, "nan,0.5"], None, "row 6: el_gev = nan is not a finite number"),
        ([*GOOD, "1.0,1.2"], None, "row 6: cos_theta = 1.2 lies outside [-1, 1]"),
        ([*GOOD, "9.0,0.5"], None, "row 6: el_gev = 9 lies outside"),
        ([*GOOD, "3.0,-0.9"], None, "takes a neutrino above 3.5 GeV"),
        ([*GOOD, "1.0,abc"], None, "row 6: cos_theta = 'abc' is not a number"),
        ([], None, "no events"),
        (GOOD, "energy,cos_theta", "no column el_gev; there are energy, cos_theta"),
    ],
    ids=["nan", "cosine", "energy", "phase space", "text", "empty", "column"],
)
def test_bad_tables(tmp_path, experiment, rows, header, message):
    path = table(tmp_path, rows, header or "el_gev,cos_theta")
    line = fails("far_table", tmp_path, "--table", path, "--operator", experiment[0], "--settings", settings())
    assert message in line and "events.csv" in line


def test_parameters_outside_their_ranges(tmp_path, experiment):
    operator, truth = experiment
    events, at_events = tmp_path / "events.h5", tmp_path / "at_events.h5"
    path = table(tmp_path, GOOD)
    assert run("far_table", events, "--table", path, "--operator", operator, "--settings", settings()).returncode == 0
    chosen = '{"smearing_points": 8}'
    assert run("far_operator", at_events, "--events", events, "--operator", operator, "--settings", chosen).returncode == 0
    for changes, message in (
        ({"oscillation": {**OSCILLATION, "sin2_theta13": 1.4}}, "sin2_theta13 must be between 0 and 1"),
        ({"sin2_theta23": [0.4, 0.65]}, "gives the octants different room"),
        ({"dm31_ev2": [-1e-3, 2e-3]}, "keep one sign"),
    ):
        line = fails(
            "far_fit", tmp_path, "--truth", truth, "--operator", operator, "--events", events, "--at-events", at_events,
            "--metrics", tmp_path / "fit.json", "--settings", json.dumps({**FIT, **changes}),
        )  # fmt: skip
        assert message in line

"""Bad files of a closure experiment end its steps in one line and status 2, and what was there before stays as it was."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from parton_grids import FLAVOURS, write_set

from nuinfer.io.closure import read_truth
from nuinfer.io.hdf5 import write_hdf5
from nuinfer.io.operators import read_operator

EARLIER = b"an earlier result"
ROWS = ["0,0.5,1.0", "0.5,1,3.0", "1,2,6.0", "2,4,2.0"]
SETTINGS = {
    "flux": {"column": "numu", "per_bin": False},
    "antineutrino": False,
    "enu_range_gev": [0.3, 3.5],
    "target": {"z": 18, "a": 40, "nuclear_mass_gev": 37.215526},
    "partons": {"set": "les_houches_toy"},
    "f1": "callan_gross",
    "sf_scaling": "consistent",
    "grid": {"n_u": 4, "n_v": 4, "points_per_axis": 2},
    "mesh": {"n_x": 6, "n_q2": 6},
    "phase_gev": 4.5,
}  # fmt: skip


def flux_file(folder, rows=ROWS, units="nu/m^2/GeV/POT"):
    path = folder / "flux.csv"
    path.write_text(f"# units: {units}\nenu_lo_gev,enu_hi_gev,numu\n" + "\n".join(rows) + "\n")
    return path


def run(step, output, *arguments):
    command = [sys.executable, "-m", f"nuinfer.steps.{step}", *map(str, arguments), "--output", str(output)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LHAPDF_DATA_PATH": ""})


def fails(step, folder, *arguments):
    """Run a step that must fail over an earlier output; return its one line on stderr besides progress."""
    output = folder / "out.h5"
    output.write_bytes(EARLIER)
    done = run(step, output, *arguments)
    lines = [line for line in done.stderr.strip().splitlines() if not line.startswith(f"{step}: ")]
    assert done.returncode == 2 and len(lines) == 1 and lines[0].startswith("error: "), done.stderr
    assert output.read_bytes() == EARLIER
    assert [p for p in folder.iterdir() if p.name.startswith(".out.h5")] == []
    return lines[0]


def operator(folder, flux, **changes):
    return fails("operator", folder, "--flux", flux, "--settings", json.dumps({**SETTINGS, **changes}))


def truth(folder, flux, operator_file, **changes):
    settings = json.dumps({**SETTINGS, **changes})
    return fails("truth", folder, "--flux", flux, "--operator", operator_file, "--settings", settings)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The control: without a mistake both steps run; flux, operator and truth files."""
    folder = tmp_path_factory.mktemp("good")
    flux, settings = flux_file(folder), json.dumps(SETTINGS)
    done = run("operator", folder / "operator.h5", "--flux", flux, "--settings", settings)
    assert done.returncode == 0, done.stderr
    arguments = ["--flux", flux, "--operator", folder / "operator.h5", "--settings", settings]
    done = run("truth", folder / "truth.h5", *arguments)
    assert done.returncode == 0, done.stderr
    return folder


def test_good_files_pass(good):
    operator, truth = read_operator(good / "operator.h5"), read_truth(good / "truth.h5")
    assert operator.grid == truth.grid and np.array_equal(operator.knots_gev, truth.knots_gev)
    found, true = operator.matrix(truth.near_flux) @ truth.w.T.ravel(), truth.near_flux @ truth.counts_by_knot
    # A mesh of six nodes an axis is rough.
    assert np.linalg.norm(found - true) < 0.2 * np.linalg.norm(true)


@pytest.mark.parametrize(
    ("rows", "units", "message"),
    [
        ([ROWS[0], *ROWS[2:]], "nu/m^2/GeV/POT", "flux.csv: gap or overlap between bins 0 (to 0.5 GeV) and 1 (from 1 GeV)"),
        ([*ROWS[:2], "1,2,-6.0", ROWS[3]], "nu/m^2/GeV/POT", "not negative, but is -6.0 in bin 2 (1-2 GeV); mend that row"),
        (ROWS, "furlongs", "unknown units 'furlongs'"),
    ],
)
def test_bad_flux(tmp_path, rows, units, message):
    line = operator(tmp_path, flux_file(tmp_path, rows, units))
    assert message in line and "flux.csv" in line


def test_energies_outside_the_flux(tmp_path):
    line = operator(tmp_path, flux_file(tmp_path), enu_range_gev=[0.3, 9.0])
    assert "energy range 0.3-9 GeV is not within the flux table's 0-4 GeV" in line


def test_truth_of_a_grid_that_lacks_flavours(good, tmp_path):
    folder = write_set(tmp_path / "sets", tuple(f for f in FLAVOURS if abs(f) != 4))
    line = truth(tmp_path, good / "flux.csv", good / "operator.h5", partons={"set": "MadeUp", "folder": str(folder)})
    assert "no partons [-4, 4]" in line and "MadeUp" in line


def test_truth_without_its_grid(good, tmp_path):
    line = truth(tmp_path, good / "flux.csv", good / "operator.h5", partons={"set": "CT99"})
    assert "parton set CT99: no CT99/CT99.info; looked in nowhere" in line


def test_truth_without_its_operator(good, tmp_path):
    other = tmp_path / "other.h5"
    write_hdf5(other, "simulations", {"a": np.zeros(1)}, {})
    assert "other.h5: holds 'simulations'" in truth(tmp_path, good / "flux.csv", other)
    other.write_bytes((good / "operator.h5").read_bytes()[:-600])
    assert "other.h5: not a whole HDF5 file" in truth(tmp_path, good / "flux.csv", other)

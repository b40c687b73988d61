"""Bad input at a step's boundary ends in one line and status 2, and what was there before stays as it was."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from nuinfer.io.hdf5 import write_hdf5
from nuinfer.io.jsonfile import write_json

ROOT = Path(__file__).resolve().parents[2]
EARLIER = b"an earlier result"


def fails(step, outputs, *arguments):
    """Run a step that must fail over earlier outputs; return its one line on stderr."""
    for path in outputs:
        path.write_bytes(EARLIER)
    done = subprocess.run(
        [sys.executable, "-m", f"nuinfer.steps.{step}", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2 and len(lines) == 1 and lines[0].startswith("error: "), done.stderr
    for path in outputs:
        assert path.read_bytes() == EARLIER
        assert [p for p in path.parent.iterdir() if p.name.startswith(f".{path.name}")] == []
    return lines[0]


def chunk(path, seed, n=40, split=0):
    """Write a chunk of simulations as `simulate` does, two parameters and two bins."""
    rng = np.random.default_rng(seed)
    priors = {
        "ma_ccqe_gev": {"prior": "uniform", "low": 0.9, "high": 1.4},
        "norm_ccmec": {"prior": "uniform", "low": 1.0, "high": 3.0},
    }
    u = rng.random((n, 2))
    bins = {"cos_lo": [0.0, 0.0], "cos_hi": [1.0, 1.0], "p_lo_gev": [0.0, 0.5], "p_hi_gev": [0.5, 1.0]}
    arrays = {"u": u, "theta": u * [0.5, 2.0] + [0.9, 1.0], "prediction": rng.random((n, 2))}
    arrays |= {"split": np.full(n, split, np.int8)}
    arrays |= {f"binning/{k}": np.array(v) for k, v in bins.items()}
    write_hdf5(path, "simulations", arrays, {"parameters": list(priors), "priors": priors})
    return path


def gather(tmp_path, *chunks):
    output = tmp_path / "simulations.h5"
    return fails("gather", [output], "--chunks", *chunks, "--output", output, "--settings", "{}")


def test_truncated_throw_file(tmp_path):
    bad = chunk(tmp_path / "b.h5", 2)
    bad.write_bytes(bad.read_bytes()[:-600])
    assert "b.h5: not a whole HDF5 file" in gather(tmp_path, chunk(tmp_path / "a.h5", 1), bad)


def test_repeated_throws(tmp_path):
    line = gather(tmp_path, chunk(tmp_path / "a.h5", 1), chunk(tmp_path / "b.h5", 1, split=2))
    assert "40 of 80 throws occur twice" in line


def test_throws_of_another_prior(tmp_path):
    bad = chunk(tmp_path / "b.h5", 2)
    with h5py.File(bad, "r+") as file:
        file.attrs["priors"] = file.attrs["priors"].replace("3.0", "4.0")
    assert "priors or bins differ" in gather(tmp_path, chunk(tmp_path / "a.h5", 1), bad)


def test_negative_prediction(tmp_path):
    bad = chunk(tmp_path / "a.h5", 1)
    with h5py.File(bad, "r+") as file:
        file["prediction"][3, 1] = -1e-3
    assert "NaN or negative bins, the first in throw 3" in gather(tmp_path, bad)


def measurement_files(tmp_path, values=(1.0, 2.0), covariance=((0.04, 0.01), (0.01, 0.09))):
    """A two-bin measurement in the csv format; the parts of its covariance sum to the total."""
    total = np.array(covariance)
    norm = 0.0856**2 * np.outer(values, values)
    stat = 0.5 * (total - norm)
    parts = {"total": total, "stat": stat, "shapesyst": total - norm - stat, "fluxnorm": norm}
    header = "cos_lo,cos_hi,pmu_lo_GeV,pmu_hi_GeV,xsec_1e-38cm2_per_nucleon_GeV,err_tot\n"
    rows = [f"0,1,{0.5 * i},{0.5 * (i + 1)},{v},{np.sqrt(total[i, i])}" for i, v in enumerate(values)]
    (tmp_path / "data.csv").write_text(header + "\n".join(rows) + "\n")
    for name, matrix in parts.items():
        np.savetxt(tmp_path / f"{name}.csv", matrix, delimiter=",", fmt="%.17g")
    return {"format": "csv", "path": str(tmp_path / "data.csv"), "covariances": {n: str(tmp_path / f"{n}.csv") for n in parts}}


def measurement(tmp_path, entry):
    output = tmp_path / "measurement.h5"
    files = [entry["path"], *entry["covariances"].values()]
    settings = json.dumps({"name": "mine", "measurement": entry, "seed": 1})
    return fails("measurement", [output], "--files", *files, "--output", output, "--settings", settings)


def test_good_measurement_passes(tmp_path):
    """The control: without a mistake the same files are taken."""
    settings = json.dumps({"name": "mine", "measurement": measurement_files(tmp_path), "seed": 1})
    command = [sys.executable, "-m", "nuinfer.steps.measurement", "--files"]
    command += ["--output", tmp_path / "m.h5", "--settings", settings]
    assert subprocess.run(command, check=False).returncode == 0
    with h5py.File(tmp_path / "m.h5") as file:
        assert file.attrs["norm_rel"] == pytest.approx(0.0856)


def test_asymmetric_covariance(tmp_path):
    entry = measurement_files(tmp_path, covariance=((0.04, 0.01), (0.02, 0.09)))
    assert "total.csv" in measurement(tmp_path, entry) and "symmetric" in measurement(tmp_path, entry)


def test_nan_in_data(tmp_path):
    entry = measurement_files(tmp_path)
    path = Path(entry["path"])
    path.write_text(path.read_text().replace("0,1,0.5,1.0,2.0", "0,1,0.5,1.0,nan"))
    assert "data.csv" in measurement(tmp_path, entry)


def test_data_in_cm2(tmp_path):
    entry = measurement_files(tmp_path, values=(1e-38, 2e-38), covariance=((4e-78, 0.0), (0.0, 4e-78)))
    assert "cm" in measurement(tmp_path, entry)


def report_arguments(tmp_path, *tunes):
    """The report's arguments for tunes without observations, whose calibrations come in the given order."""
    paths = []
    for tune in tunes:
        paths.append(tmp_path / f"{tune}.json")
        write_json(paths[-1], {"provenance": {"settings": json.dumps({"tune": tune})}})
    settings = {"tunes": [{"name": "a", "observations": []}, {"name": "b", "observations": []}]}
    settings |= {"sources": [], "tensions": [], "studies": [], "fits": [], "fit_coverages": []}
    empty = ["--comparisons", "--tables", "--predictives", "--captions", "--sources", "--ingests"]
    empty += ["--tensions", "--tension-captions"]
    empty += ["--closures", "--coverages", "--closure-captions", "--cost", "--fits", "--fit-coverages", "--fit-captions"]
    empty += ["--unions", "--closed-forms", "--ensemble-coverages", "--scans", "--systematics-captions"]
    return ["--calibrations", *paths, "--tune-captions", *paths, *empty, "--settings", json.dumps(settings)]


def test_report_refuses_results_under_another_name(tmp_path):
    output = tmp_path / "report.html"
    line = fails("report", [output], *report_arguments(tmp_path, "b", "a"), "--output", output)
    assert "b.json: made for {'tune': 'b'}, listed for {'tune': 'a'}" in line

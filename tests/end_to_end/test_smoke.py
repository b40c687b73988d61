"""The smoke configuration from nothing to the report, undisturbed and killed on the way: the same results."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from smoke_run import RESULTS, ROOT, assert_same, command, content, environment, planned, run, workdir

from nuinfer.io.jsonfile import read_json
from nuinfer.io.records import READERS, read_record
from nuinfer.workflow import digest


@pytest.fixture(scope="module")
def finished(smoke, tmp_path_factory):
    """A working directory in which the smoke configuration has run, to be changed by tests."""
    return Path(shutil.copytree(smoke, tmp_path_factory.mktemp("finished") / "run", symlinks=True))


def test_mock_is_recovered(finished):
    table = read_json(finished / RESULTS / "tuning/mock/microboone_tune/posterior.json")
    for method in ("estimator", "exact"):
        for name, row in table["truth_deviation"][method].items():
            assert abs(row["median_minus_truth_sd"]) < 1.6, (method, name)
    for name, row in table["against_exact"]["estimator"].items():
        assert abs(row["mean_shift_sd"]) < 0.5 and 0.7 < row["sd_ratio"] < 1.5, name
    assert table["importance_efficiency"] > 0.3
    assert 0.4 < table["c2st"]["accuracy"] < 0.75


def test_likelihoods_agree_with_their_exact_posteriors(finished):
    for tune in ("diagonal", "norm_shape"):
        table = read_json(finished / RESULTS / f"tuning/{tune}/measured/posterior.json")
        for method in ("estimator", "corrected", "chain"):
            for row in table["against_exact"][method].values():
                assert abs(row["mean_shift_sd"]) < 0.5 and 0.6 < row["sd_ratio"] < 1.6, (tune, method)


def test_stand_in_is_labelled(finished):
    report = (finished / RESULTS / "report.html").read_text()
    assert "NOT data" in report and "http://" not in report and "https://" not in report


def test_every_result_says_where_it_comes_from(finished):
    """Of every kind; the settings that made a result have the hash that it carries."""
    kinds = set()
    for path in sorted(p for p in (finished / RESULTS).rglob("*") if p.is_file()):
        record = read_record(path)
        assert all(re.fullmatch(r"[0-9a-f]{12}", record[key]) for key in ("settings_hash", "code_hash")), path
        assert record["made_by"].startswith("nuinfer.steps."), path
        assert {"nuinfer", "python", "numpy"} <= record["versions"].keys(), path
        assert "settings" not in record or digest(record["settings"]) == record["settings_hash"], path
        kinds.add(path.suffix)
    assert kinds == READERS.keys()


def test_calibration_is_complete(finished):
    metrics = read_json(finished / RESULTS / "tuning/mock/calibration.json")
    assert metrics["n_obs"] == 200 and metrics["n_samples"] == 200
    assert set(metrics["parameters"]) == {"ma_ccqe_gev", "norm_ccmec", "shape_ccmec", "rpa_strength"}
    assert metrics["exact"]["kl_gap"]["n_obs"] == 100


def test_structure_functions_predict_the_far_detector_and_a_black_box_does_not(finished):
    found = {s: read_json(finished / RESULTS / f"closure/{s}/0/comparison.json") for s in ("network", "posterior", "blackbox")}
    for study in ("network", "posterior"):
        assert found[study]["near"]["rel_l2"] < 0.02 and found[study]["far"]["rel_l2"] < 0.08, study
    assert found["blackbox"]["near"]["rel_l2"] < 0.2 and found["blackbox"]["far"]["rel_l2"] > 0.25
    assert len(found["network"]["members"]) == 2
    coverage = read_json(finished / RESULTS / "closure/posterior/coverage.json")
    assert coverage["draws"] == 4 and 0.1 < coverage["events_68"]["mean"] <= 1.0


def test_oscillation_fits_hold_the_truth_and_a_black_box_does_not(finished):
    fits = {n: read_json(finished / RESULTS / f"fits/{n}/comparison.json") for n in ("main", "resolution", "negative_control")}
    for entry in fits["main"]["entries"] + fits["resolution"]["entries"]:
        levels = entry["regions"]["feldman_cousins"]["level_of_truth"]
        assert levels["plane_sin2"] < 0.997 and levels["dm31"] < 0.997, entry["label"]
        assert abs(entry["from_true"]["shift"]["dm31_ev2"]) < 1.5
    failed = fits["negative_control"]["entries"][1]
    assert failed["regions"]["feldman_cousins"]["level_of_truth"]["dm31"] > 0.997
    assert abs(failed["from_true"]["shift"]["dm31_ev2"]) > 4.0
    coverage = read_json(finished / RESULTS / "far/plain/coverage.json")
    assert coverage["pseudo_experiments"] == 6 and set(coverage["true"]["coverage"]) == {
        "bootstrap", "bootstrap_octants", "feldman_cousins",
    }  # fmt: skip


def test_ensembles_unite_their_draws(finished):
    """The linear one with its closed form and coverage, and one of networks without the flux of the others."""
    for name, members in (("systematics", 4), ("networks", 3)):
        union = read_json(finished / RESULTS / f"ensembles/{name}/union.json")
        assert union["members"] == members and set(union["regions"]) == {"true", "learned"}, name
        assert len(union["shifts"]["learned"]["dm31_ev2"]["each"]) == members
        wider = union["regions"]["true"]["bootstrap"]["broadening_percent"]["3_sigma"]
        assert wider["length_dm31_ev2"] > 5.0, name
    assert len(union["convergence"]["misfit"]) == 3
    closed = read_json(finished / RESULTS / "ensembles/systematics/closed_form.json")
    assert len(closed["flux_pulls"]) == 5
    levels = closed["level_of_truth"]
    assert levels["marginal_chi2"]["dm31"] < 0.997
    coverage = read_json(finished / RESULTS / "ensembles/systematics/coverage.json")
    assert coverage["universes"] == 4 and coverage["members"] == 4
    rows = read_json(finished / RESULTS / "scans/size/scan.json")["rows"]
    assert {(r["depth"], r["width"], r["bins"]) for r in rows} == {
        (2, 16, 16), (2, 16, 32), (1, 16, 16), (1, 16, 32), (2, 8, 16), (2, 8, 32),
    }  # fmt: skip
    assert all(np.isfinite(r["kl_near"]) and np.isfinite(r["metric"]) for r in rows)


def test_nothing_left_to_do(finished):
    assert "Nothing to be done" in run(finished)


def test_a_lost_result_is_made_again_alone(finished):
    before = content(finished)
    lost = finished / RESULTS / "tuning/diagonal/exact.h5"
    lost.unlink()
    output = run(finished, str(lost.relative_to(finished)))
    assert output.count("rule exact_held_out:") == 1 and "rule train:" not in output
    assert np.array_equal(h5py.File(lost)["log_evidence"][...], before[f"{lost.relative_to(finished)}:log_evidence"])


def test_a_lost_draw_is_made_again_with_what_follows(finished):
    """Of an ensemble; the other draws stay as they are, and all comes out as before.

    The figure is lost as well: Snakemake takes a figure that is there and newer than all its inputs for finished.
    """
    before = content(finished)
    figure = str(RESULTS / "figures/ensembles/systematics/captions.json")
    learned = finished / RESULTS / "closure/combined/1/learned.h5"
    for lost in (
        learned,
        learned.with_name("near.h5"),
        finished / RESULTS / "far/plain/combined/1/member.h5",
        finished / figure,
    ):
        lost.unlink()
    kept = {path: path.stat().st_mtime_ns for path in (finished / RESULTS).glob("closure/*/*/learned.h5")}
    output = run(finished, "-n", "--", figure)
    assert planned(output) == {"learn": 1, "member": 1, "union": 1, "figures_ensemble": 1}
    made = run(finished, "--", figure)
    assert made.count("rule learn:") == made.count("rule member:") == made.count("rule union:") == 1
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in kept.items())
    run(finished)
    assert_same(before, content(finished))


def test_more_draws_are_trained_and_no_others(finished, tmp_path):
    (tmp_path / "more.yaml").write_text("studies: {small: {draws: 8}}\n")
    figure = str(RESULTS / "figures/ensembles/networks/captions.json")

    def plan(*targets):
        base = command(str(tmp_path / "more.yaml"), "--directory", str(finished), "-n", "--", *targets)
        done = subprocess.run(base, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return planned(done.stdout)

    assert plan(figure) == {"learn": 5, "member": 5, "union": 1, "figures_ensemble": 1}
    everything = plan()
    assert everything["learn"] == everything["member"] == 5
    assert {"operator", "truth", "train", "closed_form", "universes", "closure_comparison"}.isdisjoint(everything)


def test_forced_rule_is_planned_with_what_follows(finished):
    output = run(finished, "-n", "-R", "calibrate", "--")
    assert "calibrate" in output and "report" in output and "train " not in output.split("Job stats:")[1].split("\ntotal ")[0]


def test_bad_data_leave_earlier_results(finished, tmp_path):
    """The stand-in is replaced by a measurement that does not pass its checks.

    Snakemake removes the output of a job before it runs it, so that the measurement itself is gone; nothing else is, and
    the right data bring it back.
    """
    path = tmp_path / "data.csv"
    path.write_text("cos_lo,cos_hi,pmu_lo_GeV,pmu_hi_GeV,xsec_1e-38cm2_per_nucleon_GeV,err_tot\n0,1,0,1,nan,0.1\n")
    (tmp_path / "cov.csv").write_text("0.01\n")
    parts = ", ".join(f"{k}: {tmp_path / 'cov.csv'}" for k in ("total", "stat", "shapesyst", "fluxnorm"))
    entry = f"{{format: csv, path: {path}, covariances: {{{parts}}}}}"
    removed = "simulation: null, parameters: null, uncorrelated_rel: null, floor: null, norm_rel: null, label: null"
    (tmp_path / "overlay.yaml").write_text(f"measurements: {{stand_in: {entry[:-1]}, {removed}}}}}\n")
    before = content(finished)
    report = (finished / RESULTS / "report.html").read_bytes()
    failed = subprocess.run(
        command(str(tmp_path / "overlay.yaml"), "--directory", str(finished)),
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert failed.returncode != 0 and "error: " in failed.stdout + failed.stderr
    assert "data.csv" in failed.stdout + failed.stderr
    assert (finished / RESULTS / "report.html").read_bytes() == report
    left = content(finished)
    assert_same({k: v for k, v in before.items() if k in left}, left)
    assert {k for k in before if k not in left} <= {k for k in before if k.startswith("results/smoke/measurements/")}
    run(finished)
    assert_same(before, content(finished))


def killed_at(reached, folder, *targets):
    """Run until a result appears in ``folder``, kill Snakemake and its jobs, and let the same command finish."""
    process = subprocess.Popen(
        command("--directory", str(folder), *targets),
        cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    while not list((folder / RESULTS).glob(reached)):
        assert process.poll() is None, f"finished without {reached}"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    run(folder, "--unlock")
    run(folder, *targets)


def test_killed_in_a_training_and_started_again_ends_the_same(finished, tmp_path):
    """From nothing, after the first checkpoint."""
    folder, target = workdir(tmp_path / "killed"), str(RESULTS / "tuning/mock/calibration.json")
    killed_at("tuning/mock/checkpoint_0_*", folder, "--", target)
    made, undisturbed = content(folder), content(finished)
    assert target in made
    assert_same(made, {key: undisturbed[key] for key in made})


def test_killed_while_results_are_made_and_started_again_ends_the_same(finished, tmp_path):
    """Of the tunes, trainings included, with the report that follows."""
    folder = Path(shutil.copytree(finished, tmp_path / "killed", symlinks=True))
    shutil.rmtree(folder / RESULTS / "tuning")
    (folder / RESULTS / "report.html").unlink()
    killed_at("tuning/*/calibration.json", folder)
    assert_same(content(finished), content(folder))

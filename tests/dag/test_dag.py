"""What the workflow plans: the jobs of a configuration, and one error for a bad one."""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def snakemake(*arguments, workdir=ROOT):
    """Run Snakemake from the checkout, results going to ``workdir``; return the finished process."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(workdir)]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def workdir(tmp_path):
    """An empty working directory with the checkout's configuration and resources."""
    for name in ("config", "resources"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def planned(output):
    """Count the jobs of each rule in a dry run's table."""
    table = output.split("Job stats:")[1].split("\ntotal ")[0].splitlines()[3:]
    return Counter({line.split()[0]: int(line.split()[1]) for line in table if line.strip()})


def test_default_plan(workdir):
    done = snakemake("-n", workdir=workdir)
    assert done.returncode == 0, done.stderr + done.stdout
    jobs = planned(done.stdout)
    assert jobs["train"] == jobs["calibrate"] == jobs["exact_held_out"] == 4
    assert jobs["posterior"] == jobs["predictive"] == 5
    assert jobs["gather"] == jobs["measurement"] == jobs["report"] == 1
    # One study sees coarser bins; its 25 draws are fitted, and its first alone is compared with the truth.
    assert jobs["operator"] == jobs["truth"] == 2 and jobs["learn"] == 3 + 25
    assert jobs["closure_comparison"] == 4 and jobs["member"] == 25 + 1 and jobs["union"] == jobs["closed_form"] == 1
    # Three fits of the sample without a resolution and two with one share what is made of a sample.
    assert jobs["far_draw"] == jobs["far_operator"] == 2 and jobs["far_fit"] == jobs["far_regions"] == 5


def test_changed_learner_runs_what_depends_on_it(workdir):
    """A study's learner is its own business: neither the operator nor another study is planned again."""
    done = snakemake("-n", "results/closure/posterior/0/comparison.json", workdir=workdir)
    assert set(planned(done.stdout)) == {"operator", "truth", "learn", "closure_comparison"}
    assert planned(done.stdout)["learn"] == 1


def test_paper_plan(workdir):
    start = time.monotonic()
    (workdir / "toy.yaml").write_text("experiments: {dune: {partons: {set: les_houches_toy, folder: null}}}")
    done = snakemake("-n", "--configfile", str(ROOT / "config/paper.yaml"), str(workdir / "toy.yaml"), workdir=workdir)
    assert done.returncode == 0, done.stderr
    jobs = planned(done.stdout)
    assert jobs["simulate"] == 4 + 1 + 1
    assert jobs["band_coverage"] == 3 * 4 + 1
    studies, ensembles, scans = (merged(section) for section in ("studies", "ensembles", "scans"))
    sizes = {"bins": range(3), "depth": range(4), "width": range(4)}  # of the schema's defaults
    numbers = [{key: len(scan.get(key, default)) for key, default in sizes.items()} for scan in scans.values()]
    points = sum(n["bins"] * (n["depth"] + n["width"] - 1) for n in numbers)
    assert jobs["learn"] == sum(study.get("draws", 1) for study in studies.values()) + points
    fitted = sum(studies[name].get("draws", 1) for name in {e["study"] for e in ensembles.values()})
    references = {e["reference"] for e in ensembles.values() if "reference" in e} - {e["study"] for e in ensembles.values()}
    assert jobs["member"] == fitted + len(references) + points + 1 and jobs["union"] == len(ensembles)
    assert time.monotonic() - start < 20.0  # 3 s where nothing else runs


def merged(section):
    """Return a section of the paper's configuration, as Snakemake merges it over the default."""
    read = (yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()) for name in ("config", "paper"))
    base, overlay = (config.get(section, {}) for config in read)
    names = [name for name in {**base, **overlay} if overlay.get(name, {}) is not None]
    return {name: {**base.get(name, {}), **overlay.get(name, {})} for name in names}


def test_one_target_plans_only_what_it_needs(workdir):
    done = snakemake("-n", "results/tuning/full/exact.h5", workdir=workdir)
    assert set(planned(done.stdout)) == {
        "response", "simulate", "gather", "measurement", "likelihood", "exact_held_out",
    }  # fmt: skip


def test_a_fit_of_a_users_events_is_an_entry(workdir):
    (workdir / "events.csv").write_text("E,c\n1.0,0.9\n")
    table = "{path: events.csv, columns: {el_gev: E, cos_theta: c}}"
    (workdir / "mine.yaml").write_text(
        f"far_samples: {{mine: {{experiment: dune, table: {table}}}}}\n"
        "fits: {main: {samples: [mine]}, resolution: null, negative_control: null}\n"
    )
    arguments = ("-n", "--configfile", str(workdir / "mine.yaml"), "--", "oscillation")
    jobs = planned(snakemake(*arguments, workdir=workdir).stdout)
    assert jobs["far_table"] == jobs["far_operator"] == 1 and jobs["far_fit"] == 2 and "far_draw" not in jobs
    (workdir / "events.csv").unlink()
    done = snakemake(*arguments, workdir=workdir)
    assert done.returncode != 0 and "far_samples.mine.table.path: no such file 'events.csv'" in done.stdout + done.stderr


def test_more_draws_are_more_jobs_and_nothing_else(workdir):
    """Of the ensemble's figures: five draws are five trainings and five fits."""
    target = "results/figures/ensembles/systematics/captions.json"
    before = planned(snakemake("-n", target, workdir=workdir).stdout)
    (workdir / "more.yaml").write_text("studies: {combined: {draws: 30}}")
    after = planned(snakemake("-n", "--configfile", str(workdir / "more.yaml"), "--", target, workdir=workdir).stdout)
    assert before["learn"] == before["member"] - 1 == 25
    assert after - before == {"learn": 5, "member": 5} and not before - after


def test_a_lost_draw_is_planned_with_what_follows(workdir):
    """Results are empty files here; that the real ones behave so is a test of the smoke configuration.

    Asked for by its name, a figure that is there is finished for Snakemake, and must be lost as well; named targets list the
    draws' own files.
    """
    target = "results/figures/ensembles/systematics/captions.json"
    numbers = [f"results/ensembles/systematics/{name}.json" for name in ("union", "closed_form", "coverage")]
    plan = snakemake("-n", "--quiet", "host", "--", target, *numbers, workdir=workdir).stdout
    made = [line.split(":", 1)[1].split(", ") for line in plan.splitlines() if line.strip().startswith("output:")]
    for names in made:  # in the order of the jobs
        for name in names:
            path = workdir / name.strip()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    assert "Nothing to be done" in snakemake("-n", target, workdir=workdir).stdout
    for name in ("closure/combined/1/near.h5", "closure/combined/1/learned.h5", "far/plain/combined/1/member.h5"):
        (workdir / "results" / name).unlink()
    found = planned(snakemake("-n", "systematics", workdir=workdir).stdout)
    assert found == {"learn": 1, "member": 1, "union": 1, "systematics": 1}
    (workdir / target).unlink()
    found = planned(snakemake("-n", target, workdir=workdir).stdout)
    assert found == {"learn": 1, "member": 1, "union": 1, "figures_ensemble": 1}


def test_the_points_of_a_scan_are_jobs(workdir):
    (workdir / "scan.yaml").write_text("scans: {size: {sample: plain, depth: [4, 2], width: [64, 16], bins: [32, 64, 128]}}")
    target = "results/scans/size/scan.json"
    jobs = planned(snakemake("-n", "--configfile", str(workdir / "scan.yaml"), "--", target, workdir=workdir).stdout)
    assert jobs["learn"] == jobs["closure_comparison"] == 9 and jobs["member"] == 10
    assert jobs["operator"] == jobs["truth"] == 3 and jobs["scan"] == 1


def test_a_coverage_measurement_is_cut_in_parts(workdir):
    (workdir / "coverage.yaml").write_text("far_samples: {plain: {coverage: {pseudo_experiments: 60}}}")
    target = "results/far/plain/coverage.json"
    jobs = planned(snakemake("-n", "--configfile", str(workdir / "coverage.yaml"), "--", target, workdir=workdir).stdout)
    assert set(jobs) == {"operator", "truth", "far_coverage_toys", "far_coverage", "far_coverage_summary"}
    assert jobs["far_coverage"] == 3 and jobs["far_coverage_toys"] == 1


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        ("calibration: {events: 10}", "configuration: calibration.events: 10 is less than the minimum of 20"),
        ("tunes: {mock: {estimator: nope}}", "configuration: tunes.mock.estimator: 'nope' is not defined"),
    ],
)
def test_bad_configuration_is_one_error(workdir, overlay, message):
    (workdir / "overlay.yaml").write_text(overlay)
    done = snakemake("-n", "--configfile", str(workdir / "overlay.yaml"), workdir=workdir)
    assert done.returncode != 0
    assert message in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout
    assert not (workdir / "results").exists()


def test_rules_explain_themselves(workdir):
    listed = snakemake("--list-rules", workdir=workdir)
    assert listed.returncode == 0, listed.stderr
    explained = dict(line.split(" (", 1) for line in listed.stdout.splitlines() if " (" in line)
    sources = "".join(p.read_text() for p in [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")])
    rules = [line.split()[1].rstrip(":") for line in sources.splitlines() if line.startswith("rule ")]
    assert len(rules) >= 15
    assert [rule for rule in rules if len(explained.get(rule, "")) < 20] == []


def test_module_entry_point(workdir):
    done = snakemake("-n", "--snakefile", str(ROOT / "workflow/Snakefile"), "--configfile", str(ROOT / "config/config.yaml"),
                     workdir=workdir)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert planned(done.stdout)["train"] == 4

"""The smoke configuration through a real Slurm, from a fresh checkout: as in a local run, whatever befalls jobs."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from smoke_run import RESULTS, ROOT, assert_same, content

TARGET = str(RESULTS / "tuning/mock/microboone_tune/posterior.json")
MODEL = RESULTS / "tuning/mock/model_0/model.json"
WITH_GPU = ("--profile", "slurm", "--profile", "gpu")
# The profiles as they are, but for waits that one machine does not need.
SHORT_WAITS = ("--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "5")
WITHIN_S = 240
ALL_WITHIN_S = 1800


def checkout(folder):
    """Copy what git would give a new user."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if os.path.lexists(ROOT / name):  # not removed since the last commit
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    (folder.parent / "home").mkdir()
    return folder


def start(folder, *options, targets=(TARGET,)):
    """Start Snakemake in a checkout, with an empty home; Slurm takes the environment on to the jobs."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder.parent / "home"),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "SNAKEMAKE_PROFILE", "MPLCONFIGDIR"):
        environment.pop(name, None)
    command = ["snakemake", *options, "--configfile", "config/smoke.yaml", "--", *targets]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process, within_s=WITHIN_S):
    """Return what Snakemake said; one that hangs is ended as by Ctrl-C, which takes its jobs out of the queue."""
    try:
        output, _ = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate()
        pytest.fail(f"not done after {within_s} s:\n{output[-4000:]}")
    assert process.returncode == 0, output[-6000:]
    return output


def jobs():
    """Return every job that Slurm remembers: its number -> {key: value} of `scontrol show job`."""
    shown = subprocess.run(["scontrol", "--oneliner", "show", "job"], capture_output=True, text=True, check=True).stdout
    records = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in shown.splitlines()]
    return {int(record["JobId"]): record for record in records if "JobId" in record}


def wait_for(condition, what):
    """Return the first true value of `condition`, looked at every fraction of a second."""
    end = time.monotonic() + WITHIN_S
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.2)
    pytest.fail(f"{what}: not seen in {WITHIN_S} s")


def set_node(node, **settings):
    subprocess.run(["scontrol", "update", f"nodename={node}", *(f"{k}={v}" for k, v in settings.items())], check=True)


def into_service(node):
    """End what was set: a node that was down comes back by itself once its slurmd reports, and then takes no "resume"."""
    shown = subprocess.run(["scontrol", "show", "node", node], capture_output=True, text=True, check=True).stdout
    if "DOWN" in shown or "DRAIN" in shown:
        set_node(node, state="resume")


def submitted(output, rule):
    """Return the numbers of a rule's or group's jobs, in the order in which Snakemake submitted them."""
    lines = [line for line in output.splitlines() if "has been submitted with SLURM jobid" in line and f"/{rule}" in line]
    return [int(line.split("SLURM jobid ")[1].split()[0]) for line in lines]


def lose(folder, *paths):
    for path in paths:
        (folder / path).unlink(missing_ok=True)  # a test before this one may have failed


@pytest.fixture(scope="module")
def local(smoke):
    """What a run without Slurm leaves."""
    return content(smoke)


@pytest.fixture(scope="module")
def finished(slurm, tmp_path_factory):
    """A checkout in which everything was made through Slurm, trainings on a GPU; and what Snakemake said."""
    folder = checkout(tmp_path_factory.mktemp("slurm") / "checkout")
    return folder, finish(start(folder, *WITH_GPU, *SHORT_WAITS, targets=()), ALL_WITHIN_S)


def test_results_equal_a_local_run(finished, local):
    folder, output = finished
    assert "(100%) done" in output and (folder / RESULTS / "report.html").is_file()
    assert_same(content(folder), local)


def test_trainings_get_a_gpu_and_nothing_else_does(finished):
    known = jobs()
    estimators, draws = submitted(finished[1], "rule_train/"), submitted(finished[1], "group_draws_")
    assert len(estimators) == 6 and len(draws) > 6
    # The true cross section is fitted without a training.
    trainings = {*estimators, *draws} - {*submitted(finished[1], "group_draws_true")}
    for number, job in known.items():
        assert job["JobState"] == "COMPLETED"
        assert job.get("TresPerJob") == ("gres:gpu:1" if number in trainings else None)


def test_chunks_share_a_job_of_one_processor(finished):
    blocks = submitted(finished[1], "group_throws_cc0pi")
    assert len(blocks) == 1 and not submitted(finished[1], "rule_simulate")
    block = jobs()[blocks[0]]
    assert len(list((finished[0] / RESULTS / "simulations/cc0pi/chunks").glob("*.h5"))) == 4
    # Four chunks of 15 minutes and 2,000 MB each, one after another.
    assert block["TimeLimit"] == "01:00:00" and "cpu=1,mem=2000M" in block["TRES"]


def test_quick_steps_wait_in_no_queue(finished):
    """And those after an estimator share two jobs: a tune's calibration, and posteriors with predictions and figures."""
    assert not submitted(finished[1], "rule_fit_comparison") and not submitted(finished[1], "rule_calibrate")
    assert len(submitted(finished[1], "group_tune_")) == len(submitted(finished[1], "group_observed_")) == 5


def test_home_stays_empty(finished):
    assert list((finished[0].parent / "home").rglob("*")) == []


def test_killed_by_its_time_limit_a_job_gets_more_time(finished, local):
    """The training's process is stopped, and would stay so; Slurm's limit ends it, and the next attempt has twice the time."""
    folder, _ = finished
    lose(folder, MODEL, MODEL.with_name("model.safetensors"), TARGET)
    before = set(jobs())
    process = start(folder, *WITH_GPU, *SHORT_WAITS)
    number = wait_for(lambda: set(jobs()) - before, "the training").pop()
    step, environment = wait_for(lambda: step_of(number, "nuinfer.steps.train"), "the training's process")
    os.kill(step, signal.SIGSTOP)
    assert environment["CUDA_VISIBLE_DEVICES"] == "0"
    subprocess.run(["scontrol", "update", f"jobid={number}", "EndTime=now"], check=True)
    output = finish(process)
    first, second = submitted(output, "rule_train/")
    known = jobs()
    assert first == number and known[first]["JobState"] == "TIMEOUT"
    assert known[second]["JobState"] == "COMPLETED" and known[second]["TimeLimit"] == "01:00:00"
    assert_same(content(folder), local)


def step_of(number, module):
    """Return the process of a Slurm job that runs `module`, and its environment; None before it does."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_text().split("\0")
            words = (path / "environ").read_text().split("\0")
        except (OSError, UnicodeDecodeError):  # ended meanwhile, or none of ours
            continue
        environment = dict(word.split("=", 1) for word in words if "=" in word)
        if environment.get("SLURM_JOB_ID") == str(number) and command[1:3] == ["-m", module]:
            return int(path.name), environment
    return None


def test_a_job_of_a_lost_node_runs_again_and_once(finished, slurm, local):
    """The node goes down under a training: Slurm queues the job again, and Snakemake submits no second one beside it."""
    folder, _ = finished
    lose(folder, MODEL, MODEL.with_name("model.safetensors"), TARGET)
    before = set(jobs())
    process = start(folder, *WITH_GPU, *SHORT_WAITS)
    number = wait_for(lambda: set(jobs()) - before, "the training").pop()
    step, _ = wait_for(lambda: step_of(number, "nuinfer.steps.train"), "the training's process")
    os.kill(step, signal.SIGSTOP)  # so that it does not end meanwhile
    set_node(slurm, state="down", reason="test")
    try:
        wait_for(lambda: jobs()[number]["JobState"] == "PENDING" and not Path(f"/proc/{step}").exists(), "the job in the queue")
    finally:
        into_service(slurm)
    # Slurm lets such a job wait for two minutes.
    subprocess.run(["scontrol", "update", f"jobid={number}", "StartTime=now"], check=True)
    output = finish(process)
    assert submitted(output, "rule_train/") == [number]
    assert jobs()[number]["JobState"] == "COMPLETED" and jobs()[number]["Restarts"] == "1"
    assert_same(content(folder), local)


def test_jobs_wait_for_a_drained_node_and_go_on(finished, slurm, local):
    folder, _ = finished
    lose(folder, TARGET, Path(TARGET).with_suffix(".h5"))
    before = set(jobs())
    set_node(slurm, state="drain", reason="test")
    try:
        process = start(folder, "--profile", "slurm", *SHORT_WAITS)
        number = wait_for(lambda: set(jobs()) - before, "the job").pop()
        time.sleep(8)  # longer than Slurm and Snakemake look away
        assert jobs()[number]["JobState"] == "PENDING" and process.poll() is None
    finally:
        into_service(slurm)
    output = finish(process)
    assert submitted(output, "group_observed_mock") == [number] and jobs()[number]["JobState"] == "COMPLETED"
    assert_same(content(folder), local)


def test_a_second_cluster_is_not_started_over_this_one(slurm):
    again = subprocess.run([Path(__file__).with_name("up.sh")], capture_output=True, text=True, check=False)
    assert again.returncode == 1 and "runs already" in again.stderr
    user = subprocess.run(
        ["runuser", "-u", "nobody", "--", "bash", "-s"],
        input=Path(__file__).with_name("up.sh").read_text(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert user.returncode == 1 and "need root" in user.stderr

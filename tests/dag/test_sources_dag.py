"""What the workflow plans for the sources of throws: jobs, their commands, and what a change makes it do again."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import pytest
import yaml

from nuinfer.steps.cards import cards
from nuinfer.steps.cli import run
from nuinfer.workflow import as_json

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = "T2K_CC0pi_XSec_2DPcos_nu_I"
PRIORS = {"norm_ccmec": {"low": 1.0, "high": 3.0}, "rpa_strength": {"low": 0.0, "high": 1.0}}
DIALS = ["NormCCMEC", "RPA_CCQE"]
BARE = {
    "simulations": {"cc0pi": None},
    "measurements": {"stand_in": None},
    "tunes": dict.fromkeys(("mock", "diagonal", "full", "norm_shape")),
    "studies": dict.fromkeys(("network", "posterior", "blackbox", "combined")),
    "ensembles": {"systematics": None},
    "far_samples": dict.fromkeys(("plain", "smeared")),
    "fits": dict.fromkeys(("main", "resolution", "negative_control")),
}


def snakemake(workdir, *arguments):
    """Run Snakemake from the checkout on ``workdir``; return the finished process."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(workdir)]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, env=environment, check=False)


def plan(workdir, config, *targets, options=()):
    """Return what a dry run of ``config`` over the default prints."""
    (workdir / "mine.yaml").write_text(yaml.safe_dump({**BARE, **config}))
    done = snakemake(workdir, "-n", *options, "--configfile", str(workdir / "mine.yaml"), "--", *targets)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def planned(output):
    """Count the jobs of each rule in a dry run's table; none where there is nothing to be done."""
    if "Job stats:" not in output:
        assert "Nothing to be done" in output
        return Counter()
    table = output.split("Job stats:")[1].split("\ntotal ")[0].splitlines()[3:]
    return Counter({line.split()[0]: int(line.split()[1]) for line in table if line.strip()})


def linked(folder):
    folder.mkdir()
    for name in ("config", "resources"):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.fixture
def workdir(tmp_path):
    """An empty working directory with the checkout's configuration and resources."""
    return linked(tmp_path / "run")


def production(convention="reweight3", throws=None, **genie):
    """A production of 200,000 throws with a user's own event file."""
    entry = {"source": "genie", "parameters": PRIORS}
    entry["throws"] = throws or {"train": 180000, "validation": 15000, "test": 5000, "chunk": 500}
    entry["genie"] = {"sample": SAMPLE, "flux": "flux.root,numu", "convention": convention, **genie}
    return {"simulations": {"cc0pi": None, "big": entry}}


def with_event_file(workdir, convention="reweight3", **genie):
    (workdir / "events.nuis.root").write_text("events")
    return production(convention, event_file="events.nuis.root", **genie)


def test_two_hundred_thousand_throws_are_four_hundred_jobs(workdir):
    config, start = with_event_file(workdir), time.monotonic()
    jobs = planned(plan(workdir, config, "results/simulations/big/response.h5"))
    print(f"planned in {time.monotonic() - start:.1f} s")
    assert jobs == {"cards": 400, "nuiscomp": 400, "read_throws": 400, "ingest": 1, "surrogate": 1}


def commands(output, rule):
    """The shell commands of a dry run's jobs of one rule."""
    blocks = output.split(f"rule {rule}:")[1:]
    return [block.split("Shell command: ")[1].split("\n[", 1)[0] for block in blocks]


def test_the_printed_commands_are_those_of_nuisance(workdir):
    config = with_event_file(workdir, max_events=20000)
    config["programs"] = {"nuiscomp": "apptainer exec image.sif nuiscomp", "setup": "source /cvmfs/setup.sh"}
    output = plan(workdir, config, "results/production/big/399/files.txt", options=["-p"])
    assert planned(output) == {"cards": 1, "nuiscomp": 1}
    command = commands(output, "nuiscomp")[0]
    assert 'apptainer exec image.sif nuiscomp -n 20000 -c "$folder/$name.xml" -o "$folder/.$name.part.root"' in command
    assert "set +eu\n{\nsource /cvmfs/setup.sh\n} || { echo 'error: programs.setup failed" in command
    assert command.index("source /cvmfs/setup.sh") < command.index("command -v apptainer") < command.index("image.sif")
    assert "done < results/production/big/399/throws.txt" in command
    assert "setabstwk" not in command


@pytest.mark.parametrize(("setup", "code"), [("X=1", 0), ("X=1 # a remark", 0), ("false\nX=1\n", 0), ("X=1\nfalse", 2)])
def test_a_set_up_that_fails_ends_the_job(workdir, setup, code):
    """The printed lines, run by bash up to the program: several lines, an end and a remark are no failures."""
    config = with_event_file(workdir)
    config["programs"] = {"setup": setup}
    output = plan(workdir, config, "results/production/big/0/files.txt", options=["-p"])
    lines = commands(output, "nuiscomp")[0].split("command -v")[0].removeprefix("(") + 'echo "X is $X"'
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", lines], capture_output=True, text=True, check=False)
    assert done.returncode == code and done.stdout == ("" if code else "X is 1\n")
    assert ("error: programs.setup failed: correct it in the configuration" in done.stderr) == bool(code)


def settings_of(command):
    """The settings that a step is given."""
    return json.loads(shlex.split(command.split("2>&1")[0].split("--settings")[1])[0])


def test_a_production_trains_on_what_its_bad_throws_leave(already_read):
    """Other sources take the number that is asked for, and all others where none is."""
    output = plan(already_read, with_event_file(already_read), "results/simulations/big/response.h5", options=["-p"])
    assert settings_of(commands(output, "ingest")[0])["counts"] == {"validation": 15000, "test": 5000}
    for throws in ({"validation": 20, "test": 21}, {"train": 100, "validation": 20, "test": 20}):
        output = plan(already_read, nuisance(throws={**throws, "chunk": 2}), TARGET, options=["-p"])
        assert settings_of(commands(output, "ingest")[0])["counts"] == throws


def test_the_command_with_its_events_is_in_the_cards(workdir):
    """What a job compares with the cards of an earlier one."""
    target = "results/production/big/0/files.txt"
    every, limited = (
        commands(plan(workdir, with_event_file(workdir, **limit), target, options=["-p"]), "nuiscomp")[0]
        for limit in ({}, {"max_events": 20000})
    )
    assert "<!-- %s -->" in every and '"$dials" nuiscomp)' in every and "\"$dials\" 'nuiscomp -n 20000')" in limited


@pytest.mark.parametrize("convention", ["reweight3", "reweight2", "absolute"])
def test_the_cards_step_writes_the_convention(workdir, convention, monkeypatch):
    """The very command that the plan prints, run: the last chunk's card and its 500 throws."""
    config = with_event_file(workdir, convention, tune="G18_02a_00_000", config={"MAXEVENTS": "-1"})
    printed = commands(plan(workdir, config, "results/production/big/399/files.txt", options=["-p"]), "cards")[0]
    words = shlex.split(printed.split("python -m nuinfer.steps.cards")[1].split("2>&1")[0])
    monkeypatch.chdir(workdir)
    folder = Path("results/production/big/399")
    folder.mkdir(parents=True)
    run(cards, words)
    root = ElementTree.fromstring((folder / "card.xml").read_text())
    settings = {k: v for node in root.iter("config") for k, v in node.attrib.items()}
    expected = {"GENIETune": "G18_02a_00_000", "GENIEWeightEngine_CCQEMode": "kModeMa", "MAXEVENTS": "-1"}
    assert {k: v for k, v in settings.items() if k in expected} == expected
    assert settings.get("setabstwk") == ("1" if convention == "absolute" else None)
    (sample,) = root.iter("sample")
    assert sample.attrib["name"] == SAMPLE and sample.attrib["input"] == "GENIE:events.nuis.root"
    assert sample.attrib["mask_mom_overflow"] == "1"
    lines = (folder / "throws.txt").read_text().splitlines()
    assert len(lines) == 500 and lines[0].startswith("throw_00199500 ") and lines[-1].startswith("throw_00199999 ")
    parameters = [node.attrib for node in ElementTree.fromstring(f"<a>{lines[0].split(' ', 1)[1]}</a>")]
    assert [p["name"] for p in parameters] == DIALS and {p["type"] for p in parameters} == {"genie_parameter"}


def test_without_an_event_file_events_are_made_once(workdir):
    for name in ("flux.root", "splines.xml"):
        (workdir / name).touch()
    throws = {"train": 100, "validation": 20, "test": 20, "chunk": 70}
    config = production(splines="splines.xml", events=5000, throws=throws)
    output = plan(workdir, config, "results/simulations/big/response.h5", options=["-p"])
    assert planned(output) == {
        **{"generate": 1, "prepare": 1, "cards": 2, "nuiscomp": 2, "read_throws": 2, "ingest": 1, "surrogate": 1}
    }
    generated, prepared = (commands(output, rule)[0] for rule in ("generate", "prepare"))
    target = "'1000060120[0.9231],1000010010[0.0769]'"
    assert f"gevgen -n 5000 -t {target} -p 14 --cross-sections splines.xml --tune G18_10a_02_11a" in generated
    assert "-f flux.root,numu -e 0.0,30.0 -o results/production/big/events.ghep.root" in generated
    assert f"PrepareGENIE -i results/production/big/events.ghep.root -f flux.root,numu -t {target}" in prepared
    assert "-o results/production/big/events.nuis.root" in prepared


def test_nuwro_is_planned(workdir, shared_data):
    (workdir.parent / "shared").symlink_to(shared_data.parent)
    start = time.monotonic()
    done = snakemake(workdir, "-n", "--configfile", str(ROOT / "config/nuwro.yaml"))
    print(f"planned in {time.monotonic() - start:.1f} s")
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = planned(done.stdout)
    assert jobs["event_response"] == jobs["gather"] == jobs["tension"] == jobs["figures_tension"] == jobs["report"] == 1
    assert jobs["simulate"] == 4 + 1 + 1 and jobs["measurement"] == 3
    assert jobs["train"] == jobs["calibrate"] == 5 and jobs["posterior"] == 3 * 2 + 2
    assert not {"response", "ingest", "surrogate", "nuiscomp"} & set(jobs)


def test_a_slice_needs_its_whole(workdir, shared_data):
    (workdir.parent / "shared").symlink_to(shared_data.parent)
    target = "results/nuwro/measurements/forward.h5"
    done = snakemake(workdir, "-n", "--configfile", str(ROOT / "config/nuwro.yaml"), "--", target)
    assert planned(done.stdout) == {"measurement": 2}
    made = [line.split(": ")[1] for line in done.stdout.splitlines() if line.startswith("    output: ")]
    assert made == ["results/nuwro/measurements/t2k_2016.h5", target]


def nuisance(**entries):
    """Files in a folder, read in chunks of two."""
    section = {"files": ["throws/*.root"], "sample": SAMPLE, "convention": "reweight3"}
    section["dials"] = {"card": "{stem}.xml", "columns": DIALS}
    entry = {"source": "nuisance", "parameters": PRIORS, "nuisance": section}
    return {"simulations": {"cc0pi": None, "mine": {**entry, "throws": {"validation": 20, "test": 20, "chunk": 2}, **entries}}}


TARGET = "results/simulations/mine/response.h5"


def touch_results(workdir, config, target):
    """Make Snakemake believe that all of ``target`` was made: empty results, touched."""
    made = plan(workdir, config, target, options=["--quiet", "host"])
    for line in made.splitlines():
        if line.startswith("    output: "):
            for name in line.split(": ")[1].split(", "):
                (workdir / name).parent.mkdir(parents=True, exist_ok=True)
                (workdir / name).touch()
    done = snakemake(workdir, "--touch", "--cores", "1", "--configfile", str(workdir / "mine.yaml"), "--forceall", "--", target)
    assert done.returncode == 0, done.stdout + done.stderr
    assert planned(plan(workdir, config, target)) == {}


@pytest.fixture(scope="module")
def touched(tmp_path_factory):
    """A working directory for which Snakemake believes that five files went through."""
    workdir = linked(tmp_path_factory.mktemp("touched") / "run")
    (workdir / "throws").mkdir()
    for i in range(5):
        (workdir / f"throws/throw_{i}.root").touch()
        (workdir / f"throws/throw_{i}.xml").touch()
    touch_results(workdir, nuisance(), TARGET)
    return workdir


@pytest.fixture
def already_read(touched, tmp_path):
    """A copy of it, times and all, to be changed."""
    return Path(shutil.copytree(touched, tmp_path / "run", symlinks=True))


def test_a_production_makes_again_what_a_change_touches(workdir):
    """Events for a change of their generation, predictions for one of nuiscomp's, cards for their own."""
    for name in ("flux.root", "splines.xml"):
        (workdir / name).touch()
    target = "results/production/big/0/files.txt"

    def changed(programs=None, **genie):
        given = {"splines": "splines.xml", "throws": {"train": 100, "validation": 20, "test": 20, "chunk": 140}, **genie}
        return production(**given) | {"programs": programs or {}}

    touch_results(workdir, changed(), target)
    for config, expected in (
        (changed(events=5000), {"generate": 1, "prepare": 1, "nuiscomp": 1}),
        (changed(max_events=5000), {"nuiscomp": 1}),
        (changed({"nuiscomp": "nuiscomp -q seed=1"}), {"nuiscomp": 1}),
        (changed(convention="absolute"), {"cards": 1, "nuiscomp": 1}),
    ):
        assert planned(plan(workdir, config, target)) == expected


def parts(output):
    """The parts that a plan reads, which Snakemake lists in no certain order."""
    made = [line.split(": ")[1] for line in output.splitlines() if line.startswith("    output: ")]
    return sorted(int(Path(name).stem) for name in made if "/raw/" in name)


def test_a_new_file_is_read_with_its_part_alone(already_read):
    (already_read / "throws/throw_9.root").touch()
    output = plan(already_read, nuisance(), TARGET)
    assert parts(output) == [2] and planned(output) == {"read_throws": 1, "ingest": 1, "surrogate": 1}
    (already_read / "throws/throw_99.root").touch()
    output = plan(already_read, nuisance(), TARGET)
    assert parts(output) == [2, 3] and planned(output) == {"read_throws": 2, "ingest": 1, "surrogate": 1}


def test_a_changed_file_is_read_again_with_its_part_alone(already_read):
    (already_read / "throws/throw_2.root").write_text("more")
    assert parts(plan(already_read, nuisance(), TARGET)) == [1]


def test_a_changed_card_is_read_again_with_its_part_alone(already_read):
    (already_read / "throws/throw_0.xml").write_text("other dials")
    assert parts(plan(already_read, nuisance(), TARGET)) == [0]


def test_a_changed_prior_reads_nothing_again(already_read):
    priors = {**PRIORS, "norm_ccmec": {"low": 0.5, "high": 3.0}}
    changed = planned(plan(already_read, nuisance(parameters=priors), TARGET))
    assert changed == {"ingest": 1, "surrogate": 1}


def test_a_changed_convention_reads_again_only_what_cards_must_say(already_read):
    """Between releases of Reweight cards look alike; absolute dials are set in them, which reading compares."""
    config = nuisance()
    config["simulations"]["mine"]["nuisance"]["convention"] = "reweight2"
    assert planned(plan(already_read, config, TARGET)) == {"ingest": 1, "surrogate": 1}
    config["simulations"]["mine"]["nuisance"]["convention"] = "absolute"
    assert planned(plan(already_read, config, TARGET)) == {"read_throws": 3, "ingest": 1, "surrogate": 1}


def test_a_changed_degree_fits_alone(already_read):
    assert planned(plan(already_read, nuisance(max_degree=3), TARGET)) == {"surrogate": 1}


def test_settings_are_one_line_of_json():
    """What the commands above carry, and a shell must pass on unchanged."""
    settings = {"config": {"drawopts": "MC|DATA"}, "files": ["it's $HOME.root"]}
    assert json.loads(shlex.split(shlex.quote(as_json(settings)))[0]) == settings

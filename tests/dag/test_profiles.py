"""The profiles: what they may hold, that they plan from a fresh checkout, and that the rules declare what they promise."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.parent.name for path in ROOT.glob("profiles/*/profile.yaml"))
CHOSEN = [name for name in NAMES if name != "default"]
BATCHED = [name for name in CHOSEN if name != "gpu"]  # the profiles of a batch system
PLUGINS = {name: importlib.util.find_spec(f"snakemake_executor_plugin_{name}") for name in ("slurm", "htcondor")}
BLOCKS = {
    *("throws_{simulation}", "draws_{study}", "draws_{xsec}", "compared_{study}", "fits_{sample}"),
    *("tune_{tune}", "observed_{tune}"),
}
# The options of an executor that is not installed, as its version 0.2.1 names them.
HTCONDOR_OPTIONS = {"htcondor-jobdir", "htcondor-shared-fs-prefixes", "htcondor-held-timeout"}
READ_RULES = """
import json, sys
from pathlib import Path
from snakemake import api
folder = Path(sys.argv[1])
with api.SnakemakeApi(api.OutputSettings()) as snakemake:
    workflow = snakemake.workflow(
        snakefile=folder / "Snakefile",
        config_settings=api.ConfigSettings(configfiles=[folder / "config/smoke.yaml"]),
        resource_settings=api.ResourceSettings(cores=1),
        storage_settings=api.StorageSettings(),
    )._workflow
    rules = {
        rule.name: {
            "runs": not rule.norun,
            "wildcards": sorted(rule.wildcard_names),
            "block": rule._group,
            "threads": rule.resources["_cores"].value,
            "resources": {
                name: [rule.resources[name].evaluate(None, attempt=attempt).value for attempt in (1, 2, 3)]
                for name in ("mem_mb", "runtime") if name in rule.resources
            },
        }
        for rule in workflow.rules
    }
print(json.dumps(rules))
"""


def profile(name):
    return yaml.safe_load((ROOT / "profiles" / name / "profile.yaml").read_text())


def options():
    """Every long option of the installed Snakemake, its executors' included, and those of the HTCondor executor."""
    from snakemake.cli import get_argument_parser

    strings = [text for action in get_argument_parser()._actions for text in action.option_strings]
    return {text[2:] for text in strings if text.startswith("--")} | HTCONDOR_OPTIONS


def environment(home):
    """The environment of a user whose home is ``home``, without settings of Snakemake's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "SNAKEMAKE_", "CONDA"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "PATH": path}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the files that git tracks, or would track, and nothing else."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip(f"no list of tracked files: {listed.stderr.strip()}")
    folder = tmp_path_factory.mktemp("checkout")
    for name in filter(None, listed.stdout.split("\0")):
        source, copy = ROOT / name, folder / name
        if source.is_symlink() or source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)
    return folder


@pytest.fixture(scope="module")
def rules(checkout, tmp_path_factory):
    """Name -> whether it runs anything, its wildcards, threads, memory (MB) and time (minutes) at attempts 1, 2, 3."""
    home = tmp_path_factory.mktemp("home")
    done = subprocess.run(
        [sys.executable, "-c", READ_RULES, str(checkout)],
        cwd=checkout, capture_output=True, text=True, env=environment(home), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


# What the files hold.


def clashes(default, other):
    return sorted(set(default) & set(other))


def unknown(keys, known):
    return sorted(set(keys) - set(known))


def test_the_profiles_are_there():
    assert {"default", "slurm", "gpu", "htcondor"} <= set(NAMES)


@pytest.mark.parametrize("name", CHOSEN)
def test_default_overrides_nothing(name):
    """The default profile wins over a chosen one, key by key: what both set would be the default's."""
    assert clashes(profile("default"), profile(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_snakemake_knows_every_key(name):
    assert unknown(profile(name), options()) == []


def test_the_checks_of_keys_can_fail():
    assert clashes(profile("default"), {**profile("slurm"), "scheduler": "ilp"}) == ["scheduler"]
    assert unknown({**profile("slurm"), "latencywait": 5}, options()) == ["latencywait"]


@pytest.mark.parametrize("name", CHOSEN)
def test_a_link_at_the_root_leads_to_the_profile(name):
    """`--profile NAME` looks in the working directory alone, not in profiles/."""
    link = ROOT / name
    assert link.is_symlink() and os.readlink(link) == f"profiles/{name}"
    assert (link / "profile.yaml").samefile(ROOT / "profiles" / name / "profile.yaml")
    # A value that is a file's name beside the profile would be turned into its path.
    assert [path.name for path in link.iterdir()] == ["profile.yaml"]


# What they name, against the rules.


def misnamed(settings, rules):
    """Rules that a profile names and nobody defines, groups that would replace the rules' blocks, and blocks without a size."""
    found = [name for key in ("set-resources", "set-threads") for name in settings.get(key, {}) if name not in rules]
    found += list(settings.get("groups", {}))
    sizes = settings.get("group-components")
    return found if sizes is None else found + sorted(set(sizes) ^ {rule["block"] for rule in rules.values() if rule["block"]})


def test_blocks_are_named_by_their_rules_wildcards(rules):
    blocks = {name: rule["block"] for name, rule in rules.items() if rule["block"]}
    assert {"simulate", "learn", "member", "posterior", "far_regions"} < set(blocks) and "train" not in blocks
    assert set(blocks.values()) == BLOCKS
    for name, block in blocks.items():
        assert set(re.findall(r"{(\w+)}", block)) <= set(rules[name]["wildcards"])


@pytest.mark.parametrize("name", NAMES)
def test_profiles_name_rules_that_exist(name, rules):
    assert misnamed(profile(name), rules) == []


def test_the_check_of_names_can_fail(rules):
    assert misnamed({"set-resources": {"trian": {"gpu": 1}}}, rules) == ["trian"]
    settings = {"groups": {"learn": "draws_{xsec}"}, "group-components": {"draws_{study}": 5, "draws_{xsec}": 5}}
    assert misnamed(settings, rules) == ["learn", *sorted(BLOCKS - {"draws_{study}", "draws_{xsec}"})]


def test_batch_systems_share_their_blocks():
    assert len({json.dumps(profile(name)["group-components"], sort_keys=True) for name in BATCHED}) == 1
    assert all(profile(name)["retries"] == 2 and profile(name)["keep-going"] for name in BATCHED)


def test_every_rule_declares_memory_and_time_that_grow(rules):
    """With the attempt, so that a retry asks for what was missing; named targets run nothing and need none."""
    running = {name: rule for name, rule in rules.items() if rule["runs"]}
    assert len(running) > 50 and "train" in running and "all" not in running
    for name, rule in running.items():
        assert set(rule["resources"]) == {"mem_mb", "runtime"}, name
        for first, second, third in rule["resources"].values():
            assert first > 0 and [second, third] == [2 * first, 3 * first], name


def too_small(settings, rules):
    """Rules for which the HTCondor profile asks less memory or time than they declare, a block's jobs one after another."""
    found = []
    blocks = {name: rule["block"] for name, rule in rules.items() if rule["block"]}
    for name, rule in rules.items():
        if not rule["runs"]:
            continue
        asked = {**settings["default-resources"], **settings["set-resources"].get(name, {})}
        group = blocks.get(name)
        shared = [n for n in blocks if group and blocks[n].split("{")[0] == group.split("{")[0]]
        jobs = settings["group-components"][group] if group else 1
        for attempt in (1, 2, 3):
            memory_mb = rule["resources"]["mem_mb"][attempt - 1]
            time_s = 60 * jobs * sum(rules[n]["resources"]["runtime"][attempt - 1] for n in (shared or [name]))
            needed = {"htcondor_request_mem_mb": memory_mb, "allowed_execute_duration": time_s, "classad_MaxRuntime": time_s}
            found += [(name, key) for key, least in needed.items() if eval(asked[key], {"attempt": attempt}) < least]
    return found


def test_htcondor_asks_for_what_the_rules_declare(rules):
    """Its executor reads neither mem_mb nor runtime, and a default cannot name another resource."""
    settings = profile("htcondor")
    assert too_small(settings, rules) == []
    assert settings["cores"] >= max(rule["threads"] for rule in rules.values())
    less = {**settings["default-resources"], "htcondor_request_mem_mb": "attempt * 2000"}
    assert ("calibrate", "htcondor_request_mem_mb") in too_small({**settings, "default-resources": less}, rules)
    unset = {name: entry for name, entry in settings["set-resources"].items() if name != "learn"}
    assert ("learn", "allowed_execute_duration") in too_small({**settings, "set-resources": unset}, rules)


# That they work.


@pytest.mark.parametrize("names", [["slurm"], ["slurm", "gpu"], ["gpu"], ["htcondor"]], ids="+".join)
def test_a_fresh_checkout_plans_and_leaves_the_home_alone(checkout, names, tmp_path):
    chosen = [word for name in names for word in ("--profile", name)]
    what = ["--configfile", "config/smoke.yaml", "--quiet", "host", "--", "tuning"]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", *chosen, *what],
        cwd=checkout, capture_output=True, text=True, env=environment(tmp_path), check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    if PLUGINS.get(names[0], True) is None:
        assert done.returncode != 0 and f"invalid choice: '{names[0]}'" in said
        return
    assert done.returncode == 0, said
    assert "tuning" in said and "mem_mb=4000" in said and f"gpu={int('gpu' in names)}" in said
    # Local execution takes no shared-fs-usage, and Snakemake makes the empty folder of its cache.
    assert names[0] not in BATCHED or list(tmp_path.rglob("*")) == []
    assert [str(path) for path in tmp_path.rglob("*") if path.is_file()] == []


# The container's recipe.


def recipe():
    """The recipe's lines without comments."""
    lines = (ROOT / "envs/container.def").read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def pins(text):
    """Name -> version of everything written as NAME==VERSION; a local build such as +cpu is the same version."""
    return dict(re.findall(r"([A-Za-z0-9_.-]+)==([0-9][0-9.]*)", text))


def differing(recipe_text):
    project = pins((ROOT / "pyproject.toml").read_text())
    lock = pins((ROOT / "envs/constraints.txt").read_text())
    known = {**lock, **project}
    return sorted(name for name, version in pins(recipe_text).items() if known.get(name) != version)


def test_the_recipe_has_the_pins_of_the_project():
    lines = recipe()
    text = "\n".join(lines)
    assert differing(text) == [] and "torch" in pins(text)  # torch alone is not in the lock: its builds differ
    installs = [line for line in lines if line.startswith("pip install")]
    assert len(installs) == 2 and all("-c envs/constraints.txt" in line for line in installs)
    conda = yaml.safe_load((ROOT / "envs/nuinfer.yaml").read_text())["dependencies"]
    assert f"From: python:{conda[0].removeprefix('python=')}-slim" in lines
    copied = lines[lines.index("%files") + 1 : lines.index("%post")]
    for source, copy in (line.split() for line in copied):
        assert (ROOT / source).exists() and copy == f"/opt/nuinfer/{source}"


def test_the_check_of_the_recipe_can_fail():
    text = "\n".join(recipe())
    torch = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"][0]
    assert differing(text.replace(torch, "torch==2.12.0")) == ["torch"]
    assert differing(text + "\npip install numpy==1.26.0 zarr==3.0.0") == ["numpy", "zarr"]

"""Blocks of jobs that share one job of a cluster: no two wait for each other, and none asks for more than a day."""

import json
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPONENTS = yaml.safe_load((ROOT / "profiles/slurm/profile.yaml").read_text())["group-components"]
DAY_MIN = 24 * 60
# Names of the units (blocks and single jobs), what each needs, and the minutes that the jobs of each ask for together.
READ_UNITS = """
import json, sys
from pathlib import Path
from snakemake import api
from snakemake.settings.enums import Quietness
from snakemake.settings.types import GroupSettings
root, folder, components = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
with api.SnakemakeApi(api.OutputSettings(quiet={Quietness.ALL})) as snakemake:
    started = snakemake.workflow(
        snakefile=root / "Snakefile",
        workdir=folder,
        config_settings=api.ConfigSettings(configfiles=[Path(name) for name in sys.argv[4:]]),
        resource_settings=api.ResourceSettings(cores=1),
        storage_settings=api.StorageSettings(),
    )
    started.dag().execute_workflow(executor="dryrun", group_settings=GroupSettings(group_components=components))
    dag = started._workflow.dag
    unit = {job: str(id(dag._group.get(job, job))) for job in dag.jobs}
    needs, minutes, names = {}, {}, {}
    for job, name in unit.items():
        needs.setdefault(name, set()).update(unit[d] for d in dag._dependencies[job] if d in unit and unit[d] != name)
        minutes[name] = minutes.get(name, 0) + int(job.resources.get("runtime") or 0)
        names[name] = str(dag._group[job].groupid) if job in dag._group else job.rule.name
print(json.dumps([{name: sorted(n) for name, n in needs.items()}, minutes, names]))
"""


def units(folder, *overlays):
    """Return what each unit needs, its minutes, and its name, with Slurm's blocks and the default configuration overlaid."""
    for name in ("config", "resources"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    done = subprocess.run(
        [sys.executable, "-c", READ_UNITS, str(ROOT), str(folder), json.dumps(COMPONENTS), *map(str, overlays)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def circle(needs):
    """Return units that wait for each other, empty where there are none."""
    try:
        list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        return error.args[1]
    return []


TUNE = {"norm_ccmec": 1.66, "shape_ccmec": 1.0, "rpa_strength": 0.85}
MORE = {
    "ensembles": {
        "first": {"label": "one sample", "sample": "plain", "study": "combined", "reference": "posterior"},
        "second": {"label": "the other", "sample": "smeared", "study": "combined", "reference": "posterior"},
    },
    "studies": {"combined": {"draws": 12}},
    "observations": {f"mock_{i}": {"label": "mock", "parameters": {**TUNE, "ma_ccqe_gev": 1.0 + i / 100}} for i in range(12)},
    "tunes": {"mock": {"observations": [f"mock_{i}" for i in range(12)]}},
}
"""A study in two ensembles, with fits of both samples; a tune of more observations than a block holds."""
TOY = {"experiments": {"dune": {"partons": {"set": "les_houches_toy", "folder": None}}}}
"""Instead of a parton set that may be absent."""


@pytest.mark.parametrize(("base", "more"), [("smoke", {}), ("smoke", MORE), ("paper", TOY)], ids=["smoke", "more", "paper"])
def test_no_two_blocks_wait_for_each_other(tmp_path, base, more):
    overlay = tmp_path / "more.yaml"
    overlay.write_text(json.dumps(more), encoding="utf-8")  # JSON is YAML
    needs, minutes, names = units(tmp_path, ROOT / f"config/{base}.yaml", overlay)
    assert circle(needs) == []
    kinds = {name.split("_")[0] for name in names.values()}
    assert {"draws", "compared", "fits", "tune", "observed", "throws"} <= kinds
    assert 60 < max(minutes.values()) <= DAY_MIN


def test_the_check_of_waiting_can_fail():
    assert set(circle({"a": ["b"], "b": ["c"], "c": ["a"]})) == {"a", "b", "c"}

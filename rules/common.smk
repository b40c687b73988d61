# The checked configuration, and the functions by which rules read it. Nothing heavy is imported here: this file is
# parsed by every dry run.
import os
import sys
from pathlib import Path

CHECKOUT = Path(str(workflow.current_basedir)).resolve().parent
sys.path.insert(0, str(CHECKOUT / "workflow" / "src"))

from snakemake.exceptions import WorkflowError
from nuinfer.config import checked
from nuinfer.errors import InputError
from nuinfer.workflow import as_json, chunk_names, chunk_range, code_hash

# Steps find the package from the checkout as well, e.g. inside an environment that --sdm made.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [sys.path[0]] + [p for p in [os.environ.get("PYTHONPATH")] if p]
)

try:
    config = checked(config, CHECKOUT / "workflow/schemas/config.schema.yaml", Path.cwd())
except InputError as error:
    raise WorkflowError(f"configuration: {error}") from None

SEED = config["seed"]
TUNES = config["tunes"]


wildcard_constraints:
    simulation="|".join(config["simulations"]),
    measurement="|".join(config["measurements"]),
    tune="|".join(TUNES),
    observation="|".join(sorted({o for t in TUNES.values() for o in t["observations"]})),
    chunk=r"(train|validation|test)_\d{5}",
    member=r"\d+",


def step_settings(**settings):
    """Settings of a step as one line of JSON: what a rule's `params` compares to know whether to run again."""
    return as_json(settings)


def simulation_of(wildcards):
    return config["simulations"][TUNES[wildcards.tune]["simulation"]]


def estimator_of(wildcards):
    return config["estimators"][TUNES[wildcards.tune]["estimator"]]


def response_file(wildcards):
    return f"<results>/simulations/{TUNES[wildcards.tune]['simulation']}/response.h5"


def simulations_file(wildcards):
    return f"<results>/simulations/{TUNES[wildcards.tune]['simulation']}/simulations.h5"


def measurement_file(wildcards):
    """The tune's measurement as a list: empty where the tune has none."""
    name = TUNES[wildcards.tune].get("measurement")
    return [f"<results>/measurements/{name}.h5"] if name else []


def model_files(wildcards):
    members = estimator_of(wildcards)["members"]
    return [f"<results>/tuning/{wildcards.tune}/model_{i}/model.json" for i in range(members)]


def every_observation(pattern):
    """`pattern` for every tune and observation of the configuration."""
    return [pattern.format(tune=t, observation=o) for t, entry in TUNES.items() for o in entry["observations"]]

# The checked configuration, and the functions by which rules read it. Nothing heavy is imported here: this file is
# parsed by every dry run.
import shlex
import sys
from pathlib import Path

CHECKOUT = Path(str(workflow.current_basedir)).resolve().parent
sys.path.insert(0, str(CHECKOUT / "workflow" / "src"))

from snakemake.exceptions import WorkflowError
from nuinfer.config import checked
from nuinfer.errors import InputError
from nuinfer.workflow import as_json, chunk_names, chunk_range, code_hash

# Steps find the package in the checkout, also inside an environment that --sdm made (braces: Snakemake formats it).
shell.prefix(f"export PYTHONPATH={shlex.quote(sys.path[0])}${{{{PYTHONPATH:+:$PYTHONPATH}}}}; ")

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


def tensor_files(wildcards):
    return [path.replace("model.json", "model.safetensors") for path in model_files(wildcards)]


def every_observation(pattern):
    """`pattern` for every tune and observation of the configuration."""
    return [pattern.format(tune=t, observation=o) for t, entry in TUNES.items() for o in entry["observations"]]


def simulation_config(wildcards):
    return config["simulations"][wildcards.simulation]


def measurement_config(wildcards):
    return config["measurements"][wildcards.measurement]


def measurement_inputs(wildcards):
    """Files of the measurement; a stand-in is made from a response instead."""
    entry = measurement_config(wildcards)
    if entry["format"] == "toy":
        return [f"<results>/simulations/{entry['simulation']}/response.h5"]
    return [entry["path"], *entry.get("covariances", {}).values()]


def real_measurements(simulation):
    """Measurements, not stand-ins, of the tunes that use `simulation`."""
    used = {t["measurement"] for t in TUNES.values() if t["simulation"] == simulation and "measurement" in t}
    return sorted(m for m in used if config["measurements"][m]["format"] != "toy")


def comparison_files():
    """The configured files of the generator's sanity check that are there, and the names of those that are not."""
    files = config["report"]["comparison"]
    there = {key: path for key, path in files.items() if Path(path).is_file()}
    return there, [key for key in files if key not in there]

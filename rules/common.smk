# The checked configuration, and the functions by which rules read it. Nothing heavy is imported here: this file is
# parsed by every dry run.
import gc
import shlex
import sys
import time
from collections import Counter
from pathlib import Path

# A plan of thousands of jobs keeps every object that it makes: looking for garbage among them took a quarter of its time.
gc.set_threshold(1_000_000, 50, 100)

CHECKOUT = Path(str(workflow.current_basedir)).resolve().parent
sys.path.insert(0, str(CHECKOUT / "workflow" / "src"))

from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.enums import Quietness
from snakemake.settings.types import RerunTrigger
from nuinfer import foreign, locks, mtimes
from nuinfer.codehash import code_hash
from nuinfer.config import checked
from nuinfer.config_closure import parton_files
from nuinfer.errors import InputError
from nuinfer.progress import lines
from nuinfer.workflow import as_json, chunk_names, chunk_range

# Steps find the package in the checkout, also inside an environment that --sdm made (braces: Snakemake formats it).
# matplotlib's list of fonts is kept here: a home may be read-only on a node, and is not ours to write to.
# A prefix replaces Snakemake's own, which makes a step fail though its output goes through tee.
shell.prefix(
    f"set -euo pipefail; export PYTHONPATH={shlex.quote(sys.path[0])}${{{{PYTHONPATH:+:$PYTHONPATH}}}};"
    ' export MPLCONFIGDIR="${{MPLCONFIGDIR:-$PWD/.snakemake/matplotlib}}"; '
)

# Before Snakemake looks for locks, and in its main process alone: a job of a run must not judge the run's own.
if workflow.is_main_process:
    for line in locks.clear_stale(Path(".snakemake")):
        print(line, file=sys.stderr)

try:
    config = checked(config, CHECKOUT / "workflow/schemas/config.schema.yaml", Path.cwd())
except InputError as error:
    raise WorkflowError(f"configuration: {error}") from None

SEED = config["seed"]
TUNES = config["tunes"]
STUDIES = config["studies"]
SHOWN = [name for name, study in STUDIES.items() if not study.get("in_scan")]
EXPERIMENTS = list(dict.fromkeys(STUDIES[name]["experiment"] for name in SHOWN))
MANY = {ensemble["study"] for ensemble in config["ensembles"].values()}
# File name and title.
STUDY_FIGURES = {
    "density": "densities at both detectors",
    "marginals": "densities in one variable",
    "slices": "cross sections at fixed energies",
}
NETWORKS = ["mlp", "published", "blackbox"]


def either(names):
    """A wildcard that is one of `names`, and matches nothing for none."""
    return "|".join(names) or "none"


wildcard_constraints:
    simulation=either(config["simulations"]),
    measurement=either(config["measurements"]),
    tune=either(TUNES),
    tension=either(config["tensions"]),
    observation=either(sorted({o for t in TUNES.values() for o in t["observations"]})),
    chunk=r"(train|validation|test)_\d{5}",
    member=r"\d+",
    experiment=either(config["experiments"]),
    study=either(STUDIES),
    draw=r"\d+",
    part=r"\d+",
    sample=either(config["far_samples"]),
    xsec=either(["true", *STUDIES]),
    fit=either(config["fits"]),
    ensemble=either(config["ensembles"]),
    scan=either(config["scans"]),


def grows(amount):
    """A resource that grows with the attempt: what was too little for a job is not tried again."""
    return lambda wildcards, attempt: amount * attempt


def block(name):
    """Name of the jobs that share one job of a cluster, as many as the profile's group-components says; none inside it."""
    return None if workflow.remote_exec else name


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
    """Files of the measurement; a stand-in is made from a response instead, a slice from the whole."""
    entry = measurement_config(wildcards)
    if entry["format"] == "toy":
        return [f"<results>/simulations/{entry['simulation']}/response.h5"]
    if entry["format"] == "slice":
        return [f"<results>/measurements/{entry['of']}.h5"]
    return [entry["path"], *entry.get("covariances", {}).values()]


def real_measurements(simulation):
    """Measurements, not stand-ins, of the tunes that use `simulation`."""
    used = {t["measurement"] for t in TUNES.values() if t["simulation"] == simulation and "measurement" in t}
    return sorted(m for m in used if config["measurements"][m]["format"] not in ("toy", "slice"))


def comparison_files():
    """The configured files of the generator's sanity check that are there, and the names of those that are not."""
    files = config["report"]["comparison"]
    there = {key: path for key, path in files.items() if Path(path).is_file()}
    return there, [key for key in files if key not in there]


def experiment_config(wildcards):
    return config["experiments"][wildcards.experiment]


def experiment_settings(name):
    """What decides an experiment's operator; its truth has the parton set and what goes with it besides."""
    keys = ("enu_range_gev", "antineutrino", "target", "grid", "mesh", "phase_gev")
    entry = config["experiments"][name]
    flux = {k: v for k, v in entry["flux"].items() if k != "path"}
    return {"flux": flux, **{k: entry[k] for k in keys}}


def truth_settings(name):
    entry = config["experiments"][name]
    return {**experiment_settings(name), **{k: entry[k] for k in ("partons", "f1", "sf_scaling")}}


def oscillation_of(wildcards):
    return config["experiments"][study_config(wildcards)["experiment"]]["oscillation"]


def study_config(wildcards):
    return STUDIES[wildcards.study]


def learner_of(study):
    return config["learners"][STUDIES[study]["learner"]]


def operator_file(wildcards):
    return f"<results>/experiments/{study_config(wildcards)['experiment']}/operator.h5"


def truth_file(wildcards):
    return f"<results>/experiments/{study_config(wildcards)['experiment']}/truth.h5"


def learn_inputs(wildcards):
    """One function for all inputs of a draw: thousands of draws are planned. `flux_shapes` is empty where no flux varies."""
    study = study_config(wildcards)
    folder = f"<results>/experiments/{study['near_experiment']}"
    shapes = [config["experiments"][study["experiment"]]["flux_shapes"]] if "flux" in study["varies"] else []
    return {"truth": f"{folder}/truth.h5", "operator": f"{folder}/operator.h5", "flux_shapes": shapes}


def learn_settings(wildcards):
    study = study_config(wildcards)
    return step_settings(
        learner=learner_of(wildcards.study),
        study=wildcards.study,
        experiment=study["experiment"],
        events=study.get("events"),
        smearing=study.get("smearing"),
        varies=study["varies"],
        draw=int(wildcards.draw),
        seed=SEED,
    )


def compared_draws(study):
    """Draws that are compared with the truth bin by bin: the first alone of an ensemble, whose fits compare them."""
    return 1 if study in MANY else STUDIES[study]["draws"]


def every_draw(pattern):
    """`pattern` for every study that is shown and each of its compared draws."""
    return [pattern.format(study=s, draw=d) for s in SHOWN for d in range(compared_draws(s))]


def studies_of(experiment, *learners):
    """Studies of an experiment whose learner is one of the library's `learners` (all of them, for none)."""
    return [s for s in SHOWN if STUDIES[s]["experiment"] == experiment and (not learners or learner_of(s)["name"] in learners)]


def side_by_side(experiment, *learners):
    """Of these studies the ones that the configuration wants compared: all where it names none of them."""
    studies, wanted = studies_of(experiment, *learners), config["closure"]["side_by_side"]
    return [s for s in studies if s in wanted] or studies


def first_draws(experiment, name, *learners):
    return [f"<results>/closure/{s}/0/{name}" for s in side_by_side(experiment, *learners)]


def coverage_studies():
    return [s for s, e in STUDIES.items() if e["coverage_draws"]]


def coverage_range(wildcards):
    """First and end draw of one part of a coverage study."""
    start, size = int(wildcards.part) * config["closure"]["coverage_chunk"], config["closure"]["coverage_chunk"]
    return [start, min(start + size, study_config(wildcards)["coverage_draws"])]


def coverage_parts(wildcards):
    n = len(range(0, study_config(wildcards)["coverage_draws"], config["closure"]["coverage_chunk"]))
    return [f"<results>/closure/{wildcards.study}/coverage/{i}.h5" for i in range(n)]


def study_labels(experiment, *learners):
    return [STUDIES[s].get("label", s) for s in side_by_side(experiment, *learners)]


def experiment_label(wildcards):
    return experiment_config(wildcards).get("label", wildcards.experiment)


def closure_figures():
    """Captions of every figure of the closure studies."""
    functions = [s for s in SHOWN if learner_of(s)["name"] != "blackbox"]
    trained = [e for e in EXPERIMENTS if studies_of(e, *NETWORKS)]
    return [
        *expand("<results>/figures/closure/{study}/captions.json", study=SHOWN),
        *expand("<results>/figures/closure/{study}/functions.json", study=functions),
        *expand("<results>/figures/closure/{study}/bands.json", study=coverage_studies()),
        *expand("<results>/figures/experiments/{experiment}/total.json", experiment=EXPERIMENTS),
        *expand("<results>/figures/experiments/{experiment}/losses.json", experiment=trained),
        *(["<results>/closure_cost/cost_captions.json"] if cost_is_measured() else []),
    ]


def cost_is_measured():
    return bool(SHOWN and config["closure"]["cost_bins"])


def closure_pictures():
    """The figures that stand beside the captions of `closure_figures`, as PNG."""
    pictures = []
    for captions in closure_figures():
        folder, name = captions.rsplit("/", 1)
        names = {"captions.json": STUDY_FIGURES, "cost_captions.json": ["cost"]}.get(name, [name.removesuffix(".json")])
        pictures += [f"{folder}/{n}.png" for n in names]
    return pictures

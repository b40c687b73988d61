# How rules read the sources of throws, and the tensions between tunes, out of the configuration.
import glob

from nuinfer.config_tuning import RESPONSE_SOURCES, SECTION_OF
from nuinfer.workflow import SPLITS, state_of


def simulations_from(*sources):
    return [name for name, entry in config["simulations"].items() if entry["source"] in sources]


def tuned_simulations(*sources):
    """Simulations from these sources that a tune uses."""
    used = {tune["simulation"] for tune in TUNES.values()}
    return sorted(used & set(simulations_from(*sources)))


def section_of(wildcards):
    return SECTION_OF[simulation_config(wildcards)["source"]]


def matching(patterns):
    """Files of the patterns in a fixed order: that of the patterns, sorted within each."""
    return [path for pattern in patterns for path in sorted(glob.glob(pattern))]


def cards_beside(paths, dials):
    """The cards that `paths` take their dials from, those that are there: the reader names the others."""
    from nuinfer.tuning.sources.dial_values import FromCard

    if "card" not in dials:
        return []
    source = FromCard(tuple(dials["columns"]), dials["card"])
    return [str(card) for card in map(source.card, paths) if card.is_file()]


def production_size(wildcards):
    return sum(simulation_config(wildcards)["throws"][s] for s in SPLITS)


def n_parts(wildcards):
    """Jobs that a source's throws are read in: tables by one, files of NUISANCE in chunks."""
    entry = simulation_config(wildcards)
    if entry["source"] == "throws":
        return 1
    n = production_size(wildcards) if entry["source"] == "genie" else len(matching(entry["nuisance"]["files"]))
    return len(range(0, n, entry["throws"]["chunk"]))


def read_inputs(wildcards):
    """Tables, or the list that a production's job left of its files; NUISANCE's own files are named by a hash instead."""
    entry = simulation_config(wildcards)
    if entry["source"] == "throws":
        return matching(entry["table"]["files"])
    if entry["source"] == "genie":
        return [f"<results>/production/{wildcards.simulation}/{wildcards.part}/files.txt"]
    return [entry["nuisance"]["dials"]["table"]] if "table" in entry["nuisance"]["dials"] else []


def read_settings(wildcards):
    entry = simulation_config(wildcards)
    section = {k: v for k, v in entry[section_of(wildcards)].items() if k not in ("units", "convention")}
    common = {
        "drop_momentum_overflow": entry["bins"]["drop_momentum_overflow"],
        "on_bad_throw": entry["on_bad_throw"],
        "source": entry["source"],
    }
    if entry["source"] == "throws":
        return {**common, "table": {**section, "files": matching(section["files"])}}
    if entry["source"] == "genie":
        listed = Path(config["pathvars"]["results"], "production", wildcards.simulation, wildcards.part, "files.txt")
        dials = {"card": "{stem}.xml", "columns": genie_dials(entry)}
        absolute = entry["genie"]["convention"] == "absolute"
        part = {"list": str(listed), "sample": section["sample"], "dials": dials, "absolute": absolute}
        return {**common, "nuisance": part}
    size, files = entry["throws"]["chunk"], matching(section["files"])
    mine = files[int(wildcards.part) * size : (int(wildcards.part) + 1) * size]
    names = {"files": section["files"], "range": [int(wildcards.part) * size, int(wildcards.part) * size + len(mine)]}
    cards = state_of(cards_beside(mine, section["dials"]))
    part = {**section, **names, "state": state_of(mine), "cards": cards, "absolute": entry["nuisance"]["convention"] == "absolute"}
    return {**common, "nuisance": part}


def split_counts(wildcards):
    """Throws of every split; of a production's the train throws are what is left, since some may be bad."""
    entry = simulation_config(wildcards)
    wanted = {k: v for k, v in entry["throws"].items() if k in SPLITS}
    return {k: v for k, v in wanted.items() if k != "train" or entry["source"] != "genie"}


SOURCE_LABELS = {
    "builtin": "the built-in generator",
    "events": "the event samples",
    "throws": "the table of throws",
    "nuisance": "NUISANCE's files",
    "genie": "GENIE and NUISANCE",
}


def report_throws():
    """Throws of the sources from which as many are drawn as wanted; the others' are what was found."""
    return {
        name: {"design": "sobol", **config["simulations"][name]["throws"]}
        for name in simulations_from(*RESPONSE_SOURCES)
    }


def report_sources():
    return [
        {"name": name, "source": source, "label": SOURCE_LABELS[source]}
        for name in tuned_simulations(*SECTION_OF)
        for source in [config["simulations"][name]["source"]]
    ]


def source_label(wildcards):
    return SOURCE_LABELS[simulation_of(wildcards)["source"]]


def genie_dials(entry):
    """Names of the dials on a production's cards, in the order of the parameters."""
    from nuinfer.tuning.priors import prior_box

    return [p.dial for p in prior_box(entry["parameters"]).parameters]


def genie_of(wildcards):
    return simulation_config(wildcards)["genie"]


def genie_events_file(wildcards):
    """The events that nuiscomp reads: a user's own, or those that are generated and prepared here."""
    own = genie_of(wildcards).get("event_file")
    return own or f"<results>/production/{wildcards.simulation}/events.nuis.root"


def program_shell(name):
    """What comes before a command of GENIE or NUISANCE: their set-up, and a clear error where the program is not there."""
    from nuinfer.tuning.sources.commands import Programs, require_command

    setup = config["programs"]["setup"]
    programs = Programs(*(config["programs"][key] for key in ("gevgen", "prepare", "nuiscomp")))
    # A user's set-up script need not be fit for bash's strict mode.
    failed = "{ echo 'error: programs.setup failed: correct it in the configuration' >&2; exit 2; }"
    # Lines of their own: a set-up may end in a line end or a comment.
    made = ["set +eu", "{", setup, f"}} || {failed}", "set -eu"] if setup else []
    return "\n".join([*made, require_command(programs, name)])


def genie_settings(wildcards):
    from nuinfer.tuning.sources.commands import GenieSettings

    entry = genie_of(wildcards)
    kept = {k: entry[k] for k in ("events", "splines", "flux", "tune", "target", "probe")}
    return GenieSettings(**kept, seed=SEED, enu_range_gev=tuple(entry["enu_range_gev"]))


def part_range(wildcards):
    start, size = int(wildcards.part) * simulation_config(wildcards)["throws"]["chunk"], simulation_config(wildcards)["throws"]["chunk"]
    return [start, min(start + size, production_size(wildcards))]


def gevgen(wildcards, output):
    from nuinfer.tuning.sources.commands import gevgen_command

    return gevgen_command(genie_settings(wildcards), output, config["programs"]["gevgen"])


def prepare_events(wildcards, events, output):
    from nuinfer.tuning.sources.commands import prepare_command

    return prepare_command(genie_settings(wildcards), events, output, config["programs"]["prepare"])


def card_entry(wildcards):
    """Settings of the step `cards`: the throws of one chunk, and what their card says besides."""
    entry, genie = simulation_config(wildcards), genie_of(wildcards)
    events = genie.get("event_file") or str(Path(config["pathvars"]["results"], "production", wildcards.simulation, "events.nuis.root"))
    card = {
        "input_file": events,
        "drop_momentum_overflow": entry["bins"]["drop_momentum_overflow"],
        **{k: genie[k] for k in ("sample", "tune", "convention", "config")},
    }
    return {
        "parameters": entry["parameters"],
        "design": "random",
        "n": production_size(wildcards),
        "range": ["production", *part_range(wildcards)],
        "simulation": wildcards.simulation,
        "seed": SEED,
        "production": card,
    }


def predict_throws(wildcards, input, output):
    """The loop over one chunk's throws, and the list of its files once all are there."""
    from nuinfer.tuning.sources.commands import throws_command

    folder = Path(output).parent / "throws"
    limit = genie_of(wildcards).get("max_events")
    loop = throws_command(input.card, input.throws, folder, config["programs"]["nuiscomp"], events=input.events, max_events=limit)
    listed = f"while read -r name _; do echo {shlex.quote(str(folder))}/$name.root; done < {shlex.quote(str(input.throws))}"
    return f"{loop}\n{listed} > {shlex.quote(str(output))}"


# File name and title.
TENSION_FIGURES = {"matrix": "p-values", "calibration": "p-values of pseudo-data"}


def tension_files(pattern):
    return lambda w: [pattern.format(tune=t) for t in config["tensions"][w.tension]["tunes"]]


def tension_responses(wildcards):
    tunes = [TUNES[t] for t in config["tensions"][wildcards.tension]["tunes"]]
    return [f"<results>/simulations/{t['simulation']}/response.h5" for t in tunes]


def tension_members(wildcards):
    tunes = config["tensions"][wildcards.tension]["tunes"]
    return [config["estimators"][TUNES[t]["estimator"]]["members"] for t in tunes]


def tension_models(wildcards):
    tunes = config["tensions"][wildcards.tension]["tunes"]
    return [
        f"<results>/tuning/{tune}/model_{i}/model.json"
        for tune, n in zip(tunes, tension_members(wildcards))
        for i in range(n)
    ]


def tension_whole(wildcards):
    """The measurement that all of a tension's measurements are slices of: empty where they are not of one."""
    entries = [config["measurements"][TUNES[t]["measurement"]] for t in config["tensions"][wildcards.tension]["tunes"]]
    wholes = {entry.get("of") for entry in entries}
    return [f"<results>/measurements/{whole}.h5" for whole in wholes if len(wholes) == 1 and whole]

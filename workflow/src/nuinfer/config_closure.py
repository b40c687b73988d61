"""Checks of a configuration's closure experiments, learners and studies."""

import math
from collections.abc import Mapping
from pathlib import Path

from nuinfer.config_names import exists, refers
from nuinfer.errors import InputError


def check_closure(config: dict, root: Path) -> None:
    """Add the library's learners to the configuration's own; raise InputError for the first thing that does not fit.

    An experiment that no study and no fit uses is not looked at: its files need not be there.
    """
    from nuinfer.oscillation.nufast import phase_gev

    used = {study["experiment"] for study in config["studies"].values()}
    fitted = {name for fit in config["fits"].values() for name in fit["samples"]}
    used |= {sample["experiment"] for name, sample in config["far_samples"].items() if name in fitted}
    for name, experiment in config["experiments"].items():
        oscillation = experiment["oscillation"]
        # Rounded up to half a GeV: parameters moved within their errors keep the energy knots and all that is made on them.
        experiment["phase_gev"] = math.ceil(2.0 * phase_gev(oscillation["dm31_ev2"], oscillation["baseline_km"])) / 2.0
        if name in used:
            _check_experiment(f"experiments.{name}", experiment, config["closure"], root)
    _check_learners(config)
    for name, study in config["studies"].items():
        _check_study(f"studies.{name}", study, config)
        study["near_experiment"] = _near_experiment(f"studies.{name}", study, config)
        _check_fit(f"studies.{name}", config["learners"][study["learner"]], config["experiments"][study["near_experiment"]])
    _check_labels(config["studies"])
    for name in config["closure"].get("side_by_side", []):
        refers("closure.side_by_side", name, config["studies"])
    for name in ("closure", "experiments"):
        if name in config["tunes"]:
            raise InputError(f"tunes: the name '{name}' is taken by a folder of figures; choose another")


def _check_experiment(where: str, experiment: Mapping, closure: Mapping, root: Path) -> None:
    low, high = experiment["enu_range_gev"]
    if not low < high:
        raise InputError(f"{where}.enu_range_gev: inverted range, {low:g} is not below {high:g}")
    outside = [e for e in closure["slices_gev"] if not low <= e <= high]
    if outside:
        raise InputError(f"closure.slices_gev: {outside[0]:g} GeV is outside {where}.enu_range_gev, {low:g} to {high:g}")
    target = experiment["target"]
    if target["z"] > target["a"]:
        raise InputError(f"{where}.target: {target['z']} protons in {target['a']} nucleons")
    nucleon = target["nuclear_mass_gev"] / target["a"]
    if not 0.92 < nucleon < 0.95:
        raise InputError(
            f"{where}.target: {target['nuclear_mass_gev']:g} GeV for {target['a']} nucleons is {nucleon:.3g} GeV each; give "
            "the nucleus its own 'nuclear_mass_gev' (default: argon-40)"
        )
    exists(f"{where}.flux.path", experiment["flux"]["path"], root)
    if "flux_shapes" in experiment:
        exists(f"{where}.flux_shapes", experiment["flux_shapes"], root)
    try:
        parton_files(experiment["partons"], root)
    except InputError as error:
        raise InputError(f"{where}.partons: {error}") from None


def parton_files(partons: Mapping, root: Path | None = None) -> list[str]:
    """Return the files of a parton set, none for the one that ships; ``root`` is where a relative folder is looked up from.

    Raises InputError where a grid is not found.
    """
    from nuinfer.physics.lhapdf_files import set_files
    from nuinfer.physics.partons import TOY

    if partons["set"] == TOY:
        if len(partons) > 1:
            raise InputError(f"'{TOY}' has no member or folder; leave them out")
        return []
    folder = partons.get("folder")
    place = None if folder is None else Path(root or "", folder)
    return [str(path) for path in set_files(partons["set"], partons.get("member", 0), place)]


def _check_learners(config: dict) -> None:
    from nuinfer.closure.learn import learner_settings, learners

    for name, entry in config["learners"].items():
        entry.setdefault("name", name if name in learners() else "mlp")
        try:
            learner_settings(entry)
        except InputError as error:
            raise InputError(f"learners.{name}: {error}") from None
    for name in learners():
        config["learners"].setdefault(name, {"name": name, "members": 1})


def _check_study(where: str, study: Mapping, config: Mapping) -> None:
    refers(f"{where}.experiment", study["experiment"], config["experiments"])
    refers(f"{where}.learner", study["learner"], config["learners"])
    if study["coverage_draws"]:
        if config["learners"][study["learner"]]["name"] != "gaussian":
            raise InputError(f"{where}.coverage_draws: only the learner 'gaussian' has bands whose coverage can be measured")
        if "events" not in study:
            raise InputError(f"{where}.coverage_draws: draws need a number of 'events'")
        if "grid" in study:
            raise InputError(f"{where}.coverage_draws: coverage is measured on the experiment's own bins; leave 'grid' out")
    network = config["learners"][study["learner"]]["name"] != "gaussian"
    differ = [
        *(["near_data"] if "events" in study else []),
        *(["flux"] if "flux_shapes" in config["experiments"][study["experiment"]] else []),
        *(["seed"] if network else []),
    ]
    if study["draws"] > 1 and not set(study["varies"]) & set(differ):
        raise InputError(
            f"{where}.draws: {study['draws']} draws that vary {', '.join(study['varies']) or 'nothing'} are all the same; the "
            "exact density has no 'events' to vary, and a closed form no seed"
        )
    if "flux" in study["varies"] and "flux" not in differ:
        raise InputError(f"{where}.varies: the experiment '{study['experiment']}' has no 'flux_shapes' to draw a flux from")


def _near_experiment(where: str, study: Mapping, config: dict) -> str:
    """Return the experiment whose bins a study's learner sees: its own, or one added to the configuration for a ``grid``."""
    base = config["experiments"][study["experiment"]]
    grid = {**base["grid"], **study.get("grid", {})}
    if grid == base["grid"]:
        return study["experiment"]
    if config["learners"][study["learner"]]["name"] == "blackbox":
        raise InputError(f"{where}.grid: a black box knows only the bins that it saw; leave 'grid' out")
    name = f"{study['experiment']}_{grid['n_u']}x{grid['n_v']}"
    derived = config["experiments"].setdefault(name, {**base, "grid": grid, "grid_of": study["experiment"]})
    if derived.get("grid_of") != study["experiment"]:
        raise InputError(f"experiments: the name '{name}' is taken by the grid of {where}; choose another")
    return name


def _check_fit(where: str, learner: Mapping, experiment: Mapping) -> None:
    """A black box merges bins, and splines stand on the mesh: both must fit the experiment's."""
    from nuinfer.closure.learn import learner_settings

    settings = learner_settings(learner)[1]
    grid, mesh = experiment["grid"], experiment["mesh"]
    for n in getattr(settings, "merge", ()):
        if grid["n_u"] % n or grid["n_v"] % n:
            raise InputError(f"{where}: its learner's merge {n} does not divide the grid of {grid['n_u']} x {grid['n_v']} bins")
    for key in ("n_x", "n_q2"):
        if getattr(settings, key, 0) > mesh[key]:
            raise InputError(f"{where}: its learner's {getattr(settings, key)} splines exceed the mesh's {key}, {mesh[key]}")


def _check_labels(studies: Mapping) -> None:
    """Studies of one experiment share figures, whose legends name them."""
    seen: dict[tuple[str, str], str] = {}
    for name, study in studies.items():
        key = study["experiment"], study.get("label", name)
        if key in seen and not study.get("in_scan"):
            raise InputError(f"studies.{name}.label: '{key[1]}' is the label of {seen[key]} too; give another")
        seen[key] = name

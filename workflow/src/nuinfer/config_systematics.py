"""Checks of a configuration's systematic ensembles, and the studies that its scans stand for."""

from collections.abc import Mapping

from nuinfer.config_names import refers
from nuinfer.errors import InputError

FOLDERS = ("ensembles", "scans", "flux")
"""Folders of figures, beside the tunes'."""


def scan_points(scan: Mapping) -> list[tuple[int, int, int]]:
    """Return depth, width and bins of every point: depths at the first width, widths at the first depth, at all bins."""
    sizes = dict.fromkeys([(d, scan["width"][0]) for d in scan["depth"]] + [(scan["depth"][0], w) for w in scan["width"]])
    return [(depth, width, bins) for depth, width in sizes for bins in scan["bins"]]


def scan_study(name: str, depth: int, width: int, bins: int) -> str:
    """Return the name of the study that one point of a scan is."""
    return f"{name}_d{depth}_w{width}_b{bins}"


def expand_scans(config: dict) -> None:
    """Add the learners and studies (marked ``in_scan``) of every scan; raise InputError for a scan that does not fit."""
    from nuinfer.closure.learn import learners

    for name, scan in config["scans"].items():
        where = f"scans.{name}"
        refers(f"{where}.sample", scan["sample"], config["far_samples"])
        known = {**{k: {"name": k} for k in learners()}, **config["learners"]}
        refers(f"{where}.learner", scan["learner"], known)
        learner = known[scan["learner"]]
        kind = learner.get("name", scan["learner"] if scan["learner"] in learners() else "mlp")
        if kind not in ("mlp", "published"):
            raise InputError(f"{where}.learner: '{scan['learner']}' has no depth and width to scan; name a network (mlp)")
        for depth, width, bins in scan_points(scan):
            point = scan_study(name, depth, width, bins)
            for section in ("studies", "learners"):
                if point in config[section]:
                    raise InputError(f"{section}: the name '{point}' is taken by the scan '{name}'; choose another")
            config["learners"][point] = {**learner, "name": kind, "depth": depth, "width": width}
            config["studies"][point] = {
                "label": point,
                "experiment": config["far_samples"][scan["sample"]]["experiment"],
                "learner": point,
                "grid": {"n_u": bins, "n_v": bins},
                "draws": 1,
                "varies": [],
                "coverage_draws": 0,
                "in_scan": True,
            }


def check_ensembles(config: Mapping) -> None:
    """Raise InputError for the first ensemble that does not fit."""
    for name in FOLDERS:
        if name in config["tunes"] and (config["ensembles"] or config["scans"]):
            raise InputError(f"tunes: the name '{name}' is taken by a folder of figures; choose another")
    for name, ensemble in config["ensembles"].items():
        where = f"ensembles.{name}"
        refers(f"{where}.sample", ensemble["sample"], config["far_samples"])
        sample = config["far_samples"][ensemble["sample"]]
        for key in ("study", "reference"):
            if key in ensemble:
                refers(f"{where}.{key}", ensemble[key], config["studies"])
                other = config["studies"][ensemble[key]]["experiment"]
                if other != sample["experiment"]:
                    raise InputError(
                        f"{where}.{key}: '{ensemble[key]}' is of the experiment '{other}', "
                        f"the sample of '{sample['experiment']}'"
                    )
        if ensemble["closed_form"] or ensemble["universes"]:
            _check_linear(where, ensemble, sample, config)


def _check_linear(where: str, ensemble: Mapping, sample: Mapping, config: Mapping) -> None:
    refers(f"{where}.linear", ensemble["linear"], config["learners"])
    if config["learners"][ensemble["linear"]]["name"] != "gaussian":
        raise InputError(f"{where}.linear: '{ensemble['linear']}' has no closed form; name a learner of kind 'gaussian'")
    study = config["studies"][ensemble["study"]]
    if "events" not in study:
        raise InputError(f"{where}: closed-form systematics and universes need a study with a number of 'events'")
    if "flux" not in study["varies"]:
        raise InputError(f"{where}: closed-form systematics and universes need a study that varies the flux")
    if ensemble["universes"] and "events" not in sample:
        raise InputError(f"{where}.universes: pseudo-worlds need a truth; only samples with 'events' have one")
    grid, bins = config["experiments"][sample["experiment"]]["grid"], config["fit"]["linear_bins"]
    if grid["n_u"] % bins or grid["n_v"] % bins:
        raise InputError(f"fit.linear_bins: {bins} does not divide the experiment's {grid['n_u']} x {grid['n_v']} bins")

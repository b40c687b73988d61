"""Checks of tensions in a configuration: which tunes can be held against each other."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from nuinfer.config_names import MEASURED, refers
from nuinfer.errors import InputError


def check_tensions(config: Mapping) -> None:
    """Raise InputError for the first tension whose tunes cannot be compared."""
    for name, tension in config["tensions"].items():
        where = f"tensions.{name}.tunes"
        for tune in tension["tunes"]:
            refers(where, tune, config["tunes"])
            if MEASURED not in config["tunes"][tune]["observations"]:
                raise InputError(f"{where}: {tune} has no observation '{MEASURED}'; add it to the tune")
        tunes = [config["tunes"][t] for t in tension["tunes"]]
        priors = [config["simulations"][t["simulation"]]["parameters"] for t in tunes]
        if any(p != priors[0] for p in priors):
            raise InputError(f"{where}: the tunes' simulations have different parameters or priors; give them the same")
        labels = [config["tunes"][t].get("label", t) for t in tension["tunes"]]
        if len(set(labels)) < len(labels):
            raise InputError(f"{where}: two tunes have the same label; give each its own: {', '.join(labels)}")
        if tension["pseudo_experiments"] > config["calibration"]["events"]:
            raise InputError(
                f"tensions.{name}.pseudo_experiments: {tension['pseudo_experiments']} wanted, but held-out throws are "
                f"calibration.events = {config['calibration']['events']}"
            )
        if len({t["likelihood"] for t in tunes}) > 1:
            raise InputError(f"{where}: the tunes have different likelihoods; give them the same")
        _check_shared(where, [t["measurement"] for t in tunes], config["measurements"])


def _check_shared(where: str, names: Sequence[str], measurements: Mapping) -> None:
    """Measurements share no data, and errors all of them (as slices of one whole) or none: anything else would be ignored."""
    wholes = [measurements[name].get("of", name) for name in names]
    for name, whole in zip(names, wholes, strict=True):
        if names.count(name) > 1 or (whole == name and wholes.count(name) > 1):
            raise InputError(f"{where}: {name} would be compared with itself or a part of itself; give different measurements")
    ranges = {name: measurements[name]["cos_theta"] for name in names if "cos_theta" in measurements[name]}
    for (one, (low, high)), (other, (lower, upper)) in combinations(ranges.items(), 2):
        if measurements[one]["of"] == measurements[other]["of"] and low < upper and lower < high:
            raise InputError(f"{where}: the slices {one} and {other} overlap; give ranges of cos_theta that do not")
    if 1 < len(set(wholes)) < len(wholes):
        raise InputError(f"{where}: some measurements are slices of one, others are not; make a tension of its slices alone")

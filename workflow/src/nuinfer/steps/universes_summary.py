"""Sum up universes: how often united regions hold the truth, and what does better."""

from pathlib import Path

import numpy as np

from nuinfer.io.hdf5 import read_hdf5, write_hdf5
from nuinfer.io.jsonfile import write_json
from nuinfer.io.oscillation import read_toys
from nuinfer.io.provenance import provenance
from nuinfer.oscillation.ensemble import scatter, statistical_spread
from nuinfer.oscillation.union import least_members, union_level
from nuinfer.oscillation.union_coverage import (
    calibrated_fraction,
    complement,
    coverage_by_method,
    fraction_curves,
    gaussian_ensemble_coverage,
    gaussian_union_coverage,
)
from nuinfer.steps.cli import run
from nuinfer.steps.universes import UNIVERSES

MEMBERS = "members_"


def universes_summary(parts: list[Path], statistical: Path, metrics: Path, output: Path, settings: dict) -> None:
    """Levels of members become those of their union; ``complement`` is the rule's complement, which must not cover."""
    read = [read_hdf5(path, UNIVERSES)[0] for path in parts]
    joined = {name: np.concatenate([part[name] for part in read]) for name in read[0]}
    dm31 = joined.pop("best_dm31_ev2")
    members: dict[str, dict[str, np.ndarray]] = {}
    levels: dict[str, dict[str, np.ndarray]] = {}
    for name, values in joined.items():
        method, quantity = name.split("/")
        if method.startswith(MEMBERS):
            members.setdefault(method.removeprefix(MEMBERS), {})[quantity] = values
            levels.setdefault(f"union_{method.removeprefix(MEMBERS)}", {})[quantity] = union_level(values, axis=1)
        else:
            levels.setdefault(method, {})[quantity] = values[:, 0]
    n_members = dm31.shape[1] - 1
    point = settings["truth"]["sin2_theta23"], settings["truth"]["dm31_ev2"]
    spread = scatter(dm31, statistical_spread(read_toys(statistical), *point))
    numbers = {
        "universes": len(dm31),
        "members": n_members,
        "members_needed": {f"{n}_sigma": least_members(n, n_members) for n in (1, 2, 3)},
        "coverage": coverage_by_method(levels),
        "complement": {m: {q: complement(v) for q, v in of.items()} for m, of in members.items()},
        "calibrated": {m: {q: calibrated_fraction(v) for q, v in of.items()} for m, of in members.items()},
        "dm31_scatter": spread,
        "gaussian": {
            f"{n}_sigma": {
                "linear": float(gaussian_union_coverage(n, spread["ratio"])),
                "finite": gaussian_ensemble_coverage(n, spread["ratio"], n_members),
            }
            for n in (1, 2, 3)
        },
    }
    arrays = {f"levels/{method}/{q}": v for method, of in levels.items() for q, v in of.items()}
    for method, of in members.items():
        for quantity, values in of.items():
            curves = fraction_curves(values)
            arrays |= {f"curves/{method}/{quantity}/{name}": value for name, value in vars(curves).items()}
    record = provenance("nuinfer.steps.universes_summary", settings)
    write_hdf5(output, "universes summary", {**arrays, "best_dm31_ev2": dm31}, record, {"best_dm31_ev2": "eV^2"})
    write_json(metrics, {**numbers, "provenance": record})


if __name__ == "__main__":
    run(universes_summary)

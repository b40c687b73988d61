"""Sum up a coverage measurement: how often regions hold the truth, whether best fits are biased."""

from pathlib import Path

import numpy as np

from nuinfer.calibration.bands import simultaneous_band
from nuinfer.calibration.coverage import coverage_curve
from nuinfer.io.hdf5 import read_hdf5, write_hdf5
from nuinfer.io.jsonfile import write_json
from nuinfer.io.provenance import provenance
from nuinfer.oscillation.coverage import LEVELS, best_fit_facts, coverage_numbers
from nuinfer.steps.cli import run


def far_coverage_summary(parts: list[Path], metrics: Path, output: Path, settings: dict) -> None:
    """Join the parts; write curves for the figure and numbers for people."""
    read = [read_hdf5(path, "fit coverage")[0] for path in parts]
    joined = {name: np.concatenate([part[name] for part in read]) for name in read[0]}
    xsecs, n = settings["xsecs"], len(joined["true/sd_dm31_ev2"])
    band = simultaneous_band(n, LEVELS)
    arrays = {**joined, "levels": LEVELS, "lower": band.lower, "upper": band.upper}
    numbers: dict = {"pseudo_experiments": n}
    for xsec in xsecs:
        own = {name.removeprefix(f"{xsec}/"): value for name, value in joined.items() if name.startswith(f"{xsec}/")}
        numbers[xsec] = best_fit_facts(own, settings["oscillation"])
        covered: dict[str, dict] = {}
        for name in (name for name in own if "/" in name):
            method, quantity = name.split("/")
            arrays[f"curves/{xsec}/{name}"] = coverage_curve(own[name], LEVELS)
            covered.setdefault(method, {})[quantity] = coverage_numbers(own[name], band)
        numbers[xsec]["coverage"] = covered
    record = provenance("nuinfer.steps.far_coverage_summary", settings)
    write_hdf5(output, "fit coverage summary", arrays, record)
    write_json(metrics, {**numbers, "provenance": record})


if __name__ == "__main__":
    run(far_coverage_summary)

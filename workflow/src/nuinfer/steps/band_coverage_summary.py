"""The coverage of far-detector bands over all draws of a study."""

from pathlib import Path

import numpy as np

from nuinfer.closure.summary import coverage_summary
from nuinfer.io.hdf5 import read_hdf5, write_hdf5
from nuinfer.io.jsonfile import write_json
from nuinfer.io.provenance import provenance
from nuinfer.steps.cli import run


def band_coverage_summary(parts: list[Path], metrics: Path, output: Path, settings: dict) -> None:
    """Join the parts' draws; write numbers (``metrics``) and the curve of coverage against level (``output``)."""
    read = [read_hdf5(path, "band coverage")[0] for path in parts]
    joined = {key: np.concatenate([r[key] for r in read]) for key in read[0] if key != "share"}
    numbers, curves = coverage_summary(joined, read[0]["share"])
    record = provenance("nuinfer.steps.band_coverage_summary", settings)
    write_json(metrics, {**numbers, "events": settings["events"], "provenance": record})
    write_hdf5(output, "band coverage summary", curves, record)


if __name__ == "__main__":
    run(band_coverage_summary)

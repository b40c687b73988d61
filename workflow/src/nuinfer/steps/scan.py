"""Gather a scan of a network's size and of the number of bins: divergences at both detectors, and the oscillation metric."""

from pathlib import Path

from nuinfer.io.ensembles import read_member
from nuinfer.io.jsonfile import read_json, write_json
from nuinfer.io.provenance import provenance
from nuinfer.oscillation.paired import paired_distance
from nuinfer.steps.cli import run


def scan(reference: Path, comparisons: list[Path], members: list[Path], output: Path, settings: dict) -> None:
    """``comparisons`` and ``members`` follow ``settings["points"]``, lists of depth, width and bins."""
    true = read_member(reference)[0]["true"]
    rows = []
    for (depth, width, bins), comparison, member in zip(settings["points"], comparisons, members, strict=True):
        numbers = read_json(comparison)
        distance = paired_distance(*read_member(member)[0]["learned"].cloud, *true.cloud)
        rows.append(
            {
                "depth": depth,
                "width": width,
                "bins": bins,
                "kl_near": numbers["near"]["kl_3d"],
                "kl_far": numbers["far"]["kl_3d"],
                "metric": distance["total"],
                "distance": distance,
                "rel_l2_near": numbers["near"]["rel_l2"],
                "rel_l2_far": numbers["far"]["rel_l2"],
            }
        )
    write_json(output, {"rows": rows, "provenance": provenance("nuinfer.steps.scan", settings)})


if __name__ == "__main__":
    run(scan)

"""Compare fits side by side: every sample and cross section with the true cross section's."""

from pathlib import Path

from nuinfer.io.jsonfile import read_json, write_json
from nuinfer.io.provenance import provenance
from nuinfer.oscillation.summary import compare_fits
from nuinfer.steps.cli import run


def fit_comparison(fits: list[Path], regions: list[Path], output: Path, settings: dict) -> None:
    """Write what differs; both lists follow ``settings["entries"]``, each with its sample, cross section and label.

    ``from_true`` compares with the true cross section on the same sample, ``from_first`` with the first entry.
    """
    found = []
    for entry, fit, region in zip(settings["entries"], fits, regions, strict=True):
        found.append({**entry, "fit": _numbers(fit), "regions": _numbers(region)})
    true = {entry["sample"]: entry for entry in found if entry["xsec"] == "true"}
    for entry in found:
        entry["from_true"] = compare_fits(entry, true[entry["sample"]])
        entry["from_first"] = compare_fits(entry, found[0])
    write_json(output, {"entries": found, "provenance": provenance("nuinfer.steps.fit_comparison", settings)})


def _numbers(path: Path) -> dict:
    """Return a file's numbers without the clock's: the same fits compare to the same digits."""
    return {name: value for name, value in read_json(path).items() if name not in ("provenance", "seconds")}


if __name__ == "__main__":
    run(fit_comparison)

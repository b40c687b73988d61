"""Tabulate the built-in generator."""

from pathlib import Path

from nuinfer.steps.cli import run


def response(flux: Path, binning: Path, output: Path, settings: dict) -> None:
    """Tabulate the built-in generator's components, flux-averaged in the bins of the binning table."""
    raise SystemExit


if __name__ == "__main__":
    run(response)

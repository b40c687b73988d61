"""The figure of the training losses of an experiment's networks."""

from pathlib import Path

import numpy as np

from nuinfer.figures.closure_losses import training_losses
from nuinfer.figures.files import write_figures
from nuinfer.io.hdf5 import read_hdf5
from nuinfer.io.provenance import provenance
from nuinfer.steps.cli import run


def figure_losses(arrays: list[Path], captions: Path, settings: dict) -> None:
    """Draw ``losses`` into the folder of ``captions``; ``arrays`` follow ``settings["labels"]``."""
    shown = {label: read_hdf5(path, "closure comparison")[0] for label, path in zip(settings["labels"], arrays, strict=True)}
    figure = training_losses({label: _curve(a) for label, a in shown.items()})
    text = (
        "Losses against steps: of the near-detector density while training, and, for structure functions, of the normalised "
        "cross section in all three variables, of another scale, which no training sees; of an ensemble, its first member's. "
        f"{settings['label']}."
    )
    write_figures(captions, [("losses", figure, text)], provenance("nuinfer.steps.figure_losses", settings))


def _curve(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    curve = {"step": arrays["loss/step"], "train_loss": arrays["loss/train"], "best_step": arrays["loss/best_step"]}
    if "loss/test" in arrays:
        curve |= {"test_step": arrays["loss/test_step"], "test_loss": arrays["loss/test"]}
    return curve


if __name__ == "__main__":
    run(figure_losses)

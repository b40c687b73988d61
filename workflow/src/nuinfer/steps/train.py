"""Train one member of a tune's estimator."""

import sys
from pathlib import Path

from nuinfer.io.likelihoods import read_likelihood
from nuinfer.io.provenance import provenance
from nuinfer.io.simulations import read_simulations
from nuinfer.seeds import torch_seed
from nuinfer.steps.cli import Progress, run
from nuinfer.workflow import code_hash


def train(simulations: Path, likelihood: Path, model: Path, settings: dict) -> None:
    """Train on the simulations' train and validation throws; ``model`` is the model directory's ``model.json``."""
    from nuinfer.tuning.estimator import training
    from nuinfer.tuning.estimator.data import TrainingData
    from nuinfer.tuning.estimator.settings import estimator_settings
    from nuinfer.tuning.estimator.store import save_model

    noise, bins = read_likelihood(likelihood)
    throws = read_simulations(simulations).select(bins)
    fitted, held = throws.part("train"), throws.part("validation")
    data = TrainingData(fitted.u, fitted.prediction, held.u, held.prediction, noise)
    chosen = estimator_settings({"name": "ours", **settings["estimator"]})
    seed = torch_seed(settings["seed"], "train", settings["tune"], settings["member"])

    # Named by the code: a checkpoint of other code is never resumed.
    stem = f"checkpoint_{settings['member']}_"
    checkpoint = model.parent.with_name(f"{stem}{code_hash('nuinfer.steps.train')}.safetensors")
    for other in checkpoint.parent.glob(f"{stem}*"):
        if other != checkpoint:
            other.unlink()

    report = Progress(f"train {settings['tune']}")

    def progress(last: dict) -> None:
        if "note" in last:
            print(last["note"], file=sys.stderr)
            return
        note = "epochs, loss {training_loss:.3f}, validation {validation_loss:.3f}, {cpu_s:.0f} CPU s".format(**last)
        report(last["epoch"], last["epochs"], note)

    trained = training.train(data, chosen, seed, checkpoint, progress, discard_stale=True)
    record = provenance("nuinfer.steps.train", settings, settings["seed"])
    save_model(model.parent, trained, chosen, throws.box, seed, record)
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    run(train)

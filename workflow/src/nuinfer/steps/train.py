"""Train one member of a tune's estimator."""

from pathlib import Path

from nuinfer.codehash import code_hash
from nuinfer.device import chosen_device
from nuinfer.io.likelihoods import read_likelihood
from nuinfer.io.provenance import provenance
from nuinfer.io.simulations import read_simulations
from nuinfer.seeds import torch_seed
from nuinfer.steps.cli import Progress, note, run


def train(simulations: Path, likelihood: Path, model: Path, settings: dict, gpus: int = 0) -> None:
    """Train on the simulations' train and validation throws; ``model`` is the model directory's ``model.json``.

    ``gpus`` is what the job was granted; it decides where the networks are trained, nothing else.
    """
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
            note(last["note"])
            return
        text = "epochs, loss {training_loss:.3f}, validation {validation_loss:.3f}, {cpu_s:.0f} CPU s".format(**last)
        report(last["epoch"], last["epochs"], text)

    device = chosen_device(gpus, note)
    trained = training.train(data, chosen, seed, checkpoint, progress, discard_stale=True, device=device)
    trained_on = "cpu" if chosen.training.loop == "sbi" else device
    record = {**provenance("nuinfer.steps.train", settings, settings["seed"]), "device": trained_on}
    save_model(model.parent, trained, chosen, throws.box, seed, record)
    checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    run(train)

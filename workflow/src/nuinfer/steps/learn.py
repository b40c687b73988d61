"""Learn a cross section from near-detector data."""

from pathlib import Path

from nuinfer.closure.learn import learn as fit
from nuinfer.closure.near_data import NearProblem
from nuinfer.io.closure import read_near, write_learned
from nuinfer.io.operators import read_operator
from nuinfer.io.provenance import provenance
from nuinfer.seeds import torch_seed
from nuinfer.steps.cli import Progress, run


def learn(operator: Path, near: Path, output: Path, settings: dict) -> None:
    """Fit the learner of ``settings``; its seed is the study's and the draw's own."""
    data, flux, smearing = read_near(near)
    problem = NearProblem(read_operator(operator), flux, smearing, data)
    seed = torch_seed(settings["seed"], "learn", settings["study"], settings["draw"])
    report = Progress(f"learn {settings['study']}")
    learned, chosen = fit(problem, settings["learner"], seed, report)
    record = provenance("nuinfer.steps.learn", settings, settings["seed"])
    write_learned(output, learned, {**record, "learner_settings": chosen})


if __name__ == "__main__":
    run(learn)

"""Fit one draw of a study to far-detector events: with its learned cross section and, in its flux, with the true one."""

from pathlib import Path

import numpy as np

from nuinfer.closure.far_model import event_model
from nuinfer.closure.learned import Learned
from nuinfer.io.closure import read_learned, read_near, read_truth
from nuinfer.io.ensembles import MemberFit, write_member
from nuinfer.io.far_events import read_far_events
from nuinfer.io.operators import read_event_operator, read_operator
from nuinfer.io.provenance import provenance
from nuinfer.oscillation.fit import fit_events
from nuinfer.oscillation.likelihood import FarModel
from nuinfer.oscillation.plane import FitRange
from nuinfer.oscillation.region_methods import RegionProblem, region_methods
from nuinfer.oscillation.regions import RegionGrid
from nuinfer.oscillation.summary import fit_numbers
from nuinfer.steps.cli import Progress, run

TRAINING = ("best_loss", "noise", "target_mean_square", "starts", "chi2")
"""Facts of a training that tell whether it converged."""


def member(
    truth: Path,
    operator: Path,
    events: Path,
    at_events: Path,
    output: Path,
    settings: dict,
    near: list[Path] = (),
    learned: list[Path] = (),
) -> None:
    """Without a learned cross section this is the reference: the true one in the true flux."""
    known, folded = read_truth(truth), read_operator(operator)
    sample, at = read_far_events(events), read_event_operator(at_events)
    flux = read_near(near[0])[1] if near else known.near_flux
    true, training = Learned(w=known.w[None]), {}
    found = {"true": true} if settings["with_true"] else {}
    if learned:
        found["learned"], _ = read_learned(learned[0])
        training = {name: value for name, value in found["learned"].facts.items() if name in TRAINING}
    fits = {
        xsec: _fitted(*event_model(folded, sample, at, cross_section, flux, settings["oscillation"]), settings, xsec)
        for xsec, cross_section in found.items()
    }
    write_member(output, fits, training, provenance("nuinfer.steps.member", settings, settings["seed"]))


def _fitted(model: FarModel, bins: FarModel, settings: dict, xsec: str) -> MemberFit:
    """Bootstraps depend on the sample's draw alone, so that those of all members and of the reference are the same events."""
    allowed = FitRange(tuple(settings["sin2_theta23"]), tuple(settings["dm31_ev2"]))
    key = (settings["experiment"], settings["sample_draw"])
    fit = fit_events(model, allowed, settings["member_bootstraps"], settings["seed"], key)
    grid = RegionGrid.over(fit.plane.range, settings["n_sin2"], settings["n_dm31"])
    regions = {}
    for method in settings["member_methods"]:
        problem = RegionProblem(
            fit,
            model.kernel.shape[1],
            grid,
            bins,
            settings["toys"],
            settings["seed"],
            (settings["experiment"],),
            Progress(f"{xsec}, regions {method}"),
        )
        regions[method] = region_methods()[method](problem)[0]
    cloud = fit.cloud.best
    return MemberFit(grid, np.stack([cloud.sin2_theta23, cloud.dm31_ev2]), regions, fit_numbers(fit, model))


if __name__ == "__main__":
    run(member)

"""Draw and fit some pseudo-experiments of a coverage measurement; keep at which level their regions hold the truth."""

from pathlib import Path

import numpy as np

from nuinfer.closure.experiment import far_flux
from nuinfer.closure.far_drawing import draw_far_events
from nuinfer.closure.far_events import in_order, smeared_events
from nuinfer.closure.far_model import direct_event_model
from nuinfer.io.closure import read_truth
from nuinfer.io.hdf5 import write_hdf5
from nuinfer.io.operators import read_operator
from nuinfer.io.oscillation import read_toys
from nuinfer.io.provenance import provenance
from nuinfer.oscillation.coverage import hypotheses, levels_of_truth, score
from nuinfer.oscillation.fit import fit_events
from nuinfer.oscillation.plane import FitRange
from nuinfer.seeds import stream
from nuinfer.steps.cli import Progress, run
from nuinfer.steps.far_models import cross_section


def far_coverage(truth: Path, operator: Path, toys: list[Path], output: Path, settings: dict, learned: list[Path] = ()) -> None:
    """Fit the pseudo-experiments of ``settings["range"]`` with every cross section of ``settings["xsecs"]``.

    ``toys`` follow them; ``learned`` those that are not the true one.  Events are drawn, unbinned, from the true structure
    functions on the operator's mesh; their streams differ from those of the sample's own events.
    """
    known, folded = read_truth(truth), read_operator(operator)
    seed, sample, true = settings["seed"], settings["sample"], settings["oscillation"]
    point = true["sin2_theta23"], true["dm31_ev2"]
    flux = far_flux(known, true)
    expected = np.maximum(flux @ known.counts_by_knot, 0.0)
    files = iter(learned)
    models = [cross_section(known, [] if x == "true" else [next(files)]) for x in settings["xsecs"]]
    by_knot = [m.counts_by_knot(folded) for m in models]
    truths = [hypotheses(read_toys(path), *point) for path in toys]
    allowed = FitRange(tuple(settings["sin2_theta23"]), tuple(settings["dm31_ev2"]))
    start, end = settings["range"]
    report = Progress(f"coverage {sample}")
    rows: list[dict[str, np.ndarray | float]] = []
    for number in range(start, end):
        events, _ = draw_far_events(
            lambda x, q2: folded.mesh.interpolate(known.w, x, q2),
            known.grid, known.knots_gev, flux, expected, known.mass_gev, known.antineutrino,
            settings["events"], stream(seed, "coverage events", sample, number), energies=False,
        )  # fmt: skip
        if settings["smearing"]:
            events = smeared_events(events, settings["smearing"], known.grid, stream(seed, "coverage smearing", sample, number))
        events, row = in_order(events), {}
        for xsec, model, counts, hypothesis in zip(settings["xsecs"], models, by_knot, truths, strict=True):
            likelihood = direct_event_model(folded, events, model, counts, known.near_flux, true, settings["smearing_points"])
            fit = fit_events(likelihood, allowed, settings["coverage_bootstraps"], seed, ("coverage", sample, number))
            row |= {f"{xsec}/sin2_theta23": fit.data.sin2_theta23[0], f"{xsec}/dm31_ev2": fit.data.dm31_ev2[0]}
            row |= {f"{xsec}/loglike": fit.data.loglike[0], f"{xsec}/sd_dm31_ev2": fit.cloud.best.dm31_ev2.std()}
            row |= {f"{xsec}/widened": float(fit.widened), f"{xsec}/score": score(fit, *point)}
            for method, levels in levels_of_truth(fit, hypothesis, *point).items():
                row |= {f"{xsec}/{method}/{name}": level for name, level in levels.items()}
        rows.append(row)
        report(number + 1 - start, end - start, "pseudo-experiments")
    arrays = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    write_hdf5(output, "fit coverage", arrays, provenance("nuinfer.steps.far_coverage", settings, seed))


if __name__ == "__main__":
    run(far_coverage)

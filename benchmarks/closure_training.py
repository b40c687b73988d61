"""Time the training of structure functions, through the operator and as published, and print figures as JSON (no arguments).

The DUNE near-detector flux, 128 x 128 bins, CT18NNLO where ``../shared/data/pdf`` is there, else the toy partons.  The
published way (arXiv:2412.16303) evaluates the network at every cell of 96 energies and the bins; it takes too long here to be
run to the end: its time to the published quality is an estimate, the steps that the published settings need through the
operator, the same model up to the mesh's interpolation, times a direct step.  What the published outputs are multiplied by is
not printed: both of our choices are tried.

Quality: relative L2 distance of the shares of events in bins from the truth, near at most 1 % and far at most 3 %; no clamp of
negative cross sections.  ``cpu_s`` is the CPU time of one thread, ``wall_s`` includes what else the machine did.
"""

import json
import os
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402 - the thread count is read when numpy and torch are loaded

from nuinfer.closure.cost import operator_step_seconds  # noqa: E402
from nuinfer.closure.direct_training import DirectProblem, direct_problem, direct_step_seconds  # noqa: E402
from nuinfer.closure.experiment import Experiment, far_flux, make_experiment, make_mesh, truth_functions  # noqa: E402
from nuinfer.closure.mlp import fit_mlp  # noqa: E402
from nuinfer.closure.near_data import NearProblem, near_data, shares  # noqa: E402
from nuinfer.closure.operator import build_operator  # noqa: E402
from nuinfer.closure.settings import ENVELOPES, PUBLISHED, MlpSettings  # noqa: E402
from nuinfer.closure.truth import direct_counts  # noqa: E402
from nuinfer.oscillation.nufast import NUFIT60_NO_WITH_SK  # noqa: E402
from nuinfer.physics.kinematics import ARGON40  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
PDF_FOLDER = ROOT.parent / "shared" / "data" / "pdf"
BEST_NEAR, BEST_FAR = 0.01, 0.03
LADDER = (100, 200, 300, 500)
SEEDS = (0, 1, 2)
ROUNDS = 5


def settings(n: int, mesh: int) -> dict[str, Any]:
    grid = (PDF_FOLDER / "CT18NNLO").is_dir()
    return {
        "flux": {"column": "numu", "per_bin": False},
        "enu_range_gev": [0.25, 10.0],
        "antineutrino": False,
        "target": {"z": ARGON40.z, "a": ARGON40.a, "nuclear_mass_gev": ARGON40.nuclear_mass_gev},
        "phase_gev": 4.5,
        "partons": {"set": "CT18NNLO", "member": 0, "folder": str(PDF_FOLDER)} if grid else {"set": "les_houches_toy"},
        "f1": "callan_gross",
        "sf_scaling": "consistent",
        "grid": {"n_u": n, "n_v": n},
        "mesh": {"n_x": mesh, "n_q2": mesh},
    }


class Quality:
    """Relative L2 distances, near and far, of structure functions ``w`` ``(..., 3, n_nodes)`` from true counts by knot."""

    def __init__(self, problem: NearProblem, experiment: Experiment, truth: np.ndarray) -> None:
        fluxes = (experiment.near_flux, far_flux(experiment, asdict(NUFIT60_NO_WITH_SK)))
        self.matrices = [problem.operator.matrix(flux) for flux in fluxes]
        self.true = [shares(flux @ truth) for flux in fluxes]

    def __call__(self, w: np.ndarray) -> np.ndarray:
        columns = np.swapaxes(w, -1, -2).reshape(-1, w.shape[-1] * 3).astype(float)
        found = []
        for matrix, true in zip(self.matrices, self.true, strict=True):
            model = shares((matrix @ columns.T).T)
            found.append(np.linalg.norm(model - true, axis=1) / np.linalg.norm(true))
        return np.stack(found, axis=1)


def reached(quality: np.ndarray) -> np.ndarray:
    return (quality[..., 0] <= BEST_NEAR) & (quality[..., 1] <= BEST_FAR)


def run(problem: NearProblem, quality: Quality, steps: int) -> dict[str, Any]:
    """Train once for every seed with its own schedule; quality is the worst of the seeds, times are medians."""
    found, wall, cpu = [], [], []
    for seed in SEEDS:
        begun, started = time.process_time(), time.perf_counter()
        learned = fit_mlp(problem, replace(MlpSettings(), steps=steps), seed)
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - begun)
        found.append(quality(learned.w)[0])
    worst = np.max(found, axis=0)
    times = {"wall_s": float(np.median(wall)), "cpu_s": float(np.median(cpu))}
    return {"steps": steps, **times, "near": worst[0], "far": worst[1], "reached": bool(reached(worst))}


def published(problem: NearProblem, quality: Quality, direct_ms: float, envelope: str) -> dict[str, Any]:
    """Train with the published optimiser through the operator; find the first snapshots of given quality."""
    begun = time.process_time()
    learned = fit_mlp(problem, replace(PUBLISHED, snapshots=300, envelope=envelope), 0)
    steps = learned.curves["snapshot_step"]
    course = quality(learned.curves["snapshot_w"][0])

    def first(good: np.ndarray) -> int | None:
        return int(steps[good.argmax()]) if good.any() else None

    step = first(reached(course))
    best = quality(learned.w)[0]
    return {
        "envelope": envelope,
        "steps": PUBLISHED.steps,
        "cpu_s_through_operator": time.process_time() - begun,
        "near": best[0],
        "far": best[1],
        "least_far_of_snapshots": course[:, 1].min(),
        "first_step_near": first(course[:, 0] <= BEST_NEAR),
        "first_step_far": first(course[:, 1] <= BEST_FAR),
        "first_step_of_quality": step,
        "estimated_direct_s_to_quality": None if step is None else 1e-3 * direct_ms * step,
        "estimated_direct_s_of_all_steps": 1e-3 * direct_ms * PUBLISHED.steps,
    }


def estimates(runs: list[dict[str, Any]], papers: list[dict[str, Any]], direct_ms: float, build_s: float) -> dict[str, Any]:
    """Return estimated CPU times of the direct way to the quality over ours, with and without building the operator.

    ``same_schedule`` is what the operator brings; ``published_schedule`` is the better of ``papers`` stopped at its first
    snapshot of the quality, which takes the truth to know; where none reaches it, all its steps count and the factor
    ``is_at_least`` so large.  ``whole_runs``: all published steps over our default's, each as long as a user would train.
    """
    fewest = next((r for r in runs if r["reached"]), None)
    if fewest is None:
        return {"reached": False}
    needed = [p["first_step_of_quality"] for p in papers if p["first_step_of_quality"]]
    steps = {"same_schedule": fewest["steps"], "published_schedule": min(needed, default=PUBLISHED.steps)}
    direct = {name: 1e-3 * direct_ms * n for name, n in steps.items()}
    return {
        "steps": steps,
        "direct_s": direct,
        "operator_s": fewest["cpu_s"],
        "speed_up": {name: s / fewest["cpu_s"] for name, s in direct.items()},
        "speed_up_with_the_build": {name: s / (fewest["cpu_s"] + build_s) for name, s in direct.items()},
        "is_at_least": not needed,
        "whole_runs": 1e-3 * direct_ms * PUBLISHED.steps / runs[-1]["cpu_s"],
        "whole_runs_with_the_build": 1e-3 * direct_ms * PUBLISHED.steps / (runs[-1]["cpu_s"] + build_s),
    }


def step_times(problem: NearProblem, direct: DirectProblem) -> dict[str, float]:
    """Return medians of CPU milliseconds a step; the ways take turns.  Members: one after the other, and together."""
    few = MlpSettings(steps=100, snapshots=1)
    found = {"direct": [], "operator": [], "members_1": [], "members_4": []}
    for k in range(ROUNDS):
        found["direct"].append(direct_step_seconds(direct, few, 2, k))
        found["operator"].append(operator_step_seconds(problem, few, 1, k))
        found["members_4"].append(operator_step_seconds(problem, few, 4, k) / 4.0)
        found["members_1"].append(operator_step_seconds(problem, few, 1, k))
    ms = {name: 1e3 * float(np.median(values)) for name, values in found.items()}
    return {
        "operator_step_ms": ms["operator"],
        "direct_step_ms": ms["direct"],
        "direct_over_operator": ms["direct"] / ms["operator"],
        "ms_per_step_and_member": {"one at a time": ms["members_1"], "four together": ms["members_4"]},
        "single_over_together": ms["members_1"] / ms["members_4"],
    }


def main(n: int = 128, mesh: int = 48) -> dict[str, Any]:
    entry = settings(n, mesh)
    experiment = make_experiment(entry, ROOT / "resources" / "dune_nd_fhc.csv")
    truth = direct_counts(truth_functions(entry, experiment), experiment.grid, experiment.knots_gev, experiment.mass_gev)
    begun = time.process_time()
    operator = build_operator(experiment.grid, make_mesh(experiment, mesh, mesh), experiment.knots_gev, experiment.mass_gev)
    build_s = time.process_time() - begun
    data = near_data(experiment.near_flux @ truth, None, experiment.grid.shape, None)
    problem = NearProblem(operator, experiment.near_flux, None, data)
    quality = Quality(problem, experiment, truth)
    direct = direct_problem(experiment, data, MlpSettings())
    print("problem built", file=sys.stderr, flush=True)
    steps = step_times(problem, direct)
    print("steps timed", file=sys.stderr, flush=True)
    runs = [run(problem, quality, k) for k in (*LADDER, MlpSettings().steps)]
    print("schedules run", file=sys.stderr, flush=True)
    papers = [published(problem, quality, steps["direct_step_ms"], envelope) for envelope in ENVELOPES]
    return {
        "estimates": estimates(runs, papers, steps["direct_step_ms"], build_s),
        "partons": entry["partons"]["set"],
        "bins": experiment.grid.n_bins,
        "direct_cells": len(direct.x),
        "operator_build_cpu_s": build_s,
        **steps,
        "schedules": runs,
        "published": papers,
    }


if __name__ == "__main__":
    print(json.dumps(main(), indent=2, default=float))

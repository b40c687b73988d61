"""What building the operator, a new flux and a training step cost, beside the direct training, against the number of bins.

All times are CPU times of one thread: what else runs on the machine hardly enters.
"""

import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from nuinfer.closure.direct_training import N_ENU, direct_problem, direct_step_seconds
from nuinfer.closure.envelope import envelope
from nuinfer.closure.experiment import make_experiment, make_mesh
from nuinfer.closure.mlp import fit_mlp
from nuinfer.closure.near_data import NearProblem, near_data
from nuinfer.closure.observables import LeptonGrid
from nuinfer.closure.operator import build_operator
from nuinfer.closure.settings import MlpSettings
from nuinfer.errors import InputError

STEPS = MlpSettings(steps=100, snapshots=1)
"""Enough for a network to start to learn, which :func:`fit_mlp` asks for."""
COLD = 10
"""First steps that are left out of the time."""


def measure(
    settings: Mapping[str, Any],
    flux: Path,
    bins_per_axis: Sequence[int],
    rounds: int = 3,
    n_enu: int = N_ENU,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Return :func:`cost_of_grid` of every number of bins, increasing, each in a process of its own.

    ``settings`` are an experiment's (:func:`nuinfer.closure.experiment.make_experiment`), with its mesh.  Raises InputError
    for an empty list, what the experiment refuses, and where a process ends early.
    """
    sizes = sorted(set(bins_per_axis))
    if not sizes or sizes[0] < 1:
        raise InputError(f"cost: the numbers of bins must be positive, at least one, not {list(bins_per_axis)}")
    found = []
    for i, n in enumerate(sizes):
        # The highest memory of a process never falls: grids measured in one process would share it.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            try:
                found.append(pool.submit(cost_of_grid, dict(settings), flux, n, rounds, n_enu).result())
            except BrokenProcessPool:
                raise InputError(f"cost: the process of {n} x {n} bins was ended; leave them out, or give it memory") from None
        if progress:
            progress(i + 1, len(sizes))
    return found


def cost_of_grid(
    settings: Mapping[str, Any], flux: Path, bins_per_axis: int, rounds: int = 3, n_enu: int = N_ENU
) -> dict[str, Any]:
    """Return the cost of ``bins_per_axis`` squared bins; times are medians, the two trainings take turns ``rounds`` times.

    ``build_s``, ``contract_ms`` (the matrix of a new flux), ``step_ms`` and ``direct_step_ms`` (one network, one thread),
    ``peak_mib`` of this process before the direct training and ``direct_peak_mib`` after it; sizes: ``bins``,
    ``bins_per_axis``, ``knots``, ``mesh_nodes``, ``matrix_entries``, ``direct_cells``.
    """
    experiment = make_experiment(settings, flux)
    experiment = replace(experiment, grid=LeptonGrid(bins_per_axis, bins_per_axis, experiment.grid.el_max_gev))
    mesh = make_mesh(experiment, **settings["mesh"])
    started = time.process_time()
    operator = build_operator(
        experiment.grid,
        mesh,
        experiment.knots_gev,
        experiment.mass_gev,
        experiment.antineutrino,
        settings["grid"]["points_per_axis"],
    )
    build_s = time.process_time() - started
    matrix = operator.matrix(experiment.near_flux)
    # Any positive density costs the same: no parton set is needed.
    expected = matrix @ envelope("callan_gross", *mesh.points, experiment.mass_gev).T.ravel()
    data = near_data(np.maximum(expected, 0.0), None, experiment.grid.shape, None)
    problem = NearProblem(operator, experiment.near_flux, None, data)
    contract_s = [_seconds(lambda: operator.matrix(experiment.near_flux)) for _ in range(5)]
    step_s, direct_s = [operator_step_seconds(problem, STEPS)], []
    peak_mib = _peak_mib()
    direct = direct_problem(experiment, data, STEPS, n_enu)
    for _ in range(rounds):
        direct_s.append(direct_step_seconds(direct, STEPS, 2))
        step_s.append(operator_step_seconds(problem, STEPS))
    return {
        "bins": experiment.grid.n_bins,
        "bins_per_axis": bins_per_axis,
        "knots": experiment.knots_gev.size,
        "mesh_nodes": mesh.n_nodes,
        "matrix_entries": int(matrix.nnz),
        "direct_cells": len(direct.x),
        "build_s": build_s,
        "contract_ms": 1e3 * float(np.median(contract_s)),
        "step_ms": 1e3 * float(np.median(step_s)),
        "direct_step_ms": 1e3 * float(np.median(direct_s)),
        "peak_mib": peak_mib,
        "direct_peak_mib": _peak_mib(),
    }


def operator_step_seconds(problem: NearProblem, settings: MlpSettings, members: int = 1, seed: int = 0) -> np.ndarray:
    """Return the CPU seconds ``(steps - COLD - 1,)`` of the steps of one training, of all ``members`` together.

    Raises InputError as :func:`nuinfer.closure.mlp.fit_mlp` for settings with which a network does not start to learn.
    """
    ends = []
    fit_mlp(problem, settings, seed, members, lambda *_: ends.append(time.process_time()))
    # A member that is trained again would be another training.
    return np.diff(ends[COLD : settings.steps])


def _seconds(call: Callable[[], Any]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def _peak_mib() -> float:
    """Return the highest resident memory of this process."""
    status = Path("/proc/self/status")
    if status.is_file():
        # ru_maxrss would start from the parent's: Linux keeps it when a process loads another program.
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)

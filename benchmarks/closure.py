"""Time the closure test's forward operator and print times and numerical errors as JSON (no arguments).

The grid of the main model, the DUNE near-detector flux and toy partons.  Errors are relative L2 distances of the shares of
events in the bins, near and far.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nuinfer.closure.mesh import Mesh, refined_nodes
from nuinfer.closure.near_data import shares
from nuinfer.closure.observables import LeptonGrid
from nuinfer.closure.operator import build_operator, energy_knots
from nuinfer.closure.quadrature import energy_nodes
from nuinfer.closure.truth import direct_counts
from nuinfer.oscillation.nufast import NUFIT60_NO_WITH_SK, numu_survival
from nuinfer.physics.cross_section import combination_prefactors
from nuinfer.physics.fluxes import linear_flux, read_flux
from nuinfer.physics.kinematics import ARGON40, bjorken_x, q2_gev2
from nuinfer.physics.parton_model import structure_functions
from nuinfer.physics.partons import LesHouchesToy
from nuinfer.physics.structure_function_forms import rescaled_combinations

RESOURCES = Path(__file__).parent.parent / "resources"
MASS = ARGON40.nucleon_mass_gev
ENU_RANGE_GEV = (0.25, 10.0)
LOWEST_X, LOWEST_Q2_GEV2 = 2e-3, 1e-3
"""Below them lie less than 1e-5 of the near detector's events."""


def toy(x: np.ndarray, q2: np.ndarray) -> np.ndarray:
    return rescaled_combinations(structure_functions(LesHouchesToy(), x, q2, ARGON40.z, ARGON40.a), x, q2, MASS)


def events(knots: np.ndarray, flux: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x, Q^2 and weights of near-detector events, from the quadrature of a coarse grid."""
    points, found = LeptonGrid(32, 32, knots[-1]).points(2), []
    for nodes in energy_nodes(points, knots, MASS):
        enu, el, cos = nodes.enu_gev, points.el_gev[nodes.point], points.cos_theta[nodes.point]
        x, q2 = bjorken_x(enu, el, cos, MASS), q2_gev2(enu, el, cos)
        rate = (combination_prefactors(enu, el, cos, MASS) * toy(x, q2)).sum(axis=0)
        weight = rate * nodes.weight * points.weight[nodes.point] * np.interp(enu, knots, flux)
        found.append((x, q2, np.maximum(weight, 0.0)))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def refined_mesh(n: int, x: np.ndarray, q2: np.ndarray, weight: np.ndarray) -> Mesh:
    return Mesh(refined_nodes(LOWEST_X, 1.0, n, x, weight), refined_nodes(LOWEST_Q2_GEV2, q2.max(), n, q2, weight))


def stretched_mesh(n: int, highest_q2_gev2: float) -> Mesh:
    """Nodes even in ln x + 3 x and in ln Q^2: towards x = 1, where functions fall as powers of 1 - x, even in x."""
    x = np.geomspace(LOWEST_X, 1.0, 4001)
    t = np.log(x) + 3.0 * x
    nodes = np.interp(np.linspace(t[0], t[-1], n), t, x)
    return Mesh(nodes, np.geomspace(LOWEST_Q2_GEV2, highest_q2_gev2, n))


def timed(call: Callable[[], Any], repeat: int = 1) -> tuple[Any, float]:
    """Return the result and the shortest of ``repeat`` times in seconds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - start)
    return result, min(times)


def main(n: int = 128) -> dict[str, Any]:
    linear = linear_flux(read_flux(RESOURCES / "dune_nd_fhc.csv"), ENU_RANGE_GEV)
    knots = energy_knots(*ENU_RANGE_GEV, linear.knots_gev)
    near = linear(knots)
    fluxes = {"near": near, "far": near * numu_survival(NUFIT60_NO_WITH_SK, knots)}
    grid = LeptonGrid(n, n, knots[-1])

    def errors(counts: np.ndarray, truth: np.ndarray) -> dict[str, float]:
        pairs = {name: (shares(flux @ counts), shares(flux @ truth)) for name, flux in fluxes.items()}
        return {name: float(np.linalg.norm(a - b) / np.linalg.norm(b)) for name, (a, b) in pairs.items()}

    truth, direct_s = timed(lambda: direct_counts(toy, grid, knots, MASS))
    x, q2, weight = events(knots, near)
    mesh = refined_mesh(48, x, q2, weight)
    operator, build_s = timed(lambda: build_operator(grid, mesh, knots, MASS))
    matrix, contraction_s = timed(lambda: operator.matrix(fluxes["far"]), 3)
    w = toy(*mesh.points)
    counts, forward_s = timed(lambda: matrix @ w.T.ravel(), 20)
    _, transpose_s = timed(lambda: matrix.T @ counts, 20)
    _, by_knot_s = timed(lambda: operator.counts_by_knot(w))
    # A mesh's error hardly depends on the bins; fewer save time.
    fewer = LeptonGrid(n // 2, n // 2, knots[-1])
    fewer_truth = direct_counts(toy, fewer, knots, MASS)
    interpolation = {
        name: {
            size: errors(build_operator(fewer, m, knots, MASS).counts_by_knot(toy(*m.points)), fewer_truth)
            for size, m in meshes
        }
        for name, meshes in (
            ("refined_nodes", [(s, refined_mesh(s, x, q2, weight)) for s in (32, 40, 48, 64)]),
            ("even in ln x + 3 x", [(s, stretched_mesh(s, q2.max())) for s in (32, 40, 48, 64)]),
        )
    }
    finest = direct_counts(toy, grid, knots, MASS, points_per_axis=3)
    return {
        "bins": grid.n_bins,
        "knots": knots.size,
        "mesh": mesh.shape,
        "operator_entries": operator.place.size,
        "operator_mib": sum(a.nbytes for a in (operator.value, operator.place, operator.indices)) / 2**20,
        "matrix_entries": matrix.nnz,
        "build_s": build_s,
        "new_flux_s": contraction_s,
        "forward_s": forward_s,
        "transpose_s": transpose_s,
        "counts_by_knot_s": by_knot_s,
        "direct_s": direct_s,
        "direct_over_forward": direct_s / forward_s,
        "interpolation_error": errors(operator.counts_by_knot(w), truth),
        "interpolation_error_by_mesh": {"bins": fewer.n_bins} | interpolation,
        "energy_nodes_error": errors(truth, direct_counts(toy, grid, knots, MASS, refine=2)),
        "one_point_a_bin_error": errors(direct_counts(toy, grid, knots, MASS, points_per_axis=1), finest),
        "two_points_an_axis_error": errors(truth, finest),
    }


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))

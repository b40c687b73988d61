"""Seconds per universe beside its members analysed directly: ``python benchmarks/universes.py [--slow 2]``.

The real size: DUNE's near-detector flux and its five shapes, toy partons, 128 x 128 bins of which the universes merge 2 x 2,
18 x 18 splines a function, 30 million near- and 6,200 far-detector events, 25 members with near data and a flux of their own;
one thread.  A universe is all that :func:`universe_levels` does.  Directly a member is the operator's matrix of its flux, the
Gaussian learner (hyperparameters held, or found in every member), the model of the far events and their fit, in the
128 x 128 bins and without them; this for ``--slow`` of the members, its time scaled to all.  Differences of best fits of
dm^2_31 in the lower octant are between both ways for the same data, in 2e-5 eV^2, the error of statistics alone.
"""

import argparse
import os
import time
from dataclasses import asdict
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402 - the thread count is read when numpy is loaded

from nuinfer.closure.closed_form import statistical_toys, systematic_marginal, systematic_toys  # noqa: E402
from nuinfer.closure.envelope import envelope  # noqa: E402
from nuinfer.closure.experiment import Experiment, far_flux, make_mesh, truth_functions  # noqa: E402
from nuinfer.closure.far_drawing import draw_far_events  # noqa: E402
from nuinfer.closure.far_events import FarEvents  # noqa: E402
from nuinfer.closure.far_model import event_model, event_points  # noqa: E402
from nuinfer.closure.gaussian import LEAST_COUNT, basis_on_mesh, design, fit_gaussian, scaled_functions  # noqa: E402
from nuinfer.closure.gaussian_prior import Evidence  # noqa: E402
from nuinfer.closure.learned import Learned  # noqa: E402
from nuinfer.closure.near_data import NearData, NearProblem, shares  # noqa: E402
from nuinfer.closure.observables import LeptonGrid  # noqa: E402
from nuinfer.closure.operator import PointOperator, build_operator, energy_knots, point_operator  # noqa: E402
from nuinfer.closure.settings import GaussianSettings  # noqa: E402
from nuinfer.closure.truth import Truth, direct_counts  # noqa: E402
from nuinfer.closure.universes import Ensemble, universe_levels  # noqa: E402
from nuinfer.closure.world import World, make_world  # noqa: E402
from nuinfer.oscillation.coverage import hypotheses  # noqa: E402
from nuinfer.oscillation.fit import fit_events  # noqa: E402
from nuinfer.oscillation.nufast import NUFIT60_NO_WITH_SK  # noqa: E402
from nuinfer.oscillation.optimum import octant_optima  # noqa: E402
from nuinfer.oscillation.plane import FitRange, Plane  # noqa: E402
from nuinfer.oscillation.toys import mixture_points  # noqa: E402
from nuinfer.physics.flux_shapes import read_flux_shapes  # noqa: E402
from nuinfer.physics.fluxes import linear_flux, read_flux  # noqa: E402
from nuinfer.physics.kinematics import ARGON40  # noqa: E402
from nuinfer.seeds import stream  # noqa: E402

RESOURCES = Path(__file__).parent.parent / "resources"
ENU_RANGE_GEV = (0.25, 10.0)
RANGE = FitRange((0.35, 0.65), (2.25e-3, 2.8e-3))
OSCILLATION = asdict(NUFIT60_NO_WITH_SK)
AT = (OSCILLATION["sin2_theta23"], OSCILLATION["dm31_ev2"])
NEAR_EVENTS, FAR_EVENTS, MEMBERS = 30_000_000, 6200, 25
UNIT_EV2 = 2e-5
LEARNER = GaussianSettings()


class Problem:
    """Experiment, operator, truth and far events, made once; ``at_events`` is the operator whose rows are the events."""

    def __init__(self, bins: int) -> None:
        linear = linear_flux(read_flux(RESOURCES / "dune_nd_fhc.csv"), ENU_RANGE_GEV).unit_normalised()
        knots = energy_knots(*ENU_RANGE_GEV, linear.knots_gev)
        grid = LeptonGrid(bins, bins, knots[-1])
        experiment = Experiment(grid, knots, linear(knots), ARGON40, False)
        partons = {"partons": {"set": "les_houches_toy"}, "sf_scaling": "consistent", "f1": "callan_gross"}
        functions = truth_functions(partons, experiment)
        mass, mesh = experiment.mass_gev, make_mesh(experiment, 48, 48)
        self.shapes = read_flux_shapes(RESOURCES / "dune_flux_components.csv")
        self.operator = build_operator(grid, mesh, knots, mass)
        counts = direct_counts(functions, grid, knots, mass)
        self.truth = Truth(grid, knots, experiment.near_flux, counts, functions(*mesh.points), mass, False)
        flux = far_flux(self.truth, OSCILLATION)
        rng = stream(1, "benchmark", "far events")
        drawn = draw_far_events(functions, grid, knots, flux, flux @ counts, mass, False, FAR_EVENTS, rng, energies=False)
        self.events: FarEvents = drawn[0]
        points = event_points(self.events.el_gev, self.events.cos_theta, grid, None)
        self.at_events: PointOperator = point_operator(points, FAR_EVENTS, mesh, knots, mass)
        self.expected = shares(np.maximum(experiment.near_flux @ counts, 0.0))

    def member(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the shares of member i's near data in the bins, and its flux's amplitudes."""
        rng = stream(1, "benchmark", "member", i)
        amplitudes = self.shapes.draws(1, rng)[0]
        return rng.multinomial(NEAR_EVENTS, self.expected) / NEAR_EVENTS, amplitudes


def held(near: NearProblem, theta: np.ndarray) -> Learned:
    """Return the Gaussian learner's mean for hyperparameters ``theta``, in one pass."""
    matrix, n = near.matrix(), near.operator.n_bins
    basis, axes = basis_on_mesh(near.operator.mesh.shape, LEARNER)
    shape = envelope(LEARNER.envelope, *near.operator.mesh.points, near.operator.mass_gev)
    functions = scaled_functions(matrix, shape, n)
    d, events = design(matrix, functions, basis), float(near.data.n_events)
    weight = (events / n) ** 2 / np.maximum(near.data.share * events + 1.0, LEAST_COUNT)
    weighted = np.sqrt(weight)[:, None] * d
    evidence = Evidence(weighted.T @ weighted, d.T @ (weight * near.data.share * n), *axes, LEARNER.kernel)
    mean = evidence.posterior(theta).mean.reshape(3, -1)
    return Learned(w=(functions * (mean @ basis.T))[None] / n)


def directly(problem: Problem, i: int, theta: np.ndarray | None, bootstraps: int) -> tuple[float, np.ndarray]:
    """Return member i's best dm^2_31 in the lower octant, and the logarithms of its hyperparameters."""
    share, amplitudes = problem.member(i)
    flux = problem.truth.near_flux * problem.shapes.shift(problem.truth.knots_gev, amplitudes)
    near = NearProblem(problem.operator, flux, None, NearData(share, NEAR_EVENTS))
    learned = fit_gaussian(near, LEARNER) if theta is None else held(near, theta)
    found = np.log(list(learned.facts["hyperparameters"].values())) if theta is None else theta
    model, _ = event_model(problem.operator, problem.events, problem.at_events, learned, flux, OSCILLATION)
    fit = fit_events(model, RANGE, max(1, bootstraps), 1, ("benchmark", i))
    return float(fit.data.dm31_ev2[0, 0]), found


def in_the_world(problem: Problem, world: World, n: int) -> np.ndarray:
    """Return the same of the first ``n`` members by the linear way."""
    data, amplitudes = (np.stack(a) for a in zip(*(problem.member(i) for i in range(n)), strict=True))
    grid, plane = world.merged.grid, world.far.fluxes.plane
    counts = np.bincount(grid.bin_numbers(problem.events.el_gev, problem.events.cos_theta), minlength=grid.n_bins)
    contents = world.far.contents(world.near.coefficients(world.merged.counts(data), amplitudes))
    tables = (world.far.log_table(c, a).astype(float) for c, a in zip(contents, amplitudes, strict=True))
    surfaces = np.stack([plane.coefficients((t - t.mean(axis=0)) @ counts) for t in tables])
    return octant_optima(surfaces, plane).dm31_ev2[:, 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bins", type=int, default=128)
    parser.add_argument("--merged", type=int, default=64)
    parser.add_argument("--universes", type=int, default=5)
    parser.add_argument("--toys", type=int, default=10_000)
    parser.add_argument("--draws", type=int, default=50, help="fluxes and near data of the toys with systematics")
    parser.add_argument("--bootstraps", type=int, default=200)
    parser.add_argument("--slow", type=int, default=2, help="members analysed directly, for each number of bootstraps")
    arguments = parser.parse_args()
    slow = max(1, arguments.slow)
    took: dict[str, float] = {}

    def clocked(name, call):
        start = time.perf_counter()
        found = call()
        took[name] = time.perf_counter() - start
        return found

    problem = clocked("problem", lambda: Problem(arguments.bins))
    plane = Plane.over(RANGE)
    where = problem.truth, problem.operator, problem.shapes, OSCILLATION, plane, arguments.merged
    world = clocked(
        "world", lambda: make_world(*where, NEAR_EVENTS, FAR_EVENTS, None, None, LEARNER, stream(1, "benchmark", "evidence"))
    )
    none, at = np.zeros(world.n_shifts), world.far.fluxes.at(*AT)
    near = world.near_shares(none, stream(1, "benchmark", "near"))
    marginal, table = clocked("marginal", lambda: systematic_marginal(world, near, at))
    table = table - table.mean(axis=0)
    expected = world.expected_far(none, at)
    surfaces = expected @ table.T, marginal.log_likelihood(expected, table)
    alone, wide = (mixture_points(plane.coefficients(s), plane) for s in surfaces)
    n, rng = arguments.toys, stream(1, "benchmark", "toys")
    statistical = clocked("toys", lambda: hypotheses(statistical_toys(world, alone, n, rng), *AT))
    systematic = clocked(
        "systematic toys", lambda: hypotheses(systematic_toys(world, marginal, wide, arguments.draws, n, rng), *AT)
    )
    size = f"{world.near.design.shape[1]} bins, {world.near.design.shape[2]} coefficients, {len(at[0])} modes of the far flux"
    print(f"{size}, {plane.n_sin2} x {plane.n_dm31} nodes, {len(marginal.response)} nuisances, {n} toys of each kind")
    print("once, s: " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in took.items()))

    ensemble, universe_s = Ensemble(MEMBERS, True, True), {}
    for bootstraps in (0, arguments.bootstraps):
        seconds = []
        for i in range(arguments.universes):
            start = time.perf_counter()
            given = world, marginal, statistical, systematic, AT, ensemble, bootstraps
            universe_levels(*given, stream(1, "benchmark", "universe", i))
            seconds.append(time.perf_counter() - start)
        universe_s[bootstraps] = float(np.median(seconds))
    _, theta = directly(problem, 0, None, 0)
    linear = in_the_world(problem, world, slow)
    print(f"{'way':<44}{'bootstraps':>11}{'s a universe':>14}{'ratio':>8}{'difference':>12}")
    for bootstraps, fast_s in universe_s.items():
        print(f"{f'linear, {MEMBERS} members at once':<44}{bootstraps:>11}{fast_s:>14.2f}{1.0:>8.1f}{0.0:>12.3f}")
        for name, given in (("held", theta), ("found", None)):
            start = time.perf_counter()
            direct = np.array([directly(problem, i, given, bootstraps)[0] for i in range(slow)])
            seconds = (time.perf_counter() - start) * MEMBERS / slow
            difference = np.abs(direct - linear).max() / UNIT_EV2
            name = f"direct, hyperparameters {name}, {slow} members"
            print(f"{name:<44}{bootstraps:>11}{seconds:>14.1f}{seconds / fast_s:>8.1f}{difference:>12.3f}")


if __name__ == "__main__":
    main()

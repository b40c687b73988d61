"""Ten thousand bootstraps of the far detector's fit beside scipy's optimisers: ``python benchmarks/bootstrap.py``.

A synthetic detector of the real size: 131 energy knots, 6,200 events in two observables, one thread.  Scipy climbs the
log-likelihood itself (the contraction of a resample's own events over the knots) from two starts in each octant, its middle
and beside maximal mixing, since a likelihood may have two peaks there; from one start it misses some.  This for
``--slow`` of the resamples; its time is scaled to all of them.  Differences are in standard deviations of the bootstraps of
an octant.
"""

import argparse
import os
import time
from dataclasses import asdict, replace

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402 - the thread count is read when numpy is loaded
from scipy.optimize import minimize  # noqa: E402
from scipy.special import ndtr  # noqa: E402

from nuinfer.oscillation.bootstrap import bootstrap, multiplicities  # noqa: E402
from nuinfer.oscillation.likelihood import FarModel, densities, far_model, log_table  # noqa: E402
from nuinfer.oscillation.nufast import NUFIT60_NO_WITH_SK  # noqa: E402
from nuinfer.oscillation.optimum import BLOCK  # noqa: E402
from nuinfer.oscillation.plane import FitRange, Plane  # noqa: E402
from nuinfer.seeds import stream  # noqa: E402

RANGE = FitRange((0.35, 0.65), (2.3e-3, 2.75e-3))
TRUTH = {"sin2_theta23": 0.470, "dm31_ev2": 2.513e-3}
UNIT = np.array([0.02, 2e-5])
"""About a standard deviation: scipy's steps and tolerances are in these."""
RESOLUTION = (0.30, 0.60)
METHODS = {
    "Nelder-Mead": {"method": "Nelder-Mead", "options": {"xatol": 1e-4, "fatol": 1e-8, "maxiter": 2000}},
    "L-BFGS-B": {
        "method": "L-BFGS-B",
        "jac": "3-point",
        "options": {"finite_diff_rel_step": 1e-5, "ftol": 1e-14, "gtol": 1e-4},
    },
}


def synthetic(n_events: int, n_knots: int = 131) -> FarModel:
    """Return a model of events with two observables, drawn at :data:`TRUTH`; an event is one of the bins.

    The Fisher matrix gives 0.020 and 1.7e-5 eV^2 for 6,200 events, close to 0.021 and 2.1e-5 of the parton model at DUNE.
    """
    knots = np.linspace(0.25, 10.0, n_knots)
    flux = np.exp(-0.5 * ((knots - 2.6) / 1.2) ** 2) + 0.02
    shares = []
    for width in RESOLUTION:
        edges = np.linspace(0.05, 11.0, 129)
        shares.append(np.diff(ndtr((edges - 0.75 * knots[:, None]) / (width * knots[:, None])), axis=1))
    bins = (knots[:, None, None] * shares[0][:, :, None] * shares[1][:, None, :]).reshape(n_knots, -1)
    share = densities(far_model(knots, flux, bins, bins, asdict(NUFIT60_NO_WITH_SK)), **TRUTH)
    events = stream(1, "benchmark", "events").choice(share.size, n_events, p=share / share.sum())
    return far_model(knots, flux, bins[:, events], bins, asdict(NUFIT60_NO_WITH_SK))


def climbed(model: FarModel, weights: np.ndarray, method: str) -> np.ndarray:
    """Return scipy's points ``(octant, parameter)`` for a resample's multiplicities ``(n_events,)``."""
    drawn = np.flatnonzero(weights)
    own, times = replace(model, kernel=model.kernel[:, drawn]), weights[drawn].astype(float)
    start = 2.52e-3 / UNIT[1]
    # Less a constant, as in the fast way: differences of large sums lose digits.
    level = np.log(densities(own, **TRUTH)) @ times

    def depth(p: np.ndarray) -> float:
        return level - float(np.log(densities(own, *(p * UNIT))) @ times)

    found = []
    for low, high in ((0.35, 0.5), (0.5, 0.65)):
        bounds = ((low / UNIT[0], high / UNIT[0]), tuple(end / UNIT[1] for end in RANGE.dm31_ev2))
        starts = 0.5 * (low + high), 0.5 + 0.1 * (low + high - 1.0)
        runs = [minimize(depth, (s / UNIT[0], start), bounds=bounds, **METHODS[method]) for s in starts]
        found.append(min(runs, key=lambda run: run.fun).x * UNIT)
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=6200)
    parser.add_argument("--bootstraps", type=int, default=10000)
    parser.add_argument("--slow", type=int, default=10, help="resamples that scipy fits, at most one block of them")
    arguments = parser.parse_args()
    n, slow = arguments.bootstraps, min(arguments.slow, arguments.bootstraps, BLOCK)
    model, plane = synthetic(arguments.events), Plane.over(RANGE)

    start = time.perf_counter()
    table = log_table(model, plane)
    table_s = time.perf_counter() - start
    found = bootstrap(table, plane, n, 0, "benchmark")
    fast_s = time.perf_counter() - start
    ours = np.stack([found.sin2_theta23, found.dm31_ev2], axis=-1)
    sd = ours.std(axis=0)

    print(f"{arguments.events} events, {model.knots_gev.size} knots, {plane.n_sin2} x {plane.n_dm31} nodes, {n} bootstraps")
    print(f"standard deviations, lower octant: {sd[0, 0]:.4f}, {sd[0, 1]:.2e} eV2; on the range's edge: {found.on_edge.sum()}")
    print(f"{'method':<32}{'s':>10}{'ms each':>10}{'ratio':>8}{'difference / sd':>17}")
    name = f"all at once (table {table_s:.2f} s)"
    print(f"{name:<32}{fast_s:>10.2f}{1e3 * fast_s / n:>10.3f}{1.0:>8.1f}{0.0:>17.1e}")
    weights = multiplicities(arguments.events, BLOCK, stream(0, "bootstrap", "benchmark", 0))
    for method in METHODS:
        start = time.perf_counter()
        theirs = np.stack([climbed(model, weights[k], method) for k in range(slow)])
        each_s = (time.perf_counter() - start) / slow
        difference = np.abs((theirs - ours[:slow]) / sd).max()
        name = f"scipy {method}, {slow} of them"
        print(f"{name:<32}{n * each_s:>10.1f}{1e3 * each_s:>10.3f}{n * each_s / fast_s:>8.1f}{difference:>17.1e}")


if __name__ == "__main__":
    main()

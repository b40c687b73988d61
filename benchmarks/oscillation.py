"""Survival probabilities per second beside exact diagonalisation: ``python benchmarks/oscillation.py [--energies 131]``.

Both are vectorised numpy on one thread, at the same energies and parameter points.  Diagonalisation is ``numpy.linalg.eigh``
on all Hamiltonians at once; on a grid, where only the mixing angle differs between rows, it too is done once for each
splitting and rotated by the angle.  Differences are the largest of a probability.
"""

import argparse
import os
import time
from collections.abc import Callable

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402 - the thread count is read when numpy is loaded

from nuinfer.oscillation.nufast import (  # noqa: E402
    MATTER_EV2_PER_GEV,
    NUFIT60_NO_WITH_SK,
    PHASE_GEV_PER_EV2_KM,
    Oscillation,
    numu_survival,
)


def diagonalised(o: Oscillation, enu_gev: np.ndarray, sin2_theta23: np.ndarray, dm31_ev2: np.ndarray) -> np.ndarray:
    """Return P(numu -> numu) ``(..., n_enu)`` at parameters that broadcast to ``(...)``, from eigenvectors.

    The rotation by theta_23 commutes with the potential: the Hamiltonian without it is diagonalised, for the splittings only.
    """
    s12, s13 = np.sqrt([o.sin2_theta12, o.sin2_theta13])
    c12, c13 = np.sqrt([1 - o.sin2_theta12, 1 - o.sin2_theta13])
    phase = np.exp(1j * o.delta_cp_rad)
    reactor = np.array([[c13, 0, s13 / phase], [0, 1, 0], [-s13 * phase, 0, c13]])
    u = reactor @ np.array([[c12, s12, 0], [-s12, c12, 0], [0, 0, 1]])
    vacuum = o.dm21_ev2 * np.outer(u[:, 1], u[:, 1].conj()) + dm31_ev2[..., None, None] * np.outer(u[:, 2], u[:, 2].conj())
    h = np.repeat(vacuum[..., None, :, :], enu_gev.size, axis=-3)
    h[..., 0, 0] += MATTER_EV2_PER_GEV * o.electron_fraction * o.density_g_cm3 * enu_gev
    values, v = np.linalg.eigh(h)
    s, c = (np.sqrt(x)[..., None, None] for x in (sin2_theta23, 1 - sin2_theta23))
    muon = np.abs(c * v[..., 1, :] + s * v[..., 2, :]) ** 2
    turn = np.exp(-2j * PHASE_GEV_PER_EV2_KM * o.baseline_km * values / enu_gev[:, None])
    return np.abs((muon * turn).sum(axis=-1)) ** 2


def timed(call: Callable[[], np.ndarray], repeat: int) -> tuple[np.ndarray, float]:
    """Return the result and the shortest of ``repeat`` times in seconds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - start)
    return result, min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--energies", type=int, default=131)
    parser.add_argument(
        "--points", type=int, default=2000, help="parameter points, those of a grid 50 times as many splittings"
    )
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    o, enu = NUFIT60_NO_WITH_SK, np.geomspace(0.25, 10.0, arguments.energies)
    rng, side = np.random.default_rng(1), max(2, arguments.points // 50)
    cases = {
        "scattered": (rng.uniform(0.35, 0.65, arguments.points), rng.uniform(2.3e-3, 2.75e-3, arguments.points)),
        "grid": (np.linspace(0.35, 0.65, 50)[:, None], np.linspace(2.3e-3, 2.75e-3, side)),
    }
    print(f"{'points':<11}{'method':<24}{'probabilities':>14}{'s':>9}{'per s':>11}{'ratio':>8}{'difference':>12}")
    for name, (sin2, dm31) in cases.items():
        # Bound now: the loop's variables change before a late call.
        exact, exact_s = timed(lambda a=sin2, b=dm31: diagonalised(o, enu, a, b), arguments.repeat)
        rows = [("numpy.linalg.eigh", exact, exact_s)]
        for n in (0, 1, 2):
            rows.append(
                (
                    f"NuFast, {n} Newton steps",
                    *timed(lambda a=sin2, b=dm31, n=n: numu_survival(o, enu, a, b, newton=n), arguments.repeat),
                )
            )
        for method, found, seconds in rows:
            print(
                f"{name:<11}{method:<24}{found.size:>14,}{seconds:>9.4f}{found.size / seconds:>11.2e}"
                f"{exact_s / seconds:>8.1f}{np.abs(found - exact).max():>12.1e}"
            )


if __name__ == "__main__":
    main()

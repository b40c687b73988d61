"""Where in the prior the simulation is asked for: seeded designs in the unit cube.

Train, validation and test throws are separate streams of one seed.  A design is made whole and cut afterwards, so that
its points do not depend on how it is cut into chunks.
"""

from collections.abc import Callable, Mapping

import numpy as np

from nuinfer.errors import InputError
from nuinfer.seeds import stream


def _sobol(n: int, dim: int, rng: np.random.Generator) -> np.ndarray:
    """Owen-scrambled Sobol points; ``n`` need not be a power of two, at the price of the last digit of balance."""
    from scipy.stats import qmc

    power = int(np.ceil(np.log2(max(n, 1))))
    return qmc.Sobol(dim, scramble=True, rng=rng).random_base2(power)[:n]


def _latin_hypercube(n: int, dim: int, rng: np.random.Generator) -> np.ndarray:
    from scipy.stats import qmc

    return qmc.LatinHypercube(dim, rng=rng).random(n)


def _random(n: int, dim: int, rng: np.random.Generator) -> np.ndarray:
    return rng.random((n, dim))


DESIGNS: Mapping[str, Callable[[int, int, np.random.Generator], np.ndarray]] = {
    "sobol": _sobol,
    "latin_hypercube": _latin_hypercube,
    "random": _random,
}


def throw_unit_cube(design: str, n: int, dim: int, seed: int, *key: str | int) -> np.ndarray:
    """Return ``n`` points of the unit cube ``(n, dim)`` of the stream ``key``; raise InputError for an unknown design."""
    if design not in DESIGNS:
        raise InputError(f"unknown throw design '{design}'; known: {', '.join(DESIGNS)}")
    if n < 1:
        raise InputError(f"cannot throw {n} points: give a positive number")
    return DESIGNS[design](n, dim, stream(seed, *key))


def assert_distinct(u: np.ndarray) -> None:
    """Raise InputError unless all throws ``(n, d)`` differ: a repeated throw could be in training and in test."""
    n_repeated = len(u) - len(np.unique(u, axis=0))
    if n_repeated:
        raise InputError(f"{n_repeated} of {len(u)} throws occur twice; training and test throws must be disjoint")

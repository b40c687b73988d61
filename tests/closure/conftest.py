"""A small closure problem: an argon target of toy partons in a peaked flux, on a coarse grid, built once for the folder."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from nuinfer.closure.mesh import Mesh
from nuinfer.closure.observables import LeptonGrid
from nuinfer.closure.operator import ForwardOperator, build_operator
from nuinfer.closure.truth import Combinations, direct_counts
from nuinfer.physics.kinematics import ARGON40
from nuinfer.physics.parton_model import structure_functions
from nuinfer.physics.partons import LesHouchesToy
from nuinfer.physics.structure_function_forms import StructureFunctions, rescaled_combinations

MASS = ARGON40.nucleon_mass_gev


def toy_functions(x: np.ndarray, q2_gev2: np.ndarray, antineutrino: bool = False) -> StructureFunctions:
    return structure_functions(LesHouchesToy(), x, q2_gev2, 18, 40, antineutrino)


def toy_combinations(antineutrino: bool = False) -> Combinations:
    def combinations(x: np.ndarray, q2: np.ndarray) -> np.ndarray:
        return rescaled_combinations(toy_functions(x, q2, antineutrino), x, q2, MASS, antineutrino)

    return combinations


@dataclass(frozen=True)
class Problem:
    grid: LeptonGrid
    knots_gev: np.ndarray
    flux: np.ndarray
    mesh: Mesh
    operator: ForwardOperator
    truth: np.ndarray
    mass_gev: float = MASS


@pytest.fixture(scope="session")
def problem() -> Problem:
    """8 x 8 bins, 12 knots (the first below the reach of most bins), a mesh of 24 x 24; ``truth`` is by knot."""
    knots = np.concatenate([[0.25, 0.4], np.linspace(0.6, 6.0, 10)])
    flux = np.exp(-0.5 * ((knots - 2.5) / 0.8) ** 2) + 0.05
    grid = LeptonGrid(8, 8, knots[-1])
    mesh = Mesh(np.geomspace(3e-3, 1.0, 24), np.geomspace(1e-3, 12.0, 24))
    return Problem(
        grid, knots, flux, mesh, build_operator(grid, mesh, knots, MASS), direct_counts(toy_combinations(), grid, knots, MASS)
    )


@pytest.fixture(scope="session")
def toy() -> Callable[..., Combinations]:
    return toy_combinations


@pytest.fixture(scope="session")
def toy_five() -> Callable[..., StructureFunctions]:
    """F_1 ... F_5 behind :func:`toy`."""
    return toy_functions

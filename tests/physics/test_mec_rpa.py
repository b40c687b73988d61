"""Two-nucleon knock-out and the RPA weight."""

import numpy as np
import pytest

from nuinfer.physics.constants import MUON_MASS_GEV
from nuinfer.tuning.generator.mec import M_PAIR, EmpiricalShape, ValenciaShape, total_per_energy, total_ratio
from nuinfer.tuning.generator.rpa import T2K_2017, BerpaSettings, berpa_weight


def direct_total(density, enu: float, n: int = 900) -> float:
    p = (np.arange(n) + 0.5) / n * np.sqrt(enu**2 - MUON_MASS_GEV**2)
    c, weight = np.polynomial.legendre.leggauss(150)
    grid_p, grid_c = np.meshgrid(p, c, indexing="ij")
    values = density(np.full(grid_p.size, enu), grid_p.ravel(), grid_c.ravel()).reshape(grid_p.shape)
    return float((values @ weight).sum() * p[-1] / (n - 0.5))


@pytest.mark.parametrize("shape", [ValenciaShape(), EmpiricalShape()])
def test_total_over_transfers_is_the_total_over_muons(shape: ValenciaShape | EmpiricalShape) -> None:
    """Changes variables from (p, cos theta) to (omega, q): wrong Jacobians would not agree."""
    enu = 0.8
    assert total_per_energy(shape, np.array([enu]))[0] == pytest.approx(direct_total(shape.density, enu), rel=5e-3)


@pytest.mark.parametrize("enu", [0.4, 0.7, 1.5, 5.0])
def test_both_shapes_have_one_total_at_every_energy(enu: float) -> None:
    valencia, empirical = ValenciaShape(), EmpiricalShape()
    energies = np.array([enu])
    scaled = total_ratio(energies, valencia, empirical)[0] * total_per_energy(empirical, energies)[0]
    assert scaled == pytest.approx(total_per_energy(valencia, energies)[0], rel=0.01)


def test_shapes_differ_and_are_positive(rng: np.random.Generator) -> None:
    enu, p, c = np.full(3000, 0.9), rng.uniform(0.05, 0.85, 3000), rng.uniform(-1, 1, 3000)
    a, b = ValenciaShape().density(enu, p, c), EmpiricalShape().density(enu, p, c)
    assert np.all(a >= 0) and np.all(b >= 0)
    assert np.corrcoef(a, b)[0, 1] < 0.9


def test_jacobian_of_the_empirical_shape_by_finite_differences() -> None:
    enu, p, c, h = 1.1, 0.6, 0.7, 1e-5

    def w_q2(p: float, c: float) -> np.ndarray:
        e_mu = np.hypot(p, MUON_MASS_GEV)
        q2 = 2 * enu * (e_mu - p * c) - MUON_MASS_GEV**2
        return np.array([np.sqrt(M_PAIR**2 + 2 * M_PAIR * (enu - e_mu) - q2), q2])

    columns = [(w_q2(p + h, c) - w_q2(p - h, c)) / (2 * h), (w_q2(p, c + h) - w_q2(p, c - h)) / (2 * h)]
    numeric = abs(np.linalg.det(np.stack(columns, axis=1)))
    w = w_q2(p, c)[0]
    assert 2 * enu * p * M_PAIR / w * p / np.hypot(p, MUON_MASS_GEV) == pytest.approx(numeric, rel=1e-6)


def test_total_grows_from_threshold_and_saturates() -> None:
    total = total_per_energy(ValenciaShape(), np.array([0.15, 0.4, 0.8, 3.0, 10.0]))
    assert np.all(np.diff(total[:4]) > 0)
    assert total[4] == pytest.approx(total[3], rel=0.25)


@pytest.mark.parametrize("settings", [BerpaSettings(), T2K_2017])
def test_rpa_suppresses_low_q2_and_is_smooth_at_the_joint(settings: BerpaSettings) -> None:
    assert berpa_weight(0.0, settings) == pytest.approx(settings.a)
    assert berpa_weight(50.0, settings) == pytest.approx(1.0, abs=1e-6)
    u, h = settings.u_gev2, 1e-5
    left = (berpa_weight(u, settings) - berpa_weight(u - h, settings)) / h
    right = (berpa_weight(u + h, settings) - berpa_weight(u, settings)) / h
    assert left == pytest.approx(right, abs=1e-3)
    assert np.all(berpa_weight(np.linspace(0, 3, 100), settings) > 0.5)

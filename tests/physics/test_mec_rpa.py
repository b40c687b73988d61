"""Two-nucleon knock-out and the RPA weight."""

import numpy as np
import pytest

from nuinfer.physics import form_factors as ff
from nuinfer.physics.constants import (
    COS2_CABIBBO,
    G_FERMI_GEV2,
    GEV2_TO_1E38_CM2,
    MUON_MASS_GEV,
    NUCLEON_MASS_GEV,
)
from nuinfer.physics.fermi_gas import lepton_transfer
from nuinfer.tuning.generator.mec import (
    M_PAIR,
    MEC_AXIAL_MASS_GEV,
    EmpiricalShape,
    ValenciaShape,
    total_per_energy,
    total_ratio,
)
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


@pytest.mark.parametrize("scale2", [0.7, 0.4])
@pytest.mark.parametrize(("p", "c"), [(0.5, 0.9), (0.4, 0.3), (0.3, -0.5)])
def test_empirical_shape_is_the_written_formula(p: float, c: float, scale2: float) -> None:
    """From d2sigma / dW dQ^2 of the docstring, relative to a reference point, with (s - u)^2 over M_pair^4."""
    enu = 0.9

    def written(p: float, c: float, su_unit_gev2: float = M_PAIR**2) -> float:
        e_mu, m2 = np.hypot(p, MUON_MASS_GEV), MUON_MASS_GEV**2
        q2 = 2 * enu * (e_mu - p * c) - m2
        w = np.sqrt(M_PAIR**2 + 2 * M_PAIR * (enu - e_mu) - q2)
        t = q2 / (4 * M_PAIR**2)
        a = (m2 + q2) / M_PAIR**2 * (t * (1 + t) - t**2 * (1 - t) + 4 * t**2) / (1 + t) ** 2
        su = (4 * M_PAIR * enu - q2 - m2) / su_unit_gev2
        bracket = a + su**2 * t / (4 * (1 + t))
        return np.exp(-0.5 * ((w - 2.1) / 0.05) ** 2) * q2 / (1 + q2 / scale2) ** 8 * bracket * p**2 / (w * e_mu)

    def coded(p: float, c: float) -> float:
        return EmpiricalShape(scale2_gev2=scale2).density(np.array([enu]), np.array([p]), np.array([c]))[0]

    ratio = coded(p, c) / coded(0.6, 0.6)
    assert ratio == pytest.approx(written(p, c) / written(0.6, 0.6), rel=1e-9)
    assert ratio != pytest.approx(written(p, c, 1.0) / written(0.6, 0.6, 1.0), rel=5e-3)


def test_scale_of_the_empirical_form_factor_matters() -> None:
    """GENIE's 0.4 GeV^2 makes the muon more forward than 0.7 GeV^2 would: the two are not interchangeable."""
    p, (c, weight) = np.linspace(0.01, 0.55, 200), np.polynomial.legendre.leggauss(60)
    grid_p, grid_c = np.meshgrid(p, c, indexing="ij")
    where = np.full(grid_p.size, 0.6), grid_p.ravel(), grid_c.ravel()
    mean = {}
    for scale2 in (EmpiricalShape().scale2_gev2, 0.7):
        density = EmpiricalShape(scale2_gev2=scale2).density(*where).reshape(grid_p.shape) * weight
        mean[scale2] = np.sum(density * grid_c) / np.sum(density)
    assert mean[0.4] == pytest.approx(0.33, abs=0.01) and mean[0.7] == pytest.approx(0.11, abs=0.01)


def test_valencia_lepton_factor_is_a_sum_over_helicities() -> None:
    """Transverse currents V = q G_M / 2M and A = G_A, added for one helicity of the boson and subtracted for the other."""
    shape = ValenciaShape(longitudinal=0.0)
    enu, p, c = np.array([6.0]), np.array([4.5]), np.array([0.3])
    e_mu, omega, q = lepton_transfer(enu, p, c)
    k_z = (enu**2 - enu * p * c) / q
    even = enu**2 - k_z**2 + enu * e_mu - enu * p * c
    odd = e_mu * k_z - enu * (k_z - q)
    q2 = q**2 - omega**2
    vector = q / (2 * NUCLEON_MASS_GEV) * ff.isovector_sachs(q2)[1]
    axial = ff.axial(q2, MEC_AXIAL_MASS_GEV)
    helicities = 0.5 * ((even + odd) * (vector + axial) ** 2 + (even - odd) * (vector - axial) ** 2) / (enu * e_mu)
    front = G_FERMI_GEV2**2 * COS2_CABIBBO / np.pi * p**2 * GEV2_TO_1E38_CM2 * shape.response(omega, q)
    assert shape.density(enu, p, c) == pytest.approx(front * helicities, rel=2e-3)


def test_default_rpa_is_within_the_errors_of_t2k() -> None:
    ours, errors = BerpaSettings(), {"a": 0.20, "b": 0.20, "d": 0.15}
    for name, relative in errors.items():
        assert abs(getattr(ours, name) / getattr(T2K_2017, name) - 1) < relative
    assert (ours.e_per_gev2, ours.u_gev2) == (T2K_2017.e_per_gev2, T2K_2017.u_gev2)

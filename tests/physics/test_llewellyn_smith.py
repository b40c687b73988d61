"""Free-nucleon quasielastic scattering: known values and limits."""

import numpy as np
import pytest

from nuinfer.physics import form_factors as ff
from nuinfer.physics.constants import (
    AXIAL_COUPLING,
    COS2_CABIBBO,
    G_FERMI_GEV2,
    GEV2_TO_1E38_CM2,
    MUON_MASS_GEV,
    NUCLEON_MASS_GEV,
    PION_MASS_GEV,
)
from nuinfer.physics.delta_resonance import GAMMA, GAMMA5, METRIC, slash
from nuinfer.physics.llewellyn_smith import dsigma_dq2, q2_limits_gev2


def total(enu_gev: float, ma_gev: float = 1.03, antineutrino: bool = False) -> float:
    low, high = q2_limits_gev2(enu_gev)
    x, w = np.polynomial.legendre.leggauss(120)
    q2 = low + 0.5 * (high - low) * (x + 1)
    return float(0.5 * (high - low) * w @ dsigma_dq2(enu_gev, q2, ma_gev, antineutrino=antineutrino))


def test_form_factors_at_zero_are_the_charges() -> None:
    g_e, g_m = ff.isovector_sachs(np.zeros(1))
    f1, f2 = ff.vector(np.zeros(1))
    assert g_e[0] == pytest.approx(1.0) and g_m[0] == pytest.approx(4.7059, abs=1e-3)
    assert f1[0] == pytest.approx(1.0) and f2[0] == pytest.approx(3.7059, abs=1e-3)
    assert ff.axial(0.0, 1.03) == pytest.approx(AXIAL_COUPLING)


def test_goldberger_treiman_limit_of_the_pseudoscalar() -> None:
    q2 = 1e6
    assert ff.pseudoscalar_over_axial(q2) * q2 == pytest.approx(2 * NUCLEON_MASS_GEV**2, rel=1e-4)


@pytest.mark.parametrize(("enu", "expected"), [(0.5, 0.82), (1.0, 1.08), (2.0, 1.07), (5.0, 1.00)])
def test_total_cross_section_of_a_neutron(enu: float, expected: float) -> None:
    """About 1e-38 cm^2 on the plateau, as in the compilations of Formaggio and Zeller, RMP 84 (2012) 1307."""
    assert total(enu) == pytest.approx(expected, rel=0.02)


def test_antineutrinos_scatter_less_and_the_two_meet_at_high_energy() -> None:
    ratios = [total(e, antineutrino=True) / total(e) for e in (0.5, 1.0, 5.0, 50.0)]
    assert np.all(np.diff(ratios) > 0) and ratios[0] < 0.35 and 0.95 < ratios[-1] < 1.0


def test_cross_section_grows_with_the_axial_mass() -> None:
    assert np.all(np.diff([total(1.0, ma) for ma in (0.9, 1.0, 1.1, 1.3)]) > 0)


def test_nothing_below_threshold() -> None:
    threshold = MUON_MASS_GEV + MUON_MASS_GEV**2 / (2 * NUCLEON_MASS_GEV)
    assert q2_limits_gev2(0.99 * threshold) == (0.0, 0.0)
    low, high = q2_limits_gev2(1.05 * threshold)
    assert 0 < low < high


def test_forward_limit_depends_on_the_charges_alone() -> None:
    r"""At high energy and Q^2 -> 0: G_F^2 cos^2 (F_1^2 + F_A^2) / (2 pi) = 2.1e-38 cm^2 / GeV^2."""
    value = float(dsigma_dq2(200.0, np.array([1e-4]), 1.03, lepton_mass_gev=1e-5)[0])
    assert value == pytest.approx(2.10, rel=0.02)


def traced_dsigma_dq2(enu: float, q2: float, ma: float, antineutrino: bool) -> float:
    """Contract the traces of the lepton and nucleon currents in the laboratory: no A, B and C, no formula by hand."""
    mass, m_mu, one = NUCLEON_MASS_GEV, MUON_MASS_GEV, np.eye(4)
    e_mu = enu - q2 / (2 * mass)
    p_z = (2 * enu * e_mu - q2 - m_mu**2) / (2 * enu)
    k, kp = np.array([enu, 0, 0, enu]), np.array([e_mu, np.sqrt(e_mu**2 - m_mu**2 - p_z**2), 0, p_z])
    p, q = np.array([mass, 0, 0, 0]), k - kp
    f1, f2 = (float(f) for f in ff.vector(q2))
    fa = float(ff.axial(q2, ma))
    fp = 2 * mass**2 / (PION_MASS_GEV**2 + q2) * fa
    # i sigma^{mu nu} q_nu = -(gamma^mu q-slash - q-slash gamma^mu) / 2
    tensor = [-(GAMMA[m] @ slash(q) - slash(q) @ GAMMA[m]) / 2 for m in range(4)]
    hadron = [f1 * GAMMA[m] + f2 / (2 * mass) * tensor[m] - (fa * GAMMA[m] + fp * q[m] / mass * one) @ GAMMA5 for m in range(4)]
    lepton = [GAMMA[m] @ (one + (1 if antineutrino else -1) * GAMMA5) for m in range(4)]
    bar = [[GAMMA[0] @ v.conj().T @ GAMMA[0] for v in current] for current in (lepton, hadron)]
    total = 0.0
    for m in range(4):
        for n in range(4):
            left = np.trace((slash(kp) + m_mu * one) @ lepton[m] @ slash(k) @ bar[0][n])
            right = np.trace((slash(p + q) + mass * one) @ hadron[m] @ (slash(p) + mass * one) @ bar[1][n])
            total += METRIC[m, m] * METRIC[n, n] * (left * right).real
    matrix = 0.5 * 0.5 * G_FERMI_GEV2**2 * COS2_CABIBBO * total
    return matrix / (64 * np.pi * mass**2 * enu**2) * GEV2_TO_1E38_CM2


@pytest.mark.parametrize(
    ("enu", "q2", "antineutrino"),
    [(0.3, 0.1, False), (0.7, 0.3, False), (2.0, 1.2, False), (1.0, 0.05, True), (1.0, 0.4, True)],
)
def test_closed_form_is_the_traces_of_the_currents(enu: float, q2: float, antineutrino: bool) -> None:
    closed = float(dsigma_dq2(enu, np.array([q2]), 1.1, antineutrino=antineutrino)[0])
    assert closed == pytest.approx(traced_dsigma_dq2(enu, q2, 1.1, antineutrino), rel=1e-10)
    assert closed != pytest.approx(traced_dsigma_dq2(enu, q2, 1.1, not antineutrino), rel=0.05)

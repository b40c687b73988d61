"""Free-nucleon quasielastic scattering: known values and limits."""

import numpy as np
import pytest

from nuinfer.physics import form_factors as ff
from nuinfer.physics.constants import AXIAL_COUPLING, MUON_MASS_GEV, NUCLEON_MASS_GEV
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

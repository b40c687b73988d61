"""Quasielastic scattering on a Fermi gas: a slow twin, and the limits that it must have."""

import numpy as np
import pytest

from nuinfer.physics import fermi_gas
from nuinfer.physics import form_factors as ff
from nuinfer.physics.constants import (
    COS2_CABIBBO,
    G_FERMI_GEV2,
    GEV2_TO_1E38_CM2,
    MUON_MASS_GEV,
    NUCLEON_MASS_GEV,
)
from nuinfer.physics.llewellyn_smith import axial_polynomial, dsigma_dq2, q2_limits_gev2
from nuinfer.physics.nucleus import (
    CARBON_A,
    beam_column_fm2,
    carbon_density_fm3,
    escape_column_fm2,
    global_fermi_shell,
    local_fermi_shells,
)

M = NUCLEON_MASS_GEV


def slow_twin(enu: float, p_mu: float, cos_theta: float, k_f: float, removal: float, ma: float) -> float:
    """Sum over nucleon momentum and azimuth with explicit four-vectors; the polar angle solves energy conservation."""
    e_mu = np.hypot(p_mu, MUON_MASS_GEV)
    k = np.array([enu, 0, 0, enu])
    kp = np.array([e_mu, p_mu * np.sqrt(1 - cos_theta**2), 0, p_mu * cos_theta])
    transfer = k - kp
    q = np.linalg.norm(transfer[1:])
    w = transfer[0] - removal
    z = transfer[1:] / q
    x = np.cross([0, 1, 0], z)
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    q2 = q**2 - transfer[0] ** 2
    poly, fa = axial_polynomial(np.array([q2])), ff.axial(q2, ma)
    n = 4000
    total = 0.0
    for p in (np.arange(n) + 0.5) / n * k_f:
        e = np.hypot(M, p)
        c = ((e + w) ** 2 - e**2 - q**2) / (2 * p * q)
        if abs(c) > 1 or (e + w) ** 2 - M**2 < k_f**2:
            continue
        for phi in 2 * np.pi * (np.arange(6) + 0.5) / 6:
            s = np.sqrt(1 - c * c)
            vector = p * (c * z + s * np.cos(phi) * x + s * np.sin(phi) * y)
            nucleon = np.array([e, *vector])
            both = k + kp
            su = 2 * (nucleon[0] * both[0] - nucleon[1:] @ both[1:]) - MUON_MASS_GEV**2
            a, b, cc = poly.a0 + poly.a2 * fa**2, poly.b1 * fa, poly.c0 + poly.c2 * fa**2
            bracket = float((a + b * su / M**2 + cc * su**2 / M**4)[0])
            matrix = 8 * M**4 * G_FERMI_GEV2**2 * COS2_CABIBBO * bracket
            # d^3p delta(E + w - E') / (E E') = p dp dphi / (q E)
            total += matrix * p / (q * e) * (k_f / n) * (2 * np.pi / 6)
    per_energy = 3 / (4 * np.pi * k_f**3) * p_mu / (32 * np.pi * enu) * total
    return per_energy * p_mu / e_mu * GEV2_TO_1E38_CM2


@pytest.mark.parametrize(("p_mu", "cos_theta"), [(0.75, 0.85), (0.6, 0.5), (0.42, -0.2), (0.9, 0.96)])
def test_closed_form_is_the_explicit_sum(p_mu: float, cos_theta: float) -> None:
    arguments = (np.array([1.0]), np.array([p_mu]), np.array([cos_theta]))
    fast = fermi_gas.quasielastic(*arguments, global_fermi_shell(0.22, 0.025)).at(1.1)[0]
    assert fast > 0
    assert fast == pytest.approx(slow_twin(1.0, p_mu, cos_theta, 0.22, 0.025, 1.1), rel=2e-3)


def total(enu: float, shells, pauli_blocking: bool = True, ma: float = 1.03, n: int = 500) -> float:
    p = (np.arange(n) + 0.5) / n * enu
    c, weight = np.polynomial.legendre.leggauss(120)
    grid_p, grid_c = np.meshgrid(p, c, indexing="ij")
    where = (np.full(grid_p.size, enu), grid_p.ravel(), grid_c.ravel())
    values = fermi_gas.quasielastic(*where, shells, pauli_blocking).at(ma).reshape(grid_p.shape)
    return float((values @ weight).sum() * enu / n)


def free(enu: float, ma: float = 1.03) -> float:
    low, high = q2_limits_gev2(enu)
    x, w = np.polynomial.legendre.leggauss(120)
    return float(0.5 * (high - low) * w @ dsigma_dq2(enu, low + 0.5 * (high - low) * (x + 1), ma))


def test_small_fermi_momentum_gives_the_free_nucleon() -> None:
    assert total(1.0, global_fermi_shell(0.03, 0.0), n=2500) == pytest.approx(free(1.0), rel=5e-3)


def test_pauli_blocking_and_binding_reduce_and_axial_mass_raises() -> None:
    open_, blocked = (total(0.8, global_fermi_shell(0.22, 0.0), b) for b in (False, True))
    bound = total(0.8, global_fermi_shell(0.22, 0.03))
    assert blocked < open_ and bound < blocked
    assert total(0.8, local_fermi_shells(14), ma=1.2) > total(0.8, local_fermi_shells(14), ma=1.0)


def test_blocking_acts_at_low_momentum_transfer() -> None:
    omega, q = np.array([0.012, 0.25]), np.array([0.15, 0.75])
    open_ = fermi_gas.energy_moments(omega, q, 0.22, False)[0]
    blocked = fermi_gas.energy_moments(omega, q, 0.22, True)[0]
    assert blocked[0] < 0.6 * open_[0] and blocked[1] == pytest.approx(open_[1])


def test_points_off_the_peak_are_really_zero(rng: np.random.Generator) -> None:
    shells = local_fermi_shells(14)
    enu = rng.uniform(0.2, 5.0, 4000)
    p, c = rng.uniform(0.01, 1.0, 4000) * enu, rng.uniform(-1, 1, 4000)
    values = fermi_gas.quasielastic(enu, p, c, shells).at(1.0)
    assert np.all(values[~fermi_gas.on_peak(enu, p, c, shells)] == 0)
    assert np.all(values >= -1e-12)


def test_carbon_has_twelve_nucleons() -> None:
    r = np.linspace(0, 12, 4001)
    assert np.trapezoid(4 * np.pi * r**2 * carbon_density_fm3(r), r) == pytest.approx(CARBON_A, rel=1e-6)
    column, area = beam_column_fm2()
    assert column @ area == pytest.approx(CARBON_A, rel=1e-6)
    assert local_fermi_shells(14).weight.sum() == pytest.approx(1.0)


def test_mean_way_out_is_half_the_mean_way_through() -> None:
    """A point of a chord, any way along it, sees half of the chord's matter on average."""
    column, area = beam_column_fm2()
    out, weight = escape_column_fm2()
    assert out @ weight == pytest.approx(0.5 * (column**2 @ area) / CARBON_A, rel=1e-3)


def test_shell_number_has_converged() -> None:
    coarse, fine = (total(0.7, local_fermi_shells(n), n=200) for n in (14, 28))
    assert coarse == pytest.approx(fine, rel=1e-3)


def test_size_of_carbon_and_its_mean_removal_energy() -> None:
    """The rms charge radius of 12C is 2.47 fm; the well's depth is what the docstring says."""
    r = np.linspace(0, 12, 4001)
    rho = carbon_density_fm3(r)
    assert np.sqrt(np.trapezoid(r**4 * rho, r) / np.trapezoid(r**2 * rho, r)) == pytest.approx(2.47, abs=0.02)
    shells = local_fermi_shells(28)
    assert shells.removal_gev @ shells.weight == pytest.approx(0.030, abs=0.0005)


def test_carbon_density_is_the_fourier_bessel_one() -> None:
    """Nucleons / fm^3 at 0 to 4 fm of the Fourier-Bessel analysis of 12C in the same compilation, to 4 %."""
    expected = [0.1637, 0.1649, 0.1071, 0.0309, 0.00444]
    np.testing.assert_allclose(carbon_density_fm3(np.arange(5.0)), expected, rtol=0.045)

"""The Delta(1232): traces, current conservation, sizes."""

import numpy as np
import pytest

from nuinfer.physics import delta_resonance as delta
from nuinfer.physics.constants import DELTA_MASS_GEV, MUON_MASS_GEV, NUCLEON_MASS_GEV
from nuinfer.tuning.generator.absorption import absorption_after_decay, absorption_probability, carbon_absorption_mb


@pytest.fixture(scope="module")
def splines():
    return delta.structure_splines()


def lepton_tensor(k: np.ndarray, kp: np.ndarray, mass: float) -> np.ndarray:
    """Return the trace of the lepton current, upper indices: the twin of the closed form."""
    one, g5 = np.eye(4), delta.GAMMA5
    right = [delta.slash(k) @ (one + g5) @ delta.GAMMA[n] for n in range(4)]
    left = [(delta.slash(kp) + mass * one) @ delta.GAMMA[m] @ (one - g5) for m in range(4)]
    return np.array([[np.trace(left[m] @ right[n]) for n in range(4)] for m in range(4)])


def test_gamma_matrices_anticommute() -> None:
    for m in range(4):
        for n in range(4):
            both = delta.GAMMA[m] @ delta.GAMMA[n] + delta.GAMMA[n] @ delta.GAMMA[m]
            np.testing.assert_allclose(both, 2 * delta.METRIC[m, n] * np.eye(4), atol=1e-14)


def test_vector_current_is_conserved(monkeypatch: pytest.MonkeyPatch) -> None:
    vector = {"c3v": 2.0, "c4v": -1.4, "c5v": 0.5, "c3a": 0.0, "c4a": 0.0, "c5a": 0.0, "c6a": 0.0}
    w, q2 = 1.25, 0.4
    omega = (w**2 + q2 - NUCLEON_MASS_GEV**2) / (2 * NUCLEON_MASS_GEV)
    q_low = np.array([omega, 0, 0, -np.sqrt(q2 + omega**2)])
    monkeypatch.setattr(delta, "form_factors", lambda _: vector)
    h = delta.hadron_tensor(w, q2)
    assert np.abs(q_low @ h).max() < 1e-12 * np.abs(h).max()
    monkeypatch.setattr(delta, "form_factors", lambda _: vector | {"c5a": 1.2})
    h = delta.hadron_tensor(w, q2)
    assert np.abs(q_low @ h).max() > 1e-3 * np.abs(h).max()


def test_contraction_is_the_full_trace(splines) -> None:
    enu, p_mu, c = 1.3, 0.7, 0.8
    e_mu = np.hypot(p_mu, MUON_MASS_GEV)
    q = np.sqrt(enu**2 + p_mu**2 - 2 * enu * p_mu * c)
    k_z = (enu**2 - enu * p_mu * c) / q
    k_t = np.sqrt(enu**2 - k_z**2)
    k, kp = np.array([enu, k_t, 0, k_z]), np.array([e_mu, k_t, 0, k_z - q])
    q2 = q**2 - (enu - e_mu) ** 2
    w = np.sqrt(NUCLEON_MASS_GEV**2 + 2 * NUCLEON_MASS_GEV * (enu - e_mu) - q2)
    low = delta.METRIC @ lepton_tensor(k, kp, MUON_MASS_GEV) @ delta.METRIC
    h = delta.hadron_tensor(w, q2)
    full = np.sum(low * h)
    assert abs(full.imag) < 1e-10 * abs(full.real)
    parts = np.array([h[0, 0].real, h[0, 3].real, h[3, 3].real, 0.5 * (h[1, 1] + h[2, 2]).real, h[1, 2].imag])
    args = tuple(np.array([v]) for v in (enu, p_mu, c))
    assert delta.lepton_tensor_contraction(parts[:, None], *args, MUON_MASS_GEV)[0] == pytest.approx(full.real, rel=1e-10)
    value, w_found = delta.delta_production(*args, splines)
    front = p_mu**2 / e_mu / (16 * np.pi * NUCLEON_MASS_GEV * enu)
    matrix = 0.25 * delta.G_FERMI_GEV2**2 * delta.COS2_CABIBBO * full.real
    expected = front * matrix * delta.spectral_function(w) * delta.GEV2_TO_1E38_CM2
    assert w_found[0] == pytest.approx(w)
    assert value[0] == pytest.approx(expected, rel=1e-3)


def test_spectral_function_holds_one_state() -> None:
    w = np.linspace(delta.W_MIN_GEV, delta.W_MAX_GEV - 1e-9, 20001)
    inside = np.trapezoid(2 * w * delta.spectral_function(w), w)
    assert 0.8 < inside < 1.0
    assert w[np.argmax(delta.spectral_function(w))] == pytest.approx(DELTA_MASS_GEV, abs=0.02)


def test_total_cross_section_of_delta_plus_plus(splines) -> None:
    """ANL, W < 1.4 GeV: 0.46 +- 0.05 (1.25-1.5 GeV) and 0.61 +- 0.08 (1.5-2.5 GeV), 1e-38 cm^2 on a proton; BNL found more."""
    enu, n = 1.5, 300
    p = (np.arange(n) + 0.5) / n * enu
    c, weight = np.polynomial.legendre.leggauss(80)
    grid_p, grid_c = np.meshgrid(p, c, indexing="ij")
    value, w = delta.delta_production(np.full(grid_p.size, enu), grid_p.ravel(), grid_c.ravel(), splines)
    value = np.where(w < 1.4, value, 0.0).reshape(grid_p.shape)
    assert 0.45 < 3 * float((value @ weight).sum() * enu / n) < 0.75


def test_absorption_reproduces_its_input_and_stays_a_probability() -> None:
    kinetic = np.linspace(0, 5, 200)
    probability = absorption_probability(kinetic)
    assert np.all((probability > 0) & (probability < 0.5))
    assert kinetic[np.argmax(probability)] == pytest.approx(0.165, abs=0.02)
    assert carbon_absorption_mb(np.array([0.165]))[0] == pytest.approx(170.0)
    decay = absorption_after_decay(np.array([1.232]), np.array([0.45]), np.array([0.6]))
    assert probability.min() < decay[0] < probability.max()


def test_photocouplings_of_the_delta(monkeypatch: pytest.MonkeyPatch) -> None:
    """At Q^2 = 0 the vector current alone gives A_1/2 = -0.135 and A_3/2 = -0.255 / sqrt(GeV) (Particle Data Group)."""
    weak = delta.form_factors
    monkeypatch.setattr(delta, "form_factors", lambda q2: {k: v if k.endswith("v") else 0.0 for k, v in weak(q2).items()})
    h = delta.hadron_tensor(DELTA_MASS_GEV, 0.0)
    photon = (DELTA_MASS_GEV**2 - NUCLEON_MASS_GEV**2) / (2 * DELTA_MASS_GEV)
    transverse = 0.5 * (h[1, 1] + h[2, 2]).real
    squares = 2 * np.pi / 137.036 / photon * transverse / (4 * NUCLEON_MASS_GEV * DELTA_MASS_GEV)
    assert np.sqrt(squares) == pytest.approx(np.hypot(0.135, 0.255), rel=0.05)


def test_vector_and_axial_parts_add_up_for_neutrinos() -> None:
    """Their interference has the sign of Im H12 times the lepton's antisymmetric part: larger for neutrinos."""
    enu, p_mu, c = (np.array([v]) for v in (1.0, 0.5, 0.5))
    e_mu, p, cos = np.hypot(p_mu, MUON_MASS_GEV), p_mu, c
    q2 = float((2 * enu * (e_mu - p * cos) - MUON_MASS_GEV**2)[0])
    w = float(delta.hadronic_mass_gev(enu, p_mu, c)[0])
    h = delta.hadron_tensor(w, q2)
    parts = np.array([h[0, 0].real, h[0, 3].real, h[3, 3].real, 0.5 * (h[1, 1] + h[2, 2]).real, h[1, 2].imag])[:, None]
    flipped = parts * np.array([1, 1, 1, 1, -1])[:, None]
    neutrino, antineutrino = (delta.lepton_tensor_contraction(v, enu, p_mu, c, MUON_MASS_GEV)[0] for v in (parts, flipped))
    assert 0 < antineutrino < 0.5 * neutrino

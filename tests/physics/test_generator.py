"""The generator as a whole: linear dials, interpolation against integration, quadrature against twice the nodes."""

import numpy as np
import pytest

from nuinfer.errors import InputError
from nuinfer.physics.binning import Binning
from nuinfer.physics.constants import MUON_MASS_GEV
from nuinfer.physics.fermi_gas import quasielastic
from nuinfer.physics.fluxes import Flux, make_flux
from nuinfer.physics.nucleus import local_fermi_shells
from nuinfer.tuning.generator.build import (
    GeneratorSettings,
    build_response,
    component_terms,
    generator_settings,
    with_doubled_quadrature,
)
from nuinfer.tuning.generator.mec import ValenciaShape
from nuinfer.tuning.generator.quadrature import QuadratureSettings, make_points
from nuinfer.tuning.response import Response

NAMES = ("ma_ccqe_gev", "norm_ccmec", "shape_ccmec", "rpa_strength")


def at(response: Response, *theta: float) -> np.ndarray:
    return response.predict(np.array([theta]), NAMES)[0]


def test_prediction_is_positive_everywhere(response: Response, rng: np.random.Generator) -> None:
    theta = rng.uniform([0.961, 1, 0, 0], [1.39, 3, 1, 1], (200, 4))
    assert np.all(response.predict(theta, NAMES) > 0)


@pytest.mark.parametrize("ma", [0.973, 1.1, 1.27, 1.385])
def test_interpolation_is_direct_integration(
    response: Response, t2k_flux: Flux, few_bins: Binning, all_bins: Binning, ma: float
) -> None:
    keep = np.array([0, 5, 27, 44, 61, 64])
    assert all_bins.select(keep) == few_bins
    direct = np.zeros(few_bins.n_bin)
    theta = dict(zip(NAMES, (ma, 1.7, 0.4, 0.8), strict=True))
    for term in component_terms(t2k_flux, few_bins, GeneratorSettings()):
        factor = np.prod([theta[n] if kind == "linear" else 1 - theta[n] for n, kind in term.factors])
        direct += factor * term.at(ma)
    np.testing.assert_allclose(at(response, *theta.values())[keep], direct, rtol=1e-6)


def test_interpolation_error_is_stated_and_a_low_order_is_caught(t2k_flux: Flux, few_bins: Binning, response: Response) -> None:
    assert response.interpolation_error < 1e-5
    poor = build_response(t2k_flux, few_bins, GeneratorSettings(ma_order=3))
    assert poor.interpolation_error > 1e-2


def test_quadrature_against_twice_the_nodes(t2k_flux: Flux, few_bins: Binning) -> None:
    settings = GeneratorSettings()
    usual = component_terms(t2k_flux, few_bins, settings)
    finer = component_terms(t2k_flux, few_bins, with_doubled_quadrature(settings))
    for term, twin in zip(usual, finer, strict=True):
        np.testing.assert_allclose(term.at(1.0), twin.at(1.0), rtol=5e-3, err_msg=f"{term.component} {term.factors}")


def test_dials_act_linearly(response: Response) -> None:
    for column, (low, high) in enumerate(((1.0, 3.0), (0.0, 1.0), (0.0, 1.0)), start=1):
        theta = np.tile([1.05, 1.5, 0.3, 0.7], (3, 1))
        theta[:, column] = low, 0.5 * (low + high), high
        first, middle, last = response.predict(theta, NAMES)
        np.testing.assert_allclose(middle, 0.5 * (first + last), rtol=1e-12)
        assert np.abs(last / first - 1).max() > 0.01


def test_rpa_off_restores_low_q2(response: Response, all_bins: Binning) -> None:
    ratio = at(response, 1.0, 1.0, 0.0, 1.0) / at(response, 1.0, 1.0, 0.0, 0.0)
    forward = all_bins.cos_lo >= 0.94
    backward = all_bins.cos_hi <= 0.0
    assert ratio[forward].mean() < 0.95 * ratio[backward].mean()


def test_axial_mass_raises_every_bin(response: Response) -> None:
    assert np.all(at(response, 1.2, 1, 0, 1) > at(response, 1.0, 1, 0, 1))


def test_shape_dial_keeps_the_total_and_norm_scales_it(response: Response, all_bins: Binning) -> None:
    def mec(norm: float, shape: float) -> np.ndarray:
        return response.components(np.array([[1.0, norm, shape, 1.0]]), NAMES)["mec"][0]

    area = all_bins.area_gev
    assert mec(1, 1) @ area == pytest.approx(mec(1, 0) @ area, rel=0.01)
    assert np.abs(mec(1, 1) / mec(1, 0) - 1).max() > 0.3
    np.testing.assert_allclose(mec(2.5, 0.3), 2.5 * mec(1, 0.3))


def test_bins_add_up_to_the_total(response: Response, all_bins: Binning) -> None:
    assert response.default_prediction() @ all_bins.area_gev == pytest.approx(response.total, rel=2e-3)
    counts = response.default_prediction() / response.per_event(1000)
    assert counts.sum() == pytest.approx(1000, rel=2e-3)


def test_selection_and_subset_of_components(t2k_flux: Flux, few_bins: Binning) -> None:
    only = build_response(t2k_flux, few_bins, generator_settings({"components": ["qe"]}))
    assert only.names == ("ma_ccqe_gev", "rpa_strength")
    with pytest.raises(InputError, match="does not depend on norm_ccmec"):
        only.predict(np.ones((1, 1)), ("norm_ccmec",))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"components": ["qe", "coh"]}, "coh"),
        ({"ma_range_gev": [1.4, 0.9]}, "low < high"),
        ({"nodes": 3}, "unknown keys nodes"),
    ],
)
def test_bad_settings_say_what_is_wrong(config: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        generator_settings(config)


def test_weights_integrate_the_flux_and_the_bin(few_bins: Binning) -> None:
    """For a flux far above every muon the points must average one to one."""
    flux = make_flux(np.array([40.0, 41.0, 45.0]), np.array([3.0, 1.0]), "nu/cm^2/GeV")
    points = make_points(flux, few_bins, QuadratureSettings(2, 2, 1, 1.0, 0.0))
    np.testing.assert_allclose(points.average(np.ones(len(points.weight))), 1.0, rtol=1e-12)
    mean_p = points.average(points.p_mu_gev)
    np.testing.assert_allclose(mean_p, 0.5 * (few_bins.p_lo_gev + few_bins.p_hi_gev), rtol=1e-12)
    np.testing.assert_allclose(points.average(points.enu_gev), (3 * 40.5 + 4 * 43) / 7, rtol=1e-12)


def test_prediction_is_a_mean_over_random_neutrinos_and_muons(
    response: Response, all_bins: Binning, t2k_flux: Flux, rng: np.random.Generator
) -> None:
    """Draw E from the flux, p and cos(theta) evenly in the bin; six of the 13 nucleons of CH are bound neutrons."""
    parts = response.components(np.array([[1.03, 1.0, 0.0, 0.0]]), NAMES)
    n = 60000
    strength = t2k_flux.density * t2k_flux.widths_gev
    for b in (1, 33, 50):
        i = rng.choice(len(strength), n, p=strength / strength.sum())
        enu = t2k_flux.edges_gev[i] + rng.random(n) * t2k_flux.widths_gev[i]
        p = rng.uniform(all_bins.p_lo_gev[b], all_bins.p_hi_gev[b], n)
        c = rng.uniform(all_bins.cos_lo[b], all_bins.cos_hi[b], n)
        ok = np.hypot(p, MUON_MASS_GEV) < enu
        where = enu[ok], p[ok], c[ok]
        qe = 6 / 13 * quasielastic(*where, local_fermi_shells(14)).at(1.03)
        for name, values in (("qe", qe), ("mec", ValenciaShape().density(*where))):
            mean, error = values.sum() / n, np.sqrt(np.sum(values**2)) / n
            assert abs(parts[name][0, b] - mean) < 4 * error
            assert error < 0.02 * mean

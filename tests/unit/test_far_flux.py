"""The oscillated flux on knots: integrals with hats are kept, and with them the events of a smooth cross section."""

import numpy as np
import pytest

from nuinfer.errors import InputError
from nuinfer.oscillation.far_flux import KnotFlux
from nuinfer.oscillation.nufast import NUFIT60_NO_WITH_SK, numu_survival

KNOTS = np.concatenate([np.linspace(0.5, 2.0, 31), np.linspace(2.1, 6.0, 30)])
FLUX = np.exp(-0.5 * ((KNOTS - 2.5) / 1.0) ** 2) + 0.05


def integral(values, energies):
    return np.trapezoid(values, energies, axis=-1)


def fine(parts=400):
    place = np.linspace(0, KNOTS.size - 1, parts * (KNOTS.size - 1) + 1)
    return np.interp(place, np.arange(KNOTS.size), KNOTS)


def test_a_flux_that_does_not_oscillate_is_itself():
    flux = KnotFlux.of(KNOTS, FLUX)
    np.testing.assert_allclose(flux.matrix.sum(axis=1), FLUX, rtol=1e-11)


def test_integrals_with_hats_are_kept():
    found = KnotFlux.of(KNOTS, FLUX).oscillated(NUFIT60_NO_WITH_SK)
    energies = fine()
    survival = numu_survival(NUFIT60_NO_WITH_SK, energies)
    true = np.interp(energies, KNOTS, FLUX) * survival
    on_knots, at_knots = (np.interp(energies, KNOTS, v) for v in (found, FLUX * numu_survival(NUFIT60_NO_WITH_SK, KNOTS)))
    for k in (3, 20, 40, 60):
        hat = np.interp(energies, KNOTS, np.eye(KNOTS.size)[k])
        wanted = integral(true * hat, energies)
        assert integral(on_knots * hat, energies) == pytest.approx(wanted, rel=1e-5)
    # A cross section that is smooth in energy has the right events; values at the knots would not give them.
    smooth = np.sqrt(energies)
    wanted = integral(true * smooth, energies)
    assert integral(on_knots * smooth, energies) == pytest.approx(wanted, rel=2e-6)
    assert abs(integral(at_knots * smooth, energies) / wanted - 1.0) > 1e-4


def test_parameters_broadcast():
    flux = KnotFlux.of(KNOTS, FLUX)
    found = flux.oscillated(NUFIT60_NO_WITH_SK, np.array([0.45, 0.5])[:, None], np.array([2.4e-3, 2.5e-3, 2.6e-3]))
    assert found.shape == (2, 3, KNOTS.size)
    np.testing.assert_allclose(found[1, 2], flux.oscillated(NUFIT60_NO_WITH_SK, 0.5, 2.6e-3), rtol=1e-12)


@pytest.mark.parametrize("knots", [KNOTS[::-1], KNOTS[:1], KNOTS[:-1]])
def test_bad_knots(knots):
    with pytest.raises(InputError, match="energy knots must increase, at least two, with a value of the flux each"):
        KnotFlux.of(knots, FLUX[: max(knots.size, 2)] if knots.size < 2 else FLUX)

"""The embedded flux and bins, and the response built from them, once for all physics tests."""

from pathlib import Path

import numpy as np
import pytest

from nuinfer.io.binning import read_binning
from nuinfer.physics.binning import Binning
from nuinfer.physics.fluxes import Flux, read_flux
from nuinfer.tuning.generator.build import build_response
from nuinfer.tuning.response import Response

RESOURCES = Path(__file__).resolve().parents[2] / "resources"


@pytest.fixture(scope="session")
def t2k_flux() -> Flux:
    return read_flux(RESOURCES / "t2k_nd280_numu.csv")


@pytest.fixture(scope="session")
def all_bins() -> Binning:
    return read_binning(RESOURCES / "t2k_cc0pi_bins.csv")


@pytest.fixture(scope="session")
def response(t2k_flux: Flux, all_bins: Binning) -> Response:
    return build_response(t2k_flux, all_bins)


@pytest.fixture(scope="session")
def few_bins(all_bins: Binning) -> Binning:
    """Six bins, backward to forward, low to high momentum."""
    return all_bins.select(np.array([0, 5, 27, 44, 61, 64]))

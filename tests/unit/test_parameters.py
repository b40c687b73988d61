"""Dials and physical values: known pairs, the way there and back, errors."""

import numpy as np
import pytest

from nuinfer.errors import InputError
from nuinfer.tuning.parameters import CONVENTIONS, MA0_GEV, PARAMETERS, dial_to_physical, parameter, physical_to_dial


@pytest.mark.parametrize(
    ("name", "dial", "value"),
    [
        ("ma_ccqe_gev", 4.972, 1.105),
        ("norm_ccmec", 1.313, 1.657),
        ("shape_ccmec", 0.996, 0.996),
        ("rpa_strength", 0.148, 0.852),
        ("ma_ccqe_gev", 0.0, MA0_GEV),
        ("ma_ccqe_gev", 15.0, 1.3938),
    ],
)
def test_current_reweight_gives_the_published_values(name: str, dial: float, value: float) -> None:
    assert dial_to_physical(name, dial) == pytest.approx(value, abs=6e-4)


def test_older_conventions() -> None:
    assert dial_to_physical("ma_ccqe_gev", 1.0, "reweight2") == pytest.approx(1.25 * MA0_GEV)
    assert dial_to_physical("ma_ccqe_gev", -1.0, "reweight2") == pytest.approx(0.85 * MA0_GEV)
    assert dial_to_physical("ma_ccqe_gev", 0.1, "absolute") == pytest.approx(1.1 * MA0_GEV)
    assert dial_to_physical("norm_ccmec", 0.66, "absolute") == pytest.approx(1.66)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("name", list(PARAMETERS))
def test_there_and_back(name: str, convention: str) -> None:
    dials = np.linspace(0, 1, 7) if name in ("shape_ccmec", "rpa_strength") else np.linspace(-0.9, 2.0, 7)
    np.testing.assert_allclose(physical_to_dial(name, dial_to_physical(name, dials, convention), convention), dials, atol=1e-12)


def test_clipping_where_reweight_clips() -> None:
    assert dial_to_physical("norm_ccmec", -5.0) == 0.0
    assert dial_to_physical("ma_ccqe_gev", -50.0) == 0.0
    np.testing.assert_array_equal(dial_to_physical("shape_ccmec", np.array([-0.2, 1.3])), [0.0, 1.0])
    assert dial_to_physical("rpa_strength", 1.2) == pytest.approx(-0.2)


def test_unknown_names_are_explained() -> None:
    with pytest.raises(InputError, match="its parameter is 'ma_ccqe_gev'"):
        parameter("MaCCQE")
    with pytest.raises(InputError, match="unknown dial convention 'genie'"):
        dial_to_physical("norm_ccmec", 1.0, "genie")

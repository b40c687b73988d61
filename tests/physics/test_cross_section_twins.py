"""Slow twins of the inclusive cross section: tensors contracted from four-vectors, and the spin sum of a parton."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from test_cross_section import M2, MASS, NAMES, SIGNS, partons, random_functions, scale
from test_kinematics import dot, four_vectors, physical_points

from nuinfer.physics import cross_section as xs
from nuinfer.physics import kinematics as kin
from nuinfer.physics.constants import G_FERMI_GEV2
from nuinfer.physics.cross_section import StructureFunctions


def levi_civita() -> np.ndarray:
    epsilon = np.zeros((4, 4, 4, 4))
    for order in permutations(range(4)):
        epsilon[order] = round(np.linalg.det(np.eye(4)[list(order)]))
    return epsilon


def contraction(sf: StructureFunctions, point: tuple[np.ndarray, ...], antineutrino: bool) -> np.ndarray:
    """Return L_{mu nu} W^{mu nu} from four-vectors, the slow twin of every coefficient.

    L = k k' + k' k - g k.k' -+ i epsilon(k, k'): the upper sign for neutrinos, with the same epsilon in both tensors.
    """
    metric, upper = np.diag([1.0, -1, -1, -1]), levi_civita()
    lower = -upper
    k, lepton, p = four_vectors(*point, MASS)
    q = k - lepton
    k_low, lepton_low, p_low, q_low = (metric @ v for v in (k, lepton, p, q))

    def outer(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.einsum("mi,ni->mni", a, b)

    antisymmetric = np.einsum("mnrs,ri,si->mni", lower, k, lepton)
    leptonic = outer(k_low, lepton_low) + outer(lepton_low, k_low) - metric[..., None] * dot(k, lepton)
    leptonic = leptonic - 1j * (-1 if antineutrino else 1) * antisymmetric
    pq, q2 = dot(p, q), -dot(q, q)
    hadronic = (
        -metric[..., None] * sf.f1
        + outer(p, p) / pq * sf.f2
        - 1j * np.einsum("mnrs,ri,si->mni", upper, p_low, q_low) / (2 * pq) * sf.f3
        + 2 * outer(q, q) / q2 * sf.f4
        + (outer(p, q) + outer(q, p)) / pq * sf.f5
    )
    return np.einsum("mni,mni->i", leptonic, hadronic)


@SIGNS
@pytest.mark.parametrize("name", [*NAMES, "all"])
def test_coefficients_are_the_contraction_of_the_tensors(name: str, antineutrino: bool) -> None:
    """Each term by itself: d2sigma/dE_l dcos = G_F^2 p P L.W / (2 pi M E)."""
    enu, el, cos = physical_points(1500, 13)
    # q q L is of order m^2 Q^2 out of components of order E^4: only at moderate energies are digits left in it.
    inner = (kin.q2_gev2(enu, el, cos) > 1e-3) & (enu < 5)
    point = enu, el, cos = enu[inner], el[inner], cos[inner]
    sf = random_functions(enu.size, 14)
    if name != "all":
        sf = replace(StructureFunctions(*[0 * enu] * 5), **{name: getattr(sf, name)})
    product = contraction(sf, point, antineutrino)
    assert np.max(np.abs(product.imag)) < 1e-10
    front = G_FERMI_GEV2**2 * np.sqrt(el**2 - M2) * xs.propagator(kin.q2_gev2(*point)) / (2 * np.pi * MASS * enu)
    fast = xs.d2sigma_del_dcos(sf, *point, MASS, antineutrino)
    assert np.max(np.abs(fast - front * product.real) / scale(sf, point, antineutrino)) < 1e-9


@SIGNS
@pytest.mark.parametrize("antiquarks", [0.0, 1.0])
def test_partons_of_mass_x_m_scatter_as_spinors_do(antineutrino: bool, antiquarks: float) -> None:
    """F_1 = q (1 + x M / nu) is the spin sum for a parton of momentum x p: 4 (k.p)(k'.p') or 4 (k.p')(k'.p), positive."""
    enu, el, _ = point = physical_points(5000, 30)
    x, nu = kin.bjorken_x(*point, MASS), enu - el
    sf = partons(x, antiquarks)
    sf = replace(sf, f1=sf.f1 * (1 + x * MASS / nu))
    k_p, k_out = x * MASS * enu, x * MASS * el - M2 / 2
    lepton_p, lepton_out = x * MASS * el, x * MASS * enu - M2 / 2
    product = k_p * lepton_out if antineutrino == (antiquarks == 1) else k_out * lepton_p
    assert np.all(product > 0)
    front = G_FERMI_GEV2**2 * np.sqrt(el**2 - M2) * xs.propagator(kin.q2_gev2(*point)) / (2 * np.pi * MASS * enu)
    expected = front * 4 * sf.f5 / (x * MASS * nu) * product
    found = xs.d2sigma_del_dcos(sf, *point, MASS, antineutrino)
    assert np.max(np.abs(found - expected) / scale(sf, point, antineutrino)) < 1e-10

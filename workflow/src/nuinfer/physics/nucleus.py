r"""The carbon nucleus: its density, the local Fermi momentum, and the length of matter that a pion crosses on its way out.

Density: modified harmonic oscillator :math:`\rho(r) \propto [1 + \alpha (r/a)^2]\,e^{-(r/a)^2}` with a = 1.692 fm and
:math:`\alpha` = 1.082 (de Vries, de Jager, de Vries, At. Data Nucl. Data Tables 36 (1987) 495), rms radius 2.46 fm.  It is
the charge density of electron scattering, used for the centres of protons and neutrons alike.
Local Fermi momentum: :math:`k_F(r) = (3\pi^2\rho(r)/2)^{1/3}` for the N = Z density :math:`\rho`.
"""

from dataclasses import dataclass

import numpy as np

from nuinfer.physics.constants import HBARC_GEV_FM, NUCLEON_MASS_GEV

CARBON_A = 12
CARBON_RADIUS_FM = 1.692
CARBON_ALPHA = 1.082
CARBON_BINDING_GEV = 0.00768
"""Binding energy per nucleon of 12C (Wang et al., Chin. Phys. C 45 (2021) 030003).

It is not the energy that takes the first neutron out, 18.7 MeV.
"""

R_MAX_FM = 8.0


@dataclass(frozen=True)
class FermiShells:
    """A density average as a sum over Fermi spheres, all arrays ``(n,)``.

    ``k_f_gev`` are the spheres' momenta, ``weight`` the fractions of nucleons, ``removal_gev`` the energies that it costs
    to take a nucleon out: what does not reach the final nucleon.
    """

    k_f_gev: np.ndarray
    weight: np.ndarray
    removal_gev: np.ndarray


def carbon_density_fm3(r_fm: np.ndarray) -> np.ndarray:
    """Return the nucleon density of carbon, whose integral over space is 12."""
    x2 = (np.asarray(r_fm, float) / CARBON_RADIUS_FM) ** 2
    norm = CARBON_A / (np.pi**1.5 * CARBON_RADIUS_FM**3 * (1.0 + 1.5 * CARBON_ALPHA))
    return norm * (1.0 + CARBON_ALPHA * x2) * np.exp(-x2)


def local_fermi_shells(n_shell: int, separation_gev: float = CARBON_BINDING_GEV) -> FermiShells:
    r"""Return carbon's local Fermi gas on ``n_shell`` Gauss-Legendre radii.

    A nucleon sits in a well as deep as the local Fermi energy plus ``separation_gev``: :math:`E_B(r) =
    \sqrt{M^2+k_F^2(r)} - M + S`, on average 30 MeV.  It is the prescription of NuWro (Golan, Juszczak, Sobczyk, PRC 86
    (2012) 015505), whose S is 7 MeV.
    """
    x, w = np.polynomial.legendre.leggauss(n_shell)
    r = 0.5 * R_MAX_FM * (x + 1.0)
    rho = carbon_density_fm3(r)
    weight = 0.5 * R_MAX_FM * w * 4 * np.pi * r**2 * rho
    k_f = (1.5 * np.pi**2 * rho) ** (1 / 3) * HBARC_GEV_FM
    keep = weight > 1e-7 * weight.sum()
    k_f, weight = k_f[keep], weight[keep] / weight[keep].sum()
    return FermiShells(k_f, weight, np.hypot(NUCLEON_MASS_GEV, k_f) - NUCLEON_MASS_GEV + separation_gev)


def global_fermi_shell(k_f_gev: float, removal_gev: float) -> FermiShells:
    """Return a Fermi gas of one momentum and one removal energy (Smith and Moniz, NPB 43 (1972) 605)."""
    return FermiShells(np.array([k_f_gev]), np.array([1.0]), np.array([removal_gev]))


def escape_column_fm2(n_radius: int = 24, n_angle: int = 16, n_path: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Return matter columns (nucleons / fm^2) on straight ways out of carbon, and their probabilities, both ``(n,)``.

    Starting points follow the density, directions are isotropic.
    """
    x, w = np.polynomial.legendre.leggauss(n_radius)
    r, wr = 0.5 * R_MAX_FM * (x + 1), w * (x + 1) ** 2
    c, wc = np.polynomial.legendre.leggauss(n_angle)
    t, wt = np.polynomial.legendre.leggauss(n_path)
    path, wt = R_MAX_FM * (t + 1), R_MAX_FM * wt
    distance = np.sqrt(r[:, None, None] ** 2 + path**2 + 2 * r[:, None, None] * c[:, None] * path)
    column = carbon_density_fm3(distance) @ wt
    weight = (wr * carbon_density_fm3(r))[:, None] * wc
    return column.ravel(), weight.ravel() / weight.sum()


def beam_column_fm2(n_impact: int = 32, n_path: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Return columns (nucleons / fm^2) through carbon at impact parameters b, and weights 2 pi b db in fm^2."""
    x, w = np.polynomial.legendre.leggauss(n_impact)
    b, wb = 0.5 * R_MAX_FM * (x + 1), 0.5 * R_MAX_FM * w
    z, wz = np.polynomial.legendre.leggauss(n_path)
    column = carbon_density_fm3(np.sqrt(b[:, None] ** 2 + (R_MAX_FM * z) ** 2)) @ (R_MAX_FM * wz)
    return column, 2 * np.pi * b * wb

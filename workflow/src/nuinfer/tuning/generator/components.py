"""The parts of the CC0pi cross section and their registry.

A component turns settings and quadrature points into terms; a term is a prediction in the bins, as a function of the axial
mass, times a product of factors ``theta`` or ``1 - theta`` of the other parameters.  A new component is a class with the
method :meth:`Component.terms` and an entry in :data:`COMPONENTS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import numpy as np

from nuinfer.physics.delta_resonance import W_MAX_GEV, W_MIN_GEV, delta_production, hadronic_mass_gev, structure_splines
from nuinfer.physics.fermi_gas import lepton_transfer, on_peak, quasielastic
from nuinfer.physics.nucleus import CARBON_BINDING_GEV, local_fermi_shells
from nuinfer.tuning.generator.absorption import absorption_after_decay
from nuinfer.tuning.generator.mec import OMEGA_MAX_GEV, EmpiricalShape, ValenciaShape, total_ratio
from nuinfer.tuning.generator.quadrature import Points, QuadratureSettings
from nuinfer.tuning.generator.rpa import BerpaSettings, berpa_weight

CH_NUCLEONS = 13.0
CARBON_NEUTRONS = 6.0
CARBON_PROTONS = 6.0

Factors = tuple[tuple[str, str], ...]
"""Pairs (parameter, "linear" for theta or "complement" for 1 - theta)."""


@dataclass(frozen=True)
class Term:
    """``at(ma_gev)`` returns the bin averages ``(n_bin,)``, constant where ``depends_on_ma`` is false."""

    component: str
    factors: Factors
    depends_on_ma: bool
    at: Callable[[float], np.ndarray]


class Component(Protocol):
    quadrature: QuadratureSettings

    def keeps(self, enu_gev: np.ndarray, p_mu_gev: np.ndarray, cos_theta: np.ndarray) -> np.ndarray:
        """Return where the component may be other than zero."""

    def terms(self, points: Points) -> list[Term]:
        """Return the component's terms in 1e-38 cm^2 / nucleon / GeV."""


@dataclass(frozen=True)
class Quasielastic:
    """CCQE on the six neutrons of carbon, a local Fermi gas, with and without the RPA weight (fitted to NuWro).

    ``separation_gev`` is the removal energy above the local Fermi energy (:func:`local_fermi_shells`).
    """

    separation_gev: float = CARBON_BINDING_GEV
    n_shell: int = 14
    pauli_blocking: bool = True
    rpa: BerpaSettings = field(default_factory=BerpaSettings)
    quadrature: QuadratureSettings = field(default_factory=lambda: QuadratureSettings(6, 8, 3, 0.0125, 0.00625))

    def keeps(self, enu_gev: np.ndarray, p_mu_gev: np.ndarray, cos_theta: np.ndarray) -> np.ndarray:
        shells = local_fermi_shells(self.n_shell, self.separation_gev)
        return on_peak(enu_gev, p_mu_gev, cos_theta, shells)

    def terms(self, points: Points) -> list[Term]:
        shells = local_fermi_shells(self.n_shell, self.separation_gev)
        expansion = quasielastic(points.enu_gev, points.p_mu_gev, points.cos_theta, shells, self.pauli_blocking)
        scale = CARBON_NEUTRONS / CH_NUCLEONS
        weight = berpa_weight(expansion.q2_gev2, self.rpa)

        def bare(ma_gev: float) -> np.ndarray:
            return scale * points.average(expansion.at(ma_gev))

        def screened(ma_gev: float) -> np.ndarray:
            return scale * points.average(weight * expansion.at(ma_gev))

        return [
            Term("qe", (("rpa_strength", "complement"),), True, bare),
            Term("qe", (("rpa_strength", "linear"),), True, screened),
        ]


@dataclass(frozen=True)
class TwoNucleon:
    """2p2h in two shapes of equal total; see :mod:`nuinfer.tuning.generator.mec`."""

    valencia: ValenciaShape = field(default_factory=ValenciaShape)
    empirical: EmpiricalShape = field(default_factory=EmpiricalShape)
    quadrature: QuadratureSettings = field(default_factory=lambda: QuadratureSettings(4, 6, 2, 0.05, 0.01))

    def keeps(self, enu_gev: np.ndarray, p_mu_gev: np.ndarray, cos_theta: np.ndarray) -> np.ndarray:
        _, omega, _ = lepton_transfer(enu_gev, p_mu_gev, cos_theta)
        return omega < OMEGA_MAX_GEV

    def terms(self, points: Points) -> list[Term]:
        where = (points.enu_gev, points.p_mu_gev, points.cos_theta)
        energies, index = np.unique(points.enu_gev, return_inverse=True)
        ratio = total_ratio(energies, self.valencia, self.empirical)[index]
        a = points.average(self.valencia.density(*where))
        b = points.average(ratio * self.empirical.density(*where))
        return [
            Term("mec", (("norm_ccmec", "linear"), ("shape_ccmec", "complement")), False, lambda _: a),
            Term("mec", (("norm_ccmec", "linear"), ("shape_ccmec", "linear")), False, lambda _: b),
        ]


@dataclass(frozen=True)
class AbsorbedResonance:
    """Delta(1232) on carbon nucleons at rest whose pion is absorbed; free protons cannot absorb theirs.

    Six protons make Delta++ with three times the strength of the six neutrons' Delta+.
    """

    quadrature: QuadratureSettings = field(default_factory=lambda: QuadratureSettings(4, 4, 2, 0.05, 0.01))

    def keeps(self, enu_gev: np.ndarray, p_mu_gev: np.ndarray, cos_theta: np.ndarray) -> np.ndarray:
        w = hadronic_mass_gev(enu_gev, p_mu_gev, cos_theta)
        return (w > W_MIN_GEV) & (w < W_MAX_GEV)

    def terms(self, points: Points) -> list[Term]:
        where = (points.enu_gev, points.p_mu_gev, points.cos_theta)
        density, w = delta_production(*where, structure_splines())
        _, omega, q = lepton_transfer(points.enu_gev, points.p_mu_gev, points.cos_theta)
        strength = (3.0 * CARBON_PROTONS + CARBON_NEUTRONS) / CH_NUCLEONS
        values = points.average(strength * density * absorption_after_decay(w, omega, q))
        return [Term("res", (), False, lambda _: values)]


COMPONENTS: Mapping[str, type] = MappingProxyType({"qe": Quasielastic, "mec": TwoNucleon, "res": AbsorbedResonance})

r"""Interaction-model parameters: physical values, GENIE Reweight dials, and the way between them.

Everything in nuinfer handles *physical* values; a dial value appears only where a file or a card of GENIE or NUISANCE is
read or written.  Conversions (GENIE Reweight, ``config/GSystUncertaintyTable.xml`` and ``src/RwCalculators``):

====================  ======================  =======================================  ==================================
parameter             dial                    physical value                           source
====================  ======================  =======================================  ==================================
``ma_ccqe_gev``       ``MaCCQE``              :math:`M_A = M_A^0 (1 + e\,d)`           GReWeightNuXSecCCQE.cxx:239-244
``norm_ccmec``        ``NormCCMEC``           :math:`N = \max(0, 1 + 0.5\,d)`          GReWeightXSecMEC.cxx:193-194
``shape_ccmec``       ``XSecShape_CCMEC``     :math:`d`, clamped to [0, 1]             GReWeightXSecMEC.cxx:261, 596
``rpa_strength``      ``RPA_CCQE``            :math:`1 - d`                            GReWeightNuXSecCCQE.cxx:717, 722
====================  ======================  =======================================  ==================================

The one-sigma tweak ``e`` of ``MaCCQE`` is a convention: 0.03 in current Reweight, +0.25/-0.15 in GENIE 2, and 1 for all
dials where a NUISANCE card sets ``setabstwk``; :func:`dial_to_physical` takes it by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from nuinfer.errors import InputError

MA0_GEV = 0.961242
"""Dipole axial mass of the G18_10a_02_11a tune."""

CONVENTIONS = ("reweight3", "reweight2", "absolute")


@dataclass(frozen=True)
class Parameter:
    """What is known of a parameter before any configuration: its dial, unit, physical limits and symbol."""

    name: str
    dial: str
    unit: str
    default: float
    lowest: float
    highest: float
    symbol: str

    @property
    def label(self) -> str:
        """Symbol with unit, for an axis."""
        return f"{self.symbol} [{self.unit}]" if self.unit else self.symbol


PARAMETERS: Mapping[str, Parameter] = MappingProxyType(
    {
        p.name: p
        for p in (
            Parameter("ma_ccqe_gev", "MaCCQE", "GeV", MA0_GEV, 0.5, 2.0, r"$M_A$"),
            Parameter("norm_ccmec", "NormCCMEC", "", 1.0, 0.0, 10.0, r"$N_\mathrm{2p2h}$"),
            Parameter("shape_ccmec", "XSecShape_CCMEC", "", 0.0, 0.0, 1.0, r"$S_\mathrm{2p2h}$"),
            Parameter("rpa_strength", "RPA_CCQE", "", 1.0, 0.0, 1.0, r"$R_\mathrm{RPA}$"),
        )
    }
)


def parameter(name: str) -> Parameter:
    """Return the parameter called ``name``; raise InputError with the known names otherwise."""
    if name not in PARAMETERS:
        by_dial = {p.dial: p.name for p in PARAMETERS.values()}
        hint = f" ('{name}' is a dial: its parameter is '{by_dial[name]}')" if name in by_dial else ""
        raise InputError(f"unknown parameter '{name}'{hint}; known: {', '.join(PARAMETERS)}")
    return PARAMETERS[name]


def _one_sigma(name: str, convention: str, dial: np.ndarray | float) -> np.ndarray | float:
    if convention not in CONVENTIONS:
        raise InputError(f"unknown dial convention '{convention}'; known: {', '.join(CONVENTIONS)}")
    if convention == "absolute":
        return 1.0
    if name == "norm_ccmec":
        return 0.5
    return 0.03 if convention == "reweight3" else np.where(np.asarray(dial) >= 0, 0.25, 0.15)


def dial_to_physical(name: str, dial: np.ndarray | float, convention: str = "reweight3") -> np.ndarray | float:
    """Return the physical value of parameter ``name`` at GENIE Reweight dial value ``dial``."""
    parameter(name)
    if name == "ma_ccqe_gev":
        return np.maximum(0.0, MA0_GEV * (1.0 + _one_sigma(name, convention, dial) * np.asarray(dial, float)))
    if name == "norm_ccmec":
        return np.maximum(0.0, 1.0 + _one_sigma(name, convention, dial) * np.asarray(dial, float))
    if name == "shape_ccmec":
        return np.clip(np.asarray(dial, float), 0.0, 1.0)
    return 1.0 - np.asarray(dial, float)


def physical_to_dial(name: str, value: np.ndarray | float, convention: str = "reweight3") -> np.ndarray | float:
    """Return the GENIE Reweight dial value at which parameter ``name`` has the physical value ``value``."""
    parameter(name)
    if name == "ma_ccqe_gev":
        shift = np.asarray(value, float) / MA0_GEV - 1.0
        return shift / _one_sigma(name, convention, shift)
    if name == "norm_ccmec":
        shift = np.asarray(value, float) - 1.0
        return shift / _one_sigma(name, convention, shift)
    if name == "shape_ccmec":
        return np.clip(np.asarray(value, float), 0.0, 1.0)
    return 1.0 - np.asarray(value, float)


def values_in_order(values: Mapping[str, float]) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names and physical values ``(d,)`` of ``values``; raise InputError for an unknown parameter."""
    names = tuple(parameter(n).name for n in values)
    return names, np.array([float(values[n]) for n in names])

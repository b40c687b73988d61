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

A parameter that is not in this table is defined where it is used (:func:`defined`), with a dial of its own:
physical value = ``dial_zero`` + ``dial_step`` times dial.

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

PHYSICAL = "physical"
"""The convention of a source that gives physical values and no dials."""


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
    dial_zero: float = 0.0
    dial_step: float = 1.0

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


DEFINED_KEYS = ("symbol", "unit", "lowest", "highest", "default", "dial", "dial_zero", "dial_step")
"""What an entry may say of a parameter that is not in :data:`PARAMETERS`."""


def defined(name: str, entry: Mapping) -> Parameter:
    """Return the parameter ``name``: the known one, or one made from the :data:`DEFINED_KEYS` and the range of ``entry``.

    Raises InputError where ``entry`` redefines a known parameter, or a range or step makes no sense.
    """
    given = {k: entry[k] for k in DEFINED_KEYS if k in entry}
    if name in PARAMETERS:
        if given:
            raise InputError(f"{name}: is known to the library; leave out {', '.join(given)}, or give it another name")
        return PARAMETERS[name]
    if name in {p.dial for p in PARAMETERS.values()}:
        parameter(name)  # says which parameter has this dial
    low, high = float(entry.get("lowest", entry.get("low", -np.inf))), float(entry.get("highest", entry.get("high", np.inf)))
    middle = 0.5 * (low + high) if np.isfinite([low, high]).all() else 0.0
    default = float(entry.get("default", middle))
    if not (low < high and low <= default <= high):
        raise InputError(f"{name}: needs lowest <= default <= highest; got {low:g}, {default:g}, {high:g}")
    step = float(entry.get("dial_step", 1.0))
    if step == 0 or not np.isfinite(step):
        raise InputError(f"{name}: dial_step must be a number other than zero, got {step:g}")
    text = {k: str(entry.get(k, "")) for k in ("unit", "dial", "symbol")}
    symbol = text["symbol"] or name.replace("_", " ")
    return Parameter(
        name, text["dial"] or name, text["unit"], default, low, high, symbol, float(entry.get("dial_zero", 0.0)), step
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


def to_physical(known: Parameter, values: np.ndarray, convention: str) -> np.ndarray:
    """Return physical values of a parameter whose source gives ``values`` in ``convention`` (:data:`PHYSICAL` or a dial's).

    Raises InputError for a value that GENIE would clamp: it stands for another physical value than it seems to.
    """
    values = np.asarray(values, float)
    if convention == PHYSICAL:
        return values
    if known.name not in PARAMETERS:
        return known.dial_zero + known.dial_step * values
    physical = np.asarray(dial_to_physical(known.name, values, convention), float)
    back = np.asarray(physical_to_dial(known.name, physical, convention), float)
    clamped = ~np.isclose(back, values, rtol=1e-9, atol=1e-9)
    if clamped.any():
        raise InputError(
            f"{known.dial}: dial {values[clamped][0]:g} is clamped by the generator to {back[clamped][0]:g} "
            f"({clamped.sum()} throws); remove these throws, or correct the convention"
        )
    return physical


def values_in_order(values: Mapping[str, float]) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names and physical values ``(d,)`` of ``values``."""
    return tuple(values), np.array([float(v) for v in values.values()])

r"""Cards for NUISANCE's ``nuiscomp``: one sample, its event file, and GENIE Reweight dials.

The format is that of NUISANCE's tutorials (``fit_GENIEv3_example.card``).  ``nominal`` of a parameter is the dial value in
units of one sigma, and one sigma is a convention of the release (:mod:`nuinfer.tuning.parameters`); a card that sets
``setabstwk`` makes it 100 % for every dial (NUISANCE, ``src/Reweight/GENIE3WeightEngine.cxx``).  Numbers are written with
as many digits as it takes to read the same double again.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from nuinfer.errors import InputError
from nuinfer.tuning.parameters import CONVENTIONS, PARAMETERS, Parameter, dial_to_physical, parameter, physical_to_dial

INPUT_TYPES = ("GENIE", "NUWRO", "NuHepMC", "NEUT", "GIBUU")
"""Kinds of event files that NUISANCE reads, as the prefix of ``input``."""

DIALS_IN = ("card", "options")
"""How a throw's dials reach ``nuiscomp``: each throw has a card, or a chunk has one and the command line gives the dials."""

CCQE_MODES = ("kModeMa", "kModeNormAndMaShape", "kModeZExp")
CLOSING = "</nuisance>\n"

_OWN_CONFIG = {
    "GENIETune": "tune",
    "GENIEWeightEngine_CCQEMode": "ccqe_mode",
    "setabstwk": "convention: absolute",
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_DIALS = frozenset(p.dial for p in PARAMETERS.values())


@dataclass(frozen=True)
class CardSettings:
    """What a card says besides the dials.

    ``input_file`` is what ``PrepareGENIE`` wrote (or a file of another ``input_type``), ``convention`` one of
    :data:`~nuinfer.tuning.parameters.CONVENTIONS`, ``drop_momentum_overflow`` leaves out the last momentum bin of every
    slice, ``likelihood`` is the sample's type.  ``ccqe_mode`` is needed for an axial mass that changes the rate too: GENIE
    keeps the rate by default (Reweight, ``GReWeightNuXSecCCQE.cxx``).  ``config`` holds any further setting of NUISANCE.

    Raises InputError for a value that NUISANCE or this library does not know.
    """

    sample: str = "T2K_CC0pi_XSec_2DPcos_nu_I"
    input_file: str = "gntp.nuis.root"
    input_type: str = "GENIE"
    tune: str = "G18_10a_02_11a"
    convention: str = "reweight3"
    drop_momentum_overflow: bool = True
    likelihood: str = "FIX/DIAG"
    ccqe_mode: str = "kModeMa"
    dials_in: str = "card"
    config: Mapping[str, Any] = field(
        default_factory=lambda: MappingProxyType({"UseSVDInverse": "1", "drawopts": "MC|DATA|COV|INVCOV"})
    )

    def __post_init__(self) -> None:
        checked_convention(self.convention)
        for name, known in (("input_type", INPUT_TYPES), ("dials_in", DIALS_IN), ("ccqe_mode", CCQE_MODES)):
            if getattr(self, name) not in known:
                raise InputError(f"production: unknown {name} '{getattr(self, name)}'; known: {', '.join(known)}")
        if not _NAME.fullmatch(self.sample):
            raise InputError(f"production: sample '{self.sample}' is not a name; give NUISANCE's name of the sample")
        for name in ("input_file", "tune", "likelihood"):
            if not str(getattr(self, name)).strip():
                raise InputError(f"production: {name} is empty; give it or leave it out")
        for key in self.config:
            if key in _OWN_CONFIG:
                raise InputError(f"production: config: '{key}' is written for you; set '{_OWN_CONFIG[key]}' instead")
            if not _NAME.fullmatch(str(key)):
                raise InputError(f"production: config: '{key}' cannot be the name of an XML attribute; correct it")


def card_settings(entry: Mapping[str, Any]) -> CardSettings:
    """Return the settings of a configuration ``entry``; raise InputError for a key that :class:`CardSettings` lacks."""
    known = [f.name for f in fields(CardSettings)]
    unknown = [key for key in entry if key not in known]
    if unknown:
        raise InputError(f"production: unknown setting {', '.join(unknown)}; known: {', '.join(known)}")
    return CardSettings(**entry)


def card_text(settings: CardSettings, dials: Mapping[str, float], further: Collection[str] = ()) -> str:
    """Return a whole card with ``dials`` (dial name -> value in the settings' convention; may be empty).

    Raises InputError for a dial that is neither known to this library nor in ``further``, a value that is not finite, and
    dials for events that are not GENIE's.
    """
    if dials and settings.input_type != "GENIE":
        raise InputError(f"production: GENIE's dials weigh GENIE's events, not {settings.input_type}:{settings.input_file}")
    checked_dials(dials, further)
    config = {}
    if settings.input_type == "GENIE":
        config |= {"GENIETune": settings.tune, "GENIEWeightEngine_CCQEMode": settings.ccqe_mode}
        config |= {"setabstwk": "1"} if settings.convention == "absolute" else {}
    lines = ["<nuisance>"]
    lines += [f"  <config {key}={quoteattr(_plain(value))}/>" for key, value in (config | dict(settings.config)).items()]
    sample = {"name": settings.sample, "input": f"{settings.input_type}:{settings.input_file}"}
    sample |= {"mask_mom_overflow": "1"} if settings.drop_momentum_overflow else {}
    sample |= {"type": settings.likelihood}
    lines.append("  <sample " + _attributes(sample) + "/>")
    lines += [f"  <{element}/>" for element in parameter_elements(dials)]
    return "\n".join(lines) + "\n" + CLOSING


def parameter_elements(dials: Mapping[str, float]) -> list[str]:
    """Return ``parameter name=".." nominal=".." type="genie_parameter"`` for every dial, without angle brackets.

    No limits and no state: ``nuiscomp`` needs neither, and a state of ABS or FRAC would convert the value once more.
    """
    return [
        "parameter " + _attributes({"name": name, "nominal": repr(float(value)), "type": "genie_parameter"})
        for name, value in dials.items()
    ]


def dials_of(names: Sequence[str | Parameter], theta: np.ndarray, convention: str) -> np.ndarray:
    """Return dial values ``(n, d)`` of physical values ``theta`` ``(n, d)``, columns in the order of ``names``.

    ``names`` are known parameters' names, or parameters that a configuration defines.  Raises InputError for an unknown
    name or convention, a shape that does not fit, and a value that is not finite or that GENIE would clamp to another one
    (a negative axial mass or normalisation, a shape outside [0, 1]).
    """
    checked_convention(convention)
    known = parameters_of(names)
    theta = np.asarray(theta, float)
    if theta.ndim != 2 or theta.shape[1] != len(known):
        raise InputError(f"throws must have shape (n, {len(known)}), got {theta.shape}")
    dials = np.empty_like(theta)
    for i, p in enumerate(known):
        values = theta[:, i]
        if not np.isfinite(values).all():
            raise InputError(f"throw {np.flatnonzero(~np.isfinite(values))[0]}: {p.name} is not finite; correct the prior")
        if p.name not in PARAMETERS:
            dials[:, i] = (values - p.dial_zero) / p.dial_step
            continue
        dials[:, i] = physical_to_dial(p.name, values, convention)
        back = dial_to_physical(p.name, dials[:, i], convention)
        clamped = np.flatnonzero(~np.isclose(back, values, rtol=1e-12, atol=1e-12))
        if len(clamped):
            row = clamped[0]
            raise InputError(
                f"throw {row}: {p.name} = {values[row]:g} is clamped by GENIE to {back[row]:g}; "
                f"keep the prior within [{p.lowest:g}, {p.highest:g}]"
            )
    return dials


def parameters_of(names: Sequence[str | Parameter]) -> tuple[Parameter, ...]:
    """Return the parameters of ``names``; raise InputError for an unknown name."""
    return tuple(n if isinstance(n, Parameter) else parameter(n) for n in names)


def checked_convention(convention: str) -> str:
    """Return ``convention``; raise InputError with the known ones where it is none of them."""
    if convention not in CONVENTIONS:
        raise InputError(f"unknown dial convention '{convention}'; known: {', '.join(CONVENTIONS)}")
    return convention


def checked_dials(dials: Mapping[str, float], further: Collection[str] = ()) -> None:
    """Raise InputError for a dial neither known nor in ``further``, or with a value that is not finite."""
    for name, value in dials.items():
        if name not in _DIALS and name not in further:
            hint = f" ('{name}' is a parameter: its dial is '{PARAMETERS[name].dial}')" if name in PARAMETERS else ""
            raise InputError(f"unknown dial '{name}'{hint}; known: {', '.join(sorted({*_DIALS, *further}))}")
        if not _NAME.fullmatch(name):
            raise InputError(f"dial '{name}' is not a name; correct the parameter's 'dial'")
        if not np.isfinite(value):
            raise InputError(f"dial {name} is {value}, not a finite number; correct the throw")


def _attributes(values: Mapping[str, str]) -> str:
    return " ".join(f"{key}={quoteattr(value)}" for key, value in values.items())


def _plain(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)

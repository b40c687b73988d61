r"""Priors, each a map between the unit interval and a parameter's physical value.

Throws, estimators and exact posteriors all work in the unit cube ``u``, in which every prior is uniform: a throw is
``theta = prior.from_unit(u)``, and a posterior density in ``u`` is the likelihood up to a constant.  A new prior is a
class with the methods of :class:`UniformPrior` and an entry in :data:`PRIORS`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy import special

from nuinfer.errors import InputError
from nuinfer.tuning.parameters import DEFINED_KEYS, PARAMETERS, Parameter, defined


@dataclass(frozen=True)
class UniformPrior:
    """Flat between ``low`` and ``high`` (physical values)."""

    low: float
    high: float

    def from_unit(self, u: np.ndarray) -> np.ndarray:
        return self.low + np.asarray(u) * (self.high - self.low)

    def to_unit(self, value: np.ndarray) -> np.ndarray:
        return (np.asarray(value) - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class NormalPrior:
    """Gaussian of ``mean`` and ``sigma``, truncated to ``low`` .. ``high`` (physical values)."""

    mean: float
    sigma: float
    low: float
    high: float

    def _cdf_limits(self) -> tuple[float, float]:
        return special.ndtr((self.low - self.mean) / self.sigma), special.ndtr((self.high - self.mean) / self.sigma)

    def from_unit(self, u: np.ndarray) -> np.ndarray:
        lo, hi = self._cdf_limits()
        return np.clip(self.mean + self.sigma * special.ndtri(lo + np.asarray(u) * (hi - lo)), self.low, self.high)

    def to_unit(self, value: np.ndarray) -> np.ndarray:
        lo, hi = self._cdf_limits()
        return (special.ndtr((np.asarray(value) - self.mean) / self.sigma) - lo) / (hi - lo)


PRIORS: Mapping[str, type] = {"uniform": UniformPrior, "normal": NormalPrior}


@dataclass(frozen=True)
class PriorBox:
    """Independent priors of parameters, in the order in which every array holds them."""

    parameters: tuple[Parameter, ...]
    priors: tuple[UniformPrior | NormalPrior, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters)

    @property
    def dim(self) -> int:
        return len(self.names)

    def from_unit(self, u: np.ndarray) -> np.ndarray:
        """Map unit-cube points ``(..., d)`` to physical values ``(..., d)``."""
        u = np.asarray(u)
        return np.stack([p.from_unit(u[..., i]) for i, p in enumerate(self.priors)], axis=-1)

    def to_unit(self, theta: np.ndarray) -> np.ndarray:
        """Map physical values ``(..., d)`` to the unit cube ``(..., d)``."""
        theta = np.asarray(theta)
        return np.stack([p.to_unit(theta[..., i]) for i, p in enumerate(self.priors)], axis=-1)

    def to_config(self) -> dict[str, dict]:
        """Return the configuration entry that :func:`prior_box` reads."""
        kinds = {cls: kind for kind, cls in PRIORS.items()}
        return {
            known.name: {"prior": kinds[type(p)], **asdict(p), **_definition(known)}
            for known, p in zip(self.parameters, self.priors, strict=True)
        }


def prior_box(config: Mapping[str, Mapping]) -> PriorBox:
    """Build the priors of ``config``: parameter name -> ``{prior: uniform, low: .., high: ..}``.

    The order is that of :data:`~nuinfer.tuning.parameters.PARAMETERS`, whatever the order of ``config``; parameters that are
    defined by their entry follow in alphabetical order.

    Raises InputError for an unknown parameter or prior, a missing or unknown setting, an inverted range, and a range
    outside the parameter's physical limits.
    """
    if not config:
        raise InputError("no parameters: name at least one parameter with its prior")
    order = {name: i for i, name in enumerate(PARAMETERS)}
    names = sorted(config, key=lambda name: (order.get(name, len(order)), name))
    parameters, priors = [], []
    for name in names:
        entry = config[name]
        known = defined(name, entry)
        settings = {k: v for k, v in entry.items() if k not in DEFINED_KEYS}
        kind = settings.pop("prior", "uniform")
        if kind not in PRIORS:
            raise InputError(f"{name}: unknown prior '{kind}'; known: {', '.join(PRIORS)}")
        try:
            prior = PRIORS[kind](**{k: float(v) for k, v in settings.items()})
        except TypeError:
            wanted = ", ".join(PRIORS[kind].__dataclass_fields__)
            raise InputError(f"{name}: prior '{kind}' takes {wanted}; got {', '.join(settings) or 'nothing'}") from None
        if not prior.low < prior.high:
            raise InputError(f"{name}: inverted range, low {prior.low:g} is not below high {prior.high:g}")
        if prior.low < known.lowest or prior.high > known.highest:
            raise InputError(
                f"{name}: prior [{prior.low:g}, {prior.high:g}] leaves the physical range "
                f"[{known.lowest:g}, {known.highest:g}] {known.unit}".rstrip()
            )
        if kind == "normal" and not prior.sigma > 0:
            raise InputError(f"{name}: sigma must be positive, got {prior.sigma:g}")
        parameters.append(known)
        priors.append(prior)
    return PriorBox(tuple(parameters), tuple(priors))


def _definition(known: Parameter) -> dict:
    """What an entry must say besides its prior for :func:`prior_box` to know the parameter."""
    return {} if known.name in PARAMETERS else {k: getattr(known, k) for k in DEFINED_KEYS}


def theta_from_mapping(box: PriorBox, values: Mapping[str, float]) -> np.ndarray:
    """Return ``(d,)`` physical values in the box's order; raise InputError unless every parameter is given, once."""
    _same_names(box.names, list(values))
    return np.array([float(values[n]) for n in box.names])


def _same_names(expected: Sequence[str], got: Sequence[str]) -> None:
    missing = [n for n in expected if n not in got]
    unknown = [n for n in got if n not in expected]
    if missing or unknown:
        raise InputError(
            f"parameter values: missing {missing or 'none'}, unknown {unknown or 'none'}; expected {list(expected)}"
        )

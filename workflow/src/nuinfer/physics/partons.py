r"""Parton sets: what a set offers, the analytic set that needs no file, and the choice between sets.

The analytic set is the starting point of the evolution benchmark of the Les Houches 2001 workshop (Giele et al.,
hep-ph/0204316), at :math:`\mu^2 = 2` GeV^2:

.. math::
    x u_v &= 5.107200\,x^{0.8}(1-x)^3 & x d_v &= 3.064320\,x^{0.8}(1-x)^4 & x g &= 1.700000\,x^{-0.1}(1-x)^5 \\
    x\bar d &= 0.1939875\,x^{-0.1}(1-x)^6 & x\bar u &= (1-x)\,x\bar d & xs &= x\bar s = 0.2\,x(\bar u+\bar d)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from nuinfer.errors import InputError
from nuinfer.physics.lhapdf_files import read_set
from nuinfer.physics.lhapdf_grid import check_points, low_q2_factor

TOY = "les_houches_toy"
GRID_KEYS = ("set", "member", "folder")


class PartonSet(Protocol):
    """Densities of the partons of a free proton."""

    name: str
    citation: str

    def xf(self, pid: int, x: np.ndarray, q2_gev2: np.ndarray) -> np.ndarray:
        """Return x f of parton ``pid`` (PDG code, 21 the gluon) at points that broadcast; zero for x >= 1."""

    def describe(self) -> dict[str, Any]:
        """Return what provenance records."""


@dataclass(frozen=True)
class LesHouchesToy:
    r"""The module's set, without charm and without evolution.

    Structure functions vanish as Q^2 at low Q^2, which fixed densities do not.  Below the scale of the set they are
    multiplied by :math:`r^{1-r}`, :math:`r = Q^2/2` GeV^2: the continuation of :mod:`nuinfer.physics.lhapdf_grid` with
    gamma = 0, the slope of a set that does not evolve, so that value and first derivative are continuous at r = 1.  This
    choice is the library's own, not part of the benchmark.
    """

    name: str = TOY
    citation: str = "W. Giele et al., hep-ph/0204316"
    scale_gev2: float = 2.0

    def describe(self) -> dict[str, Any]:
        """Return name, citation and the continuation."""
        return {"name": self.name, "citation": self.citation, "extrapolation": "continuation, gamma = 0"}

    def xf(self, pid: int, x: np.ndarray, q2_gev2: np.ndarray) -> np.ndarray:
        """Return x f at ``x`` and ``q2_gev2``, which broadcast; InputError for another parton, x <= 0 or Q^2 < 0."""
        x, q2 = check_points(self.name, x, q2_gev2)
        return self._at_scale(pid, np.minimum(x, 1.0)) * low_q2_factor(q2 / self.scale_gev2, 0.0)

    def _at_scale(self, pid: int, x: np.ndarray) -> np.ndarray:
        dbar = 0.1939875 * x**-0.1 * (1 - x) ** 6
        ubar = (1 - x) * dbar
        match pid:
            case 21:
                return 1.7 * x**-0.1 * (1 - x) ** 5
            case 2:
                return 5.1072 * x**0.8 * (1 - x) ** 3 + ubar
            case 1:
                return 3.06432 * x**0.8 * (1 - x) ** 4 + dbar
            case -2:
                return ubar
            case -1:
                return dbar
            case 3 | -3:
                return 0.2 * (ubar + dbar)
            case 4 | -4:
                return np.zeros_like(x)
        raise InputError(f"parton set {self.name}: no parton {pid}; it holds 21 and -4 ... 4 without 0")


def parton_set(settings: Mapping[str, Any]) -> PartonSet:
    """Return the set that ``settings`` names.

    ``{"set": "les_houches_toy"}``, or the name of an LHAPDF6 set with, optionally, its ``member`` (0) and the ``folder`` that
    holds the set's own folder (else ``LHAPDF_DATA_PATH`` is searched).  Raises InputError for other keys, and see
    :func:`nuinfer.physics.lhapdf_files.read_set`.
    """
    name = settings.get("set")
    unknown = sorted(set(settings) - set(GRID_KEYS))
    if not isinstance(name, str) or not name or unknown:
        what = f"unknown keys {unknown}" if unknown else f"'set' is {name!r}"
        raise InputError(f"partons: {what}; give 'set' ('{TOY}' or an LHAPDF set), and for the latter 'member', 'folder'")
    if name == TOY:
        if len(settings) > 1:
            raise InputError(f"partons: '{TOY}' has no member or folder; leave them out")
        return LesHouchesToy()
    member = settings.get("member", 0)
    if isinstance(member, bool) or not isinstance(member, int) or member < 0:
        raise InputError(f"partons: member is {member!r}; give a whole number from 0")
    return read_set(name, member, settings.get("folder"))

"""Events of the far detector as a fit sees them: observed leptons, their resolution, their order, and what is refused."""

from dataclasses import dataclass, replace

import numpy as np

from nuinfer.closure.observables import LeptonGrid
from nuinfer.errors import InputError
from nuinfer.physics.kinematics import threshold_enu_gev


@dataclass(frozen=True)
class FarEvents:
    """Observed ``el_gev`` and ``cos_theta`` ``(n,)``; ``smearing`` is the relative resolution in ``el_gev``, None without.

    ``el_true_gev`` (before the resolution) and ``enu_gev``, both ``(n,)``, are None for events of unknown origin.
    """

    el_gev: np.ndarray
    cos_theta: np.ndarray
    el_true_gev: np.ndarray | None = None
    enu_gev: np.ndarray | None = None
    smearing: float | None = None


def smear_energies(
    el_gev: np.ndarray, relative: float, low_gev: float, high_gev: float, rng: np.random.Generator
) -> np.ndarray:
    """Return energies ``(n,)`` in GeV seen with a Gaussian resolution, drawn again while outside [``low_gev``, ``high_gev``].

    The width is ``relative`` times the true energy: equations 9 to 14 of arXiv:2412.16303.
    Raises InputError for a resolution outside (0, 1) and for true energies outside the range.
    """
    if not 0.0 < relative < 1.0:
        raise InputError(f"smearing: the relative resolution must lie between 0 and 1, not {relative:g}")
    true = np.asarray(el_gev, float)
    if outside := np.count_nonzero(~((true >= low_gev) & (true <= high_gev))):
        raise InputError(f"smearing: {outside} of {true.size} true energies lie outside [{low_gev:g}, {high_gev:g}] GeV")
    seen = np.full(true.shape, np.nan)
    again = np.arange(true.size)
    while again.size:
        seen[again] = rng.normal(true[again], relative * true[again])
        again = again[(seen[again] < low_gev) | (seen[again] > high_gev)]
    return seen


def smeared_events(events: FarEvents, relative: float, grid: LeptonGrid, rng: np.random.Generator) -> FarEvents:
    """Return exact ``events`` seen with a resolution: :func:`smear_energies` in the range of ``grid``."""
    seen = smear_energies(events.el_gev, relative, grid.el_min_gev, grid.el_max_gev, rng)
    return replace(events, el_gev=seen, smearing=relative)


def in_order(events: FarEvents) -> FarEvents:
    """Return the events sorted by ``cos_theta``, then ``el_gev``: sums over them then do not depend on a file's order."""
    names = [n for n in ("enu_gev", "el_true_gev", "el_gev", "cos_theta") if getattr(events, n) is not None]
    order = np.lexsort([getattr(events, n) for n in names])
    return replace(events, **{n: getattr(events, n)[order] for n in names})


def check_events(
    el_gev: np.ndarray, cos_theta: np.ndarray, grid: LeptonGrid, mass_gev: float, smeared: bool, source: str
) -> None:
    """Raise InputError, naming ``source``, unless ``el_gev`` and ``cos_theta`` ``(n,)`` lie in the phase space of ``grid``.

    The message names the first bad row, counted from one.  Of events without a resolution (``smeared`` false) the lepton must
    also be one that a neutrino up to the highest energy can make (x = 1 at or below ``grid.el_max_gev``).
    """
    el, cos = np.asarray(el_gev, float), np.asarray(cos_theta, float)
    if el.ndim != 1 or el.shape != cos.shape:
        raise InputError(f"{source}: {el.size} energies and {cos.size} angles; give one of each an event")
    if not el.size:
        raise InputError(f"{source}: no events; give a table with at least one row")

    def refuse(bad: np.ndarray, name: str, values: np.ndarray, mend: str) -> None:
        if rows := np.flatnonzero(bad).size:
            row = int(np.argmax(bad))
            raise InputError(f"{source}: row {row + 1}: {name} = {values[row]:g} {mend}; {rows} of {el.size} rows are bad")

    for name, values in (("el_gev", el), ("cos_theta", cos)):
        refuse(~np.isfinite(values), name, values, "is not a finite number; remove such rows")
    refuse(np.abs(cos) > 1.0, "cos_theta", cos, "lies outside [-1, 1]; give the cosine of the lepton's angle")
    low, high = grid.el_min_gev, grid.el_max_gev
    mend = f"lies outside [{low:g}, {high:g}] GeV; give the lepton's energy, its mass included, in GeV, or widen enu_range_gev"
    refuse((el < low) | (el > high), "el_gev", el, mend)
    if not smeared:
        mend = f"takes a neutrino above {high:g} GeV at this cos_theta; say that energies are smeared, or widen enu_range_gev"
        refuse(threshold_enu_gev(el, cos, mass_gev) > high, "el_gev", el, mend)

"""What makes a throw unusable whatever its source, and the one place where predictions change their unit.

Nothing is folded, clipped or rescaled: a throw is good as it stands or it is bad, and a bad one is an error or is listed.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from nuinfer.errors import InputError
from nuinfer.tuning.sources.raw import BadThrow, RawThrows, check_policy

UNITS: Mapping[str, float] = {"cm2": 1e38, "1e-38cm2": 1.0}
"""Factor from the unit of a source (per nucleon and GeV) to 1e-38 cm2 / nucleon / GeV."""

UNIT_MISTAKE = 1e10
"""Factor by which a throw's largest bin must miss 1 (in 1e-38 cm2 / nucleon / GeV) to be in the other unit.

A flux-averaged cross section is within a few orders of magnitude of 1, its other convention is 1e38 away."""

IMPLAUSIBLE = 1e3
"""Throws whose largest bins are typically above this are no cross section in either unit (event counts, for instance)."""


def check_throws(raw: RawThrows, n_bin: int, unit: str, on_bad: str) -> RawThrows:
    """Return the usable throws, predictions and their statistical errors in 1e-38 cm2 / nucleon / GeV.

    ``unit`` is that of ``raw`` (a key of :data:`UNITS`).  A throw is bad where a dial, bin or statistical error is not finite,
    a bin or error is negative, every bin is zero, the largest bin shows the other unit (:data:`UNIT_MISTAKE`), or an earlier
    good throw has exactly the same dials.  Such throws are treated as :func:`leave_out` does.

    Raises InputError always where the bins are not ``n_bin``, where all throws show the other unit, or none of the two.
    """
    check_policy(on_bad)
    if unit not in UNITS:
        raise InputError(f"units: '{unit}' is unknown; give {' or '.join(UNITS)}")
    if not len(raw):
        raise InputError(f"no throws were read from {len(raw.files)} files; name files with throws")
    if not raw.columns or raw.dials.shape != (len(raw), len(raw.columns)):
        raise InputError(f"{raw.files[0]}: dials of shape {raw.dials.shape} for {len(raw.columns)} columns; name every dial")
    if raw.prediction.shape != (len(raw), n_bin):
        raise InputError(
            f"{raw.files[0]}: {raw.prediction.shape[1]} bins a throw, but the measurement has {n_bin}; "
            "check drop_momentum_overflow, or give the sample of this measurement"
        )
    factor = UNITS[unit]
    with np.errstate(over="ignore"):
        statistical = None if raw.statistical is None else np.asarray(raw.statistical, float) * factor
        prediction = np.asarray(raw.prediction, float) * factor
    reasons = _faults(raw, prediction, statistical)
    reasons |= _other_unit(raw, prediction, unit, reasons)
    reasons |= _repeated(raw, reasons)
    return leave_out(replace(raw, prediction=prediction, statistical=statistical), reasons, on_bad)


def leave_out(raw: RawThrows, reasons: Mapping[int, str], on_bad: str) -> RawThrows:
    """Return ``raw`` without the rows that ``reasons`` (row -> why) names.

    With ``on_bad`` ``"error"`` the first of them raises InputError instead, saying how many there are; with ``"drop"`` all
    are listed in ``bad``, and InputError is raised where no throw is left.
    """
    if not reasons:
        return raw
    rows = sorted(reasons)
    first = f"{raw.where(rows[0])}: {reasons[rows[0]]}"
    if on_bad == "error":
        more = f", and {len(rows) - 1} more of {len(raw)} throws are bad" if len(rows) > 1 else ""
        raise InputError(f"{first}{more}; make such throws again, or set on_bad_throw: drop to go on without them")
    if len(rows) == len(raw):
        raise InputError(f"not one of {len(raw)} throws can be used; the first: {first}")
    mask = np.zeros(len(raw), dtype=bool)
    mask[rows] = True
    return raw.without(mask, [BadThrow(raw.where(i), reasons[i]) for i in rows])


def _faults(raw: RawThrows, prediction: np.ndarray, statistical: np.ndarray | None) -> dict[int, str]:
    """Return what is wrong with single numbers, by row; the first fault of a row counts."""
    reasons: dict[int, str] = {}

    def note(wrong: np.ndarray, values: np.ndarray, what: str, names: tuple[str, ...] | None = None) -> None:
        for row in np.flatnonzero(wrong.any(axis=1)):
            column = int(np.argmax(wrong[row]))
            name = names[column] if names else column
            reasons.setdefault(int(row), f"{what} {name} is {values[row, column]:g}")

    note(~np.isfinite(raw.dials), raw.dials, "dial", raw.columns)
    note(~np.isfinite(prediction), prediction, "bin")
    note(prediction < 0, prediction, "bin")
    if statistical is not None:
        note(~np.isfinite(statistical) | (statistical < 0), statistical, "the statistical error of bin")
    for row in np.flatnonzero(~prediction.any(axis=1)):
        reasons.setdefault(int(row), "every bin is zero")
    return reasons


def _others(n: int, rows: Mapping[int, str]) -> np.ndarray:
    mask = np.ones(n, dtype=bool)
    mask[list(rows)] = False
    return np.flatnonzero(mask)


def _other_unit(raw: RawThrows, prediction: np.ndarray, unit: str, bad: Mapping[int, str]) -> dict[int, str]:
    """Return the rows whose largest bin shows the other unit; raise InputError where all do, or none can be right."""
    good = _others(len(raw), bad)
    if not good.size:
        return {}
    largest = prediction.max(axis=1)[good]
    wrong = (largest > UNIT_MISTAKE) | (largest < 1.0 / UNIT_MISTAKE)
    other = next(u for u in UNITS if u != unit)
    if wrong.all():
        away = UNITS[other] / UNITS[unit]
        if UNIT_MISTAKE**-1 <= np.median(largest) * away <= UNIT_MISTAKE:
            raise InputError(
                f"{raw.where(good[0])}: contents look like {other}, not {unit} (the largest bin holds "
                f"{raw.prediction[good[0]].max():g}); set units: {other}"
            )
        raise InputError(
            f"{raw.where(good[0])}: the largest bin holds {raw.prediction[good[0]].max():g}: a cross section neither in cm2 "
            "nor in 1e-38 cm2; give cross sections per nucleon and GeV"
        )
    if np.median(largest[~wrong]) > IMPLAUSIBLE:
        raise InputError(
            f"{raw.where(good[0])}: contents around {np.median(largest[~wrong]):g} 1e-38 cm2 are no cross sections per nucleon "
            "and GeV; give these, and no event counts"
        )
    return {
        int(row): f"bin {int(np.argmax(prediction[row]))} holds {raw.prediction[row].max():g}, no content in units of {unit} "
        "like the other throws': units are mixed"
        for row in good[wrong]
    }


def _repeated(raw: RawThrows, bad: Mapping[int, str]) -> dict[int, str]:
    """Return the good rows whose dials an earlier good row has; sorting by dials brings equal ones together."""
    good = _others(len(raw), bad)
    if good.size < 2:
        return {}
    # lexsort is stable: of equal rows the earliest comes first.
    order = good[np.lexsort(raw.dials[good].T)]
    same = (raw.dials[order[1:]] == raw.dials[order[:-1]]).all(axis=1)
    start = np.concatenate([[True], ~same])
    first = order[np.flatnonzero(start)[np.cumsum(start) - 1]]
    again = np.flatnonzero(~start)
    return {int(order[i]): f"repeats {raw.where(first[i])}: the same dials" for i in again}

"""A part of a measurement as a measurement of its own: the bins of a range of cos(theta)."""

from dataclasses import replace

import numpy as np

from nuinfer.errors import InputError
from nuinfer.io.measurement import NOT_DATA, Measurement
from nuinfer.physics.binning import EDGE_TOLERANCE


def measurement_slice(whole: Measurement, name: str, cos_theta: tuple[float, float], label: str | None = None) -> Measurement:
    """Return the bins of ``whole`` that lie inside ``cos_theta`` (low, high), with their part of every covariance.

    Parts of one measurement share errors: :mod:`nuinfer.tuning.tension` takes the covariance between them from ``whole``.
    Raises InputError for an inverted range, one that cuts through a bin, and one that leaves no bin or all of them.
    """
    low, high = cos_theta
    lo, hi = whole.binning.cos_lo, whole.binning.cos_hi
    if not low < high:
        raise InputError(f"measurement {name}: cos_theta [{low:g}, {high:g}] is inverted; give low before high")
    inside = (lo >= low - EDGE_TOLERANCE) & (hi <= high + EDGE_TOLERANCE)
    cut = ~inside & (lo < high - EDGE_TOLERANCE) & (hi > low + EDGE_TOLERANCE)
    if cut.any():
        edges = sorted({*np.round(lo, 6).tolist(), *np.round(hi, 6).tolist()})
        raise InputError(f"measurement {name}: cos_theta [{low:g}, {high:g}] cuts through a bin; its edges are {edges}")
    if not inside.any() or inside.all():
        raise InputError(
            f"measurement {name}: cos_theta [{low:g}, {high:g}] holds {inside.sum()} of {len(inside)} bins; narrow it"
        )
    text = label or f"{whole.label}, cos(theta) {low:g} to {high:g}"
    if not whole.is_data and "not data" not in text.lower():
        text = f"{text} ({NOT_DATA})"
    block = np.ix_(inside, inside)
    return replace(
        whole,
        name=name,
        label=text,
        values=whole.values[inside],
        covariances={key: matrix[block] for key, matrix in whole.covariances.items()},
        binning=whole.binning.select(inside),
        source=f"{whole.source}; cos(theta) {low:g} to {high:g}",
    )

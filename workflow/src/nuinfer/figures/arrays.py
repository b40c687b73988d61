"""Checks of what a figure is given, so that a wrong shape is told in words and not from inside matplotlib."""

from collections.abc import Sequence

import numpy as np

from nuinfer.errors import InputError


def shaped(name: str, values: object, shape: tuple[int | None, ...], finite: bool = True) -> np.ndarray:
    """Return ``values`` as float64 of ``shape`` (None: any length above zero); raise InputError naming ``name``
    otherwise."""
    array = np.asarray(values, dtype=float)
    fits = array.ndim == len(shape) and all(
        n > 0 and want in (None, n) for n, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise InputError(f"figure: {name} has shape {array.shape}, expected ({wanted}); pass an array of that shape")
    if finite and not np.all(np.isfinite(array)):
        raise InputError(
            f"figure: {name} holds {int(np.sum(~np.isfinite(array)))} values that are not finite; drop them first"
        )
    return array


def not_empty(name: str, values: Sequence) -> None:
    """Raise InputError where there is nothing to draw."""
    if len(values) == 0:
        raise InputError(f"figure: {name} is empty; give at least one entry")

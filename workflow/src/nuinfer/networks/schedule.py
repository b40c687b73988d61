"""The one-cycle learning rate as a pure function of the step, so that a resumed training needs no scheduler state."""

import math


def one_cycle(step: int, total: int, max_rate: float, warmup: float) -> float:
    """Return the learning rate of step ``step`` of ``total`` (L. N. Smith and N. Topin, arXiv:1708.07120).

    A cosine from ``max_rate / 25`` up to ``max_rate`` over the fraction ``warmup`` of all steps, and one down to
    ``max_rate / 1e4`` over the rest.
    """
    peak = max(1.0, warmup * total)
    if step < peak:
        return _cosine(max_rate / 25.0, max_rate, step / peak)
    return _cosine(max_rate, max_rate / 1e4, min(1.0, (step - peak) / max(1.0, total - 1.0 - peak)))


def _cosine(start: float, end: float, fraction: float) -> float:
    return end + 0.5 * (start - end) * (1.0 + math.cos(math.pi * fraction))

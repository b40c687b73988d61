"""How event samples make up a prediction: what a configuration says of it, and the checks of that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nuinfer.errors import InputError
from nuinfer.tuning.response import chebyshev_nodes

FACTORS = ("linear", "complement")
NOMINAL = "nominal"
"""The name, among a curve's columns, of the events as they were generated."""

FREE_NUCLEON_NODES = 7


@dataclass(frozen=True)
class Curve:
    """Weights of a term's events at several values ``(n_node,)`` of the one parameter that bends it.

    ``columns`` are the sample's own weights, :data:`NOMINAL` for none; empty where the weights are the free nucleon's
    cross-section ratio to ``nominal`` (:func:`nuinfer.physics.llewellyn_smith.axial_mass_weight`).
    """

    parameter: str
    values: tuple[float, ...]
    columns: tuple[str, ...]
    nominal: float | None
    within: tuple[float, float]


@dataclass(frozen=True)
class EventTerm:
    """A part of the prediction: the CC0pi events of ``channels`` in ``samples``, times factors of the parameters.

    Several samples are pooled, each with the weight of its statistics.  ``scale_to`` names samples whose cross section of
    the same channels, before any selection, the term is brought to: a shape that keeps the total.
    """

    component: str
    samples: tuple[str, ...]
    channels: tuple[str, ...]
    factors: tuple[tuple[str, str], ...]
    curve: Curve | None
    scale_to: tuple[str, ...]


def event_terms(entries: Sequence[Mapping], samples: Sequence[str]) -> tuple[EventTerm, ...]:
    """Return the terms of the configuration ``entries``; raise InputError, naming the entry, for what makes no sense."""
    terms = []
    for i, entry in enumerate(entries):
        where = f"term {i} ({entry['component']})"
        for name in (*entry["samples"], *entry.get("scale_to", [])):
            if name not in samples:
                raise InputError(f"{where}: no sample '{name}'; there are {', '.join(samples)}")
        for name, kind in entry.get("factors", {}).items():
            if kind not in FACTORS:
                raise InputError(f"{where}: factor {name}: '{kind}' is none of {', '.join(FACTORS)}")
        curve = _curve(where, entry["curve"]) if "curve" in entry else None
        terms.append(
            EventTerm(
                entry["component"],
                tuple(entry["samples"]),
                tuple(entry["channels"]),
                tuple(entry.get("factors", {}).items()),
                curve,
                tuple(entry.get("scale_to", [])),
            )
        )
    ranges: dict[str, tuple[float, float]] = {}
    for term in terms:
        if term.curve and ranges.setdefault(term.curve.parameter, term.curve.within) != term.curve.within:
            raise InputError(
                f"curves in {term.curve.parameter} hold in {ranges[term.curve.parameter]} and {term.curve.within}: "
                "give all of them one range"
            )
    return tuple(terms)


def _curve(where: str, entry: Mapping) -> Curve:
    if ("weights" in entry) == ("free_nucleon" in entry):
        raise InputError(f"{where}: a curve needs either 'weights' (column: value) or 'free_nucleon' (nominal value)")
    if "weights" in entry:
        columns = sorted(entry["weights"], key=lambda c: entry["weights"][c])
        values = tuple(float(entry["weights"][c]) for c in columns)
        if len(set(values)) < max(len(values), 3):
            raise InputError(f"{where}: a curve needs three weights or more, each at a value of its own; got {values}")
        return Curve(entry["parameter"], values, tuple(columns), None, (values[0], values[-1]))
    low, high = (float(v) for v in entry.get("range", (np.nan, np.nan)))
    if not low < high:
        raise InputError(f"{where}: free_nucleon needs a range [low, high], got [{low:g}, {high:g}]")
    if entry["parameter"] != "ma_ccqe_gev":
        raise InputError(f"{where}: free_nucleon weights follow ma_ccqe_gev, not {entry['parameter']}")
    nodes = np.sort(chebyshev_nodes((low, high), FREE_NUCLEON_NODES))
    return Curve("ma_ccqe_gev", tuple(nodes.tolist()), (), float(entry["free_nucleon"]), (low, high))

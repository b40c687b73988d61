r"""Per-bin response functions from generator events, with the statistics of the samples carried along.

A term of the prediction is the sum of its events' weights; with weights at several values of one parameter it is a
polynomial through them, bin by bin (:class:`~nuinfer.tuning.response.Response`).  Samples of one term are pooled with shares
:math:`\propto \sum w / \sum w^2`, the number of events that a unit of cross section stands for.  The same events serve every
value of the parameters, so that the variance

.. math:: V_b(\theta) = \sum_e \Big(\sum_t f_t(\theta)\, w_{te}(\theta)\Big)^2 / a_b^2

is again a sum of such terms, one for each pair of terms that share events.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from nuinfer.errors import InputError
from nuinfer.physics.binning import Binning
from nuinfer.physics.llewellyn_smith import axial_mass_weight
from nuinfer.tuning.parameters import PARAMETERS
from nuinfer.tuning.response import Block, Response, chebyshev_features
from nuinfer.tuning.sources.event_terms import NOMINAL, Curve, EventTerm
from nuinfer.tuning.sources.events import Events


@dataclass(frozen=True)
class Filled:
    """The events of one term in one sample: their places ``index`` and bins ``(n,)``, and weights ``(n_node, n)``.

    Weights are in 1e-38 cm^2 per nucleon, ``n_node`` is 1 where nothing bends the term, and bin ``n_bin`` holds the events
    that are in no bin.
    """

    term: int
    sample: str
    index: np.ndarray
    bins: np.ndarray
    weights: np.ndarray


def build_event_response(
    samples: Mapping[str, Events],
    terms: Sequence[EventTerm],
    binning: Binning,
    defaults: Mapping[str, float],
    left_out: Sequence[str] = (),
) -> tuple[Response, list[dict]]:
    """Return the response of ``terms`` in ``binning``, and how each curve predicts the values that are left out of it.

    ``defaults`` are the parameters' values in the samples.  There, every channel that any sample has CC0pi events of must stand
    in the terms with factors that add up to one, or be among ``left_out``: nothing is dropped or counted twice unseen.

    Raises InputError where that is not so, for a term's channel without events, a weight column that a sample lacks, and a
    parameter without a default.
    """
    used = {n for t in terms for n, _ in t.factors} | {t.curve.parameter for t in terms if t.curve}
    if missing := sorted(used - set(PARAMETERS) - set(defaults)):
        raise InputError(f"nominal: give the value of {', '.join(missing)} in the event samples")
    _check_channels(samples, terms, {n: _default(n, defaults) for n in used}, left_out)
    filled = [f for i, term in enumerate(terms) for f in _fill(samples, i, term, binning)]
    n_bin, area = len(binning), np.append(binning.area_gev, 1.0)
    sums = [_histogram(filled, i, n_bin) for i in range(len(terms))]
    checks = [leave_one_out(t, s, v) for t, (s, v) in zip(terms, sums, strict=True) if t.curve and t.curve.columns]
    blocks = [_block(term, total / area) for term, (total, _) in zip(terms, sums, strict=True)]
    ranges = {t.curve.parameter: t.curve.within for t in terms if t.curve}
    error = max((c["largest_rel"] for check in checks for c in check["left_out"]), default=0.0)
    whole = Response(tuple(blocks), ranges, error, area, 0.0, dict(defaults), tuple(_variance(terms, filled, area)))
    inside = whole.select(np.arange(n_bin))
    total = float(whole.default_prediction()[-1])
    return Response(inside.blocks, ranges, error, binning.area_gev, total, dict(defaults), inside.variance), checks


def _default(name: str, defaults: Mapping[str, float]) -> float:
    return defaults[name] if name in defaults else PARAMETERS[name].default


def _check_channels(
    samples: Mapping[str, Events], terms: Sequence[EventTerm], defaults: Mapping[str, float], left_out: Sequence[str]
) -> None:
    there = {c for e in samples.values() for c in np.unique(e.channel[e.is_cc0pi]).tolist()}
    for channel in sorted(there - set(left_out)):
        factors = [
            np.prod([defaults[n] if kind == "linear" else 1.0 - defaults[n] for n, kind in term.factors])
            for term in terms
            if channel in term.channels
        ]
        if abs(sum(factors) - 1.0) > 1e-9:
            raise InputError(
                f"terms: at the samples' own parameters the channel {channel} counts {sum(factors):g} times, not once; "
                "name it in a term, correct factors or nominal, or list it in left_out"
            )


def _fill(samples: Mapping[str, Events], number: int, term: EventTerm, binning: Binning) -> list[Filled]:
    kept, exposure = [], []
    for name in term.samples:
        events = samples[name]
        index = np.flatnonzero(np.isin(events.channel, term.channels) & events.is_cc0pi)
        weight = events.weight_1e38cm2[index]
        if not np.sum(weight) > 0:
            raise InputError(
                f"sample {name}: no CC0pi events of {', '.join(term.channels)}; correct the term's samples or channels"
            )
        kept.append((name, index, weight))
        exposure.append(np.sum(weight) / np.sum(weight**2))
    scale = 1.0
    if term.scale_to:
        scale = _cross_section(samples, term.scale_to, term.channels) / _cross_section(samples, term.samples, term.channels)
    found = []
    for (name, index, weight), part in zip(kept, exposure, strict=True):
        events = samples[name]
        bins = events.bin_index(binning)[index]
        bins[bins < 0] = len(binning)
        curve = _curve_weights(name, events, index, term.curve) if term.curve else np.ones((1, len(index)))
        found.append(Filled(number, name, index, bins, curve * (weight * scale * part / sum(exposure))))
    return found


def _cross_section(samples: Mapping[str, Events], names: Sequence[str], channels: Sequence[str]) -> float:
    """Return the cross section of ``channels``, before any selection, as the samples' mean by their statistics."""
    weights = [samples[n].weight_1e38cm2[np.isin(samples[n].channel, channels)] for n in names]
    if not all(np.sum(w) > 0 for w in weights):
        raise InputError(f"samples {', '.join(names)}: no events of {', '.join(channels)} to scale to; correct scale_to")
    exposure = np.array([np.sum(w) / np.sum(w**2) for w in weights])
    return float(np.sum([np.sum(w) for w in weights] * exposure) / np.sum(exposure))


def _curve_weights(name: str, events: Events, index: np.ndarray, curve: Curve) -> np.ndarray:
    if not curve.columns:
        enu, q2 = events.enu_gev[index], events.q2_gev2[index]
        return np.stack([axial_mass_weight(enu, q2, value, curve.nominal) for value in curve.values])
    missing = [c for c in curve.columns if c != NOMINAL and c not in events.dial_weights]
    if missing:
        there = ", ".join(events.dial_weights) or "none"
        raise InputError(f"sample {name}: no weight column {', '.join(missing)}; there are {there}")
    return np.stack([np.ones(len(index)) if c == NOMINAL else events.dial_weights[c][index] for c in curve.columns])


def _histogram(filled: Sequence[Filled], term: int, n_bin: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of weights and of their squares ``(n_node, n_bin + 1)`` of a term; the last column is everything."""
    parts = [f for f in filled if f.term == term]
    sums = sum(_sums(f.bins, f.weights, n_bin) for f in parts)
    squares = sum(_sums(f.bins, f.weights**2, n_bin) for f in parts)
    return sums, squares


def _sums(bins: np.ndarray, weights: np.ndarray, n_bin: int) -> np.ndarray:
    inside = np.stack([np.bincount(bins, w, minlength=n_bin + 1) for w in weights])
    inside[:, -1] = weights.sum(axis=1)
    return inside


def _block(term: EventTerm, at_nodes: np.ndarray) -> Block:
    if term.curve is None:
        return Block(term.component, term.factors, at_nodes)
    features = chebyshev_features(np.array(term.curve.values), term.curve.within, len(term.curve.values))
    return Block(term.component, term.factors, np.linalg.solve(features, at_nodes), term.curve.parameter)


def _variance(terms: Sequence[EventTerm], filled: Sequence[Filled], area: np.ndarray) -> list[Block]:
    blocks = []
    for i, one in enumerate(filled):
        for other in filled[i:]:
            if one.sample != other.sample:
                continue
            _, here, there = np.intersect1d(one.index, other.index, assume_unique=True, return_indices=True)
            if not here.size:
                continue
            bent = [terms[f.term] for f in (one, other) if terms[f.term].curve]
            if len({t.curve for t in bent}) > 1:
                raise InputError(
                    f"sample {one.sample}: two terms bend the same events in different ways; "
                    "give them one curve, or samples of their own"
                )
            twice = 1.0 if one is other else 2.0
            product = _sums(one.bins[here], twice * one.weights[:, here] * other.weights[:, there], len(area) - 1)
            pair = EventTerm(
                "", (), (), (*terms[one.term].factors, *terms[other.term].factors), bent[0].curve if bent else None, ()
            )
            blocks.append(_block(pair, product / area**2))
    return blocks


def leave_one_out(term: EventTerm, sums: np.ndarray, squares: np.ndarray) -> dict:
    """Return how the polynomial through all other values predicts each inner one, in sigma of its statistics and relatively."""
    values, within = np.array(term.curve.values), term.curve.within
    rows = []
    for left in range(1, len(values) - 1):
        rest = np.delete(np.arange(len(values)), left)
        coefficients = np.linalg.solve(chebyshev_features(values[rest], within, len(rest)), sums[rest])
        off = np.abs(chebyshev_features(values[left : left + 1], within, len(rest)) @ coefficients - sums[left])[0, :-1]
        full = sums[left, :-1] > 0
        sigma = np.sqrt(squares[left, :-1][full])
        rows.append(
            {
                "value": float(values[left]),
                "largest_sigma": float(np.max(off[full] / sigma, initial=0.0)),
                "largest_rel": float(np.max(off[full] / sums[left, :-1][full], initial=0.0)),
                "n_bins": int(full.sum()),
                "n_bins_within_1_sigma": int(np.sum(off[full] <= sigma)),
            }
        )
    return {"component": term.component, "parameter": term.curve.parameter, "left_out": rows}


def curve_differences(response: Response, terms: Sequence[EventTerm]) -> list[dict]:
    """Return how differently two terms of one component bend with one parameter, at the ends of its range.

    The two are, say, quasielastic scattering with and without RPA.  Relative to the default the largest difference over bins
    of the terms' ratios, and the same in units of the prediction's statistical error with the second term alone: its linear
    factors one, its complements zero.
    """
    found = []
    for (i, one), (j, other) in combinations(enumerate(terms), 2):
        if one.component != other.component or not one.curve or not other.curve or one.curve.parameter != other.curve.parameter:
            continue
        name, values = other.curve.parameter, np.array(other.curve.within)
        default = _default(name, response.defaults)
        nodes = np.concatenate([[default], values])
        blocks = [response.blocks[k].coefficients for k in (i, j)]
        first, second = (chebyshev_features(nodes, other.curve.within, len(b)) @ b for b in blocks)
        full = (first[0] > 0) & (second[0] > 0)
        ratio = [s[1:, full] / s[0, full] for s in (first, second)]
        names = (name, *(n for n, _ in other.factors))
        theta = np.array([[v, *(float(kind == "linear") for _, kind in other.factors)] for v in values])
        error = np.sqrt(response.simulation_variance(theta, names)[:, full]) / response.predict(theta, names)[:, full]
        off = np.abs(ratio[0] / ratio[1] - 1.0)
        largest = {
            "largest_rel": off.max(axis=1, initial=0.0).tolist(),
            "largest_sigma": (off / error).max(axis=1, initial=0.0).tolist(),
        }
        found.append({"component": one.component, "parameter": name, "values": values.tolist(), **largest})
    return found

r"""From checked throws to simulations: physical values, the prior that the throws really have, and the three splits.

An estimator that is trained on throws takes *their* distribution for the prior.  With the prior's distribution function
:math:`u_j = F_j(\theta_j)` the throws must be uniform in every :math:`u_j` (Kolmogorov-Smirnov test) and the :math:`u_j` must
not be correlated (Spearman's :math:`\rho`, for which :math:`z = \rho\sqrt{n - 1}` is standard normal where there is none:
Kendall & Gibbons, Rank Correlation Methods).  Neither test sees every departure: see :func:`assemble`.
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from nuinfer.errors import InputError
from nuinfer.io.simulations import Simulations
from nuinfer.physics.binning import Binning
from nuinfer.seeds import stream
from nuinfer.tuning.parameters import (
    CONVENTIONS,
    PARAMETERS,
    PHYSICAL,
    Parameter,
    dial_to_physical,
    physical_to_dial,
    to_physical,
)
from nuinfer.tuning.priors import PriorBox
from nuinfer.tuning.sources.checks import leave_out
from nuinfer.tuning.sources.raw import RawThrows, check_policy
from nuinfer.workflow import SPLITS

ON_LIMIT = 1e-9
"""A throw outside its prior by less than this fraction of the range is on the limit (rounding of a conversion)."""

EMPTY_END = 0.05
"""Largest share of a prior's range, at either end, that may hold no throw: a fitted response is only a guess there."""

KS_P_VALUE = 1e-6
RANK_Z = 6.0
"""Departures that one in a million (or a thousand million) sets of throws from the prior would show."""


def assemble(
    raw: RawThrows,
    box: PriorBox,
    binning: Binning,
    convention: str,
    counts: Mapping[str, int],
    seed: int,
    key: str,
    on_bad: str = "error",
    check_prior: bool = True,
) -> tuple[Simulations, dict]:
    """Return the simulations that ``raw`` (as :func:`check_throws` returns it) stands for, and a report for JSON.

    ``convention`` is that of every dial: one of GENIE Reweight's or ``"physical"``; columns are named by dial or by parameter,
    in any order.  ``counts`` gives the ``test`` and ``validation`` throws, and ``train`` where not all others are to train.
    The splits are a permutation of the stream ``(seed, "split", key)`` over the throws sorted by their physical values: they
    depend on which throws there are, not on the order of files or rows.  Rows come out in the order of the permutation, so
    that the first of a split are a random sample of it: a scan, or files sorted by name, would not be one.

    Throws outside their prior, or at a dial that the generator clamps, are bad: ``on_bad`` as in :func:`leave_out`.
    ``check_prior`` ``False`` turns what the tests of the prior find into ``warnings`` of the report.  The tests look at each
    parameter, and at monotonic relations of two; a ring in a plane passes.

    Raises InputError for columns that do not name the parameters once, a column that varies and is no parameter, throws that
    are not distributed as the prior, and too few throws for the splits.
    """
    check_policy(on_bad)
    if convention not in (PHYSICAL, *CONVENTIONS):
        raise InputError(f"convention: '{convention}' is unknown; give {', '.join((PHYSICAL, *CONVENTIONS))}")
    if raw.prediction.shape[1] != len(binning):
        raise InputError(f"{raw.files[0]}: {raw.prediction.shape[1]} bins a throw, but the measurement has {len(binning)}")
    place = _columns(raw, box)
    fixed = _fixed_dials(raw, set(place))
    n_read = len(raw) + len(raw.bad)
    raw, theta = _physical(raw, box, place, convention, on_bad)
    raw, theta = _inside_prior(raw, box, place, theta, on_bad)
    u = box.to_unit(theta)
    order, split = _split(theta, counts, seed, key)
    uniformity, relations = _uniformity(box, u), _relations(box, u)
    found = _prior_faults(box, theta, uniformity, relations)
    if found and check_prior:
        raise InputError(found[0])
    n_left_over = len(raw) - len(order)
    raw, theta, u = raw.taken(order), theta[order], u[order]
    report = {
        "n_read": n_read,
        "n_bad": len(raw.bad),
        "bad": [{"where": b.where, "why": b.why} for b in raw.bad],
        "n_used": len(raw),
        "n_left_over": n_left_over,
        "n_files": len(raw.files),
        "convention": convention,
        "splits": {name: int((split == i).sum()) for i, name in enumerate(SPLITS)},
        "ranges": _ranges(raw, box, place, theta),
        "uniformity": uniformity,
        "relations": relations,
        "fixed_dials": fixed,
        "statistical_rel": _statistical(raw),
        "warnings": found,
    }
    return Simulations(box, binning, u, theta, raw.prediction, split), report


def _columns(raw: RawThrows, box: PriorBox) -> list[int]:
    """Return the column of every parameter of the box."""
    place = []
    for known in box.parameters:
        found = [i for i, name in enumerate(raw.columns) if name in (known.name, known.dial)]
        if len(found) != 1:
            names = known.name if known.dial == known.name else f"{known.name} or {known.dial}"
            what = "no column" if not found else f"{len(found)} columns"
            raise InputError(f"{raw.files[0]}: {what} named {names}; there are {', '.join(raw.columns)}: name each once")
        place += found
    return place


def _fixed_dials(raw: RawThrows, used: set[int]) -> dict[str, float]:
    """Return the value of every column that is no parameter; one that varies would be averaged over unseen."""
    fixed = {}
    for i, name in enumerate(raw.columns):
        if i in used:
            continue
        low, high = float(raw.dials[:, i].min()), float(raw.dials[:, i].max())
        if low != high:
            raise InputError(
                f"{raw.files[0]}: dial {name} varies from {low:g} to {high:g} but is not inferred; "
                "name it in parameters, or take throws in which it is fixed"
            )
        fixed[name] = low
    return fixed


def _physical(raw: RawThrows, box: PriorBox, place: list[int], convention: str, on_bad: str) -> tuple[RawThrows, np.ndarray]:
    """Return the throws that no dial clamps and their physical values ``(n, d)``."""
    reasons: dict[int, str] = {}
    for known, column in zip(box.parameters, place, strict=True):
        for row in np.flatnonzero(_clamped(known, raw.dials[:, column], convention)):
            reasons.setdefault(int(row), f"the generator clamps {known.dial} {raw.dials[row, column]:g} ({convention} dials)")
    raw = leave_out(raw, reasons, on_bad)
    pairs = zip(box.parameters, place, strict=True)
    return raw, np.stack([to_physical(known, raw.dials[:, column], convention) for known, column in pairs], axis=1)


def _clamped(known: Parameter, dial: np.ndarray, convention: str) -> np.ndarray:
    """Return the mask of the dials that stand for another value than they seem to; as in :func:`to_physical`."""
    if convention == PHYSICAL or known.name not in PARAMETERS:
        return np.zeros(len(dial), dtype=bool)
    back = physical_to_dial(known.name, dial_to_physical(known.name, dial, convention), convention)
    return ~np.isclose(back, dial, rtol=1e-9, atol=1e-9)


def _inside_prior(
    raw: RawThrows, box: PriorBox, place: list[int], theta: np.ndarray, on_bad: str
) -> tuple[RawThrows, np.ndarray]:
    """Return the throws inside the prior and their physical values, those within rounding of a limit put on it."""
    low, high = np.array([(p.low, p.high) for p in box.priors]).T
    within = np.clip(theta, low, high)
    outside = np.abs(within - theta) > ON_LIMIT * (high - low)
    # A list of bad throws needs the range once at most, a message that ends the run always.
    ends_the_run = on_bad == "error" or outside.any(axis=1).all()
    reasons: dict[int, str] = {}
    for j, name in enumerate(box.names):
        dials = raw.dials[:, place[j]]
        throws = (
            f"; dial range against the prior: the throws run from {theta[:, j].min():g} to {theta[:, j].max():g} "
            f"({raw.columns[place[j]]} from {dials.min():g} to {dials.max():g}), {outside[:, j].sum()} of {len(theta)} "
            "outside: widen the prior to what was thrown, or correct the convention"
        )
        for row in np.flatnonzero(outside[:, j]):
            says = f"{name} {theta[row, j]:g} is outside its prior [{low[j]:g}, {high[j]:g}]"
            reasons.setdefault(int(row), says + throws if ends_the_run else says)
    return leave_out(raw, reasons, on_bad), within[~outside.any(axis=1)]


def _split(theta: np.ndarray, counts: Mapping[str, int], seed: int, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that are used, in a random order, and the split of each."""
    if unknown := set(counts) - set(SPLITS):
        raise InputError(f"throws: unknown {', '.join(sorted(unknown))}; give {', '.join(SPLITS)}")
    n_test, n_validation = (int(counts.get(name, 0)) for name in ("test", "validation"))
    n_train = int(counts["train"]) if counts.get("train") is not None else max(1, len(theta) - n_test - n_validation)
    if min(n_test, n_validation, n_train) < 1:
        raise InputError(f"throws: {n_test} test, {n_validation} validation, {n_train} train; give at least one of each")
    if n_test + n_validation + n_train > len(theta):
        raise InputError(
            f"{len(theta)} usable throws are too few for {n_test} test, {n_validation} validation and at least {n_train} "
            "train; give more throws, or ask for fewer"
        )
    order = np.lexsort(theta.T)[stream(seed, "split", key).permutation(len(theta))]
    sizes = {"test": n_test, "validation": n_validation, "train": n_train}
    split = np.repeat([SPLITS.index(name) for name in sizes], list(sizes.values())).astype(np.int8)
    return order[: len(split)], split


def _uniformity(box: PriorBox, u: np.ndarray) -> dict[str, dict[str, float]]:
    """Return the Kolmogorov-Smirnov distance of every ``u`` from the uniform distribution, and its p-value."""
    from scipy import stats

    tests = {name: stats.kstest(u[:, j], "uniform") for j, name in enumerate(box.names)}
    return {name: {"distance": float(t.statistic), "p_value": float(t.pvalue)} for name, t in tests.items()}


def _relations(box: PriorBox, u: np.ndarray) -> list[dict]:
    """Return Spearman's rank correlation of every pair of parameters; zero for one that does not vary."""
    from scipy import stats

    ranks = stats.rankdata(u, axis=0)
    ranks -= ranks.mean(axis=0)
    length = np.linalg.norm(ranks, axis=0)
    found = []
    for i, j in combinations(range(box.dim), 2):
        norm = length[i] * length[j]
        rho = float(ranks[:, i] @ ranks[:, j] / norm) if norm > 0 else 0.0
        found.append({"pair": [box.names[i], box.names[j]], "spearman": rho, "z": float(rho * np.sqrt(len(u) - 1.0))})
    return found


def _prior_faults(box: PriorBox, theta: np.ndarray, uniformity: Mapping[str, Mapping], relations: list[dict]) -> list[str]:
    """Return one message for every test of the prior that fails."""
    faults = []
    for j, name in enumerate(box.names):
        test = uniformity[name]
        if test["p_value"] < KS_P_VALUE:
            faults.append(
                f"throws of {name} are not distributed as its prior (KS distance {test['distance']:.3g}): they run from "
                f"{theta[:, j].min():g} to {theta[:, j].max():g}; set its prior to what was thrown, or check_prior: false"
            )
            continue
        prior = box.priors[j]
        gaps = (theta[:, j].min() - prior.low, prior.high - theta[:, j].max())
        if max(gaps) > EMPTY_END * (prior.high - prior.low):
            faults.append(
                f"throws of {name} run from {theta[:, j].min():g} to {theta[:, j].max():g}, its prior from {prior.low:g} to "
                f"{prior.high:g}: nothing is known of the rest; narrow the prior to what was thrown, or check_prior: false"
            )
    for relation in relations:
        if abs(relation["z"]) > RANK_Z:
            faults.append(
                f"throws of {' and '.join(relation['pair'])} are correlated (Spearman {relation['spearman']:.3g}), "
                "but priors are independent; take throws of independent dials, or check_prior: false"
            )
    return faults


def _ranges(raw: RawThrows, box: PriorBox, place: list[int], theta: np.ndarray) -> dict[str, dict]:
    """Return the throws' ranges in dials and physical values, by parameter."""
    found = {}
    for j, (known, column) in enumerate(zip(box.parameters, place, strict=True)):
        dial, value = raw.dials[:, column], theta[:, j]
        ends = {"dial": [float(dial.min()), float(dial.max())], "physical": [float(value.min()), float(value.max())]}
        found[known.name] = {"column": raw.columns[column], "unit": known.unit, **ends}
    return found


def _statistical(raw: RawThrows) -> list[float | None] | None:
    """Return the median relative statistical error of every bin, ``None`` for a bin that is empty in every throw."""
    if raw.statistical is None:
        return None
    found = []
    for error, content in zip(raw.statistical.T, raw.prediction.T, strict=True):
        filled = content > 0
        found.append(float(np.median(error[filled] / content[filled])) if filled.any() else None)
    return found

r"""How often united regions of ensembles hold the truth, and which fraction of members a union would have to demand.

A universe has its own true flux, near-detector data and far-detector events, and a whole ensemble of members fitted to them.
Members' levels ``(n_universes, n_members)``: the confidence level at which each member's region begins to hold the truth.
A union that demands k members holds the truth at n sigma if k of its members do: one table answers for every rule.

The members' centres scatter around the universe's central fit, since their fluxes are drawn around the nominal one; the truth
is not in their middle.  Its flux is one more draw of the same law, which shifts the central fit and all members with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nuinfer.errors import InputError
from nuinfer.oscillation.regions import level
from nuinfer.oscillation.union import fraction, least_members

N_SIGMAS = (1, 2, 3)
ONE_SIGMA = float(level(1.0))
REACH, STEPS = 8.0, 8001
"""Standard deviations and points of the integral over the distance of the truth."""


@dataclass(frozen=True)
class FractionCurves:
    """Coverage of 1, 2 and 3 sigma ``(3, K)`` against the ``fractions`` ``(K,)`` of members that a union demands.

    ``lower``, ``upper`` ``(3, K)``: binomial intervals.  ``published``, ``complement``, ``calibrated`` ``(3,)``: numbers of
    members over their number, as the published rule demands, its complement, and the largest fraction that covers.
    """

    fractions: np.ndarray
    coverage: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    published: np.ndarray
    complement: np.ndarray
    calibrated: np.ndarray


def binomial_interval(
    count: np.ndarray | int, n: int, probability: float = ONE_SIGMA
) -> tuple[np.ndarray | float, np.ndarray | float]:
    """Return the central interval of a share of which ``count`` of ``n`` were seen, of the shape of ``count``.

    Clopper and Pearson, Biometrika 26 (1934) 404: it holds the true share at least with ``probability``, and at counts of 0
    and ``n``, usual at three sigma, it still has a width.  Raises InputError for counts outside 0 .. n.
    """
    from scipy import stats

    count = np.asarray(count)
    if n < 1 or np.any((count < 0) | (count > n)):
        raise InputError(f"binomial interval: counts must lie within 0 .. {n}, of at least one; count the universes again")
    tail = 0.5 * (1.0 - probability)
    lower = np.where(count == 0, 0.0, stats.beta.ppf(tail, np.maximum(count, 1), n - count + 1))
    upper = np.where(count == n, 1.0, stats.beta.isf(tail, count + 1, np.maximum(n - count, 1)))
    return lower[()], upper[()]


def sigma_coverage(levels: np.ndarray) -> dict[str, dict[str, float]]:
    """Return the share of regions of 1, 2 and 3 sigma that hold the truth, and its interval, of ``levels`` ``(n_universes,)``.

    By ``"1_sigma"`` .. ``"3_sigma"``: ``claimed``, ``coverage``, ``lower``, ``upper`` (:func:`binomial_interval`, 68.27 %).
    Raises InputError for levels outside 0 to 1.
    """
    levels = _levels(levels, 1)
    return {f"{n}_sigma": _share(int(np.count_nonzero(levels <= level(n))), levels.size, n) for n in N_SIGMAS}


def coverage_by_method(levels: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Return :func:`sigma_coverage` of every method's every quantity; ``levels``: method -> quantity -> ``(n_universes,)``."""
    return {method: {name: sigma_coverage(values) for name, values in of.items()} for method, of in levels.items()}


def members_inside(member_levels: np.ndarray) -> np.ndarray:
    """Return ``(3, n_universes)``: how many members' regions of 1, 2 and 3 sigma hold the truth."""
    levels = _levels(member_levels, 2)
    return np.stack([np.count_nonzero(levels <= level(n), axis=1) for n in N_SIGMAS])


def fraction_curves(member_levels: np.ndarray) -> FractionCurves:
    """Return coverage against the fraction of members demanded, 0 to 1, of one quantity's levels ``(n_universes, n_members)``.

    Demanding none, every region is the whole plane and covers.  The calibrated fraction is the largest of which the coverage is
    at least the claimed level: measured, so it carries the error of the coverage; zero where even one member is too many.
    """
    inside = members_inside(member_levels)
    n_universes, n_members = np.shape(member_levels)
    # How many universes have k or more members inside: counts of each number, summed from the top.
    exactly = np.stack([np.bincount(counts, minlength=n_members + 1) for counts in inside])
    holding = np.cumsum(exactly[:, ::-1], axis=1)[:, ::-1]
    coverage = holding / n_universes
    enough = coverage >= np.array([level(n) for n in N_SIGMAS])[:, None]
    demanded = [
        [least_members(n, n_members) for n in N_SIGMAS],
        [complement_members(n, n_members) for n in N_SIGMAS],
        n_members - np.argmax(enough[:, ::-1], axis=1),
    ]
    published, complement_fraction, calibrated = (np.asarray(k) / n_members for k in demanded)
    fractions = np.arange(n_members + 1) / n_members
    lower, upper = binomial_interval(holding, n_universes)
    return FractionCurves(fractions, coverage, lower, upper, published, complement_fraction, calibrated)


def calibrated_fraction(member_levels: np.ndarray) -> dict[str, dict[str, Any]]:
    """Return by ``"1_sigma"`` .. ``"3_sigma"`` what a union must demand to cover, beside what the published one does.

    ``fraction`` and ``members``: the largest that covers at least as claimed (:func:`fraction_curves`), ``coverage`` with it;
    ``published_fraction`` g_n = (1 - erf(n / sqrt 2)) / 2, ``published_members`` and ``published_coverage`` with them.
    """
    curves, n_members = fraction_curves(member_levels), np.shape(member_levels)[1]
    found = {}
    for i, n in enumerate(N_SIGMAS):
        own, published = (round(f[i] * n_members) for f in (curves.calibrated, curves.published))
        found[f"{n}_sigma"] = {
            "claimed": float(level(n)),
            "fraction": float(curves.calibrated[i]),
            "members": own,
            "coverage": float(curves.coverage[i, own]),
            "published_fraction": float(fraction(n)),
            "published_members": published,
            "published_coverage": float(curves.coverage[i, published]),
        }
    return found


def complement_members(n_sigma: float, n_members: int) -> int:
    """Return how many members the complement of the published rule demands, a fraction (1 + erf(n / sqrt 2)) / 2 of them."""
    return int(np.ceil(n_members * (1.0 - fraction(n_sigma)) - 1e-9))


def complement(member_levels: np.ndarray) -> dict[str, dict[str, float]]:
    """Return, as :func:`sigma_coverage`, the coverage of the complement of the published rule: a negative control.

    Its regions shrink as the systematic uncertainty grows.  ``member_levels`` ``(n_universes, n_members)``.
    """
    inside = members_inside(member_levels)
    n_universes, n_members = np.shape(member_levels)
    counts = [np.count_nonzero(inside[i] >= complement_members(n, n_members)) for i, n in enumerate(N_SIGMAS)]
    return {f"{n}_sigma": _share(int(count), n_universes, n) for n, count in zip(N_SIGMAS, counts, strict=True)}


def gaussian_union_coverage(n_sigma: np.ndarray | float, ratio: np.ndarray | float) -> np.ndarray | float:
    r"""Return the coverage of the union that adds linearly, for ``ratio`` = sigma_sys / sigma_stat; the shapes broadcast.

    For one Gaussian parameter and many members the united half width is n sigma_stat + n sigma_sys around the central fit
    (arXiv:2412.16303, eq. 18), and the truth lies from it with the two in quadrature:

    .. math:: \mathrm{erf}\left( \frac{n \sigma_{stat} + n \sigma_{sys}}
              {\sqrt{2 (\sigma_{stat}^2 + \sigma_{sys}^2)}} \right)

    Not :math:`\mathrm{erf}(n (1 + r) / \sqrt 2)`, which would be right if members scattered around the truth.  Linear addition
    holds for infinitely many members and up to r ~ 1: :func:`gaussian_ensemble_coverage` needs neither.
    """
    ratio = np.asarray(ratio, float)
    if not np.all(ratio >= 0.0):
        raise InputError("coverage of a union: the ratio sigma_sys / sigma_stat must not be negative; give standard deviations")
    return level(np.asarray(n_sigma) * (1.0 + ratio) / np.sqrt(1.0 + ratio**2))


def gaussian_ensemble_coverage(n_sigma: float, ratio: float, n_members: int, least: int | None = None) -> float:
    r"""Return the coverage for one Gaussian parameter of a union of ``n_members`` that demands ``least`` of them.

    At a distance d of the truth from the central fit, both in sigma_stat, a member's centre lies within n of the truth with
    p(d) = Phi((n - d) / r) - Phi((-n - d) / r), each member for itself, and d is a Gaussian of variance 1 + r^2:

    .. math:: \int \mathcal N(d; 0, 1 + r^2) \; P(\mathrm{Binomial}(M, p(d)) \ge k) \, \mathrm d d

    ``least``: by default what the published rule demands.  Raises InputError for a negative ratio and an impossible ``least``.
    """
    from scipy import stats

    least = least_members(n_sigma, n_members) if least is None else least
    if not 0 <= least <= n_members or not ratio >= 0.0:
        raise InputError(f"coverage of a union: {least} of {n_members} members at a ratio of {ratio:g}; give both positive")
    if ratio == 0.0:
        return float(level(n_sigma)) if least > 0 else 1.0
    spread = np.hypot(1.0, ratio)
    z = np.linspace(0.0, REACH, STEPS)
    inside = stats.norm.cdf((n_sigma - z * spread) / ratio) - stats.norm.cdf((-n_sigma - z * spread) / ratio)
    return float(np.trapezoid(2.0 * stats.norm.pdf(z) * stats.binom.sf(least - 1, n_members, inside), z))


def _share(count: int, n_universes: int, n_sigma: int) -> dict[str, float]:
    lower, upper = binomial_interval(count, n_universes)
    return {
        "claimed": float(level(n_sigma)),
        "coverage": count / n_universes,
        "lower": float(lower),
        "upper": float(upper),
    }


def _levels(values: np.ndarray, n_axes: int) -> np.ndarray:
    array = np.asarray(values, float)
    wanted = ("(n_universes,)", "(n_universes, n_members)")[n_axes - 1]
    if array.ndim != n_axes or array.size == 0:
        raise InputError(f"levels of the truth: shape {array.shape}; need {wanted}, none of them zero")
    if not np.all((array >= 0.0) & (array <= 1.0)):
        raise InputError("levels of the truth: values outside 0 to 1 or not finite; give confidence levels, not sigmas")
    return array

r"""Does the model describe the data at all?  Predictive bands, p-values and a test of misspecification.

A posterior is always there, also where no parameter value can produce the observation.  Two statistics say so: the
posterior-predictive p-value, which asks whether replicas drawn at the posterior lie as far from the prediction as the
data do, and the chi-square of the best fit inside the prior against the distribution of the same number for
simulated observations, which is calibrated by construction.
"""

from dataclasses import dataclass

import numpy as np

from nuinfer.errors import InputError
from nuinfer.tuning.exact import ExactPosterior
from nuinfer.tuning.gauss_newton import FitSettings
from nuinfer.tuning.likelihood import Likelihood

BAND_LEVELS = (0.16, 0.50, 0.84)
ONE_START = FitSettings(n_start=1)


@dataclass(frozen=True)
class PValue:
    """Fraction of ``n`` replicas at least as far away as the data, with its binomial error."""

    value: float
    error: float
    n: int


@dataclass(frozen=True)
class Misspecification:
    """``chi2`` of the best fit, ``null`` ``(n,)`` the same for simulated observations, ``best_u`` ``(d,)``."""

    chi2: float
    null: np.ndarray
    p_value: PValue
    best_u: np.ndarray


def p_value(null: np.ndarray, observed: np.ndarray | float) -> PValue:
    """Return the upper tail of ``null`` ``(n,)`` beyond ``observed`` (a number, or one per replica).

    The estimate is :math:`(k + 1) / (n + 1)`: the data count as one more draw, and no finite number of replicas gives
    zero (Davison and Hinkley, Bootstrap Methods, 1997, eq. 4.11).
    """
    null = np.asarray(null, float)
    if null.ndim != 1 or not null.size:
        raise InputError(f"p-value: needs a row of replicas, got shape {null.shape}")
    p = (np.sum(null >= observed) + 1.0) / (null.size + 1.0)
    return PValue(float(p), float(np.sqrt(p * (1.0 - p) / null.size)), int(null.size))


def posterior_predictive(likelihood: Likelihood, mu: np.ndarray, x: np.ndarray, rng: np.random.Generator) -> PValue:
    r"""Return the p-value of the discrepancy :math:`\chi^2(x, \mu)` over posterior draws.

    ``mu`` ``(n, n_bin)`` are predictions at posterior draws, ``x`` ``(n_bin,)`` the observation; each draw brings forth
    one replica (Gelman, Meng and Stern, Stat. Sinica 6 (1996) 733).  The data are used twice, so that p-values crowd
    around one half: a small one means more than its size says.
    """
    if mu.ndim != 2 or np.shape(x) != (mu.shape[1],):
        raise InputError(f"posterior-predictive: predictions {mu.shape} and observation {np.shape(x)} do not fit")
    replicas = likelihood.sample(mu, rng)
    return p_value(likelihood.chi2(replicas, mu), likelihood.chi2(x, mu))


def bands(
    likelihood: Likelihood, mu: np.ndarray, rng: np.random.Generator, levels: tuple[float, ...] = BAND_LEVELS
) -> dict[str, np.ndarray]:
    """Return quantiles ``(n_level, n_bin)`` at posterior draws ``mu`` ``(n, n_bin)``.

    ``prediction`` is what the parameters leave open, ``observation`` adds the scatter that an observation has.
    """
    return {
        "prediction": np.quantile(mu, levels, axis=0),
        "observation": np.quantile(likelihood.sample(mu, rng), levels, axis=0),
    }


def misspecification(
    posterior: ExactPosterior,
    x: np.ndarray,
    u_null: np.ndarray,
    rng: np.random.Generator,
    settings: FitSettings = ONE_START,
) -> Misspecification:
    """Test whether any parameter value in the prior describes ``x`` ``(n_bin,)``.

    ``u_null`` ``(n, d)`` are the unit-cube points at which the null observations are simulated: draws of the prior
    (can the simulation produce such data at all?) or of the posterior (can it near what the data prefer?).  Data and
    null are fitted in the same way.  Raises InputError for shapes that do not fit.
    """
    x, u_null = np.asarray(x, float), np.asarray(u_null, float)
    if u_null.ndim != 2 or u_null.shape[1] != posterior.dim or x.ndim != 1:
        raise InputError(f"misspecification: points {u_null.shape} and observation {x.shape}; expected (n, {posterior.dim})")
    simulated = posterior.likelihood.sample(posterior.predict_u(u_null), rng)
    fitted = posterior.fit(np.concatenate([x[None], simulated]), settings)
    return Misspecification(
        float(fitted.chi2[0]), fitted.chi2[1:], p_value(fitted.chi2[1:], fitted.chi2[0]), fitted.u[0]
    )

r"""The posterior of single observations by ensemble sampling (emcee): a check of the importance sampling.

The chain runs in blocks until it is fifty integrated autocorrelation times long (the rule of emcee's documentation;
Foreman-Mackey et al., PASP 125 (2013) 306) and refuses to hand out a shorter one.  Moves are differential evolution
(ter Braak, Stat. Comput. 16 (2006) 239), which suits correlated posteriors in few dimensions.
"""

from dataclasses import dataclass

import numpy as np

from nuinfer.tuning.exact import ExactPosterior

CHAIN_LENGTHS = 50.0


class UnconvergedError(RuntimeError):
    """The chain is shorter than fifty autocorrelation times; the message says how long it is and should be."""


@dataclass(frozen=True)
class ChainSettings:
    """``n_walker`` walkers, blocks of ``block`` steps, at most ``max_step`` of them, ``n_keep`` draws handed out."""

    n_walker: int = 40
    block: int = 500
    max_step: int = 20_000
    n_keep: int = 4000


DEFAULT_CHAIN = ChainSettings()


@dataclass(frozen=True)
class Chain:
    """``samples`` ``(n_keep, d)`` in the unit cube, autocorrelation times ``tau`` ``(d,)`` in steps, length, acceptance."""

    samples: np.ndarray
    tau: np.ndarray
    n_step: int
    acceptance: float
    converged: bool


def sample_chain(
    posterior: ExactPosterior,
    x: np.ndarray,
    start: np.ndarray,
    rng: np.random.Generator,
    settings: ChainSettings = DEFAULT_CHAIN,
    allow_short: bool = False,
) -> Chain:
    """Sample the posterior of one observation ``x`` ``(n_bin,)``, walkers started on draws ``start`` ``(n, d)``.

    ``start`` may be any points near the posterior (an importance sample's draws).  Raises UnconvergedError for a chain
    shorter than fifty autocorrelation times unless ``allow_short``, which marks it as not converged instead.
    """
    import emcee

    # Not emcee's snooker move: against direct integration it was found to draw posteriors of two thirds the width.
    sampler = emcee.EnsembleSampler(
        settings.n_walker,
        posterior.dim,
        lambda u: posterior.log_prob_u(u, x),
        moves=emcee.moves.DEMove(),
        vectorize=True,
    )
    walkers = start[rng.choice(len(start), settings.n_walker, replace=len(start) < settings.n_walker)]
    # Distinct walkers are needed for the ensemble to span the space; draws can coincide.
    walkers = np.clip(walkers + 1e-4 * np.std(start, axis=0) * rng.standard_normal(walkers.shape), 1e-9, 1.0 - 1e-9)
    legacy = np.random.RandomState(np.random.MT19937(int(rng.integers(2**63))))
    state = emcee.State(walkers, random_state=legacy.get_state())
    tau, n_step = np.full(posterior.dim, np.inf), 0
    while n_step < settings.max_step:
        state = sampler.run_mcmc(state, settings.block)
        n_step += settings.block
        tau = sampler.get_autocorr_time(tol=0, quiet=True)
        if np.all(np.isfinite(tau)) and n_step > CHAIN_LENGTHS * np.max(tau):
            break
    longest = float(np.max(tau)) if np.all(np.isfinite(tau)) else float("inf")
    converged = n_step > CHAIN_LENGTHS * longest
    if not converged and not allow_short:
        raise UnconvergedError(
            f"chain of {n_step} steps, autocorrelation time {longest:.0f}: needs {CHAIN_LENGTHS * longest:.0f} steps; "
            "raise max_step"
        )
    burn_in = min(int(5 * longest), n_step // 2) if np.isfinite(longest) else n_step // 2
    flat = sampler.get_chain(discard=burn_in, flat=True)
    keep = rng.choice(len(flat), settings.n_keep, replace=len(flat) < settings.n_keep)
    return Chain(flat[keep], tau, n_step, float(np.mean(sampler.acceptance_fraction)), bool(converged))

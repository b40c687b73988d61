"""A far detector small enough to check by hand: observed energies of a peaked flux with Gaussian smearing."""

from dataclasses import asdict

import numpy as np
from scipy.special import ndtr

from nuinfer.oscillation.likelihood import FarModel, densities, far_model
from nuinfer.oscillation.nufast import NUFIT60_NO_WITH_SK
from nuinfer.oscillation.plane import FitRange

RANGE = FitRange((0.35, 0.65), (2.3e-3, 2.75e-3))
TRUTH = {"sin2_theta23": 0.470, "dm31_ev2": 2.513e-3}
OSCILLATION = asdict(NUFIT60_NO_WITH_SK)
KNOTS_GEV = np.linspace(0.6, 6.0, 25)
FLUX = np.exp(-0.5 * ((KNOTS_GEV - 2.6) / 1.1) ** 2)


def smeared_bins(n_bins: int = 300) -> np.ndarray:
    """Return contents ``(25, n_bins)`` of bins in observed energy: 0.7 E, smeared by a quarter of E; the rate grows with E."""
    edges, knots = np.linspace(0.1, 7.0, n_bins + 1), KNOTS_GEV[:, None]
    return knots * np.diff(ndtr((edges - 0.7 * knots) / (0.25 * knots)), axis=1)


def binned_model() -> FarModel:
    """Return the model of every bin's content."""
    bins = smeared_bins()
    return far_model(KNOTS_GEV, FLUX, bins, bins, OSCILLATION)


def event_model(n_events: int, rng: np.random.Generator, truth: dict[str, float] = TRUTH) -> FarModel:
    """Return the model of ``n_events`` drawn at ``truth``: an event is one of the bins."""
    bins = smeared_bins()
    share = densities(far_model(KNOTS_GEV, FLUX, bins, bins, OSCILLATION), **truth)
    return far_model(KNOTS_GEV, FLUX, bins[:, rng.choice(share.size, n_events, p=share / share.sum())], bins, OSCILLATION)

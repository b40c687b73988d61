"""What several steps of a tune read together: its likelihood, and the response in the bins that the likelihood is about."""

from pathlib import Path

from nuinfer.io.likelihoods import read_likelihood
from nuinfer.io.responses import AnyResponse, read_response
from nuinfer.physics.binning import Binning
from nuinfer.tuning.likelihood import Likelihood


def read_tune(response: Path, likelihood: Path) -> tuple[AnyResponse, Binning, Likelihood]:
    """Return the response and its bins, cut to those that the tune's likelihood is about, and the likelihood."""
    model, binning = read_response(response)
    noise, bins = read_likelihood(likelihood)
    return model.select(bins), binning.select(bins), noise

"""The problem that the benchmarks share: the built-in generator in the T2K binning with a finite simulation's scatter."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nuinfer.io.binning import read_binning
from nuinfer.physics.fluxes import read_flux
from nuinfer.tuning.estimator.data import TrainingData
from nuinfer.tuning.exact import ExactPosterior
from nuinfer.tuning.generator.build import build_response
from nuinfer.tuning.likelihood import Likelihood, PoissonLikelihood
from nuinfer.tuning.priors import PriorBox, prior_box
from nuinfer.tuning.throws import throw_unit_cube

RESOURCES = Path(__file__).parent.parent / "resources"
PRIORS = {
    "ma_ccqe_gev": {"low": 0.961242, "high": 1.39},
    "norm_ccmec": {"low": 1.0, "high": 3.0},
    "shape_ccmec": {"low": 0.0, "high": 1.0},
    "rpa_strength": {"low": 0.0, "high": 1.0},
}


@dataclass(frozen=True)
class Problem:
    """Response, prior and likelihood; throws are made on demand, each split from its own stream."""

    response: object
    box: PriorBox
    likelihood: Likelihood

    @property
    def exact(self) -> ExactPosterior:
        return ExactPosterior(self.likelihood, self.response, self.box)

    def digest(self) -> str:
        """Return a hash of the predictions at fixed points and of the noise: measurements of other physics do not mix."""
        u = throw_unit_cube("random", 8, self.box.dim, 0, "benchmark", "digest")
        mu = self.response.predict(self.box.from_unit(u), self.box.names)
        return hashlib.sha256(np.round(np.append(mu, self.likelihood.per_event), 9).tobytes()).hexdigest()[:12]

    def throws(self, n: int, seed: int, split: str, design: str = "random") -> tuple[np.ndarray, np.ndarray]:
        """Return ``n`` throws of a split: points of the cube and their predictions."""
        u = throw_unit_cube(design, n, self.box.dim, seed, "benchmark", split)
        return u, self.response.predict(self.box.from_unit(u), self.box.names)

    def training_data(self, n: int, seed: int, held: float = 0.1) -> TrainingData:
        """Return ``n`` throws, the share ``held`` of them for validation; sbi's loop is to be given all of them."""
        u, mu = self.throws(n, seed, "train")
        first = round((1.0 - held) * n)
        return TrainingData(u[:first], mu[:first], u[first:], mu[first:], self.likelihood)

    def all_for_sbi(self, n: int, seed: int) -> TrainingData:
        """Return the same ``n`` throws for a loop that holds its own validation throws back."""
        u, mu = self.throws(n, seed, "train")
        return TrainingData(u, mu, u[-100:], mu[-100:], self.likelihood)


def builtin_problem(n_events: float) -> Problem:
    """Build the problem of the embedded default: the paper's priors, ``n_events`` simulated events."""
    flux = read_flux(RESOURCES / "t2k_nd280_numu.csv")
    response = build_response(flux, read_binning(RESOURCES / "t2k_cc0pi_bins.csv", drop_momentum_overflow=True))
    return Problem(response, prior_box(PRIORS), PoissonLikelihood(response.per_event(int(n_events))))

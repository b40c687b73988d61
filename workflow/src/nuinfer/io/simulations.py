"""The one layout of throws and predictions that every later step reads.

=================  ==================  ===========================================================================
array              shape               meaning
=================  ==================  ===========================================================================
``u``              ``(n, d)``          prior CDF of the parameters: every prior is uniform in ``u``
``theta``          ``(n, d)``          the parameters' physical values
``prediction``     ``(n, n_bin)``      flux-averaged d2sigma / dp dcos(theta) per bin, 1e-38 cm2 / nucleon / GeV
``split``          ``(n,)``            0 train, 1 validation, 2 test
``binning/...``    ``(n_bin,)``        bin edges
=================  ==================  ===========================================================================

The attributes name the parameters, their priors (as configured) and their units.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nuinfer.errors import InputError
from nuinfer.io.hdf5 import read_hdf5, write_hdf5
from nuinfer.physics.binning import Binning
from nuinfer.tuning.priors import PriorBox, prior_box
from nuinfer.workflow import SPLITS

XSEC_UNIT = "1e-38 cm2/nucleon/GeV"


@dataclass(frozen=True)
class Simulations:
    """Throws with their predictions; see the module's table for shapes and units."""

    box: PriorBox
    binning: Binning
    u: np.ndarray
    theta: np.ndarray
    prediction: np.ndarray
    split: np.ndarray

    def __post_init__(self) -> None:
        bad = ~np.isfinite(self.prediction).all(axis=1) | (self.prediction < 0).any(axis=1)
        if bad.any():
            raise InputError(f"{bad.sum()} predictions hold NaN or negative bins, the first in throw {int(np.argmax(bad))}")

    def part(self, name: str) -> "Simulations":
        """Return the throws of the split ``train``, ``validation`` or ``test``."""
        chosen = self.split == SPLITS.index(name)
        return Simulations(
            self.box, self.binning, self.u[chosen], self.theta[chosen], self.prediction[chosen], self.split[chosen]
        )

    def select(self, bins: np.ndarray) -> "Simulations":
        """Return the same throws in the bins ``bins`` (indices)."""
        if np.array_equal(bins, np.arange(len(self.binning))):
            return self
        return replace(self, binning=self.binning.select(bins), prediction=np.ascontiguousarray(self.prediction[:, bins]))


def write_simulations(path: Path, simulations: Simulations, attributes: Mapping[str, Any]) -> None:
    """Write ``simulations`` with the provenance ``attributes``."""
    s = simulations
    arrays = {"u": s.u, "theta": s.theta, "prediction": s.prediction, "split": s.split}
    arrays |= {f"binning/{k}": v for k, v in s.binning.to_arrays().items()}
    units = {"prediction": XSEC_UNIT, "theta": ", ".join(p.unit or "1" for p in s.box.parameters), "u": "1"}
    names = {"parameters": list(s.box.names), "priors": s.box.to_config(), "convention": "physical"}
    write_hdf5(path, "simulations", arrays, {**attributes, **names}, units)


def read_simulations(path: Path) -> Simulations:
    """Read what :func:`write_simulations` wrote; raise InputError where the file is not of that layout."""
    arrays, attributes = read_hdf5(path, "simulations")
    binning = Binning.from_arrays({k[8:]: v for k, v in arrays.items() if k.startswith("binning/")})
    return Simulations(
        prior_box(attributes["priors"]),
        binning,
        arrays["u"],
        arrays["theta"],
        arrays["prediction"],
        arrays["split"],
    )

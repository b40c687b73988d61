"""Likelihoods on disk: the kind and the arrays that make one up."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from nuinfer.errors import InputError
from nuinfer.io.hdf5 import read_hdf5, write_hdf5
from nuinfer.io.simulations import XSEC_UNIT
from nuinfer.tuning.likelihood import (
    DiagonalLikelihood,
    FullLikelihood,
    Likelihood,
    NormShapeLikelihood,
    PoissonLikelihood,
)

BINS = "simulation_bins"
KINDS = {
    "poisson": PoissonLikelihood,
    "diagonal": DiagonalLikelihood,
    "full": FullLikelihood,
    "norm_shape": NormShapeLikelihood,
}


def write_likelihood(path: Path, likelihood: Likelihood, bins: np.ndarray, attributes: Mapping[str, Any]) -> None:
    """Write ``likelihood``, the simulation's ``bins`` (indices) that it is about, and the provenance ``attributes``."""
    arrays = {f.name: np.asarray(getattr(likelihood, f.name)) for f in fields(likelihood) if f.init}
    units = {name: XSEC_UNIT for name in arrays if name != "norm_rel"}
    write_hdf5(path, "likelihood", arrays | {BINS: np.asarray(bins)}, {**attributes, "likelihood": likelihood.kind}, units)


def read_likelihood(path: Path) -> tuple[Likelihood, np.ndarray]:
    """Return the likelihood and the bins of :func:`write_likelihood`; raise InputError where the file is not of that layout."""
    arrays, attributes = read_hdf5(path, "likelihood")
    kind = attributes["likelihood"]
    if kind not in KINDS:
        raise InputError(f"{path}: unknown likelihood '{kind}'; known: {', '.join(KINDS)}")
    bins = arrays.pop(BINS)
    return KINDS[kind](**{k: float(v) if v.ndim == 0 else v for k, v in arrays.items()}), bins

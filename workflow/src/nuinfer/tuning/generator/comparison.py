"""The built-in generator beside NuWro's events and the T2K data: numbers for the report; nothing is fitted here.

Not every agreement is a test: the RPA weight and the Valencia-like 2p2h shape, its size included, had been fitted to NuWro's
events in the same flux (:mod:`nuinfer.tuning.generator.rpa` and ``mec``).  The quasielastic part without RPA and the
resonances had not.
"""

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nuinfer.errors import InputError
from nuinfer.physics.binning import Binning
from nuinfer.tuning.response import Response

NUWRO_AXIAL_MASS_GEV = 1.03
EVENT_COLUMNS = ("p_mu_GeV", "cos_theta", "mode", "is_cc0pi", "weight_cm2_per_nucleon")
MODES = {"qe": "QE", "mec": "MEC", "res": "RES"}
PARAMETERS = ("ma_ccqe_gev", "norm_ccmec", "shape_ccmec", "rpa_strength")


@dataclass(frozen=True)
class EventSample:
    """Unweighted events ``(n,)``; ``sigma_1e38cm2`` is the sample's flux-averaged cross section per nucleon."""

    p_mu_gev: np.ndarray
    cos_theta: np.ndarray
    mode: np.ndarray
    is_cc0pi: np.ndarray
    sigma_1e38cm2: float

    def counts(self, binning: Binning, mode: str | None = None) -> np.ndarray:
        """Return the CC0pi events ``(n_bin,)`` of one channel, or of all."""
        keep = self.is_cc0pi if mode is None else self.is_cc0pi & (self.mode == mode)
        found = binning.find(self.cos_theta[keep], self.p_mu_gev[keep])
        return np.bincount(found[found >= 0], minlength=binning.n_bin)

    def density(self, counts: np.ndarray, binning: Binning) -> np.ndarray:
        """Return the density ``(n_bin,)`` that ``counts`` stand for: sigma * N_bin / N / area."""
        return self.sigma_1e38cm2 * counts / len(self.p_mu_gev) / binning.area_gev


def read_nuwro_events(path: str | Path) -> EventSample:
    """Read a table of NuWro events (CSV, gzipped or not); raise InputError for a missing file or column."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", newline="") as file:
        reader = csv.reader(file)
        header = next(reader)
        missing = [c for c in EVENT_COLUMNS if c not in header]
        if missing:
            raise InputError(f"{path}: missing columns {', '.join(missing)}; found {', '.join(header)}")
        index = [header.index(c) for c in EVENT_COLUMNS]
        columns = list(zip(*([row[i] for i in index] for row in reader), strict=True))
    weight = np.array(columns[4], float)
    if np.ptp(weight) > 0:
        raise InputError(f"{path}: events carry different weights; an unweighted sample is needed")
    return EventSample(
        np.array(columns[0], float),
        np.array(columns[1], float),
        np.array(columns[2]),
        np.array(columns[3]) == "1",
        float(weight[0]) * 1e38,
    )


def compare_shapes(prediction: np.ndarray, counts: np.ndarray, sample: EventSample, binning: Binning, least: int) -> dict:
    """Return normalisation and shape of a prediction ``(n_bin,)`` relative to events.

    ``shape_ratio`` ``(n_bin,)`` has the normalisation divided out and is NaN in bins of no more than ``least`` events;
    ``shape_error`` is the events' relative statistical error.
    """
    density = sample.density(counts, binning)
    norm = float(prediction @ binning.area_gev / (density @ binning.area_gev))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(counts > least, prediction / density / norm, np.nan)
        error = np.where(counts > least, 1.0 / np.sqrt(counts), np.nan)
    found = np.isfinite(ratio)
    summary = {"normalisation": norm, "n_bins": int(found.sum()), "shape_ratio": ratio, "shape_error": error}
    if found.any():
        deviation = ratio[found] - 1.0
        summary["shape_rms"] = float(np.sqrt(np.mean(deviation**2)))
        summary["shape_min"], summary["shape_max"] = float(ratio[found].min()), float(ratio[found].max())
        summary["n_within_20_percent"] = int(np.sum(np.abs(deviation) <= 0.2))
        summary["largest_beyond_statistics"] = float(np.max(np.abs(deviation) - 2.0 * error[found]))
    return summary


def nuwro_comparison(
    response: Response, binning: Binning, nominal: EventSample, no_rpa: EventSample | None = None, least: int = 200
) -> dict[str, dict]:
    """Compare every component with NuWro's channel of the same name, at NuWro's axial mass, RPA on (and off).

    Returns :func:`compare_shapes` under ``qe``, ``mec``, ``res``, ``total`` and, where a sample is given, ``qe_no_rpa``.
    """
    screened = response.components(np.array([[NUWRO_AXIAL_MASS_GEV, 1.0, 0.0, 1.0]]), PARAMETERS)
    found = {
        name: compare_shapes(screened[name][0], nominal.counts(binning, mode), nominal, binning, least)
        for name, mode in MODES.items()
        if name in screened
    }
    found["total"] = compare_shapes(
        sum(part[0] for part in screened.values()), nominal.counts(binning), nominal, binning, least
    )
    if no_rpa is not None:
        bare = response.components(np.array([[NUWRO_AXIAL_MASS_GEV, 1.0, 0.0, 0.0]]), PARAMETERS)["qe"][0]
        found["qe_no_rpa"] = compare_shapes(bare, no_rpa.counts(binning, "QE"), no_rpa, binning, least)
    return found


def data_chi2(prediction: np.ndarray, data: np.ndarray, covariance: np.ndarray) -> dict[str, float]:
    """Return the chi2 of ``prediction`` to ``data`` ``(n_bin,)`` with the full covariance and with its diagonal alone."""
    residual = np.asarray(prediction) - data
    whitened = np.linalg.solve(np.linalg.cholesky(covariance), residual)
    return {"full": float(whitened @ whitened), "diagonal": float(np.sum(residual**2 / np.diag(covariance)))}

"""The built-in generator beside NuWro's events and the T2K data: numbers for the report; nothing is fitted here.

Not every agreement is a test: the RPA weight and the Valencia-like 2p2h shape, its size included, had been fitted to NuWro's
events in the same flux (:mod:`nuinfer.tuning.generator.rpa` and ``mec``).  The quasielastic part without RPA and the
resonances had not.
"""

import numpy as np

from nuinfer.physics.binning import Binning
from nuinfer.tuning.response import Response
from nuinfer.tuning.sources.events import Events

NUWRO_AXIAL_MASS_GEV = 1.03
CHANNELS = {"qe": "QE", "mec": "MEC", "res": "RES"}
PARAMETERS = ("ma_ccqe_gev", "norm_ccmec", "shape_ccmec", "rpa_strength")


def compare_shapes(prediction: np.ndarray, events: Events, binning: Binning, channel: str | None, least: int) -> dict:
    """Return normalisation and shape of a prediction ``(n_bin,)`` relative to the CC0pi events of ``channel`` (None: of all).

    ``shape_ratio`` ``(n_bin,)`` has the normalisation divided out and is NaN in bins of no more than ``least`` events;
    ``shape_error`` is the events' relative statistical error.
    """
    density, sigma = events.density(binning, channel)
    enough = events.counts(binning, channel) > least
    norm = float(prediction @ binning.area_gev / (density @ binning.area_gev))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(enough, prediction / density / norm, np.nan)
        error = np.where(enough, sigma / density, np.nan)
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
    response: Response, binning: Binning, nominal: Events, no_rpa: Events | None = None, least: int = 200
) -> dict[str, dict]:
    """Compare every component with NuWro's channel of the same name, at NuWro's axial mass, RPA on (and off).

    Returns :func:`compare_shapes` under ``qe``, ``mec``, ``res``, ``total`` and, where a sample is given, ``qe_no_rpa``.
    """
    screened = response.components(np.array([[NUWRO_AXIAL_MASS_GEV, 1.0, 0.0, 1.0]]), PARAMETERS)
    found = {
        name: compare_shapes(screened[name][0], nominal, binning, channel, least)
        for name, channel in CHANNELS.items()
        if name in screened
    }
    found["total"] = compare_shapes(sum(part[0] for part in screened.values()), nominal, binning, None, least)
    if no_rpa is not None:
        bare = response.components(np.array([[NUWRO_AXIAL_MASS_GEV, 1.0, 0.0, 0.0]]), PARAMETERS)["qe"][0]
        found["qe_no_rpa"] = compare_shapes(bare, no_rpa, binning, "QE", least)
    return found


def data_chi2(prediction: np.ndarray, data: np.ndarray, covariance: np.ndarray) -> dict[str, float]:
    """Return the chi2 of ``prediction`` to ``data`` ``(n_bin,)`` with the full covariance and with its diagonal alone."""
    residual = np.asarray(prediction) - data
    whitened = np.linalg.solve(np.linalg.cholesky(covariance), residual)
    return {"full": float(whitened @ whitened), "diagonal": float(np.sum(residual**2 / np.diag(covariance)))}

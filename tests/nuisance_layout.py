"""Writes small ROOT files in the layout of NUISANCE's ``nuiscomp``, for tests and for what stands in for the program.

The keys are those of the real files in ``../shared/data/nuisance_examples`` and, for a sample in two dimensions, those that
``T2K_CC0pi_XSec_2DPcos_nu_I`` adds: slices, and data against the bin number.  All numbers stand as NUISANCE writes them:
cross sections in cm^2, covariances in cm^4.  The canvas, the stack of channels and the two-dimensional fine histogram are
left out.
"""

from pathlib import Path

import numpy as np
import uproot
from uproot.writing.identify import to_TAxis, to_TH1x, to_TH2x

from nuinfer.physics.binning import Binning

GENERATIONS = {"new": "data_1D", "capitals": "DATA_1D", "old": "data"}
CHANNELS = {"CCQE": 0.6, "CC2p2h": 0.25, "CC1piponp": 0.15}


def write_nuiscomp(
    path: Path,
    sample: str,
    prediction_cm2: np.ndarray,
    errors: np.ndarray | None,
    data: np.ndarray,
    covariance: np.ndarray,
    binning: Binning | None = None,
    generation: str = "new",
    extra: bool = True,
    mask: np.ndarray | None = None,
) -> None:
    """Write one comparison: ``prediction_cm2``, ``errors`` (None: none kept), ``data`` ``(n,)``, ``covariance`` ``(n, n)``.

    With ``binning`` there are slices of cos(theta) against momentum.  ``generation`` chooses the key of the data,
    ``extra=False`` leaves only the summary, data, prediction and covariance, ``mask`` ``(n,)`` adds NUISANCE's mask.
    """
    prediction_cm2, data = np.asarray(prediction_cm2, float), np.asarray(data, float)
    sigma, inverse = np.sqrt(np.diag(covariance)), np.linalg.inv(covariance * 1e76)
    residual = (prediction_cm2 - data) * 1e38
    chi2, n = float(residual @ inverse @ residual), len(data)
    title = f"{chi2:.5g}"
    found = {
        "likelihood_hist": _th1([chi2], None, "likelihood_hist"),
        "ndof_hist": _th1([n], None, "ndof_hist"),
        "likedivndof_hist": _th1([chi2 / n], None, "likedivndof_hist"),
        f"{sample}_{GENERATIONS[generation]}": _th1(data, sigma, sample),
        f"{sample}_MC": _th1(prediction_cm2, errors, title),
        f"{sample}_COV": _th2(covariance, f"{sample}_COV"),
    }
    if mask is not None:
        found[f"{sample}_BINMASK"] = _th1(np.asarray(mask, np.int32), None, f"{sample}_BINMASK; Bin; Mask?")
    if extra:
        found[f"{sample}_INVCOV"] = _th2(inverse, f"{sample}_INVCOV")
        found[f"{sample}_DECCOV"] = _th2(np.linalg.cholesky(covariance * 1e76), f"{sample}_DECCOV")
        found |= {f"{sample}_{name}": histogram for name, histogram in _extras(prediction_cm2, errors, data, sigma, title)}
    if extra and binning is not None:
        for number, ((low, high), bins) in enumerate(binning.slices()):
            edges = np.append(binning.p_lo_gev[bins], binning.p_hi_gev[bins[-1]])
            part = None if errors is None else np.asarray(errors)[bins]
            cos = f"{low:g} < cos < {high:g}"
            found[f"{sample}_MC_Slice{number}"] = _th1(prediction_cm2[bins], part, cos, edges)
            found[f"{sample}_data_Slice{number}"] = _th1(data[bins], sigma[bins], cos, edges)
    with uproot.recreate(path) as file:
        for name, histogram in found.items():
            file[name] = histogram


def _extras(prediction, errors, data, sigma, title):
    """Yield the other histograms by name: fine, ratios, shapes, channels, and what the scaling was done with."""
    scale = data.sum() / prediction.sum() if prediction.sum() else 0.0
    safe = np.where(prediction == 0.0, 1.0, prediction)
    yield "MC_FINE", _th1(np.repeat(prediction, 8), None, title)
    yield "MC_RATIO", _th1(np.ones_like(prediction), None, title)
    yield "data_RATIO", _th1(data / safe, sigma / np.abs(safe), title)
    yield "MC_SHAPE", _th1(prediction * scale, errors, title)
    yield "data_SHAPE", _th1(data, sigma, title)
    yield "MC_SHAPE_RATIO", _th1(np.ones_like(prediction), None, title)
    yield "data_SHAPE_RATIO", _th1(data / safe, sigma / np.abs(safe), title)
    yield "RESIDUAL", _th1((prediction - data) / sigma, None, title)
    for channel, fraction in CHANNELS.items():
        yield f"MODES_{channel}", _th1(fraction * prediction, None, channel)
    enu_gev = np.linspace(0.0, 10.0, 201)
    flux = np.exp(-(((enu_gev[1:] - 0.6) / 0.3) ** 2))
    for name, values in (("FLUX", flux), ("EVT", flux * enu_gev[1:]), ("XSEC", enu_gev[1:])):
        yield name, _th1(values, None, name, enu_gev)


def _axis(n: int, edges: np.ndarray | None = None, name: str = "xaxis"):
    if edges is None:
        return to_TAxis(name, "", n, 0.0, float(n))
    return to_TAxis(name, "", n, float(edges[0]), float(edges[-1]), fXbins=np.asarray(edges, float))


def _th1(values, errors, title, edges=None):
    """Return a TH1D, or a TH1I for 32-bit integers, with empty under- and overflow; without ``errors`` it keeps none."""
    values = np.asarray(values)
    values = values if values.dtype == np.int32 else values.astype(float)
    squares = np.zeros(0) if errors is None else np.pad(np.asarray(errors, float) ** 2, 1)
    total = float(values.sum())
    sums = (total, total, 0.0, 0.0)
    return to_TH1x(None, title, np.pad(values, 1), float(len(values)), *sums, squares, _axis(len(values), edges))


def _th2(values, title):
    n = len(values)
    cells, total = np.pad(np.asarray(values, float), 1).T.ravel(), float(values.sum())
    sums = (total, total, 0.0, 0.0, 0.0, 0.0, 0.0)
    return to_TH2x(None, title, cells, float(n * n), *sums, np.zeros(0), _axis(n), _axis(n, name="yaxis"))

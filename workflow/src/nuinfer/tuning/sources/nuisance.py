"""Throws from NUISANCE's comparison files: one ROOT file of ``nuiscomp`` is one throw.

The layout is that of ``Measurement1D::Write`` and ``JointFCN`` of NUISANCE (P. Stowell et al., JINST 12 (2017) P01016;
``src/FitBase/Measurement1D.cxx``): ``NAME_MC`` is the prediction in cm^2 / nucleon / (unit of the axis), its title the
chi2; the data are ``NAME_data_1D`` (two-dimensional samples), ``NAME_DATA_1D`` (older scripts) or ``NAME_data``.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nuinfer.errors import InputError
from nuinfer.tuning.sources.dial_values import DialSource
from nuinfer.tuning.sources.raw import BadThrow, RawThrows, check_policy
from nuinfer.tuning.sources.root_files import names_of, opened

DATA_KEYS = ("data_1D", "DATA_1D", "data")
MASK_KEYS = ("BINMASK", "MASK", "MSK")
SPECTRA = ("FLUX", "EVT", "XSEC")


@dataclass(frozen=True)
class NuisanceLayout:
    """Where the prediction of ``sample`` stands, and its ``n_bin`` bins after masking.

    ``prediction_key`` is the histogram; None: ``{sample}_MC``.  A histogram of ``n_bin`` bins is taken as it is.  One of
    ``n_all`` bins is cut to the bins ``keep`` (counted from 0, ascending).  Any other number is refused.
    """

    sample: str
    n_bin: int
    prediction_key: str | None = None
    keep: tuple[int, ...] | None = None
    n_all: int | None = None

    def __post_init__(self) -> None:
        if self.n_bin < 1:
            raise InputError(f"layout of {self.sample}: n_bin is {self.n_bin}; give the number of bins of the measurement")
        if self.keep is None and self.n_all is None:
            return
        keep = np.asarray(self.keep if self.keep is not None else (), int)
        n_all = self.n_all or 0
        if len(keep) != self.n_bin or n_all <= self.n_bin or keep[0] < 0 or keep[-1] >= n_all or np.any(np.diff(keep) <= 0):
            raise InputError(
                f"layout of {self.sample}: keep must be {self.n_bin} ascending bins of n_all > {self.n_bin}; "
                f"got {len(keep)} of {self.n_all}"
            )

    @property
    def key(self) -> str:
        """Name of the prediction's histogram."""
        return self.prediction_key or f"{self.sample}_MC"


@dataclass(frozen=True, eq=False)
class Histogram:
    """Contents ``(n,)`` and edges ``(n + 1,)`` as they stand; ``errors`` ``(n,)`` are None where the file keeps none."""

    values: np.ndarray
    edges: np.ndarray
    errors: np.ndarray | None
    title: str


@dataclass(frozen=True, eq=False)
class NuisanceComparison:
    """What a comparison file says of one sample, in its own units (cm^2 / nucleon / axis unit; ``covariance`` its square).

    ``data`` and ``covariance`` ``(n, n)`` are None where ``drawopts`` left them out; ``mask`` ``(n,)`` is true for bins
    that NUISANCE masked.  ``modes`` are the parts by true channel (``CCQE``), ``slices`` are named as in the file
    (``MC_Slice0``), ``spectra`` hold ``FLUX``, ``EVT`` and ``XSEC`` where they are there.
    """

    sample: str
    prediction: Histogram
    chi2: float | None
    data_key: str | None
    data: Histogram | None
    covariance: np.ndarray | None
    mask: np.ndarray | None
    modes: Mapping[str, Histogram]
    slices: Mapping[str, Histogram]
    spectra: Mapping[str, Histogram]


def read_nuisance(
    paths: Sequence[str | Path],
    layout: NuisanceLayout,
    dials: DialSource,
    on_bad: str = "error",
    progress: Callable[[int, int, str], None] | None = None,
) -> RawThrows:
    """Return one throw a file: ``dials.values(path)`` and the prediction ``(n, n_bin)`` in the file's own units.

    ``statistical`` are the errors of the prediction's histogram, None where they are all zero or any file keeps none.

    Raises InputError, naming the file and the mend, for a file that is missing, empty, truncated, still being written or no
    ROOT file, for a missing sample, a prediction that is no one-dimensional histogram or has other bins than ``layout``,
    masked bins among them, and dials that cannot be had.  ``on_bad="drop"`` lists such files in ``bad`` instead; all of them
    may be bad, since they may be a part of many.  The numbers themselves are not judged here; nor is a mask found that
    ``drawopts`` left out.
    """
    check_policy(on_bad)
    if not paths:
        raise InputError(f"{layout.sample}: no files; give those that nuiscomp wrote")
    columns = dials.columns
    n = len(paths)
    values, prediction, errors = np.empty((n, len(columns))), np.empty((n, layout.n_bin)), np.zeros((n, layout.n_bin))
    good, with_errors, bad = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool), []
    for row, path in enumerate(map(Path, paths)):
        try:
            values[row] = dials.values(path)
            prediction[row], found = _read_prediction(path, layout)
        except InputError as error:
            if on_bad == "error":
                raise
            bad.append(BadThrow(str(path), str(error).removeprefix(f"{path}: ")))
        else:
            good[row], with_errors[row] = True, found is not None
            errors[row] = 0.0 if found is None else found
        if progress:
            progress(row + 1, n, "NUISANCE files")
    files = tuple(str(path) for path, ok in zip(paths, good, strict=True) if ok)
    known = good.any() and with_errors[good].all() and errors[good].any()
    return RawThrows(
        columns,
        values[good],
        prediction[good],
        files,
        np.arange(len(files)),
        np.zeros(len(files), dtype=int),
        errors[good] if known else None,
        tuple(bad),
    )


def samples_in(path: str | Path) -> tuple[str, ...]:
    """Return the names of the samples whose predictions a file holds; raise InputError for a file that cannot be read."""
    with opened(Path(path)) as file:
        return _samples(file)


def read_nuisance_data(path: str | Path, sample: str) -> NuisanceComparison:
    """Return what the file ``path`` says of ``sample``: data, prediction, covariance, channels, slices and spectra.

    Raises InputError for a file that cannot be read and for a sample that is not there.
    """
    path = Path(path)
    with opened(path) as file:
        prediction = _histogram(_get(file, path, f"{sample}_MC"))
        ours = {key.removeprefix(f"{sample}_"): key for key in names_of(file, "TH1") if key.startswith(f"{sample}_")}
        data_key = next((ours[name] for name in DATA_KEYS if name in ours), None)
        parts = {name: _histogram(file[key]) for name, key in ours.items() if name in SPECTRA or _is_part(name)}
        return NuisanceComparison(
            sample,
            prediction,
            _chi2(prediction.title),
            data_key,
            _histogram(file[data_key]) if data_key else None,
            file[f"{sample}_COV"].values() if f"{sample}_COV" in names_of(file, "TH2") else None,
            _mask(file, sample),
            {name.removeprefix("MODES_"): part for name, part in parts.items() if name.startswith("MODES_")},
            {name: part for name, part in parts.items() if "Slice" in name},
            {name: part for name, part in parts.items() if name in SPECTRA},
        )


def _is_part(name: str) -> bool:
    return re.fullmatch(r"MODES_\w+|(MC|data|DATA)_Slice\d+", name) is not None


def _read_prediction(path: Path, layout: NuisanceLayout) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the prediction ``(n_bin,)`` of one file and its errors, cut to the bins of ``layout``."""
    with opened(path) as file:
        found = _histogram(_get(file, path, layout.key))
        mask = _mask(file, layout.sample)
    n_found = len(found.values)
    if n_found == layout.n_bin:
        kept = np.arange(n_found)
    elif layout.keep is not None and n_found == layout.n_all:
        kept = np.array(layout.keep)
    else:
        raise InputError(
            f"{path}: {layout.key} has {n_found} bins, the measurement {layout.n_bin}; "
            'let mask_mom_overflow="1" of the card and drop_momentum_overflow of the measurement agree'
        )
    if mask is not None:
        if len(mask) != n_found:
            raise InputError(f"{path}: the mask of {layout.sample} has {len(mask)} bins, {layout.key} {n_found}; run it again")
        if masked := np.flatnonzero(mask[kept]).tolist():
            raise InputError(
                f"{path}: bins {', '.join(map(str, masked))} of the measurement are masked; run nuiscomp without this mask"
            )
    return found.values[kept], None if found.errors is None else found.errors[kept]


def _samples(file: Any) -> tuple[str, ...]:
    return tuple(key.removesuffix("_MC") for key in names_of(file, "TH") if key.endswith("_MC"))


def _get(file: Any, path: Path, key: str) -> Any:
    """Return the one-dimensional histogram ``key`` of the file."""
    if key not in file:
        there = ", ".join(_samples(file)) or "none"
        raise InputError(f"{path}: no {key}; the samples there are {there}: correct the sample's name")
    kind = file.classname_of(key)
    if not kind.startswith("TH1"):
        raise InputError(f"{path}: {key} is a {kind}, not a one-dimensional histogram; give another prediction_key")
    return file[key]


def _histogram(found: Any) -> Histogram:
    # Without a sum of squared weights uproot gives sqrt(content), which is no error of a cross section.
    errors = np.asarray(found.errors(), float) if len(found.member("fSumw2")) else None
    return Histogram(np.asarray(found.values(), float), np.asarray(found.axis().edges(), float), errors, found.title)


def _mask(file: Any, sample: str) -> np.ndarray | None:
    """Return the mask ``(n,)``, true for masked bins: content 1 of NUISANCE's histogram of the bin mask."""
    for name in MASK_KEYS:
        key = f"{sample}_{name}"
        if key in file and file.classname_of(key).startswith("TH1"):
            return np.asarray(file[key].values()) > 0
    return None


def _chi2(title: str) -> float | None:
    try:
        return float(title)
    except ValueError:
        return None

r"""A published cross section with its covariance, read from one of several formats and checked.

====================  ==================================================================================================
format                what is read
====================  ==================================================================================================
``csv``               a table of bins, values and errors (columns as in :data:`COLUMNS`) and one table per covariance
``nuisance_root``     NUISANCE's file of T2K 2016 CC0pi, Analysis I (``T2K_CC0PI_2DPmuCosmu_Data.root``), 67 bins, or
                      58 without the last momentum bin of each slice of cos(theta) (PRD 93, 112012, arXiv:1602.03652)
``toy``               no data: a prediction with a documented toy covariance stands in; always labelled
====================  ==================================================================================================

A further format is a function and an entry in :data:`FORMATS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from nuinfer.errors import InputError
from nuinfer.io.hdf5 import read_hdf5, write_hdf5
from nuinfer.io.measurement_checks import (
    check_errors,
    check_sum,
    checked_covariance,
    checked_values,
    common_norm_rel,
)
from nuinfer.physics.binning import Binning

UNITS = "1e-38 cm2/nucleon/GeV"
COLUMNS = {
    "cos_lo": "cos_lo",
    "cos_hi": "cos_hi",
    "p_lo_gev": "pmu_lo_GeV",
    "p_hi_gev": "pmu_hi_GeV",
    "value": "xsec_1e-38cm2_per_nucleon_GeV",
    "error": "err_tot",
}
COMPONENTS = ("stat", "shapesyst", "fluxnorm")
T2K_SOURCE = "T2K, PRD 93, 112012, arXiv:1602.03652, Analysis I"
NOT_DATA = "stand-in, NOT data"


@dataclass(frozen=True, eq=False)
class Measurement:
    """Values ``(n_bin,)`` and covariances ``(n_bin, n_bin)`` by name, in 1e-38 cm^2 / nucleon / GeV (squared).

    ``covariances`` holds ``total``, ``shape`` (all but the flux normalisation) and what else the source gives;
    ``norm_rel`` is the relative flux-normalisation error.  ``is_data`` is false for a stand-in, whose label says so.
    """

    name: str
    label: str
    values: np.ndarray
    covariances: Mapping[str, np.ndarray]
    norm_rel: float
    binning: Binning
    is_data: bool
    source: str
    units: str = UNITS

    @property
    def sigma(self) -> np.ndarray:
        """Total errors ``(n_bin,)``."""
        return np.sqrt(np.diag(self.covariances["total"]))


def load_measurement(
    name: str,
    config: Mapping[str, Any],
    root: str | Path = ".",
    prediction: np.ndarray | None = None,
    binning: Binning | None = None,
) -> Measurement:
    """Read and check the measurement ``name`` described by ``config``; relative paths start at ``root``.

    The format ``toy`` takes its values ``(n_bin,)`` and bins from ``prediction`` and ``binning``.  Raises InputError
    for an unknown format, a missing file or key, and whatever the checks of
    :mod:`nuinfer.io.measurement_checks` refuse, naming the file and the entry.
    """
    kind = config.get("format")
    if kind not in FORMATS:
        raise InputError(f"measurement {name}: unknown format '{kind}'; known: {', '.join(FORMATS)}")
    if kind == "toy":
        if prediction is None or binning is None:
            raise InputError(f"measurement {name}: a stand-in needs a prediction and its binning")
        return stand_in(name, config, prediction, binning)
    return FORMATS[kind](name, config, Path(root))


def _assemble(
    name: str,
    label: str,
    source: str,
    values: np.ndarray,
    quoted: np.ndarray,
    binning: Binning,
    matrices: Mapping[str, np.ndarray],
    where: Mapping[str, str],
) -> Measurement:
    """Check a data set's parts against each other; ``where`` gives the name of each part in messages."""
    values = checked_values(where["values"], values)
    covariances = {
        key: checked_covariance(where[key], matrix, values, definite=key == "total") for key, matrix in matrices.items()
    }
    check_errors(where["total"], covariances["total"], quoted)
    check_sum(where["total"], covariances["total"], {key: covariances[key] for key in COMPONENTS})
    norm_rel = common_norm_rel(where["fluxnorm"], covariances["fluxnorm"], values)
    shape = covariances["stat"] + covariances["shapesyst"]
    covariances["shape"] = checked_covariance(f"{name}: stat + shapesyst", shape, values)
    return Measurement(name, label, values, covariances, norm_rel, binning, True, source)


def _read_csv(name: str, config: Mapping[str, Any], root: Path) -> Measurement:
    path = _file(name, config, "path", root)
    columns = dict(COLUMNS) | dict(config.get("columns", {}))
    table = _table(path, columns)
    given = config.get("covariances")
    needed = ("total", *COMPONENTS)
    missing = [key for key in needed if key not in (given or {})]
    if missing:
        raise InputError(f"measurement {name}: covariances lack {', '.join(missing)}; give a file for each")
    files = {key: _file(name, given, key, root) for key in needed}
    try:
        binning = Binning(*(table[key] for key in ("cos_lo", "cos_hi", "p_lo_gev", "p_hi_gev")))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return _assemble(
        name,
        config.get("label", name),
        config.get("source", T2K_SOURCE if "t2k" in name.lower() else str(path.name)),
        table["value"],
        table["error"],
        binning,
        {key: _matrix(file) for key, file in files.items()},
        {"values": str(path)} | {key: str(file) for key, file in files.items()},
    )


def _read_nuisance_root(name: str, config: Mapping[str, Any], root: Path) -> Measurement:
    """Read NUISANCE's layout: values in cm^2 as ``datahist``, slices with momentum edges, covariances in (1e-38 cm^2)^2.

    Covariance bins follow ``datahist``.  The momentum axis of ``analysis1_data`` is not the published one: the edges are
    those of ``dataslice_0..8``, stored in single precision and rounded here to 1e-6.
    """
    import uproot

    path = _file(name, config, "path", root)
    keys = {"total": "totcov", "stat": "statcov", "shapesyst": "systcov", "fluxnorm": "normcov"}
    try:
        with uproot.open(path) as file:
            held = set(file.keys(cycle=False))
            slices = sorted((k for k in held if k.startswith("dataslice_")), key=lambda k: int(k.split("_")[1]))
            missing = [k for k in ("datahist", "analysis1_data", *(f"analysis1_{v}" for v in keys.values())) if k not in held]
            if missing or not slices:
                raise InputError(f"{path}: lacks {', '.join(missing) or 'dataslice_*'}; is it NUISANCE's T2K CC0pi file?")
            values, quoted = file["datahist"].values() * 1e38, file["datahist"].errors() * 1e38
            cos = np.round(file["analysis1_data"].axis(1).edges(), 6)
            edges = [np.round(file[k].axis().edges(), 6) for k in slices]
            sliced = np.concatenate([file[k].values() for k in slices]) * 1e38
            matrices = {key: file[f"analysis1_{v}"].values() for key, v in keys.items()}
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not a ROOT file that can be read ({error})") from error
    if len(cos) != len(edges) + 1 or len(sliced) != len(values) or not np.allclose(sliced, values, rtol=1e-5):
        raise InputError(f"{path}: slices and datahist do not hold the same bins")
    rows = [(cos[k], cos[k + 1], lo, hi) for k, e in enumerate(edges) for lo, hi in pairwise(e)]
    binning = Binning(*np.array(rows).T)
    keep = np.ones(len(binning), dtype=bool)
    if config.get("drop_momentum_overflow", True):
        keep = ~binning.last_in_slice
    for key, matrix in matrices.items():
        if matrix.shape != (len(keep), len(keep)):
            raise InputError(f"{path}: analysis1_{keys[key]} has shape {matrix.shape}, datahist {len(keep)} bins")
    where = {"values": f"{path}: datahist"} | {key: f"{path}: analysis1_{v}" for key, v in keys.items()}
    matrices = {key: matrix[np.ix_(keep, keep)] for key, matrix in matrices.items()}
    label, source = config.get("label", name), config.get("source", T2K_SOURCE)
    return _assemble(name, label, source, values[keep], quoted[keep], binning.select(keep), matrices, where)


def stand_in(name: str, config: Mapping[str, Any], prediction: np.ndarray, binning: Binning) -> Measurement:
    r"""Return what takes a measurement's place where there is no file: a prediction ``(n_bin,)`` and a toy covariance.

    .. math:: C = \mathrm{diag}\left((r \mu_i)^2 + a^2\right) + \epsilon^2 \mu\mu^T

    with the relative error :math:`r` (``uncorrelated_rel``, 0.10), the floor :math:`a` (``floor``, 0.01, in 1e-38 cm^2 /
    nucleon / GeV) and the normalisation :math:`\epsilon` (``norm_rel``, 0.0856: T2K's flux).  The label says that it is
    not data.  Raises InputError for a prediction that does not fit the bins or is not finite.
    """
    mu = np.asarray(prediction, float)
    if mu.shape != (len(binning),):
        raise InputError(f"measurement {name}: the prediction has shape {mu.shape}, the binning {len(binning)} bins")
    mu = checked_values(f"measurement {name}: prediction", mu)
    relative, floor = float(config.get("uncorrelated_rel", 0.10)), float(config.get("floor", 0.01))
    norm_rel = float(config.get("norm_rel", 0.0856))
    shape = np.diag((relative * mu) ** 2 + floor**2)
    norm = norm_rel**2 * np.outer(mu, mu)
    covariances = {"total": shape + norm, "shape": shape, "fluxnorm": norm}
    for key in ("total", "shape"):
        checked_covariance(f"measurement {name}: {key}", covariances[key], mu)
    label = config.get("label", NOT_DATA)
    if "not data" not in label.lower():
        label = f"{label} ({NOT_DATA})"
    source = f"prediction; toy errors {100 * relative:g} % + floor {floor:g}, normalisation {100 * norm_rel:g} %"
    return Measurement(name, label, mu, covariances, norm_rel, binning, False, source)


FORMATS: Mapping[str, Callable[..., Measurement]] = {
    "csv": _read_csv,
    "nuisance_root": _read_nuisance_root,
    "toy": stand_in,
}


def write_measurement(path: Path, measurement: Measurement, attributes: Mapping[str, Any]) -> None:
    """Write a checked measurement with the provenance ``attributes``."""
    m = measurement
    arrays = {"values": m.values} | {f"covariances/{k}": v for k, v in m.covariances.items()}
    arrays |= {f"binning/{k}": v for k, v in m.binning.to_arrays().items()}
    units = {"values": m.units} | {f"covariances/{k}": f"({m.units})^2" for k in m.covariances}
    facts = {"name": m.name, "label": m.label, "norm_rel": m.norm_rel, "is_data": m.is_data, "source": m.source}
    write_hdf5(path, "measurement", arrays, {**attributes, **facts}, units)


def read_measurement(path: Path) -> Measurement:
    """Read what :func:`write_measurement` wrote; raise InputError where the file is not of that layout."""
    arrays, facts = read_hdf5(path, "measurement")

    def group(prefix: str) -> dict[str, np.ndarray]:
        return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

    return Measurement(
        facts["name"],
        facts["label"],
        arrays["values"],
        group("covariances/"),
        float(facts["norm_rel"]),
        Binning.from_arrays(group("binning/")),
        bool(facts["is_data"]),
        facts["source"],
    )


def _file(name: str, config: Mapping[str, Any], key: str, root: Path) -> Path:
    if key not in config:
        raise InputError(f"measurement {name}: '{key}' is missing; give the path of the file")
    path = root / str(config[key])
    if not path.is_file():
        raise InputError(f"measurement {name}: {key}: no such file: {path}; correct the path or fetch the public file")
    return path


def _table(path: Path, columns: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Return the named columns of a CSV table with one header line; '#' starts a comment."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip() and line[0] != "#"]
    header = [title.strip() for title in lines[0].split(",")] if lines else []
    missing = [title for title in columns.values() if title not in header]
    if missing:
        raise InputError(f"{path}: missing columns {', '.join(missing)}; found {', '.join(header) or 'nothing'}")
    rows = [line.split(",") for line in lines[1:]]
    return {key: np.array([_number(path, i, header, row, t) for i, row in enumerate(rows)]) for key, t in columns.items()}


def _number(path: Path, index: int, header: list[str], row: list[str], title: str) -> float:
    if len(row) != len(header):
        raise InputError(f"{path}: row {index} has {len(row)} entries, the header {len(header)}")
    text = row[header.index(title)].strip()
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{path}: row {index}, column {title}: '{text}' is not a number") from None


def _matrix(path: Path) -> np.ndarray:
    rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines() if line.strip() and line[0] != "#"]
    for i, row in enumerate(rows):
        if len(row) != len(rows):
            raise InputError(f"{path}: row {i} has {len(row)} entries, the file {len(rows)} rows: a covariance is square")
    out = np.empty((len(rows), len(rows)))
    for i, row in enumerate(rows):
        for j, text in enumerate(row):
            try:
                out[i, j] = float(text)
            except ValueError:
                raise InputError(f"{path}: entry ({i}, {j}): '{text.strip()}' is not a number") from None
    return out

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from toy import toy_binning, toy_response

from nuinfer.errors import InputError
from nuinfer.io.measurement import COLUMNS, load_measurement, read_measurement, write_measurement

NAMES = ("total", "stat", "shapesyst", "fluxnorm")


def good_parts() -> dict[str, np.ndarray]:
    """A small consistent data set: values, table rows and covariances."""
    values = np.array([0.2, 0.5, 0.3])
    stat = np.diag([0.02, 0.03, 0.02]) ** 2
    syst = 0.05**2 * np.outer(values, values) * np.exp(-np.abs(np.subtract.outer(range(3), range(3))))
    norm = 0.0856**2 * np.outer(values, values)
    total = stat + syst + norm
    edges = np.array([[0.0, 0.5, 0.0, 0.4], [0.0, 0.5, 0.4, 1.0], [0.5, 1.0, 0.0, 2.0]])
    table = np.column_stack([edges, values, np.sqrt(np.diag(total))])
    return {"table": table, "stat": stat, "shapesyst": syst, "fluxnorm": norm, "total": total}


def write_csv(folder: Path, parts: dict[str, np.ndarray]) -> dict:
    rows = [",".join(COLUMNS.values())] + [",".join(repr(float(v)) for v in row) for row in parts["table"]]
    (folder / "values.csv").write_text("\n".join(rows))
    for name in NAMES:
        np.savetxt(folder / f"{name}.csv", parts[name], delimiter=",", fmt="%.12g")
    return {"format": "csv", "path": "values.csv", "covariances": {name: f"{name}.csv" for name in NAMES}}


def test_csv_is_read(tmp_path: Path) -> None:
    parts = good_parts()
    measured = load_measurement("small", write_csv(tmp_path, parts), tmp_path)
    assert np.allclose(measured.values, [0.2, 0.5, 0.3])
    assert measured.norm_rel == pytest.approx(0.0856)
    assert np.allclose(measured.covariances["shape"], parts["stat"] + parts["shapesyst"])
    assert measured.is_data and len(measured.binning) == 3


def set_entry(name: str, row: int, col: int, value: float) -> Callable[[dict], None]:
    def change(parts: dict) -> None:
        parts[name][row, col] = value

    return change


def scale(name: str, factor: float) -> Callable[[dict], None]:
    def change(parts: dict) -> None:
        parts[name] *= factor

    return change


def values_in_cm2(parts: dict) -> None:
    parts["table"][:, 4:] *= 1e-38


def covariances_in_cm4(parts: dict) -> None:
    for name in NAMES:
        parts[name] *= 1e-76


def one_bin_less(parts: dict) -> None:
    parts["total"] = parts["total"][:2, :2]


def not_definite(parts: dict) -> None:
    parts["stat"] *= 0.0
    parts["shapesyst"] = np.outer(parts["table"][:, 4], parts["table"][:, 4]) * 0.01
    parts["total"] = parts["shapesyst"] + parts["fluxnorm"]
    parts["table"][:, 5] = np.sqrt(np.diag(parts["total"]))


def uneven_norm(parts: dict) -> None:
    parts["fluxnorm"][0, 0] *= 1.5
    parts["total"][0, 0] = parts["stat"][0, 0] + parts["shapesyst"][0, 0] + parts["fluxnorm"][0, 0]
    parts["table"][0, 5] = np.sqrt(parts["total"][0, 0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (values_in_cm2, "look like cm\\^2 .* multiply by 1e38"),
        (covariances_in_cm4, "1e76 times too small"),
        (one_bin_less, "total.csv: shape \\(2, 2\\), the table has 3 bins"),
        (not_definite, "not positive definite: the smallest eigenvalue"),
        (uneven_norm, "fluxnorm.csv: not one normalisation: entry \\(0, 0\\)"),
        (set_entry("total", 0, 1, 0.9), "not symmetric: entry \\(0, 1\\) is 0.9"),
        (set_entry("stat", 1, 1, -1.0), "stat.csv: variance \\(1, 1\\) is -1"),
        (set_entry("total", 2, 2, np.nan), "total.csv: entry \\(2, 2\\) is nan"),
        (set_entry("table", 1, 4, np.nan), "value of bin 1 is nan"),
        (set_entry("table", 2, 5, 0.9), "entry \\(2, 2\\) is .* the quoted error 0.9 squared"),
        (set_entry("table", 0, 3, 0.7), "bins 0 and 1 overlap"),
        (set_entry("table", 0, 0, 0.6), "values.csv: binning: bin 0 is inverted"),
        (scale("stat", 2.0), "components do not add up"),
    ],
)
def test_bad_data_are_named(change: Callable[[dict], None], message: str, tmp_path: Path) -> None:
    parts = good_parts()
    change(parts)
    with pytest.raises(InputError, match=message):
        load_measurement("small", write_csv(tmp_path, parts), tmp_path)


def test_bad_files_are_named(tmp_path: Path) -> None:
    config = write_csv(tmp_path, good_parts())
    for wrong, message in (
        ({"format": "hepdata"}, "unknown format 'hepdata'; known: csv, nuisance_root, toy"),
        ({"path": "nowhere.csv"}, "path: no such file"),
        ({"covariances": {"total": "total.csv"}}, "covariances lack stat, shapesyst, fluxnorm"),
        ({"columns": {"value": "sigma"}}, "missing columns sigma; found cos_lo"),
        ({"format": "nuisance_root"}, "not a ROOT file"),
        ({"format": "toy"}, "needs a prediction"),
    ):
        with pytest.raises(InputError, match=message):
            load_measurement("small", config | wrong, tmp_path)
    (tmp_path / "stat.csv").write_text("1,2,3\n4,x,6\n7,8,9\n")
    with pytest.raises(InputError, match=r"stat.csv: entry \(1, 1\): 'x' is not a number"):
        load_measurement("small", config, tmp_path)


def test_rounding_asymmetry_is_mended(tmp_path: Path) -> None:
    parts = good_parts()
    parts["total"][0, 1] *= 1 + 1e-7
    measured = load_measurement("small", write_csv(tmp_path, parts), tmp_path)
    assert np.array_equal(measured.covariances["total"], measured.covariances["total"].T)


def test_stand_in_says_that_it_is_not_data(tmp_path: Path) -> None:
    mu = toy_response().predict(np.zeros((1, 0)), ())[0]
    config = {"format": "toy", "label": "default", "uncorrelated_rel": 0.12, "floor": 0.02, "norm_rel": 0.0856}
    standing = load_measurement("toy", config, prediction=mu, binning=toy_binning())
    assert not standing.is_data and standing.label == "default (stand-in, NOT data)"
    assert np.allclose(standing.sigma**2, (0.12 * mu) ** 2 + 0.02**2 + (0.0856 * mu) ** 2)
    write_measurement(tmp_path / "m.h5", standing, {"seed": 1})
    again = read_measurement(tmp_path / "m.h5")
    assert again.binning == standing.binning and not again.is_data and again.label == standing.label
    assert np.array_equal(again.covariances["total"], standing.covariances["total"])


def test_t2k_root_and_tables_are_the_same_data(shared_data: Path) -> None:
    folder = shared_data / "t2k_cc0pi"
    for n, drop in ((58, True), (67, False)):
        root = load_measurement(
            "t2k",
            {"format": "nuisance_root", "path": "T2K_CC0PI_2DPmuCosmu_Data.root", "drop_momentum_overflow": drop},
            folder,
        )
        tables = load_measurement(
            "t2k",
            {
                "format": "csv",
                "path": f"t2k_cc0pi_2016_analysisI_{n}bins.csv",
                "covariances": {name: f"cov{n}_{name}.csv" for name in NAMES},
            },
            folder,
        )
        assert len(root.binning) == n and root.binning == tables.binning
        assert np.allclose(root.values, tables.values, rtol=1e-6)
        assert np.allclose(root.covariances["total"], tables.covariances["total"], rtol=1e-6)
        assert root.norm_rel == pytest.approx(0.0856, abs=1e-4)

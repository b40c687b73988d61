"""The built-in generator beside NuWro's events and the T2K data (skipped where those files are absent)."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from nuinfer.physics.binning import Binning
from nuinfer.tuning.generator.comparison import compare_shapes, data_chi2, nuwro_comparison
from nuinfer.tuning.generator.rpa import T2K_2017, BerpaSettings, berpa_weight
from nuinfer.tuning.response import Response
from nuinfer.tuning.sources import nuwro_table
from nuinfer.tuning.sources.events import Events


@pytest.fixture(scope="module")
def comparison(response: Response, all_bins: Binning, shared_data: Path) -> dict:
    tables = [shared_data / "nuwro" / f"{name}.csv.gz" for name in ("t2k_CH_all_100k", "t2k_CH_qe_norpa_100k")]
    return nuwro_comparison(response, all_bins, *(nuwro_table.read(path, weights={}) for path in tables))


@pytest.mark.parametrize("channel", ["qe", "qe_no_rpa"])
def test_quasielastic_part_is_nuwros(comparison: dict, channel: str) -> None:
    found = comparison[channel]
    assert found["normalisation"] == pytest.approx(1.0, abs=0.25)
    # 200 events leave 7 % of scatter, so a bin may exceed 20 % by chance; beyond twice its own error none may.
    assert found["largest_beyond_statistics"] < 0.20
    assert found["n_within_20_percent"] >= 0.95 * found["n_bins"]
    assert found["shape_rms"] < 0.10


@pytest.mark.parametrize(("channel", "tolerance"), [("mec", 0.25), ("res", 0.35), ("total", 0.25)])
def test_other_channels_have_nuwros_size(comparison: dict, channel: str, tolerance: float) -> None:
    assert comparison[channel]["normalisation"] == pytest.approx(1.0, abs=tolerance)


def test_default_rpa_weight_is_a_fit_to_nuwro_and_t2ks_is_not(shared_data: Path) -> None:
    """What the docstring of the RPA weight says of its constants."""
    edges = np.linspace(0, 2, 51)
    found = []
    for name in ("t2k_CH_all_100k", "t2k_CH_qe_norpa_100k"):
        with gzip.open(shared_data / "nuwro" / f"{name}.csv.gz", "rt", newline="") as file:
            rows = list(csv.DictReader(file))
        counts, _ = np.histogram([float(r["Q2_GeV2"]) for r in rows if r["mode"] == "QE"], edges)
        found.append((counts, float(rows[0]["weight_cm2_per_nucleon"]) / len(rows)))
    (on, scale_on), (off, scale_off) = found
    keep = (on > 20) & (off > 20)
    ratio = scale_on * on[keep] / (scale_off * off[keep])
    error = ratio * np.sqrt(1 / on[keep] + 1 / off[keep])
    centres = 0.5 * (edges[1:] + edges[:-1])[keep]
    chi2 = [np.sum(((ratio - berpa_weight(centres, s)) / error) ** 2) for s in (BerpaSettings(), T2K_2017)]
    assert chi2[0] < 1.3 * keep.sum() < 3 * keep.sum() < chi2[1]


def test_default_prediction_describes_the_data_as_nuwro_does(response: Response, all_bins: Binning, shared_data: Path) -> None:
    folder = shared_data / "t2k_cc0pi"
    rows = np.genfromtxt(folder / "t2k_cc0pi_2016_analysisI_58bins.csv", delimiter=",", skip_header=1)
    covariance = np.loadtxt(folder / "cov58_total.csv", delimiter=",")
    prediction = response.select(~all_bins.last_in_slice).default_prediction()
    chi2 = data_chi2(prediction, rows[:, 5], covariance)
    assert chi2["diagonal"] < 120 and chi2["full"] < 200


def test_embedded_bins_are_the_published_ones(all_bins: Binning, shared_data: Path) -> None:
    rows = np.genfromtxt(shared_data / "t2k_cc0pi" / "t2k_cc0pi_2016_analysisI_67bins.csv", delimiter=",", skip_header=1)
    np.testing.assert_array_equal(all_bins.edges(), rows[:, 1:5])
    np.testing.assert_array_equal(all_bins.last_in_slice, rows[:, 11] == 1)


def test_a_wrong_shape_is_seen(all_bins: Binning) -> None:
    """Negative control: a tilt of 40 % must exceed the limits that the generator is held to."""
    edges = np.repeat(all_bins.edges(), 400, axis=0)
    n = len(edges)
    middle = {"cos_theta": edges[:, :2].mean(axis=1), "p_mu_gev": edges[:, 2:].mean(axis=1)}
    rest = {"enu_gev": np.ones(n), "q2_gev2": np.ones(n), "weight_1e38cm2": np.full(n, 0.3 / n)}
    events = Events(**middle, **rest, channel=np.full(n, "QE"), is_cc0pi=np.ones(n, bool), n_generated=n)
    density = events.density(all_bins)[0]
    tilted = compare_shapes(density * np.linspace(0.6, 1.4, all_bins.n_bin), events, all_bins, None, 200)
    same = compare_shapes(density, events, all_bins, None, 200)
    assert same["shape_rms"] == pytest.approx(0.0, abs=1e-12) and tilted["shape_rms"] > 0.10
    assert same["shape_error"] == pytest.approx(1 / 20) and same["n_bins"] == all_bins.n_bin
    assert tilted["n_within_20_percent"] < 0.95 * tilted["n_bins"]
    assert compare_shapes(density, events, all_bins, "QE", 400)["n_bins"] == 0

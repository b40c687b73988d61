"""The cost measurement on tiny grids, and the step that writes it."""

import json
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from nuinfer.closure import cost
from nuinfer.closure.cost import cost_of_grid, measure
from nuinfer.closure.settings import MlpSettings
from nuinfer.errors import InputError
from nuinfer.io.captions import read_captions
from nuinfer.steps.closure_cost import closure_cost

FLUX = Path(__file__).resolve().parents[2] / "resources" / "dune_nd_fhc.csv"
SETTINGS = {
    "flux": {"column": "numu", "per_bin": False},
    "enu_range_gev": [0.5, 5.0],
    "antineutrino": False,
    "target": {"z": 18, "a": 40, "nuclear_mass_gev": 37.215526},
    "grid": {"n_u": 8, "n_v": 8, "points_per_axis": 1},
    "mesh": {"n_x": 12, "n_q2": 12},
    "phase_gev": 4.5,
}  # fmt: skip
TIMES = ("build_s", "contract_ms", "step_ms", "direct_step_ms")


def test_costs_are_measured():
    small, large = (cost_of_grid(SETTINGS, FLUX, n, rounds=1, n_enu=12) for n in (8, 16))
    assert (small["bins"], large["bins"]) == (64, 256)
    assert all(entry[name] > 0 for entry in (small, large) for name in TIMES)
    assert large["direct_cells"] == pytest.approx(4 * small["direct_cells"], rel=0.2)
    assert large["matrix_entries"] > small["matrix_entries"]
    assert 50 < large["peak_mib"] <= large["direct_peak_mib"]


def test_times_are_of_the_steps(monkeypatch):
    """A clock that only the steps move: one second each, the first ones left out."""
    ticks = iter(range(10**6))
    monkeypatch.setattr(cost.time, "process_time", lambda: float(next(ticks)))

    def fit(problem, settings, seed, members, progress):
        for k in range(settings.steps + 7):  # as if a member had been trained again
            progress(k + 1, settings.steps, "")

    monkeypatch.setattr(cost, "fit_mlp", fit)
    seconds = cost.operator_step_seconds(None, MlpSettings(steps=40))
    assert seconds.tolist() == [1.0] * (40 - cost.COLD - 1)


def test_step_writes_numbers_and_figure(tmp_path):
    metrics, captions = tmp_path / "cost.json", tmp_path / "cost_captions.json"
    closure_cost(FLUX, metrics, captions, SETTINGS | {"cost_bins": [8]})
    written = json.loads(metrics.read_text())
    (grid,) = written["grids"]
    assert grid["bins_per_axis"] == 8 and all(grid[name] > 0 for name in TIMES)
    assert written["provenance"]["made_by"] == "nuinfer.steps.closure_cost"
    assert list(read_captions(captions)) == ["cost"] and json.loads(captions.read_text())["provenance"] == written["provenance"]
    assert all((tmp_path / f"cost.{suffix}").stat().st_size > 1000 for suffix in ("png", "pdf"))


def test_bad_input_is_named(tmp_path):
    with pytest.raises(InputError, match="numbers of bins must be positive"):
        measure(SETTINGS, FLUX, [])
    with pytest.raises(InputError, match=r"absent\.csv"):
        cost_of_grid(SETTINGS, tmp_path / "absent.csv", 8)


def test_a_killed_process_is_named(monkeypatch):
    class Killed(Executor):
        def __init__(self, *_: object, **__: object) -> None: ...

        def submit(self, *_: object) -> Future:
            future = Future()
            future.set_exception(BrokenProcessPool("killed"))
            return future

    monkeypatch.setattr(cost, "ProcessPoolExecutor", Killed)
    with pytest.raises(InputError, match="8 x 8 bins was ended"):
        measure(SETTINGS, FLUX, [8])

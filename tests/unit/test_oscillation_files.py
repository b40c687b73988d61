"""Files of the oscillation fits and operators at events: what is read is what was written, anything else is refused by name."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from toy_far import RANGE, binned_model, event_model

from nuinfer.closure.mesh import Mesh
from nuinfer.closure.observables import GridPoints, LeptonGrid
from nuinfer.closure.operator import PointOperator, build_operator, point_operator
from nuinfer.errors import InputError
from nuinfer.io.operators import read_event_operator, read_operator, write_event_operator, write_operator
from nuinfer.io.oscillation import (
    FIELDS,
    OPTIMA,
    read_fit,
    read_regions,
    read_toys,
    write_fit,
    write_regions,
    write_toys,
)
from nuinfer.oscillation.fit import Fit, fit_events
from nuinfer.oscillation.optimum import Optima
from nuinfer.oscillation.plane import FitRange, Plane
from nuinfer.oscillation.regions import Confidence, RegionGrid
from nuinfer.oscillation.toys import Toys, throw_toys

RECORD = {"settings": "{}", "seed": 3}
INVERTED = FitRange((0.4, 0.6), (-2.6e-3, -2.4e-3))


@pytest.fixture(scope="module")
def fit() -> Fit:
    """A fit whose range grew, so that its plane is not the configured one."""
    return fit_events(event_model(800, np.random.default_rng(1)), FitRange((0.48, 0.52), (2.6e-3, 2.65e-3)), 30, 2)


@pytest.fixture(scope="module")
def toys() -> Toys:
    return throw_toys(binned_model(), Plane.over(RANGE), (np.array([0.45, 0.55]), np.full(2, 2.5e-3)), 6, 300, 1)


def confidence(grid: RegionGrid, rng: np.random.Generator) -> Confidence:
    n, m = grid.sin2_theta23.size, grid.dm31_ev2.size
    return Confidence(*(rng.random(shape) for shape in ((n, m), (n // 2, m), n, n // 2, m)))


def same_optima(one: Optima, other: Optima) -> bool:
    return all(
        np.array_equal(getattr(one, n), getattr(other, n)) and getattr(one, n).dtype == getattr(other, n).dtype for n in OPTIMA
    )


def test_a_fit(tmp_path: Path, fit: Fit) -> None:
    path = tmp_path / "fit.h5"
    write_fit(path, fit, RECORD)
    found = read_fit(path)
    assert found.plane == fit.plane and fit.widened > 0
    assert np.array_equal(found.surface, fit.surface)
    assert same_optima(found.data, fit.data) and same_optima(found.cloud, fit.cloud)
    assert (found.widened, found.interpolation_error, found.impossible) == (fit.widened, fit.interpolation_error, 0)
    sin2, dm31 = np.array([0.49, 0.51]), np.array([2.55e-3, 2.6e-3])
    assert np.array_equal(found.plane.at(found.surface, sin2, dm31), fit.plane.at(fit.surface, sin2, dm31))
    with h5py.File(path) as file:
        assert file["cloud/dm31_ev2"].attrs["unit"] == file["data/dm31_ev2"].attrs["unit"] == "eV^2"
        assert file.attrs["seed"] == 3


def test_a_fit_of_the_inverted_ordering_and_without_bootstraps(tmp_path: Path, fit: Fit) -> None:
    none = Optima(*(getattr(fit.cloud, name)[:0] for name in OPTIMA))
    known = replace(fit, plane=Plane(INVERTED, 9, 8), surface=np.ones((9, 8)), cloud=none)
    write_fit(tmp_path / "fit.h5", known, RECORD)
    found = read_fit(tmp_path / "fit.h5")
    assert found.plane == known.plane and found.cloud.sin2_theta23.shape == (0, 2) and same_optima(found.cloud, none)


def test_toys(tmp_path: Path, toys: Toys) -> None:
    path = tmp_path / "toys.h5"
    write_toys(path, toys, RECORD)
    found = read_toys(path)
    assert found.plane == toys.plane and same_optima(found.optima, toys.optima)
    assert np.array_equal(found.coefficients, toys.coefficients) and np.array_equal(found.log_mixture, toys.log_mixture)
    assert np.array_equal(found.highest, toys.highest)


@pytest.mark.parametrize("methods", [["bootstrap", "feldman_cousins"], ["feldman_cousins"], []])
def test_regions(tmp_path: Path, methods: list[str], rng: np.random.Generator) -> None:
    path, grid = tmp_path / "regions.h5", RegionGrid.over(RANGE, 6, 5)
    known = {name: confidence(grid, rng) for name in methods}
    write_regions(path, grid, known, RECORD)
    found_grid, found = read_regions(path)
    assert np.array_equal(found_grid.sin2_theta23, grid.sin2_theta23) and np.array_equal(found_grid.dm31_ev2, grid.dm31_ev2)
    assert sorted(found) == sorted(methods)
    for name in methods:
        for field in FIELDS:
            assert np.array_equal(getattr(found[name], field), getattr(known[name], field))
    with h5py.File(path) as file:
        assert file["dm31_ev2"].attrs["unit"] == "eV^2"


def test_every_field_is_written() -> None:
    """A field that is added to a class must be added to its file."""
    assert {f.name for f in fields(Confidence)} == set(FIELDS) and {f.name for f in fields(Optima)} == set(OPTIMA)
    assert {f.name for f in fields(Fit)} == {
        *("plane", "surface", "data", "cloud"),
        *("widened", "interpolation_error", "impossible"),
    }


# Operators at events

GRID, KNOTS = LeptonGrid(3, 4, 2.0), np.array([0.4, 1.0, 2.0])
MESH = Mesh(np.geomspace(1e-2, 1.0, 5), np.geomspace(1e-2, 4.0, 6))


@pytest.fixture(scope="module")
def at_events() -> PointOperator:
    points = GridPoints(np.array([0, 1, 1]), np.array([0.5, 0.8, 0.9]), np.array([0.9, 0.8, 0.95]), np.array([1.0, 0.4, 0.6]))
    return point_operator(points, 2, MESH, KNOTS, 0.93, antineutrino=True)


def test_an_operator_at_events(tmp_path: Path, at_events: PointOperator) -> None:
    path = tmp_path / "events.h5"
    write_event_operator(path, at_events, RECORD)
    found = read_event_operator(path)
    assert type(found) is PointOperator and found.n_rows == 2 and found.mass_gev == 0.93 and found.antineutrino is True
    assert np.array_equal(found.mesh.x, MESH.x) and np.array_equal(found.mesh.q2_gev2, MESH.q2_gev2)
    for name in ("knots_gev", "indptr", "indices", "start", "place", "value"):
        assert np.array_equal(getattr(found, name), getattr(at_events, name))
        assert getattr(found, name).dtype == getattr(at_events, name).dtype
    w = np.random.default_rng(1).random((3, MESH.n_nodes))
    assert np.array_equal(found.counts_by_knot(w), at_events.counts_by_knot(w)) and at_events.counts_by_knot(w).any()


# What is refused

Reader = Callable[[Path], Any]
READERS: dict[str, Reader] = {
    "oscillation fit": read_fit,
    "oscillation toys": read_toys,
    "oscillation regions": read_regions,
    "operator at events": read_event_operator,
    "forward operator": read_operator,
}


@pytest.fixture
def written(tmp_path: Path, fit: Fit, toys: Toys, at_events: PointOperator, rng: np.random.Generator) -> dict[str, Path]:
    """Return a file of every kind."""
    grid = RegionGrid.over(RANGE, 4, 4)
    files = {kind: tmp_path / f"{kind.replace(' ', '_')}.h5" for kind in READERS}
    write_fit(files["oscillation fit"], fit, RECORD)
    write_toys(files["oscillation toys"], toys, RECORD)
    write_regions(files["oscillation regions"], grid, {"bootstrap": confidence(grid, rng)}, RECORD)
    write_event_operator(files["operator at events"], at_events, RECORD)
    write_operator(files["forward operator"], build_operator(GRID, MESH, KNOTS, 0.93), RECORD)
    return files


def test_files_of_another_kind_are_refused(written: dict[str, Path]) -> None:
    for kind, read in READERS.items():
        read(written[kind])
        for other, path in written.items():
            if other != kind:
                with pytest.raises(InputError, match=rf"holds '{other}' in layout 1, wanted '{kind}' in layout 1; remove it"):
                    read(path)


@pytest.mark.parametrize("kind", READERS)
def test_files_cut_short_or_absent_are_named(kind: str, written: dict[str, Path]) -> None:
    path = written[kind]
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(InputError, match=rf"{path.name}: not a whole HDF5 file"):
        READERS[kind](path)
    path.unlink()
    with pytest.raises(InputError, match=rf"{path.name}: no such file; run the step that makes it"):
        READERS[kind](path)


def test_same_content_same_bytes(tmp_path: Path, fit: Fit) -> None:
    for name in ("a.h5", "b.h5"):
        write_fit(tmp_path / name, fit, RECORD)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_outlines_of_joint_regions_are_data(tmp_path) -> None:
    """A disc's outline lies on the disc; the fields come back as they were."""
    grid = RegionGrid.over(FitRange((0.3, 0.7), (2.3e-3, 2.7e-3)), 80, 80)
    u, v = (grid.sin2_theta23[:, None] - 0.5) / 0.04, (grid.dm31_ev2 - 2.5e-3) / 4e-5
    disc = 1.0 - np.exp(-0.5 * (u**2 + v**2))
    line = np.linspace(0.0, 1.0, 80)
    found = Confidence(disc, disc[:40], line, line[:40], line)
    write_regions(tmp_path / "regions.h5", grid, {"bootstrap": found}, {})
    assert list(read_regions(tmp_path / "regions.h5")[1]) == ["bootstrap"]
    with h5py.File(tmp_path / "regions.h5") as file:
        outline = file["contours/bootstrap/plane_sin2/1_sigma/0"][...]
    radius = np.hypot((outline[:, 0] - 0.5) / 0.04, (outline[:, 1] - 2.5e-3) / 4e-5)
    np.testing.assert_allclose(radius, np.sqrt(-2.0 * np.log(1.0 - 0.682689)), rtol=0.02)

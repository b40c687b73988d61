"""The forward operator, on bins or at events, as a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nuinfer.closure.mesh import Mesh
from nuinfer.closure.observables import LeptonGrid
from nuinfer.closure.operator import ForwardOperator, PointOperator
from nuinfer.io.hdf5 import read_hdf5, write_hdf5

KIND, EVENT_KIND = "forward operator", "operator at events"
UNITS = {"knots_gev": "GeV", "mesh/q2_gev2": "GeV^2"}
SPARSE = ("indptr", "indices", "start", "place", "value")


def write_operator(path: Path, operator: ForwardOperator, record: Mapping[str, Any]) -> None:
    """Write ``operator`` with the provenance ``record``."""
    _write(path, KIND, operator, {**record, **grid_facts(operator.grid)})


def read_operator(path: Path) -> ForwardOperator:
    """Return the operator of a file that :func:`write_operator` wrote; InputError for any other."""
    parts, facts = _read(path, KIND)
    return ForwardOperator(**parts, grid=grid_of(facts))


def write_event_operator(path: Path, operator: PointOperator, record: Mapping[str, Any]) -> None:
    """Write the ``operator`` whose rows are the events of a sample."""
    _write(path, EVENT_KIND, operator, record)


def read_event_operator(path: Path) -> PointOperator:
    """Return the operator of a file that :func:`write_event_operator` wrote; InputError for any other."""
    return PointOperator(**_read(path, EVENT_KIND)[0])


def _write(path: Path, kind: str, operator: PointOperator, record: Mapping[str, Any]) -> None:
    arrays = {name: getattr(operator, name) for name in SPARSE}
    arrays |= {"knots_gev": operator.knots_gev, "mesh/x": operator.mesh.x, "mesh/q2_gev2": operator.mesh.q2_gev2}
    write_hdf5(path, kind, arrays, {**record, "mass_gev": operator.mass_gev, "antineutrino": operator.antineutrino}, UNITS)


def _read(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    arrays, facts = read_hdf5(path, kind)
    parts = {
        "mesh": Mesh(arrays["mesh/x"], arrays["mesh/q2_gev2"]),
        "knots_gev": arrays["knots_gev"],
        "mass_gev": facts["mass_gev"],
        "antineutrino": bool(facts["antineutrino"]),
        **{name: arrays[name] for name in SPARSE},
    }
    return parts, facts


def read_mesh(path: Path) -> Mesh:
    """Return only the mesh of an operator's file."""
    arrays, _ = read_hdf5(path, KIND, only=("mesh/x", "mesh/q2_gev2"))
    return Mesh(arrays["mesh/x"], arrays["mesh/q2_gev2"])


def grid_facts(grid: LeptonGrid) -> dict[str, Any]:
    """Return the attributes from which :func:`grid_of` makes the bins again."""
    return {"n_u": grid.n_u, "n_v": grid.n_v, "el_max_gev": grid.el_max_gev}


def grid_of(facts: Mapping[str, Any]) -> LeptonGrid:
    """Return the bins that a file's attributes describe."""
    return LeptonGrid(int(facts["n_u"]), int(facts["n_v"]), float(facts["el_max_gev"]))

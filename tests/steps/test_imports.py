"""What a step pays before it starts: importing it brings in no heavy package but those that it always uses.

Steps that share what they may import are imported in one interpreter, one after the other: what turns up is what they bring.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nuinfer import steps

HEAVY = (
    "torch", "sbi", "zuko", "nflows", "sklearn", "pandas", "matplotlib", "uproot", "awkward", "pyhepmc", "iminuit", "yaml",
    "jsonschema", "scipy", "scipy.stats", "scipy.optimize", "scipy.interpolate",
)  # fmt: skip
"""Seconds of CPU: torch 0.9, sbi 1.5 besides, scipy.stats 0.3, matplotlib and scipy.optimize 0.2, scipy itself 0.1."""
NUMPY_ONLY = frozenset()
SCIPY = frozenset({"scipy"})
SPLINES = frozenset({"scipy", "scipy.interpolate", "scipy.optimize"})
FIGURES = frozenset({"matplotlib"})
MAY_IMPORT = {
    NUMPY_ONLY: "cli comparison event_response measurement models read_throws report",
    SCIPY: (
        "band_coverage band_coverage_summary calibrate cards closed_form closure_comparison exact_held_out "
        "far_coverage far_coverage_summary far_coverage_toys far_draw far_fit far_models far_operator far_regions "
        "far_table fit_comparison gather ingest learn likelihood member observation operator posterior predictive scan "
        "simulate surrogate tension train truth tune_files union universe_toys universes universes_summary worlds"
    ),
    SPLINES: "response",
    FIGURES: "figure_bands figure_functions figure_losses figure_scan figure_total figures_fit_coverage",
    FIGURES | SCIPY: (
        "figures_ensemble figures_fit figures_flux figures_observation figures_roads figures_study figures_tension "
        "figures_tune figures_universes"
    ),
    FIGURES | SCIPY | {"torch"}: "closure_cost",
}
"""Every step, by what it may import; a new step gets its line here."""

PROGRAM = """
import importlib, json, sys
packages, names = json.loads(sys.argv[1])
found = {}
for name in names:
    before = set(sys.modules)
    importlib.import_module(name)
    found[name] = [p for p in packages if p in sys.modules and p not in before]
print(json.dumps(found))
"""


def brought(modules, packages=HEAVY):
    """Return the ``packages`` that each of ``modules`` adds to those before it, in an interpreter of their own."""
    command = [sys.executable, "-c", PROGRAM, json.dumps([packages, modules])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def excess(found, allowed):
    """Return what modules of :func:`brought` import beyond ``allowed``, as lines."""
    return [f"{module} imports {package}" for module, new in found.items() for package in new if package not in allowed]


STEPS = {step: allowed for allowed, listed in MAY_IMPORT.items() for step in listed.split()}


def modules(listed):
    return [f"nuinfer.steps.{name}" for name in listed.split()]


def test_every_step_is_listed_once():
    there = {path.stem for path in Path(steps.__path__[0]).glob("*.py")} - {"__init__"}
    assert STEPS.keys() == there
    assert sum(len(listed.split()) for listed in MAY_IMPORT.values()) == len(STEPS)


@pytest.mark.parametrize("allowed", MAY_IMPORT, ids=lambda allowed: "+".join(sorted(allowed)) or "numpy")
def test_steps_import_no_more_than_they_use(allowed):
    found = brought(modules(MAY_IMPORT[allowed]))
    assert excess(found, allowed) == []
    assert {p for new in found.values() for p in new} == allowed, "a list that allows more than is needed says nothing"


def test_a_package_that_is_not_listed_is_named():
    """The negative control: of steps that draw, and of a library that trains, lists without what they need are refused."""
    assert excess(brought(["nuinfer.steps.figure_scan"]), NUMPY_ONLY) == ["nuinfer.steps.figure_scan imports matplotlib"]
    both = excess(brought(["nuinfer.steps.report", "nuinfer.closure.mlp"]), SCIPY)
    assert both == ["nuinfer.closure.mlp imports torch"]


def test_a_draw_in_closed_form_never_imports_torch():
    """Two hundred draws of an ensemble are learned and fitted: not even what their functions import has torch in it."""
    needed = ["nuinfer.steps.learn", "nuinfer.closure.gaussian", "nuinfer.steps.member", "nuinfer.device"]
    assert excess(brought(needed), SCIPY) == []

"""A closure experiment: flux, target, energy range and bins, with the truth that its near detector sees."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nuinfer.closure.mesh import Mesh, refined_nodes
from nuinfer.closure.observables import LeptonGrid
from nuinfer.closure.operator import energy_knots
from nuinfer.closure.quadrature import energy_nodes
from nuinfer.closure.truth import Combinations, Truth
from nuinfer.errors import InputError
from nuinfer.oscillation.far_flux import KnotFlux
from nuinfer.oscillation.nufast import Oscillation
from nuinfer.physics.cross_section import combination_prefactors
from nuinfer.physics.fluxes import linear_flux, read_flux
from nuinfer.physics.kinematics import Target, bjorken_x, q2_gev2
from nuinfer.physics.parton_model import structure_functions
from nuinfer.physics.partons import parton_set
from nuinfer.physics.structure_function_forms import (
    SF_SCALINGS,
    nucleon_from_nucleus,
    nucleus_from_nucleon,
    rescaled_combinations,
)

LEAST_Q2_GEV2 = 1e-3
"""Lowest mesh node: below it functions are taken as constant; two in a million events lie there."""
MESH_STUDY = 48
"""Bins an axis of the coarse grid on which the events are found that the mesh is refined for."""


@dataclass(frozen=True)
class Experiment:
    """``near_flux`` ``(n_knots,)`` in 1/GeV at ``knots_gev``, its integral over the energy range one."""

    grid: LeptonGrid
    knots_gev: np.ndarray
    near_flux: np.ndarray
    target: Target
    antineutrino: bool

    @property
    def mass_gev(self) -> float:
        return self.target.nucleon_mass_gev


def make_experiment(settings: Mapping[str, Any], flux_path: Path) -> Experiment:
    """Return the experiment of one configuration entry (``experiments.NAME``), its flux read from ``flux_path``.

    Raises InputError for what the flux reader refuses and for an energy range that the flux does not cover.
    """
    flux = settings["flux"]
    table = read_flux(flux_path, flux["column"], flux.get("units"), flux["per_bin"])
    low, high = settings["enu_range_gev"]
    near = linear_flux(table, (low, high)).unit_normalised()
    knots = energy_knots(low, high, near.knots_gev, settings["phase_gev"])
    return Experiment(
        grid=LeptonGrid(settings["grid"]["n_u"], settings["grid"]["n_v"], high),
        knots_gev=knots,
        near_flux=near(knots),
        target=Target(**settings["target"]),
        antineutrino=settings["antineutrino"],
    )


def refined_knots(experiment: Experiment, parts: int = 5) -> Experiment:
    """Return the experiment with every knot interval cut in ``parts``: an oscillated flux is linear in between."""
    place = np.linspace(0, experiment.knots_gev.size - 1, parts * (experiment.knots_gev.size - 1) + 1)
    knots = np.interp(place, np.arange(experiment.knots_gev.size), experiment.knots_gev)
    return replace(experiment, knots_gev=knots, near_flux=np.interp(knots, experiment.knots_gev, experiment.near_flux))


def far_flux(near: Truth | Experiment, oscillation: Mapping[str, Any]) -> np.ndarray:
    """Return the far detector's flux ``(n_knots,)``: the near one's times the survival probability (arXiv:2412.16303).

    On knots as :mod:`nuinfer.oscillation.far_flux` says, but not below zero.  Not normalised to one: its integral is the
    surviving share.  Raises InputError for parameters outside their ranges.
    """
    flux = KnotFlux.of(near.knots_gev, near.near_flux)
    return np.maximum(flux.oscillated(Oscillation(**oscillation), antineutrino=near.antineutrino), 0.0)


def make_mesh(experiment: Experiment, n_x: int, n_q2: int) -> Mesh:
    """Return a mesh over all of the phase space, denser where the flux puts events if all three functions were one."""
    knots = experiment.knots_gev[:: max(1, experiment.knots_gev.size // 40)]
    knots = np.append(knots[knots < experiment.knots_gev[-1]], experiment.knots_gev[-1])
    points = LeptonGrid(MESH_STUDY, MESH_STUDY, experiment.grid.el_max_gev).points(1)
    at_x, at_q2, events = [], [], []
    for nodes in energy_nodes(points, knots, experiment.mass_gev):
        el, cos = points.el_gev[nodes.point], points.cos_theta[nodes.point]
        at_x.append(bjorken_x(nodes.enu_gev, el, cos, experiment.mass_gev))
        at_q2.append(q2_gev2(nodes.enu_gev, el, cos))
        factor = combination_prefactors(nodes.enu_gev, el, cos, experiment.mass_gev).sum(axis=0)
        flux = np.interp(nodes.enu_gev, experiment.knots_gev, experiment.near_flux)
        events.append(np.maximum(factor, 0.0) * nodes.weight * points.weight[nodes.point] * flux)
    x, q2, weight = (np.concatenate(a) for a in (at_x, at_q2, events))
    highest = 2.0 * experiment.mass_gev * experiment.knots_gev[-1]
    return Mesh(refined_nodes(min(2e-3, x.min()), 1.0, n_x, x, weight), refined_nodes(LEAST_Q2_GEV2, highest, n_q2, q2, weight))


def truth_functions(settings: Mapping[str, Any], experiment: Experiment) -> Combinations:
    """Return the true structure functions (three independent ones, per nucleon) of ``settings`` as a function of x and Q^2.

    Raises InputError as :func:`nuinfer.physics.partons.parton_set` and for an unknown ``sf_scaling``.
    """
    partons = parton_set(settings["partons"])
    target, mass, antineutrino = experiment.target, experiment.mass_gev, experiment.antineutrino
    scaling = settings["sf_scaling"]
    if scaling not in SF_SCALINGS:
        raise InputError(f"sf_scaling: '{scaling}' is not one of {', '.join(SF_SCALINGS)}")

    def functions(x: np.ndarray, q2_gev2: np.ndarray) -> np.ndarray:
        sf = structure_functions(partons, x, q2_gev2, target.z, target.a, antineutrino, settings["f1"], mass)
        if scaling != "consistent":
            sf = nucleon_from_nucleus(nucleus_from_nucleon(sf, target.a, scaling), target.a)
        return rescaled_combinations(sf, x, q2_gev2, mass, antineutrino)

    return functions

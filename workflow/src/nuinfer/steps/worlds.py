"""What the steps on closed-form systematics and on universes share: the pseudo-world of an ensemble, from the files."""

from pathlib import Path

import numpy as np

from nuinfer.closure.draws import near_data_stream
from nuinfer.closure.learn import learner_settings
from nuinfer.closure.world import World, make_world
from nuinfer.io.closure import read_truth
from nuinfer.io.operators import read_operator
from nuinfer.oscillation.plane import FitRange, Plane
from nuinfer.physics.flux_shapes import read_flux_shapes
from nuinfer.seeds import stream


def ensemble_world(truth: Path, operator: Path, flux_shapes: Path, settings: dict) -> World:
    """Return the world in which the ensemble's study and sample are, both detectors in ``linear_bins`` an axis."""
    return make_world(
        read_truth(truth),
        read_operator(operator),
        read_flux_shapes(flux_shapes),
        settings["oscillation"],
        Plane.over(FitRange(tuple(settings["sin2_theta23"]), tuple(settings["dm31_ev2"]))),
        settings["linear_bins"],
        settings["near_events"],
        settings["far_events"],
        settings["near_smearing"],
        settings["far_smearing"],
        learner_settings(settings["learner"])[1],
        stream(settings["seed"], "evidence", settings["experiment"]),
    )


def observed_near(world: World, settings: dict) -> np.ndarray:
    """Return the shares ``(n_bins,)`` of the near-detector events of draw 0, in the true flux."""
    rng = near_data_stream(settings["seed"], settings["experiment"], settings["near_events"], 0)
    return world.near_shares(np.zeros(world.n_shifts), rng)


def true_point(settings: dict) -> tuple[float, float]:
    """Return the sample's true sin^2(theta_23) and dm^2_31 (eV^2)."""
    return settings["oscillation"]["sin2_theta23"], settings["oscillation"]["dm31_ev2"]

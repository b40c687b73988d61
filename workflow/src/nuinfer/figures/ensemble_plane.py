"""What the figures of ensembles share: the two planes, fields of a grid as entries of a plane, and their outlines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator

from nuinfer.errors import InputError
from nuinfer.figures.arrays import shaped
from nuinfer.figures.oscillation_entries import (
    DM31_UNIT_EV2,
    SIGMAS,
    DrawnEntry,
    RegionEntry,
    RegionPanel,
    checked_panels,
    default_window,
)
from nuinfer.figures.oscillation_regions import AXES
from nuinfer.figures.style import BLACK, GREY
from nuinfer.oscillation.regions import Confidence, RegionGrid, contours, level

REFERENCE_SHADES = ("0.66", "0.81", "0.92")
"""Greys of the 1, 2 and 3 sigma regions of a reference."""
TRUTH_STYLE = MappingProxyType({"marker": "*", "color": BLACK, "linestyle": ""})
STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class EnsemblePlane:
    """The parameter of the mixing angle that a plane shows: its axis in a RegionGrid, and its fields in a Confidence."""

    axis: str
    joint: str
    line: str
    edges: str

    @property
    def x_label(self) -> str:
        return AXES[self.axis]["x_label"]

    @property
    def maximal(self) -> float:
        """Maximal mixing on this axis."""
        return AXES[self.axis]["maximal"]

    def of_sin2(self, sin2_theta23: np.ndarray | float) -> np.ndarray | float:
        """Return the plane's parameter, of the same shape."""
        return 4.0 * sin2_theta23 * (1.0 - sin2_theta23) if self.axis == "sin2_2theta23" else sin2_theta23


PLANES: Mapping[str, EnsemblePlane] = MappingProxyType(
    {
        "mixing": EnsemblePlane("sin2_2theta23", "plane_sin2_2theta", "sin2_2theta", "sin2_2theta_edges"),
        "octants": EnsemblePlane("sin2_theta23", "plane_sin2", "sin2", "sin2_edges"),
    }
)


def plane_named(name: str) -> EnsemblePlane:
    """Return one of :data:`PLANES`; raise InputError for another name."""
    if name not in PLANES:
        raise InputError(f"figure: plane '{name}'; known: {', '.join(PLANES)}")
    return PLANES[name]


def drawn_fields(grid: RegionGrid, confidences: Sequence[Confidence], plane: EnsemblePlane) -> list[DrawnEntry]:
    """Return the joint fields as they are drawn, in units of the axes; raise InputError where one does not fit the grid."""
    x = getattr(grid, plane.axis)
    entries = [RegionEntry(str(k), x, grid.dm31_ev2, getattr(c, plane.joint)) for k, c in enumerate(confidences)]
    return checked_panels([RegionPanel("ensemble", entries)])[0]


def star_of(truth: tuple[float, float] | None, plane: EnsemblePlane) -> tuple[float, float] | None:
    """Return ``truth``, (sin2_theta23, dm31_ev2), in units of the axes."""
    if truth is None:
        return None
    sin2, dm31_ev2 = shaped("truth", truth, (2,))
    return float(plane.of_sin2(sin2)), float(dm31_ev2 / DM31_UNIT_EV2)


def window_of(fields: Sequence[DrawnEntry], star: tuple[float, float] | None, plane: EnsemblePlane) -> np.ndarray:
    """Return the ranges ``(2, 2)`` of both axes that show every 3-sigma region and the truth."""
    return default_window(fields, star, plane.maximal)


def add_outline(ax: Axes, field: DrawnEntry, n_sigma: float, name: str, **style) -> LineCollection:
    """Draw the outline of one region, the lines of :func:`~nuinfer.oscillation.regions.contours`, found again by ``name``."""
    lines = LineCollection(contours(*field.axes, level(field.n_sigma), float(level(n_sigma))), **style)
    lines.set_gid(f"{name}, {n_sigma:.0f} sigma")
    ax.add_collection(lines, autolim=False)
    return lines


def shade(ax: Axes, field: DrawnEntry, sigmas: Sequence[float] = SIGMAS, shades: Sequence[str] = REFERENCE_SHADES) -> None:
    """Fill the regions of ``sigmas``, increasing, in ``shades``, below all lines."""
    ax.contourf(*field.axes, field.n_sigma.T, [-1.0, *sigmas], colors=list(shades), zorder=0.8)


def finish_plane(ax: Axes, window: np.ndarray, star: tuple[float, float] | None, plane: EnsemblePlane) -> None:
    """Set the ranges and ticks, and mark the truth and maximal mixing."""
    ax.axvline(plane.maximal, color=GREY, linewidth=0.5, zorder=1.2)
    if star is not None:
        edge = {"markeredgecolor": "white", "markeredgewidth": 0.5, "clip_on": False, "zorder": 5}
        ax.plot(*star, markersize=11.0, **TRUTH_STYLE, **edge)
    ax.set_xlim(window[0])
    ax.set_ylim(window[1])
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=STEPS))
    # A label in the lower left corner would touch the other axis's.
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=STEPS, prune="lower"))
    ax.tick_params(axis="x", pad=5.0)

"""How every figure looks and how it is written: sizes, fonts, colours by role, byte-for-byte repeatable files."""

import functools
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
import matplotlib.style
from matplotlib.figure import Figure, FigureBase

from nuinfer.errors import InputError
from nuinfer.io.hdf5 import replacing
from nuinfer.io.traces import pdf_information, png_text

SINGLE_IN = 3.4
"""Width of a figure that fills one column of a two-column page, inches."""
DOUBLE_IN = 7.0
"""Width of a figure that fills the page, inches."""
PNG_DPI = 200

BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
"""Colours that colour-blind readers tell apart (Okabe and Ito, "Color Universal Design", 2008)."""
BLACK, GREY, LIGHT_GREY = "#000000", "#8C8C8C", "#DDDDDD"
CYCLE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1, 1.5)), (0, (3, 1)), (0, (7, 2)))

ROLE_COLOURS = {
    "estimator": BLUE,
    "corrected": GREEN,
    "exact": VERMILLION,
    "fit": PURPLE,
    "data": BLACK,
    "truth": BLACK,
    "prior": LIGHT_GREY,
}
ROLE_DASHES = {"estimator": "-", "corrected": (0, (4, 1.5)), "exact": (0, (1.2, 1.0)), "fit": (0, (5, 1.5, 1, 1.5))}
ROLE_MARKERS = {"estimator": "o", "corrected": "D", "exact": "s", "fit": "^"}
ROLE_LABELS = {
    "estimator": "estimator",
    "corrected": "importance-corrected",
    "exact": "exact",
    "fit": "best fit",
    "data": "data",
    "truth": "truth",
    "prior": "prior",
}

RC = {
    "font.family": "DejaVu Sans",
    "mathtext.fontset": "dejavusans",
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "legend.columnspacing": 1.2,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.0,
    "patch.linewidth": 0.6,
    "hatch.linewidth": 0.4,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.4,
    "ytick.minor.size": 1.4,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "axes.formatter.useoffset": False,
    "figure.dpi": 100.0,
    "savefig.bbox": None,
    "pdf.fonttype": 42,
}


P = ParamSpec("P")
R = TypeVar("R")


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Make ``function`` draw in this style whatever the user's own matplotlib settings, which are left as they were."""

    @functools.wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.style.context(["default", RC]):
            return function(*args, **kwargs)

    return inside


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure of a size in inches, bound to no window."""
    return Figure(figsize=(width_in, height_in), facecolor="white")


def size_in(container: FigureBase) -> tuple[float, float]:
    """Return width and height of a figure or subfigure, inches."""
    dpi = container.get_figure(root=True).dpi
    return container.bbox.width / dpi, container.bbox.height / dpi


def colour(name: str, index: int) -> str:
    """Return the colour of a role, or the ``index``-th of the cycle for a name that is no role."""
    return ROLE_COLOURS.get(name, CYCLE[index % len(CYCLE)])


def dashes(name: str, index: int) -> str | tuple:
    """Return the dash pattern of a role, or the ``index``-th of the cycle."""
    return ROLE_DASHES.get(name, DASHES[index % len(DASHES)])


def display_name(name: str) -> str:
    """Return what a legend calls a role; any other name stands for itself."""
    return ROLE_LABELS.get(name, name)


@styled
def save(figure: Figure, pdf_path: Path, png_path: Path, record: Mapping[str, Any] | None = None) -> None:
    """Write ``figure`` as vector PDF and as PNG, each whole or not at all and without dates.

    Both tell inside what made them where ``record`` (of :func:`nuinfer.io.provenance.provenance`) is given.
    Raises InputError where a name does not end in ``.pdf`` and ``.png``.
    """
    for path, suffix in ((pdf_path, ".pdf"), (png_path, ".png")):
        if Path(path).suffix != suffix:
            raise InputError(f"{path}: a figure's file must end in {suffix}; rename it")
    with replacing(Path(pdf_path)) as temporary:
        undated = {"CreationDate": None, "Creator": None, "Producer": None}
        figure.savefig(temporary, format="pdf", metadata={**undated, **(pdf_information(record) if record else {})})
    with replacing(Path(png_path)) as temporary:
        temporary.write_bytes(png_bytes(figure, record))


@styled
def png_bytes(figure: Figure, record: Mapping[str, Any] | None = None) -> bytes:
    """Return ``figure`` as a PNG file's bytes, with what made it where ``record`` is given."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=PNG_DPI, metadata={"Software": None, **(png_text(record) if record else {})})
    return buffer.getvalue()

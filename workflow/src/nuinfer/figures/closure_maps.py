"""Event densities at the near and the far detector: truth, model, difference."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from nuinfer.errors import InputError
from nuinfer.figures.arrays import shaped
from nuinfer.figures.closure_axes import field
from nuinfer.figures.closure_rows import map_rows
from nuinfer.figures.style import styled


@styled
def density_maps(
    u_edges: np.ndarray,
    v_edges: np.ndarray,
    el_ticks: Mapping[float, float],
    true_near: np.ndarray,
    model_near: np.ndarray,
    true_far: np.ndarray,
    model_far: np.ndarray,
    labels: tuple[str, str] = ("near detector", "far detector"),
    rel_l2_near: float | None = None,
    rel_l2_far: float | None = None,
) -> Figure:
    """Draw two rows, near and far, of three maps: true, model, model minus true (figures 2 and 15 of
    arXiv:2412.16303).

    ``u_edges`` ``(n_u + 1,)``, ``v_edges`` ``(n_v + 1,)``: cells of u, ln E_l scaled to 0 .. 1, and v = sin(theta / 2),
    both without unit.  ``el_ticks``: lepton energy, GeV -> its u.  Densities ``(n_u, n_v)``: probability per unit of u
    and of v, nan or masked where unreachable.  ``rel_l2_near``, ``rel_l2_far``: relative L2 errors, as fractions,
    written in the differences.  Raises InputError for shapes that do not fit.
    """
    if len(labels) != 2:
        raise InputError(f"figure: {len(labels)} labels; give two, of the near and of the far detector")
    shape = (len(np.atleast_1d(u_edges)) - 1, len(np.atleast_1d(v_edges)) - 1)
    rows = {
        name: field(name, values, shape)
        for name, values in (
            ("true_near", true_near),
            ("model_near", model_near),
            ("true_far", true_far),
            ("model_far", model_far),
        )
    }
    return map_rows(
        u_edges,
        v_edges,
        el_ticks,
        np.stack([rows["true_near"], rows["true_far"]]),
        np.stack([rows["model_near"], rows["model_far"]]),
        labels,
        "density per unit $u$, $v$",
        [_note("rel_l2_near", rel_l2_near), _note("rel_l2_far", rel_l2_far)],
    )


def _note(name: str, rel_l2: float | None) -> str:
    return "" if rel_l2 is None else f"rel. $L_2$ = {100 * float(shaped(name, rel_l2, ())):.2g} %"

"""Doubly differential cross sections at fixed neutrino energies: truth, model, difference."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from nuinfer.figures.arrays import shaped
from nuinfer.figures.closure_rows import map_rows
from nuinfer.figures.style import styled

QUANTITY = r"$\mathrm{d}^2\sigma/\mathrm{d}E_\ell\,\mathrm{d}\cos\theta_\ell$"
UNIT = r"$10^{-38}$ cm$^2$ / GeV"


@styled
def cross_section_slices(
    u_edges: np.ndarray,
    v_edges: np.ndarray,
    el_ticks: Mapping[float, float],
    enu_gev: np.ndarray,
    true: np.ndarray,
    model: np.ndarray,
    quantity: str = QUANTITY,
    unit: str = UNIT,
) -> Figure:
    """Draw one row per energy ``enu_gev`` ``(n,)``: true, model, model minus true (figures 4 and 16 of
    arXiv:2412.16303).

    ``true``, ``model`` ``(n, n_u, n_v)``: cross sections in the ``unit`` that the colour bars name; nan or masked
    outside the phase space.  Truth and model share a scale in each row.  ``quantity`` heads the figure.  ``u_edges``,
    ``v_edges``, ``el_ticks``: as in :func:`~nuinfer.figures.closure_maps.density_maps`.  Raises InputError for shapes
    that do not fit.
    """
    enu_gev = shaped("enu_gev", enu_gev, (None,))
    rows = [rf"$E_\nu$ = {enu:.3g} GeV" for enu in enu_gev]
    return map_rows(u_edges, v_edges, el_ticks, true, model, rows, f"[{unit}]" if unit else "", heading=quantity)

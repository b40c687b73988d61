r"""Uncertainty of a flux's shape: fractional components with independent standard-normal amplitudes.

.. math::
    \Phi(E) = \Phi_0(E)\Big[1 + \sum_i a_i\,\delta_i(E)\Big], \qquad a_i \sim \mathcal{N}(0, 1)

(arXiv:2412.16303), where :math:`\delta_i` are principal components of the flux covariance (DUNE: arXiv:2006.16043), linear
between the centres of their energy bins and continued linearly outside.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nuinfer.errors import InputError
from nuinfer.physics.flux_files import read_table, split_edges


@dataclass(frozen=True)
class FluxShapes:
    """Fractional one-sigma shifts ``components`` ``(k, n)`` ``names`` ``(k,)`` at increasing ``enu_gev`` ``(n,)``, n >= 2."""

    enu_gev: np.ndarray
    components: np.ndarray
    names: tuple[str, ...]

    def fractions(self, enu_gev: np.ndarray) -> np.ndarray:
        """Return the components ``(k, n_enu)`` at energies ``enu_gev`` ``(n_enu,)``."""
        enu, knots = np.asarray(enu_gev, float), self.enu_gev
        i = np.clip(np.searchsorted(knots, enu) - 1, 0, len(knots) - 2)
        t = (enu - knots[i]) / (knots[i + 1] - knots[i])
        return self.components[:, i] * (1 - t) + self.components[:, i + 1] * t

    def shift(self, enu_gev: np.ndarray, amplitudes: np.ndarray) -> np.ndarray:
        """Return the factor ``(..., n_enu)`` on the flux at ``enu_gev`` ``(n_enu,)`` for ``amplitudes`` ``(..., k)``.

        Raises InputError for the wrong number of amplitudes and, naming the draw, for a factor below zero.
        """
        enu, a = np.asarray(enu_gev, float), np.asarray(amplitudes, float)
        if a.ndim == 0 or a.shape[-1] != len(self.names):
            raise InputError(f"the flux shape has {len(self.names)} components, but amplitudes of shape {a.shape} were given")
        factor = 1.0 + a @ self.fractions(enu)
        # `not >= 0` also catches a factor that is not a number.
        bad = np.argwhere(~(factor >= 0))
        if bad.size:
            *draw, i = (int(j) for j in bad[0])
            where = f" of draw {', '.join(map(str, draw))}" if draw else ""
            raise InputError(
                f"the flux-shape factor{where} is {factor[tuple(bad[0])]:.3g} at {enu[i]:g} GeV, below zero "
                f"(amplitudes {np.array2string(a[tuple(draw)], precision=2)}); draw again or narrow the energy range"
            )
        return factor

    def draws(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return ``n`` independent draws ``(n, k)`` of the amplitudes."""
        return rng.standard_normal((n, len(self.names)))


def read_flux_shapes(path: str | Path) -> FluxShapes:
    """Read a CSV of bin edges (as in :mod:`nuinfer.physics.fluxes`) and any number of fractional components.

    Raises InputError for a gap between bins, fewer than two bins, edges out of order, no component, a value that is not
    finite, and a shift above one: such a table is in percent.
    """
    _, names, rows = read_table(path)
    edges, columns = split_edges(path, names, rows)
    if not columns:
        raise InputError(f"{path}: no component beside the bin edges; found {', '.join(names)}")
    if len(edges) < 3 or not np.all(np.isfinite(edges)) or edges[0] < 0 or np.any(np.diff(edges) <= 0):
        raise InputError(f"{path}: flux components need two or more bins, with edges not negative and increasing")
    for name, values in columns.items():
        if not np.all(np.isfinite(values)):
            raise InputError(f"{path}: component '{name}' is {values[~np.isfinite(values)][0]} in a bin; mend that row")
        if np.abs(values).max() > 1:
            raise InputError(f"{path}: component '{name}' shifts the flux by {np.abs(values).max():g} times; is it in percent?")
    return FluxShapes(0.5 * (edges[1:] + edges[:-1]), np.stack(list(columns.values())), tuple(columns))

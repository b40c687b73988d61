r"""Learning at the near detector in closed form for any shift of the flux: a hundredth of a training.

With the flux :math:`\Phi_0(1 + \sum_i a_i\delta_i)` the design of :mod:`nuinfer.closure.gaussian` is linear in the amplitudes,
:math:`D(a) = D_0 + \sum_i a_i D_i`, and the normal equations are quadratic in them:

.. math::
    \hat c = \Big[\sum_{ij} f_i f_j D_i^TV^{-1}D_j + K^{-1}\Big]^{-1} \sum_i f_i D_i^TV^{-1}y, \qquad f = (1, a).

The variances V are those expected of the true flux and the hyperparameters are one data set's: a draw changes them by as
little as it changes the counts.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from nuinfer.closure.envelope import envelope
from nuinfer.closure.gaussian import LEAST_COUNT, basis_on_mesh, design, scaled_functions
from nuinfer.closure.gaussian_prior import BOUNDS, WIDE_BOUNDS, Evidence
from nuinfer.closure.observables import LeptonGrid
from nuinfer.closure.operator import ForwardOperator
from nuinfer.closure.settings import GaussianSettings
from nuinfer.errors import InputError


@dataclass(frozen=True)
class Merged:
    """Bins of an operator's grid merged ``parts`` x ``parts``: ``matrix`` ``(n_bins, n_fine)`` sums rows."""

    grid: LeptonGrid
    matrix: sparse.csr_matrix

    @classmethod
    def of(cls, fine: LeptonGrid, bins: int) -> "Merged":
        """Return ``bins`` x ``bins`` of them; InputError where that does not divide the grid."""
        if fine.n_u % bins or fine.n_v % bins:
            raise InputError(f"{bins} bins an axis do not divide the experiment's {fine.n_u} x {fine.n_v}")
        i_u, i_v = np.divmod(np.arange(fine.n_bins), fine.n_v)
        rows = i_u // (fine.n_u // bins) * bins + i_v // (fine.n_v // bins)
        ones = np.ones(fine.n_bins)
        matrix = sparse.csr_matrix((ones, (rows, np.arange(fine.n_bins))), shape=(bins * bins, fine.n_bins))
        return cls(LeptonGrid(bins, bins, fine.el_max_gev), matrix)

    def counts(self, fine: np.ndarray) -> np.ndarray:
        """Return contents ``(..., n_bins)`` of those of the fine grid."""
        return fine @ self.matrix.T


@dataclass(frozen=True)
class Basis:
    """Structure functions of coefficients c ``(3 * n,)``: ``functions`` ``(3, n_nodes)`` times ``splines`` ``(n_nodes, n)``."""

    functions: np.ndarray
    splines: np.ndarray
    axes: tuple

    @classmethod
    def of(cls, operator: ForwardOperator, flux: np.ndarray, settings: GaussianSettings, n_bins: int) -> "Basis":
        """Return that of the learner ``gaussian``, each function scaled to one event a bin of ``n_bins``."""
        splines, axes = basis_on_mesh(operator.mesh.shape, settings)
        shape = envelope(settings.envelope, *operator.mesh.points, operator.mass_gev)
        return cls(scaled_functions(operator.matrix(flux), shape, n_bins), splines, axes)

    def design(self, operator: ForwardOperator, flux: np.ndarray, merged: Merged) -> np.ndarray:
        """Return counts ``(n_bins, 3 * n)`` of each coefficient in a flux, or a difference of fluxes, at the knots."""
        return design(merged.matrix @ operator.shift_matrix(flux), self.functions, self.splines)

    def structure_functions(self, coefficients: np.ndarray) -> np.ndarray:
        """Return them on the mesh, ``(3, n_nodes)``."""
        return self.functions * (coefficients.reshape(3, -1) @ self.splines.T)


@dataclass(frozen=True)
class LinearNear:
    """``design`` ``(1 + k, n_bins, n)``: counts of coefficients in the flux and per unit of its k shifts; ``weight`` V^-1.

    ``gram`` ``((1 + k)(2 + k) / 2, n, n)``: D_i^T V^-1 D_j of the pairs i >= j, both orders summed; ``prior`` ``(n, n)``: K^-1.
    """

    design: np.ndarray
    weight: np.ndarray
    gram: np.ndarray
    prior: np.ndarray

    @property
    def n_shifts(self) -> int:
        return len(self.design) - 1

    def coefficients(self, shares: np.ndarray, amplitudes: np.ndarray) -> np.ndarray:
        """Return posterior means ``(m, n)`` of data ``(m, n_bins)``, each analysed in its flux of ``amplitudes`` ``(m, k)``."""
        f = np.concatenate([np.ones((len(amplitudes), 1)), amplitudes], axis=1)
        weighted = shares * (shares.shape[1] * self.weight)
        # Summed in double precision: what the data hardly measure would turn the rounding of large sums into coefficients.
        right = np.einsum("mi,imn->mn", f, np.stack([weighted @ d for d in self.design]), optimize=True)
        return np.stack([cho_solve((p, True), b) for p, b in zip(self._choleskys(f), right, strict=True)])

    def factor(self) -> np.ndarray:
        """Return F ``(n, n)`` of the true flux: coefficients have the covariance F^T F."""
        (lower,) = self._choleskys(np.eye(1, 1 + self.n_shifts))
        return solve_triangular(lower, np.eye(len(lower)), lower=True)

    def _choleskys(self, f: np.ndarray) -> list[np.ndarray]:
        """Return lower factors of the precisions in the fluxes of f ``(m, 1 + k)``."""
        rows, columns = np.tril_indices(f.shape[1])
        n = len(self.prior)
        precision = (f[:, rows] * f[:, columns]) @ self.gram.reshape(len(self.gram), -1)
        settings = {"lower": True, "overwrite_a": True, "check_finite": False}
        return [cho_factor(p.reshape(n, n) + self.prior, **settings)[0] for p in precision]


def linear_near(
    design_of: Callable[[np.ndarray], np.ndarray],
    fluxes: np.ndarray,
    expected: np.ndarray,
    observed: np.ndarray,
    n_events: float,
    axes: tuple,
    settings: GaussianSettings,
) -> LinearNear:
    """Return the learner for ``fluxes`` ``(1 + k, n_knots)``: the true one and its shifts by one standard deviation each.

    ``design_of`` gives the design of a flux, smeared as the data are; ``expected`` ``(n_bins,)`` are shares of the
    ``n_events`` events in the true flux, ``observed`` those of the data set whose evidence chooses the hyperparameters.
    """
    n_bins = expected.size
    designs = np.stack([design_of(flux).astype(np.float32) for flux in fluxes])
    weight = (n_events / n_bins) ** 2 / np.maximum(n_events * expected, LEAST_COUNT)
    roots = np.sqrt(weight)[:, None]
    scaled = [roots * d.astype(float) for d in designs]
    gram = np.empty((len(designs) * (len(designs) + 1) // 2, designs.shape[2], designs.shape[2]))
    for place, (i, j) in enumerate(zip(*np.tril_indices(len(designs)), strict=True)):
        product = scaled[i].T @ scaled[j]
        gram[place] = product if i == j else product + product.T
    bounds = BOUNDS if settings.bounded else WIDE_BOUNDS
    evidence = Evidence(gram[0], designs[0].T.astype(float) @ (weight * observed * n_bins), *axes, settings.kernel)
    theta = evidence.maximise(np.log(np.tile([0.5, 0.3, 0.3], 3)), settings.iterations, bounds)
    return LinearNear(designs, weight, gram, evidence.prior_precision(theta))

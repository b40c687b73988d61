r"""A Gaussian restricted to the unit cube that can be drawn from without rejection, with its exact density.

Draws go coordinate by coordinate, as in the Geweke-Hajivassiliou-Keane simulator (Geweke 1991; Keane, Econometrica 62
(1994) 95): with :math:`C = LL^T` and :math:`u = m + Lz`, each :math:`z_i` is a standard normal restricted to the interval
that keeps :math:`u_i` in :math:`[0, 1]` given the coordinates already drawn.  The density of what comes out is

.. math:: q(u) = \prod_i \frac{\phi(z_i)}{L_{ii}\,[\Phi(b_i) - \Phi(a_i)]},

known exactly, which is all that importance sampling asks for.  It is the Gaussian itself where the cube does not cut,
and follows a posterior that fills the cube or leans on a face, even one whose unrestricted optimum lies far outside.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

LOG_SQRT_2PI = 0.5 * float(np.log(2 * np.pi))
FAR_TAIL = 6.0
"""Beyond this many sigma the interval is drawn from an exponential: the normal's tail, without loss of digits."""


@dataclass(frozen=True)
class CubeGaussian:
    """One restricted Gaussian per observation: ``mean`` ``(B, d)``, ``covariance`` ``(B, d, d)``; the mean may lie outside.

    ``order`` and ``cholesky`` follow from them: coordinates are drawn in the order of how hard the cube cuts them,
    which keeps the density closest to the restricted Gaussian's.
    """

    mean: np.ndarray
    order: np.ndarray
    cholesky: np.ndarray

    def rows(self, which: np.ndarray | list[int]) -> "CubeGaussian":
        """Return the Gaussians of the observations ``which``."""
        return CubeGaussian(self.mean[which], self.order[which], self.cholesky[which])

    def replaced(self, where: np.ndarray, other: "CubeGaussian") -> "CubeGaussian":
        """Return these Gaussians with those of ``other`` at ``where`` (booleans ``(B,)``)."""
        return CubeGaussian(
            np.where(where[:, None], other.mean, self.mean),
            np.where(where[:, None], other.order, self.order),
            np.where(where[:, None, None], other.cholesky, self.cholesky),
        )

    def wider(self, scale: float) -> "CubeGaussian":
        """Return the Gaussians with every width times ``scale``."""
        return CubeGaussian(self.mean, self.order, self.cholesky * scale)

    def draw(self, uniforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turn uniforms ``(B, S, d)`` into points ``(B, S, d)`` and their log densities ``(B, S)``."""
        mean = np.take_along_axis(self.mean, self.order, axis=1)
        z = np.empty_like(uniforms)
        points = np.empty_like(uniforms)
        log_q = np.zeros(uniforms.shape[:-1])
        for i in range(uniforms.shape[-1]):
            centre, scale, lo, hi = self._interval(mean, z, i)
            z[..., i], log_density = _restricted_normal(uniforms[..., i], lo, hi)
            points[..., i] = np.clip(centre + scale * z[..., i], 0.0, 1.0)
            log_q += log_density - np.log(scale)
        return np.take_along_axis(points, np.argsort(self.order, axis=1)[:, None, :], axis=2), log_q

    def log_prob(self, points: np.ndarray) -> np.ndarray:
        """Return log densities ``(B, S)`` of points ``(B, S, d)``, which must lie in the cube."""
        mean = np.take_along_axis(self.mean, self.order, axis=1)
        ordered = np.take_along_axis(points, self.order[:, None, :], axis=2)
        z = np.empty_like(ordered)
        log_q = np.zeros(points.shape[:-1])
        for i in range(points.shape[-1]):
            centre, scale, lo, hi = self._interval(mean, z, i)
            z[..., i] = (ordered[..., i] - centre) / scale
            log_q += _restricted_log_density(z[..., i], lo, hi) - np.log(scale)
        return log_q

    def _interval(self, mean: np.ndarray, z: np.ndarray, i: int) -> tuple[np.ndarray, ...]:
        centre = mean[:, None, i] + np.einsum("bsj,bj->bs", z[..., :i], self.cholesky[:, i, :i])
        scale = self.cholesky[:, None, i, i]
        return centre, scale, -centre / scale, (1.0 - centre) / scale


def cube_gaussian(mean: np.ndarray, covariance: np.ndarray) -> CubeGaussian:
    """Restrict Gaussians ``mean`` ``(B, d)``, ``covariance`` ``(B, d, d)`` (positive definite) to the unit cube."""
    sd = np.sqrt(np.einsum("bdd->bd", covariance))
    inside = special.ndtr((1.0 - mean) / sd) - special.ndtr(-mean / sd)
    order = np.argsort(inside, axis=1, kind="stable")
    ordered = np.take_along_axis(np.take_along_axis(covariance, order[:, :, None], axis=1), order[:, None, :], axis=2)
    return CubeGaussian(mean, order, np.linalg.cholesky(ordered))


def _folded(lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mirror intervals on the positive side, so that probabilities are differences of small numbers."""
    flip = lo + hi > 0.0
    return flip, np.where(flip, -hi, lo), np.where(flip, -lo, hi)


def _restricted_normal(v: np.ndarray, lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flip, a, b = _folded(lo, hi)
    far = b < -FAR_TAIL
    p_a, p_b = special.ndtr(a), special.ndtr(b)
    z = np.clip(special.ndtri(p_a + v * (p_b - p_a)), a, b)
    if far.any():
        rate = np.where(far, -b, 1.0)
        z = np.where(far, b + np.log1p(v * np.expm1(-rate * (b - a))) / rate, z)
        z = np.clip(z, a, b)
    return np.where(flip, -z, z), _folded_log_density(z, a, b, far)


def _restricted_log_density(z: np.ndarray, lo: np.ndarray, hi: np.ndarray) -> np.ndarray:
    flip, a, b = _folded(lo, hi)
    return _folded_log_density(np.where(flip, -z, z), a, b, b < -FAR_TAIL)


def _folded_log_density(z: np.ndarray, a: np.ndarray, b: np.ndarray, far: np.ndarray) -> np.ndarray:
    mass = np.where(far, 1.0, special.ndtr(b) - special.ndtr(a))
    log_density = -0.5 * z * z - LOG_SQRT_2PI - np.log(np.maximum(mass, 1e-300))
    if far.any():
        rate = np.where(far, -b, 1.0)
        exponential = np.log(rate) - rate * (b - z) - np.log(-np.expm1(-rate * np.maximum(b - a, 1e-300)))
        log_density = np.where(far, exponential, log_density)
    return log_density

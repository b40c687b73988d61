"""How far best fits with a learned cross section lie from those with the true one, bootstrap by bootstrap."""

from typing import Any

import numpy as np

from nuinfer.errors import InputError


def paired_distance(
    model_sin2: np.ndarray, model_dm31: np.ndarray, true_sin2: np.ndarray, true_dm31: np.ndarray
) -> dict[str, Any]:
    r"""Return the oscillation metric of figure 19, equation 33 of arXiv:2412.16303, and what it is made of.

    .. math:: \frac1{N_b} \sum_b \left[ \frac{(t_M - t_T)_b^2}{\mathrm{sd}(t_T)^2}
              + \frac{(\Delta m^2_M - \Delta m^2_T)_b^2}{\mathrm{sd}(\Delta m^2_T)^2} \right],
              \qquad t = \sin^2 2\theta_{23}

    ``model_sin2``, ``model_dm31``, ``true_sin2``, ``true_dm31`` ``(n_bootstrap,)``: best fits of sin^2(theta_23) and of dm^2_31
    (eV^2) with the learned and with the true cross section, of the same bootstraps in the same order.  ``total`` is the sum of
    the terms ``sin2_2theta23`` and ``dm31_ev2``; ``mean_shift``: the means of the two differences (learned - true), in the
    standard deviations ``sd`` of the true fits.  t is blind to the octant, so a fit that changes it alone does not count.
    Raises InputError for lengths that differ, values that are not finite and true fits without spread.
    """
    given = {"model_sin2": model_sin2, "model_dm31": model_dm31, "true_sin2": true_sin2, "true_dm31": true_dm31}
    fits = {name: np.asarray(values, float) for name, values in given.items()}
    shapes = {name: values.shape for name, values in fits.items()}
    n = fits["true_sin2"].size
    if any(shape != (n,) for shape in shapes.values()):
        raise InputError(f"paired distance: shapes {shapes} differ; give one best fit per bootstrap, of the same bootstraps")
    for name, values in fits.items():
        if not np.all(np.isfinite(values)):
            raise InputError(f"paired distance: {name} holds values that are not finite; repeat those fits")
    pairs = {
        "sin2_2theta23": tuple(4.0 * fits[name] * (1.0 - fits[name]) for name in ("model_sin2", "true_sin2")),
        "dm31_ev2": (fits["model_dm31"], fits["true_dm31"]),
    }
    terms, shifts, spreads = {}, {}, {}
    for name, (model, true) in pairs.items():
        # Equal numbers have a spread of rounding, not of zero.
        if n < 2 or np.ptp(true) <= 1e-12 * np.abs(true).max():
            raise InputError(f"paired distance: {n} true fits of {name} have no spread; give two or more different bootstraps")
        spreads[name] = float(true.std())
        distance = (model - true) / spreads[name]
        terms[name], shifts[name] = float(np.mean(distance**2)), float(distance.mean())
    return {"total": sum(terms.values()), **terms, "mean_shift": shifts, "sd": spreads}

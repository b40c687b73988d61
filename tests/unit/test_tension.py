"""Tension between measurements: p-values are uniform when the model is right, and only then."""

from dataclasses import replace
from functools import cache

import matplotlib.text
import numpy as np
import pytest
from scipy import stats
from toy import NORM_REL, toy_covariances, toy_prior, toy_response

from nuinfer.errors import InputError
from nuinfer.figures import style
from nuinfer.figures.tension import calibration_figure, tension_matrix
from nuinfer.tuning.likelihood import MEASUREMENT_LIKELIHOODS, FullLikelihood, NormShapeLikelihood, measurement_likelihood
from nuinfer.tuning.tension import (
    JointErrors,
    calibration,
    conditional,
    equivalent_sigma,
    errors_within,
    independent_errors,
    p_values_batch,
    predictive_p_value,
)

N_I, N_J, EPS = 5, 4, 0.25
N = N_I + N_J
N_TOY, N_DRAW = 400, 400
MU0 = np.linspace(2.0, 1.0, N)
# The predicted bins know more of the parameters than those learned from: what the posterior leaves open matters there.
SLOPE = np.random.default_rng(11).normal(0.0, 0.5, (N, 2)) * np.where(np.arange(N) < N_I, 1.0, 3.0)[:, None]
# A tilt: a common normalisation error moves it the wrong way for the predicted bins, so that the two add up.
TILT = 0.5 * np.where(np.arange(N) < N_I, MU0, -MU0)[:, None]
MADE = np.random.default_rng(12)
ROOT = 0.1 * MADE.standard_normal((N, N))
SHAPE = ROOT @ ROOT.T + 0.1**2 * np.eye(N)
SEPARATE = SHAPE.copy()
SEPARATE[:N_I, N_I:] = SEPARATE[N_I:, :N_I] = 0.0


def linear_toys(base: np.ndarray, spread: float = 1.0, slope: np.ndarray = SLOPE) -> tuple[np.ndarray, ...]:
    """Return ``mu_i``, ``mu_j``, ``x_i``, ``x_j``: parameters of a standard normal prior, Gaussian errors ``base``.

    The posterior given ``x_i`` is normal; its draws are spread by ``spread`` times its true width about its mean.
    """
    rng = np.random.default_rng(21)
    d = slope.shape[1]
    theta = rng.standard_normal((N_TOY, d))
    x = FullLikelihood(np.linalg.cholesky(base)).sample(MU0 + theta @ slope.T, rng)
    gain = slope[:N_I].T @ np.linalg.inv(base[:N_I, :N_I])
    covariance = np.linalg.inv(np.eye(d) + gain @ slope[:N_I])
    mean = (x[:, :N_I] - MU0[:N_I]) @ (covariance @ gain).T
    draws = mean[:, None] + spread * rng.standard_normal((N_TOY, N_DRAW, d)) @ np.linalg.cholesky(covariance).T
    mu = MU0 + draws @ slope.T
    return mu[..., :N_I], mu[..., N_I:], x[:, :N_I], x[:, N_I:]


@cache
def norm_shape_toys(shared: bool) -> tuple[np.ndarray, ...]:
    """Return the same for errors that scale with the prediction and one parameter, its posterior on a fine grid."""
    rng = np.random.default_rng(22)
    base = SHAPE if shared else SEPARATE
    theta = rng.standard_normal(N_TOY)
    mu_true = MU0 + 0.2 * theta[:, None] * SLOPE[:, 0]
    if shared:
        x = NormShapeLikelihood(np.linalg.cholesky(base), EPS).sample(mu_true, rng)
    else:
        parts = slice(None, N_I), slice(N_I, None)
        x = np.hstack([NormShapeLikelihood(np.linalg.cholesky(base[p, p]), EPS).sample(mu_true[:, p], rng) for p in parts])
    grid = np.linspace(-5.0, 5.0, 2001)
    mu_grid = MU0 + 0.2 * grid[:, None] * SLOPE[:, 0]
    one = NormShapeLikelihood(np.linalg.cholesky(base[:N_I, :N_I]), EPS)
    mu = np.empty((N_TOY, N_DRAW, N))
    for b in range(N_TOY):
        log_p = one.log_prob(x[b, :N_I], mu_grid[:, :N_I]) - 0.5 * grid**2
        weight = np.exp(log_p - log_p.max())
        mu[b] = mu_grid[rng.choice(len(grid), N_DRAW, p=weight / weight.sum())]
    return mu[..., :N_I], mu[..., N_I:], x[:, :N_I], x[:, N_I:]


def ks_p(toys: tuple[np.ndarray, ...], errors: JointErrors) -> float:
    return calibration(p_values_batch(*toys, errors, np.random.default_rng(23)))["ks_p"]


NORMED = SHAPE + EPS**2 * np.outer(MU0, MU0)


@pytest.mark.parametrize("base", [SEPARATE, NORMED], ids=["independent", "shared normalisation"])
def test_p_is_uniform_when_model_and_errors_are_right(base):
    found = calibration(p_values_batch(*linear_toys(base), JointErrors(base, N_I), np.random.default_rng(23)))
    assert found["n"] == N_TOY
    assert found["ks_p"] > 1e-3
    for tail in (0.05, 0.01):
        assert abs(found[f"below_{tail:g}"] - tail) < 4.0 * found[f"below_{tail:g}_error"]


@pytest.mark.parametrize("shared", [True, False])
def test_p_is_uniform_when_errors_scale_with_the_prediction(shared):
    errors = JointErrors(SHAPE if shared else SEPARATE, N_I, EPS, EPS, shared)
    assert ks_p(norm_shape_toys(shared), errors) > 1e-3


def tilt_toys() -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Return pseudo-experiments that share a normalisation, one bin predicted, and their covariance."""
    base = 0.3 * SHAPE + EPS**2 * np.outer(MU0, MU0)
    mu_i, mu_j, x_i, x_j = linear_toys(base, slope=TILT)
    return (mu_i, mu_j[..., :1], x_i, x_j[:, :1]), base[: N_I + 1, : N_I + 1]


def test_ignoring_shared_errors_is_caught():
    toys, base = tilt_toys()
    assert ks_p(toys, JointErrors(base, N_I)) > 1e-3
    assert ks_p(toys, independent_errors(base[:N_I, :N_I], base[N_I:, N_I:])) < 1e-4


def test_ignoring_the_normalisation_is_caught():
    assert ks_p(norm_shape_toys(True), JointErrors(SHAPE, N_I)) < 1e-4


def test_wrongly_sharing_a_normalisation_is_caught():
    assert ks_p(norm_shape_toys(False), JointErrors(SEPARATE, N_I, EPS, EPS, shared=True)) < 1e-4


@pytest.mark.parametrize("spread", [0.5, 2.0])
def test_posterior_of_wrong_width_is_caught(spread):
    assert ks_p(linear_toys(SEPARATE, spread), JointErrors(SEPARATE, N_I)) < 1e-4


def test_shifted_measurement_gets_a_small_p():
    mu_i, mu_j, x_i, _ = (v[0] for v in linear_toys(SEPARATE))
    errors, rng = JointErrors(SEPARATE, N_I), np.random.default_rng(24)
    law = conditional(mu_i, mu_j, x_i, errors)
    centre, sigma = law.mean.mean(axis=0), np.sqrt(np.diag(law.total_covariance()))
    assert predictive_p_value(mu_i, mu_j, x_i, centre, errors, rng).p.value == 1.0
    for sign in (1.0, -1.0):
        found = predictive_p_value(mu_i, mu_j, x_i, centre + sign * 3.0 * sigma * np.array([1, -1, 1, -1]), errors, rng)
        assert found.p.value < 0.02
        np.testing.assert_allclose(np.abs(found.pulls), 3.0)


def dense_conditional(mu: np.ndarray, x_i: np.ndarray, e: JointErrors) -> tuple[np.ndarray, np.ndarray]:
    """Return the textbook mean and covariance of ``x_j`` given ``x_i`` at one prediction ``mu`` ``(n,)``."""
    first = np.where(np.arange(len(mu)) < e.n_i, e.norm_rel_i * mu, 0.0)
    second = np.where(np.arange(len(mu)) < e.n_i, 0.0, e.norm_rel_j * mu)
    if e.shared:
        c = e.base + np.outer(first + second, first + second)
    else:
        c = e.base + np.outer(first, first) + np.outer(second, second)
    i, j = slice(None, e.n_i), slice(e.n_i, None)
    gain = c[j, i] @ np.linalg.inv(c[i, i])
    return mu[j] + gain @ (x_i - mu[i]), c[j, j] - gain @ c[i, j]


ERRORS = {
    "constant": JointErrors(SHAPE, N_I),
    "shared": JointErrors(SHAPE, N_I, EPS, EPS, shared=True),
    "shared, unequal": JointErrors(SHAPE, N_I, 0.05, 0.3, shared=True),
    "two": JointErrors(SHAPE, N_I, 0.1, 0.2),
    "apart": independent_errors(SHAPE[:N_I, :N_I], SHAPE[N_I:, N_I:], 0.1, 0.2),
}


@pytest.mark.parametrize("errors", ERRORS.values(), ids=ERRORS.keys())
def test_conditional_equals_the_dense_formula(errors, rng):
    mu, x_i = MU0 + 0.3 * rng.standard_normal((7, N)), MU0[:N_I] + 0.2 * rng.standard_normal(N_I)
    law = conditional(mu[:, :N_I], mu[:, N_I:], x_i, errors)
    dense = [dense_conditional(m, x_i, errors) for m in mu]
    for s, (mean, covariance) in enumerate(dense):
        np.testing.assert_allclose(law.mean[s], mean, rtol=1e-11)
        ours = law.cholesky @ law.cholesky.T + law.modes[:, s].T @ law.modes[:, s]
        np.testing.assert_allclose(ours, covariance, rtol=1e-9, atol=1e-13)
    means = np.array([m for m, _ in dense])
    total = np.mean([c for _, c in dense], axis=0) + np.cov(means.T, bias=True)
    np.testing.assert_allclose(law.total_covariance(), total, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("errors", ERRORS.values(), ids=ERRORS.keys())
def test_conditional_equals_regression_on_joint_draws(errors, rng):
    n = 300_000
    f_i, f_j = rng.standard_normal((2, n, 1))
    x = MU0 + rng.standard_normal((n, N)) @ np.linalg.cholesky(errors.base).T
    x[:, :N_I] += errors.norm_rel_i * f_i * MU0[:N_I]
    x[:, N_I:] += errors.norm_rel_j * (f_i if errors.shared else f_j) * MU0[N_I:]
    at = MU0[:N_I] + 0.1
    design = np.hstack([np.ones((n, 1)), x[:, :N_I] - at])
    fitted = np.linalg.lstsq(design, x[:, N_I:], rcond=None)[0]
    covariance = np.cov((x[:, N_I:] - design @ fitted).T)
    law = conditional(np.tile(MU0[:N_I], (2, 1)), np.tile(MU0[N_I:], (2, 1)), at, errors)
    sigma = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(law.mean[0] / sigma, fitted[0] / sigma, atol=0.03)
    np.testing.assert_allclose(law.total_covariance() / np.outer(sigma, sigma), covariance / np.outer(sigma, sigma), atol=0.02)


def test_replicas_have_the_total_covariance(rng):
    mu = MU0 + 0.3 * rng.standard_normal((200_000, N))
    law = conditional(mu[:, :N_I], mu[:, N_I:], MU0[:N_I], ERRORS["two"])
    found = np.cov(law.sample(rng).T)
    sigma = np.sqrt(np.diag(found))
    np.testing.assert_allclose(law.total_covariance() / np.outer(sigma, sigma), found / np.outer(sigma, sigma), atol=0.02)


@pytest.mark.parametrize("kind", MEASUREMENT_LIKELIHOODS)
def test_two_sides_have_the_joint_density_of_the_whole(kind, rng):
    """p(x_i | mu) p(x_j | x_i, mu) is the likelihood of the whole measurement."""
    covariances = toy_covariances()
    mu = toy_response().predict(toy_prior().from_unit(rng.random((1, 4))), toy_prior().names)
    x = mu[0] * (1.0 + 0.1 * rng.standard_normal(58))
    order = rng.permutation(58)
    i, j = order[:31], order[31:]
    law = conditional(mu[:, i], mu[:, j], x[i], errors_within(kind, covariances, NORM_REL, i, j))
    after = stats.multivariate_normal(law.mean[0], law.total_covariance()).logpdf(x[j])
    whole = measurement_likelihood(kind, covariances, NORM_REL).log_prob(x, mu[0])
    part = {name: c[np.ix_(i, i)] for name, c in covariances.items()}
    before = measurement_likelihood(kind, part, NORM_REL).log_prob(x[i], mu[0, i])
    assert before + after == pytest.approx(whole, rel=1e-9)


def test_order_of_bins_does_not_matter(rng):
    mu = MU0 + 0.3 * rng.standard_normal((2000, N))
    x, errors = MU0 + 0.1 * rng.standard_normal(N), ERRORS["shared"]
    a, b = rng.permutation(N_I), N_I + rng.permutation(N_J)
    order = np.concatenate([a, b])
    moved = replace(errors, base=errors.base[np.ix_(order, order)])
    one = predictive_p_value(mu[:, :N_I], mu[:, N_I:], x[:N_I], x[N_I:], errors, np.random.default_rng(1))
    two = predictive_p_value(mu[:, a], mu[:, b], x[a], x[b], moved, np.random.default_rng(1))
    assert two.distance == pytest.approx(one.distance, rel=1e-10)
    np.testing.assert_allclose(two.pulls, one.pulls[b - N_I], rtol=1e-10)
    assert abs(two.p.value - one.p.value) < 4.0 * np.hypot(one.p.error, two.p.error)
    assert one.expected == pytest.approx(N_J, abs=0.5)
    assert one.n_bin_j == N_J


def test_batch_repeats_and_reports_progress():
    toys, seen = tuple(v[:5] for v in linear_toys(SEPARATE)), []
    errors = JointErrors(SEPARATE, N_I)
    first = p_values_batch(*toys, errors, np.random.default_rng(3), lambda *at: seen.append(at))
    np.testing.assert_array_equal(first, p_values_batch(*toys, errors, np.random.default_rng(3)))
    assert seen == [(b, 5) for b in range(1, 6)]
    with pytest.raises(InputError, match="as many of each"):
        p_values_batch(toys[0][:4], *toys[1:], errors, np.random.default_rng(3))


def test_equivalent_sigma_is_two_sided():
    np.testing.assert_allclose(equivalent_sigma(np.array([0.3173105, 0.0455003, 1.0])), [1.0, 2.0, 0.0], atol=1e-6)


def test_calibration_knows_uniform_values_from_others(rng):
    p = rng.random(2000)
    assert calibration(p)["ks_p"] > 1e-3
    assert calibration(p)["below_0.05_error"] == pytest.approx(np.sqrt(0.05 * 0.95 / 2000))
    assert calibration(p**1.3)["ks_p"] < 1e-6
    for bad in (np.array([0.5, 1.5]), np.array([np.nan]), np.zeros(0), np.zeros((2, 2))):
        with pytest.raises(InputError, match="p-values"):
            calibration(bad)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base": np.ones((3, 4))}, "give"),
        ({"n_i": N}, "0 < n_i < n"),
        ({"base": SHAPE + np.triu(np.full((N, N), 0.01), 1)}, "not symmetric"),
        ({"base": np.full((N, N), np.nan)}, "not finite"),
        ({"norm_rel_i": -0.1}, "norm_rel_i"),
        ({"norm_rel_j": np.inf}, "norm_rel_j"),
    ],
)
def test_bad_errors_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        JointErrors(**({"base": SHAPE, "n_i": N_I} | change))


def test_bad_predictions_are_refused(rng):
    mu_i, mu_j, x_i, x_j = (v[0] for v in linear_toys(SEPARATE))
    errors = JointErrors(SEPARATE, N_I)
    with pytest.raises(InputError, match="draws of the posterior"):
        predictive_p_value(mu_i[:50], mu_j[:50], x_i, x_j, errors, rng)
    with pytest.raises(InputError, match="expected"):
        predictive_p_value(mu_i, mu_j[:-1], x_i, x_j, errors, rng)
    with pytest.raises(InputError, match="to be predicted"):
        predictive_p_value(mu_i, mu_j, x_i, x_j[:-1], errors, rng)
    with pytest.raises(InputError, match="x_j holds"):
        predictive_p_value(mu_i, mu_j, x_i, x_j * np.nan, errors, rng)
    with pytest.raises(InputError, match="mu_i holds"):
        predictive_p_value(mu_i * np.inf, mu_j, x_i, x_j, errors, rng)
    with pytest.raises(InputError, match="positive definite"):
        predictive_p_value(mu_i, mu_j, x_i, x_j, JointErrors(np.ones((N, N)), N_I), rng)
    with pytest.raises(InputError, match="disjoint"):
        errors_within("full", toy_covariances(), NORM_REL, np.arange(5), np.arange(4, 9))
    with pytest.raises(InputError, match="unknown likelihood"):
        errors_within("half", toy_covariances(), NORM_REL, np.arange(5), np.arange(5, 9))


def _texts(figure) -> list[str]:
    return [t.get_text() for t in figure.findobj(matplotlib.text.Text)]


def test_matrix_writes_numbers_bounds_and_gaps():
    p = np.array([[0.5, 1 / 2001], [0.0213, np.nan]])
    errors = np.array([[0.011, 1 / 2001], [0.0032, np.nan]])
    figure = tension_matrix(["forward", "backward"], p, errors, "full covariance")
    texts = _texts(figure)
    for wanted in ("0.50(1)", r"$\leq$ 0.0005", "0.021(3)", r"$2.3\,\sigma$", r"$\geq 3.5\,\sigma$", "–", "full covariance"):
        assert wanted in texts
    assert style.png_bytes(figure) == style.png_bytes(tension_matrix(["forward", "backward"], p, errors, "full covariance"))
    with pytest.raises(InputError, match="shape"):
        tension_matrix(["forward"], p, errors)
    with pytest.raises(InputError, match="outside"):
        tension_matrix(["a", "b"], p - 0.1, errors)


def test_calibration_figure_has_one_panel_a_label(rng):
    figure = calibration_figure({"independent": rng.random(300), "shared": rng.random(200)})
    assert len(figure.axes) == 2
    assert any("shared" in t and "200" in t for t in _texts(figure))
    assert len(style.png_bytes(figure)) > 5000
    with pytest.raises(InputError, match="not finite"):
        calibration_figure({"a": np.array([0.1, np.nan])})
    with pytest.raises(InputError, match="empty"):
        calibration_figure({})

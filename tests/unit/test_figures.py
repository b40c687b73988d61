"""Figures from synthetic arrays: they render, say what they must, repeat to the byte and refuse what does not fit."""

import io
import re
import time

import matplotlib
import matplotlib.image
import matplotlib.text
import numpy as np
import pytest
from scipy import stats
from toy import toy_binning

from nuinfer.errors import InputError
from nuinfer.figures import style
from nuinfer.figures.coverage import coverage_figure, sbc_figure, tarp_figure
from nuinfer.figures.density import density, mass_levels, window
from nuinfer.figures.exact_panels import exact_panels
from nuinfer.figures.figure1 import figure1
from nuinfer.figures.loss import loss_curves
from nuinfer.figures.misspecification import misspecification
from nuinfer.figures.recovery import RecoveryRow, tune_recovery
from nuinfer.figures.residuals import residual_triangle
from nuinfer.figures.slices import prediction_slices
from nuinfer.figures.triangle import triangle

LABELS = (r"$M_A$ [GeV]", "norm", "shape", "RPA")
RANGES = np.array([[0.96, 1.39], [1.0, 3.0], [0.0, 1.0], [0.0, 1.0]])
TRUTH = np.array([1.1, 1.66, 1.0, 0.85])
SD = np.array([0.004, 0.02, 0.01, 0.01])
LEVELS = np.linspace(0.05, 0.95, 19)


def _posterior(n: int, seed: int) -> np.ndarray:
    return np.clip(TRUTH + SD * np.random.default_rng(seed).standard_normal((n, 4)), RANGES[:, 0], RANGES[:, 1])


def _samples() -> dict[str, np.ndarray]:
    return {"estimator": _posterior(400, 1), "corrected": _posterior(400, 1), "exact": _posterior(300, 2)}


def _rows(truth: bool = True) -> list[RecoveryRow]:
    return [
        RecoveryRow(name, lo, hi, {"estimator": (t, t - s, min(t + s, hi)), "fit": (t, t - s, t)}, t if truth else None)
        for name, (lo, hi), t, s in zip(LABELS, RANGES, TRUTH, SD, strict=True)
    ]


def _coverage() -> dict:
    rng = np.random.default_rng(3)
    curves = np.clip(LEVELS[:, None] + 0.01 * rng.standard_normal((19, 5)), 0, 1)
    return {
        "levels": LEVELS,
        "coverage": curves[:, :4],
        "joint": curves[:, 4],
        "labels": LABELS,
        "band_lo": LEVELS - 0.03,
        "band_hi": LEVELS + 0.03,
    }


def _slices(**kwargs):
    binning = toy_binning()
    data = 1.0 + np.sin(np.arange(binning.n_bin)) ** 2
    band = {"estimator": (0.9 * data, data, 1.1 * data)}
    return prediction_slices(binning, data, 0.1 * data, band, 1.02 * data, {"QE": 0.6 * data}, **kwargs)


def _loss():
    epoch = np.arange(1, 11)
    # Long tick labels, as the losses of narrow posteriors have.
    curve = {"epoch": epoch, "train": -15.07 + 0.03 / epoch, "validation": -15.08 + 0.04 / epoch, "cpu_s": 2.0 * epoch}
    return loss_curves({"ours": curve})


def _exact():
    rng = np.random.default_rng(4)
    sd = rng.uniform(0.005, 0.02, (200, 4))
    return exact_panels(sd, 1.01 * sd, rng.uniform(0.5, 1, 200), rng.normal(0.1, 0.3, 200), LABELS)


PULLS = np.random.default_rng(5).standard_normal((500, 4))
FIGURES = {
    "triangle": (lambda: triangle(_samples(), LABELS, RANGES, TRUTH, TRUTH, {"corrected": np.linspace(0, 1, 400)}), 10),
    "residual": (lambda: residual_triangle(PULLS, LABELS), 10),
    "residual in prior range": (lambda: residual_triangle(0.01 * PULLS, LABELS, "prior range"), 10),
    "coverage": (lambda: coverage_figure(**_coverage()), 2),
    "sbc": (lambda: sbc_figure(LEVELS, _coverage()["coverage"], LABELS, LEVELS - 0.03, LEVELS + 0.03, [0.1] * 4), 4),
    "tarp": (lambda: tarp_figure(LEVELS, LEVELS + 0.01, LEVELS - 0.02, LEVELS + 0.03, LEVELS - 0.03, LEVELS + 0.03), 2),
    "recovery": (lambda: tune_recovery(_rows()), 4),
    "slices": (lambda: _slices(data_label="T2K 2016"), 9),
    "loss": (_loss, 2),
    "exact": (_exact, 4),
    "misspecification": (
        lambda: misspecification({"full": (np.arange(50.0), 60.0, 0.02), "diagonal": (np.arange(50.0), 20.0, 0.6)}),
        2,
    ),
    "figure 1": (
        lambda: figure1(
            {"samples": {"estimator": _posterior(400, 1)}, "labels": LABELS, "ranges": RANGES, "truth": TRUTH},
            {"residual": PULLS, "labels": LABELS},
            _coverage(),
            _rows(),
        ),
        26,
    ),
}


def _texts(figure) -> str:
    found = figure.findobj(lambda artist: isinstance(artist, matplotlib.text.Text))
    return "\n".join(t.get_text() for t in found if t.get_visible())


@pytest.mark.parametrize("name", FIGURES)
def test_renders_quickly_with_its_panels_and_repeats_to_the_byte(name, tmp_path):
    make, n_axes = FIGURES[name]
    written = []
    for k in range(2):
        start = time.process_time()
        figure = make()
        pdf, png = tmp_path / f"{k}.pdf", tmp_path / f"{k}.png"
        style.save(figure, pdf, png)
        seconds = time.process_time() - start
        written.append((pdf.read_bytes(), png.read_bytes()))
    assert len(figure.axes) == n_axes
    assert seconds < 3.0
    assert written[0] == written[1]
    assert written[0][0].startswith(b"%PDF") and b"CreationDate" not in written[0][0]
    assert len(written[0][1]) > 5000 and figure.get_figwidth() in (style.SINGLE_IN, style.DOUBLE_IN)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0.pdf", "0.png", "1.pdf", "1.png"]


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_cut_by_the_page(name):
    page = _pixels(FIGURES[name][0]())
    for edge in (page[0], page[-1], page[:, 0], page[:, -1]):
        assert np.all(edge == 1.0)


def test_what_leaves_the_page_is_seen():
    """Negative control: a label across the edge darkens it."""
    figure = _loss()
    figure.text(0.0, 0.5, "cut", ha="center")
    assert not np.all(_pixels(figure)[:, 0] == 1.0)


def _pixels(figure) -> np.ndarray:
    return matplotlib.image.imread(io.BytesIO(style.png_bytes(figure)), format="png")[..., :3]


@pytest.mark.parametrize("name", FIGURES)
def test_letters_are_legible(name):
    figure = FIGURES[name][0]()
    sizes = [
        t.get_fontsize()
        for t in figure.findobj(lambda artist: isinstance(artist, matplotlib.text.Text))
        if t.get_visible() and t.get_text().strip()
    ]
    assert min(sizes) >= 6.5 and max(sizes) <= 9.0


def test_users_settings_neither_matter_nor_change(tmp_path):
    make, _ = FIGURES["coverage"]
    plain = style.png_bytes(make())
    with matplotlib.rc_context({"font.size": 20, "axes.grid": True, "lines.linewidth": 5}):
        before = dict(matplotlib.rcParams)
        assert style.png_bytes(make()) == plain
        assert dict(matplotlib.rcParams) == before


def test_figures_differ_where_the_input_does():
    """Negative control of the byte comparison."""
    other = _coverage() | {"joint": LEVELS + 0.02}
    assert style.png_bytes(coverage_figure(**other)) != style.png_bytes(coverage_figure(**_coverage()))


def test_a_stand_in_says_so_in_every_panel():
    standing = _slices(stand_in=True)
    assert _texts(standing).count("stand-in, NOT data") == 9
    assert "NOT data" not in _texts(_slices(data_label="T2K 2016"))


def test_slices_name_units_and_angles_and_cut_the_overflow():
    binning = toy_binning()
    cut = float(binning.p_hi_gev.max()) - 1e-6
    text = _texts(_slices(x_max_gev=cut))
    assert "[GeV]" in text and "nucleon / GeV" in text
    assert len(re.findall(r"cos\\theta_\\mu <", text)) == 9 and "to 2.2 GeV" in text
    with pytest.raises(InputError, match="x_max_gev"):
        _slices(x_max_gev=0.5)


def test_triangle_ends_at_the_prior_where_the_posterior_does():
    axes = triangle(_samples(), LABELS, RANGES, TRUTH).axes
    shape = next(a for a in axes if a.get_ylabel() == "shape")
    assert shape.get_ylim()[1] == 1.0 and shape.get_ylim()[0] > 0.9


def test_triangle_of_one_and_two_parameters():
    for d in (1, 2):
        samples = {k: s[:, :d] for k, s in _samples().items()}
        assert len(triangle(samples, LABELS[:d], RANGES[:d], TRUTH[:d]).axes) == d * (d + 1) // 2


def test_recovery_without_truth_has_no_truth_in_its_legend():
    assert "truth" in _texts(tune_recovery(_rows()))
    assert "truth" not in _texts(tune_recovery(_rows(truth=False)))


def test_recovery_writes_values_with_errors():
    text = _texts(tune_recovery([RecoveryRow("a", 0.0, 2.0, {"estimator": (1.0, 0.98, 1.02), "fit": (1.0, 0.7, 1.1)})]))
    assert r"1.000 $\pm$ 0.020" in text and r"$1.00^{+0.10}_{-0.30}$" in text


def test_misspecification_bounds_p_where_no_toy_lies_beyond():
    text = _texts(FIGURES["misspecification"][0]())
    assert r"full: $p$ $\leq$ 0.02" in text and "diagonal: $p$ = 0.6" in text


BAD = {
    "samples": lambda: triangle({"estimator": np.ones((5, 3))}, LABELS, RANGES),
    "not finite": lambda: triangle({"estimator": np.full((5, 4), np.nan)}, LABELS, RANGES),
    "weights": lambda: triangle(_samples(), LABELS, RANGES, weights={"none": np.ones(3)}),
    "negative": lambda: triangle(_samples(), LABELS, RANGES, weights={"exact": -np.ones(300)}),
    "outside its range": lambda: triangle(_samples(), LABELS, RANGES + 5.0),
    "residual": lambda: residual_triangle(np.ones(4), LABELS),
    "units of": lambda: residual_triangle(PULLS, LABELS, "GeV"),
    "coverage": lambda: coverage_figure(**_coverage() | {"coverage": np.ones((3, 4))}),
    "band_lo": lambda: sbc_figure(LEVELS, _coverage()["coverage"], LABELS, LEVELS[:3], LEVELS),
    "ecp": lambda: tarp_figure(LEVELS, LEVELS[:2], LEVELS, LEVELS),
    "rows is empty": lambda: tune_recovery([]),
    "inverted range": lambda: tune_recovery([RecoveryRow("a", 1.0, 0.0, {"fit": (0.5, 0.4, 0.6)})]),
    "outside its interval": lambda: tune_recovery([RecoveryRow("a", 0.0, 1.0, {"fit": (0.7, 0.4, 0.6)})]),
    "make them the same": lambda: tune_recovery([_rows()[0], RecoveryRow("a", 0.0, 1.0, {"fit": (0.5, 0.4, 0.6)})]),
    "data": lambda: prediction_slices(toy_binning(), np.ones(3), np.ones(3), {}),
    "errors must not": lambda: prediction_slices(toy_binning(), np.ones(58), -np.ones(58), {}),
    "lacks cpu_s": lambda: loss_curves({"a": {"epoch": [1], "train": [1.0], "validation": [1.0]}}),
    "positive": lambda: exact_panels(np.zeros((5, 4)), np.ones((5, 4)), np.ones(5), np.ones(5), LABELS),
    "null of": lambda: misspecification({"full": (np.ones(0), 1.0, 0.5)}),
}


@pytest.mark.parametrize("message", BAD)
def test_what_does_not_fit_is_refused_in_words(message):
    with pytest.raises(InputError, match=message):
        BAD[message]()


def test_save_refuses_other_names(tmp_path):
    with pytest.raises(InputError, match=r"\.pdf"):
        style.save(_loss(), tmp_path / "a.svg", tmp_path / "a.png")


def test_density_is_normalised_and_close_to_the_truth():
    samples = np.random.default_rng(6).standard_normal((20000, 1))
    (x,), height = density(samples, np.ones(20000), np.array([[-5.0, 5.0]]), 100)
    assert np.sum(height) * (x[1] - x[0]) == pytest.approx(1.0, abs=1e-6)
    assert np.max(np.abs(height - stats.norm.pdf(x))) < 0.015


def test_density_matches_a_sum_of_mirrored_kernels():
    """Slow twin: one Gaussian per weighted sample and two for its images beyond the limits."""
    rng = np.random.default_rng(11)
    samples, weights = rng.beta(1.0, 3.0, 800), rng.random(800)
    (x,), fast = density(samples[:, None], weights, np.array([[0.0, 1.0]]), 200)
    n_eff = weights.sum() ** 2 / np.sum(weights**2)
    width = np.sqrt(np.cov(samples, aweights=weights)) * n_eff**-0.2
    slow = np.zeros_like(x)
    for s, w in zip(samples, weights, strict=True):
        for image in (s, -s, 2.0 - s):
            slow += w * stats.norm.pdf(x, image, width) / weights.sum()
    assert np.max(np.abs(fast - slow)) < 0.02 * slow.max()


def test_density_keeps_its_height_at_the_prior():
    """A flat posterior stays flat up to its limits, which an unreflected kernel would halve."""
    samples = np.random.default_rng(7).random((50000, 1))
    _, height = density(samples, np.ones(50000), np.array([[0.0, 1.0]]), 50)
    assert height[0] == pytest.approx(1.0, abs=0.08) and height[-1] == pytest.approx(1.0, abs=0.08)


def test_weights_count():
    """Common weights change nothing, and a weight of zero leaves its sample out."""
    samples = np.random.default_rng(8).random((300, 2))
    limits = np.array([[0.0, 1.0], [0.0, 1.0]])
    _, twice = density(samples, np.full(300, 2.0), limits, 20)
    _, once = density(samples, np.ones(300), limits, 20)
    assert np.allclose(twice, once)
    assert window(samples[:, 0], np.arange(300.0), 0.0) == (samples[1:, 0].min(), samples[:, 0].max())


def test_mass_levels_match_the_slow_way():
    heights = np.random.default_rng(9).random((12, 12))
    levels = mass_levels(heights, (0.68, 0.95))
    for level, mass in zip(levels, (0.95, 0.68), strict=True):
        held = sum(h for h in heights.ravel() if h >= level)
        without = sum(h for h in heights.ravel() if h > level)
        assert without < mass * heights.sum() <= held + 1e-9


def test_two_dimensional_regions_of_a_gaussian_hold_their_mass():
    rng = np.random.default_rng(10)
    covariance = np.array([[1.0, 0.8], [0.8, 1.0]])
    samples = rng.multivariate_normal([0, 0], covariance, 20000)
    _, height = density(samples, np.ones(20000), np.array([[-4.5, 4.5], [-4.5, 4.5]]), 64)
    cell = (9.0 / 64) ** 2
    area = np.sum(height >= mass_levels(height, (0.6827,))[0]) * cell
    expected = np.pi * stats.chi2.ppf(0.6827, 2) * np.sqrt(np.linalg.det(covariance))
    assert area == pytest.approx(expected, rel=0.08)


def test_the_smallest_runs_still_draw():
    """One throw, one epoch, samples all equal: what a smoke run may give."""
    one = {"epoch": [1], "train": [2.0], "validation": [2.0], "cpu_s": [0.5]}
    same = {"estimator": np.tile(TRUTH - SD, (20, 1))}
    for figure in (
        loss_curves({"ours": one}),
        residual_triangle(PULLS[:1], LABELS),
        residual_triangle(np.zeros((3, 4)), LABELS, "prior range"),
        triangle(same, LABELS, RANGES),
        exact_panels(np.full((1, 4), 0.01), np.full((1, 4), 0.01), [0.5], [0.1], LABELS),
        misspecification({"full": ([5.0], 5.0, 1.0)}),
        tune_recovery([RecoveryRow("a", 0.0, 1.0, {"fit": (0.5, 0.5, 0.5)})]),
    ):
        assert style.png_bytes(figure).startswith(b"\x89PNG")

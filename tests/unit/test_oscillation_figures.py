"""Figures of the oscillation fits from arrays: contours, marginals, windows, coverage, pulls, refusals in words."""

import io

import matplotlib.image
import matplotlib.text
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from nuinfer.errors import InputError
from nuinfer.figures import style
from nuinfer.figures.oscillation_coverage import QUANTITIES, fit_coverage_figure, pulls_figure
from nuinfer.figures.oscillation_regions import AXES, RegionEntry, RegionPanel, regions_figure

TRUTH = (0.470, 2.513e-3)
S = 0.35 + 0.3 * (np.arange(60) + 0.5) / 60
D = np.linspace(2.42e-3, 2.60e-3, 41)
MODES = (0.470, 0.552)
LEVELS = np.linspace(0.05, 0.95, 19)
BAND = np.maximum(LEVELS - 0.06, 0.0), np.minimum(LEVELS + 0.06, 1.0)
LONG = "a rather long name of a configuration that nobody will ever want to read in full"


def _confidence(x: np.ndarray, d: np.ndarray, modes: tuple[float, ...] = MODES, sd: float = 0.016) -> np.ndarray:
    """Return highest-density confidences of a sum of Gaussians on an even grid."""
    height = sum(np.exp(-0.5 * ((x - m) / sd) ** 2) for m in modes)[:, None] * np.exp(-0.5 * ((d - TRUTH[1]) / 2.1e-5) ** 2)
    order = np.argsort(-height, axis=None, kind="stable")
    cumulative = np.cumsum(height.ravel()[order]) / height.sum()
    confidence = np.empty(height.size)
    confidence[order] = cumulative
    return confidence.reshape(height.shape)


def _cloud(n: int = 600) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    return rng.normal(np.where(rng.random(n) < 0.4, *MODES), 0.016), rng.normal(TRUTH[1], 2.1e-5, n)


def _entry(label: str = "true", **changes) -> RegionEntry:
    x, d = _cloud()
    given = {"x": S, "dm31_ev2": D, "confidence": _confidence(S, D), "cloud_x": x, "cloud_dm31_ev2": d, "best": TRUTH}
    return RegionEntry(label, **(given | changes))


def _bare(label: str = "no cloud", **changes) -> RegionEntry:
    return _entry(label, **({"cloud_x": None, "cloud_dm31_ev2": None, "best": None} | changes))


def _folded(label: str = "true") -> RegionEntry:
    half, x = S[:30], _cloud()[0]
    return _entry(label, x=4 * half * (1 - half), confidence=_confidence(half, D), cloud_x=4 * x * (1 - x), best=(0.99, 2.5e-3))


def _cut() -> RegionEntry:
    inside = (S > 0.46) & (S < 0.55)
    return _entry("cut", x=S[inside], confidence=_confidence(S, D)[inside], best=None)


def _tiny() -> RegionEntry:
    return _entry("tiny", x=[0.4, 0.6], dm31_ev2=[2.4e-3, 2.6e-3], confidence=[[0.5, 1.0], [1.0, 0.999]])


def _regions(*panels: list[RegionEntry], name: str = "sin2_theta23", truth=TRUTH, **changes) -> Figure:
    titled = [RegionPanel(f"panel {k}", entries) for k, entries in enumerate(panels)]
    return regions_figure(titled, truth, **(AXES[name] | changes))


def _coverage(methods=("bootstrap", "feldman_cousins"), quantities=tuple(QUANTITIES), **changes) -> Figure:
    curves = {m: dict.fromkeys(quantities, LEVELS ** (1.0 + 0.05 * k)) for k, m in enumerate(methods)}
    given = {"levels": LEVELS, "curves": curves, "lower": BAND[0], "upper": BAND[1]}
    return fit_coverage_figure(**(given | changes))


def _fits(n: int = 600) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the optima of both octants, which of them is the upper one, and the pulls."""
    rng = np.random.default_rng(5)
    return rng.normal(MODES, 0.01, (n, 2)), rng.random(n) < 0.6, rng.normal(size=n)


def _pulls(n: int = 600, sd_dm31: float | None = None, **changes) -> Figure:
    given = dict(zip(("sin2_theta23", "best_upper", "dm31_pull"), _fits(n), strict=True)) | {"truth": TRUTH, "sd_dm31": sd_dm31}
    return pulls_figure(**(given | changes))


FIGURES = {
    "two panels": (lambda: _regions([_entry()], [_entry("learned")]), 6),
    "titled by their entries": (lambda: regions_figure([RegionPanel("a", [_entry("a")])], None, **AXES["sin2_theta23"]), 3),
    "two fits": (lambda: _regions([_entry(), _entry("learned")]), 3),
    "one and five fits": (lambda: _regions([_entry()], [_entry(f"learned {k}") for k in range(4)] + [_bare(LONG)]), 6),
    "folded": (lambda: _regions([_folded()], [_folded("learned")], name="sin2_2theta23", truth=(0.9964, 2.513e-3)), 6),
    "no cloud": (lambda: _regions([_bare()]), 1),
    "one panel without a cloud": (lambda: _regions([_entry()], [_bare("true")]), 4),
    "cut by its grid": (lambda: _regions([_cut()], truth=None), 3),
    "tiny grid": (lambda: _regions([_tiny()]), 3),
    "no region": (lambda: _regions([_bare(confidence=np.ones((60, 41)))]), 1),
    "everything inside": (lambda: _regions([_bare(confidence=np.zeros((60, 41)))]), 1),
    "coverage": (_coverage, 10),
    "coverage of one": (lambda: _coverage(("bootstrap",), ("dm31",)), 2),
    "coverage of three": (lambda: _coverage(("bootstrap", LONG), ("dm31", "sin2", "plane_sin2")), 6),
    "coverage outside its band": (lambda: _coverage(lower=LEVELS, upper=LEVELS), 10),
    "pulls": (_pulls, 2),
    "pulls with a scale": (lambda: _pulls(sd_dm31=2.1e-5), 2),
    "pulls of one": (lambda: _pulls(1), 2),
    "pulls of many": (lambda: _pulls(3000), 2),
}


@pytest.mark.parametrize("name", FIGURES)
def test_renders_inside_its_page_with_its_panels_and_labels_apart(name):
    make, n_axes = FIGURES[name]
    figure = make()
    assert len(figure.axes) == n_axes and figure.get_figwidth() in (style.SINGLE_IN, style.DOUBLE_IN)
    page = _pixels(figure)
    for edge in (page[0], page[-1], page[:, 0], page[:, -1]):
        assert np.all(edge == 1.0)
    texts = [t for t in figure.findobj(matplotlib.text.Text) if t.get_visible() and t.get_text().strip()]
    assert min(t.get_fontsize() for t in texts) >= 6.5 and max(t.get_fontsize() for t in texts) <= 9.0
    _lay_out(figure)
    assert not _overlap([label for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) for label in _shown(axis)])
    titles = [ax.title for ax in figure.axes if ax.get_title()]
    assert not _overlap([*titles, *(text for legend in figure.legends for text in legend.get_texts())])


def test_overlapping_labels_are_seen():
    """Negative control of the test above."""
    figure = _pulls()
    figure.axes[0].set_xticks([0.500, 0.501], ["one", "two"])
    _lay_out(figure)
    assert _overlap(_shown(figure.axes[0].xaxis))


@style.styled
def _lay_out(figure: Figure) -> None:
    FigureCanvasAgg(figure).draw()


def _shown(axis) -> list[matplotlib.text.Text]:
    lo, hi = sorted(axis.get_view_interval())
    both = [label for t in axis.get_major_ticks() if lo <= t.get_loc() <= hi for label in (t.label1, t.label2)]
    return [label for label in both if label.get_visible() and label.get_text().strip()]


def _overlap(artists) -> bool:
    boxes = [t.get_window_extent() for t in artists]
    return any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])


def _pixels(figure: Figure) -> np.ndarray:
    return matplotlib.image.imread(io.BytesIO(style.png_bytes(figure)), format="png")[..., :3]


def _lines(ax: Axes) -> list[QuadContourSet]:
    return [c for c in ax.findobj(QuadContourSet) if not c.filled]


def _outlines(ax: Axes, n_sigma: float) -> list[np.ndarray]:
    return [
        piece for c in _lines(ax) for n, pieces in zip(c.levels, c.allsegs, strict=True) if n == n_sigma for piece in pieces
    ]


def _steps(ax: Axes) -> list[StepPatch]:
    return [s for s in ax.findobj(StepPatch) if not s.get_fill()]


@pytest.mark.parametrize("make", [lambda learned: _regions([_entry(), _entry(learned)]), lambda text: _pulls(600 + len(text))])
def test_figures_repeat_to_the_byte_and_differ_where_the_input_does(make, tmp_path):
    for k, text in enumerate(("learned", "learned", "other")):
        style.save(make(text), tmp_path / f"{k}.pdf", tmp_path / f"{k}.png")
    pdf, png = ([(tmp_path / f"{k}.{suffix}").read_bytes() for k in range(3)] for suffix in ("pdf", "png"))
    assert pdf[0] == pdf[1] != pdf[2] and png[0] == png[1] != png[2]


def test_a_coverage_figure_repeats_to_the_byte(tmp_path):
    for k in range(2):
        style.save(_coverage(), tmp_path / f"{k}.pdf", tmp_path / f"{k}.png")
    assert (tmp_path / "0.pdf").read_bytes() == (tmp_path / "1.pdf").read_bytes()


@pytest.mark.parametrize("filled", [True, False])
def test_two_modes_have_two_outlines_at_one_sigma_and_one_at_three(filled):
    ax = _regions([_bare()] if filled else [_bare("a"), _bare("b", confidence=np.ones((60, 41)))]).axes[0]
    one, three = _outlines(ax, 1.0), _outlines(ax, 3.0)
    assert len(one) == 2 and len(three) == 1
    middles = sorted(0.5 * (piece[:, 0].min() + piece[:, 0].max()) for piece in one)
    assert middles == pytest.approx(MODES, abs=2e-3)
    single = _regions([_bare(confidence=_confidence(S, D, MODES[:1]))]).axes[0]
    assert len(_outlines(single, 1.0)) == 1


def test_outlines_lie_at_their_levels():
    """A parabola of the log-likelihood: two degrees of freedom give ellipses of half-axes 1.515 and 3.439 standard
    deviations at 68.27 and 99.73 %."""
    radius2 = ((S[:, None] - 0.5) / 0.02) ** 2 + ((D - 2.51e-3) / 2e-5) ** 2
    ax = _regions([_bare(confidence=1.0 - np.exp(-0.5 * radius2))], truth=None).axes[0]
    for n, half in ((1.0, 1.515), (3.0, 3.439)):
        ((x, dm31),) = (piece.T for piece in _outlines(ax, n))
        assert np.hypot((x - 0.5) / 0.02, (dm31 - 2.51) / 0.02) == pytest.approx(half, rel=0.01)


def test_fits_have_their_own_colours_and_levels_their_own_dashes():
    ax = _regions([_entry("a"), _entry("b")], [_entry("b")]).axes[0]
    tints = {to_hex(c.get_edgecolor()[0], keep_alpha=False).upper() for c in _lines(ax)}
    assert tints == {style.BLUE, style.VERMILLION}
    assert len({str(c.get_linestyle()) for c in _lines(ax)}) == 3


def test_outlines_of_filled_regions_are_dashed_where_the_legend_says_so():
    alone, beside = _regions([_bare("a")]), _regions([_bare("a")], [_bare("a"), _bare("b")])
    assert len({str(c.get_linestyle()) for c in _lines(alone.axes[0])}) == 1
    assert len({str(c.get_linestyle()) for c in _lines(beside.axes[0])}) == 3


def test_a_label_keeps_its_colour_in_the_other_panel():
    figure = _regions([_bare("a"), _bare("b")], [_bare("b")])
    filled = [c for c in figure.axes[1].findobj(QuadContourSet) if c.filled]
    assert len(filled) == 1
    assert all(to_hex(c.get_edgecolor()[0]).upper() == style.VERMILLION for c in _lines(figure.axes[1]))


def test_marginals_are_densities_of_the_whole_cloud_in_shared_bins():
    x, d = _cloud()
    x[:60] = 0.1
    figure = _regions([_entry("a"), _entry("b", cloud_x=x, cloud_dm31_ev2=d)])
    top, right = figure.axes[1:]
    a, b = (step.get_data() for step in _steps(top))
    assert np.array_equal(a.edges, b.edges) and np.array_equal(a.edges[[0, -1]], top.get_xlim())
    assert np.sum(a.values * np.diff(a.edges)) == pytest.approx(1.0, abs=0.01)
    assert np.sum(b.values * np.diff(b.edges)) == pytest.approx(0.9, abs=0.01)
    slow = [np.sum((x >= lo) & (x < hi)) / (len(x) * (hi - lo)) for lo, hi in zip(b.edges[:-1], b.edges[1:], strict=True)]
    assert b.values == pytest.approx(slow)
    assert right.get_ylim() == figure.axes[0].get_ylim()


def test_panels_share_limits_and_the_scale_of_their_marginals():
    shifted = _entry("learned", confidence=_confidence(S, D, (0.49, 0.56)))
    figure = _regions([_entry()], [shifted])
    assert figure.axes[0].get_xlim() == figure.axes[3].get_xlim() and figure.axes[0].get_ylim() == figure.axes[3].get_ylim()
    assert figure.axes[1].get_ylim() == figure.axes[4].get_ylim()


def test_the_window_holds_every_three_sigma_region_and_the_truth():
    figure = _regions([_bare(confidence=_confidence(S, D, (0.55,)))], truth=(0.36, 2.513e-3))
    (low, high), inside = figure.axes[0].get_xlim(), _outlines(figure.axes[0], 3.0)[0]
    assert low < 0.36 and inside[:, 0].max() < high < S[-1]
    assert np.allclose(inside[0], inside[-1])


def test_the_window_ends_where_the_grid_does():
    ax = _regions([_cut()], truth=None).axes[0]
    assert ax.get_xlim() == (S[S > 0.46][0], S[S < 0.55][-1])


def test_maximal_mixing_ends_the_folded_axis_and_marks_the_other():
    assert _regions([_folded()], name="sin2_2theta23", truth=None).axes[0].get_xlim()[1] == 1.0
    vertical = [line for line in _regions([_entry()]).axes[0].lines if np.array_equal(line.get_xdata(), [0.5, 0.5])]
    assert len(vertical) == 1 and vertical[0].get_color() == style.GREY


def test_limits_are_taken_and_points_outside_them_are_not_drawn():
    ax = _regions([_entry()], limits=((0.5, 0.6), (2.45e-3, 2.55e-3))).axes[0]
    assert ax.get_xlim() == (0.5, 0.6) and ax.get_ylim() == pytest.approx((2.45, 2.55))
    assert not [line for line in ax.lines if line.get_marker() in ("*", "o")]
    assert sorted(line.get_marker() for line in _regions([_entry()]).axes[0].lines if len(line.get_xdata()) == 1) == ["*", "o"]


def test_axes_and_legends_name_what_is_drawn():
    figure = _regions([_entry("true"), _entry("learned")])
    assert r"\theta_{23}" in figure.axes[0].get_xlabel() and "10^{-3}$ eV" in figure.axes[0].get_ylabel()
    named = [t.get_text() for legend in figure.legends for t in legend.get_texts()]
    assert named == ["true", "learned", r"1$\sigma$", r"2$\sigma$", r"3$\sigma$", "best fit", "truth"]
    plain = _regions([_bare("a")], truth=None)
    assert [t.get_text() for t in plain.legends[-1].get_texts()] == [r"1$\sigma$", r"2$\sigma$", r"3$\sigma$"]


def test_a_title_that_names_the_only_fit_needs_no_legend():
    panels = [RegionPanel("a", [_entry("a")]), RegionPanel("b", [_entry("b")])]
    assert len(regions_figure(panels, TRUTH, **AXES["sin2_theta23"]).legends) == 1
    assert len(_regions([_entry("a")], [_entry("b")]).legends) == 2


def _curves(ax: Axes) -> list:
    return [line for line in ax.lines if len(line.get_xdata()) == len(LEVELS) and line.get_gid() is None]


def test_coverage_is_drawn_as_it_is_and_as_a_difference():
    above, below = _coverage().axes[:2]
    for k in range(2):
        assert np.array_equal(_curves(above)[k].get_ydata(), LEVELS ** (1.0 + 0.05 * k))
        assert np.allclose(_curves(below)[k].get_ydata(), LEVELS ** (1.0 + 0.05 * k) - LEVELS)
    low, high = below.get_ylim()
    assert low == -high and high > 0.06
    marks = [line.get_xdata() for line in below.lines if len(line.get_xdata()) == 2 and line.get_marker() != "None"]
    assert len(marks) == 2 and all(np.allclose(x, [0.7, 0.95]) for x in marks)


def test_only_what_leaves_the_band_is_thick():
    curve = LEVELS.copy()
    curve[5:8] += 0.1
    figure = _coverage(curves={"bootstrap": {"dm31": curve}, "other": {"dm31": LEVELS}})
    thick = [line for line in figure.axes[0].lines if line.get_gid() == "outside"]
    assert len(thick) == 1 and np.array_equal(np.flatnonzero(np.isfinite(thick[0].get_ydata())), [5, 6, 7])
    assert not [line for ax in _coverage().axes for line in ax.lines if line.get_gid() == "outside"]


def test_coverage_panels_share_their_scale_and_one_legend():
    figure = _coverage(curves={"bootstrap": {"dm31": LEVELS}, "feldman_cousins": {"sin2": LEVELS**2}})
    assert [ax.get_title() for ax in figure.axes[::2]] == [QUANTITIES["sin2"], QUANTITIES["dm31"]]
    assert len({ax.get_ylim() for ax in figure.axes[1::2]}) == 1 and len(figure.legends) == 1
    named = [t.get_text() for t in figure.legends[0].get_texts()]
    assert named == ["bootstrap density", "Feldman-Cousins", "95 % simultaneous band", "outside the band"]
    assert [_curves(ax)[0].get_color() for ax in figure.axes[::2]] == [style.VERMILLION, style.BLUE]


def test_pulls_are_normalised_and_those_outside_are_counted():
    pulls = _fits()[2]
    pulls[:3] = 20.0
    ax = _pulls(dm31_pull=pulls).axes[1]
    step = ax.findobj(StepPatch)[0].get_data()
    assert np.sum(step.values * np.diff(step.edges)) == pytest.approx(597 / 600)
    assert "n = 600" in ax.texts[0].get_text() and "3 outside" in ax.texts[0].get_text()
    assert "outside" not in _pulls().axes[1].texts[0].get_text()
    fine, gaussian = next(line.get_data() for line in ax.lines if len(line.get_xdata()) > 100)
    assert np.trapezoid(gaussian, fine) == pytest.approx(1.0, abs=1e-3)


def test_best_fits_are_counted_once_each_in_their_octant():
    upper = _fits()[1]
    steps = [step.get_data() for step in _pulls().axes[0].findobj(StepPatch)]
    counts = [np.nansum(step.values - step.baseline) for step in steps]
    assert sorted(counts) == [np.sum(~upper), np.sum(upper)]
    named = [t.get_text() for t in _pulls().legends[0].get_texts()]
    assert named[:2] == [f"lower octant, {100 * np.mean(~upper):.0f} %", f"upper octant, {100 * np.mean(upper):.0f} %"]


BAD = {
    "panels is empty": lambda: _regions(),
    "3 panels of regions": lambda: _regions([_entry()], [_entry()], [_entry()]),
    "entries of panel 'panel 0' is empty": lambda: _regions([]),
    "confidence of 'true' has shape": lambda: _regions([_entry(confidence=_confidence(S, D).T)]),
    "confidence of 'true' must be a fraction": lambda: _regions([_entry(confidence=100 * _confidence(S, D))]),
    "confidence of 'true' holds": lambda: _regions([_entry(confidence=np.full((60, 41), np.nan))]),
    "x of 'true' must hold": lambda: _regions([_entry(x=S[::-1])]),
    "dm31_ev2 of 'true' must hold": lambda: _regions([_entry(dm31_ev2=D[::-1])]),
    "cloud in one parameter": lambda: _regions([_entry(cloud_x=None)]),
    "cloud_dm31_ev2 of 'true' has shape": lambda: _regions([_entry(cloud_dm31_ev2=D)]),
    "best of 'true'": lambda: _regions([_entry(best=(0.5,))]),
    "truth has shape": lambda: _regions([_entry()], truth=(0.5, 0.5, 0.5)),
    "limits must be": lambda: _regions([_entry()], limits=((0.6, 0.5), (2.4e-3, 2.6e-3))),
    "limits has shape": lambda: _regions([_entry()], limits=(0.4, 0.6)),
    "curves is empty": lambda: _coverage(curves={}),
    "curves of 'bootstrap' is empty": lambda: _coverage(("bootstrap",), ()),
    "a curve of 'dm21'": lambda: _coverage(("bootstrap",), ("dm21",)),
    "levels must hold": lambda: _coverage(levels=LEVELS[::-1]),
    "lower has shape": lambda: _coverage(lower=LEVELS[1:]),
    "lower exceeds upper": lambda: _coverage(lower=BAND[1], upper=BAND[0]),
    "coverage of 'dm31' by 'bootstrap' has shape": lambda: _coverage(curves={"bootstrap": {"dm31": [0.5]}}),
    "upper must be fractions": lambda: _coverage(upper=100 * LEVELS),
    "sin2_theta23 has shape": lambda: _pulls(sin2_theta23=S),
    "best_upper has shape": lambda: _pulls(best_upper=[True]),
    "best_upper must hold": lambda: _pulls(best_upper=np.full(600, 0.5)),
    "dm31_pull has shape": lambda: _pulls(dm31_pull=[0.0]),
    "sd_dm31 is -1": lambda: _pulls(sd_dm31=-1),
}


@pytest.mark.parametrize("message", BAD)
def test_what_does_not_fit_is_refused_in_words(message):
    with pytest.raises(InputError, match=message):
        BAD[message]()

"""Figures of ensembles from arrays: flux shapes, members over a reference, united regions with their intervals."""

import matplotlib.text
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure

from nuinfer.errors import InputError
from nuinfer.figures import style
from nuinfer.figures.ensemble_members import MembersPanel, members_figure
from nuinfer.figures.ensemble_union import BAR_WIDTHS, UnionEntry, roads_figure, union_figure
from nuinfer.figures.flux_shapes import components_figure, draws_figure
from nuinfer.oscillation.regions import Confidence, RegionGrid, contours, intervals, level

TRUTH = (0.470, 2.513e-3)
GRID = RegionGrid(0.36 + 0.28 * (np.arange(70) + 0.5) / 70, np.linspace(2.3e-3, 2.7e-3, 81))
ENU = np.linspace(0.25, 10.0, 118)
FLUX = ENU * np.exp(-0.5 * ((ENU - 2.5) / 1.2) ** 2)
SHAPES = np.array([0.03 * np.sin(ENU), 0.01 * (ENU - 3.0)])
LONG = "a rather long name of an ensemble that nobody will ever want to read in full"
PLANES = {"mixing": ("sin2_2theta23", "plane_sin2_2theta"), "octants": ("sin2_theta23", "plane_sin2")}


def _confidence(dm31_shift_ev2: float = 0.0, width: float = 1.0, grid: RegionGrid = GRID) -> Confidence:
    """Return the levels of a parabola in each octant: two degrees of freedom for a plane, and any monotone law for one."""
    of_sin2 = np.minimum(*(((grid.sin2_theta23 - mode) / (0.016 * width)) ** 2 for mode in (0.470, 0.552)))
    of_dm31 = ((grid.dm31_ev2 - TRUTH[1] - dm31_shift_ev2) / (2.1e-5 * width)) ** 2
    half = len(of_sin2) // 2
    folded = np.minimum(of_sin2[:half], of_sin2[half:][::-1])
    one, two = (lambda chi2: level(np.sqrt(chi2))), (lambda chi2: 1.0 - np.exp(-0.5 * chi2))
    planes = (two(of[:, None] + of_dm31) for of in (of_sin2, folded))
    return Confidence(*planes, one(of_sin2), one(folded), one(of_dm31))


def _ensemble(m: int) -> list[Confidence]:
    return [_confidence(shift) for shift in np.linspace(-6e-5, 6e-5, m)]


def _panel(m: int = 5, title: str = "true cross section", **changes) -> MembersPanel:
    best = {"best_sin2_theta23": np.linspace(0.46, 0.56, m), "best_dm31_ev2": np.linspace(2.45e-3, 2.57e-3, m)}
    return MembersPanel(title, **({"members": _ensemble(m), "reference": _confidence(), **best} | changes))


def _members(*panels: MembersPanel, plane: str = "octants", truth=TRUTH, **changes) -> Figure:
    return members_figure(GRID, panels, truth, plane, **changes)


def _entries() -> list[UnionEntry]:
    labels = "statistics alone", "true cross section, 25 draws", "learned cross section, 25 draws"
    return [UnionEntry(label, _confidence(1e-5 * k, 1.0 + 0.3 * k)) for k, label in enumerate(labels)]


def _union(make=union_figure, entries=None, plane: str = "octants", truth=TRUTH) -> Figure:
    return make(GRID, _entries() if entries is None else entries, truth, plane)


def _draws(m: int = 5, **changes) -> Figure:
    amplitudes = np.random.default_rng(3).standard_normal((m, 2))
    return draws_figure(**({"enu_gev": ENU, "flux": FLUX, "drawn": FLUX * (1.0 + amplitudes @ SHAPES)} | changes))


FIGURES = {
    "components": (lambda: components_figure(ENU, SHAPES, ("pc0", "pc3")), 1),
    "components of one": (lambda: components_figure(ENU, 0 * SHAPES[:1], (LONG,)), 1),
    "five draws": (lambda: _draws(band=np.full(len(ENU), 0.02)), 2),
    "many draws": (lambda: _draws(25), 2),
    "the true flux drawn": (lambda: _draws(drawn=FLUX[None]), 2),
    "five members": (lambda: _members(_panel(), _panel(title="learned cross section")), 2),
    "five members, folded": (lambda: _members(_panel(), _panel(), plane="mixing"), 2),
    "25 members": (lambda: _members(_panel(25), _panel(25), plane="mixing"), 2),
    "one panel": (lambda: _members(_panel(6, reference=None, best_sin2_theta23=None, best_dm31_ev2=None), truth=None), 1),
    "one folded panel": (lambda: _members(_panel(25), plane="mixing", reference_label=LONG), 1),
    "three panels": (lambda: _members(_panel(), _panel(), _panel(9)), 3),
    "four panels": (lambda: _members(_panel(), _panel(), _panel(), _panel(1)), 4),
    "union": (_union, 5),
    "union, folded": (lambda: _union(plane="mixing"), 5),
    "union without truth": (lambda: _union(truth=None, plane="mixing"), 5),
    "union of one": (lambda: _union(entries=[UnionEntry(LONG, _confidence())]), 5),
    "roads": (lambda: _union(roads_figure), 5),
    "roads, folded": (lambda: _union(roads_figure, plane="mixing"), 5),
    "six roads": (lambda: _union(roads_figure, [UnionEntry(f"road {k}", c) for k, c in enumerate(_ensemble(6))]), 5),
}


@pytest.mark.parametrize("name", FIGURES)
def test_renders_inside_its_page_with_its_panels_and_texts_apart(name):
    make, n_axes = FIGURES[name]
    figure = make()
    assert len(figure.axes) == n_axes and figure.get_figwidth() in (style.SINGLE_IN, style.DOUBLE_IN)
    _lay_out(figure)
    texts = _texts(figure)
    assert all(6.5 <= t.get_fontsize() <= 9.0 for t in texts)
    assert not _crossing(texts) and not _leaving(figure, texts)


def test_texts_that_cross_or_leave_the_page_are_seen():
    """Negative control of the test above."""
    figure = _union()
    figure.axes[0].set_xticks([0.500, 0.501], ["one", "two"])
    _lay_out(figure)
    assert _crossing(_texts(figure)) and not _leaving(figure, _texts(figure))
    figure.axes[2].set_title("a title that is wider than its panel by far, out of the page")
    _lay_out(figure)
    assert _leaving(figure, _texts(figure))


@style.styled
def _lay_out(figure: Figure) -> None:
    FigureCanvasAgg(figure).draw()


def _texts(figure: Figure) -> list[matplotlib.text.Text]:
    labels = [t.label1 for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) for t in _shown_ticks(axis)]
    titles = [text for ax in figure.axes for text in (ax.title, ax.xaxis.label, ax.yaxis.label)]
    legends = [text for legend in figure.legends for text in legend.get_texts()]
    return [text for text in (*labels, *titles, *legends) if text.get_visible() and text.get_text().strip()]


def _shown_ticks(axis) -> list:
    low, high = sorted(axis.get_view_interval())
    return [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]


def _crossing(texts: list[matplotlib.text.Text]) -> bool:
    boxes = [text.get_window_extent() for text in texts]
    return any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])


def _leaving(figure: Figure, texts: list[matplotlib.text.Text]) -> bool:
    boxes, page = [text.get_window_extent() for text in texts], figure.bbox
    return any(b.x0 < page.x0 or b.y0 < page.y0 or b.x1 > page.x1 or b.y1 > page.y1 for b in boxes)


def _named(ax: Axes, end: str) -> list:
    return [c for c in ax.collections if (c.get_gid() or "").endswith(end)]


def _tint(collection) -> str:
    return to_hex(collection.get_edgecolor()[0], keep_alpha=False).upper()


def _legend(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_components_are_in_per_cent_and_named():
    figure = components_figure(ENU, SHAPES, ("pc0", "pc3"))
    (ax,) = figure.axes
    curves = [line for line in ax.lines if len(line.get_xdata()) == len(ENU)]
    assert np.allclose([c.get_ydata() for c in curves], 100 * SHAPES) and np.array_equal(curves[0].get_xdata(), ENU)
    assert len({(c.get_color(), str(c.get_linestyle())) for c in curves}) == 2 and _legend(figure) == ["pc0", "pc3"]
    low, high = ax.get_ylim()
    assert low < 100 * SHAPES.min() and high > 100 * SHAPES.max() and "%" in ax.get_ylabel()
    assert ax.get_xlim() == (0.25, 10.0) and "GeV" in ax.get_xlabel()


def test_fluxes_are_of_unit_integral_and_ratios_are_of_these():
    drawn = np.stack([7.0 * FLUX, FLUX * (1 + SHAPES[0])])
    left, right = _draws(drawn=drawn).axes
    densities = [line.get_ydata() for line in left.lines]
    assert np.trapezoid(densities, ENU) == pytest.approx(np.ones(3))
    assert [line.get_color() for line in left.lines].count(style.BLACK) == 1
    a, b = (line.get_ydata() for line in right.lines if len(line.get_xdata()) == len(ENU))
    slow = [drawn[1][i] / np.trapezoid(drawn[1], ENU) / (FLUX[i] / np.trapezoid(FLUX, ENU)) for i in range(len(ENU))]
    assert a == pytest.approx(1.0) and b == pytest.approx(slow)
    low, high = right.get_ylim()
    assert low + high == pytest.approx(2.0) and high > max(b.max(), 2.0 - b.min())
    assert left.get_ylim()[0] == 0.0 and left.get_ylim()[1] > np.max(densities)


def test_a_flux_of_zero_leaves_a_gap_in_the_ratio():
    flux = np.where(ENU > 8.0, 0.0, FLUX)
    ratio = _draws(flux=flux, drawn=np.stack([flux * 2.0])).axes[1].lines[0].get_ydata()
    assert np.array_equal(np.isnan(ratio), ENU > 8.0) and np.allclose(ratio[ENU <= 8.0], 1.0)


def test_the_band_of_ratios_is_drawn_around_one_and_held_by_the_axis():
    figure = _draws(band=np.full(len(ENU), 0.5))
    (band,) = figure.axes[1].collections
    assert band.get_datalim(figure.axes[1].transData).intervaly == pytest.approx((0.5, 1.5))
    assert figure.axes[1].get_ylim()[1] > 1.5 and _legend(figure)[-1] == r"1$\sigma$ of the ratio"
    assert not _draws().axes[1].collections


def test_few_draws_are_told_apart_and_many_are_not():
    few, many = _draws(5), _draws(25)
    assert _legend(few) == ["true flux", *(f"draw {k}" for k in range(1, 6))]
    assert _legend(many) == ["true flux", "25 draws"] and _legend(_draws(7, name="toy"))[1] == "7 toys"
    assert len({line.get_color() for line in few.axes[0].lines}) == 6
    assert len({line.get_color() for line in many.axes[0].lines}) == 2 and len(many.axes[0].lines) == 26


@pytest.mark.parametrize("plane", PLANES)
def test_every_member_has_its_three_outlines(plane):
    axis, field = PLANES[plane]
    panel = _panel(25)
    ax = _members(panel, plane=plane).axes[0]
    assert len([c for c in ax.collections if c.get_gid()]) == 75
    for k, member in enumerate(panel.members):
        for n in (1, 2, 3):
            (outline,) = _named(ax, f"member {k}, {n} sigma")
            right = contours(getattr(GRID, axis), GRID.dm31_ev2 * 1e3, getattr(member, field), float(level(n)))
            assert len(outline.get_segments()) == len(right) > 0
            for drawn, known in zip(outline.get_segments(), right, strict=True):
                np.testing.assert_allclose(drawn, known, atol=1e-9)


def test_the_outlines_of_another_member_fail_the_comparison_above():
    """Negative control: neighbours differ by far more than the tolerance."""
    ax = _members(_panel(25)).axes[0]
    a, b = (_named(ax, f"member {k}, 1 sigma")[0].get_segments()[0] for k in (3, 4))
    assert abs(a[:, 1].mean() - b[:, 1].mean()) == pytest.approx(0.005, rel=0.05)


def test_one_sigma_stands_out_over_the_others():
    for m in (5, 25):
        ax = _members(_panel(m)).axes[0]
        one, two, three = (_named(ax, f"member 0, {n} sigma")[0] for n in (1, 2, 3))
        assert one.get_linewidth()[0] > two.get_linewidth()[0] >= three.get_linewidth()[0]
        assert one.get_alpha() > two.get_alpha() > three.get_alpha()
        assert one.get_zorder() > two.get_zorder() > three.get_zorder()


def test_a_member_of_few_keeps_its_colour_in_both_panels_and_many_share_their_panels():
    few, many = (_members(_panel(m), _panel(m)) for m in (5, 25))
    tints = [[_tint(_named(ax, f"member {k}, 1 sigma")[0]) for k in range(5)] for ax in few.axes]
    assert tints[0] == tints[1] == list(style.CYCLE[:5])
    shared = [{_tint(c) for c in _named(ax, "1 sigma")} for ax in many.axes]
    assert shared == [{style.BLUE}, {style.VERMILLION}]
    assert _legend(few)[:6] == [*(f"draw {k}" for k in range(1, 6)), "statistics alone"]
    assert _legend(many) == ["25 draws", "statistics alone", r"1$\sigma$", r"2$\sigma$", r"3$\sigma$", "best fit", "truth"]
    assert _legend(_members(_panel(), name="seed", reference_label="true"))[4:6] == ["seed 5", "true"]


def test_the_reference_is_shaded_at_its_levels_and_only_where_given():
    given, without = _members(_panel(), _panel(reference=None)).axes
    (shades,) = given.findobj(QuadContourSet)
    assert shades.filled and list(shades.levels[1:]) == [1.0, 2.0, 3.0]
    # The darkest shade reaches as far as the outline of the reference's own 1-sigma region.
    known = np.concatenate(contours(GRID.sin2_theta23, GRID.dm31_ev2 * 1e3, _confidence().plane_sin2, float(level(1))))
    drawn = np.concatenate([path.vertices for path in shades.get_paths()[:1]])
    drawn = drawn[np.any(drawn != 0.0, axis=1)]
    assert drawn.max(axis=0) == pytest.approx(known.max(axis=0)) and drawn.min(axis=0) == pytest.approx(known.min(axis=0))
    assert not without.findobj(QuadContourSet)
    assert "statistics alone" not in _legend(_members(_panel(reference=None)))


@pytest.mark.parametrize("plane", PLANES)
def test_panels_share_limits_that_hold_all_outlines_and_the_truth(plane):
    figure = _members(_panel(5), _panel(25), plane=plane)
    a, b = figure.axes
    assert a.get_xlim() == b.get_xlim() and a.get_ylim() == b.get_ylim()
    points = np.concatenate([s for ax in (a, b) for c in _named(ax, "3 sigma") for s in c.get_segments()])
    for (low, high), values in zip((a.get_xlim(), a.get_ylim()), points.T, strict=True):
        assert low < values.min() and values.max() <= high
    assert np.ptp(a.get_ylim()) < 1.3 * np.ptp(points[:, 1])
    assert (a.get_xlim()[1] == 1.0) == (plane == "mixing")
    far = _members(_panel(), plane="octants", truth=(0.470, 2.69e-3)).axes[0]
    assert far.get_ylim()[1] >= 2.69 > a.get_ylim()[1]


@pytest.mark.parametrize("plane", PLANES)
def test_best_fits_and_truth_lie_on_the_planes_axes(plane):
    panel = _panel()
    ax = _members(panel, plane=plane).axes[0]
    (points,) = [c for c in ax.collections if len(c.get_offsets()) == 5]
    (star,) = [line.get_xydata()[0] for line in ax.lines if line.get_marker() == "*"]
    fold = (lambda s: np.sin(2.0 * np.arcsin(np.sqrt(s))) ** 2) if plane == "mixing" else (lambda s: s)
    assert np.allclose(points.get_offsets(), np.transpose([fold(panel.best_sin2_theta23), panel.best_dm31_ev2 * 1e3]))
    assert star == pytest.approx([fold(0.470), 2.513])
    bare = _members(_panel(best_sin2_theta23=None, best_dm31_ev2=None), plane=plane, truth=None)
    assert "best fit" not in _legend(bare) and "truth" not in _legend(bare)
    assert not [line for line in bare.axes[0].lines if line.get_marker() == "*"]


def test_axes_are_labelled_once_and_with_units():
    figure = _members(_panel(title="a"), _panel(title="b"), plane="mixing")
    assert [ax.get_title() for ax in figure.axes] == ["a", "b"]
    assert all(r"\sin^2 2\theta_{23}" in ax.get_xlabel() for ax in figure.axes)
    assert [("10^{-3}$ eV" in ax.get_ylabel()) for ax in figure.axes] == [True, False]
    union = _union()
    assert [bool(ax.get_ylabel()) for ax in union.axes] == [True, False, False, False, False]
    assert "10^{-3}$ eV" in union.axes[4].get_xlabel() and r"\sin^2\theta_{23}" in union.axes[3].get_xlabel()


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("make", [union_figure, roads_figure])
def test_each_sigma_has_its_panel_with_every_entrys_outline(make, plane):
    axis, field = PLANES[plane]
    figure = _union(make, plane=plane)
    for n, ax in zip((1, 2, 3), figure.axes, strict=False):
        assert ax.get_title() == rf"{n}$\sigma$" and len([c for c in ax.collections if c.get_gid()]) == 3
        for entry in _entries():
            (outline,) = _named(ax, f"{entry.label}, {n} sigma")
            right = contours(getattr(GRID, axis), GRID.dm31_ev2 * 1e3, getattr(entry.confidence, field), float(level(n)))
            for drawn, known in zip(outline.get_segments(), right, strict=True):
                np.testing.assert_allclose(drawn, known, atol=1e-9)
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in figure.axes[:3]}) == 1


@pytest.mark.parametrize("plane", PLANES)
def test_bars_are_the_intervals_of_each_parameter(plane):
    figure = _union(plane=plane)
    sin2 = (GRID.sin2_theta23, GRID.sin2_edges, "sin2")
    folded = (GRID.sin2_2theta23, GRID.sin2_2theta_edges, "sin2_2theta")
    sides = [folded if plane == "mixing" else sin2, (GRID.dm31_ev2 * 1e3, GRID.dm31_edges * 1e3, "dm31")]
    for ax, (centres, edges, line) in zip(figure.axes[3:], sides, strict=True):
        for k, entry in enumerate(_entries()):
            for n, width in zip((1, 2, 3), BAR_WIDTHS, strict=True):
                (bars,) = _named(ax, f"{entry.label}, {n} sigma")
                right = intervals(centres, getattr(entry.confidence, line), float(level(n)), (edges[0], edges[-1]))
                assert np.allclose([segment[:, 0] for segment in bars.get_segments()], right)
                assert {y for segment in bars.get_segments() for y in segment[:, 1]} == {k} and bars.get_linewidth()[0] == width
                assert ax.get_xlim()[0] < right[0][0] and right[-1][1] <= ax.get_xlim()[1]
    assert [t.get_text().replace("\n", " ") for t in figure.axes[3].get_yticklabels()] == [e.label for e in _entries()]
    assert figure.axes[3].get_ylim()[0] > figure.axes[3].get_ylim()[1]


def test_two_octants_are_two_bars_at_one_sigma_and_one_at_three():
    ax = _union().axes[3]
    assert [len(_named(ax, f"statistics alone, {n} sigma")[0].get_segments()) for n in (1, 3)] == [2, 1]
    assert len(_named(_union(plane="mixing").axes[3], "statistics alone, 1 sigma")[0].get_segments()) == 1


def test_the_first_entry_of_a_union_is_shaded_and_none_of_roads():
    union, roads = _union(), _union(roads_figure)
    assert [len(ax.findobj(QuadContourSet)) for ax in union.axes] == [1, 1, 1, 0, 0]
    assert [list(ax.findobj(QuadContourSet)[0].levels) for ax in union.axes[:3]] == [[-1.0, n] for n in (1.0, 2.0, 3.0)]
    assert not roads.findobj(QuadContourSet)
    tints = [[_tint(_named(f.axes[0], f"{e.label}, 1 sigma")[0]) for e in _entries()] for f in (union, roads)]
    assert tints[0][1:] == [style.BLUE, style.VERMILLION] and tints[1] == list(style.CYCLE[:3])
    assert len({str(c.get_linestyle()) for c in _named(roads.axes[0], "1 sigma")}) == 3
    bars = [_tint(_named(roads.axes[4], f"{e.label}, 2 sigma")[0]) for e in _entries()]
    assert bars == tints[1] and _legend(roads) == [*(e.label for e in _entries()), "truth"]


def test_the_truth_is_a_star_above_and_dashed_lines_below():
    figure, bare = _union(), _union(truth=None)
    for ax in figure.axes[:3]:
        assert next(line.get_xydata()[0] for line in ax.lines if line.get_marker() == "*") == pytest.approx((0.470, 2.513))
    below = [[line.get_xdata()[0] for line in ax.lines if line.get_color() == style.BLACK] for ax in figure.axes[3:]]
    assert below == [[pytest.approx(0.470)], [pytest.approx(2.513)]]
    assert not [line for ax in bare.axes for line in ax.lines if line.get_color() == style.BLACK]


def test_an_entry_without_a_region_has_no_bar_and_no_outline():
    full = _confidence()
    empty = Confidence(
        *(np.ones_like(getattr(full, f)) for f in ("plane_sin2", "plane_sin2_2theta", "sin2", "sin2_2theta", "dm31"))
    )
    figure = _union(entries=[UnionEntry("some", full), UnionEntry("none", empty)])
    assert not [s for ax in figure.axes for c in ax.collections if "none" in (c.get_gid() or "") for s in c.get_segments()]
    assert _union(entries=[UnionEntry("none", empty)], truth=None).axes[4].get_xlim()[1] >= 2.7


@pytest.mark.parametrize(
    "make", [lambda k: _members(_panel(5 + k)), lambda k: _union(entries=_entries()[k:]), lambda k: _draws(3 + k)]
)
def test_figures_repeat_to_the_byte_and_differ_where_the_input_does(make, tmp_path):
    for i, k in enumerate((0, 0, 1)):
        style.save(make(k), tmp_path / f"{i}.pdf", tmp_path / f"{i}.png")
    pdf, png = ([(tmp_path / f"{i}.{suffix}").read_bytes() for i in range(3)] for suffix in ("pdf", "png"))
    assert pdf[0] == pdf[1] != pdf[2] and png[0] == png[1] != png[2]


OTHER = RegionGrid(GRID.sin2_theta23, np.linspace(2.3e-3, 2.7e-3, 41))
BAD = {
    "plane 'sin2'": lambda: _members(_panel(), plane="sin2"),
    "panels is empty": lambda: _members(),
    "5 panels of members": lambda: _members(*[_panel()] * 5),
    "members of panel 'true cross section' is empty": lambda: _members(_panel(members=[])),
    "confidence of '0' has shape": lambda: _members(_panel(members=[_confidence(grid=OTHER)])),
    "best fits in one parameter": lambda: _members(_panel(best_dm31_ev2=None)),
    "best_dm31_ev2 of 'true cross section' has shape": lambda: _members(_panel(best_dm31_ev2=[2.5e-3])),
    "truth has shape": lambda: _members(_panel(), truth=(0.5,)),
    "plane 'dm31'": lambda: _union(plane="dm31"),
    "entries is empty": lambda: _union(entries=[]),
    "entries must be up to 6": lambda: _union(entries=[UnionEntry(str(k), _confidence()) for k in range(7)]),
    "found a, a": lambda: _union(roads_figure, [UnionEntry("a", _confidence())] * 2),
    "confidence of '1' has shape": lambda: _union(entries=[_entries()[0], UnionEntry("b", _confidence(grid=OTHER))]),
    "enu_gev must hold": lambda: components_figure(ENU[::-1], SHAPES, ("a", "b")),
    "fractions has shape": lambda: components_figure(ENU, SHAPES, ("a",)),
    "fractions holds": lambda: components_figure(ENU, SHAPES * np.nan, ("a", "b")),
    "drawn has shape": lambda: _draws(drawn=FLUX),
    "drawn must not be negative": lambda: _draws(drawn=np.stack([FLUX, -FLUX])),
    "flux must not be negative": lambda: _draws(flux=0 * FLUX),
    "band holds negative": lambda: _draws(band=np.full(len(ENU), -0.1)),
    "band has shape": lambda: _draws(band=0.1),
}


@pytest.mark.parametrize("message", BAD)
def test_what_does_not_fit_is_refused_in_words(message):
    with pytest.raises(InputError, match=message):
        BAD[message]()

"""Figures of the unions' coverage and of the scan over networks: what is drawn where, pages, refusals in words."""

import dataclasses
import io

import matplotlib.image
import matplotlib.text
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nuinfer.errors import InputError
from nuinfer.figures import style
from nuinfer.figures.oscillation_coverage import QUANTITIES
from nuinfer.figures.scan import MEASURES, scan_figure
from nuinfer.figures.union_coverage import MARKS, TINTS, demanded_fraction_figure, union_coverage_figure
from nuinfer.oscillation.regions import level
from nuinfer.oscillation.union_coverage import FractionCurves, fraction_curves

COVERAGE = np.array([[0.75, 0.72, 0.78], [0.9, 0.88, 0.93], [1.0, 0.994, 1.0]])
LOWER = np.array([[0.0, 0.0, 0.01], [0.5, 0.45, 0.55], [0.9, 0.88, 0.92]])
LONG = "a rather long name of a method that nobody wants to read"
FEATURED = (4, 64, 48)


def _measured(methods=("union", "feldman_cousins"), quantities=("plane_sin2", "sin2", "dm31")) -> dict:
    return {m: dict.fromkeys(quantities, (COVERAGE, LOWER)[k % 2]) for k, m in enumerate(methods)}


def _curves(members: int = 25, key: int = 0) -> FractionCurves:
    rng = np.random.default_rng(key)
    return fraction_curves(level(np.abs(1.4 * rng.normal(size=(300, 1)) + rng.normal(size=(300, members)))))


def _rows(settings=None, bins=(12, 24, 48)) -> list[dict]:
    settings = settings or [(d, 64) for d in (2, 3, 4, 5)] + [(4, w) for w in (16, 32, 128)]
    return [
        {
            "depth": d,
            "width": w,
            "bins": b,
            "kl_near": 1e-4 * (d + 64 / w) / b,
            "kl_far": 3e-4 * (d + 64 / w) / b,
            "metric": d / b,
        }
        for d, w in settings
        for b in bins
    ]


FIGURES = {
    "coverage": (lambda: union_coverage_figure(_measured()), 3),
    "coverage of one": (lambda: union_coverage_figure(_measured(("union",), ("dm31",))), 1),
    "coverage of all": (lambda: union_coverage_figure(_measured(("union", LONG, "c"), tuple(QUANTITIES))), 5),
    "fractions": (lambda: demanded_fraction_figure([(QUANTITIES[q], _curves()) for q in ("plane_sin2", "sin2", "dm31")]), 3),
    "fractions of one member": (lambda: demanded_fraction_figure([("one", _curves(1))]), 1),
    "fractions of four": (lambda: demanded_fraction_figure([(str(k), _curves(10, k)) for k in range(4)]), 4),
    "scan": (lambda: scan_figure(_rows(), FEATURED), 3),
    "scan of one": (lambda: scan_figure(_rows([(4, 64)], (48,)), FEATURED), 3),
    "scan of everything": (lambda: scan_figure(_rows([(d, w) for d in (2, 4, 8) for w in (16, 64, 256)]), FEATURED), 3),
}


@pytest.mark.parametrize("name", FIGURES)
def test_renders_inside_its_page_with_labels_apart(name):
    make, n_axes = FIGURES[name]
    figure = make()
    assert len(figure.axes) == n_axes and figure.get_figwidth() == style.DOUBLE_IN
    page = matplotlib.image.imread(io.BytesIO(style.png_bytes(figure)), format="png")[..., :3]
    for edge in (page[0], page[-1], page[:, 0], page[:, -1]):
        assert np.all(edge == 1.0)
    texts = [t for t in figure.findobj(matplotlib.text.Text) if t.get_visible() and t.get_text().strip()]
    assert min(t.get_fontsize() for t in texts) >= 6.5 and max(t.get_fontsize() for t in texts) <= 9.0
    _lay_out(figure)
    titles = [ax.title for ax in figure.axes if ax.get_title()]
    axis_labels = [axis.label for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) if axis.label.get_text()]
    assert not _overlap([*_tick_labels(figure), *titles, *axis_labels, *figure.legends[0].get_texts()])


def test_overlapping_labels_are_seen():
    """Negative control of the test above."""
    figure = scan_figure(_rows(bins=(48, 49)), FEATURED)
    figure.axes[0].set_xticks([48.0, 48.1], ["48", "48.1"])
    _lay_out(figure)
    assert _overlap(_tick_labels(figure))


@style.styled
def _lay_out(figure: Figure) -> None:
    FigureCanvasAgg(figure).draw()


def _tick_labels(figure: Figure) -> list[matplotlib.text.Text]:
    found = []
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = [t for t in axis.get_major_ticks() if low <= t.get_loc() <= high]
        found += [label for t in ticks for label in (t.label1, t.label2) if label.get_visible() and label.get_text().strip()]
    return found


def _overlap(artists) -> bool:
    boxes = [t.get_window_extent() for t in artists]
    return any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])


def _named(ax: Axes, gid: str) -> list:
    return [line for line in ax.lines if line.get_gid() == gid]


def _legend(figure: Figure) -> list[str]:
    return [t.get_text() for t in figure.legends[0].get_texts()]


@pytest.mark.parametrize(
    "make",
    [lambda k: union_coverage_figure(_measured(("union", str(k)))), lambda k: scan_figure(_rows(bins=(12 + k, 48)), FEATURED)],
)
def test_figures_repeat_to_the_byte_and_differ_where_the_input_does(make, tmp_path):
    for k, changed in enumerate((0, 0, 1)):
        style.save(make(changed), tmp_path / f"{k}.pdf", tmp_path / f"{k}.png")
    pdf, png = ([(tmp_path / f"{k}.{suffix}").read_bytes() for k in range(3)] for suffix in ("pdf", "png"))
    assert pdf[0] == pdf[1] != pdf[2] and png[0] == png[1] != png[2]


def test_coverage_stands_at_its_sigma_with_its_interval_beside_the_claimed_line():
    ax = union_coverage_figure(_measured()).axes[0]
    points, intervals = _named(ax, "coverage"), _named(ax, "interval")
    assert len(points) == len(intervals) == 6
    x = np.array([line.get_xdata() for line in points]).ravel()
    assert level(x[:5]) == pytest.approx([0.75, 0.9, 1.0, 0.0, 0.5], abs=1e-4) and x[2] == 4.0
    assert np.allclose(level(intervals[0].get_xdata()), [0.72, 0.78])
    assert [line.get_color() for line in points[:3]] == list(TINTS)
    claimed = [line for line in ax.lines if len(set(line.get_xdata())) == 1 and line.get_gid() is None]
    assert [(line.get_xdata()[0], line.get_color()) for line in claimed] == list(zip((1.0, 2.0, 3.0), TINTS, strict=True))
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "68.3", "95.4", "99.7", "100"]
    assert level(ax.get_xticks()[1:4]) == pytest.approx([0.683, 0.954, 0.997], abs=1e-3)


def test_methods_have_rows_from_the_top_and_their_names_once():
    figure = union_coverage_figure(_measured(("mine", "feldman_cousins")))
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["mine", "Feldman-Cousins"]
    assert not any(t.get_text() for ax in figure.axes[1:] for t in ax.get_yticklabels())
    assert [ax.get_title() for ax in figure.axes] == [QUANTITIES[q] for q in ("plane_sin2", "sin2", "dm31")]
    rows = [line.get_ydata()[0] for line in _named(figure.axes[0], "coverage")]
    assert np.array_equal(np.round(rows), [0, 0, 0, 1, 1, 1]) and len(set(rows)) == 6
    assert figure.axes[0].get_ylim() == (1.5, -0.5)
    assert _legend(figure) == [r"1$\sigma$ region", r"2$\sigma$ region", r"3$\sigma$ region", "claimed"]


def test_a_method_without_a_quantity_leaves_its_row_empty():
    figure = union_coverage_figure({"a": {"sin2": COVERAGE}, "b": {"sin2": COVERAGE, "dm31": COVERAGE}})
    rows = [line.get_ydata()[0] for line in _named(figure.axes[1], "coverage")]
    assert np.array_equal(np.round(rows), [1, 1, 1])


def test_curves_and_marks_are_those_of_the_unions():
    curves = _curves()
    ax = demanded_fraction_figure([("a", curves)]).axes[0]
    for i in range(3):
        (line,) = _named(ax, f"{i + 1} sigma")
        assert np.array_equal(line.get_xdata(), curves.fractions)
        assert level(line.get_ydata()) == pytest.approx(curves.coverage[i], abs=1e-4)
    for name in MARKS:
        marks = _named(ax, name)
        assert [line.get_color() for line in marks] == list(TINTS)
        assert np.array_equal([line.get_xdata()[0] for line in marks], getattr(curves, name))
        heights = [curves.coverage[i, round(25 * f)] for i, f in enumerate(getattr(curves, name))]
        assert level(np.array([line.get_ydata()[0] for line in marks])) == pytest.approx(heights, abs=1e-4)
    assert [line.get_xdata()[0] for line in _named(ax, "published")] == [0.16, 0.04, 0.04]
    assert [line.get_xdata()[0] for line in _named(ax, "complement")] == [0.88, 1.0, 1.0]
    assert len({(MARKS[m]["marker"], MARKS[m].get("markerfacecolor")) for m in MARKS}) == 3


def test_bands_are_the_intervals():
    curves = _curves()
    figure = demanded_fraction_figure([("a", curves)])
    outline = figure.axes[0].collections[0].get_paths()[0].vertices
    at = np.isclose(outline[:, 0], 0.4)
    assert level(np.array([outline[at, 1].min(), outline[at, 1].max()])) == pytest.approx(
        [curves.lower[0, 10], curves.upper[0, 10]], abs=1e-4
    )
    assert {"published rule", "its complement", "largest that covers"} < set(_legend(figure))


def test_scan_has_a_line_per_network_and_a_panel_per_measure():
    rows = _rows()
    figure = scan_figure(rows[::-1], FEATURED)
    for ax, (name, label) in zip(figure.axes, MEASURES.items(), strict=True):
        assert ax.get_ylabel() == label and ax.get_xlabel() == "bins per axis" and ax.get_yscale() == "log"
        (line,) = _named(ax, "4 x 16")
        assert line.get_xdata().tolist() == [12, 24, 48]
        assert line.get_ydata().tolist() == [r[name] for r in rows if (r["depth"], r["width"]) == (4, 16)]
        assert [t.get_text() for t in ax.get_xticklabels()] == ["12", "24", "48"]
        assert len([line for line in ax.lines if " x " in (line.get_gid() or "")]) == 7


def test_networks_can_be_told_apart_and_the_featured_one_stands_out():
    figure = scan_figure(_rows(), FEATURED)
    lines = [line for line in figure.axes[0].lines if " x " in (line.get_gid() or "")]
    assert len({line.get_marker() for line in lines}) == len({line.get_color() for line in lines}) == 7
    thick = [line for line in lines if line.get_linewidth() > 1.5]
    assert [line.get_gid() for line in thick] == ["4 x 64"] and thick[0].get_color() == style.BLACK
    solid = {line.get_gid() for line in lines if line.get_linestyle() == "-"}
    assert solid == {"4 x 64", "2 x 64", "3 x 64", "5 x 64"}
    assert all(line.get_markerfacecolor() == "none" for line in lines if line not in thick)
    (ring,) = _named(figure.axes[2], "featured")
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (48, 4 / 48)
    assert _legend(figure)[0] == "depth 4, width 64" and _legend(figure)[-1] == "featured, 48 bins"


def test_what_was_not_measured_is_not_drawn():
    rows = _rows()
    rows[0] = rows[0] | {"metric": float("nan")}
    (line,) = _named(scan_figure(rows, FEATURED).axes[2], "2 x 64")
    assert np.isnan(line.get_ydata()).tolist() == [True, False, False]


def test_equal_values_still_have_ticks():
    rows = [row | {"metric": 0.1234} for row in _rows()]
    ax = scan_figure(rows, FEATURED).axes[2]
    low, high = ax.get_ylim()
    assert sum(low <= tick <= high for tick in ax.get_yticks()) >= 2


def _replaced(**changes) -> list:
    return [("a", dataclasses.replace(_curves(), **changes))]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: union_coverage_figure({}), "measured is empty"),
        (lambda: union_coverage_figure({"a": {"theta": COVERAGE}}), "'theta'; the quantities are"),
        (lambda: union_coverage_figure({"a": {"dm31": COVERAGE[:2]}}), r"shape \(2, 3\)"),
        (lambda: union_coverage_figure({"a": {"dm31": 100 * COVERAGE}}), "divide per cents"),
        (lambda: union_coverage_figure({"a": {"dm31": COVERAGE[:, ::-1]}}), "outside its interval"),
        (lambda: demanded_fraction_figure([]), "panels is empty"),
        (lambda: demanded_fraction_figure(_replaced(coverage=np.ones((2, 26)))), r"coverage of 'a' has shape"),
        (lambda: demanded_fraction_figure(_replaced(published=np.full(3, 0.1587))), "published of 'a' is not one"),
        (lambda: demanded_fraction_figure(_replaced(lower=np.ones((3, 26)))), "outside its interval"),
        (lambda: scan_figure([], FEATURED), "rows is empty"),
        (lambda: scan_figure(_rows(), (7, 64, 48)), r"featured .* \(7, 64, 48\)"),
        (lambda: scan_figure([*_rows(), _rows()[0]], FEATURED), "two rows"),
        (lambda: scan_figure([r | {"kl_far": 0.0} for r in _rows()], FEATURED), "not positive"),
        (lambda: scan_figure([r | {"metric": np.nan} for r in _rows()], FEATURED), "no row of the scan has a value of metric"),
        (lambda: scan_figure([{"depth": 4, "width": 64, "bins": 48}], FEATURED), "lacks kl_near, kl_far, metric"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(call, words):
    with pytest.raises(InputError, match=words):
        call()

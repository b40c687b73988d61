"""Figures of the closure test from smooth arrays: panels, scales, white where unreachable, refusals in words."""

import io

import matplotlib.image
import matplotlib.text
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm, SymLogNorm
from matplotlib.figure import Figure

from nuinfer.errors import InputError
from nuinfer.figures import style
from nuinfer.figures.closure_axes import BAR_IN, field, legend_shape
from nuinfer.figures.closure_bands import band_coverage
from nuinfer.figures.closure_cost import cost_curves
from nuinfer.figures.closure_losses import training_losses
from nuinfer.figures.closure_maps import density_maps
from nuinfer.figures.closure_marginals import marginals
from nuinfer.figures.closure_slices import cross_section_slices
from nuinfer.figures.closure_structure import scale_of, structure_functions
from nuinfer.figures.closure_total import total_cross_section

LONG = "a rather long name of a configuration that nobody will ever want to read in full"
U, V = np.linspace(0.0, 1.0, 13), np.linspace(0.0, 1.0, 10)
TICKS = {el_gev: np.log(el_gev / 0.15) / np.log(10.0 / 0.15) for el_gev in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)}
MIDDLE = 0.5 * (U[1:, None] + U[:-1, None]), 0.5 * (V[None, 1:] + V[None, :-1])
REACHED = MIDDLE[0] + MIDDLE[1] < 1.5
TRUE = np.where(REACHED, np.exp(-(((MIDDLE[0] - 0.6) / 0.2) ** 2) - MIDDLE[1]), np.nan)
MODEL = TRUE * (1.0 + 0.01 * np.sin(9.0 * MIDDLE[0]))
ENU_GEV = np.array([0.5, 2.0, 5.0])
X, Q2 = np.geomspace(1e-4, 1.0, 14), np.geomspace(1e-3, 20.0, 11)
SHAPE = X[:, None] ** 0.3 * (1.0 - X[:, None]) * Q2[None, :] / (Q2[None, :] + 1.0)
W = np.where(Q2[None, :] > 20.0 * X[:, None], np.nan, np.stack([SHAPE, 3.0 * SHAPE, 0.3 * SHAPE - 0.02]))
E_GEV = np.geomspace(0.25, 10.0, 40)
SIGMA = 0.1 * (1.0 - np.exp(-E_GEV))
STEP = np.arange(1, 101)


def _maps(**changes) -> Figure:
    given = {"true_near": TRUE, "model_near": MODEL, "true_far": np.ma.masked_invalid(TRUE), "model_far": MODEL}
    return density_maps(U, V, TICKS, **(given | changes))


def _slices(n: int = 3, **changes) -> Figure:
    return cross_section_slices(U, V, TICKS, ENU_GEV[:n], np.stack([TRUE] * n), np.stack([MODEL] * n), **changes)


def _panel(label: str, log: bool = False, **changes) -> dict:
    edges = np.geomspace(1e-3, 10.0, 31) if log else np.linspace(0.0, 10.0, 31)
    true = np.exp(-np.arange(30.0) / 9.0)
    rest = {"edges": edges, "true_near": true, "model_near": 1.02 * true, "true_far": 2 * true, "model_far": 1.98 * true}
    return {"label": label, "log": log} | rest | changes


def _six() -> list[dict]:
    band = np.stack([0.9 * np.ones(30), 1.1 * np.ones(30)])
    names = (r"$E_\nu$ [GeV]", r"$E_\ell$ [GeV]", r"$\cos\theta_\ell$", "$x$", "$y$", r"$Q^2$ [GeV$^2$]")
    return [_panel(name, log=k % 2 == 1, **({"band_far": band} if k == 0 else {})) for k, name in enumerate(names)]


def _total(**changes) -> Figure:
    given = {"models": {"mlp": 1.02 * SIGMA, LONG: 0.99 * SIGMA}, "bands": {"mlp": (SIGMA, 1.04 * SIGMA)}}
    return total_cross_section(E_GEV, SIGMA, **(given | {"flux": np.exp(-E_GEV)} | changes))


def _losses() -> Figure:
    gaps = np.where(STEP == 50, np.nan, 1.0 / STEP)
    return training_losses(
        {
            "schedule": {"step": STEP, "train_loss": gaps, "test_step": STEP[::7], "test_loss": 1.1 / STEP[::7]},
            LONG: {"step": [1], "train_loss": [0.3]},
        }
    )


def _structure(**changes) -> Figure:
    given = {"true": W, "model": 1.1 * W, "weighted_true": np.abs(W), "weighted_model": np.ma.masked_invalid(W)}
    return structure_functions(X, Q2, **(given | changes))


def _bands() -> Figure:
    levels = np.array([0.68, 0.95])
    coverage = {"near": np.array([0.66, 0.96]), LONG: np.array([0.70, 0.94])}
    errors = {"near": np.array([0.05, 0.02]), LONG: np.full((2, 2), 0.03)}
    return band_coverage(levels, coverage, (levels - 0.05, levels + 0.03), errors)


def _cost(ratio: tuple[str, str] | None = ("direct", "operator")) -> Figure:
    cells = np.array([32, 64, 128]) ** 2
    return cost_curves(cells, {"operator": 1e-6 * cells, "direct": [0.06, 0.3, np.nan]}, ratio)


FIGURES = {
    # A map's row has three panels and two colour bars.
    "maps": (lambda: _maps(rel_l2_near=0.0021, rel_l2_far=0.0147), 10),
    "maps, long labels": (lambda: _maps(labels=(LONG, "far")), 10),
    "maps, nothing reached": (lambda: _maps(true_far=np.nan * TRUE, model_far=np.nan * TRUE), 10),
    "slices": (_slices, 15),
    "slices of one energy": (lambda: _slices(1), 5),
    "marginals": (lambda: marginals(_six()), 12),
    "marginals, one long": (lambda: marginals([_panel(LONG + LONG)]), 2),
    "total": (_total, 2),
    "losses": (_losses, 1),
    "structure": (_structure, 18),
    "bands": (_bands, 2),
    "cost": (_cost, 2),
    "cost without ratio": (lambda: _cost(None), 1),
}


@pytest.mark.parametrize("name", FIGURES)
def test_renders_inside_its_page_with_its_panels(name):
    make, n_axes = FIGURES[name]
    figure = make()
    assert isinstance(figure, Figure) and len(figure.axes) == n_axes
    assert figure.get_figwidth() in (style.SINGLE_IN, style.DOUBLE_IN)
    page = _pixels(figure)
    for edge in (page[0], page[-1], page[:, 0], page[:, -1]):
        assert np.all(edge == 1.0)
    letters = [t for t in figure.findobj(matplotlib.text.Text) if t.get_visible() and t.get_text().strip()]
    assert min(t.get_fontsize() for t in letters) >= 6.5 and max(t.get_fontsize() for t in letters) <= 9.0


@pytest.mark.parametrize("name", FIGURES)
def test_no_tick_label_lies_on_another(name):
    figure = FIGURES[name][0]()
    _lay_out(figure)
    for ax in figure.axes:
        assert not _overlaps(_shown(ax.xaxis)) and not _overlaps(_shown(ax.yaxis))


@pytest.mark.parametrize("name", ["maps", "slices", "structure"])
def test_tick_labels_of_neighbouring_panels_do_not_meet(name):
    figure = FIGURES[name][0]()
    _lay_out(figure)
    assert not _overlaps([t for ax in figure.axes for t in _shown(ax.xaxis)])


@pytest.mark.parametrize("scale", [0.004, 0.4, 3.0, 70.0, 5e4])
def test_labels_of_colour_bars_keep_clear_of_their_ticks(scale):
    figure = cross_section_slices(U, V, TICKS, ENU_GEV[:1], scale * TRUE[None], 1.8 * scale * TRUE[None])
    _lay_out(figure)
    bars = [ax for ax in figure.axes if "GeV]" in ax.get_ylabel()]
    assert len(bars) == 2
    for ax in bars:
        label = ax.yaxis.label.get_window_extent()
        assert not any(label.overlaps(t.get_window_extent()) for t in _shown(ax.yaxis))


def test_overlapping_labels_are_seen():
    """Negative control of the two tests above."""
    figure = _cost()
    figure.axes[0].set_xticks([1000.0, 1010.0], ["one", "two"])
    figure.axes[0].tick_params(axis="x", labelbottom=True)
    _lay_out(figure)
    assert _overlaps(_shown(figure.axes[0].xaxis))


@pytest.mark.parametrize("name", ["total", "losses", "bands", "cost", "marginals"])
def test_legends_stay_above_the_panels(name):
    figure = FIGURES[name][0]()
    _lay_out(figure)
    top = max(ax.get_window_extent().y1 for ax in figure.axes)
    assert min(legend.get_window_extent().y0 for legend in figure.legends) > top


@style.styled
def _lay_out(figure) -> None:
    """Draw once at the figure's own resolution, so that all extents are in the same pixels."""
    FigureCanvasAgg(figure).draw()


def _shown(axis) -> list[matplotlib.text.Text]:
    """Return the tick labels that are drawn: those of ticks within the view."""
    lo, hi = sorted(axis.get_view_interval())
    ticks = [t for t in axis.get_major_ticks() if lo <= t.get_loc() <= hi]
    both = [label for t in ticks for label in (t.label1, t.label2)]
    return [label for label in both if label.get_visible() and label.get_text().strip()]


def _overlaps(labels) -> bool:
    boxes = [t.get_window_extent() for t in labels]
    return any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])


def _pixels(figure) -> np.ndarray:
    return matplotlib.image.imread(io.BytesIO(style.png_bytes(figure)), format="png")[..., :3]


def _meshes(figure) -> list[QuadMesh]:
    """Return the maps in the order in which they were drawn, without the colour bars' own."""
    maps = [ax for ax in figure.axes if ax.get_position().width * figure.get_figwidth() > 2 * BAR_IN]
    return [m for ax in maps for m in ax.findobj(QuadMesh)]


def test_figures_repeat_to_the_byte_and_differ_where_the_input_does(tmp_path):
    for k, figure in enumerate((_maps(), _maps(), _maps(model_far=TRUE))):
        style.save(figure, tmp_path / f"{k}.pdf", tmp_path / f"{k}.png")
    pdf, png = ([(tmp_path / f"{k}.{suffix}").read_bytes() for k in range(3)] for suffix in ("pdf", "png"))
    assert pdf[0] == pdf[1] != pdf[2] and png[0] == png[1] != png[2]


def test_cells_lie_where_their_edges_are_and_masks_stay():
    """Slow twin: every cell by itself, rows of the mesh being v."""
    mesh = _meshes(_maps())[0]
    corners = mesh.get_coordinates()
    drawn = np.ma.asarray(mesh.get_array()).reshape(len(V) - 1, len(U) - 1)
    for i in range(len(U) - 1):
        for j in range(len(V) - 1):
            assert tuple(corners[j, i]) == (U[i], V[j])
            assert drawn.mask[j, i] if np.isnan(TRUE[i, j]) else drawn[j, i] == TRUE[i, j]


def test_masked_and_nan_look_the_same_and_a_zero_does_not():
    holes = np.ma.masked_invalid(TRUE)
    plain = _pixels(_maps())
    assert np.array_equal(_pixels(_maps(true_near=holes, model_near=np.ma.masked_invalid(MODEL))), plain)
    assert not np.array_equal(_pixels(_maps(true_near=holes.filled(0.0))), plain)


def test_truth_and_model_share_a_scale_and_differences_are_symmetric():
    meshes = _meshes(_slices())
    assert len(meshes) == 9
    for true, model, difference in zip(meshes[::3], meshes[1::3], meshes[2::3], strict=True):
        assert true.norm is model.norm and true.norm.vmin == 0.0
        assert true.norm.vmax == max(np.nanmax(TRUE), np.nanmax(MODEL))
        assert difference.norm.vmin == -difference.norm.vmax < 0
        inside = np.abs((MODEL - TRUE)[REACHED]) <= difference.norm.vmax
        assert np.mean(inside) > 0.95


def test_a_single_spike_does_not_hide_the_other_differences():
    u, v = np.linspace(0, 1, 65), np.linspace(0, 1, 65)
    true = np.ones((64, 64))
    model = true + 0.01 * np.sin(np.linspace(0, 9, 64))
    model[5, 5] = 3.0
    calm = _meshes(cross_section_slices(u, v, TICKS, [1.0], true[None], model[None]))[2].norm.vmax
    assert calm == pytest.approx(0.01, rel=0.05)


def test_the_error_is_written_where_given():
    text = _texts(_maps(rel_l2_near=0.0021))
    assert "= 0.21 %" in text and text.count("rel.") == 1


def test_ticks_outside_the_edges_are_left_out():
    figure = _maps()
    _lay_out(figure)
    lower_left = next(ax for ax in figure.axes if ax.get_xlabel())
    assert [t.get_text() for t in _shown(lower_left.xaxis)] == ["0.2", "0.5", "1", "2", "5", "10"]


def test_structure_functions_below_the_scale_are_not_white():
    """A negative model value takes the lowest colour; white would say that no neutrino reaches it."""
    model = W.copy()
    model[0, -2, 3] = -1.0
    drawn = _meshes(_structure(model=model))[1]
    values = np.ma.asarray(drawn.get_array()).reshape(len(Q2), len(X))
    assert not values.mask[3, -2] and values[3, -2] == drawn.norm.vmin
    assert np.array_equal(values.mask, np.isnan(W[0]).T)


def test_structure_scale_is_symmetric_only_where_the_truth_is_negative():
    positive, _ = scale_of(W[0], -W[0])
    signed, colours = scale_of(W[2], W[2])
    assert isinstance(positive, LogNorm) and positive.vmin == pytest.approx(1e-3 * positive.vmax)
    assert isinstance(signed, SymLogNorm) and signed.vmin == -signed.vmax and signed(0.0) == pytest.approx(0.5)
    assert colours == "RdBu_r"
    assert scale_of(W[0], W[0], decades=5)[0].vmin < positive.vmin


def test_ratio_panels_show_model_over_truth():
    lower = _total().axes[0]
    ratios = [line.get_ydata() for line in lower.lines if len(line.get_ydata()) == len(E_GEV)]
    assert np.allclose(ratios, [np.ones(40), np.full(40, 1.02), np.full(40, 0.99)])
    lo, hi = lower.get_ylim()
    assert lo < 0.99 and 1.04 < hi < 1.06
    stairs = marginals([_panel("y")]).axes[0].patches
    assert [float(np.unique(np.round(s.get_data().values, 9))[0]) for s in stairs] == [1.02, 0.99]


def test_a_model_far_off_leaves_the_ratio_panel():
    lo, hi = total_cross_section(E_GEV, SIGMA, {"near": 1.02 * SIGMA, "far": 50.0 * SIGMA}).axes[0].get_ylim()
    assert 1.02 < hi < 1.2 and lo > 0.8


def test_marginal_without_truth_draws_no_ratio_there():
    true = np.where(np.arange(30) < 15, 1.0, 0.0)
    lower = marginals([_panel("y", true_near=true, model_near=true)]).axes[0]
    drawn = lower.patches[0].get_data().values
    assert np.all(drawn[:15] == 1.0) and np.all(np.isnan(drawn[15:]))


def test_the_kept_step_is_marked_on_the_training_curve():
    kept = training_losses({"a": {"step": STEP, "train_loss": 1.0 / STEP, "best_step": 30}}).axes[0].lines
    lowest = training_losses({"a": {"step": STEP, "train_loss": 1.0 / STEP}}).axes[0].lines
    assert kept[-1].get_xdata() == [30] and lowest[-1].get_xdata() == [100]
    assert kept[-1].get_ydata() == [1.0 / 30]


def test_a_test_loss_known_at_few_steps_is_one_line():
    few = np.array([1, 3, 10, 40, 100])
    curve = {"step": STEP, "train_loss": 1.0 / STEP, "test_step": few, "test_loss": 2.0 / few}
    line = training_losses({"a": curve}).axes[0].lines[2]
    np.testing.assert_array_equal(line.get_xdata(), few)
    assert np.all(np.isfinite(line.get_ydata()))


def test_a_legend_is_as_high_as_its_fullest_column():
    texts, columns, height_in = legend_shape(["a", "b", LONG], 3.3)
    assert columns == 1 and texts[2].count("\n") == 1 and height_in == pytest.approx(4 * 0.15 + 0.1)
    assert legend_shape(["a", "b", "c"], 7.0)[1:] == (3, pytest.approx(0.25))


def _texts(figure) -> str:
    return "\n".join(t.get_text() for t in figure.findobj(matplotlib.text.Text) if t.get_visible())


BAD = {
    "true_near": lambda: _maps(true_near=TRUE.T),
    "model_far": lambda: _maps(model_far=MODEL[:-1]),
    "infinite": lambda: _maps(true_far=np.inf * TRUE),
    "give two, of the near": lambda: _maps(labels=("near",)),
    "u_edges must hold": lambda: density_maps(U[::-1], V, TICKS, TRUE, MODEL, TRUE, MODEL),
    "rel_l2_near": lambda: _maps(rel_l2_near=[0.1, 0.2]),
    "model has shape": lambda: cross_section_slices(U, V, TICKS, [1.0], TRUE[None], np.stack([TRUE, TRUE])),
    "enu_gev": lambda: cross_section_slices(U, V, TICKS, [], TRUE[None], TRUE[None]),
    "panels is empty": lambda: marginals([]),
    "lacks model_far": lambda: marginals([{k: v for k, v in _panel("y").items() if k != "model_far"}]),
    "unknown band;": lambda: marginals([_panel("y", band=np.ones((2, 30)))]),
    "true_far of 'y'": lambda: marginals([_panel("y", true_far=np.ones(3))]),
    "logarithmic axis": lambda: marginals([_panel("x", log=True, edges=np.linspace(0.0, 1.0, 31))]),
    "model 'mlp'": lambda: _total(models={"mlp": SIGMA[:3]}),
    "which no model has": lambda: _total(bands={"other": (SIGMA, SIGMA)}),
    "true must be positive": lambda: total_cross_section(E_GEV, 0.0 * SIGMA, {}),
    "flux has shape": lambda: _total(flux=SIGMA[:3]),
    "lacks train_loss": lambda: training_losses({"a": {"step": STEP}}),
    "train_loss of training 'a' has shape": lambda: training_losses({"a": {"step": STEP, "train_loss": [1.0]}}),
    "must be positive and finite": lambda: training_losses({"a": {"step": STEP, "train_loss": -1.0 * STEP}}),
    "has test_loss without test_step": lambda: training_losses(
        {"a": {"step": STEP, "train_loss": 1.0 / STEP, "test_loss": 1.0 / STEP}}
    ),
    "best_step 0.5 of training 'a'": lambda: training_losses({"a": {"step": STEP, "train_loss": 1.0 / STEP, "best_step": 0.5}}),
    "count steps from one": lambda: training_losses({"a": {"step": STEP - 1, "train_loss": 1.0 / STEP}}),
    "weighted_true has shape": lambda: _structure(weighted_true=W[:2]),
    "names is empty": lambda: _structure(names=()),
    "headings of blocks": lambda: _structure(blocks=("one",)),
    "decades is 0": lambda: _structure(decades=0),
    "x_nodes starts at 0": lambda: structure_functions(X - X[0], Q2, W, W, W, W),
    "coverage of 'a'": lambda: band_coverage([0.68, 0.95], {"a": [0.7]}),
    "within 0 .. 1": lambda: band_coverage([0.68], {"a": [70.0]}),
    "band has shape": lambda: band_coverage([0.68], {"a": [0.7]}, ([0.6, 0.7], [0.7, 0.8])),
    "must not be negative": lambda: band_coverage([0.68], {"a": [0.7]}, errors={"a": [-0.1]}),
    "without a coverage": lambda: band_coverage([0.68], {"a": [0.7]}, errors={"b": [0.1]}),
    "seconds of 'a'": lambda: cost_curves([1, 2], {"a": [1.0]}),
    "numbers of cells must be positive": lambda: cost_curves([1, 2], {"a": [0.0, 1.0]}),
    "names no two": lambda: cost_curves([1, 2], {"a": [1.0, 2.0]}, ("a", "b")),
}


@pytest.mark.parametrize("message", BAD)
def test_what_does_not_fit_is_refused_in_words(message):
    with pytest.raises(InputError, match=message):
        BAD[message]()


def test_field_keeps_what_is_masked_as_nan():
    values = field("a", np.ma.masked_greater(np.array([1.0, 2.0, np.nan]), 1.5), (3,))
    assert values[0] == 1.0 and np.all(np.isnan(values[1:]))

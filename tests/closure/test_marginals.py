"""Distributions in one variable: against point-by-point loops and against the cross section at every quadrature node."""

import numpy as np
import pytest

from nuinfer.closure.comparison import hat_integrals
from nuinfer.closure.marginals import LABELS, Axis, default_axes, marginal_counts, marginal_panels, marginals
from nuinfer.closure.observables import LeptonGrid
from nuinfer.closure.quadrature import energy_nodes
from nuinfer.closure.truth import direct_counts
from nuinfer.errors import InputError
from nuinfer.physics.cross_section import combination_prefactors
from nuinfer.physics.kinematics import bjorken_x, inelasticity, q2_gev2


def by_name(problem, by_knot=None, axes=None) -> dict:
    by_knot = problem.truth if by_knot is None else by_knot
    return {d["name"]: d for d in marginals(by_knot, problem.flux, problem.knots_gev, problem.grid, problem.mass_gev, axes)}


def test_all_events_are_shown(problem):
    found = by_name(problem)
    assert list(found) == list(LABELS)
    for name, panel in found.items():
        shown = float(panel["density"] @ np.diff(panel["edges"]))
        assert shown == pytest.approx(1.0 - panel["outside"], abs=1e-12)
        assert abs(panel["outside"]) < (2e-3 if name in ("x", "y", "q2") else 1e-12), name
        assert np.all(panel["density"] >= 0) and panel["density"].max() > 0


def test_lepton_variables_are_sums_of_bins(problem):
    found, grid = by_name(problem), problem.grid
    counts = (problem.flux @ problem.truth).reshape(grid.shape) / float((problem.flux @ problem.truth).sum())
    assert found["el"]["edges"] == pytest.approx(grid.el_gev(grid.u_edges))
    assert found["el"]["density"] * np.diff(found["el"]["edges"]) == pytest.approx(counts.sum(axis=1))
    assert found["cos_theta"]["edges"] == pytest.approx(grid.cos_theta(grid.v_edges)[::-1], abs=1e-15)
    assert found["cos_theta"]["density"] * np.diff(found["cos_theta"]["edges"]) == pytest.approx(counts.sum(axis=0)[::-1])
    # Edges inside bins cut them in proportion.
    cut = by_name(problem, axes=[Axis("cos_theta", np.array([-1.0, 0.3, 1.0]))])["cos_theta"]
    below = sum(
        c * np.clip((0.3 - low) / (high - low), 0, 1)
        for c, low, high in zip(
            counts.sum(axis=0), grid.cos_theta(grid.v_edges[1:]), grid.cos_theta(grid.v_edges[:-1]), strict=True
        )
    )
    assert cut["density"][0] * 1.3 == pytest.approx(below, rel=1e-12)


def test_neutrino_energies_follow_the_hats(problem):
    panel = by_name(problem)["enu"]
    knots = problem.knots_gev
    rate = problem.flux * problem.truth.sum(axis=1) / hat_integrals(knots)
    fine = np.linspace(knots[0], knots[-1], 400001)
    middle = 0.5 * (fine[1:] + fine[:-1])
    slow, _ = np.histogram(middle, panel["edges"], weights=np.interp(middle, knots, rate))
    assert panel["density"] * np.diff(panel["edges"]) == pytest.approx(slow / slow.sum(), rel=1e-5, abs=1e-9)
    part = by_name(problem, axes=[Axis("enu", np.array([0.1, 2.0, 9.0]))])["enu"]
    assert part["density"] @ [1.9, 7.0] == pytest.approx(1.0)


def test_the_variables_within_cells_against_a_loop(problem):
    """One point at a time, from the definition of how a cell's events are spread."""
    knots, grid, mass = problem.knots_gev, problem.grid, problem.mass_gev
    axes = [a for a in default_axes(knots, grid, mass, n=12) if a.name in ("x", "y", "q2")]
    nodes, weights = np.polynomial.legendre.leggauss(3)
    points = grid.points(2)
    el, cos = points.el_gev.reshape(grid.n_bins, 4), points.cos_theta.reshape(grid.n_bins, 4)
    phase = points.weight.reshape(grid.n_bins, 4)
    found = marginal_counts(problem.truth[None], knots, grid, mass, axes)
    for k in (1, 4, 11):
        slow = [np.zeros(12) for _ in axes]
        energies = []
        for low, high in ((k - 1, k), (k, k + 1)):
            if low >= 0 and high < knots.size:
                e = 0.5 * (knots[low] + knots[high]) + 0.5 * (knots[high] - knots[low]) * nodes
                hat = 1 - np.abs(e - knots[k]) / (knots[high] - knots[low])
                energies += zip(e, hat * weights * (knots[high] - knots[low]), strict=True)
        for b in range(grid.n_bins):
            kept = []
            for s in range(4):
                for enu, w in energies:
                    if enu > el[b, s] and (x := float(bjorken_x(enu, el[b, s], cos[b, s], mass))) <= 1:
                        values = (x, 1 - el[b, s] / enu, float(q2_gev2(enu, el[b, s], cos[b, s])))
                        kept.append((values, w * phase[b, s]))
            volume = sum(v for _, v in kept)
            for values, v in kept:
                for axis, value, count in zip(axes, values, slow, strict=True):
                    place = int(np.searchsorted(axis.edges, value)) - 1
                    if 0 <= place < 12:
                        count[place] += problem.truth[k, b] * v / volume
        for count, s in zip(found, slow, strict=True):
            assert count[0, k] == pytest.approx(s, rel=1e-9, abs=1e-12 * s.max())
            assert s.sum() > 0


def test_against_the_cross_section_at_every_quadrature_node(toy, problem):
    """The spread within cells of a 48 x 48 grid moves few events to other bins; a shift by one bin moves many."""
    knots, mass, grid = np.linspace(1.0, 4.0, 25), problem.mass_gev, LeptonGrid(48, 48, 4.0)
    flux = np.exp(-0.5 * ((knots - 2.5) / 0.7) ** 2)
    axes = [Axis("x", np.linspace(0, 1, 13)), Axis("y", np.linspace(0, 1, 13)), Axis("q2", np.geomspace(0.02, 7.5, 13))]
    found = marginals(direct_counts(toy(), grid, knots, mass), flux, knots, grid, mass, axes)
    points, slow = grid.points(2), [np.zeros(12) for _ in axes]
    for nodes in energy_nodes(points, knots, mass):
        el, cos, enu = points.el_gev[nodes.point], points.cos_theta[nodes.point], nodes.enu_gev
        x, q2 = bjorken_x(enu, el, cos, mass), q2_gev2(enu, el, cos)
        rate = (combination_prefactors(enu, el, cos, mass) * toy()(x, q2)).sum(axis=0)
        rate *= nodes.weight * points.weight[nodes.point] * np.interp(enu, knots, flux)
        for axis, values, count in zip(axes, (x, inelasticity(enu, el), q2), slow, strict=True):
            count += np.histogram(values, axis.edges, weights=rate)[0]
    for panel, s in zip(found, slow, strict=True):
        shares = panel["density"] * np.diff(panel["edges"])
        direct = s / s.sum() * shares.sum()
        assert np.abs(shares - direct).sum() < 0.035, panel["name"]
        assert np.abs(np.roll(shares, 1) - direct).sum() > 0.2, panel["name"]


def test_counts_are_linear_in_the_flux_and_models_are_independent(problem):
    knots, grid, mass = problem.knots_gev, problem.grid, problem.mass_gev
    axes = default_axes(knots, grid, mass, n=10)
    other = problem.truth * np.linspace(0.5, 2, knots.size)[:, None]
    for i, counts in enumerate(marginal_counts(np.stack([problem.truth, other]), knots, grid, mass, axes)):
        for by_knot, c in zip((problem.truth, other), counts, strict=True):
            alone = marginals(by_knot, problem.flux, knots, grid, mass, axes)[i]
            density = problem.flux @ c / np.diff(axes[i].edges) / (problem.flux @ by_knot).sum()
            assert density == pytest.approx(alone["density"], rel=1e-12)
        assert counts[1] == pytest.approx(counts[0] * np.linspace(0.5, 2, knots.size)[:, None], rel=1e-12)


def test_panels_hold_what_the_figure_draws(problem):
    from nuinfer.figures.closure_marginals import marginals as draw

    model = problem.truth * np.linspace(0.9, 1.1, problem.knots_gev.size)[:, None]
    far = problem.flux * np.linspace(1, 0, problem.knots_gev.size)
    panels = marginal_panels(problem.truth, model, problem.flux, far, problem.knots_gev, problem.grid, problem.mass_gev)
    assert len(draw(panels).axes) == 12
    near = by_name(problem, model)
    for panel, name in zip(panels, LABELS, strict=True):
        assert panel["model_near"] == pytest.approx(near[name]["density"], rel=1e-12)
        assert not np.allclose(panel["true_far"], panel["true_near"], rtol=1e-3)


def test_bad_input_is_named(problem):
    knots, grid, mass = problem.knots_gev, problem.grid, problem.mass_gev
    with pytest.raises(InputError, match="unknown variable 'w'"):
        Axis("w", np.array([0.0, 1.0]))
    with pytest.raises(InputError, match="edges of 'x' must increase"):
        Axis("x", np.array([1.0, 0.0]))
    with pytest.raises(InputError, match="12 knots, 64 bins"):
        marginal_counts(problem.truth, knots, grid, mass, [])
    with pytest.raises(InputError, match="events sum to 0"):
        marginals(problem.truth, 0 * knots, knots, grid, mass, [Axis("enu", knots)])

"""An experiment from its configuration entry: flux, oscillation, mesh and truth, and every fault of its files named."""

import copy
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from parton_grids import FLAVOURS, write_set

from nuinfer.closure.experiment import (
    LEAST_Q2_GEV2,
    far_flux,
    make_experiment,
    make_mesh,
    refined_knots,
    truth_functions,
)
from nuinfer.closure.operator import build_operator
from nuinfer.closure.truth import direct_counts
from nuinfer.errors import InputError
from nuinfer.oscillation.nufast import NUFIT60_NO_WITH_SK, numu_survival
from nuinfer.physics.parton_model import structure_functions
from nuinfer.physics.partons import LesHouchesToy
from nuinfer.physics.structure_function_forms import rescaled_combinations

ROWS = [(0.0, 0.5, 1.0), (0.5, 1.0, 3.0), (1.0, 2.0, 6.0), (2.0, 4.0, 2.0)]
HEADER = "# units: nu/m^2/GeV/POT\n"


def flux_file(folder: Path, rows=ROWS, header: str = HEADER) -> Path:
    path = folder / "flux.csv"
    lines = [",".join(map(str, (*row, 0.5))) for row in rows]
    path.write_text(header + "enu_lo_gev,enu_hi_gev,numu,numubar\n" + "\n".join(lines) + "\n")
    return path


def settings(**changes) -> dict:
    plain = {
        "flux": {"column": "numu", "per_bin": False},
        "antineutrino": False,
        "enu_range_gev": [0.3, 3.5],
        "target": {"z": 18, "a": 40, "nuclear_mass_gev": 37.215526},
        "partons": {"set": "les_houches_toy"},
        "f1": "callan_gross",
        "sf_scaling": "consistent",
        "grid": {"n_u": 6, "n_v": 5, "points_per_axis": 2},
        "mesh": {"n_x": 16, "n_q2": 16},
        "phase_gev": 4.5,
    }
    return copy.deepcopy(plain) | changes


@pytest.fixture
def experiment(tmp_path):
    return make_experiment(settings(), flux_file(tmp_path))


def test_fluxes(experiment):
    knots, near = experiment.knots_gev, experiment.near_flux
    assert knots[0] == 0.3 and knots[-1] == 3.5
    assert np.trapezoid(near, knots) == pytest.approx(1.0, rel=1e-12)
    # The table's centres, where the density's slope changes, are knots.
    assert all(np.min(np.abs(knots - centre)) < 1e-12 for centre in (0.75, 1.5, 3.0))
    slow = np.interp(knots, [0.25, 0.75, 1.5, 3.0, 3.5], [1.0, 3.0, 6.0, 2.0, 2.0])
    np.testing.assert_allclose(near / near[0], slow / slow[0], rtol=1e-12)
    assert experiment.mass_gev == pytest.approx(0.930388, abs=1e-6)
    assert experiment.grid.shape == (6, 5) and experiment.grid.el_max_gev == 3.5


def test_far_flux_is_the_near_times_the_survival_probability(experiment, tmp_path):
    point = asdict(NUFIT60_NO_WITH_SK)
    found = far_flux(experiment, point)
    # Knots so close that the probability is linear in between: values at them and least squares are the same.
    fine = refined_knots(experiment, 20)
    np.testing.assert_array_equal(fine.knots_gev[::20], experiment.knots_gev)
    survival = numu_survival(NUFIT60_NO_WITH_SK, fine.knots_gev)
    np.testing.assert_allclose(far_flux(fine, point), fine.near_flux * survival, rtol=0, atol=1e-3 * found.max())
    assert found.shape == experiment.knots_gev.shape and found.min() >= 0.0
    assert 0.1 < np.trapezoid(found, experiment.knots_gev) < 0.9
    other = make_experiment(settings(antineutrino=True), flux_file(tmp_path))
    assert np.abs(far_flux(other, point) - found).max() > 1e-4
    close = far_flux(experiment, {**point, "baseline_km": 1.0})
    np.testing.assert_allclose(close, experiment.near_flux, rtol=1e-3)


def test_a_slower_oscillation_needs_fewer_knots(experiment, tmp_path):
    slow = make_experiment(settings(phase_gev=0.5), flux_file(tmp_path))
    assert slow.knots_gev.size < experiment.knots_gev.size


def test_knots_resolve_the_oscillation(experiment):
    phase = 1.267 * NUFIT60_NO_WITH_SK.dm31_ev2 * NUFIT60_NO_WITH_SK.baseline_km
    step = np.diff(phase / experiment.knots_gev)
    assert np.all((np.abs(step) < 0.11) | (np.diff(experiment.knots_gev) < 0.0201))


def test_mesh_covers_the_phase_space(experiment):
    mesh = make_mesh(experiment, 16, 14)
    assert mesh.shape == (16, 14)
    assert mesh.x[0] <= 2e-3 and mesh.x[-1] == 1.0
    assert mesh.q2_gev2[0] == LEAST_Q2_GEV2
    assert mesh.q2_gev2[-1] == pytest.approx(2 * experiment.mass_gev * 3.5)
    # Denser where events are than at low x.
    spacing = np.diff(np.log(mesh.x))
    assert spacing[mesh.x[:-1] > 0.1].mean() < 0.7 * spacing[mesh.x[1:] < 0.02].mean()


def test_truth_functions(experiment):
    x, q2 = np.array([0.05, 0.3, 0.8]), np.array([0.3, 1.0, 4.0])
    found = truth_functions(settings(), experiment)(x, q2)
    five = structure_functions(LesHouchesToy(), x, q2, 18, 40, False)
    np.testing.assert_allclose(found, rescaled_combinations(five, x, q2, experiment.mass_gev, False), rtol=1e-12)
    for changes in ({"sf_scaling": "uniform_A"}, {"f1": "spin_sum"}):
        assert not np.allclose(truth_functions(settings(**changes), experiment)(x, q2), found, rtol=1e-2)


def test_antineutrinos_have_a_truth_of_their_own(experiment, tmp_path):
    other = make_experiment(settings(antineutrino=True), flux_file(tmp_path))
    x, q2 = np.array([0.05, 0.3, 0.8]), np.array([0.3, 1.0, 4.0])
    neutrino, found = (truth_functions(settings(), e)(x, q2) for e in (experiment, other))
    five = structure_functions(LesHouchesToy(), x, q2, 18, 40, True)
    np.testing.assert_allclose(found, rescaled_combinations(five, x, q2, other.mass_gev, True), rtol=1e-12)
    assert not np.allclose(found, neutrino, rtol=1e-2)


def test_operator_of_the_mesh_reproduces_the_truth(experiment):
    mesh = make_mesh(experiment, 24, 24)
    functions = truth_functions(settings(), experiment)
    operator = build_operator(experiment.grid, mesh, experiment.knots_gev, experiment.mass_gev)
    far = far_flux(experiment, asdict(NUFIT60_NO_WITH_SK))
    true = far @ direct_counts(functions, experiment.grid, experiment.knots_gev, experiment.mass_gev)
    found = operator.matrix(far) @ functions(*mesh.points).T.ravel()
    assert np.linalg.norm(found - true) < 3e-3 * np.linalg.norm(true)


# Faults


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (ROWS[:1] + ROWS[2:], HEADER, r"flux\.csv: gap or overlap between bins 0 \(to 0\.5 GeV\) and 1 \(from 1 GeV\)"),
        ([*ROWS[:2], (0.9, 2.0, 6.0), ROWS[3]], HEADER, r"gap or overlap between bins 1"),
        ([*ROWS[:2], (1.0, 2.0, -6.0), ROWS[3]], HEADER, r"column numu: .*not negative, but is -6\.0 in bin 2 \(1-2 GeV\)"),
        ([*ROWS[:2], (1.0, 2.0, "nan"), ROWS[3]], HEADER, r"must be finite .* is nan in bin 2 .*mend that row"),
        ([*ROWS[:2], (1.0, 2.0, "many"), ROWS[3]], HEADER, r"flux\.csv: line 5 is not a row of numbers"),
        (ROWS, "# units: barn\n", r"flux\.csv.*: unknown units 'barn'; known: an area"),
        (ROWS, "# units: nu/m^2/POT\n", r"have no energy; give those of a density"),
        (ROWS, "", r"the header has no 'units' line"),
        ([(lo * 1000, hi * 1000, v) for lo, hi, v in ROWS], HEADER, r"edges must be in GeV and these look like MeV"),
        ([(lo, hi, 0.0) for lo, hi, _ in ROWS], HEADER, r"the flux is zero everywhere"),
    ],
)
def test_a_bad_flux_file_is_named(tmp_path, rows, header, message):
    with pytest.raises(InputError, match=message):
        make_experiment(settings(), flux_file(tmp_path, rows, header))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"enu_range_gev": [0.3, 5.0]}, r"energy range 0\.3-5 GeV is not within the flux table's 0-4 GeV; narrow it"),
        ({"enu_range_gev": [0.0, 3.0]}, r"must be positive and increasing, not 0-3 GeV"),
        ({"enu_range_gev": [3.0, 1.0]}, r"must be positive and increasing, not 3-1 GeV"),
        ({"flux": {"column": "nue", "per_bin": False}}, r"no flux column 'nue'; found enu_lo_gev, enu_hi_gev, numu, numubar"),
        (
            {"flux": {"column": "numu", "per_bin": False, "units": "nu/cm^2/GeV/POT"}},
            r"given as 'nu/cm\^2/GeV/POT' but the file's header says 'nu/m\^2/GeV/POT'",
        ),
        ({"flux": {"column": "numu", "per_bin": True}}, r"contents per bin have units without an energy"),
        ({"grid": {"n_u": 0, "n_v": 5, "points_per_axis": 2}}, r"grid: n_u = 0 and n_v = 5 must be at least 1"),
    ],
)
def test_a_setting_that_does_not_fit_the_flux_is_named(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        make_experiment(settings(**changes), flux_file(tmp_path))


def test_a_missing_flux_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.csv: no such file"):
        make_experiment(settings(), tmp_path / "gone.csv")


def test_faults_of_the_truth_are_named(experiment, tmp_path):
    few = write_set(tmp_path / "few", tuple(f for f in FLAVOURS if abs(f) != 4))
    cut = write_set(tmp_path / "cut", drop=3)
    good = write_set(tmp_path / "good")
    for partons, message in (
        ({"set": "MadeUp", "folder": str(few)}, r"no partons \[-4, 4\]; .*at least four flavours"),
        ({"set": "MadeUp", "folder": str(cut)}, r"does not end with '---': the file is incomplete"),
        ({"set": "MadeUp", "folder": str(good), "member": 3}, r"for member 3; choose one that is there"),
        ({"set": "NoSuch", "folder": str(good)}, r"parton set NoSuch: no NoSuch/NoSuch\.info; looked in"),
    ):
        with pytest.raises(InputError, match=message):
            truth_functions(settings(partons=partons), experiment)
    with pytest.raises(InputError, match=r"sf_scaling: 'none' is not one of consistent, uniform_A"):
        truth_functions(settings(sf_scaling="none"), experiment)
    grid = truth_functions(settings(partons={"set": "MadeUp", "folder": str(good)}), experiment)
    assert np.all(np.isfinite(grid(np.array([0.1, 1.0]), np.array([1.0, 2.0]))))

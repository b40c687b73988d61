"""NuFast against diagonalisation of the Hamiltonian, published-parameter reference values, and its limits."""

from dataclasses import fields, replace

import numpy as np
import pytest

from nuinfer.errors import InputError
from nuinfer.oscillation.nufast import (
    FLAVOURS,
    MATTER_EV2_PER_GEV,
    NUFIT60_NO_WITH_SK,
    NUFIT60_NO_WITHOUT_SK,
    PHASE_GEV_PER_EV2_KM,
    Oscillation,
    numu_survival,
    probability,
    probability_matrix,
)

EXAMPLE = Oscillation(0.31, 0.02, 0.55, 0.7 * np.pi, 7.5e-5, 2.5e-3, 1300.0, 3.0, 0.5)
INVERTED = replace(NUFIT60_NO_WITH_SK, dm31_ev2=-2.41e-3, delta_cp_rad=4.7)
SETS = (EXAMPLE, replace(NUFIT60_NO_WITH_SK, density_g_cm3=3.0), replace(NUFIT60_NO_WITHOUT_SK, density_g_cm3=3.0), INVERTED)
ENU_GEV = np.geomspace(0.25, 20.0, 120)


def mixing_matrix(o: Oscillation, delta: float) -> np.ndarray:
    s12, s13, s23 = np.sqrt([o.sin2_theta12, o.sin2_theta13, o.sin2_theta23])
    c12, c13, c23 = np.sqrt([1 - o.sin2_theta12, 1 - o.sin2_theta13, 1 - o.sin2_theta23])
    atmospheric = np.array([[1, 0, 0], [0, c23, s23], [0, -s23, c23]])
    reactor = np.array([[c13, 0, s13 * np.exp(-1j * delta)], [0, 1, 0], [-s13 * np.exp(1j * delta), 0, c13]])
    return atmospheric @ reactor @ np.array([[c12, s12, 0], [-s12, c12, 0], [0, 0, 1]])


def exact(o: Oscillation, enu_gev: np.ndarray, antineutrino: bool = False) -> np.ndarray:
    """The slow twin: eigenvectors of the Hamiltonian, one energy at a time; ``(from, to, n_enu)``."""
    out = np.empty((3, 3, len(enu_gev)))
    sign = -1 if antineutrino else 1
    u = mixing_matrix(o, sign * o.delta_cp_rad)
    for i, enu in enumerate(enu_gev):
        potential = sign * MATTER_EV2_PER_GEV * o.electron_fraction * o.density_g_cm3 * enu
        h = u @ np.diag([0, o.dm21_ev2, o.dm31_ev2]) @ u.conj().T + np.diag([potential, 0, 0])
        values, v = np.linalg.eigh(h)
        s = v @ np.diag(np.exp(-2j * PHASE_GEV_PER_EV2_KM * o.baseline_km * values / enu)) @ v.conj().T
        out[:, :, i] = np.abs(s.T) ** 2
    return out


def worst(o: Oscillation, antineutrino: bool, newton: int) -> float:
    ours = np.array(probability_matrix(o, ENU_GEV, antineutrino, newton))
    return np.abs(ours - exact(o, ENU_GEV, antineutrino)).max()


@pytest.mark.parametrize("antineutrino", [False, True])
@pytest.mark.parametrize("o", SETS, ids=["example", "with SK", "without SK", "inverted"])
def test_all_channels_are_the_eigensolution(o: Oscillation, antineutrino: bool) -> None:
    assert worst(o, antineutrino, 2) < 1e-12


@pytest.mark.parametrize(("antineutrino", "bounds"), [(False, (3e-5, 2e-8)), (True, (3e-6, 1e-11))])
def test_error_falls_with_newton_steps(antineutrino: bool, bounds: tuple[float, float]) -> None:
    errors = [max(worst(o, antineutrino, n) for o in SETS[:3]) for n in (0, 1, 2)]
    assert errors[0] < bounds[0] and errors[1] < bounds[1]
    # Without a step the algorithm must differ visibly, or the comparison above could not fail.
    assert errors[0] > 1e-7 and errors[0] > 100 * errors[1]


def test_reference_values() -> None:
    """Computed independently with the published algorithm's constants, at its example's parameters and at NuFIT 6.0."""
    channels = {("e", "e"): 0.880588759945, ("e", "mu"): 0.078037006865, ("mu", "e"): 0.053761787817}
    channels |= {("mu", "mu"): 0.005903304085, ("tau", "tau"): 0.018290858712}
    for (a, b), value in channels.items():
        assert probability(EXAMPLE, 2.5, a, b) == pytest.approx(value, abs=1e-12)
    assert probability(EXAMPLE, 2.5, "mu", "e", newton=0) == pytest.approx(0.053761020652, abs=1e-12)
    assert probability(EXAMPLE, 2.5, "mu", "mu", newton=0) == pytest.approx(0.005903280203, abs=1e-12)
    assert probability(EXAMPLE, 2.5, "mu", "e", antineutrino=True) == pytest.approx(0.032369541089, abs=1e-12)
    assert probability(EXAMPLE, 2.5, "mu", "mu", antineutrino=True) == pytest.approx(0.009074400852, abs=1e-12)


@pytest.mark.parametrize(
    ("density", "values"),
    [
        (2.848, [0.088970979216, 0.359763119659, 0.201612753204, 0.010490639383, 0.053623390973, 0.476805737901]),
        (3.0, [0.089076838789, 0.35937447796, 0.20112761606, 0.010362286809, 0.053638385892, 0.476883409598]),
        (0.0, [0.088912511185, 0.363211676663, 0.208224238985, 0.012813120799, 0.054117334129, 0.476198899221]),
    ],
)
def test_numu_survival_reference_values(density: float, values: list[float]) -> None:
    o = replace(NUFIT60_NO_WITHOUT_SK, density_g_cm3=density)
    np.testing.assert_allclose(numu_survival(o, np.array([0.5, 1, 2, 2.5, 3, 5])), values, rtol=0, atol=1e-11)


def test_splitting_is_dm31_and_its_sign_the_ordering() -> None:
    """In vacuum by the textbook sum over mass states; reading the number as dm32 gives another answer."""
    for dm31 in (2.513e-3, -2.41e-3):
        o = replace(NUFIT60_NO_WITH_SK, dm31_ev2=dm31, density_g_cm3=0.0)
        u2 = np.abs(mixing_matrix(o, o.delta_cp_rad)[1]) ** 2
        pairs = ((0, 1, o.dm21_ev2), (0, 2, dm31), (1, 2, dm31 - o.dm21_ev2))
        phase = PHASE_GEV_PER_EV2_KM * o.baseline_km / ENU_GEV
        textbook = 1 - 4 * sum(u2[i] * u2[j] * np.sin(phase * d) ** 2 for i, j, d in pairs)
        np.testing.assert_allclose(numu_survival(o, ENU_GEV), textbook, rtol=0, atol=1e-12)
        np.testing.assert_allclose(exact(o, ENU_GEV)[1, 1], textbook, rtol=0, atol=1e-12)
        as_dm32 = numu_survival(o, ENU_GEV, dm31_ev2=dm31 + o.dm21_ev2)
        assert np.abs(as_dm32 - textbook).max() > 0.01


def test_probabilities_sum_to_one_and_orderings_differ_in_matter() -> None:
    matrix = np.array(probability_matrix(NUFIT60_NO_WITH_SK, ENU_GEV))
    np.testing.assert_allclose(matrix.sum(0), 1, atol=1e-12)
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-12)
    assert matrix.min() > -1e-12 and matrix.max() < 1 + 1e-12
    normal, inverted = (probability(o, 2.5, "mu", "e") for o in (NUFIT60_NO_WITH_SK, INVERTED))
    assert normal > 1.3 * inverted
    assert probability(NUFIT60_NO_WITH_SK, 2.5, "mu", "e", True) < probability(INVERTED, 2.5, "mu", "e", True)
    assert numu_survival(NUFIT60_NO_WITH_SK, 1e6) == pytest.approx(1.0, abs=1e-6)


def test_arrays_of_parameters_are_the_loop_over_them(rng: np.random.Generator) -> None:
    enu = np.array([0.7, 2.5, 6.0])
    s23, dm31 = rng.uniform(0.35, 0.65, (4, 1)), rng.uniform(2.3e-3, 2.75e-3, 5)
    table = numu_survival(NUFIT60_NO_WITH_SK, enu, s23, dm31)
    assert table.shape == (4, 5, 3)
    values = {f.name: rng.uniform(0.9, 1.1, 6) * getattr(EXAMPLE, f.name) for f in fields(Oscillation)}
    many = np.array(probability_matrix(Oscillation(**values), enu, antineutrino=True))
    assert many.shape == (3, 3, 6, 3)
    for i in range(4):
        for j in range(5):
            one = replace(NUFIT60_NO_WITH_SK, sin2_theta23=s23[i, 0], dm31_ev2=dm31[j])
            np.testing.assert_allclose(table[i, j], exact(one, enu)[1, 1], rtol=0, atol=1e-12)
            np.testing.assert_allclose(table[i, j], probability(one, enu, "mu", "mu"), rtol=0, atol=1e-14)
    for k in range(6):
        one = Oscillation(**{name: v[k] for name, v in values.items()})
        np.testing.assert_allclose(many[:, :, k], exact(one, enu, antineutrino=True), rtol=0, atol=1e-12)
    assert probability(EXAMPLE, 2.5, "mu", "tau").shape == ()


def package_probabilities(o: Oscillation, antineutrino: bool, baseline_km_to_inverse_ev: float) -> np.ndarray:
    """Return ``(from, to, n_enu)`` of nuoscprobexact (arXiv:1904.12391), which has no eigenvectors and no NuFast in it.

    It takes the potential in eV as an input, here half of ours over the energy; for antineutrinos the potential and delta_cp
    change sign.
    """
    reason = "needs the package nuoscprobexact"
    hamiltonians = pytest.importorskip("hamiltonians3nu", reason=reason)
    package = pytest.importorskip("oscprob3nu", reason=reason)
    sines = np.sqrt([o.sin2_theta12, o.sin2_theta23, o.sin2_theta13])
    sign = -1 if antineutrino else 1
    vacuum = hamiltonians.hamiltonian_3nu_vacuum_energy_independent(*sines, sign * o.delta_cp_rad, o.dm21_ev2, o.dm31_ev2)
    potential_ev = sign * 0.5e-9 * MATTER_EV2_PER_GEV * o.electron_fraction * o.density_g_cm3
    baseline = o.baseline_km * baseline_km_to_inverse_ev
    found = [
        package.probabilities_3nu(hamiltonians.hamiltonian_3nu_matter(vacuum, 1e9 * enu, potential_ev), baseline)
        for enu in ENU_GEV
    ]
    return np.moveaxis(np.array(found).reshape(-1, 3, 3), 0, -1)


@pytest.mark.parametrize("antineutrino", [False, True])
@pytest.mark.parametrize("o", SETS, ids=["example", "with SK", "without SK", "inverted"])
def test_an_independent_package_agrees(o: Oscillation, antineutrino: bool) -> None:
    ours = np.array(probability_matrix(o, ENU_GEV, antineutrino))
    same_unit = package_probabilities(o, antineutrino, 4e9 * PHASE_GEV_PER_EV2_KM)
    np.testing.assert_allclose(ours, same_unit, rtol=0, atol=1e-12)
    # With the package's own hbar c, which differs in the seventh digit.
    own_unit = package_probabilities(o, antineutrino, pytest.importorskip("globaldefs").CONV_KM_TO_INV_EV)
    np.testing.assert_allclose(ours, own_unit, rtol=0, atol=2e-6)
    # Neutrinos taken for antineutrinos do not agree.
    assert np.abs(ours - package_probabilities(o, not antineutrino, 4e9 * PHASE_GEV_PER_EV2_KM)).max() > 0.01


def test_bad_input_is_named() -> None:
    for enu in (0.0, -2.5, np.nan, np.array([1.0, np.inf])):
        with pytest.raises(InputError, match="enu_gev must be positive"):
            numu_survival(EXAMPLE, enu)
    with pytest.raises(InputError, match="unknown flavour 'muon'; known: e, mu, tau"):
        probability(EXAMPLE, 1.0, "muon", FLAVOURS[0])
    with pytest.raises(InputError, match="Newton steps"):
        numu_survival(EXAMPLE, 1.0, newton=-1)
    for name, value, message in (
        ("sin2_theta23", 1.2, "between 0 and 1"),
        ("dm31_ev2", 0.0, "not zero"),
        ("dm21_ev2", -7e-5, "positive"),
        ("density_g_cm3", -1.0, "not negative"),
        ("baseline_km", 0.0, "positive"),
        ("delta_cp_rad", np.nan, "finite"),
    ):
        with pytest.raises(InputError, match=f"{name} must be .*{message}"):
            replace(EXAMPLE, **{name: value})

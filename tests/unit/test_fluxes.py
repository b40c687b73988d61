"""Flux tables: the embedded ones, units, and what is refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nuinfer.errors import InputError
from nuinfer.io.binning import read_binning
from nuinfer.physics.fluxes import Flux, linear_flux, make_flux, parse_units, read_flux

RESOURCES = Path(__file__).resolve().parents[2] / "resources"


def write(path: Path, rows: str, units: str | None = "nu/cm^2/GeV", header: str = "enu_lo_gev,enu_hi_gev,numu") -> Path:
    path.write_text((f"# units: {units}\n" if units else "") + header + "\n" + rows)
    return path


def test_embedded_fluxes() -> None:
    t2k = read_flux(RESOURCES / "t2k_nd280_numu.csv")
    assert t2k.edges_gev[-1] == 30 and 0.55 <= t2k.centres_gev[np.argmax(t2k.density)] <= 0.65
    assert t2k.mean_energy_gev() == pytest.approx(0.853, abs=0.002)
    dune = read_flux(RESOURCES / "dune_nd_fhc.csv")
    assert dune.units == "nu/cm^2/GeV/POT" and dune.integral() == pytest.approx(1.0489e-7, rel=1e-3)
    assert 2.0 < dune.centres_gev[np.argmax(dune.density)] < 2.75


def test_embedded_fluxes_are_the_collaborations(shared_data: Path) -> None:
    """T2K's 2016 release replaced the embedded one: shapes within 6.5 %; DUNE's table is the same one."""
    ours = read_flux(RESOURCES / "t2k_nd280_numu.csv").unit_normalised()
    table = shared_data / "t2k_flux" / "t2kflux_2016_FHC_plus250kA.csv"
    theirs = read_flux(table, "nd280_numu", "nu/cm^2/50MeV/1e21POT").unit_normalised()
    enu = np.arange(0.125, 2.0, 0.05)
    np.testing.assert_allclose(ours(enu), theirs(enu), rtol=0.065)
    dune = read_flux(RESOURCES / "dune_nd_fhc.csv", "nue")
    published = read_flux(shared_data / "dune_flux" / "tdr2017_FHC_ND.csv", "nue", "nu/m^2/GeV/POT")
    low = dune.centres_gev < 60
    np.testing.assert_allclose(dune.density[low], published(dune.centres_gev[low]), rtol=1e-8)


def test_units_and_normalisation() -> None:
    edges, density = np.array([0.0, 0.5, 2.0]), np.array([3.0, 1.0])
    per_gev = make_flux(edges, density, "nu/cm^2/GeV")
    assert per_gev.integral() == pytest.approx(3.0)
    assert make_flux(edges, density, "nu/cm^2/50MeV").integral() == pytest.approx(60.0)
    assert make_flux(edges, density, "nu/m^2/GeV/POT").integral() == pytest.approx(3e-4)
    unit = per_gev.unit_normalised()
    assert unit.integral() == pytest.approx(1.0) and unit.units == "1/GeV"
    np.testing.assert_allclose(unit(np.array([-0.1, 0.2, 0.5, 1.9, 2.0])), [0, 1, 1 / 3, 1 / 3, 0])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("0,1,2\n1.5,2,3\n", "gap or overlap between bins 0"),
        ("0,1,2\n1,2,-3\n", "not negative, but is -3.0 in bin 1"),
        ("0,1,nan\n1,2,3\n", "finite and not negative, but is nan in bin 0"),
        ("0,1,2\n1,2\n", "has 2 columns"),
        ("0,1,2\n1,2,many\n", "line 4 is not a row of numbers"),
        ("0,1,0\n", "zero everywhere"),
        ("", "no rows"),
    ],
)
def test_bad_tables_say_what_is_wrong(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_flux(write(tmp_path / "flux.csv", rows))


def test_bad_columns_and_units(tmp_path: Path) -> None:
    good = "0,1,2\n1,2,3\n"
    with pytest.raises(InputError, match="no flux column 'nue'"):
        read_flux(write(tmp_path / "a.csv", good), "nue")
    with pytest.raises(InputError, match="unknown units 'per bin'"):
        read_flux(write(tmp_path / "b.csv", good, "per bin"))
    with pytest.raises(InputError, match="no 'units' line"):
        read_flux(write(tmp_path / "c.csv", good, None))
    with pytest.raises(InputError, match="header says"):
        read_flux(write(tmp_path / "d.csv", good), units="nu/cm^2/50MeV")
    with pytest.raises(InputError, match="enu_lo_gev"):
        read_flux(write(tmp_path / "e.csv", good, header="x,y,numu"))
    with pytest.raises(InputError, match="no such file"):
        read_flux(tmp_path / "absent.csv")


@pytest.mark.parametrize(
    ("units", "per_bin", "factor", "canonical"),
    [
        ("nu/cm^2/50MeV/1e21POT", False, 20.0, "nu/cm^2/GeV/1e21POT"),
        ("/cm^2/50 MeV/1e21 POT", False, 20.0, "nu/cm^2/GeV/1e21POT"),
        ("nu / m^2 / POT / GeV", False, 1e-4, "nu/cm^2/GeV/POT"),
        ("nu/m^2/MeV", False, 0.1, "nu/cm^2/GeV"),
        ("1/GeV", False, 1.0, "1/GeV"),
        ("nu/m^2/POT", True, 1e-4, "nu/cm^2/GeV/POT"),
    ],
)
def test_units_are_read(units: str, per_bin: bool, factor: float, canonical: str) -> None:
    found = parse_units(units, per_bin)
    assert found[0] == pytest.approx(factor, rel=1e-14) and found[1] == canonical


@pytest.mark.parametrize("units", ["per bin", "GeV", "nu/cm/GeV", "nu/m^2/TeV", "nu/GeV/GeV", "nu/m^2/0MeV", ""])
def test_units_that_are_none(units: str) -> None:
    with pytest.raises(InputError, match=r"unknown units|have no energy"):
        parse_units(units)


def test_contents_per_bin(tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", "0,0.5,3\n0.5,2.5,1\n", "nu/m^2/POT")
    flux = read_flux(path, per_bin=True)
    np.testing.assert_allclose(flux.density, [6e-4, 0.5e-4])
    assert flux.integral() == pytest.approx(4e-4) and flux.units == "nu/cm^2/GeV/POT"
    with pytest.raises(InputError, match="have no energy"):
        read_flux(path)
    with pytest.raises(InputError, match="without an energy"):
        read_flux(write(tmp_path / "g.csv", "0,1,3\n"), per_bin=True)
    with pytest.raises(InputError, match="look like MeV"):
        read_flux(write(tmp_path / "h.csv", "0,1000,3\n1000,10000,3\n"))


def test_root_histograms(tmp_path: Path) -> None:
    uproot = pytest.importorskip("uproot")
    path, edges = tmp_path / "flux.root", np.array([0.0, 0.5, 1.0, 3.0])
    with uproot.recreate(path) as file:
        file["numu_flux"] = (np.array([1.0, 2.0, 8.0]), edges)
        file["nue_flux"] = (np.array([1.0, -2.0, 4.0]), edges)
        file["plane"] = np.histogram2d([0.5], [0.5])
    density = read_flux(path, "numu_flux", "nu/m^2/GeV/POT")
    np.testing.assert_allclose(density.density, [1e-4, 2e-4, 8e-4])
    contents = read_flux(path, "numu_flux", "nu/m^2/POT", per_bin=True)
    np.testing.assert_allclose(contents.density, [2e-4, 4e-4, 4e-4])
    np.testing.assert_array_equal(contents.edges_gev, edges)
    with pytest.raises(InputError, match="does not say its units"):
        read_flux(path, "numu_flux")
    for key in ("numu", "plane"):
        with pytest.raises(InputError, match=f"no one-dimensional histogram '{key}'; found numu_flux, nue_flux"):
            read_flux(path, key, "nu/m^2/GeV")
    with pytest.raises(InputError, match=r"not negative, but is -2\.0 in bin 1"):
        read_flux(path, "nue_flux", "nu/m^2/GeV")
    (tmp_path / "text.root").write_text("not a ROOT file")
    with pytest.raises(InputError, match="not a readable ROOT file"):
        read_flux(tmp_path / "text.root", "numu_flux", "nu/m^2/GeV")
    with pytest.raises(InputError, match="no such file"):
        read_flux(tmp_path / "absent.root", "numu_flux", "nu/m^2/GeV")
    with pytest.raises(InputError, match=r"\.csv or \.root"):
        read_flux(tmp_path / "flux.txt")


def test_embedded_dune_flux_is_the_root_file_it_came_from() -> None:
    achilles = pytest.importorskip("achilles", reason="the package that carries the fluxes is not installed")
    source = Path(next(iter(achilles.__path__))) / "flux" / "flux_dune_neutrino_ND.root"
    theirs, ours = read_flux(source, "numu_flux", "nu/m^2/POT", per_bin=True), read_flux(RESOURCES / "dune_nd_fhc.csv")
    np.testing.assert_allclose(theirs.density[: len(ours.density)], ours.density, rtol=1e-8)


def slow_linear(flux: Flux, enu_gev: float, lo: float, hi: float) -> float:
    """The slow twin: one energy, by the line through the two neighbouring centres."""
    c, d = flux.centres_gev, flux.density
    if not lo <= enu_gev <= hi:
        return 0.0
    if enu_gev <= c[0] or enu_gev >= c[-1]:
        return d[0] if enu_gev <= c[0] else d[-1]
    i = next(i for i in range(len(c) - 1) if c[i] <= enu_gev <= c[i + 1])
    return d[i] + (d[i + 1] - d[i]) * (enu_gev - c[i]) / (c[i + 1] - c[i])


@pytest.mark.parametrize(("lo", "hi"), [(0.25, 10.0), (0.01, 80.0), (1.01, 1.02), (0.3125, 0.4375)])
def test_linear_flux(lo: float, hi: float, rng: np.random.Generator) -> None:
    flux = read_flux(RESOURCES / "dune_nd_fhc.csv")
    linear = linear_flux(flux, (lo, hi))
    enu = np.concatenate([rng.uniform(0.0, 1.2 * hi, 200), rng.uniform(lo, hi, 200), [lo, hi]])
    np.testing.assert_allclose(linear(enu), [slow_linear(flux, e, lo, hi) for e in enu], rtol=1e-12)
    assert linear.enu_range_gev == (lo, hi) and np.all(np.diff(linear.knots_gev) > 0)
    inside = flux.centres_gev[(flux.centres_gev > lo) & (flux.centres_gev < hi)]
    np.testing.assert_array_equal(linear.knots_gev[1:-1], inside)
    fine = np.linspace(lo, hi, 200_001)
    assert linear.integral() == pytest.approx(np.trapezoid(linear(fine), fine), rel=1e-6)
    assert linear.unit_normalised().integral() == pytest.approx(1.0) and linear.unit_normalised().units == "1/GeV"


def test_linear_flux_refuses_ranges() -> None:
    flux = make_flux(np.array([0.5, 1.0, 2.0, 4.0, 8.0]), np.array([1.0, 2.0, 0.0, 0.0]), "nu/cm^2/GeV")
    for bad in ((0.25, 3.0), (1.0, 10.0)):
        with pytest.raises(InputError, match=rf"{bad[0]:g}-{bad[1]:g} GeV is not within the flux table's 0.5-8 GeV"):
            linear_flux(flux, bad)
    for bad in ((0.0, 3.0), (3.0, 1.0), (2.0, 2.0), (np.nan, 3.0)):
        with pytest.raises(InputError, match="positive and increasing"):
            linear_flux(flux, bad)
    with pytest.raises(InputError, match="zero in all of 5-7 GeV"):
        linear_flux(flux, (5.0, 7.0))
    assert linear_flux(flux, (0.5, 8.0))(np.array([0.5, 0.75, 8.0])).tolist() == [1.0, 1.0, 0.0]


def test_embedded_bins_and_selection(tmp_path: Path) -> None:
    path = RESOURCES / "t2k_cc0pi_bins.csv"
    assert read_binning(path).n_bin == 67
    assert read_binning(path, drop_momentum_overflow=True).p_hi_gev.max() == 5.0
    assert read_binning(path, drop_momentum_overflow=True).n_bin == 58
    with pytest.raises(InputError, match="missing columns p_mu_hi_gev"):
        read_binning(write(tmp_path / "b.csv", "0,1,2\n", header="cos_lo,cos_hi,p_mu_lo_gev"))


def test_resources_are_what_their_script_makes(tmp_path: Path) -> None:
    pytest.importorskip("achilles", reason="the package that carries the fluxes is not installed")
    script = tmp_path / "make_resources.py"
    script.write_bytes((RESOURCES / "make_resources.py").read_bytes())
    subprocess.run([sys.executable, str(script)], check=True)
    for table in sorted(RESOURCES.glob("*.csv")):
        assert (tmp_path / table.name).read_bytes() == table.read_bytes(), table.name

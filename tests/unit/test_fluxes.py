"""Flux tables: the embedded ones, units, and what is refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nuinfer.errors import InputError
from nuinfer.io.binning import read_binning
from nuinfer.physics.fluxes import make_flux, read_flux

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

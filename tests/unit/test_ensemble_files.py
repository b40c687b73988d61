"""Files of an ensemble's members: what is written is read back, and other files are refused."""

from dataclasses import fields

import h5py
import numpy as np
import pytest

from nuinfer.errors import InputError
from nuinfer.io.ensembles import MEMBER, MemberFit, read_member, write_member
from nuinfer.io.hdf5 import write_hdf5
from nuinfer.oscillation.plane import FitRange
from nuinfer.oscillation.regions import Confidence, RegionGrid

TRAINING = {"best_loss": [1e-4, 2e-4], "noise": 0.0, "starts": [1, 3]}


def member_fit(rng: np.random.Generator, methods: tuple[str, ...], width: float = 0.2) -> MemberFit:
    """Return a fit of random numbers on a grid of its own."""
    grid = RegionGrid.over(FitRange((0.5 - width, 0.5 + width), (2.3e-3, 2.7e-3)), 8, 6)
    regions = {m: Confidence(*(rng.random(s) for s in ((8, 6), (4, 6), 8, 4, 6))) for m in methods}
    cloud = np.stack([rng.uniform(0.4, 0.6, 30), rng.uniform(2.4e-3, 2.6e-3, 30)])
    return MemberFit(grid, cloud, regions, {"best": {"sin2_theta23": float(rng.random())}, "range_widened": False})


def assert_same(found: MemberFit, written: MemberFit) -> None:
    for name in ("sin2_theta23", "dm31_ev2"):
        assert np.array_equal(getattr(found.grid, name), getattr(written.grid, name))
    assert np.array_equal(found.cloud, written.cloud)
    assert found.numbers == written.numbers
    assert list(found.regions) == sorted(written.regions)
    for method, confidence in written.regions.items():
        for field in fields(Confidence):
            assert np.array_equal(getattr(found.regions[method], field.name), getattr(confidence, field.name))


@pytest.mark.parametrize("methods", [("bootstrap",), ("bootstrap", "bootstrap_octants", "feldman_cousins")])
def test_round_trip(tmp_path, rng, methods):
    """The cross sections have grids of their own: a range grows where a best fit needs it."""
    fits = {"true": member_fit(rng, methods), "learned": member_fit(rng, methods, 0.3)}
    write_member(tmp_path / "member.h5", fits, TRAINING, {"step": "member", "settings": {"seed": 1}})
    found, training, facts = read_member(tmp_path / "member.h5")
    assert set(found) == {"true", "learned"} and training == TRAINING
    assert facts["step"] == "member" and facts["settings"] == {"seed": 1}
    for xsec, fit in fits.items():
        assert_same(found[xsec], fit)
    assert not np.array_equal(found["true"].cloud, found["learned"].cloud)


def test_a_reference_has_the_true_cross_section_alone(tmp_path, rng):
    written = member_fit(rng, ("bootstrap",))
    write_member(tmp_path / "member.h5", {"true": written}, {}, {})
    found, training, _ = read_member(tmp_path / "member.h5")
    assert list(found) == ["true"] and training == {}
    assert_same(found["true"], written)


def test_units_are_written(tmp_path, rng):
    write_member(tmp_path / "member.h5", {"true": member_fit(rng, ("bootstrap",))}, {}, {})
    with h5py.File(tmp_path / "member.h5") as file:
        for name in ("true/grid/dm31_ev2", "true/cloud/dm31_ev2"):
            assert file[name].attrs["unit"] == "eV^2"
        assert "unit" not in file["true/grid/sin2_theta23"].attrs


def test_other_files_are_refused(tmp_path, rng):
    other, cut = tmp_path / "other.h5", tmp_path / "cut.h5"
    write_hdf5(other, "oscillation fit", {"a": np.zeros(1)}, {})
    with pytest.raises(InputError, match=rf"other\.h5: holds 'oscillation fit'.*{MEMBER}"):
        read_member(other)
    write_member(cut, {"true": member_fit(rng, ("bootstrap",))}, {}, {})
    cut.write_bytes(cut.read_bytes()[:-600])
    with pytest.raises(InputError, match=r"cut\.h5: not a whole HDF5 file"):
        read_member(cut)
    with pytest.raises(InputError, match=r"none\.h5"):
        read_member(tmp_path / "none.h5")

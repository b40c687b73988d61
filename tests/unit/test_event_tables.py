"""Far-detector events in files: a user's table in three formats, our own file, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import uproot

from nuinfer.closure.far_events import FarEvents
from nuinfer.errors import InputError
from nuinfer.io.event_tables import read_event_table
from nuinfer.io.far_events import read_far_events, write_far_events
from nuinfer.io.hdf5 import write_hdf5

EL = np.array([1.25, 0.4, 2.5000000001])
COS = np.array([0.9, -0.25, 1.0])
NAMES = {"el_gev": "Elep", "cos_theta": "CosLep"}


def write_csv(path: Path, columns: dict[str, np.ndarray]) -> None:
    rows = [",".join(columns), *(",".join(map(repr, map(float, row))) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(rows) + "\n")


def write_h5(path: Path, columns: dict[str, np.ndarray]) -> None:
    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            file[name] = values


def write_root(path: Path, columns: dict[str, np.ndarray]) -> None:
    with uproot.recreate(path) as file:
        file.mktree("events", {n: v.dtype for n, v in columns.items()}).extend(columns)


WRITERS: dict[str, Callable[[Path, dict], None]] = {
    "e.csv": write_csv,
    "e.h5": write_h5,
    "e.HDF5": write_h5,
    "e.root": write_root,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_numbers(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name, {"el_gev": EL, "cos_theta": COS, "other": EL})
    WRITERS[name](tmp_path / f"own_{name}", {"other": EL, "CosLep": COS.astype(np.float32), "Elep": EL})
    plain, renamed = read_event_table(tmp_path / name), read_event_table(str(tmp_path / f"own_{name}"), NAMES)
    for found in (plain, renamed):
        assert list(found) == ["el_gev", "cos_theta"]
        assert found["el_gev"].dtype == found["cos_theta"].dtype == float
        assert np.array_equal(found["el_gev"], EL)
    assert np.array_equal(plain["cos_theta"], COS)
    assert np.allclose(renamed["cos_theta"], COS, atol=1e-7)


def test_one_column_may_keep_our_name(tmp_path: Path) -> None:
    write_csv(tmp_path / "e.csv", {"Elep": EL, "cos_theta": COS})
    assert np.array_equal(read_event_table(tmp_path / "e.csv", {"el_gev": "Elep"})["cos_theta"], COS)


def test_a_csv_as_people_write_them(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text('\ufeff# two events\r\nrun, "el_gev" , cos_theta\r\nA1, 1.5 ,0.5\r\n\r\nA2,2e-1,-1\r\n', encoding="utf-8")
    found = read_event_table(path)
    assert found["el_gev"].tolist() == [1.5, 0.2]
    assert found["cos_theta"].tolist() == [0.5, -1.0]


def test_groups_of_hdf5(tmp_path: Path) -> None:
    write_h5(tmp_path / "e.h5", {"reco/E": EL, "reco/c": COS})
    assert np.array_equal(read_event_table(tmp_path / "e.h5", {"el_gev": "reco/E", "cos_theta": "/reco/c"})["cos_theta"], COS)


def test_a_named_tree_and_the_first(tmp_path: Path) -> None:
    path = tmp_path / "e.root"
    with uproot.recreate(path) as file:
        file["h"] = np.histogram(EL)
        file.mktree("first", {"el_gev": float, "cos_theta": float}).extend({"el_gev": EL, "cos_theta": COS})
        file.mktree("dir/second", {"el_gev": float, "cos_theta": float}).extend({"el_gev": 2 * EL, "cos_theta": COS})
    assert np.array_equal(read_event_table(path)["el_gev"], EL)
    assert np.array_equal(read_event_table(f"{path}:first")["el_gev"], EL)
    assert np.array_equal(read_event_table(f"{path}:dir/second")["el_gev"], 2 * EL)
    with pytest.raises(InputError, match="no TTree 'third'; there are first, dir/second"):
        read_event_table(f"{path}:third")


def test_nan_and_impossible_numbers_pass_on(tmp_path: Path) -> None:
    write_csv(tmp_path / "e.csv", {"el_gev": np.array([np.nan, -1.0]), "cos_theta": np.array([7.0, np.inf])})
    assert np.isnan(read_event_table(tmp_path / "e.csv")["el_gev"][0])


def refused(path: Path | str, message: str, columns: dict[str, str] | None = None) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_event_table(path, columns)
    assert "\n" not in str(caught.value)


def test_unknown_suffix_and_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "e.txt", r"events are read from .csv, .h5, .hdf5, .root; give a file")
    for name in ("e.csv", "e.h5", "e.root", "e.root:tree"):
        refused(tmp_path / name, rf"e\.{name[2:].split(':')[0]}: no such file; give the path")


@pytest.mark.parametrize("name", ["e.csv", "e.h5", "e.root"])
def test_unreadable_files(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff\xfe\x00 not what the suffix says" * 20)
    refused(tmp_path / name, "not a (readable|whole)")


@pytest.mark.parametrize("name", WRITERS)
def test_missing_columns_and_empty_tables(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name, {"Elep": EL, "c": COS})
    refused(tmp_path / name, "no column el_gev, cos_theta; there are Elep, c|there are c, Elep")
    refused(tmp_path / name, "no column CosLep; there are", NAMES)
    WRITERS[name](tmp_path / f"empty_{name}", {"el_gev": EL[:0], "cos_theta": COS[:0]})
    refused(tmp_path / f"empty_{name}", "no events; give a table with at least one row")


def test_a_file_without_even_a_header(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("")
    refused(tmp_path / "e.csv", "no column el_gev, cos_theta; there are none")
    write_h5(tmp_path / "e.h5", {})
    refused(tmp_path / "e.h5", "no column el_gev, cos_theta; there are none")
    with uproot.recreate(tmp_path / "e.root") as file:
        file["h"] = np.histogram(EL)
    refused(tmp_path / "e.root", "no TTree; there are none")


def test_unknown_names_in_columns(tmp_path: Path) -> None:
    refused(tmp_path / "e.csv", "columns: unknown enu_gev; name el_gev and cos_theta", {"enu_gev": "E"})


def test_entries_that_are_not_numbers(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("el_gev,cos_theta\n1,0.5\n2,forward\n")
    refused(tmp_path / "e.csv", "row 2: cos_theta = 'forward' is not a number; mend or remove it")
    (tmp_path / "e.csv").write_text("el_gev,cos_theta\n,0.5\n")
    refused(tmp_path / "e.csv", "row 1: el_gev = '' is not a number")
    write_h5(tmp_path / "e.h5", {"el_gev": EL, "cos_theta": np.array([b"a", b"b", b"c"])})
    refused(tmp_path / "e.h5", "column cos_theta is .* of shape 3; give one real number an event")
    write_h5(tmp_path / "e.h5", {"el_gev": EL, "cos_theta": np.ones((3, 2))})
    refused(tmp_path / "e.h5", "column cos_theta is float64 of shape 3x2")
    write_h5(tmp_path / "e.h5", {"el_gev": EL, "cos_theta": COS + 1j})
    refused(tmp_path / "e.h5", "column cos_theta is complex128")
    with uproot.recreate(tmp_path / "e.root") as file:
        file.mktree("t", {"el_gev": float, "cos_theta": (float, (2,))}).extend({"el_gev": EL, "cos_theta": np.ones((3, 2))})
    refused(tmp_path / "e.root", "column cos_theta is float64 of shape 3x2")


def test_columns_of_different_length(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("el_gev,cos_theta\n1,0.5\n2\n")
    refused(tmp_path / "e.csv", "row 2 has 1 entries for 2 columns; mend or remove it")
    write_h5(tmp_path / "e.h5", {"el_gev": EL, "cos_theta": COS[:2]})
    refused(tmp_path / "e.h5", "3 rows of el_gev, 2 rows of cos_theta; give columns of one length")


def test_our_own_file_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "far.h5"
    for events in (FarEvents(EL, COS), FarEvents(EL, COS, 1.1 * EL, 2 * EL, 0.04)):
        write_far_events(path, events, {"seed": 4})
        back = read_far_events(path)
        assert back.smearing == events.smearing
        for name in ("el_gev", "cos_theta", "el_true_gev", "enu_gev"):
            before, after = getattr(events, name), getattr(back, name)
            assert (before is None and after is None) or np.array_equal(before, after)
    with h5py.File(path) as file:
        assert file.attrs["kind"] == "far-detector events"
        assert file.attrs["smearing"] == 0.04
        assert file.attrs["seed"] == 4
        assert file["enu_gev"].attrs["unit"] == "GeV"
    assert np.array_equal(read_event_table(path)["el_gev"], EL)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    write_hdf5(tmp_path / "far.h5", "something else", {"el_gev": EL}, {})
    with pytest.raises(InputError, match="holds 'something else'"):
        read_far_events(tmp_path / "far.h5")

"""Throws in tables: text, CSV and HDF5 return the numbers that went in, and name every line and file they cannot use."""

import fcntl
import gzip
import locale
import os
import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from nuinfer.errors import InputError
from nuinfer.seeds import stream
from nuinfer.tuning.sources import text
from nuinfer.tuning.sources.raw import RawThrows, concatenated
from nuinfer.tuning.sources.table_hdf5 import read_hdf5_table
from nuinfer.tuning.sources.tables import TableLayout, read_each
from nuinfer.tuning.sources.text import read_text

DIALS = ("MaCCQE", "NormCCMEC", "RPA_CCQE")
BINS = tuple(f"bin{i}" for i in range(5))
LAYOUT = TableLayout(DIALS, len(BINS))
WIDTH = len(DIALS) + len(BINS)
SEPARATORS = (" ", "\t", ",", ";", ", ", " ;\t", "   ")


def numbers(*key: int | str, n: int = 40, width: int = WIDTH) -> np.ndarray:
    """Numbers of either sign, of ordinary size, integers, cross sections in cm^2, and some that are none."""
    rng = stream(6, "throw-tables", *key)
    values = rng.normal(size=(n, width)) * 10.0 ** rng.choice([0, 0, 3, -5, -39], size=(n, width))
    values = np.where(rng.random(values.shape) < 0.1, np.round(values), values)
    return np.where(rng.random(values.shape) < 0.02, rng.choice([np.nan, np.inf, -np.inf, 0.0], values.shape), values)


def written(value: float, rng: np.random.Generator) -> str:
    """A number in a format drawn at random; ``float`` after the obvious replacements is its slow twin."""
    sign = rng.choice(["-", "−"]) if np.signbit(value) else rng.choice(["", "", "+"])
    size = abs(value)
    if not np.isfinite(size):
        return sign + rng.choice([repr(size), repr(size).upper()])
    if size == int(size) and size < 1e6:
        return sign + rng.choice([f"{int(size)}", f"{int(size)}.", f"{int(size):03d}", f"{int(size)}e0"])
    plain = rng.choice(
        [f"{size!r}", f"{size:.6e}", f"{size:.12E}", f"{size:.17g}", f"{size:.9f}", f"{size:.8e}".replace("e", "D")]
    )
    return sign + (plain.removeprefix("0") if plain.startswith("0.") and rng.random() < 0.5 else plain)


def twin(entry: str) -> float:
    return float(entry.replace("−", "-").replace("D", "e"))


def entries_and_values(*key: int | str, n: int = 40) -> tuple[list[list[str]], np.ndarray]:
    rng = stream(7, "throw-tables", *key)
    entries = [[written(value, rng) for value in row] for row in numbers(*key, n=n).tolist()]
    return entries, np.array([[twin(entry) for entry in row] for row in entries])


def put(path: Path, lines: list[str], end: str = "\n", last: str = "\n") -> Path:
    path.write_bytes((end.join(lines) + last).encode())
    return path


def rows(n: int = 6, width: int = WIDTH) -> list[str]:
    return [" ".join(f"{10 * i + j}.5" for j in range(width)) for i in range(n)]


def same(throws: RawThrows, values: np.ndarray, dials: list[int] | slice, bins: list[int] | slice) -> None:
    np.testing.assert_array_equal(throws.dials, values[:, dials])
    np.testing.assert_array_equal(throws.prediction, values[:, bins])
    np.testing.assert_array_equal(np.signbit(throws.dials), np.signbit(values[:, dials]))
    assert throws.columns == DIALS and not throws.bad


@pytest.mark.parametrize("block_bytes", [64, 5000, text.BLOCK_BYTES])
@pytest.mark.parametrize("separator", SEPARATORS)
def test_every_format_in_every_separator_gives_the_slow_twins_numbers(tmp_path, monkeypatch, separator, block_bytes):
    monkeypatch.setattr(text, "BLOCK_BYTES", block_bytes)
    entries, values = entries_and_values("formats", separator)
    path = put(tmp_path / "t.txt", [separator.join(row) for row in entries])
    throws = read_text([path], LAYOUT)
    same(throws, values, slice(0, 3), slice(3, None))
    assert throws.line.tolist() == list(range(1, 41))


@pytest.mark.parametrize("case", range(20))
def test_comments_blank_lines_bom_line_ends_gzip_and_mixed_separators(tmp_path, monkeypatch, case):
    rng = stream(8, "throw-tables", case)
    monkeypatch.setattr(text, "BLOCK_BYTES", int(rng.integers(20, 3000)))
    entries, values = entries_and_values("dressed", case)
    lines, places = [], []
    for row in entries:
        lines += list(rng.choice(["", "   ", "# 1 2,,3", "% note", "\t# x"], size=int(rng.integers(0, 3))))
        places.append(len(lines) + 1)
        body = row[0] + "".join(rng.choice(SEPARATORS) + entry for entry in row[1:])
        lines.append(rng.choice(["", "  "]) + body + rng.choice(["", " ", ",", " # note", "%x, y"]))
    content = (
        rng.choice(["", "\ufeff"])
        + rng.choice(["\n", "\r\n"]).join(lines)
        + rng.choice(["\n", "\n\n", "\n# no line end", "\n  "])
    )
    path = tmp_path / "t.dat"
    path.write_bytes(gzip.compress(content.encode()) if case % 2 else content.encode())
    throws = read_text([path], LAYOUT)
    same(throws, values, slice(0, 3), slice(3, None))
    assert throws.line.tolist() == places


def test_the_line_reader_and_the_block_reader_agree(tmp_path, monkeypatch):
    entries, values = entries_and_values("agree")
    path = put(tmp_path / "t.csv", [",".join(row) for row in entries])
    monkeypatch.setattr(text, "_at_once", lambda *_: None)
    same(read_text([path], LAYOUT), values, slice(0, 3), slice(3, None))


ODD = (
    "1_0",
    "0x10",
    "1e",
    "--1",
    "1.5.3",
    "1.5-3",
    "1j",
    "١",
    "1\x1c2",
    "1\xa02",
    "nan(1)",
    "d5",
    "e",
    "+",
    "**",
    "'1'",
    "1e5e5",
)


@pytest.mark.parametrize("entry", ODD)
def test_what_is_no_number_is_refused_with_its_line(tmp_path, entry):
    lines = rows()
    lines[3] = lines[3].replace("32.5", entry)
    with pytest.raises(InputError, match=r"t.txt: line 4: entry 3 .* is not a number; mend"):
        read_text([put(tmp_path / "t.txt", lines)], LAYOUT)


def test_the_sign_of_a_number_without_exponent_is_kept(tmp_path):
    line = "-8.2e-5 -0.0123 1.5e-39"
    found = read_text([put(tmp_path / "t.txt", [line])], TableLayout(("a", "b"), 1))
    assert found.dials.tolist() == [[-8.2e-5, -0.0123]] and found.prediction.tolist() == [[1.5e-39]]
    # The control: a published notebook's pattern on the same line folds the second number.
    folded = [float(x) for x in re.findall(r"[-+]?\d*\.\d+e[+-]?\d+|\d+\.\d+|\d+", line)]
    assert folded[:2] == [-8.2e-5, 0.0123]


def test_decimal_commas_never_separate(tmp_path):
    layout = TableLayout(("a", "b"), 2, decimal_comma=True)
    expected = [[-1.5, 2.25, 3e-39, 4.0], [5.5, 6.0, 0.7, -0.8]]
    lines = ["-1,5 2,25\t3,0D-39 4", "5,5; 6; ,7; −,8"]
    for content in (lines, [line.replace(" ", ";").replace(";;", ";").replace("\t", ";") for line in lines]):
        throws = read_text([put(tmp_path / "t.txt", content)], layout)
        assert np.hstack([throws.dials, throws.prediction]).tolist() == expected
    with pytest.raises(InputError, match=r"line 1: entry 2 '1\.234' is not a number"):
        read_text([put(tmp_path / "t.txt", ["1,5 1.234 3 4"])], layout)
    with pytest.raises(InputError, match="8 entries a row, expected 4: did you mean decimal_comma: true"):
        read_text([put(tmp_path / "t.txt", ["1,5 2,5 3,5 4,5", "1,5 2,5 3,5 4,5"])], TableLayout(("a", "b"), 2))


def test_the_locale_has_no_part(tmp_path):
    entries, values = entries_and_values("locale")
    path = put(tmp_path / "t.txt", [" ".join(row) for row in entries])
    before = locale.setlocale(locale.LC_NUMERIC)
    try:
        for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR"):
            try:
                locale.setlocale(locale.LC_NUMERIC, name)
            except locale.Error:
                continue
            assert locale.localeconv()["decimal_point"] == ","
            same(read_text([path], LAYOUT), values, slice(0, 3), slice(3, None))
            break
        else:
            pytest.skip("no locale with a decimal comma (de_DE, fr_FR) is installed")
    finally:
        locale.setlocale(locale.LC_NUMERIC, before)


@pytest.mark.parametrize("case", range(12))
def test_columns_in_any_order_give_the_same_throws(tmp_path, case):
    rng = stream(9, "throw-tables", case)
    entries, values = entries_and_values("order", case)
    names = [*DIALS, *BINS]
    # Any order of the dials among the bins, whose own order stays.
    slots = np.sort(rng.permutation(WIDTH)[: len(DIALS)])
    order = list(range(len(DIALS), WIDTH))
    for slot, dial in zip(slots, rng.permutation(len(DIALS)), strict=True):
        order.insert(int(slot), int(dial))
    mark = rng.choice([",", ";", "\t", " "])
    header = mark.join(rng.choice(["{}", '"{}"']).format(names[i]) for i in order)
    lines = ["# comment", header, *(mark.join(row[i] for i in order) for row in entries)]
    throws = read_text([put(tmp_path / "t.csv", lines)], LAYOUT)
    same(throws, values, slice(0, 3), slice(3, None))
    assert throws.line[0] == 3
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["throws"] = values[:, order]
        file["throws"].attrs["columns"] = [names[i] for i in order]
    same(read_hdf5_table([tmp_path / "t.h5"], LAYOUT, table="throws"), values, slice(0, 3), slice(3, None))


def test_first_bin_leaves_other_columns_out(tmp_path):
    values = np.arange(2 * 10.0).reshape(2, 10)
    body = [",".join(map(str, row)) for row in values]
    named = put(tmp_path / "n.csv", [",".join(["id", "chi2", *BINS, *DIALS]), *body])
    for first in ("bin0", 2):
        same(read_text([named], TableLayout(DIALS, 5, first)), values, [7, 8, 9], slice(2, 7))
    with pytest.raises(InputError, match="7 bins a row, expected 5"):
        read_text([named], LAYOUT)
    with pytest.raises(InputError, match="4 bins a row, expected 5"):
        read_text([named], TableLayout(DIALS, 5, "bin1"))
    bare = put(tmp_path / "b.csv", body)
    same(read_text([bare], TableLayout(DIALS, 5, 5)), values, slice(0, 3), slice(5, None))
    # Bins after the last one that is asked for would be cut off silently.
    with pytest.raises(InputError, match="6 bins a row, expected 5"):
        read_text([bare], TableLayout(DIALS, 5, 4))


def test_headers(tmp_path):
    body = rows()
    numbered = put(tmp_path / "n.txt", [" ".join([*DIALS, *map(str, range(5))]), *body])
    assert len(read_text([numbered], LAYOUT)) == len(body)
    units = put(tmp_path / "u.txt", [" ".join(map(str, range(8))), *body])
    assert len(read_text([units], LAYOUT)) == len(body) + 1
    assert len(read_text([units], TableLayout(("2", "0", "1"), 5, header=True))) == len(body)
    with pytest.raises(InputError, match=r"no column MaCCQE; there are A, NormCCMEC, .*correct columns"):
        read_text([put(tmp_path / "m.txt", [" ".join(["A", *DIALS[1:], *BINS]), *body])], LAYOUT)
    with pytest.raises(InputError, match="more than one column MaCCQE"):
        read_text([put(tmp_path / "d.txt", [" ".join(["MaCCQE", *DIALS, *BINS]), *body])], LAYOUT)
    # A damaged first row is no header.
    with pytest.raises(InputError, match=r"line 1: entry 2 '1.x5' is not a number"):
        read_text([put(tmp_path / "x.txt", [body[0].replace("1.5", "1.x5", 1), *body])], LAYOUT)
    with pytest.raises(InputError, match="line 1: entry 1 'MaCCQE' is not a number"):
        read_text([numbered], TableLayout(DIALS, 5, header=False))


def test_bin_counts_that_differ_in_all_rows_are_one_error(tmp_path):
    for found, expected, mend in ((67, 58, "false"), (58, 67, "true")):
        path = put(tmp_path / "t.txt", rows(width=3 + found))
        with h5py.File(tmp_path / "t.h5", "w") as file:
            file["dials"], file["prediction"] = np.ones((6, 3)), np.ones((6, found))
        message = rf"{found} bins a row, expected {expected}: did you mean drop_momentum_overflow: {mend}\?"
        for on_bad in ("error", "drop"):
            with pytest.raises(InputError, match=message):
                read_text([path], TableLayout(DIALS, expected), on_bad)
            with pytest.raises(InputError, match=message):
                read_hdf5_table([tmp_path / "t.h5"], TableLayout(DIALS, expected), on_bad)
    with pytest.raises(InputError, match=r"6 bins a row, expected 5; name all dials") as error:
        read_text([put(tmp_path / "t.txt", rows(width=9))], LAYOUT)
    assert "drop_momentum_overflow" not in str(error.value)
    with pytest.raises(InputError, match="2 entries a row, expected 8"):
        read_text([put(tmp_path / "t.txt", rows(width=2))], LAYOUT)


BAD_LINES = {
    "short": ("1 2 3", "3 entries, 8 expected; mend or remove"),
    "long": ("1 2 3 4 5 6 7 8 9", "9 entries, 8 expected"),
    "empty": ("1,2,3,,5,6,7,8", "entry 4 '' is not a number"),
    "empty first": (",2,3,4,5,6,7,8", "entry 1 '' is not a number"),
    "empty last": ("1,2,3,4,5,6,7,,", "entry 8 '' is not a number"),
    # What is one entry too many makes up for an empty one, and an odd blank for a missing one, unless they are seen.
    "empty and long": ("1,2,3,,5,6,7,8,9", "9 entries, 8 expected"),
    "empty first and long": (",2,3,4,5,6,7,8,9", "9 entries, 8 expected"),
    "odd blank": ("1\x1c2 3 4 5 6 7 8", "7 entries, 8 expected"),
    "word": ("1 2 3 4 5 6 seven 8", "entry 7 'seven' is not a number"),
    "header again": (" ".join([*DIALS, *BINS]), "entry 1 'MaCCQE' is not a number"),
}


@pytest.mark.parametrize(("name", "at"), [(n, i) for n in BAD_LINES for i in (0, 3, 6) if (n, i) != ("header again", 0)])
def test_a_bad_line_is_named_or_dropped_and_listed(tmp_path, monkeypatch, name, at):
    bad, why = BAD_LINES[name]
    monkeypatch.setattr(text, "BLOCK_BYTES", 100)
    lines = rows()
    lines.insert(at, bad)
    path = put(tmp_path / "t.txt", ["# two lines", "", *lines])
    if at or "entries" not in why:
        with pytest.raises(InputError, match=re.escape(f"t.txt: line {at + 3}: ") + ".*" + re.escape(why)):
            read_text([path], LAYOUT)
    if at == 0 and "entries" in why:
        # The first block, of a line of another length alone, speaks for the layout: the file is refused.
        monkeypatch.setattr(text, "BLOCK_BYTES", 4096)
    throws = read_text([path], LAYOUT, "drop")
    assert [b.where for b in throws.bad] == [f"{path}: line {at + 3}"] and why in throws.bad[0].why
    kept = [i + 3 for i in range(7) if i != at]
    assert throws.line.tolist() == kept and throws.dials[:, 0].tolist() == [10 * i + 0.5 for i in range(6)]


def test_dropping_counts_every_bad_line_of_every_file(tmp_path):
    lines = rows(30)
    for i in (4, 11, 29):
        lines[i] = "1 2 x"
    first, second = put(tmp_path / "a.txt", lines), put(tmp_path / "b.txt", rows(3))
    throws = read_text([first, tmp_path / "none.txt", second], LAYOUT, "drop")
    assert len(throws) == 30 and len(throws.bad) == 4
    assert [b.where for b in throws.bad] == [f"{first}: line {n}" for n in (5, 12, 30)] + [str(tmp_path / "none.txt")]
    assert throws.bad[3].why == "no such file; correct the path"
    assert throws.where(0) == f"{first}: line 1" and throws.where(27) == f"{second}: line 1"
    with pytest.raises(InputError, match=r"a.txt: line 5: 3 entries"):
        read_text([first, second], LAYOUT)
    with pytest.raises(InputError, match=r"no throw is left of 1 files; .*line 1: entry 3 'x' is not"):
        read_text([put(tmp_path / "c.txt", ["1 2 x 4 5 6 7 8"])], LAYOUT, "drop")


def test_two_files_keep_where_each_throw_stands(tmp_path):
    paths = [put(tmp_path / "a.txt", ["# x", *rows(3)]), put(tmp_path / "b.txt", rows(2))]
    together, apart = read_text(paths, LAYOUT), concatenated([read_text([p], LAYOUT) for p in paths])
    expected = [f"{paths[0]}: line {n}" for n in (2, 3, 4)] + [f"{paths[1]}: line {n}" for n in (1, 2)]
    for throws in (together, apart):
        assert [throws.where(i) for i in range(len(throws))] == expected
    np.testing.assert_array_equal(together.prediction, apart.prediction)


@pytest.mark.parametrize("block_bytes", [64, text.BLOCK_BYTES])
@pytest.mark.parametrize("cut", [0, 1, 3, 8, 14])
def test_a_last_line_without_line_end_is_a_fault(tmp_path, monkeypatch, cut, block_bytes):
    """Cut by 1 or 3 the row has all its numbers, the last one wrong: only the line end tells."""
    monkeypatch.setattr(text, "BLOCK_BYTES", block_bytes)
    lines = rows()
    lines[-1] = lines[-1][: len(lines[-1]) - cut]
    path = put(tmp_path / "t.txt", lines, last="")
    with pytest.raises(InputError, match=r"line 6: no line end: the file is truncated or still being written"):
        read_text([path], LAYOUT)
    throws = read_text([path], LAYOUT, "drop")
    assert throws.line.tolist() == [1, 2, 3, 4, 5] and [b.where for b in throws.bad] == [f"{path}: line 6"]
    if cut < 4:
        ended = read_text([put(tmp_path / "ended.txt", lines)], LAYOUT)
        assert len(ended) == 6 and (ended.prediction[5, 4] == 57.5) == (cut == 0)


def test_a_comment_with_the_dials_in_another_order_is_refused(tmp_path):
    swapped = (DIALS[1], DIALS[0], DIALS[2])
    for mark, gap in (("# ", " "), ("#", ","), ("% ", ", ")):
        path = put(tmp_path / "t.txt", ["# throws", mark + gap.join([*swapped, *BINS]), *rows()])
        with pytest.raises(InputError, match=r"order NormCCMEC, MaCCQE, RPA_CCQE, expected MaCCQE, .*correct the order"):
            read_text([path], LAYOUT)
        values = read_text([path], TableLayout(swapped, 5))
        assert values.columns == swapped and values.dials[0].tolist() == [0.5, 1.5, 2.5]
        assert len(read_text([put(tmp_path / "s.txt", [mark + gap.join([*DIALS, *BINS]), *rows()])], LAYOUT)) == 6
    # Words that happen to be in a comment, and what stands below the first row, are no header.
    for lines in (["# MaCCQE NormCCMEC are varied", *rows()], [*rows(), "# " + " ".join(swapped)]):
        assert len(read_text([put(tmp_path / "o.txt", lines)], LAYOUT)) == 6
    np.savetxt(tmp_path / "n.txt", np.ones((2, WIDTH)), header=" ".join([*swapped, *BINS]))
    with pytest.raises(InputError, match="a comment above the rows"):
        read_text([tmp_path / "n.txt"], LAYOUT)


@pytest.mark.parametrize("damage", ["short", "flipped"])
def test_a_damaged_gzip_is_refused_whole(tmp_path, damage):
    whole = gzip.compress("\n".join(rows(500)).encode())
    content = whole[: len(whole) // 2] if damage == "short" else whole[:-8] + b"\0\0\0\0" + whole[-4:]
    path = tmp_path / "t.txt.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="truncated or still being written" if damage == "short" else "cannot be read"):
        read_text([path], LAYOUT)
    throws = read_text([path, put(tmp_path / "b.txt", rows())], LAYOUT, "drop")
    assert len(throws) == 6 and [b.where for b in throws.bad] == [str(path)]


@pytest.mark.parametrize("block_bytes", [100, 4096])
def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path, monkeypatch, block_bytes):
    monkeypatch.setattr(text, "BLOCK_BYTES", block_bytes)
    path, parse = put(tmp_path / "t.txt", rows()), text._at_once

    def while_written(*args):
        with path.open("a") as file:
            file.write(rows()[0] + "\n")
        return parse(*args)

    monkeypatch.setattr(text, "_at_once", while_written)
    with pytest.raises(InputError, match=r"t.txt: is being written; read it when the program that writes it has ended"):
        read_text([path], LAYOUT)
    monkeypatch.setattr(text, "_at_once", parse)
    assert len(read_text([path], LAYOUT)) > 6


def test_a_file_that_vanishes_while_it_is_read_is_refused(tmp_path):
    path = put(tmp_path / "t.txt", rows())

    def then_gone(file: Path) -> RawThrows:
        throws = read_text([file], LAYOUT)
        file.unlink()
        return throws

    with pytest.raises(InputError, match="is being written"):
        read_each([path], then_gone)


def test_files_that_are_no_tables(tmp_path, monkeypatch):
    def refused(content: bytes, message: str) -> None:
        (tmp_path / "t").write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_text([tmp_path / "t"], LAYOUT)

    refused(b"", "no rows")
    refused(b"# only\n\n", "no rows")
    refused("1 2\n".encode("utf-16"), "UTF-16")
    refused(b"\x89HDF\r\n\x1a\n\0\0", "not a text file")
    monkeypatch.setattr(text, "LONGEST_LINE_BYTES", 100)
    monkeypatch.setattr(text, "BLOCK_BYTES", 64)
    refused(b"1 " * 500, "line 1 has no end")
    with pytest.raises(InputError, match="no such file"):
        read_text([tmp_path], LAYOUT)
    with pytest.raises(InputError, match="not one file"):
        read_text([], LAYOUT)
    with pytest.raises(InputError, match="on_bad: 'clip' is unknown; give error or drop"):
        read_text([tmp_path / "t"], LAYOUT, "clip")


def test_layouts_that_cannot_be(tmp_path):
    for bad in ({"columns": ()}, {"columns": ("a", "a")}, {"n_bin": 0}, {"first_bin": -1}, {"first_bin": "b", "header": False}):
        with pytest.raises(InputError):
            TableLayout(**{"columns": ("a",), "n_bin": 2} | bad)
    path = put(tmp_path / "t.txt", rows())
    for first, message in ((1, "is a dial's column"), ("bin0", "there is no header")):
        with pytest.raises(InputError, match=message):
            read_text([path], TableLayout(DIALS, 5, first))


def test_hdf5_round_trips_in_three_layouts(tmp_path):
    values = numbers("hdf5")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["table"], file["theta"], file["x/MC"] = values, values[:, [2, 0, 1]], values[:, 3:]
        file["theta"].attrs["columns"] = [DIALS[i] for i in (2, 0, 1)]
        file["dials"], file["prediction"] = values[:, :3], values[:, 3:].astype("f4")
        for i, name in enumerate(DIALS):
            file[name] = values[:, i]
    path = [tmp_path / "a.h5"]
    same(read_hdf5_table(path, LAYOUT, table="table"), values, slice(0, 3), slice(3, None))
    same(read_hdf5_table(path, LAYOUT, dials="theta", prediction="x/MC"), values, slice(0, 3), slice(3, None))
    same(read_hdf5_table(path, LAYOUT, dials=None, prediction="x/MC"), values, slice(0, 3), slice(3, None))
    single = read_hdf5_table(path, LAYOUT)
    np.testing.assert_array_equal(single.prediction, values[:, 3:].astype("f4").astype(float))
    assert single.where(4) == f"{path[0]}: line 5"


HDF5_FAULTS = {
    "missing": ({"dials": np.ones((4, 3))}, {}, "no data set 'prediction'; there are dials"),
    "shape": ({"dials": np.ones(4), "prediction": np.ones((4, 5))}, {}, "'dials' is float64 of shape 4; give real"),
    "text": ({"dials": np.array([[b"a"] * 3]), "prediction": np.ones((1, 5))}, {}, "give real numbers"),
    "bins": ({"dials": np.ones((4, 3)), "prediction": np.ones((4, 6))}, {}, "6 bins a row, expected 5"),
    "rows": ({"dials": np.ones((4, 3)), "prediction": np.ones((3, 5))}, {}, "4 rows of dials, 3 of predictions"),
    "dials": ({"dials": np.ones((4, 4)), "prediction": np.ones((4, 5))}, {}, "4 dials in 'dials', expected 3"),
    "none": ({"dials": np.ones((0, 3)), "prediction": np.ones((0, 5))}, {}, "no rows"),
    "table": ({"t": np.ones((4, 9))}, {"table": "t"}, "6 bins a row, expected 5"),
    "narrow": ({"t": np.ones((4, 2))}, {"table": "t"}, "2 entries a row, expected 8"),
    "lengths": ({"MaCCQE": np.ones(4), "NormCCMEC": np.ones(3), "RPA_CCQE": np.ones(4)}, {"dials": None}, "3 of NormCCMEC"),
}


@pytest.mark.parametrize("name", HDF5_FAULTS)
def test_hdf5_faults_are_named_or_dropped(tmp_path, name):
    content, options, message = HDF5_FAULTS[name]
    with h5py.File(tmp_path / "bad.h5", "w") as file:
        for key, values in content.items():
            file[key] = values
    good = numbers("good")
    with h5py.File(tmp_path / "good.h5", "w") as file:
        file["dials"], file["prediction"], file["t"] = good[:, :3], good[:, 3:], good
        for i, dial in enumerate(DIALS):
            file[dial] = good[:, i]
    with pytest.raises(InputError, match=re.escape(message)):
        read_hdf5_table([tmp_path / "bad.h5"], LAYOUT, **options)
    throws = read_hdf5_table([tmp_path / "bad.h5", tmp_path / "good.h5"], LAYOUT, "drop", **options)
    assert len(throws) == 40 and [b.where for b in throws.bad] == [str(tmp_path / "bad.h5")]
    assert throws.where(0) == f"{tmp_path / 'good.h5'}: line 1"


def test_hdf5_headers_are_checked(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["dials"], file["prediction"] = np.ones((4, 3)), np.ones((4, 5))
        for names, message in (
            (["MaCCQE", "NormCCMEC", "other"], "not one column RPA_CCQE"),
            (["MaCCQE", "NormCCMEC"], "2 names for 3 columns"),
        ):
            file["dials"].attrs["columns"] = names
            file.flush()
            with pytest.raises(InputError, match=message):
                read_hdf5_table([tmp_path / "a.h5"], LAYOUT)


def test_a_truncated_hdf5_says_so(tmp_path):
    path = tmp_path / "t.h5"
    with h5py.File(path, "w") as file:
        file["dials"], file["prediction"] = np.ones((4000, 3)), np.ones((4000, 5))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"t.h5: not a whole HDF5 file: it is truncated or still being written"):
        read_hdf5_table([path], LAYOUT)


@pytest.mark.skipif(os.environ.get("HDF5_USE_FILE_LOCKING") == "FALSE", reason="HDF5_USE_FILE_LOCKING is FALSE")
def test_an_hdf5_file_that_its_writer_has_locked_is_being_written(tmp_path):
    path = tmp_path / "t.h5"
    with h5py.File(path, "w") as file:
        file["dials"], file["prediction"] = np.ones((4, 3)), np.ones((4, 5))
    with path.open("r+b") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(InputError, match="is being written"):
            read_hdf5_table([path], LAYOUT)
    assert len(read_hdf5_table([path], LAYOUT)) == 4


def test_progress_counts_files(tmp_path):
    paths, calls = [put(tmp_path / f"{i}.txt", rows()) for i in range(3)], []
    read_text(paths, LAYOUT, progress=lambda *call: calls.append(call))
    assert calls == [(i, 3, "files of throws") for i in (1, 2, 3)]

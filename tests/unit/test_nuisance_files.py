"""NUISANCE's comparison files as throws: what went in comes out, and every fault of a file is an error that names it."""

import os
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from nuisance_layout import write_nuiscomp
from toy import toy_binning

from nuinfer.errors import InputError
from nuinfer.io.raw_throws import read_raw_throws, write_raw_throws
from nuinfer.tuning.sources import nuisance
from nuinfer.tuning.sources.dial_values import FromCard, FromName, FromTable
from nuinfer.tuning.sources.nuisance import NuisanceLayout, read_nuisance, read_nuisance_data, samples_in
from nuinfer.tuning.sources.raw import concatenated

SAMPLE = "T2K_CC0pi_XSec_2DPcos_nu_I"
DIALS = ("MaCCQE", "NormCCMEC")
NUMBER = r"[-+.\deE]+"
BY_NAME = FromName(rf"MaCCQE_(?P<MaCCQE>{NUMBER})_NormCCMEC_(?P<NormCCMEC>{NUMBER})")
EXAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "nuisance_examples"
needs_examples = pytest.mark.skipif(not EXAMPLES.is_dir(), reason=f"no example files at {EXAMPLES}")
REAL = {
    "exc1_defaultccqe.root": ("MINERvA_CCQE_XSec_1DQ2_nu",),
    "exc2_defaultpion.root": ("MINERvA_CC1pip_XSec_1Dth_nu", "MINERvA_CC1pip_XSec_1DTpi_nu"),
    "exc3_modeldefault.root": ("MINERvA_CC1pip_XSec_1Dth_nu",),
    "exc3_modelvalencia.root": ("MINERvA_CC1pip_XSec_1Dth_nu",),
}


class OneDial:
    """The same dial for every file: for tests of what is not a dial."""

    columns = ("MaCCQE",)

    def values(self, path):
        return (0.5,)


def covariance(n, rng):
    a = rng.normal(size=(n, n))
    return (a @ a.T + n * np.eye(n)) * 1e-78


def write(path, n=58, seed=0, errors=True, sample=SAMPLE, **options):
    """Write one random comparison and return its prediction and errors."""
    rng = np.random.default_rng(seed)
    x = rng.normal(1.0, 0.5, n) * 10.0 ** rng.uniform(-42, -37, n)
    sigma = np.abs(x) * rng.uniform(0.01, 0.2, n)
    write_nuiscomp(path, sample, x, sigma if errors else None, 1.1 * x, covariance(n, rng), **options)
    return x, sigma


def one(path, layout=None, **options):
    return read_nuisance([path], layout or NuisanceLayout(SAMPLE, 58), OneDial(), **options)


def written(folder, name="a.root", **options):
    path = folder / name
    write(path, **options)
    return path


# --- what went in comes out ---


def test_round_trip_is_bitwise_and_keeps_the_order(tmp_path):
    rng = np.random.default_rng(7)
    theta = rng.normal(size=(12, 2)) * 10.0 ** rng.integers(-6, 6, (12, 2)).astype(float)
    paths, x, sigma = [], [], []
    for seed, dials in enumerate(theta):
        paths.append(tmp_path / ("_".join(f"{k}_{float(v)!r}" for k, v in zip(DIALS, dials, strict=True)) + ".root"))
        values, errors = write(paths[-1], seed=seed, extra=seed % 2 == 0)
        x.append(values)
        sigma.append(errors)
    seen = []
    raw = read_nuisance(paths, NuisanceLayout(SAMPLE, 58), BY_NAME, progress=lambda *state: seen.append(state))
    assert raw.columns == DIALS and len(raw) == 12 and raw.bad == ()
    assert np.array_equal(raw.dials, theta) and np.array_equal(raw.prediction, x)
    assert (raw.prediction < 0).any(), "the test needs negative numbers: a reader that drops signs must fail"
    np.testing.assert_allclose(raw.statistical, sigma, rtol=1e-15)
    assert raw.files == tuple(map(str, paths)) and raw.where(3) == str(paths[3]) and not raw.line.any()
    assert seen[0] == (1, 12, "NUISANCE files") and seen[-1][0] == 12
    backwards = read_nuisance(paths[::-1], NuisanceLayout(SAMPLE, 58), BY_NAME)
    assert np.array_equal(backwards.prediction, np.array(x)[::-1])


@pytest.mark.parametrize("generation, key", [("new", "data_1D"), ("capitals", "DATA_1D"), ("old", "data")])
def test_both_key_generations(tmp_path, generation, key):
    path, binning = tmp_path / "a.root", toy_binning()
    rng = np.random.default_rng(3)
    x, cov = rng.random(58) * 1e-38, covariance(58, rng)
    write_nuiscomp(path, SAMPLE, x, 0.1 * x, 1.2 * x, cov, binning, generation)
    found = read_nuisance_data(path, SAMPLE)
    assert found.data_key == f"{SAMPLE}_{key}"
    assert np.array_equal(found.prediction.values, x) and np.array_equal(found.data.values, 1.2 * x)
    np.testing.assert_allclose(found.data.errors, np.sqrt(np.diag(cov)), rtol=1e-14)
    assert np.array_equal(found.covariance, cov)
    residual = 0.2 * x
    assert found.chi2 == pytest.approx(residual @ np.linalg.solve(cov * 1e76, residual) * 1e76, rel=1e-4)
    np.testing.assert_allclose(sum(part.values for part in found.modes.values()), x, rtol=1e-14)
    slices = [found.slices[f"MC_Slice{k}"] for k in range(9)]
    assert np.array_equal(np.concatenate([part.values for part in slices]), x) and len(found.slices) == 18
    last = binning.slices()[-1][1]
    assert np.array_equal(slices[-1].edges[:-1], binning.p_lo_gev[last])
    assert set(found.spectra) == {"FLUX", "EVT", "XSEC"} and found.mask is None


def test_what_drawopts_left_out_is_none(tmp_path):
    path = tmp_path / "a.root"
    import uproot

    with uproot.recreate(path) as file:
        file[f"{SAMPLE}_MC"] = (np.ones(3), np.arange(4.0))
    found = read_nuisance_data(path, SAMPLE)
    assert found.data is None and found.data_key is None and found.covariance is None and found.chi2 is None
    assert found.modes == {} and found.slices == {} and found.spectra == {}


def test_the_highest_cycle_is_read(tmp_path):
    path = tmp_path / "a.root"
    import uproot

    with uproot.recreate(path) as file:
        for level in (1.0, 2.0, 3.0):
            file[f"{SAMPLE}_MC"] = (np.full(3, level), np.arange(4.0))
        assert len(file.keys()) == 3
    assert one(path, NuisanceLayout(SAMPLE, 3)).prediction.tolist() == [[3.0, 3.0, 3.0]]


def test_no_errors_are_not_the_root_of_the_content(tmp_path):
    kept, none = written(tmp_path, "kept.root"), written(tmp_path, "none.root", errors=False)
    assert one(kept).statistical is not None
    assert one(none).statistical is None
    both = read_nuisance([kept, none], NuisanceLayout(SAMPLE, 58), OneDial())
    assert both.statistical is None and len(both) == 2
    x = np.linspace(1.0, 2.0, 58)
    write_nuiscomp(kept, SAMPLE, x, np.zeros(58), x, np.eye(58))
    assert one(kept).statistical is None


# --- 67 and 58 bins, masks ---


def keep_58():
    return tuple(k for k in range(67) if k not in (2, 8, 15, 23, 31, 40, 48, 57, 66))


def test_67_bins_are_cut_to_58_only_by_keep(tmp_path):
    path = tmp_path / "a.root"
    x, sigma = write(path, n=67)
    cut = one(path, NuisanceLayout(SAMPLE, 58, keep=keep_58(), n_all=67))
    slow = [x[k] for k in keep_58()]
    assert cut.prediction.tolist() == [slow]
    np.testing.assert_allclose(cut.statistical[0], [sigma[k] for k in keep_58()], rtol=1e-15)
    assert one(path, NuisanceLayout(SAMPLE, 67)).prediction.tolist() == [x.tolist()]
    with pytest.raises(InputError, match=r"has 67 bins, the measurement 58; .*drop_momentum_overflow"):
        one(path)
    whole = written(tmp_path, "b.root", n=58)
    assert one(whole, NuisanceLayout(SAMPLE, 58, keep=keep_58(), n_all=67)).prediction.shape == (1, 58)
    odd = written(tmp_path, "c.root", n=68)
    with pytest.raises(InputError, match="has 68 bins"):
        one(odd, NuisanceLayout(SAMPLE, 58, keep=keep_58(), n_all=67))


@pytest.mark.parametrize(
    "options",
    [
        {"n_bin": 58, "keep": tuple(range(57)), "n_all": 67},
        {"n_bin": 58, "keep": tuple(range(58))},
        {"n_bin": 58, "keep": tuple(range(58)), "n_all": 58},
        {"n_bin": 3, "keep": (0, 1, 5), "n_all": 5},
        {"n_bin": 3, "keep": (0, 2, 1), "n_all": 5},
        {"n_bin": 3, "keep": (-1, 0, 1), "n_all": 5},
        {"n_bin": 0},
        {"n_bin": 3, "n_all": 5},
    ],
)
def test_a_layout_that_cannot_be_is_refused(options):
    with pytest.raises(InputError, match=f"layout of {SAMPLE}"):
        NuisanceLayout(SAMPLE, **options)


def test_masked_bins_are_refused_where_the_measurement_has_them(tmp_path):
    mask = np.zeros(67, int)
    mask[[2, 66]] = 1
    layout = NuisanceLayout(SAMPLE, 58, keep=keep_58(), n_all=67)
    path = written(tmp_path, n=67, mask=mask)
    assert len(one(path, layout)) == 1, "the masked bins are not kept: nothing is lost"
    assert read_nuisance_data(path, SAMPLE).mask.tolist() == (mask > 0).tolist()
    mask[1] = 1
    with pytest.raises(InputError, match="bins 1 of the measurement are masked"):
        one(written(tmp_path, n=67, mask=mask), layout)
    with pytest.raises(InputError, match=r"mask of .* has 67 bins, .* 58"):
        one(written(tmp_path, n=58, mask=mask))


# --- faults of files ---


def test_missing_and_empty_and_foreign(tmp_path):
    with pytest.raises(InputError, match=r"none.root: no such file; "):
        one(tmp_path / "none.root")
    for content, message in ((b"", "empty file"), (b"text " * 99, "not a ROOT file"), (b"root", "truncated")):
        (tmp_path / "a.root").write_bytes(content)
        with pytest.raises(InputError, match=rf"a\.root: {message}"):
            one(tmp_path / "a.root")
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\)"):
        one(tmp_path)


def test_truncated_at_any_length(tmp_path):
    data = written(tmp_path).read_bytes()
    for fraction in (0.1, 0.5, 0.9, 0.999):
        (tmp_path / "cut.root").write_bytes(data[: int(fraction * len(data))])
        with pytest.raises(InputError, match=rf"cut\.root: truncated: \d+ bytes of {len(data)};"):
            one(tmp_path / "cut.root")


def still_open(data):
    """Return a ROOT file's bytes as they are before it is closed: the directory does not know where its keys are."""
    data = bytearray(data)
    begin, name_bytes = struct.unpack(">I", data[8:12])[0], struct.unpack(">I", data[28:32])[0]
    seek_keys = begin + name_bytes + 2 + 4 + 4 + 4 + 4 + 4 + 4
    assert 0 < struct.unpack(">I", data[seek_keys : seek_keys + 4])[0] < len(data)
    data[seek_keys : seek_keys + 4] = bytes(4)
    return bytes(data)


def test_a_file_that_is_not_closed(tmp_path):
    path = written(tmp_path)
    path.write_bytes(still_open(path.read_bytes()))
    with pytest.raises(InputError, match=r"a\.root: no keys: still being written"):
        one(path)


def test_a_file_that_changes_while_it_is_read(tmp_path, monkeypatch):
    path = written(tmp_path)
    honest = nuisance._mask

    def touched(file, sample):
        os.utime(path, ns=(1, 1))
        return honest(file, sample)

    assert len(one(path)) == 1
    monkeypatch.setattr(nuisance, "_mask", touched)
    with pytest.raises(InputError, match=r"a\.root: changed while it was read: still being written"):
        one(path)


def test_garbled_content_names_the_file(tmp_path):
    path = written(tmp_path)
    data = bytearray(path.read_bytes())
    middle = slice(300, len(data) - 300)
    data[middle] = np.random.default_rng(0).bytes(middle.stop - middle.start)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.root: (not a readable|no )"):
        one(path)


def test_no_such_sample_lists_those_there(tmp_path):
    path = written(tmp_path, n=3, sample="MINERvA_X")
    assert samples_in(path) == ("MINERvA_X",)
    with pytest.raises(InputError, match=f"no {SAMPLE}_MC; the samples there are MINERvA_X"):
        one(path)
    with pytest.raises(InputError, match="no MINERvA_X_other; the samples"):
        one(path, NuisanceLayout("MINERvA_X", 3, prediction_key="MINERvA_X_other"))
    assert len(one(path, NuisanceLayout("MINERvA_X", 3, prediction_key="MINERvA_X_MC_SHAPE"))) == 1
    with pytest.raises(InputError, match=f"no {SAMPLE}_MC"):
        read_nuisance_data(path, SAMPLE)


def test_a_prediction_in_two_dimensions_is_refused(tmp_path):
    path = written(tmp_path)
    with pytest.raises(InputError, match="_COV is a TH2D, not a one-dimensional histogram"):
        one(path, NuisanceLayout(SAMPLE, 58, prediction_key=f"{SAMPLE}_COV"))


def test_drop_lists_every_bad_file_and_keeps_the_rest(tmp_path):
    paths = [tmp_path / f"MaCCQE_{k}.0_NormCCMEC_0.{k}.root" for k in range(6)]
    x = [write(path, n=67 if k == 4 else 58, seed=k)[0] for k, path in enumerate(paths)]
    paths[1].write_bytes(paths[1].read_bytes()[:5000])
    paths[3].unlink()
    stray = tmp_path / "stray.root"
    shutil.copy(paths[0], stray)
    raw = read_nuisance([*paths, stray], NuisanceLayout(SAMPLE, 58), BY_NAME, on_bad="drop")
    assert raw.dials.tolist() == [[0.0, 0.0], [2.0, 0.2], [5.0, 0.5]]
    assert np.array_equal(raw.prediction, [x[0], x[2], x[5]])
    assert [raw.where(row) for row in range(3)] == [str(paths[k]) for k in (0, 2, 5)]
    assert [b.where for b in raw.bad] == [str(p) for p in (paths[1], paths[3], paths[4], stray)]
    whys = [b.why for b in raw.bad]
    assert [w.split()[0] for w in whys] == ["truncated:", "no", f"{SAMPLE}_MC", "the"] and all("\n" not in w for w in whys)
    with pytest.raises(InputError, match="truncated"):
        read_nuisance(paths, NuisanceLayout(SAMPLE, 58), BY_NAME)


def test_a_part_may_be_all_bad_but_not_every_part(tmp_path):
    paths = [tmp_path / f"MaCCQE_{k}.0_NormCCMEC_0.{k}.root" for k in range(3)]
    x = [write(path, seed=k)[0] for k, path in enumerate(paths)]
    for path in paths[:2]:
        path.write_bytes(path.read_bytes()[:5000])
    first, second = (read_nuisance(part, NuisanceLayout(SAMPLE, 58), BY_NAME, "drop") for part in (paths[:2], paths[2:]))
    assert len(first) == 0 and first.dials.shape == (0, 2) and first.prediction.shape == (0, 58)
    write_raw_throws(tmp_path / "0.h5", first, {})
    whole = concatenated([read_raw_throws(tmp_path / "0.h5"), second])
    assert whole.prediction.tolist() == [x[2].tolist()] and whole.where(0) == str(paths[2])
    assert whole.statistical is not None, "a part without throws says nothing of errors"
    assert [b.where for b in whole.bad] == [str(path) for path in paths[:2]]
    with pytest.raises(InputError, match=r"not one of 2 throws can be used; the first: .*MaCCQE_0.0.*: truncated"):
        concatenated([first])


def test_no_files_and_unknown_policy(tmp_path):
    with pytest.raises(InputError, match="no files"):
        read_nuisance([], NuisanceLayout(SAMPLE, 58), OneDial())
    with pytest.raises(InputError, match="on_bad: 'skip' is unknown; give error or drop"):
        one(tmp_path / "a.root", on_bad="skip")


def test_a_bad_table_is_one_error_and_not_a_list_of_bad_files(tmp_path):
    with pytest.raises(InputError, match=r"t\.csv: not a readable CSV"):
        one_by_table = FromTable(tmp_path / "t.csv")
        read_nuisance([written(tmp_path)], NuisanceLayout(SAMPLE, 58), one_by_table, on_bad="drop")


def test_dials_from_cards_beside_the_files(tmp_path):
    paths = [written(tmp_path, f"throw_{k}.root", seed=k) for k in range(3)]
    for k, path in enumerate(paths):
        path.with_suffix(".xml").write_text(
            f'<nuisance><parameter name="NormCCMEC" nominal="{-k}"/><parameter name="MaCCQE" nominal="{k}.5"/></nuisance>'
        )
    raw = read_nuisance(paths, NuisanceLayout(SAMPLE, 58), FromCard(DIALS))
    assert raw.columns == DIALS and raw.dials.tolist() == [[0.5, 0.0], [1.5, -1.0], [2.5, -2.0]]
    paths[1].with_suffix(".xml").unlink()
    dropped = read_nuisance(paths, NuisanceLayout(SAMPLE, 58), FromCard(DIALS), on_bad="drop")
    assert len(dropped) == 2 and dropped.bad[0].where == str(paths[1]) and "no such card" in dropped.bad[0].why


# --- real files ---


@needs_examples
@pytest.mark.parametrize("name", REAL)
def test_real_files_against_uproot(name):
    import uproot

    path = EXAMPLES / name
    assert samples_in(path) == REAL[name]
    with uproot.open(path) as file:
        for number, sample in enumerate(REAL[name]):
            mc, data = file[f"{sample}_MC"], file[f"{sample}_data"]
            raw = one(path, NuisanceLayout(sample, len(mc.values())))
            assert np.array_equal(raw.prediction[0], mc.values()) and np.array_equal(raw.statistical[0], mc.errors())
            found = read_nuisance_data(path, sample)
            assert found.data_key == f"{sample}_data" and np.array_equal(found.data.values, data.values())
            assert np.array_equal(found.data.errors, data.errors())
            assert found.chi2 == pytest.approx(file["likelihood_hist"].values()[number], rel=1e-4)
            np.testing.assert_allclose(sum(part.values for part in found.modes.values()), mc.values(), rtol=1e-12)
            if "FLUX" in found.spectra:
                assert np.array_equal(found.spectra["FLUX"].values, file[f"{sample}_FLUX;2"].values())
                assert not np.array_equal(found.spectra["FLUX"].values, file[f"{sample}_FLUX;1"].values())


@needs_examples
def test_a_real_file_cut_at_half_and_one_not_closed(tmp_path):
    data = (EXAMPLES / "exc1_defaultccqe.root").read_bytes()
    layout = NuisanceLayout("MINERvA_CCQE_XSec_1DQ2_nu", 8)
    path = tmp_path / "a.root"
    path.write_bytes(data)
    assert len(one(path, layout)) == 1
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"a\.root: truncated: 17417 bytes of 34834"):
        one(path, layout)
    path.write_bytes(still_open(data))
    with pytest.raises(InputError, match=r"a\.root: no keys: still being written"):
        one(path, layout)
    path.write_bytes(data)
    with pytest.raises(InputError, match="has 8 bins, the measurement 9"):
        one(path, NuisanceLayout("MINERvA_CCQE_XSec_1DQ2_nu", 9))


# --- speed ---


def test_reading_takes_milliseconds_a_file(tmp_path):
    """1,000 files must be read in 60 s; the bound here is loose, for a busy core."""
    import time

    path = tmp_path / "a.root"
    rng = np.random.default_rng(1)
    x = rng.random(58) * 1e-38
    write_nuiscomp(path, SAMPLE, x, 0.1 * x, x, covariance(58, rng), toy_binning())
    one(path)
    start = time.process_time()
    read_nuisance([path] * 50, NuisanceLayout(SAMPLE, 58), OneDial())
    assert (time.process_time() - start) / 50 < 0.02

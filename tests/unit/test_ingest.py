"""From raw throws to simulations: every check with a case that must pass and one that must not."""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import special, stats
from toy import toy_binning, toy_prior, toy_response

from nuinfer.errors import InputError
from nuinfer.io.simulations import read_simulations, write_simulations
from nuinfer.physics.binning import Binning
from nuinfer.tuning.parameters import MA0_GEV, physical_to_dial
from nuinfer.tuning.priors import PriorBox, prior_box
from nuinfer.tuning.sources.checks import check_throws
from nuinfer.tuning.sources.ingest import assemble
from nuinfer.tuning.sources.raw import RawThrows

N = 400
DIALS = ("MaCCQE", "NormCCMEC", "XSecShape_CCMEC", "RPA_CCQE")
COUNTS = {"test": 50, "validation": 40}
BINNING = Binning([0.0, 0.0, 0.5], [0.5, 0.5, 1.0], [0.0, 0.5, 0.0], [0.5, 1.0, 1.0])
"""Three bins: nothing here depends on what is predicted."""


def raw_from(box: PriorBox, theta: np.ndarray, prediction: np.ndarray, convention: str = "reweight3") -> RawThrows:
    """Throws in two files, dials by name, as a reader gives them."""
    n = len(theta)
    dials = np.stack([physical_to_dial(k, theta[:, i], convention) for i, k in enumerate(box.names)], axis=1)
    half = (np.arange(n) >= n // 2).astype(int)
    return RawThrows(DIALS, dials, prediction, ("a.txt", "b.txt"), half, np.arange(n) - half * (n // 2) + 1)


@pytest.fixture
def raw(rng: np.random.Generator) -> RawThrows:
    box = toy_prior()
    return raw_from(box, box.from_unit(rng.random((N, 4))), rng.uniform(0.1, 1.0, (N, 3)))


def changed(raw: RawThrows, field: str, row: int, column: int, value: float) -> RawThrows:
    array = getattr(raw, field).copy()
    array[row, column] = value
    return replace(raw, **{field: array})


def rows_of(found: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """The row of ``theta`` that every row of ``found`` is: throws come out in an order of their own."""
    rows = np.abs(found[:, None] - theta).max(axis=2).argmin(axis=1)
    assert len(np.unique(rows)) == len(rows)
    return rows


def put(raw: RawThrows, counts: dict | None = None, box: PriorBox | None = None, **options: object) -> tuple:
    options = {"convention": "reweight3", "seed": 1, "key": "toy", **options}
    convention, seed, key = (options.pop(k) for k in ("convention", "seed", "key"))
    return assemble(raw, box or toy_prior(), BINNING, convention, counts or COUNTS, seed, key, **options)


def test_good_throws_pass_unchanged(raw: RawThrows) -> None:
    good = check_throws(raw, 3, "1e-38cm2", "error")
    np.testing.assert_array_equal(good.prediction, raw.prediction)
    np.testing.assert_array_equal(good.dials, raw.dials)
    assert not good.bad


def test_unit_is_converted_with_the_statistical_error(raw: RawThrows) -> None:
    small = replace(raw, prediction=raw.prediction * 1e-38, statistical=raw.prediction * 1e-40)
    good = check_throws(small, 3, "cm2", "error")
    np.testing.assert_allclose(good.prediction, raw.prediction, rtol=1e-14)
    np.testing.assert_allclose(good.statistical, 0.01 * raw.prediction, rtol=1e-14)


@pytest.mark.parametrize(
    ("field", "column", "value", "why"),
    [
        ("dials", 1, np.nan, "dial NormCCMEC is nan"),
        ("dials", 3, -np.inf, "dial RPA_CCQE is -inf"),
        ("prediction", 2, np.nan, "bin 2 is nan"),
        ("prediction", 0, np.inf, "bin 0 is inf"),
        ("prediction", 1, -1e-9, "bin 1 is -1e-09"),
        ("prediction", 1, 1e37, "bin 1 holds 1e+37, no content in units of 1e-38cm2"),
    ],
)
def test_single_bad_numbers(raw: RawThrows, field: str, column: int, value: float, why: str) -> None:
    broken = changed(changed(raw, field, 7, column, value), field, N - 1, column, value)
    with pytest.raises(InputError) as error:
        check_throws(broken, 3, "1e-38cm2", "error")
    message = str(error.value)
    assert message.startswith(f"a.txt: line 8: {why}") and "\n" not in message
    assert "and 1 more of 400 throws" in message and "on_bad_throw: drop" in message
    good = check_throws(broken, 3, "1e-38cm2", "drop")
    assert len(good) == N - 2 and [b.where for b in good.bad] == ["a.txt: line 8", "b.txt: line 200"]
    assert good.bad[0].why.startswith(why)
    np.testing.assert_array_equal(good.dials, np.delete(raw.dials, [7, N - 1], axis=0))


def test_statistical_errors_are_checked_and_kept(raw: RawThrows) -> None:
    known = replace(raw, statistical=0.1 * raw.prediction)
    assert len(check_throws(known, 3, "1e-38cm2", "error").statistical) == N
    with pytest.raises(InputError, match="line 3: the statistical error of bin 1 is -1"):
        check_throws(changed(known, "statistical", 2, 1, -1.0), 3, "1e-38cm2", "error")


def test_empty_prediction_is_bad_and_an_empty_bin_is_not(raw: RawThrows) -> None:
    assert not check_throws(changed(raw, "prediction", 5, 0, 0.0), 3, "1e-38cm2", "drop").bad
    prediction = raw.prediction.copy()
    prediction[5] = 0.0
    with pytest.raises(InputError, match=r"line 6: every bin is zero; make such"):
        check_throws(replace(raw, prediction=prediction), 3, "1e-38cm2", "error")


def test_mixed_units_are_listed(raw: RawThrows) -> None:
    prediction = raw.prediction.copy()
    prediction[[3, 250]] *= 1e-38
    mixed = replace(raw, prediction=prediction)
    good = check_throws(mixed, 3, "1e-38cm2", "drop")
    assert [b.where for b in good.bad] == ["a.txt: line 4", "b.txt: line 51"]
    assert "units are mixed" in good.bad[0].why
    with pytest.raises(InputError, match=r"a\.txt: line 4: bin"):
        check_throws(mixed, 3, "1e-38cm2", "error")


@pytest.mark.parametrize("on_bad", ["error", "drop"])
def test_wrong_unit_everywhere_is_never_rescaled(raw: RawThrows, on_bad: str) -> None:
    small = replace(raw, prediction=raw.prediction * 1e-38)
    with pytest.raises(InputError, match=r"look like cm2, not 1e-38cm2 .*set units: cm2"):
        check_throws(small, 3, "1e-38cm2", on_bad)
    with pytest.raises(InputError, match=r"look like 1e-38cm2, not cm2 .*set units: 1e-38cm2"):
        check_throws(raw, 3, "cm2", on_bad)
    with pytest.raises(InputError, match="neither in cm2"):
        check_throws(replace(raw, prediction=raw.prediction * 1e-19), 3, "1e-38cm2", on_bad)
    with pytest.raises(InputError, match="event counts"):
        check_throws(replace(raw, prediction=raw.prediction * 1e5), 3, "1e-38cm2", on_bad)


def slow_repeats(dials: np.ndarray) -> dict[int, int]:
    seen: dict[tuple, int] = {}
    found = {}
    for i, row in enumerate(map(tuple, dials.tolist())):
        if row in seen:
            found[i] = seen[row]
        else:
            seen[row] = i
    return found


def test_repeated_throws_against_a_slow_twin(raw: RawThrows, rng: np.random.Generator) -> None:
    coarse = replace(raw, dials=rng.integers(0, 4, raw.dials.shape).astype(float))
    good = check_throws(coarse, 3, "1e-38cm2", "drop")
    expected = slow_repeats(coarse.dials)
    assert 50 < len(expected) < N
    assert [(b.where, b.why) for b in good.bad] == [
        (coarse.where(i), f"repeats {coarse.where(first)}: the same dials") for i, first in expected.items()
    ]
    with pytest.raises(InputError, match=rf"repeats .*, and {len(expected) - 1} more of 400 throws"):
        check_throws(coarse, 3, "1e-38cm2", "error")


def test_a_good_throw_does_not_repeat_a_bad_one(raw: RawThrows) -> None:
    dials = raw.dials.copy()
    dials[20] = dials[10]
    broken = changed(replace(raw, dials=dials), "prediction", 10, 0, np.nan)
    assert [b.where for b in check_throws(broken, 3, "1e-38cm2", "drop").bad] == ["a.txt: line 11"]


def test_what_is_wrong_with_all_throws(raw: RawThrows) -> None:
    for on_bad in ("error", "drop"):
        with pytest.raises(InputError, match="3 bins a throw, but the measurement has 58"):
            check_throws(raw, 58, "1e-38cm2", on_bad)
    with pytest.raises(InputError, match="not one of 400 throws"):
        check_throws(replace(raw, prediction=-raw.prediction), 3, "1e-38cm2", "drop")
    with pytest.raises(InputError, match="units: 'barn'"):
        check_throws(raw, 3, "barn", "error")
    with pytest.raises(InputError, match="on_bad: 'skip'"):
        check_throws(raw, 3, "cm2", "skip")


@pytest.mark.parametrize("convention", ["reweight3", "reweight2", "absolute"])
def test_throws_become_simulations(rng: np.random.Generator, convention: str, tmp_path: Path) -> None:
    box = toy_prior()
    u = rng.random((N, 4))
    theta = box.from_unit(u)
    raw = raw_from(box, theta, toy_response().predict(theta, box.names) * 1e-38, convention)
    simulations, report = assemble(
        check_throws(raw, 58, "cm2", "error"), box, toy_binning(), convention, COUNTS, 1, "toy", "error"
    )
    rows = rows_of(simulations.theta, theta)
    assert len(rows) == N and (rows != np.arange(N)).any()
    np.testing.assert_allclose(simulations.theta, theta[rows], rtol=0, atol=1e-14)
    np.testing.assert_allclose(simulations.u, u[rows], rtol=0, atol=1e-13)
    np.testing.assert_allclose(simulations.prediction, toy_response().predict(theta[rows], box.names), rtol=1e-13)
    assert report["splits"] == {"train": 310, "validation": 40, "test": 50}
    assert report["n_used"] == report["n_read"] == N and report["n_files"] == 2 and not report["warnings"]
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    write_simulations(tmp_path / "simulations.h5", simulations, {})
    np.testing.assert_array_equal(read_simulations(tmp_path / "simulations.h5").split, simulations.split)


def test_signs_of_dials_are_kept(rng: np.random.Generator) -> None:
    """Below the default a dial is negative: folding it would put the throw on the other side of the default."""
    box = prior_box(
        {
            "ma_ccqe_gev": {"low": 0.9 * MA0_GEV, "high": 1.1 * MA0_GEV},
            "norm_ccmec": {"low": 0.0, "high": 2.0},
            "shape_ccmec": {"low": 0.0, "high": 1.0},
            "rpa_strength": {"low": 0.0, "high": 1.0},
        }
    )
    theta = box.from_unit(rng.random((N, 4)))
    raw = raw_from(box, theta, rng.uniform(0.1, 1.0, (N, 3)))
    assert (raw.dials[:, :2] < 0).any(axis=0).all()
    found = put(raw, box=box)[0].theta
    np.testing.assert_allclose(found, theta[rows_of(found, theta)], atol=1e-14)
    with pytest.raises(InputError, match="not distributed as its prior"):
        put(replace(raw, dials=np.abs(raw.dials)), box=box)


def test_columns_by_dial_or_name_in_any_order(raw: RawThrows, rng: np.random.Generator) -> None:
    order = rng.permutation(4)
    mixed = ("ma_ccqe_gev", "NormCCMEC", "shape_ccmec", "RPA_CCQE")
    shuffled = replace(raw, columns=tuple(mixed[i] for i in order), dials=raw.dials[:, order])
    np.testing.assert_array_equal(put(shuffled)[0].theta, put(raw)[0].theta)
    with pytest.raises(InputError, match=r"no column named rpa_strength or RPA_CCQE; there are MaCCQE, NormCCMEC, X"):
        put(replace(raw, columns=(*DIALS[:3], "RPA")))
    with pytest.raises(InputError, match=r"2 columns named ma_ccqe_gev or MaCCQE"):
        put(replace(raw, columns=("MaCCQE", "ma_ccqe_gev", *DIALS[2:])))


def test_a_fixed_dial_is_noted_and_a_varied_one_refused(raw: RawThrows, rng: np.random.Generator) -> None:
    columns = ("MaCCRES", *DIALS)
    fixed = replace(raw, columns=columns, dials=np.column_stack([np.full(N, -0.5), raw.dials]))
    simulations, report = put(fixed)
    np.testing.assert_array_equal(simulations.theta, put(raw)[0].theta)
    assert report["fixed_dials"] == {"MaCCRES": -0.5}
    varied = replace(raw, columns=columns, dials=np.column_stack([rng.random(N), raw.dials]))
    with pytest.raises(InputError, match=r"MaCCRES varies from .* name it in parameters"):
        put(varied)


def test_a_parameter_of_the_users_own(raw: RawThrows, rng: np.random.Generator) -> None:
    box = prior_box({"ma_res": {"low": 1.0, "high": 1.4, "dial": "MaCCRES", "dial_zero": 1.12, "dial_step": 0.1}})
    theta = rng.uniform(1.0, 1.4, (N, 1))
    own = replace(raw, columns=("MaCCRES",), dials=(theta - 1.12) / 0.1)
    simulations, report = put(own, box=box)
    np.testing.assert_allclose(np.sort(simulations.theta, axis=0), np.sort(theta, axis=0), atol=1e-14)
    assert report["relations"] == []


def test_throws_outside_the_prior(raw: RawThrows) -> None:
    high = toy_prior().priors[0].high
    edge = physical_to_dial("ma_ccqe_gev", high + 3e-10 * (high - MA0_GEV))
    assert (put(changed(raw, "dials", 5, 0, float(edge)))[0].theta[:, 0] == high).sum() == 1
    broken = changed(raw, "dials", 5, 0, 18.0)
    with pytest.raises(InputError) as error:
        put(broken)
    message = str(error.value)
    assert message.startswith("a.txt: line 6: ma_ccqe_gev 1.48031 is outside its prior [0.961242, 1.39]")
    assert "dial range against the prior: the throws run from 0.96" in message and "to 1.48031" in message
    assert "1 of 400 outside" in message
    simulations, report = put(broken, on_bad="drop")
    assert len(simulations.u) == N - 1 and report["n_bad"] == 1 and report["n_read"] == N
    assert report["bad"] == [{"where": "a.txt: line 6", "why": "ma_ccqe_gev 1.48031 is outside its prior [0.961242, 1.39]"}]
    with pytest.raises(InputError, match=r"not one of 400 .* dial range against the prior"):
        put(replace(raw, dials=raw.dials + 100.0), convention="physical", on_bad="drop")


def test_a_clamped_dial_is_bad(raw: RawThrows) -> None:
    broken = changed(raw, "dials", 9, 2, 1.3)
    with pytest.raises(InputError, match=r"line 10: the generator clamps XSecShape_CCMEC 1.3"):
        put(broken)
    assert put(broken, on_bad="drop")[1]["n_bad"] == 1


def test_a_wrong_dial_convention_is_seen(raw: RawThrows) -> None:
    with pytest.raises(InputError, match=r"ma_ccqe_gev .* outside its prior .*correct the convention"):
        put(raw, convention="reweight2")
    # Dials of another width that stay inside the prior: only the distribution tells.
    narrow = replace(raw, dials=raw.dials * [0.1, 1.0, 1.0, 1.0])
    with pytest.raises(InputError, match=r"ma_ccqe_gev are not .* its prior \(KS distance 0\.9\): they run from 0\.96"):
        put(narrow)
    with pytest.raises(InputError, match="convention: 'genie'"):
        put(raw, convention="genie")


def test_gaussian_throws_are_no_uniform_prior(rng: np.random.Generator) -> None:
    normal = {"prior": "normal", "mean": 2.0, "sigma": 0.3, "low": 1.4, "high": 2.6}
    gaussian = prior_box({**toy_prior().to_config(), "norm_ccmec": normal})
    raw = raw_from(gaussian, gaussian.from_unit(rng.random((N, 4))), rng.uniform(0.1, 1.0, (N, 3)))
    with pytest.raises(InputError, match=r"norm_ccmec are not distributed .* they run from 1\.\d* to 2\.\d*; set its prior"):
        put(raw)
    simulations, report = put(raw, check_prior=False)
    assert len(simulations.u) == N and len(report["warnings"]) == 1 and "norm_ccmec" in report["warnings"][0]
    # The same throws are fine where the prior says what was thrown.
    assert not put(raw, box=gaussian)[1]["warnings"]
    # Tails that no throw has reached are no matter of the distribution, and refused all the same.
    tails = prior_box({**toy_prior().to_config(), "norm_ccmec": {**normal, "low": 1.0, "high": 3.0}})
    assert put(raw, box=tails, check_prior=False)[1]["uniformity"]["norm_ccmec"]["p_value"] > 1e-3
    with pytest.raises(InputError, match=r"norm_ccmec run .*nothing is known of the rest"):
        put(raw, box=tails)


@pytest.mark.parametrize(
    ("first", "last", "refused"), [(0.0, 0.97, False), (0.0, 0.92, True), (0.03, 1.0, False), (0.08, 1.0, True)]
)
def test_an_end_of_the_prior_without_throws_is_refused(
    rng: np.random.Generator, first: float, last: float, refused: bool
) -> None:
    box, u = toy_prior(), rng.random((N, 4))
    u[:, 1] = first + (last - first) * u[:, 1]
    raw = raw_from(box, box.from_unit(u), rng.uniform(0.1, 1.0, (N, 3)))
    report = put(raw, check_prior=False)[1]
    assert report["uniformity"]["norm_ccmec"]["p_value"] > 1e-6, "the distribution alone must not tell"
    assert len(report["warnings"]) == refused
    if refused:
        with pytest.raises(
            InputError, match=r"norm_ccmec run from [\d.]+ to [\d.]+, its prior from 1 to 3: .*narrow the prior"
        ):
            put(raw)
    else:
        put(raw)


@pytest.mark.parametrize(("strength", "caught"), [(0.0, False), (0.05, False), (0.5, True), (-0.5, True)])
def test_correlated_throws_are_caught(rng: np.random.Generator, strength: float, caught: bool) -> None:
    """A Gaussian copula: every parameter alone is uniform, so that only the pair tells."""
    box, z = toy_prior(), rng.normal(size=(N, 4))
    z[:, 3] = strength * z[:, 0] + np.sqrt(1.0 - strength**2) * z[:, 3]
    raw = raw_from(box, box.from_unit(special.ndtr(z)), rng.uniform(0.1, 1.0, (N, 3)))
    warnings = put(raw, check_prior=False)[1]["warnings"]
    assert len(warnings) == caught
    if caught:
        sign = "-" if strength < 0 else ""
        with pytest.raises(InputError, match=rf"ma_ccqe_gev and rpa_strength are correlated \(Spearman {sign}0\.[45]"):
            put(raw)
    else:
        put(raw)


def test_splits_are_disjoint_and_do_not_depend_on_the_order_of_rows(raw: RawThrows, rng: np.random.Generator) -> None:
    first = put(raw)[0]
    assert np.bincount(first.split).tolist() == [310, 40, 50]
    order = rng.permutation(N)
    for again in (raw, replace(raw, dials=raw.dials[order], prediction=raw.prediction[order])):
        for name in ("split", "theta", "u", "prediction"):
            np.testing.assert_array_equal(getattr(put(again)[0], name), getattr(first, name))
    held_out = {tuple(row) for row in first.part("test").theta}
    for other in ({"seed": 2}, {"key": "other"}):
        assert {tuple(row) for row in put(raw, **other)[0].part("test").theta} != held_out


def test_the_first_of_a_split_are_a_random_sample_of_a_sorted_table(rng: np.random.Generator) -> None:
    """A tune takes the first held-out throws; in the order of a sorted file they would all be at one end."""
    box, n = toy_prior(), 4000
    theta = box.from_unit(rng.random((n, 4)))
    theta = theta[np.argsort(theta[:, 0])]
    raw = raw_from(box, theta, rng.uniform(0.1, 1.0, (n, 3)))
    test = put(raw, {"test": 1000, "validation": 200})[0].part("test")
    in_file_order = test.u[np.argsort(rows_of(test.theta, theta))]
    p_value = [[stats.kstest(u[:100, j], "uniform").pvalue for j in range(4)] for u in (test.u, in_file_order)]
    assert min(p_value[0]) > 1e-3 > 1e-30 > p_value[1][0]
    np.testing.assert_array_equal(np.sort(in_file_order[:, 0]), in_file_order[:, 0])


def test_train_throws_may_be_counted(raw: RawThrows) -> None:
    simulations, report = put(raw, {**COUNTS, "train": 100})
    assert report["splits"] == {"train": 100, "validation": 40, "test": 50} and report["n_left_over"] == 210
    whole = put(raw)[0]
    held_out = {tuple(row) for row in whole.theta[whole.split > 0]}
    assert {tuple(row) for row in simulations.theta[simulations.split > 0]} == held_out
    for counts in ({**COUNTS, "train": 311}, {"test": 300, "validation": 100}):
        with pytest.raises(InputError, match="400 usable throws are too few"):
            put(raw, counts)
    with pytest.raises(InputError, match="at least one of each"):
        put(raw, {"test": 10, "validation": 0})
    with pytest.raises(InputError, match="unknown tests"):
        put(raw, {"tests": 10})


def test_statistical_error_in_the_report(raw: RawThrows) -> None:
    prediction = raw.prediction.copy()
    prediction[:, 2] = 0.0
    known = replace(raw, prediction=prediction, statistical=prediction * [0.02, 0.05, 0.0])
    found = put(known)[1]["statistical_rel"]
    assert found[:2] == pytest.approx([0.02, 0.05]) and found[2] is None
    assert put(raw)[1]["statistical_rel"] is None


def test_many_throws_take_seconds(rng: np.random.Generator) -> None:
    box, n = toy_prior(), 100_000
    raw = raw_from(box, box.from_unit(rng.random((n, 4))), rng.uniform(0.1, 1.0, (n, 3)))
    start = time.process_time()
    put(check_throws(raw, 3, "1e-38cm2", "error"))
    assert time.process_time() - start < 5.0

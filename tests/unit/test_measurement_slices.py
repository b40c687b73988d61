"""Slices of a measurement and the errors that they share; throws between reading and checking; parameters of one's own."""

from dataclasses import replace

import numpy as np
import pytest
from toy import NORM_REL, toy_binning, toy_covariances, toy_response

from nuinfer.errors import InputError
from nuinfer.io.measurement import Measurement, read_measurement, write_measurement
from nuinfer.io.measurement_slices import measurement_slice
from nuinfer.io.raw_throws import read_raw_throws, write_raw_throws
from nuinfer.physics.binning import Binning
from nuinfer.tuning.likelihood import MEASUREMENT_LIKELIHOODS, PoissonLikelihood, measurement_likelihood
from nuinfer.tuning.parameters import CONVENTIONS, PARAMETERS, PHYSICAL, defined, dial_to_physical, to_physical
from nuinfer.tuning.priors import prior_box
from nuinfer.tuning.sources.raw import BadThrow, RawThrows, concatenated
from nuinfer.tuning.tension import JointErrors, independent_errors, joint_errors


@pytest.fixture(scope="module")
def whole():
    """The toy measurement: 58 bins whose errors are correlated across all slices."""
    covariances = toy_covariances()
    return Measurement("toy", "toy", toy_mu(), covariances, NORM_REL, toy_binning(), True, "tests/toy.py")


def toy_mu():
    return toy_response().predict(np.zeros((1, 0)), ())[0]


def halves(whole):
    return measurement_slice(whole, "low", (-1.0, 0.8)), measurement_slice(whole, "high", (0.8, 1.0))


def test_a_slice_is_the_bins_inside_bin_by_bin(whole):
    part = measurement_slice(whole, "part", (0.6, 0.9), "my part")
    inside = [i for i in range(58) if whole.binning.cos_lo[i] >= 0.6 and whole.binning.cos_hi[i] <= 0.9]
    assert (part.name, part.label) == ("part", "my part") and len(part.binning) == len(inside) > 0
    for a, i in enumerate(inside):
        assert part.values[a] == whole.values[i]
        assert part.binning.edges()[a].tolist() == whole.binning.edges()[i].tolist()
        for b, j in enumerate(inside):
            for key, matrix in whole.covariances.items():
                assert part.covariances[key][a, b] == matrix[i, j]
    assert part.norm_rel == whole.norm_rel and part.is_data and part.source.endswith("cos(theta) 0.6 to 0.9")


def test_slices_make_up_the_whole(whole):
    low, high = halves(whole)
    places = np.concatenate([part.binning.positions_in(whole.binning) for part in (low, high)])
    assert sorted(places.tolist()) == list(range(58))
    assert np.array_equal(np.concatenate([low.values, high.values]), whole.values[places])


def test_a_slice_keeps_its_numbers_on_disk(whole, tmp_path):
    part = halves(whole)[0]
    write_measurement(tmp_path / "part.h5", part, {})
    back = read_measurement(tmp_path / "part.h5")
    assert np.array_equal(back.values, part.values) and back.binning == part.binning and back.norm_rel == part.norm_rel
    assert all(np.array_equal(back.covariances[k], v) for k, v in part.covariances.items())


def test_a_slice_of_what_is_not_data_says_so(whole):
    stand_in = replace(whole, is_data=False)
    assert "not data" in measurement_slice(stand_in, "part", (0.6, 0.9), "mine").label.lower()
    once = measurement_slice(replace(stand_in, label="a stand-in, NOT data"), "part", (0.6, 0.9)).label
    assert once.lower().count("not data") == 1


def test_edges_are_met_within_rounding(whole):
    """0.1 * 6 is not 0.6, and a range may go beyond the last bin."""
    part = measurement_slice(whole, "part", (0.1 * 6, 1.5))
    assert part.binning == measurement_slice(whole, "part", (0.6, 1.0)).binning


@pytest.mark.parametrize(
    ("cos_theta", "message"),
    [
        ((0.9, 0.6), r"cos_theta \[0\.9, 0\.6\] is inverted"),
        ((0.6, 0.6), "inverted"),
        ((0.6, 0.85001), r"cuts through a bin; its edges are \[-1\.0, 0\.0, 0\.6"),
        ((0.61, 0.9), "cuts through a bin"),
        ((-1.0, 1.0), "holds 58 of 58 bins"),
        ((1.0, 2.0), "holds 0 of 58 bins"),
    ],
)
def test_ranges_that_are_no_slice(whole, cos_theta, message):
    with pytest.raises(InputError, match=message):
        measurement_slice(whole, "part", cos_theta)


def test_positions_are_those_of_a_search(rng):
    binning = toy_binning()
    chosen = rng.permutation(58)[:20]
    part = binning.select(np.sort(chosen))
    slow = [[k for k in range(58) if np.allclose(edge, binning.edges()[k])] for edge in part.edges()]
    assert [[k] for k in part.positions_in(binning).tolist()] == slow
    assert binning.positions_in(binning).tolist() == list(range(58))


def test_positions_within_rounding_and_not_beyond():
    binning = toy_binning()
    arrays = binning.to_arrays()
    near = Binning.from_arrays({**arrays, "p_hi_gev": arrays["p_hi_gev"] + 5e-10, "p_lo_gev": arrays["p_lo_gev"] + 5e-10})
    assert near.positions_in(binning).tolist() == list(range(58))
    shifted = arrays["p_hi_gev"].copy()
    shifted[-1] += 1e-6
    with pytest.raises(InputError, match=r"1 of 58 bins are not among the other's 58, the first with edges \[0\.98, 1\.0"):
        Binning.from_arrays({**arrays, "p_hi_gev": shifted}).positions_in(binning)


def likelihoods(kind, whole):
    return [measurement_likelihood(kind, part.covariances, part.norm_rel) for part in halves(whole)]


def sampled_covariance(errors, mu, rng, n=40000):
    x = errors.sample(np.tile(mu, (n, 1)), rng)
    away = x - mu
    return away.T @ away / n


def assert_is_covariance(found, expected, n=40000):
    """Every element within six standard errors: that of a Gaussian's sample covariance is sqrt((cc + c_i c_j) / n)."""
    diagonal = np.diag(expected)
    error = np.sqrt((expected**2 + np.outer(diagonal, diagonal)) / n)
    assert np.all(np.abs(found - expected) < 6 * error), np.max(np.abs(found - expected) / error)


def expected_covariance(kind, whole, mu):
    """The whole measurement's covariance at the prediction ``mu``, as each treatment has it."""
    if kind == "diagonal":
        return np.diag(np.diag(whole.covariances["total"]))
    if kind == "full":
        return whole.covariances["total"]
    return whole.covariances["shape"] + whole.norm_rel**2 * np.outer(mu, mu)


@pytest.mark.parametrize("kind", MEASUREMENT_LIKELIHOODS)
def test_samples_of_two_slices_have_the_covariance_of_the_whole(whole, kind, rng):
    low, high = halves(whole)
    errors = joint_errors(*likelihoods(kind, whole), low.binning, high.binning, whole)
    assert errors.n_i == len(low.binning) and errors.n_j == len(high.binning)
    mu = 1.3 * toy_mu()
    found = sampled_covariance(errors, mu, rng)
    assert_is_covariance(found, expected_covariance(kind, whole, mu))


@pytest.mark.parametrize("kind", ["full", "norm_shape"])
def test_without_the_whole_the_same_slices_share_nothing(whole, kind, rng):
    """The control: the blocks are the same, what is between them is not, and the samples show it."""
    low, high = halves(whole)
    errors = joint_errors(*likelihoods(kind, whole), low.binning, high.binning, None)
    n, mu = errors.n_i, toy_mu()
    expected = expected_covariance(kind, whole, mu)
    apart = expected.copy()
    apart[:n, n:] = apart[n:, :n] = 0.0
    found = sampled_covariance(errors, mu, rng)
    assert_is_covariance(found, apart)
    with pytest.raises(AssertionError):
        assert_is_covariance(found, expected)


def test_bins_may_come_in_any_order(whole):
    """The higher slice first: the same numbers, at other places."""
    low, high = halves(whole)
    one, other = likelihoods("norm_shape", whole)
    straight = joint_errors(one, other, low.binning, high.binning, whole)
    swapped = joint_errors(other, one, high.binning, low.binning, whole)
    order = np.r_[straight.n_i : 58, 0 : straight.n_i]
    assert np.array_equal(swapped.base, straight.base[np.ix_(order, order)]) and swapped.n_i == straight.n_j


def test_simulation_statistics_stay_in_the_base(whole, rng):
    """A likelihood with more variance than its measurement: the surplus is added, independent between bins."""
    low, high = halves(whole)
    extra = rng.uniform(0.5, 1.0, 58) * np.diag(whole.covariances["shape"])
    parts = []
    for part in (low, high):
        own = np.diag(extra[part.binning.positions_in(whole.binning)])
        parts.append(measurement_likelihood("norm_shape", {k: v + own for k, v in part.covariances.items()}, part.norm_rel))
    errors = joint_errors(*parts, low.binning, high.binning, whole)
    np.testing.assert_allclose(errors.base, whole.covariances["shape"] + np.diag(extra), rtol=1e-9, atol=1e-18)
    assert errors.norm_rel_i == errors.norm_rel_j == NORM_REL and errors.shared


def test_one_normalisation_or_two(rng):
    """Samples against base + norm terms, with different strengths on the two sides."""
    n_i, base = 3, np.diag([0.04, 0.09, 0.01, 0.02, 0.05])
    mu = np.array([2.0, 3.0, 1.0, 4.0, 2.0])
    strength = np.array([0.1, 0.1, 0.1, 0.2, 0.2]) * mu
    shared = sampled_covariance(JointErrors(base, n_i, 0.1, 0.2, shared=True), mu, rng)
    assert_is_covariance(shared, base + np.outer(strength, strength))
    two = base + np.outer(strength, strength)
    two[:n_i, n_i:] = two[n_i:, :n_i] = 0.0
    assert_is_covariance(sampled_covariance(independent_errors(base[:3, :3], base[3:, 3:], 0.1, 0.2), mu, rng), two)
    with pytest.raises(AssertionError):
        assert_is_covariance(shared, two)


def test_every_pair_of_samples_has_a_prediction_of_its_own(rng):
    errors = JointErrors(1e-20 * np.eye(4), 2, 0.1, 0.1, shared=True)
    mu = rng.uniform(1, 2, (50, 4))
    ratio = errors.sample(mu, rng) / mu
    np.testing.assert_allclose(ratio, np.tile(ratio[:, :1], 4), rtol=1e-8)
    assert 0.05 < np.std(ratio[:, 0]) < 0.2 and len(set(ratio[:, 0].round(6))) == 50


def test_likelihoods_that_do_not_go_together(whole):
    low, high = halves(whole)
    one, other = likelihoods("full", whole)
    with pytest.raises(InputError, match="'full' and 'diagonal'; give two tunes of one kind"):
        joint_errors(one, likelihoods("diagonal", whole)[1], low.binning, high.binning, whole)
    poisson = PoissonLikelihood(np.ones(3))
    with pytest.raises(InputError, match="'poisson' and 'poisson'"):
        joint_errors(poisson, poisson, low.binning, high.binning, whole)
    with pytest.raises(InputError, match="disjoint"):
        joint_errors(one, one, low.binning, low.binning, whole)
    with pytest.raises(InputError, match="bins are not among"):
        edges = high.binning.to_arrays()
        moved = {key: edges[key] + 0.001 for key in ("p_lo_gev", "p_hi_gev")}
        joint_errors(one, other, low.binning, Binning.from_arrays({**edges, **moved}), whole)
    with pytest.raises(InputError, match="not positive definite"):
        JointErrors(np.ones((2, 2)), 1).sample(np.ones((1, 2)), np.random.default_rng(1))


def raw_throws(rng, n=7, statistical=True):
    return RawThrows(
        ("MaCCQE", "µ-dial"),
        rng.normal(size=(n, 2)),
        rng.lognormal(-88, 1, (n, 3)),
        ("a.root", "ordner/ü.root"),
        rng.integers(0, 2, n),
        np.arange(n),
        rng.lognormal(-90, 1, (n, 3)) if statistical else None,
        (BadThrow("c.root", 'truncated: "half", 5 %'), BadThrow("d.txt: line 3", "bin 2 is nan")),
    )


def assert_same_throws(one, other):
    for name in ("dials", "prediction", "file_index", "line"):
        assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True), name
    assert (one.columns, one.files, one.bad) == (other.columns, other.files, other.bad)
    assert (one.statistical is None) == (other.statistical is None)
    assert one.statistical is None or np.array_equal(one.statistical, other.statistical)
    assert [one.where(i) for i in range(len(one))] == [other.where(i) for i in range(len(other))]


@pytest.mark.parametrize("statistical", [True, False])
def test_raw_throws_come_back_bit_for_bit(tmp_path, rng, statistical):
    raw = raw_throws(rng, statistical=statistical)
    raw.prediction[2, 1], raw.dials[3, 0] = np.nan, -np.inf  # judged later, and kept until then
    write_raw_throws(tmp_path / "0.h5", raw, {"made_by": "a test"})
    assert_same_throws(read_raw_throws(tmp_path / "0.h5"), raw)


def test_raw_throws_of_several_parts(tmp_path, rng):
    parts = [raw_throws(rng, n) for n in (3, 5)]
    for i, part in enumerate(parts):
        write_raw_throws(tmp_path / f"{i}.h5", part, {})
    assert_same_throws(concatenated([read_raw_throws(tmp_path / f"{i}.h5") for i in range(2)]), concatenated(parts))


@pytest.mark.parametrize("statistical", [True, False])
def test_rows_are_taken_in_the_order_asked_and_left_out_with_a_reason(rng, statistical):
    raw = raw_throws(rng, statistical=statistical)
    rows = [6, 0, 3]
    taken = raw.taken(np.array(rows))
    for name in ("dials", "prediction", "file_index", "line", *(("statistical",) if statistical else ())):
        assert np.array_equal(getattr(taken, name), [getattr(raw, name)[row] for row in rows]), name
    assert [taken.where(i) for i in range(3)] == [raw.where(row) for row in rows]
    assert taken.bad == raw.bad and taken.files == raw.files
    why = BadThrow(raw.where(2), "bin 0 is nan")
    left = raw.without(np.arange(7) == 2, [why])
    assert_same_throws(left, replace(raw.taken(np.array([0, 1, 3, 4, 5, 6])), bad=(*raw.bad, why)))
    assert_same_throws(raw.without(np.zeros(7, bool), []), raw)


def test_empty_parts_give_their_bad_throws_alone(rng):
    full, other = raw_throws(rng, 3), raw_throws(rng, 2)
    # A part without a throw knows neither errors nor, where no file could be read, bins.
    empty = RawThrows(full.columns, np.empty((0, 2)), np.empty((0, 3)), (), np.zeros(0, int), np.zeros(0, int), None, full.bad)
    found = concatenated([empty, full, empty, other])
    assert_same_throws(found, replace(concatenated([full, other]), bad=4 * full.bad))
    assert found.statistical is not None
    with pytest.raises(InputError, match=r'not one of 4 throws can be used; the first: c\.root: truncated: "half"'):
        concatenated([empty, empty])
    with pytest.raises(InputError, match="not one file"):
        concatenated([])


def test_throws_without_bad_ones_or_dials_of_another_file(tmp_path, rng):
    raw = replace(raw_throws(rng), bad=())
    write_raw_throws(tmp_path / "0.h5", raw, {})
    assert read_raw_throws(tmp_path / "0.h5").bad == ()
    (tmp_path / "1.h5").write_bytes((tmp_path / "0.h5").read_bytes()[:-500])
    with pytest.raises(InputError, match=r"1\.h5"):
        read_raw_throws(tmp_path / "1.h5")


MINE = {"low": -1.0, "high": 3.0, "dial": "MyDial", "dial_zero": 2.0, "dial_step": -0.5, "unit": "GeV", "symbol": "$m$"}


def test_a_parameter_of_ones_own():
    known = defined("mine", MINE)
    assert (known.name, known.dial, known.unit, known.symbol, known.default) == ("mine", "MyDial", "GeV", "$m$", 1.0)
    assert (known.lowest, known.highest) == (-1.0, 3.0) and known.label == "$m$ [GeV]"
    bare = defined("my_name", {"low": 0.0, "high": 4.0})
    assert (bare.dial, bare.symbol, bare.default, bare.dial_step, bare.label) == ("my_name", "my name", 2.0, 1.0, "my name")
    wide = defined("mine", {**MINE, "lowest": -10.0, "highest": 10.0, "default": 0.0})
    assert (wide.lowest, wide.highest, wide.default) == (-10.0, 10.0, 0.0)


def test_dials_of_ones_own_are_linear():
    """Physical = zero + step * dial in every convention of dials; physical values stay."""
    known, values = defined("mine", MINE), np.array([-2.0, 0.0, 1.0, 4.0])
    for convention in CONVENTIONS:
        assert to_physical(known, values, convention).tolist() == [3.0, 2.0, 1.5, 0.0]
    assert to_physical(known, values, PHYSICAL).tolist() == values.tolist()


@pytest.mark.parametrize("name", list(PARAMETERS))
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_known_dials_go_the_known_way(name, convention, rng):
    dials = rng.uniform(0.0, 1.0, 50)
    np.testing.assert_array_equal(to_physical(PARAMETERS[name], dials, convention), dial_to_physical(name, dials, convention))
    assert np.array_equal(to_physical(PARAMETERS[name], dials, PHYSICAL), dials)


def test_a_known_parameter_is_the_librarys():
    assert defined("norm_ccmec", {"prior": "uniform", "low": 1.0, "high": 3.0}) is PARAMETERS["norm_ccmec"]


@pytest.mark.parametrize(
    ("name", "entry", "message"),
    [
        ("norm_ccmec", {"low": 1, "high": 2, "dial": "x"}, "norm_ccmec: is known to the library; leave out dial"),
        ("MaCCQE", {"low": 1, "high": 2}, "'MaCCQE' is a dial: its parameter is 'ma_ccqe_gev'"),
        ("mine", {"low": 2, "high": 1}, "needs lowest <= default <= highest; got 2, 1.5, 1"),
        ("mine", {"low": 0, "high": 1, "default": 2}, "got 0, 2, 1"),
        ("mine", {"low": 0, "high": 1, "default": float("nan")}, "got 0, nan, 1"),
        ("mine", {"low": 0, "high": 1, "dial_step": 0}, "dial_step must be a number other than zero, got 0"),
        ("mine", {"low": 0, "high": 1, "dial_step": float("inf")}, "dial_step must be a number other than zero, got inf"),
    ],
)
def test_parameters_that_make_no_sense(name, entry, message):
    with pytest.raises(InputError, match=message):
        defined(name, entry)


@pytest.mark.parametrize(
    ("name", "dial", "convention", "message"),
    [
        ("norm_ccmec", -2.5, "reweight3", r"NormCCMEC: dial -2\.5 is clamped by the generator to -2 \(1 throws\)"),
        ("ma_ccqe_gev", -1.5, "absolute", r"MaCCQE: dial -1\.5 is clamped by the generator to -1"),
        ("shape_ccmec", 1.2, "reweight3", r"XSecShape_CCMEC: dial 1\.2 is clamped by the generator to 1 "),
    ],
)
def test_dials_that_the_generator_clamps(name, dial, convention, message):
    with pytest.raises(InputError, match=message):
        to_physical(PARAMETERS[name], np.array([0.5, dial]), convention)
    assert to_physical(PARAMETERS[name], np.array([dial]), PHYSICAL)[0] == dial


CONFIG = {
    "zeta": {**MINE, "prior": "uniform"},
    "norm_ccmec": {"low": 1.0, "high": 3.0},
    "alpha": {"prior": "normal", "mean": 0.1, "sigma": 0.3, "low": -1.0, "high": 1.0, "lowest": -5.0, "default": 0.25},
    "ma_ccqe_gev": {"low": 0.96, "high": 1.39},
}


def test_priors_of_ones_own_parameters_come_back():
    """Through ``to_config`` and ``prior_box``, as a file of simulations keeps them; order known first, then by name."""
    box = prior_box(CONFIG)
    assert box.names == ("ma_ccqe_gev", "norm_ccmec", "alpha", "zeta")
    assert prior_box(box.to_config()) == box and prior_box(prior_box(box.to_config()).to_config()) == box
    assert box.parameters[2].default == 0.25 and box.parameters[2].lowest == -5.0 and box.parameters[3].dial == "MyDial"
    assert set(box.to_config()["norm_ccmec"]) == {"prior", "low", "high"}
    u = np.random.default_rng(3).random((100, 4))
    np.testing.assert_allclose(prior_box(box.to_config()).to_unit(box.from_unit(u)), u, atol=1e-9)


def test_a_prior_must_stay_inside_its_own_limits():
    with pytest.raises(InputError, match=r"mine: prior \[0, 2\] leaves the physical range \[0, 1\]"):
        prior_box({"mine": {"low": 0.0, "high": 2.0, "lowest": 0.0, "highest": 1.0}})

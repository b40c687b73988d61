"""Mistakes about sources of throws, in the configuration and in files: one line that names the thing, nothing lost."""

import copy
import gzip
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from nuisance_layout import write_nuiscomp

from nuinfer.config import checked
from nuinfer.errors import InputError
from nuinfer.io.measurement import Measurement, write_measurement
from nuinfer.io.raw_throws import read_raw_throws, write_raw_throws
from nuinfer.io.responses import write_response
from nuinfer.io.simulations import Simulations, write_simulations
from nuinfer.physics.binning import Binning
from nuinfer.steps.cards import cards
from nuinfer.steps.cli import run
from nuinfer.steps.event_response import event_response
from nuinfer.steps.ingest import ingest
from nuinfer.steps.likelihood import likelihood
from nuinfer.steps.measurement import measurement
from nuinfer.steps.read_throws import read_throws
from nuinfer.steps.surrogate import surrogate
from nuinfer.tuning.priors import prior_box
from nuinfer.tuning.sources.raw import BadThrow, RawThrows, concatenated
from nuinfer.tuning.surrogate_fit import fit_surrogate
from nuinfer.workflow import state_of

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
DEFAULT = yaml.safe_load((ROOT / "config/config.yaml").read_text())
SAMPLE = "T2K_CC0pi_XSec_2DPcos_nu_I"
PRIORS = {"norm_ccmec": {"low": 1.0, "high": 3.0}, "rpa_strength": {"low": 0.0, "high": 1.0}}
DIALS = ["NormCCMEC", "RPA_CCQE"]
EARLIER = b"an earlier result"

# The sections of the four sources, each as it should be.
TABLE = {"files": ["throws.txt"], "dials": DIALS, "units": "cm2", "convention": "reweight3"}
NUISANCE = {"files": ["*.root"], "sample": SAMPLE, "convention": "reweight3", "dials": {"card": "{stem}.xml", "columns": DIALS}}
GENIE = {"sample": SAMPLE, "flux": "flux.root,numu", "convention": "reweight3", "splines": "splines.xml"}
CURVE = {"parameter": "ma_ccqe_gev", "weights": {"nominal": 1.0, "w_900": 0.9, "w_1200": 1.2}}
TERM = {"component": "mec", "samples": ["all"], "channels": ["MEC"], "factors": {"norm_ccmec": "linear"}}
RPA = {"component": "qe", "samples": ["all"], "channels": ["QE"], "factors": {"rpa_strength": "linear"}}
EVENTS = {"samples": {"all": {"path": "events.csv", "format": "nuwro_table"}}, "terms": [TERM, RPA]}
SECTIONS = {
    "throws": ("table", TABLE),
    "nuisance": ("nuisance", NUISANCE),
    "genie": ("genie", GENIE),
    "events": ("events", EVENTS),
}


def merged(base, overlay):
    """Merge as Snakemake merges configuration files: mappings key by key, anything else replaced."""
    if not isinstance(base, dict) or not isinstance(overlay, dict):
        return overlay
    return {**base, **{k: merged(base.get(k), v) if k in base else v for k, v in overlay.items()}}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A working directory with the files that the right configurations name."""
    folder = tmp_path_factory.mktemp("root")
    (folder / "resources").symlink_to(ROOT / "resources")
    for name in ("throws.txt", "a.root", "flux.root", "splines.xml", "events.csv", "events.root"):
        (folder / name).touch()
    return folder


def configured(source, changes):
    """The default with a simulation ``mine`` and a tune of it, right but for ``changes``, which may replace a whole entry."""
    key, section = SECTIONS[source]
    throws = {"train": 1000, "validation": 100, "test": 100}
    entry = {"source": source, "parameters": PRIORS, "throws": throws, key: section}
    tune = {"simulation": "mine", "mode": "prediction", "estimator": "smoke", "observations": ["point"]}
    point = {"parameters": {"norm_ccmec": 1.5, "rpa_strength": 0.5}}
    base = {"simulations": {"mine": entry}, "tunes": {"mine": tune}, "observations": {"point": point}}
    bare = {"tunes": dict.fromkeys(DEFAULT["tunes"]), "calibration": {"events": 100, "exact_events": 100}}
    config = merged(merged(merged(copy.deepcopy(DEFAULT), bare), base), changes)
    return merged(config, {"measurements": {"stand_in": {"parameters": {"norm_ccmec": 1.5}}}})


def check(root, source, changes):
    return checked(configured(source, changes), SCHEMA, root)


@pytest.mark.parametrize("source", list(SECTIONS))
def test_the_right_configurations_pass(root, source):
    """The control: without a mistake the same configurations are taken."""
    assert check(root, source, {})["simulations"]["mine"]["bins"]["drop_momentum_overflow"]
    replaced = {"genie": {"genie": {"event_file": "events.root", "splines": None}}}.get(source, {})
    assert check(root, source, mine(**replaced))["tunes"]["mine"]


def mine(**entries):
    return {"simulations": {"mine": entries}}


def prior(**entries):
    return mine(parameters=entries)


def terms(*entries):
    return mine(events={"terms": list(entries)})


def curve(**changes):
    return terms({**TERM, "curve": {**CURVE, **changes}}, RPA)


MEASURED = {
    "simulation": "mine",
    "mode": "measurement",
    "likelihood": "full",
    "estimator": "smoke",
    "observations": ["measured"],
}
MA = {"ma_ccqe_gev": {"low": 0.95, "high": 1.1}}
TOY = {"format": "toy", "simulation": "mine"}
TUNED_TO_TOY = {"tunes": {"mine": {**MEASURED, "measurement": "toy"}}}
FREE = {"parameter": "ma_ccqe_gev", "free_nucleon": 1.0}


@pytest.mark.parametrize(
    ("source", "changes", "message"),
    [
        ("throws", mine(source="events"), "simulations.mine: the source 'events' needs 'events'"),
        ("throws", mine(genie=GENIE), "simulations.mine: the source 'throws' takes no 'genie'"),
        (
            "events",
            mine(throws={"train": None}),
            "simulations.mine.throws: the source 'events' needs the number of throws 'train'",
        ),
        (
            "genie",
            mine(throws={"train": None}),
            "simulations.mine.throws: the source 'genie' needs the number of throws 'train'",
        ),
        ("throws", prior(MaCCQE={"low": 1, "high": 2}), "simulations.mine.parameters: unknown parameter 'MaCCQE'"),
        ("throws", prior(rpa_strength={"low": 1}), "rpa_strength: inverted range"),
        ("throws", prior(rpa_strength={"dial": "x"}), "rpa_strength: is known to the library; leave out dial"),
        ("throws", prior(new={"low": 0, "high": 1, "default": 2}), "new: needs lowest <= default <= highest"),
        ("throws", prior(new={"low": 0, "high": 1, "dial_step": 0}), "new: dial_step must be a number other than zero"),
        (
            "throws",
            prior(new={"low": 0, "high": 1}),
            "table.dials: no column new or new, which has a prior; there are NormCCMEC",
        ),
        (
            "throws",
            {"simulations": {"cc0pi": {"parameters": {"new": {"low": 0, "high": 1}}}}},
            "the built-in generator has no new",
        ),
        ("throws", mine(bins={"path": "no.csv"}), "simulations.mine.bins.path: no such file 'no.csv'"),
        ("throws", mine(table={"files": ["no.txt"]}), "table.files: no such file: no.txt"),
        ("throws", mine(table={"files": ["throws.txt", "no*.txt"]}), "table.files: the pattern 'no*.txt' matches no file"),
        ("throws", mine(table={"files": ["no*/a.txt"]}), "table.files: the pattern 'no*/a.txt' matches no file"),
        ("throws", mine(table={"dials": ["NormCCMEC"]}), "table.dials: no column rpa_strength or RPA_CCQE"),
        ("throws", mine(table={"units": "barn"}), "table.units: 'barn' is not one of cm2, 1e-38cm2"),
        ("throws", mine(table={"convention": "genie"}), "table.convention: 'genie' is not one of physical, reweight3"),
        ("throws", mine(table={"convention": None}), "table: missing key 'convention'"),
        ("throws", mine(on_bad_throw="skip"), "on_bad_throw: 'skip' is not one of error, drop"),
        ("nuisance", mine(nuisance={"files": ["no/*.root"]}), "nuisance.files: the pattern 'no/*.root' matches no file"),
        ("nuisance", mine(nuisance={"dials": {"card": None}}), "nuisance.dials: give one of name, card, table; got none"),
        ("nuisance", mine(nuisance={"dials": {"name": "x"}}), "give one of name, card, table; got name, card"),
        ("nuisance", mine(nuisance={"dials": {"columns": None}}), "nuisance.dials: 'card' needs 'columns'"),
        ("nuisance", mine(nuisance={"dials": {"card": None, "name": "x"}}), "nuisance.dials: 'name' takes no 'columns'"),
        ("nuisance", mine(nuisance={"dials": {"card": "{file}.xml"}}), "nuisance.dials: dials by card: template '{file}.xml'"),
        ("nuisance", mine(nuisance={"dials": {"card": None, "columns": None, "name": "("}}), "'(' is no regular expression"),
        (
            "nuisance",
            mine(nuisance={"dials": {"card": None, "columns": None, "name": "(?P<RPA_CCQE>.*)"}}),
            "nuisance.dials: no column norm_ccmec or NormCCMEC",
        ),
        (
            "nuisance",
            mine(nuisance={"dials": {"card": None, "table": "no.csv"}}),
            "nuisance.dials.table: no such file 'no.csv'",
        ),
        ("nuisance", mine(nuisance={"dials": {"columns": DIALS[:1]}}), "no column rpa_strength or RPA_CCQE"),
        ("genie", mine(genie={"event_file": "no.root"}), "genie.event_file: no such file 'no.root'"),
        ("genie", mine(genie={"splines": None}), "genie: needs 'splines' to generate events, or an 'event_file'"),
        ("genie", mine(genie={"splines": "no.xml"}), "genie.splines: no such file 'no.xml'"),
        ("genie", mine(genie={"flux": "flux.root"}), "genie.flux: 'flux.root' must be FILE.root,HISTOGRAM"),
        ("genie", mine(genie={"flux": "no.root,numu"}), "genie.flux: no such file 'no.root'"),
        ("genie", mine(genie={"convention": "physical"}), "genie.convention: 'physical' is not one of reweight3"),
        ("genie", mine(throws={"design": "sobol"}), "genie: throws are split once they are read: the design must be random"),
        ("genie", prior(new={"low": 0, "high": 1}), "genie: no dial of GENIE is known for new; known: ma_ccqe_gev"),
        ("events", mine(events={"samples": {"all": {"path": "no.csv"}}}), "events.samples.all.path: no such file 'no.csv'"),
        ("events", mine(events={"samples": {"all": {"format": "neut"}}}), "format: 'neut' is not one of nuwro_table"),
        ("events", terms({**TERM, "samples": ["other"]}, RPA), "events: term 0 (mec): no sample 'other'; there are all"),
        ("events", terms({**TERM, "scale_to": ["other"]}, RPA), "events: term 0 (mec): no sample 'other'"),
        ("events", terms({**TERM, "factors": {"norm_ccmec": "square"}}, RPA), "norm_ccmec: 'square' is not one of linear"),
        ("events", terms(TERM), "events.terms: none depends on rpa_strength"),
        ("events", curve(free_nucleon=1.0), "term 0 (mec): a curve needs either 'weights'"),
        ("events", curve(weights={"a": 0.9, "b": 1.1}), "term 0 (mec): a curve needs three weights or more"),
        ("events", curve(weights={"a": 0.9, "b": 0.9, "c": 1.1}), "three weights or more, each at a value of its own"),
        ("events", terms({**TERM, "curve": FREE}, RPA), "free_nucleon needs a range [low, high], got [nan, nan]"),
        (
            "events",
            terms({**TERM, "curve": {**FREE, "parameter": "norm_ccmec", "range": [1, 2]}}, RPA),
            "free_nucleon weights follow ma_ccqe_gev, not norm_ccmec",
        ),
        (
            "events",
            terms({**TERM, "curve": CURVE}, {**RPA, "curve": {**FREE, "range": [0.8, 1.2]}}),
            "events: curves in ma_ccqe_gev hold in (0.9, 1.2) and (0.8, 1.2): give all of them one range",
        ),
        (
            "events",
            merged(curve(), prior(ma_ccqe_gev={"low": 0.95, "high": 1.3})),
            "events.terms: weights hold for ma_ccqe_gev in [0.9, 1.2]; the prior leaves it: narrow it",
        ),
        (
            "events",
            merged(
                merged(curve(), prior(**MA)),
                {"observations": {"point": {"parameters": {"ma_ccqe_gev": 2.5}}}},
            ),
            "observations.point.parameters.ma_ccqe_gev: 2.5 leaves [0.9, 1.2]",
        ),
        (
            "events",
            merged(curve(), {"measurements": {"toy": {**TOY, "parameters": {"ma_ccqe_gev": 1.25}}}, **TUNED_TO_TOY}),
            "measurements.toy.parameters.ma_ccqe_gev: 1.25 leaves [0.9, 1.2]",
        ),
        (
            "events",
            {"observations": {"point": {"parameters": {"norm_ccmec": -0.5}}}},
            "observations.point.parameters.norm_ccmec: -0.5 leaves [0, 10]",
        ),
        ("events", mine(events={"left_out": ["NC"]}), "events.left_out.0: 'NC' is not one of QE, MEC"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) and " " in value else None,
)
def test_mistakes_about_a_source(root, source, changes, message):
    refused(root, source, changes, message)


def test_a_mock_may_leave_the_prior_but_not_the_weights_of_events(root):
    """The control of the two above: between 0.9 and 1.2 GeV the weights hold, the prior is narrower."""
    point = {"observations": {"point": {"parameters": {"ma_ccqe_gev": 1.2}}}}
    config = check(root, "events", merged(merged(curve(), prior(**MA)), point))
    assert config["simulations"]["mine"]["events"]["left_out"] == []


def refused(root, source, changes, message):
    with pytest.raises(InputError) as caught:
        check(root, source, changes)
    assert message in str(caught.value) and "\n" not in str(caught.value)


DATA = {"format": "nuisance_root", "path": "a.root"}
SLICES = {name: {"format": "slice", "of": "data", "cos_theta": c} for name, c in (("low", [-1.0, 0.0]), ("high", [0.0, 1.0]))}
TENSION = {
    "measurements": {"data": DATA, **SLICES},
    "tunes": {name: {**MEASURED, "measurement": name} for name in SLICES},
    "tensions": {"angles": {"tunes": list(SLICES), "pseudo_experiments": 50}},
}


def tension(**changes):
    return merged(TENSION, changes)


def test_the_right_tension_passes(root):
    assert check(root, "throws", TENSION)["tensions"]["angles"]["tunes"] == ["low", "high"]
    apart = {"low": {"cos_theta": [-1.0, -0.5]}}
    assert check(root, "throws", tension(measurements=apart))["measurements"]["low"]["cos_theta"] == [-1.0, -0.5]


def test_slices_of_different_measurements_may_cover_the_same_angles(root):
    """The control of overlaps: what counts is the same data."""
    changes = tension(measurements={"data_2": DATA, "low": {"of": "data_2", "cos_theta": [-1.0, 0.5]}})
    assert check(root, "throws", changes)["measurements"]["low"]["of"] == "data_2"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tunes": {"mine": {"simulation": "no"}}}, "tunes.mine.simulation: 'no' is not defined; known: cc0pi, mine"),
        ({"tunes": {"mine": {"estimator": "no"}}}, "tunes.mine.estimator: 'no' is not defined"),
        ({"tunes": {"mine": {"mode": "measurement"}}}, "tunes.mine: mode 'measurement' needs the key 'measurement'"),
        ({"tunes": {"mine": {"likelihood": "full"}}}, "tunes.mine: mode 'prediction' takes neither 'likelihood'"),
        ({"tunes": {"mine": {"simulation_statistics": True}}}, "nor 'simulation_statistics': it scatters by those alone"),
        ({"tunes": {"mine": {"observations": ["no"]}}}, "tunes.mine.observations: 'no' is not defined"),
        ({"tunes": {"mine": {"observations": ["measured"]}}}, "'measured' needs a tune with a measurement"),
        ({"calibration": {"events": 200}}, "200 held-out throws wanted, but the simulation of tunes.mine has only"),
        ({"calibration": {"events": 50}}, "calibration.exact_events: must not exceed calibration.events"),
        ({"observations": {"point": {"parameters": None}}}, "observations.point: a mock needs its 'parameters'"),
        ({"observations": {"point": {"parameters": {"norm_ccmec": None}}}}, "missing 'norm_ccmec', which tunes.mine"),
        ({"observations": {"point": {"parameters": {"ma_ccqe_gev": 1}}}}, "unknown parameter 'ma_ccqe_gev'; known: norm_ccmec"),
        ({"observations": {"point": {"parameters": {"norm_ccmec": 4}}}}, "point.parameters.norm_ccmec: 4 leaves [1, 3]"),
        (tension(tunes={"low": {"measurement": "no"}}), "tunes.low.measurement: 'no' is not defined"),
        (tension(measurements={"data": {"path": "no.root"}}), "measurements.data.path: no such file 'no.root'"),
        (tension(measurements={"low": {"of": "no"}}), "measurements.low.of: 'no' is not defined"),
        (tension(measurements={"low": {"of": "high"}}), "measurements.low.of: high is a slice itself; name the whole"),
        (tension(measurements={"low": {"cos_theta": [0.0]}}), "measurements.low.cos_theta: [0.0] is too short"),
        (
            tension(
                measurements={"low": None, "toy": {"format": "toy", "simulation": "no", "parameters": {"norm_ccmec": 1.5}}},
                tunes={"low": {"measurement": "toy"}},
            ),
            "measurements.toy.simulation: 'no' is not defined; known: cc0pi, mine",
        ),
        (
            tension(
                measurements={"toy": {"format": "toy", "simulation": "mine", "parameters": {"norm_ccmec": 0.5}}},
                tunes={"low": {"measurement": "toy"}},
            ),
            "measurements.toy.parameters.norm_ccmec: 0.5 leaves [1, 3]",
        ),
        (tension(tensions={"angles": {"tunes": ["low", "no"]}}), "tensions.angles.tunes: 'no' is not defined"),
        (tension(tensions={"angles": {"tunes": ["low", "mine"]}}), "tunes: mine has no observation 'measured'"),
        (tension(tunes={"low": {"simulation": "cc0pi"}}), "different parameters or priors; give them the same"),
        (tension(tunes={"low": {"likelihood": "diagonal"}}), "the tunes have different likelihoods; give them the same"),
        (tension(tunes={"low": {"measurement": "high"}}), "tensions.angles.tunes: high would be compared with itself"),
        (tension(tunes={"low": {"measurement": "data"}}), "data would be compared with itself or a part of itself"),
        (
            tension(measurements={"low": {"cos_theta": [-1.0, 0.2]}}),
            "tensions.angles.tunes: the slices low and high overlap; give ranges of cos_theta that do not",
        ),
        (tension(measurements={"low": {"cos_theta": [-1.0, 1.0]}}), "the slices low and high overlap"),
        (tension(measurements={"low": {"cos_theta": [0.0, 1.0]}}), "the slices low and high overlap"),
        (tension(tunes={"low": {"label": "a"}, "high": {"label": "a"}}), "two tunes have the same label"),
        (tension(tensions={"angles": {"pseudo_experiments": 300}}), "angles.pseudo_experiments: 300 wanted"),
        (
            tension(
                measurements={"other": DATA},
                tunes={"other": {**MEASURED, "measurement": "other"}},
                tensions={"angles": {"tunes": ["low", "high", "other"]}},
            ),
            "some measurements are slices of one, others are not; make a tension of its slices alone",
        ),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else None,
)
def test_mistakes_about_tunes_measurements_and_tensions(root, changes, message):
    refused(root, "throws", changes, message)


def test_a_table_of_covariances_must_be_there(root):
    files = dict.fromkeys(("total", "stat", "shapesyst"), "throws.txt") | {"fluxnorm": "no.csv"}
    data = {"format": "csv", "path": "throws.txt", "covariances": files}
    changes = {"measurements": {"data": data}, "tunes": {"mine": {**MEASURED, "measurement": "data"}}}
    refused(root, "throws", changes, "measurements.data.covariances.fluxnorm: no such file 'no.csv'")


def test_files_of_a_simulation_that_no_tune_uses_may_be_missing(root):
    """A configuration may hold entries for another machine."""
    tune = {"simulation": "cc0pi", "observations": ["microboone_tune"]}
    changes = {"simulations": {"mine": {"table": {"files": ["no.txt"]}}}, "tunes": {"mine": tune}}
    assert check(root, "throws", changes)["simulations"]["mine"]["table"]["files"] == ["no.txt"]


def test_files_behind_a_stand_in_must_be_there(root):
    """The measurement of a tune may come from a simulation that no tune names."""
    stand_in = {"format": "toy", "simulation": "other", "parameters": {"norm_ccmec": 1.5}}
    other = merged(configured("throws", {})["simulations"]["mine"], {"table": {"files": ["no.txt"]}})
    changes = {"simulations": {"other": other}, "measurements": {"toy": stand_in}}
    changes["tunes"] = {"mine": {**MEASURED, "measurement": "toy"}}
    refused(root, "throws", changes, "simulations.other.table.files: no such file: no.txt")


def test_snakemake_says_it_in_one_error(root, tmp_path):
    entry = {"source": "throws", "parameters": PRIORS, "throws": {"validation": 20, "test": 20}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"simulations": {"mine": entry}}))
    for name in ("config", "resources"):
        (tmp_path / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "snakemake", "-n", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(tmp_path)]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command += ["--configfile", str(tmp_path / "mine.yaml")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "Traceback" not in done.stdout + done.stderr
    assert "configuration: simulations.mine: the source 'throws' needs 'table'" in done.stdout + done.stderr


# Files, by the steps' command line.


def fails(capsys, step, outputs, *arguments):
    """Run a step that must fail over earlier outputs; return its one line on stderr."""
    for path in outputs:
        path.write_bytes(EARLIER)
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        run(step, [str(a) for a in arguments])
    lines = capsys.readouterr().err.strip().splitlines()
    assert ended.value.code == 2 and len(lines) == 1 and lines[0].startswith("error: "), lines
    for path in outputs:
        assert path.read_bytes() == EARLIER
        assert [p for p in path.parent.iterdir() if p.name.startswith(f".{path.name}")] == []
    return lines[0]


BINS = "cos_lo,cos_hi,p_mu_lo_gev,p_mu_hi_gev\n0,1,0,0.5\n0,1,0.5,1\n0,1,1,2\n"


@pytest.fixture
def bins(tmp_path):
    """Three bins, of which dropping the overflow leaves two."""
    path = tmp_path / "bins.csv"
    path.write_text(BINS)
    return path


def table(paths, **changes):
    entry = {"files": [str(p) for p in paths], "dials": DIALS, "decimal_comma": False, "predictions": "prediction", **changes}
    return {"table": entry, "on_bad_throw": "error", "drop_momentum_overflow": True}


def reading(capsys, bins, settings):
    output = bins.parent / "0.h5"
    return fails(capsys, read_throws, [output], "--binning", bins, "--output", output, "--settings", json.dumps(settings))


def written(tmp_path, text, name="throws.txt"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


ROW = "0.1 0.2 1e-39 2e-39\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ROW + "0.1 0.2 1e-39\n" + ROW, "throws.txt: line 2"),
        (ROW + "0.1 0.2 1e-39 x\n", "throws.txt: line 2"),
        (ROW + ROW[:10], "throws.txt: line 2"),
        (ROW + ROW[:-1], "throws.txt: line 2: no line end: the file is truncated or still being written"),
        ("# RPA_CCQE NormCCMEC 0 1\n" + ROW, "a comment above the rows has the dials in the order RPA_CCQE, NormCCMEC"),
        (3 * (ROW[:-1] + " 3e-39\n"), "3 bins a row, expected 2"),
        ("", "throws.txt"),
        ("a b c d\n" + ROW, "throws.txt"),
    ],
    ids=["a number is missing", "no number", "cut off", "no end", "order of a comment", "other bins", "empty", "other names"],
)
def test_bad_tables(capsys, bins, text, message):
    assert message in reading(capsys, bins, table([written(bins.parent, text)]))


def test_a_cut_off_gzip(capsys, bins):
    path = written(bins.parent, gzip.compress((1000 * ROW).encode())[:-20], "throws.txt.gz")
    line = reading(capsys, bins, table([path]))
    assert "throws.txt.gz" in line and ("truncated" in line or "cut off" in line)


def test_bad_hdf5_tables(capsys, bins):
    path = bins.parent / "throws.h5"
    with h5py.File(path, "w") as file:
        file["prediction"] = np.ones((5, 2))
    assert "throws.h5" in reading(capsys, bins, table([path]))
    path.write_bytes(path.read_bytes()[:-600])
    assert "throws.h5" in reading(capsys, bins, table([path]))


def test_a_bad_table_of_bins(capsys, bins):
    path = written(bins.parent, ROW)
    bins.write_text(BINS.replace("p_mu_hi_gev", "p_hi"))
    assert "bins.csv: missing columns p_mu_hi_gev" in reading(capsys, bins, table([path]))


def test_a_good_table_passes(bins):
    """The control: a comment that has the dials in their order, and an end of every line."""
    path, output = written(bins.parent, "# NormCCMEC RPA_CCQE 0 1\n" + 2 * ROW), bins.parent / "0.h5"
    run(read_throws, ["--binning", str(bins), "--output", str(output), "--settings", json.dumps(table([path]))])
    assert len(read_raw_throws(output)) == 2


def nuiscomp(folder, name="a.root", n_bin=2, setting=""):
    """Write a file of nuiscomp and the card beside it."""
    values = np.linspace(1, 2, n_bin) * 1e-39
    write_nuiscomp(folder / name, SAMPLE, values, 0.1 * values, values, np.diag(values**2), extra=False)
    card = f'<nuisance>\n{setting}<parameter name="NormCCMEC" nominal="1.5" type="genie_parameter"/>\n'
    (folder / name).with_suffix(".xml").write_text(
        card + '<parameter name="RPA_CCQE" nominal="0.2" type="genie_parameter"/>\n</nuisance>\n'
    )
    return folder / name


def files(folder, stop=1, **changes):
    state = state_of(sorted(folder.glob("*.root"))[:stop])
    entry = {"files": [str(folder / "*.root")], "range": [0, stop], "sample": SAMPLE, "state": state, "absolute": False}
    entry |= {"dials": {"card": "{stem}.xml", "columns": DIALS}, **changes}
    return {"nuisance": entry, "on_bad_throw": "error", "drop_momentum_overflow": True}


def test_bad_files_of_nuiscomp(capsys, bins):
    path = nuiscomp(bins.parent)
    whole = path.read_bytes()
    assert f"no OTHER_MC; the samples there are {SAMPLE}" in reading(capsys, bins, files(bins.parent, sample="OTHER"))
    dials = {"card": "{stem}.xml", "columns": ["MaCCQE"]}
    assert "a.xml: no parameter MaCCQE; there are NormCCMEC" in reading(capsys, bins, files(bins.parent, dials=dials))
    line = reading(capsys, bins, files(bins.parent, dials={"name": "norm_(?P<NormCCMEC>.*)"}))
    assert "a.root: the name does not match" in line
    assert "1 files, 2 when the run was planned; start it again" in reading(capsys, bins, files(bins.parent, stop=2))
    for content, message in ((whole[: len(whole) // 2], "truncated"), (b"", "empty"), (b"text" * 30, "not a ROOT file")):
        path.write_bytes(content)
        assert f"a.root: {message}" in reading(capsys, bins, files(bins.parent))
    path.write_bytes(whole)
    path.with_suffix(".xml").unlink()
    assert "a.xml: no such card" in reading(capsys, bins, files(bins.parent))
    nuiscomp(bins.parent, n_bin=5)
    assert "has 5 bins, the measurement 2" in reading(capsys, bins, files(bins.parent))


def test_files_that_change_after_the_plan(capsys, bins):
    """Neither another content under a name, nor a new file that shifts the others, becomes a part that was planned."""
    path = nuiscomp(bins.parent, "b.root")
    planned = files(bins.parent)
    good_part(bins, planned)
    os.utime(path, ns=(1, 1))
    message = "files have changed since the run was planned; start it again"
    assert message in reading(capsys, bins, planned)
    planned = files(bins.parent)
    nuiscomp(bins.parent, "a.root")
    assert message in reading(capsys, bins, planned)
    planned = files(bins.parent)
    nuiscomp(bins.parent, "c.root")
    good_part(bins, planned)


def test_cards_of_another_convention(capsys, bins):
    absolute = '<config setabstwk="1"/>\n'
    for setting, told, message in (
        (absolute, False, "a.xml: setabstwk is set, which is not the convention configured; give convention: absolute"),
        ("", True, "a.xml: setabstwk is not set, which is not the convention configured; give reweight3 or reweight2"),
    ):
        nuiscomp(bins.parent, setting=setting)
        assert message in reading(capsys, bins, files(bins.parent, absolute=told))
        assert good_part(bins, files(bins.parent, absolute=not told)).dials.tolist() == [[1.5, 0.2]]


def test_a_part_without_a_good_file_is_one_of_many(capsys, bins):
    """A chunk of bad files costs these alone; nothing but bad files is a mistake."""
    nuiscomp(bins.parent)
    good = good_part(bins, files(bins.parent))
    (bins.parent / "a.root").write_bytes(b"")
    empty = good_part(bins, {**files(bins.parent), "on_bad_throw": "drop"})
    assert len(empty) == 0 and [Path(b.where).name for b in empty.bad] == ["a.root"]
    both = concatenated([empty, good])
    assert both.dials.tolist() == good.dials.tolist() and both.bad == empty.bad
    outputs, arguments = ingesting(bins.parent, bins, empty, on_bad_throw="drop")
    line = fails(capsys, ingest, outputs, *arguments)
    assert "not one of 1 throws can be used; the first: " in line and "a.root: empty" in line


def good_part(bins, settings):
    """The part that the step writes."""
    output = bins.parent / "0.h5"
    run(read_throws, ["--binning", str(bins), "--output", str(output), "--settings", json.dumps(settings)])
    return read_raw_throws(output)


def test_good_files_pass(bins):
    """The control: without a mistake the same files are taken, of two bins or of all three."""
    for n in (2, 3):
        nuiscomp(bins.parent, n_bin=n)
        part = good_part(bins, files(bins.parent))
        assert part.prediction.shape == (1, 2) and part.dials[0].tolist() == [1.5, 0.2]


def raw_throws(n=400):
    """Good throws in dials of Reweight 3, cm2."""
    rng = np.random.default_rng(21)
    dials = np.stack([rng.uniform(0, 4, n), rng.uniform(0, 1, n)], axis=1)
    prediction = (1.0 + dials @ rng.random((2, 2))) * 1e-39
    return RawThrows(tuple(DIALS), dials, prediction, ("a.txt",), np.zeros(n, int), np.arange(1, n + 1))


def ingesting(tmp_path, bins, raw, **changes):
    write_raw_throws(tmp_path / "0.h5", raw, {})
    settings = {"parameters": PRIORS, "convention": "reweight3", "units": "cm2", "counts": {"test": 50, "validation": 50}}
    settings |= {"drop_momentum_overflow": True, "on_bad_throw": "error", "check_prior": True, "simulation": "mine", "seed": 1}
    outputs = [tmp_path / "simulations.h5", tmp_path / "ingest.json"]
    named = ["--parts", tmp_path / "0.h5", "--binning", bins, "--simulations", outputs[0], "--report", outputs[1]]
    return outputs, [*named, "--settings", json.dumps({**settings, **changes})]


def edited(column, row, value):
    """The throws with one number changed, of a dial or of a prediction."""

    def edit(raw):
        getattr(raw, column)[row] = value
        return raw

    return edit


def unchanged(raw):
    return raw


@pytest.mark.parametrize(
    ("edit", "changes", "message"),
    [
        (edited("prediction", (3, 1), np.nan), {}, "a.txt: line 4: bin 1 is nan"),
        (edited("prediction", (3, 0), -1e-40), {}, "a.txt: line 4: bin 0 is -0.01"),
        (edited("prediction", 7, 0.0), {}, "a.txt: line 8: every bin is zero"),
        (edited("prediction", 7, 0.1), {}, "a.txt: line 8: bin 0 holds 0.1, no content in units of cm2"),
        (edited("dials", (9, 0), np.inf), {}, "a.txt: line 10: dial NormCCMEC is inf"),
        (lambda raw: edited("dials", 11, raw.dials[2])(raw), {}, "a.txt: line 12: repeats a.txt: line 3: the same dials"),
        (edited("dials", (5, 0), 4.5), {}, "norm_ccmec 3.25 is outside its prior [1, 3]; dial range against the prior"),
        (edited("dials", (5, 0), -2.5), {}, "the generator clamps NormCCMEC -2.5 (reweight3 dials)"),
        (unchanged, {"units": "1e-38cm2"}, "contents look like cm2, not 1e-38cm2"),
        (unchanged, {"convention": "absolute"}, "outside its prior [1, 3]; dial range against the prior"),
        (unchanged, {"counts": {"test": 300, "validation": 100}}, "400 usable throws are too few for 300 test, 100 validation"),
        (
            unchanged,
            {"drop_momentum_overflow": False},
            "2 bins a throw, but the measurement has 3; check drop_momentum_overflow",
        ),
        (
            unchanged,
            {"parameters": {**PRIORS, "ma_ccqe_gev": {"low": 1, "high": 1.2}}},
            "no column named ma_ccqe_gev or MaCCQE",
        ),
        (unchanged, {"parameters": {"rpa_strength": PRIORS["rpa_strength"]}}, "dial NormCCMEC varies from"),
        (
            unchanged,
            {"parameters": {**PRIORS, "norm_ccmec": {"prior": "normal", "mean": 2.0, "sigma": 0.2, "low": 1.0, "high": 3.0}}},
            "throws of norm_ccmec are not distributed as its prior",
        ),
        (
            unchanged,
            {"parameters": {**PRIORS, "norm_ccmec": {"low": 1.0, "high": 3.2}}},
            "its prior from 1 to 3.2: nothing is known of the rest; narrow the prior to what was thrown",
        ),
    ],
    ids=lambda value: value[:50] if isinstance(value, str) else None,
)
def test_throws_that_cannot_be_used(capsys, tmp_path, bins, edit, changes, message):
    outputs, arguments = ingesting(tmp_path, bins, edit(raw_throws()), **changes)
    assert message in fails(capsys, ingest, outputs, *arguments)


def test_good_throws_pass(capsys, tmp_path, bins):
    """The control; bad ones that reading left out are told, and dropped ones too."""
    raw = edited("prediction", (3, 1), np.nan)(raw_throws()).without(np.zeros(400, bool), [BadThrow("b.txt", "truncated")])
    outputs, arguments = ingesting(tmp_path, bins, raw, on_bad_throw="drop")
    run(ingest, [str(a) for a in arguments])
    assert "warning: 2 of 401 throws left out" in capsys.readouterr().err
    assert json.loads(outputs[1].read_text())["bad"] == [
        {"where": "b.txt", "why": "truncated"},
        {"where": "a.txt: line 4", "why": "bin 1 is nan"},
    ]


def test_a_truncated_part(capsys, tmp_path, bins):
    outputs, arguments = ingesting(tmp_path, bins, raw_throws())
    path = tmp_path / "0.h5"
    path.write_bytes(path.read_bytes()[:-600])
    assert "0.h5: not a whole HDF5 file" in fails(capsys, ingest, outputs, *arguments)


def test_too_few_throws_for_a_response(capsys, tmp_path):
    box, rng = prior_box(PRIORS), np.random.default_rng(22)
    binning = Binning([0.0, 0.0], [1.0, 1.0], [0.0, 0.5], [0.5, 1.0])
    u = rng.random((12, 2))
    split = np.repeat([0, 1, 2], 4).astype(np.int8)
    write_simulations(tmp_path / "s.h5", Simulations(box, binning, u, box.from_unit(u), 1 + u, split), {})
    (tmp_path / "ingest.json").write_text("{}")
    outputs = [tmp_path / "response.h5", tmp_path / "response.json"]
    line = fails(
        *(capsys, surrogate, outputs, "--simulations", tmp_path / "s.h5", "--report", tmp_path / "ingest.json"),
        *("--response", outputs[0], "--checks", outputs[1], "--settings", '{"max_degree": 8}'),
    )
    assert "4 train throws for 2 parameters; give 15 or more" in line


def scattering(tmp_path, edit, **changes):
    """The outputs and arguments of the step ``likelihood`` for a response fitted to linear throws, changed by ``edit``."""
    box, rng = prior_box(PRIORS), np.random.default_rng(23)
    binning = Binning([0.0, 0.0], [1.0, 1.0], [0.0, 0.5], [0.5, 1.0])
    u = rng.random((100, 2))
    throws = Simulations(box, binning, u, box.from_unit(u), 1 + u, np.repeat([0, 1, 2], [60, 20, 20]).astype(np.int8))
    data = Measurement("data", "data", np.ones(2), {k: np.eye(2) for k in ("total", "shape")}, 0.1, binning, True, "a table")
    write_simulations(tmp_path / "s.h5", throws, {})
    write_response(tmp_path / "r.h5", edit(fit_surrogate(throws)), binning, {})
    write_measurement(tmp_path / "m.h5", data, {})
    settings = {"mode": "prediction", "n_events": 1000, "events": 10, "seed": 1, "tune": "mine"}
    settings |= {"simulation_statistics": False, "likelihood": "full", **changes}
    outputs = [tmp_path / "likelihood.h5", tmp_path / "held_out.h5"]
    named = ["--simulations", tmp_path / "s.h5", "--response", tmp_path / "r.h5", "--measurement", tmp_path / "m.h5"]
    named += ["--likelihood", outputs[0], "--held-out", outputs[1], "--settings", json.dumps(settings)]
    return outputs, [str(a) for a in named]


@pytest.mark.parametrize(
    ("edit", "changes", "message"),
    [
        (lambda r: replace(r, n_negative=3), {}, "r.h5: the fitted response is negative in 3 of 20 test throws"),
        (
            lambda r: r,
            {"mode": "measurement", "simulation_statistics": True},
            "r.h5: the source knows no statistics of its events; leave simulation_statistics out of the tune",
        ),
    ],
    ids=["negative", "no statistics"],
)
def test_responses_that_a_likelihood_cannot_be_made_of(capsys, tmp_path, edit, changes, message):
    outputs, arguments = scattering(tmp_path, edit, **changes)
    assert message in fails(capsys, likelihood, outputs, *arguments)


@pytest.mark.parametrize(
    ("edit", "changes"),
    [
        (lambda r: r, {}),
        (lambda r: replace(r, n_negative=3), {"mode": "measurement"}),
        (lambda r: replace(r, variance=np.full(2, 0.01)), {"mode": "measurement", "simulation_statistics": True}),
    ],
    ids=["positive", "negative, but Gaussian", "statistics"],
)
def test_a_likelihood_of_the_others_is_made(tmp_path, edit, changes):
    """The control: the same without the one thing that is wrong."""
    outputs, arguments = scattering(tmp_path, edit, **changes)
    run(likelihood, arguments)
    assert all(path.is_file() for path in outputs)


def test_bad_slices(capsys, tmp_path):
    binning = Binning([-1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.5], [1.0, 0.5, 1.0])
    covariances = {"total": np.eye(3), "shape": np.eye(3)}
    whole = Measurement("whole", "whole", np.ones(3), covariances, 0.1, binning, True, "a table")
    write_measurement(tmp_path / "whole.h5", whole, {})
    output = tmp_path / "slice.h5"
    cases = {
        "inverted": [0.5, -0.5],
        "cuts through a bin; its edges are [-1.0, 0.0, 1.0]": [-1.0, 0.5],
        "holds 3 of 3 bins": [-1.0, 1.0],
        "holds 0 of 3 bins": [1.0, 1.5],
    }
    for message, cos_theta in cases.items():
        settings = json.dumps({"name": "part", "measurement": {"format": "slice", "cos_theta": cos_theta}})
        arguments = ["--files", tmp_path / "whole.h5", "--output", output, "--settings", settings]
        line = fails(capsys, measurement, [output], *arguments)
        assert "measurement part: cos_theta" in line and message in line


def test_bad_events(capsys, tmp_path, bins):
    header = "E_nu_GeV,p_mu_GeV,cos_theta,Q2_GeV2,mode,n_pip,n_pim,n_pi0,n_other_meson,weight_cm2_per_nucleon\n"
    row = "0.9,0.4,0.5,0.3,MEC,0,0,0,0,1e-38\n"
    outputs = [tmp_path / "response.h5", tmp_path / "response.json"]

    def line(text, samples=None, **changes):
        path = written(tmp_path, text, "events.csv")
        entry = {"path": str(path), "format": "nuwro_table", "options": {}}
        settings = {"samples": {"all": merged(entry, samples or {})}, "terms": [TERM], "nominal": {}, "left_out": []}
        settings |= {"drop_momentum_overflow": True, **changes}
        named = ["--samples", path, "--binning", bins, "--response", outputs[0], "--checks", outputs[1]]
        return fails(capsys, event_response, outputs, *named, "--settings", json.dumps(settings))

    assert "events.csv: no events" in line(header)
    assert "events.csv: missing columns cos_theta" in line(header.replace("cos_theta", "cos") + row)
    assert "events.csv: the last line has no end" in line(header + row + row[:-1])
    assert "line 3 has 4 entries" in line(header + row + "0.9,0.4,0.5,0.3\n")
    assert "event 1: p_mu_gev = nan" in line(header + row + row.replace("0.4", "nan"))
    assert "a factor 1e38 is the usual mistake" in line(header + row.replace("1e-38", "1.0"))
    quasielastic = header + row.replace("MEC", "QE")
    assert "the channel QE counts 0 times, not once; name it in a term" in line(quasielastic)
    assert "sample all: no CC0pi events of MEC" in line(quasielastic, left_out=["QE"])
    assert "the channel MEC counts 2 times, not once" in line(header + row, terms=[TERM, TERM])
    assert "nuwro_table knows no option colour" in line(header + row, samples={"options": {"colour": 1}})
    assert "sample all: no weight column w_900, w_1200; there are none" in line(header + row, terms=[{**TERM, "curve": CURVE}])
    mine = {**TERM, "factors": {"mine": "linear"}}
    assert "nominal: give the value of mine in the event samples" in line(header + row, terms=[mine])


def test_bad_cards(capsys, tmp_path):
    production = {"input_file": "events.root", "sample": SAMPLE, "convention": "reweight3"}
    outputs = [tmp_path / "card.xml", tmp_path / "throws.txt"]

    def line(**changes):
        settings = {"parameters": PRIORS, "design": "random", "n": 10, "range": ["production", 0, 10], "simulation": "mine"}
        settings |= {"seed": 1, "production": {**production, **changes}}
        named = ["--output-card", outputs[0], "--output-throws", outputs[1]]
        return fails(capsys, cards, outputs, *named, "--settings", json.dumps(settings))

    assert "unknown dial convention 'genie'" in line(convention="genie")
    assert "config: 'setabstwk' is written for you; set 'convention: absolute' instead" in line(config={"setabstwk": "1"})
    assert "production: sample 'a b' is not a name" in line(sample="a b")
    assert "production: unknown setting dial" in line(dial=1)
    assert "production: input_file is empty" in line(input_file=" ")

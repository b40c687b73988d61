"""Every mistake in a configuration's far-detector samples and fits ends in one error that names the key."""

import copy
from pathlib import Path

import pytest
import yaml

from nuinfer.config import checked
from nuinfer.config_oscillation import check_oscillation
from nuinfer.errors import InputError
from nuinfer.oscillation.nufast import NUFIT60_NO_WITH_SK
from nuinfer.oscillation.region_methods import region_methods

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
DEFAULT = yaml.safe_load((ROOT / "config/config.yaml").read_text())
TABLE = "config/config.yaml"
"""Any file that is there: tables are read later."""
DUNE = {
    "label": "DUNE",
    "flux": {"path": "resources/dune_nd_fhc.csv"},
    "enu_range_gev": [0.25, 10.0],
    "partons": {"set": "les_houches_toy"},
}
BASE = {
    **DEFAULT,
    "tunes": {"mock": DEFAULT["tunes"]["mock"]},
    "experiments": {"dune": DUNE, "other": DUNE},
    "learners": {},
    "fit": {"sin2_theta23": [0.35, 0.65], "dm31_ev2": [0.0023, 0.00275]},
    "studies": {
        "net": {"label": "a", "experiment": "dune", "learner": "mlp"},
        "far": {"label": "b", "experiment": "other", "learner": "mlp"},
    },
    "far_samples": {
        "exact": {"experiment": "dune", "events": 100},
        "table": {"experiment": "dune", "table": {"path": TABLE}},
        "elsewhere": {"experiment": "other", "events": 100},
        "spare": {"experiment": "dune", "events": 100},
    },
    "fits": {"main": {"label": "main", "samples": ["exact", "table"], "studies": ["net"]}},
    "ensembles": {},
}


def merged(base, overlay):
    if not isinstance(base, dict) or not isinstance(overlay, dict):
        return overlay
    return {**base, **{k: merged(base.get(k), v) if k in base else v for k, v in overlay.items()}}


def check(overlay=None):
    return checked(merged(copy.deepcopy(BASE), overlay or {}), SCHEMA, ROOT)


def sample(name: str = "exact", **entries):
    return {"far_samples": {name: entries}}


def fit(**entries):
    return {"fits": {"main": entries}}


def test_defaults_are_filled_in():
    config = check()
    entry = config["far_samples"]["exact"]
    assert entry["draw"] == 0 and "smearing" not in entry
    assert entry["coverage"] == {"pseudo_experiments": 0, "studies": []}
    assert config["far_samples"]["table"]["table"]["columns"] == {"el_gev": "el_gev", "cos_theta": "cos_theta"}
    assert set(config["fit"]["methods"]) <= set(region_methods()) and config["fit"]["bootstraps"] == 10000


def test_a_samples_truth_is_the_experiments_but_for_what_it_says():
    config = check(sample(oscillation={"sin2_theta23": 0.42}))
    own = config["experiments"]["dune"]["oscillation"]
    assert own["sin2_theta23"] == NUFIT60_NO_WITH_SK.sin2_theta23
    truth = config["far_samples"]["exact"]["truth"]
    assert truth == {**own, "sin2_theta23": 0.42} and "sin2_theta23" in own
    assert config["far_samples"]["table"]["truth"] == own
    assert config["experiments"]["dune"]["oscillation"] is not truth


def test_a_sample_without_a_fit_or_coverage_is_not_looked_at():
    broken = {"table": {"path": "gone.csv"}, "events": 100, "experiment": "nowhere"}
    assert "truth" not in check(sample("spare", **broken))["far_samples"]["spare"]
    with pytest.raises(InputError, match=r"far_samples\.spare\.experiment: 'nowhere' is not defined; known: dune, other"):
        check({**sample("spare", **broken), **fit(samples=["spare"], studies=[])})
    covered = {**broken, "coverage": {"pseudo_experiments": 3}}
    with pytest.raises(InputError, match=r"far_samples\.spare\.experiment: 'nowhere' is not defined"):
        check(sample("spare", **covered))


def test_what_fits_passes():
    check(sample(smearing=0.04, draw=2, coverage={"pseudo_experiments": 10, "studies": ["net"]}))
    check(sample("table", smearing=0.1, table={"tree": "events", "columns": {"el_gev": "E"}}))
    check(fit(samples=["elsewhere"], studies=["far"]))
    check({"fit": {"sin2_theta23": [0.4, 0.6], "dm31_ev2": [2.4e-3, 2.6e-3]}})
    check({"studies": {"truth": BASE["studies"]["net"] | {"label": "c"}}})
    # Of a table no truth is known: it may lie anywhere.
    far = {"dune": {"oscillation": {"dm31_ev2": 2.9e-3}}}
    check({"experiments": far, **fit(samples=["table"], studies=[])})
    # Without fits the folders' names are free.
    check({"fits": {"main": None}, "studies": {"coverage": BASE["studies"]["net"] | {"label": "c"}}})


def test_every_method_of_regions_may_be_asked_for():
    assert check({"fit": {"methods": list(region_methods())}})["fit"]["methods"] == list(region_methods())


def test_the_inverted_ordering():
    inverted = {"fit": {"dm31_ev2": [-2.7e-3, -2.3e-3]}, **sample(oscillation={"dm31_ev2": -2.5e-3})}
    check(inverted)
    with pytest.raises(InputError, match=r"far_samples\.exact: its true dm31_ev2, 0\.002513, is outside fit\.dm31_ev2"):
        check({"fit": inverted["fit"]})


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        (fit(samples=["nowhere"]), r"fits\.main\.samples: 'nowhere' is not defined; known: exact, table, elsewhere, spare"),
        (
            fit(samples=["exact", "elsewhere"]),
            r"fits\.main\.samples: of different experiments, dune, other; fit them apart",
        ),
        (fit(studies=["nothing"]), r"fits\.main\.studies: 'nothing' is not defined; known: net, far"),
        (
            fit(studies=["far"]),
            r"fits\.main\.studies: 'far' is of the experiment 'other', the samples of 'dune'",
        ),
        (fit(samples=[]), r"fits\.main\.samples"),
        (fit(colour="red"), r"fits\.main: unknown key 'colour'"),
        ({"fits": {"a b": BASE["fits"]["main"]}}, r"fits: the name 'a b' must be letters, digits and underscores"),
        (
            {"fits": {"coverage_x": BASE["fits"]["main"]}},
            r"fits: 'coverage_x' begins like the folders of coverage figures; choose another name",
        ),
        ({"far_samples": {"2x": BASE["far_samples"]["exact"]}}, r"far_samples: the name '2x' must be letters"),
        (
            {"studies": {"true": BASE["studies"]["net"] | {"label": "c"}}},
            r"studies: the name 'true' is taken by a folder of the fits; choose another",
        ),
        (
            {"studies": {"coverage": BASE["studies"]["net"] | {"label": "c"}}},
            r"studies: the name 'coverage' is taken by a folder of the fits; choose another",
        ),
        ({"tunes": {"fits": DEFAULT["tunes"]["mock"]}}, r"tunes: the name 'fits' is taken by a folder of figures"),
        (
            {**sample(experiment="nova"), **fit(samples=["exact"], studies=[])},
            r"far_samples\.exact\.experiment: 'nova' is not defined; known: dune, other",
        ),
        (
            sample(table={"path": TABLE}),
            r"far_samples\.exact: give either 'events', a number to draw, or a 'table' to read",
        ),
        (sample(events=None), r"far_samples\.exact: give either 'events', a number to draw, or a 'table' to read"),
        (sample("table", table={"path": "gone.csv"}), r"far_samples\.table\.table\.path: no such file 'gone\.csv'"),
        (sample("table", table={"path": None}), r"far_samples\.table\.table: missing key 'path'"),
        (
            sample("table", coverage={"pseudo_experiments": 5}),
            r"far_samples\.table\.coverage: pseudo-experiments need a truth; only samples with 'events' have one",
        ),
        (
            sample(coverage={"pseudo_experiments": 5, "studies": ["nothing"]}),
            r"far_samples\.exact\.coverage\.studies: 'nothing' is not defined; known: net, far",
        ),
        (
            sample(coverage={"pseudo_experiments": 5, "studies": ["far"]}),
            r"far_samples\.exact\.coverage\.studies: 'far' is of the experiment 'other', the samples of 'dune'",
        ),
        (
            sample(oscillation={"sin2_theta23": 0.3}),
            r"far_samples\.exact: its true sin2_theta23, 0\.3, is outside fit\.sin2_theta23, \[0\.35, 0\.65\]",
        ),
        (
            sample(oscillation={"dm31_ev2": 2.8e-3}),
            r"far_samples\.exact: its true dm31_ev2, 0\.0028, is outside fit\.dm31_ev2, \[0\.0023, 0\.00275\]",
        ),
        (
            {"experiments": {"dune": {"oscillation": {"dm31_ev2": 2.8e-3}}}},
            r"far_samples\.exact: its true dm31_ev2, 0\.0028, is outside",
        ),
        (sample(oscillation={"sin2_theta23": 1.2}), r"far_samples\.exact\.oscillation\.sin2_theta23: 1\.2"),
        (
            sample(oscillation={"theta23": 0.7}),
            r"far_samples\.exact\.oscillation: unknown key 'theta23'; allowed: sin2_theta12",
        ),
        (sample(events=0), r"far_samples\.exact\.events: 0"),
        (sample(smearing=1.5), r"far_samples\.exact\.smearing: 1\.5"),
        (sample(smearing=0), r"far_samples\.exact\.smearing: 0"),
        (sample(draw=-1), r"far_samples\.exact\.draw: -1"),
        ({"fit": {"sin2_theta23": [0.65, 0.35]}}, r"fit: range of sin2_theta23: \[0\.65, 0\.35\] must lie inside 0 to 1"),
        ({"fit": {"sin2_theta23": [0.3, 0.6]}}, r"fit: range of sin2_theta23: .*gives the octants different room; give"),
        ({"fit": {"dm31_ev2": [2.7e-3, 2.3e-3]}}, r"fit: range of dm31_ev2: .*must increase and keep one sign"),
        ({"fit": {"dm31_ev2": [-1e-3, 3e-3]}}, r"fit: range of dm31_ev2: .*must increase and keep one sign"),
        ({"fit": {"dm31_ev2": [2.3e-3]}}, r"fit\.dm31_ev2"),
        ({"fit": {"methods": ["profile"]}}, r"fit\.methods\.0: 'profile' is not one of bootstrap, .*feldman_cousins"),
        ({"fit": {"n_sin2": 31}}, r"fit\.n_sin2: 31 is not a multiple of 2"),
        ({"fit": {"speed": 1}}, r"fit: unknown key 'speed'; allowed: sin2_theta23"),
    ],
)
def test_every_mistake_is_named(overlay, message):
    with pytest.raises(InputError, match=message) as caught:
        check(overlay)
    assert "\n" not in str(caught.value)


def test_nothing_configured_is_nothing_wrong():
    config = {"fits": {}, "ensembles": {}, "scans": {}, "far_samples": {}, "studies": {"true": {}}, "tunes": {"fits": {}}}
    check_oscillation(config, ROOT)
    assert config["far_samples"] == {}


def test_a_sample_of_an_ensemble_alone_is_looked_at():
    config = check({"fits": None, "studies": {"net": {"draws": 2}}, "ensembles": {"all": {"sample": "spare", "study": "net"}}})
    assert config["far_samples"]["spare"]["truth"]["sin2_theta23"] == 0.47

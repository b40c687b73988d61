"""Every mistake in a configuration's ensembles, scans and studies of draws ends in one error that names the key."""

import copy
from pathlib import Path

import pytest
import yaml

from nuinfer.config import checked
from nuinfer.config_systematics import scan_points, scan_study
from nuinfer.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
DEFAULT = yaml.safe_load((ROOT / "config/config.yaml").read_text())
PLAIN = {
    "label": "without shapes",
    "flux": {"path": "resources/dune_nd_fhc.csv"},
    "enu_range_gev": [0.25, 10.0],
    "partons": {"set": "les_houches_toy"},
}
VARIED = {"experiment": "dune", "draws": 4, "events": 1000, "varies": ["near_data", "flux", "seed"]}
BASE = {
    **DEFAULT,
    "tunes": {"mock": DEFAULT["tunes"]["mock"]},
    "experiments": {"dune": {**PLAIN, "flux_shapes": "resources/dune_flux_components.csv"}, "plain": PLAIN},
    "learners": {},
    "studies": {
        "varied": {**VARIED, "label": "a", "learner": "gaussian"},
        "networks": {**VARIED, "label": "b", "learner": "mlp", "grid": {"n_u": 64, "n_v": 64}},
        "elsewhere": {"label": "c", "experiment": "plain", "learner": "mlp"},
    },
    "far_samples": {
        "drawn": {"experiment": "dune", "events": 100},
        "table": {"experiment": "dune", "table": {"path": "config/config.yaml"}},
        "far": {"experiment": "plain", "events": 100},
    },
    "fits": {"main": {"samples": ["drawn", "table"]}},
    "ensembles": {"one": {"sample": "drawn", "study": "varied", "closed_form": True, "universes": 10}},
    "scans": {"size": {"sample": "drawn", "depth": [4, 2], "width": [64, 16], "bins": [32, 128]}},
}


def merged(base, overlay):
    if not isinstance(base, dict) or not isinstance(overlay, dict):
        return overlay
    return {**base, **{k: merged(base.get(k), v) if k in base else v for k, v in overlay.items()}}


def check(overlay=None):
    return checked(merged(copy.deepcopy(BASE), overlay or {}), SCHEMA, ROOT)


def ensemble(**entries):
    return {"ensembles": {"one": entries}}


def scan(**entries):
    return {"scans": {"size": entries}}


def varied(**entries):
    return {"studies": {"varied": entries}}


def test_a_grid_is_an_experiment_of_its_own():
    config = check()
    studies, experiments = config["studies"], config["experiments"]
    assert studies["varied"]["near_experiment"] == "dune" and studies["networks"]["near_experiment"] == "dune_64x64"
    grids = [experiments[name].pop("grid") for name in ("dune_64x64", "dune")]
    assert (grids[0]["n_u"], grids[0]["n_v"]) == (64, 64) != (grids[1]["n_u"], grids[1]["n_v"])
    assert grids[0]["points_per_axis"] == grids[1]["points_per_axis"]
    assert experiments["dune_64x64"].pop("grid_of") == "dune"
    assert experiments["dune_64x64"] == experiments["dune"]


def test_the_experiments_own_grid_is_no_other():
    own = check()["experiments"]["dune"]["grid"]
    config = check({"studies": {"networks": {"grid": {k: own[k] for k in ("n_u", "n_v")}}}})
    assert config["studies"]["networks"]["near_experiment"] == "dune"


def test_points_of_a_scan_are_studies():
    config = check()
    assert scan_points(BASE["scans"]["size"]) == [
        (4, 64, 32), (4, 64, 128), (2, 64, 32), (2, 64, 128), (4, 16, 32), (4, 16, 128),
    ]  # fmt: skip
    for depth, width, bins in scan_points(BASE["scans"]["size"]):
        name = scan_study("size", depth, width, bins)
        study, learner = config["studies"][name], config["learners"][name]
        assert (learner["name"], learner["depth"], learner["width"]) == ("mlp", depth, width)
        assert study["in_scan"] and study["draws"] == 1 and study["experiment"] == "dune"
        assert study["near_experiment"] == ("dune" if bins == 128 else "dune_32x32")


def test_a_scan_keeps_the_settings_of_its_learner():
    config = check({"learners": {"quick": {"steps": 7}}, **scan(learner="quick")})
    assert config["learners"]["size_d4_w64_b32"] == {"name": "mlp", "members": 1, "steps": 7, "depth": 4, "width": 64}


def test_what_fits_passes():
    check({"ensembles": {"two": {"sample": "table", "study": "varied", "closed_form": True}}})
    check(ensemble(study="networks", reference="varied"))
    check(varied(draws=3, varies=["flux"], events=None) | {"ensembles": {"one": None}})
    check(varied(draws=1, varies=["near_data"]) | ensemble(closed_form=False, universes=0))
    check({"studies": {"elsewhere": {"draws": 3, "varies": ["seed"]}}})
    check({"studies": {"elsewhere": {"draws": 3, "events": 1000}}})


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        (ensemble(sample="none"), r"ensembles\.one\.sample: 'none' is not defined; known: drawn, table, far"),
        (ensemble(study="none"), r"ensembles\.one\.study: 'none' is not defined; known: varied"),
        (ensemble(reference="none"), r"ensembles\.one\.reference: 'none' is not defined; known: varied"),
        (ensemble(linear="none"), r"ensembles\.one\.linear: 'none' is not defined; known: .*gaussian"),
        (ensemble(sample="far"), r"ensembles\.one\.study: 'varied' is of the experiment 'dune', the sample of 'plain'"),
        (ensemble(reference="elsewhere"), r"ensembles\.one\.reference: 'elsewhere' is of the experiment 'plain'"),
        (ensemble(linear="mlp"), r"ensembles\.one\.linear: 'mlp' has no closed form; name a learner of kind 'gaussian'"),
        (varied(events=None), r"ensembles\.one: .* need a study with a number of 'events'"),
        (varied(varies=["near_data"]), r"ensembles\.one: .* need a study that varies the flux"),
        (ensemble(sample="table"), r"ensembles\.one\.universes: .*only samples with 'events' have one"),
        ({"fit": {"linear_bins": 48}}, r"fit\.linear_bins: 48 does not divide the experiment's 128 x 128 bins"),
        (ensemble(universes=-1), r"ensembles\.one\.universes: -1"),
        (ensemble(colour="red"), r"ensembles\.one: unknown key 'colour'; allowed: label, sample, study"),
        (ensemble(study=None), r"ensembles\.one: missing key 'study'"),
        ({"ensembles": {"a b": BASE["ensembles"]["one"]}}, r"ensembles: the name 'a b' must be letters"),
        ({"fit": {"member_methods": ["bayes"]}}, r"fit\.member_methods.*: 'bayes' is not one of bootstrap"),
        (scan(sample="none"), r"scans\.size\.sample: 'none' is not defined; known: drawn"),
        (scan(learner="none"), r"scans\.size\.learner: 'none' is not defined; known: mlp"),
        (scan(learner="gaussian"), r"scans\.size\.learner: 'gaussian' has no depth and width to scan; name a network"),
        (scan(learner="blackbox"), r"scans\.size\.learner: 'blackbox' has no depth and width to scan"),
        (
            {"learners": {"mine": {"name": "gaussian"}}, **scan(learner="mine")},
            r"scans\.size\.learner: 'mine' has no depth and width to scan",
        ),
        (scan(bins=[4]), r"scans\.size\.bins\.0: 4 is less than the minimum of 8"),
        (scan(depth=[]), r"scans\.size\.depth"),
        ({"scans": {"2x": BASE["scans"]["size"]}}, r"scans: the name '2x' must be letters"),
        (
            {"studies": {"size_d4_w64_b32": BASE["studies"]["elsewhere"]}},
            r"studies: the name 'size_d4_w64_b32' is taken by the scan 'size'; choose another",
        ),
        (
            {"learners": {"size_d2_w64_b128": {"name": "mlp"}}},
            r"learners: the name 'size_d2_w64_b128' is taken by the scan 'size'; choose another",
        ),
        (
            {"experiments": {"dune_64x64": PLAIN}},
            r"experiments: the name 'dune_64x64' is taken by the grid of studies\.networks; choose another",
        ),
        ({"tunes": {"ensembles": DEFAULT["tunes"]["mock"]}}, r"tunes: the name 'ensembles' is taken by a folder of figures"),
        (
            {"studies": {"elsewhere": {"learner": "blackbox", "grid": {"n_u": 64, "n_v": 64}}}},
            r"studies\.elsewhere\.grid: a black box knows only the bins that it saw; leave 'grid' out",
        ),
        ({"studies": {"networks": {"grid": {"n_u": 64, "n_v": None}}}}, r"studies\.networks\.grid: missing key 'n_v'"),
        ({"studies": {"networks": {"grid": {"n_u": 4}}}}, r"studies\.networks\.grid\.n_u: 4 is less than the minimum of 8"),
        (
            {"studies": {"elsewhere": {"varies": ["flux"]}}},
            r"studies\.elsewhere\.varies: the experiment 'plain' has no 'flux_shapes' to draw a flux from",
        ),
        (varied(varies=["weather"]), r"studies\.varied\.varies.*: 'weather' is not one of near_data, flux, seed"),
        (varied(varies=["seed"]), r"studies\.varied\.draws: 4 draws that vary seed are all the same"),
        (varied(varies=[]), r"studies\.varied\.draws: 4 draws that vary nothing are all the same"),
        (varied(varies=["near_data"], events=None), r"studies\.varied\.draws: 4 draws that vary near_data are all the same"),
        (
            varied(coverage_draws=5, grid={"n_u": 64, "n_v": 64}),
            r"studies\.varied\.coverage_draws: coverage is measured on the experiment's own bins; leave 'grid' out",
        ),
        (
            {"experiments": {"dune": {"flux_shapes": "no.csv"}}},
            r"experiments\.dune\.flux_shapes: no such file 'no\.csv'",
        ),
    ],
)
def test_every_mistake_is_named(overlay, message):
    with pytest.raises(InputError, match=message) as caught:
        check(overlay)
    assert "\n" not in str(caught.value)


def test_coverage_draws_without_a_grid_pass():
    check(varied(coverage_draws=5))


def test_a_scan_keeps_the_kind_of_its_learner():
    """A library learner with settings of its own has no name in the configuration; a point of the scan must."""
    overlay = {"learners": {"published": {"steps": 7}}, **scan(learner="published", depth=[4], width=[64], bins=[16])}
    config = check(overlay)
    assert config["learners"]["size_d4_w64_b16"] == {**config["learners"]["published"], "depth": 4, "width": 64}
    assert config["learners"]["size_d4_w64_b16"]["name"] == "published"

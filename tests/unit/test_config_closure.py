"""Every mistake in a configuration's closure experiments, learners and studies ends in one error that names the key."""

import copy
from pathlib import Path

import pytest
import yaml
from parton_grids import write_set

from nuinfer.config import checked
from nuinfer.config_closure import check_closure, parton_files
from nuinfer.config_names import exists, refers
from nuinfer.errors import InputError
from nuinfer.physics.lhapdf_files import PATH_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
DEFAULT = yaml.safe_load((ROOT / "config/config.yaml").read_text())
DUNE = {
    "label": "DUNE",
    "flux": {"path": "resources/dune_nd_fhc.csv"},
    "enu_range_gev": [0.25, 10.0],
    "partons": {"set": "les_houches_toy"},
}
BASE = {
    **DEFAULT,
    "tunes": {"mock": DEFAULT["tunes"]["mock"]},
    "experiments": {"dune": DUNE, "spare": {**DUNE, "flux": {"path": "fetched/later.csv"}}},
    "learners": {"mine": {"name": "mlp", "steps": 10, "members": 2}},
    "studies": {"net": {"label": "a", "experiment": "dune", "learner": "mine"}},
    "far_samples": {},
    "fits": {},
    "ensembles": {},
}
BANDS = {"learner": "gaussian", "events": 1000, "coverage_draws": 5}


def merged(base, overlay):
    if not isinstance(base, dict) or not isinstance(overlay, dict):
        return overlay
    return {**base, **{k: merged(base.get(k), v) if k in base else v for k, v in overlay.items()}}


def check(overlay=None):
    return checked(merged(copy.deepcopy(BASE), overlay or {}), SCHEMA, ROOT)


def experiment(**entries):
    return {"experiments": {"dune": entries}}


def study(**entries):
    return {"studies": {"net": entries}}


def test_defaults_are_filled_in():
    config = check()
    assert set(config["learners"]) == {"mine", "mlp", "published", "gaussian", "blackbox"}
    assert config["learners"]["gaussian"] == {"name": "gaussian", "members": 1}
    entry = config["experiments"]["dune"]
    assert entry["sf_scaling"] == "consistent" and entry["flux"]["column"] == "numu" and not entry["antineutrino"]
    assert config["studies"]["net"]["draws"] == 1 and config["studies"]["net"]["coverage_draws"] == 0
    assert "events" not in config["studies"]["net"]


def test_a_library_learner_may_be_overridden_by_name():
    config = check({"learners": {"mlp": {"name": "mlp", "steps": 7}}})
    assert config["learners"]["mlp"]["steps"] == 7


def test_a_learner_without_a_name_is_the_librarys_of_that_name_or_a_network():
    config = check({"learners": {"published": {"members": 2}, "own": {"steps": 5}}})
    assert config["learners"]["published"]["name"] == "published" and config["learners"]["own"]["name"] == "mlp"


def test_knots_survive_a_small_change_of_the_oscillation():
    phases = [
        check(experiment(oscillation={"dm31_ev2": dm31}))["experiments"]["dune"]["phase_gev"]
        for dm31 in (2.45e-3, 2.53e-3, 5e-3)
    ]
    assert phases[0] == phases[1] == 4.5 < phases[2]


def test_an_experiment_without_a_study_is_not_looked_at():
    assert "spare" in check()["experiments"]
    with pytest.raises(InputError, match=r"experiments\.spare\.flux\.path: no such file 'fetched/later\.csv'"):
        check(study(experiment="spare"))


def test_what_fits_passes():
    check(study(**BANDS))
    check(study(events=1000, draws=3, smearing=0.05))
    check(experiment(enu_range_gev=[1.0, 5.0]))


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        (
            {"learners": {"mine": {"name": "blackbox", "steps": [5], "merge": [3], "members": 1}}},
            r"studies\.net: .*merge 3 does not divide",
        ),
        (
            {**experiment(mesh={"n_q2": 16}), **study(learner="gaussian")},
            r"studies\.net: .*18 splines exceed the mesh's n_q2, 16",
        ),
        (experiment(target={"z": 6, "a": 12}), r"experiments\.dune\.target: 37\.2.* give the nucleus its own"),
        (
            {"studies": {"net": {"label": "b"}, "b": {"experiment": "dune", "learner": "mlp"}}},
            r"studies\.b\.label: 'b' is the label of net too",
        ),
        ({"tunes": {"closure": DEFAULT["tunes"]["mock"]}}, r"tunes: the name 'closure' is taken"),
        (study(experiment="nova"), r"studies\.net\.experiment: 'nova' is not defined; known: dune, spare"),
        (study(learner="forest"), r"studies\.net\.learner: 'forest' is not defined; known: mine, .*gaussian"),
        (experiment(enu_range_gev=[10.0, 0.25]), r"experiments\.dune\.enu_range_gev: inverted range, 10 is not below 0\.25"),
        (experiment(enu_range_gev=[1.0, 1.0]), r"inverted range, 1 is not below 1"),
        (experiment(enu_range_gev=[1.0]), r"experiments\.dune\.enu_range_gev"),
        (experiment(enu_range_gev=[0, 1.0]), r"experiments\.dune\.enu_range_gev"),
        (
            {"closure": {"slices_gev": [1.0, 20.0]}},
            r"closure\.slices_gev: 20 GeV is outside experiments\.dune\.enu_range_gev, 0\.25 to 10",
        ),
        (experiment(enu_range_gev=[1.5, 10.0]), r"closure\.slices_gev: 1 GeV is outside"),
        (experiment(target={"z": 41}), r"experiments\.dune\.target: 41 protons in 40 nucleons"),
        (experiment(flux={"path": "no.csv"}), r"experiments\.dune\.flux\.path: no such file 'no\.csv'"),
        (experiment(flux={"path": None}), r"experiments\.dune\.flux: missing key 'path'"),
        (experiment(flux={"kolumn": "numu"}), r"experiments\.dune\.flux: unknown key 'kolumn'; allowed: path, column"),
        (experiment(f1="parton"), r"experiments\.dune\.f1: 'parton' is not one of callan_gross, spin_sum"),
        (experiment(sf_scaling="none"), r"sf_scaling: 'none' is not one of consistent, uniform_A"),
        (experiment(partons={"set": "NoSuch"}), r"experiments\.dune\.partons: parton set NoSuch: no NoSuch/NoSuch\.info"),
        (experiment(partons={"member": 2}), r"experiments\.dune\.partons: 'les_houches_toy' has no member or folder"),
        ({"learners": {"mine": {"epochs": 3}}}, r"learners\.mine: learner mlp: unknown setting 'epochs'; allowed: steps"),
        ({"learners": {"mine": {"steps": 0}}}, r"learners\.mine: mlp: steps must be at least 1, not 0"),
        ({"learners": {"mine": {"rate": "fast"}}}, r"learners\.mine: learner mlp: rate must be of type float, not 'fast'"),
        ({"learners": {"g": {"name": "gaussian", "members": 3}}}, r"learners\.g: learner gaussian: takes one member only"),
        ({"learners": {"mine": {"members": 0}}}, r"learners\.mine\.members: 0"),
        (study(coverage_draws=5, events=1000), r"studies\.net\.coverage_draws: only the learner 'gaussian' has bands"),
        (study(**{**BANDS, "events": None}), r"studies\.net\.coverage_draws: draws need a number of 'events'"),
        (
            study(draws=3, learner="gaussian"),
            r"studies\.net\.draws: 3 draws that vary near_data, seed are all the same; the exact density has no",
        ),
        (study(smearing=1.5), r"studies\.net\.smearing"),
        (study(smearing=0), r"studies\.net\.smearing"),
        (study(events=0), r"studies\.net\.events"),
        (study(colour="red"), r"studies\.net: unknown key 'colour'; allowed: label, experiment"),
        ({"studies": {"a b": BASE["studies"]["net"]}}, r"studies: the name 'a b' must be letters, digits and underscores"),
        ({"experiments": {"2x": DUNE}}, r"experiments: the name '2x'"),
    ],
)
def test_every_mistake_is_named(overlay, message):
    with pytest.raises(InputError, match=message) as caught:
        check(overlay)
    assert "\n" not in str(caught.value)


def test_files_of_a_parton_set(tmp_path, monkeypatch):
    folder = write_set(tmp_path)
    files = parton_files({"set": "MadeUp", "folder": str(folder)})
    assert [Path(f).name for f in files] == ["MadeUp.info", "MadeUp_0000.dat"]
    assert parton_files({"set": "les_houches_toy"}) == []
    monkeypatch.setenv(PATH_VARIABLE, str(folder))
    assert parton_files({"set": "MadeUp"}) == files
    with pytest.raises(InputError, match="for member 7; choose one that is there"):
        parton_files({"set": "MadeUp", "member": 7})
    check(experiment(partons={"set": "MadeUp"}))
    with pytest.raises(InputError, match=r"experiments\.dune\.partons: parton set MadeUp: no file .*for member 7"):
        check(experiment(partons={"set": "MadeUp", "member": 7}))


def test_nothing_configured_is_nothing_wrong():
    config = {"experiments": {}, "learners": {}, "studies": {}, "closure": {"slices_gev": [1.0]}, "tunes": {}}
    config |= {"far_samples": {}, "fits": {}}
    check_closure(config, ROOT)
    assert list(config["learners"]) == ["mlp", "published", "gaussian", "blackbox"]


def test_names_and_files(tmp_path):
    refers("here", "a", {"a": 1})
    with pytest.raises(InputError, match=r"here: 'a' is not defined; known: none"):
        refers("here", "a", {})
    (tmp_path / "x").write_text("")
    exists("there", "x", tmp_path)
    for path in ("y", "."):
        with pytest.raises(InputError, match=r"there: no such file '.' \(looked up from the working directory\)"):
            exists("there", path, tmp_path)

"""Results are compared with their jobs by the provenance in them: what is refused, what is told, what is passed over."""

import json
import logging
from types import SimpleNamespace

import h5py
import pytest

from nuinfer import foreign
from nuinfer.codehash import code_hash
from nuinfer.errors import InputError
from nuinfer.foreign import Finished, Foreign, Told, finished_jobs, foreign_results, judged
from nuinfer.io.hdf5 import write_hdf5
from nuinfer.io.jsonfile import write_json
from nuinfer.io.provenance import provenance
from nuinfer.workflow import as_json, digest

MODULE = "nuinfer.steps.train"
CODE = code_hash(MODULE)
OLD = {"estimator": {"epochs": 12, "name": "smoke"}, "member": 0, "seed": 1}
NEW = {"estimator": {"epochs": 64, "name": "smoke"}, "member": 0, "seed": 1}


def written(folder, suffix, settings=OLD):
    """Write a result of ``settings`` as the steps do and return its path; ``model`` is a tune's model.json."""
    record = provenance(MODULE, settings, settings["seed"])
    path = folder / (f"result{suffix}" if suffix.startswith(".") else "model.json")
    if suffix == ".h5":
        write_hdf5(path, "exact", {"x": [1.0, 2.0]}, record)
    elif suffix == ".json":
        write_json(path, {"numbers": [1.0], "provenance": record})
    else:
        write_json(path, {"settings": {"epochs": 12}, "extra": {**record, "device": "cpu"}})
    return str(path)


def finished(*outputs, settings=OLD, code=CODE, rule="train"):
    return Finished(rule, outputs, as_json(settings), code)


@pytest.mark.parametrize("suffix", [".h5", ".json", "model"])
def test_other_settings_are_named_with_old_and_new_value(tmp_path, suffix):
    path = written(tmp_path, suffix)
    assert foreign_results([finished(path)]) == []
    assert foreign_results([finished(path, settings=NEW)]) == [Foreign("train", path, ("estimator.epochs: 12 -> 64",))]


@pytest.mark.parametrize("suffix", [".h5", ".json", "model"])
def test_other_code_alone_names_no_setting(tmp_path, suffix):
    path = written(tmp_path, suffix)
    assert foreign_results([finished(path, code="0" * 12)]) == [Foreign("train", path, ())]
    # Other settings say all: that the code is another as well adds nothing.
    assert foreign_results([finished(path, code="0" * 12, settings=NEW)])[0].changes == ("estimator.epochs: 12 -> 64",)


def test_settings_are_compared_as_a_step_reads_them(tmp_path):
    """The step hashes the JSON of its command line: keys that are numbers are text there, sorted as text."""
    settings = {"seed": 1, "bins": {2: "b", 10: "a"}, "events": 2e6, "none": None}
    path = written(tmp_path, ".json", json.loads(as_json(settings)))
    assert foreign_results([finished(path, settings=settings)]) == []
    assert foreign_results([finished(path, settings={**settings, "events": 2000000})])[0].changes == (
        "events: 2000000.0 -> 2000000",
    )


def test_whole_and_cut_files_without_provenance_are_passed_over(tmp_path):
    paths = {name: tmp_path / name for name in ("a.json", "b.json", "c.h5", "d.h5", "e.json", "f.json", "g.pdf", "h.json")}
    write_json(paths["a.json"], {"captions": {"loss": "text"}})
    paths["b.json"].write_text('{"provenance": {"settings_ha')
    with h5py.File(paths["c.h5"], "w") as file:
        file["x"] = [1.0]
    paths["d.h5"].write_bytes(paths["c.h5"].read_bytes()[:200])
    paths["e.json"].write_text("[1, 2]")
    write_json(paths["f.json"], {"provenance": "by hand"})
    paths["g.pdf"].write_bytes(b"%PDF")
    paths["h.json"].write_bytes(b"\xff\xfe")
    paths["absent.h5"] = tmp_path / "absent.h5"
    assert foreign_results([finished(str(path), settings=NEW) for path in paths.values()]) == []
    # One output with provenance is enough, whatever lies beside it.
    (tmp_path / "good").mkdir()
    path = written(tmp_path / "good", ".h5")
    assert [f.path for f in foreign_results([finished(*map(str, paths.values()), path, settings=NEW)])] == [path]


def test_json_is_looked_at_before_hdf5(tmp_path):
    both = written(tmp_path, ".h5"), written(tmp_path, ".json", NEW)
    assert foreign_results([finished(*both, settings=NEW)]) == []
    assert [f.path for f in foreign_results([finished(*both, settings=OLD)])] == [both[1]]


def test_settings_that_a_result_does_not_hold_are_told_by_their_hash(tmp_path):
    path = tmp_path / "x.json"
    record = {k: v for k, v in provenance(MODULE, OLD).items() if k != "settings"}
    write_json(path, {"provenance": record})
    assert foreign_results([finished(str(path))]) == []
    (found,) = foreign_results([finished(str(path), settings=NEW)])
    assert found.changes == (f"settings_hash: {digest(OLD)} -> {digest(NEW)}",)


def plan(*jobs):
    """A stand-in for Snakemake's DAG: (job, whether it will run, whether Snakemake has a note of it)."""
    entries = []
    for job, runs, noted in jobs:
        parameters = {"settings": job.settings, "code": job.code} if job.settings else {}
        rule = SimpleNamespace(name=job.rule)
        entries.append((SimpleNamespace(rule=rule, output=job.outputs, params=parameters), runs, noted))
    known = {id(job): (runs, noted) for job, runs, noted in entries}
    return SimpleNamespace(
        jobs=[job for job, _, _ in entries],
        needrun=lambda job: known[id(job)][0],
        reason=lambda job: SimpleNamespace(no_metadata=not known[id(job)][1], outdated_metadata=False),
    )


def test_only_finished_jobs_without_notes_are_judged(tmp_path):
    runs, noted, alone = finished("a.h5"), finished("b.h5"), finished("c.h5")
    target = Finished("all", (), "", "")
    dag = plan((target, False, False), (alone, False, False), (noted, False, True), (runs, True, False))
    assert finished_jobs(dag, with_notes=False) == [alone]
    assert finished_jobs(dag, with_notes=True) == [noted, alone]


def test_refusal_names_files_differences_and_mend(tmp_path):
    for name in "abc":
        (tmp_path / name).mkdir()
    first, second, third = (written(tmp_path / name, ".json") for name in "abc")
    dag = plan(
        (finished(second, settings=NEW), False, False),
        (finished(first, settings=NEW), False, False),
        (finished(third, rule="tension", code="0"), False, False),
    )
    refused, taken = judged(dag, settings_compared=True)
    assert f"train, 2 with other settings, the first {first}: estimator.epochs: 12 -> 64\n" in refused
    assert "`--forcerun train`" in refused and "tension" not in refused
    assert taken == [f"taken as they are: 1 made by other code (rules tension), the first {third}"]

    refused, taken = judged(dag, settings_compared=False)
    assert refused == "" and len(taken) == 2
    assert taken[0].endswith(f"the first {first}: estimator.epochs: 12 -> 64")


@pytest.mark.parametrize(
    ("then", "now", "refused"),
    [
        ({"path": "../shared/data.csv"}, {"path": "/elsewhere/data.csv"}, False),
        ({"covariances": {"total": "a/cov.csv"}}, {"covariances": {"total": "b/cov.csv"}}, False),
        ({"label": "mock"}, {"label": "tune"}, False),
        ({"partons": {"set": "CT18", "folder": "a"}}, {"partons": {"set": "CT18", "folder": None}}, False),
        ({"path": "a/data.csv"}, {"path": "a/other.csv"}, True),
        ({"label": "mock", "floor": 0.02}, {"label": "tune", "floor": 0.05}, True),
        ({"label": "mock"}, {}, False),
    ],
)
def test_another_label_or_folder_is_told_and_not_refused(tmp_path, then, now, refused):
    path = written(tmp_path, ".json", {**OLD, "measurement": then})
    job = (finished(path, settings={**OLD, "measurement": now}), False, False)
    refusal, told = judged(plan(job), settings_compared=True)
    assert bool(refusal) is refused and len(told) == (not refused)
    assert " -> " in (refusal or told[0])


def test_equal_results_are_not_spoken_of(tmp_path):
    dag = plan((finished(written(tmp_path, ".h5")), False, False))
    assert judged(dag, settings_compared=True) == judged(dag, settings_compared=False) == ("", [])


def test_known_results_are_not_even_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(foreign, "_first_record", lambda outputs: pytest.fail("opened"))
    dag = plan((finished(written(tmp_path, ".h5"), settings=NEW), False, True))
    assert judged(dag, settings_compared=True) == ("", [])
    with pytest.raises(pytest.fail.Exception):
        judged(dag, settings_compared=False)


def test_told_of_messages_that_begin_so(caplog):
    logger = logging.getLogger("nuinfer.test_foreign")
    heard = []
    Told(logger, ("nothing to do", "no more"), lambda: pytest.fail("replaced by the next"))
    told = Told(logger, ("nothing to do", "no more"), lambda: heard.append("called"))
    with caplog.at_level(logging.INFO, logger.name):
        logger.info("something else")
        assert heard == []
        logger.info("nothing to do today")
    assert heard == ["called"] and [r.message for r in caplog.records] == ["something else", "nothing to do today"]
    told.action = lambda: (_ for _ in ()).throw(InputError("refused"))
    with pytest.raises(InputError, match="refused"):
        logger.warning("nothing to do")
    logger.removeFilter(told)

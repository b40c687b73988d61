"""Account of a run: what Snakemake's records say of it, and how long is left."""

import os
import random
import time
from pathlib import Path

import pytest
from progress_events import done, error, fed, group, info

from nuinfer.progress.account import REMEMBERED, Left, Run
from nuinfer.progress.seconds import read_means, write_means
from nuinfer.progress.words import counts, duration, log_note, running, time_left


def test_jobs_wait_run_and_end():
    run = fed({"gather": 1, "train": 3}, (0, info(1, "gather")), (4, done(1)), (4, info(2, "train", member="1")))
    assert counts(run) == "1 of 4 jobs done, 1 running, 2 waiting"
    assert run.done == {"gather": 1} and run.spent == {"gather": 4.0} and run.waiting() == {"train": 2}
    assert [(u.since_s, u.jobs[0].wildcards) for u in run.units.values()] == [(104.0, ("1",))]


def test_records_that_say_nothing_here_and_ends_of_unknown_jobs_change_nothing():
    run = fed({"a": 1}, (0, ("progress", {"done": 0, "total": 1})), (1, done(9)), (2, ("shellcmd", {})))
    assert counts(run) == "0 of 1 jobs done, 1 waiting" and run.changes == 0


def test_a_job_that_failed_and_is_started_again_is_no_longer_failed():
    run = fed({"train": 2}, (0, info(1, "train")), (10, error(1, "train")))
    assert counts(run) == "0 of 2 jobs done, 1 failed, 1 waiting"
    run.feed(*info(1, "train"), 111.0)
    assert counts(run) == "0 of 2 jobs done, 1 running, 1 waiting"
    run.feed(*done(1), 114.0)
    # The lost attempt is no measure of what the rule takes.
    assert run.spent == {"train": 3.0} and run.failed == {}


def test_a_job_started_again_without_a_word_of_its_failure_runs_once():
    run = fed({"a": 1}, (0, info(1, "a")), (10, info(1, "a")), (13, done(1)))
    assert run.done == {"a": 1} and run.spent == {"a": 3.0} and counts(run) == "1 of 1 jobs done"


def test_jobs_of_a_group_share_its_seconds_and_groups_of_one_name_are_told_apart():
    events = [(0, group(1, 2)), (0, info(1, "fit")), (0, info(2, "learn"))]
    events += [(1, group(3, 4)), (1, info(3, "fit")), (1, info(4, "learn"))]
    run = fed({"fit": 2, "learn": 2}, *events, (20, done(2)), (20, done(1)))
    assert run.spent == {"fit": 10.0, "learn": 10.0} and counts(run) == "2 of 4 jobs done, 2 running"
    assert [unit.since_s for unit in run.units.values()] == [101.0]


def test_a_group_that_failed_is_started_again_whole():
    begin = [group(1, 2), info(1, "fit"), info(2, "learn")]
    run = fed({"fit": 1, "learn": 1}, *((0, e) for e in begin), (9, error(1, "fit")), (9, error(2, "learn")))
    assert counts(run) == "0 of 2 jobs done, 2 failed"
    for event in begin:
        run.feed(*event, 110.0)
    assert counts(run) == "0 of 2 jobs done, 2 running" and next(iter(run.units.values())).size == 2
    # And once more, with not a word of a failure before.
    for event in begin:
        run.feed(*event, 120.0)
    assert [u.since_s for u in run.units.values()] == [120.0]
    run.feed(*done(1), 124.0)
    run.feed(*done(2), 124.0)
    assert run.spent == {"fit": 2.0, "learn": 2.0}


def test_jobs_that_the_plan_did_not_count_are_added():
    run = fed({"a": 1}, (0, info(1, "a")), (0, info(2, "late")), (1, done(1)), (1, done(2)))
    assert counts(run) == "2 of 2 jobs done"


@pytest.mark.parametrize("seed", range(20))
def test_account_equals_a_replay_of_the_whole_history(seed):
    chance, state, history = random.Random(seed), {}, []
    run, now = Run({"a": 15, "b": 15}, 0.0), 0.0
    ids = {n: "ab"[n % 2] for n in range(30)}
    for _ in range(200):
        now += chance.random()
        number = chance.choice(sorted(ids))
        if state.get(number) in (None, "failed"):
            event = info(number, ids[number])
            state[number] = now
        elif isinstance(state[number], float):
            ends_well = chance.random() < 0.7
            event = done(number) if ends_well else error(number, ids[number])
            history.append((ids[number], now - state[number], ends_well))
            state[number] = "done" if ends_well else "failed"
        else:
            continue
        run.feed(*event, now)
    for rule in "ab":
        mine = [state.get(n) for n in ids if ids[n] == rule]
        assert run.done[rule] == mine.count("done")
        assert sum(name == rule for name in run.failed.values()) == mine.count("failed")
        assert run.running()[rule] == sum(isinstance(s, float) for s in mine)
        assert run.waiting()[rule] == mine.count(None)
        assert run.spent[rule] == pytest.approx(sum(s for r, s, well in history if r == rule and well))
    busy_s = sum(s for _, s, _ in history) + sum(now - s for s in state.values() if isinstance(s, float))
    means = {rule: run.spent[rule] / run.done[rule] for rule in "ab"}
    parts = [max(means[ids[n]] - (now - s), 0) for n, s in state.items() if isinstance(s, float)]
    parts += [means[rule] for n, rule in ids.items() if state.get(n) is None]
    expected_s = max(sum(parts) / max(1, busy_s / now), *parts, 0.0)
    assert run.left({}, now).seconds == pytest.approx(expected_s, abs=1e-9)


def test_time_left_by_hand():
    # Two jobs of 10 s, one after another on each of two cores, until 20 s; a third and fourth have had 4 s.
    events = [(0, info(1, "a")), (0, info(2, "a")), (10, done(1)), (10, done(2)), (10, info(3, "a")), (10, info(4, "a"))]
    run = fed({"a": 8}, *events)
    # 6 + 6 of the running, 4 x 10 of the waiting; 2 x 10 + 2 x 4 job-seconds in 14 s make two at a time.
    assert run.left({}, 114.0) == Left(pytest.approx(52 / 2), (), ())
    # Figures of earlier runs count only until this one has its own.
    assert run.left({"a": (5, 1000.0)}, 114.0).seconds == pytest.approx(26)
    assert fed({"a": 3}).left({"a": (5, 7.0)}, 100.0).seconds == pytest.approx(21)


def test_time_left_is_not_below_the_longest_job():
    run = fed({"a": 2, "long": 1}, (0, info(1, "a")), (0, info(2, "a")), (10, done(1)), (10, done(2)))
    assert run.left({"long": (1, 300.0)}, 110.0).seconds == 300.0


def test_rules_without_a_figure_are_named_and_those_without_a_command_take_no_time():
    run = fed({"a": 2, "far_fit": 1, "universes": 2, "all": 1}, (0, info(1, "a")), instant={"all"})
    left = run.left({"a": (1, 200.0)}, 100.0)
    assert left == Left(400.0, ("far_fit", "universes"), (), known_share=0.5)
    assert time_left(left) == "at least 7 min left (no figure yet for far_fit, universes)"
    assert time_left(Left(0.0, ("a",), ())) == "time left unknown (no figure yet for a)"
    assert time_left(Left(360.0, (), ())) == "about 6 min left" and time_left(Left(0.0, (), ())) == "about 5 s left"
    assert time_left(Left(9.0, ("a",), (), known_share=0.4)) == "time left unknown (no figure yet for a)"
    assert time_left(Left(9.0, tuple("abcdef"), ())) == "at least 10 s left (no figure yet for a, b, c, d and 2 more)"


def test_an_overdue_job_makes_the_time_left_a_lower_bound():
    run = fed({"a": 1}, (0, info(1, "a")))
    assert run.left({"a": (1, 20.0)}, 134.0) == Left(0.0, (), ())
    assert time_left(run.left({"a": (1, 20.0)}, 136.0)) == "at least 5 s left (a slower than before)"


def test_durations_are_no_finer_than_they_are_known():
    steps = [(0, "0 s"), (2.4, "0 s"), (2.6, "5 s"), (57.4, "55 s"), (57.5, "1 min"), (89, "1 min"), (91, "2 min")]
    steps += [(7100, "118 min"), (7169, "119 min"), (7170, "2 h"), (8000, "2 h"), (9001, "3 h"), (110000, "31 h")]
    assert [duration(s) for s, _ in steps] == [text for _, text in steps]


def test_the_log_says_how_far_a_job_is(tmp_path):
    log = tmp_path / "train.log"
    log.write_text("train full: 1/64 epochs, loss -2.5\nother\ntrain full: 30/64 epochs, loss -2.6, 5 CPU s\nlast: word\n")
    assert log_note(str(log)) == "30/64 epochs"
    log.write_bytes(b"toys: 1/9 \rtoys: 2/9 \rtoys: 3/9 \rto")
    assert log_note(str(log)) == "3/9"
    log.write_bytes(b"toys: 4/9 a\x1b[31mb\x00\n" + bytes(range(256)) * 4)
    assert log_note(str(log)) == "4/9 a[31mb"
    log.write_bytes(os.urandom(9000).replace(b"/", b""))
    assert log_note(str(log)) == ""
    # Only the end of a long log is read.
    log.write_bytes(b"toys: 5/9 \n" + b"x" * 5000)
    assert log_note(str(log)) == ""
    for nothing in (tmp_path / "none.log", tmp_path, ""):
        assert log_note(str(nothing)) == ""


def test_a_log_of_an_earlier_attempt_is_not_quoted(tmp_path):
    log = tmp_path / "a.log"
    log.write_text("a: 9/9\n")
    os.utime(log, (time.time() - 60, time.time() - 60))
    assert log_note(str(log), age_s=70.0) == "9/9" and log_note(str(log), age_s=50.0) == ""


def test_the_longest_running_are_named_and_the_rest_counted(tmp_path):
    events = [(n, info(n, "train", tune="full", member=n)) for n in range(1, 8)]
    run = fed({"train": 7}, *events)
    said = running(run.units.values(), 401.0)
    assert said == ", ".join(f"train full {n} (5 min)" for n in range(1, 5)) + " and 3 more" and running([], 0.0) == ""


def test_of_a_group_the_job_is_named_whose_log_was_written_last(tmp_path):
    logs = [str(tmp_path / f"{n}.log") for n in range(3)]
    for age_s, path in zip((30, 2, 50), logs, strict=True):
        Path(path).write_text("learn: 3/7 epochs\n")
        os.utime(path, (time.time() - age_s, time.time() - age_s))
    run = fed({"learn": 3}, (0, group(0, 1, 2)), *((0, info(n, "learn", logs[n], draw=n)) for n in range(3)))
    assert running(run.units.values(), 160.0) == "learn 1 and 2 with it (3/7 epochs, 1 min)"


def test_seconds_of_earlier_runs_are_kept_by_results_folder(tmp_path):
    path = tmp_path / "seconds.json"
    write_means(path, "results/smoke", {"a": (2, 3.5)})
    write_means(path, "results/paper", {"a": (1, 900.0)})
    assert read_means(path, "results/smoke") == {"a": (2, 3.5)} and read_means(path, "results/paper") == {"a": (1, 900.0)}
    assert read_means(path, "results/other") == {} and [p.name for p in tmp_path.iterdir()] == ["seconds.json"]
    # Nowhere to write: nothing kept, and no fault.
    write_means(tmp_path / "none" / "seconds.json", "results", {"a": (1, 1.0)})


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", '{"r": 3}', '{"r": {"a": 1}}', "\x00\xff", '{"r": {"a": [1]}}', '{"r": [1, 2]}', "[" * 10**5]
    + [f'{{"r": {{"a": {pair}}}}}' for pair in ('["x", 1]', "[1, NaN]", "[1, -1]", "[0, 1]", "[1, null]", "[Infinity, 1]")],
)
def test_a_broken_file_counts_as_none_and_is_replaced(tmp_path, text):
    path = tmp_path / "seconds.json"
    path.write_text(text, encoding="latin-1")
    assert read_means(path, "r") == {}
    write_means(path, "r", {"a": (1, 2.0)})
    assert read_means(path, "r") == {"a": (1, 2.0)}


def test_earlier_runs_and_this_one_make_one_mean():
    run = fed({"a": 2, "b": 1}, (0, info(1, "a")), (6, done(1)))
    assert run.means({"a": (3, 2.0), "c": (1, 5.0)}) == {"a": (4, 3.0), "c": (1, 5.0)}
    # A long past counts for a limited number of jobs.
    assert run.means({"a": (1000, 2.0)})["a"] == (REMEMBERED + 1, pytest.approx((REMEMBERED * 2.0 + 6.0) / (REMEMBERED + 1)))

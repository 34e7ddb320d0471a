"""run_study on an engine that copies finished runs: order, deadline, cancel, failures, and two drivers."""

import fcntl
import json
import os
import shutil
import time
from itertools import count
from pathlib import Path

import pytest

from slimlm.engines.run_study import run_study
from slimlm.engines.state import StudyState, ask_to_cancel, read_state, write_state
from slimlm.runs.lock import LOCK, has_writer, sole_writer
from slimlm.study.study import RUNS
from tests.engines.small_study import Copying, records, without


def test_the_longest_runs_start_first_and_searches_go_on_from_their_outcomes(finished: Path, new: Path) -> None:
    engine = Copying(finished, new)
    assert run_study(new, engine) == "complete"
    assert records(new) == records(finished)
    largest = max(spec.flops for spec in engine.started)
    assert [spec.flops for spec in engine.started[:3]] == [largest] * 3  # the learning rates of the longer cell
    assert len({spec.key for spec in engine.started}) == len(engine.started)
    assert engine.closed


def test_a_finished_study_starts_nothing(finished: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(finished, tmp_path / "copy")
    engine = Copying(finished, copy)
    assert run_study(copy, engine) == "complete"
    assert not engine.started


def test_two_halves_merge_by_copying(finished: Path, new: Path, tmp_path: Path) -> None:
    keys = sorted(path.name for path in (finished / RUNS).iterdir())
    halves = [tmp_path / "one", tmp_path / "two"]
    for half, names in zip(halves, (keys[::2], keys[1::2]), strict=True):
        for name in names:
            shutil.copytree(finished / RUNS / name, half / RUNS / name)
    for half in halves:
        shutil.copytree(half / RUNS, new / RUNS, dirs_exist_ok=True)
    engine = Copying(finished, new)
    assert run_study(new, engine) == "complete"
    assert not engine.started


def test_nothing_starts_that_would_end_after_the_deadline(finished: Path, new: Path) -> None:
    engine = Copying(finished, new, slots=1)
    assert run_study(new, engine, deadline_s=3.5, now=engine.clock) == "deadline"
    assert len(engine.started) == 3  # of a second each; the fourth would end at 4
    state = read_state(new)
    assert state is not None
    assert (state.status, state.done, state.running) == ("deadline", 3, {})
    assert run_study(new, Copying(finished, new)) == "complete"
    assert records(new) == records(finished)


def test_runs_under_way_are_stopped_at_the_deadline(finished: Path, new: Path) -> None:
    engine = Copying(finished, new)
    assert run_study(new, engine, deadline_s=0.5, now=engine.clock) == "deadline"
    assert (len(engine.started), engine.queue) == (2, [])


def test_the_file_cancel_stops_a_study_and_is_removed(finished: Path, new: Path) -> None:
    engine = Copying(finished, new)

    def cancel(fraction: float, _: str) -> None:
        if fraction > 0.5:
            ask_to_cancel(new)

    assert run_study(new, engine, progress=cancel) == "cancelled"
    assert not (new / "cancel").exists()
    state = read_state(new)
    assert state is not None
    assert state.status == "cancelled"
    ask_to_cancel(new)  # an old one does not stop the next call
    assert run_study(new, Copying(finished, new)) == "complete"


def test_a_failed_run_does_not_stop_the_others_and_is_named(finished: Path, new: Path) -> None:
    _, (key,) = without(finished, new / "copy", 1)
    shutil.rmtree(new / "copy")
    engine = Copying(finished, new, failing={key: "no \x1b memory; less would work"})
    with pytest.raises(ValueError, match=rf"^a run of the study failed: {key}: no memory; less would work$"):
        run_study(new, engine)
    assert [spec.key for spec in engine.started].count(key) == 1
    state = read_state(new)
    assert state is not None
    assert (state.status, list(state.failed)) == ("failed", [key])
    assert run_study(new, Copying(finished, new)) == "complete"


def test_a_run_without_a_result_has_failed(finished: Path, new: Path, tmp_path: Path) -> None:
    source, (key,) = without(finished, tmp_path / "source", 1)
    with pytest.raises(ValueError, match=rf"^a run of the study failed: {key}: folder=.* holds no run\.json"):
        run_study(new, Copying(source, new))


def test_a_study_in_which_every_run_fails_ends_early(finished: Path, new: Path) -> None:
    engine = Copying(finished, new, slots=1, failing={"all": "no"})
    with pytest.raises(ValueError, match=r"^5 runs of the study failed: (\w+: no; ){3}and 2 more$"):
        run_study(new, engine)


def test_an_interrupted_study_says_so_and_its_engine_is_closed(finished: Path, new: Path) -> None:
    def interrupt(fraction: float, _: str) -> None:
        if fraction > 0.3:
            raise KeyboardInterrupt

    engine = Copying(finished, new)
    with pytest.raises(KeyboardInterrupt):
        run_study(new, engine, progress=interrupt)
    state = read_state(new)
    assert state is not None
    assert (state.status, engine.queue) == ("interrupted", [])
    assert run_study(new, Copying(finished, new)) == "complete"


def test_a_second_driver_is_refused(new: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slimlm.engines.run_study.LOCK_S", 0.2)
    with sole_writer(new), pytest.raises(ValueError, match=r"is in use: another process trains there"):
        run_study(new, Copying(finished, new))


def test_a_folder_that_cannot_be_written_is_refused(new: Path, finished: Path) -> None:
    (new / ".lock").mkdir()
    with pytest.raises(ValueError, match=r" cannot be written: Is a directory; another folder would work$"):
        run_study(new, Copying(finished, new))


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r" holds no study\.json: the folder of a study would work$"):
        run_study(tmp_path, Copying(tmp_path, tmp_path))


def test_the_state_tells_what_is_done_and_what_is_left(finished: Path, new: Path) -> None:
    seen, words = [], []

    def look(_: float, message: str) -> None:
        assert has_writer(new)
        seen.append(read_state(new))
        words.append(message)

    engine = Copying(finished, new)
    run_study(new, engine, progress=look, now=engine.clock)
    states = [state for state in seen if state]
    assert all(state.status == "running" for state in states)
    assert [state.done for state in states] == sorted(state.done for state in states)
    assert 0 < len(states[3].running) <= 2
    assert states[3].eta_s is not None
    assert words[0].startswith("training: 0 of 6 known runs done, 2 under way")
    assert not has_writer(new)


def test_a_killed_process_has_not_left_running_behind(new: Path) -> None:
    record = {"format": "slimlm-state-1", "status": "running", "pid": 1, "started": 0, "updated": 0}
    (new / "state.json").write_text(json.dumps({**record, "done": 1, "wanted": 2}))
    state = read_state(new)
    assert state is not None
    assert state.status == "interrupted"
    with sole_writer(new):
        running = read_state(new)
    assert running is not None
    assert running.status == "running"


def test_readers_that_look_at_once_do_not_take_each_other_for_the_process_that_trains(new: Path) -> None:
    with sole_writer(new):
        pass
    with (new / LOCK).open("r") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert not has_writer(new)
    with sole_writer(new):
        assert has_writer(new)
    assert not has_writer(new)


@pytest.mark.parametrize("step", [-3600.0, 3600.0], ids=["back", "forward"])
def test_a_clock_that_is_set_again_and_again_changes_neither_order_nor_times(
    step: float, finished: Path, new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is set by an hour each time that anything looks at it."""
    hours = count()
    monkeypatch.setattr(time, "time", lambda: 1e9 + step * next(hours))
    left = []

    def look(_: float, words: str) -> None:
        state = read_state(new)
        assert state is not None
        left.append(state.eta_s)

    assert run_study(new, Copying(finished, new, slots=1), deadline_s=1000.0, progress=look) == "complete"
    assert records(new) == records(finished)
    assert all(eta is None or 0 <= eta < 60 for eta in left)
    assert any(eta is not None for eta in left)


def test_a_state_whose_process_number_belongs_to_another_now_is_interrupted(new: Path) -> None:
    """After a restart of the machine a number may be that of any process, such as this one."""
    write_state(new, StudyState("running", os.getpid(), time.time(), time.time(), 1, 2))
    state = read_state(new)
    assert state is not None
    assert (state.status, state.pid) == ("interrupted", os.getpid())


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": "slimlm-state-1", "status": "running", "x": 1}'])
def test_a_damaged_state_is_no_state(new: Path, text: str) -> None:
    (new / "state.json").write_text(text)
    assert read_state(new) is None

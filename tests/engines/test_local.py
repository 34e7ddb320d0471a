"""LocalEngine: workers that die, hang or fail, and studies whose processes are killed at any moment."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from slimlm.charts.study_curves import study_curves
from slimlm.engines import local, process
from slimlm.engines.engine import Finished
from slimlm.engines.local import LocalEngine
from slimlm.engines.run_study import run_study
from slimlm.engines.state import read_state
from slimlm.study.schedule import Schedule
from slimlm.study.spec import RunSpec
from slimlm.study.study import RUNS, open_study
from slimlm.ui.rank_library import StudyLibrary, StudyView
from tests.engines.small_study import records, without


class Faked(LocalEngine):
    """Workers that misbehave as they are told; see `tests.engines.fake_worker`."""

    mode = ""

    def _command(self, spec: RunSpec, device: str) -> list[str]:
        return [sys.executable, "-m", "tests.engines.fake_worker", str(self.folder), self.mode]


@pytest.fixture
def first(finished: Path) -> RunSpec:
    return Schedule(open_study(finished), {}).wanted[0]


def answer_of(mode: str, spec: RunSpec, folder: Path, silence_s: float = 60.0) -> Finished | None:
    """Give a run to an engine whose workers misbehave, and return the outcome."""
    with Faked(folder, device="cpu", workers=1, silence_s=silence_s) as engine:
        engine.mode = mode
        engine.start(spec)
        return engine.wait(60)


@pytest.mark.parametrize(
    ("mode", "silence_s"), [("die", 60), ("again", 60), ("hang", 2), ("stop", 3), ("babble", 60), ("poison", 60)]
)
def test_a_run_is_given_to_another_worker_until_it_succeeds(
    mode: str, silence_s: float, first: RunSpec, tmp_path: Path
) -> None:
    assert answer_of(mode, first, tmp_path, silence_s) == Finished(first.key)


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        (
            "die*",
            r"^its worker process was killed \(out of \x1b memory\), 3 times, perhaps for lack of memory: "
            r"fewer workers or a lower micro_batch would work$",
        ),
        ("leave*", r"^its worker process died \(no such \x1b module\), 3 times$"),
        ("again*", r"^the disk is full, 3 times$"),
        ("refuse*", r"^the disk is full$"),
    ],
)
def test_a_run_that_fails_again_and_again_is_given_up(mode: str, why: str, first: RunSpec, tmp_path: Path) -> None:
    found = answer_of(mode, first, tmp_path)
    assert found is not None
    assert found.error is not None
    with pytest.raises(ValueError, match=why):
        raise ValueError(found.error)


def test_a_worker_that_hangs_again_and_again_is_said_to(first: RunSpec, tmp_path: Path) -> None:
    found = answer_of("stop*", first, tmp_path, silence_s=0.3)
    why = "its worker process gave no sign of life for 300 ms and was killed, 3 times"
    assert found == Finished(first.key, why)


def test_stopped_workers_hold_up_an_engine_no_longer_than_one(
    first: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "LONGEST_END", 1.0)
    with Faked(tmp_path, device="cpu", workers=3) as engine:
        engine.mode = "stop*"
        for number in range(3):
            engine.start(replace(first, recipe=replace(first.recipe, seed=number)))
        pids = engine.pids
        assert eventually(lambda: all(state_of(pid) == "T" for pid in pids))
        began = time.monotonic()
    assert time.monotonic() - began < 2.5
    assert not any(is_alive(pid) for pid in pids)


def test_a_worker_that_cannot_be_killed_holds_up_neither_its_run_nor_the_end(
    first: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that waits for a device or a disk that is gone ends only when that answers."""
    with Faked(tmp_path, device="cpu", workers=1, silence_s=3.0) as engine:
        engine.mode = "stop"
        engine.start(first)
        (worker,) = engine._workers
        with monkeypatch.context() as patch:
            patch.setattr(process, "LONGEST_END", 0.2)
            patch.setattr(os, "killpg", lambda *_: None)
            assert engine.wait(60) == Finished(first.key)
        assert state_of(worker.pid) == "T"
    worker.kill()
    assert not is_alive(worker.pid)


@pytest.mark.parametrize("kills", [0, 1])
def test_a_worker_that_the_system_killed_for_memory_leaves_fewer_at_a_time(
    kills: int, first: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = iter([0])
    monkeypatch.setattr(process, "memory_kills", lambda: next(counts, kills))
    with Faked(tmp_path, device="cpu", workers=3) as engine:
        engine.mode = "die"
        engine.start(first)
        assert engine.wait(60) == Finished(first.key)
        assert engine.slots == 3 - kills


def test_the_advice_for_a_run_that_lacks_memory_again_and_again(
    first: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "memory_kills", count().__next__)
    found = answer_of("die*", first, tmp_path)
    assert found is not None
    with pytest.raises(
        ValueError, match=r", 3 times, for lack of memory: fewer workers or a lower micro_batch would work$"
    ):
        raise ValueError(found.error)


def test_the_kills_of_the_system_are_read_where_it_counts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_VMSTAT", tmp_path / "vmstat")
    assert process.memory_kills() == 0
    (tmp_path / "vmstat").write_text("nr_free_pages 5\noom_kill 7\n")
    assert process.memory_kills() == 7
    (tmp_path / "vmstat").write_text("a table")
    assert process.memory_kills() == 0


def test_shares_that_are_done_are_known_while_a_run_is_under_way(first: RunSpec, tmp_path: Path) -> None:
    with Faked(tmp_path, device="cpu", workers=1) as engine:
        engine.mode = "babble"
        engine.start(first)
        shares = set()
        while engine.wait(0.05) is None:
            shares |= set(engine.fractions().items())
        assert shares == {(first.key, 0.0), (first.key, 0.25)}
        assert engine.fractions() == {}


def test_an_engine_needs_a_worker(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^workers=0 is not allowed"):
        LocalEngine(tmp_path, device="cpu", workers=0)
    with pytest.raises(ValueError, match=r"is not on this machine; it has cpu"):
        LocalEngine(tmp_path, device="abacus")


def test_there_is_a_worker_for_each_core(tmp_path: Path) -> None:
    assert LocalEngine(tmp_path, device="cpu").slots == len(os.sched_getaffinity(0))


def is_alive(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def state_of(pid: int) -> str:
    """Return the letter of a process's state: T for one that is stopped; empty for none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def eventually(holds: Callable[[], bool]) -> bool:
    """Wait up to 20 seconds for something to hold."""
    deadline = time.monotonic() + 20
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def test_killed_workers_change_nothing(new: Path, finished: Path) -> None:
    engine, moments, killed = LocalEngine(new, device="cpu", workers=2), random.Random(0), []

    def kill() -> None:
        for _ in range(2):  # fewer than the tries of a run
            time.sleep(2.5 + moments.random())
            if pids := engine.pids:
                killed.append(moments.choice(pids))
                os.kill(killed[-1], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    ending = run_study(new, engine)
    killer.join()
    assert ending == "complete"
    assert killed
    assert records(new) == records(finished)
    assert engine.pids == []


@contextmanager
def viewers(folder: Path, count: int) -> Iterator[list[StudyView]]:
    """Let sessions of the page look at a study, as they do while it is trained, during the work inside."""
    library, over, seen = StudyLibrary(lambda: {folder.name: folder}), threading.Event(), list[StudyView]()

    def look() -> None:
        while not over.wait(2):
            seen.append(library.view(folder.name))
            study_curves(seen[-1].study, seen[-1].outcomes, seen[-1].ranking, seen[-1].under_way)

    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(look) for _ in range(count)]
        try:
            yield seen
        finally:
            over.set()
        for future in futures:
            future.result()


def test_viewers_change_no_figure(finished: Path, tmp_path: Path) -> None:
    """A study that goes on, and is looked at by 25 sessions, has the records of one that nobody saw."""
    copy, missing = without(finished, tmp_path / "copy", 2)
    with viewers(copy, 25) as seen:
        assert run_study(copy, LocalEngine(copy, device="cpu", workers=2)) == "complete"
        assert eventually(lambda: len(seen) >= 25)
    assert missing
    assert records(copy) == records(finished)


def test_a_killed_driver_takes_its_workers_with_it_and_the_study_goes_on(new: Path, finished: Path) -> None:
    driver = subprocess.Popen([sys.executable, "-m", "tests.engines.driver", str(new)])
    runs = new / RUNS
    assert eventually(lambda: any(runs.glob("*/checkpoints/step-*")))
    children = Path(f"/proc/{driver.pid}/task/{driver.pid}/children").read_text().split()
    assert len(children) == 2
    driver.kill()
    driver.wait()
    assert eventually(lambda: not any(is_alive(int(child)) for child in children))
    state = read_state(new)
    assert state is not None
    assert state.status == "interrupted"
    assert run_study(new, LocalEngine(new, device="cpu", workers=2)) == "complete"
    assert records(new) == records(finished)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone kills the processes of a process that ended")
def test_workers_that_are_stopped_do_not_outlive_a_killed_driver(new: Path) -> None:
    driver = subprocess.Popen([sys.executable, "-m", "tests.engines.driver", str(new)])
    assert eventually(lambda: any((new / RUNS).glob("*/run.json")))
    children = Path(f"/proc/{driver.pid}/task/{driver.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGSTOP)
    driver.kill()
    driver.wait()
    assert children
    assert eventually(lambda: not any(is_alive(int(child)) for child in children))


def test_finished_runs_leave_records_alone_and_leftovers_are_deleted(finished: Path, tmp_path: Path) -> None:
    names = {path.name for run in (finished / RUNS).iterdir() for path in run.iterdir()}
    assert names == {".lock", "run.json", "metrics.jsonl", "speed.jsonl", "result.json"}
    copy = shutil.copytree(finished, tmp_path / "copy")
    run = next((copy / RUNS).iterdir())
    (run / "checkpoints" / "step-00000002").mkdir(parents=True)
    (run / "model.safetensors").touch()
    assert run_study(copy, LocalEngine(copy, device="cpu", workers=1)) == "complete"
    assert {path.name for path in run.iterdir()} == names

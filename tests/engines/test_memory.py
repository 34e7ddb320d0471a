"""Memory of workers: what a run may come to hold, and studies that train fewer runs at once where there is little."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from slimlm.core.architecture import Architecture
from slimlm.engines import local, memory
from slimlm.engines.local import LocalEngine
from slimlm.engines.memory import free_bytes, has_room, worker_bytes
from slimlm.engines.run_study import run_study
from slimlm.runs.recipe import TrainRecipe
from slimlm.study.schedule import Schedule
from slimlm.study.spec import RunSpec
from slimlm.study.study import RUNS, open_study
from slimlm.utils.reserved_memory import Reservation, reserved_bytes
from tests.engines.small_study import Copying, records

SMALL = Architecture(d_model=16, d_ff=32, n_layers=2, n_heads=2, vocab_size=64, max_seq_length=16)
LARGE = Architecture(d_model=512, d_ff=1536, n_layers=8, n_heads=8, vocab_size=16_000, max_seq_length=256)


def spec_of(architecture: Architecture, **recipe: int) -> RunSpec:
    return RunSpec(architecture, TrainRecipe(**{"tokens": 4096, "batch_tokens": 2048, **recipe}), "digest", 10**9)  # type: ignore[arg-type]


def free_of(path: Path, gigabytes: float, monkeypatch: pytest.MonkeyPatch) -> None:
    (path / "meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable: {int(gigabytes * 1e9) // 1024} kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", path / "meminfo")
    monkeypatch.setattr("slimlm.utils.reserved_memory._CGROUP", path)


def test_a_worker_may_hold_pytorch_and_more_than_the_plan_of_its_run() -> None:
    assert 400e6 < worker_bytes(spec_of(SMALL)) < 420e6
    assert 2.5e9 < worker_bytes(spec_of(LARGE)) < 6e9
    assert worker_bytes(spec_of(LARGE, micro_batch=1)) < worker_bytes(spec_of(LARGE))
    assert worker_bytes(spec_of(SMALL, batch_tokens=7)) == 400_000_000  # the run says itself why it cannot be


def test_free_memory_is_that_of_the_container_without_what_other_studies_will_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free_of(tmp_path, 8, monkeypatch)
    assert free_bytes() == pytest.approx(8e9, abs=1024)
    (tmp_path / "memory.max").write_text("5000000000\n")
    (tmp_path / "memory.current").write_text("1000000000\n")
    assert free_bytes() == 4_000_000_000
    other = Reservation()
    other.set({os.getppid(): 3_000_000_000})
    assert free_bytes() == 4_000_000_000 - reserved_bytes()
    assert reserved_bytes() > 2_000_000_000
    other.close()
    (tmp_path / "meminfo").unlink()
    assert free_bytes() is None
    assert has_room(spec_of(LARGE), {os.getpid(): 10**15})


def test_a_run_has_room_beside_what_others_will_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free_of(tmp_path, 2, monkeypatch)
    monkeypatch.setattr("slimlm.utils.reserved_memory.resident_bytes", lambda _: 300_000_000)
    monkeypatch.setattr(memory, "resident_bytes", lambda _: 300_000_000)
    small = spec_of(SMALL)
    assert has_room(small, {os.getpid(): 1_600_000_000})  # 1.3 GB and 0.4 GB of 1.8 GB
    assert not has_room(small, {os.getpid(): 1_800_000_000})
    assert has_room(small, {os.getpid(): 1_800_000_000}, idle=os.getpid())  # the worker holds most of it already


class Counting(Copying):
    """An engine with room for a number of runs at a time."""

    room = 1

    def __init__(self, source: Path, folder: Path) -> None:
        super().__init__(source, folder, slots=4)
        self.at_once: list[int] = []

    def has_room(self, spec: RunSpec) -> bool:
        return len(self.queue) < self.room

    def start(self, spec: RunSpec) -> None:
        super().start(spec)
        self.at_once.append(len(self.queue))


def test_a_study_with_little_memory_trains_fewer_runs_at_once_and_says_so(finished: Path, new: Path) -> None:
    engine, words = Counting(finished, new), list[str]()
    assert run_study(new, engine, progress=lambda _, text: words.append(text)) == "complete"
    assert set(engine.at_once) == {1}
    assert records(new) == records(finished)
    assert words[0].startswith("training: 0 of 6 known runs done, 1 under way (no memory for more at once)")


def test_a_study_without_memory_for_one_run_trains_one_which_says_what_it_lacks(finished: Path, new: Path) -> None:
    engine = Counting(finished, new)
    engine.room = 0
    assert run_study(new, engine) == "complete"
    assert set(engine.at_once) == {1}


def test_a_local_engine_counts_what_its_workers_will_take_and_lets_others_know(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, *_ = Schedule(open_study(finished), {}).wanted
    asked: list[Sequence[int]] = []

    def room(spec: RunSpec, wanted: dict[int, int], idle: int | None) -> bool:
        asked.append([*wanted.values()])
        return False

    monkeypatch.setattr(local, "has_room", room)
    shutil.copytree(finished, tmp_path / "study", ignore=shutil.ignore_patterns(RUNS))
    with LocalEngine(tmp_path / "study", device="cpu", workers=2) as engine:
        assert engine.has_room(first)  # the first one always has
        engine.start(first)
        assert not engine.has_room(second)
        assert asked == [[worker_bytes(first)]]
        assert reserved_bytes() > worker_bytes(first) / 2
        while engine.wait(60) is None:
            pass
        assert reserved_bytes() == 0
    assert engine.has_room(second)

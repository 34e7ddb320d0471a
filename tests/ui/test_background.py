"""Work behind the pages: its reports, its end, and its place behind other threads."""

import gc
import os
import sys
import threading
import weakref
from pathlib import Path

import pytest
import torch

from slimlm.ui.background import run_behind
from slimlm.utils.progress import Progress


class LeftError(Exception):
    """Raised by a page that is superseded."""


def ignored(fraction: float, text: str) -> None:
    """Take a report and do nothing."""


def test_the_page_gets_reports_in_its_own_thread_and_the_result() -> None:
    seen = list[tuple[float, str, int]]()
    told = threading.Event()

    def work(progress: Progress) -> str:
        progress(0.5, "half")
        assert told.wait(20)
        progress(1.0, "all")
        return "result"

    def show(fraction: float, text: str) -> None:
        seen.append((fraction, text, threading.get_ident()))
        told.set()

    assert run_behind(work, show) == "result"
    assert seen == [(0.5, "half", threading.get_ident()), (1.0, "all", threading.get_ident())]


def test_a_slow_page_gets_the_latest_report() -> None:
    seen = list[float]()
    shown, reported = threading.Event(), threading.Event()

    def work(progress: Progress) -> None:
        progress(0.1, "")
        assert shown.wait(20)
        for percent in range(11, 100):
            progress(percent / 100, "")
        reported.set()

    def show(fraction: float, text: str) -> None:
        seen.append(fraction)
        shown.set()
        assert reported.wait(20)

    run_behind(work, show)
    assert seen == [0.1, 0.99]


def test_a_page_that_leaves_waits_for_the_end_of_the_work() -> None:
    ended = list[str]()

    def work(progress: Progress) -> None:
        try:
            while True:
                progress(0.5, "for ever")
        finally:
            ended.append("work")

    def show(fraction: float, text: str) -> None:
        raise LeftError("superseded")

    with pytest.raises(LeftError, match="superseded"):
        run_behind(work, show)
    assert ended == ["work"]


def test_what_the_work_raises_reaches_the_page() -> None:
    def work(progress: Progress) -> None:
        raise MemoryError("does not fit")

    with pytest.raises(MemoryError, match="does not fit"):
        run_behind(work, ignored)


@pytest.mark.parametrize("leaves", [False, True])
def test_failed_work_keeps_nothing(leaves: bool) -> None:
    class Model:
        pass

    models = list[weakref.ref[Model]]()

    def work(progress: Progress) -> None:
        model = Model()
        models.append(weakref.ref(model))
        while leaves:
            progress(0.5, "")
        raise ValueError("failed")

    def show(fraction: float, text: str) -> None:
        raise ValueError("left")

    gc.collect()
    gc.disable()
    try:
        with pytest.raises(ValueError, match="left" if leaves else "failed") as found:
            run_behind(work, show)
        del found
        assert models[0]() is None
    finally:
        gc.enable()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no nice value of their own")
def test_the_work_and_the_threads_that_torch_starts_for_it_go_behind_others() -> None:
    def nice_values() -> dict[int, int]:
        return {int(task.name): os.getpriority(os.PRIO_PROCESS, int(task.name)) for task in _threads()}

    def work(progress: Progress) -> dict[int, int]:
        torch.ones(512, 512) @ torch.ones(512, 512)
        torch.ones(1_000_000).exp()
        return nice_values()

    before = nice_values()
    during = run_behind(work, ignored)
    assert {during[thread] for thread in before if thread in during} <= set(before.values())
    own = os.getpriority(os.PRIO_PROCESS, 0)
    started = [nice for thread, nice in during.items() if thread not in before]
    assert len(started) >= min(2, torch.get_num_threads())
    assert set(started) == {max(10, own)}
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


def _threads() -> list[Path]:
    return list(Path("/proc/self/task").iterdir())

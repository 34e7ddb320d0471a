"""The build queue, with threads that wait for each other rather than for the clock."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from slimlm.ui.build_queue import SAME_MODEL, Queue

SOON = 10.0
"""Seconds after which a thread that waits for another is a failure."""


class LeftError(Exception):
    """What a session's `st.` call raises when the session has gone or wants something else."""


class Session:
    """A thread that wants something of a queue; its work goes on until it is told to finish."""

    def __init__(self, queue: Queue[str], pool: ThreadPoolExecutor, key: str) -> None:
        self.key, self.heard = key, list[str]()
        self.news = threading.Condition()
        self.may_finish, self.has_left, self.fails = threading.Event(), False, False
        self.result: Future[str] = pool.submit(queue.run, key, self.work, self.show)

    def show(self, _: float, message: str) -> None:
        if self.has_left:
            raise LeftError
        with self.news:
            self.heard.append(message)
            self.news.notify_all()

    def work(self) -> str:
        while not self.may_finish.wait(0.001):
            self.show(0.5, "working")
        if self.fails:
            raise MemoryError("too large")
        return f"report of {self.key}"

    def hears(self, message: str) -> bool:
        """Wait until this is what the session was told last."""
        with self.news:
            return self.news.wait_for(lambda: self.heard[-1:] == [message], SOON)

    def finish(self) -> str:
        self.may_finish.set()
        return self.result.result(SOON)

    def leave(self) -> None:
        self.has_left = True
        with pytest.raises(LeftError):
            self.result.result(SOON)


Enter = Callable[[str], Session]


@pytest.fixture
def queue() -> Queue[str]:
    return Queue(at_most=2, beat=0.001)


@pytest.fixture
def enter(queue: Queue[str]) -> Iterator[Enter]:
    """Let a session want something that is not there; it has its place when this returns."""
    sessions: list[Session] = []
    with ThreadPoolExecutor(8) as pool:

        def enter(key: str) -> Session:
            session = Session(queue, pool, key)
            sessions.append(session)
            with session.news:
                assert session.news.wait_for(lambda: session.heard, SOON)
            return session

        yield enter
        for session in sessions:
            session.may_finish.set()


def test_one_works_and_the_others_see_their_places(enter: Enter) -> None:
    first, second, third = enter("a"), enter("b"), enter("c")
    assert first.hears("working")
    assert second.hears("waiting for 1 other model to be built")
    assert third.hears("waiting for 2 other models to be built")
    first.finish()
    assert second.hears("working")
    assert third.hears("waiting for 1 other model to be built")
    assert "working" not in third.heard
    assert [second.finish(), third.finish()] == ["report of b", "report of c"]


def test_a_second_session_gets_the_report_of_the_first_before_its_own_turn(enter: Enter) -> None:
    first, between, same = enter("a"), enter("b"), enter("a")
    assert same.hears(SAME_MODEL)
    first.finish()
    assert between.hears("working")
    assert same.result.result(SOON) == "report of a"
    assert "working" not in same.heard


def test_a_report_that_is_there_is_given_while_another_model_is_built(enter: Enter, queue: Queue[str]) -> None:
    enter("a").finish()
    assert enter("b").hears("working")
    assert queue.get("a") == queue.run("a", lambda: "built again", lambda _, __: None) == "report of a"


def test_one_who_leaves_gives_up_place_and_work(enter: Enter, queue: Queue[str]) -> None:
    first, second, third = enter("a"), enter("b"), enter("c")
    second.leave()
    assert third.hears("waiting for 1 other model to be built")
    first.leave()
    assert third.hears("working")
    assert queue.get("a") is None


def test_one_who_waits_for_the_same_model_builds_it_when_the_first_has_left(enter: Enter) -> None:
    first, same = enter("a"), enter("a")
    first.leave()
    assert same.hears("working")
    assert same.finish() == "report of a"


def test_a_failure_reaches_its_session_alone_and_lets_the_next_one_work(enter: Enter, queue: Queue[str]) -> None:
    first, second = enter("a"), enter("b")
    first.fails = True
    with pytest.raises(MemoryError, match="too large"):
        first.finish()
    assert second.finish() == "report of b"
    assert queue.get("a") is None


def test_the_reports_unused_for_longest_are_dropped(enter: Enter, queue: Queue[str]) -> None:
    for key in "ab":
        enter(key).finish()
    assert queue.get("a")
    enter("c").finish()
    assert [queue.get(key) for key in "abc"] == ["report of a", None, "report of c"]

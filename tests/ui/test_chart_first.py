"""Content below the chart is rendered one session at a time, first come first served."""

import threading
import time
from types import SimpleNamespace

import pytest

from slimlm.ui import chart_first
from slimlm.ui.chart_first import below_the_chart, knobs_in_turn


class SupersededError(Exception):
    """Stands for what Streamlit raises in a run that a newer one supersedes."""


def test_a_page_waits_for_the_one_that_is_drawn() -> None:
    drawn: list[str] = []

    def draw() -> None:
        with below_the_chart():
            drawn.append("second")

    with below_the_chart(pause=0.0):
        second = threading.Thread(target=draw)
        second.start()
        second.join(0.2)
        assert second.is_alive()
        drawn.append("first")
    second.join(10)
    assert drawn == ["first", "second"]


def test_knobs_wait_for_those_of_another_session_but_not_for_the_rest_of_its_page() -> None:
    drawn: list[str] = []

    def draw() -> None:
        with knobs_in_turn():
            drawn.append("second")

    with below_the_chart(pause=0.0), knobs_in_turn():
        second = threading.Thread(target=draw)
        second.start()
        second.join(0.2)
        assert second.is_alive()
        drawn.append("first")
    second.join(10)
    with below_the_chart(pause=0.0):
        third = threading.Thread(target=draw)
        third.start()
        third.join(10)
    assert drawn == ["first", "second", "second"]


def test_sessions_render_in_the_order_in_which_they_came() -> None:
    order: list[int] = []

    def render(number: int) -> None:
        with below_the_chart(pause=0.0):
            order.append(number)

    threads = [threading.Thread(target=render, args=(number,)) for number in range(8)]
    with below_the_chart(pause=0.0):
        for waiting, thread in enumerate(threads, start=1):
            thread.start()
            while chart_first._turns.waiting() < waiting:
                time.sleep(0.001)
    for thread in threads:
        thread.join(10)
    assert order == list(range(8))


def test_a_page_that_fails_lets_the_next_one_go_on() -> None:
    with pytest.raises(ValueError, match="clashes"), below_the_chart():
        raise ValueError("clashes")
    with below_the_chart():
        pass


def test_a_run_that_is_superseded_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    def supersede(name: str) -> None:
        raise SupersededError(name)

    monkeypatch.setattr(chart_first, "st", SimpleNamespace(session_state=SimpleNamespace(get=supersede)))
    with below_the_chart():
        with pytest.raises(SupersededError), below_the_chart(beat=0.01):
            pytest.fail("drawn beside another page")
        assert chart_first._turns.waiting() == 0
    with below_the_chart():
        pass


def test_the_server_has_a_pause_for_sending_only_when_another_page_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    with below_the_chart():
        pass
    assert pauses == []
    with below_the_chart(pause=7.0):
        monkeypatch.setattr(chart_first._turns, "waiting", lambda: 1)
    assert pauses == [7.0]

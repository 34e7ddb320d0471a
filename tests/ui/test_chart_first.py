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


def test_knobs_wait_for_what_another_session_draws_but_not_for_its_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    pausing, over = threading.Event(), threading.Event()

    def pause(seconds: float) -> None:
        pausing.set()
        assert over.wait(10)

    def draw_knobs() -> None:
        with knobs_in_turn():
            drawn.append("knobs")

    def draw_rest() -> None:
        with below_the_chart():
            drawn.append("rest")

    knobs, rest = threading.Thread(target=draw_knobs), threading.Thread(target=draw_rest)
    with knobs_in_turn():
        rest.start()
        rest.join(0.2)
        assert rest.is_alive()
        drawn.append("knobs of another")
        monkeypatch.setattr(time, "sleep", pause)
        monkeypatch.setattr(chart_first._rests, "waiting", lambda: 1)
    assert pausing.wait(10)
    knobs.start()
    knobs.join(10)
    assert drawn == ["knobs of another", "rest", "knobs"]
    over.set()
    rest.join(10)


def test_sessions_render_in_the_order_in_which_they_came() -> None:
    order: list[int] = []

    def render(number: int) -> None:
        with below_the_chart(pause=0.0):
            order.append(number)

    threads = [threading.Thread(target=render, args=(number,)) for number in range(8)]
    with below_the_chart(pause=0.0):
        for waiting, thread in enumerate(threads, start=1):
            thread.start()
            while chart_first._rests.waiting() < waiting:
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
        assert chart_first._rests.waiting() == 0
    with below_the_chart():
        pass


def test_the_server_has_a_pause_for_sending_only_when_another_page_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    with below_the_chart():
        pass
    assert pauses == []
    with below_the_chart(pause=7.0):
        monkeypatch.setattr(chart_first._rests, "waiting", lambda: 1)
    assert pauses == [7.0]

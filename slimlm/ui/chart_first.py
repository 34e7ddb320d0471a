"""Charts first: what follows the chart is rendered for one session at a time, and superseded runs skip it.

The server sends messages in turns, and a page has some two hundred. If all sessions rendered at once, a chart would
wait for the rest of every other page: 1.6 s instead of 0.25 s, measured with 25 sessions. The knobs take four times as
long as the chart and have turns too, between the rests of other pages: they need not wait for the pauses of those.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa  # type: ignore[import-untyped]
import streamlit as st

from slimlm.charts.incremental import separate_data
from slimlm.charts.theme import Figure, for_page, page_config


class _Turns:
    """FIFO lock. A thread that waits for it can be interrupted."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._line: deque[object] = deque()

    @contextmanager
    def turn(self, beat: float) -> Iterator[None]:
        """Hold the lock; wait for it in line, and let Streamlit interrupt a superseded run every `beat` seconds."""
        ticket = object()
        with self._changed:
            self._line.append(ticket)
        try:
            while not self._is_first(ticket, beat):
                st.session_state.get("page")  # Streamlit raises here in a superseded run
            yield
        finally:
            with self._changed:
                self._line.remove(ticket)
                self._changed.notify_all()

    def _is_first(self, ticket: object, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._line[0] is ticket, seconds)

    def waiting(self) -> int:
        """Return how many threads wait."""
        with self._changed:
            return max(0, len(self._line) - 1)


_drawing, _rests = _Turns(), _Turns()


@contextmanager
def knobs_in_turn(beat: float = 0.05) -> Iterator[None]:
    """Render the knobs of a page while no other session renders what follows its chart; `beat` as below."""
    with _drawing.turn(beat):
        yield


@contextmanager
def below_the_chart(beat: float = 0.05, pause: float = 0.2) -> Iterator[None]:
    """Render the rest of a page while no other session renders what follows its chart.

    beat: seconds between two checks whether a newer run of this session supersedes the waiting one.
    pause: seconds in which the server can send this page before the next waiting session renders its rest.
    """
    with _rests.turn(beat):
        with _drawing.turn(beat):
            yield
        if _rests.waiting():
            time.sleep(pause)


def show_live(figure: Figure, key: str) -> None:
    """Show a figure whose rows and heading are sent as tables, so that the browser keeps its Vega view."""
    specification, data = separate_data(figure)
    # Arrow tables made here save the first visitor the import of pandas, and every key press 2 ms.
    tables = {name: pa.Table.from_pylist(rows) for name, rows in data.items()}
    page = {"datasets": tables, "config": page_config()}
    st.vega_lite_chart(spec=specification | page, width="stretch", theme=None, key=key)


def show_chart(figure: Figure, key: str) -> None:
    """Show a figure at the width of the page."""
    st.altair_chart(for_page(figure), width="stretch", theme=None, key=key)


def let_the_browser_draw() -> None:
    """Pause while the browser renders the chart: messages sent meanwhile delay it by 100 of 200 ms, measured."""
    time.sleep(0.06)

"""Charts before everything else, across all sessions: below their charts, pages are drawn one at a time.

A server sends what it has in turns, message by message, and a page has some two hundred. Were all pages drawn at once,
a chart would wait for the rest of every other page: with 25 readers 1.6 s instead of 0.25 s measured. And a page that
waits while its reader moves on is not drawn in vain.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa  # type: ignore[import-untyped]
import streamlit as st

from slimlm.charts.incremental import split
from slimlm.charts.theme import Figure

if TYPE_CHECKING:
    pass


@dataclass
class _Turn:
    """Whose turn it is to be drawn below the chart."""

    taken: threading.Lock = field(default_factory=threading.Lock)
    waiting: int = 0

    def wait(self, beat: float) -> None:
        self.waiting += 1
        try:
            while not self.taken.acquire(timeout=beat):
                st.session_state.get("asked")  # where Streamlit ends a run that a newer one supersedes
        finally:
            self.waiting -= 1


_turn = _Turn()


@contextmanager
def below_the_chart(beat: float = 0.05, pause: float = 0.2) -> Iterator[None]:
    """Draw the rest of a page in here, when no other page draws its own.

    beat: seconds between two looks whether a newer run of this session supersedes the one that waits.
    pause: seconds that the server has for sending the page, before the next one that waits is drawn.
    """
    _turn.wait(beat)
    try:
        yield
        if _turn.waiting:
            time.sleep(pause)
    finally:
        _turn.taken.release()


def show_live(figure: Figure, key: str) -> None:
    """Draw a figure whose rows and heading are sent as tables, which the browser passes to the view that it has."""
    specification, data = split(figure)
    # Tables made here spare the first visitor the import of pandas, and everybody 2 ms at each key press.
    tables = {name: pa.Table.from_pylist(rows) for name, rows in data.items()}
    st.vega_lite_chart(spec=specification | {"datasets": tables}, width="stretch", theme=None, key=key)


def let_the_browser_draw() -> None:
    """Wait while the browser draws what it has: what is sent meanwhile delays it, by half of 200 ms measured."""
    time.sleep(0.06)

"""Progress on stderr: on a terminal a line that is replaced, elsewhere a plain line now and then."""

import os
import sys
import time

from slimlm.utils.progress import Progress

_FIRST_S, _UNTOLD_S, _APART_S, _AT_LEAST_S = 5.0, 60.0, 10.0, 600.0
"""Seconds before the first plain line, before one without a time left, between two lines, and at most between two."""


def is_first_process() -> bool:
    """Whether this process is alone, or the first of those that torchrun started: the others print nothing."""
    return os.environ.get("RANK", "0") == "0"


def process_count() -> int:
    """Return the number of processes that torchrun started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def show_on_terminal(fraction: float, message: str) -> None:
    """Replace the last line of a terminal by the share that is done and a description."""
    end = "\n" if fraction >= 1 else ""
    print(f"\r{100 * fraction:3.0f} %  {message:<72}", end=end, file=sys.stderr, flush=True)


class PlainLines:
    """Progress in a log: a line when the time left is known, then at each tenth of the work or ten minutes."""

    def __init__(self) -> None:
        self._last, self._tenth = time.perf_counter(), -1

    def __call__(self, fraction: float, message: str) -> None:
        """Print progress if it is time."""
        waited, tenth = time.perf_counter() - self._last, int(10 * fraction + 1e-9)
        if fraction < 1 and self._is_due(waited, tenth, message):
            print(f"slimlm: {100 * fraction:.0f} %, {message}", file=sys.stderr, flush=True)
            self._last, self._tenth = time.perf_counter(), tenth

    def _is_due(self, waited: float, tenth: int, message: str) -> bool:
        if self._tenth < 0:
            return waited >= (_FIRST_S if message.endswith(" left") else _UNTOLD_S)
        return waited >= (_APART_S if tenth != self._tenth else _AT_LEAST_S)


def shown_progress() -> Progress:
    """Return what shows the progress of one long work on stderr; nothing in other processes than the first."""
    if not is_first_process():
        return lambda fraction, message: None
    return show_on_terminal if sys.stderr.isatty() else PlainLines()

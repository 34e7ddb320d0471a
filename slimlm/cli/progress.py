"""Progress on stderr: on a terminal a line that is replaced, elsewhere a plain line now and then."""

import os
import sys
import time

from slimlm.utils.progress import Progress

_FIRST_S, _APART_S, _AT_LEAST_S = 5.0, 10.0, 600.0
"""Plain lines come not before, not nearer to each other, and not farther apart than these seconds."""


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
    """Progress in a log: a line after five seconds, then at each tenth of the work, and at least every ten minutes."""

    def __init__(self) -> None:
        self._last, self._tenth = time.perf_counter(), 0
        self._wait = _FIRST_S

    def __call__(self, fraction: float, message: str) -> None:
        """Print progress if it is time."""
        waited = time.perf_counter() - self._last
        tenth = int(10 * fraction + 1e-9)
        due = self._wait == _FIRST_S or tenth != self._tenth or waited >= _AT_LEAST_S
        if fraction < 1 and waited >= self._wait and due:
            print(f"slimlm: {100 * fraction:.0f} %, {message}", file=sys.stderr, flush=True)
            self._last, self._tenth, self._wait = time.perf_counter(), tenth, _APART_S


def shown_progress() -> Progress:
    """Return what shows the progress of one long work on stderr; nothing in other processes than the first."""
    if not is_first_process():
        return lambda fraction, message: None
    return show_on_terminal if sys.stderr.isatty() else PlainLines()

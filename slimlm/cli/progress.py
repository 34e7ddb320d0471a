"""Progress on stderr: a line with the time left on a terminal, and one estimate elsewhere."""

import os
import sys
import time

from slimlm.utils.formatting import format_seconds

_SECONDS, _SHARE = 5.0, 0.005
"""Work to have been measured before its duration is estimated."""


def is_first_process() -> bool:
    """Whether this process is alone, or the first of those that torchrun started: the others print nothing."""
    return os.environ.get("RANK", "0") == "0"


def show_progress(fraction: float, message: str) -> None:
    """Replace the last line of a terminal by the share that is done and a description."""
    if is_first_process() and sys.stderr.isatty():
        end = "\n" if fraction >= 1 else ""
        print(f"\r{100 * fraction:3.0f} %  {message:<72}", end=end, file=sys.stderr, flush=True)


def process_count() -> int:
    """Return the number of processes that torchrun started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


class TimedProgress:
    """Progress of a run; where there is no terminal, one line says how long it will take, from its first steps."""

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None
        self._said = sys.stderr.isatty() or not is_first_process()

    def __call__(self, fraction: float, message: str) -> None:
        """Show progress; the first call starts the measurement, so that the preparation is not in it."""
        show_progress(fraction, message)
        now = time.perf_counter()
        if self._first is None:
            self._first = now, fraction
            return
        seconds, share = now - self._first[0], fraction - self._first[1]
        if not self._said and seconds >= _SECONDS and share >= _SHARE:
            self._said = True
            print(f"slimlm: expected time left {format_seconds(seconds * (1 - fraction) / share)}", file=sys.stderr)

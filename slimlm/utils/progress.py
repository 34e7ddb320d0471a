"""Progress of a long piece of work: passed on now and then, with the time left."""

import time
from collections.abc import Callable

from slimlm.utils.formatting import format_seconds

Progress = Callable[[float, str], object]
"""Called with the share of the work that is done and what is being done; what it raises ends the work."""


class Reporter:
    """Passes progress on ten times a second at most, so that telling takes no time from doing."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._started = time.perf_counter()
        self._said, self._kind = 0.0, ""

    def __call__(self, fraction: float, kind: str, detail: str = "") -> None:
        """Pass progress on when it is time, when another kind of work begins, and at the end."""
        now = time.perf_counter()
        if self._progress is None or (fraction < 1 and kind == self._kind and now - self._said < 0.1):
            return
        self._said, self._kind = now, kind
        self._progress(min(fraction, 1.0), kind + detail + self._time_left(fraction, now - self._started))

    def _time_left(self, fraction: float, elapsed: float) -> str:
        if elapsed < 1 or not 0.01 < fraction < 1:  # too early to tell, or too late to be worth it
            return ""
        return f", about {format_seconds(max(1.0, elapsed * (1 - fraction) / fraction))} left"

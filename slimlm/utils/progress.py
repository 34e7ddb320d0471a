"""Progress of long work: rate-limited reports with the remaining time."""

import time
from collections.abc import Callable

from slimlm.utils.formatting import format_seconds

Progress = Callable[[float, str], object]
"""Called with the share of the work that is done and a description; exceptions it raises cancel the work."""


_ALMOST = 0.999
"""Largest share that is told before the end."""


class Reporter:
    """Forwards progress at most ten times a second, so that reporting does not slow the work down."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._started = time.perf_counter()
        self._last_report, self._kind, self._fraction = 0.0, "", 0.0

    def __call__(self, fraction: float, kind: str, detail: str = "") -> None:
        """Forward progress when a tenth of a second has passed, when the kind of work changes, and at the end."""
        now, self._fraction = time.perf_counter(), fraction
        if self._progress is None or (fraction < 1 and kind == self._kind and now - self._last_report < 0.1):
            return
        self._last_report, self._kind = now, kind
        self._progress(min(fraction, 1.0), kind + detail + self._time_left(fraction, now - self._started))

    def beat(self, kind: str) -> None:
        """Say that other work goes on, which adds no share: who waits for a sign of life hears it."""
        self(min(self._fraction, _ALMOST), kind)

    def _time_left(self, fraction: float, elapsed: float) -> str:
        if elapsed < 1 or not 0.01 < fraction < 1:  # too early to estimate, or already done
            return ""
        return f", about {format_seconds(max(1.0, elapsed * (1 - fraction) / fraction))} left"

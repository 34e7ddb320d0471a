"""Progress of long work: rate-limited reports with the remaining time."""

import time
from collections import deque
from collections.abc import Callable

from slimlm.utils.formatting import format_seconds

Progress = Callable[[float, str], object]
"""Called with the share of the work that is done and a description; exceptions it raises cancel the work."""


_DONE = 1 - 1e-9
"""Least share that is the end: shares are sums of fractions, and rounded."""

_ALMOST = 0.999
"""Largest share that is told before the end."""
_SAMPLES = 100
"""Measurements in the time that is looked back on, about."""


class Recent:
    """What was done by half of the time so far: the speed since then is that of the time to come.

    So work that a busy machine slows down, or whose first part was slower than the rest, is told right once as much
    time again has passed; and the time looked back on grows with the work, so that pauses in it matter little.
    """

    def __init__(self, *nothing: float) -> None:
        self._samples = deque([(0.0, nothing)])

    def since(self, elapsed: float, *done: float) -> tuple[float, tuple[float, ...]]:
        """Remember what is done now, and return the seconds since then and what was done by then."""
        while len(self._samples) > 1 and self._samples[1][0] <= elapsed / 2:
            self._samples.popleft()
        if elapsed - self._samples[-1][0] > elapsed / _SAMPLES:
            self._samples.append((elapsed, done))
        then, before = self._samples[0]
        return elapsed - then, before


class Reporter:
    """Forwards progress at most ten times a second, so that reporting does not slow the work down."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._started = time.perf_counter()
        self._last_report, self._kind, self._fraction = 0.0, "", 0.0
        self._recent = Recent(0.0)

    def __call__(self, fraction: float, kind: str, detail: str = "", left: float | None = None) -> None:
        """Forward progress when a tenth of a second has passed, when the kind of work changes, and at the end.

        left: the seconds left, where the work knows them better than the recent rise of the share tells.
        """
        fraction = fraction if fraction < _DONE else 1.0
        now, self._fraction = time.perf_counter(), fraction
        if self._progress is None or (fraction < 1 and kind == self._kind and now - self._last_report < 0.1):
            return
        self._last_report, self._kind = now, kind
        elapsed = now - self._started
        expected = self._expected(fraction, elapsed)
        if elapsed < 1 or not 0.01 < fraction < 1 or expected is None:  # too early to estimate, or already done
            told = ""
        else:
            told = f", about {format_seconds(max(1.0, expected if left is None else left))} left"
        self._progress(min(fraction, 1.0), kind + detail + told)

    def beat(self, kind: str) -> None:
        """Say that other work goes on, which adds no share: who waits for a sign of life hears it."""
        self(min(self._fraction, _ALMOST), kind)

    def _expected(self, fraction: float, elapsed: float) -> float | None:
        """Return the seconds left by the recent rate, or by that of the whole time where nothing was done recently."""
        seconds, (before,) = self._recent.since(elapsed, fraction)
        if fraction <= before:
            seconds, before = elapsed, 0.0
        return seconds * (1 - fraction) / (fraction - before) if fraction > before else None

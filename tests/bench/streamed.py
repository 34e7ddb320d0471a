"""How right the time left is that long work tells, and how long it cannot be cancelled."""

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

_UNITS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "days": 86_400.0}

LAST_SECONDS = 5.0
"""What is left at least, where an error is divided by it: the last seconds are told to a second."""


class Told(NamedTuple):
    """One report of progress."""

    seconds: float
    """Since the start of the work."""
    fraction: float
    message: str


def told_left(message: str) -> float:
    """Return the seconds left that a message tells, as its reader sees them; infinity where it tells none."""
    found = re.search(r", about ([\d.]+) (ms|s|min|h|days) left$", message)
    return float(found[1]) * _UNITS[found[2]] if found else math.inf


def worst_error(told: Sequence[Told]) -> float:
    """Return the largest |told − true| / true time left, in reports from the first tenth of the time on.

    The true time left is that to the last report, and counts as 5 s where it is less.
    """
    end = told[-1].seconds
    return max(
        abs(told_left(message) - (end - seconds)) / max(end - seconds, LAST_SECONDS)
        for seconds, fraction, message in told
        if seconds >= end / 10 and fraction < 1
    )


def longest_silence(told: Sequence[Told]) -> float:
    """Return the longest time between two reports, the start included: so long a cancellation waits at most."""
    times = [0.0, *(seconds for seconds, *_ in told)]
    return max(later - sooner for sooner, later in pairwise(times))

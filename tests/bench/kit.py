"""One line of the benchmark's table, and times taken in turns: both sides meet the same machine."""

import gc
import statistics
import time
from collections.abc import Callable
from typing import Literal, NamedTuple


class Row(NamedTuple):
    """One line of the table."""

    what: str
    ours: float
    peer: float | None = None
    most: float | None = None
    """The aim: what `ours` should not exceed."""
    most_ratio: float | None = None
    """The aim: what ours / peer should not exceed."""
    unit: Literal["seconds", "bytes", "number"] = "seconds"
    """Of `ours`, `peer` and `most`."""


def timed(work: Callable[[], object]) -> float:
    """Time one call; what it returns is freed outside the time, and garbage is collected before."""
    gc.collect()
    started = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - started
    del result
    return seconds


def in_turns(ours: Callable[[], object], peer: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return both medians; each round runs both, and every other round the peer comes first."""
    gc.collect()
    gc.freeze()  # what is loaded by now is not looked through before every run
    times: dict[Callable[[], object], list[float]] = {ours: [], peer: []}
    for turn in range(rounds):
        for work in (ours, peer) if turn % 2 == 0 else (peer, ours):
            times[work].append(timed(work))
    gc.unfreeze()
    return statistics.median(times[ours]), statistics.median(times[peer])

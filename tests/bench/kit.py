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
    """The aim where `most` is None: what ours / peer should not exceed."""
    unit: Literal["seconds", "bytes", "number"] = "seconds"
    """Of `ours`, `peer` and `most`."""

    @property
    def ratio(self) -> float | None:
        """ours / peer, where there is a peer other than 0."""
        return self.ours / self.peer if self.peer else None

    @property
    def has_aim(self) -> bool:
        """Whether a limit applies to this row."""
        return self.most is not None or (self.most_ratio is not None and self.ratio is not None)


def timed(work: Callable[[], object]) -> float:
    """Time one call; what it returns is freed outside the time, and garbage is collected before."""
    gc.collect()
    started = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - started
    del result
    return seconds


def in_turns(
    ours: Callable[[], object], peer: Callable[[], object], rounds: int, seconds: float = 8.0
) -> tuple[float, float]:
    """Return both medians; each round runs both, and every other round the peer comes first.

    seconds: no further round begins after them, so that a busy machine lengthens the run little.
    """
    gc.collect()
    gc.freeze()  # what is loaded by now is not looked through before every run
    times: dict[Callable[[], object], list[float]] = {ours: [], peer: []}
    end = time.perf_counter() + seconds
    for turn in range(rounds):
        for work in (ours, peer) if turn % 2 == 0 else (peer, ours):
            times[work].append(timed(work))
        if time.perf_counter() > end:
            break
    gc.unfreeze()
    return statistics.median(times[ours]), statistics.median(times[peer])

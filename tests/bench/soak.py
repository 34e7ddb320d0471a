"""Slider moves one after the other in one session: whether the server's memory stays flat.

The whole run measures four quarters of 9 s after a warm-up of 20 s; `soak-long` four quarters of 3 minutes.
"""

import asyncio
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from slimlm.core.config import ModelConfig
from tests.bench.kit import Row
from tests.visitor import Visitor, caption, next_move
from tests.watched import watched

_MOST_PARAMS = 20_000_000
_TO_THE_END = 20
"""One move in so many is left to run to its end, PyTorch check included; the others end with their chart."""


@dataclass
class Wanderer:
    """A session that makes moves, each once the chart of the one before is there."""

    visitor: Visitor
    config: ModelConfig = field(default_factory=ModelConfig)
    moves: int = 0
    draw: random.Random = field(default_factory=lambda: random.Random(0))

    async def wander(self, seconds: float) -> None:
        """Make moves for some seconds, then let the page run to its end."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end and not self.visitor.problems:
            move = next_move(self.config, self.draw, _MOST_PARAMS)
            self.config = move.config
            await self.visitor.move(move.field, move.value)
            await self.visitor.until_shown(caption(self.config))
            if self.moves % _TO_THE_END == 0:
                await self.visitor.until_idle()
            self.moves += 1
        await self.visitor.until_idle()


@contextmanager
def opened(runner: asyncio.Runner, address: str) -> Iterator[Visitor]:
    """Open the page in a session that lives between two calls of the runner, and wait until it is at rest."""
    visitor = runner.run(Visitor(address).__aenter__())
    try:
        runner.run(visitor.until_idle())
        yield visitor
    finally:
        runner.run(visitor.__aexit__(None, None, None))


def soak_rows(warm_up: float = 20.0, quarter: float = 9.0) -> Iterator[Row]:
    """Compare the server's memory after each of four quarters with that after the warm-up; both in seconds."""
    with watched() as (server, builds), asyncio.Runner() as runner, opened(runner, server.address) as visitor:
        wanderer = Wanderer(visitor)
        runner.run(wanderer.wander(warm_up))
        start, first = server.resident_bytes, wanderer.moves
        yield Row(f"server's memory after a warm-up of {first:,} moves", start, unit="bytes")
        for _ in range(4):
            runner.run(wanderer.wander(quarter))
            what = f"server's memory after {wanderer.moves - first:,} moves | after the warm-up"
            yield Row(what, server.resident_bytes, start, most_ratio=1.1, unit="bytes")
        built = builds()
    for problem in visitor.problems:
        print(f"  {problem}", file=sys.stderr)
    yield Row("errors", len(visitor.problems), most=0, unit="number")
    yield Row("PyTorch models begun | finished", built.begun, built.finished, unit="number")

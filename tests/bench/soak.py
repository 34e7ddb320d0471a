"""Moves over all pages one after the other in one session: whether the server's memory stays flat.

The whole run measures four quarters of 9 s after a warm-up of 20 s; `soak-long` 3,000 moves after a warm-up of 300.
"""

import asyncio
import itertools
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from slimlm.core.config import ModelConfig
from slimlm.core.published import published_models
from tests.bench.kit import Row
from tests.visitor import Visitor, caption, next_move
from tests.watched import watched

_MOST_PARAMS = 20_000_000
_TO_THE_END = 20
"""One move in so many on the Design page runs to its end, PyTorch check included; the others end with their chart."""

PAGES = ("", "sweep", "rank", "inspect", "compare")
"""Addresses of all pages; the first is the Design page."""

MOVES_ON_A_PAGE = 6


@dataclass
class Wanderer:
    """A session that makes moves, each once the chart of the one before is there, and goes from page to page."""

    visitor: Visitor
    config: ModelConfig = field(default_factory=ModelConfig)
    moves: int = 0
    draw: random.Random = field(default_factory=lambda: random.Random(0))

    async def wander(self, goes_on: Callable[[int], bool]) -> None:
        """Make moves while a function of their number so far says so, then let the page run to its end."""
        for page in itertools.cycle(PAGES):
            if page or self.moves:
                await self._arrive(page)
            for _ in range(MOVES_ON_A_PAGE):
                if self.visitor.problems or not goes_on(self.moves):
                    await self.visitor.until_idle()
                    return
                await self._move(page)
                self.moves += 1

    async def _arrive(self, page: str) -> None:
        await self.visitor.until_idle()
        await self.visitor.open(page)
        await self.visitor.until_idle()

    async def _move(self, page: str) -> None:
        visitor, draw = self.visitor, self.draw
        if page in ("", "sweep"):
            move = next_move(self.config, draw, _MOST_PARAMS)
            self.config = move.config
            await visitor.move(move.field, move.value)
            if page == "":
                await visitor.until_shown(caption(self.config))
                if self.moves % _TO_THE_END:
                    return
        elif page == "rank":
            await visitor.choose("rank_cell", draw.randrange(1000))
        elif page == "inspect":
            await visitor.choose("picked", draw.randrange(1000))
        else:
            await visitor.open(page, [f"model~{model.name}" for model in draw.sample(published_models(), 3)])
        await visitor.until_idle()


def until(seconds: float) -> Callable[[int], bool]:
    """Return a function that says whether some seconds, counted from now, are not over."""
    end = time.perf_counter() + seconds
    return lambda moves: time.perf_counter() < end


def below(most: int) -> Callable[[int], bool]:
    """Return a function that says whether there were fewer moves."""
    return lambda moves: moves < most


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
    yield from _rows(lambda _: until(warm_up), lambda _: until(quarter))


def long_soak_rows(warm_up: int = 300, quarter: int = 750) -> Iterator[Row]:
    """Compare the server's memory after each of four quarters with that after the warm-up; both in moves."""
    yield from _rows(lambda moves: below(moves + warm_up), lambda moves: below(moves + quarter))


Limit = Callable[[int], Callable[[int], bool]]
"""From the number of moves so far to a function that says, of a number of moves, whether more follow."""


def _rows(warm_up: Limit, quarter: Limit) -> Iterator[Row]:
    with watched() as (server, builds), asyncio.Runner() as runner, opened(runner, server.address) as visitor:
        wanderer = Wanderer(visitor)
        runner.run(wanderer.wander(warm_up(0)))
        start, first = server.resident_bytes, wanderer.moves
        yield Row(f"server's memory after a warm-up of {first:,} moves over all pages", start, unit="bytes")
        for _ in range(4):
            runner.run(wanderer.wander(quarter(wanderer.moves)))
            what = f"server's memory after {wanderer.moves - first:,} moves | after the warm-up"
            yield Row(what, server.resident_bytes, start, most_ratio=1.1, unit="bytes")
        built = builds()
    for problem in visitor.problems:
        print(f"  {problem}", file=sys.stderr)
    yield Row("errors", len(visitor.problems), most=0, unit="number")
    yield Row("PyTorch models begun | finished", built.begun, built.finished, unit="number")

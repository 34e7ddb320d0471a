"""An hour of slider moves made in minutes: whether a server's memory stays flat."""

import asyncio
import random
from collections.abc import Callable, Iterator

from slimlm.core.config import ModelConfig
from tests.bench.kit import Row
from tests.server import Server
from tests.visitor import Visitor, caption, next_move
from tests.watched import watched

_WARM_UP = 200
_MOST_PARAMS = 20_000_000
_TO_THE_END = 20
"""One move in so many is left to run to its end, real model included; the others end with their chart."""


async def wander(visitor: Visitor, config: ModelConfig, moves: int, draw: random.Random) -> ModelConfig:
    """Make moves one after the other, each once the chart of the one before is there."""
    for number in range(moves):
        move = next_move(config, draw, _MOST_PARAMS)
        config = move.config
        await visitor.move(move.field, move.value)
        await visitor.until_shown(caption(config))
        if number % _TO_THE_END == 0:
            await visitor.until_idle()
    await visitor.until_idle()
    return config


async def soak(server: Server, moves: int, note: Callable[[str], None]) -> list[str]:
    """Make moves in four quarters in one session, and tell when each is over; return what went wrong."""
    draw = random.Random(0)
    async with Visitor(server.address) as visitor:
        await visitor.until_idle()
        config = await wander(visitor, ModelConfig(), _WARM_UP, draw)
        note("after the warm-up")
        for quarter in range(1, 5):
            config = await wander(visitor, config, moves // 4, draw)
            note(f"after {moves * quarter // 4:,} moves")
    return visitor.problems


def soak_rows(moves: int = 3000) -> Iterator[Row]:
    """Compare the server's memory with that after the warm-up."""
    memory: dict[str, int] = {}
    with watched() as (server, builds):
        problems = asyncio.run(soak(server, moves, lambda when: memory.update({when: server.resident_bytes})))
        built = builds()
    start = memory["after the warm-up"]
    for when, resident in memory.items():
        yield Row(f"server's memory {when} | after the warm-up", resident, start, most_ratio=1.1, unit="bytes")
    yield Row("errors", len(problems), most=0, unit="number")
    yield Row("real models begun | finished", built.begun, built.finished, unit="number")

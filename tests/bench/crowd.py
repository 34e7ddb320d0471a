"""Load test: one server, 25 sessions that move sliders for 25 s, and how long each waits for its chart.

Before it, one session moves sliders for 8 s on the same server.
"""

import asyncio
import math
import random
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from slimlm.core.config import ModelConfig
from tests.bench.kit import Row
from tests.server import Server
from tests.visitor import Visitor, caption, next_move
from tests.watched import watched

_LOOK_SECONDS, _BURST, _BETWEEN_PRESSES = (0.5, 1.5), 4, 0.08

_KEPT_SECONDS = 5
"""How long the server keeps the session of a closed page, instead of two minutes; it is dropped when somebody opens a
page after that."""


@dataclass
class Outcome:
    """What became of some sessions."""

    waits: list[float] = field(default_factory=list)
    """Seconds from the press that a session then waited for to its chart."""
    requests: int = 0
    right: int = 0
    """Sessions whose last chart, once the page is at rest, is that of their last request."""
    problems: list[str] = field(default_factory=list)


async def roam(visitor: Visitor, seconds: float, draw: random.Random, outcome: Outcome) -> None:
    """Move sliders as somebody does who looks at each chart for about a second; one move in five is a quick series."""
    config = ModelConfig()
    await visitor.until_shown(caption(config))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end and not visitor.problems:
        for press in range(_BURST if draw.random() < 0.2 else 1):
            await asyncio.sleep(_BETWEEN_PRESSES if press else draw.uniform(*_LOOK_SECONDS))
            move = next_move(config, draw)
            config = move.config
            await visitor.move(move.field, move.value)
            outcome.requests += 1
        if math.isinf(waited := await visitor.until_shown(caption(config))):
            visitor.problems.append("a chart never came")
        else:
            outcome.waits.append(waited)
    await visitor.until_idle()
    outcome.right += visitor.caption.startswith(caption(config))
    outcome.problems += visitor.problems


async def session(address: str, seconds: float, seed: int, outcome: Outcome) -> None:
    """Open the page, move sliders, and close it."""
    async with Visitor(address) as visitor:
        await roam(visitor, seconds, random.Random(seed), outcome)


async def gather(address: str, sessions: int, seconds: float) -> Outcome:
    """Let sessions move sliders at the same time."""
    outcome = Outcome()
    async with asyncio.TaskGroup() as group:
        for seed in range(sessions):
            group.create_task(session(address, seconds, seed, outcome))
    return outcome


async def highest_memory(server: Server, over: "asyncio.Task[Outcome]") -> int:
    """Return the largest resident memory of a server until a task is over."""
    highest = 0
    while not over.done():
        highest = max(highest, server.resident_bytes)
        await asyncio.sleep(0.1)
    return highest


async def watch(server: Server, sessions: int, seconds: float) -> tuple[Outcome, int]:
    """Let sessions move sliders; return what became of them and the server's highest memory."""
    crowd = asyncio.create_task(gather(server.address, sessions, seconds))
    highest = await highest_memory(server, crowd)
    return await crowd, highest


def percentile(times: list[float], share: float) -> float:
    """Return the time within which a share of them lies."""
    return sorted(times)[min(int(share * len(times)), len(times) - 1)]


def crowd_rows(sessions: int = 25, seconds: float = 25.0, alone: float = 8.0) -> Iterator[Row]:
    """Compare many sessions with one on the same server; peers are the single session's figures."""
    with watched({"STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL": str(_KEPT_SECONDS)}) as (server, builds):
        single = asyncio.run(gather(server.address, 1, alone))
        before = server.resident_bytes
        many, highest = asyncio.run(watch(server, sessions, seconds))
        yield from outcome_rows(sessions, many, single)
        yield Row("server's memory: highest | before", highest, before, unit="bytes")
        time.sleep(_KEPT_SECONDS + 1)
        asyncio.run(gather(server.address, 1, 1.0))
        yield Row("server's memory: all sessions replaced by one | before", server.resident_bytes, before, unit="bytes")
        built = builds()
    yield Row("PyTorch models begun | finished", built.begun, built.finished, unit="number")
    yield Row("PyTorch models at once", built.most_at_once, most=1, unit="number")


def outcome_rows(sessions: int, many: Outcome, single: Outcome) -> Iterator[Row]:
    """Compare what became of many sessions with what became of one."""
    yield Row("sessions that moved sliders at once | one session", sessions, 1, unit="number")
    yield Row("requests sent", many.requests, single.requests, unit="number")
    for problem in many.problems:
        print(f"  {problem}", file=sys.stderr)
    yield Row("errors", len(many.problems), len(single.problems), most=0, unit="number")
    yield Row("sessions that ended without their own chart", sessions - many.right, 1 - single.right, 0, unit="number")
    if (ours := many.waits) and (peer := single.waits):
        yield Row("move → chart: median", statistics.median(ours), statistics.median(peer))
        yield Row("move → chart: p95", percentile(ours, 0.95), percentile(peer, 0.95))
        yield Row("move → chart: slowest", max(ours), max(peer))

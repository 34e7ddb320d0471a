"""Load test: one server, 25 sessions that move sliders, and how long each waits for its chart.

Before it, one session moves sliders for 8 s on the same server. The whole run lasts 25 s; by name only, `crowd-long`
lasts 10 minutes, `crowd-runs` starts 20 crowds one after the other, and in `crowd-shared` a study is trained and large
models are probed meanwhile.
"""

import asyncio
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from slimlm.core.config import ModelConfig
from tests.bench.kit import Row
from tests.server import Server
from tests.visitor import Visitor, caption, next_move
from tests.watched import Builds, watched

_LOOK_SECONDS, _BURST, _BETWEEN_PRESSES = (0.5, 1.5), 4, 0.08
_P95_SECONDS, _SLOWEST_SECONDS = 0.4, 2.0
_SESSIONS, _ALONE_SECONDS = 25, 8.0

_KEPT_SECONDS = 5
"""How long the server keeps the session of a closed page, instead of two minutes; it is dropped when somebody opens a
page after that."""

_SHORT_LIVED = {"STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL": str(_KEPT_SECONDS)}


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


async def highest_memory(server: Server, over: "asyncio.Task[Any]") -> int:
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


def crowd_rows(seconds: float = 25.0) -> Iterator[Row]:
    """Compare many sessions with one on the same server; peers are the single session's figures."""
    with watched(_SHORT_LIVED) as (server, builds):
        single = asyncio.run(gather(server.address, 1, _ALONE_SECONDS))
        before = server.resident_bytes
        many, highest = asyncio.run(watch(server, _SESSIONS, seconds))
        yield from outcome_rows(_SESSIONS, many, single)
        yield Row("server's memory: highest | before", highest, before, unit="bytes")
        time.sleep(_KEPT_SECONDS + 1)
        asyncio.run(gather(server.address, 1, 1.0))
        yield _memory_row("all sessions replaced by one", server, before)
        yield from build_rows(builds())


def long_crowd_rows(seconds: float = 600.0, rest: float = 120.0) -> Iterator[Row]:
    """Let many sessions move sliders for ten minutes; measure memory two minutes after the last one, without others."""
    with watched() as (server, builds):
        single = asyncio.run(gather(server.address, 1, _ALONE_SECONDS))
        before = server.resident_bytes
        many, highest = asyncio.run(watch(server, _SESSIONS, seconds))
        yield from outcome_rows(_SESSIONS, many, single)
        yield Row("server's memory: highest | before", highest, before, unit="bytes")
        time.sleep(rest)
        yield _memory_row(f"{rest:.0f} s after the last session", server, before)
        yield from build_rows(builds())


def repeated_crowd_rows(times: int = 20, seconds: float = 20.0) -> Iterator[Row]:
    """Start crowd after crowd on one server, and count sessions that end with an error or without their own chart."""
    with watched(_SHORT_LIVED) as (server, builds):
        asyncio.run(gather(server.address, 1, _ALONE_SECONDS))
        before, problems, wrong, waits = server.resident_bytes, list[str](), 0, list[float]()
        for number in range(times):
            many = asyncio.run(gather(server.address, _SESSIONS, seconds))
            problems, wrong, waits = problems + many.problems, wrong + _SESSIONS - many.right, waits + many.waits
            print(f"  crowd {number + 1}: {len(many.problems)} errors", file=sys.stderr)
        for problem in problems:
            print(f"  {problem}", file=sys.stderr)
        yield Row(f"errors of {times * _SESSIONS} sessions in {times} crowds", len(problems), most=0, unit="number")
        yield Row("sessions that ended without their own chart", wrong, most=0, unit="number")
        yield from _wait_rows(waits)
        yield _memory_row("after all crowds", server, before)
        yield from build_rows(builds())


def outcome_rows(sessions: int, many: Outcome, single: Outcome) -> Iterator[Row]:
    """Compare what became of many sessions with what became of one."""
    yield Row("sessions that moved sliders at once | one session", sessions, 1, unit="number")
    yield Row("requests sent", many.requests, single.requests, unit="number")
    for problem in many.problems:
        print(f"  {problem}", file=sys.stderr)
    yield Row("errors", len(many.problems), len(single.problems), most=0, unit="number")
    yield Row("sessions that ended without their own chart", sessions - many.right, 1 - single.right, 0, unit="number")
    yield from _wait_rows(many.waits, single.waits)


def _wait_rows(waits: list[float], alone: list[float] | None = None) -> Iterator[Row]:
    """Compare how long charts took with how long they took a single session."""
    figures: dict[str, tuple[Callable[[list[float]], float], float | None]] = {
        "median": (statistics.median, None),
        "p95": (lambda times: percentile(times, 0.95), _P95_SECONDS),
        "slowest": (max, _SLOWEST_SECONDS),
    }
    for name, (figure, most) in figures.items():
        if waits:
            yield Row(f"move → chart: {name}", figure(waits), figure(alone) if alone else None, most)


def _memory_row(when: str, server: Server, before: int) -> Row:
    return Row(f"server's memory: {when} | before", server.resident_bytes, before, most_ratio=1.15, unit="bytes")


def build_rows(built: Builds) -> Iterator[Row]:
    """Say how many PyTorch models were built, and that they were built one by one."""
    yield Row("PyTorch models begun | finished", built.begun, built.finished, unit="number")
    yield Row("PyTorch models at once", built.most_at_once, most=1, unit="number")

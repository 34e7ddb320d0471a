"""Charts of 25 sessions while a study is trained and large PyTorch models are probed on the same machine."""

import asyncio
import os
import random
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from slimlm.study.study import read_outcomes
from slimlm.ui.rank_library import STUDIES
from slimlm.ui.rank_processes import Progress, StudyProcesses
from tests.bench.crowd import Outcome, build_rows, gather, highest_memory, outcome_rows
from tests.bench.kit import Row
from tests.visitor import Visitor
from tests.watched import watched

_PROBED_MILLIONS = (800, 1200)
"""Least and largest total of the models that are probed: each takes seconds, so that a button starts it."""

_PLACE = re.compile(r"waiting for ([\d,]+) other models? to be built")
_NAME = "trained-meanwhile"


@dataclass
class Probing:
    """What the sessions that probe large models have met."""

    finished: int = 0
    places: list[list[int]] = field(default_factory=list)
    """Of each probe, the places in the queue that its session was told, one after the other."""
    problems: list[str] = field(default_factory=list)

    @property
    def grown(self) -> int:
        """Probes that were told a later place than before."""
        return sum(places != sorted(places, reverse=True) for places in self.places)


async def _probe(address: str, end: float, seed: int, found: Probing) -> None:
    """Probe large models one after the other, each from a page of its own."""
    draw = random.Random(seed)
    while time.perf_counter() < end and not found.problems:
        total = f"{draw.uniform(*_PROBED_MILLIONS):.3f}M"  # never built before
        async with Visitor(address, f"total_params={total}") as visitor:
            await visitor.until_idle()
            await visitor.press("Build and check")
            await visitor.until_idle()
            places = [int(match[1]) for text in visitor.messages if (match := _PLACE.search(text))]
            found.places.append(places)
            found.problems += visitor.problems
            found.finished += 1


async def _all_at_once(address: str, sessions: int, seconds: float) -> tuple[Outcome, Probing]:
    found, end = Probing(), time.perf_counter() + seconds
    probes = [asyncio.create_task(_probe(address, end, seed, found)) for seed in range(2)]
    many = await gather(address, sessions, seconds)
    await asyncio.gather(*probes)
    return many, found


@contextmanager
def _studies() -> Iterator[Path]:
    """Let servers and processes look for studies in a folder of its own."""
    with TemporaryDirectory() as folder:
        before = os.environ.get(STUDIES)
        os.environ[STUDIES] = folder
        try:
            yield Path(folder)
        finally:
            os.environ.pop(STUDIES)
            if before is not None:
                os.environ[STUDIES] = before


def shared_rows(sessions: int = 25, seconds: float = 90.0) -> Iterator[Row]:
    """Compare charts meanwhile with those of a single session on an idle machine."""
    with _studies() as folder, watched() as (server, builds):
        single = asyncio.run(gather(server.address, 1, 8.0))
        studies = StudyProcesses()
        studies.start(_NAME, ["--quick", "--seeds=60"])

        async def crowd() -> tuple[Outcome, Probing, int]:
            work = asyncio.create_task(_all_at_once(server.address, sessions, seconds))
            highest = await highest_memory(server, work)
            return *await work, highest

        try:
            many, probing, highest = asyncio.run(crowd())
        finally:
            progress = _ended(studies)
        yield from outcome_rows(sessions, many, single)
        for problem in (*probing.problems, progress.error):
            print(f"  {problem}" if problem else "", file=sys.stderr)
        yield Row("runs that the study has finished meanwhile", len(read_outcomes(folder / _NAME)[0]), unit="number")
        yield Row("the study was at work to the end: 0 is yes", not progress.alive, most=0, unit="number")
        yield Row("large models probed meanwhile", probing.finished, unit="number")
        yield Row("errors of those who probed", len(probing.problems), most=0, unit="number")
        yield Row("probes told a later place in the queue than before", probing.grown, most=0, unit="number")
        yield Row("server's memory: highest", highest, unit="bytes")
        yield from build_rows(builds())


def _ended(studies: StudyProcesses) -> Progress:
    """Return how far the study is, and end it."""
    found = studies.progress(_NAME)
    studies.cancel(_NAME)
    while studies.progress(_NAME).alive:
        time.sleep(0.5)
    return found

"""Probes of 100B to 405B parameters, streamed within 4 GB: memory, time, the time left they tell, and silences.

Each runs in a process of its own, in sections that run by name only, and shows its progress on stderr.
"""

import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any, NamedTuple

from slimlm.core.architecture import Architecture
from slimlm.core.published import published_model
from tests.bench.kit import Row
from tests.server import ROOT

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


PROBE = """
import json, sys, time
import psutil
from slimlm.cli.progress import shown_progress
from slimlm.core.architecture import Architecture
from slimlm.probing.estimate import estimate_probe
from slimlm.probing.probe import probe
from tests.bench.memory import peak_bytes

architecture, options = Architecture(**json.loads(sys.argv[1])), json.loads(sys.argv[2])
told, show = [], shown_progress()
before, started = psutil.Process().memory_info().rss, time.perf_counter()
estimate = estimate_probe(architecture, **options)

def progress(fraction, message):
    told.append((time.perf_counter() - started, fraction, message))
    show(fraction, message)

report = probe(architecture, progress=progress, **options)
print(json.dumps({"told": told, "seconds": time.perf_counter() - started, "peak": peak_bytes() - before,
                  "estimate": estimate.memory_bytes, "params": report.total_params, "way": report.strategy,
                  "forward": report.forward_seconds, "leak": report.causal_leak, "load": report.other_load,
                  "failed": [check for check, holds in report.checks.items() if not holds]}))
"""

LIMIT = 4_000_000_000
"""Bytes that a probe may take."""

HUNDRED = Architecture(
    vocab_size=32_000,
    max_seq_length=2048,
    d_model=8256,
    d_ff=24_534,
    n_layers=113,
    n_heads=86,
    norm="rmsnorm",
    positions="rope",
    tied_lm_head=False,
)


def probed(architecture: Architecture, **options: Any) -> dict[str, Any]:
    """Return what a probe in a fresh process told and took."""
    command = [sys.executable, "-c", PROBE, json.dumps(asdict(architecture)), json.dumps(options)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE).stdout)
    return found


def beyond_rows(name: str, architecture: Architecture) -> Iterator[Row]:
    """Probe a model in bfloat16 within 4 GB, and judge what it took and told."""
    found = probed(architecture, dtype="bfloat16", max_memory=LIMIT)
    told = [Told(*report) for report in found["told"]]
    what = f"{name}, {found['way']}"
    yield Row(
        f"{what}: checks failed{''.join(f', {check}' for check in found['failed'])}",
        len(found["failed"]),
        most=0,
        unit="number",
    )
    yield Row(f"{what}: change of earlier logits", found["leak"], unit="number")
    yield Row(f"{what}: peak | estimate", found["peak"], found["estimate"], LIMIT, unit="bytes")
    yield Row(f"{what}: worst error of the time left", worst_error(told), most=0.3, unit="number")
    block = found["seconds"] / architecture.layers_run
    yield Row(f"{what}: longest silence | a block", longest_silence(told), block, most_ratio=1.0)
    yield Row(f"{what}: minutes", found["seconds"] / 60, unit="number")
    yield Row(f"{what}: minutes per 100B", found["seconds"] / 60 * 1e11 / found["params"], unit="number")
    yield Row(f"{what}: pass of a batch", found["forward"])
    yield Row(f"{what}: load of others", found["load"], unit="number")


def hundred_billion_rows() -> Iterator[Row]:
    """A dense design of 113 × 8,256."""
    yield from beyond_rows("100B dense", HUNDRED)


def published_rows(name: str) -> Iterator[Row]:
    """A published model."""
    yield from beyond_rows(name, published_model(name).architecture)

"""The most memory that a probe takes, each in a process of its own: whole, and larger than what it may have.

The whole run probes 1B models, each once; `memory-7b` runs by name only.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.kit import Row
from tests.server import ROOT

PROBE = """
import json, sys
import psutil
from slimlm import ModelConfig, solve
from slimlm.probing.estimate import estimate_probe
from slimlm.probing.probe import probe
from tests.bench.memory import peak_bytes

options = json.loads(sys.argv[1])
request = ModelConfig(vocab_size=32_000, n_heads="auto", norm="rmsnorm", positions="rope", **options.pop("request"))
design = solve(request)
estimate = estimate_probe(design.architecture, **options)
before = psutil.Process().memory_info().rss
report = probe(design, **options)
assert report.passed
peak = peak_bytes() - before
after = psutil.Process().memory_info().rss - before
size = {"float32": 4, "bfloat16": 2}[report.dtype]
print(json.dumps({"way": report.strategy, "peak": peak, "after": after, "estimate": estimate.memory_bytes,
                  "weights": size * design.total_params}))
"""


def peak_bytes() -> int:
    """Return the highest resident memory of this process on Linux; getrusage counts its parent's as well."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def probed(request: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Return what a probe took in a fresh process."""
    command = [sys.executable, "-c", PROBE, json.dumps({"request": request, **options})]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, cwd=ROOT, capture_output=True).stdout)
    return found


BILLION = {"total_params": 1_000_000_000, "embedding_ratio": 0.1}
SEVEN_BILLION = {"total_params": 7_000_000_000, "embedding_ratio": 0.04}


def memory_rows() -> Iterator[Row]:
    """Measure 1B models, whole and within a quarter of their weights."""
    yield from probe_rows("1B float32", BILLION)
    yield from probe_rows("1B bfloat16", BILLION, dtype="bfloat16")
    yield from probe_rows("1B float32 within 1 GB", BILLION, max_memory=1_000_000_000)


def large_memory_rows() -> Iterator[Row]:
    """Measure 7B models within less memory than their weights take."""
    yield from probe_rows("7B float32 within 8 GB", SEVEN_BILLION, max_memory=8_000_000_000)
    yield from probe_rows("7B float32 within 1 GB", SEVEN_BILLION, max_memory=1_000_000_000)


def probe_rows(name: str, request: dict[str, Any], **options: Any) -> Iterator[Row]:
    """Measure peak resident memory beside the weights and the estimate, and what is left afterwards."""
    found = probed(request, **options)
    ratio = 1.15 if found["way"] == "whole" else None
    what = f"probe {name}, {found['way']}"
    yield Row(f"{what}: peak | weights", found["peak"], found["weights"], options.get("max_memory"), ratio, "bytes")
    yield Row(f"{what}: peak | estimate", found["peak"], found["estimate"], unit="bytes")
    yield Row(f"{what}: held afterwards", max(found["after"], 0), unit="bytes")

"""The most memory that a probe takes, each in a process of its own: whole, and larger than what it may have."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from tests.bench.kit import Row
from tests.server import ROOT

PROBE = """
import json, resource, sys
import psutil
from slimlm import ModelConfig, solve
from slimlm.probing.estimate import estimate_probe
from slimlm.probing.probe import probe

options = json.loads(sys.argv[1])
request = ModelConfig(vocab_size=32_000, n_heads="auto", norm="rmsnorm", positions="rope", **options.pop("request"))
design = solve(request)
estimate = estimate_probe(design.architecture, **options)
before = psutil.Process().memory_info().rss
report = probe(design, **options)
assert report.passed
peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
after = psutil.Process().memory_info().rss - before
size = {"float32": 4, "bfloat16": 2}[report.dtype]
print(json.dumps({"way": report.strategy, "peak": peak, "after": after, "estimate": estimate.memory_bytes,
                  "weights": size * design.total_params}))
"""


def probed(request: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Return what a probe took in a fresh process."""
    command = [sys.executable, "-c", PROBE, json.dumps({"request": request, **options})]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, cwd=ROOT, capture_output=True).stdout)
    return found


def memory_rows() -> Iterator[Row]:
    """Measure peak resident memory beside the weights, the estimate, and what is left afterwards."""
    billion = {"total_params": 1_000_000_000, "embedding_ratio": 0.1}
    seven = {"total_params": 7_000_000_000, "embedding_ratio": 0.04}
    for name, request, options, most in (
        ("1B float32", billion, {}, None),
        ("1B bfloat16", billion, {"dtype": "bfloat16"}, None),
        ("7B float32 within 8 GB", seven, {"max_memory": 8_000_000_000}, 8e9),
        ("7B float32 within 1 GB", seven, {"max_memory": 1_000_000_000}, 1e9),
    ):
        found = probed(request, **options)
        ratio = 1.15 if found["way"] == "whole" else None
        what = f"probe {name}, {found['way']}"
        yield Row(f"{what}: peak | weights", found["peak"], found["weights"], most, ratio, "bytes")
        yield Row(f"{what}: peak | estimate", found["peak"], found["estimate"], unit="bytes")
        yield Row(f"{what}: held afterwards", found["after"], unit="bytes")

"""Memory of workers on the CPU: what a run may come to hold, and whether there is room for one more beside others."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from slimlm.runs.plan import plan_run
from slimlm.study.spec import RunSpec
from slimlm.utils.reserved_memory import resident_bytes, still_to_take, usable_bytes

_FRAMEWORK = 400_000_000
_PER_PLANNED = 2.5
"""A worker's peak is that of PyTorch and some 2.5 times the plan: evaluation, temporary values and the allocator.

Measured on Linux with one thread: 341, 511, 605, 2,215 and 3,486 MB for models of 20k, 300k, 1M, 10M and 30M, whose
plans are of 1, 41, 85, 716 and 1,622 MB.
"""
_SHARE = 0.9
_MEMINFO = Path("/proc/meminfo")
_ANY = 10**15


def worker_bytes(spec: RunSpec) -> int:
    """Return what a worker may come to hold while it trains a run."""
    planned = 0
    with suppress(ValueError):  # a run that cannot be says so itself
        planned = plan_run(spec.architecture, spec.recipe, train_tokens=_ANY).memory_bytes
    return _FRAMEWORK + int(_PER_PLANNED * planned)


def free_bytes() -> int | None:
    """Return the memory that is free on this machine, in its container, and not reserved; None where it is unknown."""
    try:
        rows = dict(line.split(":") for line in _MEMINFO.read_text().splitlines())
        free = 1024 * int(rows["MemAvailable"].split()[0])
    except (OSError, ValueError, KeyError, IndexError):
        return None
    return usable_bytes(free)


def has_room(spec: RunSpec, wanted: Mapping[int, int], idle: int | None = None) -> bool:
    """Whether a run fits beside workers that may come to hold `wanted` bytes by number, with a tenth left over.

    `idle` is the worker that would train it, if there is one.
    """
    if (free := free_bytes()) is None:
        return True
    own = max(0, worker_bytes(spec) - (resident_bytes(idle) if idle else 0))
    return own + still_to_take(wanted) <= _SHARE * free

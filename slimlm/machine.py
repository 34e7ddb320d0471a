"""What this machine has: its device, its free memory, its speed; and the memory that a piece of work takes."""

import ctypes
import gc
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, Self

import psutil
import torch
from torch import nn

from slimlm.architecture import Architecture
from slimlm.drawing import CHUNK, Weights
from slimlm.model import LanguageModel

Precision = Literal["float32", "bfloat16"]
"""The types of weights that a probe knows."""

Way = Literal["whole", "block by block", "slice by slice"]
"""How many of the weights are in memory at once: all, one block's, or one slice of a matrix."""

PRECISIONS: dict[str, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}
PRECISION_BYTES = {"float32": 4, "bfloat16": 2}

_CGROUP = Path("/sys/fs/cgroup")


def pick_device(name: str | None = None) -> torch.device:
    """Return the device of this name; without one the accelerator (CUDA, MPS) where there is one, else the CPU.

    Raises ValueError for a device that torch does not know or this machine does not have.
    """
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if name is None:
        return accelerator or torch.device("cpu")
    present = sorted({"cpu", accelerator.type if accelerator else "cpu"})
    with suppress(RuntimeError):
        device = torch.device(name)
        if device.type in present:
            return device
    raise ValueError(f"device={name!r} is not on this machine; it has {' and '.join(present)}")


def device_name(device: torch.device) -> str:
    """Return what people call the device: "cpu", "mps", "cuda (NVIDIA H100)"."""
    if device.type != "cuda":
        return device.type
    return f"cuda ({torch.cuda.get_device_name(device)})"


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was told, so that the clock tells the truth."""
    if device.type != "cpu":
        torch.accelerator.synchronize()


def free_memory(device: torch.device) -> int:
    """Return the bytes that are free on the device now: for the CPU within the limit of its container, too."""
    if device.type == "cuda":
        return torch.accelerator.get_memory_info(device)[0]
    free = psutil.virtual_memory().available  # MPS shares the memory of the CPU
    with suppress(OSError, ValueError):  # no such limit is the rule outside containers
        limit, used = (int((_CGROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        free = min(free, max(0, limit - used))
    return free


def give_back_memory() -> None:
    """Return freed memory to the system, where the C library can; without it a server keeps its largest model."""
    gc.collect(0)
    if torch.accelerator.is_available():
        torch.accelerator.empty_cache()
    if os.name == "posix" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


class PeakMemory:
    """The most memory that is held while it is entered, beyond what was held before: on the CPU resident memory."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def __enter__(self) -> Self:
        self._process = psutil.Process()
        self._before = self._highest = self._process.memory_info().rss
        if self._device.type == "cuda":
            torch.accelerator.reset_peak_memory_stats(self._device)
        self._stop = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()
        return self

    def _sample(self) -> None:
        while not self._stop.wait(0.002):
            self._highest = max(self._highest, self._process.memory_info().rss)

    def added_bytes(self) -> int:
        """Return the largest memory seen so far, beyond that at the start."""
        if self._device.type == "cuda":
            return torch.accelerator.max_memory_allocated(self._device)
        return max(self._highest, self._process.memory_info().rss) - self._before

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._sampler.join()


@dataclass(frozen=True)
class Speed:
    """Seconds to draw one weight, to do one operation of a matrix product, and of overhead per layer."""

    per_weight: float
    per_flop: float
    per_layer: float


@cache
def machine_speed(device: torch.device, precision: Precision) -> Speed:
    """Measure the speed of a device, once: in a tenth of a second."""
    dtype = PRECISIONS[precision]
    tokens, matrix = (torch.ones(rows, 1024, device=device, dtype=dtype) for rows in (128, 1024))
    tiny = Architecture(vocab_size=2, max_seq_length=1, n_heads=1, d_model=8, d_ff=8, n_layers=16)

    def draw() -> None:  # large enough for the C library to fetch fresh pages each time, as a model's weights do
        table = nn.ParameterDict({"weight": torch.empty(12, CHUNK, device=device, dtype=dtype)})
        Weights(table, 0).draw(dict(table.named_parameters()))
        synchronize(device)

    def multiply() -> None:
        _ = tokens @ matrix
        synchronize(device)

    def build_and_run() -> None:
        model = LanguageModel(tiny, device=device, dtype=dtype, initialise=False).eval()
        for _ in range(2):
            model(torch.zeros(1, 1, dtype=torch.long, device=device))
        synchronize(device)

    with torch.inference_mode():
        return Speed(
            per_weight=_best_of_two(draw) / (12 * CHUNK),
            per_flop=_best_of_two(multiply) / (2 * tokens.shape[0] * matrix.numel()),
            per_layer=_best_of_two(build_and_run) / tiny.n_layers,
        )


def _best_of_two(work: Callable[[], object]) -> float:
    times = []
    for _ in range(2):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)

"""Devices: choice, name, free memory, precisions, and measurement of peak memory and time."""

import ctypes
import gc
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal, Self

import torch

from slimlm.utils.reserved_memory import usable_bytes

Precision = Literal["float32", "bfloat16"]
"""Data types of the weights in a probe."""

Strategy = Literal["whole", "block by block", "slice by slice"]
"""Which weights are in memory at once: all, those of one block, or one slice of a matrix."""

PRECISIONS: dict[str, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}
PRECISION_BYTES = {"float32": 4, "bfloat16": 2}


def pick_device(name: str | None = None) -> torch.device:
    """Return the device of this name; by default the accelerator (CUDA, MPS) if there is one, else the CPU.

    Raises ValueError for a device that torch does not know or that this machine does not have.
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
    """Return a readable name of the device: "cpu", "mps", "cuda (NVIDIA H100)"."""
    if device.type != "cuda":
        return device.type
    return f"cuda ({torch.cuda.get_device_name(device)})"


def synchronize(device: torch.device) -> None:
    """Synchronise the device before reading the clock."""
    if device.type != "cpu":
        torch.accelerator.synchronize()


def free_memory(device: torch.device) -> int:
    """Return the bytes that are free on the device now.

    For the CPU they are within the memory limit of its container, without those that running studies will still take.
    """
    if device.type == "cuda":
        return torch.accelerator.get_memory_info(device)[0]
    return usable_bytes(_available_bytes())  # MPS shares the memory of the CPU


def _available_bytes() -> int:
    try:
        import psutil
    except ImportError:  # a machine that only trains need not have it
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return psutil.virtual_memory().available


def give_back_memory() -> None:
    """Return freed memory to the system where the C library can; else a server would keep that of its largest model."""
    gc.collect(0)
    if torch.accelerator.is_available():
        torch.accelerator.empty_cache()
    if os.name == "posix" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


class PeakMemory:
    """Context manager that measures peak memory beyond that at the start; on the CPU, resident memory."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def __enter__(self) -> Self:
        import psutil

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
        """Return the peak so far, beyond the memory at the start."""
        if self._device.type == "cuda":
            return torch.accelerator.max_memory_allocated(self._device)
        return max(self._highest, self._process.memory_info().rss) - self._before

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._sampler.join()


@dataclass
class Clock:
    """Accumulates the seconds of one kind of work on one device."""

    device: torch.device
    seconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add the time of the work inside."""
        synchronize(self.device)
        started = time.perf_counter()
        yield
        synchronize(self.device)
        self.seconds += time.perf_counter() - started

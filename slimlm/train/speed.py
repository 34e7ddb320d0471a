"""Speed of training: tokens per second, model FLOPs utilisation against a measured peak, and peak memory."""

import resource
import sys
import time
from functools import cache
from typing import Any

import torch

_SIZES = {"cpu": 512, "cuda": 8192}
_ROUNDS = {"cpu": 3, "cuda": 20}


@cache
def measured_peak(device: torch.device, precision: str) -> float:
    """Return the operations per second of a large square matrix product, measured once per process.

    The best of a few rounds: other work on the machine only makes rounds slower. Random numbers are not disturbed.
    """
    size, dtype = _SIZES.get(device.type, 2048), torch.bfloat16 if precision == "bfloat16" else torch.float32
    generator = torch.Generator("cpu").manual_seed(0)
    matrix = torch.randn(size, size, generator=generator).to(device, dtype)  # of zeros, a GPU would be faster
    best = float("inf")
    for _ in range(_ROUNDS.get(device.type, 5)):
        _synchronize(device)
        started = time.perf_counter()
        matrix @ matrix
        _synchronize(device)
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def _synchronize(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize()


class SpeedMeter:
    """Measures training between two readings; pauses are left out."""

    def __init__(self, device: torch.device, flops_per_token: int, precision: str) -> None:
        self._device, self._flops_per_token = device, flops_per_token
        self._peak = measured_peak(device, precision)
        self._tokens, self._seconds = 0, 0.0
        self._started = time.perf_counter()

    def add(self, tokens: int) -> None:
        """Count trained tokens."""
        self._tokens += tokens

    def pause(self) -> None:
        """Stop the clock."""
        self._seconds += time.perf_counter() - self._started

    def go_on(self) -> None:
        """Start the clock again."""
        self._started = time.perf_counter()

    def read(self) -> dict[str, Any]:
        """Return the speed since the last reading; the device must be synchronised."""
        now = time.perf_counter()
        seconds = self._seconds + now - self._started
        rate = self._tokens / seconds if seconds > 0 else 0.0
        self._tokens, self._seconds, self._started = 0, 0.0, now
        return {
            "seconds": seconds,
            "tokens_per_second": rate,
            "mfu": rate * self._flops_per_token / self._peak,
            "peak_memory_bytes": peak_memory(self._device),
        }


def peak_memory(device: torch.device) -> int:
    """Return the most bytes that were allocated on a CUDA device, or resident in this process, so far."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

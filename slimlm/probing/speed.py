"""Measured speed: of a device, from which the time of a probe is estimated, and of the forward passes of a model."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import psutil
import torch
from torch import nn

from slimlm.core.architecture import Architecture
from slimlm.model.device import PRECISIONS, Clock, Precision, synchronize
from slimlm.model.initialisation import CHUNK, Weights
from slimlm.model.language_model import LanguageModel

VALID_SECONDS = 300.0
"""Seconds after which a speed is measured again."""


@dataclass(frozen=True)
class Speed:
    """Seconds of each kind of work."""

    per_weight: float
    """To initialise a weight."""
    per_flop: float
    """To do an operation of a matrix product."""
    per_layer_build: float
    """To create the modules of a layer and to allocate their weights."""
    per_layer_run: float
    """Overhead of initialising a layer and of two forward passes through it."""


_measured: dict[tuple[torch.device, Precision], tuple[float, Speed]] = {}


def machine_speed(device: torch.device, precision: Precision) -> Speed:
    """Return the speed of a device, measured in a tenth of a second and valid for five minutes.

    The latest measurement replaces an earlier one, whether it is faster or slower: a busy moment must not decide for
    the life of a server, and a best value ever seen would promise too much on a machine that stays busy.
    """
    key, now = (device, precision), time.monotonic()
    if key not in _measured or now - _measured[key][0] >= VALID_SECONDS:
        _measured[key] = (now, measure_speed(device, precision))
    return _measured[key][1]


def measure_speed(device: torch.device, precision: Precision) -> Speed:
    """Measure the speed of a device now."""
    dtype = PRECISIONS[precision]
    tokens, matrix = (torch.ones(rows, 1024, device=device, dtype=dtype) for rows in (128, 1024))
    tiny = Architecture(vocab_size=2, max_seq_length=1, n_heads=1, d_model=8, d_ff=8, n_layers=16)
    model = LanguageModel(tiny, device=device, dtype=dtype, initialise=False).eval()
    ids = torch.zeros(1, 1, dtype=torch.long, device=device)

    def initialise() -> None:  # large enough for the C library to map fresh pages each time, as for a model's weights
        table = nn.ParameterDict({"weight": torch.empty(12, CHUNK, device=device, dtype=dtype)})
        Weights(table, 0).initialise(dict(table.named_parameters()))

    def initialise_and_run() -> None:
        model.reset_parameters(seed=0)
        for _ in range(2):
            model(ids)

    with torch.inference_mode():
        return Speed(
            per_weight=_time(initialise, device) / (12 * CHUNK),
            per_flop=_time(lambda: tokens @ matrix, device) / (2 * tokens.shape[0] * matrix.numel()),
            per_layer_build=_time(lambda: LanguageModel(tiny, device=device, dtype=dtype, initialise=False), device)
            / tiny.n_layers,
            per_layer_run=_time(initialise_and_run, device) / tiny.n_layers,
        )


TIMED_PASSES = 5
"""Least number of timed passes from which a median and its spread are taken."""

_LEAST_SECONDS, _MOST_PASSES = 0.1, 50


def time_passes(work: Callable[[], object], device: torch.device, on_pass: Callable[[int], object]) -> list[float]:
    """Return the seconds of each of at least five runs of a warm model, and of more where they are short.

    `on_pass` is called after each run with their number; exceptions that it raises cancel the rest.
    """
    times: list[float] = []
    while len(times) < TIMED_PASSES or (sum(times) < _LEAST_SECONDS and len(times) < _MOST_PASSES):
        clock = Clock(device)
        with clock.running():
            work()
        times.append(clock.seconds)
        on_pass(len(times))
    return times


class OtherLoad:
    """Context manager that measures which share of the machine's CPU time other processes take."""

    def __enter__(self) -> Self:
        self._started = self._now()
        return self

    def share(self) -> float:
        """Return the share since the start, from 0 to 1."""
        seconds, others = (now - before for now, before in zip(self._now(), self._started, strict=True))
        return min(1.0, max(0.0, others / max(seconds, 1e-9) / (psutil.cpu_count() or 1)))

    @staticmethod
    def _now() -> tuple[float, float]:
        """Return the clock, and the CPU seconds that other processes have taken so far."""
        machine, own = psutil.cpu_times(), psutil.Process().cpu_times()
        return time.perf_counter(), machine.user + machine.system - own.user - own.system

    def __exit__(self, *exception: object) -> None:
        pass


def _time(work: Callable[[], object], device: torch.device) -> float:
    """Return the seconds of the faster of two runs."""
    times = []
    for _ in range(2):
        synchronize(device)
        started = time.perf_counter()
        work()
        synchronize(device)
        times.append(time.perf_counter() - started)
    return min(times)

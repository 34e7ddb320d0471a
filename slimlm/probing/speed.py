"""Measured speed of a device, from which times of a probe are estimated."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from slimlm.core.architecture import Architecture
from slimlm.model.device import PRECISIONS, Precision, synchronize
from slimlm.model.initialisation import CHUNK, Weights
from slimlm.model.language_model import LanguageModel


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

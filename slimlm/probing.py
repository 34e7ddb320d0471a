"""Build the real model of a design, count it, and run a tiny forward pass through it."""

import ctypes
import gc
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import psutil
import torch
from torch import Tensor

from slimlm.accounting import account
from slimlm.architecture import Architecture
from slimlm.design import Design
from slimlm.model import LanguageModel
from slimlm.table import count_components
from slimlm.units import format_bytes

Progress = Callable[[float, str], object]
"""Called with the share of the work that is done and what is being done; what it raises ends the probe."""

BATCH = 2
MAX_TOKENS = 64
_BYTES = 4  # float32
_LEAK = 1e-5


@dataclass(frozen=True)
class ProbeEstimate:
    """What a probe will take on this machine, before it starts."""

    memory_bytes: int
    """Peak memory beyond what the process holds already."""
    free_bytes: int
    """Memory that is free now."""
    seconds: float
    """Time to build the model and run it."""

    @property
    def fits(self) -> bool:
        """Whether the model fits, with a tenth of the free memory to spare."""
        return self.memory_bytes <= 0.9 * self.free_bytes

    @property
    def is_light(self) -> bool:
        """Whether nobody needs to be asked first: about two seconds, and well within the free memory."""
        return self.seconds <= 2.0 and self.memory_bytes <= 0.4 * self.free_bytes


@dataclass(frozen=True)
class ProbeReport:
    """What the real model says about itself. Times in seconds, memory in bytes, losses in nats."""

    counted: dict[str, int]
    """Parameters counted on the module, by component key."""
    accounted: dict[str, int]
    """Parameters in the account, by component key."""
    batch: int
    tokens: int
    logits_shape: tuple[int, ...]
    expected_shape: tuple[int, ...]
    finite: bool
    """Whether every logit is finite."""
    loss: float | None
    """Loss on random tokens, shifted by one; None when the model takes one token only and has no next one to score."""
    uniform_loss: float
    """ln(vocab_size): the loss of a model that knows nothing."""
    causal_leak: float
    """Largest change of an earlier logit when later tokens change."""
    later_change: float
    """Largest change of the later logits themselves: shows that the causality check can see a change."""
    build_seconds: float
    forward_seconds: float
    peak_bytes: int
    """Largest resident memory while probing, beyond what the process held before."""
    dtype: str
    device: str

    @property
    def total_params(self) -> int:
        """Parameters counted on the module."""
        return sum(self.counted.values())

    @property
    def tokens_per_second(self) -> float:
        """Tokens through the forward pass per second."""
        return self.batch * self.tokens / self.forward_seconds

    @property
    def checks(self) -> dict[str, bool]:
        """Every check by what it says when it holds."""
        return {
            "every component counts what the account says": self.counted == self.accounted,
            "logits have the expected shape": self.logits_shape == self.expected_shape,
            "all logits are finite": self.finite,
            "later tokens leave earlier logits untouched": self.causal_leak <= _LEAK
            and (self.later_change > _LEAK or self.tokens == 1),
        }

    @property
    def passed(self) -> bool:
        """Whether every check holds."""
        return all(self.checks.values())


def probe(design: Design | Architecture, *, progress: Progress | None = None, seed: int = 0) -> ProbeReport:
    """Build the real model on the CPU in float32, count it, and run random tokens through it twice.

    The second pass, in which the second half of the tokens is replaced, is the one that is timed.

    Raises MemoryError, before anything is built, when the model does not fit in the free memory.
    """
    architecture = design.architecture if isinstance(design, Design) else design
    estimate = estimate_probe(architecture)
    if not estimate.fits:
        raise MemoryError(
            f"building this model takes about {format_bytes(estimate.memory_bytes)}, and "
            f"{format_bytes(estimate.free_bytes)} of memory are free; a smaller total_params or vocab_size would fit"
        )
    _give_back_memory()
    try:
        with torch.random.fork_rng(devices=[]), torch.inference_mode(), _PeakMemory() as peak:
            torch.manual_seed(seed)
            return _run(architecture, progress or (lambda fraction, message: None), peak)
    finally:
        _give_back_memory()


def _run(architecture: Architecture, progress: Progress, peak: "_PeakMemory") -> ProbeReport:
    vocab_size, tokens = architecture.vocab_size, min(MAX_TOKENS, architecture.max_seq_length)
    started = time.perf_counter()
    model = _build(architecture, progress)
    build_seconds = time.perf_counter() - started

    accounted = account(architecture)
    counted = count_components(model, accounted)
    ids = torch.randint(vocab_size, (BATCH, tokens))
    changed, half = ids.clone(), (tokens + 1) // 2
    changed[:, half:] = (changed[:, half:] + 1) % vocab_size
    with _on_blocks(model, lambda done: progress(0.5 + 0.25 * done, "running the forward pass")):
        logits, loss = model(ids, ids)
    with _on_blocks(model, lambda done: progress(0.75 + 0.25 * done, "checking causality")):
        started = time.perf_counter()
        other, _ = model(changed)
        forward_seconds = time.perf_counter() - started
    assert loss is not None
    return ProbeReport(
        counted=counted,
        accounted={component.key: component.params for component in accounted.components},
        batch=BATCH,
        tokens=tokens,
        logits_shape=tuple(logits.shape),
        expected_shape=(BATCH, tokens, vocab_size),
        finite=bool(logits.isfinite().all()),
        loss=loss.item() if tokens > 1 else None,
        uniform_loss=math.log(vocab_size),
        causal_leak=_largest_change(logits[:, :half], other[:, :half]),
        later_change=_largest_change(logits[:, half:], other[:, half:]),
        build_seconds=build_seconds,
        forward_seconds=forward_seconds,
        peak_bytes=peak.added_bytes(),
        dtype=str(logits.dtype).removeprefix("torch."),
        device=str(logits.device),
    )


def _build(architecture: Architecture, progress: Progress) -> LanguageModel:
    model = LanguageModel(architecture, device="cpu", dtype=torch.float32, initialise=False).eval()
    total, drawn = sum(parameter.numel() for parameter in model.parameters()), 0

    def on_drawn(elements: int) -> None:
        nonlocal drawn
        drawn += elements
        progress(0.5 * drawn / total, "drawing the weights")

    model.reset_parameters(on_drawn)
    return model


@contextmanager
def _on_blocks(model: LanguageModel, report: Callable[[float], object]) -> Iterator[None]:
    """Report the share of blocks done while a forward pass runs."""

    def hook(number: int) -> Callable[..., None]:
        def on_forward(*_: object) -> None:
            report((number + 1) / len(model.blocks))

        return on_forward

    handles = [block.register_forward_hook(hook(number)) for number, block in enumerate(model.blocks)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _largest_change(one: Tensor, other: Tensor) -> float:
    return (one - other).abs().max().item() if one.numel() else 0.0


def estimate_probe(architecture: Architecture) -> ProbeEstimate:
    """Estimate what `probe` takes on this machine: its speed is measured once, its free memory now."""
    total = account(architecture).total_params
    tokens = BATCH * min(MAX_TOKENS, architecture.max_seq_length)
    # Both passes' logits and the loss's log-probabilities live at once; so do about eight vectors a token in a block.
    activations = tokens * (4 * architecture.vocab_size + 8 * architecture.d_model + 3 * architecture.d_ff)
    speed = _machine_speed()
    multiplied = total + (architecture.vocab_size * architecture.d_model if architecture.tied_lm_head else 0)
    return ProbeEstimate(
        memory_bytes=_BYTES * (total + activations),
        free_bytes=psutil.virtual_memory().available,
        seconds=total * speed.per_weight
        + 2 * 2 * multiplied * tokens * speed.per_flop
        + architecture.n_layers * speed.per_layer,
    )


@dataclass(frozen=True)
class _Speed:
    """Seconds to draw one weight, to do one operation of a matrix product, and of overhead per layer."""

    per_weight: float
    per_flop: float
    per_layer: float


@lru_cache(maxsize=1)
def _machine_speed() -> _Speed:
    tokens, matrix = torch.ones(BATCH * MAX_TOKENS, 1024), torch.ones(1024, 1024)
    elements = 12 * 2**20  # large enough for the C library to fetch fresh pages each time, as a model's weights do
    tiny = Architecture(vocab_size=2, max_seq_length=1, n_heads=1, d_model=8, d_ff=8, n_layers=16)

    def draw() -> None:
        torch.empty(elements).normal_(generator=torch.Generator())

    def build_and_run() -> None:
        model = LanguageModel(tiny)
        for _ in range(2):
            model(torch.zeros(1, 1, dtype=torch.long))

    with torch.inference_mode(), torch.random.fork_rng(devices=[]):
        return _Speed(
            per_weight=_best_of_two(draw) / elements,
            per_flop=_best_of_two(lambda: tokens @ matrix) / (2 * tokens.shape[0] * matrix.numel()),
            per_layer=_best_of_two(build_and_run) / tiny.n_layers,
        )


def _best_of_two(work: Callable[[], object]) -> float:
    times = []
    for _ in range(2):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


class _PeakMemory:
    """Samples the resident memory of this process while it is entered."""

    def __enter__(self) -> Self:
        self._process = psutil.Process()
        self._before = self._highest = self._process.memory_info().rss
        self._stop = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()
        return self

    def _sample(self) -> None:
        while not self._stop.wait(0.002):
            self._highest = max(self._highest, self._process.memory_info().rss)

    def added_bytes(self) -> int:
        """Return the largest memory seen so far, beyond that at the start."""
        return max(self._highest, self._process.memory_info().rss) - self._before

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._sampler.join()


def _give_back_memory() -> None:
    """Return freed memory to the system, where the C library can; without it a server keeps its largest model."""
    gc.collect(0)
    if os.name == "posix" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)

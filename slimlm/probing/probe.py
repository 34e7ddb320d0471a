"""Build the real model of a design, count it, and run a tiny forward pass through it: whole, or block by block."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.core.design import Design
from slimlm.core.table import count_components
from slimlm.model.device import (
    PRECISIONS,
    Clock,
    PeakMemory,
    Precision,
    Way,
    device_name,
    give_back_memory,
    pick_device,
)
from slimlm.model.language_model import LanguageModel
from slimlm.model.streaming import StreamedModel
from slimlm.probing.estimate import BATCH, MAX_TOKENS, ProbeEstimate, estimate_probe
from slimlm.probing.logit_checks import Findings
from slimlm.utils.formatting import format_bytes
from slimlm.utils.progress import Progress, Reporter

_LEAK = 1e-5


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
    """What people call it: "cpu", "mps", "cuda (NVIDIA H100)"."""
    way: Way = "whole"
    """How many of the weights were in memory at once: all, or what fitted of them."""

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


def probe(
    design: Design | Architecture,
    *,
    progress: Progress | None = None,
    seed: int = 0,
    dtype: Precision = "float32",
    device: str | None = None,
    max_memory: int | None = None,
) -> ProbeReport:
    """Build the real model, count it, and run random tokens through it twice.

    In the second pass, which is the one that is timed, the second half of the tokens is replaced. `device` is the
    accelerator (CUDA, MPS) where there is one, else the CPU. A model that does not fit in the free memory, or in
    `max_memory` bytes, is drawn and run block by block, or slice by slice where one block is too much: the same
    weights and logits, a part of them at a time.

    Raises ValueError for a dtype or device that there is not, and MemoryError, before anything is built, when not even
    slices fit.
    """
    architecture = design.architecture if isinstance(design, Design) else design
    estimate = estimate_probe(architecture, dtype=dtype, device=device, max_memory=max_memory)
    if not estimate.fits:
        raise MemoryError(what_does_not_fit(estimate))
    place = pick_device(device)
    give_back_memory()
    try:
        with torch.inference_mode(), PeakMemory(place) as peak:
            bench = _Bench(architecture, estimate, Reporter(progress), seed, place, PRECISIONS[dtype], peak)
            return bench.whole() if estimate.way == "whole" else bench.streamed()
    finally:
        give_back_memory()


def what_does_not_fit(estimate: ProbeEstimate) -> str:
    """Say in a sentence how much memory is missing and what would work."""
    return (
        f"even {estimate.way}, this model takes about {format_bytes(estimate.memory_bytes)}, and "
        f"{format_bytes(estimate.free_bytes)} of memory are free; a smaller total_params or vocab_size would fit"
    )


@dataclass(frozen=True)
class _Bench:
    """A probe on its way."""

    architecture: Architecture
    estimate: ProbeEstimate
    report: Reporter
    seed: int
    device: torch.device
    dtype: torch.dtype
    peak: PeakMemory

    def whole(self) -> ProbeReport:
        drawing, running = Clock(self.device), Clock(self.device)
        with drawing.running():
            model = self._build()
        ids, changed, findings = self._tokens()
        drawn = self.estimate.draw_share
        half = (1 - drawn) / 2
        with _on_blocks(model, lambda done: self.report(drawn + half * done, "running the forward pass")):
            logits, _ = model(ids)
        with (
            _on_blocks(model, lambda done: self.report(1 - half + half * done, "checking causality")),
            running.running(),
        ):
            other, _ = model(changed)
        findings.add(0, logits, other)
        return self._written(model, findings, drawing, running)

    def streamed(self) -> ProbeReport:
        way = self.estimate.way
        streamed = StreamedModel(self.architecture, self.seed, self.device, self.dtype, slices=way == "slice by slice")
        ids, changed, findings = self._tokens()

        def tell(fraction: float, what: str) -> None:
            self.report(fraction, way, f": {what}")

        for first, (logits, other) in streamed.logits([ids, changed], tell):
            findings.add(first, logits, other)
        tell(1.0, "done")
        return self._written(streamed.model, findings, streamed.drawing, streamed.running)

    def _build(self) -> LanguageModel:
        model = LanguageModel(self.architecture, device=self.device, dtype=self.dtype, initialise=False).eval()
        total, drawn = sum(parameter.numel() for parameter in model.parameters()), 0

        def on_drawn(elements: int) -> None:
            nonlocal drawn
            drawn += elements
            self.report(self.estimate.draw_share * drawn / total, "drawing the weights")

        model.reset_parameters(on_drawn, seed=self.seed)
        return model

    def _tokens(self) -> tuple[Tensor, Tensor, Findings]:
        vocab_size, tokens = self.architecture.vocab_size, min(MAX_TOKENS, self.architecture.max_seq_length)
        ids = torch.randint(vocab_size, (BATCH, tokens), generator=torch.Generator().manual_seed(self.seed))
        changed, half = ids.clone(), (tokens + 1) // 2
        changed[:, half:] = (changed[:, half:] + 1) % vocab_size
        ids, changed = ids.to(self.device), changed.to(self.device)
        return ids, changed, Findings(ids, half)

    def _written(self, model: LanguageModel, found: Findings, drawing: Clock, running: Clock) -> ProbeReport:
        accounted = account(self.architecture)
        return ProbeReport(
            counted=count_components(model, accounted),
            accounted={component.key: component.params for component in accounted.components},
            batch=found.ids.shape[0],
            tokens=found.ids.shape[1],
            logits_shape=found.logits_shape,
            expected_shape=(*found.ids.shape, self.architecture.vocab_size),
            finite=found.finite,
            loss=found.loss,
            uniform_loss=math.log(self.architecture.vocab_size),
            causal_leak=found.causal_leak,
            later_change=found.later_change,
            build_seconds=drawing.seconds,
            forward_seconds=running.seconds,
            peak_bytes=self.peak.added_bytes(),
            dtype=str(self.dtype).removeprefix("torch."),
            device=device_name(self.device),
            way=self.estimate.way,
        )


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

"""Build the PyTorch model of a design, count it, and run a small forward pass: whole, or a part at a time."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from statistics import median, quantiles

import torch
from torch import Tensor

from slimlm.core.accounting import Account, account
from slimlm.core.architecture import Architecture
from slimlm.core.design import Design
from slimlm.core.table import count_components
from slimlm.model.device import (
    PRECISIONS,
    Clock,
    PeakMemory,
    Precision,
    Strategy,
    device_name,
    give_back_memory,
    pick_device,
)
from slimlm.model.language_model import LanguageModel
from slimlm.model.streaming import StreamedModel
from slimlm.probing.estimate import BATCH, MAX_TOKENS, ProbeEstimate, estimate_probe
from slimlm.probing.logit_checks import LogitChecks
from slimlm.probing.report import CountReport, accounted_params
from slimlm.probing.speed import TIMED_PASSES, OtherLoad, time_passes
from slimlm.utils.formatting import format_bytes
from slimlm.utils.progress import Progress, Reporter
from slimlm.utils.reserved_memory import reserved

_LEAK = 1e-5
_BUSY, _UNSTEADY = 0.25, 0.2


@dataclass(frozen=True)
class ProbeReport(CountReport):
    """Results of running a PyTorch model. Times in seconds, memory in bytes, losses in nats."""

    batch: int
    tokens: int
    finite: bool
    """Whether every logit is finite."""
    loss: float | None
    """Shifted loss on random tokens; None when the model takes one token only and has no next one to score."""
    uniform_loss: float
    """ln(vocab_size): the loss of a uniform prediction."""
    causal_leak: float
    """Largest change of an earlier logit when later tokens change."""
    later_change: float
    """Largest change of the later logits themselves: shows that the causality check can see a change."""
    build_seconds: float
    forward_seconds: float
    peak_bytes: int
    """Largest resident memory during the probe, beyond what the process held before."""
    dtype: str
    device: str
    """Readable name of the device: "cpu", "mps", "cuda (NVIDIA H100)"."""
    pass_seconds: tuple[float, ...] = ()
    """Duration of each timed pass of a warm model, of which `forward_seconds` is the median; empty for one pass."""
    other_load: float = 0.0
    """Share of the machine's CPU time that other processes took during the probe."""
    run: int = 0
    """Number of the run of measurements; times of different runs are not comparable."""
    strategy: Strategy = "whole"
    """Which weights were in memory at once: all, those of one block, or one slice of a matrix."""

    @property
    def way(self) -> Strategy:
        """The earlier name of `strategy`."""
        return self.strategy

    @property
    def quartiles(self) -> tuple[float, float]:
        """First and third quartile of the timed passes; both are `forward_seconds` after one pass."""
        if len(self.pass_seconds) < 2:
            return self.forward_seconds, self.forward_seconds
        first, _, third = quantiles(self.pass_seconds, n=4, method="inclusive")
        return first, third

    @property
    def is_noisy(self) -> bool:
        """Whether the machine was too busy, or the passes too different, for the times to be trusted."""
        first, third = self.quartiles
        return self.other_load > _BUSY or third - first > _UNSTEADY * self.forward_seconds

    @property
    def tokens_per_second(self) -> float:
        """Tokens through the forward pass per second."""
        return self.batch * self.tokens / self.forward_seconds

    @property
    def checks(self) -> dict[str, bool]:
        """Whether each check passed, by the statement that it checks."""
        return super().checks | {
            "all logits are finite": self.finite,
            "later tokens do not change earlier logits": self.causal_leak <= _LEAK
            and (self.later_change > _LEAK or self.tokens == 1),
        }


def probe(
    design: Design | Architecture,
    *,
    progress: Progress | None = None,
    seed: int = 0,
    dtype: Precision = "float32",
    device: str | None = None,
    max_memory: int | None = None,
    timed: bool = False,
) -> ProbeReport:
    """Build the PyTorch model, count it, and run random tokens through it twice.

    In the second pass, which is timed, the second half of the tokens is replaced. If `timed` and the model fits in
    memory, at least five more passes follow, and `forward_seconds` is their median. `device` is by default the
    accelerator (CUDA, MPS) if there is one, else the CPU. A model that does not fit in the free memory, or in
    `max_memory` bytes, is initialised and run block by block, or slice by slice where one block is too large: with
    the same weights and logits, a part of them at a time. One seed gives the same weights on every device: they are
    generated on the CPU. `progress` is called within blocks, too; exceptions that it raises cancel the probe.

    Raises ValueError for an unknown dtype or device, and MemoryError, before anything is built, when not even slices
    fit.
    """
    architecture = design.architecture if isinstance(design, Design) else design
    estimate = estimate_probe(architecture, dtype=dtype, device=device, max_memory=max_memory, timed=timed)
    if not estimate.fits:
        raise MemoryError(what_does_not_fit(estimate))
    place = pick_device(device)
    give_back_memory()
    try:
        with (
            torch.inference_mode(),
            reserved(0 if place.type == "cuda" else estimate.memory_bytes),
            PeakMemory(place) as peak,
            OtherLoad() as load,
        ):
            run = _Probe(architecture, estimate, Reporter(progress), seed, place, PRECISIONS[dtype], peak, load, timed)
            return run.whole() if estimate.strategy == "whole" else run.streamed()
    finally:
        give_back_memory()


def what_does_not_fit(estimate: ProbeEstimate) -> str:
    """Return a sentence that says how much memory is missing and what would work."""
    return (
        f"even {estimate.strategy}, this model takes about {format_bytes(estimate.memory_bytes)}, and "
        f"{format_bytes(estimate.free_bytes)} of memory are free; a smaller total_params or vocab_size would fit"
    )


@dataclass(frozen=True)
class _Probe:
    """A running probe."""

    architecture: Architecture
    estimate: ProbeEstimate
    report: Reporter
    seed: int
    device: torch.device
    dtype: torch.dtype
    peak: PeakMemory
    load: OtherLoad
    timed: bool

    def whole(self) -> ProbeReport:
        build_clock, forward_clock = Clock(self.device), Clock(self.device)
        with build_clock.running():
            model = self._build()
        ids, changed, checks = self._tokens()
        share = self.estimate.run_share / (2 + (TIMED_PASSES if self.timed else 0))
        first, second = 1 - self.estimate.run_share, 1 - self.estimate.run_share + share
        with _on_blocks(model, lambda done: self.report(first + share * done, "running the forward pass")):
            logits, _ = model(ids)
        with (
            _on_blocks(model, lambda done: self.report(second + share * done, "checking causality")),
            forward_clock.running(),
        ):
            other, _ = model(changed)
        checks.add(0, logits, other)
        accounted = account(self.architecture)
        counted = count_components(model, accounted)
        report = self._results(accounted, counted, checks, build_clock, forward_clock)
        return self._timed(report, model, ids, second + share) if self.timed else report

    def _timed(self, report: ProbeReport, model: LanguageModel, ids: Tensor, done: float) -> ProbeReport:
        """Add the times of repeated passes, without the hooks that report progress during a pass."""

        def on_pass(number: int) -> None:
            part = min(1.0, number / TIMED_PASSES)
            self.report(done + (1 - done) * part, f"timing pass {number}")

        seconds = time_passes(lambda: model(ids), self.device, on_pass)
        return replace(
            report, forward_seconds=median(seconds), pass_seconds=tuple(seconds), other_load=self.load.share()
        )

    def streamed(self) -> ProbeReport:
        strategy, arch = self.estimate.strategy, self.architecture
        slices, cost = strategy == "slice by slice", self.estimate.run_cost
        streamed = StreamedModel(arch, self.seed, self.device, self.dtype, slices=slices, run_cost=cost)
        ids, changed, checks = self._tokens()

        def progress(fraction: float, activity: str) -> None:
            self.report(fraction, strategy, f": {activity}", streamed.work.seconds_left)

        for first, (logits, other) in streamed.logits([ids, changed], progress):
            checks.add(first, logits, other)
        progress(1.0, "done")
        accounted = account(arch)
        counted = count_components(streamed.model, accounted, streamed.layers)
        return self._results(accounted, counted, checks, streamed.initialise_clock, streamed.forward_clock)

    def _build(self) -> LanguageModel:
        before = self.estimate.build_share
        model = LanguageModel(
            self.architecture,
            device=self.device,
            dtype=self.dtype,
            initialise=False,
            progress=lambda done, activity: self.report(before * done, activity),
        ).eval()
        total, initialised = sum(parameter.numel() for parameter in model.parameters()), 0

        def on_initialised(elements: int) -> None:
            nonlocal initialised
            initialised += elements
            share = initialised / total * (1 - before - self.estimate.run_share)
            self.report(before + share, "initialising the weights")

        model.reset_parameters(on_initialised, seed=self.seed)
        return model

    def _tokens(self) -> tuple[Tensor, Tensor, LogitChecks]:
        vocab_size, tokens = self.architecture.vocab_size, min(MAX_TOKENS, self.architecture.max_seq_length)
        ids = torch.randint(vocab_size, (BATCH, tokens), generator=torch.Generator().manual_seed(self.seed))
        changed, half = ids.clone(), (tokens + 1) // 2
        changed[:, half:] = (changed[:, half:] + 1) % vocab_size
        ids, changed = ids.to(self.device), changed.to(self.device)
        return ids, changed, LogitChecks(ids, half)

    def _results(
        self,
        accounted: Account,
        counted: dict[str, int],
        checks: LogitChecks,
        build_clock: Clock,
        forward_clock: Clock,
    ) -> ProbeReport:
        return ProbeReport(
            counted=counted,
            accounted=accounted_params(accounted),
            batch=checks.ids.shape[0],
            tokens=checks.ids.shape[1],
            logits_shape=checks.logits_shape,
            expected_shape=(*checks.ids.shape, self.architecture.vocab_size),
            finite=checks.finite,
            loss=checks.loss,
            uniform_loss=math.log(self.architecture.vocab_size),
            causal_leak=checks.causal_leak,
            later_change=checks.later_change,
            build_seconds=build_clock.seconds,
            forward_seconds=forward_clock.seconds,
            peak_bytes=self.peak.added_bytes(),
            dtype=str(self.dtype).removeprefix("torch."),
            device=device_name(self.device),
            other_load=self.load.share(),
            strategy=self.estimate.strategy,
        )


@contextmanager
def _on_blocks(model: LanguageModel, report: Callable[[float], object]) -> Iterator[None]:
    """Report the share of blocks that are done during a forward pass, in which each is used n_loops times."""
    done = count(1)

    def on_forward(*_: object) -> None:
        report(next(done) / model.architecture.layers_run)

    handles = [block.register_forward_hook(on_forward) for block in model.blocks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()

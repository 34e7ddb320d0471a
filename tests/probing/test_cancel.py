"""A probe can be cancelled at every report of its progress, and leaves nothing behind."""

import gc
import threading
import time
import weakref
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
import torch
from torch import nn

from slimlm.core.architecture import Architecture
from slimlm.model import initialisation, streaming
from slimlm.model.device import Strategy
from slimlm.model.language_model import LanguageModel
from slimlm.model.layers import TransformerBlock
from slimlm.model.streaming import StreamedModel
from slimlm.probing import probe as probing
from slimlm.probing.estimate import ProbeEstimate
from slimlm.probing.probe import probe

SHAPE: dict[str, Any] = {"vocab_size": 40, "max_seq_length": 16, "n_heads": 2, "d_model": 16, "d_ff": 24}
MODELS = {
    "dense": Architecture(**SHAPE, n_layers=2),
    "mixture": Architecture(**SHAPE, n_layers=2, n_experts=3, experts_per_token=2, n_dense_layers=1, d_dense=20),
    "loops": Architecture(**SHAPE, n_layers=1, n_loops=2),
}


class StopError(Exception):
    """Raised by a page whose visitor has left."""


class Traces:
    """The models and blocks that a probe has made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[weakref.ref[nn.Module]] = []
        for kind in (LanguageModel, TransformerBlock):
            monkeypatch.setattr(kind, "__init__", self._remembering(kind.__init__))

    def _remembering(self, create: Callable[..., None]) -> Callable[..., None]:
        def remember(module: nn.Module, /, *source: Any, **options: Any) -> None:
            self.made.append(weakref.ref(module))
            create(module, *source, **options)

        return remember

    def left(self) -> list[nn.Module]:
        """Return what still exists."""
        return [module for module in (one() for one in self.made) if module is not None]


@pytest.fixture
def every_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks and slices so small that there are many, on a clock on which no report is held back."""
    ticks = count()
    monkeypatch.setattr(initialisation, "CHUNK", 128)
    monkeypatch.setattr(streaming, "SLICE", 256)
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(ticks)))


def reports_before_stop(arch: Architecture, stop_at: int) -> int:
    """Probe, raise at report number `stop_at`, and return the number of reports."""
    calls = 0

    def progress(_: float, message: str) -> None:
        nonlocal calls
        calls += 1
        if calls == stop_at:
            raise StopError(message)

    try:
        report = probe(arch, progress=progress)
    except StopError:
        assert calls == stop_at
    else:
        assert report.passed
        assert calls < stop_at
    return calls


@pytest.mark.parametrize("strategy", ["whole", "block by block", "slice by slice"])
@pytest.mark.parametrize("name", MODELS)
def test_it_is_cancelled_at_any_report_and_leaves_nothing_behind(
    every_report: None, monkeypatch: pytest.MonkeyPatch, name: str, strategy: Strategy
) -> None:
    estimate = ProbeEstimate(1, 0, 10**9, 1.0, 1.0, strategy=strategy)
    monkeypatch.setattr(probing, "estimate_probe", lambda *_, **__: estimate)
    arch = MODELS[name]
    reports = reports_before_stop(arch, 10**9)  # also starts the threads that are kept
    assert reports > 20
    threads, state, traces = threading.active_count(), torch.random.get_rng_state(), Traces(monkeypatch)
    gc.collect()
    gc.disable()
    try:
        for stop_at in range(1, reports + 1):
            assert reports_before_stop(arch, stop_at) == stop_at
            assert traces.left() == []
    finally:
        gc.enable()
    assert len(traces.made) >= 2 * reports
    assert threading.active_count() == threads
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize("slices", [False, True])
def test_a_block_that_is_cancelled_has_neither_weights_nor_hooks(every_report: None, slices: bool) -> None:
    def stop(_: float, activity: str) -> None:
        if activity == "running block 2 of 2":
            raise StopError(activity)

    streamed = StreamedModel(MODELS["mixture"], 0, torch.device("cpu"), torch.float32, slices=slices)
    with torch.inference_mode(), pytest.raises(StopError, match="block 2"):
        list(streamed.logits([torch.zeros(1, 16, dtype=torch.long)] * 2, stop))
    for module in streamed.model.blocks.modules():
        assert not module._forward_hooks
        assert "forward" not in vars(module)
        assert all(parameter.is_meta for parameter in module.parameters())

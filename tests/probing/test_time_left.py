"""The time left that a streamed probe tells, on a clock that the work itself advances: exact on any machine."""

import threading
import time
from typing import Any

import pytest
from torch import Tensor
from torch.nn import functional as F

from slimlm.core.architecture import Architecture
from slimlm.model import initialisation, streaming
from slimlm.model.device import Strategy
from slimlm.probing import probe as probing
from slimlm.probing.estimate import BATCH, ProbeEstimate
from slimlm.probing.probe import probe
from tests.bench.streamed import Told, worst_error

SHAPE: dict[str, Any] = {"vocab_size": 400, "max_seq_length": 16, "n_heads": 2, "d_model": 32, "d_ff": 96}
MIXTURE: dict[str, Any] = {"n_experts": 8, "experts_per_token": 2, "d_ff": 24}
MODELS = {
    "dense": Architecture(**SHAPE, n_layers=12),
    "few layers": Architecture(**SHAPE, n_layers=3, norm="rmsnorm", positions="rope"),
    "large head": Architecture(**SHAPE | {"vocab_size": 4000}, n_layers=4, tied_lm_head=False),
    "mixture": Architecture(**SHAPE | MIXTURE, n_layers=12),
    "dense first layers": Architecture(**SHAPE | MIXTURE, n_layers=8, n_dense_layers=2, d_dense=200),
    "batches alone": Architecture(**SHAPE | {"max_seq_length": 15}, n_layers=12),
    "loops": Architecture(**SHAPE, n_layers=4, n_loops=3),
}
SECONDS = 0.0005  # to initialise a weight: a chunk takes an eighth of a second
TOKENS = 2 * BATCH * 16  # of both passes


class WorkClock:
    """Seconds that weights initialised, and tokens passed through weights, have taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds_per_pass: float) -> None:
        self.now, self._lock = 0.0, threading.Lock()
        initialise, linear = initialisation._initialise_chunk, F.linear

        def initialise_and_count(chunk: Tensor, seed: int) -> int:
            self.add(SECONDS * chunk.numel())
            return initialise(chunk, seed)

        def multiply_and_count(x: Tensor, weight: Tensor, *bias: Any) -> Tensor:
            self.add(SECONDS * seconds_per_pass * weight.numel() * x.numel() / x.shape[-1] / TOKENS)
            return linear(x, weight, *bias)

        monkeypatch.setattr(initialisation, "_initialise_chunk", initialise_and_count)
        monkeypatch.setattr(F, "linear", multiply_and_count)
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)

    def add(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds


def told_by(monkeypatch: pytest.MonkeyPatch, arch: Architecture, strategy: Strategy, cost: float) -> list[Told]:
    """Return what a probe tells whose passes take as long as the initialisation, where `cost` is expected."""
    monkeypatch.setattr(initialisation, "CHUNK", 256)
    monkeypatch.setattr(streaming, "SLICE", 512)
    estimate = ProbeEstimate(1, 0, 10**9, 1.0, 1.0, strategy=strategy, run_cost=cost)
    monkeypatch.setattr(probing, "estimate_probe", lambda *_, **__: estimate)
    clock, told = WorkClock(monkeypatch, 1.0), list[Told]()
    probe(arch, progress=lambda fraction, message: told.append(Told(clock.now, fraction, message)))
    assert told[-1].fraction == 1
    return told


@pytest.mark.parametrize("strategy", ["block by block", "slice by slice"])
@pytest.mark.parametrize("name", MODELS)
def test_it_is_right_from_the_first_tenth_on(monkeypatch: pytest.MonkeyPatch, name: str, strategy: Strategy) -> None:
    assert worst_error(told_by(monkeypatch, MODELS[name], strategy, 1.0)) < 0.3


@pytest.mark.parametrize("strategy", ["block by block", "slice by slice"])
@pytest.mark.parametrize("name", [name for name in MODELS if name != "few layers"])  # whose first block is a third
@pytest.mark.parametrize("cost", [0.5, 2.0])
def test_it_is_right_where_the_cost_of_a_pass_is_misjudged(
    monkeypatch: pytest.MonkeyPatch, name: str, strategy: Strategy, cost: float
) -> None:
    assert worst_error(told_by(monkeypatch, MODELS[name], strategy, cost)) < 0.3

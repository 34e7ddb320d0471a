"""The probe: its report, that each of its checks can fail, and that it leaves nothing behind."""

import gc
import math
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch
from torch import Tensor, nn

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.core.config import ModelConfig
from slimlm.model import blocks
from slimlm.model.initialisation import OnInitialised
from slimlm.model.language_model import LanguageModel
from slimlm.model.layers import MultiHeadAttention, TransformerBlock
from slimlm.probing import probe as probing
from slimlm.probing import speed
from slimlm.probing.estimate import estimate_probe
from slimlm.probing.probe import ProbeReport, probe
from slimlm.solver.solver import solve
from tests.model.structures import STRUCTURES

Spoil = Callable[[LanguageModel], object]
SMALL = Architecture(vocab_size=60, max_seq_length=16, n_heads=2, d_model=16, d_ff=20, n_layers=3)
COUNTS, SHAPE, FINITE, CAUSAL = (
    "every component has the parameters of the account",
    "logits have the expected shape",
    "all logits are finite",
    "later tokens do not change earlier logits",
)


@pytest.fixture(scope="module")
def default_report() -> ProbeReport:
    return probe(solve(ModelConfig()))


def failed(report: ProbeReport) -> set[str]:
    assert report.passed is all(report.checks.values())
    return {check for check, holds in report.checks.items() if not holds}


# The report


def test_default_design_reports_what_its_account_says(default_report: ProbeReport) -> None:
    design, report = solve(ModelConfig()), default_report
    assert report.accounted == {part.key: part.params for part in design.account.components}
    assert report.counted == report.accounted
    assert report.counted["lm_head"] == 0
    assert report.total_params == design.total_params == 10_047_024
    assert (report.batch, report.tokens) == (2, 64)
    assert report.logits_shape == report.expected_shape == (2, 64, 16_000)
    assert report.finite
    assert report.uniform_loss == math.log(16_000)
    assert report.loss == pytest.approx(report.uniform_loss, abs=0.2)
    assert report.causal_leak == 0.0
    assert report.later_change > 0.01
    assert (report.dtype, report.device) == ("float32", "cpu")
    assert set(report.checks) == {COUNTS, SHAPE, FINITE, CAUSAL}
    assert failed(report) == set()


def test_times_and_memory_are_plausible(default_report: ProbeReport) -> None:
    started = time.perf_counter()
    report = probe(SMALL)
    assert 0 < report.build_seconds + report.forward_seconds < time.perf_counter() - started
    assert report.tokens_per_second == 2 * 16 / report.forward_seconds
    weights = 4 * default_report.total_params
    assert 0.5 * weights < default_report.peak_bytes < 5 * weights


def test_untied_design_counts_its_head() -> None:
    design = solve(ModelConfig(tied_lm_head=False))
    report = probe(design)
    assert report.counted == report.accounted
    assert report.counted["lm_head"] == report.counted["token_embedding"] == 16_000 * design.architecture.d_model
    assert report.total_params == design.total_params
    assert failed(report) == set()


def test_a_sequence_of_one_token_has_no_loss() -> None:
    report = probe(replace(SMALL, max_seq_length=1))
    assert (report.tokens, report.loss, report.later_change) == (1, None, 0.0)
    assert failed(report) == set()


def test_the_seed_decides_the_weights_and_tokens() -> None:
    assert probe(SMALL).loss == probe(SMALL, seed=0).loss != probe(SMALL, seed=1).loss


@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda structure: "-".join(map(str, structure.values())))
def test_every_structure_passes_every_check(structure: dict[str, Any]) -> None:
    arch = Architecture(vocab_size=60, max_seq_length=16, d_model=32, d_ff=24, n_layers=3, n_heads=4, **structure)
    report = probe(arch)
    assert failed(report) == set()
    assert report.total_params == account(arch).total_params
    assert report.causal_leak <= 1e-6
    assert report.later_change > 1e-3


# Every check can fail


def patched(monkeypatch: pytest.MonkeyPatch, spoil: Spoil) -> None:
    """Let the probe build models that are spoilt after their weights were initialised."""

    class Spoilt(LanguageModel):
        @torch.no_grad()
        def reset_parameters(self, on_initialised: OnInitialised | None = None, *, seed: int | None = None) -> None:
            super().reset_parameters(on_initialised, seed=seed)
            spoil(self)

    monkeypatch.setattr(probing, "LanguageModel", Spoilt)


def test_attention_that_looks_ahead_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = MultiHeadAttention.forward

    def forward(self: MultiHeadAttention, x: Tensor, mask: Tensor | None = None, **options: Any) -> Tensor:
        return honest(self, x, mask, **options | {"is_causal": False})

    monkeypatch.setattr(MultiHeadAttention, "forward", forward)
    report = probe(SMALL)
    assert failed(report) == {CAUSAL}
    assert report.causal_leak > 1e-5


def widen(model: LanguageModel) -> None:
    model.position_embedding.weight = nn.Parameter(torch.zeros(SMALL.max_seq_length + 1, SMALL.d_model))


@pytest.mark.parametrize(
    ("spoil", "difference"),
    [
        (lambda model: model.final_norm.register_parameter("bias", None), {"final_norm": -SMALL.d_model}),
        (lambda model: model.final_norm.requires_grad_(False), {"final_norm": -2 * SMALL.d_model}),
        (widen, {"position_embedding": SMALL.d_model}),
    ],
)
def test_another_count_fails(monkeypatch: pytest.MonkeyPatch, spoil: Spoil, difference: dict[str, int]) -> None:
    patched(monkeypatch, spoil)
    report = probe(SMALL)
    assert failed(report) == {COUNTS}
    found = {key: report.counted[key] - count for key, count in report.accounted.items()}
    assert {key: more for key, more in found.items() if more} == difference


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda model: model.token_embedding.weight.zero_(), {CAUSAL}),  # it ignores its tokens
        (lambda model: model.final_norm.weight[0].fill_(math.nan), {FINITE, CAUSAL}),
        (lambda model: model.final_norm.weight[0].fill_(math.inf), {FINITE, CAUSAL}),
    ],
)
def test_spoilt_weights_fail(monkeypatch: pytest.MonkeyPatch, spoil: Spoil, expected: set[str]) -> None:
    patched(monkeypatch, spoil)
    assert failed(probe(SMALL)) == expected


def test_logits_of_another_shape_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = LanguageModel.forward

    def forward(self: LanguageModel, input_ids: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        logits, loss = honest(self, input_ids, labels)
        return logits[..., :-1], loss

    monkeypatch.setattr(LanguageModel, "forward", forward)
    assert failed(probe(SMALL)) == {SHAPE}


# Progress, and what the probe leaves behind


def test_progress_rises_to_one() -> None:
    calls: list[tuple[float, str, bool]] = []
    probe(SMALL, progress=lambda fraction, message: calls.append((fraction, message, torch.is_grad_enabled())))
    assert not any(grad_enabled for *_, grad_enabled in calls)
    fractions = [fraction for fraction, *_ in calls]
    assert fractions == sorted(fractions)
    assert 0 < fractions[0] < 0.5
    assert fractions[-1] == 1.0
    messages = dict.fromkeys(message for _, message, _ in calls)
    assert [*messages] == [
        "building the modules",
        "initialising the weights",
        "running the forward pass",
        "checking causality",
    ]


class StopError(Exception):
    """Raised by a page whose visitor has left."""


@pytest.mark.parametrize("stop_at", [0.0, 0.3, 0.6, 0.8, 1.0])
def test_exceptions_of_progress_cancel_the_probe_and_free_it(monkeypatch: pytest.MonkeyPatch, stop_at: float) -> None:
    models: list[weakref.ref[LanguageModel]] = []
    create, state, fractions = LanguageModel.__init__, torch.random.get_rng_state(), [0.0]

    def remember(self: LanguageModel, *source: Any, **options: Any) -> None:
        models.append(weakref.ref(self))
        create(self, *source, **options)

    def progress(fraction: float, message: str) -> None:
        fractions.append(fraction)
        if fraction >= stop_at:
            raise StopError(message)

    estimate_probe(SMALL)  # measures the machine's speed, once, on a model of its own
    monkeypatch.setattr(LanguageModel, "__init__", remember)
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(StopError, match=r"the modules|the weights|forward pass|causality"):
            probe(SMALL, progress=progress)
        assert fractions[-1] >= stop_at > fractions[-2] or len(fractions) == 2
        assert [model() for model in models] == [None]
    finally:
        gc.enable()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_a_deep_model_is_cancelled_at_its_first_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    created, create = list[object](), TransformerBlock

    def count_blocks(*args: Any, **options: Any) -> Any:
        created.append(args)
        return create(*args, **options)

    def stop(_: float, message: str) -> None:
        raise StopError(message)

    deep = replace(SMALL, n_layers=100_000)
    estimate_probe(deep)  # measures the machine's speed on a model of its own
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10**12))
    monkeypatch.setattr(blocks, "TransformerBlock", count_blocks)
    with pytest.raises(StopError, match=r"^building the modules$"):
        probe(deep, progress=stop)
    assert len(created) == 1


def test_the_process_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "VALID_SECONDS", 0.0)  # so that its measurement is watched as well
    torch.manual_seed(3)
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    with torch.no_grad():
        probe(SMALL)
        assert not torch.is_grad_enabled()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    assert torch.get_num_threads() == threads

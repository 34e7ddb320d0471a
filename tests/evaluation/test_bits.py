"""Held-out loss: equal to a plain sum in float64, every token scored once, special tokens and padding in no sum."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from slimlm.core.architecture import Architecture
from slimlm.evaluation import bits, scoring
from slimlm.evaluation.bits import HeldoutLoss, heldout_loss
from slimlm.model.language_model import LanguageModel
from tests.native import SMALL, SMALL_LLAMA, built

LENGTHS = np.array([0, *range(1, SMALL.vocab_size)], dtype=np.int64)


def some_tokens(count: int, seed: int = 0, dtype: Any = np.uint16) -> NDArray[Any]:
    return np.random.default_rng(seed).integers(SMALL.vocab_size, size=count).astype(dtype)


def plain_sum(model: LanguageModel, tokens: NDArray[Any], length: int) -> tuple[float, int, int]:
    """Score one token at a time, each given up to `length` tokens of its own window."""
    nats, scored, units = 0.0, 0, 0
    for position in range(1, len(tokens)):
        first = (position - 1) // length * length
        context = torch.tensor(tokens[first:position].astype(np.int64))[None]
        with torch.no_grad():
            logits = model(context)[0][0, -1].double()
        token = int(tokens[position])
        if LENGTHS[token]:
            nats -= float(logits.log_softmax(0)[token])
            scored, units = scored + 1, units + int(LENGTHS[token])
    return nats, scored, units


def check_the_plain_sum(arch: Architecture, count: int, length: int, sequences: int) -> None:
    model, tokens = built(arch), some_tokens(count, count)
    tokens[-1] = 1  # so that something is scored
    found = heldout_loss(model, tokens, LENGTHS, length=length, sequences=sequences)
    nats, scored, units = plain_sum(model, tokens, length)
    assert (found.tokens, found.units) == (scored, units)
    assert found.nats == pytest.approx(nats, rel=1e-6)
    assert found.units + LENGTHS[tokens[0]] == LENGTHS[tokens].sum()


@given(
    count=st.integers(2, 40),
    length=st.integers(1, SMALL.max_seq_length),
    sequences=st.integers(1, 5),
    arch=st.sampled_from([SMALL, SMALL_LLAMA, replace(SMALL_LLAMA, positions="alibi")]),
)
@settings(max_examples=20, deadline=None)
def test_the_loss_is_a_plain_sum_over_tokens(arch: Architecture, count: int, length: int, sequences: int) -> None:
    check_the_plain_sum(arch, count, length, sequences)


def test_the_means_are_of_the_sums() -> None:
    loss = HeldoutLoss(nats=8 * math.log(2), tokens=2, units=4)
    assert loss.nats_per_token == pytest.approx(4 * math.log(2))
    assert loss.bits_per_unit == pytest.approx(2)


def test_a_model_that_knows_nothing_needs_the_logarithm_of_the_vocabulary() -> None:
    model = built(std=0.0)
    found = heldout_loss(model, some_tokens(50, dtype=np.uint32), np.ones(40, dtype=np.int64), length=8)
    assert found.tokens == found.units == 49
    assert found.bits_per_unit == pytest.approx(math.log2(SMALL.vocab_size))


def test_few_logits_exist_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "_MOST_LOGITS_CPU", 3 * 8 * SMALL.vocab_size)
    sizes = list[int]()
    monkeypatch.setattr(bits, "token_nats", watched(sizes))
    model, tokens = built(), some_tokens(100)
    found = heldout_loss(model, tokens, LENGTHS, length=8)
    assert set(sizes) == {3 * 9}
    monkeypatch.undo()
    assert found.nats == pytest.approx(heldout_loss(model, tokens, LENGTHS, length=8).nats)


def watched(sizes: list[int]) -> Callable[[LanguageModel, torch.Tensor], torch.Tensor]:
    def token_nats(model: LanguageModel, ids: torch.Tensor) -> torch.Tensor:
        sizes.append(ids.numel())
        return scoring.token_nats(model, ids)

    return token_nats


def test_low_precision_is_normalised_in_float32() -> None:
    model, tokens = built(std=0.1), some_tokens(200)
    exact = heldout_loss(model, tokens, LENGTHS, length=16)
    with torch.autocast("cpu", torch.bfloat16):
        rough = heldout_loss(model, tokens, LENGTHS, length=16)
    assert exact.nats != rough.nats
    assert rough.nats == pytest.approx(exact.nats, rel=2e-3)


# Bad input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"length": 0}, "^length=0 is not allowed: it must be a whole number of at least 1"),
        ({"sequences": 1.5}, "^sequences=1.5 is not allowed: it must be a whole number of at least 1"),
        ({"length": 17}, "^length=17 is not allowed: the model takes at most 16 tokens; length=16 would work"),
        ({"tokens": some_tokens(1)}, "^a split must hold at least 2 tokens, one of them to be scored: it holds 1$"),
        ({"tokens": np.array([1, 40, 2], np.uint16)}, "^the split holds token 40, but ids must be below 40"),
        ({"token_lengths": LENGTHS[:3]}, r"^the split holds token \d+, but ids must be below 3: its tokenizer"),
        ({"tokens": np.array([1, 0, 0], np.uint16)}, "^the split of 3 tokens has only special ones after its first"),
        ({"device": "nowhere"}, "^device='nowhere' is not on this machine"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(changes: dict[str, Any], message: str) -> None:
    request: dict[str, Any] = {"tokens": some_tokens(30), "token_lengths": LENGTHS, "length": 8} | changes
    with pytest.raises(ValueError, match=message):
        heldout_loss(built(), **request)


# Planted faults: each makes a check above fail


def unshifted(model: LanguageModel, ids: torch.Tensor) -> torch.Tensor:
    """Score each token given itself: its own embedding is in the input."""
    logits: torch.Tensor = model(ids[:, 1:])[0]
    return -logits.double().log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]


def leaking(model: LanguageModel, ids: torch.Tensor) -> torch.Tensor:
    """Score with a model whose attention sees later tokens."""
    attention = torch.nn.functional.scaled_dot_product_attention

    def seeing_all(*args: Any, is_causal: bool = False, **rest: Any) -> torch.Tensor:
        return attention(*args, **rest)

    torch.nn.functional.scaled_dot_product_attention = seeing_all
    try:
        return scoring.token_nats(model, ids)
    finally:
        torch.nn.functional.scaled_dot_product_attention = attention


@pytest.mark.parametrize("fault", [unshifted, leaking])
def test_a_planted_fault_in_scoring_breaks_the_plain_sum(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bits, "token_nats", fault)
    with pytest.raises(AssertionError):
        check_the_plain_sum(SMALL_LLAMA, 60, 16, 2)


def test_a_token_that_is_dropped_breaks_the_sum_of_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = bits._batches

    def without_the_last(*request: Any) -> Any:
        for ids, is_target in batches(*request):
            is_target[0, -1] = False
            yield ids, is_target

    monkeypatch.setattr(bits, "_batches", without_the_last)
    with pytest.raises(AssertionError, match="the scored lengths and the first token must add to the split"):
        heldout_loss(built(), np.arange(1, 40, dtype=np.uint16), LENGTHS, length=8)

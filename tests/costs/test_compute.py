"""Operations: torch's own counter on the PyTorch model and on transformers' Llama, and figures that others give."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.core.published import published_model
from slimlm.costs import CostSettings, costs
from slimlm.costs.compute import (
    forward_flops,
    matrix_params,
)
from slimlm.model.language_model import LanguageModel
from tests.strategies import architectures

TEN_MILLION = Architecture(
    vocab_size=16_000, d_model=256, d_ff=704, n_layers=7, n_heads=4, positions="rope", norm="rmsnorm"
)
"""9,719,552 parameters."""


def counted_flops(arch: Architecture, sequences: int, tokens: int, *, train: bool) -> int:
    """Let torch count the operations of the PyTorch model, on the meta device."""
    model = LanguageModel(arch, device="meta")
    ids = torch.zeros(sequences, tokens, dtype=torch.long, device="meta")
    with FlopCounterMode(display=False) as counter:
        _, loss = model(ids, ids if train else None)
        if train:
            loss.backward()
    return int(counter.get_total_flops())


@settings(max_examples=30, deadline=None)
@given(architectures(), st.integers(1, 3), st.integers(1, 40))
def test_a_forward_pass_does_what_torch_counts(arch: Architecture, sequences: int, tokens: int) -> None:
    tokens = min(tokens, arch.max_seq_length)
    ours = sequences * tokens * forward_flops(account(arch), tokens).flops_per_token
    assert ours == counted_flops(arch, sequences, tokens, train=False)


@settings(max_examples=20, deadline=None)
@given(architectures(max_layers=2), st.integers(1, 40))
def test_training_does_what_torch_counts(arch: Architecture, tokens: int) -> None:
    tokens = min(tokens, arch.max_seq_length)
    assert tokens * forward_flops(account(arch), tokens).training_flops_per_token == counted_flops(
        arch, 1, tokens, train=True
    )


@pytest.mark.parametrize("name", ["SmolLM2-135M", "TinyLlama-1.1B", "Llama-3.2-1B"])
def test_a_forward_pass_does_what_torch_counts_of_llama(name: str) -> None:
    arch = published_model(name).architecture
    config = LlamaConfig(
        vocab_size=arch.vocab_size,
        hidden_size=arch.d_model,
        intermediate_size=arch.d_ff,
        num_hidden_layers=2,
        num_attention_heads=arch.n_heads,
        num_key_value_heads=arch.kv_heads,
        tie_word_embeddings=arch.tied_lm_head,
    )
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
        ids, mask = torch.zeros(2, 64, dtype=torch.long), torch.zeros(2, 1, 64, 64)
        with FlopCounterMode(display=False) as counter:
            model(ids, attention_mask=mask, use_cache=False)
    ours = 2 * 64 * forward_flops(account(replace(arch, n_layers=2)), 64).flops_per_token
    assert ours == counter.get_total_flops()


@pytest.mark.parametrize(
    ("name", "flops"),
    [
        ("SmolLM2-135M", 155_826_782_208),
        ("MobileLLM-125M", 145_710_120_960),
        ("TinyLlama-1.1B", 1_106_490_949_632),
        ("Llama-3.2-1B", 1_299_764_477_952),
    ],
)
def test_published_models_do_what_was_counted_on_them_whole(name: str, flops: int) -> None:
    assert 512 * forward_flops(account(published_model(name).architecture), 512).flops_per_token == flops


@given(architectures(), st.integers(1, 40))
def test_the_causal_half_is_the_lower_triangle(arch: Architecture, tokens: int) -> None:
    flops = forward_flops(account(arch), tokens)
    triangle = sum(range(1, tokens + 1))  # token t attends to t tokens
    assert flops.attention_flops_per_token * triangle == flops.causal_attention_flops_per_token * tokens * tokens
    assert flops.causal_flops_per_token - flops.causal_attention_flops_per_token == flops.matrices_flops_per_token


def test_training_agrees_with_palm() -> None:
    # 6 · N + 12 · L · H · Q · T (appendix B), with N the weights that are multiplied with.
    arch = published_model("MobileLLM-125M").architecture
    palm = 6 * (124_635_456 - (2 * 30 + 1) * 576) + 12 * 30 * 9 * 64 * 2048
    assert forward_flops(account(arch), 2048).training_flops_per_token == palm
    assert matrix_params(account(arch)) == 124_635_456 - (2 * 30 + 1) * 576


@pytest.mark.parametrize(
    ("arch", "tokens", "six_n", "exact", "above"),
    [
        (TEN_MILLION, 512, 5.83e7, 6.93e7, 0.19),
        (published_model("MobileLLM-125M").architecture, 2048, 7.48e8, 1.172e9, 0.57),
    ],
)
def test_six_n_counts_too_little_for_small_models(
    arch: Architecture, tokens: int, six_n: float, exact: float, above: float
) -> None:
    rows = {row.key: row.value for row in costs(arch, CostSettings(context_length=tokens))}
    assert rows["six_n_flops_per_token"] == pytest.approx(six_n, rel=1e-3)
    assert forward_flops(account(arch), tokens).training_flops_per_token == pytest.approx(exact, rel=1e-3)
    assert rows["six_n_miss"] == pytest.approx(1 / (1 + above) - 1, abs=0.003)


def test_an_empty_sequence_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^tokens=0 is not allowed: it must be a whole number of at least 1; tokens=1"
    ):
        forward_flops(account(TEN_MILLION), 0)

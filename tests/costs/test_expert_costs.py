"""Costs of mixtures and latents: torch's own counter, published caches, and arithmetic."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.costs import CostSettings, costs
from slimlm.costs.activations import training_memory
from slimlm.costs.compute import forward_flops
from slimlm.costs.hardware import experts_read
from slimlm.costs.memory import cached_numbers, kv_cache_bytes_per_token, weight_bytes
from tests.core.test_expert_account import DEEPSEEK_V3, MIXTRAL
from tests.costs.test_compute import counted_flops
from tests.strategies import mixtures

ROWS = {row.key: row for row in costs(MIXTRAL)}


@settings(max_examples=30, deadline=None)
@given(mixtures(), st.integers(1, 3), st.integers(1, 20))
def test_a_forward_pass_does_what_torch_counts(arch: Architecture, sequences: int, tokens: int) -> None:
    tokens = min(tokens, arch.max_seq_length)
    ours = sequences * tokens * forward_flops(account(arch), tokens).flops_per_token
    assert ours == counted_flops(arch, sequences, tokens, train=False)


@settings(max_examples=15, deadline=None)
@given(mixtures(max_layers=2), st.integers(1, 20))
def test_training_does_what_torch_counts(arch: Architecture, tokens: int) -> None:
    tokens = min(tokens, arch.max_seq_length)
    ours = tokens * forward_flops(account(arch), tokens).training_flops_per_token
    assert ours == counted_flops(arch, 1, tokens, train=True)


def test_the_cache_of_deepseek_v3_has_576_numbers_a_token_and_layer() -> None:
    assert cached_numbers(DEEPSEEK_V3) == 576
    assert kv_cache_bytes_per_token(DEEPSEEK_V3, "bf16") == 61 * 576 * 2 == 70_272
    odd = replace(DEEPSEEK_V3, n_layers=5, kv_lora_rank=511)
    assert kv_cache_bytes_per_token(odd, "int4") == 5 * 288, "whole bytes in every layer"


def test_all_experts_are_stored() -> None:
    assert weight_bytes(account(MIXTRAL), "bf16") == 2 * account(MIXTRAL).total_params
    assert weight_bytes(account(MIXTRAL), "int8") > account(MIXTRAL).total_params


@pytest.mark.parametrize(("sequences", "expected"), [(1, 2.0), (2, 3.5), (10_000, 8.0)])
def test_a_batch_reads_the_experts_that_some_sequence_uses(sequences: int, expected: float) -> None:
    assert experts_read(MIXTRAL, sequences) == pytest.approx(expected)


def test_a_decoding_step_reads_the_active_weights() -> None:
    cache = MIXTRAL.max_seq_length * kv_cache_bytes_per_token(MIXTRAL)
    lookups = MIXTRAL.vocab_size * MIXTRAL.d_model
    assert ROWS["decode_read_bytes"].value == 2 * (account(MIXTRAL).active_params - lookups) + cache
    assert "2.0 of 8 routed experts, the expected number under uniform routing" in ROWS["decode_read_bytes"].assumptions
    batch = {row.key: row for row in costs(MIXTRAL, CostSettings(decode_batch=2))}
    assert (
        "3.5 of 8 routed experts, the expected number under uniform routing" in batch["decode_read_bytes"].assumptions
    )


def test_what_counts_experts_says_so() -> None:
    assert "the 2 of 8 routed experts that a token uses" in ROWS["forward_flops_per_token"].assumptions
    assert ROWS["six_n_flops_per_token"].value == 6 * account(MIXTRAL).active_params
    assert ROWS["six_n_flops_per_token"].assumption == "N counts every active parameter once, embeddings included"
    for key in ("chinchilla_tokens", "law_tokens", "loss_nats"):
        assert "a law of dense models, here with the total of a mixture" in ROWS[key].assumptions
    assert "a latent for keys and values, and a key with rotary positions, in every layer" in next(
        row.assumption for row in costs(DEEPSEEK_V3) if row.key == "kv_cache_bytes_per_token"
    )


def test_a_dense_model_says_nothing_of_experts() -> None:
    rows = costs(Architecture(d_model=216, d_ff=544, n_layers=12))
    assert not any("expert" in row.assumption or "mixture" in row.assumption for row in rows)


def test_activations_grow_with_the_experts_of_a_token_and_not_with_all() -> None:
    def kept(arch: Architecture) -> int:
        return training_memory(account(arch), 512, 8).block_bytes

    more = kept(replace(MIXTRAL, experts_per_token=3)) - kept(MIXTRAL)
    assert more == 8 * 512 * MIXTRAL.n_layers * 2 * (4 * MIXTRAL.d_ff + 2 * MIXTRAL.d_model)
    scores = kept(replace(MIXTRAL, n_experts=16)) - kept(MIXTRAL)
    assert scores == 8 * 512 * MIXTRAL.n_layers * 4 * 8


def test_a_dense_first_layer_keeps_its_own_width() -> None:
    sparse = replace(MIXTRAL, n_layers=3, dropout=0.0)
    dense = replace(sparse, n_dense_layers=1, d_dense=100)
    found = [training_memory(account(arch), 512, 1).block_bytes for arch in (sparse, dense)]
    of_experts = 2 * (4 * MIXTRAL.d_ff + 2 * MIXTRAL.d_model)
    assert found[0] - found[1] == 512 * (2 * (of_experts - 4 * 100) + 4 * 8)

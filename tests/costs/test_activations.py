"""Activations: what autograd saves in the PyTorch model, and what papers give for the structures that they know."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

from slimlm.core.accounting import BLOCK_NORMS, account
from slimlm.core.architecture import Architecture
from slimlm.core.basic_choices import Positions
from slimlm.core.published import published_model
from slimlm.costs.activations import block_bytes_per_token, outer_bytes_per_token, training_memory
from slimlm.model.language_model import LanguageModel
from tests.strategies import architectures


def saved_bytes(arch: Architecture, sequences: int, tokens: int, dtype: torch.dtype = torch.float32) -> int:
    """Build and check the model and return what it saves for a batch."""
    return saved_by(LanguageModel(arch, dtype=dtype), sequences, tokens)


def saved_by(model: LanguageModel, sequences: int, tokens: int) -> int:
    """Let autograd say which tensors it saves, and add up their storages; weights and whole numbers are left out."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    saved: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if tensor.is_floating_point() and storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = storage
        return tensor

    ids = torch.randint(model.architecture.vocab_size, (sequences, tokens))
    with saved_tensors_hooks(pack, lambda tensor: tensor):
        _, loss = model(ids, ids)
    assert loss is not None
    return sum(storage.nbytes() for storage in saved.values())


def saved_bytes_per_token(arch: Architecture, tokens: int, dtype: torch.dtype = torch.float32) -> float:
    """Return what a token adds: tables that all sequences share, as of rotary angles and ALiBi's biases, drop out."""
    return (saved_bytes(arch, 3, tokens, dtype) - saved_bytes(arch, 1, tokens, dtype)) / (2 * tokens)


def norm_widths(arch: Architecture) -> int:
    """Return how many numbers of a token all norms of the model normalise."""
    heads = (arch.n_heads + arch.kv_heads) * arch.head_width
    layer = len(BLOCK_NORMS[arch.block]) * arch.d_model + (heads if arch.qk_norm != "none" else 0)
    return arch.layers_run * layer + (1 + arch.embedding_norm) * arch.d_model


@settings(max_examples=40, deadline=None)
@given(architectures(max_layers=2, max_head=8), st.integers(2, 12))
def test_the_pytorch_model_saves_exactly_this(arch: Architecture, tokens: int) -> None:
    sizes: dict[str, Any] = {"vocab_size": min(arch.vocab_size, 50), "d_ff": min(arch.d_ff, 99), "max_seq_length": 12}
    # On a CPU attention is fused only without dropout.
    arch = replace(arch, attention_dropout=0.0, **sizes)
    ours = arch.layers_run * block_bytes_per_token(arch, tokens, "fp32") + outer_bytes_per_token(arch, "fp32")
    if arch.dropout:  # a mask on a CPU takes four bytes instead of one
        ours += 3 * (2 * arch.layers_run + 1) * arch.d_model
    if arch.norm == "rmsnorm":  # PyTorch's RMSNorm on a CPU keeps what it has normalised, besides its input
        ours += 4 * norm_widths(arch)
    log_softmax = 4 * arch.vocab_size
    assert saved_bytes_per_token(arch, tokens) == ours + log_softmax


@pytest.mark.parametrize("positions", ["rope", "alibi", "none"])
def test_windows_partial_rotation_and_factors_save_no_more(positions: Positions) -> None:
    given: dict[str, Any] = {
        **{"d_model": 32, "d_ff": 48, "n_layers": 3, "n_heads": 4, "n_kv_heads": 2, "vocab_size": 50},
        **{"dropout": 0.0, "attention_dropout": 0.0, "window": 3, "layer_pattern": "wf"},
        **{"embedding_scale": 4.0, "residual_scale": 0.5, "attention_scale": 0.3, "logit_scale": 0.25},
    }
    arch = Architecture(**given, positions=positions, rotary_share=0.5 if positions == "rope" else 1.0)
    ours = 3 * block_bytes_per_token(arch, 12, "fp32") + outer_bytes_per_token(arch, "fp32")
    assert saved_bytes_per_token(arch, 12) == ours + 4 * arch.vocab_size
    capped = replace(arch, logit_softcap=5.0)
    more = training_memory(account(capped), 12, 1, "fp32").logits_bytes
    more -= training_memory(account(arch), 12, 1, "fp32").logits_bytes
    assert saved_bytes_per_token(capped, 12) == ours + 4 * arch.vocab_size + more / 12


@pytest.mark.parametrize("norm", ["layernorm", "rmsnorm"])
def test_the_pytorch_model_in_bf16_saves_this_but_for_statistics_and_copies_of_norms(norm: str) -> None:
    arch = Architecture(
        d_model=48, d_ff=100, n_layers=2, n_heads=4, n_kv_heads=2, vocab_size=77, dropout=0.0, attention_dropout=0.0
    )
    arch = replace(arch, norm=norm)  # type: ignore[arg-type]
    ours = 2 * block_bytes_per_token(arch, 16) + outer_bytes_per_token(arch) + 2 * 77
    # LayerNorm on a CPU keeps its two statistics in bf16; RMSNorm two fp32 copies instead of its input.
    ours += 5 * (6 * 48 if norm == "rmsnorm" else -2 * 2)
    assert saved_bytes_per_token(arch, 16, torch.bfloat16) == ours


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_kept_scores_grow_with_the_square_of_the_sequence_as_in_unfused_attention(dropout: float) -> None:
    arch = Architecture(
        d_model=32, d_ff=64, n_layers=2, n_heads=4, vocab_size=50, dropout=0.0, attention_dropout=dropout
    )
    with sdpa_kernel(SDPBackend.MATH):
        grown = [saved_bytes(arch, 1, tokens) for tokens in (8, 16, 24)]
    measured = (grown[2] - 2 * grown[1] + grown[0]) / (2 * 8 * 8)
    ours = 2 * (block_bytes_per_token(arch, 9, "fp32", "none") - block_bytes_per_token(arch, 8, "fp32", "none"))
    # A CPU's mask of the dropout takes four bytes instead of one.
    assert measured == ours + (2 * 3 * 4 if dropout else 0)


def test_a_gpt_block_keeps_what_korthikanti_and_colleagues_count() -> None:
    arch = published_model("gpt2").architecture
    assert (arch.dropout, arch.attention_dropout, arch.ffn) == (0.1, 0.1, "gelu_tanh")
    h, a, s = arch.d_model, arch.n_heads, 1024
    statistics = 2 * 2 * 4  # of two norms, which they neglect
    assert block_bytes_per_token(arch, s, recompute="none") == h * (34 + 5 * a * s // h) + statistics
    assert block_bytes_per_token(arch, s) == 34 * h + statistics + 4 * a


@pytest.mark.parametrize(
    ("d_model", "d_ff", "n_heads", "n_kv_heads", "measured"),
    [(256, 704, 4, 4, 38.09), (576, 1536, 9, 9, 37.41), (576, 1536, 9, 3, 34.74)],
)
def test_a_llama_block_keeps_what_was_measured_with_fused_norms(
    d_model: int, d_ff: int, n_heads: int, n_kv_heads: int, measured: float
) -> None:
    arch = Architecture(
        d_model=d_model,
        d_ff=d_ff,
        n_layers=1,
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        norm="rmsnorm",
        positions="rope",
        dropout=0.0,
    )
    kept = block_bytes_per_token(arch, 512)
    assert kept - 4 * n_heads - 2 * 4 == d_model * 12 + 4 * d_model * n_kv_heads // n_heads + 8 * d_ff
    assert kept / d_model == pytest.approx(measured, abs=0.006)


@pytest.mark.parametrize(
    ("n_layers", "d_model", "n_heads", "tokens", "kept", "fused", "inputs"),
    [(7, 256, 4, 512, 0.51, 0.23, 0.01), (30, 576, 9, 2048, 51, 9.0, 0.5)],
)
def test_recomputing_shrinks_a_gpt_as_published_formulas_say(
    n_layers: int, d_model: int, n_heads: int, tokens: int, kept: float, fused: float, inputs: float
) -> None:
    arch = Architecture(
        d_model=d_model, d_ff=4 * d_model, n_layers=n_layers, n_heads=n_heads, ffn="gelu", max_seq_length=tokens
    )
    none = training_memory(account(arch), tokens, 8, recompute="none").block_bytes
    selective = training_memory(account(arch), tokens, 8).block_bytes
    full = training_memory(account(arch), tokens, 8, recompute="full").block_bytes
    assert none / 2**30 == pytest.approx(kept, rel=0.02)
    assert selective / 2**30 == pytest.approx(fused, rel=0.03)
    one_block = selective / n_layers
    assert (full - one_block) / 2**30 == pytest.approx(inputs, rel=0.2, abs=0.005)


def test_full_recomputation_keeps_the_inputs_that_real_checkpoints_keep_and_one_block() -> None:
    arch = Architecture(d_model=48, d_ff=100, n_layers=3, n_heads=4, vocab_size=77, dropout=0.0, attention_dropout=0.0)
    model = LanguageModel(arch)
    for block in model.blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    memory = training_memory(account(arch), 16, 2, "fp32", "full")
    block_bytes, input_bytes = 2 * 16 * block_bytes_per_token(arch, 16, "fp32"), 2 * 16 * 48 * 4
    log_softmax, denominator = 2 * 16 * 77 * 4, 4
    inputs = memory.block_bytes - block_bytes + input_bytes
    assert inputs == 3 * input_bytes
    assert saved_by(model, 2, 16) == inputs + memory.outer_bytes + log_softmax + denominator


def test_logits_outweigh_what_small_models_keep_otherwise() -> None:
    arch = published_model("MobileLLM-125M").architecture
    memory = training_memory(account(arch), 2048, 8)
    assert memory.logits_bytes == 8 * 2048 * 32_000 * (2 + 4 + 4)
    assert 4 / 10 * memory.logits_bytes / 2**30 == pytest.approx(1.95, abs=0.005)
    assert memory.total_bytes == memory.logits_bytes + memory.state_bytes + memory.block_bytes + memory.outer_bytes


def test_bad_arguments_are_refused() -> None:
    arch = Architecture(d_model=8, d_ff=8, n_layers=1)
    with pytest.raises(ValueError, match=r"^recompute='all' is not allowed: it must be one of 'selective', 'none', 'f"):
        training_memory(account(arch), 8, recompute="all")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^precision='int8' is not allowed: it must be one of 'mixed'"):
        outer_bytes_per_token(arch, "int8")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^tokens=0 is not allowed"):
        training_memory(account(arch), 0)
    with pytest.raises(ValueError, match=r"^sequences=True is not allowed"):
        training_memory(account(arch), 8, True)

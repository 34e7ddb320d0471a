"""Weights, caches and states of training: the bytes of real tensors, and figures that others give."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from slimlm.core.accounting import account
from slimlm.core.architecture import Architecture
from slimlm.core.precision import Precision
from slimlm.core.published import published_model
from slimlm.costs.memory import (
    TRAINING_STATES,
    TrainingPrecision,
    kv_cache_bytes,
    kv_cache_bytes_per_token,
    training_state_bytes,
    weight_bytes,
)
from slimlm.model.language_model import LanguageModel
from tests.strategies import architectures

DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "int8": torch.int8}


@settings(max_examples=40, deadline=None)
@given(architectures(), st.sampled_from(["fp32", "bf16"]))
def test_weights_take_what_the_pytorch_module_takes(arch: Architecture, precision: Precision) -> None:
    model = LanguageModel(arch, device="meta", dtype=DTYPES[precision])
    assert weight_bytes(account(arch), precision) == sum(parameter.nbytes for parameter in model.parameters())


def quantised_bytes(weight: torch.Tensor, precision: Precision, group_size: int | None) -> int:
    """Return the bytes of the tensors that a quantised weight is stored in."""
    if weight.ndim == 1:
        return weight.bfloat16().nbytes
    rows, columns = weight.shape
    padded = weight if precision == "int8" else torch.nn.functional.pad(weight, (0, columns % 2))
    packed = padded.to(torch.int8) if precision == "int8" else padded.reshape(rows, -1, 2).sum(-1).to(torch.uint8)
    groups = 0 if group_size is None else len(range(0, columns, group_size))
    return packed.nbytes + torch.empty(rows, groups, dtype=torch.bfloat16, device="meta").nbytes


@settings(max_examples=40, deadline=None)
@given(architectures(), st.sampled_from(["int8", "int4"]), st.sampled_from([None, 1, 7, 32, 128]))
def test_quantised_weights_take_what_packed_tensors_take(
    arch: Architecture, precision: Precision, group_size: int | None
) -> None:
    model = LanguageModel(arch, device="meta")
    stored = sum(quantised_bytes(parameter, precision, group_size) for parameter in model.parameters())
    assert weight_bytes(account(arch), precision, group_size) == stored


@pytest.mark.parametrize(("precision", "bits"), [("int8", 8.5), ("int4", 4.5)])
def test_groups_of_32_cost_half_a_bit_more_as_in_llama_cpp(precision: Precision, bits: float) -> None:
    arch = Architecture(d_model=256, d_ff=512, n_layers=2, norm="layernorm_no_params")
    matrices = weight_bytes(account(arch), "fp32") / 4
    assert weight_bytes(account(arch), precision, 32) == matrices * bits / 8


@settings(max_examples=15, deadline=None)
@given(architectures(max_layers=3), st.integers(1, 3), st.integers(1, 9), st.sampled_from(["fp32", "bf16"]))
def test_the_cache_takes_what_keys_and_values_take(
    arch: Architecture, sequences: int, tokens: int, precision: Precision
) -> None:
    tokens = min(tokens, arch.max_seq_length)
    model, held = LanguageModel(arch, device="meta", dtype=DTYPES[precision]), list[int]()
    for name, module in model.named_modules():
        if name.endswith(("k_proj", "v_proj")):
            module.register_forward_hook(lambda *passed: held.append(passed[-1].nbytes))
    model(torch.zeros(sequences, tokens, dtype=torch.long, device="meta"))
    assert kv_cache_bytes(arch, tokens, sequences, precision) == sum(held)


def test_the_cache_takes_what_transformers_caches() -> None:
    arch = Architecture(d_model=96, d_ff=64, n_layers=3, n_heads=6, n_kv_heads=2, head_dim=24, positions="rope")
    config = LlamaConfig(
        hidden_size=96,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=24,
        dtype="bfloat16",
    )
    with torch.device("meta"):
        model = LlamaForCausalLM(config).bfloat16()
        ids, mask = torch.zeros(2, 5, dtype=torch.long), torch.zeros(2, 1, 5, 5, dtype=torch.bfloat16)
        cache = model(ids, attention_mask=mask, use_cache=True).past_key_values
    cached = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    assert kv_cache_bytes(arch, 5, 2) == cached


@pytest.mark.parametrize(
    ("name", "per_token", "mebibytes"), [("MobileLLM-125M", 23_040, 45), ("Llama-3.2-1B", 32_768, 64)]
)
def test_published_models_cache_what_others_give(name: str, per_token: int, mebibytes: int) -> None:
    arch = published_model(name).architecture
    assert kv_cache_bytes_per_token(arch) == per_token
    assert kv_cache_bytes(arch, 2048) == mebibytes * 2**20
    assert 4 * kv_cache_bytes_per_token(arch, "int4") == kv_cache_bytes_per_token(arch)


def test_fp32_training_keeps_what_adamw_keeps() -> None:
    arch = Architecture(d_model=32, d_ff=40, n_layers=2, vocab_size=50, bias="all")
    model = LanguageModel(arch)
    optimiser = torch.optim.AdamW(model.parameters())
    ids = torch.randint(50, (2, 8))
    model(ids, ids)[1].backward()
    optimiser.step()
    kept = 0
    for parameter in model.parameters():
        moments = [state for key, state in optimiser.state[parameter].items() if key != "step"]
        assert parameter.grad is not None
        kept += sum(tensor.nbytes for tensor in (parameter, parameter.grad, *moments))
    assert training_state_bytes(account(arch), "fp32") == kept


@pytest.mark.parametrize(
    ("precision", "bytes_per_param"), [("mixed", 16), ("mixed_fp32_gradients", 18), ("fp32", 16), ("bf16", 12)]
)
def test_states_add_up_to_what_their_sources_say(precision: TrainingPrecision, bytes_per_param: int) -> None:
    assert TRAINING_STATES[precision].bytes_per_param == bytes_per_param


def test_gpt_2_takes_what_zero_gives_as_its_example() -> None:
    # Section 3.1: with 1.5 billion parameters it needs at least 24 GB.
    assert training_state_bytes(account(published_model("gpt2-xl").architecture)) == pytest.approx(24e9, rel=0.04)


def test_unknown_words_and_empty_batches_are_refused() -> None:
    arch = Architecture(d_model=8, d_ff=8, n_layers=1)
    words = "must be one of 'fp32', 'bf16', 'int8', 'int4'; precision='fp32' would work"
    with pytest.raises(ValueError, match=rf"^precision='fp8' is not allowed: it {words}$"):
        weight_bytes(account(arch), "fp8")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=rf"^precision='fp8' is not allowed: it {words}$"):
        kv_cache_bytes(arch, 1, 1, "fp8")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^precision='int8' is not allowed: it must be one of 'mixed'"):
        training_state_bytes(account(arch), "int8")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^group_size=0 is not allowed: it must be a whole number of at least 1"):
        weight_bytes(account(arch), "int4", 0)
    with pytest.raises(ValueError, match=r"^sequences=0 is not allowed: it must be a whole number of at least 1"):
        kv_cache_bytes(arch, 1, 0)

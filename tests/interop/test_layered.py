"""Hybrids and layers of different widths: counted as transformers builds them, with the cache that it keeps."""

import dataclasses
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    DynamicCache,
    Qwen3VLMoeConfig,
)

from slimlm.core.layered import LayeredModel
from slimlm.interop.layered import LAYERED, layered_model
from tests.hf_judge import load
from tests.layered_keys import KEYS

JUDGED = sorted(name for name, kind in LAYERED.items() if kind.judged)


def built(config: dict[str, Any], device: str = "meta") -> torch.nn.Module:
    judge = load(config)
    kind: Any = AutoModelForCausalLM
    if judge.model_type == "qwen3_vl_moe_text":  # has no class of its own
        tied = config.get("tie_word_embeddings", False)
        parts: dict[str, Any] = {"text_config": judge.to_dict(), "vision_config": {"depth": 1}}
        judge, kind = Qwen3VLMoeConfig(**parts, tie_word_embeddings=tied), AutoModelForImageTextToText
    with torch.device(device):
        model = kind.from_config(judge)
    model.tie_weights()
    return model.eval()  # type: ignore[no-any-return]


def parameters(model: torch.nn.Module) -> int:
    """Return the parameters of the language model."""
    return sum(parameter.numel() for name, parameter in model.named_parameters() if ".visual." not in name)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("model_type", JUDGED)
def test_random_configs_count_as_transformers_builds_them(model_type: str, seed: int) -> None:
    config = {"model_type": model_type} | KEYS[model_type](Random(seed))
    assert layered_model(config).total_params == parameters(built(config))


@pytest.mark.parametrize("model_type", JUDGED)
def test_every_default_is_that_of_transformers(model_type: str) -> None:
    kind, judge = LAYERED[model_type], AutoConfig.for_model(model_type)
    declared = {field.name: field.default for field in dataclasses.fields(judge)}
    renamed = {"mamba_d_head": None, "full_attention_interval": None, "tie_embedding": None, "global_head_dim": None}
    renamed |= {"first_k_dense_replace": None} if model_type == "kimi_linear" else {}
    for key, value in kind.defaults.items():
        name = renamed.get(key, key)
        if name is not None:
            default = declared[name] if name in declared else getattr(judge, name)
            assert (list(default) if isinstance(default, tuple) else default) == value, key


def with_attention(keys: Callable[[Random], dict[str, Any]], dice: Random) -> dict[str, Any]:
    """Return random keys of a model with a layer of attention: the cache of transformers can't do without one."""
    while True:
        found = keys(dice)
        kinds = found.get("layer_types", found.get("hybrid_override_pattern", ["full_attention"]))
        interval, depth = found.get("full_attention_interval", 1), found["num_hidden_layers"]
        offset = found.get("attn_layer_offset", 0)
        if max(interval, offset + 1) <= depth and any(kind in ("full_attention", "*") for kind in kinds):
            return found


def numbers(cache: Any) -> tuple[int, int]:
    """Return what a cache of transformers holds of one sequence: keys and values, and states."""
    tokens = sum(
        layer.keys.numel() + layer.values.numel()
        for layer in cache.layers
        if torch.is_tensor(getattr(layer, "keys", None))
    )
    states = [
        state
        for layer in cache.layers
        for kind in ("conv_states", "recurrent_states")
        for state in (getattr(layer, kind, None) or {}).values()
        if state is not None
    ]
    return tokens, sum(state.numel() for state in states)


def in_module(module: torch.nn.Module) -> list[torch.Tensor]:
    """Return the states that RecurrentGemma keeps in its modules."""
    states = (getattr(module, name, None) for name in ("conv1d_state", "recurrent_states"))
    return [state for state in states if torch.is_tensor(state)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("model_type", JUDGED)
@pytest.mark.filterwarnings("ignore")
def test_the_cache_is_the_one_that_transformers_keeps(model_type: str, seed: int) -> None:
    config = {"model_type": model_type} | with_attention(KEYS[model_type], Random(seed))
    judge = built(config, "cpu")
    with torch.no_grad():
        own = {"past_key_values": DynamicCache(config=load(config))} if model_type == "recurrent_gemma" else {}
        output = judge(torch.zeros(1, 11, dtype=torch.long), use_cache=True, **own)
    cache = own["past_key_values"] if own else output.get("cache_params", output.get("past_key_values"))
    model = layered_model(config)
    kept = (11 if layer.window is None else min(11, layer.window - 1) for layer in model.layers)
    held = sum(tokens * layer.cache_per_token for tokens, layer in zip(kept, model.layers, strict=True))
    tokens, states = numbers(cache)
    states += sum(kept.numel() for module in judge.modules() for kept in in_module(module))
    assert model.windows or model.cached_numbers(11) == tokens + states
    assert (held, model.state) == (tokens, states)  # of a full window, transformers drops what the next step won't see


QWEN3_5_27B = {
    "model_type": "qwen3_5_text",
    "hidden_size": 5120,
    "intermediate_size": 17408,
    "num_hidden_layers": 64,
    "num_attention_heads": 24,
    "num_key_value_heads": 4,
    "linear_num_value_heads": 48,
}
OPENELM_1_1B = {
    "model_type": "openelm",
    "model_dim": 2048,
    "num_transformer_layers": 28,
    "head_dim": 64,
    "num_gqa_groups": 4,
    "qkv_multipliers": [0.5, 1.0],
    "ffn_multipliers": [0.5, 4.0],
    "share_input_output_layers": True,
    "normalize_qk_projections": True,
}


def test_the_text_part_of_qwen3_5_27b() -> None:
    model = layered_model(QWEN3_5_27B, "Qwen3.5-27B")
    assert (model.total_params, model.cached_layers, model.n_layers) == (26_895_998_464, 16, 64)
    assert model.order == "16 × (3 × gated DeltaNet, attention)"


def test_openelm_1_1b_whose_every_layer_is_wider_than_the_one_before() -> None:
    model = layered_model(OPENELM_1_1B, "OpenELM-1.1B")
    assert model.total_params == 1_079_891_456
    widths = [layer.tensors["ffn.up_proj.weight"][0] for layer in model.layers]
    assert widths == sorted(widths)


def nas(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {
        "model_type": "nemotron-nas",
        "hidden_size": 64,
        "num_attention_heads": 4,
        "num_hidden_layers": len(blocks),
        "vocab_size": 100,
        "block_configs": list(blocks),
    }


def test_nemotron_nas_leaves_out_what_a_block_skips() -> None:
    full = {"attention": {"n_heads_in_group": 2}, "ffn": {"ffn_mult": 2.5}}
    linear = {"attention": {"replace_with_linear": True}, "ffn": {"no_op": True}}
    nothing = {"attention": {"no_op": True}, "ffn": {"replace_with_linear": True}}
    model = layered_model(nas(full, linear, nothing))
    attention, ffn = 2 * 64 * 64 + 2 * 32 * 64, 3 * 64 * 256
    expected = [attention + ffn + 2 * 64, 64 * 64 + 64, 64 * 64 + 64]
    assert [layer.params for layer in model.layers] == expected
    assert model.total_params == sum(expected) + 2 * 100 * 64 + 64
    assert (model.cache_per_token, model.order) == (2 * 32, "attention, linear, no attention")


REFUSED: dict[str, dict[str, Any]] = {
    'hidden_size="wide" is not allowed: it must be a whole number': {"model_type": "lfm2", "hidden_size": "wide"},
    "num_hidden_layers=1000000 is not allowed: it must be at most 4,096": {
        "model_type": "falcon_h1",
        "num_hidden_layers": 1_000_000,
    },
    'layer_types="mamba" is not supported: the kinds of layer are full_attention, linear_attention': {
        "model_type": "qwen3_5_text",
        "layer_types": ["mamba"],
    },
    'layer_types="1 kinds" is not allowed: there must be one for each of 32 layers': {
        "model_type": "qwen3_5_text",
        "layer_types": ["full_attention"],
    },
    "num_attention_heads=7 is not allowed: it must divide hidden_size=2560": {
        "model_type": "lfm2",
        "num_attention_heads": 7,
    },
    "num_experts_per_tok=9 is not allowed: it must be at most num_experts=2": {
        "model_type": "qwen3_next",
        "num_experts": 2,
        "num_experts_per_tok": 9,
    },
    "mlp_only_layers=3 is not allowed: it must be a list of the numbers of layers": {
        "model_type": "qwen3_next",
        "mlp_only_layers": 3,
    },
    "full_attn_idxs=3 is not allowed: it must be a list of the numbers of layers": {
        "model_type": "lfm2",
        "full_attn_idxs": 3,
    },
    "block_ffn_dim_multiplier=-1 is not allowed: it must be a number above 0": {
        "model_type": "lfm2",
        "block_ffn_dim_multiplier": -1,
    },
    'conv_bias="yes" is not allowed: it must be true or false': {"model_type": "lfm2", "conv_bias": "yes"},
    "mamba_d_head=3 is not allowed: mamba_d_ssm / mamba_n_heads is 8": {"model_type": "falcon_h1", "mamba_d_head": 3},
    'hybrid_override_pattern="MX" is not supported: it must be text of M': {
        "model_type": "nemotron_h",
        "hybrid_override_pattern": "MX",
    },
    "num_experts_per_tok=9 is not allowed: it must be at most n_routed_experts=8": {
        "model_type": "nemotron_h",
        "num_experts_per_tok": 9,
    },
    "layer_types=\\[\\] is not allowed: it must be a list of 1 to 4,096 kinds": {
        "model_type": "lfm2",
        "layer_types": [],
    },
    'ffn_multipliers="4" is not allowed: it must be a number above 0, or a list': {
        "model_type": "openelm",
        "ffn_multipliers": "4",
    },
    "ffn_multipliers=\\[1, 2, 3\\] is not allowed: it must have one number, two, or 12": {
        "model_type": "openelm",
        "ffn_multipliers": [1, 2, 3],
    },
    "num_query_heads=\\[4\\] is not allowed: it must be a list of 12 whole numbers": {
        "model_type": "openelm",
        "num_query_heads": [4],
    },
    "block_configs=null is not allowed: it must be a list of 32 objects": {"model_type": "nemotron-nas"},
    "block_configs=3 is not allowed: every layer must have an object attention": nas()
    | {"num_hidden_layers": 1, "block_configs": [3]},
    "ffn_mult=null is not allowed: it must be a number above 0": nas({"attention": {"no_op": True}, "ffn": {}}),
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_is_wrong_is_said_with_key_and_value(sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        layered_model(REFUSED[sentence])


def test_the_shares_add_up_and_idle_experts_are_not_active() -> None:
    model: LayeredModel = layered_model({"model_type": "qwen3_next"})
    assert sum(part.share for part in model.account.components) == pytest.approx(1)
    assert model.total_params - model.account.active_params == 48 * 502 * 3 * 512 * 2048

"""Published models whose layers are counted one by one: total and active parameters, and what a token keeps."""

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from slimlm.cli.layered_text import layered_text
from slimlm.core.layered import LayeredModel
from slimlm.costs.layered import layered_costs
from slimlm.interop.hf import from_hf_config
from slimlm.interop.hf.refusals import _KINDS as KINDS
from slimlm.interop.layered import LAYERED, layered_model
from slimlm.interop.read_model import read_model

GPT_OSS_20B = {
    "model_type": "gpt_oss",
    "architectures": ["GptOssForCausalLM"],
    "attention_bias": True,
    "experts_per_token": 4,
    "head_dim": 64,
    "hidden_size": 2880,
    "initial_context_length": 4096,
    "intermediate_size": 2880,
    "layer_types": ["sliding_attention", "full_attention"] * 12,
    "max_position_embeddings": 131072,
    "num_attention_heads": 64,
    "num_experts_per_tok": 4,
    "num_hidden_layers": 24,
    "num_key_value_heads": 8,
    "num_local_experts": 32,
    "quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]},
    "rope_theta": 150000,
    "sliding_window": 128,
    "swiglu_limit": 7.0,
    "tie_word_embeddings": False,
    "vocab_size": 201088,
}
GEMMA_4_31B = {
    "model_type": "gemma4_text",
    "attention_k_eq_v": True,
    "global_head_dim": 512,
    "head_dim": 256,
    "hidden_size": 5376,
    "hidden_size_per_layer_input": 0,
    "intermediate_size": 21504,
    "layer_types": [*["sliding_attention"] * 5, "full_attention"] * 10,
    "max_position_embeddings": 262144,
    "num_attention_heads": 32,
    "num_global_key_value_heads": 4,
    "num_hidden_layers": 60,
    "num_key_value_heads": 16,
    "sliding_window": 1024,
    "tie_word_embeddings": True,
    "use_bidirectional_attention": "vision",
    "vocab_size": 262144,
}
PHI_3_5_MOE = {"model_type": "phimoe", "attention_bias": True, "lm_head_bias": True, "sliding_window": 131072}
LLAMA_4_SCOUT = {"model_type": "llama4_text", "max_position_embeddings": 10_485_760}


def read(config: dict[str, Any]) -> LayeredModel:
    model = read_model(config, "model")
    assert isinstance(model, LayeredModel)
    return model


def test_gpt_oss_20b_with_its_sinks_biases_and_windows() -> None:
    model = read(GPT_OSS_20B)
    per_expert = 3 * 2880 * 2880 + 3 * 2880
    assert model.total_params == 20_914_757_184
    assert model.account.active_params == 20_914_757_184 - 24 * 28 * per_expert
    assert model.remarks == (
        "quantised weights (quantization_config: mxfp4): counted as the model before quantisation",
    )
    assert model.order == "12 × (windowed attention, attention)"
    assert model.kv_numbers(131_072) == 12 * 1024 * (131_072 + 128)


def test_the_text_part_of_gemma_4_31b_with_wide_full_attention_whose_keys_are_values() -> None:
    model = read({"model_type": "gemma4", "text_config": GEMMA_4_31B, "vision_config": {"depth": 27}})
    assert model.total_params == 30_697_345_280
    assert "text_config of gemma4 is read by itself: vision_config and the rest of the file left out" in model.remarks
    assert model.kv_numbers(10_000) == 50 * 1024 * 2 * 16 * 256 + 10 * 10_000 * 2 * 4 * 512


def test_a_config_that_transformers_has_saved_says_the_heads_of_each_layer() -> None:
    saved = {key: value for key, value in GEMMA_4_31B.items() if key not in ("global_head_dim", "use_bidirectional")}
    own = {"head_dim": 512, "num_key_value_heads": 4}
    listed = {f"{number:02}": own for number in range(60) if number % 6 == 5}
    assert read(saved | {"per_layer_config": listed}).total_params == 30_697_345_280


@pytest.mark.parametrize(
    ("config", "total", "active"),
    [(PHI_3_5_MOE, 41.9, 6.6), (LLAMA_4_SCOUT, 107.8, 17.2), ({"model_type": "ernie4_5_moe"}, 21.8, 3.4)],
)
def test_published_mixtures_have_the_billions_that_are_known_of_their_text_parts(
    config: dict[str, Any], total: float, active: float
) -> None:
    account = read(config).account
    assert (round(account.total_params / 1e9, 1), round(account.active_params / 1e9, 1)) == (total, active)


KIMI_LINEAR_48B: dict[str, Any] = {
    "model_type": "kimi_linear",
    "first_k_dense_replace": 1,
    "linear_attn_config": {
        "full_attn_layers": [4, 8, 12, 16, 20, 24, 27],
        "head_dim": 128,
        "kda_layers": [n for n in range(1, 27) if n % 4],
        "num_heads": 32,
        "short_conv_kernel_size": 4,
    },
    "model_max_length": 1048576,
    "num_experts": 256,
    "num_experts_per_token": 8,
    "num_shared_experts": 1,
    "tie_word_embeddings": True,
}


def test_kimi_linear_as_it_was_published_has_its_full_layers_counted_from_one() -> None:
    model = read(KIMI_LINEAR_48B)
    judged = AutoConfig.for_model(**KIMI_LINEAR_48B)
    assert [layer.kind == "latent attention" for layer in model.layers] == [
        kind == "full_attention" for kind in judged.layer_types
    ]
    with torch.device("meta"):  # its published files hold 26 · 256 balancing biases beside the parameters
        judge = AutoModelForCausalLM.from_config(judged)  # type: ignore[no-untyped-call]
    assert model.total_params == sum(parameter.numel() for parameter in judge.parameters()) == 49_122_681_728 - 26 * 256
    assert round(model.account.active_params / 1e9, 1) == 3.5
    assert model.cache_per_token == 7 * 576
    assert model.remarks[-1].startswith("two tables are counted, because the class does not tie them")


def test_a_model_without_attention_has_no_cache_and_no_longest_sequence() -> None:
    model = read({"model_type": "mamba"})
    assert [cost.name for cost in layered_costs(model)] == ["Weights", "States of one sequence"]
    assert {part.name for part in model.account.components} >= {"Mamba", "RMSNorms"}
    assert "Attention" not in layered_text(model) and model.cached_numbers(10**6) == model.state


def test_windows_bound_the_cache_of_a_model_that_takes_any_length() -> None:
    rows = {cost.name: cost for cost in layered_costs(read({"model_type": "recurrent_gemma"}))}
    said = rows["KV cache of one sequence"].assumption
    assert said.startswith("2,048 tokens, or more: the model takes any number; 8 layers of windows keep at most 2,048")


REFUSED: dict[str, dict[str, Any]] = {
    "num_experts_per_tok=33 is not allowed: it must be at most num_local_experts=32": GPT_OSS_20B
    | {"num_experts_per_tok": 33},
    'layer_types="mamba" is not supported: the kinds of layer are sliding_attention, full_attention': GPT_OSS_20B
    | {"layer_types": ["mamba"] * 24},
    "n_routed_experts=null is not allowed: it must be a whole number": {"model_type": "dots1"},
    'moe_topk="2 numbers" is not allowed: there must be one for each of 32 layers': {
        "model_type": "hunyuan_v1_moe",
        "moe_topk": [1, 1],
    },
    "moe_topk=3 is not allowed: it must be at most num_experts=2": {
        "model_type": "hunyuan_v1_moe",
        "num_experts": 2,
        "moe_topk": 3,
    },
    'no_rope_layers="1 numbers" is not allowed: it must be a list of 48 zeros and ones': {
        "model_type": "llama4_text",
        "no_rope_layers": [1],
    },
    "moe_layers=3 is not allowed: it must be a list of the numbers of layers": {
        "model_type": "llama4_text",
        "moe_layers": 3,
    },
    'use_bidirectional_attention="all" is not supported: slimlm describes causal decoders': GEMMA_4_31B
    | {"use_bidirectional_attention": "all"},
    "num_kv_shared_layers=60 is not allowed: each kind of layer among those that reuse a cache": GEMMA_4_31B
    | {"num_kv_shared_layers": 60},
    "per_layer_config=3 is not allowed: it must be an object with an object for each layer": GEMMA_4_31B
    | {"per_layer_config": 3},
    'intermediate_size="1 widths" is not allowed: there must be one, or one for each of 35': {
        "model_type": "gemma3n_text",
        "intermediate_size": [8],
    },
    "head_dim=7 is not allowed: num_heads · head_dim must be expand · hidden_size=8192": {
        "model_type": "mamba2",
        "head_dim": 7,
    },
    "attn_layer_offset=8 is not allowed: it must be less than attn_layer_period=8": {
        "model_type": "jamba",
        "attn_layer_offset": 8,
    },
    "mamba_d_head=3 is not allowed: mamba_expand · hidden_size / heads is 64": {
        "model_type": "bamba",
        "mamba_d_head": 3,
    },
    "mamba_n_heads=7 is not allowed: it must divide mamba_expand · hidden_size=8192": {
        "model_type": "granitemoehybrid",
        "mamba_n_heads": 7,
    },
    "attn_layer_indices=3 is not allowed: it must be a list of the numbers of layers": {
        "model_type": "bamba",
        "attn_layer_indices": 3,
    },
    "num_attention_heads=7 is not allowed: it must divide lru_width=2560": {
        "model_type": "recurrent_gemma",
        "num_attention_heads": 7,
    },
    'block_types="rwkv" is not supported: the kinds of layer are recurrent, attention': {
        "model_type": "recurrent_gemma",
        "block_types": ["rwkv"],
    },
    "layer_types=null is not allowed: there must be one for each of 32 layers": {"model_type": "lfm2_moe"},
    'layer_types="1 kinds" is not allowed: there must be one for each of 32 layers': {
        "model_type": "lfm2_moe",
        "layer_types": ["conv"],
    },
    "linear_attn_config=3 is not allowed: it must be an object": {"model_type": "kimi_linear", "linear_attn_config": 3},
    "full_attn_layers=3 is not allowed: it must be a list of the numbers of layers, from 1 on": {
        "model_type": "kimi_linear",
        "linear_attn_config": {"full_attn_layers": 3},
    },
    "linear_num_key_heads=7 is not allowed: it must divide linear_num_value_heads=30": {
        "model_type": "olmo_hybrid",
        "linear_num_key_heads": 7,
    },
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_is_wrong_is_said_with_key_and_value(sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        layered_model(REFUSED[sentence])


@pytest.mark.parametrize("model_type", sorted(LAYERED))
def test_a_type_that_is_counted_says_so_where_an_architecture_is_asked_for(model_type: str) -> None:
    with pytest.raises(ValueError, match=f'model_type="{model_type}" is not supported: .*the Inspect page and the'):
        from_hf_config({"model_type": model_type, "num_experts": 8, "num_local_experts": 8})


def test_no_other_type_is_said_to_be_counted() -> None:
    said = {name for kind, types in KINDS.items() if kind.endswith("count it") for name in types.split()}
    assert said == set(LAYERED)

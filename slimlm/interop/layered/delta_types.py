"""Qwen3-Next and Qwen3.5: gated DeltaNet in most layers, attention in the others, dense or with experts."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from slimlm.core.layered import Layer
from slimlm.interop.layered.keys import Keys
from slimlm.interop.layered.parts import Mixture, attention, delta_net, feed_forward, linear, mixture, norms

FULL, LINEAR = "full_attention", "linear_attention"
DELTA = "gated DeltaNet"

_SHARED = {
    "hidden_act": "silu",
    "max_position_embeddings": 32768,
    "tie_word_embeddings": False,
    "attention_bias": False,
    "head_dim": 256,
    "linear_conv_kernel_dim": 4,
    "linear_key_head_dim": 128,
    "linear_value_head_dim": 128,
    "linear_num_key_heads": 16,
    "linear_num_value_heads": 32,
    "full_attention_interval": 4,
    "num_attention_heads": 16,
}
_EXPERTS = {"moe_intermediate_size": 512, "shared_expert_intermediate_size": 512}

QWEN3_5 = _SHARED | {
    "vocab_size": 248320,
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "num_hidden_layers": 32,
    "num_key_value_heads": 4,
}
QWEN3_5_MOE = (
    _SHARED
    | _EXPERTS
    | {
        "vocab_size": 248320,
        "hidden_size": 2048,
        "num_hidden_layers": 40,
        "num_key_value_heads": 2,
        "num_experts_per_tok": 8,
        "num_experts": 256,
    }
)
QWEN3_NEXT = (
    _SHARED
    | _EXPERTS
    | {
        "vocab_size": 151936,
        "hidden_size": 2048,
        "intermediate_size": 5632,
        "num_hidden_layers": 48,
        "num_key_value_heads": 2,
        "decoder_sparse_step": 1,
        "num_experts_per_tok": 10,
        "num_experts": 512,
    }
)
"""Defaults of the configuration classes of transformers 5.23."""

FeedForward = Callable[[int], Mixture]
"""Layer number → its feed-forward."""


def qwen3_5(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a qwen3_5_text config; raises ValueError for values outside their limits."""
    dense = feed_forward(keys.whole("hidden_size"), keys.whole("intermediate_size"))
    return _layers(keys, lambda _: (dense, 0))


def qwen3_5_moe(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a qwen3_5_moe_text config; raises ValueError for values outside their limits."""
    mixture = _mixture(keys)
    return _layers(keys, lambda _: mixture)


def qwen3_next(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a qwen3_next config; raises ValueError for values outside their limits."""
    step, without = keys.whole("decoder_sparse_step"), keys.numbers("mlp_only_layers") or ()
    dense = feed_forward(keys.whole("hidden_size"), keys.whole("intermediate_size"))
    mixture = _mixture(keys) if keys.whole("num_experts", least=0) else (dense, 0)
    return _layers(keys, lambda number: (dense, 0) if number in without or (number + 1) % step else mixture)


def _mixture(keys: Keys) -> Mixture:
    d_model, d_expert, count = keys.whole("hidden_size"), keys.whole("moe_intermediate_size"), keys.whole("num_experts")
    chosen = keys.chosen("num_experts_per_tok", "num_experts", count)
    found, idle = mixture(d_model, d_expert, count, chosen, shared=keys.whole("shared_expert_intermediate_size"))
    return found | linear("ffn.shared_gate", 1, d_model), idle


def _layers(keys: Keys, ffn: FeedForward) -> tuple[Layer, ...]:
    def by_interval(number: int) -> str:
        return LINEAR if (number + 1) % keys.whole("full_attention_interval") else FULL

    kinds = keys.kind_of_each("layer_types", (FULL, LINEAR), by_interval)
    made = {FULL: _attention_layer(keys), LINEAR: _delta_layer(keys)}
    return tuple(_with_ffn(made[kind], *ffn(number)) for number, kind in enumerate(kinds))


def _with_ffn(layer: Layer, tensors: dict[str, Any], idle: int) -> Layer:
    return replace(layer, tensors={**layer.tensors, **tensors}, idle_params=idle)


_NORMS = ("attention_norm", "ffn_norm")


def _attention_layer(keys: Keys) -> Layer:
    d_model, heads = keys.whole("hidden_size"), keys.whole("num_attention_heads")
    kv_heads, head_dim = keys.whole("num_key_value_heads"), keys.whole("head_dim")
    keys.divided("num_attention_heads", heads, "num_key_value_heads", kv_heads)
    bias = keys.switch("attention_bias")
    tensors = attention(d_model, heads, kv_heads, head_dim, bias=bias, norms=True, gated=True)
    return Layer("attention", {**tensors, **norms(d_model, *_NORMS)}, cache_per_token=2 * kv_heads * head_dim)


def _delta_layer(keys: Keys) -> Layer:
    d_model, kernel = keys.whole("hidden_size"), keys.whole("linear_conv_kernel_dim")
    heads, key_heads = keys.whole("linear_num_value_heads"), keys.whole("linear_num_key_heads")
    keys.divided("linear_num_value_heads", heads, "linear_num_key_heads", key_heads)
    head, key_head = keys.whole("linear_value_head_dim"), keys.whole("linear_key_head_dim")
    key, value = key_heads * key_head, heads * head
    tensors = {**delta_net(d_model, key, value, heads, head, kernel), **norms(d_model, *_NORMS)}
    return Layer(DELTA, tensors, state=(2 * key + value) * kernel + value * key_head)

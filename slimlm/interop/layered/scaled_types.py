"""OpenELM (widths grow with depth) and Nemotron-NAS (a search has chosen each layer).

Neither is a class of transformers: the sizes follow the code that the models were published with. OpenELM: Mehta et al.
2024 (arXiv 2404.14619), section 2.1. Nemotron-NAS: Bercovich et al. 2024 (arXiv 2411.19146).
"""

from collections.abc import Mapping
from typing import Any

from slimlm.core.layered import Layer
from slimlm.interop.hf.family import not_allowed
from slimlm.interop.layered.keys import MOST, Keys
from slimlm.interop.layered.parts import attention, feed_forward, linear, norms

OPENELM = {
    "vocab_size": 32000,
    "max_context_length": 2048,
    "num_transformer_layers": 12,
    "model_dim": 2048,
    "head_dim": 128,
    "qkv_multipliers": 1.0,
    "num_gqa_groups": 1,
    "ffn_multipliers": 4.0,
    "ffn_with_glu": True,
    "ffn_dim_divisor": 256,
    "normalize_qk_projections": False,
    "share_input_output_layers": False,
}
NEMOTRON_NAS = {
    "vocab_size": 32000,
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": False,
    "attention_bias": False,
    "mlp_bias": False,
}


def openelm(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of an openelm config; raises ValueError for values outside their limits."""
    d_model, head_dim, depth = keys.whole("model_dim"), keys.whole("head_dim"), keys.depth("num_transformer_layers")
    heads, kv_heads = _openelm_heads(keys, depth, d_model, head_dim)
    divisor, gated = keys.whole("ffn_dim_divisor"), keys.switch("ffn_with_glu")
    factors = _spread(keys, "ffn_multipliers", depth)
    normed = keys.switch("normalize_qk_projections")
    layers = []
    for queries, shared, factor in zip(heads, kv_heads, factors, strict=True):
        tensors = {
            **attention(d_model, queries, shared, head_dim, norms=normed),
            **feed_forward(d_model, _rounded(factor * d_model, divisor), gated=gated),
            **norms(d_model, "attention_norm", "ffn_norm"),
        }
        layers.append(Layer("attention", tensors, cache_per_token=2 * shared * head_dim))
    return tuple(layers)


def _openelm_heads(keys: Keys, depth: int, d_model: int, head_dim: int) -> tuple[list[int], list[int]]:
    groups, given = keys.whole("num_gqa_groups"), keys.get("num_query_heads")
    if given is None:
        unit = head_dim * groups
        heads = [_rounded(f * d_model, unit) // head_dim for f in _spread(keys, "qkv_multipliers", depth)]
        return heads, [count // groups for count in heads]
    return _counts(keys, "num_query_heads", depth), _counts(keys, "num_kv_heads", depth)


def _counts(keys: Keys, key: str, depth: int) -> list[int]:
    value = keys.get(key)
    if not isinstance(value, list) or len(value) != depth:
        raise not_allowed(key, value, f"it must be a list of {depth} whole numbers")
    return [keys.checked(key, count) for count in value]


def _spread(keys: Keys, key: str, depth: int) -> list[float]:
    """Return a factor for each layer: of one number, of the first and the last layer's, or of a list of all."""
    value = keys.get(key)
    numbers = value if isinstance(value, list) else [value]
    if not all(isinstance(n, int | float) and not isinstance(n, bool) and 0 < n <= MOST for n in numbers):
        raise not_allowed(key, value, "it must be a number above 0, or a list of them")
    if len(numbers) == 1:
        return numbers * depth
    if len(numbers) == 2 and depth > 1:
        first, last = numbers
        return [round(first + (last - first) * number / (depth - 1), 2) for number in range(depth)]
    if len(numbers) != depth:
        raise not_allowed(key, value, f"it must have one number, two, or {depth}, one for each layer")
    return numbers


def _rounded(value: float, divisor: int) -> int:
    """Round to a multiple of a divisor, and never down by more than 10 % (`make_divisible` of OpenELM's code)."""
    found = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return found + divisor if found < 0.9 * value else found


def nemotron_nas(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a nemotron-nas config; raises ValueError for values outside their limits."""
    d_model, depth, blocks = keys.whole("hidden_size"), keys.depth("num_hidden_layers"), keys.get("block_configs")
    if not isinstance(blocks, list) or len(blocks) != depth:
        raise not_allowed("block_configs", blocks, f"it must be a list of {depth} objects, one for each layer")
    return tuple(_nas_layer(keys, d_model, block) for block in blocks)


def _nas_layer(keys: Keys, d_model: int, block: object) -> Layer:
    mixing, feeding = (_part(block, name) for name in ("attention", "ffn"))
    tensors: dict[str, tuple[int, ...]] = {}
    kind, cache = "no attention", 0
    if mixing.get("replace_with_linear"):
        kind, tensors = "linear", linear("attention.linear", d_model, d_model)
    elif not mixing.get("no_op"):
        kind = "attention"
        heads, head_dim, kv_heads = _nas_heads(keys, d_model, mixing)
        tensors = attention(d_model, heads, kv_heads, head_dim, bias=keys.switch("attention_bias"))
        cache = 2 * kv_heads * head_dim
    tensors |= {} if mixing.get("no_op") else norms(d_model, "attention_norm")
    if feeding.get("replace_with_linear"):
        tensors |= linear("ffn.linear", d_model, d_model)
    elif not feeding.get("no_op"):
        tensors |= feed_forward(d_model, _nas_width(keys, d_model, feeding), bias=keys.switch("mlp_bias"))
    tensors |= {} if feeding.get("no_op") else norms(d_model, "ffn_norm")
    return Layer(kind, tensors, cache_per_token=cache)


def _part(block: object, name: str) -> Mapping[str, Any]:
    found = block.get(name) if isinstance(block, Mapping) else None
    if not isinstance(found, Mapping):
        raise not_allowed("block_configs", block, "every layer must have an object attention and an object ffn")
    return found


def _nas_heads(keys: Keys, d_model: int, mixing: Mapping[str, Any]) -> tuple[int, int, int]:
    heads, shared = keys.whole("num_attention_heads"), keys.checked("n_heads_in_group", mixing.get("n_heads_in_group"))
    head_dim = keys.divided("hidden_size", d_model, "num_attention_heads", heads)
    return heads, head_dim, keys.divided("num_attention_heads", heads, "n_heads_in_group", shared)


def _nas_width(keys: Keys, d_model: int, feeding: Mapping[str, Any]) -> int:
    """Return d_ff: given, or two thirds of a multiple of the width, rounded up to a multiple of 256."""
    if feeding.get("intermediate_size") is not None:
        return keys.checked("intermediate_size", feeding["intermediate_size"])
    factor = feeding.get("ffn_mult")
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 < factor <= MOST:
        raise not_allowed("ffn_mult", factor, "it must be a number above 0")
    return -(-int(2 * factor * d_model / 3) // 256) * 256

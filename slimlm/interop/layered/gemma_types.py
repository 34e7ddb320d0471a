"""Gemma 4 and Gemma 3n: some layers reuse earlier keys and values, and each has a table of embeddings."""

from collections.abc import Mapping
from typing import Any

from slimlm.core.layered import Layer, Tensors
from slimlm.interop.hf.family import not_allowed, not_supported
from slimlm.interop.layered.heads import FULL, WINDOWED, Heads, heads_of
from slimlm.interop.layered.keys import Keys
from slimlm.interop.layered.parts import Mixture, feed_forward, linear, mixture, norms

_SHARED = {
    "head_dim": 256,
    "tie_word_embeddings": True,
    "attention_bias": False,
    "sliding_window": 512,
    "vocab_size_per_layer_input": 262144,
    "hidden_size_per_layer_input": 256,
    "num_attention_heads": 8,
}
GEMMA4 = _SHARED | {
    "vocab_size": 262144,
    "hidden_size": 2304,
    "intermediate_size": 9216,
    "num_hidden_layers": 30,
    "num_key_value_heads": 4,
    "max_position_embeddings": 131072,
    "attention_k_eq_v": False,
    "num_kv_shared_layers": 0,
    "enable_moe_block": False,
    "use_double_wide_mlp": False,
    "global_head_dim": 512,
}
GEMMA3N = _SHARED | {
    "vocab_size": 262400,
    "hidden_size": 2048,
    "intermediate_size": 16384,
    "num_hidden_layers": 35,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32768,
    "num_kv_shared_layers": 15,
    "altup_num_inputs": 4,
    "laurel_rank": 64,
}
"""Defaults of the configuration classes of transformers 5.23; `global_head_dim` is one of their arguments."""

_FOUR_NORMS = ("attention_norm", "after_attention_norm", "ffn_norm", "after_ffn_norm")


def gemma4(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a gemma4_text config; raises ValueError for values outside their limits."""
    if keys.get("use_bidirectional_attention") == "all":
        raise not_supported("use_bidirectional_attention", "all", "slimlm describes causal decoders")
    kinds = keys.kind_of_each("layer_types", (WINDOWED, FULL), lambda number: WINDOWED if (number + 1) % 6 else FULL)
    kinds = [*kinds[:-1], FULL]  # the class changes the last one
    own, heads = _own_caches(keys, kinds), _heads_of_each(keys, kinds)
    double, width, d_model = keys.switch("use_double_wide_mlp"), keys.whole("intermediate_size"), heads[0].d_model
    same, beside = keys.switch("attention_k_eq_v"), {**norms(d_model, *_FOUR_NORMS), **_per_layer(keys, d_model)}
    made: dict[tuple[str, bool, Heads], Layer] = {}
    for kind, caches, each in set(zip(kinds, own, heads, strict=True)):
        ffn, idle = _gemma4_ffn(keys, d_model, width if caches or not double else 2 * width)
        mixing = _projections(keys, each, caches, values=kind == WINDOWED or not same)
        cached = each.cached if caches else 0
        made[kind, caches, each] = _layer(keys, {**mixing, **ffn, **beside}, kind, cached, idle)
    return tuple(made[kind] for kind in zip(kinds, own, heads, strict=True))


def _heads_of_each(keys: Keys, kinds: list[str]) -> list[Heads]:
    """Return the heads of each layer: layers of full attention have wider ones, or each those of `per_layer_config`."""
    heads, listed = heads_of(keys), keys.get("per_layer_config")
    if listed is None:
        same = keys.switch("attention_k_eq_v")
        few = keys.optional("num_global_key_value_heads") if same else None
        wide = _with(keys, heads, {"head_dim": keys.whole("global_head_dim"), "num_key_value_heads": few})
        return [wide if kind == FULL else heads for kind in kinds]
    if not isinstance(listed, Mapping) or not all(isinstance(own, Mapping) for own in listed.values()):
        raise not_allowed("per_layer_config", listed, "it must be an object with an object for each layer's number")
    own = {str(number).lstrip("0") or "0": values for number, values in listed.items()}
    return [_with(keys, heads, own.get(str(number), {})) for number in range(len(kinds))]


def _with(keys: Keys, heads: Heads, own: Mapping[str, Any]) -> Heads:
    """Return the heads of a layer that has sizes of its own."""
    head_dim, kv_heads = own.get("head_dim"), own.get("num_key_value_heads")
    found = heads if head_dim is None else heads._replace(head_dim=keys.checked("head_dim", head_dim))
    if kv_heads is None:
        return found
    keys.divided(
        "num_attention_heads", heads.heads, "num_key_value_heads", keys.checked("num_key_value_heads", kv_heads)
    )
    return found._replace(kv_heads=kv_heads)


_REUSED = ("attention.k_proj", "attention.v_proj", "norms.k_norm")


def _projections(keys: Keys, heads: Heads, caches: bool, *, values: bool = True) -> dict[str, tuple[int, ...]]:
    """Return the tensors of attention: without keys and values where it reuses them, or with keys that are values."""
    found = heads.tensors(bias=keys.switch("attention_bias"), norms=True)
    without = _REUSED if not caches else () if values else ("attention.v_proj",)
    return {name: shape for name, shape in found.items() if not name.startswith(without)}


def _layer(keys: Keys, tensors: Tensors, kind: str, cached: int, idle: int = 0) -> Layer:
    window = keys.whole("sliding_window") if kind == WINDOWED else None
    name = "attention" if window is None else "windowed attention"
    name = name if cached else f"{name} to an earlier cache"
    return Layer(name, tensors, cache_per_token=cached, idle_params=idle, window=window)


def _own_caches(keys: Keys, kinds: list[str]) -> list[bool]:
    """Return whether each layer has keys and values of its own; the last ones may reuse those of earlier ones."""
    shared = keys.whole("num_kv_shared_layers", least=0)
    first = len(kinds) - shared
    if shared and set(kinds[: max(0, first)]) != set(kinds):
        rule = "each kind of layer among those that reuse a cache must be among the others"
        raise not_allowed("num_kv_shared_layers", shared, rule)
    return [number < first for number in range(len(kinds))]


def _gemma4_ffn(keys: Keys, d_model: int, width: int) -> Mixture:
    dense = feed_forward(d_model, width)
    if not keys.switch("enable_moe_block"):
        return dense, 0
    count, d_expert = keys.whole("num_experts"), keys.whole("moe_intermediate_size")
    found, idle = mixture(d_model, d_expert, count, keys.chosen("top_k_experts", "num_experts", count))
    found |= {"ffn.router.scale": (d_model,), "ffn.router.expert_scale": (count,)}
    beside = norms(d_model, "after_dense_norm", "experts_norm", "after_experts_norm")
    return {**dense, **found, **beside}, idle


def _per_layer(keys: Keys, d_model: int) -> dict[str, tuple[int, ...]]:
    """Return the tensors that add a layer's own embedding of the token to its output."""
    width = keys.whole("hidden_size_per_layer_input", least=0)
    if not width:
        return {}
    found = linear("ffn.per_layer_gate", width, d_model) | linear("ffn.per_layer_projection", d_model, width)
    return found | norms(d_model, "after_per_layer_norm")


def tables(keys: Keys) -> Tensors:
    """Return the table with an embedding of each token for each layer."""
    width, depth = keys.whole("hidden_size_per_layer_input", least=0), keys.depth("num_hidden_layers")
    return {"token_embedding.per_layer": (keys.whole("vocab_size_per_layer_input"), depth * width)} if width else {}


def outside(keys: Keys) -> Tensors:
    """Return the projection and the norm of the layers' own embeddings, and Gemma 3n's projections of its streams."""
    width, depth = keys.whole("hidden_size_per_layer_input", least=0), keys.depth("num_hidden_layers")
    d_model = keys.whole("hidden_size")
    found: dict[str, tuple[int, ...]] = {}
    if width:
        found |= linear("token_embedding.per_layer_projection", depth * width, d_model)
        found |= {"token_embedding.per_layer_norm": (width,)}
    return found


def gemma3n_outside(keys: Keys) -> Tensors:
    """Return what Gemma 3n has outside its layers beside the tables."""
    found, d_model = dict(outside(keys)), keys.whole("hidden_size")
    for number in range(1, keys.whole("altup_num_inputs")):
        found |= linear(f"token_embedding.stream_{number}", d_model, d_model)
        found |= linear(f"final_norm.stream_{number}", d_model, d_model)
    return found


def gemma3n(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a gemma3n_text config; raises ValueError for values outside their limits."""
    kinds = keys.kind_of_each("layer_types", (WINDOWED, FULL), lambda number: WINDOWED if (number + 1) % 5 else FULL)
    heads, own, widths = heads_of(keys), _own_caches(keys, kinds), _widths(keys, len(kinds))
    beside = {**norms(heads.d_model, *_FOUR_NORMS), **_per_layer(keys, heads.d_model), **_streams(keys, heads.d_model)}
    made: dict[tuple[str, bool, int], Layer] = {}
    for kind, caches, width in set(zip(kinds, own, widths, strict=True)):
        tensors = {**_projections(keys, heads, caches), **feed_forward(heads.d_model, width), **beside}
        made[kind, caches, width] = _layer(keys, tensors, kind, heads.cached if caches else 0)
    return tuple(made[kind] for kind in zip(kinds, own, widths, strict=True))


def _widths(keys: Keys, depth: int) -> list[int]:
    given = keys.get("intermediate_size")
    if not isinstance(given, list):
        return [keys.whole("intermediate_size")] * depth
    if len(given) != depth:
        raise not_allowed("intermediate_size", f"{len(given)} widths", f"there must be one, or one for each of {depth}")
    return [keys.checked("intermediate_size", width) for width in given]


def _streams(keys: Keys, d_model: int) -> dict[str, tuple[int, ...]]:
    """Return a layer's tensors of AltUp (Baykal et al. 2023, arXiv 2301.13310) and of the low-rank residual LAuReL."""
    streams, rank = keys.whole("altup_num_inputs"), keys.whole("laurel_rank")
    found = linear("ffn.streams.correct", streams, streams) | linear("ffn.streams.predict", streams**2, streams)
    found |= linear("ffn.streams.router", streams, d_model) | {"ffn.streams.scale": (d_model,)}
    found |= linear("ffn.laurel.left", rank, d_model) | linear("ffn.laurel.right", d_model, rank)
    return found | norms(d_model, "streams_norm", "laurel_norm")

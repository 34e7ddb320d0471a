"""OLMo Hybrid (gated DeltaNet beside attention) and Kimi Linear (delta attention beside latent attention)."""

from collections.abc import Mapping
from typing import Any

from slimlm.core.layered import Layer
from slimlm.interop.hf.family import not_allowed
from slimlm.interop.layered.delta_types import DELTA, FULL, LINEAR
from slimlm.interop.layered.heads import NORMS, heads_of
from slimlm.interop.layered.keys import Keys
from slimlm.interop.layered.parts import Mixture, Shapes, delta_net, feed_forward, linear, mixture, norms


def olmo_hybrid(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of an olmo_hybrid config; raises ValueError for values outside their limits."""
    heads, depth = heads_of(keys), keys.depth("num_hidden_layers")

    def usual(number: int) -> str:
        return FULL if number % 4 == 3 or (depth < 4 and number == depth - 1) else LINEAR

    kinds = keys.kind_of_each("layer_types", (LINEAR, FULL), usual)
    shared = {**feed_forward(heads.d_model, keys.whole("intermediate_size")), **norms(heads.d_model, *NORMS)}
    full = heads.tensors(bias=keys.switch("attention_bias"))
    full |= {"norms.q_norm": (heads.heads * heads.head_dim,), "norms.k_norm": (heads.kv_heads * heads.head_dim,)}
    tensors, state = _olmo_delta(keys, heads.d_model, heads.heads)
    made = {
        FULL: Layer("attention", {**full, **shared}, cache_per_token=heads.cached),
        LINEAR: Layer(DELTA, {**tensors, **shared}, state=state),
    }
    return tuple(made[kind] for kind in kinds)


def _olmo_delta(keys: Keys, d_model: int, heads: int) -> tuple[Mapping[str, Any], int]:
    key_heads = keys.optional("linear_num_key_heads") or heads
    value_heads = keys.optional("linear_num_value_heads") or heads
    key_head = keys.optional("linear_key_head_dim") or max(1, int(0.75 * d_model / key_heads))
    value_head, kernel = keys.optional("linear_value_head_dim") or 2 * key_head, keys.whole("linear_conv_kernel_dim")
    keys.divided("linear_num_value_heads", value_heads, "linear_num_key_heads", key_heads)
    key, value = key_heads * key_head, value_heads * value_head
    return delta_net(d_model, key, value, value_heads, value_head, kernel), (
        2 * key + value
    ) * kernel + value * key_head


def kimi_linear(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a kimi_linear config; raises ValueError for values outside their limits."""
    d_model, own = keys.whole("hidden_size"), keys.get("linear_attn_config") or {}
    if not isinstance(own, Mapping):
        raise not_allowed("linear_attn_config", own, "it must be an object")
    listed = own.get("full_attn_layers")
    if listed is not None and not isinstance(listed, list):
        raise not_allowed("full_attn_layers", listed, "it must be a list of the numbers of layers, from 1 on")

    def usual(number: int) -> str:
        full = number and number % 4 == 0 if listed is None else number + 1 in listed
        return FULL if full else LINEAR

    dense_layers = keys.whole("first_k_dense_replace", least=0)
    kinds = keys.kind_of_each("layer_types", (LINEAR, FULL), usual)
    feeds = keys.kind_of_each("mlp_layer_types", _FEEDS, lambda n: _FEEDS[n >= dense_layers])
    ffn, mixers = _kimi_ffn(keys, d_model), {FULL: _latent(keys, d_model), LINEAR: _kimi_delta(keys, d_model, own)}
    made = {(kind, feed): _joined(mixers[kind], ffn[feed], d_model) for kind in mixers for feed in ffn}
    return tuple(made[kind] for kind in zip(kinds, feeds, strict=True))


_FEEDS = ("dense", "sparse")


def _joined(mixer: Layer, ffn: Mixture, d_model: int) -> Layer:
    tensors, idle = ffn
    whole = {**mixer.tensors, **tensors, **norms(d_model, *NORMS)}
    return Layer(mixer.kind, whole, mixer.cache_per_token, mixer.state, idle)


def _kimi_ffn(keys: Keys, d_model: int) -> dict[str, Mixture]:
    count, width = keys.whole("num_local_experts", "num_experts"), keys.whole("moe_intermediate_size")
    chosen = keys.chosen("num_experts_per_tok", "num_local_experts", count, "num_experts_per_token")
    shared = width * keys.whole("n_shared_experts", "num_shared_experts", least=0)
    dense = feed_forward(d_model, keys.whole("intermediate_size"))
    return {"dense": (dense, 0), "sparse": mixture(d_model, width, count, chosen, shared=shared)}


def _latent(keys: Keys, d_model: int) -> Layer:
    """Return multi-head latent attention (DeepSeek-AI 2024, arXiv 2405.04434)."""
    heads, rank, q_rank = keys.whole("num_attention_heads"), keys.whole("kv_lora_rank"), keys.optional("q_lora_rank")
    turned, plain, value = (keys.whole(key) for key in ("qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim"))
    bias, queries = keys.switch("attention_bias"), heads * (turned + plain)
    found = linear("attention.q_proj", queries, d_model)
    if q_rank is not None:
        found = linear("attention.q_down_proj", q_rank, d_model, bias) | {"norms.q_latent_norm": (q_rank,)}
        found |= linear("attention.q_up_proj", queries, q_rank)
    found |= linear("attention.kv_down_proj", rank + turned, d_model, bias) | {"norms.kv_latent_norm": (rank,)}
    found |= linear("attention.kv_up_proj", heads * (plain + value), rank)
    found |= linear("attention.o_proj", d_model, heads * value, bias)
    return Layer("latent attention", found, cache_per_token=rank + turned)


def _kimi_delta(keys: Keys, d_model: int, own: Mapping[str, Any]) -> Layer:
    """Return Kimi delta attention (Kimi Team 2025, arXiv 2510.26692), whose every channel forgets at its own pace."""

    def size(key: str, name: str) -> int:
        return keys.whole(key) if own.get(name) is None else keys.checked(name, own[name])

    head, heads = size("linear_head_dim", "head_dim"), size("linear_num_heads", "num_heads")
    kernel, width = size("linear_conv_kernel_dim", "short_conv_kernel_size"), head * heads
    found: Shapes = {"recurrence.conv.weight": (3 * width, 1, kernel), "recurrence.dt_bias": (width,)}
    found |= {"recurrence.A_log": (heads,), "recurrence.norm": (head,)} | linear("recurrence.b_proj", heads, d_model)
    for name in ("q_proj", "k_proj", "v_proj"):
        found |= linear(f"recurrence.{name}", width, d_model)
    for name in ("forget", "gate"):
        found |= linear(f"recurrence.{name}_down", head, d_model) | linear(f"recurrence.{name}_up", width, head)
    found |= linear("recurrence.o_proj", d_model, width)
    return Layer("Kimi delta attention", found, state=3 * width * kernel + width * head)

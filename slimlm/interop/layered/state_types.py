"""Mamba, Mamba-2 and Falcon-Mamba; Jamba, Bamba and Granite 4, which mix them with attention; and RecurrentGemma."""

from math import ceil

from slimlm.core.layered import Layer
from slimlm.interop.hf.family import not_allowed
from slimlm.interop.layered.heads import FULL, NORMS, heads_of
from slimlm.interop.layered.keys import Keys
from slimlm.interop.layered.parts import (
    Mixture,
    Shapes,
    feed_forward,
    linear,
    mamba1,
    mamba2,
    mamba2_state,
    mixture,
    norms,
)

LINEAR = "linear_attention"
_OLD_KINDS = {"mamba": LINEAR, "attention": FULL}


def mamba(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a mamba or falcon_mamba config; raises ValueError for values outside their limits."""
    d_model, state, kernel = (keys.whole(key) for key in ("hidden_size", "state_size", "conv_kernel"))
    inner, rank = keys.whole("expand") * d_model, _rank(keys, "time_step_rank", d_model)
    bias, conv_bias = keys.switch("use_bias"), keys.switch("use_conv_bias")
    found = mamba1(d_model, inner, rank, state, kernel, bias=bias, conv_bias=conv_bias)
    layer = Layer("Mamba", {**found, **norms(d_model, "norm")}, state=inner * (kernel + state))
    return (layer,) * keys.depth("num_hidden_layers")


def _rank(keys: Keys, key: str, d_model: int) -> int:
    return ceil(d_model / 16) if keys.get(key) == "auto" else keys.whole(key)


def mamba_2(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a mamba2 config; raises ValueError for values outside their limits."""
    d_model, heads, groups = keys.whole("hidden_size"), keys.whole("num_heads"), keys.whole("n_groups")
    inner, state, kernel = keys.whole("expand") * d_model, keys.whole("state_size"), keys.whole("conv_kernel")
    if heads * keys.whole("head_dim") != inner:
        raise not_allowed(
            "head_dim", keys.get("head_dim"), f"num_heads · head_dim must be expand · hidden_size={inner}"
        )
    bias, conv_bias = keys.switch("use_bias"), keys.switch("use_conv_bias")
    found = mamba2(d_model, inner, heads, groups, state, kernel, bias=bias, conv_bias=conv_bias)
    found |= linear("recurrence.out_proj", d_model, inner, bias) | {"recurrence.norm": (inner,)}
    kept = mamba2_state(inner, heads, groups, state, kernel)
    return (Layer("Mamba-2", {**found, **norms(d_model, "norm")}, state=kept),) * keys.depth("num_hidden_layers")


def jamba(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a jamba config; raises ValueError for values outside their limits."""
    heads, width, count = (
        heads_of(keys),
        keys.whole("intermediate_size"),
        keys.whole("num_experts", "num_local_experts"),
    )
    dense: Mixture = (feed_forward(heads.d_model, width), 0)
    chosen = keys.chosen("num_experts_per_tok", "num_experts", count) if count > 1 else 1
    sparse = mixture(heads.d_model, width, count, chosen) if count > 1 else dense
    mixers = {True: Layer("attention", heads.tensors(), cache_per_token=heads.cached), False: _jamba_mixer(keys)}
    full, experts = _every(keys, "attn_layer"), _every(keys, "expert_layer")
    made = {
        (attends, mixed): _with(mixers[attends], sparse if mixed else dense, heads.d_model)
        for attends in (True, False)
        for mixed in (True, False)
    }
    return tuple(made[kind] for kind in zip(full, experts, strict=True))


def _every(keys: Keys, name: str) -> list[bool]:
    """Return whether each layer is one of those that come once in a period."""
    period, offset = keys.whole(f"{name}_period"), keys.whole(f"{name}_offset", least=0)
    if offset >= period:
        raise not_allowed(f"{name}_offset", offset, f"it must be less than {name}_period={period}")
    return [number % period == offset for number in range(keys.depth("num_hidden_layers"))]


def _jamba_mixer(keys: Keys) -> Layer:
    d_model, state, kernel = (keys.whole(key) for key in ("hidden_size", "mamba_d_state", "mamba_d_conv"))
    inner, rank = keys.whole("mamba_expand") * d_model, _rank(keys, "mamba_dt_rank", d_model)
    bias, conv_bias = keys.switch("mamba_proj_bias"), keys.switch("mamba_conv_bias")
    found = mamba1(d_model, inner, rank, state, kernel, bias=bias, conv_bias=conv_bias)
    found |= {"recurrence.dt_norm": (rank,), "recurrence.b_norm": (state,), "recurrence.c_norm": (state,)}
    return Layer("Mamba", found, state=inner * (kernel + state))


def _with(mixer: Layer, ffn: Mixture, d_model: int) -> Layer:
    tensors, idle = ffn
    whole = {**mixer.tensors, **tensors, **norms(d_model, *NORMS)}
    return Layer(mixer.kind, whole, mixer.cache_per_token, mixer.state, idle, mixer.window)


def bamba(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a bamba config; raises ValueError for values outside their limits."""
    d_model, full = keys.whole("hidden_size"), keys.numbers("attn_layer_indices") or set()
    ffn = (feed_forward(d_model, keys.whole("intermediate_size"), bias=keys.switch("mlp_bias")), 0)
    made = {kind: _with(mixer, ffn, d_model) for kind, mixer in _mixers(keys).items()}
    return tuple(made[FULL if number in full else LINEAR] for number in range(keys.depth("num_hidden_layers")))


def granite(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a granitemoehybrid config; raises ValueError for values outside their limits."""
    d_model, shared = keys.whole("hidden_size"), keys.whole("shared_intermediate_size")
    count = keys.whole("num_local_experts", "num_experts", least=0)
    ffn: Mixture = (feed_forward(d_model, shared), 0)
    if count:
        chosen = keys.chosen("num_experts_per_tok", "num_local_experts", count)
        ffn = mixture(d_model, keys.whole("intermediate_size"), count, chosen, shared=shared)
    key = "layers_block_type" if keys.get("layers_block_type") is not None else "layer_types"
    kinds = keys.kind_of_each(key, (LINEAR, FULL, *_OLD_KINDS), lambda _: LINEAR)
    made = {kind: _with(mixer, ffn, d_model) for kind, mixer in _mixers(keys).items()}
    return tuple(made[_OLD_KINDS.get(kind, kind)] for kind in kinds)


def _mixers(keys: Keys) -> dict[str, Layer]:
    """Return the two mixers of Bamba and Granite 4: attention, and Mamba-2 with a norm of its own."""
    heads, groups = heads_of(keys), keys.whole("mamba_n_groups")
    full = Layer("attention", heads.tensors(bias=keys.switch("attention_bias")), cache_per_token=heads.cached)
    inner, count = keys.whole("mamba_expand") * heads.d_model, keys.whole("mamba_n_heads")
    head = keys.divided("mamba_expand · hidden_size", inner, "mamba_n_heads", count)
    if keys.get("mamba_d_head") not in ("auto", head):
        raise not_allowed("mamba_d_head", keys.get("mamba_d_head"), f"mamba_expand · hidden_size / heads is {head}")
    state, kernel, bias = keys.whole("mamba_d_state"), keys.whole("mamba_d_conv"), keys.switch("mamba_proj_bias")
    conv_bias = keys.switch("mamba_conv_bias")
    found = mamba2(heads.d_model, inner, count, groups, state, kernel, bias=bias, conv_bias=conv_bias)
    found |= linear("recurrence.out_proj", heads.d_model, inner, bias) | {"recurrence.norm": (inner,)}
    return {FULL: full, LINEAR: Layer("Mamba-2", found, state=mamba2_state(inner, count, groups, state, kernel))}


def recurrent_gemma(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a recurrent_gemma config; raises ValueError for values outside their limits."""
    kinds, heads = keys.kinds("block_types", ("recurrent", "attention")) or [], heads_of(keys)
    ffn = (feed_forward(heads.d_model, max(1, keys.whole("intermediate_size") // 2), bias=True), 0)
    mixing = heads.tensors(bias=keys.switch("attention_bias")) | {"attention.o_proj.bias": (heads.d_model,)}
    window = keys.whole("attention_window_size", "sliding_window")
    full = Layer("windowed attention", mixing, cache_per_token=heads.cached, window=window)
    mixers = {"attention": full, "recurrent": _gated_lru(keys, heads.d_model, heads.heads)}
    made = {kind: _with(mixer, ffn, heads.d_model) for kind, mixer in mixers.items()}
    return tuple(made[kinds[number % len(kinds)]] for number in range(keys.depth("num_hidden_layers")))


def _gated_lru(keys: Keys, d_model: int, blocks: int) -> Layer:
    """Return a recurrent block of Griffin (De et al. 2024, arXiv 2402.19427), whose gates are in blocks."""
    width, kernel = keys.optional("lru_width") or d_model, keys.whole("conv1d_width")
    block = keys.divided("lru_width", width, "num_attention_heads", blocks)
    found: Shapes = {"recurrence.conv.weight": (width, 1, kernel), "recurrence.conv.bias": (width,)}
    found |= linear("recurrence.linear_y", width, d_model, True) | linear("recurrence.linear_x", width, d_model, True)
    found |= linear("recurrence.linear_out", d_model, width, True) | {"recurrence.decay": (width,)}
    for gate in ("input", "recurrent"):
        found |= {f"recurrence.{gate}.weight": (blocks, block, block), f"recurrence.{gate}.bias": (blocks, block)}
    return Layer("gated LRU", found, state=width * kernel)

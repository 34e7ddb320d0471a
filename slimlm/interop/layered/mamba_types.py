"""LFM2 (short convolutions), Falcon-H1 (Mamba-2 beside attention in each layer) and Nemotron-H (one part a layer)."""

from dataclasses import replace

from slimlm.core.layered import Layer
from slimlm.interop.hf.family import not_allowed, not_supported
from slimlm.interop.layered.keys import Keys
from slimlm.interop.layered.parts import attention, experts, feed_forward, linear, mamba2, mamba2_state, mixture, norms

LFM2 = {
    "vocab_size": 65536,
    "hidden_size": 2560,
    "intermediate_size": 12288,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 128000,
    "tie_word_embeddings": True,
    "conv_bias": False,
    "conv_L_cache": 3,
    "block_multiple_of": 256,
    "block_ffn_dim_multiplier": 1.0,
    "block_auto_adjust_ff_dim": True,
}
FALCON_H1 = {
    "vocab_size": 128000,
    "tie_word_embeddings": False,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 8192,
    "mamba_d_ssm": 1024,
    "mamba_n_heads": 128,
    "mamba_d_head": "auto",
    "mamba_n_groups": 1,
    "mamba_d_state": 256,
    "mamba_d_conv": 4,
    "mamba_expand": 2,
    "mamba_conv_bias": True,
    "mamba_proj_bias": False,
    "mamba_rms_norm": False,
    "projectors_bias": False,
    "attention_bias": False,
    "mlp_bias": False,
}
NEMOTRON_H = {
    "vocab_size": 131072,
    "hidden_size": 4096,
    "tie_word_embeddings": False,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 4096,
    "intermediate_size": 21504,
    "mlp_bias": False,
    "ssm_state_size": 128,
    "mamba_num_heads": 128,
    "mamba_head_dim": 64,
    "n_groups": 8,
    "conv_kernel": 4,
    "use_conv_bias": True,
    "use_bias": False,
    "n_routed_experts": 8,
    "moe_intermediate_size": 7688,
    "moe_shared_expert_intermediate_size": 7688,
    "num_experts_per_tok": 2,
}
"""Defaults of the configuration classes of transformers 5.23."""


def lfm2(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of an lfm2 config; raises ValueError for values outside their limits."""
    made, d_model = _lfm2_mixers(keys), keys.whole("hidden_size")
    shared = {**feed_forward(d_model, _lfm2_width(keys)), **norms(d_model, *_LFM2_NORMS)}
    whole = {kind: replace(layer, tensors={**layer.tensors, **shared}) for kind, layer in made.items()}
    return tuple(whole[kind] for kind in _lfm2_kinds(keys))


_LFM2_NORMS = ("operator_norm", "ffn_norm")


def lfm2_moe(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of an lfm2_moe config; raises ValueError for values outside their limits."""
    made, d_model, count = _lfm2_mixers(keys), keys.whole("hidden_size"), keys.whole("num_experts")
    kinds, depth = keys.kinds("layer_types", _LFM2_KINDS), keys.depth("num_hidden_layers")
    if kinds is None or len(kinds) != depth:
        raise not_allowed(
            "layer_types", kinds and f"{len(kinds)} kinds", f"there must be one for each of {depth} layers"
        )
    chosen = keys.chosen("num_experts_per_tok", "num_experts", count)
    sparse = mixture(d_model, keys.whole("moe_intermediate_size"), count, chosen)
    first, dense = keys.whole("num_dense_layers", least=0), feed_forward(d_model, keys.whole("intermediate_size"))
    shared = norms(d_model, *_LFM2_NORMS)
    whole = {
        (kind, is_dense): replace(layer, tensors={**layer.tensors, **tensors, **shared}, idle_params=idle)
        for kind, layer in made.items()
        for is_dense, (tensors, idle) in ((True, (dense, 0)), (False, sparse))
    }
    return tuple(whole[kind, number < first] for number, kind in enumerate(kinds))


_LFM2_KINDS = ("conv", "full_attention")


def _lfm2_mixers(keys: Keys) -> dict[str, Layer]:
    """Return what mixes the tokens in each kind of layer, without norms of the layer and feed-forward."""
    d_model, heads, kv_heads = (keys.whole(k) for k in ("hidden_size", "num_attention_heads", "num_key_value_heads"))
    head_dim = keys.divided("hidden_size", d_model, "num_attention_heads", heads)
    keys.divided("num_attention_heads", heads, "num_key_value_heads", kv_heads)
    width, bias = keys.whole("conv_L_cache"), keys.switch("conv_bias")
    conv = linear("recurrence.in_proj", 3 * d_model, d_model, bias) | linear(
        "recurrence.out_proj", d_model, d_model, bias
    )
    conv |= {"recurrence.conv.weight": (d_model, 1, width)} | ({"recurrence.conv.bias": (d_model,)} if bias else {})
    full = attention(d_model, heads, kv_heads, head_dim, norms=True)
    return {
        "conv": Layer("short convolution", conv, state=d_model * width),
        "full_attention": Layer("attention", full, cache_per_token=2 * kv_heads * head_dim),
    }


def _lfm2_kinds(keys: Keys) -> list[str]:
    depth, kinds = keys.depth("num_hidden_layers"), keys.kinds("layer_types", _LFM2_KINDS)
    if kinds is None:
        full = keys.get("full_attn_idxs")
        if not isinstance(full, list | None):
            raise not_allowed("full_attn_idxs", full, "it must be a list of the numbers of layers")
        kinds = ["full_attention" if full is None or number in full else "conv" for number in range(depth)]
    return _matching(keys, "layer_types", kinds)


def _matching(keys: Keys, key: str, kinds: list[str]) -> list[str]:
    depth = keys.depth("num_hidden_layers")
    if len(kinds) != depth:
        raise not_allowed(key, f"{len(kinds)} kinds", f"there must be one for each of {depth} layers")
    return kinds


def _lfm2_width(keys: Keys) -> int:
    """Return d_ff: two thirds of the key's value, times a factor, rounded up to a multiple, unless told otherwise."""
    given = keys.whole("intermediate_size", "block_ff_dim")
    if not keys.switch("block_auto_adjust_ff_dim"):
        return given
    width, multiple = int(keys.real("block_ffn_dim_multiplier") * int(2 * given / 3)), keys.whole("block_multiple_of")
    return multiple * ((width + multiple - 1) // multiple)


def falcon_h1(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a falcon_h1 config; raises ValueError for values outside their limits."""
    d_model, heads, kv_heads = (keys.whole(k) for k in ("hidden_size", "num_attention_heads", "num_key_value_heads"))
    head_dim = _head_dim(keys, d_model, heads)
    keys.divided("num_attention_heads", heads, "num_key_value_heads", kv_heads)
    mixer, state = _falcon_mixer(keys, d_model)
    tensors = {
        **attention(d_model, heads, kv_heads, head_dim, bias=keys.switch("attention_bias")),
        **mixer,
        **feed_forward(d_model, keys.whole("intermediate_size"), bias=keys.switch("mlp_bias")),
        **norms(d_model, "attention_norm", "ffn_norm"),
    }
    layer = Layer("attention beside Mamba-2", tensors, cache_per_token=2 * kv_heads * head_dim, state=state)
    return (layer,) * keys.depth("num_hidden_layers")


def _head_dim(keys: Keys, d_model: int, heads: int) -> int:
    if keys.get("head_dim") is not None:
        return keys.whole("head_dim")
    return keys.divided("hidden_size", d_model, "num_attention_heads", heads)


def _falcon_mixer(keys: Keys, d_model: int) -> tuple[dict[str, tuple[int, ...]], int]:
    heads, groups, size = (keys.whole(f"mamba_{name}") for name in ("n_heads", "n_groups", "d_state"))
    inner, kernel = keys.whole("mamba_d_ssm"), keys.whole("mamba_d_conv")
    head = keys.divided("mamba_d_ssm", inner, "mamba_n_heads", heads)
    if keys.get("mamba_d_head") not in ("auto", head):
        raise not_allowed("mamba_d_head", keys.get("mamba_d_head"), f"mamba_d_ssm / mamba_n_heads is {head}")
    bias, conv_bias = keys.switch("mamba_proj_bias"), keys.switch("mamba_conv_bias")
    found = mamba2(d_model, inner, heads, groups, size, kernel, bias=bias, conv_bias=conv_bias)
    found |= linear("recurrence.out_proj", d_model, inner, keys.switch("projectors_bias"))
    found |= {"recurrence.norm": (inner,)} if keys.switch("mamba_rms_norm") else {}
    return found, mamba2_state(inner, heads, groups, size, kernel)


_LETTERS = {"M": "linear_attention", "E": "moe", "*": "full_attention", "-": "mlp"}
_OLD_KINDS = {"mamba": "linear_attention", "attention": "full_attention"}


def nemotron_h(keys: Keys) -> tuple[Layer, ...]:
    """Return the layers of a nemotron_h config; raises ValueError for values outside their limits."""
    makers = {
        "linear_attention": _nemotron_mamba,
        "full_attention": _nemotron_attention,
        "mlp": _nemotron_mlp,
        "moe": _nemotron_experts,
    }
    kinds = _nemotron_kinds(keys)
    made = {kind: makers[kind](keys, keys.whole("hidden_size")) for kind in set(kinds)}
    return tuple(made[kind] for kind in kinds)


def _nemotron_kinds(keys: Keys) -> list[str]:
    named = keys.kinds("layers_block_type", (*_LETTERS.values(), *_OLD_KINDS)) or keys.kinds(
        "layer_types", (*_LETTERS.values(), *_OLD_KINDS)
    )
    if named is not None:
        return [_OLD_KINDS.get(kind, kind) for kind in named]
    pattern = keys.get("hybrid_override_pattern")
    if pattern is None:
        return ["linear_attention", "moe", "full_attention", "mlp"]
    if not isinstance(pattern, str) or not 1 <= len(pattern) <= 4096 or set(pattern) - _LETTERS.keys():
        rule = "it must be text of M (Mamba-2), * (attention), - (feed-forward) and E (experts)"
        raise not_supported("hybrid_override_pattern", pattern, rule)
    return [_LETTERS[letter] for letter in pattern]


def _nemotron_mamba(keys: Keys, d_model: int) -> Layer:
    heads, head = keys.whole("mamba_num_heads"), keys.whole("mamba_head_dim")
    groups, size = keys.whole("n_groups", "mamba_n_groups"), keys.whole("ssm_state_size")
    kernel, bias = keys.whole("conv_kernel", "mamba_d_conv"), keys.switch("use_bias")
    inner, conv_bias = heads * head, keys.switch("use_conv_bias", "mamba_conv_bias")
    keys.divided("mamba_num_heads · mamba_head_dim", inner, "n_groups", groups)
    found = mamba2(d_model, inner, heads, groups, size, kernel, bias=bias, conv_bias=conv_bias)
    found |= linear("recurrence.out_proj", d_model, inner, bias) | {"recurrence.norm": (inner,)}
    state = mamba2_state(inner, heads, groups, size, kernel)
    return Layer("Mamba-2", {**found, **norms(d_model, "norm")}, state=state)


def _nemotron_attention(keys: Keys, d_model: int) -> Layer:
    heads, kv_heads = keys.whole("num_attention_heads"), keys.whole("num_key_value_heads")
    head_dim = keys.whole("head_dim", "attention_head_dim")
    keys.divided("num_attention_heads", heads, "num_key_value_heads", kv_heads)
    tensors = {**attention(d_model, heads, kv_heads, head_dim), **norms(d_model, "norm")}
    return Layer("attention", tensors, cache_per_token=2 * kv_heads * head_dim)


def _nemotron_mlp(keys: Keys, d_model: int) -> Layer:
    matrices = feed_forward(d_model, keys.whole("intermediate_size"), gated=False, bias=keys.switch("mlp_bias"))
    return Layer("feed-forward", {**matrices, **norms(d_model, "norm")})


def _nemotron_experts(keys: Keys, d_model: int) -> Layer:
    count, chosen = keys.whole("n_routed_experts", "num_local_experts"), keys.whole("num_experts_per_tok")
    if chosen > count:
        raise not_allowed("num_experts_per_tok", chosen, f"it must be at most n_routed_experts={count}")
    width, bias = keys.whole("moe_intermediate_size"), keys.switch("mlp_bias")
    latent = d_model if keys.get("moe_latent_size") is None else keys.whole("moe_latent_size")
    found = experts(latent, width, count, gated=False) | {"ffn.router.weight": (count, d_model)}
    shared = feed_forward(d_model, keys.whole("moe_shared_expert_intermediate_size"), gated=False, bias=bias)
    found |= {name.replace("ffn.", "ffn.shared."): shape for name, shape in shared.items()}
    if keys.get("moe_latent_size") is not None:
        found |= linear("ffn.to_latent", latent, d_model, bias) | linear("ffn.from_latent", d_model, latent, bias)
    idle = (count - chosen) * 2 * latent * width
    return Layer("experts", {**found, **norms(d_model, "norm")}, idle_params=idle)

"""Model types with a mixture of experts or with multi-head latent attention."""

from math import sqrt
from typing import Any

from slimlm.interop.hf.defaults import ROPE_KEYS
from slimlm.interop.hf.family import Factor, Family, Only, Reader, Switch, Windows, not_allowed, not_supported
from slimlm.interop.hf.layer_patterns import everywhere
from slimlm.interop.hf.types_gated import multipliers

_RMS_KEYS = ROPE_KEYS | {"layer_norm_eps": "rms_norm_eps"}
_EPS = {"layer_norm_eps": 1e-6}
_RMS = {"norm": "rmsnorm", "positions": "rope"}
_ATTENTION_BIAS = {"attention_bias": Switch(False, {"bias": "attention"})}

_LOCAL = {"n_experts": "num_local_experts num_experts", "experts_per_token": "num_experts_per_tok"}
_NUMBERED = {"n_experts": "num_experts num_local_experts", "experts_per_token": "num_experts_per_tok"}
_OWN_WIDTH = {"d_ff": "moe_intermediate_size", "d_dense": "intermediate_size"}
_LATENT_KEYS = {
    "head_dim": "qk_nope_head_dim",
    "kv_lora_rank": "kv_lora_rank",
    "q_lora_rank": "q_lora_rank",
    "qk_rope_head_dim": "qk_rope_head_dim",
    "v_head_dim": "v_head_dim",
}
_DEEPSEEK_KEYS = (
    _RMS_KEYS
    | _OWN_WIDTH
    | _LATENT_KEYS
    | {
        "n_experts": "n_routed_experts num_experts num_local_experts",
        "experts_per_token": "num_experts_per_tok",
        "n_shared_experts": "n_shared_experts",
        "n_dense_layers": "first_k_dense_replace",
        "n_expert_groups": "n_group",
        "groups_per_token": "topk_group",
        "routed_scale": "routed_scaling_factor",
    }
)
_LATENT_SIZES = {"kv_lora_rank": 512, "q_lora_rank": 1536, "qk_rope_head_dim": 64, "v_head_dim": 128}

_COUNTS = (
    *("n_experts", "experts_per_token", "n_shared_experts", "d_shared", "n_dense_layers", "d_dense"),
    *("n_expert_groups", "groups_per_token"),
)
_LATENTS = ("kv_lora_rank", "q_lora_rank", "qk_rope_head_dim", "v_head_dim")

_MOST_FACTOR, _MOST_SIZE = 10**9, 10**15

_NO_SLIDING = {"use_sliding_window": Only((False,), "slimlm reads no windows of this type")}
_ROUTER_BIAS = "a bias on the choice of experts, which balances them in training and is no parameter"


def _whole(reader: Reader, names: tuple[str, ...]) -> dict[str, int]:
    """Return the fields among some that a config gives."""
    given = {name: reader.whole(name) for name in names if name in reader.family.keys}
    return {name: value for name, value in given.items() if value is not None}


def _mixture(reader: Reader) -> dict[str, Any]:
    """Return the fields of a mixture; a model without experts, or in which no layer has any, is dense."""
    found: dict[str, Any] = _whole(reader, _COUNTS)
    if "decoder_sparse_step" in reader.family.extras:
        found["n_dense_layers"] = _first_dense(reader)
    if not found.get("n_experts") or found.get("n_dense_layers", 0) >= (reader.whole("n_layers") or 0):
        dense = {"n_experts": 0, "router": "softmax", "normalise_router": True}
        return dense | ({"d_ff": found["d_dense"]} if "d_dense" in found else {})
    if "d_shared" in found:
        found |= {"n_shared_experts": 1, "shared_expert_gate": True}
    if not found.get("n_dense_layers"):
        found.pop("d_dense", None)
    if "norm_topk_prob" in reader.family.extras:
        found["normalise_router"] = reader.get("norm_topk_prob") is True
    return found


def _first_dense(reader: Reader) -> int:
    """Return the number of dense first layers of a Qwen: the only dense ones that slimlm has."""
    step, listed, n_layers = reader.get("decoder_sparse_step"), reader.get("mlp_only_layers"), reader.whole("n_layers")
    if isinstance(step, bool) or not isinstance(step, int) or step < 1:
        raise not_allowed("decoder_sparse_step", step, "it must be a whole number of at least 1")
    numbers = [] if listed is None else listed
    if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
        raise not_allowed("mlp_only_layers", listed, "it must be a list of whole numbers or null")
    if step > 1 and step <= (n_layers or 0):
        reason = "slimlm's dense layers are the first ones; decoder_sparse_step=1 would work"
        raise not_supported("decoder_sparse_step", step, reason)
    dense = {number for number in numbers if 0 <= number < (n_layers or 0)}
    if step == 1 and dense != set(range(len(dense))):
        reason = "slimlm's dense layers are the first ones; mlp_only_layers=[] would work"
        raise not_supported("mlp_only_layers", listed, reason)
    return len(dense) if step == 1 else n_layers or 0


def _deepseek(reader: Reader) -> dict[str, Any]:
    """Return the fields of latent attention and of a mixture of DeepSeek."""
    found = _whole(reader, _LATENTS) | _mixture(reader)
    if not found["n_experts"]:
        return found
    found.setdefault("experts_per_token", 1)  # null, which transformers counts but cannot run
    grouped = reader.get("topk_method") == "group_limited_greedy" or reader.family.model_type == "deepseek_v3"
    if not grouped or "n_expert_groups" not in found or "groups_per_token" not in found:
        found |= {"n_expert_groups": 1, "groups_per_token": 1}
    return found | {"routed_scale": reader.real("routed_scale")}


def _minicpm(reader: Reader) -> dict[str, Any]:
    """Return the fields of latent attention and the factors of MiniCPM3."""
    layers, width = (min(reader.whole(name) or 1, _MOST_SIZE) for name in ("n_layers", "d_model"))
    depth, base = reader.get("scale_depth"), reader.get("dim_model_base")
    for key, value in (("scale_depth", depth), ("dim_model_base", base)):
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            raise not_allowed(key, value, "it must be a number above 0, or null")
        if value is not None and not 0 < value <= _MOST_FACTOR:
            raise not_allowed(key, value, f"it must be a number above 0 and at most {_MOST_FACTOR:,}, or null")
    factors = {
        "residual_scale": 1.0 if depth is None else depth / sqrt(max(1, layers)),
        "logit_scale": 1.0 if base is None else base / max(1, width),
    }
    of_heads = {"v_head_dim": max(1, width // max(1, reader.whole("n_heads") or 1))}
    return of_heads | _whole(reader, _LATENTS) | factors


EXPERTS = (
    Family(
        model_type="mixtral",
        classes="MixtralForCausalLM",
        keys=_RMS_KEYS | _LOCAL,
        rates={"rope_theta": 1_000_000.0, "n_experts": 8, "experts_per_token": 2},
        fixed=_RMS,
        windows=Windows(pattern=everywhere, listed=False),
        derive=_mixture,
        extras={"sliding_window": None},
    ),
    Family(
        model_type="qwen2_moe",
        classes="Qwen2MoeForCausalLM",
        keys=_RMS_KEYS | _NUMBERED | _OWN_WIDTH | {"d_shared": "shared_expert_intermediate_size"},
        rates=_EPS | {"n_experts": 60, "experts_per_token": 4, "d_shared": 5632, "d_dense": 5632},
        fixed=_RMS,
        switches={"qkv_bias": Switch(True, {"bias": "qkv"})},
        only=_NO_SLIDING,
        nulls="num_key_value_heads",
        derive=_mixture,
        extras={"decoder_sparse_step": 1, "mlp_only_layers": None, "norm_topk_prob": False},
    ),
    Family(
        model_type="qwen3_moe",
        classes="Qwen3MoeForCausalLM",
        keys=_RMS_KEYS | _NUMBERED | _OWN_WIDTH,
        rates=_EPS | {"n_experts": 128, "experts_per_token": 8, "d_dense": 6144},
        fixed=_RMS | {"qk_norm": "head"},
        switches=_ATTENTION_BIAS,
        only=_NO_SLIDING,
        derive=_mixture,
        extras={"decoder_sparse_step": 1, "mlp_only_layers": None, "norm_topk_prob": False},
    ),
    Family(
        model_type="olmoe",
        classes="OlmoeForCausalLM",
        keys=_RMS_KEYS | _NUMBERED,
        rates={"n_experts": 64, "experts_per_token": 8},
        fixed=_RMS | {"qk_norm": "full"},
        switches=_ATTENTION_BIAS,
        derive=_mixture,
        extras={"clip_qkv": None, "norm_topk_prob": False},
    ),
    Family(
        model_type="granitemoe",
        classes="GraniteMoeForCausalLM",
        keys=_RMS_KEYS | _LOCAL,
        rates=_EPS | {"n_experts": 8, "experts_per_token": 2},
        fixed=_RMS,
        switches=_ATTENTION_BIAS,
        factors=multipliers(Factor(1.0, "logit_scale", lambda divisor: 1 / divisor), 1.0),
        nulls="num_local_experts num_experts_per_tok",
        derive=_mixture,
    ),
    Family(
        model_type="deepseek_v2",
        classes="DeepseekV2ForCausalLM",
        keys=_DEEPSEEK_KEYS,
        rates=_EPS
        | _LATENT_SIZES
        | {"n_experts": 64, "experts_per_token": None, "n_shared_experts": 2, "n_dense_layers": 0, "d_dense": 11_008}
        | {"n_expert_groups": None, "groups_per_token": None, "routed_scale": 1.0},
        fixed=_RMS | {"normalise_router": False},
        switches=_ATTENTION_BIAS,
        only={"mlp_bias": Only((False,), "slimlm's experts have no biases")},
        nulls="q_lora_rank",
        derive=_deepseek,
        extras={"topk_method": "greedy"},
    ),
    Family(
        model_type="deepseek_v3",
        classes="DeepseekV3ForCausalLM",
        keys=_DEEPSEEK_KEYS,
        rates=_EPS
        | _LATENT_SIZES
        | {"n_experts": 256, "experts_per_token": 8, "n_shared_experts": 1, "n_dense_layers": 3, "d_dense": 18_432}
        | {"n_expert_groups": 8, "groups_per_token": 4, "routed_scale": 2.5},
        fixed=_RMS | {"router": "sigmoid"},
        switches=_ATTENTION_BIAS,
        nulls="q_lora_rank n_group topk_group first_k_dense_replace num_experts_per_tok v_head_dim",
        derive=_deepseek,
        extras={"norm_topk_prob": True, "num_nextn_predict_layers": 0},
        quirks=(_ROUTER_BIAS,),
    ),
    Family(
        model_type="minicpm3",
        classes="MiniCPM3ForCausalLM",
        keys=_RMS_KEYS | _LATENT_KEYS,
        rates={"kv_lora_rank": 256, "q_lora_rank": 768, "qk_rope_head_dim": 32, "v_head_dim": None},
        fixed=_RMS,
        switches=_ATTENTION_BIAS | {"mlp_bias": Switch(False, {"bias": "ffn"})},
        factors={"scale_emb": Factor(12.0, "embedding_scale")},
        nulls="q_lora_rank",
        derive=_minicpm,
        extras={"scale_depth": 1.4, "dim_model_base": 256},
    ),
)

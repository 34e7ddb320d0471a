"""Random configs of the types whose layers are counted one by one."""

from collections.abc import Callable
from random import Random
from typing import Any


def attention_keys(dice: Random) -> dict[str, Any]:
    kv_heads, head_dim = dice.choice((1, 2, 3)), 4 * dice.randint(1, 4)
    heads = kv_heads * dice.choice((1, 2, 4))
    return {
        "vocab_size": dice.randint(8, 300),
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim,
        "hidden_size": heads * head_dim,
        "intermediate_size": dice.randint(3, 600),
        "tie_word_embeddings": dice.choice((True, False)),
    }


def delta_keys(dice: Random) -> dict[str, Any]:
    depth, key_heads = dice.randint(1, 9), dice.randint(1, 3)
    return attention_keys(dice) | {
        "num_hidden_layers": depth,
        "linear_num_key_heads": key_heads,
        "linear_num_value_heads": key_heads * dice.randint(1, 3),
        "linear_key_head_dim": dice.randint(2, 9),
        "linear_value_head_dim": dice.randint(2, 9),
        "linear_conv_kernel_dim": dice.randint(2, 5),
        "full_attention_interval": dice.randint(1, 5),
    }


def delta_expert_keys(dice: Random) -> dict[str, Any]:
    count = dice.randint(1, 6)
    return delta_keys(dice) | {
        "num_experts": count,
        "num_experts_per_tok": dice.randint(1, count),
        "moe_intermediate_size": 4 * dice.randint(1, 7),
        "shared_expert_intermediate_size": dice.randint(2, 30),
        "decoder_sparse_step": dice.randint(1, 3),
        "mlp_only_layers": dice.sample(range(4), dice.randint(0, 2)),
    }


def lfm2_keys(dice: Random) -> dict[str, Any]:
    depth = dice.randint(1, 9)
    found = attention_keys(dice) | {
        "num_hidden_layers": depth,
        "layer_types": [dice.choice(("conv", "full_attention")) for _ in range(depth)],
        "conv_bias": dice.choice((True, False)),
        "conv_L_cache": dice.randint(2, 5),
        "block_multiple_of": dice.choice((1, 8, 256)),
        "block_ffn_dim_multiplier": dice.choice((1.0, 1.3)),
        "block_auto_adjust_ff_dim": dice.choice((True, False)),
    }
    del found["head_dim"], found["tie_word_embeddings"]
    return found


def falcon_keys(dice: Random) -> dict[str, Any]:
    heads, head, groups = 2 * dice.randint(1, 3), dice.randint(2, 9), dice.choice((1, 2))
    found = attention_keys(dice) | {
        "num_hidden_layers": dice.randint(1, 6),
        "mamba_d_ssm": heads * head,
        "mamba_n_heads": heads,
        "mamba_n_groups": groups,
        "mamba_d_state": dice.randint(2, 17),
        "mamba_d_conv": dice.randint(2, 5),
    }
    switches = ("mamba_conv_bias", "mamba_proj_bias", "mamba_rms_norm", "projectors_bias", "attention_bias", "mlp_bias")
    return found | {key: dice.choice((True, False)) for key in switches}


def nemotron_keys(dice: Random) -> dict[str, Any]:
    heads, head, groups, count = 2 * dice.randint(1, 3), dice.randint(2, 9), dice.choice((1, 2)), dice.randint(1, 6)
    pattern = "".join(dice.choice("ME*-") for _ in range(dice.randint(1, 9)))
    return attention_keys(dice) | {
        "hybrid_override_pattern": pattern,
        "num_hidden_layers": len(pattern),
        "mamba_num_heads": heads,
        "mamba_head_dim": head,
        "n_groups": groups,
        "ssm_state_size": dice.randint(2, 17),
        "conv_kernel": dice.randint(2, 5),
        "n_routed_experts": count,
        "num_experts_per_tok": dice.randint(1, count),
        "moe_intermediate_size": 4 * dice.randint(1, 7),
        "moe_shared_expert_intermediate_size": dice.randint(2, 30),
        "moe_latent_size": dice.choice((None, 8)),
        **{key: dice.choice((True, False)) for key in ("mlp_bias", "use_bias", "use_conv_bias")},
    }


def expert_keys(dice: Random, count: str, chosen: str) -> dict[str, Any]:
    experts = dice.randint(2, 6)
    return attention_keys(dice) | {
        "intermediate_size": 4 * dice.randint(1, 99),
        "num_hidden_layers": dice.randint(1, 7),
        "max_position_embeddings": dice.randint(1, 99),
        "attention_bias": dice.choice((True, False)),
        count: experts,
        chosen: dice.randint(1, experts),
    }


def gpt_oss_keys(dice: Random) -> dict[str, Any]:
    return expert_keys(dice, "num_local_experts", "num_experts_per_tok") | {"sliding_window": dice.randint(2, 16)}


def routed_keys(dice: Random) -> dict[str, Any]:
    return expert_keys(dice, "n_routed_experts", "num_experts_per_tok") | {
        "moe_intermediate_size": 4 * dice.randint(1, 7),
        "n_shared_experts": dice.randint(1, 3),
        "first_k_dense_replace": dice.randint(0, 3),
        "use_qk_norm": dice.choice((True, False)),
        "n_group": 1,
        "topk_group": 1,
    }


def dots_keys(dice: Random) -> dict[str, Any]:
    windows = {"sliding_window": dice.choice((None, 5, 16)), "max_window_layers": dice.randint(0, 7)}
    found = routed_keys(dice) | windows
    del found["use_qk_norm"]
    return found


def ernie_keys(dice: Random) -> dict[str, Any]:
    found = expert_keys(dice, "moe_num_experts", "moe_k") | {
        "moe_intermediate_size": 4 * dice.randint(1, 7),
        "moe_num_shared_experts": dice.randint(0, 2),
        "moe_layer_start_index": dice.randint(0, 2),
        "moe_layer_end_index": dice.choice((-1, 3)),
        "moe_layer_interval": dice.randint(1, 3),
        "use_bias": dice.choice((True, False)),
    }
    del found["attention_bias"]
    return found


def hunyuan_keys(dice: Random) -> dict[str, Any]:
    return expert_keys(dice, "num_experts", "moe_topk")


def qwen_vl_keys(dice: Random) -> dict[str, Any]:
    return expert_keys(dice, "num_experts", "num_experts_per_tok") | {
        "moe_intermediate_size": 4 * dice.randint(1, 7),
        "decoder_sparse_step": dice.randint(1, 3),
        "mlp_only_layers": dice.choice((None, [1], [0, 2])),
    }


def phimoe_keys(dice: Random) -> dict[str, Any]:
    found = expert_keys(dice, "num_local_experts", "num_experts_per_tok")
    return found | {"lm_head_bias": dice.choice((True, False)), "sliding_window": dice.choice((None, 5, 16))}


def llama4_keys(dice: Random) -> dict[str, Any]:
    return expert_keys(dice, "num_local_experts", "num_experts_per_tok") | {
        "intermediate_size_mlp": dice.randint(3, 99),
        "moe_layers": dice.choice((None, [], [0, 2])),
        "interleave_moe_layer_step": dice.randint(1, 3),
        "no_rope_layer_interval": dice.randint(2, 4),
        "attention_chunk_size": dice.choice((5, 16)),
    }


def gemma_keys(dice: Random) -> dict[str, Any]:
    depth, kinds = dice.randint(2, 5), ("sliding_attention", "full_attention")
    listed, reused = [*(dice.choice(kinds) for _ in range(depth - 1)), "full_attention"], dice.randint(0, 3)
    return attention_keys(dice) | {
        "num_hidden_layers": depth,
        "layer_types": listed,
        "num_kv_shared_layers": reused if set(listed[: max(0, depth - reused)]) == set(listed) else 0,
        "sliding_window": dice.choice((5, 16)),
        "attention_bias": dice.choice((True, False)),
        "vocab_size_per_layer_input": dice.randint(8, 99),
        "pad_token_id": None,
    }


def gemma4_keys(dice: Random) -> dict[str, Any]:
    found, experts = gemma_keys(dice), dice.randint(1, 4)
    mixture = {"num_experts": experts, "top_k_experts": dice.randint(1, experts), "moe_intermediate_size": 8}
    return found | {
        "global_head_dim": 4 * dice.randint(1, 6),
        "num_global_key_value_heads": dice.choice((None, 1)),
        "attention_k_eq_v": dice.choice((True, False)),
        "use_double_wide_mlp": dice.choice((True, False)),
        "hidden_size_per_layer_input": 4 if found["num_kv_shared_layers"] else dice.choice((0, 4)),
        "enable_moe_block": dice.choice((True, False)),
        **mixture,
    }


def gemma3n_keys(dice: Random) -> dict[str, Any]:
    found = gemma_keys(dice)
    width, depth = found["intermediate_size"], found["num_hidden_layers"]
    return found | {
        "hidden_size_per_layer_input": 4,
        "altup_num_inputs": dice.randint(2, 4),
        "laurel_rank": dice.randint(1, 9),
        "intermediate_size": dice.choice((width, [width + number // 2 for number in range(depth)])),
    }


def lfm2_moe_keys(dice: Random) -> dict[str, Any]:
    found = lfm2_keys(dice) | mixture_keys(dice, "num_experts", "num_experts_per_tok")
    extra = [key for key in found if key.startswith("block_")]
    found |= {"num_dense_layers": dice.randint(0, 3), "moe_intermediate_size": 4 * dice.randint(1, 7)}
    return {key: value for key, value in found.items() if key not in extra}


def mixture_keys(dice: Random, count: str, chosen: str) -> dict[str, Any]:
    experts = dice.randint(1, 6)
    return {count: experts, chosen: dice.randint(1, experts), "intermediate_size": 4 * dice.randint(1, 99)}


def mamba_keys(dice: Random) -> dict[str, Any]:
    return {
        "vocab_size": dice.randint(8, 300),
        "hidden_size": 4 * dice.randint(1, 20),
        "state_size": dice.randint(2, 17),
        "num_hidden_layers": dice.randint(1, 6),
        "expand": dice.randint(1, 3),
        "conv_kernel": dice.randint(2, 5),
        "time_step_rank": dice.choice(("auto", 3)),
        **{key: dice.choice((True, False)) for key in ("use_bias", "use_conv_bias", "tie_word_embeddings")},
    }


def mamba2_keys(dice: Random) -> dict[str, Any]:
    found, groups = mamba_keys(dice), dice.choice((1, 2))
    heads, head, expand = 2 * dice.randint(1, 3), dice.randint(2, 9), dice.choice((1, 2))
    del found["time_step_rank"]
    sizes = {"num_heads": heads, "head_dim": head, "expand": expand, "hidden_size": heads * head // expand}
    return found | sizes | {"n_groups": groups}


def jamba_keys(dice: Random) -> dict[str, Any]:
    periods = {name: dice.randint(1, 4) for name in ("attn_layer", "expert_layer")}
    found = attention_keys(dice) | mixture_keys(dice, "num_experts", "num_experts_per_tok")
    del found["head_dim"]
    return found | {
        "num_hidden_layers": dice.randint(4, 7),
        **{f"{name}_period": period for name, period in periods.items()},
        **{f"{name}_offset": dice.randint(0, period - 1) for name, period in periods.items()},
        "mamba_d_state": dice.randint(2, 17),
        "mamba_d_conv": dice.randint(2, 5),
        "mamba_expand": dice.randint(1, 3),
        "mamba_dt_rank": dice.choice(("auto", 3)),
        "mamba_conv_bias": dice.choice((True, False)),
        "mamba_proj_bias": dice.choice((True, False)),
        "use_mamba_kernels": False,
    }


def mixed_mamba2_keys(dice: Random) -> dict[str, Any]:
    found = attention_keys(dice)
    del found["head_dim"]
    return found | {
        "num_hidden_layers": dice.randint(2, 6),
        "mamba_expand": dice.choice((1, 2)),
        "mamba_n_heads": dice.choice((1, 2, 4)),
        "mamba_n_groups": 1,
        "mamba_d_state": dice.randint(2, 17),
        "mamba_d_conv": dice.randint(2, 5),
        **{key: dice.choice((True, False)) for key in ("mamba_conv_bias", "mamba_proj_bias", "attention_bias")},
    }


def bamba_keys(dice: Random) -> dict[str, Any]:
    found = mixed_mamba2_keys(dice)
    indices = dice.sample(range(found["num_hidden_layers"]), dice.randint(1, 2))
    return found | {"attn_layer_indices": indices, "mlp_bias": dice.choice((True, False))}


def granite_keys(dice: Random) -> dict[str, Any]:
    found = mixed_mamba2_keys(dice) | mixture_keys(dice, "num_local_experts", "num_experts_per_tok")
    kinds = ("linear_attention", "full_attention")
    return found | {
        "layer_types": [dice.choice(kinds) for _ in range(found["num_hidden_layers"])],
        "num_local_experts": dice.choice((0, found["num_local_experts"])),
        "shared_intermediate_size": dice.randint(2, 30),
    }


def recurrent_gemma_keys(dice: Random) -> dict[str, Any]:
    found = attention_keys(dice)
    del found["head_dim"]
    kinds = ["attention", *(dice.choice(("recurrent", "attention")) for _ in range(dice.randint(1, 3)))]
    return found | {
        "num_hidden_layers": dice.randint(2, 7),
        "block_types": dice.sample(kinds, len(kinds)),
        "attention_window_size": dice.choice((5, 16)),
        "conv1d_width": dice.randint(2, 5),
        "attention_bias": dice.choice((True, False)),
    }


def olmo_keys(dice: Random) -> dict[str, Any]:
    found = delta_keys(dice)
    del found["full_attention_interval"], found["head_dim"]
    kinds = [
        "linear_attention",
        "full_attention",
        *(dice.choice(("linear_attention", "full_attention")) for _ in "abc"),
    ]
    dice.shuffle(kinds)
    own = {"linear_key_head_dim": None, "linear_value_head_dim": None} if dice.choice((True, False)) else {}
    return found | {
        "num_hidden_layers": len(kinds),
        "layer_types": kinds,
        "attention_bias": dice.choice((True, False)),
        "pad_token_id": None,
        **own,
    }


def kimi_keys(dice: Random) -> dict[str, Any]:
    found = expert_keys(dice, "num_local_experts", "num_experts_per_tok")
    del found["head_dim"]
    depth = found["num_hidden_layers"]
    kinds = ["full_attention", *(dice.choice(("linear_attention", "full_attention")) for _ in range(depth - 1))]
    sizes = ("kv_lora_rank", "v_head_dim", "qk_nope_head_dim", "linear_head_dim", "linear_num_heads")
    return found | {
        "num_key_value_heads": found["num_attention_heads"],
        "layer_types": kinds,
        "moe_intermediate_size": 4 * dice.randint(1, 7),
        "n_shared_experts": dice.randint(1, 2),
        "q_lora_rank": dice.choice((None, 6)),
        "qk_rope_head_dim": 2 * dice.randint(1, 4),
        "linear_conv_kernel_dim": dice.randint(2, 5),
        "first_k_dense_replace": dice.randint(0, 3),
        "pad_token_id": None,
        **{size: dice.randint(2, 9) for size in sizes},
    }


KEYS: dict[str, Callable[[Random], dict[str, Any]]] = {
    "qwen3_5_text": delta_keys,
    "qwen3_5_moe_text": delta_expert_keys,
    "qwen3_next": delta_expert_keys,
    "lfm2": lfm2_keys,
    "falcon_h1": falcon_keys,
    "nemotron_h": nemotron_keys,
    "gpt_oss": gpt_oss_keys,
    "glm4_moe": routed_keys,
    "dots1": dots_keys,
    "ernie4_5_moe": ernie_keys,
    "hunyuan_v1_moe": hunyuan_keys,
    "qwen3_vl_moe_text": qwen_vl_keys,
    "phimoe": phimoe_keys,
    "llama4_text": llama4_keys,
    "gemma4_text": gemma4_keys,
    "gemma3n_text": gemma3n_keys,
    "lfm2_moe": lfm2_moe_keys,
    "mamba": mamba_keys,
    "falcon_mamba": mamba_keys,
    "mamba2": mamba2_keys,
    "jamba": jamba_keys,
    "bamba": bamba_keys,
    "granitemoehybrid": granite_keys,
    "recurrent_gemma": recurrent_gemma_keys,
    "olmo_hybrid": olmo_keys,
    "kimi_linear": kimi_keys,
}
"""Model type → random keys of a small config."""

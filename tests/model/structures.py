"""Architectures of every structure that the layers support, as fields beside the default."""

from typing import Any

STRUCTURES: list[dict[str, Any]] = [
    {"n_kv_heads": 1},
    {"n_kv_heads": 2, "positions": "rope", "norm": "rmsnorm"},
    {"head_dim": 6, "positions": "rope", "qk_norm": "head"},
    {"positions": "alibi", "bias": "all", "ffn": "gelu", "embedding_norm": True},
    {"positions": "none", "n_kv_heads": 2, "qk_norm": "full", "block": "output_norm"},
    {"positions": "learned", "position_offset": 2, "ffn": "relu", "bias": "all"},
    {"norm": "rmsnorm", "ffn": "geglu", "block": "sandwich_norm", "n_kv_heads": 1, "head_dim": 8},
    {"block": "parallel", "bias": "all", "ffn": "gelu", "positions": "rope", "norm": "layernorm_no_bias"},
    {"block": "parallel_one_norm", "lm_head_bias": True, "norm": "layernorm_no_params"},
    {"positions": "rope", "window": 4, "layer_pattern": "wf", "window_rope_theta": 100.0, "n_kv_heads": 2},
    {"positions": "rope", "window": 3, "layer_pattern": "nw", "rotary_share": 0.5, "head_dim": 8},
    {"positions": "alibi", "window": 3, "layer_pattern": "fw", "embedding_scale": 4.0, "residual_scale": 0.5},
    {"n_experts": 4, "n_shared_experts": 1, "n_dense_layers": 1, "d_dense": 12, "router": "sigmoid", "ffn": "gelu"},
    {"positions": "rope", "kv_lora_rank": 6, "q_lora_rank": 4, "qk_rope_head_dim": 4, "v_head_dim": 8},
]

CAPPED: dict[str, Any] = {
    **{"positions": "rope", "window": 4, "layer_pattern": "wf", "n_kv_heads": 2, "block": "sandwich_norm"},
    **{"attention_scale": 0.3, "attention_softcap": 2.0, "logit_scale": 0.5, "logit_softcap": 3.0},
}
"""A structure with caps, for which there is no fused kernel."""

"""Classes of Hugging Face transformers with a mixture of experts, and the architectures that each can express.

Checked against the configuration and modelling files of transformers 5.23 (src/transformers/models/*).
"""

from typing import Any

from slimlm.core.accounting import BIASED
from slimlm.core.architecture import Architecture
from slimlm.interop.hf.export_base import USUAL, NativeClass, Options

_NO_DENSE: dict[str, Options] = {"n_dense_layers": (0,), "d_dense": (None,)}
_NO_SHARED: dict[str, Options] = {"n_shared_experts": (0,), "d_shared": (None,), "shared_expert_gate": (False,)}
_SOFTMAX: dict[str, Options] = {
    **{"router": ("softmax",), "routed_scale": (1.0,), "n_expert_groups": (1,), "groups_per_token": (1,)}
}
_MIXTURE: dict[str, Options] = USUAL | {
    "norm": ("rmsnorm",),
    "positions": ("rope",),
    "ffn": ("swiglu", "geglu", "geglu_tanh"),
    "bias": ("none", "attention"),
    "n_experts": lambda arch: (arch.n_experts,) if arch.is_mixture else (),
}
_ACTIVATIONS = {"swiglu": "silu", "geglu": "gelu", "geglu_tanh": "gelu_pytorch_tanh"}


def _own_width(arch: Architecture) -> tuple[int, ...]:
    """Return d_model / n_heads, for classes without a key for head_dim; nothing when that is not whole."""
    return () if arch.d_model % arch.n_heads else (arch.d_model // arch.n_heads,)


def _even_width(arch: Architecture) -> tuple[int, ...]:
    return (arch.head_width + arch.head_width % 2,)


def _whole_groups(arch: Architecture) -> tuple[int, ...]:
    """Return the number of groups if each has two experts or more, as the class adds the best two; else one group."""
    return (arch.n_expert_groups,) if arch.n_experts >= 2 * arch.n_expert_groups else (1,)


_SIZES = {
    "vocab_size": "vocab_size",
    "hidden_size": "d_model",
    "num_hidden_layers": "n_layers",
    "num_attention_heads": "n_heads",
    "num_key_value_heads": "n_kv_heads",
    "max_position_embeddings": "max_seq_length",
    "attention_dropout": "attention_dropout",
    "rope_theta": "rope_theta",
    "rms_norm_eps": "layer_norm_eps",
    "num_experts_per_tok": "experts_per_token",
}


def _act(arch: Architecture) -> dict[str, Any]:
    return {"hidden_act": _ACTIVATIONS[arch.ffn]}


def _biased(arch: Architecture) -> dict[str, Any]:
    return _act(arch) | {"attention_bias": "qkv" in BIASED[arch.bias]}


def _with_dense_layers(arch: Architecture) -> dict[str, Any]:
    """Return what Qwen says of dense layers; their width has no meaning where there are none."""
    dense = {"intermediate_size": arch.dense_width if arch.n_dense_layers else arch.d_ff}
    return dense | {"mlp_only_layers": list(range(arch.n_dense_layers)), "decoder_sparse_step": 1}


EXPERT_CLASSES = (
    NativeClass(
        title="Mixtral",
        name="MixtralForCausalLM",
        model_type="mixtral",
        needs=_MIXTURE
        | _NO_DENSE
        | _NO_SHARED
        | _SOFTMAX
        | {"bias": ("none",), "normalise_router": (True,), "head_dim": _even_width},
        keys=_SIZES | {"intermediate_size": "d_ff", "num_local_experts": "n_experts", "head_dim": "head_dim"},
        settings=lambda arch: _act(arch) | {"sliding_window": None},
    ),
    NativeClass(
        title="Qwen3-MoE",
        name="Qwen3MoeForCausalLM",
        model_type="qwen3_moe",
        needs=_MIXTURE | _NO_SHARED | _SOFTMAX | {"qk_norm": ("head",), "head_dim": _even_width},
        keys=_SIZES
        | {"moe_intermediate_size": "d_ff", "num_experts": "n_experts", "head_dim": "head_dim"}
        | {"norm_topk_prob": "normalise_router"},
        settings=lambda arch: _biased(arch) | _with_dense_layers(arch),
    ),
    NativeClass(
        title="OLMoE",
        name="OlmoeForCausalLM",
        model_type="olmoe",
        needs=_MIXTURE | _NO_DENSE | _NO_SHARED | _SOFTMAX | {"qk_norm": ("full",), "head_dim": _own_width},
        keys=_SIZES | {"intermediate_size": "d_ff", "num_experts": "n_experts", "norm_topk_prob": "normalise_router"},
        settings=_biased,
    ),
    NativeClass(
        title="Qwen2-MoE",
        name="Qwen2MoeForCausalLM",
        model_type="qwen2_moe",
        needs=_MIXTURE
        | _SOFTMAX
        | {"bias": ("qkv", "none"), "head_dim": _own_width, "n_shared_experts": (1,), "shared_expert_gate": (True,)},
        keys=_SIZES
        | {"moe_intermediate_size": "d_ff", "num_experts": "n_experts", "norm_topk_prob": "normalise_router"}
        | {"shared_expert_intermediate_size": "d_shared"},
        settings=lambda arch: _act(arch) | _with_dense_layers(arch) | {"qkv_bias": arch.bias == "qkv"},
    ),
    NativeClass(
        title="DeepSeek-V3",
        name="DeepseekV3ForCausalLM",
        model_type="deepseek_v3",
        needs=_MIXTURE
        | {
            "kv_lora_rank": lambda arch: (arch.kv_lora_rank,) if arch.has_latents else (),
            "router": ("sigmoid",),
            "n_shared_experts": lambda arch: (max(1, arch.n_shared_experts),),
            "d_shared": lambda arch: (arch.d_ff,),
            "shared_expert_gate": (False,),
            "n_expert_groups": _whole_groups,
            "layer_norm_eps": (1e-6,),  # that of the norms of the latents, for which there is no key
        },
        keys=_SIZES
        | {"moe_intermediate_size": "d_ff", "n_routed_experts": "n_experts", "norm_topk_prob": "normalise_router"}
        | {"n_shared_experts": "n_shared_experts", "first_k_dense_replace": "n_dense_layers"}
        | {"routed_scaling_factor": "routed_scale", "n_group": "n_expert_groups", "topk_group": "groups_per_token"}
        | {name: name for name in ("kv_lora_rank", "q_lora_rank", "qk_rope_head_dim", "v_head_dim")}
        | {"qk_nope_head_dim": "head_dim"},
        settings=lambda arch: (
            _biased(arch)
            | {"intermediate_size": arch.dense_width if arch.n_dense_layers else arch.d_ff}
            | {"rope_interleave": False, "num_nextn_predict_layers": 0}
        ),
    ),
)
"""Classes, those that more tools support first. The first class that fits a mixture is chosen."""

"""litgpt model config for an architecture.

Checked against the sources of Lightning-AI/litgpt: litgpt/config.py, litgpt/model.py, litgpt/pretrain.py.

litgpt pads the vocabulary, so the model can have more parameters than the design. A comment says how many.
"""

from slimlm.core.architecture import Architecture
from slimlm.interop.framework_choices import (
    FrameworkChoice,
    Scalar,
    padded,
    padding_line,
    settings_of,
    shared_rotation,
    whole_theta,
)

_LITGPT = {
    # litgpt recognises a norm without parameters by the model's name (Config.norm_class).
    "norm": FrameworkChoice(
        {
            "layernorm": {"norm_class_name": "LayerNorm"},
            "rmsnorm": {"norm_class_name": "RMSNorm"},
            "layernorm_no_params": {"name": "slimlm-OLMo", "norm_class_name": "LayerNorm"},
        },
        "its norms are LayerNorm, with weight and bias or with neither, and RMSNorm",
    ),
    "positions": FrameworkChoice(
        {"rope": {"rotary_percentage": 1.0}, "none": {"rotary_percentage": 0.0}}, "its positions are rotary or none"
    ),
    "ffn": FrameworkChoice(
        {
            "swiglu": {"mlp_class_name": "LLaMAMLP"},
            "geglu": {"mlp_class_name": "GemmaMLP", "gelu_approximate": "none"},
            "gelu": {"mlp_class_name": "GptNeoxMLP", "gelu_approximate": "none"},
            "geglu_tanh": {"mlp_class_name": "GemmaMLP", "gelu_approximate": "tanh"},
            "gelu_tanh": {"mlp_class_name": "GptNeoxMLP", "gelu_approximate": "tanh"},
        },
        "its feed-forwards are SwiGLU, and GeGLU and GELU, exact or by tanh",
    ),
    "bias": FrameworkChoice(
        {
            "none": {"bias": False},
            "qkv": {"bias": False, "attn_bias": True},
            "all": {"bias": True},
        },
        "its biases are in no projection, in q, k and v, or in all",
    ),
    "qk_norm": FrameworkChoice(
        {
            "none": {"norm_qk": False},
            "head": {"norm_qk": True, "norm_qk_type": "default"},
            "full": {"norm_qk": True, "norm_qk_type": "olmo2"},
        },
        "",
    ),
    "block": FrameworkChoice(
        {
            "pre_norm": {"parallel_residual": False},
            "sandwich_norm": {"parallel_residual": False, "post_attention_norm": True, "post_mlp_norm": True},
            "output_norm": {
                "parallel_residual": False,
                "norm_1": False,
                "norm_2": False,
                "post_attention_norm": True,
                "post_mlp_norm": True,
            },
            "parallel": {"parallel_residual": True, "shared_attention_norm": False},
            "parallel_one_norm": {"parallel_residual": True, "shared_attention_norm": True},
        },
        "",
    ),
    "embedding_norm": FrameworkChoice({False: {}}, "it does not normalise embeddings"),
    "position_offset": FrameworkChoice({0: {}}, "it has no position table"),
    "n_loops": FrameworkChoice({1: {}}, "it runs each layer once"),
    "n_experts": FrameworkChoice({0: {}}, "slimlm writes dense models for it"),
    "kv_lora_rank": FrameworkChoice({None: {}}, "slimlm writes plain attention for it"),
}


def litgpt_config(architecture: Architecture, *, padding_multiple: int = 512) -> str:
    """Return litgpt's model config of an architecture: YAML for `Config.from_file`, with comments on top.

    The vocabulary is padded to a multiple of `padding_multiple`. litgpt ties the LM head by an option of pretraining
    and has no dropout; comments say so where it matters.

    Raises ValueError, with the choices that would work, when litgpt cannot express the architecture.
    """
    arch = architecture
    words = settings_of("litgpt", _LITGPT | shared_rotation(arch, "rotary_percentage"), arch)
    if arch.positions == "rope":
        words["rope_base"] = whole_theta("litgpt", arch)
    comments = [padding_line(arch, "padding_multiple", padding_multiple)]
    if arch.tied_lm_head:
        comments.append("tied LM head: pretrain with --train.tie_embeddings true, else it has a table of its own")
    if arch.dropout or arch.attention_dropout:
        comments.append(f"left out: dropout={arch.dropout} and attention_dropout={arch.attention_dropout}")
    config = {
        "name": "slimlm",
        "block_size": arch.max_seq_length,
        "vocab_size": arch.vocab_size,
        "padding_multiple": padding_multiple,
        "padded_vocab_size": padded(arch.vocab_size, padding_multiple),
        "n_layer": arch.n_layers,
        "n_head": arch.n_heads,
        "n_query_groups": arch.kv_heads,
        "head_size": arch.head_width,
        "n_embd": arch.d_model,
        "intermediate_size": arch.d_ff,
        "norm_eps": arch.layer_norm_eps,
        "lm_head_bias": arch.lm_head_bias,
        **words,
    }
    lines = (f"{name}: {_yaml(value)}" for name, value in config.items())
    return "\n".join([*(f"# {line}" for line in comments), *lines, ""])


def _yaml(value: Scalar) -> str:
    """Write a scalar for YAML 1.1, which reads a number with an exponent but no decimal point as text."""
    if isinstance(value, bool):
        return str(value).lower()
    mantissa, exponent, power = str(value).partition("e")
    if isinstance(value, float) and exponent and "." not in mantissa:
        return f"{mantissa}.0e{power}"
    return str(value)

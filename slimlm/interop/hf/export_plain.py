"""Classes of transformers with a feed-forward without a gate."""

from slimlm.core.architecture import Architecture
from slimlm.interop.hf.export_base import (
    GPT,
    LAYERNORM,
    LLAMA,
    ONE_WINDOW,
    PLAIN,
    ROTARY,
    SIZES,
    TORCH_EPS,
    NativeClass,
    act,
    activation_function,
    any_value,
    even_share,
    own_width,
)


def _softmax_scale(arch: Architecture) -> dict[str, float]:
    return {} if arch.attention_scale is None else {"softmax_scale": arch.attention_scale}


PLAIN_CLASSES = (
    NativeClass(
        title="StarCoder2",
        name="Starcoder2ForCausalLM",
        model_type="starcoder2",
        needs=LLAMA | {"norm": ("layernorm",), "ffn": PLAIN, "bias": ("none", "all")} | ONE_WINDOW,
        keys=ROTARY
        | {"head_dim": "head_dim", "norm_epsilon": "layer_norm_eps"}
        | {"residual_dropout": "dropout", "embedding_dropout": "dropout"},
        settings=lambda arch: act(arch) | {"sliding_window": arch.window, "use_bias": arch.bias == "all"},
    ),
    NativeClass(
        title="GPT-NeoX",
        name="GPTNeoXForCausalLM",
        model_type="gpt_neox",
        needs=GPT
        | {"positions": ("rope",), "bias": ("all", "ffn"), "block": ("parallel", "pre_norm")}
        | {"rotary_share": even_share},
        keys=SIZES | {"rotary_emb_base": "rope_theta", "layer_norm_eps": "layer_norm_eps", "hidden_dropout": "dropout"},
        settings=lambda arch: (
            act(arch)
            | {"rotary_pct": arch.rotary_share, "attention_bias": arch.bias == "all"}
            | {"use_parallel_residual": arch.block == "parallel"}
        ),
    ),
    NativeClass(
        title="Phi",
        name="PhiForCausalLM",
        model_type="phi",
        needs=LLAMA
        | {"norm": ("layernorm",), "ffn": PLAIN, "bias": ("all",), "block": ("parallel_one_norm",)}
        | {"lm_head_bias": (True,), "head_dim": own_width, "rotary_share": even_share},
        keys=LAYERNORM | {"resid_pdrop": "dropout", "embd_pdrop": "dropout"},
        settings=lambda arch: act(arch) | {"partial_rotary_factor": arch.rotary_share},
    ),
    NativeClass(
        title="GPT-2",
        name="GPT2LMHeadModel",
        model_type="gpt2",
        needs=GPT | {"bias": ("all",), "attention_scale": (None, 1.0)},
        keys={
            "vocab_size": "vocab_size",
            "n_embd": "d_model",
            "n_inner": "d_ff",
            "n_layer": "n_layers",
            "n_head": "n_heads",
            "n_positions": "max_seq_length",
            "layer_norm_epsilon": "layer_norm_eps",
            "resid_pdrop": "dropout",
            "embd_pdrop": "dropout",
            "attn_pdrop": "attention_dropout",
        },
        settings=lambda arch: (
            activation_function(arch) | ({} if arch.attention_scale is None else {"scale_attn_weights": False})
        ),
    ),
    NativeClass(
        title="OPT",
        name="OPTForCausalLM",
        model_type="opt",
        needs=GPT
        | {"norm": ("layernorm", "layernorm_no_params"), "bias": ("all", "none")}
        | {"position_offset": (2,), "layer_norm_eps": TORCH_EPS},
        keys={"ffn_dim" if key == "intermediate_size" else key: name for key, name in SIZES.items()}
        | {"dropout": "dropout"},
        settings=lambda arch: (
            activation_function(arch)
            | {"word_embed_proj_dim": arch.d_model, "do_layer_norm_before": True, "enable_bias": arch.bias == "all"}
            | {"layer_norm_elementwise_affine": arch.norm == "layernorm"}
        ),
    ),
    NativeClass(
        title="MPT",
        name="MptForCausalLM",
        model_type="mpt",
        needs=GPT
        | {"norm": ("layernorm_no_bias",), "positions": ("alibi",), "ffn": ("gelu",), "bias": ("none",)}
        | {"d_ff": lambda arch: (4 * arch.d_model,), "attention_scale": any_value("attention_scale")},
        keys={
            "vocab_size": "vocab_size",
            "d_model": "d_model",
            "n_layers": "n_layers",
            "n_heads": "n_heads",
            "max_seq_len": "max_seq_length",
            "layer_norm_epsilon": "layer_norm_eps",
        },
        settings=lambda arch: (
            {"expansion_ratio": 4, "no_bias": True} | {"attn_config": {"alibi": True} | _softmax_scale(arch)}
        ),
    ),
)
"""Classes, those that more tools support first."""

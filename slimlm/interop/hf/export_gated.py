"""Classes of transformers with a gated feed-forward."""

from typing import Any

from slimlm.core.architecture import Architecture
from slimlm.core.attention_choices import FULL, UNROTATED
from slimlm.interop.hf.export_base import (
    ACTIVATIONS,
    LAYERNORM,
    LLAMA,
    ONE_WINDOW,
    RMS,
    ROTARY,
    SOME_WINDOWS,
    TORCH_EPS,
    NativeClass,
    Options,
    act,
    any_value,
    attention_bias,
    biases,
    divided_width,
    even_share,
    layer_types,
    own_width,
    scalar_of,
    some_windows,
    whole_scalar,
)

GEMMA: dict[str, Options] = SOME_WINDOWS | {
    "attention_scale": whole_scalar,
    "logit_softcap": any_value("logit_softcap"),
    # Whatever the class multiplies by, the exported embeddings make up for it.
    "embedding_scale": any_value("embedding_scale"),
}
"""Requirements of Gemma's classes on windows, factors and caps."""


def gemma(arch: Architecture) -> dict[str, Any]:
    """Return the keys of Gemma's classes."""
    found = {"hidden_activation": ACTIVATIONS[arch.ffn], "attention_bias": arch.bias == "attention"}
    found |= {"query_pre_attn_scalar": scalar_of(arch), "layer_types": layer_types(arch)}
    if arch.window is not None:
        found["sliding_window"] = arch.window
    return found | {"final_logit_softcapping": arch.logit_softcap}


def _local_base(arch: Architecture) -> dict[str, Any]:
    base = arch.rope_theta if arch.window_rope_theta is None else arch.window_rope_theta
    return {} if arch.window is None else {"rope_local_base_freq": base}


def _smollm3_window(arch: Architecture) -> tuple[int | None, ...]:
    return (arch.window if arch.positions == "rope" else None,)


def _smollm3_pattern(arch: Architecture) -> tuple[str, ...]:
    """Return layer_pattern; where no layer would have rotary positions, positions="none" says so."""
    if arch.positions != "rope":
        return (FULL,)
    unrotated = arch.n_unrotated_layers == arch.n_layers
    return (FULL + arch.layer_pattern[1:] if unrotated else arch.layer_pattern,)


def _rotated(arch: Architecture) -> list[int]:
    """Return for each layer of a SmolLM3 whether it has rotary positions."""
    if arch.positions != "rope":
        return [0] * arch.n_layers
    return [int(kind != UNROTATED) for kind in arch.layer_kinds]


GATED_CLASSES = (
    NativeClass(
        title="Llama",
        name="LlamaForCausalLM",
        model_type="llama",
        needs=LLAMA | {"bias": ("none", "attention", "ffn", "all"), "d_model": divided_width},
        keys=RMS,
        settings=biases,
    ),
    NativeClass(
        title="Mistral",
        name="MistralForCausalLM",
        model_type="mistral",
        needs=LLAMA | {"bias": ("none",)} | ONE_WINDOW,
        keys=RMS,
        settings=lambda arch: act(arch) | {"sliding_window": arch.window},
    ),
    NativeClass(
        title="Qwen2",
        name="Qwen2ForCausalLM",
        model_type="qwen2",
        needs=LLAMA | {"bias": ("qkv",)} | SOME_WINDOWS,
        keys=RMS,
        settings=lambda arch: act(arch) | some_windows(arch),
    ),
    NativeClass(
        title="Qwen3",
        name="Qwen3ForCausalLM",
        model_type="qwen3",
        needs=LLAMA | {"bias": ("none", "attention"), "qk_norm": ("head",)} | SOME_WINDOWS,
        keys=RMS,
        settings=lambda arch: attention_bias(arch) | some_windows(arch),
    ),
    NativeClass(
        title="Gemma 3",
        name="Gemma3ForCausalLM",
        model_type="gemma3_text",
        needs=LLAMA
        | {"ffn": ("geglu_tanh", "geglu", "swiglu"), "bias": ("none", "attention"), "qk_norm": ("head",)}
        | {"block": ("sandwich_norm",), "d_model": divided_width}
        | GEMMA
        | {"window_rope_theta": any_value("window_rope_theta")},
        keys=RMS,
        settings=lambda arch: gemma(arch) | _local_base(arch),
    ),
    NativeClass(
        title="OLMo 2",
        name="Olmo2ForCausalLM",
        model_type="olmo2",
        needs=LLAMA | {"bias": ("none", "attention"), "qk_norm": ("full",), "block": ("output_norm",)},
        keys=RMS,
        settings=attention_bias,
    ),
    NativeClass(
        title="OLMo",
        name="OlmoForCausalLM",
        model_type="olmo",
        needs=LLAMA | {"norm": ("layernorm_no_params",), "bias": ("none", "attention"), "layer_norm_eps": TORCH_EPS},
        keys=ROTARY | {"head_dim": "head_dim"},
        settings=attention_bias,
    ),
    NativeClass(
        title="SmolLM3",
        name="SmolLM3ForCausalLM",
        model_type="smollm3",
        needs=LLAMA
        | {"positions": ("none", "rope"), "bias": ("none", "attention", "ffn", "all")}
        | {"window": _smollm3_window, "layer_pattern": _smollm3_pattern},
        keys=RMS,
        settings=lambda arch: biases(arch) | {"no_rope_layers": _rotated(arch)} | some_windows(arch),
    ),
    NativeClass(
        title="StableLM",
        name="StableLmForCausalLM",
        model_type="stablelm",
        needs=LLAMA
        | {"norm": ("layernorm",), "bias": ("none", "qkv"), "block": ("pre_norm", "parallel_one_norm")}
        | {"head_dim": own_width, "rotary_share": even_share},
        keys=LAYERNORM | {"hidden_dropout": "dropout"},
        settings=lambda arch: (
            act(arch)
            | {"partial_rotary_factor": arch.rotary_share, "use_qkv_bias": arch.bias == "qkv"}
            | {"use_parallel_residual": arch.block == "parallel_one_norm"}
        ),
    ),
)
"""Classes, those that more tools support first."""

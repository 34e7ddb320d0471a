"""Classes of transformers with windows, factors or caps of their own, or fused projections."""

from typing import Any

from slimlm.core.architecture import Architecture
from slimlm.core.attention_choices import FULL, UNROTATED
from slimlm.interop.hf.export_base import (
    GPT,
    LAYERNORM,
    LLAMA,
    ONE_WINDOW,
    RMS,
    ROTARY,
    SOME_WINDOWS,
    NativeClass,
    act,
    activation_function,
    any_value,
    attention_bias,
    biases,
    divided_width,
    even_share,
    factor_of,
    inverse_of,
    layer_types,
    own_width,
    with_inverse,
)
from slimlm.interop.hf.export_gated import GEMMA, gemma

_USUAL_WINDOW = 4096


def _unrotated_where_full(arch: Architecture) -> tuple[str, ...]:
    """Return the pattern of a Cohere 2, whose layers without a window have no rotary positions."""
    return (arch.layer_pattern.replace(FULL, UNROTATED) if arch.window else "wwwn",)


def _attention_types(arch: Architecture) -> list[list[Any]]:
    """Return GPT-Neo's pairs of kinds, and of how often they are repeated."""
    pattern, words = arch.layer_pattern, {"f": "global", "w": "local"}
    repeats, rest = divmod(arch.n_layers, len(pattern))
    kinds = (pattern, repeats) if not rest else (arch.layer_kinds, 1)
    return [[[words[kind] for kind in kinds[0]], kinds[1]]]


VARIANTS = (
    NativeClass(
        title="Phi-3",
        name="Phi3ForCausalLM",
        model_type="phi3",
        needs=LLAMA | {"bias": ("none",), "head_dim": own_width, "rotary_share": even_share} | ONE_WINDOW,
        keys=ROTARY | {"rms_norm_eps": "layer_norm_eps", "resid_pdrop": "dropout"},
        settings=lambda arch: act(arch) | {"sliding_window": arch.window, "partial_rotary_factor": arch.rotary_share},
    ),
    NativeClass(
        title="Granite",
        name="GraniteForCausalLM",
        model_type="granite",
        needs=LLAMA
        | {"bias": ("none", "attention", "ffn", "all"), "logit_scale": with_inverse}
        | {name: any_value(name) for name in ("attention_scale", "embedding_scale", "residual_scale")},
        keys=RMS | {"embedding_multiplier": "embedding_scale", "residual_multiplier": "residual_scale"},
        settings=lambda arch: (
            biases(arch) | {"attention_multiplier": factor_of(arch), "logits_scaling": inverse_of(arch.logit_scale)}
        ),
    ),
    NativeClass(
        title="Gemma 2",
        name="Gemma2ForCausalLM",
        model_type="gemma2",
        needs=LLAMA
        | {"ffn": ("geglu_tanh", "geglu", "swiglu"), "bias": ("none", "attention"), "block": ("sandwich_norm",)}
        | {"d_model": divided_width, "attention_softcap": any_value("attention_softcap")}
        | GEMMA,
        keys=RMS | {"attn_logit_softcapping": "attention_softcap"},
        settings=gemma,
    ),
    NativeClass(
        title="Cohere",
        name="CohereForCausalLM",
        model_type="cohere",
        needs=LLAMA
        | {"norm": ("layernorm_no_bias",), "block": ("parallel_one_norm",), "bias": ("none", "attention")}
        | {"head_dim": own_width, "logit_scale": any_value("logit_scale")},
        keys=LAYERNORM | {"logit_scale": "logit_scale"},
        settings=attention_bias,
    ),
    NativeClass(
        title="Cohere 2",
        name="Cohere2ForCausalLM",
        model_type="cohere2",
        needs=LLAMA
        | {"norm": ("layernorm_no_bias",), "block": ("parallel_one_norm",), "bias": ("none", "attention")}
        | {"head_dim": own_width, "logit_scale": any_value("logit_scale")}
        | {"window": lambda arch: (arch.window or _USUAL_WINDOW,), "layer_pattern": _unrotated_where_full},
        keys=LAYERNORM | {"logit_scale": "logit_scale", "sliding_window": "window"},
        settings=lambda arch: attention_bias(arch) | {"layer_types": layer_types(arch)},
    ),
    NativeClass(
        title="GPT-Neo",
        name="GPTNeoForCausalLM",
        model_type="gpt_neo",
        needs=GPT | {"bias": ("output_ffn",), "attention_scale": (1.0,)} | SOME_WINDOWS,
        keys={
            "vocab_size": "vocab_size",
            "hidden_size": "d_model",
            "intermediate_size": "d_ff",
            "num_layers": "n_layers",
            "num_heads": "n_heads",
            "max_position_embeddings": "max_seq_length",
            "layer_norm_epsilon": "layer_norm_eps",
            "resid_dropout": "dropout",
            "embed_dropout": "dropout",
            "attention_dropout": "attention_dropout",
        },
        settings=lambda arch: (
            activation_function(arch)
            | {"attention_types": _attention_types(arch)}
            | ({} if arch.window is None else {"window_size": arch.window})
        ),
    ),
)
"""Classes, those that more tools support first."""

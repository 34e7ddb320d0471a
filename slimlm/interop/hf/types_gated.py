"""Model types with a gated feed-forward: Llama and its variants."""

from math import sqrt
from typing import Any

from slimlm.interop.hf.defaults import ROPE_KEYS
from slimlm.interop.hf.family import Factor, Family, Only, Reader, Switch, Windows
from slimlm.interop.hf.layer_patterns import (
    after_full_ones,
    every_second,
    everywhere,
    one_full_in,
    without_rotation,
)

_RMS_KEYS = ROPE_KEYS | {"layer_norm_eps": "rms_norm_eps"}
_EPS = {"layer_norm_eps": 1e-6}
_RMS = {"norm": "rmsnorm", "positions": "rope"}

_ATTENTION_BIAS = {"attention_bias": Switch(False, {"bias": "attention"})}
_MLP_BIAS = {"mlp_bias": Switch(False, {"bias": "ffn"})}

_SOME_SLIDE = {"sliding_window": 4096, "layer_types": None}
_QWEN = _SOME_SLIDE | {"use_sliding_window": False, "max_window_layers": 28}
_ALL_SLIDE = Windows(pattern=everywhere, listed=False)
_QWEN_WINDOWS = Windows(pattern=after_full_ones)

GEMMA = ("RMSNorm that multiplies by 1 + its weight",)
"""What Gemma has besides its architecture: a difference of the stored weights alone."""


def caps(logits: float | None) -> dict[str, Factor]:
    """Return Gemma's soft-cap of the logits, with this default, and its factor of the attention scores."""
    return {
        "final_logit_softcapping": Factor(logits, "logit_softcap"),
        "query_pre_attn_scalar": Factor(256, "attention_scale", lambda scalar: scalar**-0.5),
    }


SCORES_CAP = {"attn_logit_softcapping": Factor(50.0, "attention_softcap")}
"""Gemma 2's soft-cap of the attention scores."""


def root_of_width(reader: Reader) -> dict[str, Any]:
    """Return Gemma's factor of the embeddings: √d_model."""
    width = reader.whole("d_model")
    return {"embedding_scale": sqrt(width)} if width and 0 < width <= 10**15 else {}


def multipliers(logits: Factor, attention: float | None) -> dict[str, Factor]:
    """Return the factors of Granite and HyperCLOVA X."""
    return {
        "embedding_multiplier": Factor(1.0, "embedding_scale"),
        "residual_multiplier": Factor(1.0, "residual_scale"),
        "attention_multiplier": Factor(attention, "attention_scale"),
        "logits_scaling": logits,
    }


GATED = (
    Family(
        model_type="llama",
        classes="LlamaForCausalLM LLaMAForCausalLM",
        keys=_RMS_KEYS,
        rates=_EPS,
        fixed=_RMS,
        switches=_ATTENTION_BIAS | _MLP_BIAS,
    ),
    Family(
        model_type="mistral",
        classes="MistralForCausalLM",
        keys=_RMS_KEYS,
        rates=_EPS,
        fixed=_RMS,
        windows=_ALL_SLIDE,
        extras={"sliding_window": 4096},
    ),
    Family(
        model_type="qwen2",
        classes="Qwen2ForCausalLM",
        keys=_RMS_KEYS,
        rates=_EPS,
        fixed=_RMS | {"bias": "qkv"},
        nulls="num_key_value_heads",
        windows=_QWEN_WINDOWS,
        extras=_QWEN,
    ),
    Family(
        model_type="qwen3",
        classes="Qwen3ForCausalLM",
        keys=_RMS_KEYS,
        rates=_EPS,
        fixed=_RMS | {"qk_norm": "head"},
        switches=_ATTENTION_BIAS,
        nulls="num_key_value_heads",
        windows=_QWEN_WINDOWS,
        extras=_QWEN,
    ),
    Family(
        model_type="gemma",
        classes="GemmaForCausalLM",
        keys=_RMS_KEYS,
        rates=_EPS,
        fixed=_RMS,
        switches=_ATTENTION_BIAS,
        derive=root_of_width,
        quirks=GEMMA,
    ),
    Family(
        model_type="gemma2",
        classes="Gemma2ForCausalLM",
        keys=_RMS_KEYS | {"activation": "hidden_activation"},
        rates=_EPS,
        fixed=_RMS | {"block": "sandwich_norm"},
        switches=_ATTENTION_BIAS,
        factors=caps(30.0) | SCORES_CAP,
        windows=Windows(pattern=every_second),
        derive=root_of_width,
        extras=_SOME_SLIDE,
        quirks=GEMMA,
    ),
    Family(
        model_type="gemma3_text",
        classes="Gemma3ForCausalLM",
        keys=_RMS_KEYS | {"activation": "hidden_activation"},
        rates=_EPS | {"rope_theta": 1_000_000.0},
        fixed=_RMS | {"block": "sandwich_norm", "qk_norm": "head"},
        switches=_ATTENTION_BIAS,
        factors=caps(None),
        windows=Windows(
            pattern=one_full_in(6, "sliding_window_pattern"), local_base=("rope_local_base_freq", 10_000.0)
        ),
        derive=root_of_width,
        extras=_SOME_SLIDE
        | {"sliding_window_pattern": 6, "rope_local_base_freq": None, "attn_logit_softcapping": None},
        quirks=GEMMA,
    ),
    Family(
        model_type="olmo",
        classes="OlmoForCausalLM",
        keys=ROPE_KEYS,
        fixed=_RMS | {"norm": "layernorm_no_params"},
        switches=_ATTENTION_BIAS,
        extras={"clip_qkv": None},
    ),
    Family(
        model_type="olmo2",
        classes="Olmo2ForCausalLM",
        keys=_RMS_KEYS,
        fixed=_RMS | {"block": "output_norm", "qk_norm": "full"},
        switches=_ATTENTION_BIAS,
    ),
    Family(
        model_type="phi3",
        classes="Phi3ForCausalLM",
        keys=_RMS_KEYS | {"dropout": "resid_pdrop"},
        fixed=_RMS,
        windows=_ALL_SLIDE,
        rotary_share=1.0,
        extras={"sliding_window": None, "partial_rotary_factor": 1.0},
    ),
    Family(
        model_type="stablelm",
        classes="StableLmForCausalLM",
        keys=ROPE_KEYS | {"dropout": "hidden_dropout", "layer_norm_eps": "layer_norm_eps"},
        fixed={"norm": "layernorm", "positions": "rope"},
        switches={
            "use_qkv_bias": Switch(False, {"bias": "qkv"}),
            "use_parallel_residual": Switch(False, {"block": "parallel_one_norm"}),
        },
        only={"qk_layernorm": Only((False,), "slimlm has no norm with weights of its own for every head")},
        rotary_share=0.25,
        extras={"partial_rotary_factor": 0.25},
    ),
    Family(
        model_type="smollm3",
        classes="SmolLM3ForCausalLM",
        keys=_RMS_KEYS,
        rates=_EPS | {"rope_theta": 2_000_000.0},
        fixed=_RMS,
        switches=_ATTENTION_BIAS | _MLP_BIAS,
        nulls="num_key_value_heads",
        windows=Windows(pattern=without_rotation, listed=False, names="no_rope_layers", without=None),
        extras={
            "sliding_window": None,
            "layer_types": None,
            "use_sliding_window": False,
            "no_rope_layers": None,
            "no_rope_layer_interval": 4,
        },
    ),
    Family(
        model_type="granite",
        classes="GraniteForCausalLM",
        keys=_RMS_KEYS,
        rates=_EPS,
        fixed=_RMS,
        switches=_ATTENTION_BIAS | _MLP_BIAS,
        factors=multipliers(Factor(1.0, "logit_scale", lambda scaling: 1 / scaling), 1.0),
    ),
)

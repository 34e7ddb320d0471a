"""Model types with a gated feed-forward: Llama and its variants."""

from slimlm.interop.hf.defaults import ROPE_KEYS
from slimlm.interop.hf.family import Family, Only, Switch

_RMS_KEYS = ROPE_KEYS | {"layer_norm_eps": "rms_norm_eps"}
_EPS = {"layer_norm_eps": 1e-6}
_RMS = {"norm": "rmsnorm", "positions": "rope"}

_ATTENTION_BIAS = {"attention_bias": Switch(False, {"bias": "attention"})}
_MLP_BIAS = {"mlp_bias": Switch(False, {"bias": "ffn"})}

_SOME_SLIDE = {"sliding_window": 4096, "layer_types": None}
_GEMMA = ("RMSNorm that multiplies by 1 + its weight", "embeddings multiplied by √d_model")

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
        extras={"sliding_window": 4096},
    ),
    Family(
        model_type="qwen2",
        classes="Qwen2ForCausalLM",
        keys=_RMS_KEYS,
        rates=_EPS,
        fixed=_RMS | {"bias": "qkv"},
        nulls="num_key_value_heads",
        extras=_SOME_SLIDE | {"use_sliding_window": False},
    ),
    Family(
        model_type="qwen3",
        classes="Qwen3ForCausalLM",
        keys=_RMS_KEYS,
        rates=_EPS,
        fixed=_RMS | {"qk_norm": "head"},
        switches=_ATTENTION_BIAS,
        nulls="num_key_value_heads",
        extras=_SOME_SLIDE | {"use_sliding_window": False},
    ),
    Family(
        model_type="gemma",
        classes="GemmaForCausalLM",
        keys=_RMS_KEYS,
        rates=_EPS,
        fixed=_RMS,
        switches=_ATTENTION_BIAS,
        quirks=_GEMMA,
    ),
    Family(
        model_type="gemma2",
        classes="Gemma2ForCausalLM",
        keys=_RMS_KEYS | {"activation": "hidden_activation"},
        rates=_EPS,
        fixed=_RMS | {"block": "sandwich_norm"},
        switches=_ATTENTION_BIAS,
        extras={
            **_SOME_SLIDE,
            "attn_logit_softcapping": 50.0,
            "final_logit_softcapping": 30.0,
            "query_pre_attn_scalar": 256,
        },
        quirks=_GEMMA,
    ),
    Family(
        model_type="gemma3_text",
        classes="Gemma3ForCausalLM",
        keys=_RMS_KEYS | {"activation": "hidden_activation"},
        rates=_EPS | {"rope_theta": 1_000_000.0},
        fixed=_RMS | {"block": "sandwich_norm", "qk_norm": "head"},
        switches=_ATTENTION_BIAS,
        extras={
            **_SOME_SLIDE,
            "attn_logit_softcapping": None,
            "final_logit_softcapping": None,
            "query_pre_attn_scalar": 256,
        },
        quirks=(*_GEMMA, "another rotary base in layers with sliding-window attention"),
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
        extras={
            "embedding_multiplier": 1.0,
            "residual_multiplier": 1.0,
            "attention_multiplier": 1.0,
            "logits_scaling": 1.0,
        },
    ),
)

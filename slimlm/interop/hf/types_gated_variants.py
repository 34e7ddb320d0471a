"""Further model types with a gated feed-forward, besides those of `slimlm.interop.hf.types_gated`."""

from typing import Any

from slimlm.interop.hf.defaults import ROPE_KEYS
from slimlm.interop.hf.family import Factor, Family, Only, Reader, Switch, Windows, not_supported
from slimlm.interop.hf.layer_patterns import after_full_ones, every_second, everywhere, first_full, one_full_in
from slimlm.interop.hf.types_gated import GEMMA, SCORES_CAP, caps, multipliers, root_of_width
from slimlm.utils.text import shown

_RMS_KEYS = ROPE_KEYS | {"layer_norm_eps": "rms_norm_eps"}
_NORM_KEYS = ROPE_KEYS | {"layer_norm_eps": "layer_norm_eps"}
_RMS = {"norm": "rmsnorm", "positions": "rope"}
_COHERE = {"norm": "layernorm_no_bias", "positions": "rope", "block": "parallel_one_norm"}

_ATTENTION_BIAS = {"attention_bias": Switch(False, {"bias": "attention"})}
_QKV_BIAS = {"attention_bias": Switch(True, {"bias": "qkv"})}
_MLP_BIAS = {"mlp_bias": Switch(False, {"bias": "ffn"})}

_SOME_SLIDE = {"sliding_window": 4096, "layer_types": None}
_HALF_ROTATED: dict[str, Any] = {"rotary_share": 0.5, "extras": {"partial_rotary_factor": 0.5}}

_LLAMA3_ROPE = {"rope_type": "llama3", "rope_theta": 1_000_000.0, "factor": 16.0}
_YARN_ROPE = {
    "rope_type": "yarn",
    "rope_theta": 1_000_000.0,
    "factor": 16.0,
    "original_max_position_embeddings": 16384,
    "llama_4_scaling_beta": 0.1,
}

_IQUEST = "transformers has no IQuest-Coder with it"
_PER_HEAD = "slimlm has no norm with weights of its own for every head"


def _square_output(reader: Reader) -> dict[str, Any]:
    """Check that heads add up to d_model, as transformers builds Helium's attention output."""
    width, n_heads, head_dim = (reader.whole(name) for name in ("d_model", "n_heads", "head_dim"))
    if not (width and n_heads and head_dim and 0 < n_heads <= width) or n_heads * head_dim == width:
        return {}
    remedy = "" if width % (2 * n_heads) or width > 10**15 else f"; head_dim={width // n_heads} would work"
    reason = f"transformers runs no Helium whose heads do not add up to {reader.key('d_model')}={shown(width)}{remedy}"
    raise not_supported("head_dim", head_dim, reason)


def _alike_biases(reader: Reader) -> dict[str, Any]:
    """Check that attention and feed-forward have biases alike, as InternLM3's configuration class does."""
    attention, mlp = reader.switch("attention_bias"), reader.switch("mlp_bias")
    if attention != mlp:
        remedy = f"mlp_bias={str(attention).lower()} would work"
        raise not_supported("mlp_bias", mlp, f"transformers has no InternLM3 with biases in one part alone; {remedy}")
    return {}


_QWEN2_VL: dict[str, Any] = {
    "keys": _RMS_KEYS,
    "rates": {"rope_theta": 1_000_000.0},
    "fixed": _RMS | {"bias": "qkv"},
    "nulls": "num_key_value_heads tie_word_embeddings",
    "windows": Windows(pattern=after_full_ones),
    "extras": _SOME_SLIDE | {"use_sliding_window": False, "max_window_layers": 80},
}

GATED_VARIANTS = (
    Family(model_type="qwen2_vl_text", classes="Qwen2VLTextModel", **_QWEN2_VL),
    Family(model_type="qwen2_5_vl_text", classes="Qwen2_5_VLTextModel", **_QWEN2_VL),
    Family(
        model_type="glm4v_text",
        classes="Glm4vTextModel",
        keys=_RMS_KEYS,
        fixed=_RMS | {"block": "sandwich_norm", "bias": "qkv"},
        nulls="num_key_value_heads tie_word_embeddings",
        rotary_share=1.0,
        extras={"partial_rotary_factor": None},
    ),
    Family(
        model_type="ernie4_5",
        classes="Ernie4_5ForCausalLM Ernie4_5_ForCausalLM",
        keys=_RMS_KEYS,
        rates={"rope_theta": 500_000.0},
        fixed=_RMS,
        switches={"use_bias": Switch(False, {"bias": "all"})},
        nulls="num_key_value_heads head_dim use_bias",
    ),
    Family(
        model_type="helium",
        classes="HeliumForCausalLM",
        keys=_RMS_KEYS,
        rates={"layer_norm_eps": 1e-8, "rope_theta": 100_000.0},
        fixed=_RMS,
        switches={"attention_bias": Switch(False, {"bias": "qkv"})} | _MLP_BIAS,
        derive=_square_output,
    ),
    Family(
        model_type="ministral",
        classes="MinistralForCausalLM",
        keys=_RMS_KEYS,
        rates={"layer_norm_eps": 1e-6},
        fixed=_RMS,
        windows=Windows(pattern=everywhere),
        extras=_SOME_SLIDE,
    ),
    Family(
        model_type="ministral3",
        classes="Ministral3ForCausalLM",
        keys=_RMS_KEYS,
        fixed=_RMS,
        rope=_YARN_ROPE,
        windows=Windows(pattern=everywhere, listed=False),
        extras={"sliding_window": None},
    ),
    Family(
        model_type="cwm",
        classes="CwmForCausalLM",
        keys=_RMS_KEYS,
        rates={"rope_theta": 1_000_000.0},
        fixed=_RMS,
        switches=_MLP_BIAS,
        rope=_LLAMA3_ROPE,
        windows=Windows(pattern=first_full),
        extras={"sliding_window": 8192, "layer_types": None},
    ),
    Family(
        model_type="internlm3",
        classes="InternLM3ForCausalLM LlamaForCausalLM",
        keys=_RMS_KEYS,
        fixed=_RMS,
        switches=_ATTENTION_BIAS | _MLP_BIAS,
        aliases={"qkv_bias": "attention_bias", "bias": "mlp_bias"},
        nulls="num_key_value_heads head_dim",
        derive=_alike_biases,
    ),
    Family(
        model_type="iquestcoder",
        classes="IQuestCoderForCausalLM LlamaForCausalLM",
        keys=_RMS_KEYS,
        fixed=_RMS,
        switches=_ATTENTION_BIAS | _MLP_BIAS,
        only={"clip_qkv": Only((None,), _IQUEST), "use_sliding_window": Only((False, None), _IQUEST)},
        nulls="num_key_value_heads head_dim",
    ),
    Family(
        model_type="mobilellm",
        classes="MobileLLMForCausalLM",
        keys=_RMS_KEYS,
        rates={"layer_norm_eps": 1e-6},
        fixed=_RMS,
        switches=_ATTENTION_BIAS | _MLP_BIAS | {"share_embedding": Switch(False, {"tied_lm_head": True})},
        extras={"layer_sharing": False},
    ),
    Family(
        model_type="mimo",
        classes="MiMoForCausalLM",
        keys=_RMS_KEYS,
        rates={"layer_norm_eps": 1e-6},
        fixed=_RMS | {"bias": "qkv"},
        nulls="num_key_value_heads",
        windows=Windows(pattern=after_full_ones),
        extras=_SOME_SLIDE | {"use_sliding_window": False, "max_window_layers": 28, "num_nextn_predict_layers": 0},
    ),
    Family(
        model_type="qwen3_vl_text",
        classes="Qwen3VLTextModel",
        keys=_RMS_KEYS,
        rates={"layer_norm_eps": 1e-6, "rope_theta": 500_000.0},
        fixed=_RMS | {"qk_norm": "head"},
        switches=_ATTENTION_BIAS,
        nulls="num_key_value_heads tie_word_embeddings",
    ),
    Family(
        model_type="hunyuan_v1_dense",
        classes="HunYuanDenseV1ForCausalLM",
        keys=_RMS_KEYS,
        fixed=_RMS | {"qk_norm": "head"},
        switches=_ATTENTION_BIAS,
        quirks=("queries and keys normalised after their rotation, not before",),
    ),
    Family(
        model_type="seed_oss",
        classes="SeedOssForCausalLM",
        keys=_RMS_KEYS | {"dropout": "residual_dropout"},
        rates={"layer_norm_eps": 1e-6, "dropout": 0.1, "attention_dropout": 0.1},
        fixed=_RMS,
        switches=_QKV_BIAS | {"attention_out_bias": Switch(False, {"bias": "output"})} | _MLP_BIAS,
        nulls="num_key_value_heads",
    ),
    Family(
        model_type="glm",
        classes="GlmForCausalLM",
        keys=_RMS_KEYS,
        rates={"layer_norm_eps": 1.5625e-7},
        fixed=_RMS,
        switches=_QKV_BIAS,
        nulls="num_key_value_heads head_dim",
        **_HALF_ROTATED,
    ),
    Family(
        model_type="glm4",
        classes="Glm4ForCausalLM",
        keys=_RMS_KEYS,
        rates={"layer_norm_eps": 1.5625e-7},
        fixed=_RMS | {"block": "sandwich_norm"},
        switches=_QKV_BIAS,
        **_HALF_ROTATED,
    ),
    Family(
        model_type="hyperclovax",
        classes="HyperCLOVAXForCausalLM",
        keys=_RMS_KEYS,
        rates={"layer_norm_eps": 1e-6},
        fixed=_RMS,
        switches=_ATTENTION_BIAS | _MLP_BIAS | {"use_post_norm": Switch(True, {"block": "sandwich_norm"})},
        factors=multipliers(Factor(1.0, "logit_scale"), None),
    ),
    Family(
        model_type="olmo3",
        classes="Olmo3ForCausalLM",
        keys=_RMS_KEYS,
        rates={"rope_theta": 500_000.0},
        fixed=_RMS | {"block": "output_norm", "qk_norm": "full"},
        switches=_ATTENTION_BIAS,
        windows=Windows(pattern=one_full_in(4), local_base=("", 500_000.0)),
        extras=_SOME_SLIDE,
    ),
    Family(
        model_type="exaone4",
        classes="Exaone4ForCausalLM",
        keys=_RMS_KEYS,
        fixed=_RMS | {"block": "output_norm", "qk_norm": "head"},
        windows=Windows(pattern=one_full_in(4, "sliding_window_pattern"), full="n"),
        extras=_SOME_SLIDE | {"sliding_window_pattern": 4},
    ),
    Family(
        model_type="vaultgemma",
        classes="VaultGemmaForCausalLM",
        keys=_RMS_KEYS | {"activation": "hidden_activation"},
        rates={"layer_norm_eps": 1e-6},
        fixed=_RMS,
        switches=_ATTENTION_BIAS,
        factors=caps(30.0) | SCORES_CAP,
        windows=Windows(pattern=every_second),
        derive=root_of_width,
        extras=_SOME_SLIDE,
        quirks=GEMMA,
    ),
    Family(
        model_type="cohere",
        classes="CohereForCausalLM",
        keys=_NORM_KEYS,
        rates={"rope_theta": 500_000.0},
        fixed=_COHERE,
        switches=_ATTENTION_BIAS,
        only={"use_qk_norm": Only((False, None), _PER_HEAD)},
        factors={"logit_scale": Factor(0.0625, "logit_scale")},
    ),
    Family(
        model_type="cohere2",
        classes="Cohere2ForCausalLM",
        keys=_NORM_KEYS,
        fixed=_COHERE,
        switches=_ATTENTION_BIAS,
        factors={"logit_scale": Factor(0.0625, "logit_scale")},
        windows=Windows(pattern=one_full_in(4, "sliding_window_pattern"), full="n", without="n"),
        extras=_SOME_SLIDE | {"sliding_window_pattern": 4},
    ),
)

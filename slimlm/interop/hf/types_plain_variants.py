"""Further model types with a feed-forward without a gate, besides those of `slimlm.interop.hf.types_plain`."""

from typing import Any

from slimlm.interop.hf.defaults import KEYS, ROPE_KEYS
from slimlm.interop.hf.family import Factor, Family, Reader, Switch
from slimlm.interop.hf.types_gated import root_of_width

_GPT_KEYS = KEYS | {
    "d_model": "n_embd hidden_size",
    "d_ff": "n_inner",
    "n_layers": "n_layer num_hidden_layers",
    "n_heads": "n_head num_attention_heads",
    "max_seq_length": "n_positions max_position_embeddings",
    "activation": "activation_function",
    "dropout": "resid_pdrop",
    "attention_dropout": "attn_pdrop",
    "layer_norm_eps": "layer_norm_epsilon",
}
_RMS_KEYS = ROPE_KEYS | {"layer_norm_eps": "rms_norm_eps"}
_NORM_KEYS = ROPE_KEYS | {"layer_norm_eps": "layer_norm_eps"}
_ROPE = {"norm": "layernorm", "positions": "rope"}
_LEARNED = {"norm": "layernorm", "positions": "learned", "bias": "all"}
_SINES = {"norm": "layernorm", "positions": "none", "bias": "all"}

_GPT_RATES = {"dropout": 0.1, "attention_dropout": 0.1}
_SCALED_SCORES = {"scale_attn_weights": Switch(True, when_false={"attention_scale": 1.0})}
_ATTENTION_BIAS = {"attention_bias": Switch(False, {"bias": "attention"})}
_MLP_BIAS = {"mlp_bias": Switch(False, {"bias": "ffn"})}
_BIASED = {"attention_bias": Switch(True, {"bias": "attention"}), "mlp_bias": Switch(True, {"bias": "ffn"})}
_HALF_ROTATED: dict[str, Any] = {"rotary_share": 0.5, "extras": {"partial_rotary_factor": 0.5}}

_FIXED_SINES = ("fixed sines as positions, taken for none",)
_GPTJ: dict[str, Any] = {
    "keys": _GPT_KEYS,
    "fixed": _ROPE | {"bias": "ffn", "block": "parallel_one_norm", "lm_head_bias": True},
    "gated": False,
    "extras": {"rotary_dim": 64},
}


def _scaled_embedding(reader: Reader) -> dict[str, Any]:
    """Return the factor √d_model of the embeddings, unless a key leaves it out."""
    return root_of_width(reader) if reader.switch("scale_embedding") else {}


def _one_kv_head(reader: Reader) -> dict[str, Any]:
    return {"n_kv_heads": 1 if reader.switch("multi_query") else None}


PLAIN_VARIANTS = (
    Family(model_type="gptj", classes="GPTJForCausalLM", **_GPTJ),
    Family(model_type="codegen", classes="CodeGenForCausalLM", **_GPTJ),
    Family(
        model_type="gpt_bigcode",
        classes="GPTBigCodeForCausalLM GPTBigCodeLMHeadModel",
        keys=_GPT_KEYS,
        rates=_GPT_RATES,
        fixed=_LEARNED,
        gated=False,
        switches=_SCALED_SCORES | {"multi_query": Switch(True)},
        derive=_one_kv_head,
    ),
    Family(
        model_type="gpt-sw3",
        classes="GPT2LMHeadModel",
        keys=_GPT_KEYS,
        rates=_GPT_RATES,
        fixed=_LEARNED,
        gated=False,
        switches=_SCALED_SCORES,
        extras={"scale_attn_by_inverse_layer_idx": False},
    ),
    Family(
        model_type="biogpt",
        classes="BioGptForCausalLM",
        keys=KEYS | {"dropout": "hidden_dropout_prob", "attention_dropout": "attention_probs_dropout_prob"},
        rates=_GPT_RATES,
        fixed=_LEARNED | {"position_offset": 2},
        gated=False,
        switches={"scale_embedding": Switch(True)},
        derive=_scaled_embedding,
        extras={"layerdrop": 0.0},
    ),
    Family(
        model_type="xglm",
        classes="XGLMForCausalLM",
        keys=KEYS
        | {
            "d_model": "d_model hidden_size",
            "d_ff": "ffn_dim",
            "n_layers": "num_layers num_hidden_layers",
            "n_heads": "attention_heads num_attention_heads",
            "activation": "activation_function",
            "dropout": "dropout",
        },
        rates=_GPT_RATES,
        fixed=_SINES,
        gated=False,
        switches={"scale_embedding": Switch(True)},
        derive=_scaled_embedding,
        extras={"layerdrop": 0.0},
        quirks=_FIXED_SINES,
    ),
    Family(
        model_type="ctrl",
        classes="CTRLLMHeadModel",
        keys={
            key: name
            for key, name in (_GPT_KEYS | {"d_ff": "dff"}).items()
            if key not in ("activation", "attention_dropout")
        },
        rates={"dropout": 0.1, "attention_dropout": 0.1, "layer_norm_eps": 1e-6},
        fixed=_SINES | {"ffn": "relu", "lm_head_bias": True},
        gated=False,
        derive=root_of_width,
        quirks=_FIXED_SINES,
    ),
    Family(
        model_type="nanochat",
        classes="NanoChatForCausalLM",
        keys=_RMS_KEYS,
        rates={"layer_norm_eps": 1e-6},
        fixed=_ROPE | {"norm": "layernorm_no_params", "qk_norm": "head", "embedding_norm": True},
        gated=False,
        switches=_ATTENTION_BIAS,
        factors={"final_logit_softcapping": Factor(15.0, "logit_softcap")},
        quirks=("RMSNorm without weights, taken for LayerNorm without parameters",),
    ),
    Family(
        model_type="arcee",
        classes="ArceeForCausalLM",
        keys=_RMS_KEYS,
        fixed=_ROPE | {"norm": "rmsnorm"},
        gated=False,
        switches=_ATTENTION_BIAS | _MLP_BIAS,
    ),
    Family(
        model_type="nemotron",
        classes="NemotronForCausalLM",
        keys=ROPE_KEYS | {"layer_norm_eps": "norm_eps"},
        fixed=_ROPE,
        gated=False,
        switches=_ATTENTION_BIAS | _MLP_BIAS,
        quirks=("LayerNorm that multiplies by 1 + its weight",),
        **_HALF_ROTATED,
    ),
    Family(
        model_type="jais2",
        classes="Jais2ForCausalLM",
        keys=_NORM_KEYS,
        fixed=_ROPE,
        gated=False,
        switches=_BIASED,
    ),
    Family(
        model_type="persimmon",
        classes="PersimmonForCausalLM",
        keys=_NORM_KEYS | {"dropout": "hidden_dropout"},
        fixed=_ROPE | {"bias": "all"},
        gated=False,
        switches={"qk_layernorm": Switch(True, {"qk_norm": "head"})},
        **_HALF_ROTATED,
    ),
)

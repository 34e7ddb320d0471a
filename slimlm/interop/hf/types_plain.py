"""Model types with a feed-forward without a gate: two matrices around GELU or ReLU."""

from typing import Any

from slimlm.interop.hf.defaults import KEYS, ROPE_KEYS
from slimlm.interop.hf.family import Factor, Family, Only, Reader, Switch, Windows, not_supported
from slimlm.interop.hf.layer_patterns import by_attention_types, everywhere

_ROPE = {"norm": "layernorm", "positions": "rope"}
_LEARNED = {"norm": "layernorm", "positions": "learned"}

_MPT_IGNORES_IT = "transformers builds the same MPT whatever this key says"


def _unfactorised(reader: Reader) -> dict[str, Any]:
    width, d_model = reader.get("word_embed_proj_dim"), reader.whole("d_model")
    if width not in (None, d_model):
        remedy = f"word_embed_proj_dim={d_model}, as {reader.key('d_model')}, or null would work"
        raise not_supported("word_embed_proj_dim", width, f"slimlm's embeddings have the width of its blocks; {remedy}")
    return {}


def _falcon_block(reader: Reader) -> dict[str, Any]:
    """Return Falcon's kind of block and its KV heads, as in FalconDecoderLayer and FalconAttention."""
    grouped, parallel = reader.switch("new_decoder_architecture"), reader.switch("parallel_attn")
    norms = reader.get("num_ln_in_parallel_attn")
    if parallel and norms not in ((None, 1, 2) if grouped else (None, 1)):
        remedy = "num_ln_in_parallel_attn=1 or null would work"
        raise not_supported("num_ln_in_parallel_attn", norms, f"transformers runs no such block; {remedy}")
    if grouped and not parallel:
        reason = "transformers runs no such block with new_decoder_architecture=true; parallel_attn=true would work"
        raise not_supported("parallel_attn", reader.get("parallel_attn"), reason)
    if grouped:
        return {"block": "parallel_one_norm" if norms == 1 else "parallel"}
    n_kv_heads = 1 if reader.switch("multi_query") else None
    return {"block": "parallel_one_norm" if parallel else "pre_norm", "n_kv_heads": n_kv_heads}


PLAIN = (
    Family(
        model_type="gpt2",
        classes="GPT2LMHeadModel",
        keys=KEYS
        | {
            "d_model": "n_embd hidden_size",
            "d_ff": "n_inner",
            "n_layers": "n_layer num_hidden_layers",
            "n_heads": "n_head num_attention_heads",
            "max_seq_length": "n_positions max_position_embeddings",
            "activation": "activation_function",
            "dropout": "resid_pdrop",
            "attention_dropout": "attn_pdrop",
            "layer_norm_eps": "layer_norm_epsilon",
        },
        rates={"dropout": 0.1, "attention_dropout": 0.1},
        fixed=_LEARNED | {"bias": "all"},
        gated=False,
        switches={"scale_attn_weights": Switch(True, when_false={"attention_scale": 1.0})},
        extras={"scale_attn_by_inverse_layer_idx": False},
    ),
    Family(
        model_type="gpt_neo",
        classes="GPTNeoForCausalLM",
        keys=KEYS
        | {
            "n_layers": "num_layers num_hidden_layers",
            "n_heads": "num_heads num_attention_heads",
            "activation": "activation_function",
            "dropout": "resid_dropout",
            "layer_norm_eps": "layer_norm_epsilon",
        },
        fixed=_LEARNED | {"bias": "output_ffn", "attention_scale": 1.0},
        gated=False,
        windows=Windows(
            key="window_size", pattern=by_attention_types, listed=False, names="attention_types", without=None
        ),
        extras={"window_size": 256, "attention_types": None},
    ),
    Family(
        model_type="gpt_neox",
        classes="GPTNeoXForCausalLM",
        keys=KEYS | {"dropout": "hidden_dropout", "layer_norm_eps": "layer_norm_eps", "rope_theta": "rotary_emb_base"},
        fixed=_ROPE | {"bias": "ffn"},
        gated=False,
        switches={
            "attention_bias": Switch(True, {"bias": "attention"}),
            "use_parallel_residual": Switch(True, {"block": "parallel"}),
        },
        rotary_share=0.25,
        extras={"rotary_pct": 0.25},
    ),
    Family(
        model_type="opt",
        classes="OPTForCausalLM",
        keys=KEYS | {"d_ff": "ffn_dim", "activation": "activation_function", "dropout": "dropout"},
        rates={"dropout": 0.1},
        fixed={"norm": "layernorm_no_params", "positions": "learned", "position_offset": 2},
        gated=False,
        switches={
            "enable_bias": Switch(True, {"bias": "all"}),
            "layer_norm_elementwise_affine": Switch(True, {"norm": "layernorm"}),
        },
        only={
            "do_layer_norm_before": Only((True,), "slimlm has no blocks that normalise after the residual sum"),
            "_remove_final_layer_norm": Only((False,), "all of slimlm's architectures end in a norm"),
        },
        derive=_unfactorised,
        extras={"word_embed_proj_dim": None, "layerdrop": 0.0},
    ),
    Family(
        model_type="bloom",
        classes="BloomForCausalLM",
        keys=KEYS
        | {
            "d_model": "hidden_size n_embed",
            "n_layers": "n_layer num_hidden_layers",
            "n_heads": "n_head num_attention_heads",
            "max_seq_length": "seq_length",
            "dropout": "hidden_dropout",
            "layer_norm_eps": "layer_norm_epsilon",
        },
        fixed={"norm": "layernorm", "positions": "alibi", "ffn": "gelu_tanh", "bias": "all", "embedding_norm": True},
        gated=False,
        extras={"apply_residual_connection_post_layernorm": False},
    ),
    Family(
        model_type="falcon",
        classes="FalconForCausalLM",
        keys=ROPE_KEYS
        | {
            "d_model": "hidden_size n_embed",
            "d_ff": "ffn_hidden_size",
            "n_kv_heads": "num_kv_heads",
            "activation": "activation",
            "dropout": "hidden_dropout",
            "layer_norm_eps": "layer_norm_epsilon",
        },
        fixed=_ROPE,
        gated=False,
        switches={
            "bias": Switch(False, {"bias": "all"}),
            "alibi": Switch(False, {"positions": "alibi"}),
            "new_decoder_architecture": Switch(False),
            "parallel_attn": Switch(True),
            "multi_query": Switch(True),
        },
        nulls="bias alibi new_decoder_architecture parallel_attn multi_query",
        derive=_falcon_block,
        extras={"num_ln_in_parallel_attn": None},
    ),
    Family(
        model_type="mpt",
        classes="MptForCausalLM MPTForCausalLM",
        keys=KEYS
        | {
            "d_model": "d_model hidden_size",
            "n_layers": "n_layers num_hidden_layers",
            "n_heads": "n_heads num_attention_heads",
            "max_seq_length": "max_seq_len",
            "dropout": "resid_pdrop",
            "attention_dropout": "attn_config.attn_pdrop",
            "layer_norm_eps": "layer_norm_epsilon",
        },
        fixed={"norm": "layernorm_no_bias", "positions": "alibi", "ffn": "gelu"},
        gated=False,
        only={
            "no_bias": Only((True,), _MPT_IGNORES_IT),
            "expansion_ratio": Only((4,), _MPT_IGNORES_IT),
            "norm_type": Only(("low_precision_layernorm", "layernorm"), _MPT_IGNORES_IT),
            "attn_config.alibi": Only((True,), _MPT_IGNORES_IT),
            "attn_config.qk_ln": Only((False,), _MPT_IGNORES_IT),
            "attn_config.attn_type": Only(("multihead_attention",), _MPT_IGNORES_IT),
        },
        factors={"attn_config.softmax_scale": Factor(None, "attention_scale")},
        extras={"logit_scale": None, "attn_config.clip_qkv": None},
    ),
    Family(
        model_type="phi",
        classes="PhiForCausalLM",
        keys=ROPE_KEYS | {"dropout": "resid_pdrop", "layer_norm_eps": "layer_norm_eps"},
        fixed=_ROPE | {"bias": "all", "block": "parallel_one_norm", "lm_head_bias": True},
        gated=False,
        switches={"qk_layernorm": Switch(False, {"qk_norm": "head"})},
        rotary_share=0.5,
        extras={"partial_rotary_factor": 0.5},
    ),
    Family(
        model_type="starcoder2",
        classes="Starcoder2ForCausalLM",
        keys=ROPE_KEYS | {"dropout": "residual_dropout", "layer_norm_eps": "norm_epsilon"},
        fixed=_ROPE,
        gated=False,
        switches={"use_bias": Switch(True, {"bias": "all"})},
        only={
            "norm_type": Only(("layer_norm",), "transformers builds StarCoder2 with LayerNorm whatever this key says"),
            "mlp_type": Only(("default",), "transformers builds StarCoder2 without a gate whatever this key says"),
        },
        windows=Windows(pattern=everywhere, listed=False),
        extras={"sliding_window": None},
    ),
)

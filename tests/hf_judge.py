"""What transformers builds of a config: its own model on the meta device, counted by the keys of slimlm's account."""

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import torch
from hypothesis import strategies as st
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    PreTrainedConfig,
    PreTrainedModel,
)

_OUTSIDE = {
    r"lm_head\.|output_projection\.": "lm_head",
    r"(wte|embed_in|embed_tokens|word_embeddings|transformer\.w)\.weight": "token_embedding",
    r"(wpe|embed_positions)\.": "position_embedding",
    r"norm|ln_f": "final_norm",
}
_IN_LAYER = {
    r"norm|\.ln_": "norms",
    r"attn|attention": "attention",
    r"\.shared_expert": "shared_experts",
    r"\.experts\.": "experts",
    r"\.(gate|router)\.weight": "router",
    r"mlp|ffn|\.fc[12]\.": "ffn",
}


def count(config: PreTrainedConfig) -> dict[str, int]:
    """Return how many parameters every component has; a tied table is counted once, as the token embedding."""
    model = on_meta(config)
    found: Counter[str] = Counter()
    for name, parameter in model.named_parameters():  # each parameter once, by its first name
        if ".visual." not in name:
            found[_component(name)] += parameter.numel()
    if found["experts"]:
        found["dense_ffn"] = found.pop("ffn", 0)
    return {key: params for key, params in found.items() if params}


def on_meta(config: PreTrainedConfig) -> PreTrainedModel:
    """Return the model that transformers builds of a config, without memory."""
    kind: Any = AutoModelForCausalLM
    if config.model_type in TEXT_PARTS:
        tied, whole = getattr(config, "tie_word_embeddings", False), config.model_type.removesuffix("_text")
        config = AutoConfig.for_model(whole, text_config=config.to_dict(), tie_word_embeddings=tied)
        kind = AutoModelForImageTextToText
    with torch.device("meta"):
        model: PreTrainedModel = kind.from_config(config)
    model.tie_weights()
    return model


def _component(name: str) -> str:
    patterns = _IN_LAYER if re.search(r"\.\d+\.", name) else _OUTSIDE
    return next(key for pattern, key in patterns.items() if re.search(pattern, name))


def load(config: dict[str, Any]) -> PreTrainedConfig:
    """Return the config as transformers reads it from a file; types that it lacks as those whose models they are."""
    model_type = config.get("model_type", "")
    if model_type == "mobilellm":
        config = config | {"tie_word_embeddings": _tied(config)}
    found = AutoConfig.for_model(**config | {"model_type": SAME_MODELS.get(model_type, model_type)})
    if model_type == "gemma4_text":  # whose heads differ by layer
        return found
    if getattr(found, "head_dim", 0) is None:  # some classes declare null, and their models then raise TypeError
        found.head_dim = found.hidden_size // found.num_attention_heads
    if getattr(found, "num_key_value_heads", 0) is None:
        found.num_key_value_heads = found.num_attention_heads
    return found


TEXT_PARTS = ("qwen3_vl_text", "qwen2_vl_text", "qwen2_5_vl_text", "glm4v_text")
"""Types of the text part of a model of several kinds of input, for which alone transformers has no class."""

SAME_MODELS = {"mimo": "qwen2", "mobilellm": "llama"}
"""Types that transformers lacks → the type that has the same models but for what unmodelled names."""


def _tied(config: dict[str, Any]) -> Any:
    return config.get("share_embedding") or config.get("tie_word_embeddings", False)


@cache
def real_configs() -> dict[str, tuple[dict[str, Any], int]]:
    """Return configs as they were published, and the parameters that their models are known to have, by name."""
    lines = Path(__file__).with_name("hf_configs.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return {row["name"]: (row["config"], row["params"]) for row in rows}


_GELUS = ("gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_python", "quick_gelu")
_GATED = {"hidden_act": ("silu", "swish", *_GELUS)}
_PLAIN = {"hidden_act": ("relu", "relu2", *_GELUS)}
_PLAIN_FUNCTION = {"activation_function": _PLAIN["hidden_act"]}
_GEMMA = {"hidden_activation": _GATED["hidden_act"]}
_BOTH = (False, True)
_BIASED = {"attention_bias": _BOTH}

_LATENTS = {"q_lora_rank": (None, 6), "kv_lora_rank": (7,), "qk_rope_head_dim": (4, 8), "v_head_dim": (6,)}

OPTIONS: dict[str, dict[str, tuple[Any, ...]]] = {
    "gpt2": _PLAIN_FUNCTION,
    "gpt_neo": _PLAIN_FUNCTION,
    "gpt_neox": _PLAIN | _BIASED | {"use_parallel_residual": _BOTH, "rotary_pct": (0.25, 1.0)},
    "opt": _PLAIN_FUNCTION | {"enable_bias": _BOTH, "layer_norm_elementwise_affine": _BOTH},
    "bloom": {"apply_residual_connection_post_layernorm": _BOTH},
    "falcon": {"activation": _PLAIN["hidden_act"], "multi_query": _BOTH, "bias": _BOTH, "alibi": _BOTH},
    "mpt": {"attn_config": (None, {"alibi": True, "clip_qkv": 8.0}), "learned_pos_emb": _BOTH},
    "phi": _PLAIN | {"qk_layernorm": _BOTH, "partial_rotary_factor": (0.5, 1.0)},
    "starcoder2": _PLAIN | {"use_bias": _BOTH},
    "llama": _GATED | _BIASED | {"mlp_bias": _BOTH},
    "mistral": _GATED | {"sliding_window": (None, 64)},
    "qwen2": _GATED | {"use_sliding_window": _BOTH},
    "qwen3": _GATED | _BIASED,
    "gemma": _GATED | _BIASED,
    "gemma2": _GEMMA | _BIASED,
    "gemma3_text": _GEMMA | _BIASED,
    "olmo": _GATED | _BIASED | {"clip_qkv": (None, 8.0)},
    "olmo2": _GATED | _BIASED,
    "phi3": _GATED | {"sliding_window": (None, 64)},
    "stablelm": _GATED | {"use_qkv_bias": _BOTH, "use_parallel_residual": _BOTH},
    "smollm3": _GATED | _BIASED | {"mlp_bias": _BOTH, "no_rope_layer_interval": (2, 4)},
    "granite": _GATED | _BIASED | {"mlp_bias": _BOTH, "residual_multiplier": (0.5, 1.0)},
    "ernie4_5": _GATED | {"use_bias": _BOTH},
    "helium": _GATED | _BIASED,
    "ministral": _GATED | {"sliding_window": (None, 64)},
    "ministral3": _GATED | {"sliding_window": (None, 64)},
    "cwm": _GATED | {"sliding_window": (64, 8192)},
    "internlm3": _GATED,
    "iquestcoder": _GATED | _BIASED | {"mlp_bias": _BOTH},
    "mobilellm": _GATED | _BIASED | {"mlp_bias": _BOTH, "share_embedding": _BOTH},
    "mimo": _GATED | {"use_sliding_window": _BOTH, "max_window_layers": (0, 1)},
    "qwen3_vl_text": _GATED | _BIASED,
    "qwen2_vl_text": _GATED | {"use_sliding_window": _BOTH},
    "qwen2_5_vl_text": _GATED,
    "glm4v_text": _GATED,
    "hunyuan_v1_dense": _GATED | _BIASED,
    "seed_oss": _GATED | _BIASED,
    "glm": _GATED | _BIASED | {"partial_rotary_factor": (0.5, 1.0)},
    "glm4": _GATED | _BIASED,
    "hyperclovax": _GATED | _BIASED | {"mlp_bias": _BOTH, "use_post_norm": _BOTH, "logits_scaling": (0.5, 1.0)},
    "olmo3": _GATED | _BIASED | {"sliding_window": (64, 4096)},
    "exaone4": _GATED | {"sliding_window_pattern": (1, 2, 4)},
    "vaultgemma": _GEMMA | _BIASED,
    "cohere": _GATED | _BIASED | {"logit_scale": (0.0625, 1.0)},
    "cohere2": _GATED | _BIASED | {"sliding_window_pattern": (1, 2, 4), "sliding_window": (None, 64)},
    "gptj": _PLAIN_FUNCTION | {"rotary_dim": (2, 4)},
    "codegen": _PLAIN_FUNCTION | {"rotary_dim": (2, 4)},
    "gpt_bigcode": _PLAIN_FUNCTION | {"multi_query": _BOTH, "scale_attn_weights": _BOTH},
    "gpt-sw3": _PLAIN_FUNCTION,
    "biogpt": _PLAIN | {"scale_embedding": _BOTH},
    "xglm": _PLAIN_FUNCTION | {"scale_embedding": _BOTH},
    "ctrl": {},
    "nanochat": _PLAIN | _BIASED | {"final_logit_softcapping": (None, 15.0)},
    "arcee": _PLAIN | _BIASED | {"mlp_bias": _BOTH},
    "nemotron": _PLAIN | _BIASED | {"mlp_bias": _BOTH},
    "jais2": _PLAIN | _BIASED,
    "persimmon": _PLAIN | {"qk_layernorm": _BOTH},
    "mixtral": _GATED | {"num_local_experts": (2, 5), "sliding_window": (None, 64)},
    "qwen2_moe": _GATED
    | {"num_experts": (0, 4, 6), "moe_intermediate_size": (8, 24), "shared_expert_intermediate_size": (8, 20)}
    | {"norm_topk_prob": _BOTH, "mlp_only_layers": (None, [], [0], [0, 1]), "qkv_bias": _BOTH},
    "qwen3_moe": _GATED
    | _BIASED
    | {"num_experts": (0, 8, 9), "moe_intermediate_size": (8, 24), "norm_topk_prob": _BOTH}
    | {"mlp_only_layers": (None, [0], [0, 1, 2]), "decoder_sparse_step": (1, 4)},
    "olmoe": _GATED | _BIASED | {"num_experts": (8, 10), "norm_topk_prob": _BOTH, "clip_qkv": (None, 8.0)},
    "granitemoe": _GATED | _BIASED | {"num_local_experts": (2, 3), "residual_multiplier": (0.5, 1.0)},
    "deepseek_v2": _GATED
    | _BIASED
    | _LATENTS
    | {"n_routed_experts": (8,), "num_experts_per_tok": (2, 3), "n_shared_experts": (1, 2)}
    | {"moe_intermediate_size": (8, 24), "first_k_dense_replace": (0, 1, 4), "topk_method": ("greedy",)},
    "deepseek_v3": _GATED
    | _BIASED
    | _LATENTS
    | {"n_routed_experts": (16,), "num_experts_per_tok": (2, 3), "n_group": (4,), "topk_group": (2,)}
    | {"n_shared_experts": (1, 2), "moe_intermediate_size": (8, 24), "first_k_dense_replace": (0, 1, 4)},
    "minicpm3": _GATED | _BIASED | _LATENTS | {"mlp_bias": _BOTH, "v_head_dim": (None, 6), "scale_depth": (None, 1.4)},
}
"""Model type → what its configs may say about structure, in the words of transformers."""

_GPT2_NAMES = {
    "hidden_size": "n_embd",
    "intermediate_size": "n_inner",
    "num_hidden_layers": "n_layer",
    "num_attention_heads": "n_head",
    "max_position_embeddings": "n_positions",
}
_NAMES = {
    **dict.fromkeys(("gpt2", "gptj", "codegen", "gpt_bigcode", "gpt-sw3"), _GPT2_NAMES),
    "ctrl": _GPT2_NAMES | {"intermediate_size": "dff"},
    "xglm": {"hidden_size": "d_model", "num_hidden_layers": "num_layers", "num_attention_heads": "attention_heads"}
    | {"intermediate_size": "ffn_dim"},
    "gpt_neo": {"num_hidden_layers": "num_layers", "num_attention_heads": "num_heads"},
    "opt": {"intermediate_size": "ffn_dim"},
    "bloom": {"num_hidden_layers": "n_layer", "num_attention_heads": "n_head", "intermediate_size": ""},
    "falcon": {"intermediate_size": "ffn_hidden_size"},
    "mpt": {"hidden_size": "d_model", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads"}
    | {"max_position_embeddings": "max_seq_len", "intermediate_size": ""},
    **{key: {"head_dim": "qk_nope_head_dim"} for key in ("deepseek_v2", "deepseek_v3", "minicpm3")},
}
"""Model type → what it calls a size that most call otherwise; nothing when it has no such key."""

_EVERY_HEAD_HAS_KEYS = (
    *("gpt2", "gpt_neo", "gpt_neox", "opt", "bloom", "falcon", "mpt", "gptj", "codegen", "gpt_bigcode", "gpt-sw3"),
    *("biogpt", "xglm", "ctrl", "persimmon", "deepseek_v2", "deepseek_v3", "minicpm3"),
)
_HEAD_DIM_IS_GIVEN = (
    *("qwen3", "gemma", "gemma2", "gemma3_text", "vaultgemma", "qwen3_vl_text", "ernie4_5", "ministral3", "cwm"),
    *("internlm3", "iquestcoder", "seed_oss", "glm", "glm4", "deepseek_v2", "deepseek_v3", "minicpm3"),
)
_HEADS_DIVIDE_WIDTH = (
    *_EVERY_HEAD_HAS_KEYS,
    "stablelm",
    "phi",
    "cohere2",
    "olmoe",
    "qwen2_vl_text",
    "qwen2_5_vl_text",
    "glm4v_text",
    "olmoe",
)


@st.composite
def small_configs(draw: st.DrawFn, model_type: str) -> dict[str, Any]:
    """Draw a config of a few thousand parameters that leaves some keys to their defaults."""
    sizes, names = draw(_sizes(model_type)), _NAMES.get(model_type, {})
    named = {names.get(size, size): value for size, value in sizes.items() if names.get(size, size)}
    options = {key: st.sampled_from(values) for key, values in OPTIONS[model_type].items()}
    chosen = draw(st.fixed_dictionaries({}, optional={**options, "tie_word_embeddings": st.booleans()}))
    # The ids of special tokens would lie beyond a small vocabulary.
    rest: dict[str, Any] = {"pad_token_id": None, "bos_token_id": None, "eos_token_id": None}
    if model_type == "deepseek_v3" and chosen.keys() & {"n_routed_experts", "num_experts_per_tok", "topk_group"}:
        # A token's groups must have as many experts as it uses: these keys are given together.
        chosen |= {"n_routed_experts": 16, "n_group": 4, "topk_group": 2}
        chosen.setdefault("num_experts_per_tok", 2)
    if model_type == "falcon":
        rest |= draw(_falcon_blocks(sizes["num_attention_heads"]))
    if model_type == "cwm":
        rest["bos_token_id"] = 1
    if model_type == "helium":
        rest["head_dim"] = sizes["hidden_size"] // sizes["num_attention_heads"]
    if model_type == "gpt_neo":
        rest["attention_types"] = [[["global"], sizes["num_hidden_layers"]]]
    return {"model_type": model_type, **named, **chosen, **rest}


@st.composite
def _sizes(draw: st.DrawFn, model_type: str) -> dict[str, int]:
    n_heads, width = draw(st.integers(1, 6)), 2 * draw(st.integers(2, 8))
    sizes = {"hidden_size": n_heads * width, "num_attention_heads": n_heads}
    sizes["num_hidden_layers"] = draw(st.integers(1, 3))
    if model_type not in _EVERY_HEAD_HAS_KEYS:
        sizes["num_key_value_heads"] = draw(_divisors(n_heads))
    if model_type in _HEAD_DIM_IS_GIVEN or (model_type not in _HEADS_DIVIDE_WIDTH and draw(st.booleans())):
        sizes["head_dim"] = 2 * draw(st.integers(2, 16))
    optional = {"vocab_size": st.integers(16, 300), "intermediate_size": st.integers(1, 99)}
    optional["max_position_embeddings"] = st.integers(1, 99)
    return sizes | draw(st.fixed_dictionaries({}, optional=optional))


@st.composite
def _falcon_blocks(draw: st.DrawFn, n_heads: int) -> dict[str, Any]:
    if draw(st.booleans()):
        return {"parallel_attn": draw(st.booleans())}
    norms, n_kv_heads = draw(st.sampled_from((None, 1, 2))), draw(st.none() | _divisors(n_heads))
    return {"new_decoder_architecture": True, "num_ln_in_parallel_attn": norms, "num_kv_heads": n_kv_heads}


def _divisors(number: int) -> st.SearchStrategy[int]:
    return st.sampled_from([divisor for divisor in range(1, number + 1) if number % divisor == 0])

"""What transformers builds of a config: its own model on the meta device, counted by the keys of slimlm's account."""

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import torch
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig

_OUTSIDE = {
    r"lm_head\.": "lm_head",
    r"(wte|embed_in|embed_tokens|word_embeddings)\.weight": "token_embedding",
    r"(wpe|embed_positions)\.": "position_embedding",
    r"norm|ln_f": "final_norm",
}
_IN_LAYER = {r"norm|\.ln_": "norms", r"attn|attention": "attention", r"mlp|ffn|\.fc[12]\.": "ffn"}


def count(config: PreTrainedConfig) -> dict[str, int]:
    """Return how many parameters every component has; a tied table is counted once, as the token embedding."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    model.tie_weights()
    found: Counter[str] = Counter()
    for name, parameter in model.named_parameters():  # each parameter once, by its first name
        found[_component(name)] += parameter.numel()
    return dict(found)


def _component(name: str) -> str:
    patterns = _IN_LAYER if re.search(r"\.\d+\.", name) else _OUTSIDE
    return next(key for pattern, key in patterns.items() if re.search(pattern, name))


def load(config: dict[str, Any]) -> PreTrainedConfig:
    """Return the config as transformers reads it from a file."""
    return AutoConfig.for_model(**config)


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
}
"""Model type → what its configs may say about structure, in the words of transformers."""

_NAMES = {
    "gpt2": {"hidden_size": "n_embd", "intermediate_size": "n_inner", "num_hidden_layers": "n_layer"}
    | {"num_attention_heads": "n_head", "max_position_embeddings": "n_positions"},
    "gpt_neo": {"num_hidden_layers": "num_layers", "num_attention_heads": "num_heads"},
    "opt": {"intermediate_size": "ffn_dim"},
    "bloom": {"num_hidden_layers": "n_layer", "num_attention_heads": "n_head", "intermediate_size": ""},
    "falcon": {"intermediate_size": "ffn_hidden_size"},
    "mpt": {"hidden_size": "d_model", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads"}
    | {"max_position_embeddings": "max_seq_len", "intermediate_size": ""},
}
"""Model type → what it calls a size that most call otherwise; nothing when it has no such key."""

_EVERY_HEAD_HAS_KEYS = ("gpt2", "gpt_neo", "gpt_neox", "opt", "bloom", "falcon", "mpt")
_HEAD_DIM_IS_GIVEN = ("qwen3", "gemma", "gemma2", "gemma3_text")
_HEADS_DIVIDE_WIDTH = (*_EVERY_HEAD_HAS_KEYS, "stablelm", "phi")


@st.composite
def small_configs(draw: st.DrawFn, model_type: str) -> dict[str, Any]:
    """Draw a config of a few thousand parameters that leaves some keys to their defaults."""
    sizes, names = draw(_sizes(model_type)), _NAMES.get(model_type, {})
    named = {names.get(size, size): value for size, value in sizes.items() if names.get(size, size)}
    options = {key: st.sampled_from(values) for key, values in OPTIONS[model_type].items()}
    chosen = draw(st.fixed_dictionaries({}, optional={**options, "tie_word_embeddings": st.booleans()}))
    # The ids of special tokens would lie beyond a small vocabulary.
    rest: dict[str, Any] = {"pad_token_id": None, "bos_token_id": None, "eos_token_id": None}
    if model_type == "falcon":
        rest |= draw(_falcon_blocks(sizes["num_attention_heads"]))
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
